package steering

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/topology"
)

func TestExplain(t *testing.T) {
	for name, c := range map[string]struct {
		steps   []topology.Step
		answers []string
		want    string
	}{
		"every step says what came and what is left": {
			[]topology.Step{healthOpen, weight, rotation, limit(1)},
			[]string{"a 1 192.0.2.1", "b 1 -192.0.2.2", "c 0 192.0.2.3", "d 1 192.0.2.4", "six 1 2001:db8::1"},
			"a b c d; health a c d; weight a d; rotate a d idle; limit a varies"},
		"a limit before any turn is the same for every query": {
			[]topology.Step{limit(1), rotation}, []string{"a 1 192.0.2.1", "b 1 192.0.2.2"}, "a b; limit a; rotate a"},
		"what is the same for every query acts first": {
			[]topology.Step{rotation, limit(1), healthClosed}, []string{"a 1 -192.0.2.1", "b 1 192.0.2.2"},
			"a b; rotate a b; health b; limit b varies"},
		"a second draw is none": {
			[]topology.Step{weight, weight}, []string{"a 1 192.0.2.1"}, "a; weight a; weight a idle"},
		"failing open leaves everything": {
			[]topology.Step{healthOpen}, []string{"a 1 -192.0.2.1", "b 1 -192.0.2.2"}, "a b; health a b"},
		"a policy without steps": {nil, []string{"a 1 192.0.2.1"}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			topo, view := world(c.steps, c.answers...)
			trace, _ := Explain(Prepare(topo, nil), Inputs{View: view}, topo.Domains[0], V4, netip.Prefix{}, 0)
			names := func(places []Place) string {
				var words []string
				for _, p := range places {
					words = append(words, p.Answer.Label)
				}
				return strings.Join(words, " ")
			}
			got := names(trace.Places)
			for _, s := range trace.Stages {
				got += fmt.Sprintf("; %s %s", c.steps[s.Index].Kind, names(s.Left))
				if s.Idle {
					got += " idle"
				}
				if s.Varies {
					got += " varies"
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Whatever the policy: each stage gets what the one before has left, the last
// leaves what is answered, but for the order, and that is what Pick answers.
func TestExplainIsPick(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	steps := []topology.Step{healthOpen, healthClosed, weight, sticky, rotation, limit(1), limit(2), limit(9)}
	for range 2000 {
		var chosen []topology.Step
		for range random.IntN(6) {
			chosen = append(chosen, steps[random.IntN(len(steps))])
		}
		var answers []string
		for i := range random.IntN(6) {
			answers = append(answers, fmt.Sprintf("a%d %d %s192.0.2.%d", i, []int{0, 1, 100}[random.IntN(3)], []string{"", "-"}[random.IntN(2)], i+1))
		}
		topo, view := world(chosen, answers...)
		d, u := topo.Domains[0], random.Uint64()
		trace, got := Explain(Prepare(topo, nil), Inputs{View: view}, d, V4, netip.Prefix{}, u)
		if diff := cmp.Diff(labels(Compile(topo, Inputs{View: view}).Pick(nil, d, V4, u)), labels(got)); diff != "" {
			t.Fatalf("%v of %v: (-pick +explain)\n%s", chosen, answers, diff)
		}
		if len(trace.Stages) != len(chosen) {
			t.Fatalf("%v: %d stages", chosen, len(trace.Stages))
		}
		have := trace.Places
		for _, s := range trace.Stages {
			if set(s.Came) != set(have) {
				t.Fatalf("%v of %v: step %d got %s after %s", chosen, answers, s.Index, set(s.Came), set(have))
			}
			have = s.Left
		}
		if set(have) != set(got) {
			t.Fatalf("%v of %v: %s is left and %s answered", chosen, answers, set(have), set(got))
		}
	}
}

// set is the bits of the addresses of places that lie below 192.0.2.64.
func set(places []Place) string {
	var bits uint64
	for _, p := range places {
		for _, a := range p.Addrs {
			bits |= 1 << a.As4()[3]
		}
	}
	return fmt.Sprintf("%b", bits)
}

func TestPickAllocatesNothing(t *testing.T) {
	topo, view := world([]topology.Step{healthOpen, weight, rotation, limit(1)}, "a 1 192.0.2.1", "b 2 192.0.2.2", "c 1 192.0.2.3")
	table := Compile(topo, Inputs{View: view})
	buf := make([]Place, 0, 8)
	u := uint64(0)
	if n := testing.AllocsPerRun(1000, func() {
		table.Pick(buf, topo.Domains[0], V4, u)
		u += Golden
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPick(b *testing.B) {
	topo, view := world([]topology.Step{healthOpen, weight, rotation, limit(1)}, "a 1 192.0.2.1", "b 2 192.0.2.2", "c 1 192.0.2.3")
	table := Compile(topo, Inputs{View: view})
	buf := make([]Place, 0, 8)
	u := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		table.Pick(buf, topo.Domains[0], V4, u)
		u += Golden
	}
}
