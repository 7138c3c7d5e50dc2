package steering

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"slices"

	"gslb/health"
	"gslb/topology"
)

// A choice is a policy at work for one domain and family while somebody is up.
// What is the same for every query and client of a class is done when it is
// made.
type choice struct {
	kind topology.StepKind // what makes answers differ; NoStep: nothing
	most int               // places that are answered; 0: all
	// of says which outcome a client gets; nil: everybody gets the first.
	of       *verdict
	outcomes []outcome
	limits   []int // indexes of the limit steps that act on each query
	single   bool  // one place is answered, wherever there are any
	stale    bool  // a stale target has its part in it
}

// An outcome is what the clients of a class can get.
type outcome struct {
	// flat are the octets of the places' addresses, one address of each; none
	// where a place has more or is a name.
	flat []byte
	sums []uint64 // of the weights, up to and with each place; where they are drawn by
	// guide says for each part of the range of numbers, a power of two of
	// them, which place is the first that a number in it may choose.
	guide  []uint32
	draws  draws // where clients are kept
	ttl    uint32
	common int  // words of the fates that tell which places share one; 0: none do
	named  bool // some places are other names
	places []Place
}

// sixteenths is how many parts a weight has while one of them grows.
const sixteenths = 16

// A maker makes a choice.
type maker struct {
	g       *Ground
	p       *prospect
	in      *Inputs
	drained []bool // by a place's index
	scale   uint64 // what all weights are multiplied by: 1, or sixteenths while one grows
	states  []state
	known   map[string]int32 // states by what is left in them
	moves   map[move]moved
}

// A state is what is left of the places after some steps.
type state struct {
	places []Place
	sites  []bool // whether there is a place
}

// A move is a step at work on a state, looking for a region or a site.
type move struct{ state, step, region, site int32 }

type moved struct {
	state int32
	found bool // somebody is there
}

// who is the client that a policy is worked out for.
type who struct {
	class
	order []int32 // of the sites, from near to far; nil: nobody knows
	rule  Rule    // by which it belongs to the region of geo, where that is known
}

// choice works out who gets what. Choices in which the same classes get the
// same share what says so.
func (p *prospect) choice(g *Ground, in *Inputs, shared map[string]*verdict) choice {
	c := choice{most: p.least}
	if p.turn != none {
		c.kind = p.steps[p.turn].Kind
		for i, s := range p.steps[p.turn:] {
			if s.Kind == topology.StepLimit {
				c.limits = append(c.limits, p.turn+i)
			}
		}
	}
	if len(p.places) == 0 {
		c.outcomes = []outcome{{ttl: p.maxTTL}}
		return c
	}
	m := p.maker(g, in)
	number := map[int32]int32{} // of a state's outcome
	end := func(s int32) int32 {
		n, ok := number[s]
		if !ok {
			n = int32(len(c.outcomes))
			number[s] = n
			places := m.states[s].places
			c.outcomes = append(c.outcomes, c.outcome(places, p.ttl(places, in)))
		}
		return n
	}
	head := m.head()
	if head == len(p.steps) {
		end(m.walk(0, head, who{}, nil))
		return c
	}
	start := m.walk(0, head, who{}, nil)
	ends := make([]int32, len(g.classes))
	text := make([]byte, 0, 2*len(ends))
	same := true
	for i := range g.classes {
		ends[i] = end(m.walkFrom(start, head, g.who(uint32(i)), nil))
		same = same && ends[i] == ends[0]
		text = binary.AppendUvarint(text, uint64(ends[i]))
	}
	if same {
		return c
	}
	if of, ok := shared[string(text)]; ok {
		c.of = of
		return c
	}
	c.of = g.verdict(ends, len(shared) < tops)
	shared[string(text)] = c.of
	return c
}

func (g *Ground) who(class uint32) who {
	w := who{class: g.classes[class]}
	if w.class.order != none {
		w.order = g.orders[w.class.order]
	}
	return w
}

func (c *choice) outcome(places []Place, ttl uint32) outcome {
	o := outcome{places: places, ttl: ttl}
	o.common = common(places)
	var sum uint64
	for _, p := range places {
		o.named = o.named || p.alone
		if c.kind == topology.StepWeight {
			sum += p.Weight
			o.sums = append(o.sums, sum)
		}
	}
	if c.kind == topology.StepSticky {
		o.draws = drawsOf(places)
	}
	if c.kind == topology.NoStep && o.named {
		o.places = alone(o.places)
	}
	return o
}

// prepare makes what a quick answer of a single place takes.
func (c *choice) prepare() {
	c.single = true
	for i := range c.outcomes {
		o := &c.outcomes[i]
		o.prepare()
		if len(o.places) > 1 && (c.kind == topology.NoStep || c.most != 1) {
			c.single = false
		}
	}
}

func (o *outcome) prepare() {
	for i, p := range o.places {
		if len(p.Addrs) != 1 {
			o.flat = nil
			break
		}
		octets := p.Addrs[0].AsSlice()
		if i == 0 {
			o.flat = make([]byte, 0, len(o.places)*len(octets))
		}
		o.flat = append(o.flat, octets...)
	}
	if len(o.sums) < 2 {
		return
	}
	o.guide = make([]uint32, 1<<bits.Len(uint(len(o.sums)-1)))
	i, step := 0, ^uint64(0)/uint64(len(o.guide))+1
	for part := range o.guide {
		hi, _ := bits.Mul64(uint64(part)*step, o.sums[len(o.sums)-1])
		for o.sums[i] <= hi {
			i++
		}
		o.guide[part] = uint32(i)
	}
}

// alone leaves what one answer may have: another name stands alone (RFC 1034,
// section 3.6.2; RFC 9460, section 2.4.2).
func alone(places []Place) []Place {
	if len(places) > 0 && places[0].alone {
		return places[:1]
	}
	return only(places, func(p Place) bool { return !p.alone })
}

func (p *prospect) maker(g *Ground, in *Inputs) *maker {
	m := &maker{g: g, p: p, in: in, scale: 1, known: map[string]int32{}, moves: map[move]moved{}}
	m.state(m.admitted())
	return m
}

// admitted are the places that operators leave, with the weights that they
// have for now.
func (m *maker) admitted() []Place {
	places := m.p.places
	if len(m.in.Overrides) > 0 {
		m.drained = make([]bool, len(places))
		drained := 0
		places = only(places, func(p Place) bool {
			mode := Mode(m.in.Overrides, p.Answer)
			if m.drained[p.at] = mode == health.Drained; mode == health.Drained {
				drained++
			}
			return mode != health.Disabled
		})
		if !m.p.checked && drained < len(places) { // else a health step knows
			places = only(places, func(p Place) bool { return !m.drained[p.at] })
		}
	}
	slow := func(p Place) uint64 { // in parts of 1/sixteenths
		part := 1.0
		for _, one := range m.p.probes[p.at] {
			if one.check != nil && !m.in.Now.IsZero() {
				part = min(part, m.in.View.Factor(one.target, one.check, m.in.Now))
			}
		}
		return uint64(math.Ceil(part * sixteenths)) // 0 is nobody new, and only where that is meant
	}
	if slices.ContainsFunc(places, func(p Place) bool { return slow(p) < sixteenths }) {
		m.scale = sixteenths
		places = slices.Clone(places)
		for i, p := range places {
			places[i].Weight *= slow(p)
		}
	}
	return places
}

// state is the number of the state with these places left.
func (m *maker) state(places []Place) int32 {
	text := make([]byte, 0, 8*len(places))
	for _, p := range places {
		text = binary.AppendUvarint(text, uint64(p.at))
		text = binary.AppendUvarint(text, p.Weight)
		// Fewer addresses are those that are up, of which there is one list.
		text = binary.AppendUvarint(text, uint64(len(p.Addrs)))
	}
	n, ok := m.known[string(text)]
	if !ok {
		n = int32(len(m.states))
		m.known[string(text)] = n
		s := state{places: places, sites: make([]bool, len(m.g.sites))}
		for _, p := range places {
			if p.site != none {
				s.sites[p.site] = true
			}
		}
		m.states = append(m.states, s)
	}
	return n
}

// head is how many steps there are before the first that looks at the client.
func (m *maker) head() int {
	for i, s := range m.p.steps {
		switch s.Kind {
		case topology.StepPrefixes, topology.StepGeo, topology.StepASN, topology.StepNearest:
			return i
		}
	}
	return len(m.p.steps)
}

// walk makes the steps before the one with index to, walkFrom those from it on.
func (m *maker) walk(s int32, to int, w who, trace *Trace) int32 {
	for i := range m.p.steps[:to] {
		s = m.step(s, i, w, trace)
	}
	return s
}

func (m *maker) walkFrom(s int32, from int, w who, trace *Trace) int32 {
	for i := from; i < len(m.p.steps); i++ {
		s = m.step(s, i, w, trace)
	}
	return s
}

// step makes one step and tells trace, unless it is nil, what it does.
func (m *maker) step(s int32, i int, w who, trace *Trace) int32 {
	step := &m.p.steps[i]
	came, reason := s, Reason{site: none}
	switch step.Kind {
	case topology.StepPrefixes:
		to := w.prefix
		if to != none {
			reason.Rule = RulePrefix
		} else if to = m.g.known(step.Default); to != none {
			reason.Rule = RuleDefault
		}
		s = m.region(s, i, to, &reason)
	case topology.StepASN:
		if w.asn != none {
			reason.Rule = RuleASN
		}
		s = m.region(s, i, w.asn, &reason)
	case topology.StepGeo:
		if w.geo != none {
			reason.Rule = w.rule
		}
		if s = m.region(s, i, w.geo, &reason); !reason.found {
			s = m.nearest(s, i, w.order, &reason)
		}
	case topology.StepNearest:
		s = m.nearest(s, i, w.order, &reason)
	case topology.StepLimit:
		if m.p.turn != none && i > m.p.turn {
			return s // acts on each query
		}
		s = m.move(move{s, int32(i), none, none}).state
	default:
		s = m.move(move{s, int32(i), none, none}).state
	}
	if trace != nil {
		stage := Stage{Index: i, Came: m.states[came].places, Left: m.states[s].places, Reason: reason}
		switch step.Kind {
		case topology.StepWeight, topology.StepRotate, topology.StepSticky:
			stage.Idle = i != m.p.turn
		}
		trace.Stages = append(trace.Stages, stage)
	}
	return s
}

// region leaves the places of the region with number to, or of one that takes
// over from it.
func (m *maker) region(s int32, i int, to int32, reason *Reason) int32 {
	if to == none {
		return s
	}
	reason.Region = m.g.regions[to]
	r := m.move(move{s, int32(i), to, none})
	reason.found = r.found
	return r.state
}

// nearest leaves the places of the first site that has any.
func (m *maker) nearest(s int32, i int, order []int32, reason *Reason) int32 {
	for _, site := range order {
		if m.states[s].sites[site] {
			if reason.Rule == NoRule {
				reason.Rule = RuleNearest
			}
			reason.site = site
			return m.move(move{s, int32(i), none, site}).state
		}
	}
	return s
}

func (m *maker) move(at move) moved {
	r, ok := m.moves[at]
	if !ok {
		places, found := m.left(m.states[at.state].places, at)
		r = moved{m.state(places), found}
		m.moves[at] = r
	}
	return r
}

// left are the places that a step leaves. One that looks for a region finds
// out whether somebody is there; if not it leaves all.
func (m *maker) left(places []Place, at move) ([]Place, bool) {
	step := &m.p.steps[at.step]
	switch step.Kind {
	case topology.StepHealth:
		return m.healthy(places, step), true
	case topology.StepWeight, topology.StepSticky:
		return heaviest(places), true
	case topology.StepFailover:
		return places[:min(1, len(places))], true
	case topology.StepLimit:
		return spread(places, step.Answers), true
	case topology.StepPrefixes, topology.StepASN, topology.StepGeo, topology.StepNearest:
		if at.site != none {
			return only(places, func(p Place) bool { return p.site == at.site }), true
		}
		for _, region := range m.g.chains[at.region] {
			if left := only(places, func(p Place) bool { return p.region == region }); len(left) > 0 {
				return left, true
			}
		}
		return places, false
	}
	return places, true
}

func only(places []Place, is func(Place) bool) []Place {
	var left []Place
	for _, p := range places {
		if is(p) {
			left = append(left, p)
		}
	}
	return left
}

// healthy leaves out what is down. When everything is, a policy that fails
// open answers with everything: a place wrongly taken for dead is better than
// none, and if all are dead nothing is lost.
func (m *maker) healthy(places []Place, step *topology.Placed) []Place {
	var left, drained []Place
	for _, p := range places {
		probes := m.p.probes[p.at]
		up := make([]netip.Addr, 0, len(probes))
		for _, one := range probes {
			if one.check == nil || m.in.View.Up(one.target) {
				up = append(up, one.addr)
			}
		}
		if len(up) > 0 || len(probes) == 0 {
			p.Addrs = up
			if p.fate != nil && len(up) < len(probes) {
				p.fate = m.fate(p.at)
			}
			if m.drained != nil && m.drained[p.at] {
				drained = append(drained, p)
			} else {
				left = append(left, p)
			}
		}
	}
	switch {
	case len(left) > 0:
		return left
	case len(drained) > 0:
		return drained
	case step.FailTo != nil:
		return only(places, func(p Place) bool { return p.Answer.Region == step.FailTo })
	case step.FailOpen:
		return places
	}
	return nil
}

// fate is that of a place with the addresses that are up.
func (m *maker) fate(at int32) *fate {
	f := *m.p.fates[at]
	for _, one := range m.p.probes[at] {
		if one.check == nil || m.in.View.Up(one.target) {
			f.add(one.fate)
		}
	}
	return &f
}

// heaviest leaves out places of weight 0 while another weighs more. Where all
// weigh nothing they count the same.
func heaviest(places []Place) []Place {
	left := only(places, func(p Place) bool { return p.Weight > 0 })
	if len(left) > 0 {
		return left
	}
	for _, p := range places {
		p.Weight = 1
		left = append(left, p)
	}
	return left
}

// spread are the first n places of different fates, and where there are fewer
// of those the first others.
func spread(places []Place, n int) []Place {
	if len(places) <= n {
		return places
	}
	left, words := slices.Clone(places), common(places)
	if words == 0 {
		return left[:n]
	}
	var with fate
	for k := range n {
		i := slices.IndexFunc(left[k:], func(p Place) bool { return !p.fate.meets(&with, words) })
		front(left[k:], max(i, 0))
		with.add(left[k].fate)
	}
	return left[:n]
}

// front moves the place with index i to the front; the others stay in order.
func front(places []Place, i int) {
	p := places[i]
	copy(places[1:i+1], places[:i])
	places[0] = p
}
