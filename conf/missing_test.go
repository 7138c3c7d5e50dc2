package conf

import (
	"strings"
	"testing"
)

// Several things that are missing at one place are each said, and the same
// thing missing in every instance of a block once.
func TestEverythingThatIsMissingIsSaid(t *testing.T) {
	src := Source{Files: []File{{Name: "m.hcl", Data: []byte(`
nameserver "n" {
  for_each = { a = 1, b = 2 }
}
farm "f" {}
`)}}}
	topo, diags := Parse(src)
	var got []string
	for _, d := range diags {
		if Code(d) == "GS002" {
			got = append(got, d.Detail)
		}
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{`nameserver.n["a"] needs region`, `nameserver.n["a"] needs addresses`, "farm.f needs network, or region", "farm.f needs at least one server"} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing says %q in\n%s", want, all)
		}
	}
	if topo != nil || len(got) != 4 {
		t.Errorf("%d faults, want 4:\n%s", len(got), all)
	}
}
