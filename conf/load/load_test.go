package load

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gslb/conf"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADirectoryIsItsTopologyFilesInOrder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"b.hcl": "b", "a.hcl.json": "a", "c.txt": "c", ".hidden.hcl": "h", "sub.hcl/x.hcl": "x", "d.json": "d",
	})
	t.Setenv("GSLB_VAR_env", "prod")
	src := Read([]string{dir, filepath.Join(dir, "c.txt")}, Values{})
	var got []string
	for _, f := range src.Files {
		got = append(got, strings.TrimPrefix(f.Name, dir+"/")+"="+string(f.Data))
	}
	if diff := cmp.Diff([]string{"a.hcl.json=a", "b.hcl=b", "c.txt=c"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if src.Env["GSLB_VAR_env"] != "prod" || src.Env["PATH"] == "" {
		t.Errorf("got environment %v", src.Env)
	}
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"empty/readme": "", "big/a.hcl": strings.Repeat(" ", MaxBytes/2), "big/b.hcl": strings.Repeat(" ", MaxBytes/2+1),
		"includes.hcl": "include \"pipe\" {\n}\n", "pipes/readme": ""})
	for _, pipe := range []string{"pipe", "pipes/a.hcl"} {
		if err := syscall.Mkfifo(filepath.Join(dir, pipe), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct{ path, want string }{
		"a file that is not there":    {"none.hcl", "none.hcl: no such file"},
		"a directory without files":   {"empty", "no *.hcl or *.hcl.json in this directory"},
		"files that are too large":    {"big", "b.hcl: the files have more than 16 MB together"},
		"a file that never ends":      {"/dev/zero", "/dev/zero: the files have more than 16 MB together"},
		"a path that is not possible": {"empty/readme/x", "not a directory"},
		"an include of a pipe":        {"includes.hcl", "pipe: it is not a regular file"},
		"a pipe in a directory":       {"pipes", "a.hcl: it is not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			path := c.path
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			problems := Read([]string{path}, Values{}).Problems
			if len(problems) != 1 || !strings.Contains(problems[0].Name+": "+problems[0].Reason, c.want) {
				t.Errorf("got %v, want %q", problems, c.want)
			}
		})
	}
}

// What files include and name is read from beside them.
func TestIncludesAndTexts(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"main.hcl":      `include "cells/*.hcl" {}` + "\n" + `include "more" {}` + "\n" + `include "none.hcl" {}` + "\n" + `locals { a = file(file("which.txt")) }`,
		"cells/eu.hcl":  `include "../main.hcl" {}`,
		"cells/us.hcl":  `locals { b = file("cells/none.txt") }`,
		"more/x.hcl":    `geoip { city = "city.mmdb" }`,
		"which.txt":     "cells/a.txt",
		"cells/a.txt":   "text",
		"vars.hcl":      "a = 1",
		"more/city.txt": "",
	})
	src := Read([]string{filepath.Join(dir, "main.hcl")}, Values{Files: []string{filepath.Join(dir, "vars.hcl")}})
	var names []string
	for _, f := range append(src.Files, src.VarFiles...) {
		names = append(names, strings.TrimPrefix(f.Name, dir+"/"))
	}
	if diff := cmp.Diff([]string{"main.hcl", "cells/eu.hcl", "cells/us.hcl", "more/x.hcl", "vars.hcl"}, names); diff != "" {
		t.Errorf("files (-want +got)\n%s", diff)
	}
	if len(src.Problems) != 1 || !strings.HasSuffix(src.Problems[0].Name, "none.hcl") || src.Problems[0].By.Path != "none.hcl" {
		t.Errorf("problems %v, want none.hcl", src.Problems)
	}
	if diff := cmp.Diff(map[string]string{"which.txt": "cells/a.txt", "cells/a.txt": "text"}, src.Texts); diff != "" {
		t.Errorf("texts (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"cells/none.txt": "no such file", "city.mmdb": "no such file"}, src.Unread); diff != "" {
		t.Errorf("unread (-want +got)\n%s", diff)
	}
}

// Looking again finds what reading would, whatever has changed since.
func TestAgain(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"main.hcl":    `include "cells/*.hcl" {}` + "\n" + `locals { a = file(file("which.txt")) }`,
		"cells/x.hcl": `locals { b = file("cells/none.txt") }`,
		"which.txt":   "cells/a.txt",
		"cells/a.txt": "text",
	})
	paths := []string{filepath.Join(dir, "main.hcl")}
	before := Read(paths, Values{})
	for _, change := range []struct{ file, text string }{
		{}, {"cells/a.txt", "other"}, {"cells/b.txt", "b"}, {"which.txt", "cells/b.txt"}, {"cells/none.txt", "there"},
		{"cells/y.hcl", `locals { c = file("cells/a.txt") }`}, {"main.hcl", "locals {}"}, {},
	} {
		if change.file != "" {
			write(t, dir, map[string]string{change.file: change.text})
		}
		want, got := Read(paths, Values{}), Again(before, paths, Values{})
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(conf.Include{})); diff != "" {
			t.Errorf("after %q was written (-want +got)\n%s", change.file, diff)
		}
		before = got
	}
}

// A Reader reads what Read reads, also when texts, paths and includes have
// changed in between.
func TestAReaderReadsWhatReadReads(t *testing.T) {
	dir := t.TempDir()
	const main = "include \"more/*.hcl\" {\n}\nregion \"eu\" {}\ngeoip {\n  city = \"city.mmdb\"\n}\nlocals { a = file(\"a.txt\") }\ncheck \"c\" {\n  type = \"http\"\n  path = local.a\n}\n"
	var r Reader
	for i, files := range []map[string]string{
		{"main.hcl": main, "a.txt": "/x", "more/m.hcl": "region \"us\" {}\n"},
		{"more/m.hcl": "region \"ap\" {}\n"},
		{"a.txt": "/y", "city.mmdb": ""},
		{"main.hcl": strings.Replace(main, "a.txt", "b.txt", 1)},
		{"b.txt": "/z"},
		{"b.txt": "no path"},
		{"b.txt": "/", "more/n.hcl": "locals { b = file(\"c.txt\") }\nregion \"us\" {\n  bias = length(local.b)\n}\n", "c.txt": "four"},
		{"main.hcl": "region \"eu\" {}\n"},
	} {
		write(t, dir, files)
		paths := []string{filepath.Join(dir, "main.hcl")}
		want := Read(paths, Values{})
		got := r.Read(paths, Values{})
		if diff := cmp.Diff(want.Files, got.Files); diff != "" {
			t.Errorf("%d: files (-Read +Reader)\n%s", i, diff)
		}
		topo, diags := conf.Parse(want)
		again, said := r.Parse(got)
		if len(diags) != len(said) || (topo == nil) != (again == nil) {
			t.Errorf("%d: Parse says %v, the reader %v", i, diags, said)
			continue
		}
		for j := range diags {
			if diags[j].Error() != said[j].Error() {
				t.Errorf("%d: Parse says %v, the reader %v", i, diags[j], said[j])
			}
		}
		if topo != nil && len(topo.Checks) > 0 && topo.Checks[0].Path != again.Checks[0].Path {
			t.Errorf("%d: path %q, want %q", i, again.Checks[0].Path, topo.Checks[0].Path)
		}
	}
}

func TestAFileWithoutAnIncludeBlockIsNotReadForIt(t *testing.T) {
	for text, want := range map[string]bool{
		"include \"x\" {\n}":                  true,
		"region \"a\" {}\n\tinclude \"x\" {}": true,
		"/* see */ include \"x\" {}":          true,
		"# includes nothing":                  false,
		"locals { include = 1 }":              false,
		"\xef\xbb\xbfinclude \"x\" {}":        true,
		"":                                    false,
	} {
		if got := mayInclude(conf.File{Name: "a.hcl", Data: []byte(text)}); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
