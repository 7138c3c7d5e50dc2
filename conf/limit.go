package conf

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// What a file may cost. The limits are far above honest files and keep the
// others from exhausting memory or stack: HCL's parser and evaluator recurse.
const (
	maxBytes     = 16 << 20  // of all files together
	maxNesting   = 500       // brackets and operators inside each other
	maxInstances = 100_000   // blocks after for_each
	maxSteps     = 1_000_000 // elements that for expressions and functions go through
	maxValue     = 1_000_000 // values, and KiB of text, in one local or variable
	maxTiers     = 4
)

// nesting finds where a text nests deeper than maxNesting. Per open bracket it
// counts the operators since the last separator, because each of them is a
// level of the parser's or of the evaluator's recursion.
func nesting(tokens hclsyntax.Tokens) (hcl.Range, bool) {
	type level struct {
		ops   int
		lines bool // a newline separates
	}
	stack := []level{{lines: true}}
	sum := 0
	for i, t := range tokens {
		top := &stack[len(stack)-1]
		op := false
		switch t.Type {
		case hclsyntax.TokenOBrace:
			isFor := i+1 < len(tokens) && string(tokens[i+1].Bytes) == "for"
			stack = append(stack, level{lines: !isFor})
			sum++
		case hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
			hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp:
			stack = append(stack, level{})
			sum++
		case hclsyntax.TokenTemplateControl: // %{ if } nests until %{ endif }
			top.ops++
			stack = append(stack, level{})
			sum += 2
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
			hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			if len(stack) > 1 {
				sum -= top.ops + 1
				stack = stack[:len(stack)-1]
				top = &stack[len(stack)-1]
			}
			op = t.Type == hclsyntax.TokenCBrack || t.Type == hclsyntax.TokenCParen
		case hclsyntax.TokenComma:
			sum, top.ops = sum-top.ops, 0
		case hclsyntax.TokenNewline:
			if top.lines {
				sum, top.ops = sum-top.ops, 0
			}
		case hclsyntax.TokenIdent, hclsyntax.TokenNumberLit, hclsyntax.TokenStringLit,
			hclsyntax.TokenQuotedLit, hclsyntax.TokenComment, hclsyntax.TokenEOF:
		default:
			op = true
		}
		if op {
			top.ops++
			sum++
		}
		if sum > maxNesting {
			return t.Range, true
		}
	}
	return hcl.Range{}, false
}

// nestingJSON is nesting for HCL's JSON form: of the document and of every
// string in it, which HCL reads as a template.
func nestingJSON(name string, data []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	for depth := 0; ; {
		t, err := dec.Token()
		if err != nil {
			return false // the end, or for the parser to explain
		}
		switch t := t.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				depth++
			} else {
				depth--
			}
			if depth > maxNesting {
				return true
			}
		case string:
			if strings.Contains(t, "${") || strings.Contains(t, "%{") {
				tokens, _ := hclsyntax.LexTemplate([]byte(t), name, hcl.InitialPos)
				if _, deep := nesting(tokens); deep {
					return true
				}
			}
		}
	}
}

var errTooMuch = errors.New("the file's expressions go through more elements than a topology can need")

// countName is a function that no file can call.
const countName = "the collection of a for expression"

// count puts every collection that a file iterates over under the budget, so
// that nested iterations end. It makes each the argument of countFunc, because
// HCL finds the names in nodes of its own kinds only.
func count(body *hclsyntax.Body) {
	call := func(e hclsyntax.Expression) hclsyntax.Expression {
		at := e.Range()
		return &hclsyntax.FunctionCallExpr{
			Name: countName, Args: []hclsyntax.Expression{e},
			NameRange: at, OpenParenRange: at, CloseParenRange: at,
		}
	}
	_ = hclsyntax.VisitAll(body, func(n hclsyntax.Node) hcl.Diagnostics {
		switch n := n.(type) {
		case *hclsyntax.ForExpr:
			n.CollExpr = call(n.CollExpr)
		case *hclsyntax.SplatExpr:
			n.Source = call(n.Source)
		}
		return nil
	})
}

// countFunc returns its argument and takes its length from the budget.
func countFunc(spend func(int) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{
			Name: "collection", Type: cty.DynamicPseudoType,
			AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true,
		}},
		Type: func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if n, ok := length(args[0]); ok && !spend(n) {
				return cty.NilVal, errTooMuch
			}
			return args[0], nil
		},
	})
}

// length is the number of elements of a known collection.
func length(v cty.Value) (int, bool) {
	v, _ = v.Unmark()
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() || !v.CanIterateElements() {
		return 0, false
	}
	return v.LengthInt(), true
}

// weigh reports whether v is at most maxValue values and KiB of text. It
// stops counting there: values that share parts can be exponentially large.
func weigh(v cty.Value) bool {
	left := maxValue
	text := maxValue << 10
	var walk func(v cty.Value) bool
	walk = func(v cty.Value) bool {
		if left--; left < 0 {
			return false
		}
		if v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
			text -= len(v.AsString())
			return text >= 0
		}
		if _, ok := length(v); !ok {
			return true
		}
		for it := v.ElementIterator(); it.Next(); {
			if _, e := it.Element(); !walk(e) {
				return false
			}
		}
		return true
	}
	return walk(v)
}
