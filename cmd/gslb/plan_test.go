package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

// The screens of changes to an example, old.hcl. UPDATE=1 writes them anew.
func TestPlanScreens(t *testing.T) {
	example, err := os.ReadFile("../../examples/two-tier.hcl")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/plan",
		UpdateScripts:       os.Getenv("UPDATE") != "",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			return os.WriteFile(filepath.Join(env.WorkDir, "old.hcl"), example, 0o644)
		},
	})
}

// The screen in the manual is that of the command, for the example and what the
// manual says to change in it. UPDATE=1 writes it anew.
func TestPlanInTheManual(t *testing.T) {
	t.Chdir("../..")
	const path, fence, command = "doc/manual/plan.md", "```", "$ gslb plan examples/two-tier.hcl new.hcl\n"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), command)
	if !ok {
		t.Fatalf("%s does not show %s", path, command)
	}
	want, after, _ := strings.Cut(rest, fence)
	_, edit, _ := strings.Cut(before, "$ sed 's/")
	edit, _, _ = strings.Cut(edit, "/' examples/two-tier.hcl > new.hcl")
	old, now, ok := strings.Cut(edit, "/")
	if !ok {
		t.Fatalf("%s does not say how new.hcl is made", path)
	}
	example, err := os.ReadFile("examples/two-tier.hcl")
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(t.TempDir(), "new.hcl")
	if err := os.WriteFile(changed, bytes.ReplaceAll(example, []byte(old), []byte(now)), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run([]string{"plan", "examples/two-tier.hcl", changed}, &out, &errs); code != 0 {
		t.Fatalf("exit code %d\n%s", code, &errs)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(before+command+out.String()+fence+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("%s (-want +got)\n%s", path, diff)
	}
}
