package conf

import (
	"fmt"
	"net/netip"

	"gslb/topology"
)

// link is the MTU for which servers announce their segment size: that of
// Ethernet. See package tiers.
const link = 1500

// checkTunnelled looks at the servers that get their packets out of tunnels.
func (p *parser) checkTunnelled(t *node) {
	for _, f := range t.nodes("farms") {
		for _, srv := range f.of("server") {
			if v := srv.val("tunnel"); v != nil && !srv.flag("tunnel") {
				p.report(fault{
					code: "GS223", at: v.at, detail: fmt.Sprintf("%s forwards by tun, and %s cannot take tunnelled packets.", t.id, srv.id),
					help: "Leave the server out of the farm, or use method = \"nat\" or \"dr\".", rel: []Related{{t.id + " forwards by tun", t.at("method")}},
				})
				break
			}
		}
	}
	for _, f := range t.nodes("farms") {
		r := f.ref("region")
		if r == nil || f.gave("network") || f.ref("gateway") != nil {
			continue
		}
		p.warn(fault{
			code: "GS225", at: t.at("method"), detail: fmt.Sprintf("The servers of %s are reached by routing in %s, and answer from there with the VIP as source. A network that lets out only its own addresses (RFC 2827, uRPF) drops that.", f.id, r.id),
			help: "See that the provider there allows the VIP as source, or feed the farm by a NAT director of its own.",
			rel:  []Related{{f.id + " is in " + r.id, f.at("region")}},
		})
		return
	}
}

// checkTunnels warns of directors that a full-sized wrapped packet does not
// pass.
func (p *parser) checkTunnels() {
	if !p.anyGives("director", "mtu") {
		return
	}
	said := map[*node]bool{}
	for _, s := range p.all("virtual_service") {
		tiers := s.of("tier")
		vips := s.addrs("vip")
		if len(vips) == 0 {
			continue
		}
		for i, t := range tiers {
			if t.method() != topology.TUN {
				continue
			}
			ds := forwarders(t)
			if i < len(tiers)-1 {
				ds = append(ds, forwarders(tiers[i+1])...)
			}
			for _, d := range ds {
				if mtu, ok := get[int](d.node, "mtu"); ok && mtu < link && !said[d.node] {
					said[d.node] = true
					p.small(t, d.node, mtu, vips[0])
				}
			}
		}
	}
}

// small says what does not pass a director with an MTU below the link's.
func (p *parser) small(t, d *node, mtu int, vip netip.Addr) {
	encap := "ipip"
	if mixes(t) {
		encap = t.str("encap")
	}
	ip := 20
	if vip.Is6() {
		ip = 40
	}
	outer, tcp := ip+encaps[encap], ip+20
	mss := link - outer - tcp
	p.warn(fault{
		code: "GS224", at: d.at("mtu"),
		detail: fmt.Sprintf("Clients are told to send segments of %d bytes: with %d of TCP/IP header and %d of %s that is %d, and %s passes %d. What fits is %d - %d - %d = %d.",
			mss, tcp, outer, encap, link, d.id, mtu, mtu, outer, tcp, mtu-outer-tcp),
		help: fmt.Sprintf("Raise the mtu to %d, or let the servers announce segments of %d bytes.", link, mtu-outer-tcp),
		rel:  []Related{{t.id + " forwards by tun", t.at("method")}},
	})
}

// checkTracking warns of directors that track connections for full NAT and
// forward by a method whose replies they do not see.
func (p *parser) checkTracking() {
	if !p.anyGives("tier", "fullnat") {
		return
	}
	tracks := map[*node]*node{} // director to the tier with full NAT
	for _, s := range p.all("virtual_service") {
		for _, t := range s.of("tier") {
			if !t.flag("fullnat") || t.method() != topology.NAT {
				continue
			}
			for _, d := range forwarders(t) {
				if tracks[d.node] == nil {
					tracks[d.node] = t
				}
			}
		}
	}
	for _, s := range p.all("virtual_service") {
		for _, t := range s.of("tier") {
			if t.method() != topology.DR && t.method() != topology.TUN {
				continue
			}
			for _, d := range forwarders(t) {
				full := tracks[d.node]
				if full == nil {
					continue
				}
				p.warn(fault{
					code: "GS228", at: t.at("method"), detail: fmt.Sprintf("%s tracks connections for %s, which uses full NAT. Of those that %s forwards by %s it sees one direction only: they stay half open in its table, and a firewall that goes by their state drops them.", d.id, full.id, t.id, t.method()),
					help: "Use different directors, or leave the VIP out of connection tracking (notrack).",
					rel:  []Related{{full.id + " uses full NAT", full.at("fullnat")}},
				})
				break
			}
		}
	}
}
