package dnsserver

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"gslb/health"
	"gslb/steering"
	"gslb/topology"
)

// scopes is a random topology: regions that claim prefixes, and names of all
// kinds of policies whose answers are addresses, or names that do or do not
// exist.
func scopes(r *rand.Rand) *topology.Topology {
	z := zone1("example.org.", `there 60 A 192.0.2.99`)
	topo := &topology.Topology{Zones: []*topology.Zone{z}, Nameservers: []*topology.Nameserver{{ID: "nameserver.a", Label: "a", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.53")}}}}
	for i := range 3 {
		g := &topology.Region{ID: fmt.Sprintf("region.r%d", i)}
		for range r.IntN(3) {
			v4 := netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(r.IntN(256))}), 20+r.IntN(10))
			v6 := netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(r.IntN(256))}), 30+r.IntN(20))
			g.Prefixes = append(g.Prefixes, v4.Masked(), v6.Masked())
		}
		topo.Regions = append(topo.Regions, g)
	}
	check := &topology.Check{ID: "check.web", Port: 80, Rise: 1, Fall: 1}
	for i := range 6 {
		steps := []topology.Step{
			{Kind: topology.StepHealth, FailOpen: r.IntN(4) == 0}, {Kind: topology.StepPrefixes, Default: topo.Regions[r.IntN(3)]},
			{Kind: topology.StepSticky}, {Kind: topology.StepFailover}, {Kind: topology.StepLimit, Answers: 1},
		}
		r.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		d := &topology.Domain{ID: fmt.Sprintf("domain.d%d", i), Name: fmt.Sprintf("d%d.example.org.", i), Zone: z, TTL: 20 * time.Second,
			Policy: &topology.Policy{Steps: steps[:r.IntN(len(steps)+1)]}}
		for j := range r.IntN(5) {
			a := &topology.Answer{ID: fmt.Sprintf("%s.answer.a%d", d.ID, j), Weight: 1, Region: topo.Regions[r.IntN(3)]}
			switch r.IntN(6) {
			case 0:
				a.CNAME = []string{"there.example.org.", "missing.example.org.", "www.example.com.", "d0.example.org."}[r.IntN(4)]
			default:
				a.Addrs, a.Check = []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(j + 1)})}, check
			}
			d.Answers = append(d.Answers, a)
		}
		topo.Domains = append(topo.Domains, d)
	}
	return topo
}

// Whoever is within the scope of a reply, an answer or a denial, gets that
// reply and that scope, whatever is up: else a resolver that has kept it would
// give it to somebody whose answer is another.
func TestNobodyInAScopeGetsAnotherReply(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		topo := scopes(r)
		zones, err := Compile(topo, serial)
		if err != nil {
			t.Fatal(err)
		}
		ground := steering.Prepare(topo, nil)
		for range 3 { // epochs
			view := health.View{}
			for _, p := range steering.Probes(topo) {
				view = view.Observe(p.Target, p.Check, time.Time{}, r.IntN(3) > 0)
			}
			table := NewTable(zones, ground.Compile(steering.Inputs{View: view}))
			for _, d := range topo.Domains {
				for _, typ := range []uint16{dns.TypeA, dns.TypeTXT} {
					checkReplies(t, r, table, d.Name, typ)
				}
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

func checkReplies(t *testing.T, r *rand.Rand, table *Table, name string, typ uint16) {
	type heard struct {
		client, scope netip.Prefix
		reply         string
	}
	for _, v6 := range []bool{false, true} {
		var all []heard
		u := r.Uint64()
		for range 40 {
			a := netip.AddrFrom4([4]byte{203, 0, byte(112 + r.IntN(3)), byte(r.IntN(256))})
			if v6 {
				a = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))})
			}
			client := netip.PrefixFrom(a, a.BitLen())
			reply, scope := heardBy(t, table, name, typ, client, u)
			p, err := a.Prefix(scope)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, heard{client, p, reply})
		}
		for _, x := range all {
			for _, y := range all {
				if x.scope.Contains(y.client.Addr()) && (x.reply != y.reply || x.scope != y.scope) {
					t.Errorf("%s %s: %v gets, with scope %v,\n%s\nin which %v gets, with scope %v,\n%s", name, dns.Type(typ), x.client, x.scope, x.reply, y.client, y.scope, y.reply)
					return
				}
			}
		}
	}
}

// heardBy is the reply to a client, without its subnet option, and the scope.
func heardBy(t *testing.T, table *Table, name string, typ uint16, client netip.Prefix, u uint64) (string, int) {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, typ)
	m.Id = 4711
	m.SetEdns0(1232, false)
	family := binary.BigEndian.Uint16([]byte{0, byte(1 + client.Addr().BitLen()/128)})
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: family, SourceNetmask: uint8(client.Bits()), Address: client.Addr().AsSlice()}}
	packet, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	var w Worker
	reply := show(t, w.Reply(nil, table, &Options{}, Request{Packet: packet, From: netip.MustParseAddr("198.51.100.1"), U: u}))
	before, rest, _ := strings.Cut(reply, "subnet: ")
	line, after, _ := strings.Cut(rest, "\n")
	var scope int
	if _, err := fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &scope); err != nil {
		t.Fatalf("%v in %s", err, reply)
	}
	return before + after, scope
}
