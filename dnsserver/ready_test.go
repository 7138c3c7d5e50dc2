package dnsserver

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"gslb/steering"
)

// What is asked most is answered from the table of ready answers.
func TestCommonestQueriesAreQuick(t *testing.T) {
	ready := map[string]bool{"a static address": true, "a static address, EDNS": true, "a steered address": true,
		"a steered service binding": true, "one of a single family": true, "one with a family down": true,
		"a static address, a client's cookie": true, "a static address, a good cookie": true, "a steered address, a client's cookie": true, "a steered address, a good cookie and a subnet": true}
	d := datagrams{server: full(t)}
	for name, packet := range common(t) {
		if _, ok := d.ask(packet); ok != ready[name] {
			t.Errorf("%s: quick is %v, want %v", name, ok, ready[name])
		}
	}
}

// asker is a request of a client whose cookies a bakery makes.
func asker(packet []byte) Request {
	return Request{Packet: packet, Via: UDP, From: cookieFrom, Now: cookieNow, U: 1 << 40}
}

func (d *datagrams) ask(packet []byte) ([]byte, bool) {
	r := asker(slices.Clip(packet))
	return d.quick(make([]byte, 0, UDPSize), d.server.table.Load(), d.server.configured(), nil, &r, time.Time{})
}

// FuzzQuick looks for a quick reply that differs from the thorough one.
func FuzzQuick(f *testing.F) {
	for _, packet := range common(f) {
		f.Add(packet)
	}
	for _, name := range []string{"mail.example.org.", "www.g.example.org.", "child.example.org.", "www.child.example.org.", "moved.example.org.", "alias.example.org.", "example.org.", "g.example.org.", "kept.g.example.org.", "old.g.example.org.",
		"svc.g.example.org.", "six.g.example.org.", "half.g.example.org.", "gone.g.example.org.", "named.g.example.org.", "to.g.example.org.", "wide.g.example.org."} {
		for _, typ := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeNS, dns.TypeHTTPS, dns.TypeSVCB, dns.TypeMX} {
			for _, subnet := range []dns.EDNS0_SUBNET{
				{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: netip.MustParseAddr("203.0.113.0").AsSlice()},
				{Code: dns.EDNS0SUBNET, Family: 2, SourceNetmask: 56, Address: netip.MustParseAddr("2001:db8::").AsSlice()},
				{Code: dns.EDNS0SUBNET, Family: 1, Address: netip.IPv4Unspecified().AsSlice()},
			} {
				m := new(dns.Msg).SetQuestion(strings.ToUpper(name[:1])+name[1:], typ)
				m.SetEdns0(512, true)
				m.IsEdns0().Option = []dns.EDNS0{&subnet}
				packet, err := m.Pack()
				if err != nil {
					f.Fatal(err)
				}
				f.Add(packet)
			}
		}
	}
	for _, c := range withCookies(f) {
		f.Add(c.packet)
	}
	d := datagrams{server: new(Server)}
	d.server.Publish(table(f))
	f.Fuzz(func(t *testing.T, packet []byte) {
		for _, o := range bakeries {
			d.server.Configure(&o)
			d.compare(t, packet)
		}
	})
}

// compare checks that a quick reply, if there is one, is the thorough one, be it
// written over the query or not.
func (d *datagrams) compare(t *testing.T, packet []byte) (quick bool) {
	t.Helper()
	reply, ok := d.ask(packet)
	if !ok {
		return false
	}
	var w Worker
	zones, o, r := d.server.table.Load(), d.server.configured(), asker(packet)
	want := w.Reply(nil, zones, o, r)
	if !bytes.Equal(reply, want) {
		t.Errorf("to %x\nquick    %x\nthorough %x", packet, reply, want)
	}
	r.Packet = append(make([]byte, 0, max(queryRoom, len(packet))), packet...)
	if over, ok := d.quick(nil, zones, o, nil, &r, time.Time{}); !ok || !bytes.Equal(over, want) {
		t.Errorf("to %x\nover it  %x\nthorough %x", packet, over, want)
	}
	return true
}

// A bakery makes cookies, good ones of the zero one at cookieNow.
type bakery struct {
	secret  Secret // the zero one: that of the servers
	from    netip.Addr
	version byte
	now     uint32
}

const (
	cookieClient = "2464c4abcf10c957"
	cookieNow    = 1559731985
)

var (
	cookieFrom = netip.MustParseAddr("192.0.2.9")

	// bakeries are servers without cookies, with one secret, and while it is rolled over.
	bakeries = []Options{{Node: "ns-a"}, {Node: "ns-a", Cookies: []Secret{{1}}}, {Node: "ns-a", Cookies: []Secret{{1}, {2}}}, {Node: "ns-a", Cookies: []Secret{{2}, {1}}}}
)

func (b bakery) cookie(t testing.TB) *dns.EDNS0_COOKIE {
	t.Helper()
	client, err := hex.DecodeString(cookieClient)
	if err != nil {
		t.Fatal(err)
	}
	if b.secret == (Secret{}) {
		b.secret = Secret{1}
	}
	if !b.from.IsValid() {
		b.from = cookieFrom
	}
	var cookie [serverCookie]byte
	b.secret.bake(&cookie, client, [4]byte{1, 0, 0, b.version}, b.now, b.from)
	return &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookieClient + hex.EncodeToString(cookie[:])}
}

type cookieQuery struct {
	packet []byte
	quick  bool // the quick way answers it
	good   bool // the cookie is
}

// withCookies are queries with cookies of every sort.
func withCookies(t testing.TB) map[string]cookieQuery {
	t.Helper()
	subnet := &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 20, Address: netip.MustParseAddr("203.0.112.0").AsSlice()}
	nobody := &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 2, Address: netip.IPv6Unspecified().AsSlice()}
	long := func(n int) *dns.EDNS0_COOKIE {
		return &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: strings.Repeat("5a", n)}
	}
	at := func(seconds int) *dns.EDNS0_COOKIE { return bakery{now: uint32(cookieNow + seconds)}.cookie(t) }
	forged := at(0)
	forged.Cookie = forged.Cookie[:len(forged.Cookie)-2] + "00"
	queries := map[string]cookieQuery{}
	for sort, c := range map[string]struct {
		quick   bool
		good    bool
		options []dns.EDNS0
	}{
		"a client's":                   {true, false, []dns.EDNS0{long(8)}},
		"a good one":                   {true, true, []dns.EDNS0{at(0)}},
		"an old one":                   {true, true, []dns.EDNS0{at(-1801)}},
		"one too old":                  {true, false, []dns.EDNS0{at(-3601)}},
		"one ahead":                    {true, true, []dns.EDNS0{at(300)}},
		"one too far ahead":            {true, false, []dns.EDNS0{at(301)}},
		"a forged one":                 {true, false, []dns.EDNS0{forged}},
		"somebody else's":              {true, false, []dns.EDNS0{bakery{from: netip.MustParseAddr("192.0.2.10"), now: cookieNow}.cookie(t)}},
		"one of another secret":        {true, false, []dns.EDNS0{bakery{secret: Secret{2}, now: cookieNow}.cookie(t)}},
		"one with reserved bits":       {true, true, []dns.EDNS0{bakery{version: 7, now: cookieNow}.cookie(t)}},
		"a short one":                  {true, false, []dns.EDNS0{long(16)}},
		"a long one":                   {true, false, []dns.EDNS0{long(40)}},
		"one behind a client subnet":   {true, true, []dns.EDNS0{subnet, at(0)}},
		"one before a client subnet":   {true, true, []dns.EDNS0{at(0), subnet}},
		"one before nobody's subnet":   {true, false, []dns.EDNS0{long(8), nobody}},
		"an empty one":                 {false, false, []dns.EDNS0{long(0)}},
		"one of 7 octets":              {false, false, []dns.EDNS0{long(7)}},
		"one of 9 octets":              {false, false, []dns.EDNS0{long(9)}},
		"one of 15 octets":             {false, false, []dns.EDNS0{subnet, long(15)}},
		"one of 41 octets":             {false, false, []dns.EDNS0{long(41)}},
		"two":                          {false, false, []dns.EDNS0{long(8), at(0)}},
		"one between two subnets":      {false, false, []dns.EDNS0{subnet, long(8), nobody}},
		"one beside NSID":              {false, false, []dns.EDNS0{&dns.EDNS0_NSID{Code: dns.EDNS0NSID}, long(8)}},
		"one beside what nobody knows": {false, false, []dns.EDNS0{long(8), &dns.EDNS0_LOCAL{Code: 65001}}},
		"one before a faulty subnet":   {false, false, []dns.EDNS0{long(8), &dns.EDNS0_LOCAL{Code: dns.EDNS0SUBNET, Data: []byte{0, 1, 24, 0, 203, 0}}}},
		"one before half an option":    {false, false, []dns.EDNS0{long(8), &dns.EDNS0_LOCAL{Code: dns.EDNS0SUBNET, Data: []byte{0, 1, 24}}}},
	} {
		for what, typ := range map[string]uint16{"mail.example.org.": dns.TypeA, "www.g.example.org.": dns.TypeAAAA, "svc.g.example.org.": dns.TypeHTTPS} {
			m := new(dns.Msg).SetQuestion(what, typ)
			m.SetEdns0(1232, true)
			m.IsEdns0().Option = c.options
			packet, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			queries[what+", "+sort] = cookieQuery{packet, c.quick, c.good}
		}
	}
	return queries
}

func TestCookiesAreQuick(t *testing.T) {
	d := datagrams{server: new(Server)}
	d.server.Publish(table(t))
	for name, c := range withCookies(t) {
		for _, o := range bakeries {
			d.server.Configure(&o)
			if quick := d.compare(t, c.packet); quick != c.quick {
				t.Errorf("%s, %d secrets: quick is %v, want %v", name, len(o.Cookies), quick, c.quick)
			}
		}
	}
}

// A limit holds the same replies back and frees the same askers, whether they
// are answered the quick way or not.
func TestQuickCookiesAreLimitedAlike(t *testing.T) {
	queries := withCookies(t)
	from, start := netip.AddrPortFrom(cookieFrom, 4711), time.Unix(cookieNow, 0)
	for name, c := range queries {
		quick, thorough := limited(t, 1), limited(t, 1) // what is held back is truncated
		o := *quick.server.configured()
		o.Cookies = []Secret{{1}}
		quick.server.Configure(&o)
		var w Worker
		l := thorough.server.limiter.Load()
		held := 0
		for i := range 40 {
			now := start.Add(time.Duration(i) * 10 * time.Millisecond)
			r := asker(c.packet)
			r.Now, r.U = uint32(now.Unix()), quick.u+steering.Golden
			want := l.pass(&w, w.Reply(nil, thorough.server.table.Load(), &o, r), now)
			if got := quick.reply(nil, slices.Clone(c.packet), from, now); !bytes.Equal(got, want) {
				t.Fatalf("%s, query %d\nquick    %x\nthorough %x", name, i, got, want)
			}
			if want == nil || want[2]&2 > 0 || want[3]&15 == dns.RcodeBadCookie&15 {
				held++
			}
		}
		if c.good != (held == 0) {
			t.Errorf("%s: %d of 40 are held back, want none for a good cookie only", name, held)
		}
	}
}

// Eight octets are lowered as one is.
func TestLowerWord(t *testing.T) {
	for b := range 256 {
		for shift := 0; shift < 64; shift += 8 {
			around := uint64(0x5a5b_4041_7f80_c1ff) &^ (0xff << shift)
			one := byte(b)
			if one >= 'A' && one <= 'Z' {
				one += 'a' - 'A'
			}
			if got := byte(lowerWord(around|uint64(b)<<shift) >> shift); got != one {
				t.Fatalf("%#x at bit %d becomes %#x, want %#x", b, shift, got, one)
			}
		}
	}
}
