package conf

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// standards are the schema table's defaults as values.
var standards = func() map[*attr]any {
	m := map[*attr]any{}
	var walk func(b *block)
	walk = func(b *block) {
		for _, a := range b.attrs {
			if a.def == "" || m[a] != nil {
				continue
			}
			e, diags := hclsyntax.ParseExpression([]byte(a.def), "default", hcl.InitialPos)
			if diags.HasErrors() {
				panic("conf: default of " + b.name + "." + a.name + ": " + diags.Error())
			}
			v, diags := e.Value(nil)
			if diags.HasErrors() {
				panic("conf: default of " + b.name + "." + a.name + ": " + diags.Error())
			}
			x, c := a.typ.conv(v)
			if c != nil {
				panic("conf: default of " + b.name + "." + a.name + ": " + c.text)
			}
			m[a] = x
		}
		for _, k := range b.kids {
			walk(k)
		}
	}
	walk(root)
	return m
}()

// standard is the value of an argument that nobody gave.
func standard(a *attr) any { return standards[a] }

// defaultValues are what blocks have that give nothing, the same for all of them.
// None of them is a list of addresses or objects, which a value would keep.
var defaultValues = func() map[*attr]*value {
	m := make(map[*attr]*value, len(standards))
	for a, x := range standards {
		m[a] = &value{attr: a, items: []item{{x: x}}}
	}
	return m
}()
