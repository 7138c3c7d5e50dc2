package conf

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Syntax says what is wrong with the text of one file by itself, as [Parse]
// would: whether it can be read, not what it means.
func Syntax(f File) Diagnostics {
	p := newParser(Source{Files: []File{f}}, standardLimits)
	if len(f.Data) > maxBytes {
		p.report(fault{code: "GS018", detail: fmt.Sprintf("%s has %d bytes; a topology may have %d.", f.Name, len(f.Data), maxBytes)})
		return p.diagnostics()
	}
	p.body(f)
	return slices.DeleteFunc(p.diagnostics(), func(d *hcl.Diagnostic) bool {
		return Code(d) == "GS005" // keys given twice are well-formed
	})
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
