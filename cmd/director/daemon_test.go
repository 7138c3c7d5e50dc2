package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/conf"
	"gslb/dataplane"
	"gslb/dataplane/ipvs"
	"gslb/health"
	"gslb/health/probe"
	"gslb/internal/local"
	"gslb/tiers"
	"gslb/topology"
)

// farm is a NAT director with three servers; %s is what its virtual_service says besides.
const farm = `
region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "in" {
  region = region.eu
  cidr   = "10.1.0.0/24"
}
director "nat" {
  network = network.edge
  address = "192.0.2.11"
  inside  = { network = network.in, address = "10.1.0.1" }
  %s
}
farm "web" {
  network = network.in
  gateway = director.nat
  server "web" {
    for_each = range(3)
    address  = cidrhost(network.in.cidr, 10 + each.value)
  }
}
check "out" {
  type     = "file"
  file     = "%s/{address}"
  expect   = { exists = false }
  interval = "1s"
  timeout  = "500ms"
  rise     = 1
  fall     = 1
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  check  = check.out
  quorum = { min_up = 2 }
  tier "nat" {
    directors = [director.nat]
    method    = "nat"
    scheduler = "%s"
    farms     = [farm.web]
  }
}
`

// parsed is a topology and its director of an ID.
func parsed(t *testing.T, text, node string) (*topology.Topology, *topology.Director) {
	t.Helper()
	topo, diags := conf.Parse(conf.Source{Files: []conf.File{{Name: "x.hcl", Data: []byte(text)}}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	self, ok := topo.Director(node)
	if !ok {
		t.Fatalf("no %s", node)
	}
	return topo, self
}

// A bench is a daemon over a kernel in memory.
type bench struct {
	*daemon
	t      *testing.T
	kernel *fakeKernel
	logs   *logbook
	hangup chan os.Signal
	text   string // the file
}

// A logbook is what a daemon logs, readable while it runs.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newBench is a daemon that has read the text and decided nothing yet; what is
// kept is in dir.
func newBench(t *testing.T, k *fakeKernel, dir, text, node string) *bench {
	t.Helper()
	topo, self := parsed(t, text, node)
	return benchOf(t, k, dir, text, topo, self)
}

func benchOf(t *testing.T, k *fakeKernel, dir, text string, topo *topology.Topology, self *topology.Director) *bench {
	t.Helper()
	b := &bench{t: t, kernel: k, logs: &logbook{}, hangup: make(chan os.Signal, 1), text: text}
	log := slog.New(slog.NewTextHandler(b.logs, nil))
	desk, err := openDesk(log, dir)
	if err != nil {
		t.Fatal(err)
	}
	before, err := readState(dir)
	if err != nil {
		t.Fatal(err)
	}
	before.Node = self.ID
	host := newHostKeeper(k, hostPath(dir), log)
	b.daemon = &daemon{host: host, pairs: openPairs(dir, log, host), sync: &syncer{}, kernel: k, keeper: &dataplane.Keeper{Plane: k}, desk: desk, dir: dir, state: before, reload: b.hangup, log: log}
	b.read = func() (*topology.Topology, *topology.Director, error) {
		topo, diags := conf.Parse(conf.Source{Files: []conf.File{{Name: "x.hcl", Data: []byte(b.text)}}})
		if diags.HasErrors() {
			return nil, nil, errors.New("the file is wrong")
		}
		self, _ := topo.Director(self.ID)
		return topo, self, nil
	}
	if err := b.adopt(topo, self); err != nil {
		t.Fatal(err)
	}
	return b
}

// decide converges for a reason and returns what changed in the table.
func (b *bench) decide(why reason) []string {
	b.t.Helper()
	b.kernel.applied = nil
	_, err := b.converge(b.t.Context(), why)
	_ = b.say(err)
	var out []string
	for _, plan := range b.kernel.applied {
		for _, c := range plan {
			out = append(out, c.String())
		}
	}
	return out
}

// found has all targets of the addresses give the result, all of them without any.
func (b *bench) found(err error, addrs ...string) {
	b.t.Helper()
	for target, p := range b.probes {
		if len(addrs) == 0 || slices.Contains(addrs, target.Addr.Addr().String()) {
			b.observe(probe.Result{Probe: probe.Probe{Target: target, Check: p.Check}, Err: err})
		}
	}
}

// speak says something at the desk and returns the reply.
func (b *bench) speak(r request) any {
	b.t.Helper()
	r.FormatVersion = 1
	reply := make(chan any, 1)
	b.handle(call{peer: local.Peer{UID: 4711}, request: r, reply: reply})
	select {
	case out := <-reply:
		return out
	case <-time.After(10 * time.Second):
		b.t.Fatal("no reply")
		return nil
	}
}

func (b *bench) table() string {
	table, _ := b.kernel.Plane.Table(context.Background())
	return table.String()
}

func server(i int) string { return fmt.Sprintf(`farm.web.server.web[%d]`, i) }

func web(more, out, scheduler string) string { return fmt.Sprintf(farm, more, out, scheduler) }

const full = `tcp 192.0.2.5:80 wlc
  -> 10.1.0.10:80 nat weight 1
  -> 10.1.0.11:80 nat weight 1
  -> 10.1.0.12:80 nat weight 1
`

// guarded is a table with the guard, which stands before the services.
func guarded(table string) string { return "fwmark 0x4753ffff rr\n" + table }

func TestNothingIsForwardedBeforeTheFirstChecks(t *testing.T) {
	b := newBench(t, &fakeKernel{}, t.TempDir(), web("", "/nowhere", "wlc"), "director.nat")
	defer b.desk.close()
	b.decide(looked)
	if diff := cmp.Diff(guarded(""), b.table()); diff != "" {
		t.Errorf("before the first results (-want +got):\n%s", diff)
	}
	if s := b.status(time.Now()); s.State != "starting" || s.Services[0].State != "undecided" {
		t.Errorf("state %s, %s; want starting, undecided", s.State, s.Services[0].State)
	}
	b.found(nil, "10.1.0.10", "10.1.0.11")
	if got := b.decide(decided); got != nil {
		t.Errorf("with one not checked yet: %v", got)
	}
	b.found(nil, "10.1.0.12")
	b.decide(decided)
	if diff := cmp.Diff(guarded(full), b.table()); diff != "" {
		t.Errorf("after the last of them (-want +got):\n%s", diff)
	}
}

func TestStartingOverATableThatMatchesChangesNothing(t *testing.T) {
	k, dir := &fakeKernel{}, t.TempDir()
	text := web("", "/nowhere", "wlc")
	first := newBench(t, k, dir, text, "director.nat")
	first.decide(looked)
	first.found(nil)
	first.decide(decided)
	first.desk.close()

	second := newBench(t, k, dir, text, "director.nat")
	defer second.desk.close()
	if got := second.decide(looked); got != nil {
		t.Errorf("at the start: %v", got)
	}
	second.found(nil)
	if got := second.decide(decided); got != nil {
		t.Errorf("with the first results: %v", got)
	}
	if second.drifts.count != 0 {
		t.Errorf("%d drifts; want none", second.drifts.count)
	}
}

func TestOverrides(t *testing.T) {
	b := newBench(t, &fakeKernel{}, t.TempDir(), web("", "/nowhere", "wlc"), "director.nat")
	defer b.desk.close()
	b.decide(looked)
	b.found(nil)
	b.decide(decided)

	for _, c := range []struct {
		name    string
		r       request
		refused string // part of it; "": done
		changes []string
	}{
		{"an object that is not there", request{Object: "farm.wbe", Mode: "drained"}, "did you mean farm.web?", nil},
		{"a mode that is none", request{Object: server(0), Mode: "asleep"}, `"asleep" is none of`, nil},
		{"one of three is disabled", request{Object: `farm.web.server.web[0]`, Mode: "disabled"}, "", []string{"- tcp 192.0.2.5:80 -> 10.1.0.10:80 nat weight 1"}},
		{"a second is below quorum", request{Object: server(1), Mode: "disabled"}, "nobody new is served by virtual_service.www (tcp 192.0.2.5:80)", nil},
		{"it is forced", request{Object: server(1), Mode: "disabled", Force: true}, "", []string{
			"~ tcp 192.0.2.5:80 -> 10.1.0.12:80 nat weight 1 => weight 0", "- tcp 192.0.2.5:80 -> 10.1.0.11:80 nat weight 1",
		}},
		{"one comes back", request{Object: server(1), Mode: "enabled"}, "", []string{
			"+ tcp 192.0.2.5:80 -> 10.1.0.11:80 nat weight 1", "~ tcp 192.0.2.5:80 -> 10.1.0.12:80 nat weight 0 => weight 1",
		}},
		{"and the other", request{Object: server(0), Mode: "enabled"}, "", []string{"+ tcp 192.0.2.5:80 -> 10.1.0.10:80 nat weight 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.r.Command = "override"
			reply := b.speak(c.r)
			if no, is := reply.(local.Refusal); is != (c.refused != "") || !strings.Contains(no.Error, c.refused) {
				t.Errorf("reply %+v; want a refusal with %q", reply, c.refused)
			}
			if diff := cmp.Diff(c.changes, b.decide(decided)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
	var texts []string
	for _, e := range b.status(time.Now()).Events {
		texts = append(texts, e.Kind+" "+e.Text)
	}
	want := []string{
		`override farm.web.server.web[0] is disabled by uid 4711`, `override farm.web.server.web[1] is disabled by uid 4711`,
		`override farm.web.server.web[1] is enabled by uid 4711`, `override farm.web.server.web[0] is enabled by uid 4711`,
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestDrainEndsWithTheLastConnection(t *testing.T) {
	for _, c := range []struct{ scheduler, end string }{
		{"wlc", "- tcp 192.0.2.5:80 -> 10.1.0.10:80 nat weight 0"},
		{"mh", ""}, // stays with weight 0, so that nobody else moves
	} {
		t.Run(c.scheduler, func(t *testing.T) {
			k := &fakeKernel{}
			b := newBench(t, k, t.TempDir(), web("", "/nowhere", c.scheduler), "director.nat")
			defer b.desk.close()
			b.decide(looked)
			b.found(nil)
			b.decide(decided)
			vip, at := netip.MustParseAddrPort("192.0.2.5:80"), netip.MustParseAddrPort("10.1.0.10:80")
			live := func(port uint16, state string) ipvs.Conn {
				return ipvs.Conn{Proto: topology.TCP, Client: netip.AddrPortFrom(netip.MustParseAddr("203.0.113.7"), port), Virtual: vip, Destination: at, State: state}
			}
			k.conns = []ipvs.Conn{live(50000, "ESTABLISHED"), live(50001, "ESTABLISHED"), live(50002, "FIN_WAIT")}
			b.speak(request{Command: "override", Object: server(0), Mode: "drained"})
			if diff := cmp.Diff([]string{"~ tcp 192.0.2.5:80 -> 10.1.0.10:80 nat weight 1 => weight 0"}, b.decide(decided)); diff != "" {
				t.Errorf("at first (-want +got):\n%s", diff)
			}
			look := func() string {
				now := b.status(time.Now())
				left := now.left(server(0))
				return left.text(now.At, 3, 0)
			}
			if got := look(); got != "3 connections (2 active) left" {
				t.Errorf("with three: %s", got)
			}
			k.conns = k.conns[:1]
			if got := b.decide(decided); got != nil || look() != "1 connections left" {
				t.Errorf("with one: %v, %s", got, look())
			}
			k.conns = nil
			if got := strings.Join(b.decide(decided), "\n"); got != c.end {
				t.Errorf("with none: %q, want %q", got, c.end)
			}
			if got := look(); got != "Nothing is left: it can be taken away." {
				t.Errorf("with none: %s", got)
			}
			k.conns = []ipvs.Conn{live(50003, "FIN_WAIT")} // of a client that comes back late
			if got := b.decide(decided); got != nil {
				t.Errorf("what is drained stays so: %v", got)
			}
		})
	}
}

func TestARestartKeepsWordsAndDecisions(t *testing.T) {
	k, dir, text := &fakeKernel{}, t.TempDir(), web("", "/nowhere", "wlc")
	b := newBench(t, k, dir, text, "director.nat")
	b.decide(looked)
	b.found(nil)
	b.decide(decided)
	b.speak(request{Command: "override", Object: server(0), Mode: "drained", Reason: "new disks", Seconds: 3600})
	b.speak(request{Command: "override", Object: server(2), Mode: "disabled", Seconds: 1, Force: true})
	b.decide(decided)
	b.desk.close()
	table := b.table()
	time.Sleep(1100 * time.Millisecond) // the second runs out while nobody runs

	again := newBench(t, k, dir, text, "director.nat")
	if got := again.desk.overrides.Mode(server(0)); got != health.Drained || again.desk.overrides.Mode(server(2)) != health.Enabled {
		t.Errorf("overrides %+v; want the first drained, the last run out", again.desk.overrides)
	}
	if key := tiers.VIPKey(topology.TCP, netip.MustParseAddrPort("192.0.2.5:80")); !again.desk.memory[key].Lost || len(again.desk.memory[key].Emptied) != 1 {
		t.Errorf("memory %+v; want a lost quorum and one that is empty", again.desk.memory)
	}
	again.decide(looked)
	if diff := cmp.Diff(table, again.table()); diff != "" {
		t.Errorf("before the first results (-before +after):\n%s", diff)
	}
	again.desk.close()

	for _, name := range []string{"overrides.json", "decisions.json"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(`{"format_version":1,`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	torn := newBench(t, k, dir, text, "director.nat")
	defer torn.desk.close()
	if len(torn.desk.overrides) > 0 || len(torn.desk.memory) > 0 {
		t.Errorf("torn files give %+v, %+v", torn.desk.overrides, torn.desk.memory)
	}
	for _, name := range []string{"overrides.json.bad", "decisions.json.bad"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil || !strings.Contains(torn.logs.String(), name) {
			t.Errorf("%s: %v; log:\n%s", name, err, torn.logs)
		}
	}
}

func TestARefusedReloadKeepsTheOldFile(t *testing.T) {
	b := newBench(t, &fakeKernel{}, t.TempDir(), web("", "/nowhere", "wlc"), "director.nat")
	defer b.desk.close()
	b.decide(looked)
	b.found(nil)
	b.decide(decided)
	for _, c := range []struct {
		name, text string
		no         error
		said       string
	}{
		{"the file is wrong", "virtual", nil, "the file is wrong"},
		{"the host lacks an interface", web("", "/elsewhere", "wlc"), errors.New("no interface of this host has 192.0.2.11"), "no interface"},
		{"the key of the cluster is not there", web("", "/nowhere", "wlc") + "cluster {\n  key = secret(\"file:/nowhere/key\")\n}\n", nil, "/nowhere/key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.text, b.kernel.no = c.text, c.no
			if b.host.known = false; b.readAgain() {
				t.Error("it is in force")
			}
			events := b.status(time.Now()).Events
			if last := events[len(events)-1]; last.Kind != "reload" || !strings.Contains(last.Text, c.said) {
				t.Errorf("event %+v; want one with %q", last, c.said)
			}
			if got := b.decide(reread); got != nil || b.generation != 1 {
				t.Errorf("generation %d, changes %v; want 1 and none", b.generation, got)
			}
		})
	}
	b.text, b.kernel.no = web("", "/nowhere", "wrr"), nil
	if !b.readAgain() || b.generation != 2 {
		t.Errorf("generation %d after a file that is right", b.generation)
	}
	if diff := cmp.Diff([]string{"~ tcp 192.0.2.5:80 wlc => tcp 192.0.2.5:80 wrr"}, b.decide(reread)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestTimeouts(t *testing.T) {
	k, dir := &fakeKernel{timeouts: found}, t.TempDir()
	b := newBench(t, k, dir, web(`timeouts = { tcp = "1h", udp = "10s" }`, "/nowhere", "wlc"), "director.nat")
	defer b.desk.close()
	b.decide(looked)
	want := ipvs.Timeouts{TCP: time.Hour, TCPFin: found.TCPFin, UDP: 10 * time.Second}
	if diff := cmp.Diff(want, k.timeouts); diff != "" {
		t.Errorf("at the start (-want +got):\n%s", diff)
	}
	kept, err := readState(dir)
	if diff := cmp.Diff(span{TCP: 900, UDP: 300}, kept.Timeouts); err != nil || diff != "" {
		t.Errorf("what they were (-want +got):\n%s%v", diff, err)
	}
	k.timeouts.TCP = time.Minute // somebody else
	b.decide(drifted)
	if k.timeouts != want || b.drifts.count != 1 {
		t.Errorf("after a drift %v, %d counted", k.timeouts, b.drifts.count)
	}
	if got := b.status(time.Now()).Timeouts; !cmp.Equal(got.ByFile, []string{"tcp", "udp"}) || got.TCP != 3600 || got.TCPFin != 120 {
		t.Errorf("status %+v", got)
	}
	b.text = web(`timeouts = { udp = "10s" }`, "/nowhere", "wlc")
	b.readAgain()
	b.decide(reread)
	if want.TCP = found.TCP; k.timeouts != want {
		t.Errorf("when the file names one no more: %v, want %v", k.timeouts, want)
	}
	kept, err = readState(dir)
	if diff := cmp.Diff(span{UDP: 300}, kept.Timeouts); err != nil || diff != "" {
		t.Errorf("what is to be put back (-want +got):\n%s%v", diff, err)
	}
	done, err := putBack(k, kept.Timeouts.timeouts())
	if diff := cmp.Diff([]string{"timeout udp = 5m0s"}, done); err != nil || diff != "" || k.timeouts != found {
		t.Errorf("put back (-want +got):\n%s%v %v", diff, err, k.timeouts)
	}
}

// The daemon's own loop, in time that passes when nothing else is to be done.
func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := t.TempDir()
		k := &fakeKernel{timeouts: found}
		b := newBench(t, k, t.TempDir(), web("", out, "wlc"), "director.nat")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.run(ctx) }()
		defer func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			b.desk.close()
		}()
		ask := func() statusJSON {
			reply := make(chan any, 1)
			b.desk.calls <- call{request: request{FormatVersion: 1, Command: "status"}, reply: reply}
			return (<-reply).(statusJSON)
		}
		is := func(name, state string, drifts int, table string) {
			t.Helper()
			synctest.Wait()
			// First the table: what the daemon does after it has been asked comes
			// after this reading, for the race detector too.
			if diff := cmp.Diff(guarded(table), b.table()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if s := ask(); s.State != state || s.DriftCount != drifts {
				t.Errorf("%s: %s with %d drifts, want %s with %d", name, s.State, s.DriftCount, state, drifts)
			}
		}
		time.Sleep(2 * time.Second)
		is("checked", "forwarding", 0, full)

		// Somebody else takes a destination out.
		service := &tiers.Service{Key: tiers.VIPKey(topology.TCP, netip.MustParseAddrPort("192.0.2.5:80"))}
		meddled := tiers.Plan{{Op: tiers.DeleteDestination, Service: service, Destination: tiers.Destination{Addr: netip.MustParseAddrPort("10.1.0.11:80")}}}
		if err := k.Plane.Apply(ctx, meddled); err != nil {
			t.Fatal(err)
		}
		ask() // from here on the daemon sees it
		time.Sleep(driftInterval)
		is("put right", "forwarding", 1, full)

		// The kernel refuses changes.
		k.refuse, k.applied = errors.New("no buffer space available"), nil
		ask() // from here on the daemon sees it
		if err := os.WriteFile(filepath.Join(out, "10.1.0.12"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Second)
		is("refused", "degraded", 1, full)
		if n := len(k.applied); n < 3 || n > 6 {
			t.Errorf("%d tries within 9 seconds; want some, with waits that double", n)
		}
		k.refuse = nil
		ask() // from here on the daemon sees it
		time.Sleep(retryLast)
		is("well again", "forwarding", 1, strings.Replace(full, "  -> 10.1.0.12:80 nat weight 1\n", "", 1))
		var kinds []string
		for _, e := range ask().Events {
			kinds = append(kinds, e.Kind)
		}
		if diff := cmp.Diff([]string{"drift", "down", "trouble", "well"}, kinds); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}

		// A word runs out by itself.
		reply := make(chan any, 1)
		b.desk.calls <- call{request: request{FormatVersion: 1, Command: "override", Object: server(1), Mode: "disabled", Seconds: 5, Force: true}, reply: reply}
		if no, is := (<-reply).(local.Refusal); is {
			t.Fatal(no)
		}
		lone := "tcp 192.0.2.5:80 wlc\n  -> 10.1.0.10:80 nat weight 0\n"
		time.Sleep(time.Second)
		is("disabled", "forwarding", 1, lone)
		time.Sleep(5 * time.Second)
		is("run out", "forwarding", 1, strings.Replace(full, "  -> 10.1.0.12:80 nat weight 1\n", "", 1))
	})
}

func TestCapacityIsToldUpwards(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(strings.Repeat("5a", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`
cluster {
  key  = secret("file:%s")
  port = %d
}
region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
network "in" {
  region = region.eu
  cidr   = "10.1.0.0/24"
}
director "front" {
  network = network.edge
  address = "192.0.2.11"
}
director "nat" {
  network = network.edge
  address = "192.0.2.12"
  inside  = { network = network.in, address = "10.1.0.1" }
}
farm "web" {
  network = network.in
  gateway = director.nat
  server "web" {
    for_each = range(3)
    address  = cidrhost(network.in.cidr, 10 + each.value)
    weight   = 10
  }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "front" {
    directors = [director.front]
    method    = "dr"
    scheduler = "wlc"
  }
  tier "nat" {
    directors = [director.nat]
    method    = "nat"
    scheduler = "wlc"
    farms     = [farm.web]
  }
}
`, key, 20000+os.Getpid()%20000)
	here := func(node string) *bench { // at loopback addresses, which a file cannot have
		topo, self := parsed(t, text, node)
		for i, d := range topo.Directors {
			d.Addrs = topology.Addrs{netip.AddrFrom4([4]byte{127, 0, 0, byte(11 + i)})}
		}
		return benchOf(t, &fakeKernel{}, t.TempDir(), text, topo, self)
	}
	front, below := here("director.front"), here("director.nat")
	defer func() {
		front.reports.close()
		below.reports.close()
		front.desk.close()
		below.desk.close()
	}()
	for _, b := range []*bench{front, below} {
		b.decide(looked)
		b.found(nil)
	}
	for _, c := range []struct {
		name string
		down []string
		want uint32
	}{
		{"all of them", nil, 30},
		{"one is down", []string{"10.1.0.10"}, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 3 { // falls
				if c.down != nil {
					below.found(errors.New("refused"), c.down...)
				}
			}
			below.beat, below.reports.due = time.Time{}, time.Time{}
			below.decide(decided)
			select {
			case x := <-front.reports.incoming():
				if !front.reports.take(x, front.ground, time.Now()) {
					t.Error("there is nothing new in the report")
				}
			case <-time.After(10 * time.Second):
				t.Fatal("no report")
			}
			front.decide(decided)
			www := tiers.VIPKey(topology.TCP, netip.MustParseAddrPort("192.0.2.5:80"))
			want := tiers.Reports{{Director: "director.nat", Key: www}: c.want}
			if got := front.inputs(time.Now()).Reports; !cmp.Equal(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })) {
				t.Errorf("reports %v; want %v", got, want)
			}
			if d := front.status(time.Now()).Services[0].Destinations[0]; !d.Reported {
				t.Errorf("%+v does not say that it is reported", d)
			}
		})
	}
}

func TestStatusIsJSON(t *testing.T) {
	b := newBench(t, &fakeKernel{timeouts: found}, t.TempDir(), web("", "/nowhere", "wlc"), "director.nat")
	defer b.desk.close()
	b.decide(looked)
	data, err := json.Marshal(b.status(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"timeouts":{"tcp_seconds":900,"tcp_fin_seconds":120,"udp_seconds":300,"by_file":[]}`, `"events":[]`, `"overrides":[]`} {
		if !strings.Contains(string(data), part) {
			t.Errorf("%s is not in %s", part, data)
		}
	}
}
