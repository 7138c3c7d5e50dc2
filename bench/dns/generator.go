package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	sockets = 8   // ports that queries come from
	batch   = 128 // packets that go through one call, and queries of one socket that wait at most
	atOnce  = 64  // queries that the kernel takes as one (UDP_SEGMENT of udp(7))
	room    = 1280

	// patience is after how long without any reply queries of a port count as lost.
	patience = 2 * time.Second
)

type mmsghdr struct {
	unix.Msghdr
	n uint32
}

// A port sends queries and matches replies by their ID.
type port struct {
	fd      int
	id      uint16
	waiting [1 << 16]bool // by ID
	open    int           // of them
	heard   time.Time     // when a reply came last, or a query went while none was open

	in      [batch]mmsghdr
	inData  [batch]unix.Iovec
	replies [batch][room]byte
	queries []byte // one behind the other
}

// A generator keeps a number of queries waiting at a server, and counts. Its
// queries are equally long: it hands the kernel many as one, which takes them
// apart just before the server's socket. So the generator works less than any
// server and finds out what that can do.
type generator struct {
	ports   [sockets]*port
	queries []query
	next    int
	window  int // of each port

	sent, answered, lost, strange int
}

func newGenerator(to *net.UDPAddr, queries []query, window int) (*generator, error) {
	g := &generator{queries: queries, window: window / sockets}
	for i := range g.ports {
		p, err := newPort(to, len(queries[0].packet))
		if err != nil {
			g.close()
			return nil, err
		}
		p.id = uint16(i * 1009)
		g.ports[i] = p
	}
	return g, nil
}

func newPort(to *net.UDPAddr, size int) (*port, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("connect to %v: %w", to, err)
	}
	// Room for a whole window, without which the kernel would lose replies and not the server.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT, size); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("send many queries as one: %w", err)
	}
	p := &port{fd: fd}
	for i := range batch {
		p.inData[i].Base = &p.replies[i][0]
		p.inData[i].SetLen(room)
		p.in[i].Iov = &p.inData[i]
		p.in[i].SetIovlen(1)
	}
	return p, nil
}

func (g *generator) close() {
	for _, p := range g.ports {
		if p != nil {
			_ = unix.Close(p.fd)
		}
	}
}

// run asks for a while and then waits for what is still open.
func (g *generator) run(ctx context.Context, d time.Duration) error {
	var poll [sockets]unix.PollFd
	start := time.Now()
	for i, p := range g.ports {
		poll[i] = unix.PollFd{Fd: int32(p.fd), Events: unix.POLLIN}
		p.heard = start
	}
	for now := start; ; now = time.Now() {
		asking := now.Sub(start) < d && ctx.Err() == nil
		open, moved := 0, false
		for _, p := range g.ports {
			n, err := g.receive(p, now)
			if err != nil {
				return err
			}
			moved = moved || n > 0
			// Half a window at a time, so that batches stay batches.
			if asking && p.open <= g.window/2 {
				if err := g.send(p, now); err != nil {
					return err
				}
				moved = true
			}
			if p.open > 0 && now.Sub(p.heard) > patience {
				g.lost += p.open
				p.open, p.waiting = 0, [1 << 16]bool{}
			}
			open += p.open
		}
		if !asking && open == 0 {
			return ctx.Err()
		}
		if !moved {
			if _, err := unix.Poll(poll[:], 10); err != nil && err != unix.EINTR {
				return err
			}
		}
	}
}

func (g *generator) receive(p *port, now time.Time) (int, error) {
	if p.open == 0 {
		return 0, nil
	}
	r, _, err := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(p.fd), uintptr(unsafe.Pointer(&p.in)), batch, unix.MSG_DONTWAIT, 0, 0)
	switch err {
	case 0:
	case unix.EAGAIN, unix.EINTR:
		return 0, nil
	default:
		return 0, fmt.Errorf("receive replies: %w", err)
	}
	n := int(r)
	p.heard = now
	for i := range n {
		b := p.replies[i][:p.in[i].n]
		if len(b) < 12 {
			g.strange++
			continue
		}
		id := binary.BigEndian.Uint16(b)
		// A reply, no error, with an answer.
		if !p.waiting[id] || b[2]&0x80 == 0 || b[3]&0xf != 0 || b[6]|b[7] == 0 {
			g.strange++
			continue
		}
		p.waiting[id] = false
		p.open--
		g.answered++
	}
	return n, nil
}

func (g *generator) send(p *port, now time.Time) error {
	if p.open == 0 {
		p.heard = now
	}
	n := 0
	p.queries = p.queries[:0]
	for p.open+n < g.window {
		if p.waiting[p.id] {
			p.id++
			continue
		}
		q := g.queries[g.next]
		if g.next++; g.next == len(g.queries) {
			g.next = 0
		}
		from := len(p.queries)
		p.queries = append(p.queries, q.packet...)
		binary.BigEndian.PutUint16(p.queries[from:], p.id)
		p.waiting[p.id] = true
		p.id++
		n++
	}
	for size, left := len(g.queries[0].packet), p.queries; len(left) > 0; {
		sent, err := unix.Write(p.fd, left[:min(len(left), size*atOnce)])
		switch err {
		case nil:
			left = left[sent:]
		case unix.EAGAIN, unix.EINTR:
		default:
			return fmt.Errorf("send queries: %w", err)
		}
	}
	p.open += n
	g.sent += n
	return nil
}

// worked is the time this process has worked so far.
func worked() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
