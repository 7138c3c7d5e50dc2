package main

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/dnsserver/client"
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
