// Package health decides who is up: it turns the results of checks into
// states, with consecutive rise and fall, and keeps them in a [View]; holds
// down what comes and goes, lets what has come back begin slowly, and knows
// what an operator has said against it all ([Overrides]). It is arithmetic on
// values, the time is an argument; package probe makes the results.
package health

import (
	"maps"
	"net/netip"
	"time"

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
	// Since is when Up became what it is; of a first result, when it came.
	Since time.Time
	// Recovered says that it is up and was down before.
	Recovered bool
	// Flaps is how often in a row it has gone down soon after it had come up,
	// with the first time; see [State.HeldUntil].
	Flaps int
	// Saved says that the state is of an earlier run and has had no result in this one.
	Saved bool
	// Agent is what an agent has said, where the check asks one. Of a state that
	// is Up it takes a part of the weight or all of it ([State.Factor]).
	Agent Agent
}

// Observe returns the state after one more result, at time now, under check c.
// The first result decides at once; later c.Rise consecutive successes bring it
// up and c.Fall consecutive failures take it down. While it is held down one
// success more is wanted all the time.
func (s State) Observe(c *topology.Check, now time.Time, ok bool) State {
	return s.next(c, now, ok, false)
}

// next is [State.Observe] of a result that says by itself whether it is up, or
// has to be told so often.
func (s State) next(c *topology.Check, now time.Time, ok, told bool) State {
	ok = ok && s.Agent.alive()
	if !s.Known {
		return State{Known: true, Up: ok, Since: now, Agent: s.Agent}
	}
	s.Saved = false
	if ok == s.Up {
		s.Streak = 0
		return s
	}
	need := c.Rise
	if s.Up {
		need = c.Fall
	}
	if told {
		need = s.Streak + 1
	}
	switch {
	case s.Streak+1 < need:
		s.Streak++
		return s
	case ok && now.Before(s.HeldUntil(c)):
		s.Streak = max(c.Rise-1, 0)
		return s
	case ok:
		return State{Known: true, Up: true, Since: now, Recovered: true, Flaps: s.Flaps, Agent: s.Agent}
	}
	flaps := 1
	switch {
	case s.Agent.Mode == Disabled:
		flaps = 0
	case s.Recovered && now.Sub(s.Since) < c.Flap.Window:
		flaps = s.Flaps + 1
	}
	return State{Known: true, Since: now, Flaps: flaps, Agent: s.Agent}
}

// A View is who is in which state. It is never changed once handed out.
type View map[Target]State

// Up reports whether t is known to be up. A target without a result is not.
func (v View) Up(t Target) bool { return v[t].Up }

// Observe returns the view after one result of t, at time now, under check c: v
// itself when the result changes nothing, as nearly all do, else a changed copy.
func (v View) Observe(t Target, c *topology.Check, now time.Time, ok bool) View {
	return v.With(t, v[t].Observe(c, now, ok))
}

// With returns the view with the state of t: v itself when that is what it has,
// else a changed copy.
func (v View) With(t Target, s State) View {
	if s == v[t] {
		return v
	}
	next := maps.Clone(v)
	if next == nil {
		next = View{}
	}
	next[t] = s
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

// A Book is where the one owner of a view keeps it: of results that change
// states, as many come together when a network breaks, only the first after the
// view has been handed out costs a copy. The zero value is empty.
type Book struct {
	view View
	lent bool // somebody else has the view
}

// NewBook returns a book with what is in v.
func NewBook(v View) Book { return Book{view: v, lent: true} }

// Of is the state of t.
func (b *Book) Of(t Target) State { return b.view[t] }

// View is what the book has now. It stays as it is.
func (b *Book) View() View {
	b.lent = true
	return b.view
}

// Set notes the state of t.
func (b *Book) Set(t Target, s State) {
	if b.view[t] == s {
		return
	}
	if b.lent || b.view == nil {
		b.view, b.lent = maps.Clone(b.view), false
		if b.view == nil {
			b.view = View{}
		}
	}
	b.view[t] = s
}

// Keep forgets the targets that keep refuses.
func (b *Book) Keep(keep func(Target) bool) { b.view, b.lent = b.view.Keep(keep), false }
