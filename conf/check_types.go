package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gslb/dnsserver/rr"
	"gslb/topology"
)

// Record types of a domain: those whose answers are addresses, those that go
// with them or with hosts, and those whose answers are hosts.
var (
	addressTypes = []string{"A", "AAAA"}
	bindingTypes = []string{"HTTPS", "SVCB"}
	hostTypes    = []string{"SRV", "MX"}
	steeredTypes = slices.Concat(addressTypes, bindingTypes, hostTypes)
)

// typesOf are the record types that a domain answers.
func typesOf(d *node) []string {
	var out []string
	for _, s := range d.strings("types") {
		out = append(out, strings.ToUpper(s))
	}
	if len(out) == 0 {
		return addressTypes
	}
	return out
}

func has(types, any []string) bool {
	return slices.ContainsFunc(types, func(typ string) bool { return slices.Contains(any, typ) })
}

// hosted reports whether the answers of a domain are hosts.
func hosted(d *node) bool {
	types := typesOf(d)
	return !has(types, addressTypes) && (has(types, bindingTypes) || has(types, hostTypes))
}

// checkTypes looks at the record types of a domain, at what goes with them and
// at how low its TTL may be.
func (p *parser) checkTypes(d *node) {
	seen := map[string]bool{}
	items := d.list("types")
	for _, it := range items {
		typ := strings.ToUpper(it.x.(string))
		switch {
		case !slices.Contains(steeredTypes, typ):
			p.report(fault{code: "GS010", at: it.at, detail: fmt.Sprintf("types: %q is no type that a domain answers.", it.x), help: "Types are " + among(steeredTypes) + "; for others give the zone a record."})
		case seen[typ]:
			p.errorf("GS010", it.at, "types: %s is there twice.", typ)
		case slices.Contains(hostTypes, typ) && len(items) > 1:
			p.report(fault{
				code: "GS010", at: it.at, detail: fmt.Sprintf("types: %s stands alone: its answers are hosts of that type.", typ),
				help: "Declare a domain of the same name for it; it may have a policy of its own.",
			})
		}
		seen[typ] = true
	}
	if !has(typesOf(d), bindingTypes) && d.gave("params") {
		p.report(fault{
			code: "GS010", at: d.at("params"), detail: fmt.Sprintf("params belong to HTTPS and SVCB records; %s answers %s.", d.id, strings.Join(typesOf(d), " and ")),
			help: "Leave them out, or add \"HTTPS\" to the types.",
		})
	}
	low, ok1 := get[time.Duration](d, "min_ttl")
	high, ok2 := get[time.Duration](d, "ttl")
	if ok1 && ok2 && low > high {
		p.errorf("GS115", d.at("min_ttl"), "min_ttl, %v, is above the ttl, %v.", low, high)
	}
}

// checkNoHost looks for what belongs to hosts in an answer of addresses.
func (p *parser) checkNoHost(d, a *node) {
	for _, name := range []string{"target", "priority", "port"} {
		if a.gave(name) {
			p.report(fault{
				code: "GS010", at: a.at(name), detail: fmt.Sprintf("%s belongs to the answers of SRV and MX, and of HTTPS and SVCB without addresses; %s answers %s.", name, d.id, strings.Join(typesOf(d), " and ")),
				help: "Leave it out, or give the domain other types.",
			})
			return
		}
	}
}

// checkHost looks at an answer that is a host.
func (p *parser) checkHost(d, a *node) {
	types := typesOf(d)
	word := strings.Join(types, " and ")
	switch {
	case a.gave("cname"):
		f := fault{code: "GS010", at: a.at("cname"), detail: fmt.Sprintf("The answers of %s are hosts, as it answers %s: cname is for addresses.", d.id, word), help: "Give it a target."}
		if has(types, bindingTypes) {
			f.help = "Give it a target, with priority = 0 as an alias."
		}
		p.report(f)
		return
	case a.gave("service") && a.gave("addresses"):
		p.errorf("GS010", a.at("addresses"), "An answer has a service or addresses, not both.")
	case !a.gave("target"):
		if !a.raw.known["target"] {
			f := fault{code: "GS002", at: a.raw.decl, detail: fmt.Sprintf("%s needs target: the host that its %s record leads to.", a.id, types[0])}
			if has(types, bindingTypes) {
				f.help = "If the record shall lead to the domain itself, the domain answers A or AAAA too: add them to types."
			}
			p.report(f)
		}
		return
	}
	if c := a.ref("check"); c != nil && !a.gave("service") && !a.gave("addresses") && !a.raw.known["addresses"] {
		p.report(fault{code: "GS010", at: a.at("check"), detail: "check: there is no address that could be checked.", help: "Give the addresses of the target, or leave the check out: the target counts as up."})
	}
	switch s := a.ref("service"); {
	case types[0] != "SRV":
		if a.gave("port") {
			f := fault{code: "GS010", at: a.at("port"), detail: "port belongs to SRV records.", help: "Leave it out."}
			if has(types, bindingTypes) {
				f.help = fmt.Sprintf("Write params = { port = %d } in the domain.", a.num("port"))
			}
			p.report(f)
		}
	case a.gave("port") || a.raw.known["port"]:
	case a.gave("service") && (s == nil || s.val("ports") == nil):
	case s == nil || len(s.list("ports")) != 1:
		p.report(fault{code: "GS002", at: a.raw.decl, detail: a.id + " needs port: where the target listens.", help: "It may be left out with a service that has one port."})
	}
}

// hostOf is the full name of an answer's target.
func (p *parser) hostOf(d, a *node) (string, bool) {
	target, ok := get[string](a, "target")
	apex, known := p.fqdn[d.ref("zone")]
	if !ok || !known {
		return "", false
	}
	kind := hostName
	if has(typesOf(d), bindingTypes) {
		kind = ownerName
	}
	name, why := ownerIn(target, apex, kind)
	if why != "" {
		p.errorf("GS106", a.at("target"), "target: %s.", why)
	}
	return name, why == ""
}

// A dwelling is what stands at a name that may be a host.
type dwelling struct {
	addrs []netip.Addr
	alias *node // that makes it another name
	some  bool  // it has addresses, known or not
}

// checkHosts looks whether the targets of hosts have addresses, as far as they
// are ours to tell.
func (p *parser) checkHosts() {
	var targets []*node // answers
	domains := map[*node]*node{}
	for _, d := range p.all("domain") {
		if hosted(d) {
			for _, a := range d.of("answer") {
				targets, domains[a] = append(targets, a), d
			}
		}
	}
	if len(targets) == 0 {
		return
	}
	at := p.dwellings()
	for _, a := range targets {
		d := domains[a]
		name, ok := p.hostOf(d, a)
		if !ok {
			continue
		}
		typ := typesOf(d)[0]
		if own, ok := p.fqdn[d]; ok && own == name && has(typesOf(d), bindingTypes) && a.gave("priority") && a.num("priority") == 0 {
			p.errorf("GS010", a.at("target"), "target: %s would be an alias of itself.", name)
			continue
		}
		home := p.homeOf(name)
		if home == nil || home.gave("file") || home.broken {
			continue // somebody else's, or the file says
		}
		dwells := at[name]
		f := fault{code: "GS116", at: a.at("target"), rel: []Related{home.here()}}
		switch {
		case dwells == nil:
			if p.elsewhere(at, name, p.fqdn[home]) {
				continue
			}
			f.detail = fmt.Sprintf("target: %s lies in %s, where nothing has that name.", name, home.id)
			f.help = "Give the zone A or AAAA records of that name, or write a dot behind a name that is complete."
		case dwells.alias != nil && slices.Contains(hostTypes, typ):
			f.detail = fmt.Sprintf("target: %s is an alias, or can be one; the target of an %s record has addresses itself (%s).", name, typ, map[string]string{"SRV": "RFC 2782", "MX": "RFC 2181 section 10.3"}[typ])
			f.help = "Name the host that the alias leads to."
			f.rel = []Related{dwells.alias.here()}
		case dwells.alias != nil:
			continue
		case !dwells.some:
			f.detail = fmt.Sprintf("target: %s has neither A nor AAAA.", name)
			f.help = "Give it addresses."
		default:
			p.checkSame(a, name, dwells)
			continue
		}
		p.report(f)
	}
}

// checkSame warns of a host that is up or down as another is.
func (p *parser) checkSame(a *node, name string, dwells *dwelling) {
	c, known := p.checkOf(a)
	addrs, ok := addressesOf(a)
	if c == nil || !known || !ok || len(dwells.addrs) == 0 || slices.ContainsFunc(addrs, func(x netip.Addr) bool { return slices.Contains(dwells.addrs, x) }) {
		return
	}
	f := fault{
		code: "GS117", at: a.at("addresses"), detail: fmt.Sprintf("%s is answered while %s is up, but %s has the address %s: nobody checks that.", a.id, topology.Addrs(addrs), name, topology.Addrs(dwells.addrs)),
		help: "Give the answer the target's addresses.",
	}
	if a.gave("service") {
		f.at = a.at("service")
		f.help = "Let the target have the service's VIP, or give the answer the target's addresses."
	}
	p.warn(f)
}

// homeOf is the zone that a name lies in: the longest.
func (p *parser) homeOf(name string) *node {
	for ; name != ""; name = parentOf(name) {
		if z := p.zones[name]; z != nil {
			return z
		}
	}
	return nil
}

// elsewhere reports whether a delegation, a DNAME or a wildcard may have the
// addresses of a name.
func (p *parser) elsewhere(at map[string]*dwelling, name, apex string) bool {
	for up := parentOf(name); within(up, apex); up = parentOf(up) {
		if at["*."+up] != nil {
			return true
		}
	}
	for _, z := range p.all("zone") {
		for _, r := range z.of("record") {
			typ := strings.ToUpper(r.str("type"))
			if owner, ok := p.fqdn[r]; ok && (typ == "DNAME" || typ == "NS" && owner != apex) && within(name, owner) {
				return true
			}
		}
	}
	return false
}

// dwellings are what stands at the names of the file.
func (p *parser) dwellings() map[string]*dwelling {
	at := map[string]*dwelling{}
	of := func(name string) *dwelling {
		if at[name] == nil {
			at[name] = &dwelling{}
		}
		return at[name]
	}
	for name, n := range p.nameserverNames() {
		of(name).some = true
		of(name).addrs = append(of(name).addrs, n.addrs("addresses")...)
	}
	for _, z := range p.all("zone") {
		for _, r := range z.of("record") {
			name, ok := p.fqdn[r]
			if !ok {
				continue
			}
			switch h := of(name); strings.ToUpper(r.str("type")) {
			case "CNAME":
				h.alias = r
			case "A", "AAAA":
				h.some = true
				for _, s := range r.strings("data") {
					if x, err := netip.ParseAddr(s); err == nil {
						h.addrs = append(h.addrs, x)
					}
				}
			}
		}
	}
	for _, d := range p.all("domain") {
		name, ok := p.fqdn[d]
		if !ok {
			continue
		}
		h := of(name)
		if hosted(d) {
			continue
		}
		h.some = true
		for _, a := range d.of("answer") {
			if a.gave("cname") {
				h.alias = a
			}
			addrs, _ := addressesOf(a)
			h.addrs = append(h.addrs, addrs...)
		}
	}
	return at
}

// checkHostedSize warns of a domain of hosts whose answer can be longer than a
// UDP message may be. Of those types names are compressed in MX alone.
func (p *parser) checkHostedSize(d *node) {
	name, ok := p.fqdn[d]
	places, _, known := mostPlaces(d)
	if !ok || !known || d.broken || !hosted(d) {
		return
	}
	typ := typesOf(d)[0]
	fixed := map[string]int{"SRV": 6, "MX": 2, "HTTPS": 2, "SVCB": 2}[typ]
	params, _, err := rr.Params(d.str("params"))
	if err != nil {
		return
	}
	for _, one := range params {
		fixed += len(one.Wire)
	}
	var sizes []int
	c := compressor{}
	c.name(name)
	for _, a := range d.of("answer") {
		target, why := ownerIn(a.str("target"), p.fqdn[d.ref("zone")], ownerName)
		if why != "" {
			return
		}
		n := recordSize + fixed + wireSize(target)
		if typ == "MX" {
			n = recordSize + fixed + c.name(target)
		}
		if has(typesOf(d), bindingTypes) {
			addrs, _ := addressesOf(a)
			for _, x := range addrs {
				n += 4 + x.BitLen()/8
			}
		}
		sizes = append(sizes, n)
	}
	slices.SortFunc(sizes, func(a, b int) int { return b - a })
	n := min(places, len(sizes))
	base, sum := p.envelope(d.ref("zone"), name)
	records := 0
	for _, size := range sizes[:n] {
		records += size
	}
	if base+records <= udpSize {
		return
	}
	p.warn(fault{
		code: "GS110", at: d.raw.at, detail: fmt.Sprintf("%s can answer %d %s records at once: %s + %d = %d bytes. Above %d it is cut off, and resolvers ask again by TCP.", d.id, n, typ, sum, records, base+records, udpSize),
		help: "Let fewer hosts be answered. A limit step does that.",
	})
}
