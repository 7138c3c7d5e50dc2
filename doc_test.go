package gslb_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"gslb/conf"
)

// A passage is a fenced block of a document, or a line outside of one.
type passage struct {
	kind string // what stands behind the fence; "" for a line of prose
	line int
	text string
}

// documents are the Markdown files of the repository with their passages.
func documents(t *testing.T) map[string][]passage {
	t.Helper()
	docs := map[string][]passage{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		data, err := os.ReadFile(path)
		docs[path] = passages(string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(docs["README.md"]) == 0 {
		t.Fatal("there is no README.md")
	}
	return docs
}

func passages(text string) []passage {
	var out []passage
	inside := false
	for i, line := range strings.Split(text, "\n") {
		kind, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && inside:
			inside = false
		case fence:
			inside = true
			if kind == "" {
				kind = "text"
			}
			out = append(out, passage{kind, i + 2, ""})
		case inside:
			out[len(out)-1].text += line + "\n"
		default:
			out = append(out, passage{"", i + 1, line})
		}
	}
	return out
}

// A block "hcl" is a whole topology. "hcl fragment" is a part of one, and
// "hcl FILE" is made of lines of that file, in their order.
func TestTopologiesInDocuments(t *testing.T) {
	whole := 0
	for name, doc := range documents(t) {
		for _, p := range doc {
			words := strings.Fields(p.kind)
			if len(words) == 0 || words[0] != "hcl" {
				continue
			}
			if len(words) == 1 {
				whole++
				if _, diags := conf.Parse(conf.Source{Files: []conf.File{{Name: name, Data: []byte(p.text)}}}); len(diags) > 0 {
					t.Errorf("%s:%d: %v", name, p.line, diags)
				}
				continue
			}
			if _, diags := hclsyntax.ParseConfig([]byte(p.text), name, hcl.Pos{Line: p.line, Column: 1}); diags.HasErrors() {
				t.Errorf("%s:%d: %v", name, p.line, diags)
			}
			if words[1] != "fragment" {
				quoted(t, name, p, words[1])
			}
		}
	}
	if whole == 0 {
		t.Error("no document shows a whole topology")
	}
}

// quoted checks that the lines of p stand in a file, in their order.
func quoted(t *testing.T, name string, p passage, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Errorf("%s:%d: %v", name, p.line, err)
		return
	}
	rest := strings.Split(string(data), "\n")
	for i, line := range strings.Split(strings.TrimSuffix(p.text, "\n"), "\n") {
		at := slices.Index(rest, line)
		if at < 0 {
			t.Errorf("%s:%d: %q is not in %s, or not in this order", name, p.line+i, line, file)
			return
		}
		rest = rest[at+1:]
	}
}

var (
	makeCode   = regexp.MustCompile("`make ([a-z][a-z-]*)`")
	makeLine   = regexp.MustCompile(`(?m)^(?:\$ )?make ([a-z][a-z-]*)`)
	makeTarget = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
)

// targets are the make targets that a passage names.
func (p passage) targets() []string {
	pattern := makeCode
	if p.kind != "" {
		pattern = makeLine
	}
	var out []string
	for _, m := range pattern.FindAllStringSubmatch(p.text, -1) {
		out = append(out, m[1])
	}
	return out
}

func TestMakeTargetsInDocumentsExist(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, m := range makeTarget.FindAllStringSubmatch(string(makefile), -1) {
		have[m[1]] = true
	}
	for name, doc := range documents(t) {
		for _, p := range doc {
			for _, target := range p.targets() {
				if !have[target] {
					t.Errorf("%s:%d: the Makefile has no target %s", name, p.line, target)
				}
			}
		}
	}
}

// What the README tells everybody to run is what CI runs.
func TestReadmeTestCommandIsThatOfCI(t *testing.T) {
	ci, err := os.ReadFile(".ci/run")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(ci), "\nmake test\n") {
		t.Errorf(".ci/run does not end with make test:\n%s", ci)
	}
	for _, p := range documents(t)["README.md"] {
		if p.kind == "" || !strings.Contains(p.text, "test") {
			continue
		}
		if p.text != "make test\n" {
			t.Errorf("README.md:%d: the first command with a test in it is not make test:\n%s", p.line, p.text)
		}
		return
	}
	t.Error("README.md names no test command")
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksInDocumentsResolve(t *testing.T) {
	docs := documents(t)
	for name, doc := range docs {
		for _, p := range doc {
			if p.kind != "" {
				continue
			}
			for _, m := range link.FindAllStringSubmatch(p.text, -1) {
				if strings.Contains(m[1], "://") {
					continue
				}
				path, anchor, _ := strings.Cut(m[1], "#")
				to := name
				if path != "" {
					to = filepath.Join(filepath.Dir(name), filepath.FromSlash(path))
				}
				if _, err := os.Stat(to); err != nil {
					t.Errorf("%s:%d: link to %s: %v", name, p.line, m[1], err)
				}
				if anchor != "" && !slices.Contains(anchors(docs[to]), anchor) {
					t.Errorf("%s:%d: %s has no heading for #%s", name, p.line, to, anchor)
				}
			}
		}
	}
}

// anchors are the names by which headings are linked to.
func anchors(doc []passage) []string {
	var out []string
	for _, p := range doc {
		heading := strings.TrimLeft(p.text, "#")
		if p.kind != "" || !strings.HasPrefix(p.text, "#") || !strings.HasPrefix(heading, " ") {
			continue
		}
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
				return r
			}
			return -1
		}, strings.ToLower(strings.TrimSpace(heading)))
		out = append(out, slug)
	}
	return out
}
