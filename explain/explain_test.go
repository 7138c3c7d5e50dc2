package explain_test

import (
	"maps"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/conf"
	"gslb/dnsserver"
	"gslb/explain"
	"gslb/health"
	"gslb/steering"
	"gslb/topology"
)

func read(t testing.TB, path string) *topology.Topology {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(data))
}

func parse(t testing.TB, text string) *topology.Topology {
	t.Helper()
	topo, diags := conf.Parse(conf.Source{Files: []conf.File{{Name: "test.hcl", Data: []byte(text)}}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return topo
}

// A server is the real one. It remembers the table that it was last asked with.
type server struct {
	t     testing.TB
	zones *dnsserver.Zones
	table *dnsserver.Table
}

func newServer(t testing.TB, topo *topology.Topology) *server {
	t.Helper()
	zones, err := dnsserver.Compile(topo, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &server{t: t, zones: zones}
}

func (s *server) ask(table *steering.Table, client netip.Addr, name, typ string, u uint64) (explain.Reply, error) {
	s.table = dnsserver.NewTable(s.zones, table)
	told, err := s.table.Tell(client, name, typ, u)
	r := explain.Reply{Rcode: told.Rcode, Authoritative: told.Authoritative, Name: told.Name, Zone: told.Zone, Domain: told.Domain, Scope: told.Scope, Error: (*explain.ExtendedError)(told.Error)}
	for _, x := range told.Answer {
		r.Answer = append(r.Answer, explain.Record(x))
	}
	for _, x := range told.Additional {
		r.Additional = append(r.Additional, explain.Record(x))
	}
	for _, x := range told.Authority {
		r.Authority = append(r.Authority, explain.Record(x))
	}
	return r, err
}

// Whatever the policy and whoever is down: the records shown are exactly
// those that the name server gives, each with the part of the replies that
// hold it, and as many in a reply as is said.
func TestAnswersAreThoseOfTheNameServer(t *testing.T) {
	policies := map[string]string{
		"the standard policy":  ``,
		"the weights":          `step "weight" {}`,
		"rotation of two":      `step "rotate" {}` + "\n" + `step "limit" { answers = 2 }`,
		"two drawn by weight":  `step "health" {}` + "\n" + `step "weight" {}` + "\n" + `step "limit" { answers = 2 }`,
		"closed health":        `step "health" { fail_open = false }`,
		"the first that is up": `step "health" {}` + "\n" + `step "limit" { answers = 1 }`,
	}
	states := [][]string{nil, {"a"}, {"a", "c"}, {"a", "b", "c", "d"}}
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) {
			using := ""
			if policy != "" {
				policy, using = "policy \"p\" {\n"+policy+"\n}\n", "policy = policy.p"
			}
			topo := parse(t, `
region "eu" {}
zone "z" { name = "z.example" }
nameserver "ns" {
  for_each  = { a = "192.0.2.53", b = "192.0.2.54" }
  region    = region.eu
  addresses = [each.value]
}
check "web" {
  type = "tcp"
  port = 80
}
`+policy+`domain "www" {
  zone = zone.z
  `+using+`
  answer "a" {
    addresses = ["192.0.2.1", "2001:db8::1"]
    weight    = 3
    check     = check.web
  }
  answer "b" {
    addresses = ["192.0.2.2"]
    check     = check.web
  }
  answer "c" {
    addresses = ["192.0.2.3", "192.0.2.2"]
    weight    = 0
    check     = check.web
  }
  answer "d" {
    addresses = ["192.0.2.4", "2001:db8::4"]
    weight    = 2
    check     = check.web
  }
}`)
			for _, down := range states {
				for _, typ := range []string{"A", "AAAA"} {
					var state explain.State
					for _, a := range down {
						state.Down = append(state.Down, "domain.www.answer."+a)
					}
					compare(t, topo, state, explain.Question{Name: "www.z.example.", Type: typ, Client: netip.MustParseAddr("203.0.113.9")})
				}
			}
		})
	}
}

func compare(t *testing.T, topo *topology.Topology, state explain.State, q explain.Question) {
	t.Helper()
	s := newServer(t, topo)
	x, err := explain.Explain(topo, q, state, s.ask)
	if err != nil {
		t.Fatal(err)
	}
	const n = 400
	count, least, most := map[string]int{}, math.MaxInt, 0
	for i := range uint64(n) {
		told, err := s.table.Tell(netip.Addr{}, q.Name, q.Type, 12345+i*steering.Golden)
		if err != nil {
			t.Fatal(err)
		}
		steered := 0
		for _, r := range told.Answer {
			count[r.Data]++
			if r.Type == q.Type {
				steered++
			}
		}
		least, most = min(least, steered), max(most, steered)
	}
	for _, r := range x.Answer.Records {
		if off := math.Abs(r.Share - float64(count[r.Data])/n); off > 0.02 {
			t.Errorf("%v, down %v: %s has share %.3f, the name server gives it in %d of %d replies", q, state.Down, r.Data, r.Share, count[r.Data], n)
		}
		delete(count, r.Data)
	}
	for data := range count {
		t.Errorf("%v, down %v: the name server gives %s too", q, state.Down, data)
	}
	if x.Answer.Least != least || x.Answer.Most != most {
		t.Errorf("%v, down %v: %d to %d addresses, the name server gives %d to %d", q, state.Down, x.Answer.Least, x.Answer.Most, least, most)
	}
}

// Taking down any one object of any example gives an explanation that agrees
// with the name server, and the same one when asked again.
func TestEveryObjectMayBeDown(t *testing.T) {
	for _, path := range []string{"examples/two-tier.hcl", "examples/direct.hcl", "examples/hybrid.hcl", "lab/testdata/three-regions.hcl", "lab/testdata/v6.hcl"} {
		t.Run(path, func(t *testing.T) {
			topo := read(t, path)
			var ids []string
			for _, r := range topo.Regions {
				ids = append(ids, r.ID)
			}
			for _, n := range topo.Networks {
				ids = append(ids, n.ID)
			}
			for _, d := range topo.Directors {
				ids = append(ids, d.ID)
			}
			for _, f := range topo.Farms {
				ids = append(ids, f.ID)
				for _, s := range f.Servers {
					ids = append(ids, s.ID)
				}
			}
			for _, s := range topo.Services {
				ids = append(ids, s.ID)
			}
			for _, id := range ids {
				state := explain.State{Down: []string{strings.ReplaceAll(id, `"`, "")}}
				for _, d := range topo.Domains {
					for _, typ := range []string{"A", "AAAA"} {
						q := explain.Question{Name: d.Name, Type: typ, Client: netip.MustParseAddr("203.0.113.9")}
						compare(t, topo, state, q)
						if typ == "AAAA" {
							continue
						}
						var screens []string
						for range 2 {
							x, err := explain.Explain(topo, q, state, newServer(t, topo).ask)
							if err != nil {
								t.Fatal(err)
							}
							if x.Down[0].Object != id {
								t.Errorf("%s down: %v is", id, x.Down)
							}
							screens = append(screens, x.Text(explain.Paint{}))
						}
						if screens[0] != screens[1] {
							t.Errorf("%s down: two screens differ", id)
						}
					}
				}
			}
		})
	}
}

// What a state does to the places that health leaves.
func TestWhoIsLeft(t *testing.T) {
	two, three := "examples/two-tier.hcl", "lab/testdata/three-regions.hcl"
	target := func(check, addr, via string, up bool) map[health.Target]bool {
		x := health.Target{Check: check, Addr: netip.MustParseAddrPort(addr)}
		if via != "" {
			x.Via = netip.MustParseAddr(via)
		}
		return map[health.Target]bool{x: up}
	}
	for name, c := range map[string]struct {
		path  string
		state explain.State
		want  string
	}{
		"everything works":                              {two, explain.State{}, "eu us"},
		"a region":                                      {two, explain.State{Down: []string{"region.us"}}, "eu"},
		"the front":                                     {two, explain.State{Down: []string{`director.front["us"]`}}, "eu"},
		"one of two NAT directors":                      {two, explain.State{Down: []string{"director.nat[us1]"}}, "eu us"},
		"both NAT directors":                            {two, explain.State{Down: []string{"director.nat[us1]", "director.nat[us2]"}}, "eu"},
		"one NAT director and the other's farm":         {two, explain.State{Down: []string{"director.nat[us1]", "farm.web[us2]"}}, "eu"},
		"all farms leave nobody, so all are answered":   {two, explain.State{Down: []string{"farm.web"}}, "eu us"},
		"a farm but for one server":                     {two, explain.State{Down: []string{"farm.web[us1]", "farm.web[us2].server.web[0]"}}, "eu us"},
		"a farm's segment":                              {two, explain.State{Down: []string{"network.inside[us1]", "network.inside[us2]"}}, "eu"},
		"the service":                                   {two, explain.State{Down: []string{"virtual_service.www[eu]"}}, "us"},
		"an answer":                                     {two, explain.State{Down: []string{"domain.www.answer.eu"}}, "us"},
		"a nameserver":                                  {two, explain.State{Down: []string{"nameserver.ns[eu]"}}, "eu us"},
		"the name server's check fails":                 {two, explain.State{Targets: target("check.web", "192.0.2.5:80", "", false)}, "us"},
		"the name server's check works all the same":    {two, explain.State{Down: []string{"region.us"}, Targets: target("check.web", "198.51.100.5:80", "", true)}, "eu us"},
		"a check of the front's fails":                  {two, explain.State{Targets: target("check.web", "198.51.100.5:80", "198.51.100.21", false)}, "eu us"},
		"a check of the front's fails and one is down":  {two, explain.State{Down: []string{"director.nat[us2]"}, Targets: target("check.web", "198.51.100.5:80", "198.51.100.21", false)}, "eu"},
		"a check of a NAT director's, and the rest":     {two, explain.State{Down: []string{"director.nat[us2]", "farm.web[us1].server.web[0]"}, Targets: target("check.web", "10.20.1.11:80", "", false)}, "eu"},
		"a region of three":                             {three, explain.State{Down: []string{"region.eu"}}, "us ap"},
		"servers with a port of their own":              {three, explain.State{Down: []string{"farm.rack"}}, "eu ap"},
		"all but the largest server of a farm by DR":    {three, explain.State{Down: []string{"farm.paris.server.s[0]", "farm.paris.server.s[1]"}}, "eu us ap"},
		"every server of a farm by DR":                  {three, explain.State{Down: []string{"farm.paris.server.s"}}, "us ap"},
		"a NAT director's farm under a hash scheduler":  {three, explain.State{Down: []string{"farm.tokyo"}}, "eu us"},
		"a part of a farm's under a hash scheduler":     {three, explain.State{Down: []string{"farm.tokyo.server.s[0]"}}, "eu us ap"},
		"the same said twice is said once":              {three, explain.State{Down: []string{"region.eu", "region.eu"}}, "us ap"},
		"what is in what is down may be said to be too": {three, explain.State{Down: []string{"director.paris", "region.eu"}}, "us ap"},
	} {
		t.Run(name, func(t *testing.T) {
			topo := read(t, c.path)
			x, err := explain.Explain(topo, explain.Question{Name: topo.Domains[0].Name, Type: "A", Client: netip.MustParseAddr("203.0.113.9")}, c.state, newServer(t, topo).ask)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(x.Steps, func(s explain.Step) bool { return s.Step == "health" })
			var got []string
			for _, p := range x.Steps[i].Left {
				got = append(got, p.Label)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("left are %v, want %s\n%s", got, c.want, x.Text(explain.Paint{}))
			}
		})
	}
}

func TestExplainRefuses(t *testing.T) {
	topo := read(t, "examples/two-tier.hcl")
	for name, c := range map[string]struct {
		state explain.State
		want  string
	}{
		"a slip of the pen":      {explain.State{Down: []string{"director.fornt[eu]"}}, `director.fornt[eu]: there is no such object that could be down. Did you mean director.front["eu"]?`},
		"something else":         {explain.State{Down: []string{"director.something"}}, `director.something: there is no such object that could be down. There is director.front["eu"], director.front["us"], director.nat["eu1"], director.nat["eu2"], director.nat["us1"], director.nat["us2"]`},
		"what is never down":     {explain.State{Down: []string{"zone.shop"}}, "zone.shop: there is no such object that could be down; a region, network, nameserver, director, failover, farm, server, virtual_service or answer could"},
		"a check that is not so": {explain.State{Targets: map[health.Target]bool{{Check: "check.web", Addr: netip.MustParseAddrPort("192.0.2.5:81")}: true}}, "nobody makes check.web of 192.0.2.5:81"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := explain.Explain(topo, explain.Question{Name: "www.g.shop.example.", Type: "A", Client: netip.MustParseAddr("203.0.113.9")}, c.state, newServer(t, topo).ask)
			if err == nil || err.Error() != c.want {
				t.Errorf("error %v\nwant  %s", err, c.want)
			}
		})
	}
}

func TestAbsolute(t *testing.T) {
	topo := parse(t, `
region "eu" {}
zone "a" {
  name = "a.example"
  record "txt" {
    type = "TXT"
    name = "only"
    data = "\"x\""
  }
}
zone "b" { name = "b.example" }
nameserver "ns" {
  for_each  = { a = "192.0.2.53", b = "192.0.2.54" }
  region    = region.eu
  addresses = [each.value]
}
domain "www" {
  for_each = { a = zone.a, b = zone.b }
  name     = "www"
  zone     = each.value
  answer "x" { addresses = ["192.0.2.1"] }
}`)
	for name, c := range map[string]struct{ given, want string }{
		"absolute":                            {"www.a.example.", "www.a.example."},
		"without its last dot":                {"WWW.a.example", "www.a.example."},
		"relative to the zone that has it":    {"only", "only.a.example."},
		"in several zones":                    {"www", "error: www is in several zones: say www.a.example or www.b.example"},
		"a zone":                              {"b.example", "b.example."},
		"a name that is not there":            {"nothing.b.example", "nothing.b.example."},
		"nobody's name":                       {"www.example.com", "www.example.com."},
		"absolute although relative is there": {"only.", "only."},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := explain.Absolute(topo, c.given)
			if err != nil {
				got = "error: " + err.Error()
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// Over many clients, each destination of a hash scheduler is the client's as
// often as its share says, and what is down is nobody's.
func TestWhereAClientGoes(t *testing.T) {
	topo := read(t, "examples/two-tier.hcl")
	server := newServer(t, topo)
	for name, c := range map[string]struct {
		state explain.State
		want  map[string]float64
	}{
		"everything works": {explain.State{}, map[string]float64{`director.nat["eu1"]`: 0.4, `director.nat["eu2"]`: 0.6}},
		"one is down":      {explain.State{Down: []string{"director.nat[eu1]"}}, map[string]float64{`director.nat["eu1"]`: 0, `director.nat["eu2"]`: 1}},
		"a check of one fails": {
			explain.State{Targets: map[health.Target]bool{{Check: "check.web", Addr: netip.MustParseAddrPort("192.0.2.5:80"), Via: netip.MustParseAddr("192.0.2.22")}: false}},
			map[string]float64{`director.nat["eu1"]`: 1, `director.nat["eu2"]`: 0}},
		"a server of one is down": {explain.State{Down: []string{"farm.web[eu1].server.web[0]"}}, map[string]float64{`director.nat["eu1"]`: 0.4, `director.nat["eu2"]`: 0.6}},
	} {
		t.Run(name, func(t *testing.T) {
			state := c.state
			state.Down = append([]string{"region.us"}, state.Down...)
			const n = 1000
			count := map[string]int{}
			for i := range n {
				q := explain.Question{Name: "www.g.shop.example.", Type: "A", Client: netip.AddrFrom4([4]byte{100, 64 + byte(i>>8), byte(i), 7})}
				x, err := explain.Explain(topo, q, state, server.ask)
				if err != nil {
					t.Fatal(err)
				}
				for _, h := range x.Paths[0].First.Forward.Next {
					if h.Share != c.want[h.Object] {
						t.Fatalf("%s has share %v, want %v", h.Object, h.Share, c.want[h.Object])
					}
					count[h.Object] += len(h.Client)
				}
			}
			for object, share := range c.want {
				if off := math.Abs(share - float64(count[object])/n); off > 0.04 {
					t.Errorf("%s has share %v, and %d of %d clients", object, share, count[object], n)
				}
			}
		})
	}
}

// Screens as operators see them. UPDATE=1 writes them anew.
func TestScreens(t *testing.T) {
	const two, three = "examples/two-tier.hcl", "lab/testdata/three-regions.hcl"
	for name, c := range map[string]struct {
		path, name, typ  string
		client, resolver string
		state            explain.State
	}{
		"two-tier":                     {path: two, name: "www"},
		"two-tier-region-down":         {path: two, name: "www", state: explain.State{Down: []string{"region.us", "director.nat[eu1]"}}},
		"two-tier-all-down":            {path: two, name: "www", state: explain.State{Down: []string{"farm.web", "nameserver.ns"}}},
		"direct-nat":                   {path: "examples/direct.hcl", name: "nat"},
		"direct-tun":                   {path: "examples/direct.hcl", name: "tun", state: explain.State{Down: []string{"farm.near"}}},
		"direct-dr":                    {path: "examples/direct.hcl", name: "dr", state: explain.State{Down: []string{"farm.dr.server.big"}}},
		"round-robin":                  {path: "examples/round-robin.hcl", name: "www"},
		"hybrid":                       {path: "examples/hybrid.hcl", name: "www", resolver: "198.51.100.99"},
		"three-regions":                {path: three, name: "www", state: explain.State{Down: []string{"region.us", "farm.paris.server.s[1]"}}},
		"three-regions-v6":             {path: three, name: "www", typ: "AAAA", client: "2001:db8:9::9"},
		"three-regions-v6-client-of-a": {path: three, name: "www", client: "2001:db8:9::9"},
		"three-regions-no-such-name":   {path: three, name: "ww"},
		"three-regions-no-such-zone":   {path: three, name: "www.lib.example"},
		"three-regions-soa":            {path: three, name: "lab.example", typ: "SOA"},
		"three-regions-nameserver":     {path: three, name: "ns-a"},
		"two-tier-static":              {path: two, name: "static", typ: "TXT"},
	} {
		t.Run(name, func(t *testing.T) {
			topo := read(t, c.path)
			q := explain.Question{Type: "A", Client: netip.MustParseAddr("203.0.113.9")}
			if c.typ != "" {
				q.Type = c.typ
			}
			if c.client != "" {
				q.Client = netip.MustParseAddr(c.client)
			}
			if c.resolver != "" {
				q.Resolver = netip.MustParseAddr(c.resolver)
			}
			var err error
			if q.Name, err = explain.Absolute(topo, c.name); err != nil {
				t.Fatal(err)
			}
			x, err := explain.Explain(topo, q, c.state, newServer(t, topo).ask)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, x.Text(explain.Paint{}))
		})
	}
}

// What the file need not say, and what many servers or ports make of a screen.
func TestScreenOfALargeFarm(t *testing.T) {
	topo := parse(t, large)
	for name, c := range map[string]struct {
		name, client string
		down         []string
	}{
		"large":      {"alias", "203.0.113.9", []string{"farm.f.server.s[1]", "farm.f.server.s[40]"}},
		"no-check":   {"u", "2001:db8::7", []string{"farm.u.server.s[0]"}},
		"elsewhere":  {"out", "203.0.113.9", nil},
		"delegation": {"x.sub.z.example", "203.0.113.9", nil},
		"no-data":    {"six", "203.0.113.9", nil},
	} {
		t.Run(name, func(t *testing.T) {
			q := explain.Question{Type: "A", Client: netip.MustParseAddr(c.client)}
			if q.Client.Is6() {
				q.Type = "AAAA"
			}
			var err error
			if q.Name, err = explain.Absolute(topo, c.name); err != nil {
				t.Fatal(err)
			}
			x, err := explain.Explain(topo, q, explain.State{Down: c.down}, newServer(t, topo).ask)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, x.Text(explain.Paint{}))
		})
	}
}

// somewhere is a map made by hand.
type somewhere map[netip.Prefix]steering.Where

func (m somewhere) Walk(yield func(netip.Prefix, steering.Where) bool) {
	for _, p := range slices.SortedFunc(maps.Keys(m), func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) }) {
		if !yield(p, m[p]) {
			return
		}
	}
}

// What steps by place say of a client, whoever asks for it.
// A director of a hash tier names the very destination of each flow, another one
// when it is down, and the rest stay where they are.
func TestFlows(t *testing.T) {
	const two, pairs = "examples/two-tier.hcl", "lab/testdata/pairs.hcl"
	for name, c := range map[string]struct {
		text, path      string // of these one
		client, virtual string
		down            []string
	}{
		"flow-two-tier":        {path: two, client: "203.0.113.9:40000", virtual: "192.0.2.5:80"},
		"flow-its-nat-is-down": {path: two, client: "203.0.113.9:40000", virtual: "192.0.2.5:80", down: []string{"director.nat[eu1]"}},
		"flow-all-are-down":    {path: two, client: "203.0.113.9:40000", virtual: "192.0.2.5:80", down: []string{"farm.web"}},
		"flow-no-front":        {path: two, client: "203.0.113.9:40000", virtual: "198.51.100.5:80", down: []string{"region.us"}},
		"flow-pairs":           {path: pairs, client: "203.0.113.9:40000", virtual: "192.0.2.5:80"},
		"flow-member-down":     {path: pairs, client: "203.0.113.9:40000", virtual: "192.0.2.5:80", down: []string{"director.front[a]", "director.nat[a]"}},
		"flow-pair-down":       {path: pairs, client: "203.0.113.9:40000", virtual: "192.0.2.5:80", down: []string{"failover.nat"}},
		"flow-gate-down":       {path: pairs, client: "203.0.113.9:40000", virtual: "192.0.2.6:80", down: []string{"director.gate[a]"}},
		"flow-by-port":         {text: hashed, client: "203.0.113.9:40000", virtual: "192.0.2.5:80"},
		"flow-by-another-port": {text: hashed, client: "203.0.113.9:40001", virtual: "192.0.2.5:80"},
		"flow-sorry":           {text: hashed, client: "203.0.113.9:40001", virtual: "192.0.2.5:80", down: []string{"farm.web"}},
		"flow-udp":             {text: hashed, client: "203.0.113.9:40001", virtual: "192.0.2.5:53"},
	} {
		t.Run(name, func(t *testing.T) {
			topo := parseOr(t, c.text, c.path)
			f := explain.Flow{Client: netip.MustParseAddrPort(c.client), Virtual: netip.MustParseAddrPort(c.virtual)}
			x, err := explain.ExplainFlow(topo, f, explain.State{Down: c.down})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, x.Text(explain.Paint{}))
		})
	}
}

func parseOr(t *testing.T, text, path string) *topology.Topology {
	t.Helper()
	if path != "" {
		return read(t, path)
	}
	return parse(t, text)
}

const hashed = `
region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
director "d" {
  network = network.edge
  address = "192.0.2.11"
}
farm "web" {
  network = network.edge
  server "web" {
    for_each = range(4)
    address  = cidrhost(network.edge.cidr, 20 + each.value)
  }
}
virtual_service "www" {
  region      = region.eu
  vip         = "192.0.2.5"
  ports       = ["tcp/80"]
  sorry       = "local"
  persistence = { timeout = "5m", netmask = 24 }
  tier "d" {
    directors = [director.d]
    method    = "dr"
    scheduler = "mh"
    flags     = ["fallback", "port"]
    farms     = [farm.web]
  }
}
virtual_service "dns" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["udp/53"]
  tier "d" {
    directors = [director.d]
    method    = "dr"
    scheduler = "sh"
    farms     = [farm.web]
  }
}
`

func TestScreensByPlace(t *testing.T) {
	topo := parse(t, byPlace)
	world := somewhere{
		netip.MustParsePrefix("203.0.113.0/25"):  {Continent: "EU", Country: "DE", ASN: 64500, Point: &topology.Point{Lat: 52.52, Lon: 13.4}},
		netip.MustParsePrefix("198.51.100.0/24"): {Continent: "AS", Point: &topology.Point{Lat: 1.35, Lon: 103.82}},
		netip.MustParsePrefix("2001:db8::/32"):   {ASN: 64496},
	}
	for name, c := range map[string]struct {
		name, client, resolver string
		ecs                    bool
		down                   []string
	}{
		"place-country":        {name: "www", client: "203.0.113.9"},
		"place-resolver":       {name: "www", client: "203.0.113.9", resolver: "198.51.100.99"},
		"place-ecs":            {name: "www", client: "203.0.113.9", resolver: "198.51.100.99", ecs: true},
		"place-fallback":       {name: "www", client: "203.0.113.9", down: []string{"region.eu"}},
		"place-nearest-left":   {name: "www", client: "203.0.113.9", down: []string{"region.eu", "region.us"}},
		"place-prefix":         {name: "www", client: "192.0.2.200"},
		"place-nowhere":        {name: "www", client: "8.8.8.8"},
		"place-system":         {name: "www", client: "2001:db8::9"},
		"place-kept":           {name: "kept", client: "203.0.113.9"},
		"place-last-resort":    {name: "kept", client: "203.0.113.9", down: []string{"domain.kept"}},
		"place-primary":        {name: "primary", client: "203.0.113.9"},
		"place-failed-to-name": {name: "primary", client: "203.0.113.9", down: []string{"domain.primary.answer.eu"}},
	} {
		t.Run(name, func(t *testing.T) {
			q := explain.Question{Type: "A", Client: netip.MustParseAddr(c.client), ECS: c.ecs}
			if c.resolver != "" {
				q.Resolver = netip.MustParseAddr(c.resolver)
			}
			var err error
			if q.Name, err = explain.Absolute(topo, c.name); err != nil {
				t.Fatal(err)
			}
			state := explain.State{Map: world}
			for _, d := range c.down {
				for _, domain := range topo.Domains {
					for _, a := range domain.Answers {
						if strings.HasPrefix(a.ID, d+".") || a.ID == d || a.Region != nil && a.Region.ID == d {
							state.Down = append(state.Down, a.ID)
						}
					}
				}
			}
			x, err := explain.Explain(topo, q, state, newServer(t, topo).ask)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, x.Text(explain.Paint{}))
		})
	}
}

const byPlace = `
region "eu" {
  location   = [50.11, 8.68]
  continents = ["EU"]
  fallback   = ["us"]
}
region "us" {
  location   = [39.04, -77.49]
  continents = ["NA"]
  asns       = [64496]
  prefixes   = ["192.0.2.192/26"]
  fallback   = ["eu"]
}
region "ap" {
  location = [35.68, 139.69]
  fallback = []
}
geoip { city = "/var/lib/gslb/city.mmdb" }
zone "z" { name = "z.example" }
nameserver "a" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "b" {
  region    = region.us
  addresses = ["198.51.100.53"]
}
check "web" {
  type = "tcp"
  port = 80
}
policy "near" {
  step "prefixes" {}
  step "geo" {}
}
policy "place" {
  step "health" {}
  step "policy" { policy = policy.near }
  step "weight" {}
  step "rotate" {}
  step "limit" {}
}
policy "kept" {
  step "health" { fail_to = region.ap }
  step "sticky" {}
  step "rotate" {}
  step "limit" {}
}
policy "primary" {
  step "health" {}
  step "failover" {}
}
locals {
  places = { eu = region.eu, us = region.us, ap = region.ap }
  hosts  = { eu = ["203.0.113.131", "203.0.113.132"], us = ["203.0.113.141"], ap = ["203.0.113.151"] }
}
domain "www" {
  zone    = zone.z
  policy  = policy.place
  min_ttl = "5s"
  answer "www" {
    for_each  = local.places
    region    = each.value
    addresses = local.hosts[each.key]
    check     = check.web
  }
}
domain "kept" {
  zone   = zone.z
  policy = policy.kept
  answer "kept" {
    for_each  = local.places
    region    = each.value
    addresses = local.hosts[each.key]
    check     = check.web
  }
}
domain "primary" {
  zone   = zone.z
  policy = policy.primary
  answer "eu" {
    addresses = ["203.0.113.131"]
    check     = check.web
  }
  answer "cdn" { cname = "z.cdn.example." }
}
`

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "screens", name+".txt")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: (-want +got)\n%s", path, diff)
	}
}

const large = `
region "eu" {}
network "edge" {
  region = region.eu
  cidr = ["192.0.2.0/24", "2001:db8:1::/64"]
}
network "in" {
  region = region.eu
  cidr = "10.1.0.0/22"
}
zone "z" {
  name = "z.example"
  record "alias" {
    type = "CNAME"
    data = "www"
  }
  record "out" {
    type = "CNAME"
    data = "www.example.com."
  }
  record "mail" {
    type = "A"
    data = "192.0.2.5"
  }
  record "sub" {
    type = "NS"
    data = "ns.example.net."
  }
  record "six" {
    type = "AAAA"
    data = "2001:db8::1"
  }
}
zone "y" { name = "y.example" }
nameserver "ns" {
  for_each  = { a = 53, b = 54 }
  region    = region.eu
  addresses = [cidrhost("192.0.2.0/24", each.value)]
}
director "d" {
  network = network.edge
  address = ["192.0.2.11", "2001:db8:1::11"]
  inside = { network = network.in, address = "10.1.0.1" }
}
farm "f" {
  network = network.in
  gateway = director.d
  server "s" {
    for_each = range(300)
    address = cidrhost("10.1.0.0/22", 10 + each.value)
    weight = each.value == 2 ? 0 : 1
  }
}
virtual_service "w" {
  region = region.eu
  vip = "192.0.2.5"
  ports = ["tcp/80", "tcp/443", "udp/53"]
  tier "n" {
    directors = [director.d]
    method = "nat"
    scheduler = "mh"
    farms = [farm.f]
  }
}
farm "u" {
  network = network.edge
  server "s" {
    for_each = range(2)
    address = [cidrhost("192.0.2.0/24", 100 + each.value), cidrhost("2001:db8:1::/64", 100 + each.value)]
  }
}
virtual_service "u" {
  region = region.eu
  vip = ["192.0.2.6", "2001:db8:1::6"]
  ports = ["udp/53"]
  tier "n" {
    directors = [director.d]
    method = "tun"
    scheduler = "sh"
    farms = [farm.u]
  }
}
domain "www" {
  zone = zone.z
  answer "w" { service = virtual_service.w }
}
domain "u" {
  zone = zone.y
  answer "u" { service = virtual_service.u }
}
`
