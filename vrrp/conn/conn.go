// Package conn lets a node take part in VRRP: it opens raw sockets, hears and
// sends advertisements, keeps the time, and announces addresses by gratuitous
// ARP and unsolicited neighbour advertisements. What is heard, and what follows
// from it, is decided in package vrrp.
//
// A [Member] is a node's part in one router: [Join] begins it. It has a goroutine
// that owns the role and does nothing slow, so that advertisements go out on
// time; another one lets a [Hands] take and drop the addresses, one thing after
// the other, always the latest.
//
// The package refuses to add addresses, to decide who is fit, and to run without
// CAP_NET_RAW.
package conn

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gslb/vrrp"
)

// receiveBuffer bounds what the kernel keeps of packets that were not read yet,
// in bytes: some hundred advertisements.
const receiveBuffer = 256 << 10

// The class of network control (RFC 2474): what routers say to each other goes
// before what users send.
const control = 0xc0

// A socket hears and sends the advertisements of one instance.
type socket struct {
	in    vrrp.Instance
	index int      // of the interface
	file  *os.File // a raw socket bound to the interface
	raw   syscall.RawConn
}

// fault says what was done with which instance when it went wrong.
func fault(in vrrp.Instance, doing string, err error) error {
	return fmt.Errorf("virtual router %d on %s: %s: %w", in.ID, in.Interface, doing, err)
}

// open makes a socket on the instance's interface.
func open(in vrrp.Instance) (*socket, error) {
	dev, err := net.InterfaceByName(in.Interface)
	if err != nil {
		return nil, fault(in, "find the interface", err)
	}
	family := unix.AF_INET
	if in.Source.Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, vrrp.Protocol)
	if err != nil {
		return nil, fault(in, "open a raw socket", err)
	}
	err = errors.Join(
		unix.BindToDevice(fd, in.Interface),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, 6),
	)
	if family == unix.AF_INET {
		err = errors.Join(err, options4(fd, in, dev.Index))
	} else {
		err = errors.Join(err, options6(fd, in, dev.Index))
	}
	if err != nil {
		unix.Close(fd)
		return nil, fault(in, "set up a raw socket", err)
	}
	file := os.NewFile(uintptr(fd), "vrrp")
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(fault(in, "set up a raw socket", err), file.Close())
	}
	return &socket{in: in, index: dev.Index, file: file, raw: raw}, nil
}

func options4(fd int, in vrrp.Instance, index int) error {
	err := errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, 255),
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, control),
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 255),
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0),
	)
	group := &unix.IPMreqn{Multiaddr: vrrp.AllRouters(false).As4(), Ifindex: int32(index)}
	err = errors.Join(err, unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, group))
	if !in.Unicast {
		err = errors.Join(err, unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, group))
	}
	return err
}

func options6(fd int, in vrrp.Instance, index int) error {
	err := errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 255),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, index),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, control),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1),
	)
	if !in.Unicast {
		group := &unix.IPv6Mreq{Multiaddr: vrrp.AllRouters(true).As16(), Interface: uint32(index)}
		err = errors.Join(err, unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, group))
	}
	return err
}

// send puts a packet on the wire, from its source address whatever else the
// interface has.
func (s *socket) send(p vrrp.Packet) error {
	var to unix.Sockaddr
	var from []byte
	if p.Src.Is6() {
		to = &unix.SockaddrInet6{Addr: p.Dst.As16(), ZoneId: s.zone(p.Dst)}
		from = unix.PktInfo6(&unix.Inet6Pktinfo{Addr: p.Src.As16(), Ifindex: uint32(s.index)})
	} else {
		to = &unix.SockaddrInet4{Addr: p.Dst.As4()}
		from = unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: p.Src.As4(), Ifindex: int32(s.index)})
	}
	// It does not wait for a device whose queue is full: an advertisement that is
	// late is worth little.
	var sent error
	err := s.raw.Control(func(fd uintptr) { sent = unix.Sendmsg(int(fd), p.Payload, from, to, unix.MSG_DONTWAIT) })
	return errors.Join(err, sent)
}

// zone of a link-local destination.
func (s *socket) zone(a netip.Addr) uint32 {
	if a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() {
		return uint32(s.index)
	}
	return 0
}

// receive waits for a packet and reads it into buffer. The payload lies there.
func (s *socket) receive(buffer, control []byte) (vrrp.Packet, error) {
	var n, oob int
	var from unix.Sockaddr
	var got error
	err := s.raw.Read(func(fd uintptr) bool {
		n, oob, _, from, got = unix.Recvmsg(int(fd), buffer, control, 0)
		return got != unix.EAGAIN
	})
	if err := errors.Join(err, got); err != nil {
		return vrrp.Packet{}, err
	}
	if src, ok := from.(*unix.SockaddrInet6); ok {
		p := vrrp.Packet{Src: netip.AddrFrom16(src.Addr), Payload: buffer[:n]}
		err := ancillary(control[:oob], &p)
		return p, err
	}
	return packet4(buffer[:n]), nil
}

// packet4 takes off the IPv4 header, which raw sockets leave on. The kernel has
// looked at it.
func packet4(b []byte) vrrp.Packet {
	if len(b) < 20 || int(b[0]&15)*4 > len(b) {
		return vrrp.Packet{}
	}
	return vrrp.Packet{
		Src: netip.AddrFrom4([4]byte(b[12:])), Dst: netip.AddrFrom4([4]byte(b[16:])),
		Hops: b[8], Payload: b[int(b[0]&15)*4:],
	}
}

// ancillary reads what the kernel says beside an IPv6 packet.
func ancillary(control []byte, p *vrrp.Packet) error {
	for len(control) > 0 {
		head, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return err
		}
		control = rest
		switch {
		case head.Level != unix.IPPROTO_IPV6:
		case head.Type == unix.IPV6_HOPLIMIT && len(data) >= 4:
			p.Hops = data[0] | data[3] // an int of either byte order, at most 255
		case head.Type == unix.IPV6_PKTINFO && len(data) >= 16:
			p.Dst = netip.AddrFrom16([16]byte(data))
		}
	}
	return nil
}

func (s *socket) close() error { return s.file.Close() }

// clock is the time that routers go by: since the machine was started, with the
// time it slept. Processes share it.
func clock() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(err) // every kernel since 2.6.39 has it
	}
	return time.Duration(ts.Nano())
}
