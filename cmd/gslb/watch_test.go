package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/dnsserver/client"
	"gslb/internal/cli"
	"gslb/topology"
)

func TestWatcherAsksForAReload(t *testing.T) {
	for name, change := range map[string]func(dir string) error{
		"when a file has changed": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "a.hcl"), []byte("# other"), 0o644)
		},
		"when a file has been renamed into place": func(dir string) error {
			file := filepath.Join(dir, "a.hcl")
			if err := os.WriteFile(file+".new", []byte("# new!!"), 0o644); err != nil {
				return err
			}
			return os.Rename(file+".new", file)
		},
		"when a file has come into the folder": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "b.hcl"), nil, 0o644)
		},
		"when a zone's master file has changed": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "shop.zone"), []byte("; longer than before"), 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range []string{"a.hcl", "shop.zone"} {
				if err := os.WriteFile(filepath.Join(dir, f), []byte("# begun"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			in := &cli.Inputs{}
			w := newWatcher(in, []string{dir}, true)
			hup := make(chan os.Signal, 1)
			go w.run(t.Context(), hup, 20*time.Millisecond)
			source, err := in.Source(w.paths)
			if err != nil {
				t.Fatal(err)
			}
			w.read(&topology.Topology{Zones: []*topology.Zone{{File: filepath.Join(dir, "shop.zone")}}}, source)
			select {
			case <-hup:
				t.Fatal("asked before anything had changed")
			case <-time.After(200 * time.Millisecond):
			}
			if err := change(dir); err != nil {
				t.Fatal(err)
			}
			select {
			case <-hup:
			case <-time.After(10 * time.Second):
				t.Fatal("did not ask")
			}
		})
	}
}

func TestWatcherLooksWhileTheFlagOrTheFileSaysSo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.hcl")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		flag  bool
		files []bool // what each reading says, one after the other
		want  bool
	}{
		"neither says so":              {false, []bool{false}, false},
		"the file says so":             {false, []bool{true}, true},
		"the flag says so":             {true, []bool{false}, true},
		"a reading says so":            {false, []bool{false, true}, true},
		"a reading says so no longer":  {false, []bool{true, false}, false},
		"no longer, but the flag does": {true, []bool{true, false}, true},
	} {
		t.Run(name, func(t *testing.T) {
			in := &cli.Inputs{}
			w := newWatcher(in, []string{file}, c.flag)
			hup := make(chan os.Signal, 1)
			go w.run(t.Context(), hup, 10*time.Millisecond)
			write("# begun")
			source, err := in.Source(w.paths)
			if err != nil {
				t.Fatal(err)
			}
			for _, watch := range c.files {
				w.read(&topology.Topology{Watch: watch}, source)
				for len(w.readings) > 0 {
					time.Sleep(time.Millisecond)
				}
			}
			write("# other")
			wait := 10 * time.Second
			if !c.want {
				wait = 200 * time.Millisecond
			}
			asked := false
			select {
			case <-hup:
				asked = true
			case <-time.After(wait):
			}
			if asked != c.want {
				t.Errorf("asked: %v, want %v", asked, c.want)
			}
		})
	}
}

func TestWatcherMissesNothingBetweenReadingAndLooking(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.hcl")
	in := &cli.Inputs{}
	w := newWatcher(in, []string{file}, false)
	if err := os.WriteFile(file, []byte("# read"), 0o644); err != nil {
		t.Fatal(err)
	}
	source, err := in.Source(w.paths)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("# after"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.read(&topology.Topology{Watch: true}, source)
	hup := make(chan os.Signal, 1)
	go w.run(t.Context(), hup, 10*time.Millisecond)
	select {
	case <-hup:
	case <-time.After(10 * time.Second):
		t.Fatal("did not ask")
	}
}

// The command itself: the file says that it is watched, and then no longer.
func TestServeWatchesWhenTheFileSaysSo(t *testing.T) {
	text := func(watch bool, address string) string {
		return fmt.Sprintf(`
topology "g" {
  watch = %v
}
zone "g" {
  name = "g.example.org"
}
region "eu" {
  location = [50.1, 8.7]
}
nameserver "ns" {
  for_each  = ["192.0.2.53", "198.51.100.53"]
  region    = region.eu
  addresses = [each.value]
}
domain "www" {
  zone = zone.g
  answer "a" {
    addresses = [%q]
  }
}
`, watch, address)
	}
	file := filepath.Join(t.TempDir(), "g.hcl")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text(true, "192.0.2.1"))
	var out, errs screen
	done := make(chan int, 1)
	go func() { done <- run([]string{"serve", file, "--listen", "127.0.0.1:0"}, &out, &errs) }()
	line := regexp.MustCompile(`^serving 1 zone on (\S+) \(udp, tcp\)\n$`)
	eventually(t, "it to listen", func() bool { return line.MatchString(out.String()) || len(done) > 0 })
	if len(done) > 0 {
		t.Fatalf("ended with %d: %s", <-done, &errs)
	}
	server := netip.MustParseAddrPort(line.FindStringSubmatch(out.String())[1])
	ask := func() string {
		t.Helper()
		a, err := client.Ask(t.Context(), "udp", server, netip.Addr{}, "www.g.example.org", "A")
		if err != nil {
			t.Fatal(err)
		}
		return topology.Addrs(a.Addrs).String()
	}
	if diff := cmp.Diff("192.0.2.1", ask()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	write(text(true, "192.0.2.2"))
	eventually(t, "the change to be served without a signal", func() bool { return ask() == "192.0.2.2" })
	write(text(false, "192.0.2.3"))
	eventually(t, "the last change that is watched for", func() bool { return ask() == "192.0.2.3" })
	write(text(false, "192.0.2.4"))
	time.Sleep(3 * watchEvery)
	if diff := cmp.Diff("192.0.2.3", ask()); diff != "" {
		t.Errorf("served though nobody watches (-want +got)\n%s", diff)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case code := <-done:
		if code != 0 {
			t.Errorf("exit code %d: %s", code, &errs)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("SIGTERM does not stop it")
	}
}
