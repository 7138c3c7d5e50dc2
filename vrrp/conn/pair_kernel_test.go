//go:build kernel

package conn

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/vrrp"
)

// tempo is between advertisements: a machine that does other things lets user-mode
// Linux wait for half a second at times.
const tempo = 400 * time.Millisecond

// both is a pair of ours whose VIPs of both families move together, signed.
func both(node byte, priority uint8) vrrp.Config {
	secret := make([]byte, 32)
	secret[0] = 42
	keys := []vrrp.Key{{ID: 1, Secret: secret}}
	other := byte(23) - node // 11 and 12
	four := vrrp.Instance{
		ID: 51, Version: 3, Interface: "e0", Source: netip.AddrFrom4([4]byte{192, 0, 2, node}), Addrs: []netip.Addr{addr("192.0.2.5")},
		Peers: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, other})}, Keys: keys,
	}
	local := func(b byte) netip.Addr { return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 15: b}) }
	six := vrrp.Instance{
		ID: 51, Version: 3, Interface: "e0", Source: local(node), Addrs: []netip.Addr{vrrp.LinkLocal(51), addr("2001:db8::5")},
		Peers: []netip.Addr{local(other)}, Keys: keys,
	}
	return vrrp.Config{Name: "front", Instances: []vrrp.Instance{four, six}, Priority: priority, Interval: tempo, Preempt: true}
}

func TestPair(t *testing.T) {
	a, b := addr("192.0.2.11"), addr("192.0.2.12")
	w := newWorld(t)
	us := w.ours("a", both(11, 200), "")
	first := w.next(30*time.Second, "the first is active", from(a))
	if diff := cmp.Diff([]any{uint8(255), uint8(0xc0), [6]byte{1, 0, 0x5e, 0, 0, 0x12}, 28, true}, []any{first.hops, first.tos, first.to, len(first.Trailer), first.Plain}); diff != "" {
		t.Errorf("on the wire (-want +got)\n%s", diff)
	}
	backup := w.ours("b", both(12, 100), "")
	w.silent(3*tempo, "the backup speaks", from(b))
	for _, vip := range []string{"192.0.2.5", "2001:db8::5"} {
		if !w.has("a", vip) || w.has("b", vip) {
			t.Errorf("%s is at the wrong node", vip)
		}
	}

	t.Run("announced at a take-over, and after 5 s again", func(t *testing.T) {
		w.t = t
		for len(w.told) > 0 {
			<-w.told
		}
		us.die()
		w.next(30*time.Second, "the backup takes over", from(b))
		time.Sleep(7 * time.Second)
		times := map[netip.Addr][]time.Time{}
		for len(w.told) > 0 {
			x := <-w.told
			if x.mac != [6]byte{2, 0, 0, 0, 0, 0x0c} {
				continue // the first, before it died
			}
			times[x.addr] = append(times[x.addr], x.at)
		}
		want := map[netip.Addr][]time.Time{}
		for _, vip := range both(12, 100).Instances {
			for _, x := range vip.Addrs {
				want[x] = times[x]
				if len(times[x]) != 2*copies || times[x][copies].Sub(times[x][copies-1]).Round(2*time.Second) < 4*time.Second {
					t.Errorf("%v was announced at %v s", x, times[x])
				}
			}
		}
		if diff := cmp.Diff(want, times, cmp.Comparer(func(x, y netip.Addr) bool { return x == y })); diff != "" {
			t.Errorf("others were announced too (-want +got)\n%s", diff)
		}
		run(t, "ip", "-n", "a", "addr", "flush", "dev", "e0", "to", "192.0.2.5")
		us = w.ours("a", both(11, 200), "")
		w.next(30*time.Second, "the first takes them back", from(a))
		w.eventually("the addresses are back", func() bool { return w.has("a", "192.0.2.5") && !w.has("b", "192.0.2.5") })
	})
	t.Run("an operator moves them", func(t *testing.T) {
		w.t = t
		w.takeover("the backup takes over", vrrp.Skew(tempo, 100), func() { _ = us.cmd.Process.Signal(syscall.SIGUSR2) }, a, b)
		w.eventually("the addresses have moved", func() bool { return w.has("b", "2001:db8::5") && !w.has("a", "2001:db8::5") })
		w.silent(6*tempo, "the first takes them back", from(a))
		us.kill(syscall.SIGTERM)
		us = w.ours("a", both(11, 200), "")
		w.next(30*time.Second, "the first takes them back", from(a))
	})
	t.Run("what is forged is counted and not acted on", func(t *testing.T) {
		w.t = t
		w.hush()
		recorded := w.next(20*time.Second, "a word", from(a)).frame
		forge := func(change func(f []byte)) {
			f := slices.Clone(recorded)
			change(f)
			if err := w.send(f); err != nil {
				t.Fatal(err)
			}
		}
		forge(func([]byte) {})                                    // replayed
		forge(func(f []byte) { f[14+8]--; header(f) })            // TTL
		forge(func(f []byte) { f[14+15] = 99; header(f) })        // peer
		forge(func(f []byte) { f[34+2] = 255 })                   // checksum
		forge(func(f []byte) { f[34+2]++; f[34+6]-- })            // HMAC
		forge(func(f []byte) { f[34+1] = 52 })                    // virtual router
		forge(func(f []byte) { f[34+0] = 0x21; f[34+6] += 0x10 }) // length, as version 2
		forge(func(f []byte) { f[34+13] = 9 })                    // key
		for range 50 {
			forge(func(f []byte) { f[14+15] = 99; header(f) })
		}
		time.Sleep(time.Second)
		backup.kill(syscall.SIGTERM)
		counts := backup.counts(t)
		want := map[vrrp.Reason]uint64{vrrp.Replayed: 1, vrrp.BadHops: 1, vrrp.UnknownPeer: 51, vrrp.BadChecksum: 1, vrrp.BadHMAC: 1, vrrp.BadRouter: 1, vrrp.BadLength: 1, vrrp.UnknownKey: 1}
		if diff := cmp.Diff(want, counts[0].Refused); diff != "" {
			t.Errorf("refused (-want +got)\n%s", diff)
		}
		if n := strings.Count(backup.log(), "reason=peer "); n != 1 {
			t.Errorf("51 of one kind were logged %d times", n)
		}
		w.ours("b", both(12, 100), "")
		time.Sleep(2 * time.Second)
	})
	t.Run("take-over times", func(t *testing.T) {
		w.t = t
		wait := vrrp.DownInterval(tempo, 100)
		var ratios []float64
		for range 6 {
			w.next(30*time.Second, "the first is active", from(a))
			w.hush()
			last := w.next(20*time.Second, "a word", from(a)).at
			us.die()
			x := w.next(30*time.Second, "the backup takes over", func(x word) bool {
				if x.from == a {
					last = x.at
				}
				return x.from == b
			})
			ratios = append(ratios, float64(x.at.Sub(last))/float64(wait))
			us = w.ours("a", both(11, 200), "")
		}
		slices.Sort(ratios)
		t.Logf("%d take-overs after kill -9, in parts of the %v that a backup of priority 100 waits: median %.2f, highest %.2f", len(ratios), wait.Round(time.Millisecond), ratios[len(ratios)/2], ratios[len(ratios)-1])
		if ratios[0] < 0.9 || ratios[0] > 1.3 {
			t.Errorf("%.2f", ratios)
		}
	})
}

// header makes the checksum of an IPv4 header right.
func header(f []byte) {
	f[24], f[25] = 0, 0
	var sum uint32
	for i := 14; i < 34; i += 2 {
		sum += uint32(f[i])<<8 | uint32(f[i+1])
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	f[24], f[25] = byte(^sum>>8), byte(^sum)
}

func TestARestartWithinThreeIntervalsMovesNothing(t *testing.T) {
	w := newWorld(t)
	slow := func(node byte, priority uint8) vrrp.Config {
		c := both(node, priority)
		c.Interval = 2 * time.Second // a process takes a while to begin here
		return c
	}
	state := filepath.Join(t.TempDir(), "state.json")
	us := w.ours("a", slow(11, 200), state)
	w.next(30*time.Second, "the first is active", from(addr("192.0.2.11")))
	w.ours("b", slow(12, 100), "")
	time.Sleep(3 * time.Second)
	us.kill(syscall.SIGUSR1)
	if !w.has("a", "192.0.2.5") {
		t.Fatal("the address went with the process")
	}
	us = w.ours("a", slow(11, 200), state)
	w.next(20*time.Second, "the next process goes on", from(addr("192.0.2.11")))
	w.silent(5*time.Second, "the backup took over", from(addr("192.0.2.12")))
	if !strings.Contains(us.log(), "goes on where") || !w.has("a", "192.0.2.5") {
		t.Errorf("it began anew\n%s", us.log())
	}
}

func TestVirtualMAC(t *testing.T) {
	w := newWorld(t)
	c := both(11, 200)
	for i := range c.Instances {
		c.Instances[i].VirtualMAC = true
	}
	us := w.ours("a", c, "")
	if x := w.next(30*time.Second, "the first is active", from(addr("192.0.2.11"))); x.by != vrrp.MAC(51, false) {
		t.Errorf("it speaks from %x", x.by)
	}
	if x := w.next(20*time.Second, "the same for IPv6", from(addr("fe80::b"))); x.by != vrrp.MAC(51, true) {
		t.Errorf("it speaks from %x", x.by)
	}
	backup := both(12, 100)
	for i := range backup.Instances {
		backup.Instances[i].VirtualMAC = true
	}
	them := w.ours("b", backup, "")
	w.eventually("the other is backup", func() bool { return strings.Contains(them.log(), "to=backup") })
	w.silent(6*tempo, "the backup, which has a device with the same MAC address, hears nothing", func(x word) bool {
		return x.from == addr("192.0.2.12") || x.from == addr("fe80::c")
	})
	ip(t, "-n s addr add 192.0.2.99/24 dev wire")
	ip(t, "-n s addr add 2001:db8::99/64 dev wire nodad")
	neighbour := func(vip string) string {
		_ = runQuiet("ip", "netns", "exec", "s", "ping", "-c1", "-W2", vip)
		return ip(t, "-n s neigh show to "+vip)
	}
	for vip, mac := range map[string]string{"192.0.2.5": "00:00:5e:00:01:33", "2001:db8::5": "00:00:5e:00:02:33", "192.0.2.11": "02:00:00:00:00:0b"} {
		if got := neighbour(vip); !strings.Contains(got, mac) {
			t.Errorf("%s is at %q, want %s", vip, got, mac)
		}
	}
	us.die()
	w.next(30*time.Second, "the backup takes over", from(addr("192.0.2.12")))
	w.eventually("pings are answered by the backup", func() bool { return runQuiet("ip", "netns", "exec", "s", "ping", "-c1", "-W1", "192.0.2.5") == nil })
	if got := ip(t, "-n s neigh show to 192.0.2.5"); !strings.Contains(got, "00:00:5e:00:01:33") {
		t.Errorf("after the take-over it is at %q", got)
	}
	them.kill(syscall.SIGTERM)
	if got := ip(t, "-n b -o link"); strings.Contains(got, "vr4") || strings.Contains(got, "vr6") {
		t.Errorf("devices are left behind: %s", got)
	}
}
