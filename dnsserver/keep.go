package dnsserver

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Kept is a socket that somebody keeps for the next process, such as systemd:
// the name says which of a listener's it is.
type Kept struct {
	Name string
	FD   int
}

// Keep calls keep with each of a listener's sockets, which stay the listener's.
// A name has no colon, and is told by [Adopt].
func (l *Listener) Keep(keep func(Kept) error) error {
	at := strings.ReplaceAll(l.Addr.String(), ":", "_")
	for i, s := range l.udp {
		if err := keep(Kept{fmt.Sprintf("udp-%d-%s", i, at), s.fd}); err != nil {
			return err
		}
	}
	raw, err := l.tcp.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = keep(Kept{"tcp-0-" + at, int(fd)}) }); err != nil {
		return err
	}
	return failed
}

// Adopt makes listeners for addrs of sockets that were kept, or opened by
// somebody else, whatever their names. An address needs one of TCP and one of UDP at
// least. What is of no use is closed, and its names are returned.
func Adopt(kept []Kept, addrs []netip.AddrPort) (listeners []*Listener, useless []string) {
	type found struct {
		udp, tcp []Kept
	}
	all := map[netip.AddrPort]*found{}
	drop := func(list ...Kept) {
		for _, k := range list {
			useless = append(useless, k.Name)
			_ = unix.Close(k.FD)
		}
	}
	// The sockets of a group in the order in which they were bound, as far as
	// their names tell.
	slices.SortStableFunc(kept, func(a, b Kept) int { return cmp.Compare(number(a.Name), number(b.Name)) })
	for _, k := range kept {
		at, err := (&udpSocket{fd: k.FD}).local()
		typ, failed := unix.GetsockoptInt(k.FD, unix.SOL_SOCKET, unix.SO_TYPE)
		if err != nil || failed != nil || !slices.Contains(addrs, at) {
			drop(k)
			continue
		}
		if all[at] == nil {
			all[at] = new(found)
		}
		switch f := all[at]; {
		case typ == unix.SOCK_DGRAM:
			f.udp = append(f.udp, k)
		case typ == unix.SOCK_STREAM && len(f.tcp) == 0:
			f.tcp = append(f.tcp, k)
		default:
			drop(k)
		}
	}
	for _, at := range addrs {
		f := all[at]
		if f == nil {
			continue
		}
		delete(all, at)
		var sockets []int
		for _, k := range slices.Concat(f.udp, f.tcp) {
			sockets = append(sockets, k.FD)
		}
		l, err := inherited(bequest{at, len(f.udp)}, sockets)
		if err != nil {
			drop(slices.Concat(f.udp, f.tcp)...)
			continue
		}
		listeners = append(listeners, l)
	}
	return listeners, useless
}

// number is that of a socket in its group, by its name.
func number(name string) int {
	_, rest, _ := strings.Cut(name, "-")
	digits, _, _ := strings.Cut(rest, "-")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}
