package conn

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/vrrp"
)

func TestFrames(t *testing.T) {
	mac := [6]byte{2, 0, 0, 0, 0, 0x0b}
	four, six := netip.MustParseAddr("192.0.2.5"), netip.MustParseAddr("2001:db8::5")
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"a gratuitous ARP is a request from the address for itself": {
			gratuitousARP(mac, four),
			"ffffffffffff 02000000000b 0806  0001 0800 06 04 0001  02000000000b c0000205 000000000000 c0000205" + strings.Repeat("00", 18),
		},
		"an unsolicited neighbour advertisement overrides": {
			unsolicitedNA(mac, six, false),
			"333300000001 02000000000b 86dd  6c000000 0020 3a ff 20010db8000000000000000000000005 ff020000000000000000000000000001" +
				"88 00 f918 20000000 20010db8000000000000000000000005 02 01 02000000000b",
		},
		"a router says that it is one": {
			unsolicitedNA(mac, six, true),
			"333300000001 02000000000b 86dd  6c000000 0020 3a ff 20010db8000000000000000000000005 ff020000000000000000000000000001" +
				"88 00 7918 a0000000 20010db8000000000000000000000005 02 01 02000000000b",
		},
		"a packet to all routers, IPv4": {
			multicastFrame(vrrp.MAC(51, false), vrrp.Packet{Src: netip.MustParseAddr("192.0.2.11"), Dst: vrrp.AllRouters(false), Hops: 255, Payload: []byte{1, 2}}),
			"01005e000012 00005e000133 0800  45 c0 0016 0000 4000 ff 70 d899 c000020b e0000012  0102",
		},
		"a packet to all routers, IPv6": {
			multicastFrame(vrrp.MAC(51, true), vrrp.Packet{Src: netip.MustParseAddr("fe80::b"), Dst: vrrp.AllRouters(true), Hops: 255, Payload: []byte{1, 2}}),
			"333300000012 00005e000233 86dd  6c000000 0002 70 ff fe80000000000000000000000000000b ff020000000000000000000000000012  0102",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(strings.Join(strings.Fields(c.want), ""), hex.EncodeToString(c.got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestPacketsOfRawSockets(t *testing.T) {
	p := vrrp.Packet{Src: netip.MustParseAddr("192.0.2.11"), Dst: vrrp.AllRouters(false), Hops: 255, Payload: []byte{1, 2}}
	b := multicastFrame([6]byte{}, p)[14:]
	if diff := cmp.Diff(p, packet4(b), cmp.Comparer(func(x, y netip.Addr) bool { return x == y })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for n := range b {
		packet4(b[:n]) // does not panic
	}
	b[0] = 0x4f
	if got := packet4(b); got.Payload != nil {
		t.Errorf("a header longer than the packet: %v", got)
	}
}
