package conf

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"gslb/internal/near"
)

// An Expansion is what a file says once for_each, references, functions and
// defaults are worked out, with the place each thing comes from.
type Expansion struct {
	FormatVersion int       `json:"format_version"`
	Objects       []*Object `json:"objects"` // top-level blocks in file order, each instance its own
}

// An Object is one instance of a block, or a group in one.
type Object struct {
	Address   string     `json:"address"` // director.nat["eu1"], director.nat["eu1"].inside
	Kind      string     `json:"kind"`
	From      *Position  `json:"from,omitempty"` // nil: a group that nobody wrote
	Arguments []Argument `json:"arguments"`
	Blocks    []*Object  `json:"blocks"` // groups, then blocks in file order

	label, key string // of Address: .nat, ["eu1"]
}

// An Argument is an argument with the value that counts.
type Argument struct {
	Name   string    `json:"name"`
	Value  string    `json:"value"` // as the file would write it
	Source Origin    `json:"source"`
	From   *Position `json:"from,omitempty"` // where the value stands; nil for FromDefault
}

// An Origin is who gave a value.
type Origin string

// The origins: the block itself, the file's defaults block, the language.
const (
	FromFile     Origin = "file"
	FromDefaults Origin = "defaults"
	FromDefault  Origin = "default"
)

// A Position is a place in a file; line and column count from 1.
type Position struct {
	Filename string `json:"filename"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
}

func (p Position) String() string { return fmt.Sprintf("%s:%d:%d", p.Filename, p.Line, p.Column) }

func position(r hcl.Range) *Position {
	return &Position{Filename: r.Filename, Line: r.Start.Line, Column: r.Start.Column}
}

// Expand reads a topology as [Parse] does and returns what it says in full.
// The expansion is nil exactly when the diagnostics hold an error. Of a secret
// it holds the place, never the contents.
func Expand(src Source) (*Expansion, Diagnostics) {
	return expand(src, standardLimits)
}

func expand(src Source, l limits) (*Expansion, Diagnostics) {
	p := newParser(src, l)
	if diags := p.run(); diags.HasErrors() {
		return nil, diags
	}
	// Values are worked out again, as the text has them; the first time
	// they became addresses, durations and the like.
	*p.budget = budget{l.steps, l.written}
	instances := map[*raw][]*node{}
	for _, k := range root.kids {
		for _, n := range p.all(k.name) {
			instances[n.raw] = append(instances[n.raw], n)
		}
	}
	x := &Expansion{FormatVersion: FormatVersion, Objects: []*Object{}}
	for _, r := range p.file.kids {
		for _, n := range instances[r] {
			x.Objects = append(x.Objects, p.full(n, n.id))
		}
	}
	diags := p.diagnostics()
	if diags.HasErrors() {
		return nil, diags
	}
	return x, diags
}

// full is a block's or group's object. address is given, as a group of the
// defaults block has none of its own.
func (p *parser) full(n *node, address string) *Object {
	o := &Object{Address: address, Kind: n.sch.name, Arguments: []Argument{}, Blocks: []*Object{}}
	if n.raw.decl != (hcl.Range{}) {
		o.From = position(n.raw.decl)
	}
	if !n.sch.group && n.sch.label != "" {
		o.label = tag(n.raw.label)
		if n.key != cty.NilVal {
			o.key = "[" + spell(n.key) + "]"
		}
	}
	for _, a := range n.sch.attrs {
		if arg, ok := p.argument(n, a); ok {
			o.Arguments = append(o.Arguments, arg)
		}
	}
	for _, k := range n.sch.kids {
		if k.group {
			if g := p.fullGroup(n, k, address+"."+k.name); g != nil {
				o.Blocks = append(o.Blocks, g)
			}
		}
	}
	for _, k := range n.kids {
		o.Blocks = append(o.Blocks, p.full(k, k.id))
	}
	return o
}

// fullGroup is the object of a group of n that counts, nil when nothing of it does.
func (p *parser) fullGroup(n *node, sch *block, address string) *Object {
	if g := n.groups[sch.name]; g != nil {
		return p.full(g, address)
	}
	if sch.later != "" || sch.asks || slices.ContainsFunc(sch.attrs, func(a *attr) bool { return a.must }) {
		return nil
	}
	g := p.full(p.groupOr(n, sch.name), address)
	for i := range g.Arguments {
		if g.Arguments[i].Source == FromFile { // that of the defaults block
			g.Arguments[i].Source = FromDefaults
		}
	}
	if len(g.Arguments) == 0 {
		return nil
	}
	return g
}

// argument is an argument's value, and whether it has one.
func (p *parser) argument(n *node, a *attr) (Argument, bool) {
	v := n.arg(a.name)
	switch {
	case v == nil:
		s := p.derived(n, a.name)
		return Argument{Name: a.name, Value: s, Source: FromDefault}, s != ""
	case v.own:
		return p.spelled(n, a, v, FromFile)
	case v.at != (hcl.Range{}):
		return p.spelled(p.defaults[n.sch.name], a, v, FromDefaults)
	}
	return Argument{Name: a.name, Value: a.def, Source: FromDefault}, a.later == ""
}

// spelled is the argument as block n spells it.
func (p *parser) spelled(n *node, a *attr, v *value, from Origin) (Argument, bool) {
	f, ok := n.raw.field(a.name)
	if !ok {
		return Argument{}, false
	}
	x, ok := p.value(f.expr, n.scope, n.parent)
	if !ok {
		return Argument{}, false
	}
	text := spell(x)
	if a.typ.list && a.typ.kinds != nil { // one reference, a list or a map of them
		ids := make([]string, len(v.items))
		for i, it := range v.items {
			ids[i] = it.x.(*node).id
		}
		text = "[" + strings.Join(ids, ", ") + "]"
	}
	return Argument{Name: a.name, Value: text, Source: from, From: position(v.at)}, true
}

// derived is the value of an argument whose default follows from others; "" when there is none.
func (p *parser) derived(n *node, name string) string {
	ref := func(m *node) string {
		if m == nil {
			return ""
		}
		return m.id
	}
	switch n.sch.name + "." + name {
	case "network.gateway":
		var s []string
		for _, a := range p.gateways[n] {
			s = append(s, strconv.Quote(a.String()))
		}
		if len(s) > 1 {
			return "[" + strings.Join(s, ", ") + "]"
		}
		return strings.Join(s, "")
	case "soa.contact":
		if n.up != nil {
			return strconv.Quote("hostmaster." + strings.TrimSuffix(p.fqdn[n.up], "."))
		}
	case "record.ttl":
		if a, ok := p.argument(n.up, n.up.sch.attr("ttl")); ok {
			return a.Value
		}
	case "tier.scheduler":
		if tiers := n.up.of("tier"); tiers[len(tiers)-1] == n {
			return `"wlc"`
		}
		return `"mh"`
	case "tier.check":
		return ref(n.up.ref("check"))
	case "answer.region":
		if s := n.ref("service"); s != nil {
			return ref(s.ref("region"))
		}
	case "answer.check":
		if s := n.ref("service"); s != nil {
			return ref(s.ref("check"))
		}
	}
	return ""
}

// spell is a value as a file would write it.
func spell(v cty.Value) string {
	if n, ok := asRef(v); ok {
		return n.id
	}
	ty := v.Type()
	switch {
	case !v.IsKnown() || v.IsNull():
		return "null"
	case ty.Equals(secretType):
		return "secret(" + quoted(v.EncapsulatedValue().(*secret).where) + ")"
	case ty == cty.String:
		return quoted(v.AsString())
	case ty == cty.Number:
		if f := v.AsBigFloat(); !f.IsInt() {
			x, _ := f.Float64()
			return strconv.FormatFloat(x, 'f', -1, 64)
		}
		return v.AsBigFloat().Text('f', 0)
	case ty == cty.Bool:
		return strconv.FormatBool(v.True())
	case !v.CanIterateElements():
		return show(v)
	}
	named := ty.IsObjectType() || ty.IsMapType()
	var parts []string
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		s := spell(e)
		if named {
			key := k.AsString()
			if !hclsyntax.ValidIdentifier(key) {
				key = quoted(key)
			}
			s = key + " = " + s
		}
		parts = append(parts, s)
	}
	switch all := strings.Join(parts, ", "); {
	case !named:
		return "[" + all + "]"
	case all == "":
		return "{}"
	default:
		return "{ " + all + " }"
	}
}

// quoted is a string literal of the language.
func quoted(s string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes())
}

// IsAddress reports whether s is meant to be an object's address rather than
// the name of a file: it begins with a kind of block, or nearly.
func IsAddress(s string) bool {
	if strings.ContainsAny(s, `/\`) || strings.HasSuffix(s, ".hcl") || strings.HasSuffix(s, ".json") {
		return false
	}
	kind, _, _ := strings.Cut(strings.ReplaceAll(s, "[", "."), ".")
	var words []string
	for _, k := range root.kids {
		if k != localsBlock && k != variableBlock && k != defaultsBlock {
			words = append(words, k.name)
		}
	}
	return slices.Contains(words, kind) || near.Word(kind, words) != ""
}

// Find returns the objects an address means: one, or all instances where it
// leaves out the key, or the label too. Quotes may be missing, as a shell
// takes them away. Without any, help may name an address that was meant.
func (x *Expansion) Find(address string) (found []*Object, help string) {
	if found = find(x.Objects, bare(address)); len(found) > 0 {
		return found, ""
	}
	var known []string
	seen := map[string]bool{}
	var walk func(objects []*Object)
	walk = func(objects []*Object) {
		for _, o := range objects {
			for _, s := range []string{strings.TrimSuffix(o.Address, o.key), o.Address} {
				if !seen[s] {
					seen[s] = true
					known = append(known, s)
				}
			}
			walk(o.Blocks)
		}
	}
	walk(x.Objects)
	// Compared without the quotes, named with them.
	quotes := map[string]string{}
	var words []string
	for _, s := range known {
		if _, ok := quotes[bare(s)]; !ok {
			quotes[bare(s)] = s
			words = append(words, bare(s))
		}
	}
	if n := near.Word(bare(address), words); n != "" {
		return nil, "Did you mean " + quotes[n] + "?"
	}
	kind, _, _ := strings.Cut(bare(address), ".")
	var same []string
	for _, o := range x.Objects {
		if o.Kind == kind {
			same = append(same, o.Address)
		}
	}
	if len(same) == 0 {
		return nil, fmt.Sprintf("The file has no %s.", kind)
	}
	return nil, "There are " + among(same) + "."
}

// bare is an address without its quotes.
func bare(s string) string { return strings.ReplaceAll(s, `"`, "") }

func find(objects []*Object, address string) []*Object {
	var out []*Object
	for _, o := range objects {
		forms := []string{bare(o.Kind + o.label + o.key), bare(o.Kind + o.label), o.Kind}
		for _, form := range forms {
			if address == form {
				out = append(out, o)
				break
			}
			if rest, ok := strings.CutPrefix(address, form+"."); ok {
				if in := find(o.Blocks, rest); len(in) > 0 {
					out = append(out, in...)
					break
				}
			}
		}
	}
	return out
}

// Print writes objects for people: a block for each, where every argument has
// its origin behind it. paint colours what is remarked; nil leaves it plain.
func Print(objects []*Object, paint func(string) string) string {
	if paint == nil {
		paint = func(s string) string { return s }
	}
	var out strings.Builder
	for i, o := range objects {
		if i > 0 {
			out.WriteByte('\n')
		}
		var rows []row
		o.rows(&rows, 0, o.Address)
		width := 0
		for _, r := range rows {
			if n := len([]rune(r.text)); n <= widest {
				width = max(width, n)
			}
		}
		for _, r := range rows {
			out.WriteString(r.text)
			if r.note != "" {
				pad := max(0, width-len([]rune(r.text)))
				out.WriteString(strings.Repeat(" ", pad+2) + paint("# "+r.note))
			}
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// widest is the longest line that remarks of others are aligned with.
const widest = 76

type row struct{ text, note string }

func (o *Object) rows(out *[]row, depth int, head string) {
	in := strings.Repeat("  ", depth)
	note := ""
	if o.From != nil {
		note = o.From.String()
	}
	if len(o.Arguments)+len(o.Blocks) == 0 {
		*out = append(*out, row{in + head + " {}", note})
		return
	}
	*out = append(*out, row{in + head + " {", note})
	width := 0
	for _, a := range o.Arguments {
		width = max(width, len(a.Name))
	}
	for _, a := range o.Arguments {
		note := string(a.Source)
		switch {
		case a.Source == FromFile:
			note = a.From.String()
		case a.From != nil:
			note += " " + a.From.String()
		}
		*out = append(*out, row{printable(fmt.Sprintf("%s  %-*s = %s", in, width, a.Name, a.Value)), note})
	}
	for _, b := range o.Blocks {
		b.rows(out, depth+1, cmp.Or(b.Kind+b.label+b.key, b.Kind))
	}
	*out = append(*out, row{in + "}", ""})
}
