package graph

import (
	"fmt"
	"strings"

	"gslb/topology"
)

// Beyond these, names share a box and zones share a frame.
const (
	manyNames = 8
	manyZones = 6
	manyNodes = 4 // nameservers
)

// sets are objects that are drawn as one box, by their addresses.
type sets struct {
	up     map[string]string
	users  map[string]int // first service that uses a director or farm
	joined []int          // by service: an earlier one with which it shares some, or itself
	depth  map[string]int // directors: tiers between them and the farms
}

func (s *sets) root(id string) string {
	for s.up[id] != "" {
		if next := s.up[s.up[id]]; next != "" {
			s.up[id] = next // paths stay short
		}
		id = s.up[id]
	}
	return id
}

// unite makes one set of all ids'.
func (s *sets) unite(ids []string) {
	for _, id := range ids {
		if a, b := s.root(ids[0]), s.root(id); a != b {
			s.up[b] = a
		}
	}
}

// first is the number of the block that an object is drawn in, none where no
// service uses it.
func (s *sets) first(id string, none int) int {
	if i, ok := s.users[id]; ok {
		return s.block(i)
	}
	return none
}

// block is the first of the services that share directors or farms with service i.
func (s *sets) block(i int) int {
	for s.joined[i] != i {
		s.joined[i] = s.joined[s.joined[i]] // paths stay short
		i = s.joined[i]
	}
	return i
}

// A bucket collects ids by key, in the order of their first appearance.
type bucket struct {
	keys []string
	ids  map[string][]string
}

func (b *bucket) add(key, id string) {
	if b.ids == nil {
		b.ids = map[string][]string{}
	}
	if b.ids[key] == nil {
		b.keys = append(b.keys, key)
	}
	b.ids[key] = append(b.ids[key], id)
}

// crowded unites the ids of every key with more than most sets.
func (s *sets) crowded(b *bucket, most int) {
	for _, k := range b.keys {
		if s.count(b.ids[k]) > most {
			s.unite(b.ids[k])
		}
	}
}

// count is how many sets the ids are of.
func (s *sets) count(ids []string) int {
	seen := map[string]bool{}
	for _, id := range ids {
		seen[s.root(id)] = true
	}
	return len(seen)
}

// merge decides what is drawn as one box.
func merge(t *topology.Topology) *sets {
	s := &sets{up: map[string]string{}, users: map[string]int{}, depth: map[string]int{}}
	most := allowance(len(t.Regions))
	s.depths(t)

	// Members of a pair forward one at a time.
	for _, f := range t.Failovers {
		var ids []string
		for _, d := range f.Members {
			ids = append(ids, d.ID)
		}
		s.unite(ids)
	}
	// What stands side by side in one tier.
	for i, v := range t.Services {
		s.joined = append(s.joined, i)
		for _, tier := range v.Tiers {
			var b bucket
			for _, d := range tier.Directors {
				b.add(d.Region().ID, d.ID)
				s.use(d.ID, i)
			}
			for _, f := range tier.Farms {
				b.add("farm "+f.Region.ID, f.ID)
				s.use(f.ID, i)
			}
			s.crowded(&b, most)
		}
	}
	// What still crowds a region.
	var columns bucket
	for _, d := range t.Directors {
		columns.add(fmt.Sprint(d.Region().ID, " ", s.depth[d.ID]), d.ID)
	}
	for _, f := range t.Farms {
		columns.add("farm "+f.Region.ID, f.ID)
	}
	s.crowded(&columns, 2*most)

	// Services of a region that go the same way, then all of them.
	var regions bucket
	for _, v := range t.Services {
		regions.add(v.Region.ID, v.ID)
	}
	for _, k := range regions.keys {
		if len(regions.ids[k]) <= most {
			continue
		}
		var ways bucket
		for _, v := range t.Services {
			if v.Region.ID == k {
				ways.add(s.way(v), v.ID)
			}
		}
		s.crowded(&ways, 1)
	}
	s.crowded(&regions, 2*most)
	s.places(t, most)
	s.names(t)

	var nodes bucket
	for _, n := range t.Nameservers {
		nodes.add("", n.ID)
	}
	s.crowded(&nodes, manyNodes)
	return s
}

func (s *sets) use(id string, service int) {
	other, ok := s.users[id]
	if !ok {
		s.users[id] = service
		return
	}
	if a, b := s.block(other), s.block(service); a < b {
		s.joined[b] = a
	} else {
		s.joined[a] = b
	}
}

// depths counts for each director the tiers behind it, the most of any service.
func (s *sets) depths(t *topology.Topology) {
	deepest := 0
	for _, v := range t.Services {
		deepest = max(deepest, len(v.Tiers))
	}
	// A director may be in several tiers of several services. Directors that
	// feed each other have no order: the rounds end all the same.
	for range deepest {
		for _, v := range t.Services {
			behind := -1
			for i := len(v.Tiers) - 1; i >= 0; i-- {
				here := 0
				for _, d := range v.Tiers[i].Directors {
					s.depth[d.ID] = min(deepest-1, max(s.depth[d.ID], behind+1))
					here = max(here, s.depth[d.ID])
				}
				behind = here
			}
		}
	}
}

// way is the path of a service's packets in words that tell paths apart.
func (s *sets) way(v *topology.Service) string {
	var b strings.Builder
	last := ""
	note := func(id string) {
		if r := s.root(id); r != last {
			b.WriteString(r + " ")
			last = r
		}
	}
	for _, t := range v.Tiers {
		b.WriteString(t.Method.String() + " " + t.Scheduler + ": ")
		for _, d := range t.Directors {
			note(d.ID)
		}
		for _, f := range t.Farms {
			note(f.ID)
		}
	}
	return b.String()
}

// places unites answers of the same addresses, and those that crowd a region.
func (s *sets) places(t *topology.Topology, most int) {
	var same, regions bucket
	for _, d := range t.Domains {
		for _, a := range d.Answers {
			if a.Service != nil {
				continue
			}
			region := ""
			if a.Region != nil {
				region = a.Region.ID
			}
			same.add(region+" "+strings.Join(points(a), ", "), a.ID)
			regions.add(region, a.ID)
		}
	}
	s.crowded(&same, 1)
	s.crowded(&regions, 2*most)
}

// names unites the steered names that are answered alike, where there are many.
func (s *sets) names(t *topology.Topology) {
	if len(t.Domains) <= manyNames {
		return
	}
	one := len(t.Zones) > manyZones // one frame for all zones
	var alike, zones bucket
	for _, d := range t.Domains {
		zone := d.Zone.ID
		if one {
			zone = ""
		}
		var k strings.Builder
		k.WriteString(zone + " " + strings.Join(d.Types, ", "))
		for _, a := range d.Answers {
			to := a.ID
			if a.Service != nil {
				to = a.Service.ID
			}
			fmt.Fprintf(&k, " %s %s", s.root(to), part(d, a))
		}
		alike.add(k.String(), d.ID)
		zones.add(zone, d.ID)
	}
	s.crowded(&alike, 1)
	s.crowded(&zones, manyNames)
	if one {
		var ids []string
		for _, z := range t.Zones {
			ids = append(ids, z.ID)
		}
		s.unite(ids)
	}
}
