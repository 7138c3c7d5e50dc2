package format

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"gslb/conf"
)

// marks are what tokens alone do not tell, by the byte a token begins at.
type marks struct {
	calls  map[int]bool // "(" of a call
	lists  map[int]bool // "[" of a list, not of an index
	signs  map[int]bool // "-" before its only operand
	groups map[int]bool // the name of a block that can be written as an argument
}

func mark(body *hclsyntax.Body) marks {
	m := marks{calls: map[int]bool{}, lists: map[int]bool{}, signs: map[int]bool{}, groups: map[int]bool{}}
	_ = hclsyntax.VisitAll(body, func(n hclsyntax.Node) hcl.Diagnostics {
		switch n := n.(type) {
		case *hclsyntax.FunctionCallExpr:
			m.calls[n.OpenParenRange.Start.Byte] = true
		case *hclsyntax.TupleConsExpr:
			m.lists[n.OpenRange.Start.Byte] = true
		case *hclsyntax.ForExpr:
			m.lists[n.OpenRange.Start.Byte] = true
		case *hclsyntax.UnaryOpExpr:
			m.signs[n.SymbolRange.Start.Byte] = true
		}
		return nil
	})
	for _, b := range body.Blocks {
		m.group(b, body, nil)
	}
	return m
}

// group marks b, which is in body, and the blocks in it when they are groups
// that mean the same as arguments. It reports whether b is one. A group is left
// as a block when the file is wrong about it: when it is there twice, has a
// label, or holds a block that is no group.
func (m marks) group(b *hclsyntax.Block, body *hclsyntax.Body, path []string) bool {
	path = append(slices.Clip(path), b.Type)
	plain := true
	for _, k := range b.Body.Blocks {
		if !m.group(k, b.Body, path) {
			plain = false
		}
	}
	if !plain || len(b.Labels) > 0 || !conf.IsGroup(path...) || body.Attributes[b.Type] != nil {
		return false
	}
	for _, other := range body.Blocks {
		if other != b && other.Type == b.Type {
			return false
		}
	}
	if _, is := b.Body.Attributes["for"]; is {
		return false // { for ... } begins an expression
	}
	m.groups[b.TypeRange.Start.Byte] = true
	return true
}

// grouped gives the marked blocks the "=" of an argument.
func grouped(tokens hclsyntax.Tokens, m marks) hclsyntax.Tokens {
	out := make(hclsyntax.Tokens, 0, len(tokens)+len(m.groups))
	for _, t := range tokens {
		out = append(out, t)
		if t.Type == hclsyntax.TokenIdent && m.groups[t.Range.Start.Byte] {
			out = append(out, hclsyntax.Token{Type: hclsyntax.TokenEqual, Bytes: []byte("="), Range: hcl.Range{Start: t.Range.End, End: t.Range.End}})
		}
	}
	return out
}
