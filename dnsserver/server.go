package dnsserver

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gslb/dnsserver/afxdp"
	"gslb/steering"
)

// A Server answers on sockets from the table published last. The zero Server
// is ready for use.
type Server struct {
	Log *slog.Logger // told of connections that fail, now and then; nil: nobody is

	table   atomic.Pointer[Table]
	options atomic.Pointer[Options] // nil: the zero Options
	limiter atomic.Pointer[limiter] // nil until there is a limit
	turn    atomic.Uint64           // the number of TCP queries, which have no worker of their own
	stop    atomic.Bool             // no packet is to be read any more
	workers sync.WaitGroup          // over UDP
	wait    sync.WaitGroup          // over TCP
	idle    time.Duration           // how long TCP clients may be silent; 0 is patience

	mu         sync.Mutex
	closed     bool
	leaving    bool
	listeners  []*Listener
	interfaces []*afxdp.Interface
	conns      map[*net.TCPConn]*guest
	perNetwork map[netip.Addr]int
	trouble    trouble
}

// Publish makes every query from now on be answered from t.
func (s *Server) Publish(t *Table) { s.table.Store(t) }

// Configure makes every query from now on be answered with o, which must not
// be changed any more.
func (s *Server) Configure(o *Options) {
	if o.Limit.PerSecond > 0 && s.limiter.Load() == nil {
		s.limiter.Store(newLimiter())
	}
	s.options.Store(o)
}

var noOptions Options

func (s *Server) configured() *Options {
	if o := s.options.Load(); o != nil {
		return o
	}
	return &noOptions
}

// Serve starts answering on l, which the server closes in the end. A table
// must have been published before.
func (s *Server) Serve(l *Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, l)
	serve, empty := l.settle(runtime.GOMAXPROCS(0))
	for _, socket := range serve {
		d := datagrams{server: s, u: rand.Uint64()}
		s.workers.Go(func() { socket.serve(d.reply, &s.stop) })
	}
	for _, socket := range empty {
		d := datagrams{server: s, u: rand.Uint64()}
		s.workers.Go(func() { socket.drain(d.reply, &s.stop) })
	}
	s.wait.Go(func() { s.accept(l.tcp) })
}

// Bypass starts answering what comes by an interface past the kernel's network
// stack; the server closes it in the end. Should it end before, gone is told why, once. A
// table must have been published before.
func (s *Server) Bypass(iface *afxdp.Interface, gone func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop.Load() {
		_ = iface.Close()
		return
	}
	s.interfaces = append(s.interfaces, iface)
	ended := make(chan error, len(iface.Queues()))
	for _, q := range iface.Queues() {
		d := datagrams{server: s, u: rand.Uint64()}
		s.workers.Go(func() {
			err := q.Serve(d.reply)
			if err != nil {
				iface.Leave() // the other queues end too
			}
			ended <- err
		})
	}
	s.wait.Go(func() {
		var failed error
		for range cap(ended) {
			failed = errors.Join(failed, <-ended)
		}
		if failed != nil && s.drop(iface) {
			gone(failed)
		}
	})
}

// drop closes an interface that has ended, unless the server does.
func (s *Server) drop(iface *afxdp.Interface) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.interfaces, iface)
	if s.stop.Load() || i < 0 {
		return false
	}
	s.interfaces = slices.Delete(s.interfaces, i, i+1)
	_ = iface.Close()
	return true
}

// Holds are what keeps the interfaces' programs where they are, for the process that
// takes over.
func (s *Server) Holds() []afxdp.Hold {
	s.mu.Lock()
	defer s.mu.Unlock()
	var holds []afxdp.Hold
	for _, iface := range s.interfaces {
		if h, err := iface.Hold(); err == nil { // otherwise the heir waits for the interface to be free
			holds = append(holds, h)
		}
	}
	return holds
}

// rest ends answering packets. Those that come by the interfaces from now on go
// to the kernel's stack, and so to the sockets.
func (s *Server) rest() {
	s.mu.Lock()
	s.stop.Store(true)
	for _, iface := range s.interfaces {
		iface.Leave()
	}
	s.mu.Unlock()
	s.workers.Wait()
	s.mu.Lock()
	for _, iface := range s.interfaces {
		_ = iface.Close()
	}
	s.interfaces = nil
	s.mu.Unlock()
}

// Close stops answering and returns when no worker is left.
func (s *Server) Close() {
	s.rest()
	s.mu.Lock()
	s.closed = true
	for _, l := range s.listeners {
		_ = l.Close()
	}
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.wait.Wait()
}

// Leave stops answering packets, which another process does by now on the same
// sockets, takes no more connections, and ends those there are when they have
// been quiet for a moment, or after grace.
func (s *Server) Leave(grace time.Duration) {
	s.rest()
	s.mu.Lock()
	s.leaving = true
	for _, l := range s.listeners {
		_ = l.tcp.Close()
	}
	for conn := range s.conns {
		_ = conn.SetReadDeadline(time.Now().Add(farewell))
	}
	s.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		s.wait.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case <-time.After(grace):
	}
	s.Close()
}

// farewell is how long a connection must be quiet to be ended by a server that leaves.
const farewell = 200 * time.Millisecond

// datagrams answers what comes over UDP, whoever reads and writes it. It
// belongs to one goroutine.
type datagrams struct {
	server *Server
	worker Worker
	fast   quick
	u      uint64 // starts anywhere
}

// reply is a [responder].
func (d *datagrams) reply(buf, packet []byte, from netip.AddrPort, now time.Time) []byte {
	if from.Port() == 0 {
		return nil // nobody can be there
	}
	o := d.server.configured()
	r := Request{Packet: packet, Via: UDP, From: from.Addr(), Now: uint32(now.Unix())}
	if r.From.Is6() {
		r.From = r.From.Unmap().WithZone("")
	}
	if len(o.Proxies) > 0 && o.Proxies.list(r.From) {
		asker, n, ok := proxied(packet, r.From)
		if !ok {
			return nil // what a proxy sends without a header is not for us
		}
		r.From, r.Packet = asker, packet[n:]
	}
	d.u += steering.Golden
	r.U = d.u
	t, l := d.server.table.Load(), d.server.limiter.Load()
	if reply, ok := d.quick(buf, t, o, l, &r, now); ok {
		return reply
	}
	reply := d.worker.Reply(buf, t, o, r)
	if l != nil {
		reply = l.pass(&d.worker, reply, now)
	}
	return reply
}
