package conf

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/hashicorp/hcl/v2"
)

// A given is a variable's value out of a file.
type given struct {
	value cty.Value
	at    hcl.Range
}

// readVars reads the files of values: name = value, the value an expression
// that names nothing. Of two files the later one counts.
func (p *parser) readVars() {
	for _, f := range p.src.VarFiles {
		body := p.body(f)
		if body == nil {
			continue
		}
		attrs, diags := body.JustAttributes()
		for _, d := range diags {
			p.errorf("GS003", *d.Subject, "A file of values holds name = value, no blocks.")
		}
		var fields []field
		for _, a := range attrs {
			fields = append(fields, field{a.Name, a.NameRange, a.Expr})
		}
		sortFields(fields)
		for _, a := range fields {
			if a.name == "//" {
				continue // a comment in HCL's JSON form
			}
			known := false
			for _, name := range p.index["var"] {
				known = known || name == a.name
			}
			if !known {
				p.report(fault{
					code: "GS019", at: a.at, detail: fmt.Sprintf("A value is given for var.%s, which the topology does not declare.", a.name),
					help: meant(a.name, p.index["var"]),
				})
				continue
			}
			if vars := a.expr.Variables(); len(vars) > 0 {
				p.errorf("GS017", vars[0].SourceRange(), "A value can name nothing of the topology: %s is given before it is read.", a.name)
				continue
			}
			if v, ok := p.value(a.expr, nil, nil); ok {
				p.given[a.name] = given{v, a.expr.Range()}
			}
		}
	}
}
