//go:build nsd

package dnsserver

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"gslb/dnsserver/zonefile"
	"gslb/topology"
)

// Random zones, random questions: NSD, which must be installed, says the same.
// The zones are small and their names made of few labels, so that wildcards,
// aliases, DNAMEs and delegations meet.
func TestAgainstNSD(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	topo := &topology.Topology{}
	var files []*zonefile.Zone
	texts := map[string]string{}
	for len(files) < 300 {
		tz := zone1(fmt.Sprintf("z%d.example.", len(files)), "")
		tz.File = filepath.Join(dir, tz.Name+"zone")
		text := randomZone(r)
		f, err := zonefile.Parse(tz.File, tz.Name, text, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Compile(&topology.Topology{Zones: []*topology.Zone{tz}}, 1, f); err != nil {
			continue // an alias beside data, or the like
		}
		if err := os.WriteFile(tz.File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		topo.Zones, files = append(topo.Zones, tz), append(files, f)
		texts[tz.Name] = text
	}
	zones, err := Compile(topo, 1, files...)
	if err != nil {
		t.Fatal(err)
	}
	table := NewTable(zones, unsteered(topo))
	nsd := startNSD(t, dir, topo.Zones)

	types := []uint16{dns.TypeA, dns.TypeA, dns.TypeTXT, dns.TypeCNAME, dns.TypeDNAME, dns.TypeNS, dns.TypeMX, dns.TypeDS, dns.TypeSOA}
	buf := make([]byte, dns.MaxMsgSize)
	for range 60_000 {
		zone := topo.Zones[r.IntN(len(topo.Zones))].Name
		name := zone
		for range r.IntN(6) {
			name = randomLabel(r) + "." + name
		}
		m := new(dns.Msg).SetQuestion(name, types[r.IntN(len(types))])
		m.SetEdns0(UDPSize, false)
		packet, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nsd.Write(packet); err != nil {
			t.Fatal(err)
		}
		if err := nsd.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := nsd.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		theirs, ours := sorted(t, buf[:n]), sorted(t, replyTo(table, packet, UDP, 0))
		if len(ours) > 10 {
			continue // a chain without an end, which each leaves where it likes
		}
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Errorf("%s %s (-NSD +ours)\n%s\n%s", name, dns.Type(m.Question[0].Qtype), diff, texts[zone])
		}
	}
}

func randomLabel(r *rand.Rand) string { return []string{"a", "a", "b", "b", "c", "*"}[r.IntN(6)] }

func randomName(r *rand.Rand) string {
	var labels []string
	for range r.IntN(4) {
		labels = append(labels, randomLabel(r))
	}
	if labels == nil {
		return "@"
	}
	return strings.Join(labels, ".")
}

func randomZone(r *rand.Rand) string {
	text := "$TTL 60\n@ SOA ns.example.net. hostmaster.example.net. 1 2 3 4 5\n@ NS ns.example.net.\n"
	for range 1 + r.IntN(10) {
		owner := randomName(r)
		target := strings.ReplaceAll(randomName(r), "*", "c")
		if r.IntN(5) == 0 {
			target = fmt.Sprintf("x.z%d.example.", r.IntN(300))
		}
		switch r.IntN(8) {
		case 0, 1, 2:
			text += fmt.Sprintf("%s A 192.0.2.%d\n", owner, r.IntN(4))
		case 3:
			text += owner + " TXT x\n"
		case 4:
			text += owner + " CNAME " + target + "\n"
		case 5:
			text += owner + " DNAME " + target + "\n"
		case 6:
			if owner != "@" {
				host := "ns." + strings.ReplaceAll(owner, "*", "c")
				text += owner + " NS " + host + "\n" + host + " A 192.0.2.9\n"
			}
		case 7:
			text += owner + " MX 1 " + target + "\n"
		}
	}
	return text
}

// startNSD serves the zones on an address of its own and returns a way to ask there.
func startNSD(t *testing.T, dir string, zones []*topology.Zone) net.Conn {
	t.Helper()
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var conf strings.Builder
	fmt.Fprintf(&conf, "server:\n  ip-address: %s@%d\n  username: \"\"\n  chroot: \"\"\n  zonesdir: %q\n  database: \"\"\n  pidfile: \"\"\n", addr.Addr(), addr.Port(), dir)
	fmt.Fprintf(&conf, "  xfrdfile: \"\"\n  zonelistfile: %q\n  xfrdir: %q\n  logfile: %q\n", dir+"/list", dir, dir+"/log")
	conf.WriteString("  server-count: 1\n  minimal-responses: yes\n  round-robin: no\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\n")
	for _, z := range zones {
		fmt.Fprintf(&conf, "zone:\n  name: %s\n  zonefile: %s\n", z.Name, z.File)
	}
	path := dir + "/nsd.conf"
	if err := os.WriteFile(path, []byte(conf.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nsd", "-d", "-c", path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	packet, _, _ := ask(t, "; z0.example SOA")
	for range 100 {
		conn, err := net.Dial("udp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
		_, _ = conn.Write(packet)
		if _, err := conn.Read(make([]byte, 512)); err == nil {
			t.Cleanup(func() { conn.Close() })
			return conn
		}
		conn.Close()
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("NSD does not answer")
	return nil
}

// sorted is what a reply says, each thing once, without regard to order and case:
// NSD's compression changes the case of names.
func sorted(t *testing.T, reply []byte) []string {
	t.Helper()
	var m dns.Msg
	if err := m.Unpack(reply); err != nil {
		t.Fatal(err)
	}
	lines := []string{fmt.Sprintf("%s aa=%v tc=%v rd=%v", dns.RcodeToString[m.Rcode], m.Authoritative, m.Truncated, m.RecursionDesired)}
	for mark, records := range map[string][]dns.RR{"answer": m.Answer, "authority": m.Ns, "additional": m.Extra} {
		for _, r := range records {
			if r.Header().Rrtype != dns.TypeOPT {
				lines = append(lines, mark+" "+strings.ToLower(strings.ReplaceAll(r.String(), "\t", " ")))
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}
