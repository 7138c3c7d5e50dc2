package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/topology"
	"gslb/vrrp"
)

func TestWhatAMemberIsTold(t *testing.T) {
	addr := netip.MustParseAddr
	edge, inside := &topology.Network{ID: "network.edge"}, &topology.Network{ID: "network.inside"}
	director := func(addrs ...string) *topology.Director {
		d := &topology.Director{ID: "director." + addrs[0], Network: edge}
		for _, a := range addrs {
			d.Addrs = append(d.Addrs, addr(a))
		}
		return d
	}
	other, self := director("192.0.2.11", "2001:db8::11"), director("127.0.0.1")
	f := &topology.Failover{
		ID: "failover.front", Members: []*topology.Director{other, self}, VIPs: topology.Addrs{addr("192.0.2.5"), addr("192.0.2.6")},
		RouterID: 51, Advert: 500 * time.Millisecond, PreemptDelay: 30 * time.Second, Unicast: true, VirtualMAC: true, Key: "env:GSLB_TEST_VRRP",
		Flap: topology.Flap{Count: 3, Window: time.Minute, Hold: 10 * time.Second, Max: 5 * time.Minute},
	}
	const key = "0123456789abcdef0123456789abcdef"
	t.Setenv("GSLB_TEST_VRRP", "# the new one\n"+key+"\n")
	have := []device{{name: "lo", addrs: self.Addrs}}
	got, err := configOf(f, self, have)
	if err != nil {
		t.Fatal(err)
	}
	want := vrrp.Config{
		Name: "failover.front", Priority: 190, Interval: 500 * time.Millisecond, PreemptDelay: 30 * time.Second, PreemptBelow: 190, Flap: vrrp.Flap(f.Flap),
		Instances: []vrrp.Instance{{
			ID: 51, Version: 3, Interface: "lo", Source: addr("127.0.0.1"), Addrs: f.VIPs, Peers: []netip.Addr{addr("192.0.2.11")},
			Unicast: true, VirtualMAC: true, Keys: []vrrp.Key{{ID: 241, Secret: []byte(key)}},
		}},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(x, y netip.Addr) bool { return x == y })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if err := got.Check(); err != nil {
		t.Error(err)
	}
	// What moves inside moves with the VIPs, as a virtual router of its own.
	self.Inside, other.Inside = &topology.Leg{Network: inside, Addrs: self.Addrs}, &topology.Leg{Network: inside, Addrs: topology.Addrs{addr("10.10.1.1")}}
	f.Addrs = topology.Addrs{addr("192.0.2.20")}
	f.Inside = &topology.Leg{Network: inside, Addrs: topology.Addrs{addr("10.10.1.254")}}
	want.Instances[0].Addrs = append(want.Instances[0].Addrs[:2:2], f.Addrs...)
	want.Instances = append(want.Instances, vrrp.Instance{
		ID: 51, Version: 3, Interface: "lo", Source: addr("127.0.0.1"), Addrs: f.Inside.Addrs, Peers: []netip.Addr{addr("10.10.1.1")},
		Unicast: true, VirtualMAC: true, Keys: want.Instances[0].Keys,
	})
	if got, err = configOf(f, self, have); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(x, y netip.Addr) bool { return x == y })); diff != "" {
		t.Errorf("with a gateway (-want +got)\n%s", diff)
	}
	f.VIPs = append(f.VIPs, addr("2001:db8::5"))
	for what, c := range map[string]struct {
		self *topology.Director
		want string
	}{
		"a family that it lacks": {self, "director.127.0.0.1 has no address of the family of 2001:db8::5"},
		"an address of nobody's": {other, "no interface of this host has the address 192.0.2.11"},
	} {
		if _, err := configOf(f, c.self, have); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}
