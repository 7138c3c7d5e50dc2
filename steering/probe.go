package steering

import (
	"net/netip"

	"gslb/health"
	"gslb/topology"
)

// A Probe is something whose health the answers of a topology depend on, and
// how to find it out.
type Probe struct {
	Target health.Target
	Check  *topology.Check
}

// Probes lists what must be probed for [Compile] to know who is up: each
// address of each answer that has a check, once, in file order.
func Probes(topo *topology.Topology) []Probe {
	var probes []Probe
	seen := map[health.Target]bool{}
	for _, d := range topo.Domains {
		for _, a := range d.Answers {
			if a.Check == nil {
				continue
			}
			for _, addr := range a.Addrs {
				t := target(a, addr)
				if !seen[t] {
					seen[t] = true
					probes = append(probes, Probe{Target: t, Check: a.Check})
				}
			}
		}
	}
	return probes
}

// A Dependent is an answer of a domain that a target decides about.
type Dependent struct {
	Domain *topology.Domain
	Answer *topology.Answer
}

// Dependents lists the answers of topo that depend on t, in file order.
func Dependents(topo *topology.Topology, t health.Target) []Dependent {
	var list []Dependent
	for _, d := range topo.Domains {
		for _, a := range d.Answers {
			if a.Check == nil {
				continue
			}
			for _, addr := range a.Addrs {
				if target(a, addr) == t {
					list = append(list, Dependent{Domain: d, Answer: a})
					break
				}
			}
		}
	}
	return list
}

func target(a *topology.Answer, addr netip.Addr) health.Target {
	port := a.Check.Port
	if port == 0 {
		port = a.Port
	}
	return health.Target{Check: a.Check.ID, Addr: netip.AddrPortFrom(addr, port)}
}
