package conn

import (
	"net"
	"net/netip"
	"time"

	"gslb/vrrp"
)

// A Wire is what members speak and hear by. [Options] without one have this
// host's sockets; package conn/fake has one in memory.
type Wire interface {
	// Open begins to hear an instance's segment.
	Open(in vrrp.Instance) (Line, error)
	// Announce says on a device's segment that the addresses are at mac now.
	Announce(device string, mac [6]byte, addrs []netip.Addr) error
	// Clock is what routers go by: the same for two processes that follow on each
	// other, never 0, and never set back.
	Clock() time.Duration
}

// A Line is an instance's end of a wire.
type Line interface {
	// Receive waits for a packet; os.ErrClosed says that there will be none. Its
	// payload is good until the next one. One goroutine receives.
	Receive() (vrrp.Packet, error)
	// Send does not wait.
	Send(vrrp.Packet) error
	// Place is the device that the instance's addresses belong on, and its MAC
	// address.
	Place() (device string, mac [6]byte)
	// Stale reports whether the interface is another one of the same name by now.
	Stale() bool
	// Close leaves what is in the kernel, a device of its own, to another process
	// if it is told so.
	Close(leave bool) error
}

// host is the wire of the process's network namespace.
type host struct{}

func (host) Open(in vrrp.Instance) (Line, error) {
	mac, err := hardware(in.Interface)
	if err != nil {
		return nil, fault(in, "find the MAC address", err)
	}
	l := &line{device: in.Interface, mac: mac, buffer: make([]byte, 2048), control: make([]byte, 128)}
	if err := l.open(in); err != nil {
		_ = l.Close(false)
		return nil, err
	}
	return l, nil
}

func (host) Announce(device string, mac [6]byte, addrs []netip.Addr) error {
	return announce(device, mac, addrs)
}

func (host) Clock() time.Duration { return clock() }

// A line of this host.
type line struct {
	listen          *socket
	frames          *framer  // what speaks from the virtual MAC address, or nil
	mine            *virtual // the device of the virtual MAC address, or nil
	device          string
	mac             [6]byte
	buffer, control []byte
}

func (l *line) open(in vrrp.Instance) (err error) {
	if l.listen, err = open(in); err != nil {
		return err
	}
	if !in.VirtualMAC {
		return removeVirtual(in)
	}
	if l.mine, err = makeVirtual(in); err != nil {
		return err
	}
	l.device, l.mac = l.mine.name, vrrp.MAC(in.ID, in.Source.Is6())
	if !in.Unicast {
		l.frames, err = newFramer(in, l.device)
	}
	return err
}

func (l *line) Receive() (vrrp.Packet, error) { return l.listen.receive(l.buffer, l.control) }

func (l *line) Send(p vrrp.Packet) error {
	if l.frames != nil {
		return l.frames.send(p)
	}
	return l.listen.send(p)
}

func (l *line) Place() (string, [6]byte) { return l.device, l.mac }

func (l *line) Stale() bool {
	dev, err := net.InterfaceByName(l.listen.in.Interface)
	return err == nil && dev.Index != l.listen.index
}

func (l *line) Close(leave bool) error {
	if l.listen != nil {
		_ = l.listen.close()
	}
	if l.frames != nil {
		_ = l.frames.close()
	}
	if l.mine != nil && !leave {
		return l.mine.remove()
	}
	return nil
}
