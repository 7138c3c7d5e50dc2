package tiers_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/health"
	"gslb/tiers"
	"gslb/topology"
)

func TestInputsComeBack(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	www, at := tiers.VIPKey(topology.TCP, netip.MustParseAddrPort("192.0.2.5:80")), netip.MustParseAddrPort("10.1.0.10:80")
	want := tiers.Inputs{
		View:      health.View{{Check: "check.web", Addr: at}: {Known: true, Up: true, Since: now.Add(-time.Minute), Saved: true}},
		Overrides: health.Overrides{{Object: "farm.web", Mode: health.Drained, Who: "root", Since: now}},
		Now:       now,
		Before:    tiers.Memory{www: {Lost: true, Emptied: []netip.AddrPort{at}}},
		Reports:   tiers.Reports{{Director: "director.nat", Key: www}: 30, {Director: "director.nat", Key: tiers.MarkKey(7, true)}: 0},
	}
	got, err := tiers.ReadInputs(want.Encode(), now)
	if err != nil {
		t.Fatal(err)
	}
	same := cmp.Options{cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })}
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
}

func FuzzReadInputs(f *testing.F) {
	f.Add(tiers.Inputs{}.Encode())
	f.Add([]byte(`{"format_version":1,"view":{},"overrides":null,"memory":{},"reports":[{"service":"tcp"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := tiers.ReadInputs(data, time.Time{})
		if err == nil {
			_ = in.Encode()
		}
	})
}
