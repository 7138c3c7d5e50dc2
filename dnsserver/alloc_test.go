package dnsserver

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// common are the queries that make up nearly all of what a name server is asked.
func common(t testing.TB) map[string][]byte {
	t.Helper()
	packets := map[string][]byte{}
	subnet := &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: netip.MustParseAddr("203.0.113.0").AsSlice()}
	client, good := &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookieClient}, bakery{now: uint32(time.Now().Unix())}.cookie(t)
	for name, c := range map[string]struct {
		name    string
		typ     uint16
		edns    bool
		options []dns.EDNS0
	}{
		"a static address":                              {"mail.example.org.", dns.TypeA, false, nil},
		"a static address, EDNS":                        {"MAIL.example.org.", dns.TypeAAAA, true, nil},
		"a steered address":                             {"www.g.example.org.", dns.TypeA, false, nil},
		"a static address, a client's cookie":           {"mail.example.org.", dns.TypeA, true, []dns.EDNS0{client}},
		"a static address, a good cookie":               {"mail.example.org.", dns.TypeA, true, []dns.EDNS0{good}},
		"a steered address, a client's cookie":          {"www.g.example.org.", dns.TypeA, true, []dns.EDNS0{client}},
		"a steered address, a good cookie and a subnet": {"www.g.example.org.", dns.TypeA, true, []dns.EDNS0{subnet, good}},
		"a steered address, everything":                 {"www.g.example.org.", dns.TypeAAAA, true, []dns.EDNS0{subnet, client, &dns.EDNS0_NSID{Code: dns.EDNS0NSID}}},
		"a steered wildcard":                            {"a.b.any.g.example.org.", dns.TypeA, true, nil},
		"an alias of a steered name":                    {"steered.example.org.", dns.TypeA, true, nil},
		"a steered service binding":                     {"svc.g.example.org.", dns.TypeHTTPS, true, nil},
		"one of a single family":                        {"six.g.example.org.", dns.TypeSVCB, false, nil},
		"one with a family down":                        {"half.g.example.org.", dns.TypeHTTPS, true, nil},
		"service bindings of hosts":                     {"_dns.g.example.org.", dns.TypeSVCB, true, nil},
		"one that is another name":                      {"to.g.example.org.", dns.TypeHTTPS, true, nil},
		"a service binding, wide":                       {"wide.g.example.org.", dns.TypeHTTPS, true, nil},
		"steered service locations":                     {"_sip._tcp.g.example.org.", dns.TypeSRV, true, nil},
		"steered mail":                                  {"g.example.org.", dns.TypeMX, true, nil},
		"a steered alias":                               {"cdn.g.example.org.", dns.TypeA, true, nil},
		"below a DNAME":                                 {"host.moved.example.org.", dns.TypeA, true, nil},
		"no data":                                       {"mail.example.org.", dns.TypeHTTPS, true, nil},
		"no such name":                                  {"nothing.example.org.", dns.TypeA, true, nil},
		"a referral":                                    {"www.child.example.org.", dns.TypeA, true, nil},
		"ANY":                                           {"mail.example.org.", dns.TypeANY, true, nil},
		"none of ours":                                  {"www.example.com.", dns.TypeA, true, nil},
	} {
		m := new(dns.Msg).SetQuestion(c.name, c.typ)
		if c.edns {
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = c.options
		}
		packet, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		packets[name] = packet
	}
	return packets
}

// full is a server with everything switched on.
func full(t testing.TB) *Server {
	t.Helper()
	s := new(Server)
	s.Publish(table(t))
	s.Configure(&Options{Node: "ns-a", Cookies: []Secret{{1}, {2}}, Allow: Networks{netip.MustParsePrefix("192.0.2.0/24")}, Limit: Limit{PerSecond: 1 << 20, Slip: 2}})
	return s
}

// The way of a datagram takes no memory from the heap.
func TestCommonQueriesAllocateNothing(t *testing.T) {
	d := datagrams{server: full(t)}
	from, now := netip.MustParseAddrPort("192.0.2.9:4711"), time.Now()
	buf := make([]byte, 0, UDPSize)
	for name, packet := range common(t) {
		t.Run(name, func(t *testing.T) {
			if n := testing.AllocsPerRun(100, func() {
				if d.reply(buf, packet, from, now) == nil {
					t.Fatal("silence")
				}
			}); n != 0 {
				t.Errorf("%v allocations for each query, want none", n)
			}
		})
	}
}

// BenchmarkReply asks half as often as the limit allows.
func BenchmarkReply(b *testing.B) {
	d := datagrams{server: full(b)}
	from, now := netip.MustParseAddrPort("192.0.2.9:4711"), time.Now()
	buf := make([]byte, 0, UDPSize)
	for name, packet := range common(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				now = now.Add(20 * time.Microsecond) // within the limit, also that of runs before
				d.reply(buf, packet, from, now)
			}
		})
	}
}

// What the limit on replies costs a query, from one network and from many: then
// the slots that it counts in are as far away as memory is. 50,000 queries a
// second come: 1,000 a second hold most of one network's back.
func BenchmarkLimit(b *testing.B) {
	now, buf := time.Now(), make([]byte, 0, UDPSize)
	packet := common(b)["a static address, EDNS"]
	for _, networks := range []uint32{1, 1 << 20} {
		for _, limit := range []int{0, 1 << 16, 1000} {
			b.Run(fmt.Sprintf("networks %d/limit %d", networks, limit), func(b *testing.B) {
				d := datagrams{server: full(b)}
				o := *d.server.configured()
				o.Allow, o.Limit.PerSecond = nil, limit
				d.server.Configure(&o)
				before := spent(b)
				for i := range b.N {
					n := uint32(i) * 2654435761 % networks // 2^32 by the golden ratio, so that none is near the one before
					from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, byte(n >> 16), byte(n >> 8), byte(n)}), 4711)
					d.reply(buf, packet, from, now.Add(time.Duration(i)*20*time.Microsecond))
				}
				b.ReportMetric(float64(spent(b)-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// spent is the processor time that the process has used.
func spent(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
