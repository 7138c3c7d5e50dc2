package format

import (
	"bytes"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// A line is what stands between two line ends of the layout. Line ends within
// heredocs and block comments are part of a token.
type line struct {
	tokens  []token
	depth   int // steps of indentation
	assign  int // index of the "=" of an argument that begins and ends here, 0 = there is none
	comment int // index of the comment after the code, 0 = there is none
}

type token struct {
	typ  hclsyntax.TokenType
	text []byte
	at   int // where it was, in bytes
	gap  int // spaces before it
}

// opens is how many brackets t opens; when it closes one, -1.
func (t token) opens() int {
	switch t.typ {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateControl, hclsyntax.TokenTemplateInterp:
		return 1
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
		return -1
	}
	return 0
}

// lineComment reports whether t is a comment that ends with its line.
func (t token) lineComment() bool {
	return t.typ == hclsyntax.TokenComment && !bytes.HasPrefix(t.text, []byte("/*"))
}

// net is how many brackets tokens leave open; below zero, how many they close
// that were opened before.
func net(tokens []token) int {
	n := 0
	for _, t := range tokens {
		n += t.opens()
	}
	return n
}

// split cuts tokens into lines. Its second result is how the first line ends.
func split(tokens hclsyntax.Tokens) ([]line, string) {
	var lines []line
	var l line
	end := ""
	for _, t := range tokens {
		if t.Type == hclsyntax.TokenEOF {
			break
		}
		tok := token{typ: t.Type, text: t.Bytes, at: t.Range.Start.Byte}
		ends := t.Type == hclsyntax.TokenNewline || tok.lineComment()
		if ends && end == "" && bytes.HasSuffix(t.Bytes, []byte("\n")) {
			end = "\n"
			if bytes.HasSuffix(t.Bytes, []byte("\r\n")) {
				end = "\r\n"
			}
		}
		if t.Type != hclsyntax.TokenNewline {
			if tok.lineComment() {
				tok.text = bytes.TrimRight(t.Bytes, " \t\r\n")
				l.comment = len(l.tokens)
			}
			l.tokens = append(l.tokens, tok)
		}
		if ends {
			lines = append(lines, l)
			l = line{}
		}
	}
	if len(l.tokens) > 0 {
		lines = append(lines, l)
	}
	if end == "" {
		end = "\n"
	}
	for i := range lines {
		lines[i].assign = assign(lines[i].code())
	}
	return lines, end
}

// code is the line without the comment after it.
func (l line) code() []token {
	if l.comment > 0 {
		return l.tokens[:l.comment]
	}
	return l.tokens
}

// assign finds the "=" of an argument that is whole on its line.
func assign(code []token) int {
	depth := 0
	for i, t := range code {
		if t.typ == hclsyntax.TokenEqual {
			if i == 0 || depth != 0 || net(code[i:]) != 0 {
				return 0
			}
			return i
		}
		depth += t.opens()
	}
	return 0
}

// squeeze leaves one empty line where there are several, and none at the ends
// of the file and of what is in brackets.
func squeeze(lines []line) []line {
	var out []line
	for i, l := range lines {
		if len(l.tokens) == 0 {
			if len(out) == 0 || i+1 == len(lines) || len(lines[i+1].tokens) == 0 || lines[i+1].tokens[0].opens() < 0 {
				continue
			}
			if code := out[len(out)-1].code(); code[len(code)-1].opens() > 0 {
				continue
			}
		}
		out = append(out, l)
	}
	return out
}
