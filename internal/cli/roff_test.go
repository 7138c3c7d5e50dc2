package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMarkdownAsRoff(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a paragraph with marks":           {"say `x-y` *now*, **or** [not](#a)", ".PP\nsay \\fBx\\-y\\fR \\fInow\\fR, \\fBor\\fR not\n"},
		"a sign that is escaped":           {`default \<label>[-\<key>]`, ".PP\ndefault <label>[\\-<key>]\n"},
		"a line that would be a request":   {".hcl files", ".PP\n\\&.hcl files\n"},
		"a quote that would be a request":  {"'quoted'", ".PP\n\\(aqquoted\\(aq\n"},
		"headings":                         {"## Blocks\n\n### zone soa", ".SH \"BLOCKS\"\n.SS \"zone soa\"\n"},
		"contents are left out":            {"## Contents\n\n* [a](#a)\n\n## Blocks", ".SH \"BLOCKS\"\n"},
		"fenced text keeps its lines":      {"```hcl\na = 1\n\nb = \"\\n\"\n```", ".PP\n.RS 4\n.nf\na = 1\n\nb = \"\\en\"\n.fi\n.RE\n"},
		"a table of two columns":           {"| Call | Result |\n|---|---|\n| `f(a)` | a thing |", ".TP\n\\fBf(a)\\fR\na thing\n"},
		"a default in a table is told":     {"| Argument | Value | Default | |\n|---|---|---|---|\n| `n` | a number | `1` | How many. |", ".TP\n\\fBn\\fR\na number; default \\fB1\\fR.\n.br\nHow many.\n"},
		"what is required has no default":  {"| Argument | Value | Default | |\n|---|---|---|---|\n| `n` | a number | **required** | How many. |", ".TP\n\\fBn\\fR\na number; \\fBrequired\\fR.\n.br\nHow many.\n"},
		"a cell without a default is left": {"| Argument | Value | Default | |\n|---|---|---|---|\n| `n` | a number |  | How many. |", ".TP\n\\fBn\\fR\na number.\n.br\nHow many.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &page{}
			p.markdown(c.text)
			if diff := cmp.Diff(c.want, p.out.String()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestProseKeepsWhatIsIndented(t *testing.T) {
	p := &page{}
	p.prose("One\ntwo.\n\n  kept  so\n    and so\n\nThree.")
	want := ".PP\nOne\ntwo.\n.PP\n.RS 4\n.nf\nkept  so\n  and so\n.fi\n.RE\n.PP\nThree.\n"
	if diff := cmp.Diff(want, p.out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWordsThatBeginAsTyped(t *testing.T) {
	have := []string{`a.b["x"]`, `a.c`, `b`}
	for typed, want := range map[string]string{"": "a.b[x] a.c b", "a.b[": "a.b[x]", `a.b["`: `a.b["x"]`, "z": ""} {
		if got := strings.Join(matching(have, typed), " "); got != want {
			t.Errorf("%q: got %s, want %s", typed, got, want)
		}
	}
}
