package conf

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// A finding is what a check has said of one object. A Memory keeps it until the
// object, or anything that it refers to, is worked out again.
type finding struct {
	check   string
	said    hcl.Diagnostics
	epoch   int      // of the addresses
	kinds   []string // all objects of which it has looked at
	changed bool     // one of them has
}

// once does a check of an object, or says again what the same check said at the
// reading before. The check may look at n, at whatever n refers to, at defaults,
// at all objects of a kind and at segments. Where it takes in addresses, it is
// done again when a network, a director or a name server has changed.
func (p *parser) once(n *node, check string, do func()) {
	if p.shifts == nil {
		do()
		return
	}
	i := slices.IndexFunc(n.found, func(f *finding) bool { return f.check == check })
	if i >= 0 && p.holds(n.found[i]) {
		p.diags = append(p.diags, n.found[i].said...)
		return
	}
	f := &finding{check: check, epoch: p.epoch}
	outer, begin := p.within, len(p.diags)
	p.within = f
	do()
	p.within = outer
	f.said = slices.Clone(p.diags[begin:])
	if i >= 0 {
		n.found[i] = f
	} else {
		n.found = append(n.found, f)
	}
	if len(f.kinds) > 0 {
		p.wide = append(p.wide, f)
	}
}

// holds reports whether a finding is one of now.
func (p *parser) holds(f *finding) bool { return !f.changed && f.epoch == p.epoch }

// did reports whether a check of n has been done and is not to be done again.
func (p *parser) did(n *node, check string) bool {
	return slices.ContainsFunc(n.found, func(f *finding) bool { return f.check == check && p.holds(f) })
}

// all lists the top-level instances of a kind in file order.
func (p *parser) all(kind string) []*node {
	if p.within != nil && !slices.Contains(p.within.kinds, kind) {
		p.within.kinds = append(p.within.kinds, kind)
	}
	return p.byKind[kind]
}

// touch marks what has looked at all objects of a kind that has changed.
func (p *parser) touch(kinds []string) {
	p.wide = slices.DeleteFunc(p.wide, func(f *finding) bool {
		f.changed = slices.ContainsFunc(f.kinds, func(k string) bool { return slices.Contains(kinds, k) })
		return f.changed
	})
	if slices.ContainsFunc(kinds, func(k string) bool { return k == "network" || k == "director" || k == "nameserver" }) {
		p.epoch++
		p.owners, p.segments = nil, nil // and with them p.vips
	}
}
