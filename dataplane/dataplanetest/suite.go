// Package dataplanetest is what every plane must do, as one suite of tests.
package dataplanetest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/dataplane"
	"gslb/tiers"
	"gslb/topology"
)

// A step is a state a plane is brought to.
type step struct {
	name string
	want []tiers.Service
}

var (
	vip4  = netip.MustParseAddr("192.0.2.1")
	vip6  = netip.MustParseAddr("2001:db8::1")
	other = netip.MustParseAddr("198.51.100.1") // foreign
	owner = tiers.Owner{VIPs: map[netip.Addr]bool{vip4: true, vip6: true}}
)

func service(proto topology.Proto, at string, scheduler string, flags tiers.Flags, destinations ...tiers.Destination) tiers.Service {
	s := tiers.Service{
		Key: tiers.VIPKey(proto, netip.MustParseAddrPort(at)), Scheduler: scheduler, Flags: flags, Destinations: destinations,
	}
	s.Netmask = uint8(s.Key.VIP.Addr().BitLen())
	return s
}

func mark(mark uint32, v6 bool, destinations ...tiers.Destination) tiers.Service {
	s := tiers.Service{Key: tiers.MarkKey(mark, v6), Scheduler: "rr", Netmask: 32, Destinations: destinations}
	if v6 {
		s.Netmask = 128
	}
	return s
}

func to(at string, method topology.Method, weight uint32) tiers.Destination {
	return tiers.Destination{Addr: netip.MustParseAddrPort(at), Method: method, Weight: weight}
}

var story = []step{
	{"a NAT service with another port", []tiers.Service{
		service(topology.TCP, "192.0.2.1:80", "wlc", 0, to("10.0.0.1:8080", topology.NAT, 1), to("10.0.0.2:8080", topology.NAT, 3)),
	}},
	{"a weight changes", []tiers.Service{
		service(topology.TCP, "192.0.2.1:80", "wlc", 0, to("10.0.0.1:8080", topology.NAT, 0), to("10.0.0.2:8080", topology.NAT, 65535)),
	}},
	{"scheduler, flag and method change in place", []tiers.Service{
		service(topology.TCP, "192.0.2.1:80", "mh", tiers.Fallback, to("10.0.0.1:80", topology.DR, 1), to("10.0.0.2:80", topology.TUN, 2)),
	}},
	{"UDP, another port, both families", []tiers.Service{
		service(topology.TCP, "192.0.2.1:80", "mh", tiers.Fallback, to("10.0.0.1:80", topology.TUN, 1)),
		service(topology.UDP, "192.0.2.1:53", "rr", tiers.OnePacket, to("10.0.0.1:53", topology.DR, 1)),
		service(topology.TCP, "[2001:db8::1]:80", "sh", tiers.Fallback, to("[2001:db8::11]:80", topology.TUN, 1), to("[2001:db8::12]:80", topology.TUN, 1)),
	}},
	{"services by mark, with the guard", []tiers.Service{
		mark(tiers.MarkBase|1, false, to("10.0.0.1:0", topology.DR, 1)),
		mark(tiers.MarkBase|1, true, to("[2001:db8::11]:0", topology.TUN, 1)),
		mark(tiers.GuardMark, false), mark(tiers.GuardMark, true),
	}},
	{"a destination of the other family", []tiers.Service{
		service(topology.TCP, "192.0.2.1:80", "rr", 0, to("[2001:db8::11]:80", topology.TUN, 1)),
	}},
	{"persistence with a netmask", []tiers.Service{
		{Key: tiers.VIPKey(topology.TCP, netip.MustParseAddrPort("192.0.2.1:443")), Scheduler: "rr",
			Flags: tiers.Persistent, Timeout: 300, Netmask: 24, Destinations: []tiers.Destination{to("10.0.0.1:443", topology.NAT, 1)}},
	}},
	{"GUE and thresholds", []tiers.Service{
		service(topology.TCP, "192.0.2.1:80", "rr", 0, tiers.Destination{
			Addr: netip.MustParseAddrPort("10.0.0.1:80"), Method: topology.TUN, Weight: 1,
			Encap: tiers.Encap{Type: 1, Port: 6080}, Upper: 100, Lower: 80,
		}),
	}},
	{"nothing", nil},
}

// Run runs the suite on planes that open returns: empty ones, each test's own.
// Check, which may be nil, is called with what a plane is then known to hold.
func Run(t *testing.T, open func(t *testing.T) dataplane.Plane, check func(t *testing.T, holds tiers.Table)) {
	t.Run("story", func(t *testing.T) {
		p := open(t)
		for _, s := range story {
			converge(t, p, s.name, tiers.Table{Services: s.want}, check)
		}
	})
	t.Run("foreign services stay", func(t *testing.T) {
		p := open(t)
		foreign := tiers.Table{Services: []tiers.Service{
			service(topology.TCP, netip.AddrPortFrom(other, 80).String(), "rr", 0, to("10.0.0.9:80", topology.NAT, 1)),
			mark(7, false, to("10.0.0.9:0", topology.DR, 1)),
		}}
		foreign.Sort()
		if err := p.Apply(t.Context(), tiers.Diff(tiers.Table{}, foreign, tiers.Owner{})); err != nil {
			t.Fatal(err)
		}
		for _, s := range story {
			if _, err := dataplane.Converge(t.Context(), p, sorted(s.want), owner); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
		}
		same(t, "after everything of ours has come and gone", p, foreign, check)
	})
	t.Run("a refused change does not keep the others back", func(t *testing.T) {
		p := open(t)
		gone := service(topology.TCP, "192.0.2.1:81", "rr", 0)
		missing := tiers.Change{Op: tiers.DeleteService, Service: &gone}
		want := sorted([]tiers.Service{service(topology.TCP, "192.0.2.1:80", "rr", 0, to("10.0.0.1:80", topology.NAT, 1))})
		plan := append(tiers.Plan{missing}, tiers.Diff(tiers.Table{}, want, owner)...)
		err := p.Apply(t.Context(), plan)
		if err == nil || !strings.Contains(err.Error(), "192.0.2.1:81") {
			t.Errorf("error %v; want one that names the refused service", err)
		}
		same(t, "after the others", p, want, check)
	})
	t.Run("more changes than fit one message to the kernel", func(t *testing.T) {
		p := open(t)
		var want tiers.Table
		for s := range 20 {
			svc := service(topology.TCP, fmt.Sprintf("192.0.2.1:%d", 1000+s), "wlc", 0)
			for d := range 100 {
				svc.Destinations = append(svc.Destinations, to(fmt.Sprintf("10.0.%d.%d:80", s, d+1), topology.NAT, uint32(d)))
			}
			want.Services = append(want.Services, svc)
		}
		want.Sort()
		converge(t, p, "20 services of 100 destinations", want, check)
		for i := range want.Services {
			want.Services[i].Destinations[i].Weight++
		}
		converge(t, p, "20 weights", want, check)
		converge(t, p, "nothing", tiers.Table{}, check)
	})
	t.Run("from any state to any other", func(t *testing.T) {
		p := open(t)
		for seed := range uint64(30) {
			converge(t, p, fmt.Sprint("seed ", seed), random(rand.New(rand.NewPCG(seed, 0))), nil)
		}
		converge(t, p, "nothing", tiers.Table{}, check)
	})
}

func converge(t *testing.T, p dataplane.Plane, name string, want tiers.Table, check func(*testing.T, tiers.Table)) {
	t.Helper()
	want.Sort()
	if _, err := dataplane.Converge(t.Context(), p, want, owner); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	same(t, name, p, want, check)
	plan, err := dataplane.Converge(t.Context(), p, want, owner)
	if err != nil || len(plan) != 0 {
		t.Fatalf("%s: converging again changes\n%s(error %v)", name, plan, err)
	}
}

func same(t *testing.T, name string, p dataplane.Plane, want tiers.Table, check func(*testing.T, tiers.Table)) {
	t.Helper()
	got, err := p.Table(t.Context())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	equal := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
	if diff := cmp.Diff(want.String(), got.String(), equal); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", name, diff)
	}
	if plan := tiers.Diff(got, want, owner); len(plan) != 0 {
		t.Fatalf("%s: table differs by\n%s", name, plan)
	}
	if check != nil {
		check(t, want)
	}
}

func sorted(services []tiers.Service) tiers.Table {
	t := tiers.Table{Services: services}
	t.Sort()
	return t
}

// random is a table of a few services that are all ours.
func random(r *rand.Rand) tiers.Table {
	var t tiers.Table
	for _, port := range []int{80, 81, 82} {
		if r.IntN(3) == 0 {
			continue
		}
		s := service(topology.TCP, fmt.Sprintf("192.0.2.1:%d", port), []string{"rr", "wrr", "lc", "wlc", "sed", "nq", "sh", "mh"}[r.IntN(8)], 0)
		for d := range 5 {
			if r.IntN(2) == 0 {
				s.Destinations = append(s.Destinations, to(fmt.Sprintf("10.0.0.%d:%d", d+1, port), topology.Method(1+r.IntN(3)), uint32(r.IntN(4))))
			}
		}
		t.Services = append(t.Services, s)
	}
	t.Sort()
	return t
}
