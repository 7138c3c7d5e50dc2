package wiring

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/conf"
	"gslb/topology"
)

func site(t *testing.T) *topology.Topology {
	t.Helper()
	const path = "testdata/site.hcl"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	topo, diags := conf.Parse(conf.Source{Files: []conf.File{{Name: path, Data: text}}})
	if topo == nil {
		t.Fatal(diags)
	}
	return topo
}

// Every form of every kind of node; UPDATE=1 rewrites.
func TestFiles(t *testing.T) {
	topo := site(t)
	for name, id := range map[string]string{
		"server-nat":            `farm.nat["one"].server.s`,
		"server-nat-behind-tun": `farm.nat["tun"].server.s`,
		"server-tun":            "farm.tun.server.s",
		"server-tun-four":       `farm.other["four"].server.s`,
		"server-tun-six":        `farm.other["six"].server.s`,
		"server-dr":             "farm.dr.server.s",
		"front":                 `director.front["b"]`,
		"director-nat":          `director.nat["one"]`,
		"director-behind-tun":   `director.nat["tun"]`,
		"director-behind-dr":    `director.nat["dr"]`,
	} {
		t.Run(name, func(t *testing.T) {
			n, ok := Of(topo, id)
			if !ok {
				t.Fatalf("the site has no %s", id)
			}
			s := Site{Links: map[netip.Addr]string{}}
			for _, a := range n.Links() {
				s.Links[a] = "eth0"
				if strings.HasPrefix(id, "director.nat") && (strings.HasPrefix(a.String(), "10.") || !strings.HasPrefix(a.String(), "2001:db8:1:") && a.Is6()) {
					s.Links[a] = "eth1.7"
				}
			}
			for _, via := range n.Gateways {
				switch {
				case name == "server-tun-four" && via.Is6():
					via = netip.MustParseAddr("fe80::1")
				case name == "server-tun-six" && via.Is4():
					via = n.Gateways[1]
					s.Gateways = append(s.Gateways, Gateway{Via: via})
					continue
				}
				s.Gateways = append(s.Gateways, Gateway{V6: via.Is6(), Via: via})
			}
			var b strings.Builder
			for _, form := range []Form{Shell, Networkd, Ifupdown, Netplan} {
				in := s
				if form == Shell {
					in = Site{}
				}
				for _, f := range Files(form, n, in) {
					fmt.Fprintf(&b, "##### %s: %s %o\n%s\n", form, f.Path, f.Mode, f.Text)
				}
			}
			golden := filepath.Join("testdata", name+".txt")
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("files of %s (-want +got):\n%s", id, diff)
			}
		})
	}
}

// Two runs over the same needs say the same, whatever was said before.
func TestFilesAreRepeatable(t *testing.T) {
	n, _ := Of(site(t), "farm.tun.server.s")
	s := Site{Links: map[netip.Addr]string{netip.MustParseAddr("192.0.2.31"): "eth0", netip.MustParseAddr("2001:db8:1::31"): "eth0"},
		Gateways: []Gateway{{Via: netip.MustParseAddr("192.0.2.1"), Link: "eth7", OnLink: true}, {V6: true, Via: netip.MustParseAddr("fe80::1")}}}
	for _, word := range Forms() {
		form, _ := ParseForm(word)
		first := Files(form, n, s)
		if diff := cmp.Diff(first, Files(form, n, s)); diff != "" {
			t.Errorf("%s (-first +second):\n%s", form, diff)
		}
		for _, f := range first {
			if word != "shell" && strings.Contains(f.Text, "$") {
				t.Errorf("%s has a variable:\n%s", f.Path, f.Text)
			}
		}
	}
}

func TestUnitNames(t *testing.T) {
	for device, want := range map[string]string{"eth0": "eth0", "br-lan": `br\x2dlan`, "eth0.7": "eth0.7", ".x": `\x2ex`} {
		if got := unitName(device); got != want {
			t.Errorf("%s is %s, want %s", device, got, want)
		}
	}
}
