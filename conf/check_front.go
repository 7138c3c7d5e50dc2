package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// An algorithm is one that a zone may be signed with.
type algorithm struct {
	signature int    // its length in bytes; RSA with 2048 bits
	refused   string // why it is not to be used
}

// The algorithms of DNSSEC by their mnemonics in the registry, with what RFC
// 8624 section 3.1 and RFC 9905 say of signing with them.
var algorithms = map[string]algorithm{
	"RSASHA256": {signature: 256}, "RSASHA512": {signature: 256},
	"ECDSAP256SHA256": {signature: 64}, "ECDSAP384SHA384": {signature: 96},
	"ED25519": {signature: 64}, "ED448": {signature: 114},
	"RSAMD5": {refused: "must not be used for signing (RFC 8624 section 3.1)"}, "DSA": {refused: "must not be used for signing (RFC 8624 section 3.1)"},
	"DSA-NSEC3-SHA1": {refused: "must not be used for signing (RFC 8624 section 3.1)"}, "ECC-GOST": {refused: "must not be used for signing (RFC 8624 section 3.1)"},
	"RSASHA1": {refused: "must not be used for signing (RFC 9905)"}, "RSASHA1-NSEC3-SHA1": {refused: "must not be used for signing (RFC 9905)"},
}

// checkSigning looks at what a zone is signed with.
func (p *parser) checkSigning(z *node) {
	g := z.groups["dnssec"]
	if g == nil || g.broken {
		return
	}
	var names []string
	for name, a := range algorithms {
		if a.refused == "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var missing []string
	if !g.gave("algorithm") && !g.raw.known["algorithm"] {
		missing = append(missing, "algorithm")
	}
	if !g.gave("keys") && !g.raw.known["keys"] {
		missing = append(missing, "keys")
	}
	if len(missing) > 0 {
		p.report(fault{
			code: "GS109", at: g.raw.at, detail: fmt.Sprintf("%s is to be signed, and dnssec has no %s.", z.id, strings.Join(missing, " and no ")),
			help: `Write dnssec = { algorithm = "ECDSAP256SHA256", keys = secret("file:...") }.`,
		})
	}
	s, ok := get[string](g, "algorithm")
	if !ok {
		return
	}
	a, known := algorithms[strings.ToUpper(s)]
	switch {
	case !known:
		p.report(fault{
			code: "GS109", at: g.at("algorithm"), detail: fmt.Sprintf("%q is not an algorithm of DNSSEC.", s),
			help: strings.TrimSpace(meant(strings.ToUpper(s), names) + " Algorithms are " + among(names) + "."),
		})
	case a.refused != "":
		p.report(fault{code: "GS109", at: g.at("algorithm"), detail: fmt.Sprintf("%s %s.", s, a.refused), help: "Use ECDSAP256SHA256."})
	case strings.HasPrefix(strings.ToUpper(s), "RSA"):
		for _, d := range p.all("domain") {
			if d.ref("zone") != z {
				continue
			}
			p.warn(fault{
				code: "GS109", at: g.at("algorithm"), detail: fmt.Sprintf("The answers of %s are signed anew whenever they change. By %s that takes about 35 times the processor time of ECDSAP256SHA256, and 256 bytes for each signature instead of 64.", d.id, s),
				help: "Use ECDSAP256SHA256.", rel: []Related{d.here()},
			})
			return
		}
	}
}

// checkNegative warns of a zone whose negative answers are kept for longer than
// the answers of its domains.
func (p *parser) checkNegative(z *node) {
	soa := p.groupOr(z, "soa")
	negative := soa.duration("negative_ttl")
	if soa.val("negative_ttl") == nil || z.val("ttl") == nil {
		return
	}
	negative = min(negative, z.duration("ttl")) // RFC 2308 section 5
	own := soa.arg("negative_ttl").own
	var shortest *node
	for _, d := range p.all("domain") {
		if d.ref("zone") != z || d.val("ttl") == nil || d.duration("ttl") >= negative {
			continue
		}
		// Nobody chose the default: it matters where the domain itself has
		// negative answers, which are those without a place that is up.
		health := stepOf(d, "health")
		empty := health != nil && health.val("fail_open") != nil && !health.flag("fail_open")
		if (own || empty) && (shortest == nil || d.duration("ttl") < shortest.duration("ttl")) {
			shortest = d
		}
	}
	if shortest == nil {
		return
	}
	ttl := shortest.duration("ttl")
	f := fault{
		code: "GS108", detail: fmt.Sprintf("Resolvers keep for %v that a name or an address is not there, but what %s answers for %v: who asks in the wrong moment waits longer than everybody else.", negative, shortest.id, ttl),
		help: fmt.Sprintf("Set negative_ttl to %v or less.", ttl),
	}
	if own {
		f.at, f.rel = soa.at("negative_ttl"), []Related{{shortest.id + " has the shortest TTL", shortest.at("ttl")}}
	} else {
		f.at, f.rel = shortest.at("ttl"), []Related{z.here()}
		f.help = fmt.Sprintf("Give %s soa = { negative_ttl = %q }.", z.id, ttl)
	}
	p.warn(f)
}

// checkDispersed warns of name servers that one fault takes away together, or
// that see all answers from one place.
func (p *parser) checkDispersed() {
	ns := p.all("nameserver")
	if len(ns) < 2 || len(p.all("zone")) == 0 || !p.whole("nameserver") || !p.whole("region") {
		return // GS105
	}
	one := true // region
	var addrs []netip.Addr
	for _, n := range ns {
		if n.ref("region") == nil || n.val("addresses") == nil {
			return
		}
		one = one && n.ref("region") == ns[0].ref("region")
		addrs = append(addrs, n.addrs("addresses")...)
	}
	last := ns[len(ns)-1]
	if one && len(p.all("region")) > 1 {
		region := ns[0].ref("region")
		f := fault{
			code: "GS104", at: last.at("region"), detail: fmt.Sprintf("All name servers are in %s: while it is cut off, no name of the file is known.", region.id),
			help: "Put one into another region.", rel: []Related{ns[0].here()},
		}
		if places := p.checkedPlaces(); len(places) > 1 {
			f.code = "GS405"
			f.detail = fmt.Sprintf("All name servers are in %s, and they decide from there whether the answers in %s are up: while it is cut off, they see the others as down, and no name of the file is known elsewhere.", region.id, strings.Join(places, " and "))
		}
		p.warn(f)
		return
	}
	if prefix, ok := together(addrs); ok {
		p.warn(fault{
			code: "GS104", at: last.at("addresses"), detail: fmt.Sprintf("All name servers are in %s, which is one route for the Internet: while it is gone, no name of the file is known (RFC 2182 section 3.1).", prefix),
			help: "Give one an address elsewhere.", rel: []Related{ns[0].here()},
		})
	}
}

// checkedPlaces are the regions of answers that are checked, by their addresses
// in the file.
func (p *parser) checkedPlaces() []string {
	var out []string
	for _, d := range p.all("domain") {
		for _, a := range d.of("answer") {
			r := regionOf(a)
			if c, _ := p.checkOf(a); c != nil && r != nil && !slices.Contains(out, r.id) {
				out = append(out, r.id)
			}
		}
	}
	return out
}

// together is the prefix that all addresses lie in, one of each family: a /24
// or a /48, the longest that are routed everywhere. Private addresses say
// nothing about how they are reached.
func together(addrs []netip.Addr) (string, bool) {
	seen := map[bool]netip.Prefix{}
	for _, a := range addrs {
		bits := 48
		if a.Is4() {
			bits = 24
		}
		prefix, err := a.Prefix(bits)
		if err != nil || a.IsPrivate() || a.IsLinkLocalUnicast() {
			return "", false
		}
		if first, ok := seen[a.Is4()]; ok && first != prefix {
			return "", false
		}
		seen[a.Is4()] = prefix
	}
	var out []string
	for _, is4 := range []bool{true, false} {
		if prefix, ok := seen[is4]; ok {
			out = append(out, prefix.String())
		}
	}
	return strings.Join(out, " and "), len(out) > 0
}
