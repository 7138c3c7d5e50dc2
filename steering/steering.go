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
// name is a candidate for both. Hosts, which SRV and MX records lead to, are
// steered as a whole: one is up when any of its addresses is, or has none.
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

// A Family is what a client can ask for: addresses of one of the two kinds, or
// hosts.
type Family uint8

// The families.
const (
	V4   Family = iota
	V6          // of an address of the client too, as is V4
	Host        // of a domain whose answers are hosts
	families
)

// Has reports whether an address is one of the family; hosts have both kinds.
func (f Family) Has(a netip.Addr) bool { return f == Host || a.Is4() == (f == V4) }

// Asked are the families that can be asked of a domain.
func Asked(d *topology.Domain) []Family {
	if d.Hosts() {
		return []Family{Host}
	}
	var out []Family
	for f, typ := range []string{V4: "A", V6: "AAAA"} {
		if d.Has(typ) {
			out = append(out, Family(f))
		}
	}
	return out
}

// A Place is one of the answers that a query may get.
type Place struct {
	Answer *topology.Answer
	// Addrs are the addresses of the family to answer with: those that are
	// up or, where a policy fails open, all of them. There are none where the
	// answer is a name, or a host that nobody checks.
	Addrs  []netip.Addr
	Weight uint64

	alone        bool  // it is another name and nothing may stand beside it
	seed         seed  // of the answer, for sticky steps
	fate         *fate // what it depends on and others do too; nil: nobody asks
	at           int32 // index among the domain's places of the family
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
	domains map[*topology.Domain]*Steered
	stale   bool // some choice is
}

// A Steered is what a table says of one domain.
type Steered struct {
	ground  *Ground
	choices [families]choice
}

// Compile works out the table for topo. When who is up changes, the ground
// that [Prepare] makes need not be made again: see [Ground.Compile].
func Compile(topo *topology.Topology, in Inputs) *Table { return Prepare(topo, in.Map).Compile(in) }

// Compile works out the table for the ground's topology and map; in.Map does
// not count.
func (g *Ground) Compile(in Inputs) *Table {
	t := &Table{ground: g, domains: make(map[*topology.Domain]*Steered, len(g.domains))}
	shared := map[string]*verdict{}
	for _, d := range g.order {
		p := g.domains[d]
		s := &Steered{ground: g}
		for f := range families {
			s.choices[f] = p[f].choice(g, &in, shared)
			if f != Host {
				s.choices[f].prepare()
			}
			s.choices[f].stale = p[f].stale(&in)
			t.stale = t.stale || s.choices[f].stale
		}
		t.domains[d] = s
	}
	return t
}

// Stale reports whether a stale target has its part in who gets what of domain
// d: one of those that the health step looks at, be its answer among those
// that are given or not.
func (t *Table) Stale(d *topology.Domain, f Family) bool {
	return t.stale && t.domains[d] != nil && t.domains[d].choices[f].stale
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
	s, ok := t.domains[d]
	if !ok {
		return buf, 0, 0
	}
	c := &s.choices[f]
	o, u, scope := c.find(s.ground, At(client), u)
	return c.pick(buf, o, u, nil), o.ttl, scope
}

// Of is what the table says of a domain, for those who ask for it again and
// again; nil: it does not know the domain.
func (t *Table) Of(d *topology.Domain) *Steered { return t.domains[d] }

// Address is what Answer says where that is one place with one address: its
// four or sixteen octets, which the caller must not change. Otherwise it is
// false, and where a stale target has its part in the answer.
func (s *Steered) Address(f Family, client Client, u uint64) (octets []byte, ttl uint32, scope int, ok bool) {
	c := &s.choices[f]
	if !c.single || c.stale {
		return nil, 0, 0, false
	}
	o, u, scope := c.find(s.ground, client, u)
	if len(o.flat) == 0 {
		return nil, 0, 0, false
	}
	i := 0
	if len(o.places) > 1 {
		i = c.first(o, u)
	}
	size := 4 + 12*int(f)
	return o.flat[i*size : (i+1)*size], o.ttl, scope, true
}

// A Client is where a query comes from, ready to be looked up. The zero
// Client is nowhere.
type Client struct {
	key    key
	family Family
	known  bool
	before uint8 // bits of its scope that stand before the key
}

// At is a client as [Table.Answer] takes it.
func At(p netip.Prefix) Client {
	if !p.IsValid() {
		return Client{}
	}
	addr := p.Masked().Addr()
	c := Client{known: true}
	if addr.Is4In6() {
		c.before = 96
	}
	if addr = addr.Unmap(); addr.Is6() {
		c.family = V6
	}
	c.key = keyOf(addr)
	return c
}

// At4 is a client with an IPv4 address, the first octet the highest.
func At4(addr uint32) Client { return Client{key: key{hi: uint64(addr) << 32}, known: true} }

// find is the outcome for a client, the number to choose by in it, and the
// scope of both.
func (c *choice) find(g *Ground, client Client, u uint64) (o *outcome, number uint64, scope int) {
	if c.of == nil && c.kind != topology.StepSticky {
		return &c.outcomes[0], u, 0
	}
	if !client.known {
		if c.of != nil {
			return &c.outcomes[c.of.same[0]], u, 0
		}
		return &c.outcomes[0], u, 0
	}
	o = &c.outcomes[0]
	if c.of != nil {
		var n int32
		n, scope = g.tries[client.family].find(client.key, c.of, client.family)
		o = &c.outcomes[n]
	}
	if c.kind == topology.StepSticky {
		u = unit(client.key, client.family)
		if len(o.places) > 1 {
			scope = max(scope, [2]int{sticky4, sticky6}[client.family])
		}
	}
	if scope > 0 || c.of != nil {
		scope += int(client.before)
	}
	return o, u, scope
}

// Pick returns the places that the query with number u gets for domain d when
// nobody knows who asks.
func (t *Table) Pick(buf []Place, d *topology.Domain, f Family, u uint64) []Place {
	places, _, _ := t.Answer(buf, d, f, netip.Prefix{}, u)
	return places
}
