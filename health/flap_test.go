package health

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/topology"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// after is a moment of a script: "90s" after the epoch.
func after(t *testing.T, s string) time.Time {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return epoch.Add(d)
}

func TestFlapsAreHeldDown(t *testing.T) {
	flap := topology.Flap{Count: 3, Window: time.Minute, Hold: 30 * time.Second, Max: 100 * time.Second}
	// At each moment a result, and the state it leads to.
	for name, c := range map[string]struct {
		flap   topology.Flap
		script string
	}{
		"the first two times cost nothing":              {flap, "0s+U 10s-D 20s+U 30s-D 31s+U"},
		"from the third on it is held down":             {flap, "0s+U 1s-D 2s+U 3s-D 4s+U 5s-D 6s+D 34s+D 35s+U"},
		"every further time twice as long":              {flap, "0s+U 1s-D 2s+U 3s-D 4s+U 5s-D 35s+U 36s-D 95s+D 96s+U"},
		"and never longer than the maximum":             {flap, "0s+U 1s-D 2s+U 3s-D 4s+U 5s-D 35s+U 36s-D 96s+U 97s-D 196s+D 197s+U 198s-D 297s+D 298s+U"},
		"a failure meanwhile does not make it longer":   {flap, "0s+U 1s-D 2s+U 3s-D 4s+U 5s-D 34s-D 35s+U"},
		"staying up for the window ends the row":        {flap, "0s+U 1s-D 2s+U 3s-D 4s+U 64s-D 65s+U 66s-D 67s+U 68s-D 69s+D"},
		"a first failure is none, it had not come up":   {flap, "0s-D 1s+U 2s-D 3s+U 4s-D 5s+U"},
		"with a count of 0 nothing is ever held":        {topology.Flap{}, "0s+U 1s-D 2s+U 3s-D 4s+U 5s-D 6s+U 7s-D 8s+U"},
		"with a count of 1 the first time is held down": {topology.Flap{Count: 1, Window: time.Minute, Hold: 10 * time.Second, Max: time.Minute}, "0s+U 1s-D 10s+D 11s+U"},
	} {
		t.Run(name, func(t *testing.T) {
			check := &topology.Check{Rise: 1, Fall: 1, Flap: c.flap}
			var s State
			for i, step := range strings.Fields(c.script) {
				n := len(step)
				s = s.Observe(check, after(t, step[:n-2]), step[n-2] == '+')
				if want := step[n-1] == 'U'; s.Up != want {
					t.Fatalf("step %d (%s): up %v, want %v: %+v", i+1, step, s.Up, want, s)
				}
			}
		})
	}
}

func TestHeldDownWantsOnlyTheLastSuccess(t *testing.T) {
	check := &topology.Check{Rise: 3, Fall: 1, Flap: topology.Flap{Count: 1, Window: time.Minute, Hold: 10 * time.Second, Max: time.Minute}}
	s := State{Known: true, Flaps: 1, Since: epoch}
	var got []int
	for i := range 12 {
		s = s.Observe(check, epoch.Add(time.Duration(i)*time.Second), true)
		got = append(got, s.Streak)
	}
	if diff := cmp.Diff([]int{1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0}, got); diff != "" || !s.Up {
		t.Errorf("up %v, streaks (-want +got)\n%s", s.Up, diff)
	}
}

func TestFactor(t *testing.T) {
	check := &topology.Check{SlowStart: 30 * time.Second}
	back := State{Known: true, Up: true, Recovered: true, Since: epoch}
	for name, c := range map[string]struct {
		state State
		at    string
		want  float64
	}{
		"a sixteenth at first":               {back, "0s", 1.0 / 16},
		"before the next step":               {back, "1999ms", 1.0 / 16},
		"two sixteenths":                     {back, "2s", 2.0 / 16},
		"half way":                           {back, "15s", 8.0 / 16},
		"the last step":                      {back, "29s", 15.0 / 16},
		"whole":                              {back, "30s", 1},
		"the clock was set back":             {back, "-10s", 1.0 / 16},
		"up since the first result":          {State{Known: true, Up: true, Since: epoch}, "0s", 1},
		"down is another matter":             {State{Known: true, Since: epoch}, "0s", 1},
		"nothing known":                      {State{}, "0s", 1},
		"saved while it grew: it goes on so": {State{Known: true, Up: true, Recovered: true, Since: epoch, Saved: true}, "15s", 0.5},
	} {
		if got := c.state.Factor(check, after(t, c.at)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if got := back.Factor(&topology.Check{}, epoch); got != 1 {
		t.Errorf("without slow start: %v", got)
	}
}

// NextStep leads through all values, and each is reached at that very moment.
func TestNextStep(t *testing.T) {
	for _, window := range []time.Duration{30 * time.Second, time.Second / 3, 7 * time.Nanosecond, time.Hour} {
		check := &topology.Check{SlowStart: window}
		s := State{Known: true, Up: true, Recovered: true, Since: epoch}
		now, steps := epoch, 0
		for s.Factor(check, now) < 1 {
			next := s.NextStep(check, now)
			before := s.Factor(check, next.Add(-1))
			if !next.After(now) || before != s.Factor(check, now) || s.Factor(check, next) <= before {
				t.Fatalf("%v: from %v to %v: %v, just before %v, then %v", window, now, next, s.Factor(check, now), before, s.Factor(check, next))
			}
			now = next
			steps++
		}
		if at := now.Sub(epoch); at != window || window > 15 && steps != 15 {
			t.Errorf("%v: whole after %v and %d steps", window, at, steps)
		}
		if !s.NextStep(check, now).IsZero() {
			t.Errorf("%v: another step when whole", window)
		}
	}
}

func ExampleState_HeldUntil() {
	check := &topology.Check{Flap: topology.Flap{Count: 3, Window: 5 * time.Minute, Hold: 30 * time.Second, Max: 10 * time.Minute}}
	for flaps := 1; flaps <= 9; flaps++ {
		s := State{Known: true, Flaps: flaps, Since: epoch}
		fmt.Print(" ", max(s.HeldUntil(check).Sub(epoch), 0))
	}
	// Output: 0s 0s 30s 1m0s 2m0s 4m0s 8m0s 10m0s 10m0s
}
