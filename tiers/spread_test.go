package tiers

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/topology"
)

func hashed(scheduler string, weights ...uint32) Service {
	s := Service{Key: VIPKey(topology.TCP, netip.MustParseAddrPort("192.0.2.5:80")), Scheduler: scheduler, Flags: Fallback, Netmask: 32}
	for i, w := range weights {
		s.Destinations = append(s.Destinations, Destination{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i + 1)}), 80), Weight: w})
	}
	return s
}

// shares is how many of 10,000 clients each destination gets, in the order of
// the service, and refused ones last.
func shares(s Service, list List) []int {
	spread := NewSpread(s.Scheduler, s.Flags, list)
	got := make([]int, len(s.Destinations)+1)
	for i := range 10000 {
		client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), 0)
		at := len(s.Destinations)
		if j, ok := spread.Pick(client); ok {
			for k, d := range s.Destinations {
				if d.Addr == list[j].Addr {
					at = k
				}
			}
		}
		got[at]++
	}
	return got
}

// That the decisions are the kernel's is shown inside a kernel, in package ipvs.
func TestSpreadFollowsWeights(t *testing.T) {
	for _, scheduler := range []string{"mh", "sh"} {
		for _, weights := range [][]uint32{{1, 1, 1}, {1, 2, 5}, {30, 10, 0}} {
			s := hashed(scheduler, weights...)
			total := uint32(0)
			for _, w := range weights {
				total += w
			}
			for i, got := range shares(s, Listed(s))[:len(weights)] {
				want := 10000 * int(weights[i]) / int(total)
				if got < want-600 || got > want+600 {
					t.Errorf("%s with weights %v: %d of 10,000 clients at destination %d, want about %d", scheduler, weights, got, i, want)
				}
			}
		}
	}
	for _, s := range []Service{hashed("mh"), hashed("sh"), hashed("mh", 0, 0), hashed("sh", 0, 0)} {
		if got := shares(s, Listed(s)); got[len(got)-1] != 10000 {
			t.Errorf("%s without a destination that weighs anything: clients go to %v", s.Scheduler, got)
		}
	}
	if NewSpread("wlc", 0, nil) != nil {
		t.Error("wlc has a spread, though it does not choose by address")
	}
}

func TestAfter(t *testing.T) {
	key := hashed("mh").Key
	text := func(l List) (out []string) {
		for _, s := range l {
			out = append(out, fmt.Sprintf("%s %d last %d", s.Addr.Addr(), s.Weight, s.Last))
		}
		return out
	}
	before := hashed("mh", 1, 2, 3)
	before.Destinations = before.Destinations[1:]
	after := hashed("mh", 1, 0, 3, 4)
	after.Destinations = append(after.Destinations[:2], after.Destinations[3])
	plan := Diff(Table{Services: []Service{before}}, Table{Services: []Service{after}}, Owner{})
	got := text(Listed(before).After(plan, key))
	want := []string{"10.0.0.4 4 last 4", "10.0.0.1 1 last 1", "10.0.0.2 0 last 2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what comes is first, what is drained keeps its last weight (-want +got):\n%s", diff)
	}
	gone := Diff(Table{Services: []Service{before}}, Table{}, Owner{VIPs: map[netip.Addr]bool{key.VIP.Addr(): true}})
	if left := Listed(before).After(gone, key); len(left) != 0 {
		t.Errorf("a deleted service has %v", text(left))
	}
}

func BenchmarkSpread(b *testing.B) {
	weights := make([]uint32, 1000)
	for i := range weights {
		weights[i] = 1
	}
	for _, scheduler := range []string{"mh", "sh"} {
		list := Listed(hashed(scheduler, weights...))
		b.Run(scheduler+"/make", func(b *testing.B) {
			for b.Loop() {
				NewSpread(scheduler, Fallback, list)
			}
		})
		spread := NewSpread(scheduler, Fallback, list)
		client := netip.MustParseAddrPort("203.0.113.77:1234")
		b.Run(scheduler+"/pick", func(b *testing.B) {
			for b.Loop() {
				spread.Pick(client)
			}
		})
	}
}
