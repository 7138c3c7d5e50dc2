package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/dnsserver/client"
	"gslb/topology"
)

// A screen is what a command writes, readable while it runs.
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

// eventually waits until ok or fails saying what was waited for.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begin := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// backend listens on addr, which is then up for a tcp check.
func backend(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// small is a topology whose domain www has answers at addrs, checked by TCP.
func small(port uint16, addrs ...string) *topology.Topology {
	z := &topology.Zone{ID: "zone.g", Name: "g.example.org.", Contact: "hostmaster.example.org.", Refresh: time.Hour, Retry: time.Minute,
		Expire: time.Hour, NegativeTTL: 5 * time.Second, TTL: time.Minute}
	check := &topology.Check{ID: "check.web", Type: topology.CheckTCP, Interval: 50 * time.Millisecond, Timeout: 40 * time.Millisecond, Rise: 2, Fall: 2}
	d := &topology.Domain{ID: "domain.www", Name: "www.g.example.org.", Zone: z, TTL: 5 * time.Second, Policy: &topology.Policy{
		Steps: []topology.Step{{Kind: topology.StepHealth, FailOpen: true}}}}
	for i, addr := range addrs {
		d.Answers = append(d.Answers, &topology.Answer{ID: fmt.Sprint(i), Label: string(rune('a' + i)), Addrs: []netip.Addr{netip.MustParseAddr(addr)},
			Weight: 1, Check: check, Port: port})
	}
	return &topology.Topology{Zones: []*topology.Zone{z}, Domains: []*topology.Domain{d},
		Nameservers: []*topology.Nameserver{{ID: "nameserver.ns", Label: "ns", Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}}}
}

// A daemon is serve at work.
type running struct {
	out, errs screen
	server    netip.AddrPort
	hup       chan os.Signal
	stop      context.CancelFunc
	done      chan error
}

func startServe(t *testing.T, read func() (*topology.Topology, error)) *running {
	t.Helper()
	return startServeAt(t, read, place{})
}

func startServeAt(t *testing.T, read func() (*topology.Topology, error), at place) *running {
	t.Helper()
	return startServeOn(t, read, at, "127.0.0.1:0")
}

func startServeOn(t *testing.T, read func() (*topology.Topology, error), at place, listen string) *running {
	t.Helper()
	return startServeOf(t, 1, read, at, listen)
}

func startServeOf(t *testing.T, zones int, read func() (*topology.Topology, error), at place, listen string) *running {
	t.Helper()
	r := &running{hup: make(chan os.Signal, 1), done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	go func() {
		r.done <- serve(ctx, &r.out, &r.errs, r.hup, read, doors{listen: []string{listen}}, &replyFlags{}, at)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-r.done; err != nil {
			t.Errorf("stopped with %v", err)
		}
		if t.Failed() {
			t.Logf("stdout:\n%s\nstderr:\n%s", &r.out, &r.errs)
		}
	})
	line := regexp.MustCompile(`(?m)^serving ` + count(zones, "zone") + ` on (\S+) \(udp, tcp\)$`)
	eventually(t, "the line that says where it listens", func() bool { return line.MatchString(r.out.String()) })
	r.server = netip.MustParseAddrPort(line.FindStringSubmatch(r.out.String())[1])
	return r
}

// ask returns the addresses of www.g.example.org in order of text.
func (r *running) ask(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	a, err := client.Ask(ctx, "udp", r.server, netip.Addr{}, "www.g.example.org", "A")
	if err != nil {
		t.Fatal(err)
	}
	return a.Rcode + " " + topology.Addrs(a.Addrs).String()
}

func (r *running) log() string {
	return regexp.MustCompile(`(?m)^time=\S+ `).ReplaceAllString(r.errs.String(), "")
}

func TestServeFollowsHealth(t *testing.T) {
	second := backend(t, "127.0.0.3:0")
	port := uint16(second.Addr().(*net.TCPAddr).Port)
	first := backend(t, fmt.Sprintf("127.0.0.2:%d", port))
	r := startServe(t, func() (*topology.Topology, error) { return small(port, "127.0.0.2", "127.0.0.3", "127.0.0.4"), nil })

	// The dead one is missing from the very first answer.
	if diff := cmp.Diff("NOERROR 127.0.0.2, 127.0.0.3", r.ask(t)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	first.Close()
	eventually(t, "the dead one to go", func() bool { return r.ask(t) == "NOERROR 127.0.0.3" })
	backend(t, fmt.Sprintf("127.0.0.2:%d", port))
	eventually(t, "the one that lives again to come back", func() bool { return r.ask(t) == "NOERROR 127.0.0.2, 127.0.0.3" })

	got := regexp.MustCompile(`reason=.*`).ReplaceAllString(r.log(), "reason=…")
	lines := strings.Split(strings.TrimSpace(got), "\n")
	want := []string{
		fmt.Sprintf(`level=WARN msg="answer is down" domain=domain.www answer=a target=127.0.0.2:%d check=check.web reason=…`, port),
		fmt.Sprintf(`level=INFO msg="answer is up" domain=domain.www answer=a target=127.0.0.2:%d check=check.web`, port),
	}
	if len(lines) != 5 { // three first results before
		t.Fatalf("%d events, want 5:\n%s", len(lines), got)
	}
	if diff := cmp.Diff(want, lines[3:]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestServeReloads(t *testing.T) {
	live := backend(t, "127.0.0.2:0")
	port := uint16(live.Addr().(*net.TCPAddr).Port)
	backend(t, fmt.Sprintf("127.0.0.3:%d", port))
	var mu sync.Mutex
	next := func() (*topology.Topology, error) { return small(port, "127.0.0.2", "127.0.0.9"), nil }
	r := startServe(t, func() (*topology.Topology, error) {
		mu.Lock()
		defer mu.Unlock()
		return next()
	})
	reload := func(f func() (*topology.Topology, error)) {
		mu.Lock()
		next = f
		mu.Unlock()
		r.hup <- syscall.SIGHUP
	}

	// While it reloads, what is asked is answered from the one topology or the
	// other, and never with what has not been checked.
	reload(func() (*topology.Topology, error) {
		return small(port, "127.0.0.2", "127.0.0.3", "127.0.0.8"), nil
	})
	eventually(t, "the new answer", func() bool {
		switch got := r.ask(t); got {
		case "NOERROR 127.0.0.2":
			return false
		case "NOERROR 127.0.0.2, 127.0.0.3":
			return true
		default:
			t.Fatalf("answered %s", got)
			return false
		}
	})
	for name, c := range map[string]struct {
		read func() (*topology.Topology, error)
		want string
	}{
		"files that cannot be read": {func() (*topology.Topology, error) { return nil, errors.New("no such file") }, `reason="no such file"`},
		"no zone":                   {func() (*topology.Topology, error) { return &topology.Topology{}, nil }, "has no zone"},
		"zones that cannot be served": {func() (*topology.Topology, error) {
			topo := small(port, "127.0.0.2")
			topo.Zones[0].Records = []*topology.Record{{ID: "record.x", Name: "x.g.example.org.", Type: "A", Data: []string{"x"}}}
			return topo, nil
		}, "record record.x"},
	} {
		t.Run(name, func(t *testing.T) {
			reload(c.read)
			eventually(t, "the refusal", func() bool {
				return strings.Contains(r.log(), `msg="reload refused, the topology read before stays"`) && strings.Contains(r.log(), c.want)
			})
			if diff := cmp.Diff("NOERROR 127.0.0.2, 127.0.0.3", r.ask(t)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	// One that stays was up before and is so without another look.
	reload(func() (*topology.Topology, error) { return small(port, "127.0.0.3"), nil })
	eventually(t, "the last topology", func() bool { return r.ask(t) == "NOERROR 127.0.0.3" })
	if n := strings.Count(r.log(), `answer is up" domain=domain.www answer=a`); n != 1 {
		t.Errorf("answer a came up %d times", n)
	}
}

// The command itself, with files and signals.
func TestServeCommand(t *testing.T) {
	const good = `
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
variable "address" {
  type = string
}
domain "www" {
  zone = zone.g
  answer "a" {
    addresses = [var.address]
  }
}
`
	file := filepath.Join(t.TempDir(), "g.hcl")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(good)
	var out, errs screen
	done := make(chan int, 1)
	go func() {
		done <- run([]string{"serve", file, "--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--var", "address=192.0.2.1"}, &out, &errs)
	}()
	lines := regexp.MustCompile(`^serving 1 zone on (127\.0\.0\.1:\d+) \(udp, tcp\)\nserving 1 zone on (\[::1\]:\d+) \(udp, tcp\)\n$`)
	eventually(t, "it to listen", func() bool { return lines.MatchString(out.String()) || len(done) > 0 })
	if len(done) > 0 {
		t.Fatalf("ended with %d: %s", <-done, &errs)
	}
	ask := func() string {
		t.Helper()
		var all []string
		for i, network := range []string{"udp", "tcp"} {
			server := netip.MustParseAddrPort(lines.FindStringSubmatch(out.String())[i+1])
			a, err := client.Ask(t.Context(), network, server, netip.Addr{}, "www.g.example.org", "A")
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, topology.Addrs(a.Addrs).String())
		}
		return strings.Join(all, " ")
	}
	signalSelf := func(s syscall.Signal) {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff("192.0.2.1 192.0.2.1", ask()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	write(strings.Replace(good, "var.address", `"192.0.2.2", var.addres`, 1))
	signalSelf(syscall.SIGHUP)
	eventually(t, "the refusal", func() bool { return strings.Contains(errs.String(), "reload refused") })
	if !strings.Contains(errs.String(), "error[GS008]") || !strings.Contains(errs.String(), file+":") {
		t.Errorf("the fault is not shown:\n%s", &errs)
	}
	if diff := cmp.Diff("192.0.2.1 192.0.2.1", ask()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	write(strings.Replace(good, "[var.address]", `["192.0.2.2"]`, 1))
	signalSelf(syscall.SIGHUP)
	eventually(t, "the new answer", func() bool { return ask() == "192.0.2.2 192.0.2.2" })
	signalSelf(syscall.SIGTERM)
	select {
	case code := <-done:
		if code != 0 {
			t.Errorf("exit code %d: %s", code, &errs)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("SIGTERM does not stop it")
	}
}

func TestServeRefuses(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	topo := small(80, "127.0.0.2")
	topo.Nameservers[0].Addrs = []netip.Addr{netip.MustParseAddr("192.0.2.53")}
	for name, c := range map[string]struct {
		node   string
		listen []string
		want   string
	}{
		"a nameserver there is not":         {"nameserver.x", nil, "nameserver.x is no nameserver of the file: it has nameserver.ns"},
		"a nameserver that is elsewhere":    {"nameserver.ns", nil, "listen on 192.0.2.53:53 (udp): cannot assign requested address: 192.0.2.53 is no address of this machine; run where nameserver.ns is, or give --listen instead"},
		"an address that is elsewhere":      {"", []string{"192.0.2.7:5300"}, "listen on 192.0.2.7:5300 (udp): cannot assign requested address: 192.0.2.7 is no address of this machine"},
		"an address without a port":         {"", []string{"127.0.0.1"}, "--listen 127.0.0.1: want ADDR:PORT, as in 127.0.0.1:5300 or [::1]:5300"},
		"an address where somebody else is": {"", []string{taken.LocalAddr().String()}, "listen on " + taken.LocalAddr().String() + " (udp): address already in use: another program answers there"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs screen
			err := serve(t.Context(), &out, &errs, nil, func() (*topology.Topology, error) { return topo, nil }, doors{node: c.node, listen: c.listen}, &replyFlags{}, place{})
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	var out, errs screen
	if code := run([]string{"serve", "nothing.hcl"}, &out, &errs); code != 64 || !strings.Contains(errs.String(), "--node nameserver.NAME") || !strings.Contains(errs.String(), "--listen ADDR:PORT") {
		t.Errorf("without either flag: exit code %d, %s", code, &errs)
	}
}

func TestNextSerial(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	for name, c := range map[string]struct {
		before uint32
		now    time.Time
		want   uint32
	}{
		"the first is the time":                   {0, at(1_800_000_000), 1_800_000_000},
		"a later one is the time":                 {1_800_000_000, at(1_800_000_060), 1_800_000_060},
		"within one second it still moves":        {1_800_000_000, at(1_800_000_000), 1_800_000_001},
		"a clock set back does not take it along": {1_800_000_000, at(1_700_000_000), 1_800_000_001},
		"it moves on when 32 bits are full":       {0xffffffff, at(1 << 32), 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := nextSerial(c.before, c.now); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}
