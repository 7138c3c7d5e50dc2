package dnsserver

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
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

// A guest is a connection that is served.
type guest struct {
	network netip.Addr
	quiet   atomic.Int64 // when it was last answered or, before that, accepted: nanoseconds since 1970
}

func (s *Server) accept(l *net.TCPListener) {
	for {
		conn, err := l.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.tell("cannot be accepted", netip.Addr{}, reason(err))
			time.Sleep(10 * time.Millisecond) // out of file descriptors, most likely
			continue
		}
		from := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone("")
		g, err := s.admit(conn, from)
		if err != nil {
			s.tell("is refused", from, err)
			_ = conn.Close()
			continue
		}
		s.wait.Go(func() {
			defer s.dismiss(conn)
			if err := s.converse(conn, from, g); err != nil {
				s.tell("has failed", from, err)
			}
		})
	}
}

// Why a connection is refused or ended.
var (
	errLeaving  = errors.New("the server ends")
	errCrowd    = fmt.Errorf("its network has %d already", maxPerNetwork)
	errEvicted  = fmt.Errorf("idle for longest of %d, and another one came", maxConns)
	errNoQuery  = errors.New("what it sent is no query")
	errCut      = errors.New("it was closed within a query")
	errStalled  = errors.New("nothing more came of a query")
	errDeaf     = errors.New("replies are not taken")
	errNoHeader = errors.New("no PROXY header from a peer that must send one")
)

// admit keeps count of conn, unless its network has too many already. When all
// places are taken, the one that has been idle for longest goes (RFC 7766,
// section 6.2.3). A proxy may use all of them: it speaks for many.
func (s *Server) admit(conn *net.TCPConn, from netip.Addr) (*guest, error) {
	bits := 64
	if from.Is4() {
		bits = 32
	}
	prefix, err := from.Prefix(bits)
	if err != nil {
		return nil, err
	}
	g := &guest{network: prefix.Addr()}
	g.quiet.Store(time.Now().UnixNano())
	most := maxPerNetwork
	if s.configured().Proxies.list(from) {
		most = maxConns
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, errLeaving
	case s.perNetwork[g.network] >= most:
		return nil, errCrowd
	}
	if len(s.conns) >= maxConns {
		s.evict()
	}
	if s.conns == nil {
		s.conns, s.perNetwork = map[*net.TCPConn]*guest{}, map[netip.Addr]int{}
	}
	s.conns[conn] = g
	s.perNetwork[g.network]++
	return g, nil
}

// evict ends the connection that has been idle for longest. One that has sent
// part of a query counts as idle: else a few octets would hold a place.
func (s *Server) evict() {
	var longest *net.TCPConn
	var since int64
	for conn, g := range s.conns {
		if quiet := g.quiet.Load(); longest == nil || quiet < since {
			longest, since = conn, quiet
		}
	}
	s.forget(longest)
	s.trouble.note(s.Log, "is ended", longest.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(), errEvicted)
	_ = longest.Close()
}

func (s *Server) dismiss(conn *net.TCPConn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(conn)
}

// forget no longer counts a connection, if it is counted.
func (s *Server) forget(conn *net.TCPConn) {
	g := s.conns[conn]
	if g == nil {
		return // evicted
	}
	delete(s.conns, conn)
	if s.perNetwork[g.network]--; s.perNetwork[g.network] == 0 {
		delete(s.perNetwork, g.network)
	}
}

// tell tells of a connection that fails.
func (s *Server) tell(what string, from netip.Addr, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed && !s.leaving {
		s.trouble.note(s.Log, what, from, why)
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

// converse answers the queries of one connection until the other side stops,
// stalls or sends what is no query. Replies to queries that have come together
// leave together, in their order; only where one takes long do others go before
// it. The error is why it ended, nil where that is the client's right: it
// has closed, or is idle between two queries.
func (s *Server) converse(conn *net.TCPConn, from netip.Addr, g *guest) error {
	in := bufio.NewReaderSize(conn, 4096)
	err := conn.SetDeadline(time.Now().Add(s.patience()))
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	if err != nil {
		return err
	}
	if s.configured().Proxies.list(from) {
		asker, err := readProxied(in, from)
		if err != nil {
			return errNoHeader
		}
		from = asker
	}
	t := &talk{in: in, out: conn, patience: func() (time.Duration, error) {
		idle := s.patience()
		return idle, conn.SetDeadline(time.Now().Add(idle))
	}, answerer: func() answerer {
		var w Worker
		return func(buf, packet []byte, idle time.Duration) []byte {
			now := time.Now()
			g.quiet.Store(now.UnixNano())
			return w.Reply(buf, s.table.Load(), s.configured(), Request{Packet: packet, Via: TCP, From: from, Now: uint32(now.Unix()), Idle: idle, U: s.turn.Add(steering.Golden)})
		}
	}}
	t.lead()
	t.others.Wait()
	return t.why
}

// An answerer writes the reply to packet into buf and returns it, or nil where
// the connection is to end. Idle is how long the client may be silent. It is
// called by one goroutine.
type answerer func(buf, packet []byte, idle time.Duration) []byte

// A talk is a connection's queries and replies. One goroutine leads: it reads a
// query, answers it and reads the next. When an answer takes longer than slow,
// another goroutine leads from then on, and the slow one sends its reply when
// it has it (RFC 7766, section 6.2.1.1).
type talk struct {
	in       *bufio.Reader // the leader's
	out      io.WriteCloser
	patience func() (time.Duration, error) // sets the deadline of what comes next
	answerer func() answerer

	others sync.WaitGroup
	turn   atomic.Uint64 // odd while the leader answers; it never comes again

	mu      sync.Mutex
	waiting []byte // replies that leave with the next
	behind  int    // slow answers
	over    bool
	why     error
}

const (
	slow       = 20 * time.Millisecond
	mostBehind = 8 // slow answers of one connection at a time; with more it is read no further
)

// lead leads until the talk ends or another goroutine leads.
func (t *talk) lead() {
	answer := t.answerer()
	late := time.AfterFunc(time.Hour, t.overtake)
	defer late.Stop()
	late.Stop()
	var packet, buf []byte
	for {
		idle, err := t.patience()
		if err != nil {
			return
		}
		var length [2]byte
		if n, err := io.ReadFull(t.in, length[:]); err != nil {
			t.end(n > 0, err)
			return
		}
		n := int(binary.BigEndian.Uint16(length[:]))
		if cap(packet) < n {
			packet = make([]byte, n)
		}
		packet = packet[:n]
		if _, err := io.ReadFull(t.in, packet); err != nil {
			t.end(true, err)
			return
		}
		more := whole(t.in)
		turn := t.turn.Add(1)
		late.Reset(slow)
		buf = answer(buf, packet, idle)
		late.Stop()
		led := t.turn.CompareAndSwap(turn, turn+1)
		if !t.reply(buf, led, more) {
			return
		}
	}
}

// overtake lets another goroutine lead while the leader answers. A timer that
// comes too late may meet the next answer, which does no harm.
func (t *talk) overtake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	turn := t.turn.Load()
	if turn%2 == 0 || t.over || t.behind == mostBehind || !t.turn.CompareAndSwap(turn, turn+1) {
		return
	}
	t.behind++
	t.flush()
	t.others.Go(t.lead)
}

// reply sends a reply, or lets it wait for more that follow at once, and reports
// whether whoever has made it still leads and should go on.
func (t *talk) reply(buf []byte, led, more bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !led {
		t.behind--
		_, _ = t.patience() // that of the queries behind it may have run out
	}
	switch {
	case t.over:
		return false
	case buf == nil:
		t.flush()
		t.stop(errNoQuery)
		return false
	}
	// One write, so that length and message travel together (RFC 7766, section 8).
	t.waiting = append(binary.BigEndian.AppendUint16(t.waiting, uint16(len(buf))), buf...)
	if !led || !more || len(t.waiting) >= maxOut {
		t.flush()
	}
	return led && !t.over
}

func (t *talk) flush() {
	if len(t.waiting) == 0 {
		return
	}
	if _, err := t.out.Write(t.waiting); err != nil {
		t.stop(errDeaf)
	}
	t.waiting = t.waiting[:0]
}

// stop ends the talk for all that take part.
func (t *talk) stop(why error) {
	if !t.over {
		t.over, t.why = true, why
	}
	_ = t.out.Close()
}

// end notes why nothing more is read. Slow answers are still sent.
func (t *talk) end(within bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !within || t.over || errors.Is(err, net.ErrClosed):
	case errors.Is(err, os.ErrDeadlineExceeded):
		t.why = errStalled
	default:
		t.why = errCut
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
