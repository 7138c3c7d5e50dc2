package steering

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"gslb/health"
	"gslb/topology"
)

// entry is a prefix of a map made by hand.
type entry struct {
	prefix netip.Prefix
	where  Where
}

type entries []entry

func (m entries) Walk(yield func(netip.Prefix, Where) bool) {
	for _, e := range m {
		if !yield(e.prefix, e.where) {
			return
		}
	}
}

// Words of the random worlds: few, so that they meet.
var (
	someCountries  = []string{"", "DE", "FR", "US", "JP"}
	someContinents = []string{"", "EU", "NA", "AS"}
	somePoints     = []*topology.Point{nil, {Lat: 50, Lon: 8}, {Lat: 40, Lon: -77}, {Lat: 35, Lon: 139}, {Lat: -33, Lon: 151}}
)

func oneOf[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// randomPrefix lies in 192.0.2.0/24 or 2001:db8::/32 most of the time, so that
// several do not miss one another.
func randomPrefix(r *rand.Rand, v6 bool) netip.Prefix {
	a := randomAddr(r, v6)
	var bits int
	switch {
	case r.IntN(20) == 0:
		bits = r.IntN(a.BitLen() + 1)
	case v6:
		bits = 32 + r.IntN(40)
	default:
		bits = 12 + r.IntN(21)
	}
	return netip.PrefixFrom(a, bits).Masked()
}

func randomAddr(r *rand.Rand, v6 bool) netip.Addr {
	if v6 {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:], r.Uint64())
		binary.BigEndian.PutUint64(b[8:], r.Uint64())
		if r.IntN(8) > 0 {
			copy(b[:], []byte{0x20, 0x01, 0x0d, 0xb8, 0, byte(r.IntN(4))})
		}
		return netip.AddrFrom16(b)
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], r.Uint32())
	if r.IntN(8) > 0 {
		copy(b[:], []byte{192, 0, byte(r.IntN(4))})
	}
	return netip.AddrFrom4(b)
}

// randomMap is a map of random prefixes of which none lies in another.
func randomMap(r *rand.Rand) entries {
	var m entries
	for _, v6 := range []bool{false, true} {
		for range r.IntN(30) {
			p := randomPrefix(r, v6)
			if slices.ContainsFunc(m, func(e entry) bool { return e.prefix.Overlaps(p) }) {
				continue
			}
			m = append(m, entry{p, Where{oneOf(r, someContinents), oneOf(r, someCountries), uint32(r.IntN(4)), oneOf(r, somePoints)}})
		}
	}
	slices.SortFunc(m, func(a, b entry) int { return a.prefix.Addr().Compare(b.prefix.Addr()) })
	return m
}

// randomTopology has regions that claim the same users now and then, and
// domains with policies of all steps in any order.
func randomTopology(r *rand.Rand) *topology.Topology {
	topo := &topology.Topology{}
	for i := range r.IntN(6) {
		g := &topology.Region{ID: fmt.Sprintf("region.r%d", i), Location: oneOf(r, somePoints), Bias: oneOf(r, []int{0, 0, 50, -99})}
		for range r.IntN(3) {
			g.Countries = append(g.Countries, oneOf(r, someCountries[1:]))
			g.Continents = append(g.Continents, oneOf(r, someContinents[1:]))
			g.ASNs = append(g.ASNs, uint32(1+r.IntN(3)))
			g.Prefixes = append(g.Prefixes, randomPrefix(r, false), randomPrefix(r, true))
		}
		topo.Regions = append(topo.Regions, g)
	}
	region := func() *topology.Region {
		if len(topo.Regions) == 0 || r.IntN(6) == 0 {
			return nil
		}
		return oneOf(r, topo.Regions)
	}
	for _, g := range topo.Regions {
		for range r.IntN(3) {
			g.Fallback = append(g.Fallback, oneOf(r, topo.Regions))
		}
	}
	for i := range 3 {
		topo.Networks = append(topo.Networks, &topology.Network{Prefixes: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i * 8)}), 29)}})
	}
	var policies []*topology.Policy
	for i := range 3 {
		p := &topology.Policy{ID: fmt.Sprintf("policy.p%d", i)}
		for range r.IntN(6) {
			s := topology.Step{Kind: topology.StepKind(1 + r.IntN(int(topology.StepPolicy)))}
			switch s.Kind {
			case topology.StepHealth:
				s.FailOpen = r.IntN(2) == 0
				if r.IntN(4) == 0 {
					s.FailTo = region()
				}
			case topology.StepLimit:
				s.Answers = 1 + r.IntN(3)
			case topology.StepPrefixes:
				s.Default = region()
			case topology.StepPolicy:
				if len(policies) == 0 {
					continue
				}
				s.Policy = oneOf(r, policies)
			}
			p.Steps = append(p.Steps, s)
		}
		policies = append(policies, p)
	}
	check := &topology.Check{ID: "check.c", Interval: time.Second, Rise: 2, Fall: 3}
	for i := range 3 {
		d := &topology.Domain{ID: fmt.Sprintf("domain.d%d", i), Policy: oneOf(r, policies), TTL: 30 * time.Second, MinTTL: time.Second}
		for j := range r.IntN(8) {
			a := &topology.Answer{
				ID: fmt.Sprintf("domain.d%d.answer.a%d", i, j), Label: fmt.Sprintf("a%d", j), Weight: oneOf(r, []int{0, 1, 1, 3, 65535}),
				Region: region(), Port: 80, Bias: oneOf(r, []int{0, 0, 20}),
			}
			switch r.IntN(8) {
			case 0:
				a.CNAME = "cdn.example.net."
			case 1:
				a.Addrs = []netip.Addr{netip.AddrFrom4([4]byte{203, 0, 113, byte(r.IntN(24))})}
			default:
				a.Addrs = []netip.Addr{netip.AddrFrom4([4]byte{203, 0, 113, byte(r.IntN(24))}), netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", j+1))}
				a.Check = check
			}
			d.Answers = append(d.Answers, a)
		}
		topo.Domains = append(topo.Domains, d)
	}
	return topo
}

func randomView(r *rand.Rand, topo *topology.Topology) health.View {
	view, bad := health.View{}, 1+r.IntN(10)
	for _, p := range Probes(topo) {
		up := r.IntN(bad) > 0
		view[p.Target] = health.State{Known: true, Up: up, Streak: r.IntN(2)}
	}
	return view
}

// edges are the addresses of a family at which anything can change: the first
// of every prefix of the map and of the regions, and the first behind it.
func edges(topo *topology.Topology, m entries, v6 bool) []netip.Addr {
	out := []netip.Addr{netip.IPv4Unspecified()}
	if v6 {
		out[0] = netip.IPv6Unspecified()
	}
	add := func(p netip.Prefix) {
		if p.Addr().Is6() != v6 {
			return
		}
		out = append(out, p.Addr())
		if next := last(p).Next(); next.IsValid() {
			out = append(out, next)
		}
	}
	for _, e := range m {
		add(e.prefix)
	}
	for _, g := range topo.Regions {
		for _, p := range g.Prefixes {
			add(p)
		}
	}
	return out
}

// last is the last address of a prefix.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().As16()
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	for i := bits; i < 128; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a := netip.AddrFrom16(b)
	if p.Addr().Is4() {
		a = a.Unmap()
	}
	return a
}

// within is a random address of a prefix.
func within(r *rand.Rand, p netip.Prefix) netip.Addr {
	base, any := p.Addr().As16(), [16]byte{}
	binary.BigEndian.PutUint64(any[:], r.Uint64())
	binary.BigEndian.PutUint64(any[8:], r.Uint64())
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	for i := bits; i < 128; i++ {
		base[i/8] |= any[i/8] & (0x80 >> (i % 8))
	}
	a := netip.AddrFrom16(base)
	if p.Addr().Is4() {
		a = a.Unmap()
	}
	return a
}

func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// got is an answer in words.
func got(t *Table, d *topology.Domain, f Family, a netip.Addr, u uint64) (string, netip.Prefix) {
	places, ttl, scope := t.Answer(nil, d, f, host(a), u)
	p, err := a.Prefix(scope)
	if err != nil {
		panic(err)
	}
	client := At(host(a))
	if a.Is4() {
		octets := a.As4()
		client = At4(binary.BigEndian.Uint32(octets[:]))
	}
	if octets, ttl2, scope2, ok := t.Of(d).Address(f, client, u); ok && (len(places) != 1 || !bytes.Equal(octets, places[0].Addrs[0].AsSlice()) || ttl2 != ttl || scope2 != scope) {
		panic(fmt.Sprintf("%v: Address of %v is %v for %d with scope %d, Answer %v for %d with scope %d", d.Policy.All(), a, octets, ttl2, scope2, labels(places), ttl, scope))
	}
	return fmt.Sprint(labels(places), " for ", ttl), p
}

// checkScopes checks, for a world that follows from a seed, every scope that
// clients at all edges and at random addresses get: whoever is in it gets the
// same, no two of them overlap, and none could be shorter.
func checkScopes(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	topo, m := randomTopology(r), randomMap(r)
	g := Prepare(topo, m)
	if seed%4 == 0 { // as with a large map
		g.tries[V4].crown()
		g.tries[V6].crown()
	}
	for range 3 { // epochs
		table := g.Compile(Inputs{View: randomView(r, topo)})
		for _, d := range topo.Domains {
			for _, f := range []Family{V4, V6} {
				for _, v6 := range []bool{false, true} {
					u := r.Uint64()
					clients := edges(topo, m, v6)
					for range 20 {
						clients = append(clients, randomAddr(r, v6))
					}
					checkClients(t, r, table, d, f, clients, u)
				}
			}
		}
	}
}

func checkClients(t *testing.T, r *rand.Rand, table *Table, d *topology.Domain, f Family, clients []netip.Addr, u uint64) {
	t.Helper()
	answers, scopes := make([]string, len(clients)), make([]netip.Prefix, len(clients))
	for i, a := range clients {
		answers[i], scopes[i] = got(table, d, f, a, u)
	}
	for i, scope := range scopes {
		for j, a := range clients {
			if scope.Contains(a) && (answers[i] != answers[j] || scope != scopes[j]) {
				t.Fatalf("%v: %v gets %q with scope %v, in which %v gets %q with scope %v", d.Policy.All(), clients[i], answers[i], scope, a, answers[j], scopes[j])
			}
		}
		if a := clients[i]; a.Is4() {
			checkMapped(t, table, d, f, a, u, answers[i], scope)
		}
		for range 3 {
			a := within(r, scope)
			if answer, s := got(table, d, f, a, u); answer != answers[i] || s != scope {
				t.Fatalf("%v: %v gets %q with scope %v, in which %v gets %q with scope %v", d.Policy.All(), clients[i], answers[i], scope, a, answer, s)
			}
		}
		checkShortest(t, table, d, f, clients, clients[i], scope)
	}
}

// checkMapped checks that a client of IPv4 gets the same when IPv6 writes its
// address, for the same clients.
func checkMapped(t *testing.T, table *Table, d *topology.Domain, f Family, a netip.Addr, u uint64, want string, scope netip.Prefix) {
	t.Helper()
	places, ttl, bits := table.Answer(nil, d, f, host(netip.AddrFrom16(a.As16())), u)
	if answer := fmt.Sprint(labels(places), " for ", ttl); answer != want || bits != scope.Bits()+96 && (bits != 0 || scope.Bits() != 0) {
		t.Fatalf("%v: %v gets %q with scope %v, and written as IPv6 %q with scope %d", d.Policy.All(), a, want, scope, answer, bits)
	}
}

// checkShortest checks that a scope one bit shorter would have a client in it
// that may get something else.
func checkShortest(t *testing.T, table *Table, d *topology.Domain, f Family, clients []netip.Addr, client netip.Addr, scope netip.Prefix) {
	t.Helper()
	c := &table.domains[d].choices[f]
	mine := c.outcomeOf(table, client)
	if scope.Bits() == 0 || c.kind == topology.StepSticky && len(mine.places) > 1 {
		return // the unit in which clients are kept may be longer
	}
	wider, _ := client.Prefix(scope.Bits() - 1)
	for _, a := range append(clients, wider.Addr()) {
		if wider.Contains(a) && c.outcomeOf(table, a) != mine {
			return
		}
	}
	t.Fatalf("%v: %v has scope %v, and everybody in %v can get the same", d.Policy.All(), client, scope, wider)
}

func (c *choice) outcomeOf(t *Table, a netip.Addr) *outcome {
	if c.of == nil {
		return &c.outcomes[0]
	}
	f := V4
	if a.Is6() {
		f = V6
	}
	return &c.outcomes[c.of.same[t.ground.tries[f].class(keyOf(a))]]
}

func TestEverybodyInAScopeGetsTheSame(t *testing.T) {
	for seed := range uint64(200) {
		checkScopes(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzScopes(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed << 40)
	}
	f.Fuzz(checkScopes)
}

// Every client is in the class that looking up all it belongs to gives.
func TestClassesAreWhatThePrefixesSay(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 9))
		topo, m := randomTopology(r), randomMap(r)
		all := topology.Policy{Steps: []topology.Step{{Kind: topology.StepPrefixes}, {Kind: topology.StepGeo}, {Kind: topology.StepASN}}}
		topo.Domains[0].Policy = &all
		g := Prepare(topo, m)
		for _, v6 := range []bool{false, true} {
			for _, a := range append(edges(topo, m, v6), randomAddr(r, v6), randomAddr(r, v6)) {
				f := V4
				if v6 {
					f = V6
				}
				is := g.classes[g.tries[f].class(keyOf(a))]
				var where Where
				for _, e := range m {
					if e.prefix.Contains(a) {
						where = e.where
					}
				}
				region := func(is func(*topology.Region) bool) int32 {
					return int32(slices.IndexFunc(topo.Regions, is))
				}
				longest := -1
				want := class{prefix: none}
				for i, g := range topo.Regions {
					for _, p := range g.Prefixes {
						if p.Contains(a) && p.Bits() > longest {
							longest, want.prefix = p.Bits(), int32(i)
						}
					}
				}
				want.asn = region(func(g *topology.Region) bool { return where.ASN != 0 && slices.Contains(g.ASNs, where.ASN) })
				want.geo = want.prefix
				if want.geo == none {
					want.geo = want.asn
				}
				if want.geo == none {
					want.geo = region(func(g *topology.Region) bool { return slices.Contains(g.Countries, where.Country) })
				}
				if want.geo == none {
					want.geo = region(func(g *topology.Region) bool { return slices.Contains(g.Continents, where.Continent) })
				}
				want.order = is.order
				if is != want {
					t.Fatalf("seed %d: %v, %v, is %v, want %v", seed, a, where, is, want)
				}
				if known := where.Point != nil && len(g.sites) > 0; known != (is.order != none) {
					t.Fatalf("seed %d: %v, %v, has order %d", seed, a, where, is.order)
				} else if known && !slices.Equal(g.orders[is.order], g.around(*where.Point)) {
					t.Fatalf("seed %d: %v, %v, has another order", seed, a, where)
				}
			}
		}
	}
}
