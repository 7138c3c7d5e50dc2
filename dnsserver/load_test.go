package dnsserver

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gslb/dnsserver/zonefile"
	"gslb/topology"
)

// master is a zone of n names with two records each.
func master(n int) string {
	var b strings.Builder
	b.WriteString("$TTL 3600\n@ SOA ns.example.net. hostmaster.example.net. 1 7200 900 1209600 300\n@ NS ns.example.net.\n@ MX 10 mail.example.net.\n")
	for i := range n {
		fmt.Fprintf(&b, "host%d A 192.0.2.%d\n        AAAA 2001:db8::%x:%x\n", i, i%256, i>>16, i&0xffff)
	}
	return b.String()
}

// load is what a node does with files when it starts.
func load(t testing.TB, zones, names int) *Zones {
	t.Helper()
	text := master(names)
	topo := &topology.Topology{Nameservers: []*topology.Nameserver{{ID: "nameserver.ns", Label: "ns", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.53")}}}}
	var files []*zonefile.Zone
	for i := range zones {
		tz := zone1(fmt.Sprintf("z%d.example.", i), "")
		tz.File = fmt.Sprintf("z%d.zone", i)
		topo.Zones = append(topo.Zones, tz)
		z, err := zonefile.Parse(tz.File, tz.Name, text, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, z)
	}
	compiled, err := Compile(topo, 1, files...)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// Many zones of few names, and one of many: the same number of records.
func BenchmarkLoad(b *testing.B) {
	for _, c := range []struct{ zones, names int }{{1200, 10}, {12000, 10}, {1, 120000}} {
		b.Run(fmt.Sprintf("%d zones of %d names", c.zones, c.names), func(b *testing.B) {
			for range b.N {
				load(b, c.zones, c.names)
			}
			b.ReportMetric(float64(c.zones*c.names*2)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
