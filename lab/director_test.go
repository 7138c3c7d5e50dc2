//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A sandbox is a lab that is up, of a copy of an example.
type sandbox struct {
	t    *testing.T
	file string
}

func newSandbox(t *testing.T, example string) sandbox {
	t.Helper()
	return newSandboxOf(t, "../examples/"+example)
}

func newSandboxOf(t *testing.T, path string) sandbox {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	s := sandbox{t, filepath.Join(dir, "lab.hcl")}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if status, _, errs := run(t, "lab", "up", s.file); status != 0 {
		t.Fatalf("lab up: status %d\n%s", status, errs)
	}
	t.Cleanup(func() { run(t, "lab", "down", s.file) })
	return s
}

// sh runs a shell script in a node and returns what it said.
func (s sandbox) sh(node, script string) string {
	s.t.Helper()
	_, out, errs := run(s.t, "lab", "exec", s.file, node, "--", "sh", "-c", script)
	return out + errs
}

// until waits for a node's word to have what is wanted.
func (s sandbox) until(node, script, what string, good func(string) bool) {
	s.t.Helper()
	var out string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if out = s.sh(node, script); good(out) {
			return
		}
	}
	s.t.Fatalf("%s: %s: never %s:\n%s", node, script, what, out)
}

func has(words ...string) func(string) bool {
	return func(out string) bool {
		for _, w := range words {
			if !strings.Contains(out, w) {
				return false
			}
		}
		return true
	}
}

func (s sandbox) pid(node string) string {
	s.t.Helper()
	return strings.Trim(s.sh(node, `sed -n 's/.*"pid": //p' $RUNTIME_DIRECTORY/director.json`), " ,\n")
}

func (s sandbox) reload(node string) { s.t.Helper(); s.sh(node, "kill -HUP "+s.pid(node)) }

// log is what a node's director has said.
func (s sandbox) log(node string) string {
	s.t.Helper()
	return s.sh(node, "cat $RUNTIME_DIRECTORY.log")
}

func TestReloadDriftAndRestart(t *testing.T) {
	s := newSandbox(t, "direct.hcl")
	const node = "director.dr"
	whole := has("-a -t 192.0.2.7:80 -r 192.0.2.40:80 -g -w 2", "-a -t 192.0.2.7:80 -r 192.0.2.41:80 -g -w 1")
	s.until(node, "ipvsadm -Sn", "whole", whole)

	// A weight in the file is a weight in the kernel, changed in place.
	s.sh(node, "sed -i 's/weight  = 2/weight  = 5/' "+s.file)
	s.reload(node)
	s.until(node, "ipvsadm -Sn", "the new weight", has("192.0.2.40:80 -g -w 5"))
	if log := s.log(node); !strings.Contains(log, `~ tcp 192.0.2.7:80 -> 192.0.2.40:80 dr weight 2 => weight 5`) || strings.Contains(log, `"- tcp`) {
		t.Errorf("the weight was not changed in place:\n%s", log)
	}

	// A bad file is refused with its fault, and the old one stays in force.
	s.sh(node, fmt.Sprintf("cp %s /tmp/good.hcl; sed -i 's/scheduler = \"wrr\"/schedular = \"wrr\"/' %[1]s", s.file))
	s.reload(node)
	s.until(node, "cat $RUNTIME_DIRECTORY.log", "the refusal", has("schedular", "lab.hcl:", "reload refused"))
	if out := s.sh(node, "ipvsadm -Sn"); !strings.Contains(out, "192.0.2.40:80 -g -w 5") {
		t.Errorf("a bad file has changed the table:\n%s", out)
	}

	// A VIP that the file no longer has goes, with its service and address.
	s.sh(node, "sed 's/192.0.2.7\"/192.0.2.8\"/; s/weight  = 5/weight  = 2/' /tmp/good.hcl > "+s.file)
	s.reload(node)
	s.until(node, "ipvsadm -Sn; ip -br addr", "moved", func(out string) bool {
		return has("192.0.2.8:80", "192.0.2.8/32")(out) && !strings.Contains(out, "192.0.2.7")
	})
	s.sh(node, "sed 's/weight  = 5/weight  = 2/' /tmp/good.hcl > "+s.file)
	s.reload(node)
	s.until(node, "ipvsadm -Sn", "whole", whole)

	// What somebody takes out by hand comes back.
	s.sh(node, "ipvsadm -d -t 192.0.2.7:80 -r 192.0.2.41:80; ip addr del 192.0.2.7/32 dev e0; echo 0 > /proc/sys/net/ipv4/conf/e0/accept_local")
	s.until(node, "ipvsadm -Sn; ip -br addr; cat /proc/sys/net/ipv4/conf/e0/accept_local", "repaired", func(out string) bool {
		return whole(out) && has("192.0.2.7/32", "\n1\n")(out)
	})

	// A connection lives through the violent death of the director and its return.
	talk := `exec 3<>/dev/tcp/192.0.2.7/80; for i in $(seq 60); do printf "GET /$i HTTP/1.1\r\nHost: x\r\n\r\n" >&3
		while read -t 3 -r line <&3; do case $line in server=*) echo "$i $line"; break;; esac; done; sleep .1; done`
	done := make(chan string)
	go func() {
		_, out, errs := run(t, "lab", "exec", s.file, "client.us", "--", "bash", "-c", talk)
		done <- out + errs
	}()
	time.Sleep(2 * time.Second)
	s.sh(node, "kill -9 "+s.pid(node))
	s.sh(node, fmt.Sprintf(`%s run %s --node %s >$RUNTIME_DIRECTORY/again.log 2>&1 &`, program(t, "director"), s.file, node))
	said := strings.Split(strings.TrimSpace(<-done), "\n")
	if len(said) != 60 || !strings.HasPrefix(said[59], "60 server=192.0.2.4") {
		t.Errorf("of 60 numbered requests on one connection %d were answered, last %q", len(said), said[len(said)-1])
	}
	s.until(node, "cat $RUNTIME_DIRECTORY/again.log", "up again", has("destination is up"))
	if log := s.sh(node, "cat $RUNTIME_DIRECTORY/again.log"); strings.Contains(log, "msg=table") || strings.Contains(log, "msg=host") {
		t.Errorf("started over a table that is right, the director changes it:\n%s", log)
	}
	if out := s.sh(node, fmt.Sprintf("%s run %s --node %s", program(t, "director"), s.file, node)); !strings.Contains(out, "runs here already") {
		t.Errorf("a second director on the same host: %s", out)
	}
}
