package steering

import (
	"cmp"
	"math/bits"
	"net/netip"
	"slices"
)

// A client is what sticky steps take for one: a /24 of IPv4, a /56 of IPv6.
const (
	sticky4 = 24
	sticky6 = 56
)

// unit is the number of a client.
func unit(k key, f Family) uint64 {
	if f == V4 {
		return k.hi>>40 | 1<<63
	}
	return k.hi >> 8
}

// mix scatters the bits of x: the finaliser of SplitMix64 (Steele, Lea, Flood,
// "Fast splittable pseudorandom number generators", OOPSLA 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// A seed is what a place, or a client, brings to a draw: two words that have
// nothing to do with each other.
type seed struct{ a, b uint64 }

func seedOf(number uint64) seed { return seed{mix(number), mix(^number)} }

// named is the seed of an answer, the same wherever the file is read (FNV-1a).
func named(id string) seed {
	h := uint64(14695981039346656037)
	for i := 0; i < len(id); i++ {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	return seedOf(h)
}

// draw is what a place draws for a client, any number as likely as another. All
// mixing is done before, once for each of the two; what is left for each pair is
// one product, whose halves are folded as Wang Yi's wyhash does.
func (s seed) draw(client seed) uint64 {
	hi, lo := bits.Mul64(s.a^client.a, s.b^client.b)
	return hi ^ lo
}

// curve is -log2(1+i/256) in units of 2^-32. It is made of whole numbers:
// logarithms of floating point differ in their last bits between processors.
var curve = func() (c [257]int64) {
	for i := range c[:256] {
		y, log := uint64(256+i)<<55, int64(0) // y has 63 bits behind the point
		for range 40 {                        // squaring doubles the logarithm: its next bit comes before the point
			hi, lo := bits.Mul64(y, y)
			if log <<= 1; hi>>63 > 0 {
				y = hi
				log++
			} else {
				y = hi<<1 | lo>>63
			}
		}
		c[i] = -((log + 1<<7) >> 8)
	}
	c[256] = -1 << 32
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

// A mass is a weight, from 1 to 2^24 that nothing overflows, and 2^63 divided by
// it: dividing takes as long as ten draws.
type mass struct{ weight, share uint64 }

// massOf is that of a place. One of weight 0 is among those to draw where the
// steps after sticky have taken its weight away.
func massOf(p *Place) mass {
	weight := max(p.Weight, 1)
	return mass{weight, 1 << 63 / weight}
}

// A score is the best draw so far by weighted rendezvous hashing: that with the
// least surprise for its weight. Each place draws for itself, so a change of one
// moves only the clients that it loses or gains.
type score struct{ draw, weight, surprise uint64 }

// worst is behind every draw.
var worst = score{surprise: 1}

// beaten reports whether a draw of a place with a weight is better, and
// remembers it if so. Of equal ones the larger draw is, and else the first.
func (s *score) beaten(draw, weight uint64) bool {
	// -log2(u) is no less than 1-u, which mostly tells.
	if (^draw>>32)*s.weight > s.surprise*weight {
		return false
	}
	surprise := surprise(draw)
	mine, best := surprise*s.weight, s.surprise*weight
	if mine > best || mine == best && draw <= s.draw {
		return false
	}
	*s = score{draw, weight, surprise}
	return true
}

// bar is a draw below which no place of weight to, or of less, is better than
// the score, which is one of mass of.
func (s *score) bar(of, to mass) uint64 {
	// The surprise that is too much is s.surprise*to.weight/of.weight. Of that
	// 24 bits more are kept until it is whole, and it is rounded up.
	per, _ := bits.Mul64(s.surprise<<25, of.share)
	hi, lo := bits.Mul64(per+2, to.weight)
	if hi > 0 {
		return 0
	}
	// -ln(u) is no less than 1-u, and ln(2) is less than 16/23, by more than
	// surprise is rounded if 2 units of it are added.
	least := (lo>>24+3)*16/23 + 1
	if least>>32 > 0 {
		return 0
	}
	return -(least << 32)
}

// A draws is the places of an outcome as clients are kept at them, the heaviest
// first: they beat most others, and a bar set for one is one for those behind.
type draws struct {
	seeds  []seed
	masses []mass
	at     []int32 // indexes of the places
}

// drawsOf are those of places.
func drawsOf(places []Place) draws {
	var d draws
	for i := range places {
		d.at = append(d.at, int32(i))
	}
	slices.SortStableFunc(d.at, func(i, k int32) int { return cmp.Compare(places[k].Weight, places[i].Weight) })
	for _, i := range d.at {
		d.seeds, d.masses = append(d.seeds, places[i].seed), append(d.masses, massOf(&places[i]))
	}
	return d
}

// first is the index of the place that a client is kept at.
func (d *draws) first(number uint64) int {
	client, best, first, bar := seedOf(number), worst, 0, uint64(0)
	for i, s := range d.seeds {
		draw := s.draw(client)
		if draw < bar {
			continue
		}
		if best.beaten(draw, d.masses[i].weight) {
			first = i
		}
		bar = best.bar(d.masses[first], d.masses[i])
	}
	return int(d.at[first])
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
