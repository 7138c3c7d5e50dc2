//go:build kernel

package conn

import (
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"gslb/vrrp"
)

// A process that is stopped and goes on, as a virtual machine that is moved.
func TestWhoStoodStillGivesWay(t *testing.T) {
	w := newWorld(t)
	a, b := addr("192.0.2.11"), addr("192.0.2.12")
	first := both(11, 200)
	first.PreemptDelay = time.Hour
	us := w.ours("a", first, "")
	w.next(20*time.Second, "the first is active", from(a))
	w.ours("b", both(12, 100), "")
	time.Sleep(2 * time.Second)
	_ = us.cmd.Process.Signal(syscall.SIGSTOP)
	w.next(20*time.Second, "the backup takes over", from(b))
	time.Sleep(5 * tempo)
	w.hush()
	_ = us.cmd.Process.Signal(syscall.SIGCONT)
	w.eventually("the first gives way", func() bool { return strings.Contains(us.log(), "stood still, and") })
	for len(w.wire) > 0 {
		if x := <-w.wire; x.from == a {
			t.Errorf("it speaks before it listens: %+v", x)
		}
	}
	w.eventually("the first has given up the addresses", func() bool { return !w.has("a", "192.0.2.5") && w.has("b", "192.0.2.5") })
}

// routed lets the IPv6 instance of a pair speak by unicast, from the address
// that the node has to everybody.
func routed(c vrrp.Config) vrrp.Config {
	in := &c.Instances[1]
	global := func(local netip.Addr) netip.Addr {
		b := local.As16()
		return netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 15: b[15]})
	}
	in.Unicast, in.Source, in.Peers = true, global(in.Source), []netip.Addr{global(in.Peers[0])}
	return c
}

// Two that do not hear each other are both active; when they do, one is, and
// says so to everybody.
func TestASplitHeals(t *testing.T) {
	w := newWorld(t)
	a, b := addr("192.0.2.11"), addr("192.0.2.12")
	w.ours("a", routed(both(11, 200)), "")
	w.next(20*time.Second, "the first is active", from(a))
	second := w.ours("b", routed(both(12, 100)), "")
	time.Sleep(2 * time.Second)
	ip(t, "-n s link set dev b0 nomaster")
	w.eventually("both have the addresses", func() bool { return w.has("a", "192.0.2.5") && w.has("b", "192.0.2.5") })
	time.Sleep(7 * time.Second) // what the first announced by itself is over
	for len(w.told) > 0 {
		<-w.told
	}
	w.hush()
	ip(t, "-n s link set dev b0 master wire")
	began := w.next(20*time.Second, "the second speaks to the first", from(b)).at
	w.eventually("the second has given up the addresses", func() bool { return w.has("a", "192.0.2.5") && !w.has("b", "192.0.2.5") })
	w.eventually("the first announces where they are", func() bool {
		for len(w.told) > 0 {
			if x := <-w.told; x.addr == addr("192.0.2.5") && x.mac == [6]byte{2, 0, 0, 0, 0, 0x0b} && x.at.After(began) {
				return true
			}
		}
		return false
	})
	w.hush()
	w.silent(3*tempo, "the second speaks still", from(b))
	second.kill(syscall.SIGTERM)
	if six := second.counts(t)[1]; !six.IPv6 || six.Heard == 0 || len(six.Refused) > 0 {
		t.Errorf("by IPv6: %+v", six)
	}
}
