package steering

import (
	"math"
	"math/bits"
	"net/netip"
)

// A client is what sticky steps take for one: a /24 of IPv4, a /56 of IPv6.
const (
	sticky4 = 24
	sticky6 = 56
)

// unit is the number of a client.
func unit(k key, f Family) uint64 {
	if f == V4 {
		return mix(k.hi>>40 | 1<<63)
	}
	return mix(k.hi >> 8)
}

// mix scatters the bits of x: the finaliser of SplitMix64 (Steele, Lea, Flood,
// "Fast splittable pseudorandom number generators", OOPSLA 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// seed is the number of an answer, the same wherever the file is read (FNV-1a).
func seed(id string) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(id); i++ {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	return h
}

// curve is -log2(1+i/256) in units of 2^-32.
var curve = func() (c [257]int64) {
	for i := range c {
		c[i] = int64(math.Round(-math.Log2(1+float64(i)/256) * (1 << 32)))
	}
	return c
}()

// surprise is -log2(x/2^64) in units of 2^-32, to 3 millionths. Whole numbers
// are the same on every processor, so every name server decides alike.
func surprise(x uint64) uint64 {
	x |= 1
	zeros := bits.LeadingZeros64(x)
	x <<= zeros + 1
	i, part := x>>56, int64(x>>24&(1<<32-1))
	bend := curve[i] + (curve[i+1]-curve[i])*(part>>8)>>24
	return uint64(int64(zeros+1)<<32 + bend)
}

// preferred reports whether the client is sent to p rather than q: weighted rendezvous hashing. Each place has a number of its own for each
// client, so a change of one place moves only those that it loses or gains.
func preferred(p, q *Place, client uint64) bool {
	a, b := surprise(mix(p.seed^client)), surprise(mix(q.seed^client))
	return a*max(q.Weight, 1) < b*max(p.Weight, 1)
}

// ClientOf is the prefix that stands for an address when a resolver does not
// say more: what a sticky step keeps together.
func ClientOf(a netip.Addr) netip.Prefix {
	length := sticky6
	if a.Is4() {
		length = sticky4
	}
	p, _ := a.Prefix(length)
	return p
}
