package dnsserver

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gslb/health"
	"gslb/steering"
	"gslb/topology"
)

const serial = 2026010100

// world is the topology that the stories in testdata ask about: example.org
// with something of every kind, g.example.org below it with steered names, and
// far.example, which names in example.org lead to.
func world() *topology.Topology {
	org := zone1("example.org.", `
		@            3600 MX     10 mail
		@            3600 TXT    "v=spf1 -all"
		mail         3600 A      192.0.2.25
		mail         3600 AAAA   2001:db8::25
		Mixed        3600 A      192.0.2.26
		alias        600  CNAME  mail
		alias2       600  CNAME  alias
		outside      600  CNAME  www.example.com.
		other        600  CNAME  Host.Far.Example.
		dangling     600  CNAME  nothing
		loop1        600  CNAME  loop2
		loop2        600  CNAME  loop1
		steered      600  CNAME  www.g
		kept-alias   600  CNAME  kept.g
		parts        600  CNAME  deep.parts.child
		*.wild       300  TXT    "wild"
		*.wild       300  MX     10 mail
		real.wild    300  A      192.0.2.30
		ent.wild     300  TXT    "closer"
		below.of.wild 300 TXT    "makes of.wild empty"
		*.aliases    300  CNAME  mail
		a.b.c        300  A      192.0.2.31
		child        7200 NS     ns1.child
		child        7200 NS     ns.example.com.
		child        7200 NS     ns.sibling
		child        7200 DS     12345 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
		ns1.child    7200 A      192.0.2.41
		ns1.child    7200 AAAA   2001:db8::41
		sibling      7200 NS     ns.sibling
		ns.sibling   7200 A      192.0.2.42
		moved        500  DNAME  far.example.
		grow         500  DNAME  a-name-that-is-longer-than-the-one-it-stands-in-for.far.example.
		up           500  DNAME  @
		circle       500  DNAME  ring
		ring         500  DNAME  circle
		chips        60   HINFO  "Z80" "CP/M"
		svc          60   HTTPS  1 . alpn="h2" ipv4hint=192.0.2.9
		_sip._tcp    60   SRV    1 1 5060 mail
		odd          60   TYPE65280 \# 3 010203
		twice        60   A      192.0.2.51
		twice        30   A      192.0.2.51
		twice        30   A      192.0.2.52
	`)
	for i := range 120 {
		org.Records = append(org.Records, &topology.Record{ID: "record.big", Name: "big.example.org.", Type: "A",
			TTL: time.Minute, Data: []string{netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}).String()}})
	}
	for i := range 40 {
		host := "ns" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + ".crowd.example.org."
		org.Records = append(org.Records,
			&topology.Record{Name: "crowd.example.org.", Type: "NS", TTL: time.Minute, Data: []string{host}},
			&topology.Record{Name: host, Type: "A", TTL: time.Minute, Data: []string{netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}).String()}})
	}
	g := zone1("g.example.org.", `
		static 60 TXT "beside steered names"
		www    60 TXT "at a steered name"
		mx1    60 A    192.0.2.61
		mx1    60 AAAA 2001:db8::61
		mx2    60 A    192.0.2.62
	`)
	far := zone1("far.example.", `host 60 A 203.0.113.9`)
	far.NegativeTTL = 2 * time.Hour // longer than the SOA's own TTL

	check := &topology.Check{ID: "check.web", Port: 80, Rise: 1, Fall: 1}
	standard := &topology.Policy{Steps: []topology.Step{
		{Kind: topology.StepHealth, FailOpen: true}, {Kind: topology.StepWeight}, {Kind: topology.StepRotate}, {Kind: topology.StepLimit, Answers: 1}}}
	closed := &topology.Policy{Steps: []topology.Step{{Kind: topology.StepHealth}}}
	kept := &topology.Policy{Steps: []topology.Step{{Kind: topology.StepHealth, FailOpen: true}, {Kind: topology.StepSticky}, {Kind: topology.StepLimit, Answers: 1}}}
	open := &topology.Policy{Steps: []topology.Step{{Kind: topology.StepHealth, FailOpen: true}}}
	domain := func(name string, policy *topology.Policy, answers ...string) *topology.Domain {
		d := &topology.Domain{ID: "domain." + name, Name: name, Zone: g, TTL: 20 * time.Second, Policy: policy}
		for _, list := range answers {
			a := &topology.Answer{Weight: 1, Check: check}
			for _, word := range strings.Fields(list) {
				a.Addrs = append(a.Addrs, netip.MustParseAddr(word))
			}
			d.Answers = append(d.Answers, a)
		}
		return d
	}
	east := &topology.Region{ID: "region.east", Prefixes: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/25"), netip.MustParsePrefix("2001:db8:9::/48")}}
	west := &topology.Region{ID: "region.west"}
	local := domain("local.g.example.org.", &topology.Policy{Steps: []topology.Step{{Kind: topology.StepPrefixes, Default: west}, {Kind: topology.StepHealth}}},
		"192.0.2.201", "192.0.2.101")
	local.Answers[0].Region, local.Answers[1].Region = east, west
	halves := domain("halves.g.example.org.", &topology.Policy{Steps: []topology.Step{{Kind: topology.StepPrefixes, Default: west}}}, "192.0.2.101")
	halves.Answers[0].Region = west
	halves.Answers = append(halves.Answers, &topology.Answer{Weight: 1, CNAME: "nothing.far.example.", Region: east})
	cdn := domain("cdn.g.example.org.", open)
	cdn.Answers = []*topology.Answer{{Weight: 1, CNAME: "host.far.example."}}
	service := domain("svc.g.example.org.", standard, "192.0.2.101 2001:db8::101", "192.0.2.102 2001:db8::102")
	service.Types, service.Params = []string{"A", "AAAA", "HTTPS"}, `alpn="h3,h2" port="8443" ech="AAAA" key65333="x"`
	six := domain("six.g.example.org.", standard, "2001:db8::101")
	six.Types = []string{"AAAA", "SVCB"}
	half := domain("half.g.example.org.", closed, "192.0.2.201 2001:db8::101")
	half.Types = []string{"A", "AAAA", "HTTPS"}
	gone := domain("gone.g.example.org.", closed, "192.0.2.201")
	gone.Types = []string{"A", "HTTPS"}
	wide := domain("wide.g.example.org.", open, "2001:db8::1 2001:db8::2 2001:db8::3 2001:db8::4 2001:db8::5 2001:db8::6 2001:db8::7 2001:db8::8", "192.0.2.101 192.0.2.102 2001:db8::9 2001:db8::a 2001:db8::b 2001:db8::c 2001:db8::d")
	wide.Types = []string{"A", "AAAA", "HTTPS"}
	named := domain("named.g.example.org.", open)
	named.Types, named.Answers = []string{"A", "HTTPS"}, cdn.Answers
	// hosts is a domain of hosts, each "priority port target addresses...".
	hosts := func(name, types, params string, list ...string) *topology.Domain {
		d := &topology.Domain{ID: "domain." + types + "." + name, Name: name, Zone: g, TTL: 20 * time.Second, Policy: closed, Types: strings.Fields(types), Params: params}
		for _, line := range list {
			words := strings.Fields(line)
			a := &topology.Answer{Weight: 3, Check: check, Target: words[2]}
			if _, err := fmt.Sscan(words[0]+" "+words[1], &a.Priority, &a.TargetPort); err != nil {
				panic(err)
			}
			for _, word := range words[3:] {
				a.Addrs = append(a.Addrs, netip.MustParseAddr(word))
			}
			d.Answers = append(d.Answers, a)
		}
		return d
	}
	return &topology.Topology{
		Zones: []*topology.Zone{org, g, far},
		Nameservers: []*topology.Nameserver{
			{ID: "nameserver.a", Label: "ns-a", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53")}},
			{ID: "nameserver.b", Label: "ns-b", Name: "ns-b.example.net.", Addrs: []netip.Addr{netip.MustParseAddr("198.51.100.53")}},
		},
		Domains: []*topology.Domain{
			domain("www.g.example.org.", standard, "192.0.2.101 2001:db8::101", "192.0.2.102 2001:db8::102"),
			domain("g.example.org.", open, "192.0.2.101", "192.0.2.102"),
			domain("all.g.example.org.", open, "192.0.2.101 2001:db8::101", "192.0.2.101 192.0.2.102"),
			domain("four.g.example.org.", open, "192.0.2.101"),
			domain("closed.g.example.org.", closed, "192.0.2.201"),
			domain("open.g.example.org.", open, "192.0.2.201"),
			domain("old.g.example.org.", open, "192.0.2.210 2001:db8::210", "192.0.2.101"),
			domain("old-closed.g.example.org.", closed, "192.0.2.211"),
			domain("*.any.g.example.org.", open, "192.0.2.101"),
			domain("kept.g.example.org.", kept, "192.0.2.101", "192.0.2.102"),
			cdn, local, halves, service, six, half, gone, wide, named,
			hosts("g.example.org.", "MX", "", "10 0 mx1.g.example.org. 192.0.2.61 2001:db8::61", "20 0 mx2.g.example.org. 192.0.2.201", "30 0 mx.example.com."),
			hosts("_sip._tcp.g.example.org.", "SRV", "", "1 5060 mx1.g.example.org. 192.0.2.61", "1 5061 mx1.g.example.org. 192.0.2.61", "2 5060 sip.example.com. 192.0.2.201"),
			hosts("_old._tcp.g.example.org.", "SRV", "", "1 5060 old.g.example.org. 192.0.2.102"),
			hosts("_none._tcp.g.example.org.", "SRV", "", "1 5060 mx2.g.example.org. 192.0.2.201"),
			hosts("_dns.g.example.org.", "SVCB", `alpn="dot" mandatory="alpn"`, "1 0 svc.g.example.org. 192.0.2.101", "2 0 dns.example.com. 192.0.2.103 2001:db8::103"),
			hosts("to.g.example.org.", "HTTPS", `alpn="h2"`, "0 0 svc.g.example.org.", "1 0 mx1.g.example.org."),
		},
		Regions: []*topology.Region{east, west},
	}
}

// zone1 is a zone with records in lines "owner ttl type data".
func zone1(name, lines string) *topology.Zone {
	z := &topology.Zone{ID: "zone." + name, Name: name, Contact: "hostmaster." + name, Refresh: 2 * time.Hour, Retry: 15 * time.Minute,
		Expire: 14 * 24 * time.Hour, NegativeTTL: 30 * time.Second, TTL: time.Hour}
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		owner := strings.ToLower(words[0]) + "." + name
		if words[0] == "@" {
			owner = name
		}
		ttl, err := time.ParseDuration(words[1] + "s")
		if err != nil {
			panic(err)
		}
		z.Records = append(z.Records, &topology.Record{ID: "record." + words[0], Name: owner, Type: words[2], TTL: ttl, Data: []string{strings.Join(words[3:], " ")}})
	}
	return z
}

// table is the world's, with every target up but .201 and .211; the states of
// .210 and .211 are stale.
func table(t testing.TB) *Table {
	t.Helper()
	topo := world()
	zones, err := Compile(topo, serial)
	if err != nil {
		t.Fatal(err)
	}
	view, stale := health.View{}, map[health.Target]bool{}
	for _, p := range steering.Probes(topo) {
		a := p.Target.Addr.Addr()
		old := netip.MustParseAddr("192.0.2.211")
		view = view.Observe(p.Target, p.Check, time.Time{}, a != netip.MustParseAddr("192.0.2.201") && a != old)
		stale[p.Target] = a == netip.MustParseAddr("192.0.2.210") || a == old
	}
	return NewTable(zones, steering.Compile(topo, steering.Inputs{View: view, Stale: stale}))
}
