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
			Tiers: []*topology.Tier{{Name: "tun", Directors: pair.Members, Pairs: []*topology.Failover{pair}, Method: topology.TUN, Scheduler: "mh", Farms: []*topology.Farm{farm}}},
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

// A pair behind a front is one destination, its floating address; both members
// are ready for what is sent there, and only the active one has it.
func TestAPairBehindATierIsOneDestination(t *testing.T) {
	addr := netip.MustParseAddr
	addrs := func(list ...string) (out topology.Addrs) {
		for _, a := range list {
			out = append(out, addr(a))
		}
		return out
	}
	edge := &topology.Network{ID: "network.edge", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/64")}}
	inside := &topology.Network{ID: "network.inside", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.10.1.0/24"), netip.MustParsePrefix("2001:db8:1::/64")}}
	front := &topology.Director{ID: "director.front", Network: edge, Addrs: addrs("192.0.2.11", "2001:db8::11")}
	a := &topology.Director{ID: "director.a", Network: edge, Addrs: addrs("192.0.2.21", "2001:db8::21"), Inside: &topology.Leg{Network: inside, Addrs: addrs("10.10.1.1", "2001:db8:1::1")}}
	b := &topology.Director{ID: "director.b", Network: edge, Addrs: addrs("192.0.2.22", "2001:db8::22"), Inside: &topology.Leg{Network: inside, Addrs: addrs("10.10.1.2", "2001:db8:1::2")}}
	pair := &topology.Failover{
		ID: "failover.nat", Members: []*topology.Director{a, b}, RouterID: 20, Addrs: addrs("192.0.2.20", "2001:db8::20"),
		Inside: &topology.Leg{Network: inside, Addrs: addrs("10.10.1.254", "2001:db8:1::fe")},
	}
	farm := &topology.Farm{ID: "farm.web", Network: inside, Gateway: topology.Forwarder{Pair: pair}}
	for i, x := range []string{"10.10.1.10", "10.10.1.11"} {
		farm.Servers = append(farm.Servers, &topology.Server{ID: x, Farm: farm, Addrs: addrs(x, "2001:db8:1::1"+x[len(x)-1:]), Weight: 2 + i})
	}
	nat := &topology.Tier{Name: "nat", Directors: pair.Members, Pairs: []*topology.Failover{pair}, Method: topology.NAT, Scheduler: "mh", Farms: []*topology.Farm{farm}}
	service := &topology.Service{
		ID: "virtual_service.www", VIPs: addrs("192.0.2.5", "2001:db8::5"), Ports: []topology.Port{{Proto: topology.TCP, Number: 80}},
		Tiers: []*topology.Tier{{Name: "front", Directors: []*topology.Director{front}, Method: topology.TUN, Scheduler: "mh"}, nat},
	}
	topo := &topology.Topology{Directors: []*topology.Director{front, a, b}, Failovers: []*topology.Failover{pair}, Farms: []*topology.Farm{farm}, Services: []*topology.Service{service}}
	same := cmp.Options{cmp.Comparer(func(x, y netip.Addr) bool { return x == y }), cmp.Comparer(func(x, y netip.AddrPort) bool { return x == y })}

	ground := Prepare(topo, front)
	key := VIPKey(topology.TCP, netip.MustParseAddrPort("192.0.2.5:80"))
	row := func(in Inputs) []Destination {
		for _, s := range ground.Decide(in).Table.Services {
			if s.Key == key {
				return s.Destinations
			}
		}
		return nil
	}
	want := []Destination{{Addr: netip.MustParseAddrPort("192.0.2.20:80"), Method: topology.TUN, Weight: 1}}
	if diff := cmp.Diff(want, row(Inputs{}), same); diff != "" {
		t.Errorf("what the front forwards to (-want +got)\n%s", diff)
	}
	for _, from := range []string{"director.a", "director.b"} {
		of, ok := ground.Hears(From{from, key})
		if !ok || of != (From{"failover.nat", key}) || !ground.Counts(of) {
			t.Errorf("%s is heard as %v, %v", from, of, ok)
		}
	}
	for _, from := range []string{"failover.nat", "director.front"} {
		if of, ok := ground.Hears(From{from, key}); ok {
			t.Errorf("%s is heard as %v", from, of)
		}
	}
	if got := row(Inputs{Reports: Reports{{"failover.nat", key}: 0}}); len(got) != 1 || got[0].Weight != 0 {
		t.Errorf("with nothing behind the pair %v", got)
	}

	if diff := cmp.Diff(Compile(topo, a, nil), Compile(topo, b, nil), same); diff != "" {
		t.Errorf("tables of the members (-first +second)\n%s", diff)
	}
	if got := Prepare(topo, b).PairOf(key); got != pair {
		t.Errorf("a member has the service by %v", got)
	}
	backup := DirectorHost(topo, b)
	ends := func(h Host) (out []string) {
		for _, x := range h.Tunnels {
			out = append(out, x.Remote.String()+" "+x.Local.String())
		}
		return out
	}
	if diff := cmp.Diff([]string{"192.0.2.11 192.0.2.20", "2001:db8::11 2001:db8::20"}, ends(backup)); diff != "" {
		t.Errorf("tunnels to the address of the pair (-want +got)\n%s", diff)
	}
	var routes []string
	for _, r := range ServerHost(topo, farm.Servers[0]).Routes {
		routes = append(routes, r.Via.String())
	}
	if diff := cmp.Diff([]string{"10.10.1.254", "2001:db8:1::fe"}, routes); diff != "" {
		t.Errorf("default routes of a server (-want +got)\n%s", diff)
	}

	// By DR the VIP lies on lo of both, and the front finds the pair's address by ARP.
	service.Tiers[0].Method = topology.DR
	backup = DirectorHost(topo, b)
	if diff := cmp.Diff([]Address{{Addr: service.VIPs[0], Link: Link{Name: "lo"}}, {Addr: service.VIPs[1], Link: Link{Name: "lo"}}}, backup.Addresses, same); diff != "" || len(backup.Tunnels) != 0 {
		t.Errorf("a backup by DR, with tunnels %v (-want +got)\n%s", backup.Tunnels, diff)
	}
}
