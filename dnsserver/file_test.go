package dnsserver

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"gslb/dnsserver/zonefile"
	"gslb/topology"
)

// compiled is the table of a topology of one zone with a master file.
func compiled(t *testing.T, text, records string, nameservers ...*topology.Nameserver) (*Table, error) {
	t.Helper()
	z := zone1("example.org.", records)
	z.File = "x.zone"
	f, err := zonefile.Parse(z.File, z.Name, text, z.TTL)
	if err != nil {
		t.Fatal(err)
	}
	topo := &topology.Topology{Zones: []*topology.Zone{z}, Nameservers: nameservers}
	zones, err := Compile(topo, serial, f)
	if err != nil {
		return nil, err
	}
	return NewTable(zones, unsteered(topo)), nil
}

var oneNameserver = &topology.Nameserver{ID: "nameserver.a", Label: "ns-a", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.53")}}

func TestZonesWithFiles(t *testing.T) {
	const soa = "@ 500 SOA ns1 hostmaster 7 2 3 4 200\n"
	for name, c := range map[string]struct {
		text, records, ask, want string
		nameservers              []*topology.Nameserver
	}{
		"the SOA is the file's":                    {soa, "", "; example.org SOA", "answer: example.org. 500 IN SOA ns1.example.org. hostmaster.example.org. 7 2 3 4 200", []*topology.Nameserver{oneNameserver}},
		"and so is the TTL of what does not exist": {soa, "", "; x.example.org A", "authority: example.org. 200 IN SOA ns1.example.org. hostmaster.example.org. 7 2 3 4 200", []*topology.Nameserver{oneNameserver}},
		"without one the topology makes it": {"www A 192.0.2.1\n", "", "; example.org SOA",
			"answer: example.org. 3600 IN SOA ns-a.example.org. hostmaster.example.org. 2026010100 7200 900 1209600 30", []*topology.Nameserver{oneNameserver}},
		"the nameservers are the file's": {soa + "@ NS ns1\nns1 A 192.0.2.1\n", "", "; example.org NS",
			"answer: example.org. 500 IN NS ns1.example.org.\nadditional: ns1.example.org. 500 IN A 192.0.2.1", []*topology.Nameserver{oneNameserver}},
		"and those of the topology have no name there": {soa + "@ NS ns1\nns1 A 192.0.2.1\n", "", "; ns-a.example.org A",
			"authority: example.org. 200 IN SOA ns1.example.org. hostmaster.example.org. 7 2 3 4 200", []*topology.Nameserver{oneNameserver}},
		"without them they are the topology's": {soa, "", "; example.org NS",
			"answer: example.org. 3600 IN NS ns-a.example.org.\nadditional: ns-a.example.org. 3600 IN A 192.0.2.53", []*topology.Nameserver{oneNameserver}},
		"a file that has both needs no nameserver": {soa + "@ NS ns.example.net.\n", "", "; example.org NS", "answer: example.org. 500 IN NS ns.example.net.", nil},
		"NSEC3 and what signs it is no name of the zone": {soa + "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 0 0 - 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A\n" +
			"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom RRSIG NSEC3 8 3 60 20300101000000 20260101000000 1 @ AA==\n", "", "; 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example.org RRSIG",
			"authority: example.org. 200 IN SOA ns1.example.org. hostmaster.example.org. 7 2 3 4 200", []*topology.Nameserver{oneNameserver}},
		"each signature has the TTL of what it signs": {soa + "www 300 RRSIG A 13 3 300 20300101000000 20260101000000 1 @ AA==\n" +
			"www 60 RRSIG TXT 13 3 60 20300101000000 20260101000000 1 @ AA==\nwww 300 RRSIG A 13 3 300 20300101000000 20260101000000 2 @ AQ==\n", "", "; www.example.org RRSIG",
			"answer: www.example.org. 300 IN RRSIG A 13 3 300 20300101000000 20260101000000 1 example.org. AA==\n" +
				"answer: www.example.org. 300 IN RRSIG A 13 3 300 20300101000000 20260101000000 2 example.org. AQ==\n" +
				"answer: www.example.org. 60 IN RRSIG TXT 13 3 60 20300101000000 20260101000000 1 example.org. AA==", []*topology.Nameserver{oneNameserver}},
		"records of the topology join": {soa + "www 60 TXT a\n", "www 30 TXT b", "; www.example.org TXT", "answer: www.example.org. 30 IN TXT \"a\"\nanswer: www.example.org. 30 IN TXT \"b\"", []*topology.Nameserver{oneNameserver}},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := compiled(t, c.text, c.records, c.nameservers...)
			if err != nil {
				t.Fatal(err)
			}
			packet, via, u := ask(t, c.ask)
			_, got, _ := strings.Cut(show(t, replyTo(table, packet, via, u)), "\n? ")
			_, got, _ = strings.Cut(got, "\n")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestFaultsNameTheLineOfTheFile(t *testing.T) {
	_, err := compiled(t, "a A 192.0.2.1\nb CNAME a\nb A 192.0.2.1\n\nold DNAME new\nx.old TXT x\n", "c 60 CNAME d\nc 60 CNAME e", oneNameserver)
	if err == nil {
		t.Fatal("accepted")
	}
	want := []string{"x.zone:3: b.example.org.: CNAME beside other data", "c.example.org.: more than one CNAME", "x.zone:6: x.old.example.org.: lies below the DNAME of old.example.org."}
	got := strings.Split(err.Error(), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestCompileWantsTheFilesOfZones(t *testing.T) {
	z := zone1("example.org.", "")
	z.File, z.TTL = "x.zone", time.Hour
	_, err := Compile(&topology.Topology{Zones: []*topology.Zone{z}, Nameservers: []*topology.Nameserver{oneNameserver}}, 1)
	if err == nil || err.Error() != "zone example.org.: x.zone has not been read" {
		t.Errorf("%v", err)
	}
}

func TestAZoneThatIsNotServed(t *testing.T) {
	bad, good := zone1("bad.example.org.", "www 60 A 192.0.2.1"), zone1("example.org.", "alias 60 CNAME www.bad")
	bad.File = "x.zone"
	topo := &topology.Topology{Zones: []*topology.Zone{bad, good}, Nameservers: []*topology.Nameserver{oneNameserver}}
	zones, err := Compile(topo, serial, &zonefile.Zone{File: bad.File, Origin: bad.Name, Unserved: true})
	if err != nil {
		t.Fatal(err)
	}
	s := new(Server)
	s.Publish(NewTable(zones, unsteered(topo)))
	d := datagrams{server: s}
	for question, want := range map[string]string{
		"; www.bad.example.org A edns":       "SERVFAIL aa=false 0 24 the zone's file has errors",
		"; bad.example.org SOA edns":         "SERVFAIL aa=false 0 24 the zone's file has errors",
		"; none.bad.example.org MX edns":     "SERVFAIL aa=false 0 24 the zone's file has errors",
		"; bad.example.org DS edns":          "NOERROR aa=true 0", // the zone above is asked
		"; alias.example.org A edns":         "NOERROR aa=true 1",
		"; none.example.org A edns":          "NXDOMAIN aa=true 0",
		"; ns-a.bad.example.org A":           "SERVFAIL aa=false 0",
		"; version.bad.example.org ANY":      "SERVFAIL aa=false 0",
		"; ns-a.example.org A edns":          "NOERROR aa=true 1",
		"; x.y.z.bad.example.org HTTPS edns": "SERVFAIL aa=false 0 24 the zone's file has errors",
	} {
		packet, _, _ := ask(t, question)
		var m dns.Msg
		if err := m.Unpack(d.reply(nil, packet, netip.MustParseAddrPort("192.0.2.1:4711"), time.Now())); err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("%s aa=%v %d", dns.RcodeToString[m.Rcode], m.Authoritative, len(m.Answer))
		if opt := m.IsEdns0(); opt != nil {
			for _, o := range opt.Option {
				if e, ok := o.(*dns.EDNS0_EDE); ok {
					got += fmt.Sprintf(" %d %s", e.InfoCode, e.ExtraText)
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", question, diff)
		}
	}
}
