package steering

import (
	"time"

	"gslb/health"
	"gslb/topology"
)

// next is how long a target's state lasts at least: as many results as must
// contradict it, an interval each, and as long as it is held down.
func next(s health.State, c *topology.Check, now time.Time) time.Duration {
	results := 1
	switch {
	case s.Known && s.Up:
		results = max(c.Fall-s.Streak, 1)
	case s.Known:
		results = max(c.Rise-s.Streak, 1)
	}
	last := time.Duration(results) * c.Interval
	if held := s.HeldUntil(c); !now.IsZero() && !held.IsZero() {
		last = max(last, held.Sub(now))
	}
	return last
}

// ttl is how long an answer with these places may be kept: until one of them
// could go down, or one that is down could come back.
func (p *prospect) ttl(places []Place, in *Inputs) uint32 {
	if p.minTTL == p.maxTTL || !p.checked {
		return p.maxTTL
	}
	given := make([]bool, len(p.places))
	for _, x := range places {
		given[x.at] = true
	}
	ttl := p.maxTTL
	for i, probes := range p.probes {
		for _, one := range probes {
			if one.check == nil {
				continue
			}
			if s := in.View[one.target]; given[i] || !s.Up {
				ttl = min(ttl, seconds(next(s, one.check, in.Now)))
			}
		}
	}
	return max(ttl, p.minTTL)
}

// seconds is a duration in whole seconds, rounded down.
func seconds(d time.Duration) uint32 { return uint32(max(d, 0) / time.Second) }
