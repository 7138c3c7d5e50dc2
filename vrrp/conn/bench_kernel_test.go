//go:build kernel

package conn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"gslb/vrrp"
)

// netlinkHands hold addresses as the director's do: without another process.
type netlinkHands struct{ has []Holding }

func (h *netlinkHands) Hold(_ context.Context, held []Holding) error {
	var errs []error
	change := func(x Holding, do func(netlink.Link, *netlink.Addr) error) {
		link, err := netlink.LinkByName(x.Interface)
		if err == nil {
			err = do(link, &netlink.Addr{IPNet: &net.IPNet{IP: x.Addr.AsSlice(), Mask: net.CIDRMask(x.Addr.BitLen(), x.Addr.BitLen())}, Flags: unix.IFA_F_NODAD})
		}
		errs = append(errs, err)
	}
	for _, x := range h.has {
		change(x, netlink.AddrDel)
	}
	for _, x := range held {
		change(x, netlink.AddrReplace)
	}
	h.has = held
	return errors.Join(errs...)
}

// How long it takes from the last word of a member that dies without another
// until the next one has the addresses, in parts of the time that it has to wait
// (the master-down interval of RFC 9568, section 6.1). As root on any kernel with
// veth:
//
//	unshare -n go test -tags kernel -run NONE -bench TakeOver -benchtime 200x ./vrrp/conn
func BenchmarkTakeOver(b *testing.B) {
	for _, interval := range []time.Duration{100 * time.Millisecond, 500 * time.Millisecond} {
		b.Run(fmt.Sprint(interval), func(b *testing.B) {
			if out := runQuiet("ip", "link", "add", "name", "m0", "type", "veth", "peer", "name", "m1"); out != nil {
				b.Fatal(out)
			}
			defer func() { _ = runQuiet("ip", "link", "del", "m0") }()
			self := []string{"fe80::b", "fe80::c"}
			for i, a := range self {
				dev := fmt.Sprint("m", i)
				for _, args := range [][]string{{"link", "set", "dev", dev, "up"}, {"addr", "add", a + "/64", "dev", dev, "nodad"}} {
					if err := runQuiet(append([]string{"ip"}, args...)...); err != nil {
						b.Fatal(args, err)
					}
				}
			}
			const priority = 200
			hands := [2]netlinkHands{}
			join := func(i int) *Member {
				m, err := Join(vrrp.Config{
					Name: self[i], Priority: priority, Interval: interval,
					Instances: []vrrp.Instance{{
						ID: 51, Version: 3, Interface: fmt.Sprint("m", i), Source: addr(self[i]), Addrs: []netip.Addr{vrrp.LinkLocal(51)}, Peers: []netip.Addr{addr(self[1-i])},
					}},
				}, &hands[i], Options{})
				if err != nil {
					b.Fatal(err)
				}
				return m
			}
			until := func(m *Member, what string, is func(Status) bool) Status {
				for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Microsecond) {
					if s := m.Status(); is(s) {
						return s
					}
				}
				b.Fatalf("never: %s", what)
				return Status{}
			}
			held := func(s Status) bool { return s.Held }
			var members [2]*Member
			members[0] = join(0)
			until(members[0], "the first has the addresses", held)
			members[1] = join(1)
			wait := vrrp.DownInterval(interval, priority)
			var ratios []float64
			for n := 0; b.Loop(); n++ {
				dies, next := members[n%2], members[1-n%2]
				until(next, "it has heard the other one", func(s Status) bool { return s.Router.State.Peer.At != 0 })
				last := dies.HandOver().Router.SentAt
				took := until(next, "the next one has the addresses", held).Clock - last
				ratios = append(ratios, float64(took)/float64(wait))
				members[n%2] = join(n % 2)
			}
			for _, m := range members {
				m.HandOver()
			}
			slices.Sort(ratios)
			at := func(part float64) float64 { return ratios[min(len(ratios)-1, int(part*float64(len(ratios))))] }
			b.ReportMetric(at(0.5), "p50-of-wait")
			b.ReportMetric(at(0.99), "p99-of-wait")
			b.ReportMetric(ratios[len(ratios)-1], "max-of-wait")
			b.ReportMetric(float64(wait.Milliseconds()), "wait-ms")
		})
	}
}
