package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// checkVIPs looks at whether a service's VIPs are with those who forward for
// it, and whether clients get there.
func (p *parser) checkVIPs(s *node, tiers []*node) {
	if s.broken || len(tiers) == 0 || !complete(tiers[0], "directors") || len(tiers[0].list("directors")) != 1 {
		return
	}
	owner := tiers[0].list("directors")[0]
	n := owner.x.(*node)
	if n.sch == failoverBlock && n.gave("vips") && n.val("vips") == nil {
		return
	}
	for _, it := range s.list("vip") {
		vip := it.x.(netip.Addr)
		if n.sch == failoverBlock && !n.addrs("vips").Has(vip) {
			p.report(fault{
				code: "GS211", at: it.at, detail: fmt.Sprintf("%s is the first to forward for %s, and does not list %s: none of its members would have the address.", n.id, s.id, vip),
				help: fmt.Sprintf("Add %q to its vips.", vip), rel: []Related{{n.id + " lists its VIPs here", n.at("vips")}, {tiers[0].id + " names it", owner.at}},
			})
			continue
		}
		if n.sch == failoverBlock && !segmented(n) {
			continue
		}
		// No other address matters here than a VIP of the service, and one that
		// somebody has is a fault.
		if _, ok := p.owners[vip]; !ok && !s.flag("anycast") {
			p.checkRoute(s, it, forwarders(tiers[0])[0])
		}
	}
}

// checkRoute warns of a VIP that nobody looks for where its owner is.
func (p *parser) checkRoute(s *node, it item, d forwarder) {
	vip := it.x.(netip.Addr)
	if !wired(d.node) {
		return
	}
	for _, n := range legs(d.node) {
		if n.val("cidr") == nil || contains(n.prefixes(), vip) {
			return
		}
	}
	on := d.ref("network")
	owner := d.id
	if d.pair != nil {
		owner = d.pair.id
	}
	via, ok := d.addrs("address").Like(vip)
	if !ok {
		return // GS208
	}
	f := fault{
		code: "GS202", at: it.at, detail: fmt.Sprintf("%s is outside %s, where %s has it: nobody there asks for it, and packets come only by a route.", vip, on.id, owner),
		help: fmt.Sprintf("Give the region's router a route to %s/%d by %s, or take an address of %s.", vip, vip.BitLen(), via, join(on.prefixes())),
		rel:  []Related{{on.id + " has " + join(on.prefixes()), on.at("cidr")}},
	}
	if d.pair != nil {
		f.help = fmt.Sprintf("Give the region's router a route to %s/%d that follows the active member, or take an address of %s.", vip, vip.BitLen(), join(on.prefixes()))
		if via, ok := d.pair.addrs("address").Like(vip); ok {
			f.help = fmt.Sprintf("Give the region's router a route to %s/%d by %s, or take an address of %s.", vip, vip.BitLen(), via, join(on.prefixes()))
		}
	}
	if other, ok := p.around(vip); ok {
		f.detail += fmt.Sprintf(" It lies in %s, whose nodes look for it on their own link.", other.n.id)
	}
	p.warn(f)
}

// whole reports whether all instances of a kind are known.
func (p *parser) whole(kind string) bool {
	if !p.failed() {
		return true
	}
	for _, r := range p.file.kids {
		if r.sch.name != kind {
			continue
		}
		if f := p.families[r.addr()]; f == nil || f.raw != r || f.state == broken {
			return false
		}
	}
	return true
}

// checkListening warns of addresses that are given to clients, or held by a
// pair, and have no service.
func (p *parser) checkListening() {
	if !p.whole("virtual_service") || len(p.all("failover")) == 0 && !slices.ContainsFunc(p.all("domain"), literal) {
		return
	}
	served := map[netip.Addr]bool{}
	for _, s := range p.all("virtual_service") {
		if s.val("vip") == nil {
			return
		}
		for _, vip := range s.addrs("vip") {
			served[vip] = true
		}
	}
	pairs := map[netip.Addr]*node{}
	for _, f := range p.all("failover") {
		for _, vip := range f.addrs("vips") {
			pairs[vip] = f
		}
	}
	directors := map[netip.Addr]*node{}
	for _, d := range p.all("director") {
		for _, a := range d.addrs("address") {
			directors[a] = d
		}
	}
	for _, d := range p.all("domain") {
		for _, k := range d.of("answer") {
			for _, it := range k.list("addresses") {
				a := it.x.(netip.Addr)
				_, owned := p.owners[a]
				f := fault{code: "GS212", at: it.at, help: "Write a virtual_service with this VIP, or take the address out."}
				switch net := p.segment(a); {
				case served[a] || owned && directors[a] == nil:
					continue
				case directors[a] != nil:
					f.detail, f.rel = fmt.Sprintf("%s is the address of %s, and no virtual service listens on it.", a, directors[a].id), []Related{directors[a].here()}
				case pairs[a] != nil:
					f.detail, f.rel = fmt.Sprintf("%s is a VIP of %s, and no virtual service listens on it.", a, pairs[a].id), []Related{pairs[a].here()}
				case net != nil:
					f.detail, f.rel = fmt.Sprintf("%s lies in %s, and no virtual service listens on it.", a, net.id), []Related{net.here()}
				default:
					continue
				}
				p.warn(f)
				served[a] = true // once
			}
		}
	}
	p.checkIdleVIPs(served)
}

// literal reports whether an answer of a domain is addresses.
func literal(d *node) bool {
	return slices.ContainsFunc(d.of("answer"), func(a *node) bool { return a.gave("addresses") })
}

// checkIdleVIPs warns of a pair's VIPs that nothing uses.
func (p *parser) checkIdleVIPs(served map[netip.Addr]bool) {
	for _, f := range p.all("failover") {
		for _, it := range f.list("vips") {
			vip := it.x.(netip.Addr)
			_, owned := p.owners[vip]
			if served[vip] || owned {
				continue
			}
			w := fault{
				code: "GS212", at: it.at, detail: fmt.Sprintf("%s holds %s, and no virtual service listens on it.", f.id, vip),
				help: "Write a virtual_service with this VIP, or take the address out.",
			}
			for _, d := range f.nodes("members") {
				if on := d.groups["inside"].ref("network"); on != nil && contains(on.prefixes(), vip) {
					w.help = fmt.Sprintf("As the gateway of farms write it as inside = { network = %s, address = %q }.", on.id, vip)
				}
			}
			p.warn(w)
		}
	}
}

// Prefixes of addresses that nobody outside the user's network reaches.
var private = []struct {
	prefix netip.Prefix
	rfc    int
}{
	{netip.MustParsePrefix("10.0.0.0/8"), 1918}, {netip.MustParsePrefix("172.16.0.0/12"), 1918}, {netip.MustParsePrefix("192.168.0.0/16"), 1918},
	{netip.MustParsePrefix("100.64.0.0/10"), 6598}, {netip.MustParsePrefix("fc00::/7"), 4193},
}

// Names under which nobody outside asks: RFC 6762, RFC 8375, and the top-level
// name that ICANN keeps for private use.
var privateNames = []string{".local.", ".home.arpa.", ".internal."}

func isPrivateName(fqdn string) bool {
	for _, suffix := range privateNames {
		if strings.HasSuffix("."+fqdn, suffix) {
			return true
		}
	}
	return false
}

// checkPublic warns of answers that only clients in the user's own network
// can use.
func (p *parser) checkPublic() {
	said := map[item]bool{}
	look := func(it item, a netip.Addr, what string, rel ...Related) {
		for _, r := range private {
			if r.prefix.Contains(a) && !said[it] {
				said[it] = true
				p.warn(fault{
					code: "GS207", at: it.at, detail: fmt.Sprintf("%s is %s, and lies in %s (RFC %d): it is not reached from outside your own network.", a, what, r.prefix, r.rfc),
					help: "Answer with a public address. Names under home.arpa and internal may have private ones.", rel: rel,
				})
				return
			}
		}
	}
	public := false
	for _, z := range p.all("zone") {
		name, ok := p.fqdn[z]
		if !ok || isPrivateName(name) {
			continue
		}
		public = true
		for _, r := range z.of("record") {
			if t := strings.ToUpper(r.str("type")); t != "A" && t != "AAAA" {
				continue
			}
			for _, it := range r.list("data") {
				if a, err := netip.ParseAddr(it.x.(string)); err == nil {
					look(it, a, "an answer of "+r.id)
				}
			}
		}
	}
	for _, n := range p.all("nameserver") {
		glue := public && !n.gave("name")
		for _, z := range p.all("zone") {
			if n.gave("name") && p.fqdn[z] != "" && !isPrivateName(p.fqdn[z]) && strings.HasSuffix("."+p.fqdn[n], "."+p.fqdn[z]) {
				glue = true
			}
		}
		if !glue {
			continue
		}
		for _, it := range n.list("addresses") {
			look(it, it.x.(netip.Addr), "the address of "+n.id+", which the zones' delegation gives to resolvers")
		}
	}
	for _, d := range p.all("domain") {
		if name, ok := p.fqdn[d.ref("zone")]; !ok || isPrivateName(name) || has(typesOf(d), hostTypes) {
			continue // the addresses of their hosts are for checks
		}
		for _, k := range d.of("answer") {
			for _, it := range k.list("addresses") {
				look(it, it.x.(netip.Addr), "an answer of "+d.id)
			}
			for _, it := range k.ref("service").list("vip") {
				look(it, it.x.(netip.Addr), "the VIP of "+k.ref("service").id+" and so an answer of "+d.id, Related{d.id + " answers with it", k.at("service")})
			}
		}
	}
}
