package dnsserver

import (
	"bytes"
	"net/netip"

	"github.com/miekg/dns"

	"gslb/steering"
)

// maxChain is how many CNAME and DNAME records one reply follows.
const maxChain = 16

// An asking is one query on its way through the zones (RFC 1034, section
// 4.3.2). It is used again for the next query, so that its memory is.
type asking struct {
	table  *Table
	m      *message
	u      uint64
	typ    uint16
	client netip.Prefix // whom the answer is for; the zero Prefix: nobody in particular
	told   *Told        // nil but for Tell

	rcode int
	aa    bool
	tc    bool
	scope uint8 // how many bits of client the answer depends on (RFC 7871, section 7.2.1)
	ede   ede
	about []byte // what the answer is counted under when its rate is limited

	arena  []byte   // names in lower case and data that were made for this reply
	passed [][]byte // aliases that are in the answer already, in lower case
	labels [maxLabels]int
	places []steering.Place
	made   rrset // a set that no zone has

	hints      [2][]byte // addresses of each family, for HTTPS and SVCB
	hostPlaces []steering.Place
	hostData   [][]byte
}

// begin forgets the query before.
func (a *asking) begin(t *Table, m *message, r *Request, q *query, told *Told) {
	a.table, a.m, a.u, a.typ, a.told = t, m, r.U, q.typ, told
	a.rcode, a.aa, a.tc, a.scope, a.ede, a.about = 0, false, false, 0, ede{}, nil
	a.arena, a.passed = a.arena[:0], a.passed[:0]
	// Who wants his client not to be known is answered as if he were it (RFC
	// 7871, section 7.1.2).
	if a.client = q.subnet.prefix(); !a.client.IsValid() && r.From.IsValid() {
		a.client = netip.PrefixFrom(r.From, r.From.BitLen())
	}
}

// lower is name in lower case, good for the rest of the query. What grows out
// of the arena leaves behind what stands in it.
func (a *asking) lower(name []byte) []byte {
	from := len(a.arena)
	a.arena = lower(a.arena, name)
	return a.arena[from:len(a.arena):len(a.arena)]
}

// join is two parts of data one after the other.
func (a *asking) join(head, tail []byte) []byte {
	from := len(a.arena)
	a.arena = append(append(a.arena, head...), tail...)
	return a.arena[from:len(a.arena):len(a.arena)]
}

// pass remembers an alias, in lower case, and reports whether it is a new one.
func (a *asking) pass(alias []byte) bool {
	for _, before := range a.passed {
		if bytes.Equal(before, alias) {
			return false
		}
	}
	a.passed = append(a.passed, alias)
	return true
}

// count names what the answer is counted under, unless that is known.
func (a *asking) count(about []byte) {
	if a.about == nil {
		a.about = about
	}
}

// deny says that the name, or its type, is not there.
func (a *asking) deny(z *zone, rcode int) {
	a.rcode, a.aa, a.about = rcode, true, z.lowered
	a.require(authority, z.name, &z.negative)
}

// require adds a set that the reply is not whole without.
func (a *asking) require(to section, owner []byte, set *rrset) bool {
	if !a.m.add(to, owner, set) {
		a.tc = true
		return false
	}
	return true
}

// resolve answers for name, which lies in z, and follows aliases as far as
// our zones are served. It takes the name in lower case as well.
func (a *asking) resolve(z *zone, name, lowered []byte) {
	for z != nil && !z.unserved {
		if a.told != nil {
			a.told.Name, a.told.Zone = text(string(name)), text(z.key)
		}
		target, more := a.step(z, name, lowered)
		if !more {
			return
		}
		// A chain without an end is answered as far as it was followed.
		if len(a.passed) > maxChain {
			return
		}
		name, lowered = target, a.lower(target)
		z = a.table.zone(lowered, a.typ)
	}
	if a.told != nil {
		a.told.Name, a.told.Zone = text(string(name)), ""
	}
}

// step answers for name within z and returns the alias's target if it is one.
func (a *asking) step(z *zone, name, lowered []byte) (target []byte, more bool) {
	starts := labels(a.labels[:0], lowered)
	apex := len(starts) - z.labels

	// Down from the apex, to see what stands in the way.
	n := z.apex
	for i := apex; ; i-- {
		at := lowered[starts[i]:]
		if i < apex {
			below, ok := z.nodes[string(at)]
			if !ok {
				return a.synthesize(z, name, lowered, starts[i+1])
			}
			n = below
		}
		if ns := n.set(dns.TypeNS); ns != nil && i < apex && (i > 0 || a.typ != dns.TypeDS) {
			a.about = at
			a.refer(z, name[starts[i]:], at, ns)
			return nil, false
		}
		if i == 0 {
			a.count(lowered)
			return a.found(z, n, name, lowered)
		}
		if d := n.set(dns.TypeDNAME); d != nil {
			a.count(at)
			return a.redirect(name, lowered, starts[i], d)
		}
	}
}

// synthesize answers for a name that does not exist. What begins at offset at
// of it, the closest encloser, does (RFC 4592, section 3.3.1).
func (a *asking) synthesize(z *zone, name, lowered []byte, at int) (target []byte, more bool) {
	wildcard := a.join([]byte("\x01*"), lowered[at:])
	if n, ok := z.nodes[string(wildcard)]; ok {
		a.count(wildcard)
		return a.found(z, n, name, lowered)
	}
	a.deny(z, dns.RcodeNameError)
	return nil, false
}

// found answers with what stands at n, which is called name.
func (a *asking) found(z *zone, n *node, name, lowered []byte) (target []byte, more bool) {
	a.aa = true
	if cname := n.set(dns.TypeCNAME); cname != nil && a.typ != dns.TypeCNAME {
		if !a.pass(lowered) || !a.require(answer, name, cname) || a.typ == dns.TypeANY {
			return nil, false
		}
		return cname.data[0], true
	}
	if a.typ == dns.TypeANY && !n.empty() {
		a.any(z, n, name)
		return nil, false
	}
	if d := n.steers(a.typ); d != nil {
		if a.told != nil && a.told.Domain == nil { // an alias may lead to another
			a.told.Domain = d.domain
		}
		if set := a.steer(d); len(set.data) > 0 {
			if set.typ == dns.TypeCNAME {
				target = set.data[0]
				more = a.pass(lowered) && a.require(answer, name, set) && a.typ != dns.TypeCNAME
				return target, more
			}
			if a.require(answer, name, set) && a.typ != dns.TypeA && a.typ != dns.TypeAAAA {
				a.accompany(name, n, d)
			}
			return nil, false
		}
	}
	if a.typ == dns.TypeRRSIG && n.set(a.typ) != nil {
		for i := range n.signatures() {
			a.require(answer, name, &n.signatures()[i])
		}
		return nil, false
	}
	if set := n.set(a.typ); set != nil {
		if a.typ == dns.TypeDNAME && !a.pass(lowered) {
			return nil, false // it has led here, so it is in the answer
		}
		if a.require(answer, name, set) && a.typ == dns.TypeNS {
			a.addresses(z, set, nil)
		}
		return nil, false
	}
	a.deny(z, dns.RcodeSuccess)
	return nil, false
}

// any answers with a little: the whole would help nobody but those who want
// large replies sent elsewhere (RFC 8482, section 4.2).
func (a *asking) any(z *zone, n *node, name []byte) {
	if hinfo := n.set(dns.TypeHINFO); hinfo != nil {
		a.require(answer, name, hinfo)
		return
	}
	a.require(answer, name, a.make(dns.TypeHINFO, z.soa.ttl, a.join([]byte("\x07RFC8482"), []byte{0})))
}

// make makes a set that no zone has.
func (a *asking) make(typ uint16, ttl uint32, data ...[]byte) *rrset {
	a.made.typ, a.made.ttl, a.made.data = typ, ttl, append(a.made.data[:0], data...)
	return &a.made
}

// redirect answers with the DNAME that stands above name, at offset at of it,
// and the CNAME that follows from it (RFC 6672, section 3.1).
func (a *asking) redirect(name, lowered []byte, at int, dname *rrset) (target []byte, more bool) {
	a.aa = true
	if a.pass(lowered[at:]) && !a.require(answer, name[at:], dname) || a.typ == dns.TypeANY {
		return nil, false
	}
	target = a.join(name[:at], dname.data[0])
	if len(target) > maxName {
		a.rcode = dns.RcodeYXDomain
		return nil, false
	}
	more = a.pass(lowered) && a.require(answer, name, a.make(dns.TypeCNAME, dname.ttl, target))
	return target, more && a.typ != dns.TypeCNAME
}

// refer sends the asker on to the nameservers of a name below us.
func (a *asking) refer(z *zone, name, cut []byte, ns *rrset) {
	if !a.require(authority, name, ns) {
		return
	}
	a.addresses(z, ns, cut)
}

// addresses adds what we know of the addresses of nameservers. Without those
// that lie below the cut, being found only where they lead to, the reply is
// truncated (RFC 9471); they come first. A nil cut is none.
func (a *asking) addresses(z *zone, ns *rrset, cut []byte) {
	for _, need := range []bool{true, false} {
		for _, name := range ns.data {
			lowered := a.lower(name)
			if needed := cut != nil && under(lowered, string(cut)); needed != need {
				continue
			}
			home := z
			if !under(lowered, z.key) {
				if home = a.table.zones.enclosing(lowered); home == nil {
					continue
				}
			}
			n, ok := home.nodes[string(lowered)]
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
