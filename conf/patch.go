package conf

import (
	"iter"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// The kinds of blocks that can be changed in place: what follows from them
// follows by references.
var changeable = []*block{nameserverBlock, networkBlock, directorBlock, farmBlock, checkBlock, serviceBlock, domainBlock}

// expressions are all expressions of a block but those that stand for
// themselves.
func (r *raw) expressions() iter.Seq[hcl.Expression] {
	return func(yield func(hcl.Expression) bool) { r.walk(yield) }
}

func (r *raw) walk(yield func(hcl.Expression) bool) bool {
	if r.forEach != nil && !yield(r.forEach.expr) || r.expr != nil && !yield(r.expr) {
		return false
	}
	for _, f := range r.fields {
		switch e := f.expr.(type) {
		case *hclsyntax.LiteralValueExpr:
			continue
		case *hclsyntax.TemplateExpr:
			if e.IsStringLiteral() {
				continue
			}
		}
		if !yield(f.expr) {
			return false
		}
	}
	for _, k := range r.kids {
		if !k.walk(yield) {
			return false
		}
	}
	return true
}

// track notes which blocks name which, for a Memory.
func (p *parser) track() {
	for _, r := range p.file.kids {
		if r.top != nil {
			p.follow(r.top)
		}
	}
}

// follow notes what a block names.
func (p *parser) follow(t *top) {
	t.family = p.families[t.raw.addr()]
	for e := range t.raw.expressions() {
		n := p.needsOf(e)
		n.owner = t
		for _, named := range n.roots {
			root, name := named.RootName(), member(named)
			if name == "" {
				p.allNamed = p.allNamed || slices.Contains(kinds, root)
				continue
			}
			if f := p.families[root+tag(name)]; f != nil {
				t.names = append(t.names, f)
				f.namedBy = append(f.namedBy, t)
			}
		}
	}
}

// patchable reports whether blocks can be exchanged in what has been evaluated.
// It marks those that have to be worked out again.
func (p *parser) patchable(gone, come []*top) bool {
	if len(gone)+len(come) == 0 {
		return true
	}
	if p.allNamed {
		return false
	}
	var todo []*family
	for _, t := range gone {
		if !slices.Contains(changeable, t.raw.sch) || t.family == nil {
			return false
		}
		t.gone = true
		todo = append(todo, t.family)
	}
	for _, t := range come {
		if !slices.Contains(changeable, t.raw.sch) {
			return false
		}
		t.stale = true
	}
	for ; len(todo) > 0; todo = todo[1:] {
		for _, t := range todo[0].namedBy {
			if t.gone || t.stale {
				continue
			}
			if !slices.Contains(changeable, t.raw.sch) || t.family == nil {
				return false
			}
			t.stale = true
			todo = append(todo, t.family)
		}
	}
	return true
}

// patch exchanges blocks. It reports whether nothing is wrong so far.
func (m *Memory) patch(gone, come []*top) bool {
	p := m.p
	p.src, p.shifts, p.diags = m.src, m.lay(), nil
	p.order = map[string]int{}
	for i, f := range slices.Concat(m.src.Files, m.src.VarFiles) {
		p.order[f.Name] = i
	}
	var kinds []string
	note := func(t *top) {
		if k := t.raw.sch.name; !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	for _, r := range p.file.kids {
		if r.top.stale {
			note(r.top)
			p.unmake(r.top)
		}
	}
	for _, t := range come {
		note(t)
	}
	for _, t := range gone {
		note(t)
		p.unmake(t)
		for e := range t.raw.expressions() {
			delete(p.needs, e)
		}
		for _, f := range t.names {
			f.lost++
			if f.lost > len(f.namedBy)/2 {
				f.lost, f.namedBy = 0, slices.DeleteFunc(f.namedBy, func(t *top) bool { return t.gone })
			}
		}
		t.family.raw = nil
	}
	for _, t := range come {
		addr := t.raw.addr()
		f := p.families[addr]
		if f == nil {
			f = &family{}
			p.families[addr] = f
		}
		if f.raw != nil {
			return false // declared twice
		}
		f.raw = t.raw
	}
	for _, t := range gone {
		if t.family.raw == nil {
			delete(p.families, t.raw.addr())
		}
	}
	for _, t := range come {
		p.follow(t)
	}
	p.touch(kinds)
	p.file.kids = p.file.kids[:0]
	for _, k := range m.parts {
		p.file.kids = append(p.file.kids, k.kids...)
	}
	for kind := range p.byKind {
		p.byKind[kind] = p.byKind[kind][:0]
	}
	for _, kind := range kinds {
		p.index[kind] = p.index[kind][:0]
	}
	for _, r := range p.file.kids {
		t := r.top
		if slices.Contains(kinds, r.sch.name) {
			p.index[r.sch.name] = append(p.index[r.sch.name], r.label)
		}
		if t.stale {
			t.stale = false
			p.realise(r)
			if t.said.HasErrors() || p.failed() {
				return false
			}
		}
		p.byKind[r.sch.name] = append(p.byKind[r.sch.name], t.nodes...)
	}
	return p.soft == 0
}

// unmake takes back what has been worked out of a block.
func (p *parser) unmake(t *top) {
	for _, u := range t.uses {
		u.users--
	}
	t.uses = nil
	for e := range t.raw.expressions() {
		delete(p.memo, e)
		if n := p.needs[e]; n != nil {
			n.counted = false
		}
	}
	for _, n := range t.nodes {
		p.instances -= n.count()
		switch {
		case !p.did(n, "addresses"):
		case n.sch == farmBlock:
			for _, srv := range n.kids {
				for _, a := range srv.addrs("address") {
					delete(p.owners, a)
				}
			}
		case n.sch == serviceBlock:
			for _, a := range n.addrs("vip") {
				switch p.vips[a]--; p.vips[a] {
				case 0:
					delete(p.vips, a)
				case 1:
					p.shared--
				}
			}
		}
		if p.built != nil {
			p.built.forget(n)
		}
	}
	t.nodes, t.said = nil, nil
	f := t.family
	f.state, f.nodes, f.value, f.ready = idle, nil, cty.NilVal, false
}

// count is how many blocks n is, with those in it.
func (n *node) count() int {
	sum := 1
	for _, k := range n.kids {
		sum += k.count()
	}
	return sum
}
