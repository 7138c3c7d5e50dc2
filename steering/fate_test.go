package steering

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/health"
	"gslb/topology"
)

// Each place of an answer shares no director and no network with those before
// it, unless every place that could have come does: held against all places
// that the policy leaves, whatever they are and whoever is up.
func TestNoTwoOfAnAnswerFailTogetherWhileThereAreOthers(t *testing.T) {
	shared, spread := 0, 0
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		topo, view := sharing(rnd)
		for _, turn := range [][]topology.Step{{}, {weight}, {rotation}, {sticky}} {
			before := append([]topology.Step{healthOpen}, turn...)
			policy := topo.Domains[0].Policy
			policy.Steps = before
			all := Compile(topo, Inputs{View: view})
			policy.Steps = append(slices.Clone(before), limit(2+rnd.IntN(3)))
			table := Compile(topo, Inputs{View: view})
			for _, f := range []Family{V4, V6} {
				for range 8 {
					client, u := netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(rnd.Uint32()), 0}), 24), rnd.Uint64()
					could, _, _ := all.Answer(nil, topo.Domains[0], f, client, u)
					got, _, _ := table.Answer(nil, topo.Domains[0], f, client, u)
					if len(got) == len(could) {
						continue // nobody is left out
					}
					for k := range got {
						if k == 0 || !together(topo, got[k], got[:k]) {
							spread++
							continue
						}
						shared++
						for _, p := range could {
							if !slices.ContainsFunc(got[:k], func(q Place) bool { return q.Answer == p.Answer }) && !together(topo, p, got[:k]) {
								t.Fatalf("seed %d, %v: %s: place %d fails with one before it, and %s would not", seed, policy.Steps, labels(got), k, p.Answer.Label)
							}
						}
					}
				}
			}
		}
	}
	if shared < 100 || spread < 100 {
		t.Errorf("%d places shared, %d did not: this shows little", shared, spread)
	}
}

// sharing is a topology of one domain, whose answers are services and addresses
// of few networks or of many.
func sharing(rnd *rand.Rand) (*topology.Topology, health.View) {
	check := &topology.Check{ID: "check.web", Interval: time.Second, Timeout: time.Second / 2, Rise: 1, Fall: 1}
	d := &topology.Domain{ID: "domain.www", Name: "www.example.org.", Policy: &topology.Policy{}}
	topo := &topology.Topology{Domains: []*topology.Domain{d}}
	few := []int{3, 6, 12, 60}[rnd.IntN(4)]
	for i := range few {
		n := &topology.Network{ID: fmt.Sprintf("network.n%d", i)}
		n.Prefixes = append(n.Prefixes, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 24))
		if rnd.IntN(2) == 0 {
			n.Prefixes = append(n.Prefixes, netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(i)}), 64))
		}
		topo.Networks = append(topo.Networks, n)
	}
	network := func() int { return rnd.IntN(few) }
	for i := range few {
		topo.Directors = append(topo.Directors, &topology.Director{ID: fmt.Sprintf("director.d%d", i), Network: topo.Networks[network()]})
	}
	view := health.View{}
	for i := range few/2 + rnd.IntN(2*few) {
		a := &topology.Answer{ID: fmt.Sprintf("answer.a%d", i), Label: fmt.Sprintf("a%d", i), Weight: rnd.IntN(4), Check: check, Port: 80}
		host := func(v6 bool) netip.Addr {
			if v6 {
				return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(network()), 15: byte(i + 1)})
			}
			return netip.AddrFrom4([4]byte{10, byte(network()), byte(rnd.IntN(2)), byte(i + 1)}) // in the network or outside of all
		}
		for kind := rnd.IntN(3); kind < 3; kind++ {
			a.Addrs = append(a.Addrs, host(rnd.IntN(2) == 0))
		}
		if rnd.IntN(2) == 0 {
			a.Service = &topology.Service{ID: "virtual_service." + a.Label, VIPs: a.Addrs}
			for range 1 + rnd.IntN(2) {
				a.Service.Tiers = append(a.Service.Tiers, &topology.Tier{Directors: []*topology.Director{topo.Directors[network()]}})
			}
		}
		for _, addr := range a.Addrs {
			view = view.Observe(target(a, addr), check, time.Time{}, rnd.IntN(4) > 0)
		}
		d.Answers = append(d.Answers, a)
	}
	return topo, view
}

// together reports whether a place shares a director or a network with one of others.
func together(topo *topology.Topology, p Place, others []Place) bool {
	mine := dependencies(topo, p)
	return slices.ContainsFunc(others, func(q Place) bool {
		return slices.ContainsFunc(dependencies(topo, q), func(x string) bool { return slices.Contains(mine, x) })
	})
}

func dependencies(topo *topology.Topology, p Place) []string {
	var out []string
	if p.Answer.Service != nil {
		for _, t := range p.Answer.Service.Tiers {
			for _, d := range t.Directors {
				out = append(out, d.ID, d.Network.ID)
			}
		}
	}
	for _, n := range topo.Networks {
		if slices.ContainsFunc(p.Addrs, n.Contains) {
			out = append(out, n.ID)
		}
	}
	return out
}

// What places share is told apart however many such things there are.
func TestManyNetworksAreToldApart(t *testing.T) {
	lines := []string{"a0 1 10.0.0.1", "b0 1 10.0.0.2"}
	for i := 1; i < 70; i++ {
		mark := "-"
		if i == 64 {
			mark = ""
		}
		lines = append(lines, fmt.Sprintf("a%d 1 %s10.0.%d.1", i, mark, i), fmt.Sprintf("b%d 1 -10.0.%d.2", i, i))
	}
	topo, view := world([]topology.Step{healthOpen, limit(2)}, lines...)
	for i := range 70 {
		topo.Networks = append(topo.Networks, &topology.Network{Prefixes: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 0}), 24)}})
	}
	if diff := cmp.Diff("a0=10.0.0.1 a64=10.0.64.1", labels(Compile(topo, Inputs{View: view}).Pick(nil, topo.Domains[0], V4, 0))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
