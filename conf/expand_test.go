package conf

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustExpand(t *testing.T, src Source) *Expansion {
	t.Helper()
	x, diags := Expand(src)
	if x == nil {
		var b strings.Builder
		Text(&b, diags, src, false)
		t.Fatal(b.String())
	}
	return x
}

const expandSource = `
defaults {
  director = {
    mtu      = 9000
    capacity = { mean_packet = 1000 }
  }
  server = { weight = 100 }
}
locals { leg = { network = network.in, address = "198.51.100.1" } }
region "r" {}
network "out" {
  region = region.r
  cidr   = ["192.0.2.0/24", "2001:db8::/64"]
}
network "in" {
  region = region.r
  cidr   = "198.51.100.0/24"
}
director "d" {
  for_each = { "a b" = 7 }
  network  = network.out
  address  = ["192.0.2.${each.value}", "2001:db8::7"]
  inside   = local.leg
  tags     = { rack = 12, "unit no" = 1.5, note = "$${x}\n", open = true, none = null, of = [region.r], key = secret("file:/etc/key") }
}
farm "f" {
  network = network.in
  gateway = director.d["a b"]
  server "s" {
    for_each = range(2)
    address  = cidrhost("198.51.100.0/24", 10 + each.value)
    weight   = each.value == 0 ? 5 : null
  }
}
virtual_service "v" {
  region = region.r
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "one" {
    directors = director.d
    method    = "nat"
    farms     = [farm.f]
  }
}
`

func TestExpansionSaysValuesAndWhereTheyComeFrom(t *testing.T) {
	x := mustExpand(t, Source{Files: []File{{"t.hcl", []byte(expandSource)}}})
	for _, c := range []struct{ address, want string }{
		{`network.out`, `
network.out {                                                 # t.hcl:11:1
  region  = region.r                                          # t.hcl:12:12
  cidr    = ["192.0.2.0/24", "2001:db8::/64"]                 # t.hcl:13:12
  gateway = ["192.0.2.254", "2001:db8::ffff:ffff:ffff:ffff"]  # default
}
`},
		{`director`, `
director.d["a b"] {                       # t.hcl:19:1
  network = network.out                   # t.hcl:21:14
  address = ["192.0.2.7", "2001:db8::7"]  # t.hcl:22:14
  mtu     = 9000                          # defaults t.hcl:4:16
  tags    = { key = secret("file:/etc/key"), none = null, note = "$${x}\n", of = [region.r], open = true, rack = 12, "unit no" = 1.5 }  # t.hcl:24:14
  inside {                                # t.hcl:23:3
    network = network.in                  # t.hcl:23:14
    address = "198.51.100.1"              # t.hcl:23:14
  }
  capacity {                              # t.hcl:5:5
    mean_packet = 1000                    # defaults t.hcl:5:32
    packet_cost = "60us"                  # default
  }
}
`},
		{`farm.f.server`, `
farm.f.server.s[0] {         # t.hcl:29:3
  address = "198.51.100.10"  # t.hcl:31:16
  weight  = 5                # t.hcl:32:16
  tunnel  = true             # default
}

farm.f.server.s[1] {         # t.hcl:29:3
  address = "198.51.100.11"  # t.hcl:31:16
  weight  = 100              # defaults t.hcl:7:23
  tunnel  = true             # default
}
`},
		{`virtual_service.v.tier.one`, `
virtual_service.v.tier.one {       # t.hcl:39:3
  directors = [director.d["a b"]]  # t.hcl:40:17
  method    = "nat"                # t.hcl:41:17
  scheduler = "wlc"                # default
  farms     = [farm.f]             # t.hcl:42:17
}
`},
	} {
		found, help := x.Find(c.address)
		if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), Print(found, nil)); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.address, help, diff)
		}
	}
}

func TestFindTakesAnAddressAsAPersonTypesIt(t *testing.T) {
	x := mustExpand(t, Source{Files: []File{{"t.hcl", []byte(expandSource)}}})
	for _, c := range []struct{ name, address, want, help string }{
		{"an object", `region.r`, "region.r", ""},
		{"an instance", `director.d["a b"]`, `director.d["a b"]`, ""},
		{"an instance without the quotes a shell has taken", `director.d[a b]`, `director.d["a b"]`, ""},
		{"a label, for all its instances", `director.d`, `director.d["a b"]`, ""},
		{"a kind, for all its blocks", `network`, "network.out network.in", ""},
		{"a block in one", `farm.f.server.s[1]`, "farm.f.server.s[1]", ""},
		{"a group in one", `director.d["a b"].inside`, `director.d["a b"].inside`, ""},
		{"a block of all instances", `director.d.inside`, `director.d["a b"].inside`, ""},
		{"a label with a slip", `network.otu`, "", "Did you mean network.out?"},
		{"a kind with a slip", `farn.f`, "", "Did you mean farm.f?"},
		{"a key with a slip", `director.d["a_b"]`, "", `Did you mean director.d["a b"]?`},
		{"a key too far", `farm.f.server.s[2]`, "", "Did you mean farm.f.server.s[0]?"},
		{"nothing like it", `region.somewhere`, "", "There are region.r."},
		{"a kind that the file has not", `policy.x`, "", "The file has no policy."},
	} {
		found, help := x.Find(c.address)
		var got []string
		for _, o := range found {
			got = append(got, o.Address)
		}
		if diff := cmp.Diff([]string{c.want, c.help}, []string{strings.Join(got, " "), help}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestAddressesAreToldFromFiles(t *testing.T) {
	for s, want := range map[string]bool{
		"director.nat": true, `domain["@"]`: true, "virtual_service": true, "direcor.nat": true,
		"shop.hcl": false, "zone.hcl": false, "farm/eu": false, "region.hcl.json": false, ".": false, "examples": false,
	} {
		if got := IsAddress(s); got != want {
			t.Errorf("IsAddress(%q) = %v", s, got)
		}
	}
}

// What the listing calls a default is what the topology has.
func TestExpansionAgreesWithTheTopology(t *testing.T) {
	data, err := os.ReadFile("../examples/two-tier.hcl")
	if err != nil {
		t.Fatal(err)
	}
	src := Source{Files: []File{{"two-tier.hcl", data}}}
	topo, x := parseSource(t, src), mustExpand(t, src)
	value := func(address, name string) string {
		found, help := x.Find(address)
		if len(found) != 1 {
			t.Fatal(address, help)
		}
		for _, a := range found[0].Arguments {
			if a.Name == name {
				return strings.Trim(a.Value, `"`)
			}
		}
		return ""
	}
	for _, n := range topo.Networks {
		if got := value(n.ID, "gateway"); got != n.Gateways.String() {
			t.Errorf("%s: gateway %s, want %s", n.ID, got, n.Gateways)
		}
	}
	for _, s := range topo.Services {
		for _, tier := range s.Tiers {
			id := s.ID + ".tier." + tier.Name
			if got := value(id, "scheduler"); got != tier.Scheduler {
				t.Errorf("%s: scheduler %s, want %s", id, got, tier.Scheduler)
			}
			if got := value(id, "check"); got != tier.Check.ID {
				t.Errorf("%s: check %s, want %s", id, got, tier.Check.ID)
			}
		}
	}
	for _, d := range topo.Domains {
		for _, a := range d.Answers {
			if got := value(a.ID, "region"); got != a.Region.ID {
				t.Errorf("%s: region %s, want %s", a.ID, got, a.Region.ID)
			}
			if got := value(a.ID, "check"); got != a.Check.ID {
				t.Errorf("%s: check %s, want %s", a.ID, got, a.Check.ID)
			}
		}
	}
}

// Reading an expansion takes as many steps again as checking it did.
func TestAnExpansionIsNotRefusedWhereTheTopologyIsNot(t *testing.T) {
	src := Source{Files: []File{{"t.hcl", []byte(`region "r" {
  for_each = range(8)
  asns     = [length(range(100 + each.key))]
}`)}}}
	l := standardLimits
	l.steps = 1000
	if _, diags := parse(src, l); diags.HasErrors() {
		t.Fatal(diags)
	}
	if _, diags := expand(src, l); diags.HasErrors() {
		t.Error(diags)
	}
}
