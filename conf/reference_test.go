package conf

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const referenceName = "../examples/reference.hcl"

// reference is the reference file, and the same with the lines that begin
// with "#-".
func reference(t *testing.T) (plain, full []byte) {
	t.Helper()
	plain, err := os.ReadFile(referenceName)
	if err != nil {
		t.Fatal(err)
	}
	return plain, regexp.MustCompile(`(?m)^( *)#- `).ReplaceAll(plain, []byte("$1"))
}

func TestReferenceIsValidAndInFullRefusedOnlyForWhatIsNotAvailable(t *testing.T) {
	plain, full := reference(t)
	codesOf := func(data []byte) []string {
		src := Source{Files: []File{{"reference.hcl", data}}}
		_, diags := Parse(src)
		var out []string
		for _, d := range diags {
			out = append(out, Code(d))
			if c := Code(d); c != "GS020" && c != "GS225" {
				var text strings.Builder
				Text(&text, hcl.Diagnostics{d}, src, false)
				t.Errorf("%s", &text)
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	// The farm that is reached by routing is told what that means.
	if diff := cmp.Diff([]string{"GS225"}, codesOf(plain)); diff != "" {
		t.Errorf("as it is (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"GS020", "GS225"}, codesOf(full)); diff != "" {
		t.Errorf("in full (-want +got)\n%s", diff)
	}
}

// A mention is an argument of the reference file with what stands there.
type mention struct{ value, comment string }

// mentions lists what the full reference has: the paths of blocks and
// arguments, "zone.soa.refresh", with the values of arguments.
func mentions(t *testing.T, data []byte) map[string][]mention {
	t.Helper()
	file, diags := hclsyntax.ParseConfig(data, "reference.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	lines := strings.Split(string(data), "\n")
	out := map[string][]mention{}
	var give func(path string, e hclsyntax.Expression)
	give = func(path string, e hclsyntax.Expression) {
		_, comment, _ := strings.Cut(lines[e.Range().Start.Line-1], "# ")
		out[path] = append(out[path], mention{string(e.Range().SliceBytes(data)), comment})
		if group, ok := e.(*hclsyntax.ObjectConsExpr); ok {
			for _, it := range group.Items {
				give(path+"."+hcl.ExprAsKeyword(it.KeyExpr), it.ValueExpr)
			}
		}
	}
	var walk func(path string, body *hclsyntax.Body)
	walk = func(path string, body *hclsyntax.Body) {
		for _, a := range body.Attributes {
			give(path+a.Name, a.Expr)
		}
		for _, b := range body.Blocks {
			out[path+b.Type] = append(out[path+b.Type], mention{})
			walk(path+b.Type+".", b.Body)
		}
	}
	walk("", file.Body.(*hclsyntax.Body))
	return out
}

func TestReferenceNamesEverythingWithItsDefault(t *testing.T) {
	_, full := reference(t)
	have := mentions(t, full)
	var walk func(path string, b *block)
	walk = func(path string, b *block) {
		for _, a := range b.attrs {
			at := have[path+a.name]
			if len(at) == 0 {
				t.Errorf("%s does not name %s", referenceName, path+a.name)
				continue
			}
			told := func(m mention) bool {
				return m.value == a.def && strings.HasPrefix(m.comment, "default") || strings.HasPrefix(m.comment, "default: "+a.def)
			}
			if a.def != "" && !strings.HasPrefix(path, "defaults.") && !slices.ContainsFunc(at, told) {
				t.Errorf("%s does not say that %s is %s by default", referenceName, path+a.name, a.def)
			}
			for _, m := range at {
				if m.comment == "default" && m.value != a.def {
					t.Errorf("%s says that %s is %s by default, it is %q", referenceName, path+a.name, m.value, a.def)
				}
			}
		}
		for _, k := range b.kids {
			if len(have[path+k.name]) == 0 {
				t.Errorf("%s does not name the block %s", referenceName, path+k.name)
				continue
			}
			walk(path+k.name+".", k)
		}
	}
	walk("", root)
	for _, step := range append(steps, laterSteps...) {
		if !strings.Contains(string(full), fmt.Sprintf("step %q", step)) {
			t.Errorf("%s does not name the step %q", referenceName, step)
		}
	}
}
