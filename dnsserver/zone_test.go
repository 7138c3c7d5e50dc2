package dnsserver

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/topology"
)

func TestCompileRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		records string
		domains []string
		want    []string
	}{
		"an alias beside other data": {"www 60 CNAME mail\nwww 60 A 192.0.2.1", nil,
			[]string{"www.example.org.: CNAME beside other data"}},
		"an alias beside a key is possible, and beside a host is not": {"key 60 CNAME mail\nkey 60 KEY 0 3 8 AA==\nwww 60 CNAME mail\nwww 60 HINFO a b", nil,
			[]string{"www.example.org.: CNAME beside other data"}},
		"an alias at the apex": {"@ 60 CNAME mail", nil,
			[]string{"example.org.: CNAME beside other data"}},
		"an alias beside steering": {"www 60 CNAME mail", []string{"www.example.org."},
			[]string{"www.example.org.: CNAME beside other data"}},
		"two aliases": {"www 60 CNAME a\nwww 60 CNAME b", nil,
			[]string{"www.example.org.: more than one CNAME"}},
		"two DNAMEs": {"www 60 DNAME a\nwww 60 DNAME b", nil,
			[]string{"www.example.org.: more than one DNAME"}},
		"data below a DNAME": {"old 60 DNAME new\nx.y.old 60 A 192.0.2.1", nil,
			[]string{"x.y.old.example.org.: lies below the DNAME of old.example.org."}},
		"a DNAME below itself": {"old 60 DNAME x.old", nil,
			[]string{"old.example.org.: DNAME leads to x.old.example.org. below itself, which has no end"}},
		"a DNAME at a delegation": {"old 60 DNAME new\nold 60 NS ns.example.net.", nil,
			[]string{"old.example.org.: DNAME beside NS"}},
		"a delegation at a wildcard": {"* 60 NS ns.example.net.", nil,
			[]string{"*.example.org.: NS or DNAME at a wildcard has no meaning"}},
		"the DS of the zone itself": {"@ 60 DS 1 8 2 00", nil,
			[]string{"example.org.: the DS of a zone stands in the zone above"}},
		"static and steered addresses": {"www 60 A 192.0.2.1", []string{"www.example.org."},
			[]string{"d0: www.example.org. also has a static A"}},
		"a nameserver's name that is steered": {"", []string{"ns.example.org."},
			[]string{"d0: ns.example.org. also has a static A"}},
		"two domains of one name": {"", []string{"www.example.org.", "WWW.example.org."},
			[]string{"d1: WWW.example.org. is also d0"}},
		"a domain that is delegated": {"www 60 NS ns.example.net.", []string{"www.example.org."},
			[]string{"d0: www.example.org. is delegated"}},
		"a domain below a delegation": {"sub 60 NS ns.example.net.", []string{"www.sub.example.org."},
			[]string{"d0: www.sub.example.org. lies below the delegation of sub.example.org."}},
		"a domain of another zone": {"", []string{"www.example.net."},
			[]string{"d0: www.example.net. is not in zone example.org."}},
		"data nobody can read": {"www 60 A 192.0.2.256", nil,
			[]string{`record record.www: A data "192.0.2.256": bad A A: "192.0.2.256"`}},
		"everything at once": {"a 60 A x\nb 60 CNAME c\nb 60 A 192.0.2.1", []string{"example.net."},
			[]string{`record record.a: A data "x": bad A A: "x"`, "d0: example.net. is not in zone example.org.", "b.example.org.: CNAME beside other data"}},
	} {
		t.Run(name, func(t *testing.T) {
			z := zone1("example.org.", c.records)
			topo := &topology.Topology{Zones: []*topology.Zone{z},
				Nameservers: []*topology.Nameserver{{ID: "nameserver.ns", Label: "ns", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.53")}}}}
			for i, d := range c.domains {
				topo.Domains = append(topo.Domains, &topology.Domain{ID: "d" + string(rune('0'+i)), Name: d, Zone: z, TTL: time.Minute, Policy: &topology.Policy{}})
			}
			_, err := Compile(topo, serial)
			if err == nil {
				t.Fatal("accepted")
			}
			if diff := cmp.Diff(c.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestCompileRefusesZones(t *testing.T) {
	ns := []*topology.Nameserver{{ID: "nameserver.ns", Label: "ns", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.53")}}}
	z := zone1("example.org.", "")
	for name, c := range map[string]struct {
		topo *topology.Topology
		want string
	}{
		"without a nameserver": {&topology.Topology{Zones: []*topology.Zone{z}}, "zone example.org.: no nameserver"},
		"given twice":          {&topology.Topology{Zones: []*topology.Zone{z, zone1("Example.ORG.", "")}, Nameservers: ns}, "zone Example.ORG.: declared twice"},
		"of an impossible name": {&topology.Topology{Zones: []*topology.Zone{zone1(strings.Repeat("a", 64)+".", "")}, Nameservers: ns},
			`zone ` + strings.Repeat("a", 64) + `.: "` + strings.Repeat("a", 64) + `." is no domain name`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(c.topo, serial)
			if err == nil {
				t.Fatal("accepted")
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
