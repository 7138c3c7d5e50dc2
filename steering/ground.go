package steering

import (
	"net/netip"
	"slices"

	"gslb/health"
	"gslb/topology"
)

// A Ground is what of steering health does not change: where clients are,
// whose they are, and what every domain could answer. It is made once for a
// topology and a map, and never changed; [Ground.Compile] is then quick.
type Ground struct {
	regions []*topology.Region
	number  map[*topology.Region]int32
	chains  [][]int32 // of each region: itself and those that take over, in order
	users   users
	sites   []site
	sited   map[site]int32
	orders  [][]int32
	classes []class
	sets    *sets
	tries   [2]trie // of clients of each family
	domains map[*topology.Domain]*[families]prospect
	order   []*topology.Domain
	where   Map
	bounds  map[health.Target][]bounds // of targets that TTLs follow
}

// A prospect is a domain and family before anybody has looked who is up.
type prospect struct {
	domain  *topology.Domain
	steps   []topology.Placed
	turn    int     // the step that makes answers differ; none: there is none
	least   int     // what limits behind the turn leave; 0: there are none
	places  []Place // answers with an address of the family, names and hosts
	probes  [][]probe
	fates   []*fate // of places without their addresses; nil: nobody asks
	checked bool    // a step looks at health
	minTTL  uint32
	maxTTL  uint32
}

// A probe is one address of a place, and what decides whether it is up.
type probe struct {
	addr   netip.Addr
	check  *topology.Check // nil: it is always up
	target health.Target
	fate   *fate // of the address; nil: nobody asks
}

// Prepare makes the ground of a topology and a map, which may be nil.
func Prepare(topo *topology.Topology, m Map) *Ground {
	g := &Ground{
		number: map[*topology.Region]int32{}, sited: map[site]int32{}, where: m, bounds: map[health.Target][]bounds{},
		domains: make(map[*topology.Domain]*[families]prospect, len(topo.Domains)), order: topo.Domains,
	}
	for _, r := range topo.Regions {
		g.region(r)
	}
	g.users = usersOf(g.regions)
	kinds := map[topology.StepKind]bool{}
	fates := fates{topo: topo}
	for _, d := range topo.Domains {
		steps := d.Policy.All()
		for _, s := range steps {
			kinds[s.Kind] = true
			g.region(s.Default)
		}
		all := new([families]prospect)
		for f := range families {
			all[f] = g.prospect(d, f, steps, &fates)
			g.bound(&all[f])
		}
		g.domains[d] = all
	}
	for i := 0; i < len(g.regions); i++ { // a chain may add regions
		g.chains = append(g.chains, g.chain(g.regions[i]))
	}
	g.classify(kinds, m)
	return g
}

// region is a region's number, none for no region.
func (g *Ground) region(r *topology.Region) int32 {
	if r == nil {
		return none
	}
	n, ok := g.number[r]
	if !ok {
		n = int32(len(g.regions))
		g.number[r] = n
		g.regions = append(g.regions, r)
	}
	return n
}

// known is the number of a region that a step names, none for no region.
func (g *Ground) known(r *topology.Region) int32 {
	if n, ok := g.number[r]; ok {
		return n
	}
	return none
}

// chain is a region and those that take over from it, and from those.
func (g *Ground) chain(r *topology.Region) []int32 {
	out := []int32{g.region(r)}
	for i := 0; i < len(out); i++ {
		for _, next := range g.regions[out[i]].Fallback {
			if n := g.region(next); !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

func (g *Ground) prospect(d *topology.Domain, f Family, steps []topology.Placed, fates *fates) prospect {
	p := prospect{domain: d, steps: steps, turn: turning(steps), maxTTL: seconds(d.TTL), minTTL: seconds(d.MinTTL)}
	if p.minTTL == 0 || p.minTTL > p.maxTTL {
		p.minTTL = p.maxTTL
	}
	spread, near := false, false
	for i, s := range steps {
		switch s.Kind {
		case topology.StepHealth:
			p.checked = true
		case topology.StepGeo, topology.StepNearest:
			near = true
		case topology.StepLimit:
			spread = spread || s.Answers > 1
			if p.turn != none && i > p.turn && (p.least == 0 || s.Answers < p.least) {
				p.least = s.Answers
			}
		}
	}
	if !slices.Contains(Asked(d), f) {
		return p
	}
	for _, a := range d.Answers {
		place := Place{Answer: a, Weight: uint64(max(a.Weight, 0)), at: int32(len(p.places)), region: g.region(a.Region), site: none, seed: named(a.ID), alone: d.Alias(a)}
		var probes []probe
		for _, addr := range a.Addrs {
			if !f.Has(addr) {
				continue
			}
			place.Addrs = append(place.Addrs, addr)
			one := probe{addr: addr, check: a.Check}
			if a.Check != nil {
				one.target = target(a, addr)
			}
			probes = append(probes, one)
		}
		if len(place.Addrs) == 0 && a.CNAME == "" && a.Target == "" {
			continue
		}
		if near && a.Region != nil && a.Region.Location != nil {
			place.site = g.site(site{*a.Region.Location, a.Bias})
		}
		p.places, p.probes = append(p.places, place), append(p.probes, probes)
	}
	if spread {
		p.fates = fates.mark(p.places, p.probes)
	}
	return p
}

func (g *Ground) site(s site) int32 {
	n, ok := g.sited[s]
	if !ok {
		n = int32(len(g.sites))
		g.sited[s] = n
		g.sites = append(g.sites, s)
	}
	return n
}

// turning is the step that makes answers differ from query to query or from
// client to client: the first that keeps clients, else the first that draws,
// else the first that turns the order. The others of them have nothing to do:
// the same number drawn by twice would be no draw, and a turned order would
// undo it.
func turning(steps []topology.Placed) int {
	for _, kind := range []topology.StepKind{topology.StepSticky, topology.StepWeight, topology.StepRotate} {
		if i := slices.IndexFunc(steps, func(s topology.Placed) bool { return s.Kind == kind }); i >= 0 {
			return i
		}
	}
	return none
}
