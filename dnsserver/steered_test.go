package dnsserver

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"gslb/health"
	"gslb/steering"
	"gslb/topology"
)

// A drawn world has one name with addresses and service bindings, "www", and
// names of hosts that lead to it, to a static host and to one elsewhere.
func drawnWorld(r *rand.Rand) (*topology.Topology, steering.Inputs) {
	z := zone1("example.", "mail 60 A 192.0.2.61\nmail 60 AAAA 2001:db8::61")
	check := &topology.Check{ID: "check.web", Port: 80, Interval: time.Second, Rise: 1, Fall: 1, SlowStart: time.Minute}
	t := &topology.Topology{Zones: []*topology.Zone{z}, Nameservers: []*topology.Nameserver{{Label: "ns", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.53")}}}}
	for i := range 3 {
		region := &topology.Region{ID: fmt.Sprint("region.", i), Name: fmt.Sprint(i)}
		for range r.IntN(6) {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, byte(r.IntN(4)), byte(r.IntN(256))}), 20+r.IntN(13))
			region.Prefixes = append(region.Prefixes, p.Masked())
		}
		t.Regions = append(t.Regions, region)
	}
	policy := func() *topology.Policy {
		p := &topology.Policy{Steps: []topology.Step{{Kind: topology.StepHealth, FailOpen: r.IntN(3) > 0}}}
		if r.IntN(3) > 0 {
			p.Steps = append(p.Steps, topology.Step{Kind: topology.StepPrefixes})
		}
		if kinds := []topology.StepKind{topology.StepWeight, topology.StepRotate, topology.StepSticky, topology.StepFailover}; r.IntN(5) > 0 {
			p.Steps = append(p.Steps, topology.Step{Kind: kinds[r.IntN(len(kinds))]})
		}
		if r.IntN(2) > 0 {
			p.Steps = append(p.Steps, topology.Step{Kind: topology.StepLimit, Answers: 1 + r.IntN(3)})
		}
		return p
	}
	answers := func(d *topology.Domain, targets ...string) {
		for i := range 1 + r.IntN(5) {
			a := &topology.Answer{ID: fmt.Sprint("answer.", d.Name, i), Region: t.Regions[r.IntN(3)], Weight: r.IntN(4)}
			if len(targets) > 0 {
				a.Target, a.Priority, a.TargetPort = targets[r.IntN(len(targets))], r.IntN(3), uint16(r.IntN(1<<16))
			}
			if r.IntN(4) > 0 {
				a.Check = check
			}
			for range r.IntN(3) {
				a.Addrs = append(a.Addrs, netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(6))}))
			}
			for range r.IntN(3) {
				a.Addrs = append(a.Addrs, netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(r.IntN(6))}))
			}
			if len(targets) == 0 && r.IntN(8) == 0 {
				a.Addrs, a.Check, a.CNAME = nil, nil, "cdn.example.net."
			}
			d.Answers = append(d.Answers, a)
		}
	}
	types := [][]string{{"A", "AAAA", "HTTPS", "SVCB"}, {"A", "HTTPS", "SVCB"}, {"AAAA", "HTTPS", "SVCB"}}
	params := []string{"", `alpn="h2"`, `mandatory="alpn" alpn="h2,h3" port="8443" ech="AAAA" key65333="x"`}
	www := &topology.Domain{Name: "www.example.", Zone: z, TTL: time.Minute, MinTTL: time.Second, Types: types[r.IntN(3)], Params: params[r.IntN(3)], Policy: policy()}
	answers(www)
	t.Domains = append(t.Domains, www)
	for _, typ := range []string{"HTTPS", "SVCB", "SRV", "MX"} {
		d := &topology.Domain{Name: "_host.example.", Zone: z, TTL: time.Minute, MinTTL: time.Second, Types: []string{typ}, Policy: policy()}
		if typ == "HTTPS" || typ == "SVCB" {
			d.Params = params[r.IntN(3)]
		}
		answers(d, "www.example.", "mail.example.", "host.example.net.")
		t.Domains = append(t.Domains, d)
	}
	now := time.Unix(1e9, 0)
	in := steering.Inputs{View: health.View{}, Now: now}
	for _, p := range steering.Probes(t) {
		in.View = in.View.Observe(p.Target, p.Check, now.Add(-time.Duration(r.IntN(90))*time.Second), r.IntN(3) > 0)
	}
	return t, in
}

// asked is what the table says to a question of a client, both ways, read by
// the library.
func asked(t *testing.T, table *Table, name string, typ uint16, client netip.Prefix, u uint64) (*dns.Msg, int) {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, typ)
	m.SetEdns0(1232, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: uint8(client.Bits()), Address: client.Addr().AsSlice()}}
	packet, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	var w Worker
	r := Request{Packet: packet, Via: UDP, From: netip.MustParseAddr("192.0.2.9"), U: u}
	reply := w.Reply(nil, table, &Options{}, r)
	d := datagrams{server: new(Server)}
	r.Packet = slices.Clone(packet)
	if quick, ok := d.quick(nil, table, &Options{}, nil, &r, time.Time{}); ok && !bytes.Equal(quick, reply) {
		t.Fatalf("%s %s\nquick    %x\nthorough %x", name, dns.Type(typ), quick, reply)
	}
	if err := m.Unpack(reply); err != nil {
		t.Fatalf("%s %s: %v in %x", name, dns.Type(typ), err, reply)
	}
	return m, int(m.IsEdns0().Option[0].(*dns.EDNS0_SUBNET).SourceScope)
}

// addresses are those of records, sorted.
func addresses(list []dns.RR, name string) []string {
	out := []string{}
	for _, r := range list {
		switch r := r.(type) {
		case *dns.A:
			if r.Hdr.Name == name {
				out = append(out, r.A.String())
			}
		case *dns.AAAA:
			if r.Hdr.Name == name {
				out = append(out, r.AAAA.String())
			}
		}
	}
	slices.Sort(out)
	return out
}

// hinted are the addresses in a service binding, sorted.
func hinted(r *dns.SVCB) []string {
	out := []string{}
	for _, v := range r.Value {
		switch v := v.(type) {
		case *dns.SVCBIPv4Hint:
			for _, a := range v.Hint {
				out = append(out, a.String())
			}
		case *dns.SVCBIPv6Hint:
			for _, a := range v.Hint {
				out = append(out, a.String())
			}
		}
	}
	slices.Sort(out)
	return out
}

func binding(r dns.RR) *dns.SVCB {
	switch r := r.(type) {
	case *dns.HTTPS:
		return &r.SVCB
	case *dns.SVCB:
		return r
	}
	return nil
}

// Whatever the policy, the health and the client: hints are the addresses that
// the same draw answers A and AAAA with, hosts are those that are up, keys stand
// in order, and the scope is right for all of it.
func TestServiceBindingsAreTheAddressesOfTheSameDraw(t *testing.T) {
	r := rand.New(rand.NewPCG(9460, 2782))
	count := map[string]int{}
	for range 600 {
		topo, in := drawnWorld(r)
		zones, err := Compile(topo, serial)
		if err != nil {
			t.Fatal(err)
		}
		table := NewTable(zones, steering.Compile(topo, in))
		for range 12 {
			addr := netip.AddrFrom4([4]byte{198, 51, byte(r.IntN(5)), byte(r.IntN(256))})
			client, u := netip.PrefixFrom(addr, 32), r.Uint64()
			current := func(name string) []string { // what A and AAAA say
				out := []string{}
				for _, typ := range addressTypes {
					m, _ := asked(t, table, name, typ, client, u)
					out = append(out, addresses(m.Answer, name)...)
				}
				slices.Sort(out)
				return out
			}
			www := current("www.example.")
			for _, typ := range []uint16{dns.TypeHTTPS, dns.TypeSVCB} {
				m, scope := asked(t, table, "www.example.", typ, client, u)
				if len(m.Answer) > 0 && m.Answer[0].Header().Rrtype == dns.TypeCNAME {
					count["alias"]++
					continue
				}
				if (len(m.Answer) == 1) != (len(www) > 0) {
					t.Fatalf("addresses %v, answer %v", www, m.Answer)
				}
				if len(m.Answer) == 0 {
					count["nothing"]++
					continue
				}
				count["hints"]++
				b := binding(m.Answer[0])
				if diff := cmp.Diff(www, hinted(b)); diff != "" || b.Target != "." || b.Priority != 1 {
					t.Fatalf("%v: hints are not the addresses (-want +got)\n%s", b, diff)
				}
				if diff := cmp.Diff(www, addresses(m.Extra, "www.example.")); diff != "" {
					t.Fatalf("beside them (-want +got)\n%s", diff)
				}
				// Everybody within the scope gets the same.
				p := netip.PrefixFrom(addr, scope).Masked().Addr().As4()
				for range 3 {
					other := p
					for bit := scope; bit < 32; bit++ {
						other[bit/8] |= byte(r.IntN(2)) << (7 - bit%8)
					}
					n, s := asked(t, table, "www.example.", typ, netip.PrefixFrom(netip.AddrFrom4(other), 32), u)
					if s != scope || fmt.Sprint(n.Answer) != fmt.Sprint(m.Answer) {
						t.Fatalf("%v has scope %d and %v, %v scope %d and %v", addr, scope, m.Answer, netip.AddrFrom4(other), s, n.Answer)
					}
				}
			}
			for i, d := range topo.Domains[1:] {
				typ := dns.StringToType[d.Types[0]]
				m, _ := asked(t, table, d.Name, typ, client, u)
				places := table.steering.Pick(nil, d, steering.Host, 0)
				if (len(m.Answer) > 0) != (len(places) > 0) {
					t.Fatalf("domain %d: places %v, answer %v", i, places, m.Answer)
				}
				count[d.Types[0]] += len(m.Answer)
				for _, record := range m.Answer {
					target := ""
					switch record := record.(type) {
					case *dns.SRV:
						target = record.Target
					case *dns.MX:
						target = record.Mx
					default:
						b := binding(record)
						target = b.Target
						if b.Priority == 0 && (len(b.Value) > 0 || len(m.Answer) > 1) {
							t.Fatalf("an alias with parameters or others: %v", m.Answer)
						}
						if b.Priority > 0 && target != "host.example.net." {
							if diff := cmp.Diff(current(target), hinted(b)); diff != "" {
								t.Fatalf("%v: (-want +got)\n%s", b, diff)
							}
						}
					}
					if diff := cmp.Diff(current(target), addresses(m.Extra, target)); diff != "" {
						t.Fatalf("beside %v: (-want +got)\n%s", record, diff)
					}
					if !slices.ContainsFunc(d.Answers, func(a *topology.Answer) bool {
						return a.Target == target && (len(a.Addrs) == 0 || alive(a, in) || open(d))
					}) {
						t.Fatalf("%v is not up", record)
					}
				}
			}
		}
	}
	for _, kind := range []string{"alias", "nothing", "hints", "HTTPS", "SVCB", "SRV", "MX"} {
		if count[kind] < 100 {
			t.Errorf("%s: %d cases, want 100", kind, count[kind])
		}
	}
}

func open(d *topology.Domain) bool { return d.Policy.Steps[0].FailOpen }

func alive(a *topology.Answer, in steering.Inputs) bool {
	return a.Check == nil || slices.ContainsFunc(steering.Targets(a, steering.Host), in.View.Up)
}

// Weights of locations keep their proportion while an answer starts slowly.
func TestServiceLocationsStartSlowly(t *testing.T) {
	z := zone1("example.", "")
	check := &topology.Check{ID: "check.sip", Port: 5060, Interval: time.Second, Rise: 1, Fall: 1, SlowStart: 100 * time.Second}
	d := &topology.Domain{Name: "_sip._udp.example.", Zone: z, TTL: time.Minute, Types: []string{"SRV"}, Policy: &topology.Policy{Steps: []topology.Step{{Kind: topology.StepHealth}}}}
	for i, weight := range []int{65535, 1000} {
		d.Answers = append(d.Answers, &topology.Answer{ID: fmt.Sprint("answer.", i), Target: fmt.Sprintf("sip%d.example.net.", i), Priority: 1, TargetPort: 5060, Weight: weight,
			Check: check, Addrs: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})}})
	}
	topo := &topology.Topology{Zones: []*topology.Zone{z}, Nameservers: []*topology.Nameserver{{Label: "ns", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.53")}}}, Domains: []*topology.Domain{d}}
	zones, err := Compile(topo, serial)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1e9, 0)
	view := health.View{}
	for i, a := range d.Answers {
		target := steering.Targets(a, steering.Host)[0]
		view = view.Observe(target, check, now.Add(-time.Hour), true)
		if i == 1 {
			view = view.Observe(target, check, now.Add(-time.Minute), false).Observe(target, check, now.Add(-50*time.Second), true)
		}
	}
	table := NewTable(zones, steering.Compile(topo, steering.Inputs{View: view, Now: now}))
	m, _ := asked(t, table, d.Name, dns.TypeSRV, netip.MustParsePrefix("198.51.100.0/24"), 0)
	var got []uint16
	for _, r := range m.Answer {
		got = append(got, r.(*dns.SRV).Weight)
	}
	if diff := cmp.Diff([]uint16{65535, 500}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
