package vrrp

import (
	"crypto/subtle"
	"net/netip"
	"slices"
	"time"
)

// A Packet is an advertisement on its way. Addresses have no zone.
type Packet struct {
	Src, Dst netip.Addr
	Hops     uint8 // TTL or hop limit
	Payload  []byte
}

// farthest is the TTL of all that is sent: a router on the way takes 1 off it,
// and nobody can send more (RFC 9568, section 5.1.1.3).
const farthest = 255

// A Mark is the last sequence that was heard of a sender.
type Mark struct {
	Peer     netip.Addr
	Sequence uint64
}

// An Inbox decides which packets of an instance are heard. The zero value with
// an Instance has heard nothing.
type Inbox struct {
	Instance Instance
	// Interval is the router's, which version 2 wants of everybody.
	Interval time.Duration
	// Marks are of authenticated senders, the one heard last at the end; at most
	// [MaxPeers].
	Marks []Mark
}

// Open returns the advertisement in a packet that came at time wall, or why it
// is refused, an error of type *[Refusal]. What is refused changes nothing. The
// Inbox that it returns takes the place of the one before.
func (b Inbox) Open(p Packet, wall time.Time) (Inbox, Advert, error) {
	in := b.Instance
	if p.Hops < farthest-in.Hops {
		return b, Advert{}, refuse(BadHops, "TTL %d, %d at least: it does not come from this segment", p.Hops, farthest-in.Hops)
	}
	// The cheap questions first, so that a flood costs little.
	if len(p.Payload) > 1 && p.Payload[1] != in.ID {
		return b, Advert{}, refuse(BadRouter, "it is of virtual router %d, this is %d", p.Payload[1], in.ID)
	}
	if p.Src == in.Source {
		return b, Advert{}, refuse(OwnAddress, "it comes from our own address: it went in a circle, or another node has the address too")
	}
	if !in.Open && !slices.Contains(in.Peers, p.Src) {
		return b, Advert{}, refuse(UnknownPeer, "%v is no peer", p.Src)
	}
	a, err := Parse(p.Src, p.Dst, p.Payload)
	if err != nil {
		return b, Advert{}, err
	}
	if a.Version != in.Version {
		return b, Advert{}, refuse(BadVersion, "it speaks version %d, we speak %d", a.Version, in.Version)
	}
	if err := in.authentic(a); err != nil {
		return b, Advert{}, err
	}
	after, err := b.mark(p, len(p.Payload)-len(a.Trailer), wall)
	if err != nil {
		return b, Advert{}, err
	}
	if err := b.agrees(a); err != nil {
		return b, Advert{}, err
	}
	return after, a, nil
}

// authentic checks version 2's password.
func (in Instance) authentic(a Advert) error {
	if a.Version != 2 {
		return nil
	}
	kind := uint8(authNone)
	if in.Password != "" {
		kind = authSimple
	}
	switch {
	case a.Auth != kind:
		return refuse(BadPassword, "authentication of kind %d, ours is %d (0 none, 1 a password)", a.Auth, kind)
	case kind == authSimple && subtle.ConstantTimeCompare([]byte(a.Password), []byte(in.Password)) != 1:
		return refuse(BadPassword, "the password is another")
	}
	return nil
}

// mark checks the signature of a packet, and that it is new.
func (b Inbox) mark(p Packet, size int, wall time.Time) (Inbox, error) {
	in := b.Instance
	if len(in.Keys) == 0 {
		if len(p.Payload) > size {
			return b, refuse(UnwantedSeal, "it is signed, and we have no key")
		}
		return b, nil
	}
	if len(p.Payload) == size && slices.ContainsFunc(in.Keys, Key.IsZero) {
		return b, nil
	}
	if err := in.verify(p.Src, p.Payload, size, wall); err != nil {
		return b, err
	}
	seq := sequence(p.Payload[size:])
	marks := make([]Mark, 0, len(b.Marks)+1)
	for _, m := range b.Marks {
		if m.Peer != p.Src {
			marks = append(marks, m)
			continue
		}
		// Outside the window the mark orders only what the window refuses; it
		// goes, so that a clock which was corrected is heard again.
		d := skew(m.Sequence, wall)
		forgotten := in.Window > 0 && (d > in.Window || d < -in.Window)
		if !forgotten && !after(seq, m.Sequence) {
			return b, refuse(Replayed, "it is no newer than what was heard already; after a restart of its sender: was its clock set back?")
		}
	}
	if len(marks) == MaxPeers {
		marks = marks[1:]
	}
	b.Marks = append(marks, Mark{p.Src, seq})
	return b, nil
}

// agrees checks that the advertisement is about what the instance is about. A
// list that shares an address with ours is accepted, so that addresses can be
// added and taken away at one node after the other; that the lists differ is
// [Instance.Differs]. One that shares none is another virtual router with the
// same id.
func (b Inbox) agrees(a Advert) error {
	in := b.Instance
	if a.Interval <= 0 {
		return refuse(BadInterval, "an interval of 0")
	}
	if a.Version == 2 && a.Interval != b.Interval {
		return refuse(BadInterval, "an interval of %v, ours is %v, and version 2 wants both to be the same", a.Interval, b.Interval)
	}
	if !in.shares(a.Addrs) {
		return refuse(BadAddresses, "it is about %v: none of them is ours, so another virtual router has our id", a.Addrs)
	}
	return nil
}

// shares reports whether a list has one of the instance's addresses. Link-local
// ones count only where there are no others: they follow from the id.
func (in Instance) shares(list []netip.Addr) bool {
	other := slices.ContainsFunc(in.Addrs, func(a netip.Addr) bool { return !a.IsLinkLocalUnicast() })
	return slices.ContainsFunc(list, func(a netip.Addr) bool {
		return slices.Contains(in.Addrs, a) && !(other && a.IsLinkLocalUnicast())
	})
}

// Differs reports whether an advertisement's addresses are not the instance's,
// in whatever order.
func (in Instance) Differs(a Advert) bool {
	if len(a.Addrs) != len(in.Addrs) {
		return true
	}
	return slices.ContainsFunc(a.Addrs, func(addr netip.Addr) bool { return !slices.Contains(in.Addrs, addr) })
}

// An Outbox makes the packets of an instance.
type Outbox struct {
	Instance Instance
	// Sequence is the last one that was sent.
	Sequence uint64
	// Pseudo makes checksums of version 3 over IPv4 cover a pseudo-header, as
	// RFC 5798 was read. An outbox follows its peers: see [Advert.Plain].
	Pseudo bool
}

// Write returns the packets that advertise a priority with an interval at time
// wall, one for each destination. The Outbox that it returns takes the place of
// the one before.
func (o Outbox) Write(priority uint8, interval time.Duration, wall time.Time) (Outbox, []Packet) {
	in := o.Instance
	a := Advert{Version: in.Version, ID: in.ID, Priority: priority, Interval: interval, Addrs: in.Addrs, Plain: !o.Pseudo}
	if in.Password != "" {
		a.Auth, a.Password = authSimple, in.Password
	}
	to := []netip.Addr{AllRouters(in.Source.Is6())}
	if in.Unicast {
		to = in.Peers
	}
	if len(in.Keys) > 0 && !in.Keys[0].IsZero() {
		o.Sequence = nextSequence(o.Sequence, wall, in.Window)
		a.Trailer = trailer(in.Keys[0], o.Sequence)
		message := a.Append(nil, in.Source, to[0])
		message = message[:len(message)-trailerSize]
		copy(a.Trailer[trailerSize-hmacSize:], sign(in.Keys[0], in.Source, message, a.Trailer))
	}
	packets := make([]Packet, len(to))
	for i, dst := range to {
		packets[i] = Packet{in.Source, dst, farthest, a.Append(nil, in.Source, dst)}
	}
	return o, packets
}

// size is the length of the instance's advertisements.
func (in Instance) size() int {
	size := messageSize(in.Version, in.Source.Is6(), len(in.Addrs))
	if len(in.Keys) > 0 {
		size += trailerSize
	}
	return size
}
