package steering

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/health"
	"gslb/topology"
)

// The object that is named for an answer's mode is one that an operator has
// spoken of, and strict enough.
func TestCause(t *testing.T) {
	a, b := &topology.Director{ID: "director.a"}, &topology.Director{ID: "director.b"}
	region := &topology.Region{ID: "region.eu"}
	service := &topology.Service{ID: "virtual_service.www", Region: region, Tiers: []*topology.Tier{{Directors: []*topology.Director{a, b}}}}
	answer := &topology.Answer{ID: "domain.www.answer.eu", Region: region, Service: service}
	topo := &topology.Topology{Services: []*topology.Service{service}}
	const off, drain = health.Disabled, health.Drained
	for name, c := range map[string]struct {
		said map[string]health.Mode
		want string
	}{
		"nothing was said":                         {nil, "enabled "},
		"of the answer itself":                     {map[string]health.Mode{"domain.www.answer.eu": drain, "region.eu": drain}, "drained domain.www.answer.eu"},
		"the stricter word, which is the region's": {map[string]health.Mode{"domain.www.answer.eu": drain, "region.eu": off}, "disabled region.eu"},
		"of one director of two":                   {map[string]health.Mode{"director.a": off}, "enabled "},
		"of both directors":                        {map[string]health.Mode{"director.a": off, "director.b": drain}, "drained director.a"},
		"of something else":                        {map[string]health.Mode{"region.us": off}, "enabled "},
	} {
		t.Run(name, func(t *testing.T) {
			var said health.Overrides
			for object, mode := range c.said {
				var err error
				if said, err = said.With(health.Override{Object: object, Mode: mode, Since: time.Unix(1, 0)}); err != nil {
					t.Fatal(err)
				}
			}
			mode := Mode(said.Spread(topo), answer)
			got := mode.String() + " "
			if mode != health.Enabled {
				got += Cause(said, answer, mode).Object
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// A trace says whom operators leave and what they weigh.
func TestExplainSaysWhoIsAdmitted(t *testing.T) {
	epoch := time.Unix(1_000_000, 0)
	topo, view := world([]topology.Step{healthOpen, weight}, "a 3 192.0.2.1", "b 1 192.0.2.2", "c 1 192.0.2.3")
	for _, a := range topo.Domains[0].Answers {
		a.ID = "answer." + a.Label
	}
	slow := topo.Domains[0].Answers[0]
	check := *slow.Check
	check.SlowStart = 15 * time.Second
	slow.Check = &check
	for _, target := range Targets(slow, V4) {
		view[target] = health.State{Known: true, Up: true, Recovered: true, Since: epoch}
	}
	for name, c := range map[string]struct {
		in   Inputs
		want string
	}{
		"all":                    {Inputs{View: view}, "a 3, b 1, c 1 of 1"},
		"one is disabled":        {Inputs{View: view, Overrides: health.Overrides{{Object: "answer.b", Mode: health.Disabled}}}, "a 3, c 1 of 1"},
		"one may come back":      {Inputs{View: view, Overrides: health.Overrides{{Object: "answer.b", Mode: health.Drained}}}, "a 3, b 1, c 1 of 1"},
		"one has just come back": {Inputs{View: view, Now: epoch.Add(time.Second)}, "a 6, b 16, c 16 of 16"},
	} {
		t.Run(name, func(t *testing.T) {
			trace, _ := Explain(Prepare(topo, nil), c.in, topo.Domains[0], V4, netip.Prefix{}, 0)
			var words []string
			for _, p := range trace.Admitted {
				words = append(words, fmt.Sprintf("%s %d", p.Answer.Label, p.Weight))
			}
			if diff := cmp.Diff(c.want, fmt.Sprintf("%s of %d", strings.Join(words, ", "), trace.Scale)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
