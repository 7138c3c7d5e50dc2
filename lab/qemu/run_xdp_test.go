//go:build xdp

package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// This program is carried into guests too, where it does what CARRIED says.
func TestMain(m *testing.M) {
	Init()
	switch what := os.Getenv("CARRIED"); what {
	case "":
		os.Exit(m.Run())
	case "tell":
		fmt.Println("to stdout:", strings.Join(os.Args[1:], " "))
		fmt.Fprintln(os.Stderr, "to stderr:", os.Getpid() > 1, os.Getuid())
		for _, f := range strings.Split(os.Getenv("LOOK"), ":") {
			text, err := os.ReadFile(f)
			fmt.Printf("%s: %q %v\n", filepath.Base(f), text, err == nil)
		}
		os.Exit(3)
	case "sleep":
		fmt.Println("asleep")
		time.Sleep(time.Hour)
	}
}

func kit(t *testing.T) *Kit {
	t.Helper()
	k, err := Ensure(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func carried(what string, more ...string) []string {
	return append([]string{"CARRIED=" + what}, more...)
}

func TestRun(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("of the host's"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	exit, err := kit(t).Run(t.Context(), Command{
		Path: self, Args: []string{"a", "b c"}, Env: carried("tell", "LOOK="+file+":/sys/module/veth/initstate:/sys/module/stp/initstate:/etc/passwd"),
		Files: []string{file}, Modules: []string{"veth", "bridge"}, Output: &out,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "to stdout: a b c\nto stderr: true 0\nfile: \"of the host's\" true\ninitstate: \"live\\n\" true\ninitstate: \"live\\n\" true\npasswd: \"\" false\n"
	if diff := cmp.Diff(want, out.String()); diff != "" || exit != 3 {
		t.Errorf("exit %d, want 3; output (-want +got)\n%s", exit, diff)
	}
}

func TestNotRun(t *testing.T) {
	k := kit(t)
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no program"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		Command
		says string
	}{
		"no such module":  {Command{Path: text, Modules: []string{"ip_vs_none"}}, "no module ip_vs_none"},
		"no such program": {Command{Path: "/nowhere"}, "/nowhere: no such file"},
		"no such file":    {Command{Path: text, Files: []string{"/nowhere"}}, "/nowhere: no such file"},
		"no program":      {Command{Path: text}, "exec format error"},
	} {
		if _, err := k.Run(t.Context(), c.Command); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q", name, err, c.says)
		}
	}
}

// heard ends a context when the guest says something.
type heard struct{ cancel context.CancelFunc }

func (h heard) Write(p []byte) (int, error) {
	h.cancel()
	return len(p), nil
}

func TestCancelled(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := kit(t).Run(ctx, Command{Path: self, Env: carried("sleep"), Output: heard{cancel}}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}
