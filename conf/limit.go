package conf

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// What a file may cost. The limits are far above honest files and keep the
// others from exhausting memory or stack: HCL's parser and evaluator recurse.
const (
	maxBytes   = 16 << 20 // of all files together
	maxNesting = 500      // brackets and operators inside each other
	maxTiers   = 4
)

// limits are those that a test can lower.
type limits struct {
	instances int // blocks after for_each, and elements that one function makes
	steps     int // elements that for expressions and functions go through
	values    int // in one local or variable
	kept      int // values in all locals and variables
	text      int // bytes of text in one local or variable
	written   int // bytes of text that templates and functions write
}

var standardLimits = limits{instances: 250_000, steps: 1_000_000, values: 1_000_000, kept: 3_000_000, text: 1 << 20, written: 64 << 20}

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

// shallow reports whether a text surely nests no deeper than maxNesting, by a
// look at its bytes; false means that nesting must tell. It is for long files
// that write everything out, whose tokens are worth not making twice: without
// templates, heredocs, escapes and comments over lines, a string or comment ends
// with its line, and brackets can be counted.
func shallow(data []byte) bool {
	for _, s := range []string{"${", "%{", "<<", "/*", "\\"} {
		if bytes.Contains(data, []byte(s)) {
			return false
		}
	}
	if !utf8.Valid(data) {
		return false
	}
	depth, inner, ops := 0, 0, 0 // brackets open, those in which a newline means nothing, operators since it meant something
	for i := 0; i < len(data); i++ {
		switch c := data[i]; c {
		case '"':
			end := bytes.IndexAny(data[i+1:], "\"\n")
			if end < 0 {
				return false
			}
			if i += 1 + end; data[i] == '\n' {
				return false // the parser will say so
			}
		case '#':
			end := bytes.IndexByte(data[i:], '\n')
			if end < 0 {
				return true
			}
			i += end - 1 // the newline is next
		case '{':
			depth++
		case '[', '(':
			depth++
			inner++
		case '}':
			depth--
		case ']', ')':
			depth--
			inner--
			ops++
		case '\n':
			if inner <= 0 {
				ops = 0
			}
		case ' ', '\t', '\r', ',':
		default:
			if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c >= 0x80) {
				ops++
			}
		}
		if depth+ops > maxNesting || depth < 0 || inner < 0 {
			return false
		}
	}
	return true
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

var errTooMuch = errors.New("the expressions of the file make more than a topology can need")

// A metered expression is paid for when it is evaluated. It stands in
// parentheses of ours, because HCL finds the names in an expression by walking
// through nodes of its own kinds.
type metered struct {
	*hclsyntax.ParenthesesExpr
	pay func(cty.Value) bool
}

func (m metered) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := m.ParenthesesExpr.Value(ctx)
	if !diags.HasErrors() && !m.pay(v) {
		return cty.DynamicVal, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: tooMuch, Detail: errTooMuch.Error(), Subject: m.SrcRange.Ptr(),
		}}
	}
	return v, diags
}

const tooMuch = "Too much to work out"

// meter puts under the budget the collection that n iterates over, so that
// nested iterations end, or every part of a template, so that texts do not
// double for ever.
func meter(n hclsyntax.Node, b *budget) {
	paid := func(e hclsyntax.Expression, pay func(cty.Value) bool) hclsyntax.Expression {
		return metered{&hclsyntax.ParenthesesExpr{Expression: e, SrcRange: e.Range()}, pay}
	}
	elements := func(v cty.Value) bool { n, _ := length(v); return b.spend(n) }
	letters := func(v cty.Value) bool { s, _ := text(v); return b.write(len(s)) }
	switch n := n.(type) {
	case *hclsyntax.ForExpr:
		n.CollExpr = paid(n.CollExpr, elements)
	case *hclsyntax.SplatExpr:
		n.Source = paid(n.Source, elements)
	case *hclsyntax.TemplateExpr:
		for i, part := range n.Parts {
			if _, ok := part.(*hclsyntax.LiteralValueExpr); !ok {
				n.Parts[i] = paid(part, letters)
			}
		}
	}
}

// A budget is what expressions may still use up.
type budget struct{ steps, text int }

func (b *budget) spend(n int) bool { return take(&b.steps, n) }
func (b *budget) write(n int) bool { return take(&b.text, n) }

// take takes n out of what is left and reports whether it was there.
func take(left *int, n int) bool {
	if n < 0 || n > *left {
		*left = 0
		return false
	}
	*left -= n
	return true
}

// exhausted reports whether nothing more can be worked out.
func (b *budget) exhausted() bool { return b.steps == 0 || b.text == 0 }

// length is the number of elements of a known collection.
func length(v cty.Value) (int, bool) {
	v, _ = v.Unmark()
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() || !v.CanIterateElements() {
		return 0, false
	}
	return v.LengthInt(), true
}

// fits reports whether v is within the limits of one local or variable, and
// how many values it has. It stops counting there: values that share parts can
// be exponentially large.
func (l limits) fits(v cty.Value) (values int, ok bool) {
	left, text := l.values, l.text
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
	ok = walk(v)
	return l.values - left, ok
}
