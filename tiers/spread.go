package tiers

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"

	"gslb/internal/siphash"
)

// A Slot is a destination as the kernel's hash schedulers see it.
type Slot struct {
	Addr       netip.AddrPort
	Weight     uint32
	Last       uint32 // the last weight that was not 0; of a destination added with 0, 0
	Overloaded bool   // it has as many connections as its upper threshold
}

func (s Slot) available() bool { return s.Weight > 0 && !s.Overloaded }

// A List is the destinations of a virtual service in the kernel's own order:
// the one added last comes first (ip_vs_ctl.c adds at the head). Both hash
// schedulers fill their tables in that order, so it counts, and it depends on
// what was there before: a director that has added a server while it ran can
// have another list than one that has started since.
type List []Slot

// Listed is the kernel's list after s has been added to a kernel without it.
func Listed(s Service) List {
	list := make(List, 0, len(s.Destinations))
	for _, d := range slices.Backward(s.Destinations) {
		list = append(list, Slot{Addr: d.Addr, Weight: d.Weight, Last: d.Weight})
	}
	return list
}

// After is the kernel's list after those changes of a plan that concern the
// service with key k.
func (l List) After(p Plan, k Key) List {
	var added List
	edited, deleted := map[netip.AddrPort]uint32{}, map[netip.AddrPort]bool{}
	for _, c := range p {
		if c.Service.Key != k {
			continue
		}
		d := c.Destination
		switch c.Op {
		case AddDestination:
			added = append(added, Slot{Addr: d.Addr, Weight: d.Weight, Last: d.Weight})
		case EditDestination:
			edited[d.Addr] = d.Weight
		case DeleteDestination:
			deleted[d.Addr] = true
		case DeleteService:
			return nil
		}
	}
	slices.Reverse(added)
	out := added
	for _, s := range l {
		if deleted[s.Addr] {
			continue
		}
		if weight, changed := edited[s.Addr]; changed {
			s.Weight = weight
			if weight != 0 {
				s.Last = weight
			}
		}
		out = append(out, s)
	}
	return out
}

// A Spread is the table by which a hash scheduler of the kernel chooses: the
// same decisions as those of Linux 6.1, client by client.
type Spread struct {
	list  List
	flags Flags
	table []int32 // index into list
	hash  func(key, offset uint32) uint32
}

// NewSpread makes the table of scheduler "mh" or "sh" for the destinations in
// the kernel's order; nil for any other scheduler, whose choice does not follow
// from the client's address.
func NewSpread(scheduler string, flags Flags, list List) *Spread {
	s := &Spread{list: list, flags: flags}
	switch scheduler {
	case "mh":
		s.table, s.hash = maglev(list), mhHash
	case "sh":
		s.table, s.hash = sourceHash(list), shHash
	default:
		return nil
	}
	return s
}

// Pick returns which destination of the list a new connection from client
// goes to; false when it is refused. The port counts only with the scheduler's
// port flag ([Sched2]).
func (s *Spread) Pick(client netip.AddrPort) (int, bool) {
	if len(s.table) == 0 {
		return 0, false
	}
	key := fold(client.Addr())
	if s.flags&Sched2 != 0 {
		key += uint32(client.Port())
	}
	first := s.hash(key, 0)
	if i := s.table[first]; s.list[i].available() {
		return int(i), true
	}
	if s.flags&Fallback == 0 {
		return 0, false
	}
	size := uint32(len(s.table))
	for offset := range size {
		if i := s.table[s.hash(key, (offset+first)%size)]; s.list[i].available() {
			return int(i), true
		}
	}
	return 0, false
}

// fold makes 32 bits of an address, as the kernel does: those of IPv4, or the
// four words of IPv6 joined by exclusive or.
func fold(a netip.Addr) uint32 {
	if a.Is4() {
		b := a.As4()
		return binary.BigEndian.Uint32(b[:])
	}
	b := a.As16()
	var out uint32
	for i := 0; i < len(b); i += 4 {
		out ^= binary.BigEndian.Uint32(b[i:])
	}
	return out
}

// Of sh (ip_vs_sh.c): 2^8 places (IP_VS_SH_TAB_BITS), chosen by the upper bits
// of a product with 2^32 divided by the golden ratio (linux/hash.h). Kernels
// before that was put right multiply otherwise and take the lower bits; the
// weights are honoured alike, the clients are others.
const (
	shBits   = 8
	shSize   = 1 << shBits
	shGolden = 0x61c88647
)

func shHash(key, offset uint32) uint32 { return (offset + key*shGolden>>(32-shBits)) % shSize }

// sourceHash deals the places out in turn, to each destination as many in a row
// as it weighs now. One of weight 0 still gets a place, so where weights are
// not 1 a weight that becomes 0 moves the others too.
func sourceHash(list List) []int32 {
	if len(list) == 0 {
		return nil
	}
	table := make([]int32, 0, shSize)
	for {
		for i, s := range list {
			for range max(s.Weight, 1) {
				if table = append(table, int32(i)); len(table) == shSize {
					return table
				}
			}
		}
	}
}

// Of mh (ip_vs_mh.c): CONFIG_IP_VS_MH_TAB_INDEX is 12 unless a kernel's maker
// says otherwise, and Debian does not. That makes a table of the fifth prime
// and weights of at most 6 bits.
const (
	mhSize   = 4093
	mhBits   = 6
	mhOffset = 2654435761 // keys of its two hashes
	mhSkip   = 2654446892
)

func mhHash(key, offset uint32) uint32 { return sipHash13(mhOffset, key+offset) % mhSize }

// maglev lets the destinations choose in turn, each as many in a row as it
// weighed last, each in an order of its own: every skip-th place from an
// offset. So a destination that comes or goes moves few others.
func maglev(list List) []int32 {
	unit, largest := uint32(0), uint32(0)
	for _, s := range list {
		for a := s.Last; a != 0; {
			unit, a = a, unit%a
		}
		largest = max(largest, s.Last)
	}
	if unit == 0 {
		return nil
	}
	shift := max(bits.Len32(largest/unit)-mhBits, 0)
	type seat struct {
		destination int32
		at, skip    uint32
		turns       uint32
	}
	var seats []seat
	for i, s := range list {
		if s.Last == 0 {
			continue
		}
		key := fold(s.Addr.Addr()) + uint32(s.Addr.Port())
		seats = append(seats, seat{
			int32(i), sipHash13(mhOffset, key) % mhSize, sipHash13(mhSkip, key)%(mhSize-1) + 1,
			max(s.Last/unit>>shift, 1),
		})
	}
	table := make([]int32, mhSize)
	var taken [mhSize]bool
	for left := mhSize; ; {
		for i := range seats {
			s := &seats[i]
			at := s.at
			for range s.turns {
				for taken[at] {
					if at += s.skip; at >= mhSize {
						at -= mhSize
					}
				}
				taken[at], table[at] = true, s.destination
				if left--; left == 0 {
					return table
				}
			}
			s.at = at
		}
	}
}

// sipHash13 is SipHash with one round for each word and three at the end, of
// one 32-bit word; key is both halves of the key. That is what hsiphash is on a
// 64-bit kernel (lib/siphash.c), cut to 32 bits.
func sipHash13(key uint64, word uint32) uint32 {
	var data [4]byte
	binary.LittleEndian.PutUint32(data[:], word)
	return uint32(siphash.Sum(1, 3, key, key, data[:]))
}
