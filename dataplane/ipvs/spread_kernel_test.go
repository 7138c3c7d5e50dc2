//go:build kernel

package ipvs

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gslb/dataplane"
	"gslb/tiers"
	"gslb/topology"
)

// A wire is a tunnel device that everything beyond this host lies behind: what
// is written is a packet that came in, what is read one that goes out.
type wire int

// newWire gives the test's namespace a wire, the VIPs and no limit for refusals.
func newWire(t *testing.T, vips ...netip.Addr) wire {
	t.Helper()
	// The kernel loads the module when the device is opened, and there is no
	// device before it is loaded.
	if err := os.MkdirAll("/dev/net", 0o755); err != nil {
		t.Fatal(err)
	}
	const device = "/dev/net/tun"
	if err := unix.Mknod(device, unix.S_IFCHR|0o600, int(unix.Mkdev(10, 200))); err != nil && err != unix.EEXIST {
		t.Fatal(err)
	}
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	request, err := unix.NewIfreq("wire")
	if err != nil {
		t.Fatal(err)
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		t.Fatal(err)
	}
	commands := []string{
		"link set wire up", "addr add 203.0.113.1/32 dev wire", "route add default dev wire",
		"-6 addr add 2001:db8:ffff::1/128 dev wire nodad", "-6 route add default dev wire",
	}
	for _, vip := range vips {
		commands = append(commands, "addr add "+vip.String()+" dev lo")
	}
	for _, c := range commands {
		if out, err := exec.Command("ip", strings.Fields(c)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", c, err, out)
		}
	}
	// The kinds of ICMP message that are limited: none that a refusal is told by.
	for key, value := range map[string]string{"ipv4/icmp_ratemask": "0", "ipv6/icmp/ratemask": "255"} {
		if err := os.WriteFile("/proc/sys/net/"+key, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	return wire(fd)
}

// ask sends a UDP packet and returns where the kernel forwarded it to; the zero
// AddrPort when it refused.
func (w wire) ask(t *testing.T, from, to netip.AddrPort) netip.AddrPort {
	t.Helper()
	if _, err := unix.Write(int(w), datagram(from, to)); err != nil {
		t.Fatal(err)
	}
	var buf [2048]byte
	for {
		ready := []unix.PollFd{{Fd: int32(w), Events: unix.POLLIN}}
		if n, err := unix.Poll(ready, 5000); n != 1 {
			t.Fatalf("%s to %s: neither forwarded nor refused within 5 seconds (%v)", from, to, err)
		}
		n, err := unix.Read(int(w), buf[:])
		if err != nil {
			t.Fatal(err)
		}
		packet := buf[:n]
		head, proto, at := 40, packet[6], 24
		if packet[0]>>4 == 4 {
			head, proto, at = 20, packet[9], 16
		}
		switch {
		case proto == unix.IPPROTO_UDP:
			addr, _ := netip.AddrFromSlice(packet[at : at+from.Addr().BitLen()/8])
			return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(packet[head+2:]))
		case proto == unix.IPPROTO_ICMP && packet[head] == 3, proto == unix.IPPROTO_ICMPV6 && packet[head] == 1:
			return netip.AddrPort{}
		}
		// A router solicitation or the like, which a new device sends by itself.
	}
}

// datagram is a UDP packet without payload or checksum, which nobody on its way looks at.
func datagram(from, to netip.AddrPort) []byte {
	const size = 8
	var p []byte
	if from.Addr().Is4() {
		p = []byte{0x45, 0, 0, 20 + size, 0, 0, 0, 0, 64, unix.IPPROTO_UDP, 0, 0}
		p = append(append(p, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
		var sum uint32
		for i := 0; i < len(p); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(p[i:]))
		}
		binary.BigEndian.PutUint16(p[10:], ^uint16(sum+sum>>16))
	} else {
		p = []byte{0x60, 0, 0, 0, 0, size, unix.IPPROTO_UDP, 64}
		p = append(append(p, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	}
	p = binary.BigEndian.AppendUint16(p, from.Port())
	p = binary.BigEndian.AppendUint16(p, to.Port())
	return append(p, 0, size, 0, 0)
}

// stranger is some client.
func stranger(r *rand.Rand, v6 bool) netip.AddrPort {
	b := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	binary.BigEndian.PutUint64(b[8:], r.Uint64())
	binary.BigEndian.PutUint32(b[4:], r.Uint32())
	addr := netip.AddrFrom16(b)
	if !v6 {
		addr = netip.AddrFrom4([4]byte{byte(16 + r.UintN(80)), b[9], b[10], b[11]})
	}
	return netip.AddrPortFrom(addr, uint16(1024+r.UintN(60000)))
}

// What tiers says of the kernel's hash schedulers is what the kernel does: for
// every one of a thousand clients, half of them of IPv6, in each state of a
// service.
func TestSpreadIsTheKernels(t *testing.T) {
	const clients = 500
	tests := map[string]struct {
		flags   tiers.Flags
		weights [][]uint32 // of each destination, state after state; out: it is not there
		upper   uint32     // threshold of the first destination
	}{
		"equal weights":                               {weights: [][]uint32{{1, 1, 1, 1, 1}}},
		"one destination":                             {weights: [][]uint32{{7}}},
		"more destinations than places of sh":         {weights: [][]uint32{repeat(1, 300)}},
		"unequal weights":                             {weights: [][]uint32{{1, 2, 3, 5, 8}}},
		"weights with a common divisor":               {weights: [][]uint32{{200, 100, 300}}},
		"weights larger than a table":                 {weights: [][]uint32{{65535, 1, 700, 32768}}},
		"a weight of 0 from the start":                {weights: [][]uint32{{3, 0, 2}}},
		"a weight of 0 from the start, fallback":      {flags: tiers.Fallback, weights: [][]uint32{{3, 0, 2}}},
		"a weight that becomes 0":                     {weights: [][]uint32{{3, 4, 2}, {3, 0, 2}}},
		"a weight that becomes 0, fallback":           {flags: tiers.Fallback, weights: [][]uint32{{3, 4, 2}, {3, 0, 2}, {3, 4, 2}}},
		"equal weights of which some become 0":        {flags: tiers.Fallback, weights: [][]uint32{{1, 1, 1, 1}, {1, 0, 0, 1}}},
		"only weights of 0":                           {flags: tiers.Fallback, weights: [][]uint32{{1, 1}, {0, 0}}},
		"the client's port counts":                    {flags: tiers.Sched2, weights: [][]uint32{{1, 2, 3}}},
		"the client's port counts, fallback":          {flags: tiers.Sched2 | tiers.Fallback, weights: [][]uint32{{1, 2, 3}, {1, 2, 0}}},
		"destinations that come and go":               {flags: tiers.Fallback, weights: [][]uint32{{out, 1, 2, out, 1}, {1, 1, 2, 3, 1}, {1, out, 2, 3, 1}}},
		"weights that change":                         {flags: tiers.Fallback, weights: [][]uint32{{1, 1, 1}, {2, 1, 4}}},
		"too many connections for a destination":      {weights: [][]uint32{{1, 1, 1}}, upper: 100},
		"too many connections, fallback":              {flags: tiers.Fallback, weights: [][]uint32{{2, 1, 1}}, upper: 100},
		"one that leaves and comes back is a new one": {flags: tiers.Fallback, weights: [][]uint32{{1, 2, 3}, {out, 2, 3}, {1, 2, 3}}},
	}
	vips := map[bool]netip.Addr{false: netip.MustParseAddr("192.0.2.1"), true: netip.MustParseAddr("2001:db8:1::1")}
	decisions := 0
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := open(t)
			w := newWire(t, vips[false], vips[true])
			r := rand.New(rand.NewPCG(1, 2)) // new clients all the time: the old ones have connections
			for port, scheduler := range map[uint16]string{53: "mh", 54: "sh"} {
				for v6, vip := range vips {
					key := tiers.VIPKey(topology.UDP, netip.AddrPortFrom(vip, port))
					owner := tiers.Owner{VIPs: map[netip.Addr]bool{vip: true}}
					var list tiers.List
					for step, weights := range test.weights {
						want := tiers.Service{Key: key, Scheduler: scheduler, Flags: test.flags, Netmask: uint8(vip.BitLen())}
						for i, weight := range weights {
							if weight == out {
								continue
							}
							d := tiers.Destination{Addr: destination(v6, i), Method: topology.NAT, Weight: weight}
							if i == 0 {
								d.Upper = test.upper
							}
							want.Destinations = append(want.Destinations, d)
						}
						have, err := p.Table(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						plan := tiers.Diff(have, tiers.Table{Services: []tiers.Service{want}}, owner)
						if err := p.Apply(t.Context(), plan); err != nil {
							t.Fatal(err)
						}
						if step == 0 {
							list = tiers.Listed(want)
						} else {
							list = list.After(plan, key)
						}
						spread := tiers.NewSpread(scheduler, test.flags, list)
						connections := make([]uint32, len(list))
						for range clients {
							client := stranger(r, v6)
							var expected netip.AddrPort
							if i, ok := spread.Pick(client); ok {
								expected = list[i].Addr
								if connections[i]++; test.upper > 0 && list[i].Addr == destination(v6, 0) {
									list[i].Overloaded = connections[i] >= test.upper
								}
							}
							if got := w.ask(t, client, key.VIP); got != expected {
								t.Fatalf("%s, state %d, client %s: the kernel chose %v, the model %v", scheduler, step+1, client, got, expected)
							}
							decisions++
						}
					}
					if _, err := dataplane.Converge(t.Context(), p, tiers.Table{}, owner); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
	t.Logf("%d decisions", decisions)
}

// out is the weight of a destination that is not there.
const out = ^uint32(0)

func repeat(weight uint32, n int) []uint32 {
	all := make([]uint32, n)
	for i := range all {
		all[i] = weight
	}
	return all
}

func destination(v6 bool, i int) netip.AddrPort {
	text := fmt.Sprintf("198.51.%d.%d", 100+i/250, 1+i%250)
	if v6 {
		text = fmt.Sprintf("2001:db8:2::%x", i+1)
	}
	return netip.AddrPortFrom(netip.MustParseAddr(text), 53)
}
