package conf

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// check finds what is wrong between things that are each well-formed. Every
// check stands back where one of its inputs is missing or has been reported.
func (p *parser) check() {
	if p.checkSchema() {
		return
	}
	p.checkLabels()
	p.checkZones()
	p.checkRegions()
	p.checkNetworks()
	p.checkNodes()
	p.checkChecks()
	p.checkServices()
	p.checkPolicies()
	p.checkDomains()
	p.checkRecords()
	p.checkHosts()
	p.checkWildcards()
	p.checkSizes()
	for _, z := range p.all("zone") {
		p.checkSigning(z)
		p.checkNegative(z)
	}
	p.checkUsers()
	p.checkFallbacks()
	p.checkPlaces()
	p.checkTimes()
	p.checkUse()
}

// checkSchema reports a file written for a newer program, and then nothing
// else: what else is strange about it follows from that.
func (p *parser) checkSchema() bool {
	for _, t := range p.all("topology") {
		if v, ok := get[int](t, "schema"); ok && v > SchemaVersion {
			p.diags = nil
			p.report(fault{
				code: "GS012", at: t.at("schema"), detail: fmt.Sprintf("The file is written in version %d of the language; this program reads up to %d.", v, SchemaVersion),
				help: "Use a newer program.",
			})
			return true
		}
	}
	return false
}

// checkUse warns of what nothing refers to.
func (p *parser) checkUse() {
	if p.failed() {
		return // what is broken may be the use
	}
	unused := func(at hcl.Range, name string) {
		p.warn(fault{code: "GS011", at: at, detail: name + " is not used anywhere."})
	}
	for _, r := range p.file.kids {
		switch r.sch {
		case localsBlock:
			for _, f := range r.fields {
				if n := p.names["local"+tag(f.name)]; n.users == 0 {
					unused(f.at, n.name)
				}
			}
		case variableBlock:
			if n := p.names["var"+tag(r.label)]; n.users == 0 {
				unused(r.at, n.name)
			}
		case checkBlock, policyBlock, networkBlock:
			if f := p.families[r.addr()]; f.users == 0 {
				unused(r.at, r.addr())
			}
		}
	}
}

// checkRegions looks at regions' names, and at those they fall back to.
func (p *parser) checkRegions() {
	var names []string
	known := map[string]*node{}
	for _, r := range p.all("region") {
		if first := known[r.name]; first != nil {
			p.report(fault{
				code: "GS007", at: r.raw.at, detail: fmt.Sprintf("%s has the same name as %s: %q.", r.id, first.id, r.name),
				help: "Rename one; with for_each the name is the label, a hyphen and the key.",
				rel:  []Related{first.here()},
			})
			continue
		}
		names = append(names, r.name)
		known[r.name] = r
	}
	for _, r := range p.all("region") {
		seen := map[string]bool{}
		for _, it := range r.list("fallback") {
			name := it.x.(string)
			switch {
			case name == r.name:
				p.errorf("GS302", it.at, "%s falls back to itself.", r.id)
			case known[name] == nil:
				f := fault{code: "GS302", at: it.at, detail: fmt.Sprintf("There is no region %q to fall back to.", name), help: meant(name, names)}
				if f.help == "" {
					f.help = "Regions are " + among(names) + "."
				}
				p.report(f)
			case seen[name]:
				p.errorf("GS302", it.at, "%q is there twice.", name)
			}
			seen[name] = true
		}
	}
}
