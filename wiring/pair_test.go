package wiring

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/conf"
)

const pairSite = `
region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "inside" {
  region = region.eu
  cidr   = "10.10.1.0/24"
}
director "front" {
  for_each = { a = 11, b = 12 }
  network  = network.edge
  address  = "192.0.2.${each.value}"
}
director "nat" {
  for_each = { a = 1, b = 2 }
  network  = network.edge
  address  = "192.0.2.2${each.value}"
  inside   = { network = network.inside, address = "10.10.1.${each.value}" }
}
failover "front" {
  members = values(director.front)
  vips    = ["192.0.2.5"]
}
failover "nat" {
  members = values(director.nat)
  address = "192.0.2.20"
  inside  = { network = network.inside, address = "10.10.1.254" }
}
farm "web" {
  network = network.inside
  gateway = failover.nat
  server "a" { address = "10.10.1.10" }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "front" {
    directors = [failover.front]
    method    = "tun"
  }
  tier "nat" {
    directors = [failover.nat]
    method    = "nat"
    farms     = [farm.web]
  }
}
`

func needsOf(t *testing.T, text, node string) Needs {
	t.Helper()
	topo, diags := conf.Parse(conf.Source{Files: []conf.File{{Name: "site.hcl", Data: []byte(text)}}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	n, ok := Of(topo, node)
	if !ok {
		t.Fatalf("there is no %s", node)
	}
	return n
}

func TestServersOfAPairGoByTheAddressThatMoves(t *testing.T) {
	n := needsOf(t, pairSite, "farm.web.server.a")
	here := func(via string) Picture {
		p := Picture{Links: []Link{{Name: "e0", Up: true, Neighbours: true, MTU: 1500, Addrs: []Addr{{Prefix: netip.MustParsePrefix("10.10.1.10/24")}}}}}
		p.Routes = []Route{{Via: netip.MustParseAddr(via), Link: "e0", MSS: 1440}}
		return p
	}
	for via, want := range map[string]string{
		"10.10.1.254": "",
		"10.10.1.2":   "that is an address of one member of the pair",
		"10.10.1.9":   "replies must pass the director",
	} {
		found := Verify(n, here(via))
		switch {
		case want == "" && len(found) > 0:
			t.Errorf("by %s: %v", via, found)
		case want != "" && (len(found) != 1 || found[0].Code != "default_route" || !strings.HasPrefix(found[0].Why, want)):
			t.Errorf("by %s: %v, want %s", via, found, want)
		case want != "":
			if diff := cmp.Diff([]string{"ip -4 route replace default via 10.10.1.254 dev e0 advmss 1440 proto 71"}, found[0].Mend); diff != "" {
				t.Errorf("by %s (-want +got)\n%s", via, diff)
			}
		}
	}
}

func TestMembersOfAPairTakePacketsForItsAddress(t *testing.T) {
	var scripts []string
	for _, member := range []string{`director.nat["a"]`, `director.nat["b"]`} {
		text := Files(Shell, needsOf(t, pairSite, member), Site{})[0].Text
		for _, want := range []string{"local 192.0.2.20 remote 192.0.2.11", "local 192.0.2.20 remote 192.0.2.12"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no tunnel %s\n%s", member, want, text)
			}
		}
		if strings.Contains(text, "192.0.2.20/32") || strings.Contains(text, "10.10.1.254") {
			t.Errorf("%s has what moves\n%s", member, text)
		}
		scripts = append(scripts, text)
	}
	if strings.Count(scripts[0], "\n") != strings.Count(scripts[1], "\n") {
		t.Errorf("the members differ\n%s\n%s", scripts[0], scripts[1])
	}
	// By DR the fronts must be neighbours of the address.
	dr := strings.Replace(pairSite, `method    = "tun"`, `method    = "dr"`, 1)
	var to []string
	for _, p := range needsOf(t, dr, `director.front["b"]`).Parts {
		for _, peer := range p.To {
			to = append(to, peer.ID+" "+peer.Near.String())
		}
	}
	if diff := cmp.Diff([]string{"failover.nat 192.0.2.20"}, to); diff != "" {
		t.Errorf("where a front sends by DR (-want +got)\n%s", diff)
	}
}
