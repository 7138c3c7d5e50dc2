package conf

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// The same limits, lower, so that the test is quick.
var tight = limits{instances: 5_000, steps: 20_000, values: 20_000, kept: 100_000, text: 64 << 10, written: 1 << 20}

// What shallow lets pass does not nest, whatever is in it.
func FuzzShallow(f *testing.F) {
	for _, s := range []string{
		"a = [1, 2] # [[[\nb {\n}\n", "a = \"[\"\n", "a = 1 // [\n", "a = [\n1\n]\n", strings.Repeat("[", 600), strings.Repeat("a {\n", 600),
		"x = \"\"" + strings.Repeat("[", 600), "#" + strings.Repeat("[", 600), "a = " + strings.Repeat("-", 600) + "1\n", "a = 1 #\n" + strings.Repeat("(", 600),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !shallow(data) {
			return
		}
		tokens, _ := hclsyntax.LexConfig(data, "f.hcl", hcl.InitialPos)
		if at, deep := nesting(tokens); deep {
			t.Errorf("deep at %v", at)
		}
	})
}

// Files that would take all memory, stack or time are refused with GS018.
func TestHostileFilesEndInASentence(t *testing.T) {
	doubling := "locals {\n  x0 = \"0123456789abcdef\"\n"
	nested := "locals {\n  x0 = [1]\n"
	for i := range 60 {
		doubling += fmt.Sprintf("  x%d = \"${local.x%d}${local.x%d}\"\n", i+1, i, i)
		nested += fmt.Sprintf("  x%d = [local.x%d, local.x%d]\n", i+1, i, i)
	}
	many := "locals {\n  a = range(5000)\n"
	for i := range 1000 {
		many += fmt.Sprintf("  x%d = concat(local.a, local.a)\n", i)
	}
	many += "}\n"
	deep := func(open, end string) string {
		return "locals {\n  x = " + strings.Repeat(open, 20_000) + "1" + strings.Repeat(end, 20_000) + "\n}\n"
	}
	outside := func(local, each string) string {
		return "locals {\n  a = " + local + "\n}\nzone \"r\" {\n  for_each = { for i in range(100) : \"r${i}\" => i }\n  name     = \"r${each.value}-${" + each + "}\"\n}\n"
	}
	for name, c := range map[string]struct{ code, file, text string }{
		"lists many times":           {"GS018", "a.hcl", many},
		"text that doubles":          {"GS018", "a.hcl", doubling + "}\n"},
		"lists that double":          {"GS018", "a.hcl", nested + "}\n"},
		"one text many times":        {"GS018", "a.hcl", "locals {\n  a = join(\"\", [for i in range(4000) : \"0123456789abcdef\"])\n  b = \"" + strings.Repeat("${local.a}", 1000) + "\"\n}\n"},
		"joined text":                {"GS018", "a.hcl", "locals {\n  a = join(\"\", [for i in range(4000) : \"0123456789abcdef\"])\n  b = join(local.a, range(4000))\n}\n"},
		"replaced text":              {"GS018", "a.hcl", "locals {\n  a = join(\"\", [for i in range(4000) : \"0123456789abcdef\"])\n  b = replace(local.a, \"0\", local.a)\n}\n"},
		"brackets":                   {"GS018", "a.hcl", deep("[", "]")},
		"parentheses over lines":     {"GS018", "a.hcl", deep("(\n", "\n)")},
		"negations":                  {"GS018", "a.hcl", deep("-", "")},
		"sums":                       {"GS018", "a.hcl", deep("1 + ", "")},
		"sums over lines":            {"GS018", "a.hcl", "locals {\n  x = (" + strings.Repeat("1 +\n", 20_000) + "1)\n}\n"},
		"conditionals":               {"GS018", "a.hcl", deep("true ? 1 : ", "")},
		"indexes":                    {"GS018", "a.hcl", deep("f()", "[0]")},
		"calls":                      {"GS018", "a.hcl", deep("abs(", ")")},
		"templates":                  {"GS018", "a.hcl", deep(`"${`, `}"`)},
		"template ifs":               {"GS018", "a.hcl", "locals {\n  x = \"" + strings.Repeat("%{if true}", 10_000) + "\"\n}\n"},
		"blocks":                     {"GS018", "a.hcl", strings.Repeat("a {\n", 10_000)},
		"for expressions over lines": {"GS018", "a.hcl", deep("{for k, v in\n", "}")},
		"JSON":                       {"GS018", "a.hcl.json", strings.Repeat(`{"a":`, 10_000)},
		"templates in JSON":          {"GS018", "a.hcl.json", `{"locals": {"x": "${` + strings.Repeat("-", 10_000) + `1}"}}`},
		"too many bytes":             {"GS018", "a.hcl", strings.Repeat(" ", maxBytes+1)},
		"a for_each of a million":    {"GS018", "a.hcl", "region \"a\" { for_each = range(1000000) }\n"},
		"for_each in for_each":       {"GS018", "a.hcl", "region \"eu\" {}\nfarm \"a\" {\n  for_each = range(100)\n  region = region.eu\n  server \"b\" {\n    for_each = range(100)\n    address = \"192.0.2.1\"\n  }\n}\n"},
		"combinations":               {"GS018", "a.hcl", "region \"a\" { for_each = setproduct(range(100), range(100), range(100)) }\n"},
		"splats in for":              {"GS018", "a.hcl", "locals {\n  a = range(4000)\n  b = [for x in local.a : local.a[*]]\n}\n"},
		"concat outside locals":      {"GS018", "a.hcl", outside("range(1000)", "length(concat(local.a, local.a))")},
		"split outside locals":       {"GS018", "a.hcl", outside("join(\",\", range(1000))", "length(split(\",\", local.a))")},
		"jsondecode outside locals":  {"GS018", "a.hcl", outside("jsonencode({ x = { y = range(1000) } })", "length(jsondecode(local.a))")},
		"csvdecode outside locals":   {"GS018", "a.hcl", outside("join(\"\", [for i in range(1000) : \"a,b\\n\"])", "length(csvdecode(local.a))")},
		"sort outside locals":        {"GS018", "a.hcl", outside("formatlist(\"%d\", range(1000))", "length(sort(local.a))")},
		"upper outside locals":       {"GS018", "a.hcl", outside("join(\",\", range(5000))", "strlen(upper(local.a))")},
		"jsonencode outside locals":  {"GS018", "a.hcl", outside("range(5000)", "strlen(jsonencode(local.a))")},
		"formatlist of one text":     {"GS018", "a.hcl", outside("join(\",\", range(5000))", "length(formatlist(\"%s%d\", local.a, range(100)))")},
		"a format of one text":       {"GS018", "a.hcl", "locals {\n  a = join(\",\", range(5000))\n  b = format(\"" + strings.Repeat("%[1]s", 1000) + "\", local.a)\n}\n"},
		"a wide format":              {"GS017", "a.hcl", "region \"a\" { for_each = toset([format(\"%999999999d\", 1)]) }\n"},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			topo, diags := parse(Source{Files: []File{{c.file, []byte(c.text)}}}, tight)
			if topo != nil {
				t.Fatal("is valid")
			}
			i := slices.IndexFunc(diags, func(d *hcl.Diagnostic) bool { return Code(d) == c.code })
			if i < 0 {
				t.Fatalf("got %s: %s %s, want %s", Code(diags[0]), diags[0].Summary, diags[0].Detail, c.code)
			}
			t.Logf("%v: %s", time.Since(start).Round(time.Millisecond), diags[i].Detail)
		})
	}
}
