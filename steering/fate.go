package steering

import (
	"slices"

	"gslb/topology"
)

// A fate says what something depends on: a bit for each director and network
// that several places of a domain and family do. Beyond as many of those as
// there are bits, some have one together, which spreads wider than need be.
type fate [16]uint64

func (f *fate) add(g *fate) {
	for i := range g {
		f[i] |= g[i]
	}
}

// meets reports whether two have something in common, among the first words.
func (f *fate) meets(g *fate, words int) bool {
	for i := range words {
		if f[i]&g[i] != 0 {
			return true
		}
	}
	return false
}

// common is how many words of the places' fates it takes to tell which of them
// meet; 0: none do.
func common(places []Place) int {
	var seen fate
	words := 0
	for i := range places {
		f := places[i].fate
		if f == nil {
			return 0
		}
		for w := range f {
			if seen[w]&f[w] != 0 {
				words = max(words, w+1)
			}
		}
		seen.add(f)
	}
	return words
}

// fates knows what places depend on.
type fates struct{ topo *topology.Topology }

// behind are the directors of a service and their networks.
func (f *fates) behind(s *topology.Service) []any {
	var out []any
	for _, t := range s.Tiers {
		for _, d := range t.Directors {
			out = append(out, d, d.Network)
		}
	}
	return out
}

// mark gives places, and their addresses, a bit for everything that they have
// in common with another, and returns what the places have without addresses.
func (f *fates) mark(places []Place, probes [][]probe) []*fate {
	bits, count := map[any]int{}, map[any]int{}
	own, of := make([][]any, len(places)), make([][][]any, len(places))
	for i, p := range places {
		mine := map[any]bool{}
		if s := p.Answer.Service; s != nil {
			own[i] = f.behind(s)
		}
		of[i] = make([][]any, len(probes[i]))
		for j, one := range probes[i] {
			for _, n := range f.topo.Networks {
				if n.Contains(one.addr) {
					of[i][j] = append(of[i][j], n)
				}
			}
		}
		for _, x := range slices.Concat(append(of[i], own[i])...) {
			if !mine[x] {
				mine[x] = true
				count[x]++
			}
		}
	}
	made := func(things []any) *fate {
		var out fate
		for _, x := range things {
			if count[x] < 2 {
				continue
			}
			if _, ok := bits[x]; !ok {
				bits[x] = len(bits) % (64 * len(out))
			}
			out[bits[x]/64] |= 1 << (bits[x] % 64)
		}
		return &out
	}
	without := make([]*fate, len(places))
	for i := range places {
		without[i] = made(own[i])
		places[i].fate = made(slices.Concat(append(of[i], own[i])...))
		for j := range probes[i] {
			probes[i][j].fate = made(of[i][j])
		}
	}
	return without
}
