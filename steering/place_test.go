package steering

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/health"
	"gslb/topology"
)

// The world of these tests: eu (Frankfurt) falls back to us (Ashburn), ap
// (Tokyo) to nobody. 10.1.0.0/16 is a prefix of eu with 10.1.2.0/24 of us in it.
func threeRegions() (eu, us, ap *topology.Region) {
	prefix := netip.MustParsePrefix
	eu = &topology.Region{ID: "region.eu", Location: &topology.Point{Lat: 50.11, Lon: 8.68}, Continents: []string{"EU"}, Prefixes: []netip.Prefix{prefix("10.1.0.0/16")}}
	us = &topology.Region{ID: "region.us", Location: &topology.Point{Lat: 39.04, Lon: -77.49}, Continents: []string{"NA"}, Countries: []string{"IS"}, ASNs: []uint32{64496}, Prefixes: []netip.Prefix{prefix("10.1.2.0/24")}}
	ap = &topology.Region{ID: "region.ap", Location: &topology.Point{Lat: 35.68, Lon: 139.69}, Continents: []string{"AS"}}
	eu.Fallback = []*topology.Region{us}
	return eu, us, ap
}

var threeRegionsMap = entries{
	{netip.MustParsePrefix("10.1.0.0/16"), Where{Continent: "AS", Country: "JP", Point: &topology.Point{Lat: 35, Lon: 139}}},
	{netip.MustParsePrefix("192.0.2.0/24"), Where{Continent: "EU", Country: "DE", Point: &topology.Point{Lat: 52, Lon: 13}}},
	{netip.MustParsePrefix("198.51.100.0/25"), Where{Continent: "EU", Country: "IS"}},
	{netip.MustParsePrefix("198.51.100.128/25"), Where{Continent: "EU", Country: "DE", ASN: 64496}},
	{netip.MustParsePrefix("203.0.113.0/24"), Where{Point: &topology.Point{Lat: 64, Lon: -22}}}, // Reykjavik
	{netip.MustParsePrefix("2001:db8::/32"), Where{Continent: "AS"}},
}

func TestStepsByPlace(t *testing.T) {
	kind := func(k topology.StepKind) topology.Step { return topology.Step{Kind: k} }
	geo, nearest, asn, prefixes, failover := kind(topology.StepGeo), kind(topology.StepNearest), kind(topology.StepASN), kind(topology.StepPrefixes), kind(topology.StepFailover)
	all := "eu us ap"
	for name, c := range map[string]struct {
		steps  []topology.Step
		client string
		down   string // labels
		want   string
		scope  int
	}{
		"geo sends a continent to its region":                          {[]topology.Step{geo}, "192.0.2.9", "", "eu", 24},
		"geo puts a country before its continent":                      {[]topology.Step{geo}, "198.51.100.9", "", "us", 24},
		"geo puts an autonomous system before the country":             {[]topology.Step{geo}, "198.51.100.200", "", "us", 24},
		"geo puts the operator's prefixes before everything":           {[]topology.Step{geo}, "10.1.9.9", "", "eu", 21},
		"geo takes the longest prefix":                                 {[]topology.Step{geo}, "10.1.2.9", "", "us", 24},
		"geo sends who is of no region to the nearest":                 {[]topology.Step{geo}, "203.0.113.9", "", "eu", 24},
		"geo leaves all for who is nowhere":                            {[]topology.Step{geo}, "8.8.8.8", "", all, 7},
		"geo knows IPv6 clients":                                       {[]topology.Step{geo}, "2001:db8::9", "", "ap", 32},
		"a region that is down falls back to the next":                 {[]topology.Step{healthOpen, geo}, "192.0.2.9", "eu", "us", 24},
		"a client without a place left goes to the nearest":            {[]topology.Step{healthOpen, geo}, "192.0.2.9", "eu us", "ap", 0},
		"a region without fallback leaves its clients to all":          {[]topology.Step{healthOpen, geo}, "2001:db8::9", "ap", "eu us", 0},
		"scopes are shorter when neighbours get the same":              {[]topology.Step{healthOpen, geo}, "198.51.100.9", "eu ap", "us", 0},
		"asn looks at nothing else":                                    {[]topology.Step{asn}, "198.51.100.200", "", "us", 25},
		"asn leaves all for other systems":                             {[]topology.Step{asn}, "198.51.100.9", "", all, 25},
		"prefixes looks at nothing else":                               {[]topology.Step{prefixes}, "192.0.2.9", "", all, 1},
		"prefixes sends the others to the default":                     {[]topology.Step{{Kind: topology.StepPrefixes, Default: nil}, prefixes}, "10.1.2.9", "", "us", 24},
		"nearest goes by coordinates":                                  {[]topology.Step{nearest}, "192.0.2.9", "", "eu", 24},
		"nearest takes the next when the nearest is down":              {[]topology.Step{healthOpen, nearest}, "192.0.2.9", "eu", "us", 24},
		"nearest leaves all without coordinates":                       {[]topology.Step{nearest}, "198.51.100.9", "", all, 6},
		"failover takes the first that is up":                          {[]topology.Step{healthOpen, failover}, "8.8.8.8", "eu", "us", 0},
		"prefixes go before geo, which refines":                        {[]topology.Step{healthOpen, prefixes, geo, failover}, "10.1.2.9", "", "us", 24},
		"all down and fail-open goes by place all the same":            {[]topology.Step{healthOpen, geo}, "192.0.2.9", "eu us ap", "eu", 24},
		"IPv4 written as IPv6 is IPv4, 96 bits further on":             {[]topology.Step{geo}, "::ffff:192.0.2.9", "", "eu", 120},
		"IPv4 written as IPv6 where everybody gets the same":           {[]topology.Step{healthOpen, failover}, "::ffff:192.0.2.9", "", "eu", 0},
		"a closed policy says whom it leaves nobody":                   {[]topology.Step{{Kind: topology.StepPrefixes, Default: nil}, geo, healthClosed}, "10.1.9.9", "eu us", "", 16},
		"all down and closed is none":                                  {[]topology.Step{healthClosed, geo}, "192.0.2.9", "eu us ap", "", 0},
		"the same for everybody when no step looks at who asks":        {[]topology.Step{healthOpen, limit(2)}, "192.0.2.9", "", "eu us", 0},
		"the steps of a named policy stand where it is named":          {[]topology.Step{healthOpen, {Kind: topology.StepPolicy, Policy: &topology.Policy{Steps: []topology.Step{geo, limit(1)}}}}, "192.0.2.9", "eu", "us", 0},
		"what is nearest counts among the places of the region chosen": {[]topology.Step{healthOpen, geo, nearest}, "198.51.100.9", "", "us", 24},
	} {
		t.Run(name, func(t *testing.T) {
			eu, us, ap := threeRegions()
			d := &topology.Domain{ID: "domain.www", Policy: &topology.Policy{Steps: c.steps}, TTL: 30 * time.Second}
			check, view := &topology.Check{ID: "check.c", Rise: 1, Fall: 1, Interval: time.Second}, health.View{}
			for i, r := range []*topology.Region{eu, us, ap} {
				a := &topology.Answer{ID: r.ID, Label: strings.TrimPrefix(r.ID, "region."), Region: r, Weight: 1, Check: check, Port: 80, Addrs: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)})}}
				view[target(a, a.Addrs[0])] = health.State{Known: true, Up: !strings.Contains(c.down, a.Label)}
				d.Answers = append(d.Answers, a)
			}
			topo := &topology.Topology{Regions: []*topology.Region{eu, us, ap}, Domains: []*topology.Domain{d}}
			places, _, scope := Compile(topo, Inputs{View: view, Map: threeRegionsMap}).Answer(nil, d, V4, host(netip.MustParseAddr(c.client)), 0)
			var got []string
			for _, p := range places {
				got = append(got, p.Answer.Label)
			}
			if diff := cmp.Diff(c.want+" /"+strconv.Itoa(c.scope), strings.Join(got, " ")+" /"+strconv.Itoa(scope)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestBias(t *testing.T) {
	point := topology.Point{Lat: 0, Lon: 0}
	there := topology.Point{Lat: 0, Lon: 10}
	plain := site{there, 0}.kilometres(point)
	for bias, part := range map[int]float64{0: 1, 50: 0.5, -50: 2, 99: 0.01} {
		if got := (site{there, bias}).kilometres(point) / plain; got < part*0.999 || got > part*1.001 {
			t.Errorf("bias %d: %.3f times as far, want %.3f", bias, got, part)
		}
	}
}

// When a place comes or goes, or weighs more, only the clients move that it
// gains or loses, and each place has its share of clients.
func TestStickyMovesNobodyElse(t *testing.T) {
	steps := []topology.Step{healthOpen, {Kind: topology.StepSticky}, limit(1)}
	at := func(answers ...string) map[int]string {
		topo, view := world(steps, answers...)
		table, out := Compile(topo, Inputs{View: view}), map[int]string{}
		for i := range 20000 {
			client := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 7}), 32)
			places, _, scope := table.Answer(nil, topo.Domains[0], V4, client, uint64(i))
			if scope != 24 {
				t.Fatalf("scope %d", scope)
			}
			out[i] = places[0].Answer.Label
		}
		return out
	}
	before := at("a 1 192.0.2.1", "b 2 192.0.2.2", "c 1 192.0.2.3")
	for name, c := range map[string]struct {
		after []string
		only  func(from, to string) bool
	}{
		"a place goes down":   {[]string{"a 1 192.0.2.1", "b 2 192.0.2.2", "c 1 -192.0.2.3"}, func(from, _ string) bool { return from == "c" }},
		"a place is added":    {[]string{"a 1 192.0.2.1", "d 4 192.0.2.4", "b 2 192.0.2.2", "c 1 192.0.2.3"}, func(_, to string) bool { return to == "d" }},
		"a weight grows":      {[]string{"a 5 192.0.2.1", "b 2 192.0.2.2", "c 1 192.0.2.3"}, func(_, to string) bool { return to == "a" }},
		"a weight is lowered": {[]string{"a 1 192.0.2.1", "b 1 192.0.2.2", "c 1 192.0.2.3"}, func(from, _ string) bool { return from == "b" }},
	} {
		for i, to := range at(c.after...) {
			if from := before[i]; from != to && !c.only(from, to) {
				t.Fatalf("%s: client %d moves from %s to %s", name, i, from, to)
			}
		}
	}
	count := map[string]int{}
	for _, label := range before {
		count[label]++
	}
	if b := count["b"]; b < 9700 || b > 10300 || count["a"] < 4700 || count["a"] > 5300 {
		t.Errorf("shares of 20000: %v, want 5000, 10000 and 5000", count)
	}
}

func TestClientsOfOneUnitAreKeptTogether(t *testing.T) {
	topo, view := world([]topology.Step{{Kind: topology.StepSticky}, limit(1)}, "a 1 192.0.2.1", "b 1 192.0.2.2", "c 1 192.0.2.3")
	table := Compile(topo, Inputs{View: view})
	ask := func(prefix string, u uint64) string {
		places, _, _ := table.Answer(nil, topo.Domains[0], V4, netip.MustParsePrefix(prefix), u)
		return places[0].Answer.Label
	}
	for _, pair := range [][2]string{{"198.51.100.1/32", "198.51.100.254/32"}, {"198.51.100.0/24", "198.51.100.7/32"}, {"2001:db8:1:200::/56", "2001:db8:1:2ff::9/128"}} {
		if a, b := ask(pair[0], 1), ask(pair[1], 2); a != b {
			t.Errorf("%v: %s and %s", pair, a, b)
		}
	}
}

func TestLimitSpreadsOverFates(t *testing.T) {
	for _, steps := range [][]topology.Step{{limit(2)}, {weight, limit(2)}, {rotation, limit(2)}, {{Kind: topology.StepSticky}, limit(2)}} {
		topo, view := world(steps, "a 9 192.0.2.1", "b 9 192.0.2.2", "c 1 198.51.100.1")
		topo.Networks = []*topology.Network{{Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}
		for u := range uint64(50) {
			places, _, _ := Compile(topo, Inputs{View: view}).Answer(nil, topo.Domains[0], V4, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(u), 0}), 24), u*Golden)
			if got := labels(places); !strings.Contains(got, "c=") || len(places) != 2 {
				t.Fatalf("%v: %s", steps, got)
			}
		}
	}
	topo, view := world([]topology.Step{limit(2)}, "a 1 192.0.2.1", "b 1 192.0.2.2")
	topo.Networks = []*topology.Network{{Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}
	if got := Compile(topo, Inputs{View: view}).Pick(nil, topo.Domains[0], V4, 0); len(got) != 2 {
		t.Errorf("%s: two that share a network are better than one", labels(got))
	}
}

func TestANameStandsAlone(t *testing.T) {
	for _, steps := range [][]topology.Step{nil, {rotation}, {weight, limit(2)}, {{Kind: topology.StepSticky}}} {
		topo, view := world(steps, "a 1 192.0.2.1", "b 1 192.0.2.2")
		d := topo.Domains[0]
		d.Answers = append(d.Answers, &topology.Answer{ID: "answer.n", Label: "n", Weight: 1, CNAME: "cdn.example."})
		table, seen := Compile(topo, Inputs{View: view}), map[string]bool{}
		for u := range uint64(60) {
			places, _, _ := table.Answer(nil, d, V4, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(u), 0}), 24), u*Golden)
			for _, p := range places {
				seen[p.Answer.Label] = true
				if p.Answer.Label == "n" && len(places) != 1 {
					t.Fatalf("%v: %s", steps, labels(places))
				}
			}
		}
		if len(steps) > 0 && !seen["n"] {
			t.Errorf("%v: the name is never answered", steps)
		}
	}
}

func TestTTLEndsWithTheNextChange(t *testing.T) {
	check := &topology.Check{ID: "check.web", Interval: 2 * time.Second, Rise: 4, Fall: 3}
	for name, c := range map[string]struct {
		a, b health.State
		min  time.Duration
		want uint32
	}{
		"both up: three failures away":                           {health.State{Known: true, Up: true}, health.State{Known: true, Up: true}, time.Second, 6},
		"one failure has come":                                   {health.State{Known: true, Up: true, Streak: 1}, health.State{Known: true, Up: true}, time.Second, 4},
		"one is down and needs four successes":                   {health.State{Known: true, Up: true}, health.State{Known: true}, time.Second, 6},
		"one success is missing":                                 {health.State{Known: true, Up: true}, health.State{Known: true, Streak: 3}, time.Second, 2},
		"never below min_ttl":                                    {health.State{Known: true, Up: true}, health.State{Known: true, Streak: 3}, 5 * time.Second, 5},
		"what has no result yet is one away":                     {health.State{Known: true, Up: true}, health.State{}, time.Second, 2},
		"without min_ttl the ttl stays":                          {health.State{Known: true, Up: true, Streak: 2}, health.State{}, 0, 20},
		"a target that nobody is sent to and is up is no matter": {health.State{Known: true, Up: true}, health.State{Known: true, Up: true, Streak: 2}, time.Second, 6},
	} {
		t.Run(name, func(t *testing.T) {
			topo, _ := world([]topology.Step{healthOpen, {Kind: topology.StepFailover}}, "a 1 192.0.2.1", "b 1 192.0.2.2")
			d := topo.Domains[0]
			d.TTL, d.MinTTL = 20*time.Second, c.min
			view := health.View{}
			for i, s := range []health.State{c.a, c.b} {
				d.Answers[i].Check = check
				view[target(d.Answers[i], d.Answers[i].Addrs[0])] = s
			}
			if _, ttl, _ := Compile(topo, Inputs{View: view}).Answer(nil, d, V4, netip.Prefix{}, 0); ttl != c.want {
				t.Errorf("%d seconds, want %d", ttl, c.want)
			}
		})
	}
}

func TestOverrides(t *testing.T) {
	for name, c := range map[string]struct {
		steps []topology.Step
		modes map[string]health.Mode
		want  string
	}{
		"what is disabled is out":                      {nil, map[string]health.Mode{"answer.a": health.Disabled}, "b c"},
		"what is drained is out while others are up":   {[]topology.Step{healthOpen}, map[string]health.Mode{"answer.a": health.Drained}, "b"},
		"what is drained comes before failing open":    {[]topology.Step{healthOpen}, map[string]health.Mode{"answer.a": health.Drained, "answer.b": health.Disabled}, "a"},
		"what is disabled is not even failed open to":  {[]topology.Step{healthOpen}, map[string]health.Mode{"answer.a": health.Disabled, "answer.b": health.Disabled}, "c"},
		"without a health step draining works as well": {nil, map[string]health.Mode{"answer.a": health.Drained}, "b c"},
	} {
		t.Run(name, func(t *testing.T) {
			topo, view := world(c.steps, "a 1 192.0.2.1", "b 1 192.0.2.2", "c 1 -192.0.2.3")
			var overrides health.Overrides
			for object, mode := range c.modes {
				var err error
				if overrides, err = overrides.With(health.Override{Object: object, Mode: mode}); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, p := range Compile(topo, Inputs{View: view, Overrides: overrides}).Pick(nil, topo.Domains[0], V4, 0) {
				got = append(got, p.Answer.Label)
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestSlowStartLowersTheShare(t *testing.T) {
	topo, view := world([]topology.Step{healthOpen, weight, limit(1)}, "a 1 192.0.2.1", "b 1 192.0.2.2")
	d, start := topo.Domains[0], time.Unix(1000, 0)
	d.Answers[0].Check.SlowStart = time.Minute
	view[target(d.Answers[0], d.Answers[0].Addrs[0])] = health.State{Known: true, Up: true, Recovered: true, Since: start}
	for after, want := range map[time.Duration]int{0: 59, time.Minute: 500} {
		table, a := Compile(topo, Inputs{View: view, Now: start.Add(after)}), 0
		for u := range uint64(1000) {
			if table.Pick(nil, d, V4, u*Golden)[0].Answer.Label == "a" {
				a++
			}
		}
		if a < want-3 || a > want+3 {
			t.Errorf("%v after it came up it gets %d of 1000, want %d", after, a, want)
		}
	}
}

func TestFailTo(t *testing.T) {
	topo, view := world([]topology.Step{{Kind: topology.StepHealth}}, "a 1 -192.0.2.1", "b 1 -192.0.2.2")
	r := &topology.Region{ID: "region.r"}
	topo.Domains[0].Answers[1].Region = r
	topo.Domains[0].Policy.Steps[0].FailTo = r
	if got := labels(Compile(topo, Inputs{View: view}).Pick(nil, topo.Domains[0], V4, 0)); got != "b=192.0.2.2" {
		t.Errorf("got %s", got)
	}
}
