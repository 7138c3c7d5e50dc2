package local

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func echo(_ context.Context, p Peer, request []byte) []byte {
	return fmt.Appendf(nil, "uid %d said %s", p.UID, request)
}

func refused(Peer) []byte { return []byte("no") }

func start(t *testing.T, path string) *Server {
	t.Helper()
	s, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(); err != nil {
		t.Fatal(err)
	}
	go s.Serve(echo, refused)
	return s
}

func TestExchange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := start(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	reply, err := Ask(t.Context(), path, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fmt.Sprintf("uid %d said hello", os.Getuid()), string(reply)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var many sync.WaitGroup
	for range 5 * most {
		many.Go(func() {
			if _, err := Ask(t.Context(), path, []byte("hello")); err != nil {
				t.Error(err)
			}
		})
	}
	many.Wait()
	if _, err := Ask(t.Context(), path, bytes.Repeat([]byte("x"), MaxRequest+1)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a request that is too large: %v", err)
	}

	// Another daemon takes the socket over; the first one leaves it alone.
	second := start(t, path)
	s.Close()
	if _, err := Ask(t.Context(), path, []byte("hello")); err != nil {
		t.Errorf("after the first has gone: %v", err)
	}
	second.Close()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file stays: %v", err)
	}
	if _, err := Ask(t.Context(), path, nil); err == nil || !strings.HasSuffix(err.Error(), "no such file or directory") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestWhoSendsTooMuchIsNotHeard(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := start(t, path)
	defer s.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go c.Write(bytes.Repeat([]byte("x"), 2*MaxRequest))
	if n, _ := c.Read(make([]byte, 10)); n != 0 {
		t.Error("got a reply")
	}
}

// A daemon that begins and ends while another one serves leaves that one's socket alone.
func TestWhatIsNotPublishedTakesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first := start(t, path)
	defer first.Close()
	for range 2 {
		second, err := Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		go second.Serve(func(context.Context, Peer, []byte) []byte { return []byte("second") }, refused)
		if reply, err := Ask(t.Context(), path, []byte("hello")); err != nil || !strings.HasSuffix(string(reply), "said hello") {
			t.Errorf("got %q, %v", reply, err)
		}
		second.Close()
		if reply, err := Ask(t.Context(), path, []byte("hello")); err != nil || !strings.HasSuffix(string(reply), "said hello") {
			t.Errorf("got %q, %v", reply, err)
		}
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestBadPaths(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"a file is there":      {file, "no socket"},
		"the path is too long": {filepath.Join(dir, strings.Repeat("x", 108)), "a socket's may have 98"},
		"no such folder":       {filepath.Join(dir, "a", "s"), "no such file"},
	} {
		if _, err := Listen(c.path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, text := range []string{"one", "another"} {
		if err := WriteFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		data, err := ReadFile(path, 7)
		if err != nil || string(data) != text {
			t.Errorf("%q, %v", data, err)
		}
	}
	if _, err := ReadFile(path, 6); err == nil || !strings.Contains(err.Error(), "more than 6 bytes") {
		t.Errorf("too long: %v", err)
	}
	if err := WriteFile(filepath.Join(dir, "no", "f"), nil); err == nil {
		t.Error("written into nothing")
	}
	files, err := fs.Glob(os.DirFS(dir), "*")
	if diff := cmp.Diff([]string{"f"}, files); diff != "" || err != nil {
		t.Errorf("left behind: %v (-want +got)\n%s", err, diff)
	}
}

func TestSaverWritesTheNewest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	s := NewSaver(path)
	var mu sync.Mutex
	told := 0
	for i := range 1000 {
		s.Save(func() []byte { return fmt.Append(nil, i) }, func(err error) {
			mu.Lock()
			defer mu.Unlock()
			if told++; err != nil {
				t.Error(err)
			}
		})
	}
	s.Close()
	data, err := os.ReadFile(path)
	if err != nil || string(data) != "999" || told != 1000 {
		t.Errorf("%q, %v, told %d times", data, err, told)
	}
}
