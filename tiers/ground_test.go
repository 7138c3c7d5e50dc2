package tiers

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/health"
	"gslb/topology"
)

var addr = netip.MustParseAddr

// A world is one service of two tiers: a front, two NAT directors with a farm
// each. Method and scheduler of the front are the caller's.
type world struct {
	topo              *topology.Topology
	front, nat1, nat2 *topology.Director
	check             *topology.Check
}

func newWorld(method topology.Method, scheduler string) world {
	region := &topology.Region{ID: "region.eu", Name: "eu"}
	edge := &topology.Network{ID: "network.edge", Region: region}
	inside := &topology.Network{ID: "network.inside", Region: region}
	check := &topology.Check{ID: "check.web", Type: topology.CheckTCP, Interval: time.Second, Timeout: time.Second / 2, Rise: 1, Fall: 1}
	w := world{check: check}
	director := func(id, a string) *topology.Director {
		return &topology.Director{ID: id, Network: edge, Addrs: topology.Addrs{addr(a), addr("2001:db8::" + a[len(a)-2:])}}
	}
	w.front, w.nat1, w.nat2 = director("director.front", "192.0.2.11"), director("director.nat1", "192.0.2.21"), director("director.nat2", "192.0.2.22")
	var farms []*topology.Farm
	for i, d := range []*topology.Director{w.nat1, w.nat2} {
		d.Inside = &topology.Leg{Network: inside, Addrs: topology.Addrs{addr(fmt.Sprintf("10.0.%d.1", i+1))}}
		f := &topology.Farm{ID: "farm", Region: region, Network: inside, Gateway: topology.Forwarder{Director: d}}
		for s, weight := range []int{200, 100 * (i + 1)} {
			f.Servers = append(f.Servers, &topology.Server{
				ID: "server", Farm: f, Weight: weight, Port: 8080,
				Addrs: topology.Addrs{addr(fmt.Sprintf("10.0.%d.1%d", i+1, s)), addr(fmt.Sprintf("2001:db8:%d::1%d", i+1, s))},
			})
		}
		farms = append(farms, f)
	}
	w.topo = &topology.Topology{
		Regions: []*topology.Region{region}, Directors: []*topology.Director{w.front, w.nat1, w.nat2}, Farms: farms,
		Services: []*topology.Service{{
			ID: "virtual_service.www", Region: region, VIPs: topology.Addrs{addr("192.0.2.5")},
			Ports: []topology.Port{{Proto: topology.TCP, Number: 80}}, Check: check,
			Tiers: []*topology.Tier{
				{Name: "front", Directors: []*topology.Director{w.front}, Method: method, Scheduler: scheduler, Check: check},
				{Name: "nat", Directors: []*topology.Director{w.nat1, w.nat2}, Method: topology.NAT, Scheduler: "wlc", Farms: farms, Check: check},
			},
		}},
	}
	return w
}

// view with everybody up but those at the given addresses.
func (w world) view(self *topology.Director, down ...string) health.View {
	v := health.View{}
	for _, p := range Prepare(w.topo, self).Probes {
		where := p.Target.Via
		if !where.IsValid() {
			where = p.Target.Addr.Addr()
		}
		v = v.Observe(p.Target, p.Check, time.Time{}, !strings.Contains(strings.Join(down, " "), where.String()))
	}
	return v
}

// services of a table without those by fwmark.
func services(t Table) string {
	var out Table
	for _, s := range t.Services {
		if s.Key.VIP.IsValid() {
			out.Services = append(out.Services, s)
		}
	}
	return out.String()
}

func TestCompile(t *testing.T) {
	tests := map[string]struct {
		method    topology.Method
		scheduler string
		self      string
		down      []string
		edit      func(world)
		want      string
	}{
		"a front forwards to the next tier, weighted by what is behind": {
			method: topology.TUN, scheduler: "mh", self: "director.front",
			want: `
tcp 192.0.2.5:80 mh fallback
  -> 192.0.2.21:80 tun weight 3
  -> 192.0.2.22:80 tun weight 4
`},
		"a dead director keeps its place in the hash": {
			method: topology.DR, scheduler: "mh", self: "director.front", down: []string{"192.0.2.21"},
			want: `
tcp 192.0.2.5:80 mh fallback
  -> 192.0.2.21:80 dr weight 0
  -> 192.0.2.22:80 dr weight 4
`},
		"but not for UDP, whose flows would stay with it": {
			method: topology.DR, scheduler: "mh", self: "director.front", down: []string{"192.0.2.21"},
			edit: func(w world) { w.topo.Services[0].Ports = []topology.Port{{Proto: topology.UDP, Number: 53}} },
			want: `
udp 192.0.2.5:53 mh fallback
  -> 192.0.2.22:53 dr weight 4
`},
		"a dead destination of any other scheduler is taken out": {
			method: topology.TUN, scheduler: "rr", self: "director.front", down: []string{"192.0.2.22"},
			want: `
tcp 192.0.2.5:80 rr
  -> 192.0.2.21:80 tun weight 3
`},
		"a NAT director forwards to the farm whose gateway it is": {
			method: topology.TUN, scheduler: "mh", self: "director.nat2",
			want: `
tcp 192.0.2.5:80 wlc
  -> 10.0.2.10:8080 nat weight 200
  -> 10.0.2.11:8080 nat weight 200
`},
		"a dead real server is taken out": {
			method: topology.TUN, scheduler: "mh", self: "director.nat1", down: []string{"10.0.1.10"},
			want: `
tcp 192.0.2.5:80 wlc
  -> 10.0.1.11:8080 nat weight 100
`},
		"without a check everybody is up": {
			method: topology.TUN, scheduler: "wrr", self: "director.front",
			edit: func(w world) { w.topo.Services[0].Tiers[0].Check = nil },
			want: `
tcp 192.0.2.5:80 wrr
  -> 192.0.2.21:80 tun weight 3
  -> 192.0.2.22:80 tun weight 4
`},
		"each family is a service of its own": {
			method: topology.DR, scheduler: "wrr", self: "director.front",
			edit: func(w world) {
				w.topo.Services[0].VIPs = append(w.topo.Services[0].VIPs, addr("2001:db8::5"))
			},
			want: `
tcp 192.0.2.5:80 wrr
  -> 192.0.2.21:80 dr weight 3
  -> 192.0.2.22:80 dr weight 4
tcp [2001:db8::5]:80 wrr
  -> [2001:db8::21]:80 dr weight 3
  -> [2001:db8::22]:80 dr weight 4
`},
		"a director that drains has all its servers at weight 0": {
			method: topology.TUN, scheduler: "wrr", self: "director.front",
			edit: func(w world) {
				for _, s := range w.topo.Farms[0].Servers {
					s.Weight = 0
				}
			},
			want: `
tcp 192.0.2.5:80 wrr
  -> 192.0.2.21:80 tun weight 0
  -> 192.0.2.22:80 tun weight 1
`},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(c.method, c.scheduler)
			if c.edit != nil {
				c.edit(w)
			}
			self, _ := w.topo.Director(c.self)
			got := services(Compile(w.topo, self, w.view(self, c.down...)))
			if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), got); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

// Before the first check a service is undecided: nothing is added to it, and
// what a director before has left in the kernel stays.
func TestNothingUnknownIsDecided(t *testing.T) {
	w := newWorld(topology.TUN, "rr")
	for _, d := range w.topo.Directors {
		want := Compile(w.topo, d, nil)
		for _, s := range want.Services {
			if s.Undecided != s.Key.VIP.IsValid() {
				t.Errorf("%s: %s is undecided: %v", d.ID, s, s.Undecided)
			}
		}
		for _, have := range []Table{{}, Compile(w.topo, d, w.view(d))} {
			for _, c := range Diff(have, want, Prepare(w.topo, d).Owner) {
				if c.Service.Key.VIP.IsValid() {
					t.Errorf("%s: before the first check: %s", d.ID, c)
				}
			}
		}
	}
	// One result is not enough when there are two destinations; both are.
	v := health.View{}
	for i, p := range Prepare(w.topo, w.front).Probes {
		v = v.Observe(p.Target, p.Check, time.Time{}, i == 0)
		decided := 0
		for _, s := range Compile(w.topo, w.front, v).Services {
			if s.Key.VIP.IsValid() && !s.Undecided {
				decided++
			}
		}
		if decided != i {
			t.Errorf("after %d of 2 results %d services are decided, want %d", i+1, decided, i)
		}
	}
}

func TestProbes(t *testing.T) {
	w := newWorld(topology.TUN, "rr")
	front := Prepare(w.topo, w.front).Probes
	if len(front) != 2 {
		t.Fatalf("front probes %d targets, want its 2 directors: %v", len(front), front)
	}
	table := Compile(w.topo, w.front, nil)
	for i, via := range []string{"192.0.2.21", "192.0.2.22"} {
		p := front[i]
		if p.Target != (health.Target{Check: "check.web", Addr: netip.MustParseAddrPort("192.0.2.5:80"), Via: addr(via)}) {
			t.Errorf("probe %d asks %v, want the VIP on %s", i, p.Target, via)
		}
		if p.Source != addr("192.0.2.11") {
			t.Errorf("probe %d comes from %s, want the front's own address", i, p.Source)
		}
		found := false
		for _, s := range table.Services {
			if s.Key == MarkKey(p.Mark, false) {
				found = len(s.Destinations) == 1 && s.Destinations[0].Addr.Addr() == addr(via) && s.Destinations[0].Method == topology.TUN
			}
		}
		if !found {
			t.Errorf("mark 0x%x of the probe on %s leads nowhere in\n%s", p.Mark, via, table)
		}
	}
	nat := Prepare(w.topo, w.nat1).Probes
	if len(nat) != 2 || nat[0].Mark != 0 || nat[0].Target.Addr != netip.MustParseAddrPort("10.0.1.10:8080") {
		t.Errorf("NAT director probes %v, want its 2 real servers directly", nat)
	}
}

func TestTheCheckedPort(t *testing.T) {
	tcp80, udp53 := topology.Port{Proto: topology.TCP, Number: 80}, topology.Port{Proto: topology.UDP, Number: 53}
	for name, c := range map[string]struct {
		check, server uint16 // 0: not given
		ports         []topology.Port
		front, nat    string // what they ask
	}{
		"the service's, where servers have no other": {0, 0, []topology.Port{tcp80}, "192.0.2.5:80", "10.0.1.10:80"},
		"a server's own": {0, 8080, []topology.Port{tcp80}, "192.0.2.5:80", "10.0.1.10:8080"},
		"a server's own, also when the check says the VIP's": {80, 8080, []topology.Port{tcp80}, "192.0.2.5:80", "10.0.1.10:8080"},
		"one that only the check knows":                      {9000, 8080, []topology.Port{tcp80}, "192.0.2.5:9000", "10.0.1.10:9000"},
		"of TCP, also for what goes by UDP":                  {0, 0, []topology.Port{udp53, tcp80}, "192.0.2.5:80", "10.0.1.10:80"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(topology.TUN, "rr")
			w.check.Port, w.topo.Services[0].Ports = c.check, c.ports
			for _, f := range w.topo.Farms {
				for _, s := range f.Servers {
					s.Port = c.server
				}
			}
			for self, want := range map[*topology.Director]string{w.front: c.front, w.nat1: c.nat} {
				probes := Prepare(w.topo, self).Probes
				if len(probes) != 2 || probes[0].Target.Addr.String() != want {
					t.Errorf("%s asks %v, want two targets and %s first", self.ID, probes, want)
				}
			}
		})
	}
}

func TestWeightsFitTheKernel(t *testing.T) {
	for _, c := range [][2][]int{
		{{200, 400}, {1, 2}},
		{{0, 0}, {0, 0}},
		{{120_001, 40_000}, {65535, 21844}},
		{{10_000_000, 1}, {65535, 1}},
	} {
		if got := scale(c[0]); !slices.Equal(got, c[1]) {
			t.Errorf("weights %v become %v, want %v", c[0], got, c[1])
		}
	}
}

func TestMarksAreUniqueAndStay(t *testing.T) {
	w := newWorld(topology.DR, "rr")
	service := w.topo.Services[0]
	marksBefore := marksOf(w.topo, w.front)
	// 3,000 more pairs: collisions of a 16 bit hash are certain.
	for i := range 3000 {
		service.Tiers[1].Directors = append(service.Tiers[1].Directors, &topology.Director{
			ID: fmt.Sprint(i), Network: w.front.Network, Addrs: topology.Addrs{netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})},
		})
	}
	marks := marksOf(w.topo, w.front)
	seen := map[uint32]pair{}
	for p, m := range marks {
		if other, taken := seen[m]; taken {
			t.Errorf("mark 0x%x of %v and of %v", m, p, other)
		}
		seen[m] = p
		if m&0xffff0000 != MarkBase || m == GuardMark {
			t.Errorf("mark 0x%x of %v is not ours to give", m, p)
		}
	}
	if len(marks) != 3002 {
		t.Errorf("%d marks for 3002 pairs", len(marks))
	}
	for p, m := range marksBefore {
		if marks[p] != m {
			t.Errorf("mark of %v was 0x%x, is 0x%x now that others came", p, m, marks[p])
		}
	}
}

func TestGuardPerFamily(t *testing.T) {
	w := newWorld(topology.TUN, "rr")
	w.topo.Services[0].VIPs = append(w.topo.Services[0].VIPs, addr("2001:db8::5"))
	table := Compile(w.topo, w.front, nil)
	for _, v6 := range []bool{false, true} {
		found := 0
		for _, s := range table.Services {
			if s.Key == MarkKey(GuardMark, v6) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d guards for v6=%v, want 1", found, v6)
		}
	}
}

func TestHosts(t *testing.T) {
	edgeLink := Link{Holds: addr("192.0.2.21")}
	for name, c := range map[string]struct {
		method topology.Method
		host   func(w world) Host
		want   Host
	}{
		"a front owns the VIP on its segment": {topology.TUN,
			func(w world) Host { return DirectorHost(w.topo, w.front) },
			Host{
				Sysctls: []Sysctl{
					{"net/ipv4/conf/%s/accept_local", Link{Holds: addr("192.0.2.11")}, "1"},
					{"net/ipv4/vs/expire_nodest_conn", Link{}, "1"},
				},
				Addresses: []Address{{Addr: addr("192.0.2.5"), Link: Link{Holds: addr("192.0.2.11")}}},
			}},
		"behind a TUN front the VIP is on a tunnel from it": {topology.TUN,
			func(w world) Host { return DirectorHost(w.topo, w.nat1) },
			Host{
				Sysctls: append([]Sysctl{
					{"net/ipv4/conf/%s/arp_ignore", edgeLink, "1"},
					{"net/ipv4/conf/%s/arp_announce", edgeLink, "2"},
					{"net/ipv4/conf/%s/rp_filter", Link{Name: tunnelName(Tunnel{Local: addr("192.0.2.21"), Remote: addr("192.0.2.11")})}, "2"},
				}, routerSysctls...),
				Tunnels:   []Tunnel{{tunnelName(Tunnel{Local: addr("192.0.2.21"), Remote: addr("192.0.2.11")}), addr("192.0.2.21"), addr("192.0.2.11"), false}},
				Addresses: []Address{{Addr: addr("192.0.2.5"), Link: Link{Name: tunnelName(Tunnel{Local: addr("192.0.2.21"), Remote: addr("192.0.2.11")})}}},
			}},
		"behind a DR front the VIP is on the loopback": {topology.DR,
			func(w world) Host { return DirectorHost(w.topo, w.nat1) },
			Host{
				Sysctls: append([]Sysctl{
					{"net/ipv4/conf/%s/arp_ignore", edgeLink, "1"},
					{"net/ipv4/conf/%s/arp_announce", edgeLink, "2"},
				}, routerSysctls...),
				Addresses: []Address{{Addr: addr("192.0.2.5"), Link: Link{Name: "lo"}}},
			}},
		"a server of a NAT farm answers by its director, with room for the tunnel in front": {topology.TUN,
			func(w world) Host { return ServerHost(w.topo, w.topo.Farms[0].Servers[0]) },
			Host{Routes: []Route{{addr("10.0.1.1"), Link{Holds: addr("10.0.1.10")}, 1440}}}},
		"without a tunnel it needs no room": {topology.DR,
			func(w world) Host { return ServerHost(w.topo, w.topo.Farms[0].Servers[0]) },
			Host{Routes: []Route{{addr("10.0.1.1"), Link{Holds: addr("10.0.1.10")}, 0}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.host(newWorld(c.method, "rr"))
			if diff := cmp.Diff(c.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("host (-want +got):\n%s", diff)
			}
		})
	}
}

// routerSysctls are those of NAT director nat1.
var routerSysctls = []Sysctl{
	{"net/ipv4/ip_forward", Link{}, "1"},
	{"net/ipv4/conf/all/send_redirects", Link{}, "0"},
	{"net/ipv4/conf/%s/send_redirects", Link{Holds: addr("192.0.2.21")}, "0"},
	{"net/ipv4/conf/%s/send_redirects", Link{Holds: addr("10.0.1.1")}, "0"},
	{"net/ipv4/vs/expire_nodest_conn", Link{}, "1"},
}
