package dnsserver

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"gslb/steering"
)

// A Server answers on sockets from the table published last. The zero Server
// is ready for use.
type Server struct {
	table   atomic.Pointer[Table]
	options atomic.Pointer[Options] // nil: the zero Options
	limiter atomic.Pointer[limiter] // nil until there is a limit
	turn    atomic.Uint64           // the number of TCP queries, which have no worker of their own
	wait    sync.WaitGroup
	idle    time.Duration // how long TCP clients may be silent; 0 is patience

	mu         sync.Mutex
	closed     bool
	listeners  []*Listener
	conns      map[*net.TCPConn]netip.Addr
	perNetwork map[netip.Addr]int
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
	for range runtime.GOMAXPROCS(0) {
		s.wait.Go(func() { s.packets(l.udp, l.Addr.Addr().IsUnspecified()) })
	}
	s.wait.Go(func() { s.accept(l.tcp) })
}

// Close stops answering and returns when no worker is left.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for _, l := range s.listeners {
		l.Close()
	}
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.wait.Wait()
}

// packets answers over UDP. Several workers read from one socket, each with
// buffers and a number of its own.
func (s *Server) packets(conn *net.UDPConn, everywhere bool) {
	packet, buf := make([]byte, dns.MaxMsgSize), make([]byte, 0, UDPSize)
	control := make([]byte, 128)
	d := datagrams{server: s, u: rand.Uint64()}
	for {
		n, c, _, from, err := conn.ReadMsgUDPAddrPort(packet, control)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(time.Millisecond) // the kernel is out of something; do not spin
			continue
		}
		reply := d.reply(buf, packet[:n], from, time.Now())
		if reply == nil {
			continue
		}
		var source []byte
		if everywhere {
			source = replyFrom(control[:c])
		}
		// A reply that cannot be sent is like one that is lost: the asker asks again.
		_, _, _ = conn.WriteMsgUDPAddrPort(reply, source, from)
	}
}

// datagrams answers what comes over UDP, whoever reads and writes it. It
// belongs to one goroutine.
type datagrams struct {
	server *Server
	worker Worker
	u      uint64 // starts anywhere
}

// reply writes the reply to packet, which came from from at time now, into
// buf and returns it, or nil where silence is the answer.
func (d *datagrams) reply(buf, packet []byte, from netip.AddrPort, now time.Time) []byte {
	if from.Port() == 0 {
		return nil // nobody can be there
	}
	o := d.server.configured()
	r := Request{Packet: packet, Via: UDP, From: from.Addr().Unmap().WithZone(""), Now: uint32(now.Unix())}
	if o.Proxies.list(r.From) {
		asker, n, ok := proxied(packet, r.From)
		if !ok {
			return nil // what a proxy sends without a header is not for us
		}
		r.From, r.Packet = asker, packet[n:]
	}
	d.u += steering.Golden
	r.U = d.u
	reply := d.worker.Reply(buf, d.server.table.Load(), o, r)
	if l := d.server.limiter.Load(); l != nil {
		reply = l.pass(&d.worker, reply, now)
	}
	return reply
}
