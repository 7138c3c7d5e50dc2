package conf

import (
	"fmt"
	"net/netip"
	"slices"

	"gslb/topology"
)

// A door is where a service lets clients in.
type door struct {
	vip  netip.Addr
	port topology.Port
}

// A holder is the first service with a VIP, and the director or pair that has it.
type holder struct {
	service  *node
	director *node
	at       item
}

// checkOwners reports a VIP that two services place at different directors:
// it would be at two hosts. Each service is compared with the first one that
// has the VIP; of two that differ, one differs from that one too.
func (p *parser) checkOwners() {
	if p.shared == 0 {
		return
	}
	holders := map[netip.Addr]holder{}
	for _, s := range p.all("virtual_service") {
		d := owning(s)
		if d == nil {
			continue
		}
		for _, it := range s.list("vip") {
			vip := it.x.(netip.Addr)
			first, ok := holders[vip]
			if !ok {
				holders[vip] = holder{s, d, it}
				continue
			}
			same := func(port item) bool {
				return slices.ContainsFunc(first.service.list("ports"), func(other item) bool { return other.x == port.x })
			}
			if s.flag("anycast") && first.service.flag("anycast") {
				continue
			}
			if d.sch == failoverBlock && first.director.sch == failoverBlock && d.addrs("vips").Has(vip) && first.director.addrs("vips").Has(vip) {
				continue // said of the pairs
			}
			if d == first.director || slices.ContainsFunc(s.list("ports"), same) {
				continue // the latter is GS210
			}
			p.report(fault{
				code: "GS209", at: it.at, detail: twoOwners(vip, first, holder{s, d, it}),
				help: "Let the first tiers of both services name the same director, or give each a VIP of its own.",
				rel:  []Related{{first.service.id + " has it", first.at.at}},
			})
		}
	}
}

// owning is the director or pair that owns a service's VIPs, nil where that is not
// known or something is wrong with it.
func owning(s *node) *node {
	tiers := s.of("tier")
	if s.broken || len(tiers) == 0 || s.val("ports") == nil || !complete(tiers[0], "directors") {
		return nil
	}
	ds := tiers[0].nodes("directors")
	if len(ds) != 1 { // GS211, GS241
		return nil
	}
	return ds[0]
}

// twoOwners says what becomes of a VIP that two directors own.
func twoOwners(vip netip.Addr, a, b holder) string {
	for _, pair := range [][2]holder{{a, b}, {b, a}} {
		d, other := pair[0].director, pair[1].service
		for _, t := range other.of("tier")[1:] {
			if isAmong(forwarders(t), d) || slices.Contains(t.nodes("directors"), d) {
				return fmt.Sprintf("%s owns %s for %s and is in %s too, where %s owns it: it would have the address twice, and another host would have it as well.",
					d.id, vip, pair[0].service.id, t.id, pair[1].director.id)
			}
		}
	}
	return fmt.Sprintf("%s owns %s for %s, and %s for %s: two hosts would answer for it.", a.director.id, vip, a.service.id, b.director.id, b.service.id)
}
