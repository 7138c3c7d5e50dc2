package dnsserver

import (
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A process that takes sockets over has as many workers as it wants, and so
// needs as many UDP sockets as that, while those of the process before may be
// fewer or more. What they are too few is opened beside them. What they are too
// many stays open, for a socket that is closed loses the packets that wait in
// it: a filter of the group (SO_ATTACH_REUSEPORT_CBPF of socket(7)) gives them no
// more, and they are emptied once. They stay with the listener, in the order in
// which they were bound, which is the order the filter counts by; the next
// process may want them again.

// settle makes l have sockets for n workers and returns those to serve and those
// to empty. Where the kernel lets it not be otherwise, all sockets are served.
func (l *Listener) settle(n int) (serve, empty []*udpSocket) {
	if !l.inherited || n < 1 {
		return l.udp, nil
	}
	for len(l.udp) < n {
		s, err := l.beside()
		if err != nil {
			break
		}
		l.udp = append(l.udp, s)
	}
	if len(l.udp) == 1 {
		return l.udp, nil
	}
	n = min(n, len(l.udp))
	if divide(l.udp[0], n) != nil {
		return l.udp, nil
	}
	return l.udp[:n], l.udp[n:]
}

// beside opens one more socket in the group.
func (l *Listener) beside() (*udpSocket, error) {
	s, err := newUDP(l.Addr)
	if err != nil {
		return nil, err
	}
	for _, step := range []func() error{l.udp[0].share, s.share, func() error { return unix.Bind(s.fd, sockaddr(l.Addr)) }} {
		if err := step(); err != nil {
			closeUDP([]*udpSocket{s})
			return nil, err
		}
	}
	return s, nil
}

// divide gives each of the first n sockets of s's group an equal part of the
// packets, at random, and the others none: return random mod n.
func divide(s *udpSocket, n int) error {
	const random = 0xfffff000 + 56 // SKF_AD_OFF + SKF_AD_RANDOM of linux/filter.h
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: random},
		{Code: unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K, K: uint32(n)},
		{Code: unix.BPF_RET | unix.BPF_A},
	}
	return unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}

// drain answers what waits in a socket that gets nothing more, until it has
// been empty for two looks: what the kernel was about to put in is there by then.
// It also ends when the server stops: a process that has taken the sockets over
// serves or empties this one itself, and may have it get packets again, without end.
func (s *udpSocket) drain(respond responder, stop *atomic.Bool) {
	var done atomic.Bool
	last := time.Now()
	idle := time.AfterFunc(2*look, func() { done.Store(true) })
	defer idle.Stop()
	s.serve(func(buf, packet []byte, from netip.AddrPort, now time.Time) []byte {
		if stop.Load() {
			done.Store(true)
		} else if now.Sub(last) > look/2 {
			last = now
			idle.Reset(2 * look)
		}
		return respond(buf, packet, from, now)
	}, &done)
}
