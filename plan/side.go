package plan

import (
	"net/netip"
	"slices"

	"gslb/health"
	"gslb/tiers"
	"gslb/topology"
)

// A side is one of the two topologies with what follows from it.
type side struct {
	topo      *topology.Topology
	directors map[string]*director
	// ofFarm are the services that a farm has a part in.
	ofFarm map[*topology.Farm][]*topology.Service
	// at is the service at each VIP and port.
	at map[tiers.Key]*topology.Service
}

// A director is a director with what it holds when everything is up.
type director struct {
	*topology.Director
	cluster  *topology.Cluster
	services []*topology.Service  // those it has a tier in
	pairs    []*topology.Failover // those it is a member of
	table    tiers.Table
	rows     map[tiers.Key]*tiers.Service
	host     tiers.Host
	owner    tiers.Owner
	names    map[netip.Addr]string // see who
}

func newSide(t *topology.Topology) *side {
	s := &side{
		topo: t, directors: make(map[string]*director, len(t.Directors)),
		ofFarm: map[*topology.Farm][]*topology.Service{}, at: map[tiers.Key]*topology.Service{},
	}
	for _, d := range t.Directors {
		s.directors[d.ID] = &director{Director: d, cluster: t.Cluster, rows: map[tiers.Key]*tiers.Service{}}
	}
	for _, f := range t.Failovers {
		for _, d := range f.Members {
			s.directors[d.ID].pairs = append(s.directors[d.ID].pairs, f)
		}
	}
	for _, svc := range t.Services {
		for _, tier := range svc.Tiers {
			for _, d := range tier.Directors {
				s.directors[d.ID].services = append(s.directors[d.ID].services, svc)
			}
			for _, f := range tier.Farms {
				s.ofFarm[f] = append(s.ofFarm[f], svc)
			}
		}
		for _, k := range keys(svc) {
			s.at[k] = svc
		}
	}
	for _, d := range s.directors {
		d.compile()
	}
	return s
}

// A stage is which tier of a service one is, whatever the two are called.
type stage struct {
	key tiers.Key // the service's first
	nth int
}

// tiers calls f for each tier that the director has, with its address in the file.
func (d *director) tiers(f func(at stage, id string, t *topology.Tier)) {
	for _, s := range d.services {
		for i, t := range s.Tiers {
			if has(t.Directors, d.Director) {
				f(stage{keys(s)[0], i}, s.ID+".tier."+t.Name, t)
			}
		}
	}
}

// forwards reports whether the director sends packets to a farm of its tier.
func (d *director) forwards(t *topology.Tier, f *topology.Farm) bool {
	return t.Method != topology.NAT || f.Gateway.Has(d.Director)
}

// compile works out what the director holds. It looks at the services the
// director has a part in and at no others, so that all directors together cost
// what the topology is large.
func (d *director) compile() {
	part := &topology.Topology{Services: d.services, Failovers: d.pairs}
	up := health.View{}
	ground := tiers.Prepare(part, d.Director)
	for _, probe := range ground.Probes {
		up[probe.Target] = health.State{Known: true, Up: true}
	}
	d.table = ground.Decide(tiers.Inputs{View: up}).Table
	d.host = tiers.DirectorHost(part, d.Director)
	d.owner = ground.Owner
	for i := range d.table.Services {
		d.rows[d.table.Services[i].Key] = &d.table.Services[i]
	}
}

// who is the object a destination of the director is, by its address in the file.
func (d *director) who(a netip.Addr) string {
	if d.names == nil {
		d.names = map[netip.Addr]string{}
		for _, svc := range d.services {
			for i, tier := range svc.Tiers {
				if !has(tier.Directors, d.Director) {
					continue
				}
				if i+1 < len(svc.Tiers) {
					for _, next := range svc.Tiers[i+1].Forwarders() {
						d.name(next.Addrs(), next.ID())
					}
				}
				for _, f := range tier.Farms {
					if !d.forwards(tier, f) {
						continue
					}
					for _, s := range f.Servers {
						d.name(s.Addrs, s.ID)
					}
				}
			}
		}
	}
	return d.names[a]
}

func (d *director) name(addrs topology.Addrs, id string) {
	for _, a := range addrs {
		d.names[a] = id
	}
}

func has(list []*topology.Director, d *topology.Director) bool {
	for _, x := range list {
		if x == d {
			return true
		}
	}
	return false
}

// keys are the virtual services that a service is in a kernel.
func keys(s *topology.Service) []tiers.Key {
	var out []tiers.Key
	for _, vip := range s.VIPs {
		for _, port := range s.Ports {
			if k := tiers.KeyOf(s, vip, port); !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	return out
}
