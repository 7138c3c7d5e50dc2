package conf

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// A segment is one prefix of a network.
type segment struct {
	n  *node
	it item
}

func (s segment) prefix() netip.Prefix { return s.it.x.(netip.Prefix) }

// checkNetworks looks at segments by themselves and at each other.
func (p *parser) checkNetworks() {
	if p.segments != nil { // as at the reading before, without fault
		return
	}
	var all []segment
	for _, n := range p.all("network") {
		for _, it := range n.list("cidr") {
			all = append(all, segment{n, it})
		}
		for _, it := range n.list("gateway") {
			p.fits(it, n, "the gateway")
		}
	}
	// In the order of addresses, what a prefix overlaps is what it lies in.
	slices.SortStableFunc(all, func(a, b segment) int {
		return cmp.Or(a.prefix().Addr().Compare(b.prefix().Addr()), cmp.Compare(a.prefix().Bits(), b.prefix().Bits()))
	})
	p.segments = all
	var around segment
	for _, s := range all {
		if around.n == nil || !around.prefix().Overlaps(s.prefix()) {
			around = s
			continue
		}
		first, late := around, s
		if p.before(late.it.at, first.it.at) < 0 {
			first, late = late, first
		}
		p.report(fault{
			code: "GS204", at: late.it.at, detail: fmt.Sprintf("%s of %s and %s of %s share addresses.", late.prefix(), late.n.id, first.prefix(), first.n.id),
			help: "Give each segment a prefix of its own, or make them one network.",
			rel:  []Related{{first.n.id + " has " + first.prefix().String(), first.it.at}},
		})
	}
}

// fits reports an address that the segment cannot give to a node. It returns
// whether it fits.
func (p *parser) fits(it item, network *node, what string) bool {
	if network == nil || network.val("cidr") == nil {
		return true
	}
	a := it.x.(netip.Addr)
	for _, c := range network.list("cidr") {
		pfx := c.x.(netip.Prefix)
		if !pfx.Contains(a) {
			continue
		}
		kind := ""
		switch {
		case pfx.Bits() >= a.BitLen()-1:
		case a == pfx.Addr() && a.Is4():
			kind = "network"
		case a == pfx.Addr():
			kind = "subnet-router anycast (RFC 4291 section 2.6.1)"
		case a.Is4() && a == last(pfx):
			kind = "broadcast"
		}
		if kind == "" {
			return true
		}
		p.report(fault{
			code: "GS205", at: it.at, detail: fmt.Sprintf("%s, %s, is the %s address of %s.", a, what, kind, pfx),
			rel: []Related{{network.id + " has " + pfx.String(), c.at}},
		})
		return false
	}
	c := network.val("cidr")
	p.report(fault{
		code: "GS205", at: it.at, detail: fmt.Sprintf("%s, %s, is outside %s, which has %s.", a, what, network.id, join(network.prefixes())),
		rel: []Related{{network.id + " has " + join(network.prefixes()), c.at}},
	})
	return false
}

func join(ps []netip.Prefix) string {
	s := ""
	for i, p := range ps {
		if i > 0 {
			s += " and "
		}
		s += p.String()
	}
	return s
}

// last is the highest address of a prefix.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// An owner is who has an address, and where the file says so.
type owner struct {
	who      string
	at       hcl.Range
	network  *node // who is the gateway of this network
	director *node // who is this director; nil: no director
}

// checkNodes looks at every node's addresses: on their segment, and each of
// one node only. What it gathers tells which hosts are free.
func (p *parser) checkNodes() {
	if p.owners == nil {
		p.owners, p.vips, p.shared = map[netip.Addr]owner{}, map[netip.Addr]int{}, 0
	}
	take := func(what string, it item) {
		a := it.x.(netip.Addr)
		if first, ok := p.owners[a]; ok {
			p.report(fault{
				code: "GS206", at: it.at, detail: fmt.Sprintf("%s is the address of %s and of %s.", a, first.who, what),
				rel: []Related{{first.who + " has it here", first.at}},
			})
			return
		}
		if p.vips[a] > 0 { // of the reading before
			p.errorf("GS203", it.at, "%s of %s is also a VIP.", a, what)
		}
		p.owners[a] = owner{who: what, at: it.at}
	}
	// A network may name a director or a pair as its gateway: the segment has no
	// other router.
	leg := func(d, n *node, it item) {
		a := it.x.(netip.Addr)
		first, ok := p.owners[a]
		if ok && (n == nil || first.network != n) {
			take(d.id, it)
			return
		}
		p.owners[a] = owner{who: d.id, at: it.at}
		if d.sch == directorBlock {
			p.owners[a] = owner{who: d.id, at: it.at, director: d}
		}
	}
	for _, n := range p.all("network") {
		p.once(n, "addresses", func() {
			for _, it := range n.list("gateway") {
				if a := it.x.(netip.Addr); contains(n.prefixes(), a) {
					take("the gateway of "+n.id, it)
					if o := p.owners[a]; o.at == it.at {
						o.network = n
						p.owners[a] = o
					}
				}
			}
		})
	}
	for _, n := range p.all("nameserver") {
		p.once(n, "addresses", func() {
			for _, it := range n.list("addresses") {
				if p.abroad(it, n.ref("region"), "an address of "+n.id) {
					continue
				}
				if net := p.segment(it.x.(netip.Addr)); net != nil && !p.fits(it, net, "an address of "+n.id) {
					continue
				}
				take(n.id, it)
			}
		})
	}
	for _, n := range p.all("director") {
		p.once(n, "addresses", func() {
			for _, it := range n.list("address") {
				if p.fits(it, n.ref("network"), "the address of "+n.id) {
					leg(n, n.ref("network"), it)
				}
			}
			in := n.groups["inside"]
			for _, it := range in.list("address") {
				if p.fits(it, in.ref("network"), "the inside address of "+n.id) {
					leg(n, in.ref("network"), it)
				}
			}
			if a, b := n.ref("network"), in.ref("network"); a != nil && a == b {
				p.report(fault{
					code: "GS010", at: in.at("network"), detail: fmt.Sprintf("Both interfaces of %s are on %s.", n.id, a.id),
					help: "Leave inside out, or put it on another network.",
				})
			}
		})
	}
	for _, f := range p.all("failover") {
		p.once(f, "addresses", func() {
			var on *node
			if segmented(f) {
				on = f.nodes("members")[0].ref("network")
			}
			in := f.groups["inside"]
			for _, it := range f.list("address") {
				if p.fits(it, on, "the address of "+f.id) {
					leg(f, on, it)
				}
			}
			for _, it := range in.list("address") {
				if p.fits(it, in.ref("network"), "the inside address of "+f.id) {
					leg(f, in.ref("network"), it)
				}
			}
		})
	}
	for _, f := range p.all("farm") {
		p.once(f, "addresses", func() {
			p.checkFarm(f)
			for _, s := range f.of("server") {
				for _, it := range s.list("address") {
					if !f.gave("network") && p.abroad(it, f.ref("region"), "the address of "+s.id) {
						continue
					}
					if p.fits(it, f.ref("network"), "the address of "+s.id) && !p.itself(f, s, it) {
						take(s.id, it)
					}
				}
			}
		})
	}
	for _, s := range p.all("virtual_service") {
		p.once(s, "addresses", func() {
			for _, it := range s.list("vip") {
				a := it.x.(netip.Addr)
				if p.vips[a]++; p.vips[a] == 2 {
					p.shared++
				}
				if o, ok := p.owners[a]; ok {
					p.report(fault{
						code: "GS203", at: it.at, detail: fmt.Sprintf("The VIP %s of %s is also the address of %s.", a, s.id, o.who),
						help: "A VIP moves between nodes and belongs to none: give it an address of its own.",
						rel:  []Related{{o.who + " has it here", o.at}},
					})
					continue
				}
				if net := p.segment(a); net != nil {
					p.fits(it, net, "the VIP of "+s.id)
				}
			}
		})
	}
	p.checkGateways()
}

// itself reports a real server that is a director which forwards to it.
func (p *parser) itself(f, srv *node, it item) bool {
	o, ok := p.owners[it.x.(netip.Addr)]
	if !ok || o.director == nil {
		return false
	}
	for _, s := range p.all("virtual_service") {
		for _, t := range s.of("tier") {
			if !slices.Contains(t.nodes("farms"), f) || !isAmong(forwarders(t), o.director) {
				continue
			}
			p.report(fault{
				code: "GS226", at: it.at, detail: fmt.Sprintf("%s is %s, a director of %s, which forwards to %s. What is sent there is delivered on the spot whatever the method (LocalNode): the director would serve its part as long as it owns %s, and as a backup forward what another has sent to it.", it.x, o.who, t.id, srv.id, s.addrs("vip")),
				help: "Run the server on a host of its own.",
				rel:  []Related{{o.who + " has it here", o.at}, {t.id + " names the director", t.at("directors")}},
			})
			return true
		}
	}
	return false
}

// checkFarm looks at where a farm says it is.
func (p *parser) checkFarm(f *node) {
	switch {
	case f.gave("network") && f.gave("region"):
		p.report(fault{
			code: "GS010", at: f.at("region"), detail: f.id + " has a network, which has a region.",
			help: "Leave region out; without network it is a farm reached by routing.",
		})
	case !f.gave("network") && !f.gave("region") && !f.raw.known["network"] && !f.raw.known["region"]:
		p.report(fault{
			code: "GS002", at: f.raw.decl, what: "network", detail: f.id + " needs network, or region for a farm that is reached by routing.",
		})
	}
	if len(f.of("server")) == 0 && !f.broken && !ghost(f.raw, "server") {
		servers := false
		for _, k := range f.raw.kids {
			servers = servers || k.sch == serverBlock
		}
		if !servers {
			p.errorf("GS002", f.raw.decl, "%s needs at least one server block.", f.id)
		}
	}
}

// ghost reports whether an unknown block of r was probably meant to be kind.
func ghost(r *raw, kind string) bool { return r.known[kind] }

// around returns the segment that an address lies in. Where segments overlap,
// which is refused, it may find none.
func (p *parser) around(a netip.Addr) (segment, bool) {
	i, found := slices.BinarySearchFunc(p.segments, a, func(s segment, a netip.Addr) int { return s.prefix().Addr().Compare(a) })
	if !found {
		i--
	}
	if i < 0 || !p.segments[i].prefix().Contains(a) {
		return segment{}, false
	}
	return p.segments[i], true
}

// segment returns the network that an address lies in.
func (p *parser) segment(a netip.Addr) *node {
	s, _ := p.around(a)
	return s.n
}

// abroad reports an address of a node in one region that lies in a network of
// another.
func (p *parser) abroad(it item, region *node, what string) bool {
	s, ok := p.around(it.x.(netip.Addr))
	if !ok || region == nil || s.n.ref("region") == nil || s.n.ref("region") == region {
		return false
	}
	p.report(fault{
		code: "GS205", at: it.at,
		detail: fmt.Sprintf("%s, %s in %s, lies in %s of %s, whose nodes would look for it on their own link.", it.x, what, region.id, s.n.id, s.n.ref("region").id),
		help:   "Give it an address outside that network, or the region of the network.",
		rel:    []Related{{s.n.id + " has " + s.prefix().String(), s.it.at}},
	})
	return true
}

func contains(ps []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(ps, func(p netip.Prefix) bool { return p.Contains(a) })
}

// checkGateways finds the routers' addresses where the file gives none.
func (p *parser) checkGateways() {
	taken := func(a netip.Addr) bool {
		_, owned := p.owners[a]
		return owned || p.vips[a] > 0
	}
	p.gateways = map[*node][]netip.Addr{}
	for _, n := range p.all("network") {
		for _, it := range n.list("cidr") {
			pfx := it.x.(netip.Prefix)
			if g, ok := n.addrs("gateway").Like(pfx.Addr()); ok {
				p.gateways[n] = append(p.gateways[n], g)
				continue
			}
			if n.gave("gateway") && n.val("gateway") == nil {
				continue
			}
			g, ok := free(pfx, taken)
			if !ok {
				p.errorf("GS205", it.at, "%s of %s has no host left for the region's router.", pfx, n.id)
				continue
			}
			p.gateways[n] = append(p.gateways[n], g)
		}
	}
}

// free is the highest host of a prefix that nobody has.
func free(p netip.Prefix, taken func(netip.Addr) bool) (netip.Addr, bool) {
	a := last(p)
	small := p.Bits() >= a.BitLen()-1
	if a.Is4() && !small {
		a = a.Prev()
	}
	for ; a.IsValid() && p.Contains(a); a = a.Prev() {
		if !small && a == p.Addr() {
			break
		}
		if !taken(a) {
			return a, true
		}
	}
	return a, false
}
