package hostnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"gslb/tiers"
)

// addresses puts the missing ones of the addresses where they belong.
func (k *kernel) addresses(all []tiers.Address) {
	var batch []addressChange
	index := indexes{}
	for _, a := range all {
		device, err := k.device(a.Link)
		if err != nil {
			k.did(err, "address %s", a.Addr)
			continue
		}
		if k.has[RecordedAddress{Device: device, Addr: a.Addr}] {
			continue
		}
		if k.dry { // the device may be one that would come
			k.did(nil, "address %s on %s", a.Addr, device)
			continue
		}
		link, err := index.of(device)
		if err != nil {
			k.did(err, "address %s on %s", a.Addr, device)
			continue
		}
		batch = append(batch, addressChange{kind: unix.RTM_NEWADDR, link: link, addr: a.Addr, device: device, valid: a.Valid})
	}
	for i, err := range changeAddresses(batch) {
		k.did(err, "address %s on %s", batch[i].addr, batch[i].device)
	}
}

// Renew has the kernel keep addresses for as long as they are valid from now on.
// One that was not renewed in time and has gone comes again. Their links are
// given by name: nothing is looked up, for there may be many.
func Renew(all []tiers.Address) error {
	var k kernel
	var batch []addressChange
	var errs []error
	index := indexes{}
	for _, a := range all {
		device, err := k.device(a.Link)
		var link uint32
		if err == nil {
			link, err = index.of(device)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("renew address %s: %w", a.Addr, err))
			continue
		}
		batch = append(batch, addressChange{kind: unix.RTM_NEWADDR, link: link, addr: a.Addr, device: device, valid: a.Valid, again: true})
	}
	for i, err := range changeAddresses(batch) {
		if err != nil {
			errs = append(errs, fmt.Errorf("renew address %s on %s: %w", batch[i].addr, batch[i].device, err))
		}
	}
	return dedupe(errs)
}

// noAddresses takes the addresses out and returns those it could not take out.
func (k *kernel) noAddresses(all []RecordedAddress) (left []RecordedAddress) {
	var batch []addressChange
	index := indexes{}
	for _, a := range all {
		if link, err := index.of(a.Device); err == nil { // else they went with the device
			batch = append(batch, addressChange{kind: unix.RTM_DELADDR, link: link, addr: a.Addr, device: a.Device})
		}
	}
	if k.dry {
		for _, c := range batch {
			k.did(nil, "no address %s on %s", c.addr, c.device)
		}
		return nil
	}
	for i, err := range changeAddresses(batch) {
		if !errors.Is(err, unix.EADDRNOTAVAIL) && !k.did(err, "no address %s on %s", batch[i].addr, batch[i].device) {
			left = append(left, RecordedAddress{Device: batch[i].device, Addr: batch[i].addr})
		}
	}
	return left
}

// indexes are those of devices by name, each asked for once.
type indexes map[string]uint32

func (x indexes) of(device string) (uint32, error) {
	if index, ok := x[device]; ok {
		return index, nil
	}
	link, err := netlink.LinkByName(device)
	if err != nil {
		return 0, err
	}
	x[device] = uint32(link.Attrs().Index)
	return x[device], nil
}

// An addressChange is an address that comes to a device or goes from it.
type addressChange struct {
	kind   uint16 // RTM_NEWADDR or RTM_DELADDR
	link   uint32
	addr   netip.Addr
	device string
	valid  time.Duration // 0: for ever
	again  bool          // it may be there already
}

// addressBatch is how many changes travel in one sendmsg. An answer to each of
// them fits the receive buffer that a socket has by default.
const addressBatch = 100

// answerTimeout bounds the wait for the kernel, which answers in microseconds.
const answerTimeout = 10 * time.Second

// changeAddresses makes the changes and returns the verdict on each. A director
// may have 10,000 VIPs: one call into the kernel for each of them takes longer
// than all the rest.
func changeAddresses(changes []addressChange) []error {
	verdicts := make([]error, len(changes))
	if len(changes) == 0 {
		return nil
	}
	fd, err := rtnetlink()
	if err != nil {
		for i := range verdicts {
			verdicts[i] = err
		}
		return verdicts
	}
	defer unix.Close(fd)
	answers := make([]byte, 64<<10)
	for start := 0; start < len(changes); start += addressBatch {
		part := changes[start:min(start+addressBatch, len(changes))]
		if err := sendAddresses(fd, part, verdicts[start:], answers); err != nil {
			for i := range verdicts[start:] {
				verdicts[start+i] = err
			}
			return verdicts
		}
	}
	return verdicts
}

// sendAddresses sends one batch. The kernel works through it in order and
// answers each message that fails, and the last one in any case.
func sendAddresses(fd int, part []addressChange, verdicts []error, answers []byte) error {
	var packet []byte
	for i, c := range part {
		flags := uint16(unix.NLM_F_REQUEST)
		switch {
		case c.again:
			flags |= unix.NLM_F_CREATE | unix.NLM_F_REPLACE
		case c.kind == unix.RTM_NEWADDR:
			flags |= unix.NLM_F_CREATE | unix.NLM_F_EXCL
		}
		if i == len(part)-1 {
			flags |= unix.NLM_F_ACK
		}
		packet = c.append(packet, flags, uint32(i+1))
	}
	if err := unix.Sendto(fd, packet, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("send to the kernel: %w", err)
	}
	for {
		n, _, err := unix.Recvfrom(fd, answers, 0)
		switch err {
		case nil:
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return fmt.Errorf("the kernel did not answer within %v", answerTimeout)
		default:
			return fmt.Errorf("read from the kernel: %w", err)
		}
		for data := answers[:n]; len(data) >= unix.NLMSG_HDRLEN; {
			size := int(binary.NativeEndian.Uint32(data))
			if size < unix.NLMSG_HDRLEN || size > len(data) {
				return fmt.Errorf("read from the kernel: message of %d bytes in %d", size, len(data))
			}
			kind, seq := binary.NativeEndian.Uint16(data[4:]), int(binary.NativeEndian.Uint32(data[8:]))
			if kind == unix.NLMSG_ERROR && size >= unix.NLMSG_HDRLEN+4 && seq >= 1 && seq <= len(part) {
				if e := int32(binary.NativeEndian.Uint32(data[unix.NLMSG_HDRLEN:])); e < 0 {
					verdicts[seq-1] = unix.Errno(-e)
				}
				if seq == len(part) {
					return nil
				}
			}
			data = data[min((size+3)&^3, len(data)):]
		}
	}
}

// append writes the change as a message of rtnetlink(7).
func (c addressChange) append(b []byte, flags uint16, seq uint32) []byte {
	start := len(b)
	family, bits, ifaFlags := uint8(unix.AF_INET), 32, uint32(0)
	if c.addr.Is6() {
		family, bits = unix.AF_INET6, 128
		ifaFlags = unix.IFA_F_NODAD // several nodes have a VIP on purpose
	}
	b = binary.NativeEndian.AppendUint32(b, 0) // the size, below
	b = binary.NativeEndian.AppendUint16(b, c.kind)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = append(b, family, byte(bits), byte(ifaFlags), unix.RT_SCOPE_UNIVERSE)
	b = binary.NativeEndian.AppendUint32(b, c.link)
	attribute := func(kind uint16, value []byte) {
		b = binary.NativeEndian.AppendUint16(b, uint16(4+len(value)))
		b = binary.NativeEndian.AppendUint16(b, kind)
		b = append(b, value...) // all of them are multiples of four bytes
	}
	attribute(unix.IFA_LOCAL, c.addr.AsSlice())
	attribute(unix.IFA_ADDRESS, c.addr.AsSlice())
	if c.kind == unix.RTM_NEWADDR && (c.addr.Is6() || c.valid > 0) {
		valid := uint32(math.MaxUint32)
		if c.valid > 0 {
			valid = uint32(c.valid / time.Second)
		}
		preferred := valid
		if c.addr.Is6() {
			// Deprecated: what the host sends of its own accord, tunnelled packets
			// included, must not come from the VIP (RFC 6724 section 5, rule 3).
			preferred = 0
		}
		lifetimes := binary.NativeEndian.AppendUint32(nil, preferred)
		lifetimes = binary.NativeEndian.AppendUint32(lifetimes, valid)
		attribute(unix.IFA_CACHEINFO, append(lifetimes, make([]byte, 8)...))
	}
	binary.NativeEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

// rtnetlink opens a socket to change the network with.
func rtnetlink() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return -1, fmt.Errorf("open rtnetlink: %w", err)
	}
	timeout := unix.NsecToTimeval(answerTimeout.Nanoseconds())
	if err := errors.Join(
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1),
	); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("set up rtnetlink: %w", err)
	}
	return fd, nil
}
