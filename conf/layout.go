package conf

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Syntax reads the text of one file of the native syntax, without regard to
// what it means. Its diagnostics are those that [Parse] has about the text
// alone; with an error among them there are no tokens and no body.
func Syntax(f File) (hclsyntax.Tokens, *hclsyntax.Body, Diagnostics) {
	p := newParser(Source{Files: []File{f}}, standardLimits)
	if len(f.Data) > maxBytes {
		p.report(fault{code: "GS018", detail: fmt.Sprintf("%s has %d bytes; a topology may have %d.", f.Name, len(f.Data), maxBytes)})
		return nil, nil, p.diagnostics()
	}
	tokens, _ := hclsyntax.LexConfig(f.Data, f.Name, hcl.InitialPos)
	if at, deep := nesting(tokens); deep {
		p.errorf("GS018", at, "Brackets and operators lie more than %d deep inside each other here.", maxNesting)
		return nil, nil, p.diagnostics()
	}
	file, diags := hclsyntax.ParseConfig(f.Data, f.Name, hcl.InitialPos)
	for _, d := range diags {
		p.syntax(d, hcl.Range{Filename: f.Name, Start: hcl.InitialPos, End: hcl.InitialPos})
	}
	if diags.HasErrors() {
		return nil, nil, p.diagnostics()
	}
	return tokens, file.Body.(*hclsyntax.Body), p.diagnostics()
}

// IsGroup reports whether the block that a path of block types leads to, the
// outermost first, may be written as an argument too: soa = { ... }.
func IsGroup(path ...string) bool {
	b := root
	for _, name := range path {
		if b = b.kid(name); b == nil {
			return false
		}
	}
	return b.group
}
