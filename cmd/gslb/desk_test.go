package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/dnsserver"
	"gslb/health"
	"gslb/health/probe"
	"gslb/internal/cli"
	"gslb/internal/local"
	"gslb/steering"
	"gslb/topology"
)

// regional is small with a region for each answer and addresses for all.
func regional(port uint16, addrs ...string) *topology.Topology {
	topo := small(port, addrs...)
	for _, a := range topo.Domains[0].Answers {
		a.ID = "domain.www.answer." + a.Label
		a.Region = &topology.Region{ID: "region." + a.Label, Name: a.Label}
		topo.Regions = append(topo.Regions, a.Region)
	}
	return topo
}

// command runs gslb against a daemon's socket.
func command(t *testing.T, at place, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(append(args, "--socket", filepath.Join(at.dir, "gslb.sock")), &out, &errs)
	return code, out.String(), errs.String()
}

func TestOverridesAreAnsweredAndSurviveRestarts(t *testing.T) {
	live := backend(t, "127.0.0.2:0")
	port := uint16(live.Addr().(*net.TCPAddr).Port)
	backend(t, fmt.Sprintf("127.0.0.3:%d", port))
	at := place{dir: filepath.Join(t.TempDir(), "state")}
	read := func() (*topology.Topology, error) { return regional(port, "127.0.0.2", "127.0.0.3"), nil }
	r := startServeAt(t, read, at)
	answers := func(want string) {
		t.Helper()
		if diff := cmp.Diff(want, r.ask(t)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	answers("NOERROR 127.0.0.2, 127.0.0.3")
	code, out, errs := command(t, at, "disable", "region.b", "--reason", "moving house")
	if code != 0 || out != "region.b is disabled until it is enabled.\n  domain.www.answer.b  www.g.example.org  disabled\n" || errs != "" {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	answers("NOERROR 127.0.0.2")
	// What is disabled is not answered even when nothing else is up; what is drained is.
	live.Close()
	eventually(t, "the other to go", func() bool { return strings.Contains(r.log(), `answer is down" domain=domain.www answer=a`) })
	answers("NOERROR 127.0.0.2") // fail open
	command(t, at, "drain", "region.b", "--for", "1h", "--reason", "moving house")
	answers("NOERROR 127.0.0.3")
	r.stop()
	eventually(t, "the end", func() bool { return len(r.done) > 0 })

	r = startServeAt(t, read, at)
	if !strings.Contains(r.log(), `msg="override is in force" object=region.b mode=drained`) || !strings.Contains(r.log(), `msg="beginning with saved health"`) {
		t.Errorf("log:\n%s", r.log())
	}
	backend(t, fmt.Sprintf("127.0.0.2:%d", port))
	eventually(t, "the first to come back", func() bool { return r.ask(t) == "NOERROR 127.0.0.2" })
	command(t, at, "enable", "region.b")
	answers("NOERROR 127.0.0.2, 127.0.0.3")
	if data, err := os.ReadFile(filepath.Join(at.dir, "overrides.json")); err != nil || strings.Contains(string(data), "region.b") {
		t.Errorf("%v:\n%s", err, data)
	}
}

func TestStateThatCannotBeReadIsPutAside(t *testing.T) {
	live := backend(t, "127.0.0.2:0")
	at := place{dir: t.TempDir()}
	for _, name := range []string{"health.json", "overrides.json"} {
		if err := os.WriteFile(filepath.Join(at.dir, name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := startServeAt(t, func() (*topology.Topology, error) {
		return regional(uint16(live.Addr().(*net.TCPAddr).Port), "127.0.0.2"), nil
	}, at)
	if diff := cmp.Diff("NOERROR 127.0.0.2", r.ask(t)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, name := range []string{"health.json", "overrides.json"} {
		if data, err := os.ReadFile(filepath.Join(at.dir, name+".bad")); err != nil || string(data) != "{" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}

// What a daemon says to requests that no command sends.
func TestBadRequests(t *testing.T) {
	live := backend(t, "127.0.0.2:0")
	at := place{dir: t.TempDir()}
	startServeAt(t, func() (*topology.Topology, error) {
		topo := regional(uint16(live.Addr().(*net.TCPAddr).Port), "127.0.0.2")
		topo.Directors = []*topology.Director{{ID: `director.nat["eu1"]`}}
		return topo, nil
	}, at)
	for name, c := range map[string]struct{ request, want string }{
		"no JSON":             {`{`, "read the request"},
		"of another version":  {`{"format_version":2,"command":"status"}`, "format version 2"},
		"an unknown command":  {`{"format_version":1,"command":"dance"}`, `no command \"dance\"`},
		"an unknown mode":     {`{"format_version":1,"command":"override","object":"region.a","mode":"x"}`, "none of drained, disabled"},
		"a word that is near": {`{"format_version":1,"command":"override","object":"regoin.a","mode":"drained"}`, "did you mean region.a?"},
		"a word that is not":  {`{"format_version":1,"command":"override","object":"xyz","mode":"drained"}`, "give an answer, virtual_service, region, director or farm"},
		"a domain":            {`{"format_version":1,"command":"override","object":"domain.www","mode":"drained"}`, "give one of its answers: domain.www.answer.a"},
		"a nameserver":        {`{"format_version":1,"command":"override","object":"nameserver.ns","mode":"drained"}`, "stop it instead"},
		"a reason too long":   {`{"format_version":1,"command":"override","object":"region.a","mode":"drained","reason":"` + strings.Repeat("x", 501) + `"}`, "501 bytes"},
		"without its quotes":  {`{"format_version":1,"command":"override","object":"director.nat[eu1]","mode":"drained"}`, `director.nat[\"eu1\"]`},
		"not in a hurry":      {`{"format_version":1,"command":"override","object":"region.a","mode":"drained","seconds":9223372036854775807}`, "2036-"},
	} {
		t.Run(name, func(t *testing.T) {
			reply, err := local.Ask(t.Context(), filepath.Join(at.dir, "gslb.sock"), []byte(c.request))
			if err != nil || !strings.Contains(string(reply), c.want) {
				t.Errorf("%s, %v; want %q", reply, err, c.want)
			}
		})
	}
}

// A node without a network, for virtual time.
func quiet(topo *topology.Topology) *dnsNode {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	d := &dnsNode{log: log, results: make(chan probe.Result)}
	d.desk, _, _ = openDesk(log, place{})
	zones, err := dnsserver.Compile(topo, 1)
	if err != nil {
		panic(err)
	}
	d.next = &generation{topo: topo, ground: steering.Prepare(topo, nil), zones: zones, targets: map[health.Target]bool{}, checks: map[health.Target]*topology.Check{}}
	for _, p := range steering.Probes(topo) {
		d.next.targets[p.Target], d.next.checks[p.Target] = true, p.Check
	}
	return d
}

func TestWeightsGrowAndOverridesRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topo := regional(80, "192.0.2.1", "192.0.2.2")
		check := topo.Domains[0].Answers[0].Check
		check.SlowStart, check.Rise, check.Fall = 30*time.Second, 1, 1
		for _, a := range topo.Domains[0].Answers {
			a.Weight = 16
		}
		d := quiet(topo)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.run(ctx, nil, nil, func() {}) }()
		var targets []health.Target
		for _, p := range steering.Probes(topo) {
			targets = append(targets, p.Target)
		}
		result := func(i int, err error) {
			d.results <- probe.Result{Probe: probe.Probe{Target: targets[i], Check: check}, Err: err}
			synctest.Wait()
		}
		ask := func(r request) []byte {
			r.FormatVersion, r.Command = 1, map[bool]string{true: "status", false: "override"}[r.Object == ""]
			data, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			return d.desk.answer(ctx, local.Peer{}, data)
		}
		status := func() (s statusJSON) {
			if err := json.Unmarshal(ask(request{}), &s); err != nil {
				t.Fatal(err)
			}
			return s
		}
		weights := func(want ...float64) {
			t.Helper()
			var got []float64
			for _, a := range status().Domains[0].Answers {
				got = append(got, a.WeightNow)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		}
		result(0, nil)
		if s := status(); s.State != "starting" || s.Targets[1].State != "unknown" {
			t.Errorf("after one result: %s, %+v", s.State, s.Targets[1])
		}
		result(1, errors.New("connection refused"))
		weights(16, 0)
		if got := status().Domains[0].Instead; got != "" {
			t.Errorf("one is up, and %s are answered instead", got)
		}
		result(0, errors.New("connection refused"))
		if got := status().Domains[0].Instead; got != "all" {
			t.Errorf("nothing is up, and %q are answered instead", got)
		}
		result(0, nil)
		time.Sleep(time.Minute) // it has grown
		result(1, nil)
		weights(16, 1)
		time.Sleep(15 * time.Second)
		weights(16, 8)
		time.Sleep(15 * time.Second)
		weights(16, 16)
		ask(request{Object: "region.a", Mode: "drained", Seconds: 60})
		weights(0, 16)
		time.Sleep(59 * time.Second)
		weights(0, 16)
		time.Sleep(2 * time.Second)
		weights(16, 16)
		if s := status(); len(s.Overrides) != 0 {
			t.Errorf("overrides %v", s.Overrides)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// One table for each step of a weight, and none when all are whole.
func TestTablesAreWorkedOutAgainWhileAWeightGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topo := regional(80, "192.0.2.1")
		check := topo.Domains[0].Answers[0].Check
		check.SlowStart, check.Rise, check.Fall = 30*time.Second, 1, 1
		check.Interval = time.Minute // so that nothing becomes stale
		d := quiet(topo)
		target := steering.Probes(topo)[0].Target
		for _, err := range []error{nil, errors.New("connection refused"), nil} {
			d.observe(probe.Result{Probe: probe.Probe{Target: target, Check: check}, Err: err})
			if d.now == nil {
				d.promote()
			}
		}
		begin, tables := time.Now(), 0
		for !d.desk.grows.IsZero() {
			d.turn(<-d.desk.tick.C)
			tables++
		}
		if tables != 15 || time.Since(begin) != 30*time.Second {
			t.Errorf("%d tables in %v", tables, time.Since(begin))
		}
	})
}

func TestStatusText(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ago := func(d time.Duration) *time.Time { x := at.Add(-d); return &x }
	s := statusJSON{
		At: at, Node: `nameserver.ns["fra"]`, State: "serving", Started: *ago(50 * time.Hour), Generation: 3, Serial: 1767323045, StateDir: "/var/lib/gslb",
		Overrides: []overrideJSON{
			{Object: "region.us", Mode: "drained", Reason: "new cables", Who: "ann (uid 1000)", Until: ago(-119 * time.Minute)},
			{Object: "region.old", Mode: "disabled", Who: "root (uid 0)", Absent: true},
		},
		Targets: []targetJSON{
			{Target: "192.0.2.5:80", Check: "check.web", State: "up", Since: ago(50 * time.Hour), Factor: 1, Answers: []string{"domain.www.answer.eu", "domain.api.answer.eu"}, Streak: 1, Needed: 3, Last: &resultJSON{Reason: "status 503"}},
			{Target: "198.51.100.5:80", Check: "check.web", State: "up", Saved: true, Since: ago(90 * time.Second), Factor: 0.5, Answers: []string{"domain.www.answer.us"}},
			{Target: "203.0.113.5:443", Check: "default", State: "down", Since: ago(5 * time.Second), Factor: 1, Flaps: 4, HeldUntil: ago(-25 * time.Second), Last: &resultJSON{Reason: "connection refused"}},
			{Target: "203.0.113.6:443", Check: "default", State: "unknown", Factor: 1},
		},
		Domains: []domainJSON{{Domain: "domain.www", Name: "www.g.example.org", Answers: []answerJSON{
			{Answer: "domain.www.answer.eu", State: "partly", Up: []string{"192.0.2.5"}, Addresses: []string{"192.0.2.5", "2001:db8::5"}, Weight: 3, WeightNow: 3},
			{Answer: "domain.www.answer.us", State: "drained", By: "region.us", Addresses: []string{"198.51.100.5"}, Weight: 1},
			{Answer: "domain.www.answer.cdn", State: "up", CNAME: "cdn.example.net", Weight: 2, WeightNow: 0.5},
		}}, {Domain: "domain.api", Name: "api.g.example.org", Instead: "all", Answers: []answerJSON{
			{Answer: "domain.api.answer.eu", State: "down", Addresses: []string{"192.0.2.6"}, Weight: 1},
		}}},
	}
	want := `gslb serve, nameserver.ns["fra"], serving, up 2d2h, generation 3, serial 1767323045

Overrides
  region.us                         drained   for 1h59m            by ann (uid 1000)  new cables
  region.old (not in the topology)  disabled  until it is enabled  by root (uid 0)

Targets
  192.0.2.5:80     up       for 2d2h   check.web  domain.www.answer.eu +1  streak 1/3; status 503
  198.51.100.5:80  [up]     for 1m30s  check.web  domain.www.answer.us     slow start at 50 %
  203.0.113.5:443  down     for 5s     default                             held down for 25s, flap 4; connection refused
  203.0.113.6:443  unknown             default

www.g.example.org  domain.www
  answer.eu   partly (192.0.2.5)   weight 3         192.0.2.5, 2001:db8::5
  answer.us   drained (region.us)  weight 0 of 1    198.51.100.5
  answer.cdn  up                   weight 0.5 of 2  cdn.example.net

api.g.example.org  domain.api  nothing is up: all but what is disabled is answered
  answer.eu  down  weight 0 of 1  192.0.2.6
`
	var out bytes.Buffer
	s.text(&out, false)
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// In colour it is as wide.
	out.Reset()
	s.text(&out, true)
	plain := strings.NewReplacer("\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "", "\x1b[0m", "").Replace(out.String())
	if diff := cmp.Diff(want, plain); diff != "" {
		t.Errorf("in colour (-want +got)\n%s", diff)
	}
}

func TestSpans(t *testing.T) {
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "2h30m": 150 * time.Minute, "1d": 24 * time.Hour, "0s": 0, "1": 0, "-2h": 0, "x": 0, "9999999999d": 0} {
		got, err := cli.Span("for", text)
		if got != want && want != 0 || (err != nil) != (want == 0) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestStaleHealthIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topo := regional(80, "192.0.2.1", "192.0.2.2")
		check := topo.Domains[0].Answers[0].Check
		check.Interval, check.Timeout = 10*time.Second, 2*time.Second
		d := quiet(topo)
		targets := steering.Probes(topo)
		result := func(i int) {
			d.observe(probe.Result{Probe: probe.Probe{Target: targets[i].Target, Check: check}})
		}
		stale := func(when string, want ...int) {
			t.Helper()
			var got []int
			s := d.report(time.Now())
			for i, p := range targets {
				if d.shown.stale[p.Target] {
					got = append(got, i)
				}
				if s.Targets[i].Stale != d.shown.stale[p.Target] {
					t.Errorf("%s: the status says stale %v of target %d", when, s.Targets[i].Stale, i)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", when, diff)
			}
		}
		result(0)
		result(1)
		d.promote()
		stale("with results")
		time.Sleep(20 * time.Second)
		result(1)
		d.turn(<-d.desk.tick.C)
		if past := time.Since(d.desk.started); past != 32*time.Second {
			t.Errorf("told after %v", past)
		}
		stale("when one has had none for three intervals and a timeout", 0)
		result(0)
		d.turn(<-d.desk.tick.C)
		stale("when it has one again")
		d.turn(<-d.desk.tick.C)
		stale("when the other has none", 1)
	})
}

// A result that brings a change closer makes a table, for its TTLs, if a domain
// has such; results that come together make one.
func TestEachStreakIsPublished(t *testing.T) {
	for min, want := range map[time.Duration]bool{time.Second: true, 0: false} {
		synctest.Test(t, func(t *testing.T) {
			topo := regional(80, "192.0.2.1", "192.0.2.2")
			check := topo.Domains[0].Answers[0].Check
			check.Interval, check.Timeout, check.Rise, check.Fall = 10*time.Second, 2*time.Second, 2, 3
			topo.Domains[0].TTL, topo.Domains[0].MinTTL = time.Minute, min
			d := quiet(topo)
			targets := steering.Probes(topo)
			result := func(i int, err error) {
				d.observe(probe.Result{Probe: probe.Probe{Target: targets[i].Target, Check: check}, Err: err})
			}
			published := func(what string, want bool) {
				t.Helper()
				before := d.shown.at
				time.Sleep(time.Second)
				select {
				case now := <-d.desk.tick.C:
					d.turn(now)
				default:
				}
				if got := d.shown.at.After(before); got != want {
					t.Errorf("min_ttl %v: %s: published is %v, want %v", min, what, got, want)
				}
			}
			result(0, nil)
			result(1, nil)
			d.promote()
			down := errors.New("connection refused")
			result(0, nil)
			published("a success like those before", false)
			result(0, down)
			result(1, down)
			published("two failures", want)
			published("nothing after them", false)
			result(0, nil)
			published("a success after a failure", want)
		})
	}
}
