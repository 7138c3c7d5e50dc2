package conf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// A named is a local or a variable.
type named struct {
	name  string // local.x, var.x
	at    hcl.Range
	expr  hcl.Expression // local
	raw   *raw           // variable
	state state
	v     cty.Value
	uses
}

// work returns the value of a local or variable.
func (p *parser) work(n *named, at hcl.Range) (cty.Value, bool) {
	switch n.state {
	case done:
		return n.v, true
	case broken:
		return cty.DynamicVal, false
	case busy:
		_, harmless := p.enter(n.name, false, at)
		if !harmless {
			n.state = broken
		}
		return cty.DynamicVal, false
	}
	if p.keep <= 0 { // said already
		n.state = broken
		return cty.DynamicVal, false
	}
	if ok, _ := p.enter(n.name, false, at); !ok {
		return cty.DynamicVal, false
	}
	defer p.leave()
	n.state = busy
	soft := p.soft
	var v cty.Value
	var ok bool
	if n.raw != nil {
		v, ok = p.variable(n)
	} else {
		v, ok = p.value(n.expr, nil, nil)
	}
	if ok {
		values, fits := p.limits.fits(v)
		switch {
		case !fits:
			p.errorf("GS018", n.at, "%s has more than %d values or %d bytes of text.", n.name, p.limits.values, p.limits.text)
		case values > p.keep:
			if p.keep > 0 { // said once
				p.errorf("GS018", n.at, "With %s, locals and variables have more than %d values together.", n.name, p.limits.kept)
			}
			p.keep, fits = 0, false
		default:
			p.keep -= values
		}
		ok = fits
	}
	switch {
	case n.state == broken: // a cycle came back here
		ok = false
	case p.soft != soft:
		n.state = idle // seen from inside a cycle; from outside it may be known
	case ok:
		n.state, n.v = done, v
	default:
		n.state = broken
	}
	return v, ok
}

// variable works out a variable: what is given, else its default; of its
// type; and accepted by its validations.
func (p *parser) variable(n *named) (cty.Value, bool) {
	name := n.raw.label
	ty := cty.DynamicPseudoType
	if f, ok := n.raw.field("type"); ok {
		t, diags := typeexpr.TypeConstraint(f.expr)
		if diags.HasErrors() {
			p.errorf("GS010", f.expr.Range(), "%s", diags[0].Detail)
			return cty.DynamicVal, false
		}
		ty = t
	}
	given, outside := p.src.Vars[name]
	from := "--var " + name
	inFile, inside := p.given[name]
	if !outside && !inside {
		from = "GSLB_VAR_" + name
		given, outside = p.src.Env[from]
	}
	at := n.at
	var v cty.Value
	if inside && !outside {
		at = inFile.at
		c, err := convert.Convert(inFile.value, ty)
		if err != nil {
			p.report(fault{
				code: "GS019", at: at, detail: fmt.Sprintf("%s is not of the variable's type: %v.", n.name, err),
				rel: []Related{{n.name + " is declared here", n.at}},
			})
			return cty.DynamicVal, false
		}
		v = c
	} else if outside {
		var why string
		if v, why = parseGiven(given, ty); why != "" {
			f := fault{
				code: "GS019", at: at, what: from, detail: fmt.Sprintf("%s gives %q, which is not of the variable's type: %s.", from, given, why),
				help: fmt.Sprintf("Give %s %s.", from, wanted(ty)),
			}
			if t, ok := n.raw.field("type"); ok {
				f.at, f.rel = t.expr.Range(), []Related{{n.name + " is declared here", n.at}}
			}
			p.report(f)
			return cty.DynamicVal, false
		}
	} else {
		f, ok := n.raw.field("default")
		if !ok {
			p.report(fault{
				code: "GS019", at: at, detail: fmt.Sprintf("%s has no value: none is given and it has no default.", n.name),
				help: fmt.Sprintf("Give --var %s=..., set GSLB_VAR_%s, or give it a default.", name, name),
			})
			return cty.DynamicVal, false
		}
		at = f.expr.Range()
		if v, ok = p.value(f.expr, nil, nil); !ok {
			return v, false
		}
		c, err := convert.Convert(v, ty)
		if err != nil {
			p.errorf("GS010", at, "The default is not of the variable's type: %v.", err)
			return cty.DynamicVal, false
		}
		v = c
	}
	ok := true
	for _, r := range n.raw.kids {
		if r.sch.name == "validation" {
			ok = p.validation(n, r, v, at) && ok
		}
	}
	return v, ok
}

// parseGiven reads a variable's value that came as text: as it is for a
// string, else as an expression.
func parseGiven(given string, ty cty.Type) (cty.Value, string) {
	if ty == cty.String || ty == cty.DynamicPseudoType {
		return cty.StringVal(given), ""
	}
	if ty.IsPrimitiveType() {
		v, err := convert.Convert(cty.StringVal(given), ty)
		if err != nil {
			return v, err.Error()
		}
		return v, ""
	}
	tokens, _ := hclsyntax.LexExpression([]byte(given), "", hcl.InitialPos)
	if _, deep := nesting(tokens); deep {
		return cty.NilVal, "it nests too deep"
	}
	e, diags := hclsyntax.ParseExpression([]byte(given), "", hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, diags[0].Detail
	}
	v, diags := e.Value(nil)
	if diags.HasErrors() {
		return cty.NilVal, diags[0].Detail
	}
	v, err := convert.Convert(v, ty)
	if err != nil {
		return v, err.Error()
	}
	return v, ""
}

// wanted is a type as it is asked for, with an example where that is no plain
// value.
func wanted(ty cty.Type) string {
	switch {
	case ty == cty.Bool:
		return "true or false"
	case ty.IsPrimitiveType():
		return "a " + ty.FriendlyName()
	}
	word := ty.FriendlyName()
	if ty.IsObjectType() || ty.IsTupleType() {
		word = typeexpr.TypeString(ty)
	}
	article := "a "
	if strings.HasPrefix(word, "o") {
		article = "an "
	}
	return article + word + ", as in " + sample(ty)
}

// sample is a value of a type as an expression.
func sample(ty cty.Type) string {
	switch {
	case ty == cty.Bool:
		return "true"
	case ty == cty.Number:
		return "1"
	case ty.IsListType(), ty.IsSetType():
		return "[" + sample(ty.ElementType()) + "]"
	case ty.IsMapType():
		return "{ a = " + sample(ty.ElementType()) + " }"
	case ty.IsTupleType():
		var parts []string
		for _, e := range ty.TupleElementTypes() {
			parts = append(parts, sample(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case ty.IsObjectType():
		var parts []string
		for name, e := range ty.AttributeTypes() {
			parts = append(parts, name+" = "+sample(e))
		}
		slices.Sort(parts)
		return "{ " + strings.Join(parts, ", ") + " }"
	}
	return `"x"`
}

func (p *parser) validation(n *named, r *raw, v cty.Value, at hcl.Range) bool {
	cond, ok1 := r.field("condition")
	msg, ok2 := r.field("error_message")
	if !ok1 || !ok2 {
		return true // reported as missing
	}
	// The variable may be named here although it is being worked out.
	eval := func(e hcl.Expression) (cty.Value, bool) {
		ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: p.funcs}
		vars, locals := map[string]cty.Value{}, map[string]cty.Value{}
		for _, t := range e.Variables() {
			root := t.RootName()
			names, ok := p.members(root, t)
			if !ok {
				return cty.DynamicVal, false
			}
			for _, name := range names {
				if root+tag(name) == n.name {
					vars[name] = v
					continue
				}
				if root != "var" && root != "local" {
					p.errorf("GS017", t.SourceRange(), "A validation can name variables and locals only.")
					return cty.DynamicVal, false
				}
				p.usesOf(root, name).users++
				x, ok := p.named(root, name, t)
				if !ok {
					return x, false
				}
				map[string]map[string]cty.Value{"var": vars, "local": locals}[root][name] = x
			}
		}
		ctx.Variables["var"], ctx.Variables["local"] = cty.ObjectVal(vars), cty.ObjectVal(locals)
		x, diags := e.Value(ctx)
		for _, d := range diags {
			p.expression(d, e)
		}
		return x, !diags.HasErrors()
	}
	c, ok := eval(cond.expr)
	if !ok {
		return false
	}
	if c.IsNull() || !c.IsKnown() || c.Type() != cty.Bool {
		p.errorf("GS010", cond.expr.Range(), "The condition is %s, not true or false.", show(c))
		return false
	}
	if c.True() {
		return true
	}
	detail := "The variable's condition does not hold."
	if m, ok := eval(msg.expr); ok {
		if s, ok := text(m); ok {
			detail = s
		}
	}
	p.report(fault{
		code: "GS019", at: at, detail: fmt.Sprintf("%s is %s: %s", n.name, show(v), detail),
		rel: []Related{{"the condition", cond.expr.Range()}},
	})
	return false
}
