package conf

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// UPDATE=1 writes it anew.
func TestManualIsCurrent(t *testing.T) {
	const name = "../doc/manual/topology.md"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(name, []byte(Manual()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Manual(), string(data)); diff != "" {
		t.Errorf("%s is not what the schema table says: UPDATE=1 go test ./conf writes it anew (-want +got)\n%s", name, diff)
	}
}

func TestManualHasEveryFunctionOnce(t *testing.T) {
	var want, got []string
	for name := range newParser(Source{}, standardLimits).funcs {
		want = append(want, name)
	}
	for _, g := range functionGroups {
		for _, f := range g.functions {
			name, _, _ := strings.Cut(f.call, "(")
			got = append(got, name)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-functions +manual)\n%s", diff)
	}
}
