package conn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"gslb/vrrp"
)

// copies of an announcement are sent at once: switches and neighbours that are
// busy miss one, seldom all.
const copies = 5

const (
	etherTypeIP4 = 0x0800
	etherTypeARP = 0x0806
	etherTypeIP6 = 0x86dd
	icmp6        = 58
)

// announce tells everybody on a device's segment that the addresses are at mac
// now.
func announce(device string, mac [6]byte, addrs []netip.Addr) error {
	dev, err := net.InterfaceByName(device)
	if err != nil {
		return fmt.Errorf("announce on %s: %w", device, err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) // protocol 0 receives nothing
	if err != nil {
		return fmt.Errorf("announce on %s: %w", device, err)
	}
	defer unix.Close(fd)
	router := forwards(device)
	var errs []error
	for range copies {
		for _, a := range addrs {
			var frame []byte
			if a.Is6() {
				frame = unsolicitedNA(mac, a, router)
			} else {
				frame = gratuitousARP(mac, a)
			}
			if err := unix.Sendto(fd, frame, unix.MSG_DONTWAIT, &unix.SockaddrLinklayer{Ifindex: dev.Index, Halen: 6}); err != nil {
				errs = append(errs, fmt.Errorf("announce %v on %s: %w", a, device, err))
			}
		}
	}
	if len(errs) > 0 {
		return errs[0] // the others say the same
	}
	return nil
}

// hardware is the MAC address of an interface.
func hardware(device string) ([6]byte, error) {
	dev, err := net.InterfaceByName(device)
	if err != nil {
		return [6]byte{}, fmt.Errorf("find %s: %w", device, err)
	}
	if len(dev.HardwareAddr) != 6 {
		return [6]byte{}, errors.New(device + " is no Ethernet")
	}
	return [6]byte(dev.HardwareAddr), nil
}

// forwards reports whether neighbours may take the node for a router: the flag
// must be what its router advertisements say, if it sends any (RFC 4861,
// section 4.4).
func forwards(device string) bool {
	value, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + device + "/forwarding")
	return err == nil && strings.TrimSpace(string(value)) != "0"
}

// gratuitousARP is a request for an address from the address itself (RFC 9568,
// section 8.1.2).
func gratuitousARP(mac [6]byte, a netip.Addr) []byte {
	b := ethernet([6]byte{255, 255, 255, 255, 255, 255}, mac, etherTypeARP)
	b = append(b, 0, 1, 8, 0, 6, 4, 0, 1) // Ethernet, IPv4, a request
	b = append(b, mac[:]...)
	b = append(b, a.AsSlice()...)
	b = append(b, 0, 0, 0, 0, 0, 0)
	b = append(b, a.AsSlice()...)
	return append(b, make([]byte, 60-len(b))...) // the shortest frame
}

// unsolicitedNA is a neighbour advertisement to all nodes that overrides what
// they know (RFC 9568, section 8.2.2; RFC 4861, section 7.2.6).
func unsolicitedNA(mac [6]byte, a netip.Addr, router bool) []byte {
	all := netip.MustParseAddr("ff02::1")
	body := make([]byte, 8, 32)
	body[0] = 136
	body[4] = 0x20 // override
	if router {
		body[4] |= 0x80
	}
	body = append(body, a.AsSlice()...)
	body = append(body, 2, 1) // the target's link-layer address, 8 bytes
	body = append(body, mac[:]...)
	binary.BigEndian.PutUint16(body[2:], fold(uint32(icmp6)+uint32(len(body)), a.AsSlice(), all.AsSlice(), body))

	b := ethernet([6]byte{0x33, 0x33, 0, 0, 0, 1}, mac, etherTypeIP6)
	b = append(b, 0x6c, 0, 0, 0, 0, byte(len(body)), icmp6, 255) // version 6, class 0xc0
	b = append(b, a.AsSlice()...)
	b = append(b, all.AsSlice()...)
	return append(b, body...)
}

func ethernet(to, from [6]byte, kind uint16) []byte {
	b := make([]byte, 0, 96)
	b = append(b, to[:]...)
	b = append(b, from[:]...)
	return binary.BigEndian.AppendUint16(b, kind)
}

// A Holding is an address of a router at the interface where it belongs.
type Holding struct {
	Interface string
	Addr      netip.Addr
}

// holdings of a configuration, in its order.
func holdings(c vrrp.Config, device func(vrrp.Instance) string) []Holding {
	var all []Holding
	for _, in := range c.Instances {
		for _, a := range in.Addrs {
			all = append(all, Holding{device(in), a})
		}
	}
	return all
}
