package steering

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/health"
	"gslb/topology"
)

var (
	healthOpen   = topology.Step{Kind: topology.StepHealth, FailOpen: true}
	healthClosed = topology.Step{Kind: topology.StepHealth}
	weight       = topology.Step{Kind: topology.StepWeight}
	rotation     = topology.Step{Kind: topology.StepRotate}
)

func limit(n int) topology.Step { return topology.Step{Kind: topology.StepLimit, Answers: n} }

// world makes a topology of one domain from lines "label weight addresses...";
// an address that begins with "-" is down, and every answer is checked unless
// its label begins with "!".
func world(steps []topology.Step, answers ...string) (*topology.Topology, health.View) {
	check := &topology.Check{ID: "check.web", Interval: time.Second, Timeout: time.Second / 2, Rise: 1, Fall: 1}
	d := &topology.Domain{ID: "domain.www", Name: "www.example.org.", Policy: &topology.Policy{Steps: steps}}
	view := health.View{}
	for _, line := range answers {
		words := strings.Fields(line)
		weight, _ := strconv.Atoi(words[1])
		a := &topology.Answer{ID: "answer." + words[0], Label: words[0], Weight: weight, Check: check, Port: 80}
		if strings.HasPrefix(words[0], "!") {
			a.Check = nil
		}
		for _, word := range words[2:] {
			bare, down := strings.CutPrefix(word, "-")
			addr := netip.MustParseAddr(bare)
			a.Addrs = append(a.Addrs, addr)
			if a.Check != nil {
				view = view.Observe(target(a, addr), check, time.Time{}, !down)
			}
		}
		d.Answers = append(d.Answers, a)
	}
	return &topology.Topology{Domains: []*topology.Domain{d}}, view
}

// labels are the places as "a=192.0.2.1,192.0.2.2 b=...".
func labels(places []Place) string {
	var words []string
	for _, p := range places {
		words = append(words, p.Answer.Label+"="+topology.Addrs(p.Addrs).String())
	}
	return strings.ReplaceAll(strings.Join(words, " "), ", ", ",")
}

func TestWhatIsTheSameForEveryQuery(t *testing.T) {
	for name, c := range map[string]struct {
		steps   []topology.Step
		answers []string
		want4   string
		want6   string
	}{
		"without steps every answer is a place": {
			nil, []string{"a 1 192.0.2.1", "b 1 -192.0.2.2"}, "a=192.0.2.1 b=192.0.2.2", ""},
		"what is down is left out": {
			[]topology.Step{healthOpen}, []string{"a 1 192.0.2.1", "b 1 -192.0.2.2"}, "a=192.0.2.1", ""},
		"all down and fail-open is all": {
			[]topology.Step{healthOpen}, []string{"a 1 -192.0.2.1", "b 1 -192.0.2.2"}, "a=192.0.2.1 b=192.0.2.2", ""},
		"all down and fail-closed is none": {
			[]topology.Step{healthClosed}, []string{"a 1 -192.0.2.1", "b 1 -192.0.2.2"}, "", ""},
		"an answer without a check is up": {
			[]topology.Step{healthClosed}, []string{"!a 1 192.0.2.1", "b 1 -192.0.2.2"}, "!a=192.0.2.1", ""},
		"an answer is up for each family by itself": {
			[]topology.Step{healthOpen}, []string{"a 1 192.0.2.1 -2001:db8::1", "b 1 -192.0.2.2 2001:db8::2"},
			"a=192.0.2.1", "b=2001:db8::2"},
		"an answer without an address of the family is no place for it": {
			[]topology.Step{healthOpen, weight}, []string{"a 5 192.0.2.1", "b 0 2001:db8::2"},
			"a=192.0.2.1", "b=2001:db8::2"},
		"a place with two addresses answers with those that are up": {
			[]topology.Step{healthOpen}, []string{"a 1 192.0.2.1 -192.0.2.11", "b 1 -192.0.2.2"}, "a=192.0.2.1", ""},
		"a place that fails open answers with all its addresses": {
			[]topology.Step{healthOpen}, []string{"a 1 -192.0.2.1 -192.0.2.11"}, "a=192.0.2.1,192.0.2.11", ""},
		"weight 0 is left out while another weighs more": {
			[]topology.Step{healthOpen, weight}, []string{"a 0 192.0.2.1", "b 1 192.0.2.2"}, "b=192.0.2.2", ""},
		"weight 0 steps in when nothing else is up": {
			[]topology.Step{healthOpen, weight}, []string{"a 0 192.0.2.1", "b 1 -192.0.2.2"}, "a=192.0.2.1", ""},
		"weight 0 everywhere counts as equal": {
			[]topology.Step{healthOpen, weight}, []string{"a 0 192.0.2.1", "b 0 192.0.2.2"}, "a=192.0.2.1 b=192.0.2.2", ""},
		"all down and fail-open still leaves weight 0 out": {
			[]topology.Step{healthOpen, weight}, []string{"a 0 -192.0.2.1", "b 1 -192.0.2.2"}, "b=192.0.2.2", ""},
		"weights count only where the policy says so": {
			[]topology.Step{healthOpen}, []string{"a 0 192.0.2.1", "b 1 192.0.2.2"}, "a=192.0.2.1 b=192.0.2.2", ""},
		"a limit before any rotation keeps the first": {
			[]topology.Step{healthOpen, limit(1)}, []string{"a 1 -192.0.2.1", "b 1 192.0.2.2", "c 1 192.0.2.3"}, "b=192.0.2.2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			topo, view := world(c.steps, c.answers...)
			table := Compile(topo, Inputs{View: view})
			got := [2]string{labels(table.domains[topo.Domains[0]].choices[V4].outcomes[0].places), labels(table.domains[topo.Domains[0]].choices[V6].outcomes[0].places)}
			if diff := cmp.Diff([2]string{c.want4, c.want6}, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestUnknownTargetIsNotUp(t *testing.T) {
	topo, _ := world([]topology.Step{healthClosed}, "a 1 192.0.2.1")
	if got := Compile(topo, Inputs{}).Pick(nil, topo.Domains[0], V4, 0); len(got) != 0 {
		t.Errorf("answered %s before anybody looked", labels(got))
	}
}

func TestPickOfADomainTheTableHasNot(t *testing.T) {
	topo, view := world(nil, "a 1 192.0.2.1")
	if got := Compile(topo, Inputs{View: view}).Pick(nil, &topology.Domain{}, V4, 0); len(got) != 0 {
		t.Errorf("answered %s", labels(got))
	}
}

// In every row the first place of n consecutive answers is counted.
func TestShares(t *testing.T) {
	standard := []topology.Step{healthOpen, weight, rotation, limit(1)}
	for name, c := range map[string]struct {
		steps   []topology.Step
		answers []string
		n       int
		want    map[string]int
		off     int
	}{
		"two places share 20 answers evenly":               {standard, []string{"a 1 192.0.2.1", "b 1 192.0.2.2"}, 20, map[string]int{"a": 10, "b": 10}, 1},
		"three places share 30 answers evenly":             {standard, []string{"a 7 192.0.2.1", "b 7 192.0.2.2", "c 7 192.0.2.3"}, 30, map[string]int{"a": 10, "b": 10, "c": 10}, 2},
		"weights of 3 to 1 divide 100 answers":             {standard, []string{"a 3 192.0.2.1", "b 1 192.0.2.2"}, 100, map[string]int{"a": 75, "b": 25}, 2},
		"weights as large as they may be":                  {standard, []string{"a 65535 192.0.2.1", "b 65535 192.0.2.2"}, 20, map[string]int{"a": 10, "b": 10}, 1},
		"the dead one's share goes to the others":          {standard, []string{"a 1 192.0.2.1", "b 1 -192.0.2.2", "c 1 192.0.2.3"}, 20, map[string]int{"a": 10, "c": 10}, 1},
		"one place gets everything":                        {standard, []string{"a 1 192.0.2.1"}, 20, map[string]int{"a": 20}, 0},
		"rotation alone ignores weights":                   {[]topology.Step{rotation, limit(1)}, []string{"a 9 192.0.2.1", "b 1 192.0.2.2"}, 20, map[string]int{"a": 10, "b": 10}, 1},
		"weights without rotation divide the same":         {[]topology.Step{weight, limit(1)}, []string{"a 3 192.0.2.1", "b 1 192.0.2.2"}, 100, map[string]int{"a": 75, "b": 25}, 2},
		"rotation before weights does not undo them":       {[]topology.Step{rotation, weight, limit(1)}, []string{"a 3 192.0.2.1", "b 1 192.0.2.2"}, 100, map[string]int{"a": 75, "b": 25}, 2},
		"weights twice are weights once":                   {[]topology.Step{weight, weight, limit(1)}, []string{"a 3 192.0.2.1", "b 1 192.0.2.2"}, 100, map[string]int{"a": 75, "b": 25}, 2},
		"without rotation the first place is always first": {[]topology.Step{healthOpen}, []string{"a 1 192.0.2.1", "b 1 192.0.2.2"}, 20, map[string]int{"a": 20}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			topo, view := world(c.steps, c.answers...)
			table := Compile(topo, Inputs{View: view})
			for _, u := range []uint64{0, 1, 1 << 63, 0xdeadbeefcafef00d, ^uint64(0)} {
				got := map[string]int{}
				for range c.n {
					places := table.Pick(nil, topo.Domains[0], V4, u)
					got[places[0].Answer.Label]++
					u += Golden
				}
				for label := range got {
					if d := got[label] - c.want[label]; d < -c.off || d > c.off {
						t.Errorf("from %#x: %v, want %v give or take %d", u, got, c.want, c.off)
						break
					}
				}
			}
		})
	}
}

func TestRotationKeepsTheRing(t *testing.T) {
	topo, view := world([]topology.Step{rotation}, "a 1 192.0.2.1", "b 1 192.0.2.2", "c 1 192.0.2.3")
	table := Compile(topo, Inputs{View: view})
	seen := map[string]bool{}
	u := uint64(0)
	for range 30 {
		var order string
		for _, p := range table.Pick(nil, topo.Domains[0], V4, u) {
			order += p.Answer.Label
		}
		seen[order] = true
		u += Golden
	}
	if diff := cmp.Diff(map[string]bool{"abc": true, "bca": true, "cab": true}, seen); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// With two of three answered, the pairs follow from drawing without putting
// back: P(ab) = 1/2 * 1/2 for weights 2, 1, 1, and so on.
func TestFurtherPlacesAreDrawnInProportion(t *testing.T) {
	topo, view := world([]topology.Step{weight, limit(2)}, "a 2 192.0.2.1", "b 1 192.0.2.2", "c 1 192.0.2.3")
	table := Compile(topo, Inputs{View: view})
	got := map[string]int{}
	u := uint64(1)
	const n = 12000
	for range n {
		places := table.Pick(nil, topo.Domains[0], V4, u)
		if len(places) != 2 || places[0].Answer == places[1].Answer {
			t.Fatalf("answered %s, want two different places", labels(places))
		}
		got[places[0].Answer.Label+places[1].Answer.Label]++
		u += Golden
	}
	for pair, share := range map[string]float64{"ab": 1. / 4, "ac": 1. / 4, "ba": 1. / 6, "ca": 1. / 6, "bc": 1. / 12, "cb": 1. / 12} {
		if have := float64(got[pair]) / n; have < share-0.01 || have > share+0.01 {
			t.Errorf("%s: share %.3f, want %.3f", pair, have, share)
		}
	}
}

func TestPickChangesNeitherTableNorBuffer(t *testing.T) {
	topo, view := world([]topology.Step{rotation}, "a 1 192.0.2.1", "b 1 192.0.2.2")
	table := Compile(topo, Inputs{View: view})
	before := labels(table.domains[topo.Domains[0]].choices[V4].outcomes[0].places)
	buf := []Place{{Weight: 42}}
	got := table.Pick(buf, topo.Domains[0], V4, ^uint64(0))
	if got[0].Weight != 42 || labels(got[1:]) != "b=192.0.2.2 a=192.0.2.1" {
		t.Errorf("got %v", got)
	}
	if diff := cmp.Diff(before, labels(table.domains[topo.Domains[0]].choices[V4].outcomes[0].places)); diff != "" {
		t.Errorf("the table changed (-before +after)\n%s", diff)
	}
}

// Whatever the steps, weights and states: what is picked are different places
// of the domain, and never more than the limit.
func TestPickIsAlwaysASelection(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	steps := []topology.Step{healthOpen, healthClosed, weight, sticky, rotation, limit(1), limit(2), limit(9)}
	for range 2000 {
		var chosen []topology.Step
		most := 9
		for range random.IntN(6) {
			s := steps[random.IntN(len(steps))]
			chosen = append(chosen, s)
			if s.Kind == topology.StepLimit {
				most = min(most, s.Answers)
			}
		}
		var answers []string
		for i := range random.IntN(6) {
			answers = append(answers, fmt.Sprintf("a%d %d %s192.0.2.%d", i, []int{0, 1, 100, 65535}[random.IntN(4)], []string{"", "-"}[random.IntN(2)], i+1))
		}
		topo, view := world(chosen, answers...)
		d := topo.Domains[0]
		for range 4 {
			got := Compile(topo, Inputs{View: view}).Pick(nil, d, V4, random.Uint64())
			seen := map[*topology.Answer]bool{}
			for _, p := range got {
				if seen[p.Answer] || !slices.Contains(d.Answers, p.Answer) {
					t.Fatalf("%v of %v: %s", chosen, answers, labels(got))
				}
				seen[p.Answer] = true
			}
			if len(got) > most {
				t.Fatalf("%v of %v: %s is more than %d", chosen, answers, labels(got), most)
			}
		}
	}
}

func TestProbes(t *testing.T) {
	web := &topology.Check{ID: "check.web", Port: 8080}
	plain := &topology.Check{}
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	www := &topology.Domain{ID: "domain.www", Answers: []*topology.Answer{
		{ID: "eu", Addrs: []netip.Addr{a, b}, Check: web, Port: 80},
		{ID: "us", Addrs: []netip.Addr{a}, Check: plain, Port: 443},
		{ID: "static", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.9")}},
	}}
	api := &topology.Domain{ID: "domain.api", Answers: []*topology.Answer{{ID: "eu", Addrs: []netip.Addr{a}, Check: web, Port: 443}}}
	topo := &topology.Topology{Domains: []*topology.Domain{www, api}}

	var got []string
	for _, p := range Probes(topo) {
		line := fmt.Sprintf("%q %s:", p.Target.Check, p.Target.Addr)
		for _, d := range Dependents(topo, p.Target) {
			line += " " + d.Domain.ID + "/" + d.Answer.ID
		}
		got = append(got, line)
	}
	want := []string{
		`"check.web" 192.0.2.1:8080: domain.www/eu domain.api/eu`,
		`"check.web" [2001:db8::1]:8080: domain.www/eu`,
		`"" 192.0.2.1:443: domain.www/us`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Every number leads to the place whose part of the weights it falls into, and
// the first and the last number of each part do.
func TestNumbersFallByWeight(t *testing.T) {
	for _, weights := range [][]int{{1}, {1, 1}, {3, 1, 2}, {1, 1000, 1, 1, 1}, {65535, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 65535}} {
		var lines []string
		for i, w := range weights {
			lines = append(lines, fmt.Sprintf("a%d %d 192.0.2.%d", i, w, i+1))
		}
		topo, view := world([]topology.Step{weight, limit(1)}, lines...)
		table := Compile(topo, Inputs{View: view})
		total, sum := uint64(0), uint64(0)
		for _, w := range weights {
			total += uint64(w)
		}
		for i, w := range weights {
			begin := func(sum uint64) uint64 { // the first number at or behind this part of the range
				quotient, rest := bits.Div64(sum%total, 0, total)
				return quotient + min(rest, 1)
			}
			first, last := begin(sum), begin(sum+uint64(w))-1
			sum += uint64(w)
			for _, u := range []uint64{first, first + (last-first)/2, last} {
				octets, _, _, ok := table.Of(topo.Domains[0]).Address(V4, Client{}, u)
				if !ok || int(octets[3]) != i+1 {
					t.Errorf("weights %v: number %#x leads to %v (%v), want place %d", weights, u, octets, ok, i)
				}
			}
		}
	}
}
