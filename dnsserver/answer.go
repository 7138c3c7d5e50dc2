package dnsserver

import (
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"gslb/steering"
	"gslb/topology"
)

// maxChain is how many CNAME and DNAME records one reply follows.
const maxChain = 16

// An asking is one query on its way through the zones (RFC 1034, section 4.3.2).
type asking struct {
	table *Table
	m     *message
	u     uint64
	typ   uint16

	key    [maxName]byte
	labels [maxLabels]int
	places [8]steering.Place
	rcode  int
	aa     bool
	tc     bool
	passed []string // aliases that are in the answer already, in lower case
	told   *Told    // nil but for Tell
}

// pass remembers an alias and reports whether it is a new one.
func (a *asking) pass(alias string) bool {
	alias = key(alias)
	if slices.Contains(a.passed, alias) {
		return false
	}
	a.passed = append(a.passed, alias)
	return true
}

// require adds a set that the reply is not whole without.
func (a *asking) require(to section, owner string, set *rrset) bool {
	if !a.m.add(to, owner, set) {
		a.tc = true
		return false
	}
	return true
}

// resolve answers for name, which lies in z, and follows aliases as far as
// our zones go.
func (a *asking) resolve(z *zone, name string) {
	for z != nil {
		if a.told != nil {
			a.told.Name, a.told.Zone = text(name), text(z.name)
		}
		target, more := a.step(z, name)
		if !more {
			return
		}
		// A chain without an end is answered as far as it was followed.
		if len(a.passed) > maxChain {
			return
		}
		name = target
		z = a.table.zone(key(name), a.typ)
	}
	if a.told != nil {
		a.told.Name, a.told.Zone = text(name), ""
	}
}

// step answers for name within z and returns the alias's target if it is one.
func (a *asking) step(z *zone, name string) (target string, more bool) {
	lowered := string(lower(a.key[:0], name))
	starts := labels(a.labels[:0], lowered)
	apex := len(starts) - len(labels(nil, z.key))

	// Down from the apex, to see what stands in the way.
	n := z.nodes[z.key]
	for i := apex; ; i-- {
		at := lowered[starts[i]:]
		if i < apex {
			below, ok := z.nodes[at]
			if !ok {
				return a.synthesize(z, name, lowered[starts[i+1]:])
			}
			n = below
		}
		if ns := n.set(dns.TypeNS); ns != nil && i < apex && (i > 0 || a.typ != dns.TypeDS) {
			a.refer(z, name[starts[i]:], at, ns)
			return "", false
		}
		if i == 0 {
			return a.found(z, n, name)
		}
		if d := n.set(dns.TypeDNAME); d != nil {
			return a.redirect(name, starts[i], d)
		}
	}
}

// synthesize answers for a name that does not exist below encloser, the last
// name above it that does (RFC 4592, section 3.3.1).
func (a *asking) synthesize(z *zone, name, encloser string) (target string, more bool) {
	if n, ok := z.nodes[wildcard(encloser)]; ok {
		return a.found(z, n, name)
	}
	a.aa = true
	a.rcode = dns.RcodeNameError
	a.require(authority, z.name, &z.negative)
	return "", false
}

// found answers with what stands at n, which is called name.
func (a *asking) found(z *zone, n *node, name string) (target string, more bool) {
	a.aa = true
	if cname := n.set(dns.TypeCNAME); cname != nil && a.typ != dns.TypeCNAME {
		if !a.pass(name) || !a.require(answer, name, cname) || a.typ == dns.TypeANY {
			return "", false
		}
		return string(cname.data[0]), true
	}
	if a.typ == dns.TypeANY && !n.empty() {
		a.any(z, n, name)
		return "", false
	}
	if n.domain != nil && (a.typ == dns.TypeA || a.typ == dns.TypeAAAA) {
		if a.told != nil {
			a.told.Domain = n.domain
		}
		if set := a.steer(n.domain); len(set.data) > 0 {
			a.require(answer, name, set)
			return "", false
		}
	} else if set := n.set(a.typ); set != nil {
		if a.require(answer, name, set) && a.typ == dns.TypeNS {
			a.addresses(z, set, func(string) bool { return false })
		}
		return "", false
	}
	a.require(authority, z.name, &z.negative) // no data
	return "", false
}

// any answers with a little: the whole would help nobody but those who want
// large replies sent elsewhere (RFC 8482, section 4.2).
func (a *asking) any(z *zone, n *node, name string) {
	if hinfo := n.set(dns.TypeHINFO); hinfo != nil {
		a.require(answer, name, hinfo)
		return
	}
	a.require(answer, name, &rrset{typ: dns.TypeHINFO, ttl: z.soa.ttl, data: [][]byte{[]byte("\x07RFC8482\x00")}})
}

// steer makes the set that a domain answers this query with.
func (a *asking) steer(d *topology.Domain) *rrset {
	family := steering.V4
	if a.typ == dns.TypeAAAA {
		family = steering.V6
	}
	set := &rrset{typ: a.typ, ttl: seconds(d.TTL)}
	var seen []netip.Addr
	for _, p := range a.table.steering.Pick(a.places[:0], d, family, a.u) {
		for _, addr := range p.Addrs {
			if !topology.Addrs(seen).Has(addr) { // two answers may share an address
				seen = append(seen, addr)
				set.data = append(set.data, addr.AsSlice())
			}
		}
	}
	return set
}

// redirect answers with the DNAME that stands above name, at offset at of it,
// and the CNAME that follows from it (RFC 6672, section 3.1).
func (a *asking) redirect(name string, at int, dname *rrset) (target string, more bool) {
	a.aa = true
	if a.pass(name[at:]) && !a.require(answer, name[at:], dname) || a.typ == dns.TypeANY {
		return "", false
	}
	target = name[:at] + string(dname.data[0])
	if len(target) > maxName {
		a.rcode = dns.RcodeYXDomain
		return "", false
	}
	more = a.pass(name) && a.require(answer, name, &rrset{typ: dns.TypeCNAME, ttl: dname.ttl, data: [][]byte{[]byte(target)}})
	return target, more && a.typ != dns.TypeCNAME
}

// refer sends the asker on to the nameservers of a name below us.
func (a *asking) refer(z *zone, name, cut string, ns *rrset) {
	if !a.require(authority, name, ns) {
		return
	}
	a.addresses(z, ns, func(host string) bool { return under(host, cut) })
}

// addresses adds what we know of the addresses of nameservers. Without those
// that are needed, being found only where they lead to, the reply is cut
// (RFC 9471); they come first.
func (a *asking) addresses(z *zone, ns *rrset, needed func(host string) bool) {
	for _, need := range []bool{true, false} {
		for _, host := range ns.data {
			name := string(host)
			lowered := key(name)
			if needed(lowered) != need {
				continue
			}
			home := z
			if !under(lowered, z.key) {
				if home = a.table.zones.enclosing(lowered); home == nil {
					continue
				}
			}
			n, ok := home.nodes[lowered]
			if !ok {
				continue
			}
			for _, typ := range []uint16{dns.TypeA, dns.TypeAAAA} {
				set := n.set(typ)
				if set == nil {
					continue
				}
				if need {
					a.require(additional, name, set)
				} else {
					a.m.add(additional, name, set)
				}
			}
		}
	}
}
