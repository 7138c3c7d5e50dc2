package conf

import (
	"fmt"
	"strings"
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
