package dnsserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Listener is an address opened for UDP and TCP. Queries wait in the kernel
// until a [Server] serves it.
type Listener struct {
	Addr netip.AddrPort
	udp  *net.UDPConn
	tcp  *net.TCPListener
}

// receiveBuffer is asked for each UDP socket, so that a burst waits instead of
// being lost; the kernel grants up to net.core.rmem_max.
const receiveBuffer = 8 << 20

// Listen opens addr. An unspecified address stands for all of this machine's
// of its family; replies come from the one that was asked. Port 0 is any that
// is free for both transports.
func Listen(addr netip.AddrPort) (*Listener, error) {
	l, err := listen(addr)
	for try := 0; addr.Port() == 0 && errors.Is(err, syscall.EADDRINUSE) && try < 20; try++ {
		l, err = listen(addr)
	}
	return l, err
}

func listen(addr netip.AddrPort) (*Listener, error) {
	family := "6"
	if addr.Addr().Is4() {
		family = "4"
	}
	var config net.ListenConfig
	if addr.Addr().IsUnspecified() {
		config.Control = tellAddress
	}
	conn, err := config.ListenPacket(context.Background(), "udp"+family, addr.String())
	if err != nil {
		return nil, fmt.Errorf("listen on %s (udp): %w", addr, reason(err))
	}
	l := &Listener{udp: conn.(*net.UDPConn)}
	// The kernel reports less than was asked for by granting it, not by an error.
	_ = l.udp.SetReadBuffer(receiveBuffer)
	bound := l.udp.LocalAddr().(*net.UDPAddr).AddrPort()
	l.Addr = netip.AddrPortFrom(addr.Addr(), bound.Port())
	stream, err := new(net.ListenConfig).Listen(context.Background(), "tcp"+family, l.Addr.String())
	if err != nil {
		_ = l.udp.Close()
		return nil, fmt.Errorf("listen on %s (tcp): %w", l.Addr, reason(err))
	}
	l.tcp = stream.(*net.TCPListener)
	return l, nil
}

// Close gives the address back.
func (l *Listener) Close() error {
	return errors.Join(l.udp.Close(), l.tcp.Close())
}

// reason is what the kernel said, without the address that net wraps around it.
func reason(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// tellAddress makes a socket that listens on all addresses say which one each
// packet was sent to.
func tellAddress(network, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		switch network {
		case "udp4":
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		case "udp6":
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		}
	})
	return errors.Join(err, failed)
}

// replyFrom turns what came with a packet into what makes the reply leave from
// the address the packet was sent to.
func replyFrom(control []byte) []byte {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= unix.SizeofInet4Pktinfo:
			var info unix.Inet4Pktinfo
			copy(info.Spec_dst[:], m.Data[4:8])
			return unix.PktInfo4(&info)
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= unix.SizeofInet6Pktinfo:
			var info unix.Inet6Pktinfo
			copy(info.Addr[:], m.Data[:16])
			return unix.PktInfo6(&info)
		}
	}
	return nil
}
