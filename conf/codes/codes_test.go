package codes_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/conf"
	"gslb/conf/codes"
)

// elsewhere are the codes that package conf never gives. The language has
// nothing that could cause the first ones; the others are about hosts and the
// network, which no file tells.
var elsewhere = []string{
	"GS013", "GS236", "GS251", "GS311", "GS406",
	"GS112", "GS221", "GS234", "GS235",
}

// heading is the title of a page: its summary, and how severe it is.
var heading = regexp.MustCompile(`^(.+) \((error|warning|error or warning|not given by validate)\)$`)

func TestEveryCodeHasAPageAndEveryPageACode(t *testing.T) {
	want := append(conf.Codes(), elsewhere...)
	slices.Sort(want)
	var got []string
	for _, e := range codes.All() {
		got = append(got, e.Code)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-codes +pages)\n%s", diff)
	}
}

// UPDATE=1 writes the summaries into the pages anew.
func TestPagesAreHeadedLikeTheDiagnostics(t *testing.T) {
	severities := given(t)
	for _, e := range codes.All() {
		m := heading.FindStringSubmatch(e.Title)
		if m == nil {
			t.Errorf("%s: %q is no summary with a severity", e.Code, e.Title)
			continue
		}
		if slices.Contains(elsewhere, e.Code) != (m[2] == "not given by validate") {
			t.Errorf("%s: %q", e.Code, m[2])
		}
		want := conf.Summary(e.Code)
		if caution := conf.Caution(e.Code); caution != "" {
			want += " / " + caution
		}
		if want != "" && m[1] != want {
			if os.Getenv("UPDATE") != "" {
				rename(t, e, want+" ("+m[2]+")")
				continue
			}
			t.Errorf("%s: the page is headed %q, diagnostics are %q", e.Code, m[1], want)
		}
		for _, s := range severities[e.Code] {
			if !strings.Contains(m[2], s) {
				t.Errorf("%s: the page says (%s), a file of testdata/bad expects: %s", e.Code, m[2], s)
			}
		}
	}
}

func rename(t *testing.T, e codes.Entry, title string) {
	t.Helper()
	name := filepath.Join("pages", e.Code+".md")
	data, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, []byte(strings.Replace(string(data), e.Title, title, 1)), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// given are the severities with which bad files expect each code.
func given(t *testing.T) map[string][]string {
	t.Helper()
	names, err := filepath.Glob("../testdata/bad/*.hcl")
	if err != nil || len(names) == 0 {
		t.Fatal(err, names)
	}
	words := map[string]string{"ERROR": "error", "WARN": "warning"}
	out := map[string][]string{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`# (ERROR|WARN) (GS\d{3}):`).FindAllStringSubmatch(string(data), -1) {
			out[m[2]] = append(out[m[2]], words[m[1]])
		}
	}
	return out
}

func TestPagesHaveOneShape(t *testing.T) {
	for _, e := range codes.All() {
		page, ok := codes.Page(e.Code)
		if !ok || !strings.HasPrefix(page, e.Code+" "+e.Title+"\n\n") {
			t.Fatalf("%s: page %v %.60q", e.Code, ok, page)
		}
		parts := []string{"\nWhy it matters: ", "\nWrong:\n\n    ", "\nRight:\n\n    ", "\nWay out: ", "\nOn purpose: "}
		if slices.Contains(elsewhere, e.Code) {
			parts = slices.Delete(parts, 1, 3)
		}
		last := 0
		for _, p := range parts {
			at := strings.Index(page, p)
			if at < last {
				t.Errorf("%s: no %q, or not in its place", e.Code, strings.TrimSpace(p))
			}
			last = max(last, at)
		}
		full := 0
		for _, line := range strings.Split(page, "\n") {
			if len(line) > 100 {
				t.Errorf("%s: %d bytes in a line: %s", e.Code, len(line), line)
			}
			if line != "" {
				full++
			}
		}
		if full < 8 || full > 40 {
			t.Errorf("%s: %d lines", e.Code, full)
		}
	}
}

func TestACodeIsReadInAnyForm(t *testing.T) {
	for _, s := range []string{"GS001", "gs001", "001", " Gs001 ", "1", "GS01"} {
		if _, ok := codes.Page(s); !ok || codes.Code(s) != "GS001" {
			t.Errorf("%q: %v, %s", s, ok, codes.Code(s))
		}
	}
	for _, s := range []string{"", "GS", "0", "23", "GS999", "../GS001", "GS001.md"} {
		if page, ok := codes.Page(s); ok {
			t.Errorf("%q has the page %q", s, page)
		}
	}
}

func TestNearACodeThatIsNotThere(t *testing.T) {
	for code, want := range map[string][]string{
		"GS000": {"GS001"},
		"GS999": {"GS501"},
		"GS239": {"GS238", "GS240"},
		"30":    {"GS301", "GS302", "GS303", "GS304", "GS305", "GS306", "GS307", "GS308", "GS309"},
		"":      {"GS001"},
	} {
		var got []string
		for _, e := range codes.Near(code) {
			got = append(got, e.Code)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", code, diff)
		}
	}
}

// Examples are parts of topologies: what they refer to is elsewhere. What they
// say themselves must be the language, but for the fault that the page is about.
func TestExamplesAreOfTheLanguage(t *testing.T) {
	names, err := filepath.Glob("pages/*.md")
	if err != nil {
		t.Fatal(err)
	}
	amiss := []string{"GS001", "GS003", "GS004", "GS005", "GS007", "GS010", "GS016", "GS017"}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		own := strings.TrimSuffix(filepath.Base(name), ".md")
		for i, m := range regexp.MustCompile("(?s)```hcl fragment\n(.*?)```").FindAllStringSubmatch(string(data), -1) {
			_, diags := conf.Parse(conf.Source{
				Files: []conf.File{{Name: own, Data: []byte(m[1])}},
				Texts: map[string]string{"servers.json": "[]", "serves.json": "[]"},
			})
			for _, d := range diags {
				code := conf.Code(d)
				if slices.Contains(amiss, code) && (code != own || i > 0) {
					t.Errorf("%s, example %d: %v", own, i+1, d)
				}
			}
		}
	}
}
