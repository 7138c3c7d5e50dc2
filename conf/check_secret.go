package conf

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// What private keys look like, also where text has its line ends escaped.
// Certificates and public keys are no secrets.
var secretShapes = regexp.MustCompile(
	`-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s\\]|[A-Za-z-]+: [^\n"\\]*)*(?:-----END [A-Z0-9 ]*-----)?` + // PEM, PGP
		`|(?:PrivateKey|PrivateExponent): *[A-Za-z0-9+/=]{16,}` + // of BIND
		`|AGE-SECRET-KEY-1[0-9A-Z]{20,}` +
		`|PuTTY-User-Key-File-[0-9](?:[^"]*Private-MAC)?` +
		`|\bS[ACNOUX][A-Z2-7]{56}\b`) // seeds of NATS

// Each of the shapes but the last has one of these, which are faster to look for.
var secretWords = []string{"PRIVATE KEY", "PrivateKey", "PrivateExponent", "AGE-SECRET-KEY-1", "PuTTY-User-Key-File-"}

func hasSecretWord(s string) bool {
	return slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(s, w) })
}

func mayBeSecret(s string) bool {
	return hasSecretWord(s) || len(s) >= 58 && strings.Contains(s, "S")
}

// looksSecret reports whether a text is a private key or holds one.
func looksSecret(s string) bool { return mayBeSecret(s) && secretShapes.MatchString(s) }

// redact takes private keys out of a sentence.
func redact(s string) string {
	if !mayBeSecret(s) {
		return s
	}
	return secretShapes.ReplaceAllString(s, "(a secret)")
}

// findSecrets reports private keys that a file writes out.
func (p *parser) findSecrets(r *raw) {
	if r.forEach != nil {
		p.findIn(r.forEach.expr)
	}
	for _, f := range r.fields {
		p.findIn(f.expr)
	}
	if r.expr != nil {
		p.findIn(r.expr)
	}
	for _, k := range r.kids {
		p.findSecrets(k)
	}
}

func (p *parser) findIn(e hcl.Expression) {
	native, ok := e.(hclsyntax.Expression)
	if !ok { // JSON
		if v, diags := e.Value(nil); !diags.HasErrors() {
			if s, ok := secretIn(v); ok {
				p.secretAt(s, e.Range())
			}
		}
		return
	}
	_ = hclsyntax.VisitAll(native, func(n hclsyntax.Node) hcl.Diagnostics {
		t, ok := n.(*hclsyntax.TemplateExpr)
		if !ok {
			return nil
		}
		var all strings.Builder
		for _, part := range t.Parts {
			if l, ok := part.(*hclsyntax.LiteralValueExpr); ok {
				if s, ok := text(l.Val); ok {
					all.WriteString(s)
				}
			}
		}
		if looksSecret(all.String()) {
			p.secretAt(all.String(), t.Range())
		}
		return nil
	})
}

func (p *parser) secretAt(s string, at hcl.Range) {
	p.secrets = append(p.secrets, secretShapes.FindString(s))
	p.report(fault{
		code: "GS014", at: at, detail: "A private key is written out here: everybody who sees the file, a plan or a log has it.",
		help: "Give secret(\"file:...\") or secret(\"env:...\"), which is read on the node only, and make a new key: this one has been seen.",
	})
}

// secretValue reports an argument's value that holds a private key, unless
// that has been found where it is written out.
func (p *parser) secretValue(name string, v cty.Value, at hcl.Range) bool {
	s, ok := secretIn(v)
	if !ok {
		return false
	}
	for _, known := range p.secrets {
		if strings.Contains(s, known) {
			return true
		}
	}
	p.report(fault{
		code: "GS014", at: at, detail: name + " would hold a private key in plain text: it would be in every plan and log.",
		help: "Give secret(\"file:...\") or secret(\"env:...\"), which is read on the node only.",
	})
	return true
}

// secretIn finds a text in a value that looks like a private key.
func secretIn(v cty.Value) (string, bool) {
	left := 100_000 // values that share parts can be exponentially large
	var walk func(v cty.Value) (string, bool)
	walk = func(v cty.Value) (string, bool) {
		if left--; left < 0 {
			return "", false
		}
		if v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
			return v.AsString(), looksSecret(v.AsString())
		}
		if _, ok := length(v); !ok {
			return "", false
		}
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			if s, ok := walk(e); ok {
				return s, true
			}
		}
		return "", false
	}
	return walk(v)
}

// hide returns a file's text with everything secret in it written as
// asterisks, byte for byte.
func hide(f File, diags hcl.Diagnostics) []byte {
	var spans [][]int
	if slices.ContainsFunc(secretWords, func(w string) bool { return bytes.Contains(f.Data, []byte(w)) }) { // what has none is on one line: line looks for it
		spans = secretShapes.FindAllIndex(f.Data, -1)
	}
	for _, d := range diags {
		if Code(d) != "GS014" || d.Subject == nil || d.Subject.Filename != f.Name {
			continue
		}
		begin, end := d.Subject.Start.Byte, d.Subject.End.Byte
		if begin < 0 || begin >= end || end > len(f.Data) {
			continue
		}
		switch text := f.Data[begin:end]; {
		case text[0] == '"':
			spans = append(spans, []int{begin + 1, end - 1})
		case strings.HasPrefix(string(text), "<<"):
			spans = append(spans, []int{begin + max(0, strings.IndexByte(string(text), '\n')), end})
		}
	}
	if len(spans) == 0 {
		return f.Data
	}
	out := append([]byte(nil), f.Data...)
	for _, s := range spans {
		for i := s[0]; i < s[1]; i++ {
			if out[i] != '\n' && out[i] != '\r' {
				out[i] = '*'
			}
		}
	}
	return out
}

// masked writes the secrets of one line as asterisks.
func masked(line string) string {
	if !mayBeSecret(line) {
		return line
	}
	return secretShapes.ReplaceAllStringFunc(line, func(s string) string { return strings.Repeat("*", len(s)) })
}
