package conf

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"gslb/topology"
)

// A Problem is a file that could not be read.
type Problem struct {
	By     Include // what names it; the zero Include is the user
	Name   string  // of the file, folder or pattern
	Reason string  // "no such file"
	Large  bool    // it is there, and more than is read
}

// An Include is an include block of a file.
type Include struct {
	Path string // as the block's label gives it: relative to the file's folder
	at   hcl.Range
}

// Includes are the include blocks of a file in order. What is wrong with the
// file is Parse's to say.
func Includes(f File) []Include {
	p := newParser(Source{Files: []File{f}}, standardLimits)
	body := p.body(f)
	if body == nil {
		return nil
	}
	content, _, _ := body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: includeBlock.name, LabelNames: []string{includeBlock.label}}}})
	if content == nil {
		return nil
	}
	var out []Include
	for _, b := range content.Blocks {
		out = append(out, Include{b.Labels[0], b.LabelRanges[0]})
	}
	return out
}

// Wanted is what a topology needs of the disk beside src: texts for
// [Source.Texts], and paths that it names, for [Source.Unread]. A text may
// lead to more: ask again with it.
func Wanted(src Source) (texts, paths []string) {
	p := newParser(src, standardLimits)
	p.wanted = map[string]bool{}
	p.read()
	if !p.fatal {
		p.evaluate()
	}
	for _, n := range p.paths() {
		paths = append(paths, n.path)
	}
	slices.Sort(paths)
	return slices.Sorted(maps.Keys(p.wanted)), slices.Compact(paths)
}

// problems reports the files that could not be read.
func (p *parser) problems() {
	for _, x := range p.src.Problems {
		code := "GS022"
		if x.Large {
			code = "GS018"
		}
		f := fault{code: code, at: x.By.at, what: x.Name, detail: fmt.Sprintf("%s: %s.", x.Name, x.Reason)}
		if x.Name == "." && x.By == (Include{}) { // as where no file is given
			f.help = "Name the files, or go to the folder that they are in."
		}
		p.report(f)
	}
}

// A nodePath is a file that the topology names and a node reads.
type nodePath struct {
	path string
	at   hcl.Range
	who  string
}

func (p *parser) paths() []nodePath {
	var out []nodePath
	add := func(n *node, arg string) {
		if s, ok := get[string](n, arg); ok && s != "" {
			out = append(out, nodePath{s, n.at(arg), n.id + "." + arg})
		}
		if s, ok := get[*secret](n, arg); ok {
			if path, ok := strings.CutPrefix(s.where, "file:"); ok {
				out = append(out, nodePath{path, n.at(arg), n.id + "." + arg})
			}
		}
	}
	for _, n := range p.all("cluster") {
		add(n, "ca")
	}
	for _, n := range p.all("geoip") {
		add(n, "city")
		add(n, "asn")
	}
	for _, n := range p.all("zone") {
		add(n, "file")
		if g := n.groups["dnssec"]; g != nil {
			add(g, "keys")
		}
	}
	return out
}

// checkPaths warns of files that cannot be read here: the nodes that read them
// may have them.
func (p *parser) checkPaths() {
	for _, n := range p.paths() {
		if why := p.src.Unread[n.path]; why != "" {
			p.warn(fault{
				code: "GS015", at: n.at, detail: fmt.Sprintf("%s cannot be read here: %s.", n.path, why),
				help: fmt.Sprintf("%s is read on the nodes. If it is there, all is well.", n.who),
			})
		}
	}
}

// masters passes on what is wrong in master files.
func (p *parser) masters() {
	for _, m := range p.src.Masters {
		for _, flaw := range m.Flaws {
			p.report(fault{code: "GS118", at: m.line(flaw.Line), what: flaw.What, detail: flaw.What + "."})
		}
	}
}

// line is the place of a line without the blanks around it; of line 0 the
// beginning of the file.
func (m *Master) line(n int) hcl.Range {
	if m.Name == "" {
		return hcl.Range{}
	}
	from, rest := 0, m.Data
	for range n - 1 {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		from, rest = from+i+1, rest[i+1:]
	}
	text, _, _ := bytes.Cut(rest, []byte("\n"))
	before := len(text) - len(bytes.TrimLeft(text, " \t"))
	text = bytes.TrimSpace(text)
	if n == 0 {
		n, text = 1, nil
	}
	start := hcl.Pos{Line: n, Column: 1 + before, Byte: from + before}
	return hcl.Range{Filename: m.Name, Start: start, End: hcl.Pos{Line: n, Column: start.Column + utf8.RuneCount(text), Byte: start.Byte + len(text)}}
}

// fileFunc is file(path): the text of a file, relative to the folder of the
// topology's first file.
func (p *parser) fileFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path := args[0].AsString()
			if s, ok := p.src.Texts[path]; ok {
				if !p.write(len(s)) {
					return cty.NilVal, errTooMuch
				}
				return cty.StringVal(s), nil
			}
			if p.wanted != nil {
				p.wanted[path] = true
				return cty.UnknownVal(cty.String), nil
			}
			if why := p.src.Unread[path]; why != "" {
				return cty.NilVal, fmt.Errorf("cannot read %s: %s", path, why)
			}
			return cty.NilVal, fmt.Errorf("cannot read %s: it is not among the inputs", path)
		},
	})
}

// envFunc is env(name): a variable of the environment.
func (p *parser) envFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			s, ok := p.src.Env[name]
			if !ok {
				return cty.NilVal, fmt.Errorf("the environment has no %s; try(env(%q), \"...\") gives another value then", name, name)
			}
			return cty.StringVal(s), nil
		},
	})
}

// distanceFunc is distance_km(a, b): the great circle between two regions or
// two places [latitude, longitude].
var distanceFunc = function.New(&function.Spec{
	Params: []function.Parameter{
		{Name: "from", Type: cty.DynamicPseudoType, AllowDynamicType: true},
		{Name: "to", Type: cty.DynamicPseudoType, AllowDynamicType: true},
	},
	Type: function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var at [2]topology.Point
		for i, v := range args {
			if n, ok := asRef(v); ok {
				if n.sch.attr("location") == nil {
					return cty.NilVal, function.NewArgErrorf(i, "%s is a %s; give a region or [latitude, longitude]", n.id, n.sch.name)
				}
				if v = v.GetAttr("location"); v.IsNull() {
					return cty.NilVal, function.NewArgErrorf(i, "%s has no location", n.id)
				}
			}
			if !v.IsWhollyKnown() {
				return cty.UnknownVal(cty.Number), nil
			}
			x, c := convPoint(v)
			if c != nil {
				return cty.NilVal, function.NewArgErrorf(i, "%s", c.text)
			}
			at[i] = x.(topology.Point)
		}
		return cty.NumberFloatVal(math.Round(at[0].Kilometres(at[1]))), nil
	},
})
