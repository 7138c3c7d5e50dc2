package lab

import (
	"math"
	"net/netip"
	"slices"
	"time"

	"gslb/health"
	"gslb/tiers"
	"gslb/topology"
)

// shares are the parts of a service's requests that its real servers should
// get, by address: what the tables that the directors should hold lead to when
// everybody is up.
func shares(topo *topology.Topology, s *topology.Service, vip netip.Addr, port topology.Port) map[netip.Addr]float64 {
	out := map[netip.Addr]float64{}
	var walk func(tier int, d *topology.Director, part float64)
	walk = func(tier int, d *topology.Director, part float64) {
		for to, share := range destinations(topo, d, s.Tiers[tier].Scheduler, tiers.VIPKey(port.Proto, netip.AddrPortFrom(vip, port.Number))) {
			if tier == len(s.Tiers)-1 {
				out[to] += part * share
				continue
			}
			for _, next := range s.Tiers[tier+1].Directors {
				if next.Addrs.Has(to) {
					walk(tier+1, next, part*share)
				}
			}
		}
	}
	walk(0, s.Tiers[0].Directors[0], 1)
	return out
}

// destinations are the parts a director's scheduler gives its destinations.
func destinations(topo *topology.Topology, d *topology.Director, scheduler string, key tiers.Key) map[netip.Addr]float64 {
	everybody := health.View{}
	for _, p := range tiers.Probes(topo, d) {
		everybody = everybody.Observe(p.Target, p.Check, true)
	}
	out := map[netip.Addr]float64{}
	nature, _ := topology.SchedulerNamed(scheduler)
	sum := 0.0
	for _, s := range tiers.Compile(topo, d, everybody).Services {
		if s.Key != key {
			continue
		}
		for _, dest := range s.Destinations {
			if dest.Weight == 0 {
				continue
			}
			part := 1.0
			if nature.Weighted {
				part = float64(dest.Weight)
			}
			out[dest.Addr.Addr()] += part
			sum += part
		}
	}
	for a := range out {
		out[a] /= sum
	}
	return out
}

// requests is how many requests tell the shares apart and reach every server:
// 25 for each, so that one that should get its part is missed by chance less
// than once in 10^10 runs.
func requests(servers int) int { return min(max(25*servers, 100), 1000) }

// tolerance is by how many of n requests a server of share p may be off: 4.5
// standard deviations of independent choices (hash schedulers make them; all
// others are closer), and 2.
func tolerance(n int, p float64) float64 { return 4.5*math.Sqrt(float64(n)*p*(1-p)) + 2 }

// detection is how long it takes at most until a service's directors have
// noticed that a destination died, or that it is back; each tier waits for the
// one below. The lab allows twice that, and time for the programs to start.
func detection(s *topology.Service) time.Duration {
	sum := time.Duration(0)
	for _, t := range s.Tiers {
		if c := t.Check; c != nil {
			sum += time.Duration(max(c.Rise, c.Fall)+1)*c.Interval + c.Timeout
		}
	}
	return sum
}

const patience = 8 * time.Second

// clean is how many successes in a row make traffic clean again.
const clean = 20

// A victim is a destination that is killed: a real server or a director of the next tier.
type victim struct {
	service *topology.Service
	node    string
	servers []netip.Addr // the real servers that cannot be reached without it
}

// pickVictim chooses a destination of the service's first tier whose death
// leaves others; false when there is none, or nobody would notice.
func pickVictim(topo *topology.Topology, s *topology.Service) (victim, bool) {
	if s.Tiers[0].Check == nil {
		return victim{}, false
	}
	if len(s.Tiers) > 1 {
		next := s.Tiers[1].Directors
		if len(next) < 2 {
			return victim{}, false
		}
		v := victim{service: s, node: next[0].ID}
		for _, f := range s.Farms() {
			if f.Gateway == next[0] {
				for _, server := range f.Servers {
					v.servers = append(v.servers, server.Addrs...)
				}
			}
		}
		return v, true
	}
	var live []*topology.Server
	for _, f := range s.Farms() {
		for _, server := range f.Servers {
			if server.Weight > 0 {
				live = append(live, server)
			}
		}
	}
	if len(live) < 2 {
		return victim{}, false
	}
	return victim{service: s, node: live[0].ID, servers: live[0].Addrs}, true
}

// nodes are all directors and real servers of a service.
func nodes(s *topology.Service) []string {
	var out []string
	for _, t := range s.Tiers {
		for _, d := range t.Directors {
			out = append(out, d.ID)
		}
	}
	for _, f := range s.Farms() {
		for _, server := range f.Servers {
			out = append(out, server.ID)
		}
	}
	return out
}

// rounds groups victims so that those of one round can die together: none is a
// node of another one's service, unless they are the same node.
func rounds(victims []victim) [][]victim {
	var out [][]victim
next:
	for _, v := range victims {
		for i, round := range out {
			if !slices.ContainsFunc(round, func(o victim) bool {
				return o.node != v.node && (slices.Contains(nodes(o.service), v.node) || slices.Contains(nodes(v.service), o.node))
			}) {
				out[i] = append(round, v)
				continue next
			}
		}
		out = append(out, []victim{v})
	}
	return out
}
