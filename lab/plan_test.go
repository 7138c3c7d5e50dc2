package lab

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/conf"
	"gslb/topology"
)

func parse(t *testing.T, path string) *topology.Topology {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	topo, err := parsed(path, data)
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

func parsed(path string, data []byte) (*topology.Topology, error) {
	topo, diags := conf.Parse(conf.Source{Files: []conf.File{{Name: path, Data: data}}})
	if diags.HasErrors() {
		return nil, diags
	}
	return topo, nil
}

func plan(t *testing.T, path string) *Plan {
	t.Helper()
	p, err := NewPlan(parse(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// lines describe a node: its ports with their segments, and its routes.
func lines(t *testing.T, p *Plan, id string) string {
	t.Helper()
	n, ok := p.Node(id)
	if !ok {
		t.Fatalf("no node %s", id)
	}
	var out []string
	for _, port := range n.Ports {
		line := p.Segments[port.Segment]
		for _, a := range port.Addrs {
			line += " " + a.String()
		}
		out = append(out, line)
	}
	for _, r := range n.Routes {
		line := "to " + r.To.String()
		if r.Via.IsValid() {
			line += " via " + r.Via.String()
		}
		out = append(out, line+" dev "+r.Dev)
	}
	return strings.Join(out, "\n")
}

func TestPlan(t *testing.T) {
	p := plan(t, "testdata/three-regions.hcl")
	for id, want := range map[string]string{
		"director.paris": `network.paris 192.0.2.10/25 2001:db8:1::10/64
to 0.0.0.0/0 via 192.0.2.126 dev e0
to ::/0 via 2001:db8:1:0:ffff:ffff:ffff:ffff dev e0`,
		`director.rack["r1"]`: `network.chicago 198.51.100.21/25
network.racks["r1"] 10.2.1.1/24
to 0.0.0.0/0 via 198.51.100.126 dev e0`,
		// Behind NAT there is no route: that is director realserver's to set.
		`farm.rack["r1"].server.s[0]`: `network.racks["r1"] 10.2.1.10/24`,
		// A nameserver in no network has a segment of its own behind the router.
		`nameserver.ns["b"]`: `nameserver.ns["b"] 203.0.113.200/32
to 0.0.0.0/0 via 169.254.1.1 dev e0`,
		"client.us": `client.us 100.64.4.1/32 fd67:736c:6200:1::1/128
to 0.0.0.0/0 via 169.254.1.1 dev e0
to ::/0 via fe80::1 dev e0`,
	} {
		if diff := cmp.Diff(want, lines(t, p, id)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	router := lines(t, p, "router.us")
	for _, want := range []string{
		"network.chicago 198.51.100.126/25",
		"to 198.51.100.250/32 via 198.51.100.130 dev e1", // a VIP on no segment
		"to 203.0.113.200/32 via 169.254.2.5 dev w2",     // a nameserver of another region
		"to 192.0.2.0/25 via 169.254.2.0 dev w0",
	} {
		if !strings.Contains(router, want) {
			t.Errorf("router.us lacks %q:\n%s", want, router)
		}
	}
	if strings.Contains(router, "racks") {
		t.Errorf("router.us is on a segment whose gateway is a director:\n%s", router)
	}
}

func TestNodeNames(t *testing.T) {
	p := plan(t, "../examples/hybrid.hcl")
	for _, id := range []string{`director.nat["eu"]`, `director.nat[eu]`, "client.site-eu", `client.site["eu"]`, "client.site[eu]", "router.site-us"} {
		if _, ok := p.Node(id); !ok {
			t.Errorf("no node %s", id)
		}
	}
	for _, id := range []string{"director.nat", "client.eu", "client", ""} {
		if n, ok := p.Node(id); ok {
			t.Errorf("%q is %s", id, n.ID)
		}
	}
}

func TestClientsUseNothingOfTheFile(t *testing.T) {
	topo := &topology.Topology{Regions: []*topology.Region{{ID: "region.eu", Name: "eu"}}}
	topo.Networks = []*topology.Network{{ID: "network.carrier", Region: topo.Regions[0], Prefixes: []netip.Prefix{netip.MustParsePrefix("100.64.0.0/20")}}}
	p, err := NewPlan(topo)
	if err != nil {
		t.Fatal(err)
	}
	n, _ := p.Node("client.eu")
	if got := n.Anywhere[0].String(); got != "100.64.16.0/22" {
		t.Errorf("clients are at %s, want the first prefix behind the file's", got)
	}
}

func TestDelay(t *testing.T) {
	frankfurt, ashburn := &topology.Point{Lat: 50.11, Lon: 8.68}, &topology.Point{Lat: 39.04, Lon: -77.49}
	if d := Delay(frankfurt, ashburn).Round(time.Millisecond); d != 57*time.Millisecond {
		t.Errorf("one way between Frankfurt and Ashburn %v, want 57 ms: 6,559 km", d)
	}
	if d := Delay(frankfurt, nil); d != 0 {
		t.Errorf("a place that is not known is %v away, want 0", d)
	}
}

func TestShares(t *testing.T) {
	topo := parse(t, "testdata/three-regions.hcl")
	want := map[string]map[string]float64{
		"virtual_service.paris":   {"192.0.2.20": 1. / 6, "192.0.2.21": 2. / 6, "192.0.2.22": 3. / 6},
		"virtual_service.chicago": {"10.2.1.10": 1. / 3, "10.2.2.10": 1. / 3, "10.2.2.11": 1. / 3},
		"virtual_service.tokyo":   {"10.3.0.10": .5, "10.3.0.11": .5},
	}
	for _, s := range topo.Services {
		got := map[string]float64{}
		for a, share := range shares(s, s.VIPs[0]) {
			got[a.String()] = share
		}
		close := cmp.Comparer(func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })
		if diff := cmp.Diff(want[s.ID], got, close); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.ID, diff)
		}
	}
}

// Victims that could harm each other's service die in different rounds.
func TestRounds(t *testing.T) {
	topo := parse(t, "../examples/direct.hcl")
	var victims []victim
	for _, s := range topo.Services {
		chosen, why := pickVictims(s)
		if len(chosen) != 1 || len(why) != 0 {
			t.Fatalf("%s: victims %v, %q", s.ID, chosen, why)
		}
		victims = append(victims, chosen...)
	}
	if got := rounds(victims); len(got) != 1 || len(got[0]) != 3 {
		t.Errorf("%d rounds, want all three services in one: they share no node", len(got))
	}
	shared := *topo.Services[1] // another service of the same farms, whose victim is another server
	other := victim{service: &shared, node: shared.Farms()[0].Servers[1].ID}
	got := rounds(append(victims, other))
	if len(got) != 2 || !slices.ContainsFunc(got[1], func(v victim) bool { return v.node == other.node }) {
		t.Errorf("rounds %v, want the second victim of one farm in a round of its own", got)
	}
}

func TestAnswersAreReadAsTheyAreSaid(t *testing.T) {
	server, client := netip.MustParseAddrPort("[2001:db8::1]:80"), netip.MustParseAddrPort("[2001:db8::2]:1234")
	gotServer, gotClient, err := parseAnswer(answer(server, client))
	if err != nil || gotServer != server.Addr() || gotClient != client {
		t.Errorf("got %s %s %v", gotServer, gotClient, err)
	}
	for _, text := range []string{"", "server=x client=y\n", "<html>", "server=192.0.2.1\n"} {
		if _, _, err := parseAnswer(text); err == nil {
			t.Errorf("%q was taken for an answer", text)
		}
	}
}

// Addresses that no service of the file has are places elsewhere: they answer
// where checks look, in their region.
func TestElsewhere(t *testing.T) {
	topo := parse(t, "../examples/round-robin.hcl")
	var got []string
	for _, e := range elsewhere(topo) {
		for _, at := range e.at {
			got = append(got, fmt.Sprint(e.id, " ", e.region.ID, " ", e.addrs, " ", at.proto, " ", at.addr))
		}
	}
	want := []string{
		`domain.www.answer.vip["eu"] region.eu 192.0.2.5 tcp 192.0.2.5:80`,
		`domain.www.answer.vip["us"] region.eu 198.51.100.5 tcp 198.51.100.5:80`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := elsewhere(parse(t, "../examples/two-tier.hcl")); len(got) > 0 {
		t.Errorf("VIPs of the file are elsewhere: %v", got)
	}
}

func TestExpectedAnswers(t *testing.T) {
	addr := netip.MustParseAddr
	names := func(types []string, answers ...*topology.Answer) *topology.Domain {
		return &topology.Domain{Policy: &topology.Policy{}, Types: types, Answers: answers}
	}
	two := []*topology.Answer{
		{Weight: 3, Addrs: topology.Addrs{addr("192.0.2.5"), addr("2001:db8::5")}},
		{Weight: 1, Addrs: topology.Addrs{addr("198.51.100.5")}},
		{Weight: 0, Addrs: topology.Addrs{addr("203.0.113.5")}},
	}
	hosts := []*topology.Answer{
		{Weight: 1, Target: "mx-eu.example.", Priority: 10, Addrs: topology.Addrs{addr("192.0.2.5")}},
		{Weight: 1, Target: "mx-us.example.", Priority: 20},
	}
	for name, c := range map[string]struct {
		domain *topology.Domain
		typ    string
		want   map[string]bool
		choosy bool
	}{
		"addresses of a family":        {names([]string{"A", "AAAA"}, two...), "A", map[string]bool{"192.0.2.5": true, "198.51.100.5": true}, false},
		"hints of both":                {names([]string{"A", "AAAA", "HTTPS"}, two...), "HTTPS", map[string]bool{"192.0.2.5": true, "198.51.100.5": true, "2001:db8::5": true}, false},
		"hosts, not their addresses":   {names([]string{"MX"}, hosts...), "MX", map[string]bool{"mx-eu.example.": true, "mx-us.example.": true}, false},
		"a type that it does not have": {names([]string{"MX"}, hosts...), "A", nil, false},
		"another name beside hosts":    {names([]string{"HTTPS"}, &topology.Answer{Weight: 1, Target: "cdn.example."}), "HTTPS", map[string]bool{"cdn.example.": true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := expectedAnswers(c.domain, c.typ)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if got := choosy(c.domain); got != c.choosy {
				t.Errorf("choosy is %v, want %v", got, c.choosy)
			}
		})
	}
}
