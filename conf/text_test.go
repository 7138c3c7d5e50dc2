package conf

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// Neither a file's text nor the values of its expressions reach a terminal as
// they are.
func TestFilesDoNotSteerTheTerminal(t *testing.T) {
	for name, text := range map[string]string{
		"the text of a file":      "zone \"z\" {\n  name = \"a\x1b[2Jb\"\n}\n",
		"a message of the file's": "variable \"a\" {\n  default = 1\n  validation {\n    condition     = false\n    error_message = \"\\u001b[2J\"\n  }\n}\n",
		"a key of for_each":       "region \"a\" {\n  for_each = { \"\\u001b[2J\" = 1 }\n}\n",
		"a C1 control":            "region \"a\" {\n  for_each = toset([\"\\u009b2J\"])\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			src := Source{Files: []File{{"a\x1b[2J.hcl", []byte(text)}}}
			topo, diags := Parse(src)
			if topo != nil {
				t.Fatal("is valid")
			}
			var out bytes.Buffer
			Text(&out, diags, src, false)
			if strings.ContainsAny(out.String(), "\x1b\u009b") {
				t.Errorf("got %q", out.String())
			}
		})
	}
}

// A file in JSON may be one line.
func TestOfALongLineOnlyTheValueAndWhatIsAroundItIsShown(t *testing.T) {
	text := `{"locals": {"a": "` + strings.Repeat("é", 5000) + `"}, "region": {"eu": {"location": [1, 200], "prefixes": ["` + strings.Repeat("é", 5000) + `"]}}}`
	r := hcl.Range{Filename: "a.hcl.json", Start: hcl.Pos{Line: 1, Byte: strings.Index(text, "[1, 200]")}}
	r.End = hcl.Pos{Line: 1, Byte: r.Start.Byte + len("[1, 200]")}
	line, start, ok := newLines(Source{Files: []File{{"a.hcl.json", []byte(text)}}}, hcl.Diagnostics{{Subject: &r}}).line(r)
	if !ok || len(line) > lineShown+2 || !strings.HasPrefix(line[r.Start.Byte-start:], "[1, 200]") || strings.ContainsRune(line, '\ufffd') || text[start:start+len(line)] != line {
		t.Errorf("got %q from byte %d", line, start)
	}
}
