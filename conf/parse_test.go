package conf

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"

	"gslb/topology"
)

func mustParse(t *testing.T, text string) *topology.Topology {
	t.Helper()
	return parseSource(t, Source{Files: []File{{"test.hcl", []byte(text)}}})
}

func parseSource(t *testing.T, src Source) *topology.Topology {
	t.Helper()
	topo, diags := Parse(src)
	if topo == nil {
		var b strings.Builder
		Text(&b, diags, src, false)
		t.Fatal(b.String())
	}
	return topo
}

func TestExamplesAreValidWithoutWarnings(t *testing.T) {
	// Servers behind a tunnel in another region: what their provider lets out
	// is not in the file.
	meant := map[string]string{"direct.hcl": "GS225", "reference.hcl": "GS225"}
	names, err := filepath.Glob("../examples/*.hcl")
	if err != nil || len(names) < 3 {
		t.Fatal(err, names)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		src := Source{Files: []File{{name, data}}}
		_, diags := Parse(src)
		diags = slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool { return Code(d) == meant[filepath.Base(name)] })
		var b strings.Builder
		Text(&b, diags, src, false)
		if b.Len() > 0 {
			t.Errorf("%s:\n%s", name, &b)
		}
	}
}

// Addresses and times of a file in one text, with everything that objects
// inherit or get by default.
func TestTwoTierExampleBecomesWhatItSays(t *testing.T) {
	data, err := os.ReadFile("../examples/two-tier.hcl")
	if err != nil {
		t.Fatal(err)
	}
	topo := mustParse(t, string(data))
	s := topo.Services[1]
	if want := `virtual_service.www["us"]`; s.ID != want {
		t.Errorf("got service %s, want %s", s.ID, want)
	}
	type tier struct {
		Name, Method, Scheduler string
		Directors, Farms        []string
		Check                   string
	}
	var got []tier
	for _, x := range s.Tiers {
		y := tier{Name: x.Name, Method: x.Method.String(), Scheduler: x.Scheduler, Check: x.Check.ID}
		for _, d := range x.Directors {
			y.Directors = append(y.Directors, d.ID)
		}
		for _, f := range x.Farms {
			y.Farms = append(y.Farms, f.ID)
		}
		got = append(got, y)
	}
	want := []tier{
		{"front", "dr", "mh", []string{`director.front["us"]`}, nil, "check.web"},
		{"nat", "nat", "wlc", []string{`director.nat["us1"]`, `director.nat["us2"]`}, []string{`farm.web["us1"]`, `farm.web["us2"]`}, "check.web"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tiers (-want +got)\n%s", diff)
	}
	farm := topo.Farms[1]
	if got, want := farm.Servers[2].ID, `farm.web["eu2"].server.web[2]`; got != want {
		t.Errorf("got server %s, want %s", got, want)
	}
	if got, want := farm.Servers[2].Addrs.String(), "10.10.2.12"; got != want {
		t.Errorf("got address %s, want %s", got, want)
	}
	if farm.Gateway.Director != topo.Directors[3] || farm.Gateway.Director.Inside.Network != farm.Network {
		t.Errorf("farm %s has gateway %s", farm.ID, farm.Gateway.ID())
	}
	if c := topo.Checks[0]; c.ID != "check.web" || c.Type != topology.CheckHTTP || c.Path != "/" || c.Jitter != 0.2 || c.Port != 0 {
		t.Errorf("got check %+v", c)
	}
	d := topo.Domains[0]
	wantPolicy := &topology.Policy{Steps: []topology.Step{
		{Kind: topology.StepHealth, FailOpen: true}, {Kind: topology.StepWeight}, {Kind: topology.StepRotate}, {Kind: topology.StepLimit, Answers: 1},
	}}
	if diff := cmp.Diff(wantPolicy, d.Policy); diff != "" {
		t.Errorf("policy (-want +got)\n%s", diff)
	}
	if d.Name != "www.g.shop.example." || d.TTL != 5*time.Second || d.Answers[1].Service != s || d.Answers[1].Region != s.Region ||
		d.Answers[1].Check != s.Check || d.Answers[1].Port != 80 || d.Answers[1].Weight != 1 {
		t.Errorf("got domain %+v with answer %+v", d, d.Answers[1])
	}
	if got := topo.Networks[0]; !got.Routed || got.Gateways.String() != "192.0.2.1" {
		t.Errorf("got %+v, want the gateway of the file", got)
	}
	if got := topo.Networks[2]; got.Routed || got.Gateways.String() != "10.10.1.254" {
		t.Errorf("got %+v, want the highest unused host as gateway", got)
	}
}

// What one region's names are under a for_each, and every other question that
// one expression answers.
func TestExpressions(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want string // names of regions
	}{
		"a map gives keys":                       {`region "a" { for_each = { x = 1, y = 2 } }`, "a-x a-y"},
		"a list gives numbers":                   {`region "a" { for_each = ["x", "y"] }`, "a-0 a-1"},
		"a set gives its strings":                {`region "a" { for_each = toset(["y", "x"]) }`, "a-x a-y"},
		"range gives numbers":                    {`region "a" { for_each = range(3) }`, "a-0 a-1 a-2"},
		"range goes down":                        {`region "a" { for_each = toset([for n in range(3, 0) : "n${n}"]) }`, "a-n1 a-n2 a-n3"},
		"an empty map gives nothing":             {`region "a" { for_each = {} }`, ""},
		"locals come in any order":               {"locals {\n a = local.b\n b = [\"x\"]\n}\nregion \"a\" { for_each = toset(local.a) }", "a-x"},
		"a family can be gone through":           {"region \"a\" { for_each = { x = 1, y = 2 } }\nregion \"b\" { for_each = { for k, r in region.a : k => r if k == \"y\" } }", "a-x a-y b-y"},
		"a family can be for_each":               {"region \"a\" { for_each = [1, 2] }\nregion \"b\" { for_each = region.a }", "a-0 a-1 b-0 b-1"},
		"keys of references can be read":         {"region \"a\" { for_each = { x = 1 } }\nregion \"b\" { for_each = toset([region.a[\"x\"].key, region.a[\"x\"].id]) }", `a-x b-region.a["x"] b-x`},
		"references are equal or not":            {"region \"a\" {}\nregion \"b\" {}\nlocals {\n r = region.a\n}\nregion \"c\" { for_each = local.r == region.a && local.r != region.b ? [1] : [] }", "a b c-0"},
		"a conditional chooses a reference":      {"region \"a\" {}\nregion \"b\" { for_each = (true ? region.a : region.a).id == \"region.a\" ? [1] : [] }", "a b-0"},
		"try and can catch":                      {`region "a" { for_each = try({ x = 1 }.y, can(tonumber("a")) ? [] : [1]) }`, "a-0"},
		"cidrcontains knows addresses":           {`region "a" { for_each = cidrcontains("192.0.2.0/24", "192.0.2.9") && !cidrcontains("192.0.2.0/24", "192.0.3.9") ? [1] : [] }`, "a-0"},
		"cidrcontains knows prefixes":            {`region "a" { for_each = cidrcontains("192.0.2.0/24", "192.0.2.0/25") && !cidrcontains("192.0.2.0/25", "192.0.2.0/24") ? [1] : [] }`, "a-0"},
		"cidrhost counts from the end":           {`region "a" { for_each = toset([cidrhost("192.0.2.0/24", -2), cidrhost("2001:db8::/64", 16)]) }`, "a-192.0.2.254 a-2001:db8::10"},
		"cidrsubnet splits":                      {`region "a" { for_each = toset([cidrsubnet("10.10.0.0/16", 8, 2), cidrsubnet("2001:db8::/32", 32, 3)]) }`, "a-10.10.2.0/24 a-2001:db8:0:3::/64"},
		"cidrnetmask writes it out":              {`region "a" { for_each = toset([cidrnetmask("192.0.2.0/26")]) }`, "a-255.255.255.192"},
		"startswith and endswith":                {`region "a" { for_each = startswith("abc", "ab") && endswith("abc", "bc") && !startswith("a", "ab") ? [1] : [] }`, "a-0"},
		"format is bounded but works":            {`region "a" { for_each = toset([format("%03d", 7)]) }`, "a-007"},
		"arguments of other objects can be read": {"zone \"z\" { name = \"shop.example\" }\nregion \"a\" { for_each = toset([zone.z.name]) }\n" + nameservers, "a-shop.example eu"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range mustParse(t, c.text).Regions {
				got = append(got, r.Name)
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

const nameservers = `
region "eu" {}
nameserver "ns1" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
nameserver "ns2" {
  region    = region.eu
  addresses = ["192.0.2.54"]
}
`

func TestEachAndParentFollowTheBlocks(t *testing.T) {
	topo := mustParse(t, nameservers+`
zone "z" {
  for_each = { a = "a.example", b = "b.example" }
  name     = each.value
  record "host" {
    for_each = ["192.0.2.1", "192.0.2.2"]
    name     = "${parent.key}${each.key}"
    type     = "a"
    data     = each.value
  }
  record "@" {
    type = "TXT"
    data = ["\"${each.key}\"", "x"]
    ttl  = "1m30s"
  }
}
`)
	want := []*topology.Record{
		{ID: `zone.z["b"].record.host[0].A`, Name: "b0.b.example.", Type: "A", TTL: time.Hour, Data: []string{"192.0.2.1"}},
		{ID: `zone.z["b"].record.host[1].A`, Name: "b1.b.example.", Type: "A", TTL: time.Hour, Data: []string{"192.0.2.2"}},
		{ID: `zone.z["b"].record["@"].TXT`, Name: "b.example.", Type: "TXT", TTL: 90 * time.Second, Data: []string{`"b"`, "x"}},
	}
	if diff := cmp.Diff(want, topo.Zones[1].Records); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestGroupsAreBlocksOrArguments(t *testing.T) {
	want := topology.Zone{
		ID: "zone.z", Name: "shop.example.", Contact: "ops.shop.example.", TTL: time.Hour,
		Refresh: time.Hour, Retry: 10 * time.Minute, Expire: 14 * 24 * time.Hour, NegativeTTL: 7 * time.Second,
	}
	for name, soa := range map[string]string{
		"a block":                 "soa {\n contact = \"ops.shop.example\"\n negative_ttl = \"7s\"\n }",
		"an argument":             `soa = { contact = "ops.shop.example.", negative_ttl = "7s" }`,
		"an argument with quotes": `soa = { "contact" = "OPS.shop.example", "negative_ttl" = "7s" }`,
		"an expression":           "soa = local.soa",
		"a part of one":           "soa = merge(local.soa, { negative_ttl = \"7s\" })",
	} {
		t.Run(name, func(t *testing.T) {
			topo := mustParse(t, nameservers+"locals {\n soa = { contact = \"ops.shop.example\", negative_ttl = \"7s\" }\n}\nzone \"z\" {\n name = \"Shop.Example\"\n "+soa+"\n}")
			if diff := cmp.Diff(want, *topo.Zones[0]); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

const cell = nameservers + `
network "edge" {
  region = region.eu
  cidr   = ["192.0.2.0/24", "2001:db8::/64"]
}
director "d" {
  network = network.edge
  address = ["192.0.2.11", "2001:db8::11"]
}
farm "f" {
  network = network.edge
  server "s" { address = ["192.0.2.20", "2001:db8::20"] }
}
virtual_service "s" {
  region = region.eu
  vip    = ["2001:db8::5", "192.0.2.5"]
  ports  = PORTS
  tier "only" {
    directors = [director.d]
    method    = "dr"
    farms     = [farm.f]
  }
}
zone "z" { name = "shop.example" }
domain "@" {
  zone = zone.z
  answer "a" { service = virtual_service.s }
}
`

func TestServicesWithoutACheckAreConnectedTo(t *testing.T) {
	plain := topology.Check{Type: topology.CheckTCP, Interval: 2 * time.Second, Timeout: time.Second, Jitter: 0.2, Rise: 2, Fall: 3,
		Flap: topology.Flap{Count: 4, Window: 5 * time.Minute, Hold: 30 * time.Second, Max: 10 * time.Minute}}
	first := plain
	first.Port = 443
	quick := plain
	quick.Interval, quick.Fall = 1500*time.Millisecond, 1
	for name, c := range map[string]struct {
		before, ports string
		want          *topology.Check
		port          uint16
	}{
		"one TCP port":            {"", `["tcp/80"]`, &plain, 80},
		"one string":              {"", `"tcp/80"`, &plain, 80},
		"the first of several":    {"", `["udp/53", "tcp/443", "tcp/80"]`, &first, 443},
		"none for UDP":            {"", `["udp/53"]`, nil, 0},
		"the defaults' timing":    {"defaults {\n check = { interval = \"1500ms\", fall = 1, path = \"/x\", port = 9 }\n}\n", `["tcp/80"]`, &quick, 80},
		"the defaults as a block": {"defaults {\n check {\n interval = \"1500ms\"\n fall = 1\n }\n}\n", `["tcp/80"]`, &quick, 80},
	} {
		t.Run(name, func(t *testing.T) {
			topo := mustParse(t, c.before+strings.ReplaceAll(cell, "PORTS", c.ports))
			s, a := topo.Services[0], topo.Domains[0].Answers[0]
			if diff := cmp.Diff(c.want, s.Check); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if s.Tiers[0].Check != s.Check || a.Check != s.Check || a.Port != c.port {
				t.Errorf("tier has %v, answer has %v and port %d", s.Tiers[0].Check, a.Check, a.Port)
			}
		})
	}
}

func TestBothFamiliesAreOneBlock(t *testing.T) {
	topo := mustParse(t, strings.ReplaceAll(cell, "PORTS", `["tcp/80"]`))
	n := topo.Networks[0]
	want := &topology.Network{
		ID: "network.edge", Region: topo.Regions[0],
		Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/64")},
		Gateways: topology.Addrs{netip.MustParseAddr("192.0.2.254"), netip.MustParseAddr("2001:db8::ffff:ffff:ffff:ffff")},
	}
	if diff := cmp.Diff(want, n, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := topo.Services[0].VIPs.String(); got != "2001:db8::5, 192.0.2.5" {
		t.Errorf("got VIPs %s, want them in the order of the file", got)
	}
	if got := topo.Domains[0].Name; got != "shop.example." {
		t.Errorf("got domain %s, want the zone itself", got)
	}
}

func TestADirectorMayBeTheGatewayOfItsSegment(t *testing.T) {
	topo := mustParse(t, nameservers+`
network "edge" {
  region  = region.eu
  cidr    = "192.0.2.0/24"
}
network "inside" {
  region  = region.eu
  cidr    = "10.10.1.0/24"
  gateway = "10.10.1.1"
}
director "d" {
  network = network.edge
  address = "192.0.2.254"
  inside  = { network = network.inside, address = "10.10.1.1" }
}
`)
	if n := topo.Networks[1]; !n.Routed || n.Gateways.String() != topo.Directors[0].Inside.Addrs.String() {
		t.Errorf("got gateways %s, want the director's", n.Gateways)
	}
	if n := topo.Networks[0]; n.Routed || n.Gateways.String() != "192.0.2.253" {
		t.Errorf("got gateways %s, want the highest host that nobody has", n.Gateways)
	}
}

func TestVariables(t *testing.T) {
	const text = `
variable "names" {
  type    = list(string)
  default = ["a"]
}
variable "more" { default = "m" }
variable "many" {
  type    = number
  default = 1
}
region "r" { for_each = toset(concat(var.names, [var.more, "n${var.many + 1}"])) }
`
	for name, c := range map[string]struct {
		vars, env map[string]string
		want      string
	}{
		"their defaults":              {nil, nil, "r-a r-m r-n2"},
		"from the environment":        {nil, map[string]string{"GSLB_VAR_more": "e", "GSLB_VAR_other": "x", "more": "y"}, "r-a r-e r-n2"},
		"given ones beat it":          {map[string]string{"more": "v"}, map[string]string{"GSLB_VAR_more": "e"}, "r-a r-n2 r-v"},
		"lists are written as such":   {map[string]string{"names": `["x", "y"]`, "many": "4"}, nil, "r-m r-n5 r-x r-y"},
		"strings are not looked into": {map[string]string{"more": "${x}"}, nil, "r-${x} r-a r-n2"},
	} {
		t.Run(name, func(t *testing.T) {
			topo := parseSource(t, Source{Files: []File{{"v.hcl", []byte(text)}}, Vars: c.vars, Env: c.env})
			var got []string
			for _, r := range topo.Regions {
				got = append(got, r.Name)
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	for name, c := range map[string]struct {
		vars map[string]string
		want string
	}{
		"of the wrong type": {map[string]string{"many": "x"}, "v.hcl:8: ERROR GS019: Variable refused"},
		"not declared":      {map[string]string{"mny": "1"}, ":0: ERROR GS019: Variable refused"},
		"not an expression": {map[string]string{"names": "[a"}, "v.hcl:3: ERROR GS019: Variable refused"},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := Parse(Source{Files: []File{{"v.hcl", []byte(text)}}, Vars: c.vars})
			if diff := cmp.Diff([]string{c.want}, found(diags)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestWatchIsFalseUnlessTheTopologyBlockSaysSo(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                    false,
		`topology "t" {}`:                     false,
		"topology \"t\" {\n watch = true\n}":  true,
		"topology \"t\" {\n watch = false\n}": false,
		"variable \"w\" {\n default = true\n}\ntopology \"t\" {\n watch = var.w\n}": true,
	} {
		if got := mustParse(t, text).Watch; got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// A value of the wrong type that comes from outside is told of where the type
// stands: nothing else in the file is wrong.
func TestAVariableOfAnotherTypePointsAtItsType(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		src  Source
		want string
	}{
		"from the environment": {"variable \"n\" {\n  type = number\n}\n", Source{Env: map[string]string{"GSLB_VAR_n": "x"}},
			"2:10-2:16 GSLB_VAR_n gives \"x\", which is not of the variable's type: a number is required. Give GSLB_VAR_n a number."},
		"from the command line": {"variable \"n\" {\n  type = list(number)\n}\n", Source{Vars: map[string]string{"n": "3"}},
			"2:10-2:22 --var n gives \"3\", which is not of the variable's type: list of number required, but have number. Give --var n a list of number, as in [1]."},
		"a map": {"variable \"n\" {\n  type = map(string)\n}\n", Source{Env: map[string]string{"GSLB_VAR_n": "[]"}},
			"2:10-2:21 GSLB_VAR_n gives \"[]\", which is not of the variable's type: map of string required. Give GSLB_VAR_n a map of string, as in { a = \"x\" }."},
		"an object": {"variable \"n\" {\n  type = object({ a = bool })\n}\n", Source{Env: map[string]string{"GSLB_VAR_n": "{}"}},
			"2:10-2:30 GSLB_VAR_n gives \"{}\", which is not of the variable's type: attribute \"a\" is required. Give GSLB_VAR_n an object({a=bool}), as in { a = true }."},
	} {
		t.Run(name, func(t *testing.T) {
			c.src.Files = []File{{"v.hcl", []byte(c.text + "locals { m = var.n }\nregion \"r\" { name = \"r${local.m}\" }\n")}}
			_, diags := Parse(c.src)
			if len(diags) == 0 {
				t.Fatal("accepted")
			}
			d := diags[0]
			at, help := d.Subject, d.Extra.(*Extra).Help
			got := fmt.Sprintf("%d:%d-%d:%d %s %s", at.Start.Line, at.Start.Column, at.End.Line, at.End.Column, d.Detail, help)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestFilesAreOneTopology(t *testing.T) {
	topo := parseSource(t, Source{Files: []File{
		{"b.hcl", []byte("network \"n\" {\n region = region.r[\"a\"]\n cidr = local.cidr\n}\ndirector \"d\" {\n network = network.n\n address = cidrhost(network.n.cidr, 9)\n}\n")},
		{"a.hcl.json", []byte(`{
			"//": "a comment",
			"locals": {"cidr": "192.0.2.0/24"},
			"region": {"r": {"for_each": {"a": [50.11, 8.68]}, "location": "${each.value}"}},
			"nameserver": {
				"ns1": {"region": "${region.r[\"a\"]}", "addresses": ["192.0.2.53"]},
				"ns2": {"region": "${region.r[\"a\"]}", "addresses": ["${cidrhost(local.cidr, 54)}"]}
			},
			"zone": {"z": {"name": "shop.example", "soa": {"contact": "ops.shop.example"}, "record": {"@": {"type": "MX", "data": ["10 mail", "20 relay"]}}}}
		}`)},
	}})
	if got := topo.Directors[0].Addrs.String(); got != "192.0.2.9" {
		t.Errorf("got director at %s, want 192.0.2.9", got)
	}
	if got, want := *topo.Regions[0].Location, (topology.Point{Lat: 50.11, Lon: 8.68}); got != want {
		t.Errorf("got location %v, want %v", got, want)
	}
	if z := topo.Zones[0]; z.Contact != "ops.shop.example." || len(z.Records[0].Data) != 2 {
		t.Errorf("got zone %+v", z)
	}
	if got := topo.Nameservers[1].Addrs[0].String(); got != "192.0.2.54" {
		t.Errorf("got name server at %s", got)
	}
}

func TestFaultsInJSONAreFoundToo(t *testing.T) {
	_, diags := Parse(Source{Files: []File{{"a.hcl.json", []byte(`{
  "region": {"eu": {"locaton": [1, 2]}},
  "network": {"edge": {"region": "${regio.eu}", "cidr": "192.0.2.1/24"}},
  "netwrk": {}
}`)}}})
	want := []string{
		"a.hcl.json:2: ERROR GS001: Unknown argument",
		"a.hcl.json:3: ERROR GS008: Unknown reference",
		"a.hcl.json:3: ERROR GS010: Invalid value",
		"a.hcl.json:4: ERROR GS001: Unknown argument",
	}
	if diff := cmp.Diff(want, found(diags)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDurations(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"2s": 2 * time.Second, "300ms": 300 * time.Millisecond, "1m30s": 90 * time.Second, "60us": 60 * time.Microsecond,
		"0.5s": 500 * time.Millisecond, "2w": 14 * 24 * time.Hour, "1d": 24 * time.Hour, "0s": 0,
		"": -1, "2": -1, "s": -1, "-2s": -1, "2 s": -1, "1..5s": -1, "2sec": -1, "99999999999w": -1,
	} {
		got, ok := parseDuration(s)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("parseDuration(%q) = %v, want %v", s, got, want)
		}
	}
}
