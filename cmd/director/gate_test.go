package main

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/tiers"
	"gslb/topology"
	"gslb/vrrp/conn/fake"
)

// twoGates is a pair that forwards by NAT; the folder with the file that takes
// the server down is %s.
const twoGates = `
region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "inside" {
  region = region.eu
  cidr   = "10.10.1.0/24"
}
director "gate" {
  for_each = { a = 11, b = 12 }
  network  = network.edge
  address  = cidrhost("192.0.2.0/24", each.value)
  inside   = { network = network.inside, address = cidrhost("10.10.1.0/24", each.value) }
}
failover "gate" {
  members = values(director.gate)
  vips    = ["192.0.2.5"]
  inside  = { network = network.inside, address = "10.10.1.254" }
  vrrp    = { advert = "1s", preempt_delay = "5s" }
}
farm "web" {
  network = network.inside
  gateway = failover.gate
  server "web" {
    address = "10.10.1.20"
    weight  = 7
  }
}
check "out" {
  type     = "file"
  file     = "%s/{address}"
  expect   = { exists = false }
  interval = "1s"
  timeout  = "500ms"
  rise     = 1
  fall     = 1
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  check  = check.out
  tier "nat" {
    directors = [failover.gate]
    method    = "nat"
    farms     = [farm.web]
  }
}
`

// VIP and gateway are with one member at all times, and it alone says what is
// behind the pair.
func TestWhoHasTheGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		segment := fake.New()
		begin := func(key string, last byte) *member {
			m := &member{t: t, id: fmt.Sprintf(`director.gate["%s"]`, key), addr: netip.AddrFrom4([4]byte{192, 0, 2, last}), dir: t.TempDir(), out: t.TempDir()}
			m.kernel = &fakeKernel{segment: segment, timeouts: found, down: map[string]bool{}, own: []device{
				{name: "e0", addrs: []netip.Addr{m.addr}}, {name: "e1", addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 10, 1, last})}},
			}}
			m.begin(fmt.Sprintf(twoGates, m.out))
			return m
		}
		a, b := begin("a", 11), begin("b", 12)
		// capacity is what m tells. It is asked afterwards, so that what it does next
		// comes after the reading for the race detector too.
		capacity := func(m *member) map[tiers.Key]uint32 {
			defer m.ask()
			return m.told()
		}
		www := tiers.VIPKey(topology.TCP, netip.MustParseAddrPort("192.0.2.5:80"))
		has := func(what string, holder, other *member) {
			t.Helper()
			same := cmp.Comparer(func(x, y netip.AddrPort) bool { return x == y })
			var got []string
			for _, x := range holder.held() {
				got = append(got, x.Addr.String()+" on "+x.Link.Name)
			}
			slices.Sort(got)
			if diff := cmp.Diff([]string{"10.10.1.254 on e1", "192.0.2.5 on e0"}, got); diff != "" {
				t.Errorf("%s: %s (-want +got)\n%s", what, holder.id, diff)
			}
			if diff := cmp.Diff(map[tiers.Key]uint32{www: 7}, capacity(holder), same); diff != "" {
				t.Errorf("%s: %s tells (-want +got)\n%s", what, holder.id, diff)
			}
			if diff := cmp.Diff(map[tiers.Key]uint32{}, capacity(other), same); diff != "" {
				t.Errorf("%s: %s tells (-want +got)\n%s", what, other.id, diff)
			}
		}
		roles(t, "at first", downTime+time.Second, "active backup", a, b)
		has("at first", a, b)

		segment.Cut(a.addr, true)
		roles(t, "with the outside cut they hear each other inside", 2*downTime, "active backup", a, b)
		has("with the outside cut", a, b)
		segment.Cut(a.addr, false)

		cable := func(pulled bool) {
			a.kernel.mu.Lock()
			defer a.kernel.mu.Unlock()
			a.kernel.down["e1"] = pulled
		}
		cable(true)
		roles(t, "a member without its inside cable holds nothing", 2*time.Second, "init active", a, b)
		has("without the inside cable", b, a)
		cable(false)
		roles(t, "with it the order counts again", 3*downTime, "active backup", a, b)
		has("with the cable", a, b)

		a.die()
		roles(t, "dead", downTime, "active", b)
		if got := capacity(b)[www]; got != 7 {
			t.Errorf("the member that has taken over tells %d", got)
		}
		a.begin(a.text)
		a.end(false)
		b.end(false)
	})
}
