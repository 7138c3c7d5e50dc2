package conf

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// checkAlias looks at an answer that is a name. A name stands alone and is not
// checked: who answers there is somebody else's business.
func (p *parser) checkAlias(d, a *node) {
	for _, other := range []string{"service", "addresses"} {
		if a.gave(other) {
			p.errorf("GS010", a.at(other), "An answer has a cname or %s, not both.", other)
			return
		}
	}
	if a.gave("check") {
		p.report(fault{code: "GS010", at: a.at("check"), detail: "check: there is no address of a cname that could be checked.", help: "Leave it out: the answer counts as up."})
	}
	cname, ok := get[string](a, "cname")
	apex, known := p.fqdn[d.ref("zone")]
	if !ok || !known {
		return
	}
	to, why := ownerIn(cname, apex, ownerName)
	if why != "" {
		p.errorf("GS106", a.at("cname"), "cname: %s.", why)
		return
	}
	name, ok := p.nameOf(d, d.ref("zone"), hostName)
	switch {
	case ok && name == to:
		p.errorf("GS010", a.at("cname"), "cname: %s leads to itself.", to)
	case within(to, apex) && !strings.HasSuffix(cname, "."):
		for _, z := range p.all("zone") {
			if other, ok := p.fqdn[z]; ok && strings.HasSuffix("."+cname+".", "."+other) {
				p.report(fault{
					code: "GS101", at: a.at("cname"), detail: fmt.Sprintf("cname: %q without a last dot is relative to the zone: %s.", cname, to),
					help: fmt.Sprintf("Write %q.", cname+"."),
				})
				return
			}
		}
	}
}

// Record types of a domain, and those that are part of the language only.
var (
	steeredTypes = []string{"A", "AAAA"}
	laterTypes   = []string{"HTTPS", "SVCB", "SRV", "MX"}
)

// checkTypes looks at the record types of a domain and at how low its TTL may be.
func (p *parser) checkTypes(d *node) {
	seen := map[string]bool{}
	for _, it := range d.list("types") {
		typ := strings.ToUpper(it.x.(string))
		switch {
		case slices.Contains(laterTypes, typ):
			p.report(fault{code: "GS020", at: it.at, detail: fmt.Sprintf("The type %s %v.", typ, errLater), help: "Types are " + among(steeredTypes) + "."})
		case !slices.Contains(steeredTypes, typ):
			p.report(fault{code: "GS010", at: it.at, detail: fmt.Sprintf("types: %q is no type that a domain answers.", it.x), help: "Types are " + among(steeredTypes) + "; for others give the zone a record."})
		case seen[typ]:
			p.errorf("GS010", it.at, "types: %s is there twice.", typ)
		}
		seen[typ] = true
	}
	low, ok1 := get[time.Duration](d, "min_ttl")
	high, ok2 := get[time.Duration](d, "ttl")
	if ok1 && ok2 && low > high {
		p.errorf("GS115", d.at("min_ttl"), "min_ttl, %v, is above the ttl, %v.", low, high)
	}
}
