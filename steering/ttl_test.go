package steering

import (
	"testing"
	"time"

	"gslb/health"
	"gslb/topology"
)

// The TTL of an answer ends where the next result, or the end of holding down,
// could change it; and Moves says when it has to be worked out again.
func TestTTLFollowsResults(t *testing.T) {
	epoch := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	flap := topology.Flap{Count: 1, Window: time.Minute, Hold: 25 * time.Second, Max: time.Minute}
	up, down := health.State{Known: true, Up: true}, health.State{Known: true, Since: epoch, Flaps: 0}
	held := health.State{Known: true, Since: epoch, Flaps: 1}
	streak := func(s health.State, n int) health.State { s.Streak = n; return s }
	for name, c := range map[string]struct {
		was, is health.State
		after   time.Duration // from was to is
		want    uint32        // TTL then
		moves   bool
	}{
		"nothing happens":                                       {up, up, time.Minute, 15, false},
		"a failure is a step closer to falling":                 {up, streak(up, 1), 5 * time.Second, 10, true},
		"another, and one more takes it down":                   {streak(up, 1), streak(up, 2), 5 * time.Second, 5, true},
		"a success after failures takes it back":                {streak(up, 2), up, 5 * time.Second, 15, true},
		"it falls":                                              {streak(up, 2), down, 5 * time.Second, 10, true},
		"a success is a step closer to coming back":             {down, streak(down, 1), 5 * time.Second, 5, true},
		"held down it cannot come back before":                  {streak(up, 2), held, 0, 20, true},
		"held down, while more is left than the TTL":            {held, held, 5 * time.Second, 20, false},
		"held down, when less is left than the TTL":             {held, held, 12 * time.Second, 13, true},
		"held down, with successes":                             {held, streak(held, 1), 12 * time.Second, 13, true},
		"held down no longer than the results that it takes":    {held, held, 24 * time.Second, 10, true},
		"held down and all results but the last have come":      {held, streak(held, 1), 24 * time.Second, 5, true},
		"the clock is set back: no sooner than it is held down": {held, held, -time.Hour, 20, false},
	} {
		t.Run(name, func(t *testing.T) {
			topo, view := world([]topology.Step{healthOpen}, "a 1 192.0.2.1")
			d := topo.Domains[0]
			d.TTL, d.MinTTL = 20*time.Second, 2*time.Second
			check := d.Answers[0].Check
			check.Interval, check.Rise, check.Fall, check.Flap = 5*time.Second, 2, 3, flap
			target := target(d.Answers[0], d.Answers[0].Addrs[0])
			view[target] = c.is
			g, now := Prepare(topo, nil), epoch.Add(c.after)
			if _, ttl, _ := g.Compile(Inputs{View: view, Now: now}).Answer(nil, d, V4, host(d.Answers[0].Addrs[0]), 0); ttl != c.want {
				t.Errorf("TTL %d, want %d", ttl, c.want)
			}
			if got := g.Moves(target, check, c.was, epoch, c.is, now); got != c.moves {
				t.Errorf("moves %v, want %v", got, c.moves)
			}
			d.MinTTL = 0
			if Prepare(topo, nil).Moves(target, check, c.was, epoch, c.is, now) {
				t.Error("a TTL that is always the same moves")
			}
		})
	}
}
