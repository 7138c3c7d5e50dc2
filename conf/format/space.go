package format

import "github.com/hashicorp/hcl/v2/hclsyntax"

// space sets the gaps between the tokens of each line: one space or none.
func space(lines []line, m marks) {
	s := spacer{marks: m}
	for _, l := range lines {
		for i := range l.tokens {
			if i > 0 && s.apart(l.tokens, i) {
				l.tokens[i].gap = 1
			}
			s.enter(l.tokens[i])
		}
	}
}

// A spacer goes through a file and knows what it is in.
type spacer struct {
	marks
	in []hclsyntax.TokenType // templates and their sequences that are open
}

func (s *spacer) enter(t token) {
	switch t.typ {
	case hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		s.in = append(s.in, t.typ)
	case hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
		s.in = s.in[:len(s.in)-1]
	}
}

func (s *spacer) inside() hclsyntax.TokenType {
	if len(s.in) == 0 {
		return hclsyntax.TokenNil
	}
	return s.in[len(s.in)-1]
}

// apart reports whether a space stands before tokens[i], which is not the first.
func (s *spacer) apart(tokens []token, i int) bool {
	a, b := tokens[i-1], tokens[i]
	in := s.inside()
	switch {
	case in == hclsyntax.TokenOQuote, in == hclsyntax.TokenOHeredoc:
		return false // text
	case b.lineComment():
		return true
	case b.typ == hclsyntax.TokenDot:
		// a.0 .1 is two steps, a.0.1 has the number 0.1 in it.
		return a.typ == hclsyntax.TokenNumberLit && i+1 < len(tokens) && tokens[i+1].typ == hclsyntax.TokenNumberLit
	case a.typ == hclsyntax.TokenDot, a.typ == hclsyntax.TokenDoubleColon, b.typ == hclsyntax.TokenDoubleColon,
		b.typ == hclsyntax.TokenComma, b.typ == hclsyntax.TokenEllipsis:
		return false
	case a.typ == hclsyntax.TokenBang, a.typ == hclsyntax.TokenMinus && s.signs[a.at]:
		return false
	case b.typ == hclsyntax.TokenOParen && s.calls[b.at], b.typ == hclsyntax.TokenOBrack && !s.lists[b.at]:
		return false
	case a.typ == hclsyntax.TokenOBrace && b.typ == hclsyntax.TokenCBrace:
		return false
	case a.typ == hclsyntax.TokenOBrace, b.typ == hclsyntax.TokenCBrace:
		return true
	case a.typ == hclsyntax.TokenTemplateInterp: // "${ {" is not "${{"
		return b.typ == hclsyntax.TokenOBrace
	case b.typ == hclsyntax.TokenTemplateSeqEnd:
		return in == hclsyntax.TokenTemplateControl || a.typ == hclsyntax.TokenCBrace
	case a.typ == hclsyntax.TokenOParen, a.typ == hclsyntax.TokenOBrack, b.typ == hclsyntax.TokenCParen, b.typ == hclsyntax.TokenCBrack:
		return false
	}
	return true
}
