package conf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"

	"gslb/internal/near"
)

// A raw is a block as the text has it, before for_each and evaluation.
type raw struct {
	sch     *block
	label   string
	at      hcl.Range // its label, or its type where it has none
	decl    hcl.Range // its type and label
	forEach *field
	fields  []field
	kids    []*raw         // blocks and groups in it, in order
	expr    hcl.Expression // a group that is an expression: soa = local.soa
	known   map[string]bool
	address string // what addr returns
	top     *top   // of a block at the top of a file, where a Memory keeps it
}

// A field is an argument as the text has it.
type field struct {
	name string
	at   hcl.Range // its name
	expr hcl.Expression
}

// know notes that a wrong word was probably meant to be name.
func (r *raw) know(name string) {
	if r.known == nil {
		r.known = map[string]bool{}
	}
	r.known[name] = true
}

func (r *raw) field(name string) (field, bool) {
	for _, f := range r.fields {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

// addr is how the text's block is called in sentences: director.nat.
func (r *raw) addr() string {
	if r.address == "" {
		r.address = r.sch.name + tag(r.label)
	}
	return r.address
}

// identifier reports whether an expression can name s: [hclsyntax.ValidIdentifier],
// which is slow for what most names are.
func identifier(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && ('0' <= c && c <= '9' || c == '_' || c == '-'):
		default:
			return hclsyntax.ValidIdentifier(s)
		}
	}
	return s != ""
}

// tag is a label as part of an address: .www or ["@"].
func tag(label string) string {
	if identifier(label) {
		return "." + label
	}
	return fmt.Sprintf("[%q]", label)
}

// read parses all files into raw blocks.
func (p *parser) read() {
	p.problems()
	size := 0
	for _, f := range p.src.Files {
		size += len(f.Data)
	}
	if size > maxBytes {
		p.fatal = true
		p.report(fault{code: "GS018", detail: fmt.Sprintf("The files have %d bytes together; a topology may have %d.", size, maxBytes)})
		return
	}
	names := map[string]bool{}
	for _, f := range p.src.Files {
		if names[f.Name] {
			p.report(fault{code: "GS016", at: hcl.Range{Filename: f.Name, Start: hcl.InitialPos, End: hcl.InitialPos}, detail: "The file is given twice."})
			continue
		}
		names[f.Name] = true
		if body := p.body(f); body != nil {
			p.file.kids = append(p.file.kids, p.content(body, root).kids...)
		}
	}
	p.duplicates(p.file)
}

// body parses one file; nil when there is nothing to go on with.
func (p *parser) body(f File) hcl.Body {
	top := hcl.Range{Filename: f.Name, Start: hcl.InitialPos, End: hcl.InitialPos}
	tooDeep := func(at hcl.Range) hcl.Body {
		p.fatal = true
		p.errorf("GS018", at, "Brackets and operators lie more than %d deep inside each other here.", maxNesting)
		return nil
	}
	var file *hcl.File
	var diags hcl.Diagnostics
	isJSON := strings.HasSuffix(f.Name, ".json")
	if isJSON {
		if nestingJSON(f.Name, f.Data) {
			return tooDeep(top)
		}
		file, diags = json.Parse(f.Data, f.Name)
	} else {
		if !shallow(f.Data) {
			tokens, _ := hclsyntax.LexConfig(f.Data, f.Name, hcl.InitialPos)
			if at, deep := nesting(tokens); deep {
				return tooDeep(at)
			}
		}
		file, diags = hclsyntax.ParseConfig(f.Data, f.Name, hcl.InitialPos)
	}
	for _, d := range diags {
		p.syntax(d, top)
	}
	if _, torn := p.torn[f.Name]; torn && isJSON {
		return nil // its parser makes nothing of half a text
	}
	if file == nil {
		return nil
	}
	if b, ok := file.Body.(*hclsyntax.Body); ok {
		p.walk(b)
	}
	return file.Body
}

// syntax reports a complaint of HCL's parsers.
func (p *parser) syntax(d *hcl.Diagnostic, top hcl.Range) {
	at := top
	if d.Subject != nil {
		at = *d.Subject
	}
	code := "GS016"
	if d.Summary == "Attribute redefined" || d.Summary == "Duplicate argument" {
		code = "GS007" // the rest of the text is whole
	} else if first, ok := p.torn[at.Filename]; !ok || at.Start.Byte < first {
		p.torn[at.Filename] = at.Start.Byte
	}
	p.errorf(code, at, "%s: %s", d.Summary, d.Detail)
}

// walk looks at every expression of a file once: it puts iterations under the
// budget and reports keys that an object gives twice.
func (p *parser) walk(body *hclsyntax.Body) {
	_ = hclsyntax.VisitAll(body, func(n hclsyntax.Node) hcl.Diagnostics {
		switch n := n.(type) {
		case *hclsyntax.ObjectConsExpr:
			p.keys(n)
		case *hclsyntax.ForExpr, *hclsyntax.SplatExpr, *hclsyntax.TemplateExpr:
			meter(n, p.budget)
		}
		return nil
	})
}

// keys reports keys that an object in the file gives twice: HCL itself lets
// the later one win in silence.
func (p *parser) keys(obj *hclsyntax.ObjectConsExpr) {
	seen := map[string]hcl.Range{}
	for _, it := range obj.Items {
		key := hcl.ExprAsKeyword(it.KeyExpr)
		if key == "" {
			if len(it.KeyExpr.Variables()) > 0 {
				continue
			}
			v, diags := it.KeyExpr.Value(nil)
			if diags.HasErrors() {
				continue
			}
			var ok bool
			if key, ok = text(v); !ok {
				continue
			}
		}
		if first, ok := seen[key]; ok {
			p.report(fault{
				code: "GS005", at: it.KeyExpr.Range(), detail: fmt.Sprintf("The key %q is there twice.", key),
				rel: []Related{{"first given here", first}},
			})
			continue
		}
		seen[key] = it.KeyExpr.Range()
	}
}

// content reads a body by its row of the schema table.
func (p *parser) content(body hcl.Body, sch *block) *raw {
	r := &raw{sch: sch}
	if sch.free {
		attrs, diags := body.JustAttributes()
		for _, d := range diags {
			p.errorf("GS003", *d.Subject, "%s holds names and expressions, no blocks.", sch.name)
		}
		for _, a := range attrs {
			r.fields = append(r.fields, field{a.Name, a.NameRange, a.Expr})
		}
		sortFields(r.fields)
		return r
	}
	native, isNative := body.(*hclsyntax.Body)
	names, blocks := sch.words()
	form := forms[sch]
	if !isNative {
		form = formsJSON[sch]
	}
	content, remain, diags := body.PartialContent(form)
	for _, d := range diags {
		p.structure(d, sch)
	}

	type entry struct {
		at  int
		add func()
	}
	var entries []entry
	for _, a := range content.Attributes {
		f := field{a.Name, a.NameRange, a.Expr}
		entries = append(entries, entry{a.NameRange.Start.Byte, func() {
			if k := sch.kid(f.name); k != nil && k.group {
				r.kids = append(r.kids, p.groupOf(f, k))
			} else if f.name == "for_each" {
				r.forEach = &f
			} else {
				r.fields = append(r.fields, f)
			}
		}})
	}
	for i, b := range content.Blocks {
		at := b.TypeRange.Start.Byte
		if !isNative {
			at = i // HCL gives them in order
		}
		entries = append(entries, entry{at, func() {
			k := p.content(b.Body, sch.kid(b.Type))
			k.at, k.decl = b.TypeRange, b.DefRange
			if len(b.Labels) > 0 {
				k.label, k.at = b.Labels[0], b.LabelRanges[0]
			}
			r.kids = append(r.kids, k)
		}})
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return a.at - b.at })
	for _, e := range entries {
		e.add()
	}
	sortFields(r.fields)

	if isNative {
		for _, b := range native.Blocks {
			if sch.kid(b.Type) == nil {
				p.unknownBlock(r, b, names, blocks)
			}
		}
		for _, a := range native.Attributes {
			if !slices.Contains(names, a.Name) {
				p.unknownArgument(r, a.Name, a.NameRange, names, blocks)
			}
		}
	} else {
		rest, _ := remain.JustAttributes()
		for _, a := range rest {
			if a.Name == "//" {
				continue // a comment in HCL's JSON form
			}
			p.unknownArgument(r, a.Name, a.NameRange, names, blocks)
		}
	}
	return r
}

// forms are the rows of the schema table as HCL wants them; formsJSON without
// the groups, which are arguments in HCL's JSON form.
var forms, formsJSON = func() (native, json map[*block]*hcl.BodySchema) {
	native, json = map[*block]*hcl.BodySchema{}, map[*block]*hcl.BodySchema{}
	var walk func(b *block)
	walk = func(b *block) {
		if native[b] != nil {
			return
		}
		n, j := &hcl.BodySchema{}, &hcl.BodySchema{}
		native[b], json[b] = n, j
		names, _ := b.words()
		for _, name := range names {
			n.Attributes = append(n.Attributes, hcl.AttributeSchema{Name: name})
		}
		j.Attributes = n.Attributes
		for _, k := range b.kids {
			header := hcl.BlockHeaderSchema{Type: k.name}
			if k.label != "" {
				header.LabelNames = []string{k.label}
			}
			n.Blocks = append(n.Blocks, header)
			if !k.group {
				j.Blocks = append(j.Blocks, header)
			}
			walk(k)
		}
	}
	walk(root)
	return native, json
}()

func sortFields(fs []field) {
	slices.SortStableFunc(fs, func(a, b field) int { return a.at.Start.Byte - b.at.Start.Byte })
}

// groupOf reads a group that is written as an argument.
func (p *parser) groupOf(f field, sch *block) *raw {
	r := &raw{sch: sch, at: f.at, decl: f.at}
	pairs, diags := hcl.ExprMap(f.expr)
	if diags.HasErrors() {
		r.expr = f.expr // worked out for each instance
		return r
	}
	names, blocks := sch.words()
	for _, kv := range pairs {
		name := hcl.ExprAsKeyword(kv.Key)
		if name == "" {
			v, _ := kv.Key.Value(nil)
			name, _ = text(v)
		}
		if name == "" {
			p.errorf("GS017", kv.Key.Range(), "%s = { ... } takes plain names.", sch.name)
			continue
		}
		g := field{name, kv.Key.Range(), kv.Value}
		if k := sch.kid(name); k != nil {
			r.kids = append(r.kids, p.groupOf(g, k))
			continue
		}
		if !slices.Contains(names, name) {
			p.unknownArgument(r, name, g.at, names, blocks)
			continue
		}
		r.fields = append(r.fields, g)
	}
	return r
}

// structure reports a complaint of HCL about a body's structure.
func (p *parser) structure(d *hcl.Diagnostic, sch *block) {
	at := sch.name
	switch {
	case d.Subject == nil:
		p.errorf("GS016", hcl.Range{}, "%s: %s", d.Summary, d.Detail)
	case strings.HasPrefix(d.Summary, "Extraneous label"), strings.HasPrefix(d.Summary, "Missing "), strings.Contains(d.Summary, "label"):
		p.report(labels(d, sch))
		if sch == root { // what refers to it would only repeat this
			p.ghost(lastWord(d.Summary))
		}
	case strings.HasPrefix(d.Summary, "Duplicate"):
		p.errorf("GS007", *d.Subject, "%s", d.Detail)
	default:
		p.errorf("GS016", *d.Subject, "In %s: %s: %s", at, d.Summary, d.Detail)
	}
}

// ghost notes that a block of a kind was not read: references to it are not
// wrong for that.
func (p *parser) ghost(kind string) {
	switch kind {
	case "locals":
		kind = "local"
	case "variable":
		kind = "var"
	}
	p.ghosts[kind] = true
}

// labels is HCL's complaint about the labels of a block in sch in our words.
func labels(d *hcl.Diagnostic, sch *block) fault {
	f := fault{code: "GS004", at: *d.Subject, what: d.Detail, detail: d.Detail}
	k := sch.kid(lastWord(d.Summary)) // "Extraneous label for region"
	switch {
	case k == nil: // the JSON form
	case k.label == "":
		f.detail, f.help = k.name+" takes no label.", fmt.Sprintf("Write %s { ... }.", k.name)
	default:
		f.detail, f.help = k.name+" takes one label.", fmt.Sprintf("Write %s \"%s\" { ... }.", k.name, k.label)
	}
	return f
}

func lastWord(s string) string { return s[strings.LastIndexByte(s, ' ')+1:] }

func where(sch *block) string {
	if sch == root {
		return "the file"
	}
	return sch.name
}

func (p *parser) unknownBlock(r *raw, b *hclsyntax.Block, names, blocks []string) {
	f := fault{code: "GS003", at: b.TypeRange, detail: fmt.Sprintf("There is no block %q in %s.", b.Type, where(r.sch))}
	n, help := translated(b.Type, append(blocks, names...))
	if n == "" {
		if n = near.Word(b.Type, blocks); n != "" {
			help = "Did you mean " + n + "?"
		}
	}
	switch {
	case slices.Contains(names, b.Type):
		f.detail = fmt.Sprintf("%s is an argument of %s, not a block.", b.Type, where(r.sch))
		f.help = fmt.Sprintf("Write %s = ...", b.Type)
		r.know(b.Type)
	case n != "":
		f.help = help
		r.know(n)
	default:
		if r.sch != root && root.kid(b.Type) != nil {
			f.help = fmt.Sprintf("%s blocks stand at the top of a file.", b.Type)
		} else if len(blocks) > 0 {
			f.help = "Blocks here are " + among(blocks) + "."
		} else {
			f.help = where(r.sch) + " holds no blocks."
		}
	}
	if r.sch == root { // what refers to it would only repeat this
		for _, k := range []string{b.Type, n} {
			p.ghost(k)
		}
	}
	p.report(f)
}

func (p *parser) unknownArgument(r *raw, name string, at hcl.Range, names, blocks []string) {
	f := fault{code: "GS001", at: at, detail: fmt.Sprintf("There is no argument %q in %s.", name, where(r.sch))}
	n, help := translated(name, names)
	if n == "" {
		if n = near.Word(name, names); n != "" {
			help = "Did you mean " + n + "?"
		}
	}
	switch {
	case slices.Contains(blocks, name):
		f.detail = fmt.Sprintf("%s is a block in %s, not an argument.", name, where(r.sch))
		f.help = fmt.Sprintf("Write %s { ... } or %s \"name\" { ... }.", name, name)
		if k := r.sch.kid(name); k != nil && k.label == "" {
			f.help = fmt.Sprintf("Write %s { ... }.", name)
		}
	case name == "for_each":
		f.help = r.sch.name + " cannot be repeated."
	case n != "":
		f.help = help
		r.know(n)
	case len(names) > 0:
		f.help = "Arguments here are " + among(names) + "."
	case r.sch == root:
		f.help = "A file holds blocks; names for expressions go into locals { ... }."
	}
	p.report(f)
}

// duplicates reports blocks that are declared twice in one body, in r and in
// whatever lies in it.
func (p *parser) duplicates(r *raw) {
	for _, k := range r.kids {
		p.duplicates(k)
	}
	p.doubles(r)
}

// doubles is duplicates for r alone.
func (p *parser) doubles(r *raw) {
	if len(r.kids) < 2 {
		return
	}
	type key struct{ kind, label string }
	first := make(map[key]*raw, len(r.kids))
	for _, k := range r.kids {
		switch {
		case k.sch.one:
		case k.sch.label == "" || k.sch.name == "record" || k.sch.name == "step" && k.label == "policy":
			continue // validation blocks; records share an owner, and policies may have several others' steps
		}
		id := key{k.sch.name, k.label}
		if k.sch.one {
			id.label = ""
		}
		f, again := first[id]
		if !again {
			first[id] = k
			continue
		}
		what := k.addr()
		if k.sch.label == "" {
			what = k.sch.name
		}
		detail := fmt.Sprintf("%s is declared already.", what)
		if k.sch.one {
			detail = fmt.Sprintf("There can be one %s in %s.", k.sch.name, where(r.sch))
		}
		p.report(fault{code: "GS007", at: k.decl, detail: detail, rel: []Related{{"first declared here", f.decl}}})
	}
}
