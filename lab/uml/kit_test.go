package uml

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
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

func TestWithSystemPath(t *testing.T) {
	for _, test := range []struct {
		name      string
		env, want []string
	}{
		{"what PATH has comes first and once", []string{"A=1", "PATH=/opt/bin:/usr/bin"},
			[]string{"A=1", "PATH=/opt/bin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin"}},
		{"no PATH", []string{"A=1"}, []string{"A=1", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, withSystemPath(test.env)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestLinkIsTheSocketInTheEnvironment(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(linkVar, strconv.Itoa(pair[0]))
	conn, err := Link()
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(pair[1]), "other end")
	other, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if got, err := io.ReadAll(other); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWithoutALinkThereIsNone(t *testing.T) {
	t.Setenv(linkVar, "")
	if _, err := Link(); err == nil {
		t.Error("want an error")
	}
}
