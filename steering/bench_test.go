package steering

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"gslb/health"
	"gslb/topology"
)

// A world as large as a city database: about n prefixes of IPv4, whose neighbours are in the same city eight times in ten, and so in the same
// country.
type large4 struct {
	n      int
	cities []Where
}

func newLarge4(n int) large4 {
	r := rand.New(rand.NewPCG(1, 1))
	w := large4{n: n}
	for i := range 80_000 {
		country := i / 330
		w.cities = append(w.cities, Where{
			Continent: []string{"EU", "NA", "AS", "SA", "AF", "OC"}[country%6],
			Country:   string([]byte{byte('A' + country%26), byte('A' + country/26)}),
			Point:     &topology.Point{Lat: float64(country%18)*10 - 85 + r.Float64()*6, Lon: float64(country%36)*10 - 175 + r.Float64()*6},
		})
	}
	return w
}

func (w large4) Walk(yield func(netip.Prefix, Where) bool) {
	r := rand.New(rand.NewPCG(2, 2))
	base := 32 - bits.Len64(uint64(1<<32)/uint64(w.n)) - 1
	city := 0
	for at := uint64(0); at < 1<<32; {
		bits := base + r.IntN(3)
		for at&(1<<(32-bits)-1) != 0 {
			bits++
		}
		switch r.IntN(50) {
		case 0:
			city = r.IntN(len(w.cities))
		case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10:
			city = city/330*330 + r.IntN(330)
			city = min(city, len(w.cities)-1)
		}
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(at))
		if !yield(netip.PrefixFrom(netip.AddrFrom4(b), bits), w.cities[city]) {
			return
		}
		at += 1 << (32 - bits)
	}
}

func (w large4) count() int {
	n := 0
	w.Walk(func(netip.Prefix, Where) bool { n++; return true })
	return n
}

// The same with IPv6: the 32 bits behind 2000::/4 say where somebody is.
type large6 struct{ large4 }

func (w large6) Walk(yield func(netip.Prefix, Where) bool) {
	w.large4.Walk(func(p netip.Prefix, where Where) bool {
		return yield(netip.PrefixFrom(as6(p.Addr()), p.Bits()+4), where)
	})
}

func as6(a netip.Addr) netip.Addr {
	v4 := a.As4()
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], 2<<60|uint64(binary.BigEndian.Uint32(v4[:]))<<28)
	return netip.AddrFrom16(b)
}

// benchSize is the size of a city database of both families.
const benchSize = 7_000_000

// benchTopology has regions around the world and a domain with an answer in each.
func benchTopology(regions int, kinds ...topology.StepKind) (*topology.Topology, health.View) {
	topo := &topology.Topology{}
	check := &topology.Check{ID: "check.c", Interval: time.Second, Rise: 2, Fall: 3}
	d := &topology.Domain{ID: "domain.www", Policy: &topology.Policy{}, TTL: 30 * time.Second, MinTTL: time.Second}
	for _, k := range kinds {
		d.Policy.Steps = append(d.Policy.Steps, topology.Step{Kind: k, FailOpen: true, Answers: 1})
	}
	for i := range regions {
		g := &topology.Region{ID: fmt.Sprintf("region.r%d", i), Location: &topology.Point{Lat: float64(i*37%140) - 70, Lon: float64(i*77%360) - 180}}
		if i < 6 {
			g.Continents = []string{[]string{"EU", "NA", "AS", "SA", "AF", "OC"}[i]}
		}
		topo.Regions = append(topo.Regions, g)
		d.Answers = append(d.Answers, &topology.Answer{
			ID: fmt.Sprintf("domain.www.answer.a%d", i), Region: g, Weight: 1, Check: check, Port: 80,
			Addrs: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})},
		})
	}
	topo.Domains = append(topo.Domains, d)
	view := health.View{}
	for _, p := range Probes(topo) {
		view[p.Target] = health.State{Known: true, Up: true}
	}
	return topo, view
}

var (
	byPlace    = []topology.StepKind{topology.StepHealth, topology.StepGeo, topology.StepWeight, topology.StepRotate, topology.StepLimit}
	byDistance = []topology.StepKind{topology.StepHealth, topology.StepNearest, topology.StepWeight, topology.StepRotate, topology.StepLimit}
	byClient   = []topology.StepKind{topology.StepHealth, topology.StepGeo, topology.StepSticky, topology.StepLimit}
)

// BenchmarkPrepare loads a map of 7 million prefixes.
func BenchmarkPrepare(b *testing.B) {
	m := newLarge4(benchSize)
	for name, kinds := range map[string][]topology.StepKind{"geo": byPlace, "nearest": byDistance} {
		for _, regions := range []int{6, 20} {
			b.Run(fmt.Sprintf("%s of %d regions", name, regions), func(b *testing.B) {
				topo, _ := benchTopology(regions, kinds...)
				var g *Ground
				for b.Loop() {
					g = Prepare(topo, m)
				}
				b.ReportMetric(float64(len(g.tries[V4].nodes)), "nodes")
				b.ReportMetric(float64(len(g.classes)), "classes")
				b.ReportMetric(float64(g.sets.len()), "sets")
			})
		}
	}
	b.Run("the walk alone", func(b *testing.B) {
		for b.Loop() {
			b.ReportMetric(float64(m.count()), "prefixes")
		}
	})
}

func BenchmarkRecompile(b *testing.B) {
	m := newLarge4(benchSize)
	for name, kinds := range map[string][]topology.StepKind{"geo": byPlace, "nearest": byDistance} {
		for _, regions := range []int{6, 20} {
			topo, view := benchTopology(regions, kinds...)
			g := Prepare(topo, m)
			b.Run(fmt.Sprintf("%s of %d regions", name, regions), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					g.Compile(Inputs{View: view})
				}
			})
		}
	}
}

// BenchmarkAnswer asks for clients of both families: 4,096 networks that come
// again and again, and such as never came before.
func BenchmarkAnswer(b *testing.B) {
	m := newLarge4(benchSize)
	for name, kinds := range map[string][]topology.StepKind{"geo": byPlace, "nearest": byDistance, "sticky": byClient} {
		for _, regions := range []int{6, 20} {
			for family, m := range map[string]Map{"IPv4": m, "IPv6": large6{m}} {
				topo, view := benchTopology(regions, kinds...)
				t := Prepare(topo, m).Compile(Inputs{View: view})
				for _, clients := range []uint64{1 << 12, 1 << 32} {
					b.Run(fmt.Sprintf("%s of %d regions, %d clients of %s", name, regions, clients, family), func(b *testing.B) {
						buf, u := make([]Place, 0, 8), uint64(0)
						scopes, start := 0, processor()
						b.ReportAllocs()
						for b.Loop() {
							u += Golden
							var c [4]byte
							binary.BigEndian.PutUint32(c[:], uint32(u>>32%clients*Golden>>32))
							client := netip.PrefixFrom(netip.AddrFrom4(c), 24)
							if family == "IPv6" {
								client = netip.PrefixFrom(as6(client.Addr()), 56)
							}
							_, _, scope := t.Answer(buf, topo.Domains[0], V4, client, u)
							scopes += scope
						}
						b.ReportMetric(float64(scopes)/float64(b.N), "bits")
						b.ReportMetric(float64(processor()-start)/float64(b.N), "cpu-ns/op")
					})
				}
			}
		}
	}
}

// processor is the time that this process has been at work.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAnswerOf256 asks for clients that never came before. "Spread" is of
// weights that are all different, and "all" has no limit.
func BenchmarkAnswerOf256(b *testing.B) {
	for _, n := range []int{2, 256} {
		for name, kinds := range map[string][]topology.StepKind{"weight": byDistance[2:], "sticky": byClient[2:], "sticky spread": byClient[2:], "sticky all": byClient[2:3]} {
			topo, view := benchTopology(n, kinds...)
			if name == "sticky spread" {
				for i, a := range topo.Domains[0].Answers {
					a.Weight = 1 + i*7919%1000
				}
			}
			t := Compile(topo, Inputs{View: view})
			b.Run(fmt.Sprintf("%s of %d", name, n), func(b *testing.B) {
				buf, u, start := make([]Place, 0, n), uint64(0), processor()
				b.ReportAllocs()
				for b.Loop() {
					u += Golden
					client := netip.AddrFrom4([4]byte{byte(u >> 56), byte(u >> 48), byte(u >> 40), 0})
					t.Answer(buf, topo.Domains[0], V4, netip.PrefixFrom(client, 24), u)
				}
				b.ReportMetric(float64(processor()-start)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

func TestAnswerAllocatesNothing(t *testing.T) {
	m := newLarge4(10_000)
	kinds := append(byClient[:3:3], topology.StepLimit)
	for _, kinds := range [][]topology.StepKind{byPlace, byDistance, byClient, kinds} {
		topo, view := benchTopology(20, kinds...)
		for i := range topo.Domains[0].Answers { // two and two fail together
			topo.Domains[0].Answers[i].Region = topo.Regions[i/4]
		}
		topo.Networks = []*topology.Network{{Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/30")}}}
		for _, n := range []int{1, 2, 5} {
			topo.Domains[0].Policy.Steps[len(kinds)-1].Answers = n
			table := Compile(topo, Inputs{View: view, Map: m})
			buf, u := make([]Place, 0, 32), uint64(0)
			if allocs := testing.AllocsPerRun(1000, func() {
				u += Golden
				var c [4]byte
				binary.BigEndian.PutUint32(c[:], uint32(u>>32))
				table.Answer(buf, topo.Domains[0], V4, netip.PrefixFrom(netip.AddrFrom4(c), 24), u)
			}); allocs != 0 {
				t.Errorf("%v, %d answers: %v allocations", kinds, n, allocs)
			}
		}
	}
}
