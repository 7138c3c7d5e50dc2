package steering

import (
	"gslb/health"
	"gslb/topology"
)

// A Trace is what a policy did on the way to an answer.
type Trace struct {
	// Places are the answers that have an address of the family, with all
	// their addresses of it: what comes to the first stage.
	Places []Place
	// Stages in the order in which they act: first the steps whose outcome is
	// the same for every query, then those that differ. Within each kind the
	// order is the policy's.
	Stages []Stage
}

// A Stage is a step at work.
type Stage struct {
	Index  int     // of the step in its policy
	Came   []Place // before it
	Left   []Place // after it, with the addresses that are left
	Idle   bool    // it turns nothing: a step before it does, or the weights do
	Varies bool    // what is left differs from query to query
}

// Explain returns what [Compile] and [Table.Pick] do for the query with number
// u, step by step, and the places that it gets: those that Pick returns.
func Explain(d *topology.Domain, f Family, view health.View, u uint64) (Trace, []Place) {
	var t Trace
	c := compile(d, f, view, &t)
	return t, c.pick(nil, u, &t)
}

// Targets are what decides whether answer a is up: one target for each of its
// addresses of family f, in their order; none for an answer without a check.
func Targets(a *topology.Answer, f Family) []health.Target {
	var list []health.Target
	for _, addr := range a.Addrs {
		if a.Check != nil && addr.Is4() == (f == V4) {
			list = append(list, target(a, addr))
		}
	}
	return list
}
