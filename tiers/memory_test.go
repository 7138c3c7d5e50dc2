package tiers

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/topology"
)

func TestMemoryComesBack(t *testing.T) {
	want := Memory{
		VIPKey(topology.TCP, netip.MustParseAddrPort("192.0.2.5:80")):     {Lost: true},
		VIPKey(topology.UDP, netip.MustParseAddrPort("[2001:db8::5]:53")): {Emptied: []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::9]:53")}},
		MarkKey(7, false): {Lost: true},
		MarkKey(7, true):  {Lost: true, Emptied: []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::9]:0")}},
	}
	got, err := ReadMemory(want.Encode())
	if err != nil || !got.Equal(want) {
		t.Errorf("%v (%v), want %v", got, err, want)
	}
	if want.Equal(Memory{}) || !(Memory{}).Equal(nil) {
		t.Error("equality of memories")
	}
}

func TestBadMemoriesAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                    "read decisions: unexpected end of JSON input",
		`{"format_version":2}`: "read decisions: format version 2 is not 1",
		`{"format_version":1,"services":{"tcp 192.0.2.5":{}}}`:    `read decisions: service "tcp 192.0.2.5": not an ip:port`,
		`{"format_version":1,"services":{"icmp 192.0.2.5:1":{}}}`: `read decisions: service "icmp 192.0.2.5:1": protocol: "icmp" is none of tcp, udp`,
		`{"format_version":1,"services":{"fwmark 7":{}}}`:         `read decisions: service "fwmark 7": want fwmark 0x7 or fwmark 0x7 v6`,
	} {
		_, err := ReadMemory([]byte(text))
		if err == nil {
			t.Errorf("%s is read", text)
			continue
		}
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", text, diff)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"tcp 192.0.2.5:80", "udp [2001:db8::5]:53", "fwmark 0x7", "fwmark 0xffffffff v6", "fwmark"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseKey(s)
		if err != nil {
			return
		}
		if again, err := ParseKey(k.String()); err != nil || again != k {
			t.Errorf("%q is %v, which is %v (%v)", s, k, again, err)
		}
	})
}
