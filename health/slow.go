package health

import (
	"time"

	"gslb/topology"
)

// slowSteps is how many values a growing weight has: few enough that tables are
// worked out seldom, and all nodes agree on the value most of the time.
const slowSteps = 16

// Factor is the part of its weight, 0 to 1, that a target has at time now
// under check c. It is 1 but for SlowStart after it has come up again, when it
// grows evenly in steps of 1/16 from 1/16 on:
//
//	(1 + floor(15 x (now - since) / SlowStart)) / 16
//
// and what an agent makes of that: times the percentage that it wants, and 0
// where it is drained. 0 means that it gets nobody new, however small the
// weight is otherwise; a smaller part of a weight is never to be made 0.
//
// What is up at its first result starts with all its weight: that it was down
// before is not known. Whether a target is up is another matter.
func (s State) Factor(c *topology.Check, now time.Time) float64 {
	if s.Agent.Mode == Drained {
		return 0
	}
	return float64(s.steps(c, now)) / slowSteps * float64(100-s.Agent.Less) / 100
}

func (s State) steps(c *topology.Check, now time.Time) int64 {
	if !s.Up || !s.Recovered || c.SlowStart == 0 {
		return slowSteps
	}
	past := max(now.Sub(s.Since), 0)
	if past >= c.SlowStart {
		return slowSteps
	}
	return 1 + int64(past)*(slowSteps-1)/int64(c.SlowStart)
}

// NextStep is when [State.Factor] grows next after now, the zero time when it
// does not.
func (s State) NextStep(c *topology.Check, now time.Time) time.Time {
	n := s.steps(c, now)
	if n == slowSteps {
		return time.Time{}
	}
	// The first moment at which the division above gives one more.
	return s.Since.Add((time.Duration(n)*c.SlowStart + slowSteps - 2) / (slowSteps - 1))
}

// Factor is that of t's state.
func (v View) Factor(t Target, c *topology.Check, now time.Time) float64 { return v[t].Factor(c, now) }
