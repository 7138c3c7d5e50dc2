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
	few    = 8   // askers: a socket each
	batch  = 256 // packets that go through one call, and queries that wait at most
	atOnce = 64  // queries that the kernel takes as one (UDP_SEGMENT of udp(7))
	room   = 1280

	// patience is after how long without any reply queries of a socket count as lost.
	patience = 2 * time.Second
)

type mmsghdr struct {
	unix.Msghdr
	n uint32
}

// A pktinfo is the ancillary message that says which address of this machine a
// packet leaves from or came to: IP_PKTINFO of ip(7).
type pktinfo struct {
	head unix.Cmsghdr
	info unix.Inet4Pktinfo
	_    [4]byte
}

// Messages are memory for a call with many packets.
type messages struct {
	heads [batch]mmsghdr
	data  [batch]unix.Iovec
	info  [batch]pktinfo
}

func newMessages() *messages {
	m := new(messages)
	for i := range batch {
		m.heads[i].Iov = &m.data[i]
		m.heads[i].SetIovlen(1)
	}
	return m
}

// A port is a socket, its queries that wait, by ID, and its askers: addresses,
// one of which a query comes from and its reply must go to.
type port struct {
	fd      int
	id      uint16
	waiting [1 << 16]uint16 // the asker, and 1; 0: none waits
	open    int             // queries that wait
	heard   time.Time       // when a reply came last, or a query went while none was open
	idle    []uint16        // askers without a query, who may ask; nil: there is one
}

// A generator keeps a number of queries waiting at a server, and counts. Where
// an asker has several, and all are equally long, it hands the kernel many as
// one, which takes them apart just before the server's socket. So the generator
// works less than any server and finds out what that can do.
//
// Where every query has another asker these are addresses of one socket: 192
// sockets would be work for the server's processor, which has none with the
// sockets of other machines.
type generator struct {
	ports   []*port
	to      unix.RawSockaddrInet4
	from    [3]byte // the askers' network
	queries []query
	next    int
	window  int  // of each port
	each    bool // another asker for each query
	alike   bool // queries are equally long

	in      *messages
	replies [batch][room]byte
	out     *messages
	outgo   []byte // queries, one behind the other

	sent, answered, lost, strange int
}

// newGenerator keeps window queries waiting at a server, equally many of each
// asker: few of them or as many.
func newGenerator(s *server, queries []query, window, askers int) (*generator, error) {
	to := s.addr
	ports := askers
	if askers > few {
		ports = 1
	}
	g := &generator{from: s.askers, queries: queries, window: window / ports, each: askers > few, alike: true, in: newMessages(), out: newMessages()}
	g.to = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: [4]byte(to.IP.To4())}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&g.to.Port))[:], uint16(to.Port))
	for i := range batch {
		g.in.data[i].Base = &g.replies[i][0]
		g.in.data[i].SetLen(room)
		if g.each {
			g.in.heads[i].Control = (*byte)(unsafe.Pointer(&g.in.info[i]))
			out, info := &g.out.heads[i], &g.out.info[i]
			out.Name, out.Namelen = (*byte)(unsafe.Pointer(&g.to)), unix.SizeofSockaddrInet4
			out.Control = (*byte)(unsafe.Pointer(info))
			out.SetControllen(int(unsafe.Sizeof(*info)))
			info.head.Level, info.head.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
			info.head.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
		}
	}
	for _, q := range queries {
		g.alike = g.alike && len(q.packet) == len(queries[0].packet)
	}
	for i := range ports {
		if err := g.open(to, uint16(i*1009)); err != nil {
			g.close()
			return nil, err
		}
	}
	return g, nil
}

// open adds a port whose IDs begin with id.
func (g *generator) open(to *net.UDPAddr, id uint16) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	p := &port{fd: fd, id: id}
	g.ports = append(g.ports, p)
	// Room for a whole window, without which the kernel would lose replies and not the server.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20)
	}
	if g.each {
		for i := range g.window {
			p.idle = append(p.idle, uint16(i))
		}
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: g.to.Addr}); err != nil {
		return fmt.Errorf("connect to %v: %w", to, err)
	}
	if g.alike {
		if err := unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT, len(g.queries[0].packet)); err != nil {
			return fmt.Errorf("send many queries as one: %w", err)
		}
	}
	return nil
}

func (g *generator) close() {
	for _, p := range g.ports {
		_ = unix.Close(p.fd)
	}
}

// asker is the address of an asker of a port.
func (g *generator) asker(i uint16) [4]byte { return [4]byte{g.from[0], g.from[1], g.from[2], byte(i)} }

// run asks for a while and then waits for what is still open.
func (g *generator) run(ctx context.Context, d time.Duration) error {
	poll := make([]unix.PollFd, len(g.ports))
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
				g.forget(p)
			}
			open += p.open
		}
		if !asking && open == 0 {
			return ctx.Err()
		}
		if !moved {
			if _, err := unix.Poll(poll, 10); err != nil && err != unix.EINTR {
				return err
			}
		}
	}
}

// forget gives up what waits.
func (g *generator) forget(p *port) {
	for id, who := range p.waiting {
		if who > 0 {
			p.answered(uint16(id))
		}
	}
}

// answered ends a query's waiting.
func (p *port) answered(id uint16) {
	if p.idle != nil {
		p.idle = append(p.idle, p.waiting[id]-1)
	}
	p.waiting[id] = 0
	p.open--
}

func (g *generator) receive(p *port, now time.Time) (int, error) {
	if p.open == 0 {
		return 0, nil
	}
	if g.each {
		for i := range g.in.heads {
			g.in.heads[i].SetControllen(int(unsafe.Sizeof(g.in.info[i])))
		}
	}
	n, err := mmsg(unix.SYS_RECVMMSG, p.fd, g.in.heads[:])
	if err != nil || n == 0 {
		return 0, err
	}
	p.heard = now
	for i := range n {
		b := g.replies[i][:g.in.heads[i].n]
		if len(b) < 12 {
			g.strange++
			continue
		}
		id := binary.BigEndian.Uint16(b)
		who := p.waiting[id]
		// A reply, no error, with an answer, to who has asked.
		if who == 0 || b[2]&0x80 == 0 || b[3]&0xf != 0 || b[6]|b[7] == 0 || g.each && g.in.info[i].info.Addr != g.asker(who-1) {
			g.strange++
			continue
		}
		p.answered(id)
		g.answered++
	}
	return n, nil
}

func (g *generator) send(p *port, now time.Time) error {
	if p.open == 0 {
		p.heard = now
	}
	n := 0
	g.outgo = g.outgo[:0]
	var size [batch]int
	for p.open < g.window {
		if p.waiting[p.id] > 0 {
			p.id++
			continue
		}
		q := g.queries[g.next]
		if g.next++; g.next == len(g.queries) {
			g.next = 0
		}
		from := len(g.outgo)
		g.outgo = append(g.outgo, q.packet...)
		binary.BigEndian.PutUint16(g.outgo[from:], p.id)
		p.waiting[p.id] = 1
		if p.idle != nil {
			who := p.idle[len(p.idle)-1]
			p.idle = p.idle[:len(p.idle)-1]
			p.waiting[p.id] = who + 1
			g.out.info[n].info.Spec_dst = g.asker(who)
		}
		size[n] = len(q.packet)
		p.open++
		p.id++
		n++
	}
	g.sent += n
	return g.write(p, size[:n])
}

// write sends the queries in outgo, of these sizes.
func (g *generator) write(p *port, sizes []int) error {
	left := g.outgo
	if g.alike && !g.each {
		for len(left) > 0 {
			sent, err := unix.Write(p.fd, left[:min(len(left), sizes[0]*atOnce)])
			if err != nil && err != unix.EAGAIN && err != unix.EINTR {
				return fmt.Errorf("send queries: %w", err)
			}
			left = left[max(sent, 0):]
		}
		return nil
	}
	for i, size := range sizes {
		g.out.data[i].Base = &left[0]
		g.out.data[i].SetLen(size)
		left = left[size:]
	}
	for heads := g.out.heads[:len(sizes)]; len(heads) > 0; {
		n, err := mmsg(unix.SYS_SENDMMSG, p.fd, heads)
		if err != nil {
			return err
		}
		heads = heads[n:]
	}
	return nil
}

// mmsg is recvmmsg or sendmmsg that does not wait: 0 then.
func mmsg(call uintptr, fd int, heads []mmsghdr) (int, error) {
	n, _, err := unix.Syscall6(call, uintptr(fd), uintptr(unsafe.Pointer(&heads[0])), uintptr(len(heads)), unix.MSG_DONTWAIT, 0, 0)
	switch {
	case err == 0:
		return int(n), nil
	case err == unix.EAGAIN || err == unix.EINTR:
		return 0, nil
	case call == unix.SYS_RECVMMSG:
		return 0, fmt.Errorf("receive replies: %w", err)
	}
	return 0, fmt.Errorf("send queries: %w", err)
}

// worked is the time this process has worked so far.
func worked() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
