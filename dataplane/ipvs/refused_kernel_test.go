//go:build kernel

package ipvs

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"gslb/tiers"
	"gslb/topology"
)

// Each refusal of a large plan comes back: the kernel's answers are counted into
// batches, so none is dropped.
func TestEveryRefusalIsHeard(t *testing.T) {
	namespace(t)
	p, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	const services = 20_000
	var plan tiers.Plan
	for i := range services {
		vip := netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})
		c := tiers.Change{Op: tiers.EditService, Service: &tiers.Service{Key: tiers.VIPKey(topology.UDP, netip.AddrPortFrom(vip, 53)), Scheduler: "rr", Netmask: 32}}
		if i%100 == 7 {
			c.Op = tiers.AddService
		}
		plan = append(plan, c)
	}
	err = p.Apply(t.Context(), plan)
	if n := strings.Count(fmt.Sprint(err), "\n") + 1; n != services*99/100 {
		t.Errorf("%d refusals, want %d", n, services*99/100)
	}
	table, err := p.Table(t.Context())
	if err != nil || len(table.Services) != services/100 {
		t.Errorf("%d services, %v; want %d", len(table.Services), err, services/100)
	}
}
