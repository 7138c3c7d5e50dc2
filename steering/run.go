package steering

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// A key is an address as a number, its first bit the highest: the four bytes
// of IPv4 stand in the upper half of hi.
type key struct{ hi, lo uint64 }

func keyOf(a netip.Addr) key {
	if a.Is4() {
		b := a.As4()
		return key{hi: uint64(binary.BigEndian.Uint32(b[:])) << 32}
	}
	b := a.As16()
	return key{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (k key) less(o key) bool { return k.hi < o.hi || k.hi == o.hi && k.lo < o.lo }

// after is the first key behind the prefix of that length that begins with k,
// and false when there is none.
func (k key) after(length int) (key, bool) {
	if length == 0 {
		return key{}, false
	}
	if length > 64 {
		lo := k.lo + 1<<(128-length)
		if lo != 0 {
			return key{k.hi, lo}, true
		}
		return key{k.hi + 1, 0}, k.hi+1 != 0
	}
	hi := k.hi + 1<<(64-length)
	return key{hi, 0}, hi != 0
}

// nibble is the four bits of k behind the first depth, a multiple of four.
func (k key) nibble(depth int) uint64 {
	if depth < 64 {
		return k.hi >> (60 - depth) & 15
	}
	return k.lo >> (124 - depth) & 15
}

// plus is k with i in the four bits behind the first depth, which are zero.
func (k key) plus(depth int, i uint64) key {
	if depth < 64 {
		return key{k.hi | i<<(60-depth), k.lo}
	}
	return key{k.hi, k.lo | i<<(124-depth)}
}

// A run is what holds from an address on, up to the next run. The first of a
// list begins with address zero.
type run struct {
	at key
	id uint32
}

// put adds a run, which begins behind all that are there or where the last does.
func put(runs []run, at key, id uint32) []run {
	if n := len(runs); n > 0 && runs[n-1].at == at {
		runs = runs[:n-1]
	}
	if n := len(runs); n > 0 && runs[n-1].id == id {
		return runs
	}
	return append(runs, run{at, id})
}

// A claim is a prefix with what holds in it.
type claim struct {
	prefix netip.Prefix
	id     uint32
}

// overlaid are the runs of prefixes that may lie in one another: the longest
// counts, of equal ones the first. Elsewhere id 0 holds. All are of one family.
func overlaid(claims []claim) []run {
	claims = slices.Clone(claims)
	slices.SortStableFunc(claims, func(a, b claim) int {
		if c := a.prefix.Addr().Compare(b.prefix.Addr()); c != 0 {
			return c
		}
		return a.prefix.Bits() - b.prefix.Bits()
	})
	type open struct {
		claim
		end  key
		ends bool
	}
	runs := []run{{}}
	var stack []open
	close := func(until key, all bool) {
		for len(stack) > 0 {
			top := stack[len(stack)-1]
			if !all && (!top.ends || until.less(top.end)) {
				return
			}
			stack = stack[:len(stack)-1]
			if !top.ends {
				continue
			}
			under := uint32(0)
			if len(stack) > 0 {
				under = stack[len(stack)-1].id
			}
			runs = put(runs, top.end, under)
		}
	}
	for i, c := range claims {
		if i > 0 && claims[i-1].prefix == c.prefix {
			continue
		}
		at := keyOf(c.prefix.Addr())
		close(at, false)
		end, ends := at.after(c.prefix.Bits())
		stack = append(stack, open{c, end, ends})
		runs = put(runs, at, c.id)
	}
	close(key{}, true)
	return runs
}

// both are the runs in which neither a nor b changes; id says what they are together.
func both(a, b []run, id func(a, b uint32) uint32) []run {
	out := make([]run, 0, len(a))
	i, j := 0, 0
	at := key{}
	for {
		out = put(out, at, id(a[i].id, b[j].id))
		moreA, moreB := i+1 < len(a), j+1 < len(b)
		switch {
		case !moreA && !moreB:
			return out
		case moreA && (!moreB || a[i+1].at.less(b[j+1].at)):
			i++
			at = a[i].at
		case moreB && (!moreA || b[j+1].at.less(a[i+1].at)):
			j++
			at = b[j].at
		default:
			i++
			j++
			at = a[i].at
		}
	}
}
