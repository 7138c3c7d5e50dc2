//go:build kernel

package conn

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"gslb/lab/debian"
	"gslb/vrrp"
)

// Keepalived is what the tests borrow.
var Keepalived = []debian.Program{{Executable: "keepalived", Package: "keepalived"}}

var addr = netip.MustParseAddr

// A dialect is one way to speak VRRP, as our configuration and as keepalived's.
type dialect struct {
	name     string
	a, b     string // where the nodes speak from
	vip      string
	interval time.Duration
	change   func(*vrrp.Instance)
	lines    string // of keepalived, at the node b
}

var dialects = []dialect{
	{"version 2 with a password", "192.0.2.11", "192.0.2.12", "192.0.2.5", time.Second,
		func(in *vrrp.Instance) { in.Version, in.Password = 2, "secret" },
		" version 2\n advert_int 1\n authentication {\n  auth_type PASS\n  auth_pass secret\n }\n virtual_ipaddress {\n  192.0.2.5/32\n }"},
	{"version 3, IPv4", "192.0.2.11", "192.0.2.12", "192.0.2.5", 200 * time.Millisecond,
		func(*vrrp.Instance) {},
		" version 3\n advert_int 0.2\n virtual_ipaddress {\n  192.0.2.5/32\n }"},
	{"version 3, IPv6", "fe80::b", "fe80::c", "2001:db8::5", 200 * time.Millisecond,
		func(in *vrrp.Instance) { in.Addrs = []netip.Addr{vrrp.LinkLocal(51), addr("2001:db8::5")} },
		" version 3\n advert_int 0.2\n virtual_ipaddress {\n  fe80::200:5eff:fe00:233/128\n  2001:db8::5/128\n }"},
	{"version 3, IPv4, unicast", "192.0.2.11", "192.0.2.12", "192.0.2.5", 200 * time.Millisecond,
		func(in *vrrp.Instance) { in.Unicast = true },
		" version 3\n advert_int 0.2\n unicast_src_ip 192.0.2.12\n unicast_peer {\n  192.0.2.11\n }\n virtual_ipaddress {\n  192.0.2.5/32\n }"},
}

func (d dialect) config(priority uint8) vrrp.Config {
	in := vrrp.Instance{ID: 51, Version: 3, Interface: "e0", Source: addr(d.a), Addrs: []netip.Addr{addr(d.vip)}, Peers: []netip.Addr{addr(d.b)}}
	d.change(&in)
	return vrrp.Config{Name: "front", Instances: []vrrp.Instance{in}, Priority: priority, Interval: d.interval, Preempt: true}
}

func (d dialect) neighbour(priority int) string {
	return fmt.Sprintf(" state BACKUP\n virtual_router_id 51\n priority %d\n%s", priority, d.lines)
}

// takeover kills the active one of two and measures what the other needs, in
// parts of the time that it is to wait.
func (w *world) takeover(what string, wait time.Duration, die func(), was, other netip.Addr) {
	w.t.Helper()
	w.hush()
	last := w.next(20*time.Second, "the active one speaks", from(was)).at
	die()
	var first time.Time
	w.next(30*time.Second, what, func(x word) bool {
		if x.from == was {
			last = x.at // a resignation too
		}
		first = x.at
		return x.from == other && x.Priority > 0
	})
	ratio := float64(first.Sub(last)) / float64(wait)
	w.t.Logf("%s: %v after the last word, %.2f of %v", what, first.Sub(last).Round(time.Millisecond), ratio, wait.Round(time.Millisecond))
	// A machine that does other things delays it; never is it early, nor so late
	// that a resignation was not heard.
	if ratio < 0.9 || ratio > 3 {
		w.t.Errorf("%s: %.2f of the time it is to take", what, ratio)
	}
}

// forget takes the addresses off a node whose process has died: with a machine
// they would be gone.
func (w *world) forget(node string, d dialect) {
	for _, a := range d.config(1).Instances[0].Addrs {
		run(w.t, "ip", "-n", node, "addr", "flush", "dev", "e0", "to", a.String())
	}
}

func TestKeepalived(t *testing.T) {
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			a, b := addr(d.a), addr(d.b)
			t.Run("ours is the backup", func(t *testing.T) {
				w := newWorld(t)
				them := w.keepalived("b", d.neighbour(150))
				w.next(30*time.Second, "keepalived is active", from(b))
				us := w.ours("a", d.config(100), "")
				w.silent(5*d.interval, "ours speaks though it is backup", from(a))
				if w.has("a", d.vip) || !w.has("b", d.vip) {
					t.Fatal("the address is at the wrong node")
				}
				w.takeover("ours takes over from a dead keepalived", vrrp.DownInterval(d.interval, 100), them.die, b, a)
				w.eventually("our node has the address", func() bool { return w.has("a", d.vip) })

				w.forget("b", d)
				them = w.keepalived("b", d.neighbour(150))
				w.next(30*time.Second, "keepalived takes it back by its priority", from(b))
				w.eventually("our node has given up the address", func() bool { return !w.has("a", d.vip) })
				w.takeover("ours takes over when keepalived resigns", vrrp.Skew(d.interval, 100), func() { them.kill(syscall.SIGTERM) }, b, a)
				w.eventually("our node has the address", func() bool { return w.has("a", d.vip) })
				us.kill(syscall.SIGTERM)
			})
			t.Run("keepalived is the backup", func(t *testing.T) {
				w := newWorld(t)
				us := w.ours("a", d.config(200), "")
				w.next(30*time.Second, "ours is active", from(a))
				them := w.keepalived("b", d.neighbour(150))
				w.eventually("keepalived is backup", func() bool { return strings.Contains(them.log(), "Entering BACKUP STATE") })
				time.Sleep(5 * d.interval)
				if !w.has("a", d.vip) || w.has("b", d.vip) {
					t.Fatalf("the address is at the wrong node\n%s", them.log())
				}
				w.takeover("keepalived takes over from a dead one of ours", vrrp.DownInterval(d.interval, 150), us.die, a, b)
				w.eventually("their node has the address", func() bool { return w.has("b", d.vip) })

				w.forget("a", d)
				us = w.ours("a", d.config(200), "")
				w.next(30*time.Second, "ours takes it back by its priority", from(a))
				w.eventually("their node has given up the address", func() bool { return !w.has("b", d.vip) })
				w.takeover("keepalived takes over when ours resigns", vrrp.Skew(d.interval, 150), func() { us.kill(syscall.SIGTERM) }, a, b)
				w.eventually("their node has the address", func() bool { return w.has("b", d.vip) })
				if w.has("a", d.vip) {
					t.Error("ours has kept the address")
				}
				them.kill(syscall.SIGTERM)
			})
		})
	}
}
