package ipvs

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/tiers"
	"gslb/topology"
)

const heading = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
`

// table is a table as ip_vs_info_seq_show writes it on a little-endian processor.
func table(t tiers.Table) string {
	var b strings.Builder
	b.WriteString(heading)
	hex := func(a netip.AddrPort) string {
		if a.Addr().Is4() {
			return fmt.Sprintf("%X:%04X", a.Addr().As4(), a.Port())
		}
		return fmt.Sprintf("[%s]:%04X", a.Addr().StringExpanded(), a.Port())
	}
	for _, s := range t.Services {
		ops := ""
		if s.Flags&tiers.OnePacket != 0 && !(s.Key.V6 && s.Key.VIP.IsValid()) {
			ops = "ops "
		}
		switch {
		case !s.Key.VIP.IsValid():
			fmt.Fprintf(&b, "FWM  %08X %s %s", s.Key.Mark, s.Scheduler, ops)
		default:
			fmt.Fprintf(&b, "%s  %s %s %s", strings.ToUpper(s.Key.Proto.String()), hex(s.Key.VIP), s.Scheduler, ops)
		}
		if s.Flags&tiers.Persistent != 0 {
			mask := uint32(s.Netmask) << 24
			if !s.Key.V6 {
				mask = ^uint32(0) << (32 - s.Netmask)
			}
			fmt.Fprintf(&b, "persistent %d %08X", s.Timeout, mask)
		}
		b.WriteByte('\n')
		for _, d := range s.Destinations {
			method := map[topology.Method]string{topology.NAT: "Masq", topology.TUN: "Tunnel", topology.DR: "Route", topology.NoMethod: "Local"}[d.Method]
			fmt.Fprintf(&b, "  -> %s      %-7s %-6d %-10d %-10d\n", hex(d.Addr), method, d.Weight, 3, 4)
		}
	}
	return b.String()
}

// anyTable is a table of some services of every kind.
func anyTable(r *rand.Rand) tiers.Table {
	var t tiers.Table
	one := func(v6 bool) netip.AddrPort {
		a := netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(8))})
		if v6 {
			a = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(r.IntN(8))})
		}
		return netip.AddrPortFrom(a, uint16(r.IntN(3)))
	}
	seen := map[tiers.Key]bool{}
	for range r.IntN(8) {
		v6 := r.IntN(2) == 0
		s := tiers.Service{Key: tiers.VIPKey(topology.Proto(1+r.IntN(2)), one(v6)), Scheduler: []string{"rr", "wlc", "strange"}[r.IntN(3)], Netmask: 24}
		if r.IntN(3) == 0 {
			s.Key = tiers.MarkKey(uint32(1+r.IntN(3)), v6)
		}
		if r.IntN(3) == 0 {
			s.Flags, s.Timeout = tiers.Persistent, uint32(1+r.IntN(3))
		}
		if r.IntN(3) == 0 {
			s.Flags |= tiers.OnePacket
		}
		if seen[s.Key] {
			continue
		}
		seen[s.Key] = true
		for i := range r.IntN(4) {
			s.Destinations = append(s.Destinations, tiers.Destination{
				Addr: netip.AddrPortFrom(one(r.IntN(2) == 0).Addr(), uint16(i)), Method: topology.Method(r.IntN(4)), Weight: uint32(r.IntN(3)),
			})
		}
		t.Services = append(t.Services, s)
	}
	t.Sort()
	return t
}

// What differs between any two tables is what the text of one shows against
// the other: no service more, and none less but of what the text cannot show.
func TestDifferences(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 3))
		have, want := anyTable(r), anyTable(r)
		if same, err := differences(strings.NewReader(table(have)), have); err != nil || len(same) != 0 {
			t.Fatalf("seed %d: a table differs from itself: %v, %v\n%s", seed, same, err, table(have))
		}
		keys, err := differences(strings.NewReader(table(have)), want)
		if err != nil {
			t.Fatal(err)
		}
		got := map[tiers.Key]bool{}
		for _, k := range keys {
			if got[k] {
				t.Fatalf("seed %d: %s twice", seed, k)
			}
			got[k] = true
		}
		// The services of a mark are one, of both families together.
		text := func(all tiers.Table) map[shown]string {
			out := map[shown]string{}
			for _, s := range all.Services {
				out[shownOf(s.Key)] += table(tiers.Table{Services: []tiers.Service{s}})
			}
			return out
		}
		a, b := text(have), text(want)
		for _, side := range []map[shown]string{a, b} {
			for k := range side {
				differs := a[k] != b[k]
				for _, key := range k.keys() {
					if got[key] != differs {
						t.Fatalf("seed %d: %s: said to differ: %v\n%s\n%s", seed, key, got[key], a[k], b[k])
					}
				}
			}
		}
	}
}

func TestDifferencesSkipsOtherProtocols(t *testing.T) {
	text := heading + "SCTP  C0000201:0050 rr \n  -> 0A000001:0050      Masq    1      0          0         \n"
	keys, err := differences(strings.NewReader(text), tiers.Table{Services: []tiers.Service{
		{Key: tiers.VIPKey(topology.NoProto, netip.MustParseAddrPort("192.0.2.1:80")), Scheduler: "rr"},
	}})
	if len(keys) != 0 || err != nil {
		t.Errorf("%v, %v", keys, err)
	}
}

func TestTextThatIsNoTable(t *testing.T) {
	for name, text := range map[string]string{
		"a destination without a service": "  -> 0A000001:0050 Masq 1 0 0\n",
		"half a line":                     "TCP  C0000201:0050 wlc \n  -> 0A0000",
		"no weight":                       "TCP  C0000201:0050 wlc \n  -> 0A000001:0050 Masq\n",
		"a weight that is none":           "TCP  C0000201:0050 wlc \n  -> 0A000001:0050 Masq x 0 0\n",
		"an address too short":            "TCP  C00002:0050 wlc \n",
		"a port too large":                "TCP  C0000201:10050 wlc \n",
		"no scheduler":                    "TCP  C0000201:0050\n",
		"persistence without a time":      "TCP  C0000201:0050 wlc persistent\n",
		"a word too many":                 "TCP  C0000201:0050 wlc sticky\n",
		"an empty line":                   "\n",
		"a line without an end":           "TCP  C0000201:0050 wlc " + strings.Repeat(" ", 1<<20) + "\n",
		"mark 0":                          "FWM  00000000 rr \n",
	} {
		if keys, err := differences(strings.NewReader(heading+text), tiers.Table{}); err == nil || !strings.HasPrefix(err.Error(), tablePath+":") {
			t.Errorf("%s: %v, error %v; want one with the line", name, keys, err)
		}
	}
}

func FuzzTable(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 3))
	for range 20 {
		f.Add(table(anyTable(r)))
	}
	f.Fuzz(func(t *testing.T, text string) {
		known := anyTable(rand.New(rand.NewPCG(2, 3)))
		keys, err := differences(strings.NewReader(text), known)
		if err != nil {
			return
		}
		for _, k := range keys {
			if k.VIP.IsValid() == (k.Mark != 0) || k.VIP.IsValid() && k.V6 != k.VIP.Addr().Is6() {
				t.Errorf("%+v is no key", k)
			}
		}
	})
}

func TestConnections(t *testing.T) {
	const top = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
	for name, test := range map[string]struct {
		row  string
		want Conn
	}{
		"TCP": {"TCP CB007107 C350 C0000201 0050 0A000001 1F90 ESTABLISHED     899\n", Conn{
			Proto: topology.TCP, Client: ap("203.0.113.7:50000"), Virtual: ap("192.0.2.1:80"), Destination: ap("10.0.0.1:8080"),
			State: "ESTABLISHED", Expires: 899 * time.Second}},
		"UDP of IPv6, tunnelled in IPv4": {
			"UDP 2001:0db8:0000:0000:0000:0000:0000:0007 C350 2001:0db8:0000:0000:0000:0000:0000:0001 0035 C6336401 0035 UDP             300\n",
			Conn{Proto: topology.UDP, Client: ap("[2001:db8::7]:50000"), Virtual: ap("[2001:db8::1]:53"), Destination: ap("198.51.100.1:53"),
				State: "UDP", Expires: 300 * time.Second}},
		"a template": {"TCP CB007100 0000 C0000201 0050 0A000001 0050 ASSURED          60\n", Conn{
			Proto: topology.TCP, Client: ap("203.0.113.0:0"), Virtual: ap("192.0.2.1:80"), Destination: ap("10.0.0.1:80"),
			State: "ASSURED", Expires: time.Minute, Template: true}},
		"a template of a mark": {"IP  CB007100 0000 00000007 0000 0A000001 0000 NONE             60\n", Conn{
			Client: ap("203.0.113.0:0"), Virtual: ap("0.0.0.7:0"), Destination: ap("10.0.0.1:0"), State: "NONE", Expires: time.Minute, Template: true}},
		"with an engine": {"UDP CB007107 0000 C0000201 13C4 0A000001 13C4 NONE            110 sip a84b4c76e66710 x\n", Conn{
			Proto: topology.UDP, Client: ap("203.0.113.7:0"), Virtual: ap("192.0.2.1:5060"), Destination: ap("10.0.0.1:5060"),
			State: "NONE", Expires: 110 * time.Second, Template: true, Engine: "sip", ID: "a84b4c76e66710 x"}},
	} {
		n := 0
		for got, err := range scanConns(strings.NewReader(top + test.row)) {
			n++
			if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" || err != nil {
				t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d connections", name, n)
		}
	}
	for name, row := range map[string]string{
		"half a line": "TCP CB007107 C350 C00002", "no state": "TCP CB007107 C350 C0000201 0050 0A000001 1F90\n",
		"a time that is none": "TCP CB007107 C350 C0000201 0050 0A000001 1F90 ESTABLISHED x\n", "an empty line": "\n",
		"a port too large": "TCP CB007107 1C350 C0000201 0050 0A000001 1F90 ESTABLISHED 1\n",
		"too long":         strings.Repeat("x", 1<<20) + "\n",
	} {
		n := 0
		for got, err := range scanConns(strings.NewReader(top + row)) {
			if n++; err == nil || !strings.HasPrefix(err.Error(), connsPath+":2: ") {
				t.Errorf("%s: %+v, error %v", name, got, err)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d results, want one error", name, n)
		}
	}
}

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func FuzzConns(f *testing.F) {
	f.Add("Pro\nTCP CB007107 C350 C0000201 0050 0A000001 1F90 ESTABLISHED     899\n")
	f.Add("Pro\nUDP 2001:0db8::0007 C350 2001:0db8::1 0035 C6336401 0035 UDP 300 sip x\n")
	f.Fuzz(func(t *testing.T, text string) {
		n := 0
		for c, err := range scanConns(strings.NewReader(text)) {
			if n++; err == nil && (!c.Client.IsValid() || !c.Virtual.IsValid() || !c.Destination.IsValid() || c.State == "" || c.Expires < 0) {
				t.Errorf("%+v is no connection", c)
			}
		}
		if n > strings.Count(text, "\n")+1 {
			t.Errorf("%d connections in %d lines", n, strings.Count(text, "\n"))
		}
	})
}

// FuzzMessages reads what no kernel would send.
func FuzzMessages(f *testing.F) {
	s := at("tcp [2001:db8::1]:443", "wrr", tun("[2001:db8::12]:443", tiers.Encap{Type: 1, Port: 6080}))
	f.Add(appendChange(nil, &tiers.Change{Op: tiers.AddDestination, Service: &s, Destination: s.Destinations[0]}))
	f.Add(appendChange(nil, &tiers.Change{Op: tiers.AddService, Service: &s}))
	f.Fuzz(func(t *testing.T, data []byte) {
		outer, err := parse(data)
		if err != nil {
			return
		}
		if s, _, err := decodeService(outer[attrService]); err == nil && s.Key.VIP.IsValid() == (s.Key.Mark != 0) {
			t.Errorf("%+v is no service", s)
		}
		if d, err := decodeDestination(outer[attrDest], true); err == nil && !d.Addr.IsValid() {
			t.Errorf("%+v is no destination", d)
		}
		_, _ = decodeCounters(outer[attrService], serviceStats64)
	})
}

func TestSchedulers(t *testing.T) {
	root := t.TempDir()
	file := func(name, text string) {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file("sys/module/ip_vs_rr/refcnt", "0")
	if got := schedulers(root, "6.1"); len(got) != 1 || got["rr"] != Present {
		t.Errorf("without lists of modules: %v", got)
	}
	file("lib/modules/6.1/modules.builtin", "kernel/net/netfilter/ipvs/ip_vs_sh.ko\n")
	file("lib/modules/6.1/modules.dep", "kernel/net/netfilter/ipvs/ip_vs_lblcr.ko.xz: kernel/net/netfilter/ipvs/ip_vs.ko.xz\n")
	got := schedulers(root, "6.1")
	for name, want := range map[string]Presence{"rr": Present, "sh": Present, "lblcr": Loadable, "lblc": Absent, "twos": Absent} {
		if got[name] != want {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
}

func BenchmarkDifferences(b *testing.B) {
	var want tiers.Table
	for i := range 10_000 {
		s := at("tcp 192.0.2.1:80", "wlc")
		s.Key.VIP = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), 80)
		for k := range 10 {
			s.Destinations = append(s.Destinations, tiers.Destination{
				Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), byte(k)}), 80), Method: topology.NAT, Weight: 1,
			})
		}
		want.Services = append(want.Services, s)
	}
	text := table(want)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if keys, err := differences(strings.NewReader(text), want); len(keys) != 0 || err != nil {
			b.Fatal(keys, err)
		}
	}
}
