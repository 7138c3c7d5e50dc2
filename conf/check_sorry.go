package conf

import (
	"fmt"
	"net/netip"
	"slices"

	"gslb/topology"
)

// sorryOf is where a tier's sorry servers are said: the service's are those of
// its last tier unless that has its own.
func sorryOf(s, t *node, lastTier bool) *node {
	if lastTier && !t.gave("sorry") {
		return s
	}
	return t
}

// checkSorry looks at who stands in for the destinations of a tier.
func (p *parser) checkSorry(s, t *node, lastTier bool) {
	n := sorryOf(s, t, lastTier)
	list := n.list("sorry")
	if len(list) == 0 {
		return
	}
	if !lastTier && slices.ContainsFunc(list, func(it item) bool { return it.x.(topology.Sorry).Port != 0 }) || t.method() != topology.NAT {
		for _, it := range list {
			sorry := it.x.(topology.Sorry)
			for _, other := range s.list("ports") {
				if port := other.x.(topology.Port); sorry.Port != 0 && t.method() != topology.NoMethod && port.Number != sorry.Port {
					p.report(fault{
						code: "GS222", at: it.at, detail: fmt.Sprintf("The sorry server is on port %d and %s is %s: %s leaves the port as it is.", sorry.Port, s.id, port, t.method()),
						help: "Leave the port out, or use method = \"nat\".", rel: []Related{{t.id + " forwards by " + t.method().String(), t.at("method")}},
					})
					return
				}
			}
		}
	}
	for _, vip := range s.list("vip") {
		addr := vip.x.(netip.Addr)
		if !slices.ContainsFunc(list, func(it item) bool {
			sorry := it.x.(topology.Sorry)
			return !sorry.Addr.IsValid() || sorry.Addr.Is4() == addr.Is4()
		}) {
			p.report(fault{
				code: "GS208", at: n.at("sorry"), detail: fmt.Sprintf("%s of %s has no sorry server: there is none with an %s address.", addr, s.id, version(addr)),
				help: "Give one of each family of the service's VIPs.", rel: []Related{{s.id + " has the VIP", vip.at}},
			})
			return
		}
	}
	for _, it := range list {
		sorry := it.x.(topology.Sorry)
		if !sorry.Addr.IsValid() {
			continue
		}
		for _, d := range forwarders(t) {
			if slices.Contains(d.addrs("address"), sorry.Addr) || slices.Contains(d.groups["inside"].addrs("address"), sorry.Addr) {
				p.report(fault{
					code: "GS226", at: it.at, detail: fmt.Sprintf("%s is %s itself, to which the kernel gives packets without forwarding them by %s.", sorry.Addr, d.who(), t.method()),
					help: `Write sorry = "local": then a program on the director answers, which listens at the VIP or at all addresses.`,
					rel:  []Related{d.here()},
				})
				return
			}
			if t.method() != topology.DR || !wired(d.node) {
				continue
			}
			reached := slices.ContainsFunc(legs(d.node), func(w *node) bool {
				return slices.ContainsFunc(w.prefixes(), func(x netip.Prefix) bool { return x.Contains(sorry.Addr) })
			})
			if !reached {
				p.report(fault{
					code: "GS220", at: it.at, detail: fmt.Sprintf("method = \"dr\" rewrites only the destination MAC address, so the sorry server must be on the director's own L2 segment. %s is on no segment of %s.", sorry.Addr, d.who()),
					help: `Give one on the segment, or sorry = "local".`, rel: []Related{d.here()},
				})
				return
			}
		}
	}
}

// checkThresholds looks at how many connections servers get.
func (p *parser) checkThresholds(f *node) {
	for _, srv := range f.of("server") {
		low, ok := get[int](srv, "resume_connections")
		if !ok {
			continue
		}
		high, bounded := get[int](srv, "max_connections")
		switch {
		case !bounded && !srv.gave("max_connections"):
			p.report(fault{
				code: "GS244", at: srv.at("resume_connections"), detail: srv.id + " has no max_connections, so it never stops getting connections.",
				help: "Give max_connections, or leave resume_connections out.",
			})
		case bounded && low >= high:
			p.report(fault{
				code: "GS244", at: srv.at("resume_connections"), detail: fmt.Sprintf("%s gets no new connections from %d on and would get them again below %d: both at once.", srv.id, high, low),
				help: "Give resume_connections less than max_connections.", rel: []Related{{"max_connections is here", srv.at("max_connections")}},
			})
		default:
			continue
		}
		return
	}
}

// The marks that a director gives its probes (tiers.MarkBase).
const firstMark, lastMark = 0x47530000, 0x4753ffff

// checkMark looks at the mark by which the ports of a service are one.
func (p *parser) checkMark(s *node, seen map[int]*node) {
	mark, ok := get[int](s, "fwmark")
	if !ok {
		return
	}
	if mark >= firstMark && mark <= lastMark {
		p.errorf("GS010", s.at("fwmark"), "fwmark: %d is one of those that directors mark their probes with, %d to %d.", mark, firstMark, lastMark)
		return
	}
	if first := seen[mark]; first != nil {
		p.report(fault{
			code: "GS210", at: s.at("fwmark"), detail: fmt.Sprintf("%s has the mark %d, and so has another service.", s.id, mark),
			rel: []Related{{first.id + " has it", first.at("fwmark")}},
		})
	}
	seen[mark] = s
	if len(s.list("ports")) < 2 {
		return
	}
	for _, t := range s.of("tier") {
		if t.method() != topology.NAT {
			continue // GS222 says more
		}
		for _, f := range t.nodes("farms") {
			for _, srv := range f.of("server") {
				if _, own := get[int](srv, "port"); own {
					p.report(fault{
						code: "GS222", at: srv.at("port"), detail: fmt.Sprintf("%s has a port of its own, and %s is one service of %d ports by its mark: all of them would lead to that port.", srv.id, s.id, len(s.list("ports"))),
						help: "Leave port out, or fwmark.", rel: []Related{{s.id + " has a mark", s.at("fwmark")}},
					})
					return
				}
			}
		}
	}
}
