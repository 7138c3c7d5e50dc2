package health

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"gslb/topology"
)

func TestStateObserve(t *testing.T) {
	// + a success, - a failure; after each the state it leads to.
	for name, c := range map[string]struct {
		rise, fall int
		script     string
	}{
		"the first result decides":                    {3, 3, "+U"},
		"a first failure decides too":                 {1, 3, "-D +U"},
		"fall failures take it down":                  {2, 3, "+U -U -U -D"},
		"a success between failures starts over":      {2, 3, "+U -U -U +U -U -U -D"},
		"rise successes bring it up":                  {2, 3, "-D +D +U"},
		"a failure between successes starts over":     {3, 1, "-D +D +D -D +D +D +U"},
		"rise and fall of one follow every result":    {1, 1, "+U -D +U -D"},
		"consecutive, not cumulative, failures count": {1, 2, "+U -U +U -U +U -U -D"},
	} {
		t.Run(name, func(t *testing.T) {
			check := &topology.Check{Rise: c.rise, Fall: c.fall}
			var s State
			for i, step := range strings.Fields(c.script) {
				s = s.Observe(check, time.Time{}, step[0] == '+')
				if want := step[1] == 'U'; s.Up != want {
					t.Fatalf("step %d (%s): up %v, want %v", i+1, step, s.Up, want)
				}
			}
		})
	}
}

func TestViewIsNeverChanged(t *testing.T) {
	check := &topology.Check{Rise: 1, Fall: 1}
	target := Target{Addr: netip.MustParseAddrPort("192.0.2.1:80")}
	before := View{}.Observe(target, check, time.Time{}, true)
	after := before.Observe(target, check, time.Time{}, false)
	if !before.Up(target) || after.Up(target) {
		t.Errorf("before %v, after %v; want up, then down", before, after)
	}
	if kept := after.Keep(func(Target) bool { return false }); len(kept) != 0 {
		t.Errorf("Keep kept %v", kept)
	}
	if (View)(nil).Up(target) {
		t.Error("a target nobody has looked at is up")
	}
}
