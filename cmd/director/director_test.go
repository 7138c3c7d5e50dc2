package main

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/dataplane"
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
		"print without a node":            {[]string{"realserver", "print", file}, 64, "", "--node is missing"},
		"print in no form":                {[]string{"realserver", "print", file, "--node", "farm.dr.server.big", "--as", "nm"}, 64, "", "--as nm: it is one of shell, networkd, ifupdown, netplan"},
		"print for another host":          {[]string{"realserver", "print", file, "--node", "farm.dr.server.big", "--as", "netplan"}, 64, "", "--link 192.0.2.40=NAME"},
		"a link that is no name":          {[]string{"realserver", "print", file, "--node", "farm.dr.server.big", "--link", "192.0.2.40=e 0"}, 64, "", "as in 192.0.2.31=eth0"},
		"a link that is not asked for":    {[]string{"realserver", "print", file, "--node", "farm.dr.server.big", "--link", "192.0.2.41=e0"}, 64, "", "but with 192.0.2.40"},
		"a gateway that is none":          {[]string{"realserver", "print", file, "--node", "farm.dr.server.big", "--gateway", "router"}, 64, "", "address of a router"},
		"nobody says the router":          {[]string{"realserver", "print", file, "--node", "farm.far.server.web[0]", "--as", "netplan", "--link", "198.51.100.30=e0"}, 64, "", "--gateway ADDR"},
		"verify without a node":           {[]string{"realserver", "verify", file}, 64, "", "--node is missing"},
		"verify as nobody of the file":    {[]string{"realserver", "verify", file, "--node", "farm.nat"}, 1, "", `farm.nat.server.web["a"]`},
		"filtered is no tunnel":           {[]string{"realserver", "verify", file, "--node", "farm.dr.server.big", "--filtered", "lo"}, 64, "", "no such tunnel"},
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

func TestListing(t *testing.T) {
	vip := tiers.VIPKey(topology.UDP, netip.MustParseAddrPort("192.0.2.1:53"))
	a, b := netip.MustParseAddrPort("192.0.2.2:53"), netip.MustParseAddrPort("192.0.2.3:53")
	table := tiers.Table{Services: []tiers.Service{
		{Key: tiers.MarkKey(tiers.GuardMark, false), Scheduler: "rr", Netmask: 32},
		{Key: tiers.MarkKey(7, true), Scheduler: "rr", Netmask: 128},
		{Key: vip, Scheduler: "mh", Flags: tiers.Fallback | tiers.Persistent, Timeout: 60, Netmask: 24, Destinations: []tiers.Destination{
			{Addr: a, Method: topology.DR, Weight: 3, Upper: 100, Lower: 80},
			{Addr: b, Method: topology.TUN, Weight: 1, Encap: tiers.Encap{Type: 1, Port: 6080}},
		}},
	}}
	stats := []dataplane.Stats{{Key: vip, Counters: dataplane.Counters{Connections: 1234, PacketsIn: 56789, BytesIn: 1e7}, Destinations: []dataplane.DestinationStats{
		{Addr: a, Load: tiers.Load{Active: 12, Inactive: 3, Persistent: 2}, Counters: dataplane.Counters{Connections: 1234, PacketsIn: 56789, BytesIn: 1e7}},
	}}}
	ours := state{Node: "director.x", VIPs: []netip.Addr{vip.VIP.Addr()}}
	list := listOf(table, stats, ours)

	got, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	none := `{"connections":0,"packets_in":0,"packets_out":0,"bytes_in":0,"bytes_out":0}`
	some := `{"connections":1234,"packets_in":56789,"packets_out":0,"bytes_in":10000000,"bytes_out":0}`
	want := `{"format_version":1,"services":[` +
		`{"fwmark":1196687359,"family":"ipv4","owner":"director","purpose":"guard","scheduler":"rr","flags":0,"flag_names":[],"persistence_seconds":0,"netmask":32,"counters":` + none + `,"destinations":[]},` +
		`{"fwmark":7,"family":"ipv6","owner":"foreign","purpose":"service","scheduler":"rr","flags":0,"flag_names":[],"persistence_seconds":0,"netmask":128,"counters":` + none + `,"destinations":[]},` +
		`{"protocol":"udp","address":"192.0.2.1:53","family":"ipv4","owner":"director","purpose":"service","scheduler":"mh","flags":9,"flag_names":["persistent","fallback"],"persistence_seconds":60,"netmask":24,"counters":` + some + `,"destinations":[` +
		`{"address":"192.0.2.2:53","method":"dr","weight":3,"upper_threshold":100,"lower_threshold":80,"connections":{"active":12,"inactive":3,"persistent":2},"counters":` + some + `},` +
		`{"address":"192.0.2.3:53","method":"tun","weight":1,"upper_threshold":0,"lower_threshold":0,"encapsulation":{"type":"gue","port":6080},"connections":{"active":0,"inactive":0,"persistent":0},"counters":` + none + `}]}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}

	var text strings.Builder
	list.text(&text, false)
	want = `fwmark 0x4753ffff rr, the guard
fwmark 0x7 v6 rr, foreign
udp 192.0.2.1:53 mh fallback persistent 60s/24
  -> 192.0.2.2:53 dr weight 3 thresholds 100/80  12 active  3 inactive  2 kept by persistence
  -> 192.0.2.3:53 tun gue port 6080 weight 1     0 active   0 inactive
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	if unknown := listOf(table, stats, state{}); unknown.Services[1].Owner != "unknown" || unknown.Services[0].Owner != "director" {
		t.Errorf("where no director has been: %s, %s", unknown.Services[0].Owner, unknown.Services[1].Owner)
	}
}

func TestRates(t *testing.T) {
	vip := tiers.VIPKey(topology.TCP, netip.MustParseAddrPort("[2001:db8:ffff:ffff:ffff:ffff:ffff:fff5]:443"))
	a, b := netip.MustParseAddrPort("[2001:db8::a]:443"), netip.MustParseAddrPort("[2001:db8::b]:443")
	of := func(n uint64) dataplane.Counters {
		return dataplane.Counters{Connections: n, PacketsIn: 10 * n, PacketsOut: 12 * n, BytesIn: 1000 * n, BytesOut: 123456 * n}
	}
	reading := func(x, y uint64, load uint32) []dataplane.Stats {
		return []dataplane.Stats{
			{Key: tiers.MarkKey(tiers.GuardMark, true)},
			{Key: vip, Counters: of(x + y), Destinations: []dataplane.DestinationStats{
				{Addr: a, Weight: 1, Counters: of(x), Load: tiers.Load{Active: load}},
				{Addr: b, Weight: 20, Counters: of(y), Load: tiers.Load{Active: 2 * load, Inactive: 1}},
			}},
		}
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	got := ratesOf(reading(100, 5000, 7), reading(103, 600, 9), at, 2*time.Second, book{}) // the second was set to 0
	want := `                                conn/s  pkt/s  pkt/s byte/s byte/s active  inact
                                           in    out     in    out              
tcp [2001:db8:ffff:ffff:ffff:ffff:ffff:fff5]:443
                                   352   3.5k   4.2k   352k  43.4M     27      1
  [2001:db8::b]:443 w20            300   3.0k   3.6k   300k  37.0M     18      1
  [2001:db8::a]:443 w1             1.5     15     18   1.5k   185k      9      0`
	lines := strings.Join(got.text("bytes", 80), "\n")
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("screen (-want +got):\n%s\n%s", diff, lines)
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.04: "0.0", 1.25: "1.2", 3: "3", 9.96: "10", 99.7: "100", 999: "999", 999.6: "1.0k", 12345: "12.3k", 99960: "100k", 999_600: "1.0M", 4.2e12: "4.2T", 5e15: "5P",
	} {
		if got := short(v); got != want {
			t.Errorf("%v is %s, want %s", v, got, want)
		}
	}
}

// A host that was not made ready: what is missing is a screen, and JSON.
func TestVerifyOfAnotherHost(t *testing.T) {
	const file = "../../examples/direct.hcl"
	var stdout, stderr bytes.Buffer
	if status := run([]string{"realserver", "verify", file, "--node", `farm.nat.server.web["a"]`}, &stdout, &stderr); status != 1 {
		t.Errorf("status %d\n%s%s", status, &stdout, &stderr)
	}
	for _, want := range []string{"address_missing: no interface of this host has the address 10.10.1.10", "    ip -4 address add 10.10.1.10/24 dev INTERFACE\n"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, &stdout)
		}
	}
	stdout.Reset()
	if status := run([]string{"realserver", "verify", file, "--json", "--node", `farm.nat.server.web["a"]`}, &stdout, &stderr); status != 1 {
		t.Errorf("status %d\n%s", status, &stderr)
	}
	var got struct {
		FormatVersion int `json:"format_version"`
		Node          string
		Findings      []struct{ Code, Object, Wrong, Why string }
	}
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || got.FormatVersion != 1 || len(got.Findings) == 0 || got.Findings[0].Code != "address_missing" {
		t.Errorf("%v in\n%s", err, &stdout)
	}
}

func TestPrintedFiles(t *testing.T) {
	const file = "../../examples/direct.hcl"
	dir := t.TempDir()
	var stdout, stderr bytes.Buffer
	args := []string{"realserver", "print", file, "--node", `farm.dr.server.big`, "--as", "networkd", "--link", "192.0.2.40=eth0"}
	if status := run(args, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d\n%s", status, &stderr)
	}
	want := `##### /etc/sysctl.d/60-gslb.conf
# What farm.dr.server.big needs to be forwarded to, as its topology file says.
net/ipv4/conf/eth0/arp_ignore = 1
net/ipv4/conf/eth0/arp_announce = 2

##### /etc/systemd/network/50-gslb-lo.network
# What farm.dr.server.big needs to be forwarded to, as its topology file says.
[Match]
Name=lo

[Address]
Address=192.0.2.7/32
`
	if diff := cmp.Diff(want, stdout.String()); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
	if status := run(append(args, "--out", dir), &stdout, &stderr); status != 0 {
		t.Fatalf("status %d\n%s", status, &stderr)
	}
	text, err := os.ReadFile(filepath.Join(dir, "etc/systemd/network/50-gslb-lo.network"))
	if err != nil || !strings.HasSuffix(want, string(text)) {
		t.Errorf("written is %q (%v)", text, err)
	}
}
