//go:build !kernel

package uml_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gslb/lab/uml"
)

// carrier builds umlrun, which is the guests' init here: this executable may be one with the race detector, which cannot be.
var carrier = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "umlrun-")
	if err != nil {
		return "", err
	}
	carrierFolder = dir
	file := filepath.Join(dir, "umlrun")
	cmd := exec.Command("go", "build", "-o", file, "./umlrun")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	return file, nil
})

var carrierFolder string

func TestMain(m *testing.M) {
	exit := m.Run()
	if carrierFolder != "" {
		_ = os.RemoveAll(carrierFolder)
	}
	os.Exit(exit)
}

var kit = sync.OnceValues(func() (*uml.Kit, error) { return uml.Ensure(context.Background(), nil) })

// shell carries a shell's script into a guest. Whatever the run makes, it makes in a folder of its own, which is to be empty afterwards.
func shell(t *testing.T, ctx context.Context, script string, change func(*uml.Command)) (stdout string, exit int, err error) {
	t.Helper()
	k, err := kit()
	if err != nil {
		t.Fatal(err)
	}
	file, err := carrier()
	if err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	var out bytes.Buffer
	c := uml.Command{Path: "sh", Args: []string{"-c", script}, Init: file, Stdout: &out, Stderr: &out, Timeout: time.Minute}
	if change != nil {
		change(&c)
	}
	exit, err = k.Run(ctx, c)
	nothingLeft(t, tmp)
	return out.String(), exit, err
}

// nothingLeft looks for what a run has left in its folder, and for processes that have it in their arguments.
func nothingLeft(t *testing.T, tmp string) {
	t.Helper()
	entries, err := os.ReadDir(tmp)
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		t.Errorf("%s is left in TMPDIR", e.Name())
	}
	for _, pid := range processes(t, tmp) {
		t.Errorf("process %d is left", pid)
	}
}

func processes(t *testing.T, argument string) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil || !bytes.Contains(text, []byte(argument)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil {
			t.Fatal(err)
		}
		if pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestTheProgramsOutputAndStatusComeOut(t *testing.T) {
	for _, test := range []struct {
		name, script, out string
		exit              int
	}{
		{"success", "echo hello", "hello\n", 0},
		{"failure", "exit 3", "", 3},
		{"stdout and stderr in the order written", "echo 1; echo 2 >&2; echo 3", "1\n2\n3\n", 0},
		{"stdin is empty", "wc -c", "0\n", 0},
		{"what stays behind does not hold the run up", "sleep 100 & echo done", "done\n", 0},
		{"orphans are buried", "(sleep 0 & exec sleep 0); sleep 0.2; grep -l '^State:.Z' /proc/[0-9]*/status; echo done", "done\n", 0},
		{"the environment passes", `printf %s "$UML_TEST"`, " a'b\"c\n\\", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("UML_TEST", " a'b\"c\n\\")
			out, exit, err := shell(t, t.Context(), test.script, nil)
			if err != nil || exit != test.exit || out != test.out {
				t.Errorf("want %d %q, got %d %q %v", test.exit, test.out, exit, out, err)
			}
		})
	}
}

func TestStdoutAndStderrAreKeptApart(t *testing.T) {
	var stderr bytes.Buffer
	out, _, err := shell(t, t.Context(), "echo 1; echo 2 >&2", func(c *uml.Command) { c.Stderr = &stderr })
	if err != nil || out != "1\n" || stderr.String() != "2\n" {
		t.Errorf("stdout %q, stderr %q, %v", out, stderr.String(), err)
	}
}

func TestTheGuestsClockIsTheHosts(t *testing.T) {
	before := time.Now().Unix()
	out, _, err := shell(t, t.Context(), "date +%s", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
	if err != nil || got < before-1 || got > time.Now().Unix()+1 {
		t.Errorf("date gave %q, %v; it is %d", out, err, before)
	}
}

func TestASignalThatEndsTheProgramIsReported(t *testing.T) {
	_, exit, err := shell(t, t.Context(), "kill -SEGV $$", nil)
	var killed *uml.Killed
	if !errors.As(err, &killed) || killed.Signal != syscall.SIGSEGV || exit != 128+11 {
		t.Errorf("want 139 and a *uml.Killed by SIGSEGV, got %d, %v", exit, err)
	}
}

func TestAProgramThatIsNotThereIsAnError(t *testing.T) {
	_, _, err := shell(t, t.Context(), "", func(c *uml.Command) { c.Path = "/nonexistent/program" })
	if err == nil || !strings.Contains(err.Error(), "/nonexistent/program: no such file or directory") {
		t.Errorf("got %v", err)
	}
}

func TestMoreMemoryThanThereIsRoomForIsAnError(t *testing.T) {
	_, _, err := shell(t, t.Context(), "", func(c *uml.Command) { c.Memory = 1 << 40 })
	if err == nil || !strings.Contains(err.Error(), "no place for the guest's memory") {
		t.Errorf("got %v", err)
	}
}

func TestAModuleThatIsNotThereIsAnError(t *testing.T) {
	_, _, err := shell(t, t.Context(), "", func(c *uml.Command) { c.Modules = []string{"ip_vs_twos"} })
	if err == nil || !strings.Contains(err.Error(), "no module ip_vs_twos") {
		t.Errorf("got %v", err)
	}
}

func TestAGuestThatDiesIsAnErrorWithItsConsole(t *testing.T) {
	_, _, err := shell(t, t.Context(), "echo c > /proc/sysrq-trigger; sleep 10", nil)
	if err == nil || !strings.Contains(err.Error(), "sysrq triggered crash") {
		t.Errorf("got %v", err)
	}
}

func TestWritesStayInTheGuestButInWritableFolders(t *testing.T) {
	closed, open := t.TempDir(), t.TempDir()
	for _, d := range []string{closed, open} {
		if err := os.WriteFile(filepath.Join(d, "old"), []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, exit, err := shell(t, t.Context(), `set -e; for d in "$0" "$1"; do cd "$d"; grep old old; echo new > new; echo changed > old; done`, func(c *uml.Command) {
		c.Args = append(c.Args, closed, open)
		c.Writable = []string{open}
	})
	if err != nil || exit != 0 {
		t.Fatal(exit, err)
	}
	for file, want := range map[string]string{
		filepath.Join(closed, "old"): "old", filepath.Join(closed, "new"): "",
		filepath.Join(open, "old"): "changed\n", filepath.Join(open, "new"): "new\n",
	} {
		if got, _ := os.ReadFile(file); string(got) != want {
			t.Errorf("%s: want %q, got %q", file, want, got)
		}
	}
}

func TestStdoutCarriesAnyByte(t *testing.T) {
	want := make([]byte, 1<<20)
	_, _ = rand.Read(want)
	file := filepath.Join(t.TempDir(), "bytes")
	if err := os.WriteFile(file, want, 0o644); err != nil {
		t.Fatal(err)
	}
	out, exit, err := shell(t, t.Context(), `cat "$0"`, func(c *uml.Command) { c.Args = append(c.Args, file) })
	if err != nil || exit != 0 {
		t.Fatal(exit, err)
	}
	if out != string(want) {
		t.Errorf("%d bytes came out other than they went in (%d)", len(out), len(want))
	}
}

func TestTheStreamCarriesAnyByteBothWays(t *testing.T) {
	want := make([]byte, 1<<20)
	_, _ = rand.Read(want)
	ours, theirs := net.Pipe()
	var got bytes.Buffer
	read := make(chan error, 1)
	go func() { _, err := io.Copy(&got, ours); read <- err }()
	stream := &halfCloser{Reader: bytes.NewReader(want), Writer: theirs, Closer: theirs}
	// cat ends when the guest's side says that the stream has ended.
	_, exit, err := shell(t, t.Context(), "cat <&$GSLB_LINK >&$GSLB_LINK; exit 5", func(c *uml.Command) { c.Stream = stream })
	if err != nil || exit != 5 {
		t.Fatal(exit, err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got.Bytes()) {
		t.Errorf("%d bytes came back other than they were sent (%d)", got.Len(), len(want))
	}
}

// halfCloser is a stream whose reading side ends while its writing side goes on.
type halfCloser struct {
	io.Reader
	io.Writer
	io.Closer
}

func TestAProgramMayEndWithoutReadingTheStream(t *testing.T) {
	ours, theirs := net.Pipe()
	go func() { _, _ = ours.Write(make([]byte, 1<<20)) }()
	_, exit, err := shell(t, t.Context(), "exit 6", func(c *uml.Command) { c.Stream = theirs })
	if err != nil || exit != 6 {
		t.Fatal(exit, err)
	}
	if _, err := ours.Write([]byte{0}); err == nil {
		t.Error("the stream is open after the run")
	}
}

func TestCancellingEndsTheGuest(t *testing.T) {
	for _, test := range []struct{ name, script string }{
		{"that waits", "echo up; sleep 100"},
		{"that is busy", "echo up; while :; do :; done"},
		{"that writes", "echo up; yes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			cause := errors.New("enough")
			start := time.Now()
			_, _, err := shell(t, ctx, test.script, func(c *uml.Command) {
				c.Stdout = writerFunc(func(p []byte) (int, error) { cancel(cause); return len(p), nil })
			})
			if !errors.Is(err, cause) {
				t.Errorf("want %v, got %v", cause, err)
			}
			if d := time.Since(start); d > 20*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestATimeoutEndsTheGuest(t *testing.T) {
	_, _, err := shell(t, t.Context(), "sleep 100", func(c *uml.Command) { c.Timeout = 2 * time.Second })
	if err == nil || !strings.HasSuffix(err.Error(), "not done after 2s") {
		t.Errorf("got %v", err)
	}
}

func TestTheGuestDiesWithItsCaller(t *testing.T) {
	if _, err := kit(); err != nil {
		t.Fatal(err)
	}
	file, err := carrier()
	if err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	cmd := exec.Command(file, "sh", "-c", "echo up; while :; do :; done")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	if len(processes(t, tmp)) == 0 {
		t.Fatal("the guest's processes cannot be told: there is none")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for range 100 {
		if entries, _ := os.ReadDir(tmp); len(entries) == 0 && len(processes(t, tmp)) == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	nothingLeft(t, tmp)
}

func TestGuestsRunSideBySide(t *testing.T) {
	k, err := kit()
	if err != nil {
		t.Fatal(err)
	}
	file, err := carrier()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			exit, err := k.Run(t.Context(), uml.Command{Path: "sh", Args: []string{"-c", "exit " + strconv.Itoa(i)}, Init: file, Timeout: time.Minute})
			if err != nil || exit != i {
				t.Errorf("want %d, got %d %v", i, exit, err)
			}
		})
	}
	all.Wait()
}

func TestTheKitIsThereAtOnceTheSecondTime(t *testing.T) {
	if _, err := kit(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, err := uml.Ensure(t.Context(), func(format string, args ...any) { t.Errorf(format, args...) }); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("took %v", d)
	}
}
