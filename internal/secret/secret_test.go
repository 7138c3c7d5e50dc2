package secret

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return "file:" + path
	}
	t.Setenv("GSLB_TEST_SECRET", "by the environment")
	for name, c := range map[string]struct{ place, want, err string }{
		"a file":               {file("a", "hidden", 0o600), "hidden", ""},
		"the environment":      {"env:GSLB_TEST_SECRET", "by the environment", ""},
		"nothing there":        {"file:" + dir + "/none", "", "no such file"},
		"a folder":             {"file:" + dir, "", "not a regular file"},
		"a file for everybody": {file("b", "hidden", 0o644), "", "everybody may use it (mode 0644)"},
		"too large":            {file("c", strings.Repeat("x", maxBytes+1), 0o600), "", "more than 65536 bytes"},
		"no such variable":     {"env:GSLB_TEST_NONE", "", "the environment does not have it"},
		"a place of no kind":   {"vault:x", "", "want file:PATH or env:NAME"},
	} {
		got, err := Read(c.place)
		if got != c.want && c.err == "" || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %q, %v; want %q, %s", name, got, err, c.want, c.err)
		}
		if err != nil && strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
}

func TestReadBelowARoot(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc", "key"), []byte("the lab's"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(RootVar, root)
	if got, err := Read("file:/etc/key"); err != nil || got != "the lab's" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := Read("file:/etc/hostname"); err == nil {
		t.Errorf("what lies beside the root was read: %q", got)
	}
}
