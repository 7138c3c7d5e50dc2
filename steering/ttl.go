package steering

import (
	"slices"
	"time"

	"gslb/health"
	"gslb/topology"
)

// next is how long a target's state lasts at least: as many results as must
// contradict it, an interval each, and as long as it is held down. An agent
// needs to say it once.
func next(s health.State, c *topology.Check, now time.Time) time.Duration {
	results := 1
	switch {
	case c.Type == topology.CheckAgent:
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

// bounds are those of the TTL of answers that a target decides about, in seconds.
type bounds struct{ min, max uint32 }

// bound notes which targets decide about the TTL of a prospect's answers.
func (g *Ground) bound(p *prospect) {
	if p.minTTL == p.maxTTL || !p.checked {
		return
	}
	b := bounds{p.minTTL, p.maxTTL}
	for _, probes := range p.probes {
		for _, one := range probes {
			if one.check != nil && !slices.Contains(g.bounds[one.target], b) {
				g.bounds[one.target] = append(g.bounds[one.target], b)
			}
		}
	}
}

// Moves reports whether the TTL of an answer could be another with a target,
// under check c, in state is at time now than in state was at time then.
func (g *Ground) Moves(t health.Target, c *topology.Check, was health.State, then time.Time, is health.State, now time.Time) bool {
	return slices.ContainsFunc(g.bounds[t], func(b bounds) bool {
		return b.clamp(seconds(next(was, c, then))) != b.clamp(seconds(next(is, c, now)))
	})
}

func (b bounds) clamp(ttl uint32) uint32 { return max(min(ttl, b.max), b.min) }

// seconds is a duration in whole seconds, rounded down.
func seconds(d time.Duration) uint32 { return uint32(max(d, 0) / time.Second) }
