package lab

import (
	"math"
	"net/netip"
	"slices"
	"time"

	"gslb/topology"
)

// shares are the parts of a service's requests that its real servers should
// get, by their address of the VIP's family, when everybody is up: worked out
// from the weights in the file, not from the tables that the directors make of
// them, which are what is tried.
func shares(s *topology.Service, vip netip.Addr) map[netip.Addr]float64 {
	out := map[netip.Addr]float64{}
	var walk func(tier int, f topology.Forwarder, part float64)
	walk = func(tier int, f topology.Forwarder, part float64) {
		nature, _ := topology.SchedulerNamed(s.Tiers[tier].Scheduler)
		if tier < len(s.Tiers)-1 {
			next := s.Tiers[tier+1].Forwarders()
			weights := make([]int, len(next))
			for i, n := range next {
				weights[i] = behind(s, tier+1, n)
			}
			for i, share := range portions(weights, nature.Weighted) {
				if share > 0 {
					walk(tier+1, next[i], part*share)
				}
			}
			return
		}
		servers := serversOf(s, f.Members()[0])
		weights := make([]int, len(servers))
		for i, server := range servers {
			weights[i] = server.Weight
		}
		for i, share := range portions(weights, nature.Weighted) {
			if addr, ok := servers[i].Addrs.Reach(vip, s.Tiers[tier].Method); ok && share > 0 {
				out[addr] += part * share
			}
		}
	}
	walk(0, s.Tiers[0].Forwarders()[0], 1)
	return out
}

// portions are what each gets: by weight, or the same for all that weigh anything.
func portions(weights []int, weighted bool) []float64 {
	out := make([]float64, len(weights))
	sum := 0.0
	for i, w := range weights {
		switch {
		case w > 0 && weighted:
			out[i] = float64(w)
		case w > 0:
			out[i] = 1
		}
		sum += out[i]
	}
	for i := range out {
		out[i] /= max(sum, 1)
	}
	return out
}

// behind is the sum of the weights of the real servers behind a director or pair
// of a tier.
func behind(s *topology.Service, tier int, f topology.Forwarder) int {
	sum := 0
	if tier < len(s.Tiers)-1 {
		for _, next := range s.Tiers[tier+1].Forwarders() {
			sum += behind(s, tier+1, next)
		}
		return sum
	}
	for _, server := range serversOf(s, f.Members()[0]) {
		sum += server.Weight
	}
	return sum
}

// serversOf are the real servers that a director of the last tier forwards to.
func serversOf(s *topology.Service, d *topology.Director) []*topology.Server {
	var out []*topology.Server
	for _, f := range s.Farms() {
		if s.Tiers[len(s.Tiers)-1].Method != topology.NAT || f.Gateway.Has(d) {
			out = append(out, f.Servers...)
		}
	}
	return out
}

// hashed reports whether chance has a part in who gets what: a hash scheduler
// anywhere on the way.
func hashed(s *topology.Service) bool {
	return slices.ContainsFunc(s.Tiers, func(t *topology.Tier) bool {
		nature, _ := topology.SchedulerNamed(t.Scheduler)
		return nature.Hash
	})
}

// keeps reports whether a service keeps its clients at their servers: then one
// that comes back gets nobody before somebody new comes, and the users of the
// lab are not new.
func keeps(s *topology.Service) bool {
	return slices.ContainsFunc(s.Tiers, func(t *topology.Tier) bool { return t.Persistence != nil })
}

// reaching is how many requests reach every one of so many servers of like
// weight: one is missed by chance in one lot of 10^8.
func reaching(servers int) int { return max(20*servers, 60) }

// requests is how many requests tell shares apart and reach every server.
func requests(s *topology.Service, servers int) int {
	if hashed(s) {
		return min(max(25*servers, 400), 1000)
	}
	return min(max(12*servers, 100), 1000)
}

// tolerance is by how many of n requests a server of share p may be off: 3
// standard deviations of independent choices where a hash makes them, and a few
// requests where a scheduler counts.
func tolerance(s *topology.Service, n int, p float64) float64 {
	if hashed(s) {
		return 3*math.Sqrt(float64(n)*p*(1-p)) + 2
	}
	return 3 + 0.03*float64(n)
}

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

// patience is what the lab adds to what the file's checks allow. A world that
// does its work needs none of it on an idle machine.
const patience = 20 * time.Second

// clean is how many successes in a row make traffic clean again.
const clean = 20

// A victim is a node that is killed: a director of the second tier, or of the
// first where that is a pair's, or a real server behind the last one.
type victim struct {
	service *topology.Service
	node    string
	servers []netip.Addr // the real servers that cannot be reached without it
}

// pickVictims chooses a director, of one tier and a single director none, and a
// real server: such that enough is left alive, also when both are dead. Why says
// what could not be chosen.
func pickVictims(s *topology.Service) (out []victim, why []string) {
	last := s.Tiers[len(s.Tiers)-1]
	var dead *topology.Director
	if len(s.Tiers) > 1 || len(s.Tiers[0].Pairs) > 0 {
		v, director, reason := pickDirector(s)
		if reason != "" {
			why = append(why, reason)
		} else {
			out, dead = append(out, v), director
		}
	}
	if last.Check == nil {
		return out, append(why, "its real servers have no check")
	}
	for _, d := range last.Directors {
		var live []*topology.Server
		for _, server := range serversOf(s, d) {
			if server.Weight > 0 {
				live = append(live, server)
			}
		}
		if d != dead && len(live) > 1 {
			return append(out, victim{service: s, node: live[0].ID, servers: live[0].Addrs}), why
		}
	}
	return out, append(why, "no director has a real server to spare")
}

// pickDirector chooses a director of the second tier whose death leaves others,
// or the first member of a pair.
func pickDirector(s *topology.Service) (v victim, d *topology.Director, why string) {
	tier := s.Tiers[min(1, len(s.Tiers)-1)]
	next := tier.Forwarders()
	if i := slices.IndexFunc(next, func(f topology.Forwarder) bool { return f.Pair != nil }); i >= 0 {
		// Another member has the same servers.
		return victim{service: s, node: next[i].Pair.Members[0].ID}, nil, ""
	}
	switch {
	case s.Tiers[0].Check == nil:
		return victim{}, nil, "its directors have no check"
	case len(next) < 2:
		return victim{}, nil, "it has one director in its second tier"
	}
	v = victim{service: s, node: next[0].ID()}
	for _, f := range s.Farms() {
		if f.Gateway == next[0] {
			for _, server := range f.Servers {
				v.servers = append(v.servers, server.Addrs...)
			}
		}
	}
	return v, next[0].Director, ""
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
// node of another service that loses one too, unless they are the same node.
func rounds(victims []victim) [][]victim {
	var out [][]victim
next:
	for _, v := range victims {
		for i, round := range out {
			if !slices.ContainsFunc(round, func(o victim) bool {
				return o.node != v.node && o.service != v.service && (slices.Contains(nodes(o.service), v.node) || slices.Contains(nodes(v.service), o.node))
			}) {
				out[i] = append(round, v)
				continue next
			}
		}
		out = append(out, []victim{v})
	}
	return out
}
