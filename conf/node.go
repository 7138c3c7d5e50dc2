package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"gslb/topology"
)

// A node is one instance of a block, or of a group in one.
type node struct {
	raw     *raw
	sch     *block
	id      string // address in the file: director.nat["a"]
	name    string // label, or label-key with for_each
	key     cty.Value
	scope   *scope // each
	parent  *scope // parent
	up      *node
	vals    []*value // arguments in the order of the schema table; nil: without a value
	kids    []*node  // instances of the blocks in it, in order
	only    *block   // what kids are, when they are all the same
	way     *way     // of a service, once somebody has asked
	groups  map[string]*node
	broken  bool       // a block in it could not be made
	typed   bool       // a record whose id ends in its type
	found   []*finding // what checks have said of it, where a Memory keeps it
	servers *servers   // of a farm, once somebody has asked
}

// A value is an argument's value with where it stands.
type value struct {
	attr  *attr
	at    hcl.Range      // the value
	items []item         // one, or those of a list
	own   bool           // given by the block itself; else a default
	bad   bool           // reported; items are not all there
	addrs topology.Addrs // items as addresses, once somebody has asked
	nodes []*node        // items as objects, likewise
}

// An item is one value of an argument.
type item struct {
	x  any
	at hcl.Range
}

// val returns the argument's value, nil when it has none or a bad one.
func (n *node) val(name string) *value {
	if n == nil {
		return nil
	}
	v := n.arg(name)
	if v == nil || v.bad {
		return nil
	}
	return v
}

// arg returns the argument as it is, nil when it has no value.
func (n *node) arg(name string) *value {
	for i, a := range n.sch.attrs {
		if a.name == name {
			if n.vals == nil {
				return nil
			}
			return n.vals[i]
		}
	}
	return nil
}

// set gives an argument a value, or takes it away.
func (n *node) set(a *attr, v *value) { n.vals[slices.Index(n.sch.attrs, a)] = v }

// hold takes a group in.
func (n *node) hold(g *node) {
	if n.groups == nil {
		n.groups = map[string]*node{}
	}
	n.groups[g.sch.name] = g
}

// gave reports whether the argument was given at all, be it wrongly.
func (n *node) gave(name string) bool { return n != nil && n.arg(name) != nil }

func get[T any](n *node, name string) (T, bool) {
	var zero T
	v := n.val(name)
	if v == nil || len(v.items) != 1 {
		return zero, false
	}
	x, ok := v.items[0].x.(T)
	return x, ok
}

func (n *node) str(name string) string             { s, _ := get[string](n, name); return s }
func (n *node) num(name string) int                { i, _ := get[int](n, name); return i }
func (n *node) flag(name string) bool              { b, _ := get[bool](n, name); return b }
func (n *node) duration(name string) time.Duration { d, _ := get[time.Duration](n, name); return d }
func (n *node) ref(name string) *node              { r, _ := get[*node](n, name); return r }
func (n *node) method() topology.Method            { m, _ := get[topology.Method](n, "method"); return m }

// list returns an argument's items, none when it is missing or bad.
func (n *node) list(name string) []item {
	if v := n.val(name); v != nil {
		return v.items
	}
	return nil
}

// addrs are an argument's addresses. The list is not the caller's.
func (n *node) addrs(name string) topology.Addrs {
	v := n.val(name)
	if v == nil {
		return nil
	}
	if v.addrs == nil {
		for _, it := range v.items {
			v.addrs = append(v.addrs, it.x.(netip.Addr))
		}
	}
	return slices.Clip(v.addrs)
}

func (n *node) prefixes() []netip.Prefix {
	var out []netip.Prefix
	for _, it := range n.list("cidr") {
		out = append(out, it.x.(netip.Prefix))
	}
	return out
}

// nodes are the objects that an argument refers to. The list is not the caller's.
func (n *node) nodes(name string) []*node {
	v := n.val(name)
	if v == nil {
		return nil
	}
	if v.nodes == nil {
		for _, it := range v.items {
			v.nodes = append(v.nodes, it.x.(*node))
		}
	}
	return slices.Clip(v.nodes)
}

func (n *node) strings(name string) []string {
	var out []string
	for _, it := range n.list(name) {
		out = append(out, it.x.(string))
	}
	return out
}

// at is where the argument's value stands, or the block when it has none of its own.
func (n *node) at(name string) hcl.Range {
	if v := n.arg(name); v != nil && v.at != (hcl.Range{}) {
		return v.at
	}
	return n.raw.decl
}

// anyGives reports whether a block of a kind, or its defaults, give an argument.
// It may also be one that was given before and no longer is.
func (p *parser) anyGives(kind, arg string) bool {
	no, ok := numbers[kind+"."+arg]
	if !ok {
		panic("conf: no argument " + kind + "." + arg)
	}
	return p.spoken[no]
}

// of lists the instances of a kind in it. The list is not the caller's.
func (n *node) of(kind string) []*node {
	if n == nil {
		return nil
	}
	if n.only != nil && n.only.name == kind {
		return slices.Clip(n.kids)
	}
	var out []*node
	for _, k := range n.kids {
		if k.sch.name == kind {
			out = append(out, k)
		}
	}
	return out
}

// here is the place of the node's declaration, for a Related.
func (n *node) here() Related { return Related{n.id + " is declared here", n.raw.decl} }

// evaluate works out everything in the file.
func (p *parser) evaluate() {
	p.declare()
	p.track()
	for _, r := range p.file.kids {
		if r.sch == defaultsBlock {
			for _, g := range r.kids {
				if p.defaults[g.sch.name] == nil {
					p.defaults[g.sch.name] = p.group(g, nil)
				}
			}
		}
	}
	for _, r := range p.file.kids {
		switch r.sch {
		case defaultsBlock, localsBlock:
			continue
		case variableBlock:
			p.settle(r)
			continue
		}
		p.byKind[r.sch.name] = append(p.byKind[r.sch.name], p.realise(r)...)
	}
	for _, r := range p.file.kids {
		if r.sch == localsBlock {
			for _, f := range r.fields {
				if n := p.names["local"+tag(f.name)]; n.expr == f.expr {
					p.work(n, f.at)
				}
			}
		}
		if r.sch == variableBlock {
			if n := p.names["var"+tag(r.label)]; n != nil && n.raw == r {
				p.work(n, r.decl)
			}
		}
	}
}

// realise works out a block at the top of a file and returns its instances.
func (p *parser) realise(r *raw) []*node {
	found := len(p.diags)
	if r.sch.later != "" {
		p.later(r.decl, r.sch)
	}
	var nodes []*node
	if f := p.families[r.addr()]; f != nil && f.raw == r {
		p.expand(f, r.decl)
		nodes = f.nodes
		if f.state == broken {
			p.constant(r)
		}
	} else if slices.Contains(kinds, r.sch.name) {
		return nil // declared twice
	} else {
		var ok bool
		if nodes, ok = p.instantiate(r, nil, nil); !ok {
			p.constant(r)
		}
	}
	for _, n := range nodes {
		p.fill(n)
	}
	if r.top != nil {
		r.top.nodes = nodes
		r.top.said = slices.Clone(p.diags[found:])
		p.diags = p.diags[:found]
	}
	return nodes
}

// declare notes what can be named.
func (p *parser) declare() {
	note := func(root, name string) { p.index[root] = append(p.index[root], name) }
	for _, r := range p.file.kids {
		switch {
		case r.sch == localsBlock:
			for _, f := range r.fields {
				full := "local" + tag(f.name)
				if first, ok := p.names[full]; ok {
					p.report(fault{
						code: "GS007", at: f.at, detail: full + " is declared already.",
						rel: []Related{{"first declared here", first.at}},
					})
					continue
				}
				p.names[full] = &named{name: full, at: f.at, expr: f.expr}
				note("local", f.name)
			}
		case r.sch == variableBlock:
			full := "var" + tag(r.label)
			if p.names[full] == nil {
				p.names[full] = &named{name: full, at: r.at, raw: r}
				note("var", r.label)
			}
		case slices.Contains(kinds, r.sch.name):
			if p.families[r.addr()] == nil {
				p.families[r.addr()] = &family{raw: r}
				note(r.sch.name, r.label)
			}
		}
	}
	p.readVars()
	var given []string
	for name := range p.src.Vars {
		given = append(given, name)
	}
	slices.Sort(given)
	for _, name := range given {
		if !slices.Contains(p.index["var"], name) {
			p.report(fault{
				code: "GS019", detail: fmt.Sprintf("A value is given for var.%s, which the file does not declare.", name),
				help: meant(name, p.index["var"]),
			})
		}
	}
}

// settle checks a variable block's own arguments.
func (p *parser) settle(r *raw) {
	for _, k := range r.kids {
		for _, a := range k.sch.attrs {
			if _, ok := k.field(a.name); !ok && a.must && !k.known[a.name] {
				p.missing(k.sch.name+" of "+r.addr(), k.decl, a)
			}
		}
	}
	if f, ok := r.field("description"); ok {
		p.convert(r.sch.attr("description"), f, nil, nil)
	}
}

func (p *parser) later(at hcl.Range, sch *block) {
	p.report(fault{
		code: "GS020", at: at, detail: refused(sch.name, sch.later),
		help: "Leave it out.",
	})
}

// refused says that name, which is about what, is not acted on.
func refused(name, what string) string {
	if len(what) > 1 && what[1] >= 'a' && what[1] <= 'z' {
		what = strings.ToLower(what[:1]) + what[1:]
	}
	if what == name {
		return fmt.Sprintf("%s %v.", name, errLater)
	}
	return fmt.Sprintf("%s (%s) %v.", name, what, errLater)
}

func (p *parser) missing(who string, at hcl.Range, a *attr) {
	p.report(fault{
		code: "GS002", at: at, what: a.name, detail: fmt.Sprintf("%s needs %s: %s.", who, a.name, a.typ.doc),
	})
}

// fill works out a node's arguments, groups and blocks.
func (p *parser) fill(n *node) {
	p.values(n)
	for _, r := range n.raw.kids {
		if r.sch.group {
			if r.sch.later != "" {
				p.later(r.at, r.sch)
			}
			if r.sch.idle {
				p.warnIdle(r.sch.name, r.at)
			}
			if n.groups[r.sch.name] == nil {
				n.hold(p.group(r, n))
			}
			continue
		}
		kids, ok := p.instantiate(r, n.scope, n)
		if !ok {
			n.broken = true
			p.constant(r)
		}
		for _, k := range kids {
			p.fill(k)
		}
		if n.kids == nil {
			n.only = r.sch
		} else if n.only != r.sch {
			n.only = nil
		}
		n.kids = append(n.kids, kids...)
	}
}

// constant looks at what a block says whose instances are not known: at
// whatever does not depend on which instance it is.
func (p *parser) constant(r *raw) {
	for _, a := range r.sch.attrs {
		f, ok := r.field(a.name)
		switch {
		case !ok && a.must && a.def == "" && !r.known[a.name] && (p.defaults[r.sch.name] == nil || p.defaults[r.sch.name].arg(a.name) == nil):
			p.missing(r.addr(), r.decl, a)
		case ok && p.needsOf(f.expr).positional:
			p.called(f.expr)
		case ok:
			p.convert(a, f, nil, nil)
		}
	}
	for _, k := range r.kids {
		if k.expr == nil {
			p.constant(k)
		}
	}
}

// called reports unknown functions of an expression that cannot be worked out.
func (p *parser) called(e hcl.Expression) {
	native, ok := e.(hclsyntax.Expression)
	if !ok {
		return
	}
	_ = hclsyntax.VisitAll(native, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok {
			if _, known := p.funcs[call.Name]; !known {
				p.unknownFunction(call)
			}
		}
		return nil
	})
}

// group works out a group of an instance; up is nil for one of defaults.
func (p *parser) group(r *raw, up *node) *node {
	g := &node{raw: r, sch: r.sch, up: up}
	if up != nil {
		g.id, g.scope, g.parent = up.id+"."+r.sch.name, up.scope, up.parent
	}
	if r.expr != nil {
		if g.raw = p.grouped(r, g); g.raw == nil {
			g.broken = true
			g.raw = r
			return g
		}
	}
	p.values(g)
	for _, k := range g.raw.kids {
		if g.groups[k.sch.name] == nil {
			g.hold(p.group(k, g))
			if up == nil {
				g.groups[k.sch.name].up = nil
			}
		}
	}
	return g
}

// groupOr is a group of n that counts: its own, else that of the defaults
// block, else the schema table's defaults.
func (p *parser) groupOr(n *node, name string) *node {
	if g := n.groups[name]; g != nil {
		return g
	}
	if d := p.defaults[n.sch.name]; d != nil && d.groups[name] != nil {
		return d.groups[name]
	}
	return p.group(&raw{sch: n.sch.kid(name)}, n)
}

// A settled is an expression whose value is known already. HCL's own is a
// value of a type that is no key of a map.
type settled struct{ hcl.Expression }

// grouped makes a group out of an expression's value.
func (p *parser) grouped(r *raw, g *node) *raw {
	v, ok := p.value(r.expr, g.scope, g.parent)
	if !ok {
		return nil
	}
	at := r.expr.Range()
	if !v.IsKnown() {
		p.unknown(at)
		return nil
	}
	if v.IsNull() || !(v.Type().IsObjectType() || v.Type().IsMapType()) {
		p.errorf("GS010", at, "%s is %s, not { ... }.", r.sch.name, show(v))
		return nil
	}
	out := &raw{sch: r.sch, at: r.at, decl: r.decl}
	names, blocks := r.sch.words()
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		name := k.AsString()
		f := field{name, at, &settled{hcl.StaticExpr(e, at)}}
		switch kid := r.sch.kid(name); {
		case kid != nil:
			out.kids = append(out.kids, &raw{sch: kid, at: at, decl: at, expr: f.expr})
		case slices.Contains(names, name):
			out.fields = append(out.fields, f)
		default:
			p.unknownArgument(out, name, at, names, blocks)
		}
	}
	return out
}

// values works out a node's arguments: its own, else those of defaults, else
// the schema table's.
func (p *parser) values(n *node) {
	var inherited *node
	if !n.sch.group {
		inherited = p.defaults[n.sch.name]
	}
	n.vals = make([]*value, len(n.sch.attrs))
	for i, a := range n.sch.attrs {
		if f, ok := n.raw.field(a.name); ok {
			v := p.convert(a, f, n.scope, n.parent)
			if v != nil {
				n.vals[i] = v
				p.spoken[a.no] = true
				if a.later != "" && !v.bad {
					p.refuseLater(n, a, f, v)
				}
				if a.idle {
					p.warnIdle(a.name, f.at)
				}
				continue
			}
		}
		if inherited != nil && inherited.arg(a.name) != nil {
			v := *inherited.arg(a.name)
			v.own = false
			n.vals[i] = &v
			p.spoken[a.no] = true
			continue
		}
		if a.def != "" {
			n.vals[i] = defaultValues[a]
			continue
		}
		if a.must && !n.raw.known[a.name] {
			p.missing(n.id, n.raw.decl, a)
		}
	}
}

// refuseLater refuses an argument that is not acted on, unless it asks for
// what happens anyway.
func (p *parser) refuseLater(n *node, a *attr, f field, v *value) {
	if a.def != "" && len(v.items) == 1 && v.items[0].x == standard(a) {
		return
	}
	p.report(fault{
		code: "GS020", at: f.at, detail: refused(a.name, a.later),
		help: "Leave it out.",
	})
}

// warnIdle says that something is right and changes nothing yet.
func (p *parser) warnIdle(name string, at hcl.Range) {
	p.warn(fault{code: "GS021", at: at, detail: name + " is understood and checked, but nothing of this version acts on it."})
}

// convert evaluates an argument and makes its value ours; nil for null,
// which is the same as leaving it out.
func (p *parser) convert(a *attr, f field, sc, parent *scope) *value {
	out := &value{attr: a, at: f.expr.Range(), own: true}
	v, ok := p.value(f.expr, sc, parent)
	if !ok {
		out.bad = true
		return out
	}
	if v.IsNull() {
		return nil
	}
	if p.secretValue(a.name, v, out.at) {
		out.bad = true
		return out
	}
	if a.typ.conv == nil && a.typ.kinds == nil {
		return nil
	}
	if !a.typ.list {
		p.one(out, a, v, out.at)
		return out
	}
	elems, ats := elements(a, f.expr, v)
	for i, e := range elems {
		p.one(out, a, e, ats[i])
	}
	if len(elems) == 0 && !v.IsKnown() {
		p.one(out, a, v, out.at)
	}
	if !out.bad && a.typ.whole != nil {
		if i, why := a.typ.whole(out.items); why != "" {
			p.errorf("GS010", out.items[i].at, "%s: %s.", a.name, why)
			out.bad = true
		}
	}
	if !out.bad && len(out.items) == 0 && a.must {
		p.empty(a, out)
	}
	return out
}

// empty reports a required list that is empty.
func (p *parser) empty(a *attr, v *value) {
	v.bad = true
	code := "GS010"
	switch a.name {
	case "directors":
		code = "GS241"
	case "members":
		code = "GS252"
	}
	p.errorf(code, v.at, "%s is empty: give %s.", a.name, a.typ.doc)
}

// elements splits a list's value, with each element's place where the text
// writes the elements out.
func elements(a *attr, e hcl.Expression, v cty.Value) ([]cty.Value, []hcl.Range) {
	at := e.Range()
	_, single := asRef(v)
	n, ok := length(v)
	isMap := v.Type().IsObjectType() || v.Type().IsMapType()
	if single || !ok || (isMap && a.typ.kinds == nil) {
		return []cty.Value{v}, []hcl.Range{at}
	}
	exprs, diags := hcl.ExprList(e)
	if diags.HasErrors() || len(exprs) != n {
		exprs = nil
	}
	var out []cty.Value
	var ats []hcl.Range
	for it := v.ElementIterator(); it.Next(); {
		_, x := it.Element()
		if exprs != nil {
			ats = append(ats, exprs[len(out)].Range())
		} else {
			ats = append(ats, at)
		}
		out = append(out, x)
	}
	return out, ats
}

// one converts one value and appends it.
func (p *parser) one(out *value, a *attr, v cty.Value, at hcl.Range) {
	if a.typ.kinds != nil {
		if n, ok := p.refer(a, v, at); ok {
			out.items = append(out.items, item{n, at})
		} else {
			out.bad = true
		}
		return
	}
	fail := func(c *complaint) {
		out.bad = true
		code := c.code
		if code == "" {
			code = "GS010"
		}
		text := c.text
		if code == "GS010" || code == "GS115" {
			text = fmt.Sprintf("%s: %s.", a.name, c.text)
		}
		p.report(fault{code: code, at: at, detail: text, help: c.help})
	}
	switch {
	case !v.IsKnown():
		out.bad = true
		p.unknown(at)
		return
	case v.IsNull():
		fail(&complaint{text: "null is not " + a.typ.doc})
		return
	}
	if n, ok := asRef(v); ok && a.typ != tAny {
		help := ""
		if a.name == "fallback" && n.sch.name == "region" {
			help = fmt.Sprintf("Regions that fall back to each other would be a cycle, so the name is given: %q.", n.name)
		}
		out.bad = true
		p.report(fault{code: "GS009", at: at, detail: fmt.Sprintf("%s is a %s; %s takes %s.", n.id, n.sch.name, a.name, a.typ.doc), help: help})
		return
	}
	x, c := a.typ.conv(v)
	if c != nil {
		fail(c)
		return
	}
	out.items = append(out.items, item{x, at})
}

// refer reads a reference.
func (p *parser) refer(a *attr, v cty.Value, at hcl.Range) (*node, bool) {
	want := strings.Join(a.typ.kinds, " or ")
	if !v.IsKnown() {
		p.unknown(at)
		return nil, false
	}
	n, ok := asRef(v)
	if ok && slices.Contains(a.typ.kinds, n.sch.name) {
		return n, true
	}
	f := fault{code: "GS009", at: at, detail: fmt.Sprintf("%s takes a %s, not %s.", a.name, want, show(v))}
	switch {
	case ok:
		f.detail = fmt.Sprintf("%s is a %s; %s takes a %s.", n.id, n.sch.name, a.name, want)
		f.rel = []Related{n.here()}
	case v.Type() == cty.String && !v.IsNull():
		f.help = fmt.Sprintf("Write it without quotes: %s.", a.typ.kinds[0]+tag(v.AsString()))
	case v.CanIterateElements() && !v.IsNull():
		for it := v.ElementIterator(); it.Next(); {
			if _, e := it.Element(); e != cty.NilVal {
				if first, ok := asRef(e); ok {
					f.help = fmt.Sprintf("Choose one of them: %s.", first.id)
				}
				break
			}
		}
	}
	p.report(f)
	return nil, false
}
