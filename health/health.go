// Package health decides who is up: it turns the results of checks into
// states, with consecutive rise and fall, and keeps them in a [View]. It is
// arithmetic on values; package probe makes the results.
package health

import (
	"maps"
	"net/netip"

	"gslb/topology"
)

// A Target is one thing that is checked. Services that check the same thing in
// the same way share one target, so it is probed once.
type Target struct {
	Check string         // ID of the check, "" for the default check
	Addr  netip.AddrPort // what is connected to
	// Via is the destination the probe must arrive at when Addr is a VIP that
	// several destinations have; the zero Addr when Addr is the destination itself.
	Via netip.Addr
}

// A State is what is known of a target. The zero value: nothing yet.
type State struct {
	Known  bool // there was a result
	Up     bool
	Streak int // consecutive results that contradict Up
}

// Observe returns the state after one more result under check c. The first
// result decides at once; later c.Rise consecutive successes bring it up and
// c.Fall consecutive failures take it down.
func (s State) Observe(c *topology.Check, ok bool) State {
	if !s.Known {
		return State{Known: true, Up: ok}
	}
	if ok == s.Up {
		return State{Known: true, Up: s.Up}
	}
	need := c.Rise
	if s.Up {
		need = c.Fall
	}
	if s.Streak+1 >= need {
		return State{Known: true, Up: ok}
	}
	return State{Known: true, Up: s.Up, Streak: s.Streak + 1}
}

// A View is who is in which state. It is never changed once handed out.
type View map[Target]State

// Up reports whether t is known to be up. A target without a result is not.
func (v View) Up(t Target) bool { return v[t].Up }

// Observe returns the view after one result of t under check c: v itself when
// the result changes nothing, as nearly all do, else a changed copy.
func (v View) Observe(t Target, c *topology.Check, ok bool) View {
	state := v[t].Observe(c, ok)
	if state == v[t] {
		return v
	}
	next := maps.Clone(v)
	if next == nil {
		next = View{}
	}
	next[t] = state
	return next
}

// Keep returns the view without the targets that keep refuses.
func (v View) Keep(keep func(Target) bool) View {
	next := View{}
	for t, s := range v {
		if keep(t) {
			next[t] = s
		}
	}
	return next
}
