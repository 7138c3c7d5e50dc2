package conf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever the text is: no panic, a topology exactly when there is no error,
// every error with a code, the same text the same outcome, and both views of
// the diagnostics can be made.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.hcl", "../examples/*.hcl"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			if strings.Contains(name, "018_") {
				continue // slow by purpose
			}
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data, false)
		}
	}
	f.Add([]byte(`{"region": {"eu": {"for_each": "${toset([\"a\"])}"}}}`), true)
	f.Add([]byte(`{"zone": {"z": {"name": "a.example", "soa": {"ttl": 1}, "record": [{"@": {"type": "A"}}]}}}`), true)
	f.Fuzz(func(t *testing.T, data []byte, json bool) {
		name := "fuzz.hcl"
		if json {
			name = "fuzz.hcl.json"
		}
		src := Source{Files: []File{{name, data}}}
		topo, diags := Parse(src)
		if (topo == nil) != diags.HasErrors() {
			t.Fatalf("topology %v together with %v", topo, diags)
		}
		for _, d := range diags {
			if Code(d) == "" {
				t.Errorf("no code: %v", d)
			}
		}
		var one, two strings.Builder
		Text(&one, diags, src, true)
		_, again := Parse(src)
		Text(&two, again, src, true)
		if one.String() != two.String() {
			t.Errorf("first:\n%s\nthen:\n%s", &one, &two)
		}
		if _, err := JSON(diags, src); err != nil {
			t.Error(err)
		}
	})
}
