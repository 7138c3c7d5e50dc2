package tiers

import (
	"net/netip"

	"gslb/health"
	"gslb/topology"
)

// Tracked is what the members of a pair look at as one of them, self, probes
// it, in the order of the file. A target may be a destination's too.
func Tracked(f *topology.Failover, self *topology.Director) []Probe {
	var out []Probe
	for _, t := range f.Tracks {
		addr, port := t.Addr, t.Check.Port
		if !addr.IsValid() {
			addr = self.Addrs[0]
		}
		if t.Check.Type.Portless() {
			port = 0
		}
		out = append(out, Probe{Target: health.Target{Check: t.Check.ID, Addr: netip.AddrPortFrom(addr, port)}, Check: t.Check, Object: t.ID})
	}
	return out
}
