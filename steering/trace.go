package steering

import (
	"net/netip"

	"gslb/health"
	"gslb/topology"
)

// A Trace is what a policy did on the way to an answer.
type Trace struct {
	// Steps are those of the policy, and of the policies that it names.
	Steps []topology.Placed
	// Where is what the map says of the client, and Prefix for whom it says
	// so; the zero values: it says nothing.
	Where  Where
	Prefix netip.Prefix
	// Places are the answers that have an address of the family, are names or
	// hosts, with all their addresses of it.
	Places []Place
	// Admitted are those of them that operators leave, with the weights that
	// they have for now, Scale times as large: what comes to the first stage.
	Admitted []Place
	Scale    uint64
	// Stages in the order in which they act: first the steps whose outcome is
	// the same for every query, then those that differ. Within each kind the
	// order is the policy's.
	Stages []Stage
	TTL    uint32 // as of [Table.Answer]
	Scope  int
}

func (t *Trace) limit(step int) int { return t.Steps[step].Answers }

// A Stage is a step at work.
type Stage struct {
	Index  int     // of the step in Trace.Steps
	Came   []Place // before it
	Left   []Place // after it, with the addresses that are left
	Idle   bool    // it turns nothing: a step before it does, or the weights do
	Varies bool    // what is left differs from query to query
	Reason Reason  // of a step that looks at the client
}

// A Reason is why a step leaves what it leaves of a client's places.
type Reason struct {
	Rule Rule
	// Region is the one that the rule gives the client to; nil for NoRule.
	Region *topology.Region
	// Prefix is the region's that has the client, for RulePrefix.
	Prefix netip.Prefix
	// Served is the region whose places are left, that which took over where
	// it is not Region; nil: the places are not those of a region, or all stay.
	Served *topology.Region
	// Kilometres is how far the client is from the places, as the bias makes
	// it; negative: that does not count.
	Kilometres float64

	site  int32
	found bool
}

// Explain returns what [Compile] and [Table.Answer] do for the query of a
// client with number u, step by step, and the places that it gets: those that
// Answer returns.
func Explain(g *Ground, in Inputs, d *topology.Domain, f Family, client netip.Prefix, u uint64) (Trace, []Place) {
	p := &g.domains[d][f]
	t := Trace{Steps: p.steps, Places: p.places}
	table := g.Compile(in)
	c := &table.domains[d].choices[f]
	w := g.who(0)
	from := V4
	var addr netip.Addr
	if client.IsValid() {
		if addr = client.Masked().Addr().Unmap(); addr.Is6() {
			from = V6
		}
		k := keyOf(addr)
		w = g.who(g.tries[from].class(k))
		t.Where, t.Prefix = g.at(addr)
		if c.kind == topology.StepSticky {
			u = unit(k, from)
		}
	}
	prefix := g.claimed(addr, from)
	if w.rule = RulePrefix; !prefix.IsValid() {
		_, w.rule = g.users.geo(t.Where)
	}
	m := p.maker(g, &in)
	t.Admitted, t.Scale = m.states[0].places, m.scale
	end := m.walkFrom(0, 0, w, &t)
	for i := range t.Stages {
		r := &t.Stages[i].Reason
		if r.Kilometres = -1; r.site != none && t.Where.Point != nil {
			r.Kilometres = g.sites[r.site].kilometres(*t.Where.Point)
		}
		if r.Rule == RulePrefix {
			r.Prefix = prefix
		}
		if left := t.Stages[i].Left; (r.found || r.site != none) && len(left) > 0 {
			r.Served = left[0].Answer.Region
		}
	}
	_, t.TTL, t.Scope = table.Answer(nil, d, f, client, u)
	o := c.outcome(m.states[end].places, t.TTL)
	return t, c.pick(nil, &o, u, &t)
}

// at is what the map says of an address, and for which prefix.
func (g *Ground) at(a netip.Addr) (Where, netip.Prefix) {
	var where Where
	var prefix netip.Prefix
	if g.where != nil {
		g.where.Walk(func(p netip.Prefix, w Where) bool {
			if p.Contains(a) {
				where, prefix = w, p
			}
			return !prefix.IsValid() && p.Addr().Compare(a) <= 0
		})
	}
	return where, prefix
}

// claimed is the longest prefix of a region that has the address.
func (g *Ground) claimed(a netip.Addr, f Family) netip.Prefix {
	var longest netip.Prefix
	for _, c := range g.users.prefixes[f] {
		if c.prefix.Contains(a) && (!longest.IsValid() || c.prefix.Bits() > longest.Bits()) {
			longest = c.prefix
		}
	}
	return longest
}

// Targets are what decides whether answer a is up: one target for each of its
// addresses of family f, in their order; none for an answer without a check.
func Targets(a *topology.Answer, f Family) []health.Target {
	var list []health.Target
	for _, addr := range a.Addrs {
		if a.Check != nil && f.Has(addr) {
			list = append(list, target(a, addr))
		}
	}
	return list
}
