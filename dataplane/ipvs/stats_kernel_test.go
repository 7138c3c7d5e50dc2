//go:build kernel

package ipvs

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gslb/dataplane"
	"gslb/tiers"
)

var sameAddr = gocmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

// counted waits until the kernel has added up its counters, every two seconds.
func counted(t *testing.T, p *Plane, packets uint64, keys ...tiers.Key) []dataplane.Stats {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		stats, err := p.Stats(t.Context(), keys...)
		if err != nil {
			t.Fatal(err)
		}
		sum := uint64(0)
		for _, s := range stats {
			sum += s.Counters.PacketsIn
		}
		if sum == packets {
			return stats
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("%d packets, want %d: %v", sum, packets, stats)
		}
	}
}

func TestCountersAndConnections(t *testing.T) {
	p := open(t).(*Plane)
	vip4, vip6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8:1::1")
	w := newWire(t, vip4, vip6)
	want := tiers.Table{Services: []tiers.Service{
		at("udp 192.0.2.1:53", "rr", nat("198.51.100.1:5353", 1), nat("198.51.100.2:5353", 1)),
		with(at("udp [2001:db8:1::1]:53", "rr", nat("[2001:db8:2::1]:53", 1)), func(s *tiers.Service) {
			s.Flags, s.Timeout, s.Netmask = tiers.Persistent, 300, 64
		}),
	}}
	want.Sort()
	all := tiers.Owner{VIPs: map[netip.Addr]bool{vip4: true, vip6: true}}
	if _, err := dataplane.Converge(t.Context(), p, want, all); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	got := map[string]int{}
	clients := map[netip.AddrPort]bool{}
	for range 10 {
		client := stranger(r, false)
		clients[client] = true
		to := w.ask(t, client, want.Services[0].Key.VIP)
		got[to.String()]++
		w.ask(t, client, want.Services[0].Key.VIP) // a second packet
	}
	six := stranger(r, true)
	for range 3 {
		w.ask(t, six, want.Services[1].Key.VIP)
	}
	stats := counted(t, p, 23)
	one := func(n uint64, bytes uint64) dataplane.Counters {
		return dataplane.Counters{Connections: n, PacketsIn: 2 * n, BytesIn: 2 * n * bytes}
	}
	wantStats := []dataplane.Stats{
		{Key: want.Services[0].Key, Counters: one(10, 28), Destinations: []dataplane.DestinationStats{
			{Addr: netip.MustParseAddrPort("198.51.100.1:5353"), Weight: 1, Load: tiers.Load{Inactive: 5}, Counters: one(5, 28)},
			{Addr: netip.MustParseAddrPort("198.51.100.2:5353"), Weight: 1, Load: tiers.Load{Inactive: 5}, Counters: one(5, 28)},
		}},
		{Key: want.Services[1].Key, Counters: dataplane.Counters{Connections: 1, PacketsIn: 3, BytesIn: 3 * 48}, Destinations: []dataplane.DestinationStats{
			{Addr: netip.MustParseAddrPort("[2001:db8:2::1]:53"), Weight: 1, Load: tiers.Load{Inactive: 1, Persistent: 1},
				Counters: dataplane.Counters{Connections: 1, PacketsIn: 3, BytesIn: 3 * 48}},
		}},
	}
	sorted := cmpopts.SortSlices(func(a, b dataplane.Stats) bool { return a.Key.String() < b.Key.String() })
	sortedDestinations := cmpopts.SortSlices(func(a, b dataplane.DestinationStats) bool { return a.Addr.Compare(b.Addr) < 0 })
	if diff := gocmp.Diff(wantStats, stats, sameAddr, sorted, sortedDestinations); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	if some := counted(t, p, 3, want.Services[1].Key, tiers.MarkKey(9, false)); len(some) != 1 {
		t.Errorf("counters of one service and of one that is not there: %v", some)
	}
	loads, err := p.Loads(t.Context(), []tiers.At{{Key: want.Services[1].Key, Addr: netip.MustParseAddrPort("[2001:db8:2::1]:53")}, {Key: tiers.MarkKey(9, false)}})
	if err != nil || len(loads) != 1 || loads[tiers.At{Key: want.Services[1].Key, Addr: netip.MustParseAddrPort("[2001:db8:2::1]:53")}] != (tiers.Load{Inactive: 1, Persistent: 1}) {
		t.Errorf("loads %v, %v", loads, err)
	}

	seen, templates := 0, 0
	for c, err := range Conns(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case c.Template:
			templates++
			if c.Destination != netip.MustParseAddrPort("[2001:db8:2::1]:53") || c.Expires <= 0 || c.Expires > 300*time.Second {
				t.Errorf("template %+v", c)
			}
		case c.Client == six:
			seen++
			if c.Virtual != want.Services[1].Key.VIP || c.State != "UDP" {
				t.Errorf("connection %+v", c)
			}
		default:
			seen++
			if !clients[c.Client] || c.Virtual != want.Services[0].Key.VIP || got[c.Destination.String()] != 5 {
				t.Errorf("connection %+v", c)
			}
		}
	}
	if seen != 11 || templates != 1 {
		t.Errorf("%d connections and %d templates, want 11 and 1", seen, templates)
	}
	for range Conns(t.Context()) {
		break // leaving early is allowed
	}

	if err := p.Zero(t.Context(), want.Services[0].Key); err != nil {
		t.Error(err)
	}
	counted(t, p, 3)
	if err := p.Zero(t.Context()); err != nil {
		t.Error(err)
	}
	counted(t, p, 0)
	if err := p.Zero(t.Context(), tiers.MarkKey(9, true)); err == nil || err.Error() != "zero the counters of fwmark 0x9 v6: it is not there" {
		t.Errorf("zero what is not there: %v", err)
	}
}

func TestInfoAndTimeouts(t *testing.T) {
	p := open(t).(*Plane)
	info, err := p.Info()
	if err != nil || info.Connections < 256 || info.Version != "1.2.1" {
		t.Errorf("%+v, %v", info, err)
	}
	for _, test := range []struct {
		set  Timeouts
		want string // of ipvsadm
		err  string
	}{
		{Timeouts{}, "Timeout (tcp tcpfin udp): 900 120 300", ""},
		{Timeouts{UDP: 10 * time.Second}, "Timeout (tcp tcpfin udp): 900 120 10", ""},
		{Timeouts{time.Hour, time.Minute, time.Second}, "Timeout (tcp tcpfin udp): 3600 60 1", ""},
		{Timeouts{TCP: time.Millisecond}, "", "set the timeout of TCP to 1ms: want whole seconds up to 2147483"},
		{Timeouts{UDP: 1000 * time.Hour}, "", "set the timeout of UDP to 1000h0m0s: want whole seconds up to 2147483"},
		{Timeouts{UDP: -time.Second}, "", "set the timeout of UDP to -1s: want whole seconds up to 2147483"},
	} {
		err := p.SetTimeouts(test.set)
		if fmt.Sprint(err) != test.err && (err != nil || test.err != "") {
			t.Errorf("%v: error %v, want %q", test.set, err, test.err)
		}
		if test.err != "" {
			continue
		}
		lines := ipvsadm(t, "-Ln --timeout")
		if got := lines[len(lines)-1]; got != test.want {
			t.Errorf("%v: ipvsadm says %q, want %q", test.set, got, test.want)
		}
		got, err := p.Timeouts()
		text := fmt.Sprintf("Timeout (tcp tcpfin udp): %.0f %.0f %.0f", got.TCP.Seconds(), got.TCPFin.Seconds(), got.UDP.Seconds())
		if err != nil || text != test.want {
			t.Errorf("%v: read as %v, %v", test.set, got, err)
		}
	}
}
