package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/dnsserver/client"
)

// A keeper is systemd as far as a unit of Type=notify sees it: it hears what the
// unit says and keeps its sockets.
type keeper struct {
	path string
	mu   sync.Mutex
	said []string
	kept map[string]*os.File
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	k := &keeper{path: filepath.Join(t.TempDir(), "notify"), kept: map[string]*os.File{}}
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: k.path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		text, rights := make([]byte, 4096), make([]byte, 4096)
		for {
			n, c, _, _, err := l.ReadMsgUnix(text, rights)
			if err != nil {
				return
			}
			k.hear(string(text[:n]), rights[:c])
		}
	}()
	return k
}

func (k *keeper) hear(text string, rights []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	lines := strings.Split(text, "\n")
	var name string
	for _, line := range lines {
		if n, ok := strings.CutPrefix(line, "FDNAME="); ok {
			name = n
		}
	}
	messages, _ := syscall.ParseSocketControlMessage(rights)
	for _, m := range messages {
		fds, _ := syscall.ParseUnixRights(&m)
		for _, fd := range fds {
			k.kept[name] = os.NewFile(uintptr(fd), name)
		}
	}
	switch lines[0] {
	case "FDSTORE=1":
	case "FDSTOREREMOVE=1":
		delete(k.kept, name)
	default:
		k.said = append(k.said, strings.Join(lines, " "))
	}
}

func (k *keeper) names() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []string
	for name := range k.kept {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (k *keeper) heard(word string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.ContainsFunc(k.said, func(s string) bool { return strings.Contains(s, word) })
}

// start starts gslb as systemd does, with what is kept.
func (k *keeper) start(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	names := k.names()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.said = nil
	c := exec.Command("/bin/sh", append([]string{"-c", `export LISTEN_PID=$$; exec "$0" "$@"`, gslbProgram(t)}, args...)...)
	c.Env = append(os.Environ(), "NOTIFY_SOCKET="+k.path, "GOMAXPROCS=2", fmt.Sprint("LISTEN_FDS=", len(names)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	for _, name := range names {
		c.ExtraFiles = append(c.ExtraFiles, k.kept[name])
	}
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("%s", &said)
		}
	})
	return c
}

// gslbProgram is a file by whose name this test's program is gslb.
func gslbProgram(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "gslb")
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	return link
}

// A unit's sockets are kept over a crash: what is asked while no process has
// them is answered by the next one. A process that is replaced says by whom.
func TestSystemdKeepsTheSockets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.hcl")
	if err := os.WriteFile(file, []byte(`zone "shop" { name = "g.shop.example" }
region "eu" {}
nameserver "eu" {
  region    = region.eu
  addresses = ["192.0.2.53"]
}
`), 0o644); err != nil {
		t.Fatal(err)
	}
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(free.LocalAddr().String())
	free.Close()
	k := newKeeper(t)
	ask := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		for _, network := range []string{"udp", "tcp"} {
			if _, err := client.Ask(ctx, network, at, netip.Addr{}, "g.shop.example", "SOA"); err != nil {
				return err
			}
		}
		return nil
	}
	ready := func(c *exec.Cmd) {
		t.Helper()
		eventually(t, "READY=1", func() bool {
			return k.heard(fmt.Sprintf("READY=1 MAINPID=%d STATUS=serving 1 zone", c.Process.Pid))
		})
	}
	first := k.start(t, "serve", file, "--listen", at.String())
	ready(first)
	names := func(addr string) []string {
		at := fmt.Sprintf("%s_%d", addr, at.Port())
		return []string{"tcp-0-" + at, "udp-0-" + at, "udp-1-" + at}
	}
	if diff := cmp.Diff(names("127.0.0.1"), k.names()); diff != "" {
		t.Errorf("kept (-want +got)\n%s", diff)
	}
	if err := ask(); err != nil {
		t.Error(err)
	}

	// A crash; a query comes while nobody is there.
	_ = first.Process.Kill()
	_ = first.Wait()
	answered := make(chan error, 1)
	go func() { answered <- ask() }()
	time.Sleep(50 * time.Millisecond)
	second := k.start(t, "serve", file, "--listen", at.String())
	ready(second)
	if err := <-answered; err != nil {
		t.Errorf("asked after the crash: %v", err)
	}

	// Replaced by hand: the old one says by whom, and leaves.
	third := exec.Command(gslbProgram(t), "serve", file, "--listen", at.String(), "--replace")
	third.Env = append(os.Environ(), "GOMAXPROCS=1")
	if err := third.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = third.Process.Kill(); _ = third.Wait() })
	eventually(t, "MAINPID", func() bool { return k.heard(fmt.Sprintf("MAINPID=%d", third.Process.Pid)) })
	if err := second.Wait(); err != nil {
		t.Errorf("the second: %v", err)
	}
	if k.heard("STOPPING=1") {
		t.Error("the unit is said to stop, which it does not")
	}
	if err := ask(); err != nil {
		t.Error(err)
	}

	// Elsewhere from now on: what was kept is given back.
	_ = third.Process.Kill()
	_ = third.Wait()
	fourth := k.start(t, "serve", file, "--listen", fmt.Sprintf("127.0.0.2:%d", at.Port()))
	ready(fourth)
	if diff := cmp.Diff(names("127.0.0.2"), k.names()); diff != "" {
		t.Errorf("kept (-want +got)\n%s", diff)
	}
	_ = fourth.Process.Signal(syscall.SIGTERM)
	eventually(t, "STOPPING=1", func() bool { return k.heard("STOPPING=1") })
}
