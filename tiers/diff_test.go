package tiers

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/topology"
)

var compareAddrs = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

func service(vip, scheduler string, destinations ...string) Service {
	s := Service{Key: VIPKey(topology.TCP, netip.MustParseAddrPort(vip)), Scheduler: scheduler, Netmask: 32}
	for _, text := range destinations {
		d := Destination{Method: topology.NAT}
		at, weight, _ := strings.Cut(text, "=")
		d.Addr = netip.MustParseAddrPort(at)
		fmt.Sscan(weight, &d.Weight)
		s.Destinations = append(s.Destinations, d)
	}
	return s
}

func TestDiff(t *testing.T) {
	ours := Owner{VIPs: map[netip.Addr]bool{addr("192.0.2.1"): true}}
	for name, c := range map[string]struct {
		have, want []Service
		plan       string
	}{
		"nothing to nothing": {nil, nil, ""},
		"a new service comes with its destinations in order": {
			nil,
			[]Service{service("192.0.2.1:80", "rr", "10.0.0.1:80=1", "10.0.0.2:80=1")},
			`
+ tcp 192.0.2.1:80 rr
+ tcp 192.0.2.1:80 -> 10.0.0.1:80 nat weight 1
+ tcp 192.0.2.1:80 -> 10.0.0.2:80 nat weight 1
`},
		"a weight is changed in place": {
			[]Service{service("192.0.2.1:80", "rr", "10.0.0.1:80=1", "10.0.0.2:80=1")},
			[]Service{service("192.0.2.1:80", "rr", "10.0.0.1:80=1", "10.0.0.2:80=0")},
			"~ tcp 192.0.2.1:80 -> 10.0.0.2:80 nat weight 1 => weight 0\n"},
		"a scheduler is changed in place": {
			[]Service{service("192.0.2.1:80", "rr", "10.0.0.1:80=1")},
			[]Service{service("192.0.2.1:80", "wlc", "10.0.0.1:80=1")},
			"~ tcp 192.0.2.1:80 rr => tcp 192.0.2.1:80 wlc\n"},
		"the newcomer takes traffic before the other gives it up": {
			[]Service{service("192.0.2.1:80", "rr", "10.0.0.1:80=1")},
			[]Service{service("192.0.2.1:80", "rr", "10.0.0.2:80=1")},
			`
+ tcp 192.0.2.1:80 -> 10.0.0.2:80 nat weight 1
- tcp 192.0.2.1:80 -> 10.0.0.1:80 nat weight 1
`},
		"a service that is ours goes": {
			[]Service{service("192.0.2.1:80", "rr", "10.0.0.1:80=1")}, nil,
			"- tcp 192.0.2.1:80 rr\n"},
		"a foreign service stays": {
			[]Service{service("198.51.100.1:80", "rr", "10.0.0.1:80=1"), {Key: MarkKey(7, false), Scheduler: "rr", Netmask: 32}}, nil, ""},
		"a stale probe service goes": {
			[]Service{{Key: MarkKey(MarkBase|7, false), Scheduler: "rr", Netmask: 32}}, nil,
			"- fwmark 0x47530007 rr\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Diff(Table{c.have}, Table{c.want}, ours).String()
			if diff := cmp.Diff(strings.TrimPrefix(c.plan, "\n"), got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// From any table to any other: the plan leads there, leaves what is foreign
// alone, never deletes a service only to add it again, and a second one is empty.
func TestDiffLeadsFromAnyTableToAnyOther(t *testing.T) {
	ours := Owner{VIPs: map[netip.Addr]bool{addr("192.0.2.0"): true, addr("192.0.2.1"): true}}
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		have, want := random(r, 3), random(r, 2)
		plan := Diff(have, want, ours)
		got := plan.Apply(have)
		expect := Table{append([]Service(nil), want.Services...)}
		for _, s := range have.Services {
			if !ours.Owns(s.Key) {
				expect.Services = append(expect.Services, s)
			}
		}
		expect.Sort()
		if diff := cmp.Diff(expect, got, compareAddrs); diff != "" {
			t.Fatalf("seed %d: table after the plan (-want +got):\n%s\nplan:\n%s", seed, diff, plan)
		}
		if again := Diff(got, want, ours); len(again) != 0 {
			t.Fatalf("seed %d: a second plan:\n%s", seed, again)
		}
		gone := map[Key]bool{}
		for _, c := range plan {
			gone[c.Service.Key] = gone[c.Service.Key] || c.Op == DeleteService
			if c.Op == AddService && gone[c.Service.Key] {
				t.Fatalf("seed %d: deletes %s and adds it again", seed, c.Service.Key)
			}
		}
	}
}

// random is a table with VIPs 192.0.2.0 up to vips-1 (the last is foreign with 3).
func random(r *rand.Rand, vips int) Table {
	var t Table
	for vip := range vips {
		for port := range 2 {
			if r.IntN(3) == 0 {
				continue
			}
			s := service(fmt.Sprintf("192.0.2.%d:%d", vip, 80+port), []string{"rr", "wlc", "mh"}[r.IntN(3)])
			for d := range 4 {
				if r.IntN(2) == 0 {
					s.Destinations = append(s.Destinations, Destination{
						Addr:   netip.MustParseAddrPort(fmt.Sprintf("10.0.0.%d:80", d)),
						Method: topology.Method(1 + r.IntN(3)), Weight: uint32(r.IntN(3)),
					})
				}
			}
			t.Services = append(t.Services, s)
		}
	}
	t.Sort()
	return t
}

// largeTable is a table as a director of many small services has it.
func largeTable(services, destinations int) Table {
	var t Table
	for i := range services {
		s := service("192.0.2.1:80", "wlc")
		s.Key.VIP = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), 80)
		for k := range destinations {
			s.Destinations = append(s.Destinations, Destination{
				Addr:   netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), byte(k)}), 80),
				Method: topology.NAT, Weight: 1,
			})
		}
		t.Services = append(t.Services, s)
	}
	return t
}

func BenchmarkDiff(b *testing.B) {
	have, want := largeTable(10_000, 10), largeTable(10_000, 10)
	owner := Owner{VIPs: map[netip.Addr]bool{}}
	for _, s := range have.Services {
		owner.VIPs[s.Key.VIP.Addr()] = true
	}
	want.Services[7000].Destinations[3].Weight = 5
	for _, c := range []struct {
		name       string
		have, want Table
		changes    int
	}{
		{"one_weight", have, want, 1},
		{"from_nothing", Table{}, want, 110_000},
		{"to_nothing", have, Table{}, 10_000},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if plan := Diff(c.have, c.want, owner); len(plan) != c.changes {
					b.Fatal(len(plan))
				}
			}
		})
		b.Run(c.name+"/after", func(b *testing.B) {
			plan := Diff(c.have, c.want, owner)
			for b.Loop() {
				plan.Apply(c.have)
			}
		})
	}
}
