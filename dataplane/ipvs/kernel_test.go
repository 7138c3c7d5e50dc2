//go:build kernel

package ipvs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	moby "github.com/moby/ipvs"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"gslb/dataplane"
	"gslb/dataplane/dataplanetest"
	"gslb/tiers"
	"gslb/topology"
)

// namespace gives the test a network namespace of its own. Its loopback is up:
// before the first address there is no local table, and the kernel takes every
// destination for a broadcast address.
func namespace(t testing.TB) {
	t.Helper()
	runtime.LockOSThread() // for good: the thread ends with the test's goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: 1}}); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T) dataplane.Plane {
	t.Helper()
	namespace(t)
	p, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// The kernel's table must be what the suite says by ipvsadm's word too, not
// only by that of our own codec.
func TestPlane(t *testing.T) {
	dataplanetest.Run(t, open, func(t *testing.T, holds tiers.Table) {
		t.Helper()
		out, err := exec.Command("ipvsadm", "-Sn").Output()
		if err != nil {
			t.Fatalf("ipvsadm -Sn: %v", err)
		}
		lines := strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
		for i := range lines {
			lines[i] = strings.TrimSpace(lines[i])
		}
		slices.Sort(lines)
		if diff := gocmp.Diff(saved(holds), lines, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("ipvsadm -Sn (-want +got):\n%s", diff)
		}
	})
}

// saved is a table in the words of ipvsadm -Sn, sorted. It has none for thresholds.
func saved(t tiers.Table) []string {
	var out []string
	for _, s := range t.Services {
		name := fmt.Sprintf("-%c %s", s.Key.Proto.String()[0], s.Key.VIP)
		if !s.Key.VIP.IsValid() {
			name = fmt.Sprintf("-f %d", s.Key.Mark)
			if s.Key.V6 {
				name += " -6"
			}
		}
		line := "-A " + name + " -s " + s.Scheduler
		if s.Flags&tiers.Persistent != 0 {
			line += fmt.Sprintf(" -p %d", s.Timeout)
			if int(s.Netmask) != s.Key.VIP.Addr().BitLen() {
				line += " -M " + net.IP(net.CIDRMask(int(s.Netmask), 32)).String()
			}
		}
		if s.Flags&tiers.OnePacket != 0 {
			line += " -o"
		}
		if s.Flags&tiers.Fallback != 0 {
			line += " -b " + s.Scheduler + "-fallback"
		}
		out = append(out, line)
		for _, d := range s.Destinations {
			line := fmt.Sprintf("-a %s -r %s -%c -w %d", name, d.Addr, " mig"[d.Method], d.Weight)
			switch {
			case d.Method == topology.TUN && d.Encap.Type == 1:
				line += fmt.Sprintf(" --tun-type gue --tun-port %d --tun-nocsum", d.Encap.Port)
			case d.Method == topology.TUN:
				line += " --tun-type ipip"
			}
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}

// moby/ipvs, which knows less of a table, must agree about what it knows.
func TestTableAsMobySeesIt(t *testing.T) {
	p := open(t)
	want := tiers.Table{Services: []tiers.Service{
		{Key: tiers.VIPKey(topology.TCP, netip.MustParseAddrPort("192.0.2.1:80")), Scheduler: "mh", Flags: tiers.Fallback, Netmask: 32,
			Destinations: []tiers.Destination{
				{Addr: netip.MustParseAddrPort("10.0.0.1:80"), Method: topology.DR, Weight: 3},
				{Addr: netip.MustParseAddrPort("10.0.0.2:80"), Method: topology.TUN, Weight: 0},
			}},
		{Key: tiers.VIPKey(topology.UDP, netip.MustParseAddrPort("192.0.2.1:53")), Scheduler: "rr", Netmask: 32,
			Destinations: []tiers.Destination{{Addr: netip.MustParseAddrPort("10.0.0.3:5353"), Method: topology.NAT, Weight: 7}}},
	}}
	want.Sort()
	if err := p.Apply(t.Context(), tiers.Diff(tiers.Table{}, want, tiers.Owner{})); err != nil {
		t.Fatal(err)
	}
	handle, err := moby.New("")
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Close()
	services, err := handle.GetServices()
	if err != nil {
		t.Fatal(err)
	}
	var got tiers.Table
	for _, s := range services {
		addr, _ := netip.AddrFromSlice(s.Address.To4())
		out := tiers.Service{
			Key: tiers.VIPKey(protoOf(s.Protocol), netip.AddrPortFrom(addr, s.Port)), Scheduler: s.SchedName,
			Flags: tiers.Flags(s.Flags) &^ hashed, Netmask: 32,
		}
		destinations, err := handle.GetDestinations(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range destinations {
			addr, _ := netip.AddrFromSlice(d.Address.To4())
			out.Destinations = append(out.Destinations, tiers.Destination{
				Addr: netip.AddrPortFrom(addr, d.Port), Method: methodOf(d.ConnectionFlags), Weight: uint32(d.Weight),
			})
		}
		got.Services = append(got.Services, out)
	}
	got.Sort()
	if diff := gocmp.Diff(want.String(), got.String()); diff != "" {
		t.Errorf("table as moby/ipvs reads it (-want +got):\n%s", diff)
	}
}

func TestErrorsNameWhatIsMissing(t *testing.T) {
	p := open(t)
	plan := tiers.Plan{{Op: tiers.AddService, Service: &tiers.Service{
		Key: tiers.VIPKey(topology.TCP, netip.MustParseAddrPort("192.0.2.1:80")), Scheduler: "twos", Netmask: 32,
	}}}
	err := p.Apply(t.Context(), plan)
	if err == nil || !strings.Contains(err.Error(), `no scheduler "twos"`) || !strings.Contains(err.Error(), "192.0.2.1:80") {
		t.Errorf("error %v; want the service and the missing scheduler", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Table(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Table with an ended context: %v", err)
	}
}

func BenchmarkConverge(b *testing.B) {
	for _, services := range []int{100, 1000} {
		b.Run(fmt.Sprint(services, "x10"), func(b *testing.B) {
			namespace(b)
			p, err := Open()
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			var want tiers.Table
			vip := netip.MustParseAddr("192.0.2.1")
			for s := range services {
				svc := tiers.Service{Key: tiers.VIPKey(topology.TCP, netip.AddrPortFrom(vip, uint16(1000+s))), Scheduler: "wlc", Netmask: 32}
				for d := range 10 {
					svc.Destinations = append(svc.Destinations, tiers.Destination{
						Addr:   netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(s >> 8), byte(s), byte(d + 1)}), 80),
						Method: topology.NAT, Weight: 1,
					})
				}
				want.Services = append(want.Services, svc)
			}
			want.Sort()
			owner := tiers.Owner{VIPs: map[netip.Addr]bool{vip: true}}
			if _, err := dataplane.Converge(b.Context(), p, want, owner); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				d := &want.Services[0].Destinations[0]
				d.Weight = cmp.Or(3-d.Weight, 1)
				if _, err := dataplane.Converge(b.Context(), p, want, owner); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
