package debian

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTheManifestTellsAWholeKitFromADamagedOne(t *testing.T) {
	for _, test := range []struct {
		name   string
		damage func(root string) error
		want   string
	}{
		{"a whole one", func(string) error { return nil }, ""},
		{"a file cut short", func(root string) error { return os.Truncate(root+"/usr/bin/a", 1) },
			`the cache is damaged: it lacks -rw-r--r-- 4 "/usr/bin/a"`},
		{"a file removed", func(root string) error { return os.Remove(root + "/usr/bin/b") },
			`the cache is damaged: it lacks -rw-r--r-- 4 "/usr/bin/b"`},
		{"a file added", func(root string) error { return os.WriteFile(root+"/c", nil, 0o644) },
			"the cache is damaged: it has more than was fetched"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			root := filepath.Join(folder, "root")
			write(t, root+"/usr/bin/a", "text")
			write(t, root+"/usr/bin/b", "text")
			if err := writeManifest(folder); err != nil {
				t.Fatal(err)
			}
			if err := test.damage(root); err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := checkManifest(folder); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestAnEmptyCacheIsNotADamagedOne(t *testing.T) {
	if err := checkManifest(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("want fs.ErrNotExist, got %v", err)
	}
}

func TestMovedFoldersAreMergedWithThoseThere(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/lib/x/only-from", "1")
	write(t, root+"/lib/x/y/deep", "2")
	write(t, root+"/usr/lib/x/only-to", "3")
	if err := moveInto(root+"/lib", root+"/usr/lib"); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		got[path[len(root):]] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"/usr/lib/x/only-from": "1", "/usr/lib/x/y/deep": "2", "/usr/lib/x/only-to": "3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := os.Stat(root + "/lib"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("/lib is still there: %v", err)
	}
}
