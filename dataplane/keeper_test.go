package dataplane_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"gslb/dataplane"
	"gslb/dataplane/fake"
	"gslb/tiers"
	"gslb/topology"
)

// A counted plane counts how often its table is read, and refuses when told to.
type counted struct {
	fake.Plane
	reads int
	no    error
}

func (c *counted) Table(ctx context.Context) (tiers.Table, error) {
	c.reads++
	return c.Plane.Table(ctx)
}

func (c *counted) Apply(ctx context.Context, plan tiers.Plan) error {
	if c.no != nil {
		return c.no
	}
	return c.Plane.Apply(ctx, plan)
}

func TestKeeperReadsOnceUntilItMustLookAgain(t *testing.T) {
	vip := netip.MustParseAddr("192.0.2.1")
	owner := tiers.Owner{VIPs: map[netip.Addr]bool{vip: true}}
	want := func(weight uint32) tiers.Table {
		return tiers.Table{Services: []tiers.Service{{
			Key: tiers.VIPKey(topology.TCP, netip.AddrPortFrom(vip, 80)), Scheduler: "wlc", Netmask: 32,
			Destinations: []tiers.Destination{{Addr: netip.MustParseAddrPort("10.0.0.1:80"), Method: topology.NAT, Weight: weight}},
		}}}
	}
	plane := &counted{}
	k := &dataplane.Keeper{Plane: plane}
	step := func(name string, weight uint32, changes, reads int, fails bool) {
		t.Helper()
		plan, err := k.Converge(t.Context(), want(weight), owner)
		if len(plan) != changes || plane.reads != reads || fails != (err != nil) {
			t.Errorf("%s: %d changes, want %d; %d reads in all, want %d; error %v", name, len(plan), changes, plane.reads, reads, err)
		}
	}
	step("at first", 1, 2, 1, false)
	step("a weight", 2, 1, 1, false)
	step("the same", 2, 0, 1, false)
	// Somebody else changes what is ours.
	meddled := tiers.Diff(want(2), want(9), owner)
	if err := plane.Plane.Apply(t.Context(), meddled); err != nil {
		t.Fatal(err)
	}
	step("unseen", 2, 0, 1, false)
	k.Forget()
	step("seen", 2, 1, 2, false)
	plane.no = errors.New("refused")
	step("a refusal", 3, 1, 2, true)
	plane.no = nil
	step("after it the table is read again", 3, 1, 3, false)
	step("and known", 3, 0, 3, false)
}
