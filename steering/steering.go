// Package steering decides where a client is sent: a domain's answers go
// through the steps of its policy, in order, and what is left is answered.
// It is arithmetic on values: a topology and who is up become a [Table], and
// a table and a number become addresses. It knows neither DNS messages nor
// the clock; the number that makes successive answers differ is the caller's.
//
// Addresses are steered for each family by itself, because a client asks for
// A and AAAA in two questions: an answer is a candidate for a family when it
// has an address of it, and is up for a family when such an address is up.
package steering

import (
	"net/netip"

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
	// up or, where a policy fails open, all of them.
	Addrs  []netip.Addr
	Weight uint64
}

// A Table says for every domain what a query gets. It is never changed once made.
type Table struct {
	domains map[*topology.Domain]*[2]choice
}

// Compile works out the table for topo while view says who is up. A target
// that view does not know is not up.
func Compile(topo *topology.Topology, view health.View) *Table {
	t := &Table{domains: make(map[*topology.Domain]*[2]choice, len(topo.Domains))}
	for _, d := range topo.Domains {
		t.domains[d] = &[2]choice{compile(d, V4, view, nil), compile(d, V6, view, nil)}
	}
	return t
}

// Pick returns the places that the query with number u gets for domain d, in
// the order of its policy; none when there is nothing to answer. They are
// appended to buf.
func (t *Table) Pick(buf []Place, d *topology.Domain, f Family, u uint64) []Place {
	families, ok := t.domains[d]
	if !ok {
		return buf
	}
	return families[f].pick(buf, u, nil)
}
