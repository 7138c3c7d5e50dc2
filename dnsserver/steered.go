package dnsserver

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"gslb/dnsserver/rr"
	"gslb/steering"
	"gslb/topology"
)

// A steered is a domain with what its answers are made of, as it is sent.
type steered struct {
	domain  *topology.Domain
	next    *steered // another domain of the same name, which has other types
	types   []uint16
	aliased bool // an answer is a CNAME
	// params are those of HTTPS and SVCB records: before, between and behind
	// the hints for IPv4 and IPv6, which are not among them.
	params [3][]byte
	hosts  map[*topology.Answer]host // that answers lead to, those of a CNAME included
}

// A host is what an answer leads to.
type host struct {
	name []byte
	node *node // that has its addresses, where these are ours to tell; else nil
}

// steers is the domain that answers a type at n: the one that has it or, for
// all types, one that can be another name. Nil: none.
func (n *node) steers(typ uint16) *steered {
	for s := n.steered; s != nil; s = s.next {
		if s.aliased || s.has(typ) {
			return s
		}
	}
	return nil
}

func (s *steered) has(typ uint16) bool { return slices.Contains(s.types, typ) }

// domain makes a domain's part of its zone.
func (c *compiler) domain(d *topology.Domain) {
	name, err := rr.Name(d.Name)
	if err != nil {
		c.fault("%s: %w", d.ID, err)
		return
	}
	z, ok := c.find(d.Zone.Name)
	if !ok || !under(key(name), z.key) {
		c.fault("%s: %s is not in zone %s", d.ID, d.Name, d.Zone.Name)
		return
	}
	s := &steered{domain: d}
	for _, typ := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeSVCB, dns.TypeSRV, dns.TypeMX} {
		if d.Has(dns.TypeToString[typ]) {
			s.types = append(s.types, typ)
		}
	}
	params, _, err := rr.Params(d.Params)
	if err != nil {
		c.fault("%s: %w", d.ID, err)
	}
	for _, p := range params {
		part := 0
		if p.Key > rr.IPv4Hint {
			part = 1
		}
		if p.Key > rr.IPv6Hint {
			part = 2
		}
		s.params[part] = append(s.params[part], p.Wire...)
	}
	n := z.node(key(name))
	for _, a := range d.Answers {
		to := a.CNAME
		if to == "" {
			to = a.Target
		}
		if to == "" {
			continue
		}
		wire, err := rr.Name(to)
		switch {
		case err != nil:
			c.fault("answer %s: %w", a.ID, err)
		case a.CNAME != "" && n == z.apex:
			c.fault("answer %s: the zone itself can be no alias", a.ID) // RFC 1034, section 3.6.2
		}
		if s.hosts == nil {
			s.hosts = make(map[*topology.Answer]host, len(d.Answers))
		}
		s.hosts[a] = host{name: []byte(wire)}
		s.aliased = s.aliased || a.CNAME != ""
	}
	for other := n.steered; other != nil; other = other.next {
		if s.aliased || other.aliased || slices.ContainsFunc(s.types, other.has) {
			c.fault("%s: %s is also %s", d.ID, d.Name, other.domain.ID)
			return
		}
	}
	s.next, n.steered = n.steered, s
	if d.Hosts() {
		c.leading = append(c.leading, s)
	}
}

// settle finds the hosts that are ours.
func (s *steered) settle(zs *Zones) {
	for a, h := range s.hosts {
		name := key(string(h.name))
		if z := zs.enclosing([]byte(name)); z != nil {
			if n, ok := z.nodes[name]; ok && zs.plain(z, name, n) {
				h.node = n
				s.hosts[a] = h
			}
		}
	}
}

// steer makes the set that d answers this query with, which may be a CNAME.
func (a *asking) steer(d *steered) *rrset {
	switch {
	case !d.has(a.typ) || a.typ == dns.TypeA || a.typ == dns.TypeAAAA:
		return a.addressed(d, a.typ)
	case d.domain.Hosts():
		return a.hosted(d)
	}
	return a.served(d)
}

// choose are the places of d for this query. Where they depend on more of the
// client than those before did, so does the reply.
func (a *asking) choose(buf []steering.Place, d *steered, f steering.Family) ([]steering.Place, uint32) {
	places, ttl, scope := a.table.steering.Answer(buf[:0], d.domain, f, a.client, a.u)
	a.scope = max(a.scope, uint8(scope))
	if a.told != nil {
		a.told.Scope = int(a.scope)
	}
	if a.table.steering.Stale(d.domain, f) {
		a.ede = ede{true, dns.ExtendedErrorCodeStaleAnswer, "checks have not confirmed of late who is up"}
	}
	return places, ttl
}

// addressed makes the set of the addresses of d or, where d is another name for
// now, the CNAME that says so. For a type that d does not have it is that or
// empty.
func (a *asking) addressed(d *steered, typ uint16) *rrset {
	family, has := steering.V4, d.has(typ)
	if typ == dns.TypeAAAA && has || !d.has(dns.TypeA) {
		family = steering.V6
	}
	places, ttl := a.choose(a.places, d, family)
	a.places = places
	set := a.make(typ, ttl)
	// A name that is an alias is nothing else: the first place decides.
	if len(places) > 0 && places[0].Answer.CNAME != "" {
		return a.make(dns.TypeCNAME, ttl, d.hosts[places[0].Answer].name)
	}
	if !has {
		return set
	}
	for _, p := range places {
		for _, addr := range p.Addrs {
			a.include(set, addr)
		}
	}
	if len(set.data) == 0 && could(d.domain, family) {
		a.dead()
	}
	return set
}

func (a *asking) dead() {
	if !a.ede.given {
		a.ede = ede{true, dns.ExtendedErrorCodeNoReachableAuthority, "no answer of the name is up"}
	}
}

// include adds an address, unless it is there: two answers may share one.
func (a *asking) include(set *rrset, addr netip.Addr) {
	var octets [16]byte
	n := 16
	if addr.Is4() {
		*(*[4]byte)(octets[:]), n = addr.As4(), 4
	} else {
		octets = addr.As16()
	}
	for _, before := range set.data {
		if bytes.Equal(before, octets[:n]) {
			return
		}
	}
	set.data = append(set.data, a.join(octets[:n], nil))
}

// could reports whether a domain has addresses of a family, up or not, to
// answer with.
func could(d *topology.Domain, family steering.Family) bool {
	if !slices.Contains(steering.Asked(d), family) {
		return false
	}
	for _, answer := range d.Answers {
		if slices.ContainsFunc(answer.Addrs, family.Has) {
			return true
		}
	}
	return false
}

// addressTypes are the types that hints are made of, and their keys.
var addressTypes = [2]uint16{dns.TypeA, dns.TypeAAAA}
var hintKeys = [2]uint16{rr.IPv4Hint, rr.IPv6Hint}

// served makes the one HTTPS or SVCB record of a domain that has addresses:
// itself, with the addresses that it would answer with as hints.
func (a *asking) served(d *steered) *rrset {
	ttl, some := uint32(maxTTL), false
	for i, typ := range addressTypes {
		a.hints[i] = a.hints[i][:0]
		if !d.has(typ) {
			continue
		}
		set := a.addressed(d, typ)
		if set.typ == dns.TypeCNAME {
			if i > 0 && some {
				continue // the other family has addresses
			}
			return set
		}
		a.hint(i, set)
		some = some || len(set.data) > 0
		ttl = min(ttl, set.ttl)
	}
	set := a.make(a.typ, ttl)
	if !some {
		return set
	}
	if a.ede.code == dns.ExtendedErrorCodeNoReachableAuthority {
		a.ede = ede{} // that is about the family that is down
	}
	from := len(a.arena)
	a.arena = append(a.arena, 0, 1, 0) // priority 1, the owner itself
	a.arena = a.params(a.arena, d)
	set.data = append(set.data, a.arena[from:len(a.arena):len(a.arena)])
	return set
}

// hint takes the addresses of a set for hints.
func (a *asking) hint(i int, set *rrset) {
	for _, data := range set.data {
		a.hints[i] = append(a.hints[i], data...)
	}
}

// params appends the parameters of d, with the hints at their place.
func (a *asking) params(buf []byte, d *steered) []byte {
	for i, hints := range a.hints {
		buf = append(buf, d.params[i]...)
		buf = appendHints(buf, hintKeys[i], hints)
	}
	return append(buf, d.params[2]...)
}

func appendHints(buf []byte, key uint16, hints []byte) []byte {
	if len(hints) == 0 {
		return buf
	}
	buf = binary.BigEndian.AppendUint16(buf, key)
	return append(binary.BigEndian.AppendUint16(buf, uint16(len(hints))), hints...)
}

// hosted makes the set of a domain of hosts: a record for each place.
func (a *asking) hosted(d *steered) *rrset {
	places, ttl := a.choose(a.hostPlaces, d, steering.Host)
	a.hostPlaces, a.hostData = places, a.hostData[:0]
	if len(places) == 0 {
		a.dead()
	}
	scale := 0 // weights grow in sixteenths while an answer starts slowly
	for _, p := range places {
		if p.Weight > 0xffff {
			scale = 4
		}
	}
	for _, p := range places {
		h := d.hosts[p.Answer]
		least := ttl
		if a.typ == dns.TypeHTTPS || a.typ == dns.TypeSVCB {
			least = a.locate(h, p)
		}
		ttl = min(ttl, least)
		from := len(a.arena)
		a.arena = binary.BigEndian.AppendUint16(a.arena, uint16(p.Answer.Priority))
		if a.typ == dns.TypeSRV {
			a.arena = binary.BigEndian.AppendUint16(a.arena, uint16(p.Weight>>scale))
			a.arena = binary.BigEndian.AppendUint16(a.arena, p.Answer.TargetPort)
		}
		a.arena = append(a.arena, h.name...)
		if (a.typ == dns.TypeHTTPS || a.typ == dns.TypeSVCB) && p.Answer.Priority > 0 {
			a.arena = a.params(a.arena, d)
		}
		data := a.arena[from:len(a.arena):len(a.arena)]
		if !slices.ContainsFunc(a.hostData, func(before []byte) bool { return bytes.Equal(before, data) }) {
			a.hostData = append(a.hostData, data)
		}
	}
	return a.make(a.typ, ttl, a.hostData...)
}

// locate takes the addresses of a host for hints: those that we would answer
// with if it is ours, else those that the place has. It returns how long they
// hold.
func (a *asking) locate(h host, p steering.Place) uint32 {
	ttl := uint32(maxTTL)
	for i, typ := range addressTypes {
		a.hints[i] = a.hints[i][:0]
		if h.node != nil {
			if set := a.at(h.node, typ); set != nil {
				a.hint(i, set)
				ttl = min(ttl, set.ttl)
			}
			continue
		}
		for _, addr := range p.Addrs {
			switch {
			case i == 0 && addr.Is4():
				octets := addr.As4()
				a.hints[i] = append(a.hints[i], octets[:]...)
			case i == 1 && addr.Is6():
				octets := addr.As16()
				a.hints[i] = append(a.hints[i], octets[:]...)
			}
		}
	}
	return ttl
}

// at is the set of addresses that n answers with, nil if it has none. That
// they are stale is said of the answer that leads to them too, that they are
// down is not.
func (a *asking) at(n *node, typ uint16) *rrset {
	if d := n.steers(typ); d != nil {
		before := a.ede
		set := a.addressed(d, typ)
		if a.ede.code != dns.ExtendedErrorCodeStaleAnswer {
			a.ede = before
		}
		if set.typ != typ || len(set.data) == 0 {
			return nil
		}
		return set
	}
	return n.set(typ)
}

// accompany adds the addresses of the hosts that the answer leads to, as far as
// they are ours and there is room: those that hints have been made of. Of a host
// that is another name it adds the service bindings too (RFC 9460, section 4.1).
func (a *asking) accompany(name []byte, n *node, d *steered) {
	if !d.domain.Hosts() {
		a.accompanyBy(name, n)
		return
	}
	for i, p := range a.hostPlaces {
		h := d.hosts[p.Answer]
		known := slices.ContainsFunc(a.hostPlaces[:i], func(q steering.Place) bool { return bytes.Equal(d.hosts[q.Answer].name, h.name) })
		if h.node == nil || known {
			continue
		}
		if d.domain.Alias(p.Answer) {
			if set := a.binding(h.node); set != nil && len(set.data) > 0 && set.typ == a.typ {
				a.m.add(additional, h.name, set)
			}
		}
		a.accompanyBy(h.name, h.node)
	}
}

// binding is the set of service bindings that n answers with, as far as they
// need no other hosts.
func (a *asking) binding(n *node) *rrset {
	if d := n.steers(a.typ); d != nil && !d.domain.Hosts() && d.has(a.typ) {
		return a.served(d)
	}
	return n.set(a.typ)
}

func (a *asking) accompanyBy(name []byte, n *node) {
	for _, typ := range addressTypes {
		if set := a.at(n, typ); set != nil {
			a.m.add(additional, name, set)
		}
	}
}
