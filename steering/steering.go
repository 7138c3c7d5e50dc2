// Package steering decides where a client is sent: a domain's answers go
// through the steps of its policy, in order, and what is left is answered.
// It is arithmetic on values: a topology, where clients are and who is up
// become a [Table], and a table, a client and a number become addresses. It
// knows neither DNS messages nor the clock nor where maps come from; the
// number that makes successive answers differ is the caller's.
//
// Addresses are steered for each family by itself, because a client asks for
// A and AAAA in two questions: an answer is a candidate for a family when it
// has an address of it, and is up for a family when such an address is up. A
// name is a candidate for both.
package steering

import (
	"net/netip"
	"slices"
	"time"

	"gslb/health"
	"gslb/topology"
)

// Golden is the step by which a caller moves its number from one query to the
// next: 2^64 divided by the golden ratio. Successive multiples of it fall
// evenly into any division of the range, so every place gets its share within
// a few queries and not only on average.
const Golden uint64 = 0x9e3779b97f4a7c15

// A Family is one of the two kinds of address a client can ask for.
type Family uint8

// The families.
const (
	V4 Family = iota
	V6
)

// A Place is one of the answers that a query may get.
type Place struct {
	Answer *topology.Answer
	// Addrs are the addresses of one family to answer with: those that are
	// up or, where a policy fails open, all of them. There are none where the
	// answer is a name.
	Addrs  []netip.Addr
	Weight uint64

	seed         uint64 // of the answer, for sticky steps
	fate         uint64 // bits of what it depends on and others do too
	at           int32  // index among the domain's places of the family
	region, site int32
}

// Inputs are what a table is made of beside the topology.
type Inputs struct {
	View health.View // who is up; a target that it does not know is not
	Map  Map         // where clients are; nil: nobody knows
	Now  time.Time   // of slow start and holding down; zero: they do not count
	// Overrides of answers, services and regions. What is disabled is never
	// answered, not even where a policy fails open; what is drained only when
	// nothing else is up.
	Overrides health.Overrides
	// Stale are the targets whose states nobody has confirmed of late, if only
	// because no check is run ([health.StaleAfter]). They count all the same.
	Stale map[health.Target]bool
}

// A Table says for every domain what a client gets. It is never changed once made.
type Table struct {
	ground  *Ground
	domains map[*topology.Domain]*[2]choice
	stale   bool // some choice is
}

// Compile works out the table for topo. When who is up changes, the ground
// that [Prepare] makes need not be made again: see [Ground.Compile].
func Compile(topo *topology.Topology, in Inputs) *Table { return Prepare(topo, in.Map).Compile(in) }

// Compile works out the table for the ground's topology and map; in.Map does
// not count.
func (g *Ground) Compile(in Inputs) *Table {
	t := &Table{ground: g, domains: make(map[*topology.Domain]*[2]choice, len(g.domains))}
	shared := map[string]*verdict{}
	for _, d := range g.order {
		p := g.domains[d]
		both := &[2]choice{p[V4].choice(g, &in, shared), p[V6].choice(g, &in, shared)}
		both[V4].stale, both[V6].stale = p[V4].stale(&in), p[V6].stale(&in)
		t.stale = t.stale || both[V4].stale || both[V6].stale
		t.domains[d] = both
	}
	return t
}

// Stale reports whether a stale target has its part in who gets what of domain
// d: one of those that the health step looks at, be its answer among those
// that are given or not.
func (t *Table) Stale(d *topology.Domain, f Family) bool {
	return t.stale && t.domains[d] != nil && t.domains[d][f].stale
}

func (p *prospect) stale(in *Inputs) bool {
	return p.checked && len(in.Stale) > 0 && slices.ContainsFunc(p.probes, func(probes []probe) bool {
		return slices.ContainsFunc(probes, func(one probe) bool { return one.check != nil && in.Stale[one.target] })
	})
}

// Answer returns the places that a client gets for domain d, in the order of
// its policy; none when there is nothing to answer. They are appended to buf.
// U is the number of the query. Ttl, in seconds, is how long they may be kept,
// and scope, 0 to 32 or 128, the length of the shortest prefix that has the
// client and in which every client gets the same for the same u: what ECS
// calls the scope prefix length. It may be longer than the client's prefix:
// then others within that get something else. Scopes of a domain and family
// never overlap. It holds for no places as for any others. A client that is no
// valid prefix is nowhere; one within ::ffff:0:0/96 is the IPv4 address that it
// writes, and its scope has the 96 bits before that.
func (t *Table) Answer(buf []Place, d *topology.Domain, f Family, client netip.Prefix, u uint64) (places []Place, ttl uint32, scope int) {
	families, ok := t.domains[d]
	if !ok {
		return buf, 0, 0
	}
	c := &families[f]
	o := &c.outcomes[0]
	unitKey := u
	if client.IsValid() && (c.of != nil || c.kind == topology.StepSticky) {
		addr := client.Masked().Addr()
		mapped := addr.Is4In6()
		addr = addr.Unmap()
		from, k := V4, keyOf(addr)
		if addr.Is6() {
			from = V6
		}
		if c.of != nil {
			var n int32
			n, scope = t.ground.tries[from].find(k, c.of, from == V4 && c.of.top != nil)
			o = &c.outcomes[n]
		}
		if c.kind == topology.StepSticky {
			unitKey = unit(k, from)
			if len(o.places) > 1 {
				scope = max(scope, [2]int{sticky4, sticky6}[from])
			}
		}
		if mapped && (scope > 0 || c.of != nil) {
			scope += 96
		}
	} else if c.of != nil {
		o = &c.outcomes[c.of.same[0]]
	}
	if c.kind == topology.StepSticky {
		u = unitKey
	}
	return c.pick(buf, o, u, nil), o.ttl, scope
}

// Pick returns the places that the query with number u gets for domain d when
// nobody knows who asks.
func (t *Table) Pick(buf []Place, d *topology.Domain, f Family, u uint64) []Place {
	places, _, _ := t.Answer(buf, d, f, netip.Prefix{}, u)
	return places
}
