package vrrp

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// doc/rfc-vrrp.md names places and tests: they are there.
func TestRFCsNameWhatIsThere(t *testing.T) {
	read := func(patterns ...string) string {
		var all strings.Builder
		for _, pattern := range patterns {
			names, err := filepath.Glob(pattern)
			if err != nil || len(names) == 0 {
				t.Fatalf("%s: no files (%v)", pattern, err)
			}
			for _, name := range names {
				data, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				all.Write(data)
			}
		}
		return all.String()
	}
	doc := read("../doc/rfc-vrrp.md")
	tests := read("*_test.go", "conn/*_test.go", "testdata/*.txt")
	for _, m := range regexp.MustCompile("`([a-z/]+\\.go):(\\w+)`").FindAllStringSubmatch(doc, -1) {
		if !regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + m[2] + `[\[(]`).MatchString(read(m[1])) {
			t.Errorf("%s has no function %s", m[1], m[2])
		}
	}
	for _, m := range regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(doc, -1) {
		if !strings.Contains(tests, "func "+m[1]+"(") {
			t.Errorf("there is no %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?:^|[\s(])_([^_]+)_(?:[\s,.;)]|$)`).FindAllStringSubmatch(strings.ReplaceAll(doc, "\n", " "), -1) {
		if !strings.Contains(tests, "# "+m[1]+"\n") && !strings.Contains(tests, `"`+m[1]+`"`) {
			t.Errorf("there is no case %q", m[1])
		}
	}
}
