package health

import (
	"time"

	"gslb/topology"
)

// HeldUntil is when successes may bring a target up again, the zero time when
// they may at once. What goes down within Window after it had come up has
// flapped once more; from the flap with number Count on it stays down for
//
//	min(Hold x 2^(flaps - Count), Max)
//
// at least. Going down later than that after coming up is a first time again.
func (s State) HeldUntil(c *topology.Check) time.Time {
	f := c.Flap
	if !s.Known || s.Up || f.Count == 0 || s.Flaps < f.Count {
		return time.Time{}
	}
	hold := f.Hold
	for n := f.Count; n < s.Flaps && hold < f.Max; n++ {
		hold *= 2
	}
	return s.Since.Add(min(hold, f.Max))
}
