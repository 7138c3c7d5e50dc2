package conf

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"gslb/internal/near"
)

// Nothing is evaluated in an order of its own: whatever an expression names
// is worked out when it is named, so locals, variables and blocks may come in
// any order and file. What is named while it is being worked out is a cycle.

// A frame is something being worked out now.
type frame struct {
	name string
	at   hcl.Range // where it is named
	// lenient: an attribute that is read only because its object was
	// named. A cycle through it may be harmless: the name alone may be wanted.
	lenient bool
}

// A family is a top-level block with its instances.
type family struct {
	raw   *raw
	state state
	nodes []*node
	value cty.Value // what an expression gets that names it
	ready bool      // value is final
	uses
	namedBy []*top // blocks that name it, where a Memory keeps them
	lost    int    // of them, those that are gone
}

type state uint8

const (
	idle state = iota
	busy
	done
	broken // reported already
)

// A scope is what each and parent are in a block.
type scope struct {
	key, value cty.Value
	up         *scope
	made       cty.Value // what object returns
}

func (s *scope) object() cty.Value {
	if s == nil {
		return cty.NilVal
	}
	if s.made != cty.NilVal {
		return s.made
	}
	m := map[string]cty.Value{"key": s.key, "value": s.value}
	if s.up != nil {
		m["parent"] = s.up.object()
	}
	s.made = cty.ObjectVal(m)
	return s.made
}

// A need is what an expression names.
type need struct {
	roots      []hcl.Traversal
	positional bool // names each or parent
	counted    bool // among the users of what it names
	owner      *top // the block it stands in, where a Memory keeps it
}

// uses says how often something is named.
type uses struct{ users int }

type result struct {
	v  cty.Value
	ok bool
}

func (p *parser) needsOf(e hcl.Expression) *need {
	if n, ok := p.needs[e]; ok {
		return n
	}
	n := &need{roots: e.Variables()}
	for _, t := range n.roots {
		if r := t.RootName(); r == "each" || r == "parent" {
			n.positional = true
		}
	}
	p.needs[e] = n
	return n
}

// value evaluates an expression. Not ok: it has been reported, here or
// where the fault is.
func (p *parser) value(e hcl.Expression, sc, parent *scope) (cty.Value, bool) {
	switch e := e.(type) { // most of a long file; nothing is worth remembering
	case *settled:
		v, diags := e.Value(nil)
		return v, !diags.HasErrors()
	case *hclsyntax.LiteralValueExpr:
		return e.Val, true
	case *hclsyntax.TemplateExpr:
		if e.IsStringLiteral() {
			v, diags := e.Value(nil)
			return v, !diags.HasErrors()
		}
	}
	n := p.needsOf(e)
	if !n.positional {
		if r, ok := p.memo[e]; ok {
			return r.v, r.ok
		}
	}
	soft := p.soft
	v, ok := p.evaluateExpr(e, n, sc, parent)
	if !n.positional && p.soft == soft {
		p.memo[e] = result{v, ok}
	}
	return v, ok
}

func (p *parser) evaluateExpr(e hcl.Expression, n *need, sc, parent *scope) (cty.Value, bool) {
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: p.funcs}
	ok := true
	count := !n.counted
	n.counted = true
	groups := map[string]map[string]cty.Value{}
	for _, t := range n.roots {
		root := t.RootName()
		switch root {
		case "each", "parent":
			s := sc
			if root == "parent" {
				s = parent
			}
			if s == nil {
				p.positionError(root, t)
				ok = false
				continue
			}
			ctx.Variables[root] = s.object()
			continue
		}
		names, found := p.members(root, t)
		if !found {
			ok = false
			continue
		}
		m := groups[root]
		if m == nil {
			m = map[string]cty.Value{}
			groups[root] = m
		}
		for _, name := range names {
			if _, have := m[name]; have {
				continue
			}
			if count {
				u := p.usesOf(root, name)
				u.users++
				if n.owner != nil {
					n.owner.uses = append(n.owner.uses, u)
				}
			}
			v, good := p.named(root, name, t)
			if !good {
				ok = false
				continue
			}
			m[name] = v
		}
	}
	if !ok {
		p.called(e)
		return cty.DynamicVal, false
	}
	for root, m := range groups {
		ctx.Variables[root] = cty.ObjectVal(m)
	}
	v, diags := e.Value(ctx)
	for _, d := range diags {
		p.expression(d, e)
	}
	v, _ = v.UnmarkDeep()
	return v, !diags.HasErrors()
}

func (p *parser) positionError(root string, t hcl.Traversal) {
	f := fault{code: "GS008", at: t.SourceRange(), detail: "each is only known in a block with for_each, and in blocks inside one."}
	if root == "parent" {
		f.detail = "parent is only known inside a block that lies in a block with for_each."
	}
	p.report(f)
}

// members are the names of a root that a traversal needs: one, or all when
// it does not say which.
func (p *parser) members(root string, t hcl.Traversal) ([]string, bool) {
	isKind := slices.Contains(kinds, root)
	if !isKind && root != "local" && root != "var" {
		if p.ghosts[root] {
			return nil, false
		}
		known := append([]string{"local", "var", "each", "parent"}, kinds...)
		f := fault{code: "GS008", at: t[0].SourceRange(), detail: fmt.Sprintf("There is nothing called %q.", root), help: meant(root, known)}
		if f.help == "" {
			f.help = "An expression can name " + strings.Join(known, ", ") + "; text stands in quotes."
		}
		p.report(f)
		return nil, false
	}
	all := p.declared(root)
	name := member(t)
	if name == "" {
		return all, true
	}
	full := root + tag(name)
	if p.names[full] != nil || p.families[full] != nil {
		return []string{name}, true
	}
	if p.ghosts[root] {
		return nil, false // it is the block of the unknown kind
	}
	f := fault{code: "GS008", at: hcl.RangeBetween(t[0].SourceRange(), t[1].SourceRange()), detail: fmt.Sprintf("There is no %s.", root+tag(name))}
	if n := near.Word(name, all); n != "" {
		f.help = "Did you mean " + root + tag(n) + "?"
	} else if len(all) > 0 {
		f.help = "Declared are " + among(prefixed(root, all)) + "."
	} else {
		f.help = fmt.Sprintf("The file declares no %s.", root)
	}
	p.report(f)
	return nil, false
}

// member is the name below its root that a traversal gives, "" when it does
// not say which.
func member(t hcl.Traversal) string {
	if len(t) > 1 {
		switch s := t[1].(type) {
		case hcl.TraverseAttr:
			return s.Name
		case hcl.TraverseIndex:
			if s.Key.Type() == cty.String {
				return s.Key.AsString()
			}
		}
	}
	return ""
}

func prefixed(root string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = root + tag(n)
	}
	return out
}

// declared lists the names below a root.
func (p *parser) declared(root string) []string {
	return p.index[root]
}

// usesOf are the uses of a declared name.
func (p *parser) usesOf(root, name string) *uses {
	full := root + tag(name)
	if n, ok := p.names[full]; ok {
		return &n.uses
	}
	return &p.families[full].uses
}

// named is the value of local.name, var.name or kind.name.
func (p *parser) named(root, name string, t hcl.Traversal) (cty.Value, bool) {
	full := root + tag(name)
	if n, ok := p.names[full]; ok {
		return p.work(n, t.SourceRange())
	}
	f := p.families[full]
	if !p.expand(f, t.SourceRange()) {
		return cty.DynamicVal, false
	}
	return p.object(f), true
}

// enter begins to work name out, which the text at names; false when it is
// being worked out already. Then harmless says that the cycle may be one in
// appearance only.
func (p *parser) enter(name string, lenient bool, at hcl.Range) (ok, harmless bool) {
	i := slices.IndexFunc(p.busy, func(f frame) bool { return f.name == name })
	if i < 0 {
		p.busy = append(p.busy, frame{name, at, lenient})
		return true, false
	}
	ring := slices.Clone(p.busy[i:])
	ring[0].at = at // it is named here, too, and this closes the ring
	if slices.ContainsFunc(ring, func(f frame) bool { return f.lenient }) {
		p.soft++
		p.ring = ring
		return false, true
	}
	p.cycle(ring)
	return false, false
}

// cycle reports a ring of things that need each other, once: at the first
// place in the text where one names the next, which begins the chain.
func (p *parser) cycle(ring []frame) {
	order := func(a, b frame) int { return p.before(a.at, b.at) }
	first := slices.IndexFunc(ring, func(f frame) bool { return order(f, slices.MinFunc(ring, order)) == 0 })
	// What names ring[first] is the one before it.
	begin := (first + len(ring) - 1) % len(ring)
	var chain []string
	for i := range ring {
		chain = append(chain, ring[(begin+i)%len(ring)].name)
	}
	chain = append(chain, chain[0])
	text := strings.Join(chain, " -> ")
	if p.rings[text] {
		return
	}
	p.rings[text] = true
	p.report(fault{
		code: "GS006", at: ring[first].at, detail: text + ": each needs the next before it is known.",
		help: "Give one of them a value that does not depend on the others.",
	})
}

func (p *parser) leave() { p.busy = p.busy[:len(p.busy)-1] }

// expand makes the instances of a family.
func (p *parser) expand(f *family, at hcl.Range) bool {
	switch f.state {
	case done:
		return true
	case broken:
		return false
	case busy:
		_, harmless := p.enter(f.raw.addr(), false, at)
		if !harmless {
			f.state = broken
		}
		return false
	}
	if f.raw.forEach == nil {
		f.state = done
		f.nodes = p.instances1(f.raw, nil, nil)
		return true
	}
	if ok, _ := p.enter(f.raw.addr(), false, at); !ok {
		return false
	}
	defer p.leave()
	f.state = busy
	soft := p.soft
	nodes, ok := p.instantiate(f.raw, nil, nil)
	switch {
	case f.state == broken:
	case ok:
		f.state, f.nodes = done, nodes
	case p.soft != soft:
		f.state = idle
	default:
		f.state = broken
	}
	return f.state == done
}

// instantiate makes the instances of a block with or without for_each.
func (p *parser) instantiate(r *raw, sc *scope, up *node) ([]*node, bool) {
	if r.forEach == nil {
		return p.instances1(r, sc, up), true
	}
	e := r.forEach.expr
	v, ok := p.value(e, sc, sc)
	if !ok {
		return nil, false
	}
	bad := func(format string, args ...any) ([]*node, bool) {
		p.report(fault{
			code: "GS005", at: e.Range(), detail: fmt.Sprintf(format, args...),
			help: "for_each takes a map, an object, a set of strings, a list or range(n).",
		})
		return nil, false
	}
	ty := v.Type()
	switch {
	case v.IsNull():
		return bad("for_each is null.")
	case !v.IsKnown():
		p.unknown(e.Range())
		return nil, false
	case ty.IsSetType() && ty.ElementType() != cty.String && v.LengthInt() > 0:
		return bad("for_each is a set of something other than strings, so its elements make no keys.")
	}
	if ref, ok := asRef(v); ok {
		return bad("for_each is one object, %s, not a collection of them.", ref.id)
	}
	if !v.CanIterateElements() {
		return bad("for_each is %s.", show(v))
	}
	if v.LengthInt() > p.limits.instances-p.instances {
		p.errorf("GS018", e.Range(), "for_each makes %d blocks here; a topology may have %d in all.", v.LengthInt(), p.limits.instances)
		return nil, false
	}
	var out []*node
	listed := ty.IsListType() || ty.IsTupleType()
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if ty.IsSetType() {
			k = e
		}
		var index, name string
		if listed {
			i, _ := k.AsBigFloat().Int64()
			name = strconv.FormatInt(i, 10)
			index = "[" + name + "]"
		} else {
			name = k.AsString()
			index = fmt.Sprintf("[%q]", name)
			if strings.ContainsFunc(name, unicode.IsControl) { // names reach terminals, logs and drawings
				return bad("for_each has the key %q, which holds a control character.", name)
			}
		}
		n := p.instance(r, &scope{key: k, value: e, up: sc}, sc, up)
		n.id += index
		n.name += "-" + name
		n.key = k
		out = append(out, n)
	}
	return out, true
}

func (p *parser) instances1(r *raw, sc *scope, up *node) []*node {
	if p.instances >= p.limits.instances {
		p.errorf("GS018", r.decl, "This is block %d; a topology may have %d in all.", p.instances+1, p.limits.instances)
		return nil
	}
	return []*node{p.instance(r, sc, sc, up)}
}

func (p *parser) instance(r *raw, sc, parent *scope, up *node) *node {
	p.instances++
	n := &node{raw: r, sch: r.sch, name: r.label, scope: sc, parent: parent, up: up}
	n.id = r.sch.name
	if up != nil {
		n.id = up.id + "." + n.id
	}
	if r.label != "" || r.sch.label != "" {
		n.id += tag(r.label)
	}
	return n
}

// A reference in an expression is an object: the node itself in a capsule,
// its address and key, and what the schema table lets be read.
var refType = cty.Capsule("object", reflect.TypeFor[node]())

const refAttr = "object"

// object is what an expression gets for kind.label: one reference, or a map
// or list of them where there is a for_each.
func (p *parser) object(f *family) cty.Value {
	if f.ready {
		return f.value
	}
	soft := p.soft
	var v cty.Value
	switch {
	case f.raw.forEach == nil:
		v = cty.DynamicVal
		if len(f.nodes) == 1 {
			v = p.reference(f.nodes[0])
		}
	case len(f.nodes) == 0:
		v = cty.EmptyObjectVal
	case f.nodes[0].key.Type() == cty.Number:
		var l []cty.Value
		for _, n := range f.nodes {
			l = append(l, p.reference(n))
		}
		v = cty.TupleVal(l)
	default:
		m := map[string]cty.Value{}
		for _, n := range f.nodes {
			m[n.key.AsString()] = p.reference(n)
		}
		v = cty.ObjectVal(m)
	}
	if p.soft == soft {
		f.value, f.ready = v, true
	}
	return v
}

func (p *parser) reference(n *node) cty.Value {
	m := map[string]cty.Value{refAttr: cty.CapsuleVal(refType, n), "id": cty.StringVal(n.id), "key": cty.NullVal(cty.String)}
	if n.key != cty.NilVal {
		m["key"] = n.key
	}
	for _, a := range n.sch.attrs {
		if a.show {
			m[a.name] = p.shown(n, a)
		}
	}
	return cty.ObjectVal(m)
}

// shown is the value of an argument as a reference lets it be read: unknown
// when reading it here would be a cycle.
func (p *parser) shown(n *node, a *attr) cty.Value {
	f, ok := n.raw.field(a.name)
	if !ok {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	if ok, _ := p.enter(n.id+"."+a.name, true, f.expr.Range()); !ok {
		return cty.DynamicVal
	}
	defer p.leave()
	soft, found := p.soft, len(p.diags)
	v, ok := p.value(f.expr, n.scope, n.parent)
	if p.soft != soft {
		p.diags = p.diags[:found] // it will be said when the argument itself is read
	}
	if !ok {
		return cty.DynamicVal
	}
	return v
}

// asRef returns the node a reference value stands for.
func asRef(v cty.Value) (*node, bool) {
	if v == cty.NilVal || !v.IsKnown() || v.IsNull() {
		return nil, false
	}
	ty := v.Type()
	if ty.IsObjectType() && ty.HasAttribute(refAttr) && ty.AttributeType(refAttr).Equals(refType) {
		v = v.GetAttr(refAttr)
		ty = v.Type()
	}
	if !ty.Equals(refType) || v.IsNull() || !v.IsKnown() {
		return nil, false
	}
	return v.EncapsulatedValue().(*node), true
}

// unknown reports a value that is not known, unless the reason has been.
func (p *parser) unknown(at hcl.Range) {
	switch {
	case p.ring != nil:
		p.cycle(p.ring)
	case !p.failed():
		p.errorf("GS017", at, "The value is not known.")
	}
}

// expression reports a complaint of HCL about an expression in our words.
func (p *parser) expression(d *hcl.Diagnostic, e hcl.Expression) {
	if d.Severity != hcl.DiagError {
		return
	}
	f := fault{code: "GS017", at: e.Range(), detail: d.Summary + ": " + d.Detail}
	if d.Subject != nil {
		f.at = *d.Subject
	}
	switch d.Summary {
	case "Invalid index", "Unsupported attribute", "Missing map element":
		f.code = "GS008"
		f.detail = d.Detail
		p.lookup(&f, d)
	case "Call to unknown function":
		if call, ok := d.Expression.(*hclsyntax.FunctionCallExpr); ok {
			p.unknownFunction(call)
			return
		}
		f.code = "GS008"
		f.detail = d.Detail
	case "Duplicate object key":
		f.code = "GS005"
		f.detail = d.Detail
	}
	over := d.Summary == tooMuch
	if call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d); ok {
		err := call.FunctionCallError()
		switch {
		case err == nil:
		case errors.Is(err, errTooMuch):
			over, f.detail = true, fmt.Sprintf("%s() %v.", call.CalledFunctionName(), err)
		case d.Summary == "Error in function call":
			f.detail = fmt.Sprintf("%s(): %v.", call.CalledFunctionName(), err)
		}
	}
	if over {
		if p.spent {
			return // everything that follows fails in the same way
		}
		p.spent = p.exhausted()
		f.code = "GS018"
		if p.spent {
			f.detail = "It cannot be worked out: " + errTooMuch.Error() + "."
		}
	}
	p.report(f)
}

func (p *parser) unknownFunction(call *hclsyntax.FunctionCallExpr) {
	var names []string
	for n := range p.funcs {
		names = append(names, n)
	}
	slices.Sort(names)
	p.report(fault{
		code: "GS008", at: call.NameRange, what: call.Name,
		detail: fmt.Sprintf("There is no function %q.", call.Name), help: meant(call.Name, names),
	})
}

// lookup says which keys there are where one was not found.
func (p *parser) lookup(f *fault, d *hcl.Diagnostic) {
	if d.EvalContext == nil {
		return
	}
	coll, key, name := cty.NilVal, "", "it"
	switch e := d.Expression.(type) {
	case *hclsyntax.IndexExpr:
		coll, _ = e.Collection.Value(d.EvalContext)
		k, _ := e.Key.Value(d.EvalContext)
		key, _ = text(k)
		f.at, name = e.SrcRange, p.snippet(e.Collection.Range())
	case *hclsyntax.ScopeTraversalExpr:
		f.at = e.SrcRange
		for i := range e.Traversal { // the step that fails
			v, diags := e.Traversal[:i+1].TraverseAbs(d.EvalContext)
			if diags.HasErrors() {
				name = p.snippet(e.Traversal[:i].SourceRange())
				switch s := e.Traversal[i].(type) {
				case hcl.TraverseAttr:
					key = s.Name
				case hcl.TraverseIndex:
					key, _ = text(s.Key)
				}
				break
			}
			coll = v
		}
	}
	if coll == cty.NilVal || !coll.IsKnown() || coll.IsNull() {
		return
	}
	if n, ok := asRef(coll); ok {
		if key != "" {
			f.detail = fmt.Sprintf("%s has nothing called %q that can be read.", n.id, key)
			if n.raw.forEach == nil && n.sch.attr(key) == nil {
				f.detail = fmt.Sprintf("%s is one object, made without for_each: it has no %q.", n.id, key)
			}
		}
		return
	}
	count, ok := length(coll)
	if !ok {
		return
	}
	var keys []string
	if coll.Type().IsObjectType() || coll.Type().IsMapType() {
		for it := coll.ElementIterator(); it.Next(); {
			k, _ := it.Element()
			keys = append(keys, k.AsString())
		}
		f.detail = fmt.Sprintf("%s has no %q.", name, key)
		f.help = meant(key, keys)
		if f.help == "" && len(keys) > 0 {
			f.help = "There are " + among(keys) + "."
		}
	} else if key != "" {
		f.detail = fmt.Sprintf("%s has no element %s: it has %d, counted from 0.", name, key, count)
	}
}

// snippet is the text of a range, where it is short enough for a sentence.
func (p *parser) snippet(r hcl.Range) string {
	for _, f := range p.src.Files {
		if f.Name == r.Filename && r.CanSliceBytes(f.Data) {
			if s := string(r.SliceBytes(f.Data)); s != "" && len(s) <= 60 && !strings.ContainsAny(s, "\n\r") {
				return s
			}
		}
	}
	return "it"
}
