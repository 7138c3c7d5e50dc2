package format

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"gslb/conf"
)

// words are the tokens of a text without what the layout may change: line
// ends, white space after comments and the "=" of groups.
func words(data []byte) []string {
	tokens, _ := hclsyntax.LexConfig(data, "", hcl.InitialPos)
	var out []string
	for i, t := range tokens {
		switch {
		case t.Type == hclsyntax.TokenNewline:
		case t.Type == hclsyntax.TokenEqual && opensBrace(tokens[i+1:]):
		case t.Type == hclsyntax.TokenComment && !bytes.HasPrefix(t.Bytes, []byte("/*")):
			out = append(out, string(bytes.TrimRight(t.Bytes, " \t\r\n")))
		default:
			out = append(out, string(t.Bytes))
		}
	}
	return out
}

// opensBrace reports whether the next token that is no comment is "{".
func opensBrace(tokens hclsyntax.Tokens) bool {
	for _, t := range tokens {
		if t.Type != hclsyntax.TokenComment {
			return t.Type == hclsyntax.TokenOBrace
		}
	}
	return false
}

// scramble gives a text other white space wherever it means nothing.
func scramble(data []byte, dice *rand.Rand) []byte {
	tokens, _ := hclsyntax.LexConfig(data, "", hcl.InitialPos)
	var out []byte
	s := spacer{}
	for i, t := range tokens {
		in := s.inside()
		text := in == hclsyntax.TokenOQuote || in == hclsyntax.TokenOHeredoc
		if t.Type != hclsyntax.TokenEOF && !text {
			gap := dice.IntN(4)
			if i > 0 && tokens[i-1].Range.End.Byte < t.Range.Start.Byte {
				gap++
			}
			for range gap {
				out = append(out, " \t"[dice.IntN(2)])
			}
		}
		out = append(out, t.Bytes...)
		if t.Type == hclsyntax.TokenNewline && len(tokens[i-1].Bytes) > 0 && bytes.HasSuffix(tokens[i-1].Bytes, []byte("\n")) {
			out = append(out, " \n\n"...) // one empty line more
		}
		s.enter(token{typ: t.Type})
	}
	return out
}

func TestTheWhiteSpaceThereWasDoesNotMatter(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for _, f := range files(t) {
		want, diags := Source(f)
		if diags.HasErrors() {
			continue
		}
		for range 2 {
			f.Data = scramble(f.Data, dice)
			if diff := cmp.Diff(string(want), source(t, string(f.Data))); diff != "" {
				t.Fatalf("%s (-as it was +scrambled)\n%s", f.Name, diff)
			}
		}
	}
}

func check(t *testing.T, f conf.File) {
	out, diags := Source(f)
	if (out == nil && len(f.Data) > 0) != diags.HasErrors() && len(bytes.TrimSpace(bytes.TrimPrefix(f.Data, []byte("\xef\xbb\xbf")))) > 0 {
		t.Fatalf("%d bytes together with %v", len(out), diags)
	}
	if diags.HasErrors() {
		return
	}
	again, diags := Source(conf.File{Name: f.Name, Data: out})
	if diags.HasErrors() {
		t.Fatalf("cannot be read any more: %v\n%s", diags, out)
	}
	if diff := cmp.Diff(string(out), string(again)); diff != "" {
		t.Errorf("laid out again (-first +second)\n%s", diff)
	}
	if diff := cmp.Diff(words(f.Data), words(out)); diff != "" {
		t.Errorf("tokens (-before +after)\n%s", diff)
	}
	before, _ := conf.Parse(conf.Source{Files: []conf.File{f}})
	after, _ := conf.Parse(conf.Source{Files: []conf.File{{Name: f.Name, Data: out}}})
	if before != nil && !reflect.DeepEqual(before, after) {
		t.Errorf("the meaning differs (-before +after)\n%s", cmp.Diff(before, after, cmp.Exporter(func(reflect.Type) bool { return true })))
	}
}

func TestLayoutChangesNoTokenAndNoMeaning(t *testing.T) {
	for _, f := range files(t) {
		t.Run(f.Name, func(t *testing.T) { check(t, f) })
	}
}

// Whatever the text is: no panic, the layout can be read, its own layout is
// itself, and neither a token, a comment nor the meaning is lost.
func FuzzFormat(f *testing.F) {
	for _, file := range files(f) {
		f.Add(file.Data)
	}
	f.Add([]byte("zone \"z\" {\r\n  soa /* s */ { # c\r\n  contact=\"a\" }\n}"))
	f.Add([]byte("a = \"${ b [ 0 ] . c } %{if - 1~}x%{else}y%{endif}\"\nb = <<-E\n  ${ {a=1} }\n  E\n"))
	f.Add([]byte("a = b.0 .1 + c.*.d[*].e - -f(g::h(1, [2]...)...)\nd /* e */ = !(g) ? {} : { (h) : 1, \"i\" = 2 }\n"))
	f.Add([]byte("a = { for k, v in b : k => -v... if v != \"${c}%{for d in e}${d}%{endfor}\" }\n/* f\n g */ h {\n\n\n}\n// i"))
	f.Add([]byte("a = [{\n  b = 1\n}, {\n}\n,\nf(\n1,\n2)]\n\xef\xbb\xbf"))
	f.Add([]byte("\xef\xbb\xbfdefaults {\n  check {\n    expect { status = [200] }\n  }\n  server { weight = 2 } # s\n}\n"))
	f.Fuzz(func(t *testing.T, data []byte) { check(t, conf.File{Name: "fuzz.hcl", Data: data}) })
}
