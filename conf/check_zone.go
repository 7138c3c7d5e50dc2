package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"gslb/dnsserver/rr"
)

// checkZones looks at zones and at the name servers they list.
func (p *parser) checkZones() {
	p.fqdn = map[*node]string{}
	p.zones = map[string]*node{}
	for _, z := range p.all("zone") {
		p.checkSOA(z)
		s, ok := get[string](z, "name")
		if !ok {
			continue
		}
		name, why := canonical(s, ownerName)
		if s == "." {
			why = "\".\" is the root, which is not served"
		}
		if strings.HasPrefix(name, "*") {
			why = fmt.Sprintf("%q is a wildcard", s)
		}
		if why != "" {
			p.errorf("GS106", z.at("name"), "name: %s.", why)
			continue
		}
		if first := p.zones[name]; first != nil {
			p.report(fault{code: "GS007", at: z.at("name"), detail: name + " is declared already.", rel: []Related{first.here()}})
			continue
		}
		p.zones[name] = z
		p.fqdn[z] = name
	}
	p.checkNameservers()
	nameservers := p.all("nameserver")
	for _, z := range p.all("zone") {
		if len(nameservers) == 0 && !p.ghosts["nameserver"] && len(p.index["nameserver"]) == 0 {
			p.report(fault{
				code: "GS103", at: z.raw.decl, detail: z.id + " has no name server: nobody could be told where to ask.",
				help: "Declare a nameserver; it serves every zone of the file.",
			})
		}
	}
	p.checkDispersed()
	if len(nameservers) == 1 && len(p.all("zone")) > 0 {
		p.warn(fault{
			code: "GS105", at: nameservers[0].raw.decl, detail: nameservers[0].id + " is the only name server: while it is away, no name of the file is known (RFC 1034 section 4.1 asks for two).",
		})
	}
}

func (p *parser) checkNameservers() {
	hosts := map[string]*node{}
	for _, n := range p.all("nameserver") {
		label, at := n.name, n.raw.at
		if s, ok := get[string](n, "name"); ok {
			label, at = s, n.at("name")
		} else if n.gave("name") {
			continue
		}
		host, why := canonical(label, hostName)
		if why == "" && !n.gave("name") && strings.Contains(label, ".") {
			why = fmt.Sprintf("%q is more than one label", label)
		}
		if why != "" {
			p.report(fault{code: "GS106", at: at, detail: "The host name of " + n.id + ": " + why + ".", help: "Give the nameserver a name."})
			continue
		}
		if first := hosts[host]; first != nil {
			p.report(fault{code: "GS007", at: at, detail: fmt.Sprintf("%s has the same host name as %s: %s.", n.id, first.id, host), rel: []Related{first.here()}})
			continue
		}
		hosts[host] = n
		p.fqdn[n] = host
	}
}

// nameserverNames are the names of name servers in each zone.
func (p *parser) nameserverNames() map[string]*node {
	out := map[string]*node{}
	for _, n := range p.all("nameserver") {
		host, ok := p.fqdn[n]
		if !ok {
			continue
		}
		if n.gave("name") {
			out[host] = n
			continue
		}
		for _, z := range p.all("zone") {
			if zone, ok := p.fqdn[z]; ok {
				out[host+zone] = n
			}
		}
	}
	return out
}

func (p *parser) checkSOA(z *node) {
	soa := z.groups["soa"]
	if soa == nil {
		return
	}
	if s, ok := get[string](soa, "contact"); ok {
		if user, host, ok := strings.Cut(s, "@"); ok {
			f := fault{code: "GS107", at: soa.at("contact"), detail: fmt.Sprintf("contact: %q is a mail address; DNS writes it as a domain name.", s)}
			if !strings.Contains(host, "@") {
				f.help = fmt.Sprintf("Write %q.", strings.ReplaceAll(user, ".", "\\\\.")+"."+host)
			}
			p.report(f)
		} else if name, why := canonical(strings.ReplaceAll(s, "\\.", "-"), ownerName); why != "" {
			p.errorf("GS107", soa.at("contact"), "contact: %s.", why)
		} else if strings.Count(name, ".") < 2 {
			p.report(fault{
				code: "GS107", at: soa.at("contact"), detail: fmt.Sprintf("contact: %q names a mailbox and no domain that it is in.", s),
				help: "Write it in full, such as \"hostmaster.shop.example\".",
			})
		}
	}
	if negative, ok := get[time.Duration](soa, "negative_ttl"); ok && negative > 24*time.Hour {
		p.warn(fault{
			code: "GS107", at: soa.at("negative_ttl"), detail: fmt.Sprintf("negative_ttl (%v) is above a day: a name that was asked for too early stays unknown for that long (RFC 2308 section 5).", negative),
			help: "Minutes are usual; the default is 30s.",
		})
	}
	refresh, ok1 := get[time.Duration](soa, "refresh")
	retry, ok2 := get[time.Duration](soa, "retry")
	expire, ok3 := get[time.Duration](soa, "expire")
	at := func(names ...string) hcl.Range {
		for _, n := range names {
			if soa.arg(n).own {
				return soa.at(n)
			}
		}
		return soa.raw.decl
	}
	if ok1 && ok2 && retry >= refresh {
		p.errorf("GS107", at("retry", "refresh"), "retry (%v) must be below refresh (%v): secondaries try again sooner than they look anew.", retry, refresh)
	}
	if ok1 && ok2 && ok3 && retry < refresh && expire <= refresh+retry {
		p.errorf("GS107", at("expire", "refresh"), "expire (%v) must be above refresh and retry together (%v): secondaries would give up before they have tried twice.", expire, refresh+retry)
	}
}

// A claim is what stands at a name: a record's type or a domain's.
type claim struct {
	typ string
	n   *node
	at  hcl.Range
}

// checkDomains names every domain.
func (p *parser) checkDomains() {
	seen := map[string][]*node{}
	for _, d := range p.all("domain") {
		p.checkAnswers(d)
		p.checkTypes(d)
		if v := d.arg("ttl"); v != nil && !v.bad && v.own && d.duration("ttl") < 5*time.Second {
			p.warn(fault{code: "GS115", at: v.at, detail: fmt.Sprintf("A TTL of %v makes resolvers ask almost every time; many keep answers for 5s or more anyway.", d.duration("ttl"))})
		}
		if label, ok := get[string](d, "name"); strings.HasPrefix(label, "*") || !ok && strings.HasPrefix(d.raw.label, "*") {
			p.report(fault{code: "GS020", at: p.nameAt(d), detail: fmt.Sprintf("A wildcard as a domain %v.", errLater), help: "Give the domain a name."})
			continue
		}
		kind := hostName
		if hosted(d) {
			kind = ownerName // _sip._tcp
		}
		name, ok := p.nameOf(d, d.ref("zone"), kind)
		if !ok {
			continue
		}
		if p.checkShared(d, name, seen[name]) {
			seen[name] = append(seen[name], d)
			p.fqdn[d] = name
		}
	}
}

// checkShared reports whether a domain can have its name together with others:
// with other types, and when none of them can be an alias.
func (p *parser) checkShared(d *node, name string, others []*node) bool {
	for _, first := range others {
		f := fault{code: "GS102", at: p.nameAt(d), rel: []Related{first.here()}}
		switch {
		case has(typesOf(d), typesOf(first)):
			f.detail = fmt.Sprintf("%s is %s already.", name, first.id)
			f.help = "Domains of one name have types of their own."
		case p.familiesOf(d)["CNAME"] || p.familiesOf(first)["CNAME"]:
			f.detail = fmt.Sprintf("%s is %s too, and one of them has a cname: it stands alone at its name (RFC 1034 section 3.6.2).", name, first.id)
		default:
			continue
		}
		p.report(f)
		return false
	}
	return true
}

func (p *parser) nameAt(n *node) hcl.Range {
	if n.gave("name") {
		return n.at("name")
	}
	return n.raw.at
}

// nameOf works out the full name of a record or domain in a zone.
func (p *parser) nameOf(n, zone *node, kind nameKind) (string, bool) {
	label := n.raw.label
	if s, ok := get[string](n, "name"); ok {
		label = s
	} else if n.gave("name") {
		return "", false
	}
	apex, ok := p.fqdn[zone]
	if !ok {
		return "", false
	}
	name, why := ownerIn(label, apex, kind)
	if why != "" {
		p.errorf("GS106", p.nameAt(n), "The name of %s: %s.", n.id, why)
		return "", false
	}
	if !within(name, apex) {
		p.report(fault{
			code: "GS101", at: p.nameAt(n), detail: fmt.Sprintf("%s is not in the zone %s", name, apex),
			help: "Leave out the trailing dot if the name is meant to be relative to the zone.", rel: []Related{zone.here()},
		})
		return "", false
	}
	for inner := name; inner != apex; inner = parentOf(inner) {
		if z := p.zones[inner]; z != nil {
			p.report(fault{
				code: "GS101", at: p.nameAt(n), detail: fmt.Sprintf("%s belongs to %s (%s), which is cut out of %s.", name, z.id, inner, apex),
				help: "Move it to " + z.id + ".", rel: []Related{z.here()},
			})
			return "", false
		}
	}
	return name, true
}

func (p *parser) checkAnswers(d *node) {
	answers := d.of("answer")
	if len(answers) == 0 && !d.broken && !ghost(d.raw, "answer") {
		p.errorf("GS002", d.raw.decl, "%s needs at least one answer block.", d.id)
	}
	var zero hcl.Range
	some := d.broken
	for _, a := range answers {
		if w, ok := get[int](a, "weight"); !ok || w > 0 {
			some = true
		} else if zero == (hcl.Range{}) {
			zero = a.at("weight")
		}
		if !hosted(d) {
			p.checkNoHost(d, a)
		}
		switch {
		case hosted(d):
			p.checkHost(d, a)
		case a.gave("service") && a.gave("addresses"):
			p.errorf("GS010", a.at("addresses"), "An answer has a service or addresses, not both.")
		case a.gave("cname"):
			p.checkAlias(d, a)
		case !a.gave("service") && !a.gave("addresses") && !a.raw.known["service"] && !a.raw.known["addresses"]:
			p.errorf("GS002", a.raw.decl, "%s needs service, or addresses.", a.id)
		}
		s := a.ref("service")
		if s != nil {
			p.checkPort(a, s)
			if r := a.ref("region"); r != nil && s.ref("region") != nil && r != s.ref("region") {
				p.report(fault{
					code: "GS010", at: a.at("region"), detail: fmt.Sprintf("%s is in %s, not in %s.", s.id, s.ref("region").id, r.id),
					help: "Leave region out: it is the service's.", rel: []Related{s.here()},
				})
			}
		}
		if c := a.ref("check"); c != nil && s == nil && a.gave("addresses") && !c.gave("port") && needsPort(typeOf(c)) {
			p.report(fault{
				code: "GS408", at: a.at("check"), detail: fmt.Sprintf("%s names no port, and addresses have none.", c.id),
				help: "Give the check a port.", rel: []Related{c.here()},
			})
		}
		seen := map[netip.Addr]bool{}
		for _, it := range a.list("addresses") {
			if x := it.x.(netip.Addr); seen[x] {
				p.errorf("GS010", it.at, "addresses: %v is there twice.", x)
			} else {
				seen[x] = true
			}
		}
	}
	if !some && zero != (hcl.Range{}) {
		p.errorf("GS402", zero, "Every answer of %s has weight 0.", d.id)
	}
}

// checkRecords looks at static records, and at what else has their names.
func (p *parser) checkRecords() {
	at := map[string][]claim{}
	seen := map[string]bool{} // name, type and data of records
	for name, n := range p.nameserverNames() {
		for _, a := range n.list("addresses") {
			typ := "AAAA"
			if a.x.(netip.Addr).Is4() {
				typ = "A"
			}
			at[name] = append(at[name], claim{typ, n, a.at})
		}
	}
	for _, z := range p.all("zone") {
		apex, ok := p.fqdn[z]
		if ok {
			at[apex] = append(at[apex], claim{"SOA", z, z.raw.decl}, claim{"NS", z, z.raw.decl})
		}
		for _, r := range z.of("record") {
			p.checkRecord(z, r, apex, at, seen)
		}
	}
	for _, d := range p.all("domain") {
		name, ok := p.fqdn[d]
		if !ok {
			continue
		}
		families := p.familiesOf(d)
		for _, c := range at[name] {
			var why string
			switch {
			case c.typ == "CNAME" || families["CNAME"]:
				why = "a CNAME stands alone at its name (RFC 1034 section 3.6.2)"
			case c.typ == "NS" && c.n.sch.name == "record":
				why = "the name is delegated to other name servers"
			case families[c.typ]:
				why = "the domain would answer the same type"
			default:
				continue
			}
			p.conflict(p.nameAt(d), name, c, why)
			break
		}
		for up := parentOf(name); up != ""; up = parentOf(up) {
			c, ok := cut(at[up])
			if ok && within(up, p.fqdn[d.ref("zone")]) && up != p.fqdn[d.ref("zone")] {
				p.conflict(p.nameAt(d), name, c, "everything below that name is elsewhere")
				break
			}
		}
	}
}

// parentOf is the name above, "" above the top.
func parentOf(name string) string {
	_, up, _ := strings.Cut(name, ".")
	return up
}

// cut finds what takes everything below a name away.
func cut(cs []claim) (claim, bool) {
	for _, c := range cs {
		if c.n.sch.name == "record" && (c.typ == "NS" || c.typ == "DNAME") {
			return c, true
		}
	}
	return claim{}, false
}

func (p *parser) conflict(at hcl.Range, name string, c claim, why string) {
	p.report(fault{
		code: "GS102", at: at, detail: fmt.Sprintf("%s has %s of %s: %s.", name, c.typ, c.n.id, why),
		rel: []Related{{c.n.id + " is declared here", c.at}},
	})
}

// familiesOf are the record types that a domain answers.
func (p *parser) familiesOf(d *node) map[string]bool {
	out := map[string]bool{}
	types := typesOf(d)
	for _, typ := range types {
		if !slices.Contains(addressTypes, typ) {
			out[typ] = true
		}
	}
	if hosted(d) {
		return out
	}
	for _, a := range d.of("answer") {
		if a.gave("cname") {
			out["CNAME"] = true
			continue
		}
		addrs := a.addrs("addresses")
		if s := a.ref("service"); s != nil {
			addrs = s.addrs("vip")
		}
		for _, x := range addrs {
			typ := "AAAA"
			if x.Is4() {
				typ = "A"
			}
			if slices.Contains(types, typ) {
				out[typ] = true
			}
		}
	}
	return out
}

func (p *parser) checkRecord(z, r *node, apex string, at map[string][]claim, seen map[string]bool) {
	name, named := p.nameOf(r, z, ownerName)
	if named {
		p.fqdn[r] = name
	}
	s, ok := get[string](r, "type")
	if !ok {
		return
	}
	typ := strings.ToUpper(s)
	if _, err := rr.Type(typ); err != nil {
		p.errorf("GS010", r.at("type"), "type: %v.", err)
		return
	}
	if !named {
		return
	}
	if !r.typed {
		r.id, r.typed = r.id+"."+typ, true
	}
	bad := false
	for _, it := range r.list("data") {
		n, err := plainData(typ, it.x.(string), apex)
		switch {
		case err != nil:
			bad = true
			f := fault{code: "GS010", at: it.at, detail: fmt.Sprintf("data: %v.", err)}
			if typ == "TXT" && !strings.HasPrefix(it.x.(string), `"`) {
				f.help = "Text with blanks or semicolons stands in quotes of its own: \"\\\"...\\\"\"."
			}
			p.report(f)
		case seen[name+" "+typ+" "+n]:
			bad = true
			p.errorf("GS114", it.at, "%s has %s %s already.", name, typ, it.x)
		default:
			seen[name+" "+typ+" "+n] = true
		}
	}
	if bad || !r.gave("data") || r.val("data") == nil {
		return
	}
	if (typ == "CNAME" || typ == "DNAME") && len(r.list("data")) > 1 {
		p.errorf("GS102", r.list("data")[1].at, "%s can have one %s (RFC 2181 section 10.1).", name, typ)
		return
	}
	for _, c := range at[name] {
		switch {
		case typ == c.typ && (typ == "CNAME" || typ == "DNAME"):
			p.conflict(r.at("type"), name, c, "there can be one (RFC 2181 section 10.1)")
			return
		case typ == "CNAME" && c.n == z:
			p.report(fault{
				code: "GS102", at: r.at("type"), detail: fmt.Sprintf("%s is the zone itself, which has SOA and NS: a CNAME stands alone at its name (RFC 1034 section 3.6.2).", name),
				help: "Give it addresses, or make it a domain.",
			})
			return
		case typ == "CNAME" || c.typ == "CNAME":
			p.conflict(r.at("type"), name, c, "a CNAME stands alone at its name (RFC 1034 section 3.6.2)")
			return
		case (typ == "DNAME" && c.typ == "NS" || typ == "NS" && c.typ == "DNAME") && name != apex:
			p.conflict(r.at("type"), name, c, "DNAME and NS exclude each other (RFC 6672 section 2.3)")
			return
		}
	}
	if strings.HasPrefix(name, "*.") && (typ == "NS" || typ == "DNAME") {
		p.errorf("GS102", r.at("type"), "%s is a wildcard, where %s has no meaning (RFC 4592 section 4).", name, typ)
		return
	}
	at[name] = append(at[name], claim{typ, r, r.raw.decl})
}

// plainData is a record's data in one form, for comparing.
func plainData(typ, data, origin string) (string, error) {
	rec, err := rr.Parse(typ, data, origin)
	if err != nil {
		return "", err
	}
	switch data := rr.Data(rec); typ {
	case "A", "AAAA", "CNAME", "DNAME", "MX", "NS", "PTR", "SRV":
		return strings.ToLower(data), nil
	default:
		return data, nil
	}
}

// checkLabels reports labels that expressions could not name.
func (p *parser) checkLabels() {
	for _, r := range p.file.kids {
		switch r.sch {
		case zoneBlock, regionBlock, networkBlock, directorBlock, farmBlock, checkBlock, serviceBlock, policyBlock, variableBlock, failoverBlock:
			if !identifier(r.label) {
				p.report(fault{
					code: "GS010", at: r.at, detail: fmt.Sprintf("The label %q cannot be named in an expression.", r.label),
					help: "Use letters, digits, \"_\" and \"-\", a letter first.",
				})
			}
		}
	}
}
