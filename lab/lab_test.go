//go:build lab

package lab_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These tests use the programs as a user does. GSLB_BIN is the folder that they
// were built into (make lab).

func program(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("GSLB_BIN")
	if dir == "" {
		t.Fatal("GSLB_BIN is not set: run these tests with 'make lab'")
	}
	return filepath.Join(dir, name)
}

// run runs gslb and returns its exit status and all it said.
func run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return runWith(t, nil, args...)
}

// runWith is run with more in the environment.
func runWith(t *testing.T, environment []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	cmd := exec.Command(program(t, "gslb"), args...)
	cmd.Env = append(cmd.Environ(), environment...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

type report struct {
	OK      bool
	Passed  int
	Total   int
	Seconds float64
	Checks  []struct {
		Name, Figure, Bound string
		OK                  bool
	}
}

func TestTopologies(t *testing.T) {
	files, err := filepath.Glob("../examples/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("examples: %v %v", files, err)
	}
	others, err := filepath.Glob("testdata/*.hcl")
	if err != nil || len(others) == 0 {
		t.Fatalf("testdata: %v %v", others, err)
	}
	for _, file := range append(files, others...) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			status, out, errs := run(t, "lab", "test", file, "--json")
			var r report
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				t.Fatalf("status %d, %v\n%s%s", status, err, out, errs)
			}
			for _, c := range r.Checks {
				if !c.OK {
					t.Errorf("%s: %s (bound: %s)", c.Name, c.Figure, c.Bound)
				}
			}
			if status != 0 || !r.OK || r.Passed != r.Total || r.Total < 4 {
				t.Errorf("status %d, %d of %d checks passed\n%s", status, r.Passed, r.Total, errs)
			}
			t.Logf("%d checks in %.1f s", r.Total, r.Seconds)
		})
	}
}

// A lab that passes with a director that does nothing would prove nothing. What
// must fail may as well fail beside others, for it only waits.
func TestADirectorThatDoesNothingFails(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"sleeps":         "#!/bin/sh\nexec sleep 1000\n",
		"ends well":      "#!/bin/sh\nexit 0\n",
		"only announces": "#!/bin/sh\necho listening\ncase $1 in run) exec sleep 1000;; esac\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bin := t.TempDir()
			if err := os.WriteFile(filepath.Join(bin, "director"), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			status, out, errs := run(t, "lab", "test", "../examples/hybrid.hcl", "--bin", bin)
			if status != 1 {
				t.Errorf("status %d, want 1\n%s%s", status, out, errs)
			}
		})
	}
}

// A director that takes no notice of weights must be found out.
func TestWeightsAreSeen(t *testing.T) {
	bin := t.TempDir()
	script := fmt.Sprintf(`#!/bin/sh
real=%q
case $1 in run)
	sed '/weight/d' "$2" > /tmp/blind-$$.hcl
	shift 2
	exec "$real" run /tmp/blind-$$.hcl "$@";;
esac
exec "$real" "$@"
`, program(t, "director"))
	if err := os.WriteFile(filepath.Join(bin, "director"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	status, out, errs := run(t, "lab", "test", "../examples/direct.hcl", "--bin", bin)
	failed := false
	for _, line := range strings.Split(out, "\n") {
		failed = failed || (strings.HasPrefix(line, "FAIL") && strings.Contains(line, "virtual_service.dr 192.0.2.7:tcp/80 respects the weights"))
	}
	if status != 1 || !failed {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}

func TestDemoFailsWhenNobodyDies(t *testing.T) {
	t.Parallel()
	status, out, errs := runWith(t, []string{"DEMO_FAULT=none"}, "lab", "demo", "../examples/failover.hcl")
	if status != 1 {
		t.Errorf("status %d, want 1\n%s", status, errs)
	}
	for _, death := range []string{"dies:", "loses its power:", "has the VIP:", "dies: the DNS gives none of it:"} {
		if !slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool {
			return strings.HasPrefix(line, "FAIL") && strings.Contains(line, death)
		}) {
			t.Errorf("no failed check for %q in\n%s", death, out)
		}
	}
}

func TestUpExecDown(t *testing.T) {
	// Programs and file lie under /tmp, away from the tree.
	dir := t.TempDir()
	file := filepath.Join(dir, "two tier.hcl")
	text, err := os.ReadFile("../examples/two-tier.hcl")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("TMPDIR", dir)
	if status, _, errs := run(t, "lab", "up", file); status != 0 {
		t.Fatalf("up: status %d\n%s", status, errs)
	}
	defer run(t, "lab", "down", file)
	if status, _, errs := run(t, "lab", "up", file); status != 1 || !strings.Contains(errs, "up already") {
		t.Errorf("up again: status %d: %s", status, errs)
	}

	deadline := time.Now().Add(20 * time.Second)
	var answer string
	for {
		var status int
		if status, answer, _ = run(t, "lab", "exec", file, "client.us", "--", "curl", "-s", "-m", "2", "http://192.0.2.5/"); status == 0 || time.Now().After(deadline) {
			break
		}
	}
	if !strings.HasPrefix(answer, "server=10.10.") || !strings.Contains(answer, "client=100.64.") {
		t.Errorf("curl in us: %q", answer)
	}
	if _, out, errs := run(t, "lab", "exec", file, "client.eu", "--", "curl", "-s", "-m", "3", "http://www.g.shop.example/"); !strings.HasPrefix(out, "server=10.") {
		t.Errorf("curl by name: %q %s", out, errs)
	}
	if _, out, _ := run(t, "lab", "exec", file, "client.eu", "--", "dig", "+short", "@192.0.2.53", "www.g.shop.example"); !strings.Contains("192.0.2.5 198.51.100.5", strings.TrimSpace(out)) || out == "" {
		t.Errorf("dig: %q", out)
	}
	_, saved, _ := run(t, "lab", "exec", file, `director.front["eu"]`, "--", "ipvsadm", "-Sn")
	for _, want := range []string{"-A -t 192.0.2.5:80 -s mh -b mh-fallback", "-a -t 192.0.2.5:80 -r 192.0.2.21:80 -i -w 2"} {
		if !strings.Contains(saved, want) {
			t.Errorf("front's table lacks %q:\n%s", want, saved)
		}
	}
	// Quotes that a shell took away are no mistake; the status is the program's.
	if status, out, _ := run(t, "lab", "exec", file, "director.nat[eu1]", "--", "sh", "-c", "echo out; exit 7"); status != 7 || out != "out\n" {
		t.Errorf("exec: status %d, %q", status, out)
	}
	if status, _, errs := run(t, "lab", "exec", file, "director.nobody", "--", "true"); status != 1 || !strings.Contains(errs, "client.eu") {
		t.Errorf("exec in no node: status %d: %s", status, errs)
	}
	testSignals(t, file)
	testStop(t, file)

	if status, _, errs := run(t, "lab", "down", file); status != 0 {
		t.Errorf("down: status %d: %s", status, errs)
	}
	nothingLeft(t, dir)
	if status, _, errs := run(t, "lab", "exec", file, "client.eu", "--", "true"); status != 1 || !strings.Contains(errs, "lab up") {
		t.Errorf("exec after down: status %d: %s", status, errs)
	}
}

// testSignals: programs that end by a signal, or whose user goes away, do not
// take the lab with them.
func testSignals(t *testing.T, file string) {
	t.Helper()
	for _, node := range []string{"client.eu", "director.nat[eu1]"} {
		if status, _, errs := run(t, "lab", "exec", file, node, "--", "no-such-program"); status != 127 || !strings.Contains(errs, "no-such-program") {
			t.Errorf("what is not there exits in %s with %d: %s", node, status, errs)
		}
		if status, _, errs := run(t, "lab", "exec", file, node, "--", file); status != 126 || !strings.Contains(errs, "permission denied") {
			t.Errorf("what is no program exits in %s with %d: %s", node, status, errs)
		}
	}
	if status, _, errs := run(t, "lab", "exec", file, "client.eu", "--", "sh", "-c", "kill -SEGV $$"); status != 139 {
		t.Errorf("a program that dies of SIGSEGV: status %d: %s", status, errs)
	}
	line := fmt.Sprintf("%q lab exec %q client.eu -- yes | head -1", program(t, "gslb"), file)
	if out, err := exec.Command("sh", "-c", line).Output(); string(out) != "y\n" {
		t.Errorf("yes | head -1: %q, %v", out, err)
	}
	if status, out, errs := run(t, "lab", "exec", file, "client.eu", "--", "echo", "still here"); status != 0 || out != "still here\n" {
		t.Errorf("afterwards: status %d, %q %s", status, out, errs)
	}
}

// testStop: a director that ends leaves the kernel forwarding, one that is
// flushed leaves nothing of ours and everything foreign.
func testStop(t *testing.T, file string) {
	t.Helper()
	node, director := `director.nat["us1"]`, program(t, "director")
	in := func(args ...string) (int, string) {
		status, out, errs := run(t, append([]string{"lab", "exec", file, node, "--"}, args...)...)
		return status, out + errs
	}
	in("ipvsadm", "-A", "-t", "203.0.113.99:99", "-s", "rr")
	before, _ := in(director, "list")
	if status, out := in(director, "stop"); status != 0 || before != 0 {
		t.Fatalf("stop: %d %s", status, out)
	}
	if _, out := in(director, "list"); !strings.Contains(out, "tcp 198.51.100.5:80") || !strings.Contains(out, "10.20.1.10:80") {
		t.Errorf("after stop the kernel no longer forwards:\n%s", out)
	}
	// Started again over a table that is right, it changes nothing.
	if status, out := in("sh", "-c", fmt.Sprintf(`%s run %q --node %q >$RUNTIME_DIRECTORY/again.log 2>&1 &`, director, file, node)); status != 0 {
		t.Fatalf("start again: %s", out)
	}
	time.Sleep(3 * time.Second)
	if _, out := in("sh", "-c", "cat $RUNTIME_DIRECTORY/again.log"); strings.Contains(out, "msg=table") || strings.Contains(out, "msg=host") || !strings.Contains(out, "destination is up") {
		t.Errorf("starting over a table that matches:\n%s", out)
	}
	if status, out := in(director, "stop", "--flush"); status != 0 || !strings.Contains(out, "- tcp 198.51.100.5:80") {
		t.Errorf("stop --flush: %d %s", status, out)
	}
	if _, out := in(director, "list"); strings.TrimSpace(out) != "tcp 203.0.113.99:99 rr, foreign" {
		t.Errorf("after stop --flush, want only the foreign service:\n%s", out)
	}
	if _, out := in("ip", "-br", "addr"); strings.Contains(out, "198.51.100.5/") {
		t.Errorf("after stop --flush the VIP is still there:\n%s", out)
	}
}

// A lab that is interrupted, even without a chance to clean up, leaves nothing.
func TestInterruptLeavesNothing(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"Ctrl-C": syscall.SIGINT, "kill -9": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.Command(program(t, "gslb"), "lab", "test", "../examples/hybrid.hcl")
			cmd.Env = append(os.Environ(), "TMPDIR="+dir)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
			if lab := using(t, dir); len(lab) == 0 {
				t.Error("after 3 s there is no lab to interrupt")
			}
			cmd.Process.Signal(signal)
			cmd.Wait()
			nothingLeft(t, dir)
		})
	}
}

// using are the processes that have a folder in their arguments or environment.
func using(t *testing.T, dir string) []string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(lines) == 0 {
		t.Fatalf("no processes: %v", err)
	}
	var out []string
	for _, path := range lines {
		line, err := os.ReadFile(path)
		environment, envErr := os.ReadFile(filepath.Join(filepath.Dir(path), "environ"))
		if err != nil || envErr != nil || len(line) == 0 { // gone meanwhile, or a zombie
			continue
		}
		if strings.Contains(string(line)+string(environment), dir) {
			out = append(out, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return out
}

// nothingLeft waits until no process is left of a lab whose files were in dir,
// and looks for the files. Other labs may be up on the same machine.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if left = using(t, dir); len(left) == 0 {
			break
		}
	}
	for _, l := range left {
		t.Errorf("left behind: process %s", l)
	}
	found, _ := filepath.Glob(filepath.Join(dir, "gslb*"))
	for _, f := range found {
		t.Errorf("left behind: %s", f)
	}
}
