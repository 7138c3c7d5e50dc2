package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/health"
	"gslb/steering"
	"gslb/topology"
)

// What is said to a process while another one gets ready to replace it counts
// for that one too, be their folders the same or not.
func TestOverridesOutliveAReplacement(t *testing.T) {
	live := backend(t, "127.0.0.2:0")
	port := uint16(live.Addr().(*net.TCPAddr).Port)
	backend(t, fmt.Sprintf("127.0.0.3:%d", port))
	silent := backend(t, fmt.Sprintf("127.0.0.4:%d", port)) // says nothing, so that the first results take a second
	read := func() (*topology.Topology, error) {
		topo := regional(port, "127.0.0.2", "127.0.0.3", silent.Addr().(*net.TCPAddr).IP.String())
		slow := *topo.Domains[0].Answers[2].Check
		slow.ID, slow.Type, slow.Path, slow.Timeout, slow.Interval = "check.slow", topology.CheckHTTP, "/", time.Second, 2*time.Second
		topo.Domains[0].Answers[2].Check = &slow
		return topo, nil
	}
	at := place{dir: t.TempDir()}
	first := startServeAt(t, read, at)
	disable := func(at place, object string) {
		t.Helper()
		if code, out, errs := command(t, at, "disable", object); code != 0 {
			t.Errorf("%d\n%s%s", code, out, errs)
		}
	}
	disable(at, "region.c")
	next := place{dir: filepath.Join(t.TempDir(), "next"), replace: true}
	ready := make(chan *running)
	go func() { ready <- startServeOn(t, read, next, first.server.String()) }()
	// The second has begun, and answers nothing yet.
	eventually(t, "the second's folder", func() bool { _, err := os.Stat(next.dir); return err == nil })
	disable(at, "region.b")
	second := <-ready
	eventually(t, "the first to leave", func() bool { return strings.Contains(first.log(), "another process serves") })
	if diff := cmp.Diff("NOERROR 127.0.0.2", second.ask(t)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !strings.Contains(second.log(), `msg="override is in force" object=region.b mode=disabled`) {
		t.Errorf("log:\n%s", second.log())
	}
	if code, _, _ := command(t, next, "enable", "region.b"); code != 0 {
		t.Error("the second does not hear")
	}
	// The first answers what it has taken until it has left.
	eventually(t, "what the second is told", func() bool { return second.ask(t) == "NOERROR 127.0.0.2, 127.0.0.3" })
}

func TestAWillIsWhatCounts(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	override := func(object string, mode health.Mode) health.Override {
		return health.Override{Object: object, Mode: mode, Who: "root (uid 0)", Since: now}
	}
	d := quiet(regional(80, "192.0.2.1", "192.0.2.2"))
	d.promote()
	k := d.desk
	k.overrides = health.Overrides{override("region.changed", health.Drained), override("region.kept", health.Drained), override("region.taken-back", health.Disabled)}
	ended := override("region.over", health.Disabled)
	ended.Since, ended.Until = now.Add(-time.Hour), now.Add(-time.Minute)
	changed, kept, added := override("region.changed", health.Disabled), override("region.kept", health.Drained), override("region.new", health.Disabled)
	d.inherit(health.Overrides{changed, kept, added, ended}.Encode(), now)
	want := health.Overrides{changed, kept, added}
	if diff := cmp.Diff(want, k.overrides); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, nothing := range [][]byte{nil, []byte("{")} {
		k.dir = t.TempDir() // nothing is saved there
		d.inherit(nothing, now)
		if diff := cmp.Diff(want, k.overrides); diff != "" {
			t.Errorf("after %q (-want +got)\n%s", nothing, diff)
		}
		// What the process before had saved when it could not say it any more.
		if err := os.WriteFile(k.path("overrides.json"), health.Overrides{added}.Encode(), 0o600); err != nil {
			t.Fatal(err)
		}
		d.inherit(nothing, now)
		if diff := cmp.Diff(health.Overrides{added}, k.overrides); diff != "" {
			t.Errorf("after %q (-want +got)\n%s", nothing, diff)
		}
		k.overrides = want
	}
	d.desk.will()
	reply := make(chan any, 1)
	d.override(call{request: request{Object: "region.a", Mode: "disabled"}, reply: reply}, now)
	if got := fmt.Sprint(<-reply); !strings.Contains(got, "another process takes over") {
		t.Errorf("after the will: %s", got)
	}
}

// A process that ends before it serves takes nothing away from the one that does.
func TestAReplacementThatFailsLeavesTheDesk(t *testing.T) {
	live := backend(t, "127.0.0.2:0")
	port := uint16(live.Addr().(*net.TCPAddr).Port)
	at := place{dir: t.TempDir()}
	read := func() (*topology.Topology, error) { return regional(port, "127.0.0.2", "127.0.0.3"), nil }
	first := startServeAt(t, read, at)
	health := filepath.Join(at.dir, "health.json")
	eventually(t, "the health that is saved", func() bool { _, err := os.Stat(health); return err == nil })
	before, err := os.ReadFile(health)
	if err != nil {
		t.Fatal(err)
	}
	bad := func() (*topology.Topology, error) {
		topo := regional(port, "127.0.0.2", "127.0.0.3")
		topo.Zones[0].File = filepath.Join(at.dir, "missing.zone")
		return topo, nil
	}
	next := place{dir: at.dir, replace: true}
	var out, errs screen
	if err := serve(t.Context(), &out, &errs, nil, bad, doors{listen: []string{first.server.String()}}, &replyFlags{}, next); err == nil {
		t.Fatal("it serves a zone that is missing")
	}
	if code, out, errs := command(t, at, "status"); code != 0 {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	if after, err := os.ReadFile(health); err != nil || string(after) != string(before) {
		t.Errorf("what is saved has changed: %v\n%s\nwas\n%s", err, after, before)
	}
}

// Of two that want to replace a process one wins, and that is the one that is heard.
func TestTwoReplacementsAtOnce(t *testing.T) {
	live := backend(t, "127.0.0.2:0")
	port := uint16(live.Addr().(*net.TCPAddr).Port)
	at := place{dir: t.TempDir()}
	read := func() (*topology.Topology, error) { return regional(port, "127.0.0.2", "127.0.0.3"), nil }
	first := startServeAt(t, read, at)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	next := place{dir: at.dir, replace: true}
	var outs [2]screen
	ended := make(chan error, 2)
	for i := range outs {
		go func() {
			var errs screen
			ended <- serve(ctx, &outs[i], &errs, nil, read, doors{listen: []string{first.server.String()}}, &replyFlags{}, next)
		}()
	}
	eventually(t, "one that serves, and the first and the other to leave", func() bool {
		serving := 0
		for i := range outs {
			serving += strings.Count(outs[i].String(), "serving ")
		}
		return serving > 0 && strings.Contains(first.log(), "another process serves") && (len(ended) == 1 || serving == 2)
	})
	eventually(t, "to be heard", func() bool { code, _, _ := command(t, at, "status"); return code == 0 })
	time.Sleep(200 * time.Millisecond) // who has lost leaves
	if code, out, errs := command(t, at, "status"); code != 0 {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	stop()
	for range outs {
		<-ended
	}
	if left, err := filepath.Glob(filepath.Join(at.dir, "gslb.sock*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// What was saved, and has had no result since, is not lost by a short run.
func TestAShortRunLeavesTheSavedHealth(t *testing.T) {
	dir := t.TempDir()
	view := health.View{}
	topo := regional(80, "127.0.0.2", "127.0.0.3")
	for _, p := range steering.Probes(topo) {
		view = view.Observe(p.Target, p.Check, time.Now().Add(-time.Minute), false)
	}
	saved := view.Encode(time.Now().Add(-time.Minute))
	path := filepath.Join(dir, "health.json")
	if err := os.WriteFile(path, saved, 0o600); err != nil {
		t.Fatal(err)
	}
	d := quiet(topo)
	defer d.desk.close()
	desk, restored, err := openDesk(d.log, place{dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	d.desk, d.view = desk, health.NewBook(restored)
	d.promote()
	d.save()
	desk.views.Close()
	if after, err := os.ReadFile(path); err != nil || string(after) != string(saved) {
		t.Errorf("%v\n%s\nwas\n%s", err, after, saved)
	}
}
