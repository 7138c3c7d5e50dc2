package dnsserver

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// limited is a server that sends ten like replies a second.
func limited(t *testing.T, slip int) *datagrams {
	t.Helper()
	s := new(Server)
	s.Publish(table(t))
	s.Configure(&Options{Cookies: named.Cookies, Limit: Limit{PerSecond: 10, Slip: slip}})
	return &datagrams{server: s}
}

// flood sends n queries and returns how many replies came of each sort.
func (d *datagrams) flood(t *testing.T, n int, question, from string, now time.Time) map[string]int {
	t.Helper()
	got := map[string]int{}
	for range n {
		packet, _, _ := ask(t, question)
		reply := d.reply(nil, packet, netip.AddrPortFrom(netip.MustParseAddr(from), 4711), now)
		if reply == nil {
			got["silence"]++
			continue
		}
		var m dns.Msg
		if err := m.Unpack(reply); err != nil {
			t.Fatal(err)
		}
		word := dns.RcodeToString[m.Rcode]
		if m.Truncated {
			word += " tc"
		}
		got[fmt.Sprintf("%s %d", word, len(m.Answer))]++
	}
	return got
}

func TestLimit(t *testing.T) {
	const mail = "; mail.example.org A"
	for name, c := range map[string]struct {
		slip            int
		first, from     string
		second, again   string
		want, wantAgain map[string]int
	}{
		"what is too much is not answered": {0, mail, "192.0.2.1", mail, "192.0.2.1",
			map[string]int{"NOERROR 1": 10, "silence": 10}, map[string]int{"silence": 20}},
		"everyone may": {1, mail, "192.0.2.1", mail, "192.0.2.1",
			map[string]int{"NOERROR 1": 10, "NOERROR tc 0": 10}, map[string]int{"NOERROR tc 0": 20}},
		"a network is one": {0, mail, "192.0.2.1", mail, "192.0.2.254",
			map[string]int{"NOERROR 1": 10, "silence": 10}, map[string]int{"silence": 20}},
		"an IPv6 network is a /56": {0, mail, "2001:db8:0:100::1", mail, "2001:db8:0:1ff::1",
			map[string]int{"NOERROR 1": 10, "silence": 10}, map[string]int{"silence": 20}},
		"another network is not hurt": {0, mail, "192.0.2.1", mail, "192.0.3.1",
			map[string]int{"NOERROR 1": 10, "silence": 10}, map[string]int{"NOERROR 1": 10, "silence": 10}},
		"nor is another name": {0, mail, "192.0.2.1", "; mixed.example.org A", "192.0.2.1",
			map[string]int{"NOERROR 1": 10, "silence": 10}, map[string]int{"NOERROR 1": 10, "silence": 10}},
		"nor another type": {0, mail, "192.0.2.1", "; mail.example.org AAAA", "192.0.2.1",
			map[string]int{"NOERROR 1": 10, "silence": 10}, map[string]int{"NOERROR 1": 10, "silence": 10}},
		"the case of a name does not make another": {0, mail, "192.0.2.1", "; MAIL.example.org A", "192.0.2.1",
			map[string]int{"NOERROR 1": 10, "silence": 10}, map[string]int{"silence": 20}},
		"names that are not there are one": {0, "; a.example.org A", "192.0.2.1", "; b.example.org MX", "192.0.2.1",
			map[string]int{"NXDOMAIN 0": 10, "silence": 10}, map[string]int{"silence": 20}},
		"names that a wildcard makes are one": {0, "; a.wild.example.org MX", "192.0.2.1", "; b.wild.example.org MX", "192.0.2.1",
			map[string]int{"NOERROR 1": 10, "silence": 10}, map[string]int{"silence": 20}},
		"names below a delegation are one": {0, "; a.child.example.org A", "192.0.2.1", "; b.child.example.org MX", "192.0.2.1",
			map[string]int{"NOERROR 0": 10, "silence": 10}, map[string]int{"silence": 20}},
		"names of others are one, and never slip": {1, "; example.net A", "192.0.2.1", "; example.com MX", "192.0.2.1",
			map[string]int{"REFUSED 0": 10, "silence": 10}, map[string]int{"silence": 20}},
		"a good cookie is never limited": {0, mail, "198.51.100.100", mail + " cookie=2464c4abcf10c957010000005cf79f111f8130c3eee29480", "198.51.100.100",
			map[string]int{"NOERROR 1": 10, "silence": 10}, map[string]int{"NOERROR 1": 20}},
		"who has no good one gets it": {1, mail, "198.51.100.100", mail + " cookie=2464c4abcf10c957", "198.51.100.100",
			map[string]int{"NOERROR 1": 10, "NOERROR tc 0": 10}, map[string]int{"BADCOOKIE 0": 20}},
	} {
		t.Run(name, func(t *testing.T) {
			d, now := limited(t, c.slip), time.Unix(1559731985, 0)
			got := d.flood(t, 20, c.first, c.from, now)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("first (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(c.wantAgain, d.flood(t, 20, c.second, c.again, now)); diff != "" {
				t.Errorf("second (-want +got)\n%s", diff)
			}
		})
	}
}

// Two who are held back in turns both get their share of what slips through.
func TestEveryOtherOneSlips(t *testing.T) {
	d, now := limited(t, 2), time.Now()
	truncated := map[string]int{}
	for range 1000 {
		for _, from := range []string{"192.0.2.1", "198.51.100.1"} {
			truncated[from] += d.flood(t, 1, "; mail.example.org A", from, now)["NOERROR tc 0"]
		}
	}
	for from, n := range truncated {
		if n < 400 || n > 590 { // of 990 held back, within 6 sigma of the half
			t.Errorf("%s: %d truncated of 990", from, n)
		}
	}
}

func TestLimitIsARate(t *testing.T) {
	d, now := limited(t, 0), time.Now()
	for second, want := range []int{10, 10, 10} {
		got := d.flood(t, 50, "; mail.example.org A", "192.0.2.1", now)["NOERROR 1"]
		if got != want {
			t.Errorf("second %d: %d replies, want %d", second, got, want)
		}
		now = now.Add(time.Second)
	}
	got := 0
	for range 100 { // 20 a second for five seconds
		now = now.Add(50 * time.Millisecond)
		got += d.flood(t, 1, "; mail.example.org A", "192.0.2.1", now)["NOERROR 1"]
	}
	if got < 50 || got > 61 {
		t.Errorf("%d of 100 replies in five seconds, want about 50", got)
	}
	if got := d.flood(t, 50, "; mail.example.org A", "192.0.2.1", now.Add(400*24*time.Hour)); got["NOERROR 1"] != 10 {
		t.Errorf("a year later: %v", got)
	}
}

// A flood from everywhere takes no more memory, and what is limited stays so.
func TestLimiterIsBounded(t *testing.T) {
	l, now := newLimiter(), time.Now()
	for range 10 {
		l.take(0xdecaf0<<tickBits, now, 10)
	}
	for i := range uint64(1 << 20) {
		l.take(i<<tickBits|i*7919%(1<<20), now, 1000)
	}
	if l.take(0xdecaf0<<tickBits, now, 10) {
		t.Error("a network at its limit is forgotten before those that are not")
	}
}

func TestAllowedNetworks(t *testing.T) {
	s := new(Server)
	s.Publish(table(t))
	s.Configure(&Options{Allow: Networks{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}})
	d := datagrams{server: s}
	packet, _, _ := ask(t, "; mail.example.org A edns")
	const refused = "REFUSED\n? mail.example.org. IN A\nopt: version 0 size 1232 do false\nede: 18 you may not ask here"
	for from, want := range map[string]string{
		"192.0.2.7:53": "NOERROR aa", "[::ffff:192.0.2.7]:53": "NOERROR aa", "[2001:db8::1]:53": "NOERROR aa",
		"192.0.3.7:53": refused, "[2001:db9::1]:53": refused, "192.0.2.7:0": "silence",
	} {
		got := show(t, d.reply(nil, packet, netip.MustParseAddrPort(from), time.Now()))
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", from, got)
		}
	}
}
