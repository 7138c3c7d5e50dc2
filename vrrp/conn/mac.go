package conn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"gslb/vrrp"
)

// A virtual device has a virtual router's MAC address, beside the interface's
// own: a macvlan, in whose place at a take-over another node's comes, so that
// neighbours and switches have nothing to learn.
type virtual struct {
	name   string
	before map[string]string // the parent's sysctls, to be put back
}

// name fits the 15 characters that the kernel has for one, whatever the index.
func virtualName(in vrrp.Instance, index int) string {
	family := 4
	if in.Source.Is6() {
		family = 6
	}
	return fmt.Sprintf("vr%d-%d-%d", family, in.ID, index%1e6)
}

// makeVirtual makes the device, or takes the one that an earlier process has
// left. Until it has an address it says nothing by itself.
func makeVirtual(in vrrp.Instance) (*virtual, error) {
	parent, err := net.InterfaceByName(in.Interface)
	if err != nil {
		return nil, fault(in, "find the interface", err)
	}
	v := &virtual{name: virtualName(in, parent.Index), before: map[string]string{}}
	mac := vrrp.MAC(in.ID, in.Source.Is6())
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex, attrs.HardwareAddr = v.name, parent.Index, mac[:]
	// In private mode the kernel takes what the peer sends from its device, of the
	// same MAC address, for our own, and does not show it to the interface
	// (macvlan_handle_frame in drivers/net/macvlan.c).
	device := &netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_BRIDGE}
	if err := netlink.LinkAdd(device); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, fault(in, "make the device of the virtual MAC address", err)
	}
	if err = v.quieten(in); err == nil {
		err = netlink.LinkSetUp(device)
	}
	if err != nil {
		return nil, errors.Join(fault(in, "set up "+v.name, err), v.remove())
	}
	return v, nil
}

// removeVirtual takes away the device that an earlier process has left, whose
// instance had a virtual MAC address.
func removeVirtual(in vrrp.Instance) error {
	parent, err := net.InterfaceByName(in.Interface)
	if err != nil {
		return fault(in, "find the interface", err)
	}
	link, err := netlink.LinkByName(virtualName(in, parent.Index))
	if err != nil {
		return nil // as nearly always
	}
	if err := netlink.LinkDel(link); err != nil {
		return fault(in, "remove "+link.Attrs().Name, err)
	}
	return nil
}

// A framer sends packets to all routers from a virtual MAC address. It writes
// the headers itself: the kernel sends from an IPv6 address only by the device
// that has it.
type framer struct {
	fd    int
	index int
	mac   [6]byte
}

func newFramer(in vrrp.Instance, device string) (*framer, error) {
	dev, err := net.InterfaceByName(device)
	if err != nil {
		return nil, fault(in, "find the device of the virtual MAC address", err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) // protocol 0 receives nothing
	if err != nil {
		return nil, fault(in, "open a packet socket", err)
	}
	return &framer{fd, dev.Index, vrrp.MAC(in.ID, in.Source.Is6())}, nil
}

func (f *framer) close() error { return unix.Close(f.fd) }

func (f *framer) send(p vrrp.Packet) error {
	return unix.Sendto(f.fd, multicastFrame(f.mac, p), unix.MSG_DONTWAIT, &unix.SockaddrLinklayer{Ifindex: f.index, Halen: 6})
}

// multicastFrame is a packet to a multicast address on Ethernet (RFC 1112,
// section 6.4; RFC 2464, section 7).
func multicastFrame(mac [6]byte, p vrrp.Packet) []byte {
	if p.Src.Is6() {
		dst := p.Dst.As16()
		b := ethernet([6]byte{0x33, 0x33, dst[12], dst[13], dst[14], dst[15]}, mac, etherTypeIP6)
		b = append(b, 0x60|control>>4, control<<4&0xff, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(len(p.Payload)))
		b = append(b, vrrp.Protocol, p.Hops)
		b = append(b, p.Src.AsSlice()...)
		b = append(b, dst[:]...)
		return append(b, p.Payload...)
	}
	dst := p.Dst.As4()
	b := ethernet([6]byte{1, 0, 0x5e, dst[1] & 0x7f, dst[2], dst[3]}, mac, etherTypeIP4)
	b = append(b, 0x45, control)
	b = binary.BigEndian.AppendUint16(b, uint16(20+len(p.Payload)))
	b = append(b, 0, 0, 0x40, 0, p.Hops, vrrp.Protocol, 0, 0) // not to be cut
	b = append(b, p.Src.AsSlice()...)
	b = append(b, dst[:]...)
	binary.BigEndian.PutUint16(b[24:], fold(0, b[14:34]))
	return append(b, p.Payload...)
}

// fold is the Internet's checksum (RFC 1071) over an even number of bytes.
func fold(sum uint32, parts ...[]byte) uint16 {
	for _, part := range parts {
		for ; len(part) > 1; part = part[2:] {
			sum += uint32(binary.BigEndian.Uint16(part))
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// quieten lets each of the two devices answer for its own addresses alone, and
// the virtual one have none that nobody gave it.
func (v *virtual) quieten(in vrrp.Instance) error {
	if in.Source.Is6() {
		return errors.Join(
			setSysctl("ipv6/conf/"+v.name+"/addr_gen_mode", "1"),
			setSysctl("ipv6/conf/"+v.name+"/accept_ra", "0"),
			setSysctl("ipv4/conf/"+v.name+"/arp_ignore", "1"))
	}
	err := setSysctl("ipv6/conf/"+v.name+"/disable_ipv6", "1")
	if errors.Is(err, os.ErrNotExist) {
		err = nil // a kernel without IPv6
	}
	err = errors.Join(err,
		setSysctl("ipv4/conf/"+v.name+"/arp_ignore", "1"),
		// Neighbours are reached by the interface, packets from them come in here.
		setSysctl("ipv4/conf/"+v.name+"/rp_filter", "2"))
	// The interface must not answer for the addresses here, nor name one of them
	// as its own when it asks for a neighbour.
	for key, value := range map[string]string{"arp_ignore": "1", "arp_announce": "2"} {
		key = "ipv4/conf/" + in.Interface + "/" + key
		before, failed := sysctl(key)
		if failed == nil && before != value {
			v.before[key] = before
			failed = setSysctl(key, value)
		}
		err = errors.Join(err, failed)
	}
	return err
}

func (v *virtual) remove() error {
	link, err := netlink.LinkByName(v.name)
	var gone netlink.LinkNotFoundError
	switch {
	case err == nil:
		err = netlink.LinkDel(link)
	case errors.As(err, &gone): // went with the interface
		err = nil
	}
	for key, value := range v.before {
		err = errors.Join(err, setSysctl(key, value))
	}
	return err
}

func sysctl(key string) (string, error) {
	value, err := os.ReadFile("/proc/sys/net/" + key)
	return strings.TrimSpace(string(value)), err
}

func setSysctl(key, value string) error {
	return os.WriteFile("/proc/sys/net/"+key, []byte(value), 0o644)
}
