package main

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/tiers"
	"gslb/topology"
)

func TestArguments(t *testing.T) {
	const file = "../../examples/direct.hcl"
	bad := filepath.Join(t.TempDir(), "bad.hcl")
	if err := os.WriteFile(bad, []byte("director \"x\" {\n  adress = \"192.0.2.1\"\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args   []string
		status int
		stdout string
		stderr string
	}{
		"help is data":                    {[]string{"--help"}, 0, "director realserver apply", ""},
		"without a command there is help": {nil, 0, "Usage:", ""},
		"an unknown command":              {[]string{"rnu"}, 64, "", `unknown command "rnu"`},
		"an unknown flag":                 {[]string{"list", "--jsn"}, 64, "", "unknown flag: --jsn"},
		"one dash is two":                 {[]string{"run", file, "-nod", "x"}, 64, "", "unknown"},
		"run without a node":              {[]string{"run", file}, 64, "", "--node is missing"},
		"run without a file":              {[]string{"run", "--node", "director.tun"}, 64, "", "arg"},
		"run as nobody of the file":       {[]string{"run", "-node=director.tn", file}, 1, "", "it has director.nat, director.tun, director.dr"},
		"run with a bad file":             {[]string{"run", bad, "--node", "director.x"}, 1, "", "bad.hcl:2:3"},
		"run with a bad variable":         {[]string{"run", file, "--node", "director.tun", "--var", "x"}, 64, "", "NAME=VALUE"},
		"apply without a node":            {[]string{"realserver", "apply", file}, 64, "", "--node is missing"},
		"apply as nobody of the file":     {[]string{"realserver", "apply", file, "--node", "farm.nat"}, 1, "", `farm.nat.server.web["a"]`},
		"an unknown part of realserver":   {[]string{"realserver", "aply"}, 64, "", "unknown command"},
		"list takes no arguments":         {[]string{"list", "x"}, 64, "", "unknown command"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := run(c.args, &stdout, &stderr)
			if status != c.status || !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) {
				t.Errorf("status %d, want %d with %q and %q\nstdout: %s\nstderr: %s", status, c.status, c.stdout, c.stderr, &stdout, &stderr)
			}
			if c.stdout == "" && stdout.Len() > 0 {
				t.Errorf("talk on stdout: %s", &stdout)
			}
		})
	}
}

func TestStateComesBack(t *testing.T) {
	dir := t.TempDir()
	none, err := readState(dir)
	if err != nil || none.Node != "" {
		t.Fatalf("no state reads as %v, %v", none, err)
	}
	want := state{Node: "director.x", PID: 7}.owning(tiers.Owner{
		VIPs:  map[netip.Addr]bool{netip.MustParseAddr("192.0.2.2"): true, netip.MustParseAddr("192.0.2.1"): true, netip.MustParseAddr("2001:db8::1"): true},
		Marks: map[uint32]bool{9: true, 7: true},
	})
	if err := want.write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := readState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	if err := os.WriteFile(statePath(dir), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readState(dir); err == nil || !strings.Contains(err.Error(), statePath(dir)) {
		t.Errorf("a torn state: %v; want an error that names the file", err)
	}
}

func TestOneDirectorAtATime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	first, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(dir); err == nil || !strings.Contains(err.Error(), "runs here already") {
		t.Errorf("a second lock: %v", err)
	}
	if pid, err := holder(); err != nil || pid != os.Getpid() {
		t.Errorf("the holder is %d (%v), want this process %d", pid, err, os.Getpid())
	}
	first.Close()
	again, err := lock(dir)
	if err != nil {
		t.Fatalf("after the first has gone: %v", err)
	}
	again.Close()
}

func TestTableAsJSON(t *testing.T) {
	table := tiers.Table{Services: []tiers.Service{
		{Key: tiers.MarkKey(7, true), Scheduler: "rr", Netmask: 128},
		{Key: tiers.VIPKey(topology.UDP, netip.MustParseAddrPort("192.0.2.1:53")), Scheduler: "mh", Flags: tiers.Fallback | tiers.Persistent, Timeout: 60,
			Destinations: []tiers.Destination{{Addr: netip.MustParseAddrPort("192.0.2.2:53"), Method: topology.DR, Weight: 3}}},
	}}
	got, err := json.Marshal(tableJSON(table))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"format_version":1,"services":[` +
		`{"fwmark":7,"family":"ipv6","scheduler":"rr","flags":0,"persistence_seconds":0,"destinations":[]},` +
		`{"protocol":"udp","address":"192.0.2.1:53","family":"ipv4","scheduler":"mh","flags":9,"persistence_seconds":60,` +
		`"destinations":[{"address":"192.0.2.2:53","method":"dr","weight":3}]}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}
