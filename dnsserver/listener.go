package dnsserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Listener is an address opened for UDP and TCP. Queries wait in the kernel
// until a [Server] serves it.
type Listener struct {
	Addr netip.AddrPort
	udp  []*udpSocket // in the order in which they were bound
	tcp  *net.TCPListener

	inherited bool // from a process that may have had another number of workers
}

// What is asked for each UDP socket, in bytes.
const (
	// ReceiveBuffer holds what comes in a burst, or while one process hands over to another.
	ReceiveBuffer = 8 << 20
	sendBuffer    = 1 << 20
)

// Granted is the smallest receive buffer that the kernel has given one of the UDP sockets, in bytes as they are asked for: below
// [ReceiveBuffer] where net.core.rmem_max is and the process lacks CAP_NET_ADMIN.
func (l *Listener) Granted() (int, error) {
	least := ReceiveBuffer
	for _, s := range l.udp {
		doubled, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF) // socket(7)
		if err != nil {
			return 0, fmt.Errorf("ask for the receive buffer of %s: %w", l.Addr, err)
		}
		least = min(least, doubled/2)
	}
	return least, nil
}

// Listen opens addr, for UDP with a socket for each processor. An unspecified
// address stands for all of this machine's of its family; replies come from
// the one that was asked. Port 0 is any that is free for both transports.
func Listen(addr netip.AddrPort) (*Listener, error) {
	l, err := listen(addr)
	for try := 0; addr.Port() == 0 && errors.Is(err, syscall.EADDRINUSE) && try < 20; try++ {
		l, err = listen(addr)
	}
	return l, err
}

func listen(addr netip.AddrPort) (*Listener, error) {
	sockets, bound, err := openUDP(addr, runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, fmt.Errorf("listen on %s (udp): %w", addr, err)
	}
	l := &Listener{Addr: netip.AddrPortFrom(addr.Addr(), bound.Port()), udp: sockets}
	network := "tcp6"
	if addr.Addr().Is4() {
		network = "tcp4"
	}
	stream, err := new(net.ListenConfig).Listen(context.Background(), network, l.Addr.String())
	if err != nil {
		closeUDP(sockets)
		return nil, fmt.Errorf("listen on %s (tcp): %w", l.Addr, reason(err))
	}
	l.tcp = stream.(*net.TCPListener)
	return l, nil
}

// Close gives the address back. A listener that is served is closed by its server.
func (l *Listener) Close() error {
	closeUDP(l.udp)
	l.udp = nil
	return l.tcp.Close()
}

// reason is what the kernel said, without the address that net wraps around it.
func reason(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
