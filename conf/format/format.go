// Package format gives topology files their one layout. A file's bytes go in,
// its bytes laid out come out; it reads and writes nothing. It moves white
// space, and it writes single groups as arguments (soa = { ... }); what the
// file means, its order and its comments are not its to change. Where lines
// break is the author's choice. The rules are those of `terraform fmt`, as far
// as that has any.
package format

import (
	"bytes"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"gslb/conf"
)

// Source returns a file of HCL's native syntax in its layout. When the text
// cannot be read it returns nil and what is wrong with it; what it means need
// not be valid. The layout of what Source returned is that text itself.
//
// Every comment stays, with all its bytes but white space at the end of a line
// comment. Lines end as the first of them does, in "\n" or "\r\n"; in the text
// of heredocs and block comments nothing is changed. A byte order mark is
// dropped.
func Source(f conf.File) ([]byte, conf.Diagnostics) {
	tokens, body, diags := conf.Syntax(f)
	if diags.HasErrors() {
		return nil, diags
	}
	m := mark(body)
	out := layout(grouped(tokens, m), m)
	if len(m.groups) > 0 {
		// An argument nests deeper than a block: it may be too deep.
		if _, _, diags := conf.Syntax(conf.File{Name: f.Name, Data: out}); diags.HasErrors() {
			out = layout(tokens, m)
		}
	}
	return out, nil
}

func layout(tokens hclsyntax.Tokens, m marks) []byte {
	lines, end := split(tokens)
	lines = squeeze(lines)
	space(lines, m)
	indent(lines)
	align(lines)
	var out bytes.Buffer
	for _, l := range lines {
		for _, t := range l.tokens {
			for range t.gap {
				out.WriteByte(' ')
			}
			out.Write(t.text)
		}
		out.WriteString(end)
	}
	return out.Bytes()
}
