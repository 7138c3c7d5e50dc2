package geo

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"sort"
)

// A key is an address as the databases number it: 128 bits, with those of IPv4
// in ::/96, so that one ascending list holds both families.
type key struct{ hi, lo uint64 }

var top = key{^uint64(0), ^uint64(0)} // the last of all

// v4End is the first key that is no address of IPv4.
const v4End = 1 << 32

func keyOf(a netip.Addr) key {
	b := a.As16()
	k := key{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
	if a.Is4() {
		k.lo &= v4End - 1
	}
	return k
}

func (k key) isV4() bool { return k.hi == 0 && k.lo < v4End }

func (k key) less(l key) bool { return k.hi < l.hi || k.hi == l.hi && k.lo < l.lo }

func (k key) after() key {
	lo, carry := bits.Add64(k.lo, 1, 0)
	return key{k.hi + carry, lo}
}

func (k key) before() key {
	lo, borrow := bits.Sub64(k.lo, 1, 0)
	return key{k.hi - borrow, lo}
}

// host is a key whose last n bits, 0 to 128, are 1.
func host(n int) key {
	switch {
	case n <= 0:
		return key{}
	case n <= 64:
		return key{0, ^uint64(0) >> (64 - n)}
	case n < 128:
		return key{^uint64(0) >> (128 - n), ^uint64(0)}
	}
	return top
}

// addr is the address that k stands for.
func (k key) addr() netip.Addr {
	if k.isV4() {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(k.lo))
		return netip.AddrFrom4(b)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], k.hi)
	binary.BigEndian.PutUint64(b[8:], k.lo)
	return netip.AddrFrom16(b)
}

// largest is the largest prefix that begins at from and does not go beyond
// end, and its last key. Both are of one family.
func largest(from, end key) (netip.Prefix, key) {
	zeros := bits.TrailingZeros64(from.lo)
	if from.lo == 0 {
		zeros = 64 + bits.TrailingZeros64(from.hi)
	}
	var size int // of the range, rounded down to a power of two
	lo, borrow := bits.Sub64(end.lo, from.lo, 0)
	hi, _ := bits.Sub64(end.hi, from.hi, borrow)
	room := key{hi, lo}.after() // 2^128 is 0
	switch {
	case room == key{}:
		size = 128
	case room.hi > 0:
		size = 63 + bits.Len64(room.hi)
	default:
		size = bits.Len64(room.lo) - 1
	}
	n := min(zeros, size)
	if from.isV4() {
		n = min(n, 32)
		return netip.PrefixFrom(from.addr(), 32-n), key{0, from.lo | host(n).lo}
	}
	h := host(n)
	return netip.PrefixFrom(from.addr(), 128-n), key{from.hi | h.hi, from.lo | h.lo}
}

// A run is a range of addresses, up to the next run's first, that share
// everything. Runs are ascending and the first begins at 0. Ranges and not
// prefixes, because equal neighbours of any sizes join to one.
type run struct {
	from       key
	place, asn uint32 // 0: not known
}

// A tape collects runs in ascending order.
type tape struct {
	runs []run
	next key // the first that nothing is known of yet
	full bool
}

// add says what the addresses from to last are.
func (t *tape) add(from, last key, place, asn uint32) {
	if t.next.less(from) {
		t.put(run{from: t.next})
	}
	if from.isV4() && !last.isV4() { // a prefix of both families
		t.put(run{from, place, asn})
		from = key{0, v4End}
	}
	t.put(run{from, place, asn})
	t.next = last.after()
	t.full = last == top
}

// put appends a run unless the one before says the same. The families stay apart.
func (t *tape) put(r run) {
	if n := len(t.runs); n > 0 {
		before := t.runs[n-1]
		if before.place == r.place && before.asn == r.asn && r.from != (key{0, v4End}) {
			return
		}
	}
	t.runs = append(t.runs, r)
}

// end is the whole list.
func (t *tape) end() []run {
	if !t.full {
		t.put(run{from: t.next})
	}
	return t.runs
}

// fit is a list without the room that it grew into, where that is worth a copy.
func fit(runs []run) []run {
	if cap(runs)-len(runs) < len(runs)/8 {
		return runs
	}
	return append([]run(nil), runs...)
}

// merge lays the autonomous systems of one list over the places of the other.
func merge(places, systems []run) []run {
	switch {
	case len(places) == 0:
		return systems
	case len(systems) == 0:
		return places
	}
	t := tape{runs: make([]run, 0, len(places)+len(systems))}
	for i, j := 0, 0; i < len(places) || j < len(systems); {
		var at key
		switch {
		case j == len(systems) || i < len(places) && places[i].from.less(systems[j].from):
			at = places[i].from
			i++
		case i == len(places) || systems[j].from.less(places[i].from):
			at = systems[j].from
			j++
		default:
			at = places[i].from
			i, j = i+1, j+1
		}
		t.put(run{at, places[max(i-1, 0)].place, systems[max(j-1, 0)].asn})
	}
	t.full = true
	return t.end()
}

// find is the run that k is in.
func find(runs []run, k key) run {
	i := sort.Search(len(runs), func(i int) bool { return k.less(runs[i].from) })
	if i == 0 {
		return run{}
	}
	return runs[i-1]
}
