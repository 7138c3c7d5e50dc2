//go:build kernel

package ipvs

import (
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"gslb/dataplane"
	"gslb/tiers"
	"gslb/topology"
)

// ipvsadm runs ipvsadm and returns its lines, without spaces at their ends.
func ipvsadm(t *testing.T, args string) []string {
	t.Helper()
	out, err := exec.Command("ipvsadm", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ipvsadm %s: %v\n%s", args, err, out)
	}
	lines := strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines
}

// kinds are services of every kind, each with what ipvsadm saves of it.
var kinds = []struct {
	name    string
	service tiers.Service
	saved   string
}{
	{"TCP with NAT to other ports", at("tcp 192.0.2.1:80", "wlc", nat("10.0.0.1:8080", 1), nat("10.0.0.2:8081", 65535)), `
-A -t 192.0.2.1:80 -s wlc
-a -t 192.0.2.1:80 -r 10.0.0.1:8080 -m -w 1
-a -t 192.0.2.1:80 -r 10.0.0.2:8081 -m -w 65535`},
	{"UDP with DR, a weight of 0", at("udp 192.0.2.1:53", "rr", dr("198.51.100.1:53", 0)), `
-A -u 192.0.2.1:53 -s rr
-a -u 192.0.2.1:53 -r 198.51.100.1:53 -g -w 0`},
	{"TCP of IPv6", at("tcp [2001:db8::1]:443", "wrr", dr("[2001:db8::11]:443", 3), tun("[2001:db8::12]:443", tiers.Encap{})), `
-A -t [2001:db8::1]:443 -s wrr
-a -t [2001:db8::1]:443 -r [2001:db8::11]:443 -g -w 3
-a -t [2001:db8::1]:443 -r [2001:db8::12]:443 -i -w 1 --tun-type ipip`},
	{"a server of IPv6 behind a VIP of IPv4", at("tcp 192.0.2.1:81", "lc", tun("[2001:db8::11]:81", tiers.Encap{})), `
-A -t 192.0.2.1:81 -s lc
-a -t 192.0.2.1:81 -r [2001:db8::11]:81 -i -w 1 --tun-type ipip`},
	{"a server of IPv4 behind a VIP of IPv6", at("tcp [2001:db8::1]:81", "lc", tun("198.51.100.1:81", tiers.Encap{})), `
-A -t [2001:db8::1]:81 -s lc
-a -t [2001:db8::1]:81 -r 198.51.100.1:81 -i -w 1 --tun-type ipip`},
	{"a mark, IPv4", with(at("7", "rr", dr("198.51.100.1:0", 1)), func(s *tiers.Service) {}), `
-A -f 7 -s rr
-a -f 7 -r 198.51.100.1:0 -g -w 1`},
	{"the same mark, IPv6", with(at("7", "rr", nat("[2001:db8::11]:0", 2)), func(s *tiers.Service) {
		s.Key.V6, s.Netmask = true, 128
	}), `
-A -f 7 -6 -s rr
-a -f 7 -6 -r [2001:db8::11]:0 -m -w 2`},
	{"the largest mark that ipvsadm knows, persistent", with(at("2147483647", "wlc", nat("10.0.0.1:0", 1)), func(s *tiers.Service) {
		s.Flags, s.Timeout, s.Netmask = tiers.Persistent, 60, 24
	}), `
-A -f 2147483647 -s wlc -p 60 -M 255.255.255.0
-a -f 2147483647 -r 10.0.0.1:0 -m -w 1`},
	{"persistence", with(at("tcp 192.0.2.1:82", "wlc", nat("10.0.0.1:82", 1)), func(s *tiers.Service) {
		s.Flags, s.Timeout = tiers.Persistent, 300
	}), `
-A -t 192.0.2.1:82 -s wlc -p 300
-a -t 192.0.2.1:82 -r 10.0.0.1:82 -m -w 1`},
	{"persistence of all ports", with(at("tcp 192.0.2.9:0", "wlc", nat("10.0.0.1:0", 1)), func(s *tiers.Service) {
		s.Flags, s.Timeout, s.Netmask = tiers.Persistent, 86400*31, 1
	}), `
-A -t 192.0.2.9:0 -s wlc -p 2678400 -M 128.0.0.0
-a -t 192.0.2.9:0 -r 10.0.0.1:0 -m -w 1`},
	{"persistence by a prefix of IPv6", with(at("udp [2001:db8::1]:53", "sed", nat("[2001:db8::11]:53", 1)), func(s *tiers.Service) {
		s.Flags, s.Timeout, s.Netmask = tiers.Persistent, 1, 56
	}), `
-A -u [2001:db8::1]:53 -s sed -p 1 -M 56
-a -u [2001:db8::1]:53 -r [2001:db8::11]:53 -m -w 1`},
	{"persistence with an engine", with(at("udp 192.0.2.1:5060", "rr", nat("10.0.0.1:5060", 1)), func(s *tiers.Service) {
		s.Flags, s.Timeout, s.Engine = tiers.Persistent, 120, "sip"
	}), `
-A -u 192.0.2.1:5060 -s rr -p 120 --pe sip
-a -u 192.0.2.1:5060 -r 10.0.0.1:5060 -m -w 1`},
	{"one packet", with(at("udp 192.0.2.1:123", "nq", dr("198.51.100.1:123", 1)), func(s *tiers.Service) {
		s.Flags = tiers.OnePacket
	}), `
-A -u 192.0.2.1:123 -s nq -o
-a -u 192.0.2.1:123 -r 198.51.100.1:123 -g -w 1`},
	{"one packet, IPv6", with(at("udp [2001:db8::1]:123", "nq", dr("[2001:db8::11]:123", 1)), func(s *tiers.Service) {
		s.Flags = tiers.OnePacket
	}), `
-A -u [2001:db8::1]:123 -s nq -o
-a -u [2001:db8::1]:123 -r [2001:db8::11]:123 -g -w 1`},
	{"mh with both flags", with(at("tcp 192.0.2.1:83", "mh", dr("198.51.100.1:83", 1)), func(s *tiers.Service) {
		s.Flags = tiers.Sched1 | tiers.Sched2
	}), `
-A -t 192.0.2.1:83 -s mh -b mh-fallback,mh-port
-a -t 192.0.2.1:83 -r 198.51.100.1:83 -g -w 1`},
	{"sh by port, persistent", with(at("tcp 192.0.2.1:84", "sh", dr("198.51.100.1:84", 1)), func(s *tiers.Service) {
		s.Flags, s.Timeout = tiers.Sched2|tiers.Persistent, 10
	}), `
-A -t 192.0.2.1:84 -s sh -p 10 -b sh-port
-a -t 192.0.2.1:84 -r 198.51.100.1:84 -g -w 1`},
	{"flags without a meaning", with(at("tcp 192.0.2.1:85", "rr"), func(s *tiers.Service) {
		s.Flags = tiers.Sched1 | tiers.Sched2 | tiers.Sched3
	}), `
-A -t 192.0.2.1:85 -s rr -b flag-1,flag-2,flag-3`},
	{"GUE", at("tcp 192.0.2.1:86", "rr", tun("198.51.100.1:86", tiers.Encap{Type: 1, Port: 6080}), tun("198.51.100.2:86", tiers.Encap{Type: 1, Port: 5555, Flags: 1})), `
-A -t 192.0.2.1:86 -s rr
-a -t 192.0.2.1:86 -r 198.51.100.1:86 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum
-a -t 192.0.2.1:86 -r 198.51.100.2:86 -i -w 1 --tun-type gue --tun-port 5555 --tun-csum`},
	{"GRE", at("tcp 192.0.2.1:87", "rr", tun("198.51.100.1:87", tiers.Encap{Type: 2}), tun("198.51.100.2:87", tiers.Encap{Type: 2, Flags: 1})), `
-A -t 192.0.2.1:87 -s rr
-a -t 192.0.2.1:87 -r 198.51.100.1:87 -i -w 1 --tun-type gre --tun-nocsum
-a -t 192.0.2.1:87 -r 198.51.100.2:87 -i -w 1 --tun-type gre --tun-csum`},
	{"thresholds, which ipvsadm does not save", with(at("tcp 192.0.2.1:88", "rr", nat("10.0.0.1:88", 1)), func(s *tiers.Service) {
		s.Destinations[0].Upper, s.Destinations[0].Lower = 100_000, 80_000
	}), `
-A -t 192.0.2.1:88 -s rr
-a -t 192.0.2.1:88 -r 10.0.0.1:88 -m -w 1`},
	{"no destination", at("tcp 192.0.2.1:89", "fo"), `
-A -t 192.0.2.1:89 -s fo`},
	{"on the spot", at("tcp 192.0.2.1:90", "ovf", tiers.Destination{Addr: netip.MustParseAddrPort("127.0.0.1:90"), Weight: 1}), `
-A -t 192.0.2.1:90 -s ovf
-a -t 192.0.2.1:90 -r 127.0.0.1:90 -g -w 1`},
	{"scheduler lblc", at("tcp 192.0.2.1:91", "lblc"), "\n-A -t 192.0.2.1:91 -s lblc"},
	{"scheduler lblcr", at("tcp 192.0.2.1:92", "lblcr"), "\n-A -t 192.0.2.1:92 -s lblcr"},
	{"scheduler dh", at("tcp 192.0.2.1:93", "dh"), "\n-A -t 192.0.2.1:93 -s dh"},
}

// Services of every kind are in the kernel as ipvsadm knows them, and read back
// as they were asked for.
func TestEveryKindReadsBack(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			p := open(t)
			want := tiers.Table{Services: []tiers.Service{k.service}}
			all := tiers.Owner{VIPs: map[netip.Addr]bool{k.service.Key.VIP.Addr(): true}, Marks: map[uint32]bool{k.service.Key.Mark: true}}
			if _, err := dataplane.Converge(t.Context(), p, want, all); err != nil {
				t.Fatal(err)
			}
			saved := ipvsadm(t, "-Sn")
			slices.Sort(saved)
			if diff := gocmp.Diff(strings.Split(k.saved, "\n")[1:], saved); diff != "" {
				t.Errorf("ipvsadm -Sn (-want +got):\n%s", diff)
			}
			for _, reader := range []dataplane.Plane{p, fresh(t)} { // by the text of /proc, and by netlink
				if plan, err := dataplane.Converge(t.Context(), reader, want, all); len(plan) != 0 || err != nil {
					t.Errorf("read back it differs (%v) by\n%s", err, plan)
				}
			}
			if k.service.Destinations != nil && k.service.Destinations[0].Upper > 0 {
				if lines := ipvsadm(t, "-Ln --thresholds"); !strings.Contains(lines[len(lines)-1], "100000     80000") {
					t.Errorf("ipvsadm -Ln --thresholds: %q", lines[len(lines)-1])
				}
			}
		})
	}
	t.Run("all at once, changed by ipvsadm itself", func(t *testing.T) {
		p := open(t)
		var want tiers.Table
		all := tiers.Owner{VIPs: map[netip.Addr]bool{}, Marks: map[uint32]bool{}}
		for _, k := range kinds {
			want.Services = append(want.Services, k.service)
			all.VIPs[k.service.Key.VIP.Addr()], all.Marks[k.service.Key.Mark] = true, true
		}
		want.Sort()
		for range 2 {
			if _, err := dataplane.Converge(t.Context(), p, want, all); err != nil {
				t.Fatal(err)
			}
			saved := ipvsadm(t, "-Sn")
			ipvsadm(t, "-C")
			restore := exec.Command("ipvsadm", "-R")
			restore.Stdin = strings.NewReader(strings.Join(saved, "\n"))
			if out, err := restore.CombinedOutput(); err != nil {
				t.Fatalf("ipvsadm -R: %v\n%s", err, out)
			}
		}
		plan, err := dataplane.Converge(t.Context(), fresh(t), want, all)
		// What ipvsadm does not save: thresholds, and that a destination is served on the spot.
		const lost = `~ tcp 192.0.2.1:88 -> 10.0.0.1:88 nat weight 1 => weight 1 thresholds 100000/80000
~ tcp 192.0.2.1:90 -> 127.0.0.1:90 dr weight 1 => 127.0.0.1:90 local weight 1
`
		if diff := gocmp.Diff(lost, plan.String()); diff != "" || err != nil {
			t.Errorf("what ipvsadm has restored differs (%v) by (-want +got):\n%s", err, diff)
		}
	})
}

// fresh is another plane on the same table.
func fresh(t *testing.T) *Plane {
	t.Helper()
	p, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// Whatever others change, the plane sees, and it does not read all of the table for it.
func TestDriftIsSeen(t *testing.T) {
	p := open(t).(*Plane)
	ipvsadm(t, "-A -t 192.0.2.1:80 -s wlc")
	for i := range 5 {
		ipvsadm(t, fmt.Sprintf("-a -t 192.0.2.1:80 -r 10.0.0.%d:80 -m -w %d", i+1, i))
	}
	ipvsadm(t, "-A -f 7 -s rr")
	ipvsadm(t, "-A -f 7 -6 -s rr")
	ipvsadm(t, "-A --sctp-service 192.0.2.1:80 -s rr")
	ipvsadm(t, "-a --sctp-service 192.0.2.1:80 -r 10.0.0.1:80 -m")
	before, err := p.Table(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	whole := p.memory.whole
	for _, drift := range []string{
		"-e -t 192.0.2.1:80 -r 10.0.0.3:80 -m -w 77",
		"-e -t 192.0.2.1:80 -r 10.0.0.3:80 -g -w 77",
		"-d -t 192.0.2.1:80 -r 10.0.0.1:80",
		"-a -t 192.0.2.1:80 -r 10.0.0.9:80 -i",
		"-E -t 192.0.2.1:80 -s rr",
		"-E -t 192.0.2.1:80 -s rr -p 50",
		"-E -t 192.0.2.1:80 -s rr -p 50 -M 255.255.0.0",
		"-A -t 192.0.2.1:81 -s rr",
		"-A -u 192.0.2.1:81 -s rr -o",
		"-A -t [2001:db8::1]:80 -s wlc -p 30 -M 64",
		"-a -t [2001:db8::1]:80 -r [2001:db8::11]:80 -i",
		"-a -f 7 -r 10.0.0.1:0 -g",
		"-a -f 7 -6 -r [2001:db8::1]:0 -g",
		"-E -f 7 -6 -s rr -p 30",
		"-D -f 7",
		"-D -f 7 -6",
		"-D -t 192.0.2.1:80",
	} {
		ipvsadm(t, drift)
		got, err := p.Table(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.String() == before.String() {
			t.Errorf("ipvsadm %s: nothing seen", drift)
		}
		before = got
		want, err := fresh(t).Table(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want.String(), got.String()); diff != "" {
			t.Errorf("ipvsadm %s: by netlink, and as it was seen (-want +got):\n%s", drift, diff)
		}
	}
	if p.memory.whole != whole {
		t.Error("all of the table was read again")
	}
	p.memory.whole = whole.Add(-wholeEvery)
	if _, err := p.Table(t.Context()); err != nil || p.memory.whole.Before(whole) {
		t.Errorf("all of the table was not read again after %v (%v)", wholeEvery, err)
	}
}

// What only netlink shows is seen when all of the table is read.
func TestDriftThatProcDoesNotShow(t *testing.T) {
	p := open(t).(*Plane)
	ipvsadm(t, "-A -t 192.0.2.1:80 -s mh")
	ipvsadm(t, "-a -t 192.0.2.1:80 -r 10.0.0.1:80 -g")
	before, err := p.Table(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ipvsadm(t, "-E -t 192.0.2.1:80 -s mh -b mh-fallback")
	ipvsadm(t, "-e -t 192.0.2.1:80 -r 10.0.0.1:80 -g -x 10")
	if got, err := p.Table(t.Context()); err != nil || got.String() != before.String() {
		t.Errorf("/proc shows it by now (%v): compare more of it\n%s", err, got)
	}
	p.memory.whole = p.memory.whole.Add(-wholeEvery)
	got, err := p.Table(t.Context())
	if want := "tcp 192.0.2.1:80 mh fallback\n  -> 10.0.0.1:80 dr weight 1 thresholds 10/0\n"; err != nil || got.String() != want {
		t.Errorf("got (%v)\n%swant\n%s", err, got, want)
	}
}

// A service whose scheduler the kernel lacks is refused alone, in one sentence,
// and is tried again without reading all of the table.
func TestAMissingSchedulerKeepsNothingElseBack(t *testing.T) {
	p := open(t).(*Plane)
	want := tiers.Table{Services: []tiers.Service{
		at("tcp 192.0.2.1:80", "wlc", nat("10.0.0.1:80", 1)),
		at("tcp 192.0.2.1:81", "twos", nat("10.0.0.1:81", 1), nat("10.0.0.2:81", 1)),
		at("tcp 192.0.2.1:82", "wlc", nat("10.0.0.1:82", 1)),
	}}
	all := tiers.Owner{VIPs: map[netip.Addr]bool{netip.MustParseAddr("192.0.2.1"): true}}
	k := &dataplane.Keeper{Plane: p}
	var whole any
	for range 3 {
		_, err := k.Converge(t.Context(), want, all)
		const sentence = `+ tcp 192.0.2.1:81 twos: the kernel has no scheduler "twos" (module ip_vs_twos)`
		if err == nil || err.Error() != sentence {
			t.Errorf("error %v\nwant  %s", err, sentence)
		}
		if whole != nil && whole != p.memory.whole {
			t.Error("all of the table was read again")
		}
		whole = p.memory.whole
	}
	got, err := fresh(t).Table(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rest := tiers.Table{Services: []tiers.Service{want.Services[0], want.Services[2]}}
	if diff := gocmp.Diff(rest.String(), got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want.Services[1].Scheduler = "rr"
	if _, err := k.Converge(t.Context(), want, all); err != nil {
		t.Error(err)
	}
}

func TestSchedulersOfThisKernel(t *testing.T) {
	open(t)
	have := Schedulers()
	for _, s := range topology.Schedulers {
		want := Loadable
		if s.Name == "twos" {
			want = Absent
		}
		if got := have[s.Name]; got != want && (want == Absent || got != Present) { // another test may have loaded it
			t.Errorf("%s: %v, want %v", s.Name, got, want)
		}
	}
	if out, err := exec.Command("ipvsadm", "-A", "-t", "192.0.2.1:80", "-s", "lblcr").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := Schedulers()["lblcr"]; got != Present {
		t.Errorf("lblcr, in use: %v", got)
	}
}
