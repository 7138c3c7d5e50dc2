package tiers

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/topology"
)

func TestMembersOfAPairForwardAlike(t *testing.T) {
	edge := &topology.Network{ID: "network.edge", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	director := func(id, a string) *topology.Director {
		return &topology.Director{ID: id, Network: edge, Addrs: topology.Addrs{netip.MustParseAddr(a)}}
	}
	a, b := director("director.a", "192.0.2.11"), director("director.b", "192.0.2.12")
	pair := &topology.Failover{ID: "failover.front", Members: []*topology.Director{a, b}, VIPs: topology.Addrs{netip.MustParseAddr("192.0.2.5"), netip.MustParseAddr("192.0.2.6")}}
	farm := &topology.Farm{ID: "farm.web", Network: edge}
	for _, x := range []string{"192.0.2.22", "192.0.2.21"} {
		farm.Servers = append(farm.Servers, &topology.Server{ID: x, Farm: farm, Addrs: topology.Addrs{netip.MustParseAddr(x)}, Weight: 1})
	}
	topo := &topology.Topology{
		Directors: pair.Members, Failovers: []*topology.Failover{pair}, Farms: []*topology.Farm{farm},
		Services: []*topology.Service{{
			ID: "virtual_service.www", VIPs: pair.VIPs[:1], Ports: []topology.Port{{Proto: topology.TCP, Number: 80}},
			Tiers: []*topology.Tier{{Name: "tun", Directors: pair.Members, Pair: pair, Method: topology.TUN, Scheduler: "mh", Farms: []*topology.Farm{farm}}},
		}},
	}
	same := cmp.Comparer(func(x, y netip.Addr) bool { return x == y })
	samePort := cmp.Comparer(func(x, y netip.AddrPort) bool { return x == y })
	if diff := cmp.Diff(Compile(topo, a, nil), Compile(topo, b, nil), same, samePort); diff != "" {
		t.Errorf("tables (-first +second)\n%s", diff)
	}
	backup := DirectorHost(topo, a)
	if len(backup.Addresses) != 0 {
		t.Errorf("a backup has %v", backup.Addresses)
	}
	for _, key := range []string{"net/ipv4/vs/sloppy_tcp", "net/ipv4/vs/expire_nodest_conn"} {
		if !slices.Contains(backup.Sysctls, Sysctl{Key: key, Value: "1"}) {
			t.Errorf("a backup lacks %s: %v", key, backup.Sysctls)
		}
	}
	if tunnels := ServerHost(topo, farm.Servers[0]).Tunnels; len(tunnels) != 2 {
		t.Errorf("a server has tunnels from %v, want one from each member", tunnels)
	}
}
