package dnsserver

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
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

// What TCP clients may use (RFC 7766, section 6).
const (
	patience      = 10 * time.Second // from one reply to the end of the next query
	maxConns      = 1024
	maxPerNetwork = 128 // connections from one IPv4 address or IPv6 /64
)

// A Server answers on sockets from the table published last. The zero Server
// is ready for use.
type Server struct {
	table atomic.Pointer[Table]
	turn  atomic.Uint64 // the number of TCP queries, which have no worker of their own
	wait  sync.WaitGroup
	idle  time.Duration // how long TCP clients may be silent; 0 is patience

	mu         sync.Mutex
	closed     bool
	listeners  []*Listener
	conns      map[*net.TCPConn]netip.Addr
	perNetwork map[netip.Addr]int
}

// Publish makes every query from now on be answered from t.
func (s *Server) Publish(t *Table) { s.table.Store(t) }

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
	var control []byte
	if everywhere {
		control = make([]byte, 128)
	}
	u := rand.Uint64()
	for {
		n, c, _, from, err := conn.ReadMsgUDPAddrPort(packet, control)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(time.Millisecond) // the kernel is out of something; do not spin
			continue
		}
		if from.Port() == 0 {
			continue // nobody can be there
		}
		u += steering.Golden
		reply := s.table.Load().Reply(buf, packet[:n], UDP, u)
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

func (s *Server) accept(l *net.TCPListener) {
	for {
		conn, err := l.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of file descriptors, most likely
			continue
		}
		if !s.admit(conn) {
			_ = conn.Close()
			continue
		}
		s.wait.Go(func() {
			defer s.dismiss(conn)
			s.converse(conn)
		})
	}
}

// admit keeps count of conn, unless there are too many already.
func (s *Server) admit(conn *net.TCPConn) bool {
	from := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	bits := 64
	if from.Is4() {
		bits = 32
	}
	prefix, err := from.WithZone("").Prefix(bits)
	if err != nil {
		return false
	}
	network := prefix.Addr()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.conns) >= maxConns || s.perNetwork[network] >= maxPerNetwork {
		return false
	}
	if s.conns == nil {
		s.conns, s.perNetwork = map[*net.TCPConn]netip.Addr{}, map[netip.Addr]int{}
	}
	s.conns[conn] = network
	s.perNetwork[network]++
	return true
}

func (s *Server) dismiss(conn *net.TCPConn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	network := s.conns[conn]
	delete(s.conns, conn)
	if s.perNetwork[network]--; s.perNetwork[network] == 0 {
		delete(s.perNetwork, network)
	}
}

// converse answers the queries of one connection, in their order, until the
// other side stops, stalls or sends what is no query.
func (s *Server) converse(conn *net.TCPConn) {
	in := bufio.NewReaderSize(conn, 4096)
	var packet, buf, out []byte
	idle := patience
	if s.idle > 0 {
		idle = s.idle
	}
	for {
		if err := conn.SetDeadline(time.Now().Add(idle)); err != nil {
			return
		}
		var length [2]byte
		if _, err := io.ReadFull(in, length[:]); err != nil {
			return
		}
		n := int(binary.BigEndian.Uint16(length[:]))
		if cap(packet) < n {
			packet = make([]byte, n)
		}
		packet = packet[:n]
		if _, err := io.ReadFull(in, packet); err != nil {
			return
		}
		buf = s.table.Load().Reply(buf, packet, TCP, s.turn.Add(steering.Golden))
		if buf == nil {
			return
		}
		// One write, so that length and message travel together (RFC 7766, section 8).
		out = append(binary.BigEndian.AppendUint16(out[:0], uint16(len(buf))), buf...)
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}
