package ipvs

import (
	"net/netip"
	"testing"

	"gslb/tiers"
	"gslb/topology"
)

// Our own part of programming a table; the rest is the kernel's.
func BenchmarkAppendChange(b *testing.B) {
	s := tiers.Service{Key: tiers.VIPKey(topology.UDP, netip.MustParseAddrPort("198.18.0.1:53")), Scheduler: "wlc", Netmask: 32}
	c := tiers.Change{Op: tiers.AddDestination, Service: &s, Destination: tiers.Destination{
		Addr: netip.MustParseAddrPort("10.1.0.1:53"), Method: topology.NAT, Weight: 1,
	}}
	packet := make([]byte, 0, maxPacket)
	for b.Loop() {
		packet = appendChange(packet[:0], &c)
	}
}
