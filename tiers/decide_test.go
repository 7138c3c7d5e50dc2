package tiers

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/health"
	"gslb/topology"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// A farmWorld is one service of one tier with servers a, b, c and so on at
// 10.0.0.1, 10.0.0.2, 10.0.0.3 and so on, all of weight 10.
type farmWorld struct {
	topo *topology.Topology
	self *topology.Director
	tier *topology.Tier
}

func newFarmWorld(servers int) farmWorld {
	network := &topology.Network{ID: "network.edge"}
	self := &topology.Director{ID: "director.d", Network: network, Addrs: topology.Addrs{addr("192.0.2.11"), addr("2001:db8::11")}}
	farm := &topology.Farm{ID: "farm.web", Network: network, Gateway: topology.Forwarder{Director: self}}
	for i := range servers {
		farm.Servers = append(farm.Servers, &topology.Server{
			ID: "farm.web.server." + string(rune('a'+i)), Farm: farm, Weight: 10,
			Addrs: topology.Addrs{netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})},
		})
	}
	check := &topology.Check{ID: "check.web", Type: topology.CheckTCP, Interval: time.Second, Timeout: time.Second / 2, Rise: 1, Fall: 1}
	tier := &topology.Tier{Name: "nat", Directors: []*topology.Director{self}, Method: topology.NAT, Scheduler: "wlc", Farms: []*topology.Farm{farm}, Check: check}
	return farmWorld{
		topo: &topology.Topology{Directors: []*topology.Director{self}, Farms: []*topology.Farm{farm}, Services: []*topology.Service{{
			ID: "virtual_service.www", VIPs: topology.Addrs{addr("192.0.2.5")}, Ports: []topology.Port{{Proto: topology.TCP, Number: 80}},
			Tiers: []*topology.Tier{tier},
		}}},
		self: self, tier: tier,
	}
}

// view has everybody up at once, but those of the letters in down; those of
// the letters in back came up again at the epoch.
func (w farmWorld) view(down, back string) health.View {
	v := health.View{}
	for _, s := range w.topo.Farms[0].Servers {
		letter := s.ID[len(s.ID)-1:]
		t := health.Target{Check: "check.web", Addr: netip.AddrPortFrom(s.Addrs[0], 80)}
		v[t] = health.State{Known: true, Up: !strings.Contains(down, letter), Since: epoch, Recovered: strings.Contains(back, letter)}
	}
	return v
}

// destinations of the one service, as "a10 b0": who is listed with which weight.
func (w farmWorld) destinations(d Decision) string {
	var out []string
	for _, s := range d.Table.Services {
		if !s.Key.VIP.IsValid() && s.Key.Mark == GuardMark {
			continue
		}
		if s.Undecided {
			return "undecided"
		}
		for _, x := range s.Destinations {
			name := x.Addr.String()
			if b := x.Addr.Addr().As4(); x.Addr.Addr().Is4() && b[0] == 10 {
				name = string('a' + rune(b[3]) - 1)
			}
			out = append(out, fmt.Sprintf("%s%d", name, x.Weight))
		}
	}
	return strings.Join(out, " ")
}

func quorumOf(low, high string, by, keep bool) *topology.Quorum {
	bound := func(s string) topology.Bound {
		var b topology.Bound
		if _, err := fmt.Sscanf(s, "%f%%", &b.Ratio); err == nil && strings.HasSuffix(s, "%") {
			b.Ratio /= 100
			return b
		}
		b.Ratio = 0
		fmt.Sscan(s, &b.Count)
		return b
	}
	return &topology.Quorum{MinUp: bound(low), Restore: bound(high), ByWeight: by, Keep: keep}
}

func TestQuorum(t *testing.T) {
	sorry := []topology.Sorry{{Addr: addr("192.0.2.99"), Port: 8080}}
	for name, c := range map[string]struct {
		edit   func(w farmWorld)
		script string // who is down -> who is listed, one decision after the other
	}{
		"without a quorum one is enough": {func(w farmWorld) {},
			"bcd -> a10; abcd -> "},
		"below min_up nobody new is taken, and who lives keeps its connections": {
			func(w farmWorld) { w.tier.Quorum = quorumOf("2", "2", false, false) },
			"ab -> c10 d10; abc -> d0; ab -> c10 d10"},
		"between the two it stays what it was": {
			func(w farmWorld) { w.tier.Quorum = quorumOf("2", "3", false, false) },
			"ab -> c10 d10; abc -> d0; ab -> c0 d0; a -> b10 c10 d10; ab -> c10 d10"},
		"keep goes on with who lives": {
			func(w farmWorld) { w.tier.Quorum = quorumOf("50%", "75%", false, true) },
			"abc -> d10; ab -> c10 d10"},
		"a percentage is rounded up": {
			func(w farmWorld) { w.tier.Quorum = quorumOf("60%", "60%", false, false) },
			"a -> b10 c10 d10; ab -> c0 d0"},
		"weights are added up": {
			func(w farmWorld) {
				w.tier.Quorum = quorumOf("50%", "50%", true, false)
				w.topo.Farms[0].Servers[0].Weight = 30
			},
			"bcd -> a30; ab -> c0 d0; d -> a30 b10 c10"},
		"the sorry server gets what is new": {
			func(w farmWorld) { w.tier.Quorum, w.tier.Sorry = quorumOf("2", "3", false, false), sorry },
			"abc -> d0 192.0.2.99:80801; abcd -> 192.0.2.99:80801; ab -> c0 d0 192.0.2.99:80801; a -> b10 c10 d10"},
		"it comes without a quorum in the file too": {
			func(w farmWorld) { w.tier.Sorry = sorry },
			"abc -> d10; abcd -> 192.0.2.99:80801"},
		"a program on the director itself": {
			func(w farmWorld) { w.tier.Sorry = []topology.Sorry{{}} },
			"abcd -> 127.0.0.1:801"},
		"UDP flows do not wait": {
			func(w farmWorld) {
				w.tier.Quorum = quorumOf("2", "2", false, false)
				w.topo.Services[0].Ports[0] = topology.Port{Proto: topology.UDP, Number: 80}
			},
			"abc -> ; ab -> c10 d10"},
		"inhibited ones stay": {
			func(w farmWorld) { yes := true; w.tier.Inhibit = &yes },
			"ab -> a0 b0 c10 d10; abcd -> a0 b0 c0 d0"},
		"a hash can be told not to inhibit": {
			func(w farmWorld) { no := false; w.tier.Inhibit, w.tier.Scheduler = &no, "mh" },
			"ab -> c10 d10"},
		"a server that drains by its weight makes no quorum": {
			func(w farmWorld) {
				w.tier.Quorum = quorumOf("3", "3", false, false)
				w.topo.Farms[0].Servers[0].Weight = 0
			},
			" -> a0 b10 c10 d10; b -> a0 c0 d0"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFarmWorld(4)
			c.edit(w)
			g := Prepare(w.topo, w.self)
			var memory Memory
			for i, step := range strings.Split(c.script, "; ") {
				down, want, _ := strings.Cut(step, "->")
				d := g.Decide(Inputs{View: w.view(strings.TrimSpace(down), ""), Now: epoch.Add(time.Hour), Before: memory})
				memory = d.Memory
				if got := w.destinations(d); got != strings.TrimSpace(want) {
					t.Errorf("step %d (%s down): %s, want %s", i+1, down, got, want)
				}
			}
		})
	}
}

func TestWordsOfOperators(t *testing.T) {
	at := At{VIPKey(topology.TCP, netip.MustParseAddrPort("192.0.2.5:80")), netip.MustParseAddrPort("10.0.0.1:80")}
	busy, quiet := Loads{at: {Active: 3}}, Loads{at: {}}
	const object = "farm.web.server.a"
	for name, c := range map[string]struct {
		scheduler string
		word      health.Override
		loads     []Loads // one decision after the other
		want      string  // of the last
	}{
		"a drain takes nobody new":                 {"wlc", health.Override{Object: object, Mode: health.Drained}, []Loads{nil}, "a0 b10 c10"},
		"and keeps who is there":                   {"wlc", health.Override{Object: object, Mode: health.Drained}, []Loads{busy}, "a0 b10 c10"},
		"without connections it is taken out":      {"wlc", health.Override{Object: object, Mode: health.Drained}, []Loads{busy, quiet}, "b10 c10"},
		"and stays out, though nobody counts":      {"wlc", health.Override{Object: object, Mode: health.Drained}, []Loads{quiet, nil, busy}, "b10 c10"},
		"templates keep it":                        {"wlc", health.Override{Object: object, Mode: health.Drained}, []Loads{{at: {Persistent: 1}}}, "a0 b10 c10"},
		"under a hash it keeps its place":          {"mh", health.Override{Object: object, Mode: health.Drained}, []Loads{quiet}, "a0 b10 c10"},
		"before the deadline it waits":             {"wlc", health.Override{Object: object, Mode: health.Drained, Deadline: epoch.Add(time.Second)}, []Loads{busy}, "a0 b10 c10"},
		"at the deadline it is taken out":          {"wlc", health.Override{Object: object, Mode: health.Drained, Deadline: epoch}, []Loads{busy}, "b10 c10"},
		"what is disabled is as if it were down":   {"wlc", health.Override{Object: object, Mode: health.Disabled}, []Loads{busy}, "b10 c10"},
		"a farm's word is that of each server":     {"wlc", health.Override{Object: "farm.web", Mode: health.Drained}, []Loads{nil}, "a0 b0 c0"},
		"and so is a service's":                    {"wlc", health.Override{Object: "virtual_service.www", Mode: health.Disabled}, []Loads{nil}, ""},
		"a word on something else changes nothing": {"wlc", health.Override{Object: "farm.web.server.z", Mode: health.Disabled}, []Loads{nil}, "a10 b10 c10"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFarmWorld(3)
			w.tier.Scheduler = c.scheduler
			g := Prepare(w.topo, w.self)
			var d Decision
			for _, loads := range c.loads {
				d = g.Decide(Inputs{View: w.view("", ""), Overrides: health.Overrides{c.word}, Now: epoch, Before: d.Memory, Loads: loads})
			}
			if got := w.destinations(d); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if c.word.Deadline.After(epoch) && !d.Next.Equal(c.word.Deadline) {
				t.Errorf("next decision at %v, want the deadline %v", d.Next, c.word.Deadline)
			}
		})
	}
}

// A server that nobody has looked at is no reason to wait when it is disabled.
func TestDisabledNeedsNoCheck(t *testing.T) {
	w := newFarmWorld(2)
	v := w.view("", "")
	delete(v, health.Target{Check: "check.web", Addr: netip.MustParseAddrPort("10.0.0.1:80")})
	g := Prepare(w.topo, w.self)
	if got := w.destinations(g.Decide(Inputs{View: v})); got != "undecided" {
		t.Errorf("with one unchecked: %s", got)
	}
	off := health.Overrides{{Object: "farm.web.server.a", Mode: health.Disabled}}
	if got := w.destinations(g.Decide(Inputs{View: v, Overrides: off})); got != "b10" {
		t.Errorf("with that one disabled: %s", got)
	}
}

func TestWeightsGrow(t *testing.T) {
	for name, c := range map[string]struct {
		scheduler string
		weight    int
		after     time.Duration
		want      string
	}{
		"a sixteenth at first":                    {"wlc", 10, 0, "a160 b10"},
		"half of it half way":                     {"wlc", 10, 15 * time.Second, "a160 b80"},
		"whole again, in the file's words":        {"wlc", 10, 30 * time.Second, "a10 b10"},
		"a weight of 1 can grow":                  {"wrr", 1, 15 * time.Second, "a16 b8"},
		"weights too large to be said larger":     {"mh", 60000, 15 * time.Second, "a60000 b30000"},
		"a scheduler that looks at no weights":    {"rr", 10, 0, "a10 b10"},
		"sh has too few places for large weights": {"sh", 10, 0, "a10 b10"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFarmWorld(2)
			w.tier.Scheduler, w.tier.Check.SlowStart = c.scheduler, 30*time.Second
			for _, s := range w.topo.Farms[0].Servers {
				s.Weight = c.weight
			}
			d := Prepare(w.topo, w.self).Decide(Inputs{View: w.view("", "b"), Now: epoch.Add(c.after)})
			if got := w.destinations(d); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if grows := c.after < 30*time.Second; grows != !d.Next.IsZero() {
				t.Errorf("next decision at %v while growing is %v", d.Next, grows)
			}
		})
	}
}

// A front gives each director of the next tier what is behind it: as the file
// says, or as the director reports.
func TestCapacityGoesUp(t *testing.T) {
	w := newWorld(topology.TUN, "wrr")
	key := VIPKey(topology.TCP, netip.MustParseAddrPort("192.0.2.5:80"))
	nat := Prepare(w.topo, w.nat2)
	for _, c := range []struct {
		down string
		want uint32
	}{{"", 400}, {"10.0.2.10", 200}, {"10.0.2.10 10.0.2.11", 0}} {
		d := nat.Decide(Inputs{View: w.view(w.nat2, c.down)})
		if got := d.Capacity[key]; got != c.want {
			t.Errorf("with %s down the capacity is %d, want %d", c.down, got, c.want)
		}
	}
	if d := nat.Decide(Inputs{}); len(d.Capacity) != 0 {
		t.Errorf("before the first check it is %v", d.Capacity)
	}
	front := Prepare(w.topo, w.front)
	for _, c := range []struct {
		reports Reports
		want    string
	}{
		{nil, "3 4"},
		{Reports{{"director.nat2", key}: 200}, "3 2"},
		{Reports{{"director.nat2", key}: 0}, "1 0"},
		{Reports{{"director.nat1", key}: 100, {"director.nat2", key}: 100}, "1 1"},
		{Reports{{"director.nat3", key}: 1}, "3 4"},
	} {
		d := front.Decide(Inputs{View: w.view(w.front), Reports: c.reports})
		for _, s := range d.Table.Services {
			if s.Key == key {
				if got := fmt.Sprintf("%d %d", s.Destinations[0].Weight, s.Destinations[1].Weight); got != c.want {
					t.Errorf("reports %v: weights %s, want %s", c.reports, got, c.want)
				}
			}
		}
	}
}

// What the file says of a service is in the kernel's service.
func TestServicesAreWhatTheFileSays(t *testing.T) {
	w := newFarmWorld(2)
	service := w.topo.Services[0]
	service.Ports = append(service.Ports, topology.Port{Proto: topology.TCP, Number: 443})
	w.tier.Scheduler, w.tier.HashPort = "mh", true
	w.tier.Persistence = &topology.Persistence{Timeout: 5 * time.Minute, Mask: 24, Mask6: 64}
	w.topo.Farms[0].Servers[0].MaxConnections, w.topo.Farms[0].Servers[0].ResumeConnections = 100, 80
	up := func() health.View {
		v := health.View{}
		for _, p := range Prepare(w.topo, w.self).Probes {
			v[p.Target] = health.State{Known: true, Up: true}
		}
		return v
	}
	want := `tcp 192.0.2.5:80 mh fallback port persistent 300s/24
  -> 10.0.0.1:80 nat weight 10 thresholds 100/80
  -> 10.0.0.2:80 nat weight 10
tcp 192.0.2.5:443 mh fallback port persistent 300s/24
  -> 10.0.0.1:443 nat weight 10 thresholds 100/80
  -> 10.0.0.2:443 nat weight 10
`
	if diff := cmp.Diff(want, services(Compile(w.topo, w.self, up()))); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	service.Mark = 7
	want = `fwmark 0x7 mh fallback port persistent 300s/24
  -> 10.0.0.1:0 nat weight 10 thresholds 100/80
  -> 10.0.0.2:0 nat weight 10
fwmark 0x4753ffff rr
`
	if diff := cmp.Diff(want, Compile(w.topo, w.self, up()).String()); diff != "" {
		t.Errorf("by mark (-want +got):\n%s", diff)
	}
	if o := Prepare(w.topo, w.self).Owner; !o.Owns(MarkKey(7, false)) || o.Owns(MarkKey(8, false)) {
		t.Errorf("owner %v, want that of mark 7", o)
	}
}

func TestStatusSaysWhy(t *testing.T) {
	w := newFarmWorld(3)
	w.tier.Quorum, w.tier.Sorry = quorumOf("2", "2", false, false), []topology.Sorry{{}}
	list := Prepare(w.topo, w.self).Status(Inputs{
		View: w.view("b", ""), Now: epoch.Add(time.Hour),
		Overrides: health.Overrides{{Object: "farm.web.server.c", Mode: health.Disabled, Reason: "disk"}},
	})
	if len(list) != 1 {
		t.Fatalf("%d services", len(list))
	}
	s := list[0]
	var got []string
	for _, d := range s.Destinations {
		got = append(got, fmt.Sprintf("%s %s file %d now %d listed %v %s", d.Object, d.Verdict, d.Weight, d.Now, d.Listed, d.Override.Reason))
	}
	want := []string{
		"farm.web.server.a stands down file 10 now 0 listed true ",
		"farm.web.server.b down file 10 now 0 listed false ",
		"farm.web.server.c disabled file 10 now 0 listed false disk",
	}
	if diff := cmp.Diff(want, got); diff != "" || !s.Lost || !s.Sorry || s.Have != 1 || s.Need != 2 || s.All != 3 {
		t.Errorf("lost %v, sorry %v, %d of %d, need %d (-want +got):\n%s", s.Lost, s.Sorry, s.Have, s.All, s.Need, diff)
	}
}

// large is a director with services of a farm each.
func large(services, servers int) (*topology.Topology, *topology.Director, health.View) {
	network := &topology.Network{ID: "network.edge"}
	self := &topology.Director{ID: "director.d", Network: network, Addrs: topology.Addrs{addr("192.0.2.11")}}
	topo := &topology.Topology{Directors: []*topology.Director{self}}
	check := &topology.Check{ID: "check.web", Type: topology.CheckTCP}
	for i := range services {
		farm := &topology.Farm{ID: fmt.Sprint("farm.", i), Network: network, Gateway: topology.Forwarder{Director: self}}
		for k := range servers {
			farm.Servers = append(farm.Servers, &topology.Server{
				ID: fmt.Sprint(farm.ID, ".server.", k), Farm: farm, Weight: 1,
				Addrs: topology.Addrs{netip.AddrFrom4([4]byte{10, byte(k), byte(i >> 8), byte(i)})},
			})
		}
		topo.Farms = append(topo.Farms, farm)
		topo.Services = append(topo.Services, &topology.Service{
			ID: fmt.Sprint("virtual_service.", i), VIPs: topology.Addrs{netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})},
			Ports: []topology.Port{{Proto: topology.TCP, Number: 80}},
			Tiers: []*topology.Tier{{Name: "nat", Directors: []*topology.Director{self}, Method: topology.NAT, Scheduler: "wlc", Farms: []*topology.Farm{farm}, Check: check}},
		})
	}
	v := health.View{}
	for _, p := range Prepare(topo, self).Probes {
		v[p.Target] = health.State{Known: true, Up: true}
	}
	return topo, self, v
}

// The cost of a reading of the file and of a decision at 10,000 services.
func BenchmarkLarge(b *testing.B) {
	topo, self, view := large(10000, 10)
	b.Run("prepare", func(b *testing.B) {
		for b.Loop() {
			Prepare(topo, self)
		}
	})
	g := Prepare(topo, self)
	b.Run("decide", func(b *testing.B) {
		for b.Loop() {
			g.Decide(Inputs{View: view})
		}
	})
	have := g.Decide(Inputs{View: view}).Table
	b.Run("diff", func(b *testing.B) {
		for b.Loop() {
			Diff(have, have, g.Owner)
		}
	})
}
