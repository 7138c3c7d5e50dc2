package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Message is what a sync daemon has sent, as far as it tells the senders
// apart (struct ip_vs_sync_mesg in ip_vs_sync.c).
type Message struct {
	ID          uint8
	Version     uint8 // 1; 0 of a kernel that is told so, or before 2.6.39
	Connections int
}

// ParseMessage reads the head of a message.
func ParseMessage(data []byte) (Message, error) {
	if len(data) < 4 {
		return Message{}, fmt.Errorf("a sync message of %d bytes", len(data))
	}
	m := Message{ID: data[1], Connections: int(data[0])}
	if data[0] == 0 { // reserved in version 1, the number of connections before
		if len(data) < 8 {
			return Message{}, fmt.Errorf("a sync message of %d bytes", len(data))
		}
		m.Version, m.Connections = data[5], int(data[4])
		if m.Version != 1 {
			return Message{}, fmt.Errorf("a sync message of version %d", m.Version)
		}
	}
	if size := int(binary.BigEndian.Uint16(data[2:])); size != len(data) {
		return Message{}, fmt.Errorf("a sync message of %d bytes says that it has %d", len(data), size)
	}
	return m, nil
}

// Heard is a message and where it came from.
type Heard struct {
	Message
	From      netip.Addr // without a zone
	Interface int        // by which it came in, its index
}

// Ears hear what the sync daemons of others say on all interfaces of the host,
// beside the kernel's own receiver. They belong to one goroutine.
type Ears struct {
	conn  *net.UDPConn
	four  bool
	on    map[int]bool // interfaces whose group has been joined
	data  []byte
	extra []byte
}

// earsBuffer is how many bytes wait to be heard: a sample is enough.
const earsBuffer = 64 << 10

// Listen hears a group; the caller closes the ears.
func Listen(group netip.Addr, port uint16) (*Ears, error) {
	wrong := func(err error) (*Ears, error) {
		return nil, fmt.Errorf("listen to the sync daemons at %s: %w", netip.AddrPortFrom(group, port), err)
	}
	family, level, info := unix.AF_INET, unix.IPPROTO_IP, unix.IP_PKTINFO
	var to unix.Sockaddr
	if group.Is4() {
		to = &unix.SockaddrInet4{Addr: group.As4(), Port: int(port)}
	} else {
		family, level, info = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
		to = &unix.SockaddrInet6{Addr: group.As16(), Port: int(port)}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return wrong(err)
	}
	file := os.NewFile(uintptr(fd), "sync")
	defer file.Close()
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), // the kernel's own is there too
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, earsBuffer),
		unix.SetsockoptInt(fd, level, info, 1),
	)
	if err == nil {
		err = unix.Bind(fd, to)
	}
	if err != nil {
		return wrong(err)
	}
	conn, err := net.FilePacketConn(file)
	if err != nil {
		return wrong(err)
	}
	e := &Ears{conn: conn.(*net.UDPConn), four: group.Is4(), on: map[int]bool{}, data: make([]byte, 64<<10), extra: make([]byte, 256)}
	if err := e.Join(group); err != nil {
		e.Close()
		return wrong(err)
	}
	return e, nil
}

// Join hears the group on the interfaces that have come since.
func (e *Ears) Join(group netip.Addr) error {
	list, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("list the interfaces: %w", err)
	}
	raw, err := e.conn.SyscallConn()
	if err != nil {
		return err
	}
	there := map[int]bool{}
	for _, dev := range list {
		if dev.Flags&net.FlagUp == 0 || dev.Flags&net.FlagMulticast == 0 || dev.Flags&net.FlagLoopback != 0 {
			continue
		}
		there[dev.Index] = true
		if e.on[dev.Index] {
			continue
		}
		_ = raw.Control(func(fd uintptr) {
			// One that cannot, as a tunnel, says nothing either.
			if e.four {
				_ = unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &unix.IPMreqn{Multiaddr: group.As4(), Ifindex: int32(dev.Index)})
			} else {
				_ = unix.SetsockoptIPv6Mreq(int(fd), unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(dev.Index)})
			}
		})
	}
	e.on = there
	return nil
}

// Hear waits for a message until a time. Datagrams that are none are errors
// like others: who listens on goes on.
func (e *Ears) Hear(until time.Time) (Heard, error) {
	if err := e.conn.SetReadDeadline(until); err != nil {
		return Heard{}, err
	}
	n, extra, _, from, err := e.conn.ReadMsgUDPAddrPort(e.data, e.extra)
	if err != nil {
		return Heard{}, err
	}
	h := Heard{From: from.Addr().Unmap().WithZone("")}
	list, err := unix.ParseSocketControlMessage(e.extra[:extra])
	if err != nil {
		return Heard{}, err
	}
	for _, m := range list {
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= 4:
			h.Interface = int(binary.NativeEndian.Uint32(m.Data))
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= 20:
			h.Interface = int(binary.NativeEndian.Uint32(m.Data[16:]))
		}
	}
	h.Message, err = ParseMessage(e.data[:n])
	return h, err
}

// Close ends it; a Hear under way returns [net.ErrClosed].
func (e *Ears) Close() error { return e.conn.Close() }
