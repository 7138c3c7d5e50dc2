package steering

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"

	"gslb/topology"
)

// none stands for no region and no site.
const none = -1

// A class is everything that the steps of a topology's policies may know of a
// client: clients of one class get the same answers. Regions are numbers, as
// in ground.regions.
type class struct {
	prefix int32 // region whose prefixes have the client
	asn    int32 // region that serves its autonomous system
	geo    int32 // region it belongs to by the most specific rule
	order  int32 // of the sites, from near to far: index in ground.orders
}

// A site is somewhere that clients are nearer to or further from.
type site struct {
	point topology.Point
	bias  int
}

// kilometres is how far away a site counts as being. A bias takes its part
// off the distance; a negative one makes it longer to the same degree.
func (s site) kilometres(from topology.Point) float64 {
	part := 1 - math.Abs(float64(s.bias))/100
	if s.bias < 0 {
		return s.point.Kilometres(from) / part
	}
	return s.point.Kilometres(from) * part
}

// users say which region serves whom, by a region's number. Where regions
// claim the same, the first one in the file gets it.
type users struct {
	prefixes             [2][]claim // ids are one more than the region's number
	asns                 map[uint32]int32
	countries, continent map[string]int32
}

func usersOf(regions []*topology.Region) users {
	u := users{asns: map[uint32]int32{}, countries: map[string]int32{}, continent: map[string]int32{}}
	for i, r := range regions {
		for _, p := range r.Prefixes {
			f := V4
			if p.Addr().Is6() {
				f = V6
			}
			u.prefixes[f] = append(u.prefixes[f], claim{p.Masked(), uint32(i) + 1})
		}
		for _, n := range r.ASNs {
			first(u.asns, n, int32(i))
		}
		for _, c := range r.Countries {
			first(u.countries, c, int32(i))
		}
		for _, c := range r.Continents {
			first(u.continent, c, int32(i))
		}
	}
	return u
}

func first[K comparable](m map[K]int32, k K, region int32) {
	if _, taken := m[k]; !taken {
		m[k] = region
	}
}

// A Rule is why a step takes a client for one of a region.
type Rule uint8

// The rules, the more specific ones first. The zero value: none applies.
const (
	NoRule        Rule = iota
	RulePrefix         // the region's prefixes have the client
	RuleASN            // the region serves the client's autonomous system
	RuleCountry        // the region serves the client's country
	RuleContinent      // the region serves the client's continent
	RuleNearest        // the region is the nearest
	RuleDefault        // the step says so of everybody else
)

// geo is the region that a client belongs to whom no prefix names.
func (u *users) geo(w Where) (int32, Rule) {
	if r, ok := u.asns[w.ASN]; ok && w.ASN != 0 {
		return r, RuleASN
	}
	if r, ok := u.countries[w.Country]; ok {
		return r, RuleCountry
	}
	if r, ok := u.continent[w.Continent]; ok {
		return r, RuleContinent
	}
	return none, NoRule
}

// A classifier gives clients their classes.
type classifier struct {
	g       *Ground
	steps   map[topology.StepKind]bool // that policies have
	classes map[class]uint32
	orders  map[string]int32
	places  map[topology.Point]int32 // orders of where clients are
}

func (c *classifier) class(x class) uint32 {
	if !c.steps[topology.StepPrefixes] {
		x.prefix = none
	}
	if !c.steps[topology.StepASN] {
		x.asn = none
	}
	if !c.steps[topology.StepGeo] {
		x.geo = none
	}
	id, ok := c.classes[x]
	if !ok {
		id = uint32(len(c.g.classes))
		c.classes[x] = id
		c.g.classes = append(c.g.classes, x)
	}
	return id
}

// order is how the sites lie around a client.
func (c *classifier) order(p *topology.Point) int32 {
	if p == nil || len(c.g.sites) == 0 {
		return none
	}
	if o, ok := c.places[*p]; ok {
		return o
	}
	order := c.g.around(*p)
	text := make([]byte, 0, 2*len(order))
	for _, s := range order {
		text = binary.BigEndian.AppendUint16(text, uint16(s))
	}
	o, ok := c.orders[string(text)]
	if !ok {
		o = int32(len(c.g.orders))
		c.orders[string(text)] = o
		c.g.orders = append(c.g.orders, order)
	}
	c.places[*p] = o
	return o
}

// around are the sites from near to far; as near ones as in the file.
func (g *Ground) around(p topology.Point) []int32 {
	far := make([]float64, len(g.sites))
	order := make([]int32, len(g.sites))
	for i, s := range g.sites {
		far[i], order[i] = s.kilometres(p), int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		switch {
		case far[a] < far[b]:
			return -1
		case far[a] > far[b]:
			return 1
		}
		return 0
	})
	return order
}

// classify plants the tries: whoever the map and the regions' prefixes do not
// know is in class 0.
func (g *Ground) classify(steps map[topology.StepKind]bool, m Map) {
	c := classifier{g: g, steps: steps, classes: map[class]uint32{}, orders: map[string]int32{}, places: map[topology.Point]int32{}}
	nowhere := class{none, none, none, none}
	c.class(nowhere)
	geo, located := steps[topology.StepGeo], steps[topology.StepGeo] || steps[topology.StepASN] || steps[topology.StepNearest]
	var runs [2][]run
	runs[V4], runs[V6] = []run{{}}, []run{{}}
	if located && m != nil {
		type known struct {
			Where
			point topology.Point
		}
		seen := map[known]uint32{}
		var ends [2]key // behind the last prefix
		full := [2]bool{}
		var last Where
		lastID := uint32(0)
		m.Walk(func(p netip.Prefix, w Where) bool {
			f := V4
			if p.Addr().Is6() {
				f = V6
			}
			if full[f] {
				return true
			}
			if w != last {
				k := known{Where: w}
				if w.Point != nil {
					k.Where.Point, k.point = placed, *w.Point
				}
				id, ok := seen[k]
				if !ok {
					x := class{prefix: none, asn: none, order: c.order(w.Point)}
					if r, claimed := g.users.asns[w.ASN]; claimed && w.ASN != 0 {
						x.asn = r
					}
					x.geo, _ = g.users.geo(w)
					id = c.class(x)
					seen[k] = id
				}
				last, lastID = w, id
			}
			at := keyOf(p.Addr())
			if ends[f].less(at) {
				runs[f] = put(runs[f], ends[f], 0)
			}
			runs[f] = put(runs[f], at, lastID)
			end, more := at.after(p.Bits())
			ends[f], full[f] = end, !more
			return true
		})
		for f := range runs {
			if !full[f] {
				runs[f] = put(runs[f], ends[f], 0)
			}
		}
	}
	if steps[topology.StepPrefixes] || geo {
		for f, claims := range g.users.prefixes {
			if len(claims) == 0 {
				continue
			}
			runs[f] = both(runs[f], overlaid(claims), func(id, region uint32) uint32 {
				if region == 0 {
					return id
				}
				x := g.classes[id]
				x.prefix, x.geo = int32(region)-1, int32(region)-1
				return c.class(x)
			})
		}
	}
	g.sets = newSets(len(g.classes))
	for f := range runs {
		g.tries[f] = plant(runs[f], g.sets)
	}
	for f := range g.tries {
		if len(g.tries[f].nodes) >= crowded {
			g.tries[f].crown()
		}
	}
	g.sets.planted()
}

// placed stands in a key for any point: the point itself stands beside it.
var placed = &topology.Point{}
