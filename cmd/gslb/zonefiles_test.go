package main

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/dnsserver/client"
	"gslb/dnsserver/zonefile"
	"gslb/topology"
)

// A zone whose file has errors stays as it was, while everything else changes.
func TestServeReadsZoneFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.zone")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func() (*topology.Topology, error) {
		topo := small(80, "127.0.0.2")
		topo.Zones[0].File = path
		topo.Domains = nil
		return topo, nil
	}
	write("host A 192.0.2.1\n")
	r := startServe(t, read)
	ask := func() string {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		a, err := client.Ask(ctx, "udp", r.server, netip.Addr{}, "host.g.example.org", "A")
		if err != nil {
			t.Fatal(err)
		}
		return a.Rcode + " " + topology.Addrs(a.Addrs).String()
	}
	if diff := cmp.Diff("NOERROR 192.0.2.1", ask()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	write("host A 192.0.2.22\nhost A 192.0.2.256\n")
	r.hup <- syscall.SIGHUP
	eventually(t, "the refusal", func() bool { return strings.Contains(r.errs.String(), "topology reloaded") })
	want := `level=ERROR msg="zone file refused, the zone read before stays" reason="` + path + `:2: bad A A: \"192.0.2.256\""`
	if !strings.Contains(r.log(), want) {
		t.Errorf("%s\nis not told:\n%s", want, r.log())
	}
	if diff := cmp.Diff("NOERROR 192.0.2.1", ask()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	write("host A 192.0.2.3\n")
	r.hup <- syscall.SIGHUP
	eventually(t, "the new address", func() bool { return ask() == "NOERROR 192.0.2.3" })
}

// A file that can be read, and cannot be served, is no reason to keep the others back either.
func TestOneZoneThatCannotBeServedLeavesTheOthers(t *testing.T) {
	dir := t.TempDir()
	topo := small(80, "127.0.0.2")
	topo.Domains = nil
	one, other := *topo.Zones[0], *topo.Zones[0]
	one.Name, one.ID, one.File = "one.example.", "zone.one", filepath.Join(dir, "one.zone")
	other.Name, other.ID, other.File = "other.example.", "zone.other", filepath.Join(dir, "other.zone")
	topo.Zones = []*topology.Zone{&one, &other}
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(one.File, "host A 192.0.2.1\n")
	write(other.File, "host A 192.0.2.1\n")
	var told []string
	tell := func(err error, _ *zonefile.Zone) { told = append(told, strings.ReplaceAll(err.Error(), dir+"/", "")) }
	files, _, err := zoneFiles{}.compile(topo, 1, tell)
	if err != nil {
		t.Fatal(err)
	}
	write(one.File, "host A 192.0.2.2\n@ CNAME host\nhost CNAME other.example.\n")
	write(other.File, "host A 192.0.2.2\n")
	after, zones, err := files.compile(topo, 2, tell)
	if err != nil {
		t.Fatal(err)
	}
	if zones.Len() != 2 || after[one.File].zone != files[one.File].zone || after[other.File].zone == files[other.File].zone {
		t.Error("the wrong zones have changed")
	}
	want := []string{"one.zone:2: one.example.: CNAME beside other data (and 1 error more)"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// What it said before must still be served with what has changed around it.
	write(one.File, "host CNAME a.example.\nhost CNAME b.example.\n")
	again := *topo
	beside := one
	beside.Records = []*topology.Record{{Name: "host.one.example.", Type: "CNAME", Data: []string{"a.example."}}}
	again.Zones = []*topology.Zone{&beside, &other}
	if _, _, err := after.compile(&again, 3, tell); err == nil {
		t.Error("records beside a CNAME are served")
	}
}

// A file in the place of another is read, whatever its date and size.
func TestAZoneFileOfTheSameDateIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.zone")
	topo := small(80, "127.0.0.2")
	topo.Domains, topo.Zones[0].File = nil, path
	date := time.Now().Add(-time.Hour)
	var files zoneFiles
	for _, address := range []string{"192.0.2.1", "192.0.2.7"} {
		if err := os.WriteFile(path+".new", []byte("host A "+address+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path+".new", date, date); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		before := files
		var err error
		if files, _, err = files.compile(topo, 1, nil); err != nil {
			t.Fatal(err)
		}
		if before != nil && files[path].zone == before[path].zone {
			t.Error("the new file is not read")
		}
	}
	before := files
	files, _, err := files.compile(topo, 1, nil)
	if err != nil || files[path].zone != before[path].zone {
		t.Errorf("a file that is the same is read again: %v", err)
	}
}

// At a start there is nothing that could stay. One bad file is no reason to answer nothing at all.
func TestServeStartsWithoutAZoneThatHasErrors(t *testing.T) {
	for name, text := range map[string]string{
		"its text":                "host A 192.0.2.256\n",
		"what it says altogether": "host A 192.0.2.1\nhost CNAME elsewhere.example.\n",
		"that it is missing":      "",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.zone")
			write := func(text string) {
				t.Helper()
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if text != "" {
				write(text)
			}
			at := place{dir: t.TempDir()}
			r := startServeOf(t, 1, func() (*topology.Topology, error) {
				topo := small(80, "127.0.0.2")
				bad := *topo.Zones[0]
				bad.Name, bad.ID, bad.File = "bad.example.", "zone.bad", path
				topo.Zones = append(topo.Zones, &bad)
				topo.Zones[0].Records = []*topology.Record{{Name: "alias.g.example.org.", Type: "CNAME", TTL: time.Minute, Data: []string{"host.bad.example."}}}
				return topo, nil
			}, at, "127.0.0.1:0")
			ask := func(name string) string {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				a, err := client.Ask(ctx, "udp", r.server, netip.Addr{}, name, "A")
				if err != nil {
					t.Fatal(err)
				}
				return a.Rcode + " " + topology.Addrs(a.Addrs).String()
			}
			for name, want := range map[string]string{
				"host.bad.example": "SERVFAIL ", "bad.example": "SERVFAIL ", "none.g.example.org": "NXDOMAIN ", "alias.g.example.org": "NOERROR ",
			} {
				if diff := cmp.Diff(want, ask(name)); diff != "" {
					t.Errorf("%s (-want +got)\n%s", name, diff)
				}
			}
			if !strings.Contains(r.log(), `level=ERROR msg="zone file refused, queries about the zone get SERVFAIL" reason=`) {
				t.Errorf("log:\n%s", r.log())
			}
			if code, out, errs := command(t, place{dir: at.dir}, "status"); code != 0 || !strings.Contains(out, "answered with SERVFAIL\n  bad.example\n") {
				t.Errorf("%d\n%s%s", code, out, errs)
			}
			write("host A 192.0.2.3\n")
			r.hup <- syscall.SIGHUP
			eventually(t, "the zone", func() bool { return ask("host.bad.example") == "NOERROR 192.0.2.3" })
		})
	}
}

// Nor does a zone that is new keep back what else has changed.
func TestANewZoneThatHasErrorsLeavesTheOthers(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var added atomic.Bool
	read := func() (*topology.Topology, error) {
		topo := small(80, "127.0.0.2")
		topo.Domains, topo.Zones[0].File = nil, filepath.Join(dir, "old.zone")
		if added.Load() {
			fresh := *topo.Zones[0]
			fresh.Name, fresh.ID, fresh.File = "new.example.", "zone.new", filepath.Join(dir, "new.zone")
			topo.Zones = append(topo.Zones, &fresh)
		}
		return topo, nil
	}
	write("old.zone", "host A 192.0.2.1\n")
	r := startServe(t, read)
	write("old.zone", "host A 192.0.2.2\n")
	write("new.zone", "host A 192.0.2.256\n")
	added.Store(true)
	r.hup <- syscall.SIGHUP
	ask := func(name string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		a, err := client.Ask(ctx, "udp", r.server, netip.Addr{}, name, "A")
		if err != nil {
			t.Fatal(err)
		}
		return a.Rcode + " " + topology.Addrs(a.Addrs).String()
	}
	eventually(t, "the zone that has changed", func() bool { return ask("host.g.example.org") == "NOERROR 192.0.2.2" })
	if diff := cmp.Diff("SERVFAIL ", ask("host.new.example")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestServeDoesNotStartWithoutAnyZone(t *testing.T) {
	read := func() (*topology.Topology, error) {
		topo := small(80, "127.0.0.2")
		topo.Domains, topo.Zones[0].File = nil, filepath.Join(t.TempDir(), "missing.zone")
		return topo, nil
	}
	var out, errs screen
	err := serve(t.Context(), &out, &errs, nil, read, doors{listen: []string{"127.0.0.1:0"}}, &replyFlags{}, place{})
	if err == nil || !strings.Contains(err.Error(), "no zone can be served") || !strings.Contains(errs.String(), "missing.zone") {
		t.Errorf("%v\n%s", err, &errs)
	}
}

func TestReplyFlagsRefuse(t *testing.T) {
	secrets := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(secrets, []byte("# none yet\n00\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		flags replyFlags
		want  string
	}{
		"no network":               {replyFlags{allow: []string{"everybody"}}, "--allow everybody: want a network or an address, as in 192.0.2.0/24 or 2001:db8::1"},
		"bits beyond the prefix":   {replyFlags{proxies: []string{"192.0.2.1/24"}}, "--proxy-from 192.0.2.1/24: want a network or an address, as in 192.0.2.0/24 or 2001:db8::1"},
		"a name too long":          {replyFlags{identity: strings.Repeat("x", 256)}, "--identity: 256 bytes, at most 255 are possible"},
		"secrets that are not":     {replyFlags{secrets: secrets}, "--cookie-secret " + secrets + ": line 2: a cookie secret is 32 hexadecimal digits"},
		"secrets that are nowhere": {replyFlags{secrets: secrets + "x"}, "--cookie-secret: open " + secrets + "x: no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.flags.options("")
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
