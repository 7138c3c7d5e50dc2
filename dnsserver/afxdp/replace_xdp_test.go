//go:build xdp

package afxdp

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

const zone = `
zone "z" {
  name = "example.org"
  record "www" {
    name = "www"
    type = "A"
    data = ["192.0.2.80"]
  }
}
region "eu" {}
nameserver "a" {
  region    = region.eu
  name      = "ns1.example.org."
  addresses = ["198.51.100.1"]
}
nameserver "b" {
  region    = region.eu
  name      = "ns2.example.org."
  addresses = ["203.0.113.1"]
}
`

// A screen is what a program writes, readable while it runs.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// A daemon is gslb serve on the server.
type daemon struct {
	cmd   *exec.Cmd
	log   screen
	ended chan error
}

func (w *world) start(file string, more ...string) *daemon {
	w.t.Helper()
	d := &daemon{ended: make(chan error, 1)}
	d.cmd = exec.Command(filepath.Join(os.Getenv("GSLB_BIN"), "gslb"), append([]string{"serve", file, "--listen", served[0].String(), "--xdp", "s0", "--rate-limit", "0"}, more...)...)
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	w.in(w.server, func() {
		if err := d.cmd.Start(); err != nil {
			w.t.Error(err)
		}
	})
	go func() { d.ended <- d.cmd.Wait() }()
	w.t.Cleanup(func() { _ = d.cmd.Process.Kill() })
	return d
}

// says waits until the daemon has written something, so often.
func (w *world) says(d *daemon, what string, times ...int) {
	w.t.Helper()
	for begin := time.Now(); strings.Count(d.log.String(), what) < append(times, 1)[0]; time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-d.ended:
			w.t.Fatalf("it has ended, %v:\n%s", err, &d.log)
		default:
		}
		if time.Since(begin) > 60*time.Second {
			w.t.Fatalf("it does not say %q:\n%s", what, d.log.String())
		}
	}
}

// gslb serve answers past the stack, hands the interface over under load without
// losing a query, and leaves no program behind.
func TestServeIsReplaced(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "world.hcl")
	must(t, os.WriteFile(file, []byte(zone), 0o600))
	old := w.start(file)
	w.says(old, "go past the kernel's stack")

	conn := w.dial(served[0])
	var sent, answered atomic.Int64
	stop := make(chan struct{})
	var all sync.WaitGroup
	room := make(chan struct{}, 32) // waiting queries
	all.Go(func() {
		query := []byte("\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03org\x00\x00\x01\x00\x01")
		for id := uint16(0); ; id++ {
			select {
			case <-stop:
				return
			case room <- struct{}{}:
			case <-time.After(10 * time.Second):
				t.Error("nothing is answered any more")
				return
			}
			binary.BigEndian.PutUint16(query, id)
			if _, err := conn.Write(query); err != nil {
				t.Error(err)
				return
			}
			sent.Add(1)
		}
	})
	all.Go(func() {
		buf := make([]byte, 1500)
		for {
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			n, err := conn.Read(buf)
			if err != nil {
				return // after the last one, or lost
			}
			if n < 16 || !bytes.HasSuffix(buf[:n], []byte{192, 0, 2, 80}) {
				t.Errorf("reply % x", buf[:n])
			}
			answered.Add(1)
			<-room
		}
	})
	time.Sleep(300 * time.Millisecond)
	had := answered.Load()
	before, after := w.datagrams()
	if had = answered.Load() - had; after-before > had/10 {
		t.Errorf("the stack has had %d datagrams while %d queries were answered", after-before, had)
	}
	for range 3 {
		next := w.start(file, "--replace")
		w.says(next, "go past the kernel's stack")
		if err := <-old.ended; err != nil {
			t.Errorf("the one that was replaced: %v\n%s", err, &old.log)
		}
		old = next
	}
	close(stop)
	all.Wait()
	t.Logf("%d queries, %d answered, by four processes; %d of them in the first 300 ms", sent.Load(), answered.Load(), had)
	if sent.Load() != answered.Load() || sent.Load() < 100 {
		t.Errorf("%d of %d queries are answered", answered.Load(), sent.Load())
	}
	if !w.attached() {
		t.Error("there is no program at the interface")
	}

	// The cable is changed: the interface is another one then.
	w.in(w.server, func() {
		s0, err := netlink.LinkByName("s0")
		must(t, err)
		must(t, netlink.LinkDel(s0))
	})
	w.says(old, "until the interface is there again")
	w.cable()
	w.says(old, "go past the kernel's stack", 2)
	if !w.attached() {
		t.Error("there is no program at the new interface")
	}
	must(t, old.cmd.Process.Signal(syscall.SIGTERM))
	if err := <-old.ended; err != nil {
		t.Errorf("stopped: %v\n%s", err, &old.log)
	}
	if w.attached() {
		t.Error("the last one has left its program at the interface")
	}
}

// datagrams counts those that the server's stack has delivered by now and a moment later.
func (w *world) datagrams() (before, after int64) {
	w.t.Helper()
	count := func() (n int64) {
		w.in(w.server, func() {
			text, err := os.ReadFile("/proc/thread-self/net/snmp")
			if err != nil {
				w.t.Error(err)
			}
			for line := range strings.Lines(string(text)) {
				if f := strings.Fields(line); f[0] == "Udp:" && f[1] != "InDatagrams" {
					n, err = strconv.ParseInt(f[1], 10, 64)
					if err != nil {
						w.t.Error(err)
					}
				}
			}
		})
		return n
	}
	before = count()
	time.Sleep(300 * time.Millisecond)
	return before, count()
}

// attached reports whether a program of XDP is at the server's interface.
func (w *world) attached() (yes bool) {
	w.in(w.server, func() {
		l, err := netlink.LinkByName("s0")
		if err != nil {
			w.t.Error(err)
			return
		}
		yes = l.Attrs().Xdp != nil && l.Attrs().Xdp.Attached
	})
	return yes
}
