package dnsserver

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A responder returns the reply to packet, which came from from at time now,
// or nil where silence is the answer. It writes it into buf, or over packet
// and the memory behind it up to its capacity. It is called by one goroutine
// and keeps none of its arguments.
//
// This is all that answering and moving packets know of each other: what reads
// a socket here could as well read a ring shared with a network card.
type responder func(buf, packet []byte, from netip.AddrPort, now time.Time) []byte

const (
	// atOnce is how many packets cross into the kernel in one call.
	atOnce = 64

	// queryRoom holds any query that means something, behind a PROXY header
	// too; what is longer is cut off, which is a format error. Both rooms are
	// odd numbers of cache lines, so that the packets of a batch do not fight
	// for the same ones.
	queryRoom = 33 * 64
	replyRoom = 21 * 64

	// look is how often an idle worker sees whether it should stop.
	look = 100 * time.Millisecond
)

// A udpSocket is bound; of all that share its address the kernel gives each
// the packets of some clients.
type udpSocket struct {
	fd         int
	v4         bool
	everywhere bool // on all addresses: replies must leave from the one asked
}

// openUDP binds n sockets to addr. Nobody else may have the address before.
func openUDP(addr netip.AddrPort, n int) (sockets []*udpSocket, bound netip.AddrPort, err error) {
	defer func() {
		if err != nil {
			closeUDP(sockets)
			sockets = nil
		}
	}()
	bound = addr
	for i := range n {
		s, err := newUDP(addr)
		if err != nil {
			return sockets, bound, err
		}
		sockets = append(sockets, s)
		// The first is bound alone and shares afterwards: another program
		// that would share too is found out.
		if i > 0 {
			if err := s.share(); err != nil {
				return sockets, bound, err
			}
		}
		if err := unix.Bind(s.fd, sockaddr(bound)); err != nil {
			return sockets, bound, err
		}
		if i == 0 {
			if bound, err = s.local(); err != nil {
				return sockets, bound, err
			}
			if n == 1 {
				break // sharing with nobody costs a hash for each packet
			}
			if err := s.share(); err != nil {
				return sockets, bound, err
			}
		}
	}
	return sockets, bound, nil
}

func newUDP(addr netip.AddrPort) (*udpSocket, error) {
	s := &udpSocket{v4: addr.Addr().Is4(), everywhere: addr.Addr().IsUnspecified()}
	family := unix.AF_INET6
	if s.v4 {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	s.fd = fd
	set := func(level, option, value int) {
		if err == nil {
			err = unix.SetsockoptInt(fd, level, option, value)
		}
	}
	// Replies are never cut into fragments, which others could forge a part of,
	// whatever an ICMP message says, which could be forged too (RFC 9715). The
	// largest passes wherever IPv6 does.
	if s.v4 {
		set(unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
	} else {
		set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
		set(unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
	}
	if s.everywhere && s.v4 {
		set(unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	} else if s.everywhere {
		set(unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	}
	// Beyond net.core.rmem_max this takes CAP_NET_ADMIN; [Listener.Granted]
	// tells what has come of it.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, ReceiveBuffer) != nil {
		set(unix.SOL_SOCKET, unix.SO_RCVBUF, ReceiveBuffer)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer) != nil {
		set(unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	}
	if err == nil {
		err = s.wake()
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return s, nil
}

// wake makes waiting on the socket end now and then.
func (s *udpSocket) wake() error {
	patience := unix.NsecToTimeval(look.Nanoseconds())
	if err := unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience); err != nil {
		return err
	}
	return unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &patience)
}

func (s *udpSocket) share() error {
	return unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
}

// local is the address that the socket is bound to.
func (s *udpSocket) local() (netip.AddrPort, error) {
	name, err := unix.Getsockname(s.fd)
	if err != nil {
		return netip.AddrPort{}, err
	}
	switch name := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(name.Addr), uint16(name.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(name.Addr), uint16(name.Port)), nil
	}
	return netip.AddrPort{}, fmt.Errorf("a socket of another family: %T", name)
}

func closeUDP(sockets []*udpSocket) {
	for _, s := range sockets {
		_ = unix.Close(s.fd)
	}
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	unix.Msghdr
	n uint32
}

// A batch is the memory that packets pass through between kernel and
// responder: slot i holds a query, who sent it, to which of our addresses, and
// the reply. One header serves for both ways, and a reply that is written over
// its query leaves from where that lies: what is touched for a packet is less
// than what the processor has at hand for a batch.
type batch struct {
	heads   [atOnce]mmsghdr
	data    [atOnce]unix.Iovec
	peers   [atOnce]unix.RawSockaddrInet6 // large enough for IPv4's too
	asked   [atOnce]control
	queries [atOnce][queryRoom]byte
	replies [atOnce][replyRoom]byte

	bundling
	push func(heads []mmsghdr) (int, syscall.Errno) // to the kernel
}

// A control is one ancillary message: the address of ours that is concerned.
// IPv6's is the longer one.
type control [unix.SizeofCmsghdr + (unix.SizeofInet6Pktinfo+7)&^7]byte

func newBatch(s *udpSocket) *batch {
	b := &batch{push: s.push}
	b.able = s.segments()
	for i := range b.heads {
		b.heads[i].Name = (*byte)(unsafe.Pointer(&b.peers[i]))
		b.heads[i].Iov = &b.data[i]
		b.heads[i].SetIovlen(1)
		if s.everywhere {
			b.heads[i].Control = &b.asked[i][0]
		}
	}
	s.clear(b, atOnce)
	return b
}

// clear makes the first n slots ready for queries.
func (s *udpSocket) clear(b *batch, n int) {
	for i := range b.heads[:n] {
		if q := &b.queries[i][0]; b.data[i].Base != q {
			b.data[i].Base = q
		}
		b.data[i].SetLen(queryRoom)
		b.heads[i].Namelen = unix.SizeofSockaddrInet6
		if s.everywhere {
			b.heads[i].SetControllen(len(control{}))
		}
	}
}

// serve answers what comes on the socket until stop is set, on a thread of its
// own. Every query that it has taken is answered before it returns.
func (s *udpSocket) serve(respond responder, stop *atomic.Bool) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b := newBatch(s)
	for !stop.Load() {
		n, err := s.receive(b)
		switch {
		case n > 0:
			s.answer(b, n, respond)
			s.send(b, n)
		case err == unix.EAGAIN || err == unix.EINTR:
		default:
			time.Sleep(time.Millisecond) // the kernel is out of something; do not spin
		}
	}
}

// receive waits for a packet and takes those that have come with it.
//
// First it takes what is there, in a call that cannot wait and that the
// scheduler therefore need not know of. Of one that it knows of it thinks
// after 20 microseconds that it waits, which every large batch takes: it gives
// the processor away, and the thread must get one back.
func (s *udpSocket) receive(b *batch) (int, syscall.Errno) {
	n, _, err := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&b.heads)), atOnce, unix.MSG_DONTWAIT, 0, 0)
	if err == unix.EAGAIN {
		n, _, err = unix.Syscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&b.heads)), atOnce, unix.MSG_WAITFORONE, 0, 0)
	}
	if err != 0 {
		return 0, err
	}
	return int(n), 0
}

// answer replies to n packets. Slots where silence is the answer are left
// without data.
func (s *udpSocket) answer(b *batch, n int, respond responder) {
	now := time.Now()
	for i := range n {
		reply := respond(b.replies[i][:0], b.queries[i][:b.heads[i].n], s.peer(&b.peers[i]), now)
		b.data[i].SetLen(len(reply))
		if len(reply) > 0 && &reply[0] != b.data[i].Base {
			b.data[i].Base = &reply[0]
		}
		if s.everywhere {
			b.from(i)
		}
	}
}

// peer reads a sender's address. The scope of a link-local one stays in the
// socket address that the reply goes to.
func (s *udpSocket) peer(name *unix.RawSockaddrInet6) netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&name.Port))[:])
	if s.v4 {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(name.Addr), port)
}

// from makes reply i leave from the address that its query was sent to: what
// the kernel says of that it takes for that, but for the interface. That stays
// open: routes say which.
func (b *batch) from(i int) {
	asked := &b.asked[i]
	head := (*unix.Cmsghdr)(unsafe.Pointer(asked))
	const data = unix.SizeofCmsghdr
	switch {
	case b.heads[i].Controllen < data:
		b.heads[i].SetControllen(0)
	case head.Level == unix.IPPROTO_IP && head.Type == unix.IP_PKTINFO:
		clear(asked[data : data+4])
	case head.Level == unix.IPPROTO_IPV6 && head.Type == unix.IPV6_PKTINFO:
		clear(asked[data+16 : data+20])
	default:
		b.heads[i].SetControllen(0)
	}
}

// send sends the replies in the first n slots and makes these ready for
// queries.
func (s *udpSocket) send(b *batch, n int) {
	switch g := &b.bundling; {
	case g.abstain > 0:
		g.abstain--
		b.sendEach(0, n)
	case g.able && b.group(n):
		b.pack(n)
		b.sendPacked()
	default:
		b.sendEach(0, n)
	}
	s.clear(b, n)
}
