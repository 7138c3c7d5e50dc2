package steering

import (
	"math/bits"
	"slices"

	"gslb/topology"
)

// pick appends the places of an outcome that number u asks for, u being the
// client's number where clients are kept, and tells trace, unless it is nil,
// what is cut for each query.
func (c *choice) pick(buf []Place, o *outcome, u uint64, trace *Trace) []Place {
	n := len(o.places)
	if c.most > 0 {
		n = min(n, c.most)
	}
	if c.kind == topology.NoStep || len(o.places) == 0 && trace == nil {
		return append(buf, o.places...)
	}
	if n == 1 && trace == nil {
		return append(buf, o.places[c.first(o, u)])
	}
	from := len(buf)
	buf = append(buf, o.places...)
	places := buf[from:]
	if c.kind == topology.StepRotate {
		rotate(places, u)
	}
	k := c.order(places, n, o, u)
	if trace != nil {
		came := places
		for _, i := range c.limits {
			left := came[:min(trace.limit(i), len(came))]
			trace.Stages = append(trace.Stages, Stage{Index: i, Came: slices.Clone(came), Left: slices.Clone(left), Varies: c.kind != topology.StepSticky})
			came = left
		}
	}
	return buf[:from+k]
}

// first is the index of the first place.
func (c *choice) first(o *outcome, u uint64) int {
	switch c.kind {
	case topology.StepWeight:
		hi, _ := bits.Mul64(u, o.sums[len(o.sums)-1])
		i := 0
		if n := len(o.guide); n > 0 {
			i = int(o.guide[u>>(bits.LeadingZeros64(uint64(n))+1)])
		}
		for o.sums[i] <= hi {
			i++
		}
		return i
	case topology.StepSticky:
		return o.draws.first(u)
	}
	start, _ := bits.Mul64(u, uint64(len(o.places)))
	return int(start)
}

// order puts first the n places that are answered, and returns how many they
// are: fewer where a name stands alone. Each is chosen from those not chosen
// yet, of those that share no fate with them while there are any.
func (c *choice) order(places []Place, n int, o *outcome, u uint64) int {
	may, client := may{words: o.common}, seedOf(u)
	for k := range n {
		rest := places[k:]
		may.beside = k > 0 && o.named
		if (o.common > 0 || o.named) && !may.some(rest) {
			if may.words = 0; !may.some(rest) { // nor will there be others later
				return k
			}
		}
		i := -1
		switch c.kind {
		case topology.StepWeight:
			i, u = draw(rest, &may, u)
		case topology.StepSticky:
			best := worst
			for j := range rest {
				if p := &rest[j]; may.be(p) && best.beaten(p.seed.draw(client), max(p.Weight, 1)) {
					i = j
				}
			}
		default:
			for i = 0; !may.be(&rest[i]); i++ {
			}
		}
		front(rest, i)
		if rest[0].alone {
			return k + 1
		}
		if may.words > 0 {
			may.with.add(rest[0].fate)
		}
	}
	return n
}

// may says which places may come next.
type may struct {
	with   fate // what those depend on that are there already
	words  int  // of it that count
	beside bool // there are some: another name may not stand with them
}

func (m *may) be(p *Place) bool {
	return (m.words == 0 || !p.fate.meets(&m.with, m.words)) && (!m.beside || !p.alone)
}

func (m *may) some(places []Place) bool {
	for i := range places {
		if m.be(&places[i]) {
			return true
		}
	}
	return false
}

// draw chooses one of the places that may come next, in proportion to their
// weights. One number serves for all draws: where it falls within the place it
// chose is, stretched to the whole range, the number for the next.
func draw(places []Place, may *may, u uint64) (int, uint64) {
	var total uint64
	for i := range places {
		if may.be(&places[i]) {
			total += places[i].Weight
		}
	}
	hi, lo := bits.Mul64(u, total)
	i := 0
	for ; !may.be(&places[i]) || hi >= places[i].Weight; i++ {
		if may.be(&places[i]) {
			hi -= places[i].Weight
		}
	}
	u, _ = bits.Div64(hi, lo, places[i].Weight)
	return i, u
}

// rotate turns places so that they start where u points.
func rotate(places []Place, u uint64) {
	start, _ := bits.Mul64(u, uint64(len(places)))
	slices.Reverse(places[:start])
	slices.Reverse(places[start:])
	slices.Reverse(places)
}
