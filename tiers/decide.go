package tiers

import (
	"net/netip"
	"slices"
	"time"

	"gslb/health"
	"gslb/topology"
)

// Inputs are all that a decision follows from besides the file.
type Inputs struct {
	View      health.View
	Overrides health.Overrides
	Now       time.Time
	Before    Memory  // of the decision before; nil: there was none
	Loads     Loads   // of destinations that drain, as far as they were counted
	Reports   Reports // from the directors of the next tier
}

// Memory is what the next decision has to know of this one, by service.
// Services of which there is nothing to be known are not in it. It is never
// changed once handed out.
type Memory map[Key]Remembered

// Remembered is what is known of a service.
type Remembered struct {
	Lost bool `json:"lost,omitempty"` // it has no quorum
	// Emptied are the destinations that drained and have no connections any
	// more, in the order of their addresses.
	Emptied []netip.AddrPort `json:"emptied,omitempty"`
}

// At names a destination in a table.
type At struct {
	Key  Key
	Addr netip.AddrPort
}

// A Load is how many connections a destination has.
type Load struct {
	Active, Inactive uint32
	Persistent       uint32 // templates that keep clients there
}

// Loads are those of destinations that a kernel has counted.
type Loads map[At]Load

// From names what a director of the next tier reports of a service.
type From struct {
	Director string // its ID; of what is counted, that of its pair where it has one
	Key      Key
}

// Reports are the capacities of the directors and pairs of the next tier: the sums of
// the weights of the servers that take connections behind them. What is not in
// it counts as the file says.
type Reports map[From]uint32

// A Decision is what is to be done now.
type Decision struct {
	Table  Table
	Memory Memory
	// Next is when it is to be decided anew though nobody has come up or gone
	// down; the zero time: never.
	Next time.Time
	// Capacity of each service: the sum of the weights of the servers behind
	// the director that take connections. Undecided services are not in it.
	Capacity map[Key]uint32
}

// Compile returns the table that director self should hold while v is the
// view of its destinations and nobody has said anything else.
func Compile(topo *topology.Topology, self *topology.Director, v health.View) Table {
	return Prepare(topo, self).Decide(Inputs{View: v}).Table
}

// Draining are the destinations of which Decide should know how many
// connections they have.
func (g *Ground) Draining(in Inputs) []At {
	if len(in.Overrides) == 0 && !g.agents {
		return nil
	}
	d := decision{in: in}
	var out []At
	for i := range g.rows {
		r := &g.rows[i]
		for k := range r.destinations {
			if d.judge(r, &r.destinations[k], in.Before[r.bare.Key]).Verdict == Draining {
				out = append(out, At{r.bare.Key, r.destinations[k].Addr})
			}
		}
	}
	return out
}

// Decide works out what the director's table should be, in canonical order.
//
// A service of which a destination has not been checked yet is undecided. Else
// a destination that is not up is left out, except where the tier inhibits:
// by default under a hash scheduler for TCP, where it stays with weight 0, so
// that the other clients' places in the hash table are untouched, under mh
// always, under sh where the weights are equal (see [Spread]). For UDP it must
// go, or the kernel sends a flow to the dead server for ever.
//
// What drains has weight 0 until it has no connections any more or its deadline
// has come; then it is as if it were down. Without quorum the sorry server gets
// what is new, or nobody: those who live keep their TCP connections.
func (g *Ground) Decide(in Inputs) Decision { return g.decide(in, nil) }

func (g *Ground) decide(in Inputs, tell func(Status)) Decision {
	size := 0
	for i := range g.rows {
		size += len(g.rows[i].destinations) + 1
	}
	d := decision{
		in:   in,
		room: make([]Destination, 0, size),
		out: Decision{
			Table:    Table{Services: make([]Service, 0, len(g.rows)+len(g.fixed))},
			Capacity: make(map[Key]uint32, len(g.rows)),
			Next:     in.Overrides.Next(),
		},
		tell: tell,
	}
	for i := range g.rows {
		d.out.Table.Services = append(d.out.Table.Services, d.row(&g.rows[i]))
	}
	d.out.Table.Services = append(d.out.Table.Services, g.fixed...)
	slices.SortFunc(d.out.Table.Services, func(a, b Service) int { return a.Key.compare(b.Key) })
	return d.out
}

// A decision under way.
type decision struct {
	in       Inputs
	out      Decision
	room     []Destination // of all services, cut up
	verdicts []verdict     // of one service, used again
	weights  []int         // the same
	tell     func(Status)
}

// A Verdict is what becomes of a destination.
type Verdict uint8

// The verdicts.
const (
	Unchecked  Verdict = iota // had no result yet
	Serving                   // takes connections
	Draining                  // takes none, and keeps those it has
	Drained                   // has none any more
	Down                      // does not answer its check
	Disabled                  // by an operator's word
	StandsDown                // is up, and the service has no quorum
)

var verdictWords = [...]string{"unchecked", "up", "draining", "drained", "down", "disabled", "stands down"}

func (v Verdict) String() string { return verdictWords[v] }

type verdict struct {
	Verdict
	state    health.State
	mode     health.Mode
	override health.Override
	factor   float64
}

// later notes that something changes at a time, if that is one.
func (d *decision) later(at time.Time) {
	if !at.IsZero() && at.After(d.in.Now) && (d.out.Next.IsZero() || at.Before(d.out.Next)) {
		d.out.Next = at
	}
}

// row decides on one service.
func (d *decision) row(r *row) Service {
	before := d.in.Before[r.bare.Key]
	s := r.bare
	d.verdicts, d.weights = d.verdicts[:0], d.weights[:0]
	have := 0
	grows := false
	for i := range r.destinations {
		dest := &r.destinations[i]
		v := d.judge(r, dest, before)
		if v.Verdict == Unchecked {
			s.Undecided = true
		}
		weight := int(d.weight(r, dest))
		if v.Verdict == Serving && weight > 0 {
			if r.quorum.ByWeight {
				have += weight
			} else {
				have++
			}
			grows = grows || v.factor < 1
		}
		d.verdicts, d.weights = append(d.verdicts, v), append(d.weights, weight)
	}
	need := r.quorum.MinUp
	if before.Lost {
		need = r.quorum.Restore
	}
	lost := have < max(need.Of(r.most), 1)
	if s.Undecided {
		d.remember(r.bare.Key, before)
		d.report(r, s, before.Lost, have, need.Of(r.most))
		return s
	}
	standsDown := lost && (r.sorry != nil || !r.quorum.Keep)
	if standsDown {
		for i := range d.verdicts {
			if d.verdicts[i].Verdict == Serving {
				d.verdicts[i].Verdict = StandsDown
			}
		}
	}
	capacity := 0.0
	for i, w := range d.weights {
		if d.verdicts[i].Verdict == Serving {
			capacity += float64(w) * d.verdicts[i].factor
		}
	}
	d.out.Capacity[r.bare.Key] = uint32(capacity)
	if !r.last() && len(d.weights) > 0 {
		d.weights = append(d.weights[:0], scale(d.weights)...)
	}
	if grows && r.weighted && r.bare.Scheduler != "sh" { // sh has too few places for large weights
		d.grow()
	}

	remembered := Remembered{Lost: lost}
	start := len(d.room)
	for i := range r.destinations {
		dest, v := r.destinations[i].Destination, d.verdicts[i].Verdict
		dest.Weight = 0
		switch v {
		case Serving:
			dest.Weight = uint32(d.weights[i])
		case StandsDown:
			if r.flows && !r.inhibit {
				continue
			}
		case Draining:
		case Drained:
			remembered.Emptied = append(remembered.Emptied, dest.Addr)
			if !r.inhibit {
				continue
			}
		case Down, Disabled:
			if !r.inhibit {
				continue
			}
		}
		d.room = append(d.room, dest)
	}
	if standsDown && r.sorry != nil {
		at, there := slices.BinarySearchFunc(d.room[start:], r.sorry.Addr, func(x Destination, a netip.AddrPort) int { return x.Addr.Compare(a) })
		if there {
			d.room[start+at] = *r.sorry
		} else {
			d.room = slices.Insert(d.room, start+at, *r.sorry)
		}
	}
	s.Destinations = d.room[start:len(d.room):len(d.room)]
	d.remember(r.bare.Key, remembered)
	d.report(r, s, lost, have, need.Of(r.most))
	return s
}

// unasked is the check of who has none: it knows of no slow start.
var unasked topology.Check

// judge is what becomes of a destination as long as its service has a quorum.
func (d *decision) judge(r *row, dest *destination, before Remembered) verdict {
	v := verdict{state: health.State{Known: true, Up: true}}
	if dest.check != nil {
		v.state = d.in.View[dest.target]
	}
	if dest.agent != nil {
		agent := d.in.View[dest.asks]
		v.state = v.state.Advised(agent)
		v.state.Known = v.state.Known && agent.Known // it may be worked on, which nothing else tells
	}
	c := dest.check
	if c == nil {
		c = &unasked
	}
	v.factor = v.state.Factor(c, d.in.Now)
	if len(d.in.Overrides) > 0 {
		for _, object := range []string{dest.object, dest.within, r.service.ID} {
			if o, ok := d.in.Overrides.Of(object); ok && o.Mode > v.mode {
				v.mode, v.override = o.Mode, o
			}
		}
	}
	switch {
	case v.mode == health.Disabled:
		v.Verdict = Disabled
	case !v.state.Known:
		v.Verdict = Unchecked
	case !v.state.Up:
		v.Verdict = Down
	case v.mode == health.Drained, v.factor == 0:
		v.Verdict = Draining
		load, counted := d.in.Loads[At{r.bare.Key, dest.Addr}]
		due := !v.override.Deadline.IsZero() && !d.in.Now.Before(v.override.Deadline)
		if slices.Contains(before.Emptied, dest.Addr) || due || counted && load == (Load{}) {
			v.Verdict = Drained
		}
		d.later(v.override.Deadline)
	default:
		v.Verdict = Serving
		d.later(v.state.NextStep(c, d.in.Now))
	}
	return v
}

// weight is that of a destination that is up: the file's or, of a director,
// what it reports to be behind it.
func (d *decision) weight(r *row, dest *destination) uint32 {
	if dest.below.IsValid() {
		if w, ok := d.in.Reports[From{dest.object, r.bare.Key}]; ok {
			return w
		}
	}
	return dest.Weight
}

// grow gives those that have come up again, or whose agent wants less, their
// part of their weight. All weights are larger meanwhile, so that a part of 1
// can be said.
func (d *decision) grow() {
	unit := slowUnit
	if slices.Max(d.weights)*slowUnit > maxWeight {
		unit = 1
	}
	for i, w := range d.weights {
		if w > 0 {
			d.weights[i] = max(1, int(float64(w*unit)*d.verdicts[i].factor))
		}
	}
}

// slowUnit is what weights are multiplied by while one of them grows, the steps
// of [health.State.Factor].
const slowUnit = 16

func (d *decision) remember(k Key, r Remembered) {
	if !r.Lost && len(r.Emptied) == 0 {
		return
	}
	if d.out.Memory == nil {
		d.out.Memory = Memory{}
	}
	d.out.Memory[k] = r
}
