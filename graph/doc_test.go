package graph

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the manual shows is what the program draws. UPDATE=1 draws it anew.
func TestTheManualShowsTheExampleAsItIsDrawn(t *testing.T) {
	topo := read(t, "../examples/two-tier.hcl")
	const page, marker = "../doc/manual/graph.md", "## The tree\n"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, _, ok := strings.Cut(string(data), marker)
	if !ok {
		t.Fatalf("%s has no line %q", page, marker)
	}
	for name, want := range map[string]string{
		page:                         before + marker + "\n```\n" + Text(topo) + "```\n",
		"../doc/manual/two-tier.svg": SVG(topo),
	} {
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not what is drawn; UPDATE=1 draws it anew (-want +got):\n%s", name, diff)
		}
	}
}
