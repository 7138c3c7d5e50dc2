package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"gslb/dnsserver/rr"
)

// Sizes in a DNS message, in bytes.
const (
	udpSize    = 1232 // what passes every path: an IPv6 packet of 1280 without its headers
	headerSize = 12
	optSize    = 11      // EDNS (RFC 6891 section 6.1.2)
	recordSize = 12      // a record without its data: pointer to the name, type, class, TTL, length
	sigSize    = 12 + 18 // RRSIG without signer and signature (RFC 4034 section 3.1)
)

// wireSize is the length of a name as it is sent.
func wireSize(name string) int { return len(name) + 1 }

// envelope is what an answer about name takes apart from its records, and how
// that comes about.
func (p *parser) envelope(z *node, name string) (int, string) {
	n := headerSize + wireSize(name) + 4 + optSize
	sum := fmt.Sprintf("%d for header, question and EDNS", n)
	if s, ok := get[string](z.groups["dnssec"], "algorithm"); ok {
		if a, known := algorithms[strings.ToUpper(s)]; known && a.signature > 0 {
			sig := sigSize + wireSize(p.fqdn[z]) + a.signature
			n += sig
			sum += fmt.Sprintf(" + %d for the signature", sig)
		}
	}
	return n, sum
}

// addressesOf are an answer's addresses; it is not known when something is
// wrong with them.
func addressesOf(a *node) ([]netip.Addr, bool) {
	switch {
	case a.gave("service"):
		s := a.ref("service")
		return s.addrs("vip"), s.val("vip") != nil
	case a.gave("addresses"):
		return a.addrs("addresses"), a.val("addresses") != nil
	}
	return nil, false
}

// checkSizes warns of answers that are longer than a UDP message may be.
func (p *parser) checkSizes() {
	for _, d := range p.all("domain") {
		p.checkSteeredSize(d)
		p.checkHostedSize(d)
		p.checkMixed(d)
	}
	for _, z := range p.all("zone") {
		p.checkSetSizes(z)
	}
}

func (p *parser) checkSteeredSize(d *node) {
	name, ok := p.fqdn[d]
	places, limit, known := mostPlaces(d)
	if !ok || !known || d.broken || hosted(d) {
		return
	}
	answers := d.of("answer")
	for _, family := range []struct {
		typ  string
		is4  bool
		size int
	}{{"A", true, 4}, {"AAAA", false, 16}} {
		var counts []int
		distinct := map[netip.Addr]bool{}
		for _, a := range answers {
			addrs, ok := addressesOf(a)
			if !ok {
				return
			}
			n := 0
			for _, x := range addrs {
				if x.Is4() == family.is4 {
					n++
					distinct[x] = true
				}
			}
			counts = append(counts, n)
		}
		slices.SortFunc(counts, func(a, b int) int { return b - a })
		n := 0
		for _, c := range counts[:min(places, len(counts))] {
			n += c
		}
		n = min(n, len(distinct))
		base, sum := p.envelope(d.ref("zone"), name)
		each := recordSize + family.size
		if base+n*each <= udpSize {
			continue
		}
		f := fault{
			code: "GS110", at: d.raw.at, detail: fmt.Sprintf("%s can answer %d %s records at once: %s + %d x %d = %d bytes. Above %d it is cut off, and resolvers ask again by TCP.", d.id, n, family.typ, sum, n, each, base+n*each, udpSize),
			help: fmt.Sprintf("Let at most %d addresses be answered.", (udpSize-base)/each),
		}
		switch {
		case limit != nil && limit.arg("answers").own:
			f.at, f.rel = limit.at("answers"), []Related{d.here()}
		case limit != nil:
			f.at, f.rel = limit.raw.at, []Related{d.here()}
		case d.gave("policy"):
			f.at = d.at("policy")
			f.help += " A limit step does that."
		}
		p.warn(f)
		return
	}
}

// checkSetSizes looks at a zone's static records of one name and type.
func (p *parser) checkSetSizes(z *node) {
	type set struct {
		name, typ string
		last      *node
		n, bytes  int
	}
	apex, ok := p.fqdn[z]
	if !ok {
		return
	}
	sets := map[string]*set{}
	var order []*set
	records := map[*set][]*node{}
	for _, r := range z.of("record") {
		name, ok := p.fqdn[r]
		typ := strings.ToUpper(r.str("type"))
		if !ok || r.val("data") == nil {
			continue
		}
		s := sets[name+" "+typ]
		if s == nil {
			s = &set{name: name, typ: typ}
			sets[name+" "+typ] = s
			order = append(order, s)
		}
		s.last = r
		records[s] = append(records[s], r)
		for _, data := range r.strings("data") {
			s.n++
			s.bytes += recordSize + max(16, len(data)+len(apex)+2) // no less than it takes
		}
	}
	for _, s := range order {
		base, sum := p.envelope(z, s.name)
		if base+s.bytes <= udpSize {
			continue
		}
		size, ok := 0, true
		c := compressor{}
		c.name(s.name)
		for _, r := range records[s] {
			for _, data := range r.strings("data") {
				n, err := c.data(s.typ, data, apex)
				ok = ok && err == nil
				size += recordSize + n
			}
		}
		if !ok || base+size <= udpSize {
			continue
		}
		p.warn(fault{
			code: "GS110", at: s.last.at("data"), detail: fmt.Sprintf("%s has %d %s records: %s + %d = %d bytes. Above %d an answer is cut off, and resolvers ask again by TCP.", s.name, s.n, s.typ, sum, size, base+size, udpSize),
			help: "Give the name fewer or shorter records.",
		})
	}
}

// A compressor knows the names that a message has so far (RFC 1035 section 4.1.4).
type compressor map[string]bool

// name is the length of a name in the message.
func (c compressor) name(name string) int {
	n := 0
	for rest := name; rest != "" && rest != "."; {
		if c[rest] {
			return n + 2
		}
		c[rest] = true
		label, up, _ := strings.Cut(rest, ".")
		n += 1 + len(label)
		rest = up
	}
	return n + 1
}

// data is the length of a record's data. Names are compressed in the types
// of RFC 1035 only (RFC 3597 section 4).
func (c compressor) data(typ, data, origin string) (int, error) {
	record, err := rr.Parse(typ, data, origin)
	if err != nil {
		return 0, err
	}
	wire, err := rr.Wire(record)
	if err != nil {
		return 0, err
	}
	switch typ {
	case "CNAME", "MX", "NS", "PTR":
		fields := strings.Fields(strings.ToLower(rr.Data(record)))
		name := fields[len(fields)-1]
		if !strings.Contains(name, `\`) {
			return len(wire) - wireSize(name) + c.name(name), nil
		}
	}
	return len(wire), nil
}

// checkMixed warns of a domain of whose answers some lack a family that others have.
func (p *parser) checkMixed(d *node) {
	type has struct{ v4, v6 bool }
	var all has
	answers := d.of("answer")
	each := make([]has, len(answers))
	if d.broken || hosted(d) {
		return
	}
	for i, a := range answers {
		addrs, ok := addressesOf(a)
		if !ok {
			return
		}
		for _, x := range addrs {
			each[i].v4 = each[i].v4 || x.Is4()
			each[i].v6 = each[i].v6 || x.Is6()
		}
		all.v4, all.v6 = all.v4 || each[i].v4, all.v6 || each[i].v6
	}
	for i, a := range answers {
		if each[i] == all {
			continue
		}
		lacks, typ := "IPv6", "AAAA"
		if !each[i].v4 {
			lacks, typ = "IPv4", "A"
		}
		at := a.at("addresses")
		if a.gave("service") {
			at = a.at("service")
		}
		other := slices.IndexFunc(each, func(h has) bool { return h.v4 && typ == "A" || h.v6 && typ == "AAAA" })
		p.warn(fault{
			code: "GS113", at: at, detail: fmt.Sprintf("%s has no %s address and %s has one: who asks for %s is never sent to the former, whatever the policy says.", a.id, lacks, answers[other].id, typ),
			help: "Give every answer of the domain addresses of the same families, both in one answer.", rel: []Related{answers[other].here()},
		})
		return
	}
}

// checkWildcards looks at domains and wildcard records that meet. A wildcard
// answers for a name only if that name does not exist, for any type, and
// nothing exists below it (RFC 4592 section 2.2).
func (p *parser) checkWildcards() {
	type wildcard struct {
		r   *node
		typ string
	}
	wildcards := map[string][]wildcard{} // by the name they are under
	exists := map[string]bool{}          // by records and name servers
	for name := range p.nameserverNames() {
		exists[name] = true
	}
	for _, z := range p.all("zone") {
		for _, r := range z.of("record") {
			name, ok := p.fqdn[r]
			if !ok {
				continue
			}
			if up, ok := strings.CutPrefix(name, "*."); ok {
				wildcards[up] = append(wildcards[up], wildcard{r, strings.ToUpper(r.str("type"))})
			}
			for up := name; up != "" && !exists[up]; up = parentOf(up) {
				exists[up] = true
			}
		}
	}
	if len(wildcards) == 0 {
		return
	}
	for _, d := range p.all("domain") {
		z := d.ref("zone")
		apex, ok := p.fqdn[z]
		if !ok {
			continue
		}
		families := p.familiesOf(d)
		if up, ok := p.wildcardOf(d, apex); ok {
			for _, w := range wildcards[up] {
				if w.typ == "CNAME" || families[w.typ] {
					p.report(fault{
						code: "GS111", at: p.nameAt(d), detail: fmt.Sprintf("*.%s has %s of %s, and %s would answer for the same names.", up, w.typ, w.r.id, d.id),
						help: "Keep one of them.", rel: []Related{w.r.here()},
					})
					break
				}
			}
			continue
		}
		name, ok := p.fqdn[d]
		if !ok || name == apex {
			continue
		}
		for below, up := name, parentOf(name); within(up, apex); below, up = up, parentOf(up) {
			ws := wildcards[up]
			if len(ws) == 0 {
				if exists[up] {
					break // the name that exists keeps wildcards above from it
				}
				continue
			}
			if below != name && !exists[below] {
				p.warn(fault{
					code: "GS111", at: p.nameAt(d), detail: fmt.Sprintf("%s makes %s exist, without any record: *.%s no longer answers for that name, nor for others below it (RFC 4592 section 2.2.2).", d.id, below, up),
					help: fmt.Sprintf("If they shall be answered, add records %q and %q.", strings.TrimSuffix(below, "."+apex), "*."+strings.TrimSuffix(below, "."+apex)),
					rel:  []Related{ws[0].r.here()},
				})
				exists[below] = true // once is enough
			}
			if below == name {
				for _, w := range ws {
					if (w.typ == "A" || w.typ == "AAAA") && !families[w.typ] && len(families) > 0 {
						p.warn(fault{
							code: "GS111", at: p.nameAt(d), detail: fmt.Sprintf("%s has no %s, and *.%s does not help it out: a wildcard answers for names that do not exist, and %s does (RFC 4592 section 2.2.1).", d.id, w.typ, up, name),
							help: fmt.Sprintf("Give the domain's answers %s addresses too, or take them from the wildcard.", map[string]string{"A": "IPv4", "AAAA": "IPv6"}[w.typ]),
							rel:  []Related{w.r.here()},
						})
						break
					}
				}
			}
			break
		}
	}
}

// wildcardOf is the name that a domain is the wildcard of.
func (p *parser) wildcardOf(d *node, apex string) (string, bool) {
	label := d.raw.label
	if d.gave("name") {
		label = d.str("name")
	}
	if !strings.HasPrefix(label, "*") {
		return "", false
	}
	name, why := ownerIn(label, apex, ownerName)
	if why != "" {
		return "", false
	}
	return strings.CutPrefix(name, "*.")
}
