package conf

import (
	"fmt"

	"gslb/topology"
)

// syncOf is how a pair copies its connections: what it says itself, else what
// the defaults say; nil: it does not.
func (p *parser) syncOf(f *node) *node {
	if g := f.groups["sync"]; g != nil {
		return g
	}
	if d := p.defaults[f.sch.name]; d != nil {
		return d.groups["sync"]
	}
	return nil
}

// copies is the pair for which a director copies its connections, nil when it
// copies none. A kernel copies those of all services of a namespace or none.
func (p *parser) copies(d *node) *node {
	for _, f := range p.all("failover") {
		if p.syncOf(f) == nil {
			continue
		}
		for _, m := range f.nodes("members") {
			if m == d {
				return f
			}
		}
	}
	return nil
}

// syncID is what a pair's messages go by, 0 when that is not known: what the
// file says, else the id of its virtual router.
func (p *parser) syncID(f *node) int {
	g := p.syncOf(f)
	if id := g.num("id"); id != 0 || g.gave("id") {
		return id
	}
	return routerID(f)
}

// syncNetwork is the segment that carries a pair's connections.
func (p *parser) syncNetwork(f *node) *node {
	if n := p.syncOf(f).ref("network"); n != nil {
		return n
	}
	return f.nodes("members")[0].ref("network")
}

// A channel is where connections are copied: messages with an id on a segment.
type channel struct {
	on *node
	id int
}

// checkSyncs looks at the pairs that copy connections, which are sound as pairs:
// each member has a leg on the segment; directors that are in two pairs, and so
// all whom they are in pairs with, have one channel; others have another.
func (p *parser) checkSyncs(pairs []*node) {
	club := clubs(pairs)
	firstOf := map[*node]*node{} // by club: the first pair of it that copies
	taken := map[channel]*node{} // the first pair
	for _, f := range pairs {
		g := p.syncOf(f)
		if g == nil || g.broken || !p.checkSyncNetwork(f, g) {
			continue
		}
		c := channel{p.syncNetwork(f), p.syncID(f)}
		if c.on == nil || c.id == 0 {
			continue
		}
		at := g.raw.at
		if g.up == f && g.gave("id") {
			at = g.at("id")
		}
		if first := firstOf[club(f)]; first != nil {
			if was := (channel{p.syncNetwork(first), p.syncID(first)}); was != c {
				p.report(fault{
					code: "GS255", at: at, detail: fmt.Sprintf("%s copies its connections as sync id %d on %s, %s as sync id %d on %s, and they have directors in common: a kernel has one sync daemon.", f.id, c.id, c.on.id, first.id, was.id, was.on.id),
					help: fmt.Sprintf("Give both sync = { id = %d, network = %s }.", was.id, was.on.id),
					rel:  []Related{first.here()},
				})
			}
			continue
		}
		firstOf[club(f)] = f
		if first := taken[c]; first != nil {
			p.report(fault{
				code: "GS255", at: at, detail: fmt.Sprintf("%s and %s both copy their connections as sync id %d on %s: each would take in the other's.", first.id, f.id, c.id, c.on.id),
				help: "Give each pair of a segment an id of its own, from 1 to 255.",
				rel:  []Related{first.here()},
			})
			continue
		}
		taken[c] = f
	}
}

// checkSyncNetwork reports a member that has no address on the segment that a
// pair's connections are copied on.
func (p *parser) checkSyncNetwork(f, g *node) bool {
	n := g.ref("network")
	if n == nil {
		return !g.gave("network")
	}
	for _, d := range f.nodes("members") {
		if d.ref("network") == n || d.groups["inside"].ref("network") == n {
			continue
		}
		p.report(fault{
			code: "GS201", at: g.at("network"), detail: fmt.Sprintf("%s is not on %s: it would neither send nor get connections there.", d.id, n.id),
			help: "Name a network that all members are on.", rel: []Related{d.here()},
		})
		return false
	}
	return true
}

// clubs puts pairs together that have directors in common, and those that have
// some in common with them: the function gives the same pair for all of a club.
func clubs(pairs []*node) func(*node) *node {
	next := map[*node]*node{} // towards the first pair of the club
	first := func(f *node) *node {
		for next[f] != nil {
			f = next[f]
		}
		return f
	}
	in := map[*node]*node{} // by director: a pair
	for _, f := range pairs {
		for _, d := range f.nodes("members") {
			if in[d] == nil {
				in[d] = f
			} else if a, b := first(in[d]), first(f); a != b {
				next[b] = a
			}
		}
	}
	return first
}

// sync is how a pair of the topology copies its connections, nil: not at all.
func (b *builder) sync(f *node) *topology.Sync {
	if b.p.syncOf(f) == nil {
		return nil
	}
	return &topology.Sync{ID: uint8(b.p.syncID(f)), Network: b.networks[b.p.syncNetwork(f)]}
}
