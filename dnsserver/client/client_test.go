package client

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// serve answers UDP packets with what reply makes of them.
func serve(t *testing.T, reply func(query *dns.Msg) []*dns.Msg) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			var query dns.Msg
			if query.Unpack(buf[:n]) != nil {
				return
			}
			for _, m := range reply(&query) {
				packet, err := m.Pack()
				if err != nil {
					return
				}
				_, _ = conn.WriteToUDPAddrPort(packet, from)
			}
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func record(t *testing.T, s string) dns.RR {
	t.Helper()
	r, err := dns.NewRR(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAskWaitsForTheReplyToItsQuestion(t *testing.T) {
	good := record(t, "www.example.org. 5 IN A 192.0.2.1")
	bad := record(t, "www.example.org. 5 IN A 203.0.113.66")
	server := serve(t, func(query *dns.Msg) []*dns.Msg {
		otherID := new(dns.Msg).SetReply(query)
		otherID.Id++
		otherID.Answer = []dns.RR{bad}
		otherName := new(dns.Msg).SetReply(query)
		otherName.Question[0].Name = "evil.example.org."
		otherName.Answer = []dns.RR{bad}
		noQuestion := new(dns.Msg).SetReply(query)
		noQuestion.Question = nil
		noQuestion.Answer = []dns.RR{bad}
		right := new(dns.Msg).SetReply(query)
		right.Question[0].Name = "WWW.Example.org."
		right.Authoritative = true
		right.Answer = []dns.RR{record(t, "www.example.org. 60 IN CNAME w.example.org."), good, record(t, "www.example.org. 5 IN AAAA 2001:db8::1")}
		return []*dns.Msg{query, otherID, otherName, noQuestion, right}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	got, err := Ask(ctx, "udp", server, netip.MustParseAddr("127.0.0.3"), "www.example.org", "a")
	if err != nil {
		t.Fatal(err)
	}
	want := Answer{
		Rcode: "NOERROR", AA: true,
		Addrs:   []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
		Records: []string{"www.example.org.\t60\tIN\tCNAME\tw.example.org.", "www.example.org.\t5\tIN\tA\t192.0.2.1", "www.example.org.\t5\tIN\tAAAA\t2001:db8::1"},
		TTLs:    []time.Duration{time.Minute, 5 * time.Second, 5 * time.Second},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAskReadsHints(t *testing.T) {
	server := serve(t, func(query *dns.Msg) []*dns.Msg {
		m := new(dns.Msg).SetReply(query)
		m.Answer = []dns.RR{record(t, "www.example.org. 5 IN HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1")}
		return []*dns.Msg{m}
	})
	got, err := Ask(t.Context(), "udp", server, netip.Addr{}, "www.example.org", "HTTPS")
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::1")}
	if diff := cmp.Diff(want, got.Addrs, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAskTakesARefusalWithoutAQuestion(t *testing.T) {
	server := serve(t, func(query *dns.Msg) []*dns.Msg {
		m := new(dns.Msg).SetRcode(query, dns.RcodeRefused)
		m.Question = nil
		return []*dns.Msg{m}
	})
	got, err := Ask(t.Context(), "udp", server, netip.Addr{}, "www.example.org", "A")
	if err != nil || got.Rcode != "REFUSED" {
		t.Errorf("%+v, %v; want REFUSED", got, err)
	}
}

func TestAskEndsWithItsContext(t *testing.T) {
	server := serve(t, func(*dns.Msg) []*dns.Msg { return nil })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := Ask(ctx, "udp", server, netip.Addr{}, "www.example.org", "A")
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 2*time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}

func TestAskRefuses(t *testing.T) {
	nobody := netip.MustParseAddrPort("127.0.0.1:1")
	for name, c := range map[string]struct{ network, local, name, qtype, want string }{
		"a type there is not":      {"udp", "", "www.example.org", "WWW", `"WWW" is no record type`},
		"a name that is none":      {"udp", "", "www..example.org", "A", "is no domain name"},
		"a network there is not":   {"sctp", "", "www.example.org", "A", `"sctp" is neither udp nor tcp`},
		"an address not ours":      {"udp", "192.0.2.1", "www.example.org", "A", "cannot assign requested address"},
		"nobody listening, by UDP": {"udp", "", "www.example.org", "A", "connection refused"},
		"nobody listening, by TCP": {"tcp", "127.0.0.3", "www.example.org", "A", "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			var local netip.Addr
			if c.local != "" {
				local = netip.MustParseAddr(c.local)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := Ask(ctx, c.network, nobody, local, c.name, c.qtype)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestAskReadsHosts(t *testing.T) {
	server := serve(t, func(query *dns.Msg) []*dns.Msg {
		m := new(dns.Msg).SetReply(query)
		for _, text := range []string{"SRV 1 2 443 Web.example.org.", "MX 10 mx.example.org.", "MX 0 .", "HTTPS 1 .", "SVCB 0 cdn.example.", "A 192.0.2.1"} {
			m.Answer = append(m.Answer, record(t, "www.example.org. 5 IN "+text))
		}
		return []*dns.Msg{m}
	})
	got, err := Ask(t.Context(), "udp", server, netip.Addr{}, "www.example.org", "SRV")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"web.example.org.", "mx.example.org.", ".", "www.example.org.", "cdn.example."}, got.Hosts); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What a server says beside its answer is read too.
func TestAskReadsExtendedErrors(t *testing.T) {
	server := serve(t, func(query *dns.Msg) []*dns.Msg {
		m := new(dns.Msg).SetReply(query).SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: 3, ExtraText: "old"}, &dns.EDNS0_NSID{Code: dns.EDNS0NSID}, &dns.EDNS0_EDE{InfoCode: 22}}
		return []*dns.Msg{m}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	got, err := Ask(ctx, "udp", server, netip.Addr{}, "www.example.org", "A")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"3 old", "22"}, got.Errors); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
