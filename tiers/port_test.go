package tiers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/topology"
)

// Which ports a check without one looks at, on a service of several.
func TestPortsOfChecks(t *testing.T) {
	tcp := func(n uint16) topology.Port { return topology.Port{Proto: topology.TCP, Number: n} }
	udp := func(n uint16) topology.Port { return topology.Port{Proto: topology.UDP, Number: n} }
	for name, c := range map[string]struct {
		typ    topology.CheckType
		port   uint16
		server uint16 // a port of its own
		ports  []topology.Port
		want   []string // of the first server
	}{
		"TCP for TCP":                            {topology.CheckTCP, 0, 0, []topology.Port{tcp(80)}, []string{"10.0.1.10:80"}},
		"TCP for UDP, where there is one":        {topology.CheckHTTP, 0, 0, []topology.Port{udp(443), tcp(443)}, []string{"10.0.1.10:443"}},
		"UDP for UDP":                            {topology.CheckDNS, 0, 0, []topology.Port{tcp(853), udp(53)}, []string{"10.0.1.10:53"}},
		"the server's own port":                  {topology.CheckUDP, 0, 5353, []topology.Port{udp(53)}, []string{"10.0.1.10:5353"}},
		"the server's own, the check's is moved": {topology.CheckDNS, 53, 5353, []topology.Port{udp(53)}, []string{"10.0.1.10:5353"}},
		"another port":                           {topology.CheckTCP, 8080, 0, []topology.Port{udp(53)}, []string{"10.0.1.10:8080"}},
		"a ping, of no port and once":            {topology.CheckICMP, 0, 0, []topology.Port{tcp(80), tcp(443), udp(443)}, []string{"10.0.1.10:0"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(topology.TUN, "rr")
			w.check.Type, w.check.Port = c.typ, c.port
			w.topo.Services[0].Ports = c.ports
			for _, f := range w.topo.Farms {
				for _, s := range f.Servers {
					s.Port = c.server
				}
			}
			var got []string
			for _, p := range Prepare(w.topo, w.nat1).Probes {
				if p.Target.Addr.Addr() == addr("10.0.1.10") {
					got = append(got, p.Target.Addr.String())
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
