package conf

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

// What a bad file says of itself: "# ERROR GS220: summary" on the line that
// the diagnostic must point at.
var expectation = regexp.MustCompile(`# (ERROR|WARN) (GS\d{3}): ([^#]*)`)

// What the disk would say: "# unread PATH: reason".
var unread = regexp.MustCompile(`# unread (\S+): (.*)`)

// What is wrong in a master file: "# master FILE:LINE: what".
var master = regexp.MustCompile(`# master (\S+):(\d+): (.*)`)

func expected(name string, data []byte) []string {
	var out []string
	for i, line := range strings.Split(string(data), "\n") {
		for _, m := range expectation.FindAllStringSubmatch(line, -1) {
			out = append(out, fmt.Sprintf("%s:%d: %s %s: %s", name, i+1, m[1], m[2], strings.TrimSpace(m[3])))
		}
	}
	return out
}

func found(diags hcl.Diagnostics) []string {
	var out []string
	for _, d := range diags {
		word := "ERROR"
		if d.Severity == hcl.DiagWarning {
			word = "WARN"
		}
		at := hcl.Range{}
		if d.Subject != nil {
			at = *d.Subject
		}
		out = append(out, fmt.Sprintf("%s:%d: %s %s: %s", at.Filename, at.Start.Line, word, Code(d), d.Summary))
	}
	return out
}

func TestBadFilesSayWhatIsWrongOnTheLineItIsOn(t *testing.T) {
	names, err := filepath.Glob("testdata/bad/*.hcl")
	if err != nil || len(names) == 0 {
		t.Fatal(err, names)
	}
	tested := map[string]bool{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		base := filepath.Base(name)
		t.Run(base, func(t *testing.T) {
			src := Source{Files: []File{{base, data}}, Unread: map[string]string{}}
			for _, m := range unread.FindAllStringSubmatch(string(data), -1) {
				src.Unread[m[1]] = m[2]
			}
			for _, by := range Includes(src.Files[0]) {
				src.Problems = append(src.Problems, Problem{By: by, Name: by.Path, Reason: "no such file"})
			}
			want := expected(base, data)
			for _, m := range master.FindAllStringSubmatch(string(data), -1) {
				line, _ := strconv.Atoi(m[2])
				src.Masters = append(src.Masters, Master{File: File{Name: m[1]}, Flaws: []Flaw{{line, m[3]}}})
				want = append(want, fmt.Sprintf("%s:%d: ERROR GS118: %s", m[1], line, summaries["GS118"]))
				tested["GS118"] = true
			}
			topo, diags := Parse(src)
			got := found(diags)
			if diff := cmp.Diff(want, got); diff != "" {
				var text strings.Builder
				Text(&text, diags, src, false)
				t.Errorf("(-want +got)\n%s\n%s", diff, &text)
			}
			if (topo == nil) != diags.HasErrors() {
				t.Errorf("topology %v together with errors %v", topo, diags.HasErrors())
			}
		})
		for _, m := range regexp.MustCompile(`(?:ERROR|WARN) (GS\d{3})`).FindAllStringSubmatch(string(data), -1) {
			tested[m[1]] = true
		}
	}
	var untested []string
	for code := range summaries {
		if !tested[code] {
			untested = append(untested, code)
		}
	}
	slices.Sort(untested)
	if len(untested) > 0 {
		t.Errorf("codes without a bad file: %v", untested)
	}
}
