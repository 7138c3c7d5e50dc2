package steering

import (
	"math/bits"
	"net/netip"
	"slices"

	"gslb/health"
	"gslb/topology"
)

// A choice is a policy at work for one domain and family. What is the same
// for every query is done when it is made: places holds what the steps before
// the first turning one have left, and turns what remains to be done.
type choice struct {
	places []Place
	turns  []turn
}

// A turn is a step whose outcome differs from query to query, or that comes
// after one.
type turn struct {
	kind  topology.StepKind
	limit int
	step  int // index in the policy
}

// compile makes the choice and tells trace, unless it is nil, what the steps do.
func compile(d *topology.Domain, f Family, view health.View, trace *Trace) choice {
	var c choice
	up := map[*topology.Answer][]netip.Addr{}
	for _, a := range d.Answers {
		all, alive := addrs(a, f, view)
		if len(all) > 0 {
			c.places = append(c.places, Place{Answer: a, Addrs: all, Weight: uint64(max(a.Weight, 0))})
			up[a] = alive
		}
	}
	if trace != nil {
		trace.Places = c.places
	}
	weighted := slices.ContainsFunc(d.Policy.Steps, func(s topology.Step) bool { return s.Kind == topology.StepWeight })
	turned := false
	for i, step := range d.Policy.Steps {
		came, idle, later := c.places, false, false
		switch step.Kind {
		case topology.StepHealth:
			c.places = healthy(c.places, up, step.FailOpen)
		case topology.StepWeight:
			c.places = heaviest(c.places)
			idle = turned // the same number drawn by twice would be no draw
		case topology.StepRotate:
			// A weighted draw already starts at another place every time;
			// turning its order would undo the weights.
			idle = weighted || turned
		case topology.StepLimit:
			if later = len(c.turns) > 0; later {
				c.turns = append(c.turns, turn{kind: step.Kind, limit: step.Answers, step: i})
			} else {
				c.places = c.places[:min(step.Answers, len(c.places))]
			}
		}
		if (step.Kind == topology.StepWeight || step.Kind == topology.StepRotate) && !idle {
			c.turns = append(c.turns, turn{kind: step.Kind, step: i})
			turned = true
		}
		if trace != nil && !later {
			trace.Stages = append(trace.Stages, Stage{Index: i, Came: came, Left: c.places, Idle: idle})
		}
	}
	return c
}

// addrs returns the addresses of family f of an answer, and those of them that are up.
func addrs(a *topology.Answer, f Family, view health.View) (all, up []netip.Addr) {
	for _, addr := range a.Addrs {
		if addr.Is4() != (f == V4) {
			continue
		}
		all = append(all, addr)
		if a.Check == nil || view.Up(target(a, addr)) {
			up = append(up, addr)
		}
	}
	return all, up
}

// healthy leaves out what is down. When everything is, a policy that fails
// open answers with everything: a place wrongly taken for dead is better than
// none, and if all are dead nothing is lost.
func healthy(places []Place, up map[*topology.Answer][]netip.Addr, failOpen bool) []Place {
	var left []Place
	for _, p := range places {
		if alive := up[p.Answer]; len(alive) > 0 {
			p.Addrs = alive
			left = append(left, p)
		}
	}
	if len(left) == 0 && failOpen {
		return places
	}
	return left
}

// heaviest leaves out places of weight 0 while another weighs more. Where all
// weigh nothing they count the same.
func heaviest(places []Place) []Place {
	var left []Place
	for _, p := range places {
		if p.Weight > 0 {
			left = append(left, p)
		}
	}
	if len(left) > 0 {
		return left
	}
	for _, p := range places {
		p.Weight = 1
		left = append(left, p)
	}
	return left
}

// pick makes the turns that number u asks for and tells trace, unless it is
// nil, what they cut.
func (c *choice) pick(buf []Place, u uint64, trace *Trace) []Place {
	from := len(buf)
	buf = append(buf, c.places...)
	for i, t := range c.turns {
		places := buf[from:]
		switch t.kind {
		case topology.StepWeight:
			draw(places, wanted(c.turns[i:], len(places)), u)
		case topology.StepRotate:
			rotate(places, u)
		case topology.StepLimit:
			buf = buf[:from+min(t.limit, len(places))]
			if trace != nil {
				trace.Stages = append(trace.Stages, Stage{Index: t.step, Came: slices.Clone(places), Left: slices.Clone(buf[from:]), Varies: true})
			}
		}
	}
	return buf
}

// wanted is how many of n places survive the turns.
func wanted(turns []turn, n int) int {
	for _, t := range turns {
		if t.kind == topology.StepLimit {
			n = min(n, t.limit)
		}
	}
	return n
}

// draw puts n places first, each drawn from those not drawn yet in proportion
// to their weights. One number serves for all draws: where it falls within the
// place it chose is, stretched to the whole range, the number for the next.
func draw(places []Place, n int, u uint64) {
	var total uint64
	for _, p := range places {
		total += p.Weight
	}
	for ; n > 0 && len(places) > 1; n-- {
		hi, lo := bits.Mul64(u, total)
		i := 0
		for hi >= places[i].Weight {
			hi -= places[i].Weight
			i++
		}
		chosen := places[i]
		u, _ = bits.Div64(hi, lo, chosen.Weight)
		total -= chosen.Weight
		copy(places[1:i+1], places[:i]) // the others stay in order
		places[0] = chosen
		places = places[1:]
	}
}

// rotate turns places so that they start where u points.
func rotate(places []Place, u uint64) {
	start, _ := bits.Mul64(u, uint64(len(places)))
	slices.Reverse(places[:start])
	slices.Reverse(places[start:])
	slices.Reverse(places)
}
