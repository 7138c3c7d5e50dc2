package dnsserver

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// What is asked most is answered from the table of ready answers.
func TestCommonestQueriesAreQuick(t *testing.T) {
	ready := map[string]bool{"a static address": true, "a static address, EDNS": true, "a steered address": true,
		"a steered service binding": true, "one of a single family": true, "one with a family down": true}
	d := datagrams{server: full(t)}
	for name, packet := range common(t) {
		if _, ok := d.ask(packet); ok != ready[name] {
			t.Errorf("%s: quick is %v, want %v", name, ok, ready[name])
		}
	}
}

func (d *datagrams) ask(packet []byte) ([]byte, bool) {
	r := Request{Packet: slices.Clip(packet), Via: UDP, From: netip.MustParseAddr("192.0.2.9"), U: 1 << 40}
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
	d := datagrams{server: new(Server)}
	d.server.Publish(table(f))
	d.server.Configure(&Options{Node: "ns-a", Cookies: []Secret{{1}}})
	f.Fuzz(func(t *testing.T, packet []byte) {
		reply, ok := d.ask(packet)
		if !ok {
			return
		}
		var w Worker
		r := Request{Packet: packet, Via: UDP, From: netip.MustParseAddr("192.0.2.9"), U: 1 << 40}
		if want := w.Reply(nil, d.server.table.Load(), d.server.configured(), r); !bytes.Equal(reply, want) {
			t.Errorf("to %x\nquick    %x\nthorough %x", packet, reply, want)
		}
	})
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
