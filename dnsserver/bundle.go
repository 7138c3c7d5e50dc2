package dnsserver

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Replies of one batch that go from one address of ours to one port of one host
// leave as one message, a bundle, which the kernel takes apart again on its way
// out (UDP_SEGMENT of udp(7); udp_send_skb in net/ipv4/udp.c): those that are
// equally long and, behind them, one that is shorter. Proxies and forwarders ask
// that way, many queries from one port. Who asks from a port for each query gets
// each reply by itself.

const (
	// bundleOctets is how much the replies of a bundle are together at most: an
	// IPv4 packet's payload. IPv6 would have room for 20 octets more.
	bundleOctets = 1<<16 - 1 - 20 - 8

	// After so many refusals of the kernel, without a success in between, a
	// worker sends every reply of so many batches by itself and then tries
	// once more.
	refusals  = 8
	abstained = 1 << 16

	// A grouping looks for earlier bundles in one of so many places, 2 to the
	// power of recentBits, one after the other where several fall on one.
	recent     = 1 << recentBits
	recentBits = 7
)

// A bundling is what a worker knows of bundles, and the memory that they take.
type bundling struct {
	able    bool // the kernel knows how to
	refused int  // so often without a success in between
	abstain int  // for so many batches

	// The grouping of the batch at hand.
	n       int
	bundles [atOnce]bundle
	of      [atOnce]uint8 // the bundle of each slot that has a reply
	recent  [recent]uint8 // the latest bundle, and 1, by the hash of its client

	// The same as the kernel takes it. The pieces of a bundle lie side by side.
	heads  [atOnce]mmsghdr
	pieces [atOnce]unix.Iovec
	slots  [atOnce]uint8 // of the pieces
	notes  [atOnce / 2]note
}

// A bundle is one reply or several that leave together.
type bundle struct {
	size   uint16 // octets of each but for a last one; at most UDPSize where there are several
	first  uint8  // a slot: the first of that size
	count  uint8  // of all, from 1
	last   uint8  // the slot of the shorter one, and 1; 0: none
	before uint8  // an earlier bundle in the same place, and 1; 0: none
}

// A note is what goes with a bundle: the address that it leaves from, on a
// socket that has several, and how long each reply is.
type note [len(control{}) + (unix.SizeofCmsghdr+2+7)&^7]byte

// segments reports whether the kernel knows bundles. One that does not, before
// 4.18, would not look at the note and send a bundle as one packet.
func (s *udpSocket) segments() bool {
	_, err := unix.GetsockoptInt(s.fd, unix.SOL_UDP, unix.UDP_SEGMENT)
	return err == nil
}

// group says which of the first n replies leave together, and reports whether
// any do. Those of one client that are equally long stay in their order.
func (b *batch) group(n int) bool {
	g := &b.bundling
	clear(g.recent[:])
	g.n = 0
	replies := 0
	for i := range n {
		if b.data[i].Len > 0 {
			replies++
			b.join(i)
		}
	}
	return g.n < replies
}

// join puts the reply in slot i into a bundle.
func (b *batch) join(i int) {
	g := &b.bundling
	size := uint16(b.data[i].Len)
	latest := &g.recent[b.place(i)]
	if *latest > 0 && size <= UDPSize {
		pair := 0 // a bundle, and 1, that the reply goes into with another size
		for k := int(*latest); k > 0; k = int(g.bundles[k-1].before) {
			u := &g.bundles[k-1]
			if int(max(size, u.size))*int(u.count+1) > bundleOctets || !b.together(int(u.first), i) {
				continue
			}
			if size == u.size {
				u.count++
				g.of[i] = uint8(k - 1)
				return
			}
			if u.last == 0 && (size < u.size || u.count == 1) && u.size <= UDPSize {
				pair = k
			}
		}
		if pair > 0 {
			u := &g.bundles[pair-1]
			u.count++
			g.of[i] = uint8(pair - 1)
			if size < u.size {
				u.last = uint8(i + 1)
			} else {
				u.last, u.first, u.size = u.first+1, uint8(i), size
			}
			return
		}
	}
	g.bundles[g.n] = bundle{size: size, first: uint8(i), count: 1, before: *latest}
	g.of[i] = uint8(g.n)
	g.n++
	*latest = uint8(g.n)
}

// place is where a grouping looks for earlier replies that take the way of slot i's.
func (b *batch) place(i int) uint64 {
	const odd1, odd2, odd3 = 0x9e3779b97f4a7c15, 0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53
	word := binary.NativeEndian.Uint64
	peer := (*[24]byte)(unsafe.Pointer(&b.peers[i])) // all but the scope; IPv4's is in the first 8
	h := word(peer[:8]) + word(peer[8:16])*odd2 + word(peer[16:])*odd3
	if b.heads[i].Controllen > 0 {
		ours := b.asked[i][unix.SizeofCmsghdr:]
		h += word(ours)*odd3 + word(ours[8:])*odd2
	}
	return h * odd1 >> (64 - recentBits)
}

// together reports whether the replies in two slots take the same way: to the
// same address, scope and port, from the same address of ours.
func (b *batch) together(i, j int) bool {
	return b.peers[i] == b.peers[j] && b.heads[i].Controllen == b.heads[j].Controllen && (b.heads[i].Controllen == 0 || b.asked[i] == b.asked[j])
}

// pack makes what the kernel takes of what group has said of n slots.
func (b *batch) pack(n int) {
	g := &b.bundling
	var next [atOnce]uint8 // of each bundle's pieces
	at, notes := 0, 0
	for k, u := range g.bundles[:g.n] {
		next[k] = uint8(at)
		g.heads[k] = b.heads[u.first]
		if u.count > 1 {
			head := &g.heads[k]
			head.Iov = &g.pieces[at]
			head.SetIovlen(int(u.count))
			control := g.notes[notes].write(b.asked[u.first][:head.Controllen], u.size)
			head.Control = &control[0]
			head.SetControllen(len(control))
			notes++
		}
		at += int(u.count)
		if u.last > 0 {
			g.pieces[at-1], g.slots[at-1] = b.data[u.last-1], u.last-1
		}
	}
	for i := range n {
		if k := g.of[i]; b.data[i].Len > 0 && g.bundles[k].last != uint8(i+1) {
			g.pieces[next[k]], g.slots[next[k]] = b.data[i], uint8(i)
			next[k]++
		}
	}
}

// write makes a note of the address that replies leave from, as it came, and
// of their size.
func (t *note) write(from []byte, size uint16) []byte {
	at := copy(t[:], from)
	head := (*unix.Cmsghdr)(unsafe.Pointer(&t[at]))
	head.Level, head.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	head.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(t[at+unix.CmsgLen(0):], size)
	return t[:at+unix.CmsgSpace(2)]
}

// sendPacked sends what pack has made. The replies of a bundle that the kernel
// refuses are sent by themselves: the device makes no checksums or the way
// leads through IPsec (EIO, of some kernels EINVAL), or its packets are too
// small (EMSGSIZE, of older kernels EINVAL).
func (b *batch) sendPacked() {
	g := &b.bundling
	for k, at := 0, 0; k < g.n; {
		sent, err := b.push(g.heads[k:g.n])
		if err == unix.EINTR {
			continue
		}
		if count := int(g.bundles[k].count); count > 1 && (err == unix.EIO || err == unix.EINVAL || err == unix.EMSGSIZE) {
			g.refuse()
			for _, slot := range g.slots[at : at+count] {
				b.sendEach(int(slot), int(slot)+1)
			}
		}
		if err != 0 {
			sent = 1
		}
		for range sent {
			count := int(g.bundles[k].count)
			if err == 0 && count > 1 {
				g.refused = 0
			}
			at += count
			k++
		}
	}
}

// refuse notes that the kernel has refused a bundle.
func (g *bundling) refuse() {
	if g.refused++; g.refused >= refusals {
		g.abstain = abstained
	}
}

// sendEach sends the replies from slot from to slot to, each by itself. One that
// cannot be sent is like one that is lost: the asker asks again.
func (b *batch) sendEach(from, to int) {
	for from < to {
		end := from
		for end < to && b.data[end].Len > 0 {
			end++
		}
		if end == from {
			from++ // silence
			continue
		}
		switch sent, err := b.push(b.heads[from:end]); err {
		case 0:
			from += sent
		case unix.EINTR:
		default:
			from++
		}
	}
}

// push hands the kernel messages. It returns how many it took, or why it did
// not take the first.
func (s *udpSocket) push(heads []mmsghdr) (int, syscall.Errno) {
	n, _, err := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&heads[0])), uintptr(len(heads)), unix.MSG_DONTWAIT, 0, 0)
	if err == unix.EAGAIN { // the kernel has enough for now
		n, _, err = unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&heads[0])), uintptr(len(heads)), 0, 0, 0)
	}
	return int(n), err
}
