package dnsserver

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"gslb/steering"
)

// What TCP clients may use (RFC 7766, section 6).
const (
	patience      = 10 * time.Second // from one reply to the end of the next query
	maxConns      = 1024
	maxPerNetwork = 128              // connections from one IPv4 address or IPv6 /64
	crowded       = maxConns / 4 * 3 // with more, patience is short
	impatience    = 2 * time.Second
)

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
		from := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone("")
		if !s.admit(conn, from) {
			_ = conn.Close()
			continue
		}
		s.wait.Go(func() {
			defer s.dismiss(conn)
			s.converse(conn, from)
		})
	}
}

// admit keeps count of conn, unless there are too many already. A proxy may
// use all of them: it speaks for many.
func (s *Server) admit(conn *net.TCPConn, from netip.Addr) bool {
	bits := 64
	if from.Is4() {
		bits = 32
	}
	prefix, err := from.Prefix(bits)
	if err != nil {
		return false
	}
	network := prefix.Addr()
	most := maxPerNetwork
	if s.configured().Proxies.list(from) {
		most = maxConns
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.conns) >= maxConns || s.perNetwork[network] >= most {
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

// patience is how long a client may be silent: less when many want to be heard.
func (s *Server) patience() time.Duration {
	if s.idle > 0 {
		return s.idle
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving {
		return farewell
	}
	if len(s.conns) > crowded {
		return impatience
	}
	return patience
}

// converse answers the queries of one connection, in their order, until the
// other side stops, stalls or sends what is no query. Replies to queries that
// have come together leave together.
func (s *Server) converse(conn *net.TCPConn, from netip.Addr) {
	in := bufio.NewReaderSize(conn, 4096)
	var w Worker
	var packet, buf, out []byte
	for first := true; ; first = false {
		idle := s.patience()
		if err := conn.SetDeadline(time.Now().Add(idle)); err != nil {
			return
		}
		o := s.configured()
		if first && o.Proxies.list(from) {
			asker, err := readProxied(in, from)
			if err != nil {
				return
			}
			from = asker
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
		buf = w.Reply(buf, s.table.Load(), o, Request{Packet: packet, Via: TCP, From: from, Now: uint32(time.Now().Unix()), Idle: idle, U: s.turn.Add(steering.Golden)})
		if buf == nil {
			_, _ = conn.Write(out)
			return
		}
		// One write, so that length and message travel together (RFC 7766, section 8).
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(buf))), buf...)
		if whole(in) && len(out) < maxOut {
			continue
		}
		if _, err := conn.Write(out); err != nil {
			return
		}
		out = out[:0]
	}
}

// maxOut is how much waits to be sent before it is.
const maxOut = 1 << 16

// whole reports whether the next message has come already.
func whole(in *bufio.Reader) bool {
	n := in.Buffered()
	if n < 2 {
		return false
	}
	length, err := in.Peek(2)
	return err == nil && n >= 2+int(binary.BigEndian.Uint16(length))
}
