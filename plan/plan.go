// Package plan says what leads from one topology to another: what every node
// changes, which answers change, what clients notice of it and what is
// dangerous about it. It is arithmetic on two values of [topology.Topology],
// with everything up; who is down, and what a kernel really holds, it does not
// know. Nothing here carries anything out.
package plan

import (
	"gslb/tiers"
	"gslb/topology"
)

// FormatVersion is the version of a plan's JSON form.
const FormatVersion = 1

// An Action is what becomes of something.
type Action string

// The actions.
const (
	Add    Action = "add"
	Modify Action = "change"
	Remove Action = "remove"
)

// A Plan is everything that differs. Its lists hold only what changes.
type Plan struct {
	FormatVersion int      `json:"format_version"`
	Summary       Summary  `json:"summary"`
	Directors     []Node   `json:"directors"`
	RealServers   []Node   `json:"real_servers"` // those that stay or come
	Nameservers   []Node   `json:"nameservers"`  // besides what they answer
	Zones         []Zone   `json:"zones"`        // what nameservers answer
	Impact        Impact   `json:"impact"`
	Dangers       []Danger `json:"dangers"`
}

// A Summary counts: nodes that change, and changes.
type Summary struct {
	Directors   int `json:"directors"`
	Nameservers int `json:"nameservers"` // those that answer otherwise included
	RealServers int `json:"real_servers"`
	Add         int `json:"add"`
	Change      int `json:"change"`
	Remove      int `json:"remove"`
}

// A Node is a node with its changes, in the order in which it makes them.
type Node struct {
	ID      string   `json:"id"`
	Action  Action   `json:"action"` // Modify: it was there and stays
	Changes []Change `json:"changes"`
}

// A Zone is a zone with what changes of its answers.
type Zone struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Action Action `json:"action"`
	// Nameservers are those that answer for it afterwards: every one of the file.
	Nameservers []string `json:"nameservers"`
	Changes     []Change `json:"changes"`
}

// A Change is one thing that becomes another.
type Change struct {
	Action Action `json:"action"`
	// Kind is what changes: service, destination, probe, address, sysctl,
	// tunnel, route, reply, mark, node, pair, track, tier, check, region, zone, ns,
	// record, domain or answer.
	Kind string `json:"kind"`
	// Object is whose it is, by its address in the file; "" where that is the
	// node itself.
	Object string `json:"object,omitempty"`
	Text   string `json:"text"` // the line an operator reads
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Empty reports whether nothing changes on any node.
func (p *Plan) Empty() bool {
	return len(p.Directors)+len(p.RealServers)+len(p.Nameservers)+len(p.Zones) == 0
}

// Make works out the plan from one topology to another. Directors are taken to
// have held the first since they started.
func Make(before, after *topology.Topology) *Plan {
	old, now := newSide(before), newSide(after)
	p := &Plan{FormatVersion: FormatVersion, Directors: []Node{}, RealServers: []Node{}, Nameservers: []Node{}, Zones: []Zone{}, Dangers: []Danger{}}
	steps := make(map[string]tiers.Plan, len(now.directors))
	both(before.Directors, after.Directors, func(d *topology.Director) string { return d.ID }, func(id string, _, _ *topology.Director) {
		node, plan := directorNode(id, old.directors[id], now.directors[id])
		if len(plan) > 0 {
			steps[id] = plan
		}
		if len(node.Changes) > 0 || node.Action != Modify {
			p.Directors = append(p.Directors, node)
		}
	})
	p.realServers(old, now)
	p.nameservers(before, after)
	p.zones(before, after)
	p.count(before, after)
	p.impact(old, now, steps)
	p.dangers(old, now, steps)
	return p
}

func (p *Plan) count(before, after *topology.Topology) {
	s := &p.Summary
	add := func(changes []Change) {
		for _, c := range changes {
			switch {
			case c.Kind == "probe": // follows from the destination
			case c.Action == Add:
				s.Add++
			case c.Action == Modify:
				s.Change++
			default:
				s.Remove++
			}
		}
	}
	for _, list := range [][]Node{p.Directors, p.RealServers, p.Nameservers} {
		for _, n := range list {
			add(n.Changes)
		}
	}
	for _, z := range p.Zones {
		add(z.Changes)
	}
	s.Directors, s.RealServers, s.Nameservers = len(p.Directors), len(p.RealServers), len(p.Nameservers)
	if len(p.Zones) > 0 { // every nameserver has every zone
		s.Nameservers = 0
		both(before.Nameservers, after.Nameservers, func(n *topology.Nameserver) string { return n.ID },
			func(string, *topology.Nameserver, *topology.Nameserver) { s.Nameservers++ })
	}
}

// both calls f for each object of the two lists: those of now in their order,
// then those that are no more. What is not in a list is nil.
func both[T any](old, now []*T, id func(*T) string, f func(id string, before, after *T)) {
	was := make(map[string]*T, len(old))
	for _, x := range old {
		was[id(x)] = x
	}
	for _, x := range now {
		f(id(x), was[id(x)], x)
		delete(was, id(x))
	}
	for _, x := range old {
		if _, left := was[id(x)]; left {
			f(id(x), x, nil)
		}
	}
}

// action is what becomes of something that was there, or is.
func action(was, is bool) Action {
	switch {
	case !was:
		return Add
	case !is:
		return Remove
	}
	return Modify
}
