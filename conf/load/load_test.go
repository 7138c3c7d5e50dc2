package load

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	src, err := Read([]string{dir, filepath.Join(dir, "c.txt")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range src.Files {
		got = append(got, strings.TrimPrefix(f.Name, dir+"/")+"="+string(f.Data))
	}
	if diff := cmp.Diff([]string{"a.hcl.json=a", "b.hcl=b", "c.txt=c"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if src.Env["GSLB_VAR_env"] != "prod" || src.Env["PATH"] != "" {
		t.Errorf("got environment %v", src.Env)
	}
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"empty/readme": "", "big/a.hcl": strings.Repeat(" ", MaxBytes/2), "big/b.hcl": strings.Repeat(" ", MaxBytes/2+1)})
	for name, c := range map[string]struct{ path, want string }{
		"a file that is not there":    {"none.hcl", "none.hcl: no such file or directory"},
		"a directory without files":   {"empty", "no *.hcl or *.hcl.json in this directory"},
		"files that are too large":    {"big", "b.hcl: the files have more than 16 MB together"},
		"a file that never ends":      {"/dev/zero", "/dev/zero: the files have more than 16 MB together"},
		"a path that is not possible": {"empty/readme/x", "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			path := c.path
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			if _, err := Read([]string{path}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}
