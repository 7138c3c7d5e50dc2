package steering

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"gslb/topology"
)

var sticky = topology.Step{Kind: topology.StepSticky}

// kept is a table that keeps clients at places of these weights, and its domain.
func kept(t testing.TB, steps []topology.Step, weights []int) (*Table, *topology.Domain) {
	t.Helper()
	var lines []string
	for i, w := range weights {
		lines = append(lines, fmt.Sprintf("a%d %d 10.0.%d.%d", i, w, i>>8, i&255))
	}
	topo, view := world(steps, lines...)
	return Compile(topo, Inputs{View: view}), topo.Domains[0]
}

// networks are ways to come by many networks of clients.
var networks = map[string]func(i int) netip.Prefix{
	"one IPv4 /24 after the other": func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{20 + byte(i>>16), byte(i >> 8), byte(i), 0}), 24)
	},
	"IPv4 /24 here and there": func(i int) netip.Prefix {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], uint32(i)*2654435761) // 2^32 by the golden ratio: never the same twice
		return netip.PrefixFrom(netip.AddrFrom4(a), 32)
	},
	"one IPv6 /56 after the other": func(i int) netip.Prefix {
		a := [16]byte{0x20, 0x01, 0x0d, 0xb8}
		binary.BigEndian.PutUint32(a[3:], 0xb8000000|uint32(i))
		return netip.PrefixFrom(netip.AddrFrom16(a), 56)
	},
	"one IPv6 /32 after the other": func(i int) netip.Prefix {
		a := [16]byte{0x20 | byte(i>>16)}
		binary.BigEndian.PutUint16(a[1:], uint16(i))
		return netip.PrefixFrom(netip.AddrFrom16(a), 32)
	},
}

// fits reports whether counts are what drawing by weights gives: chi-square, 5
// standard deviations from its mean at most. Where few are expected those are
// wider (Haldane, "The exact value of the moments of the distribution of chi
// square", Biometrika 29, 1937).
func fits(counts []int, weights []int) (bool, float64) {
	n, total := 0, 0
	for i := range counts {
		n, total = n+counts[i], total+weights[i]
	}
	chi, kinds, inverse := 0.0, 0.0, 0.0
	for i := range counts {
		if weights[i] == 0 {
			continue
		}
		part := float64(weights[i]) / float64(total)
		want := float64(n) * part
		chi += (float64(counts[i]) - want) * (float64(counts[i]) - want) / want
		kinds, inverse = kinds+1, inverse+1/part
	}
	off := (chi - kinds + 1) / math.Sqrt(2*(kinds-1)+(inverse-kinds*kinds-2*kinds+2)/float64(n))
	return off < 5, off
}

func weightsOf(n int, weight func(i int) int) []int {
	weights := make([]int, n)
	for i := range weights {
		weights[i] = weight(i)
	}
	return weights
}

var someWeights = map[string][]int{
	"2 equal":             {1, 1},
	"3 unequal":           {1, 2, 1},
	"10 with a large":     {1, 1, 1, 1, 1, 1000, 1, 1, 1, 1},
	"16 equal":            weightsOf(16, func(int) int { return 65535 }),
	"256 equal":           weightsOf(256, func(int) int { return 1 }),
	"256 all different":   weightsOf(256, func(i int) int { return 300 + i*7919%1000 }),
	"256 of four kinds":   weightsOf(256, func(i int) int { return []int{1, 2, 5, 20}[i&3] }),
	"256, one half of it": weightsOf(256, func(i int) int { return 1 + 254*(1-min(i, 1)) }),
}

// keptAt is at which of the domain's places each of n clients is kept.
func keptAt(t *Table, d *topology.Domain, n int, client func(i int) netip.Prefix) (at []int) {
	index := map[*topology.Answer]int{}
	for i, a := range d.Answers {
		index[a] = i
	}
	buf := make([]Place, 0, 1)
	for i := range n {
		places, _, _ := t.Answer(buf, d, V4, client(i), uint64(i))
		at = append(at, index[places[0].Answer])
	}
	return at
}

func count(at []int, n int) []int {
	counts := make([]int, n)
	for _, i := range at {
		counts[i]++
	}
	return counts
}

func TestKeptClientsAreSharedByWeight(t *testing.T) {
	const clients = 100_000
	for which, client := range networks {
		for name, weights := range someWeights {
			table, d := kept(t, []topology.Step{sticky, limit(1)}, weights)
			counts := count(keptAt(table, d, clients, client), len(weights))
			if ok, off := fits(counts, weights); !ok {
				t.Errorf("%s, %s: %.1f standard deviations too uneven: %v", which, name, off, counts)
			}
		}
	}
}

// Only those move who lose their place, or whom one wins that weighs more; they
// are as many as the weights say and come from, or go to, the others by weight.
func TestOnlyThoseMoveWhoMust(t *testing.T) {
	const clients = 40_000
	for name, before := range map[string][]int{"equal": someWeights["256 equal"], "unequal": someWeights["256 of four kinds"], "few": {3, 1, 2}} {
		for which, client := range networks {
			at := func(weights []int) []int {
				table, d := kept(t, []topology.Step{sticky, limit(1)}, weights)
				return keptAt(table, d, clients, client)
			}
			old := at(before)
			for change, weight := range map[string]func(int) int{
				"leaves":                func(int) int { return 0 },
				"weighs three times":    func(w int) int { return 3 * w },
				"is new, and weighs 40": func(int) int { return 40 },
			} {
				i := 3 % len(before)
				after := append([]int(nil), before...)
				after[i] = weight(before[i])
				others, moved, total := make([]int, len(before)), 0, 0
				for k, to := range at(after) {
					from := old[k]
					if from == to {
						continue
					}
					moved++
					switch {
					case after[i] < before[i] && from == i:
						others[to]++
					case after[i] > before[i] && to == i:
						others[from]++
					default:
						t.Fatalf("%s, %s, one %s: client %d moves from %d to %d", name, which, change, k, from, to)
					}
				}
				rest := append([]int(nil), before...)
				rest[i] = 0
				if ok, off := fits(others, rest); !ok {
					t.Errorf("%s, %s, one %s: of the others each has its part, but for %.1f standard deviations", name, which, change, off)
				}
				for _, w := range rest {
					total += w
				}
				share := func(w int) float64 { return float64(w) / float64(w+total) }
				want := clients * math.Abs(share(after[i])-share(before[i]))
				if math.Abs(float64(moved)-want) > 5*math.Sqrt(want)+1 {
					t.Errorf("%s, %s, one %s: %d move, want %.0f", name, which, change, moved, want)
				}
			}
		}
	}
}

// All name servers must decide alike, whatever they run on. Who changes these
// numbers moves clients: that goes into CHANGELOG.md.
func TestClientsStayBetweenVersions(t *testing.T) {
	want := map[string]uint64{"equal": 0x7f895854d614de94, "unequal": 0x42456c46bfce0f6d}
	for name, weights := range map[string][]int{"equal": someWeights["256 equal"], "unequal": someWeights["256 all different"]} {
		table, d := kept(t, []topology.Step{sticky, limit(1)}, weights)
		sum := uint64(0)
		for _, which := range []string{"IPv4 /24 here and there", "one IPv6 /56 after the other"} {
			for _, at := range keptAt(table, d, 10_000, networks[which]) {
				sum = mix(sum ^ uint64(at))
			}
		}
		if sum != want[name] {
			t.Errorf("%s: %#x, want %#x", name, sum, want[name])
		}
	}
}

// The quick way to the first place is the plain one: the least surprise for its
// weight. And the first of an order, which explain tells, is the same.
func TestFirstIsTheBest(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		weights := weightsOf(1+random.IntN(300), func(int) int { return 1 + random.IntN(1<<random.IntN(17)) })
		table, d := kept(t, []topology.Step{sticky, limit(1)}, weights)
		places := table.domains[d].choices[V4].outcomes[0].places
		for range 100 {
			u := random.Uint64()
			best := 0
			for i := range places {
				p, q := &places[i], &places[best]
				a, b := p.seed.draw(seedOf(u)), q.seed.draw(seedOf(u))
				mine, least := surprise(a)*q.Weight, surprise(b)*p.Weight
				if mine < least || mine == least && a > b {
					best = i
				}
			}
			c := &table.domains[d].choices[V4]
			if got := c.first(&c.outcomes[0], u); got != best {
				t.Fatalf("%v: %#x is kept at %d, want %d", weights, u, got, best)
			}
			ordered := append([]Place(nil), places...)
			c.order(ordered, min(3, len(ordered)), &c.outcomes[0], u)
			if got := int(ordered[0].at); got != best {
				t.Fatalf("%v: the order for %#x begins with %d, want %d", weights, u, got, best)
			}
		}
	}
}

// Below the bar nobody is better, be the weights and the draws what they may.
func TestNobodyIsBetterBelowTheBar(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	large := func() uint64 { return ^(random.Uint64() >> random.IntN(65)) } // near the end, where the best ones are
	for range 200_000 {
		of, to := 1+random.Uint64N(1<<random.IntN(25)), 1+random.Uint64N(1<<random.IntN(25))
		best := worst
		best.beaten(large(), of)
		bar := best.bar(massOf(&Place{Weight: of}), massOf(&Place{Weight: to}))
		for _, draw := range []uint64{bar - 1, bar - min(bar, 1+random.Uint64N(1<<34)), large()} {
			if one := best; draw < bar && one.beaten(draw, 1+random.Uint64N(to)) {
				t.Fatalf("%#x beats %+v below %#x with weight %d at most", draw, best, bar, to)
			}
		}
	}
}

func TestSurprise(t *testing.T) {
	for i := range 257 {
		if want := int64(math.Round(-math.Log2(1+float64(i)/256) * (1 << 32))); curve[i] != want {
			t.Errorf("curve at %d: %d, want %d", i, curve[i], want)
		}
	}
	random := rand.New(rand.NewPCG(9, 10))
	for range 200_000 {
		x := random.Uint64() >> random.IntN(64)
		if random.IntN(2) == 0 {
			x = ^x
		}
		got := float64(surprise(x)) / (1 << 32)
		if want := 64 - math.Log2(float64(x|1)); math.Abs(got-want) > 3e-6 {
			t.Fatalf("%#x surprises by %.9f, want %.9f", x, got, want)
		}
		if y := x + 1 + random.Uint64()>>random.IntN(64); y > x && surprise(y) > surprise(x) {
			t.Fatalf("%#x surprises less than %#x", x, y)
		}
	}
}

// A step after sticky may take all weight away: an agent that drains, say.
func TestPlacesWithoutWeightAreDrawnAlike(t *testing.T) {
	places := []Place{{seed: named("a")}, {seed: named("b")}}
	o := outcome{places: places, draws: drawsOf(places)}
	c := &choice{kind: topology.StepSticky}
	count := [2]int{}
	for client := range uint64(1000) {
		first := c.first(&o, client)
		count[first]++
		shuffled := slices.Clone(places)
		c.order(shuffled, 1, &o, client)
		if shuffled[0].seed != places[first].seed {
			t.Fatalf("client %d: %d is first, and another in order", client, first)
		}
	}
	if count[0] < 420 || count[0] > 580 {
		t.Errorf("shares %v", count)
	}
}
