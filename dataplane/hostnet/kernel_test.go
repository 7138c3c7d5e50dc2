//go:build kernel

package hostnet

import (
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gslb/tiers"
	"gslb/topology"
)

// A host is a network namespace with a link e0 that has addresses of both
// families and a default route.
func newHost(t testing.TB) (record string) {
	t.Helper()
	runtime.LockOSThread() // for good: the thread ends with the test's goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	ip(t, "link set lo up")
	ip(t, "link add e0 type dummy")
	ip(t, "link set e0 up")
	ip(t, "addr add 192.0.2.11/24 dev e0")
	ip(t, "addr add 2001:db8::11/64 dev e0 nodad")
	ip(t, "route add default via 192.0.2.1")
	ip(t, "-6 route add default via 2001:db8::1")
	// The first tunnel of a kind loads its module, which gives every namespace
	// a device of its own that stays.
	for _, kind := range []string{"ipip local 192.0.2.11 remote 192.0.2.12", "sit local 192.0.2.11 remote 192.0.2.12", "ip6tnl local 2001:db8::11 remote 2001:db8::12"} {
		ip(t, "link add warm type "+kind)
		ip(t, "link del warm")
	}
	return filepath.Join(t.TempDir(), "host.json")
}

func ip(t testing.TB, args string) string {
	t.Helper()
	out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v\n%s", args, err, out)
	}
	return string(out)
}

var (
	addr = netip.MustParseAddr
	edge = tiers.Link{Holds: addr("192.0.2.11")}
	// full asks for everything that a host can be asked for.
	full = tiers.Host{
		Sysctls: []tiers.Sysctl{
			{Key: "net/ipv4/conf/%s/arp_ignore", Link: edge, Value: "1"},
			{Key: "net/ipv4/ip_forward", Value: "1"},
			{Key: "net/ipv4/conf/%s/rp_filter", Link: tiers.Link{Name: "gslb0000abcd"}, Value: "2"},
		},
		Tunnels: []tiers.Tunnel{
			{Name: "gslb0000abcd", Local: addr("192.0.2.11"), Remote: addr("198.51.100.1")},
			{Name: "gslb0000abce", Local: addr("2001:db8::11"), Remote: addr("2001:db8:1::1")},
			{Name: "gslb0000abcf", Local: addr("192.0.2.11"), Remote: addr("198.51.100.1"), Six: true},
		},
		Addresses: []tiers.Address{
			{Addr: addr("192.0.2.5"), Link: tiers.Link{Name: "gslb0000abcd"}},
			{Addr: addr("2001:db8::5"), Link: tiers.Link{Name: "gslb0000abce"}},
			{Addr: addr("192.0.2.6"), Link: edge},
			{Addr: addr("192.0.2.7"), Link: tiers.Link{Name: "lo"}},
		},
		Routes:  []tiers.Route{{Via: addr("192.0.2.77"), Link: edge, MSS: 1440}},
		Replies: []tiers.Reply{{From: addr("192.0.2.5"), MSS: 1440}, {From: addr("2001:db8::5"), MSS: 1400}},
		Marks: []tiers.Mark{
			{VIP: addr("192.0.2.5"), Port: topology.Port{Proto: topology.TCP, Number: 80}, Mark: 7, Link: tiers.Link{Name: "gslb0000abcd"}},
			{VIP: addr("192.0.2.6"), Port: topology.Port{Proto: topology.TCP, Number: 443}, Mark: 7, Link: edge},
			{VIP: addr("192.0.2.6"), Port: topology.Port{Proto: topology.UDP, Number: 443}, Mark: 7, Link: edge},
			{VIP: addr("2001:db8::5"), Port: topology.Port{Proto: topology.TCP, Number: 80}, Mark: 7, Link: tiers.Link{Name: "gslb0000abce"}},
		},
	}
)

// picture is the whole of a host that hostnet may change.
func picture(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, args := range []string{"-o link", "-o addr", "route show table all", "-6 route show table all", "rule", "-6 rule"} {
		for _, line := range strings.Split(ip(t, args), "\n") {
			if !strings.Contains(line, "fe80") && !strings.Contains(line, "ff00") { // come and go by themselves
				b.WriteString(line + "\n")
			}
		}
	}
	for _, path := range []string{"net/ipv4/conf/e0/arp_ignore", "net/ipv4/ip_forward"} {
		value, err := readSysctl(path)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(path + " = " + value + "\n")
	}
	return b.String()
}

func converge(t *testing.T, want tiers.Host, record string) []string {
	t.Helper()
	changes, err := Converge(want, record)
	if err != nil {
		t.Fatalf("%v\nafter %q", err, changes)
	}
	return changes
}

func TestConvergeAndBack(t *testing.T) {
	record := newHost(t)
	before := picture(t)
	planned, err := Plan(full, record)
	if err != nil {
		t.Fatal(err)
	}
	if after := picture(t); after != before {
		t.Errorf("a plan has changed the host:\n%s\nbut\n%s", before, after)
	}
	changes := converge(t, full, record)
	if len(changes) < 12 {
		t.Errorf("%d changes: %q", len(changes), changes)
	}
	slices.Sort(planned)
	slices.Sort(changes)
	if !slices.Equal(planned, changes) {
		t.Errorf("planned\n%s\nbut done\n%s", strings.Join(planned, "\n"), strings.Join(changes, "\n"))
	}
	after := picture(t)
	for _, want := range []string{
		"ipip 192.0.2.11 peer 198.51.100.1", "inet 192.0.2.5/32 scope global gslb0000abcd",
		"inet6 2001:db8::5/128 scope global nodad deprecated", "inet 192.0.2.6/32 scope global e0", "inet 192.0.2.7/32 scope global lo",
		"default via 192.0.2.77 dev e0", "advmss 1440",
		"18259:\tfrom 192.0.2.5 lookup 18259", "18258:\tfrom 2001:db8::5 lookup main suppress_prefixlength 0",
		"net/ipv4/conf/e0/arp_ignore = 1", "net/ipv4/ip_forward = 1",
	} {
		if !strings.Contains(after, want) {
			t.Errorf("after converging there is no %q in\n%s", want, after)
		}
	}
	if changes := converge(t, full, record); len(changes) != 0 {
		t.Errorf("converging again changes %q", changes)
	}
	if again, err := Plan(full, record); err != nil || len(again) != 0 {
		t.Errorf("a plan of what is there: %q, %v", again, err)
	}
	if planned, err = Plan(tiers.Host{}, record); err != nil {
		t.Fatal(err)
	}
	changes = converge(t, tiers.Host{}, record)
	slices.Sort(planned)
	slices.Sort(changes)
	if !slices.Equal(planned, changes) {
		t.Errorf("on the way back planned\n%s\nbut done\n%s", strings.Join(planned, "\n"), strings.Join(changes, "\n"))
	}
	if back := picture(t); back != before {
		t.Errorf("asked for nothing, the host is not as it was:\n%s\nbut\n%s", before, back)
	}
}

func TestDriftIsRepaired(t *testing.T) {
	record := newHost(t)
	converge(t, full, record)
	want := picture(t)
	for _, drift := range []string{
		"addr del 192.0.2.6/32 dev e0", "addr del 192.0.2.7/32 dev lo", "link set gslb0000abcd down",
		"rule del pref 18259 from 192.0.2.5", "route replace default via 192.0.2.1", "-6 route flush table 18259",
	} {
		ip(t, drift)
		if picture(t) == want {
			t.Fatalf("ip %s: nothing has changed", drift)
		}
		if changes := converge(t, full, record); len(changes) == 0 {
			t.Errorf("ip %s: no change made", drift)
		}
		if again := converge(t, full, record); len(again) != 0 {
			t.Errorf("ip %s: still changing %q", drift, again)
		}
	}
}

// Only what is gone from the wish goes from the host, and what others have put
// there stays.
func TestLessAndForeign(t *testing.T) {
	record := newHost(t)
	ip(t, "addr add 203.0.113.9/32 dev lo")
	ip(t, "link add other type ipip local 192.0.2.11 remote 203.0.113.1")
	converge(t, full, record)
	less := full
	less.Addresses, less.Replies, less.Tunnels, less.Sysctls = full.Addresses[2:3], nil, nil, full.Sysctls[:1]
	converge(t, less, record)
	now := picture(t)
	for _, gone := range []string{"gslb0000", "192.0.2.7/32", "18259:", "ip_forward = 1"} {
		if strings.Contains(now, gone) {
			t.Errorf("%q is still there:\n%s", gone, now)
		}
	}
	for _, stays := range []string{"192.0.2.6/32", "203.0.113.9/32", "other@NONE", "arp_ignore = 1"} {
		if !strings.Contains(now, stays) {
			t.Errorf("%q is gone:\n%s", stays, now)
		}
	}
}

// What was there first outlives us: a VIP that somebody else has set, and the
// default routes that a server had, by whatever device and of whatever metric.
func TestWhatWasThereFirstStays(t *testing.T) {
	for name, routes := range map[string][]string{
		"by another device":    {"route replace default via 172.16.0.1 dev e1"},
		"of another metric":    {"route del default", "route add default via 172.16.0.1 dev e1 metric 100"},
		"outside all prefixes": {"route replace default via 169.254.7.7 dev e1 onlink"},
		"on the link":          {"route replace default dev e1"},
		"with a segment size":  {"route replace default via 192.0.2.1 dev e0 advmss 1300"},
		"none":                 {"route del default"},
	} {
		t.Run(name, func(t *testing.T) {
			record := newHost(t)
			ip(t, "link add e1 type dummy")
			ip(t, "link set e1 up")
			ip(t, "addr add 172.16.0.9/24 dev e1")
			ip(t, "addr add 192.0.2.6/32 dev e0")
			for _, r := range routes {
				ip(t, r)
			}
			before := picture(t)
			want := tiers.Host{Addresses: full.Addresses[2:4], Routes: full.Routes}
			converge(t, want, record)
			if now := picture(t); !strings.Contains(now, "default via 192.0.2.77 dev e0") {
				t.Fatalf("our default route is not there:\n%s", now)
			}
			converge(t, want, record)
			converge(t, tiers.Host{}, record)
			if back := picture(t); back != before {
				t.Errorf("it was\n%s\nand is\n%s", before, back)
			}
		})
	}
}

// What could not be taken out is still known, and goes the next time.
func TestWhatIsLeftGoesTheNextTime(t *testing.T) {
	record := newHost(t)
	converge(t, full, record)
	ip(t, "link set gslb0000abcd down")
	before, err := ReadRecord(record)
	if err != nil {
		t.Fatal(err)
	}
	before.Routes[0].Before = &Default{Device: "e0", Via: addr("203.0.113.1")} // unreachable: cannot be put back
	if err := before.Write(record); err != nil {
		t.Fatal(err)
	}
	if changes, err := Converge(tiers.Host{}, record); err == nil {
		t.Fatalf("a route that cannot be put back is no error: %q", changes)
	}
	after, err := ReadRecord(record)
	if err != nil || len(after.Routes) != 1 || len(after.Addresses) != 0 {
		t.Fatalf("the record is %v (%v), want the route and nothing else", after, err)
	}
	ip(t, "addr add 203.0.113.9/24 dev e0")
	converge(t, tiers.Host{}, record)
	if now := picture(t); strings.Contains(now, "192.0.2.77") {
		t.Errorf("the route is still there:\n%s", now)
	}
}

func TestAnAddressThatNobodyHas(t *testing.T) {
	record := newHost(t)
	before := picture(t)
	want := tiers.Host{Addresses: []tiers.Address{
		{Addr: addr("192.0.2.5"), Link: tiers.Link{Holds: addr("198.51.100.99")}},
		{Addr: addr("192.0.2.6"), Link: edge},
	}}
	_, err := Converge(want, record)
	if err == nil || !strings.Contains(err.Error(), "198.51.100.99") {
		t.Errorf("error %v; want one that names the address", err)
	}
	if now := picture(t); now != before {
		t.Errorf("half of it was done all the same:\n%s", now)
	}
}

// many asks for n addresses, every other one of IPv6.
func many(n int) tiers.Host {
	var h tiers.Host
	for i := range n {
		a := netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})
		if i%2 == 1 {
			a = netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 5: 1, 14: byte(i >> 8), 15: byte(i)})
		}
		h.Addresses = append(h.Addresses, tiers.Address{Addr: a, Link: edge})
	}
	return h
}

func TestManyAddresses(t *testing.T) {
	record := newHost(t)
	before := picture(t)
	want := many(1001)
	if changes := converge(t, want, record); len(changes) != 1001 {
		t.Errorf("%d changes", len(changes))
	}
	now := picture(t)
	for _, a := range want.Addresses {
		if !strings.Contains(now, fmt.Sprintf(" %s/%d scope global", a.Addr, a.Addr.BitLen())) {
			t.Fatalf("there is no %s", a.Addr)
		}
	}
	if changes := converge(t, want, record); len(changes) != 0 {
		t.Errorf("converging again changes %q", changes)
	}
	ip(t, "addr del 198.18.0.2/32 dev e0")
	if changes := converge(t, tiers.Host{}, record); len(changes) != 1000 {
		t.Errorf("%d changes take the 1000 that are left out", len(changes))
	}
	if back := picture(t); back != before {
		t.Errorf("it was\n%s\nand is\n%s", before, back)
	}
}

// One address that the kernel refuses keeps no other from its place.
func TestARefusedAddress(t *testing.T) {
	record := newHost(t)
	want := many(300)
	want.Addresses[120].Addr = addr("ff02::77") // multicast
	changes, err := Converge(want, record)
	if err == nil || !strings.Contains(err.Error(), "address ff02::77 on e0: ") || strings.Contains(err.Error(), "\n") || len(changes) != 299 {
		t.Errorf("%d changes, error %v; want 299 and one error that names the address", len(changes), err)
	}
}

func BenchmarkAddresses(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		record := newHost(b)
		b.StartTimer()
		if changes, err := Converge(many(10_000), record); err != nil || len(changes) != 10_000 {
			b.Fatalf("%d changes, %v", len(changes), err)
		}
		if changes, err := Converge(many(10_000), record); err != nil || len(changes) != 0 {
			b.Fatalf("%d changes, %v", len(changes), err)
		}
	}
}

// The kernel takes out by itself what nobody renews, in its own time: it looks
// when the first is due, and rounds to seconds.
func TestAddressesGoWhenNobodyRenewsThem(t *testing.T) {
	record := newHost(t)
	want := tiers.Host{Addresses: []tiers.Address{
		{Addr: addr("192.0.2.5"), Link: edge, Valid: 2 * time.Second},
		{Addr: addr("2001:db8::5"), Link: edge, Valid: 2 * time.Second},
		{Addr: addr("192.0.2.6"), Link: edge},
	}}
	converge(t, want, record)
	has := func() []bool {
		t.Helper()
		k, err := look()
		if err != nil {
			t.Fatal(err)
		}
		var out []bool
		for _, a := range want.Addresses {
			out = append(out, k.has[RecordedAddress{Device: "e0", Addr: a.Addr}])
		}
		return out
	}
	named := slices.Clone(want.Addresses[:2])
	for i := range named {
		named[i].Link = tiers.Link{Name: "e0"}
	}
	for range 5 {
		time.Sleep(800 * time.Millisecond)
		if err := Renew(named); err != nil {
			t.Fatal(err)
		}
		if got := has(); !slices.Equal(got, []bool{true, true, true}) {
			t.Fatalf("renewed, and there are %v", got)
		}
	}
	if again := converge(t, want, record); len(again) > 0 {
		t.Errorf("what is there was changed: %v", again)
	}
	time.Sleep(4500 * time.Millisecond)
	if got := has(); !slices.Equal(got, []bool{false, false, true}) {
		t.Errorf("not renewed for 4.5 s, and there are %v", got)
	}
	if err := Renew(named); err != nil {
		t.Fatal(err)
	}
	if got := has(); !slices.Equal(got, []bool{true, true, true}) {
		t.Errorf("what had gone does not come again: %v", got)
	}
	converge(t, tiers.Host{}, record)
	if got := has(); !slices.Equal(got, []bool{false, false, false}) {
		t.Errorf("after all there are %v", got)
	}
	if err := Renew([]tiers.Address{{Addr: addr("192.0.2.5"), Link: tiers.Link{Name: "nowhere"}, Valid: time.Second}}); err == nil || !strings.Contains(err.Error(), "192.0.2.5") {
		t.Errorf("on a device that is not there: %v", err)
	}
}
