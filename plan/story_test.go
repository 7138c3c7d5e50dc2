package plan_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"gslb/conf"
	"gslb/plan"
	"gslb/topology"
)

// Each file of testdata is a story: common.hcl with before.hcl and with
// after.hcl are topologies, plan is what an operator reads. UPDATE=1 writes the
// plans anew.
func TestStories(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no stories (%v)", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string][]byte{}
			for _, f := range archive.Files {
				files[f.Name] = f.Data
			}
			before := read(t, files, "before.hcl")
			p := plan.Make(before, read(t, files, "after.hcl"))
			var got strings.Builder
			p.Text(&got, plan.Normal, false)
			if os.Getenv("UPDATE") != "" {
				rewrite(t, path, archive, got.String())
				return
			}
			if diff := cmp.Diff(string(files["plan"]), got.String()); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			if again := plan.Make(before, read(t, files, "after.hcl")); !cmp.Equal(p, again) {
				t.Errorf("the same topologies give another plan:\n%s", cmp.Diff(p, again))
			}
			if same := plan.Make(before, read(t, files, "before.hcl")); !same.Empty() || len(same.Dangers) > 0 {
				t.Errorf("a topology differs from itself: %+v", same)
			}
		})
	}
}

func read(t *testing.T, files map[string][]byte, name string) *topology.Topology {
	t.Helper()
	var source conf.Source
	for _, n := range []string{"common.hcl", name} {
		if data, ok := files[n]; ok {
			source.Files = append(source.Files, conf.File{Name: n, Data: data})
		}
	}
	topo, diags := conf.Parse(source)
	if topo == nil {
		t.Fatal(diags)
	}
	return topo
}

func rewrite(t *testing.T, path string, archive *txtar.Archive, text string) {
	t.Helper()
	for i, f := range archive.Files {
		if f.Name == "plan" {
			archive.Files[i].Data = []byte(text)
			if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%s has no file plan", path)
}
