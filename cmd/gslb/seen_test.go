package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/conf"
	"gslb/dnsserver/client"
	"gslb/explain"
	"gslb/health"
	"gslb/health/probe"
	"gslb/steering"
	"gslb/topology"
)

// seenFile is checked by looking for files in a folder.
const seenFile = `
region "eu" {}
region "us" {}
zone "g" { name = "g.example.org" }
nameserver "ns" {
  for_each  = { eu = "192.0.2.53", us = "198.51.100.53" }
  region    = region[each.key]
  addresses = [each.value]
}
check "there" {
  for_each = { eu = "eu", us = "us", dead = "dead" }
  type       = "exec"
  command    = ["/usr/bin/test", "-e", "FOLDER/${each.value}"]
  interval   = "100ms"
  timeout    = "90ms"
  rise       = 1
  fall       = 1
  slow_start = "1h"
}
policy "closed" {
  step "health" { fail_open = false }
  step "weight" {}
  step "limit" { answers = 1 }
}
domain "www" {
  zone = zone.g
  policy = policy.closed
  answer "eu" {
    addresses = ["192.0.2.1"]
    region    = region.eu
    check     = check.there["eu"]
  }
  answer "us" {
    addresses = ["198.51.100.1"]
    region    = region.us
    check     = check.there["us"]
  }
}
domain "dead" {
  zone   = zone.g
  policy = policy.closed
  answer "x" {
    addresses = ["203.0.113.1"]
    check     = check.there["dead"]
  }
}
`

// Whatever has come about, an explanation by what gslb status --json prints is
// what the server answers: the addresses with their shares, the TTL, the rcode
// and the extended errors.
func TestExplanationsAreWhatTheServerAnswers(t *testing.T) {
	folder := t.TempDir()
	for _, open := range []string{filepath.Dir(folder), folder} { // programs run as nobody where the test is root
		if err := os.Chmod(open, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.ReplaceAll(seenFile, "FOLDER", folder)
	path := filepath.Join(folder, "live.hcl")
	put := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(path, text)
	put(filepath.Join(folder, "eu"), "")
	put(filepath.Join(folder, "us"), "")
	at := place{dir: filepath.Join(folder, "state")}
	r := startServeAt(t, func() (*topology.Topology, error) {
		topo, diags := conf.Parse(conf.Source{Files: []conf.File{{Name: path, Data: []byte(text)}}})
		if diags.HasErrors() {
			return nil, diags
		}
		return topo, nil
	}, at)
	answer := func(name string) client.Answer {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		a, err := client.Ask(ctx, "udp", r.server, netip.Addr{}, name, "A")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	agree := func(when, name string, rules ...string) {
		t.Helper()
		code, now, errs := command(t, at, "status", "--json")
		if code != 0 {
			t.Fatal(errs)
		}
		put(filepath.Join(folder, "now.json"), now)
		var out, complaint bytes.Buffer
		if code := run([]string{"explain", name, path, "--client", "127.0.0.1", "--state", filepath.Join(folder, "now.json"), "--json"}, &out, &complaint); code != 0 {
			t.Fatalf("%s: exit code %d\n%s", when, code, &complaint)
		}
		var x explain.Explanation
		if err := json.Unmarshal(out.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range x.Rules {
			got = append(got, r.Rule+" "+r.Answer[strings.LastIndex(r.Answer, ".")+1:])
		}
		if diff := cmp.Diff(rules, got); diff != "" {
			t.Errorf("%s: rules (-want +got)\n%s", when, diff)
		}
		const n = 320
		count := map[string]int{}
		for range n {
			a := answer(name)
			var errors []string
			if e := x.Answer.Error; e != nil {
				errors = append(errors, fmt.Sprintf("%d %s", e.Code, e.Text))
			}
			if diff := cmp.Diff(fmt.Sprint(x.Answer.Rcode, errors), fmt.Sprint(a.Rcode, a.Errors)); diff != "" {
				t.Fatalf("%s: (-explained +answered)\n%s", when, diff)
			}
			for i, addr := range a.Addrs {
				count[fmt.Sprintf("%s %d", addr, int(a.TTLs[i].Seconds()))]++
			}
		}
		for _, r := range x.Answer.Records {
			key := fmt.Sprintf("%s %d", r.Data, r.TTL)
			if share := float64(count[key]) / n; math.Abs(share-r.Share) > 0.02 {
				t.Errorf("%s: %s has share %.3f, and the server gives it in %.3f of the replies", when, key, r.Share, share)
			}
			delete(count, key)
		}
		if len(count) > 0 {
			t.Errorf("%s: the server also answers %v", when, count)
		}
	}
	is := func(object, want string) {
		t.Helper()
		eventually(t, object+" to be "+want, func() bool {
			_, out, _ := command(t, at, "status", "--json")
			var s statusJSON
			if json.Unmarshal([]byte(out), &s) != nil {
				return false
			}
			for _, x := range s.Targets {
				if strings.HasPrefix(x.Answers[0], object) {
					return x.State == want
				}
			}
			return false
		})
	}
	const www, dead = "www.g.example.org", "dead.g.example.org"
	is("domain.www.answer.eu", "up")
	agree("everything is well", www)
	agree("nobody is up", dead)
	command(t, at, "disable", "domain.www.answer.us", "--reason", "the database moves", "--for", "2h")
	agree("one is disabled", www, "disabled us")
	command(t, at, "drain", "region.eu")
	agree("the other is drained", www, "drained eu", "disabled us")
	command(t, at, "disable", "region.eu")
	agree("both are disabled", www, "disabled eu", "disabled us")
	command(t, at, "enable", "region.eu")
	command(t, at, "drain", "domain.www.answer.us")
	agree("one is drained", www, "drained us")
	if err := os.Remove(filepath.Join(folder, "eu")); err != nil {
		t.Fatal(err)
	}
	is("domain.www.answer.eu", "down")
	agree("the other is down", www, "drained us")
	command(t, at, "enable", "domain.www.answer.us")
	put(filepath.Join(folder, "eu"), "")
	is("domain.www.answer.eu", "up")
	agree("one has come back and starts slowly", www, "slow start eu")

	// The daemon itself may be asked.
	code, out, errs := command(t, at, "explain", dead, path, "--client", "127.0.0.1")
	if code != 0 || !strings.Contains(out, "extended error 22, No Reachable Authority: no answer of the name is up\n") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
}

// The status holds all that steering goes by.
func TestTheStatusIsReadAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topo := regional(80, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5")
		check := topo.Domains[0].Answers[0].Check
		check.Interval, check.Timeout, check.Rise, check.Fall, check.SlowStart = 10*time.Second, 2*time.Second, 2, 3, time.Hour
		check.Flap = topology.Flap{Count: 1, Window: time.Hour, Hold: time.Hour, Max: time.Hour}
		ping := *check
		ping.ID, ping.Type = "check.ping", topology.CheckICMP
		topo.Domains[0].Answers[4].Check, topo.Domains[0].Answers[4].Port = &ping, 0
		d := quiet(topo)
		targets := steering.Probes(topo)
		result := func(i int, ok bool) {
			r := probe.Result{Probe: probe.Probe{Target: targets[i].Target, Check: targets[i].Check}}
			if !ok {
				r.Err = context.DeadlineExceeded
			}
			d.observe(r)
			time.Sleep(time.Second)
		}
		// 0 has begun to fail; 1 has come back, and its agent wants less; 2 went
		// down; nothing is known of 3, and 4 has had no result for a while.
		result(4, true)
		for _, ok := range []bool{true, false, false} {
			result(0, ok)
		}
		for _, ok := range []bool{false, true, true} {
			result(1, ok)
		}
		result(2, false)
		d.view.Set(targets[1].Target, d.view.Of(targets[1].Target).Advise(check, time.Now(), health.Advice{Weighs: true, Weight: 40, Ruled: true, Mode: health.Drained}))
		d.promote()
		time.Sleep(20 * time.Second)
		var err error
		if d.desk.overrides, err = d.desk.overrides.With(health.Override{Object: "region.b", Mode: health.Drained, Who: "root (uid 0)", Reason: "new cables", Since: time.Now(), Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		d.publish()
		now := time.Now()
		text, err := json.Marshal(d.report(now))
		if err != nil {
			t.Fatal(err)
		}
		state, err := readState(text)
		if err != nil {
			t.Fatal(err)
		}
		same := cmp.Options{cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })}
		want := d.view.View().With(targets[3].Target, health.State{})
		want[targets[3].Target] = health.State{} // With changes nothing where that is what it has
		if diff := cmp.Diff(want, state.Seen.View, same); diff != "" {
			t.Errorf("states (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(d.shown.stale, state.Seen.Stale, same); diff != "" || len(d.shown.stale) < 2 {
			t.Errorf("%d stale (-want +got)\n%s", len(d.shown.stale), diff)
		}
		if diff := cmp.Diff(d.desk.overrides, state.Seen.Overrides); diff != "" {
			t.Errorf("overrides (-want +got)\n%s", diff)
		}
		if !state.Seen.At.Equal(now) {
			t.Errorf("at %v, not %v", state.Seen.At, now)
		}
	})
}

const status = `{"format_version": 1, "at": "2026-01-02T03:04:05Z", "state": "serving", "started": "2026-01-02T03:00:00Z", "domains": [], "overrides": [%s], "targets": [%s]}`

func TestReadStateRefusesAStatus(t *testing.T) {
	target := func(rest string) string {
		return fmt.Sprintf(status, "", `{"target": "192.0.2.1:80", "check": "check.web", `+rest+`}`)
	}
	override := func(text string) string { return fmt.Sprintf(status, text, "") }
	for name, c := range map[string]struct{ text, want string }{
		"an unknown field":                  {`{"format_version": 1, "at": "2026-01-02T03:04:05Z", "weather": 1}`, `unknown field "weather" in what looks like the output of gslb status --json: that of this version has none`},
		"an unknown field of a target":      {target(`"state": "up", "mood": 1`), `unknown field "mood"`},
		"another version":                   {`{"format_version": 2, "at": "2026-01-02T03:04:05Z"}`, `"format_version" is 2: this program reads 1`},
		"no time":                           {`{"format_version": 1, "at": "yesterday"}`, `parsing time`},
		"a time that no clock shows":        {`{"format_version": 1, "at": "0001-01-01T00:00:00Z"}`, `"at" is no time that a clock shows`},
		"a daemon that does something else": {`{"format_version": 1, "at": "2026-01-02T03:04:05Z", "state": "sleeping"}`, `"state" is "sleeping", not serving or starting`},
		"two objects":                       {fmt.Sprintf(status, "", "") + "{}", "something follows the object"},
		"a target without an address":       {fmt.Sprintf(status, "", `{"target": "www", "state": "up"}`), "targets[0], www: its target is no address"},
		"a target in no state":              {target(`"state": "sideways"`), `targets[0], 192.0.2.1:80: "state" is "sideways", not up, down or unknown`},
		"a target twice":                    {fmt.Sprintf(status, "", `{"target": "192.0.2.1", "state": "up"}, {"target": "192.0.2.1:0", "state": "up"}`), "targets[1], 192.0.2.1:0: there twice"},
		"a streak below nothing":            {target(`"state": "up", "streak": -1`), `"streak" is -1`},
		"more flaps than time":              {target(`"state": "up", "flaps": 2000000000`), `"flaps" is 2000000000`},
		"an agent that wants less than 0":   {target(`"state": "up", "agent_less": 101`), `"agent_less" is 101 percent`},
		"an agent's mode":                   {target(`"state": "up", "agent_mode": "on"`), `agent_mode: "on" is none of drained, disabled`},
		"a mode that there is not":          {override(`{"object": "region.eu", "mode": "off"}`), `overrides[0], region.eu: "off" is none of drained, disabled`},
		"an override of nothing":            {override(`{"object": "", "mode": "drained"}`), "overrides[0], : object: empty"},
		"an object twice":                   {override(`{"object": "a", "mode": "drained"}, {"object": "a", "mode": "drained"}`), "overrides[1], a: there twice"},
	} {
		t.Run(name, func(t *testing.T) {
			state, err := readState([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if state.Seen != nil {
				t.Errorf("%v together with %v", state.Seen, err)
			}
		})
	}
}

// Whatever a status says, what has been read of it is what a name server could
// have known, and steering can go by it.
func FuzzReadStatus(f *testing.F) {
	for _, s := range []string{
		fmt.Sprintf(status, `{"object": "region.a", "mode": "drained", "who": "root", "since": "2026-01-02T03:00:00Z", "until": "2026-01-02T04:00:00Z", "absent": false}`,
			`{"target": "192.0.2.1:80", "check": "check.web", "state": "up", "since": "2026-01-02T03:00:00Z", "recovered": true, "streak": 1, "flaps": 3, "agent_less": 40, "agent_mode": "drained"}`),
		`{"at": null}`, `{"at": "2026-01-02T03:04:05Z"}`, `{"format_version": 1}`, `[]`, `null`,
	} {
		f.Add([]byte(s))
	}
	topo := regional(80, "192.0.2.1", "192.0.2.2")
	topo.Domains[0].Answers[0].Check.SlowStart = time.Minute
	ground := steering.Prepare(topo, nil)
	f.Fuzz(func(t *testing.T, text []byte) {
		state, err := readState(text)
		if err != nil || state.Seen == nil {
			return
		}
		s := state.Seen
		for target, x := range s.View {
			if !target.Addr.IsValid() || x.Up && !x.Known {
				t.Errorf("%v: %v", target, x)
			}
		}
		for _, o := range s.Overrides {
			if err := o.Check(); err != nil {
				t.Error(err)
			}
		}
		ground.Compile(steering.Inputs{View: s.View, Now: s.At, Overrides: s.Overrides.Spread(topo), Stale: s.Stale})
	})
}
