package tiers

import (
	"hash/fnv"
	"net/netip"
	"slices"

	"gslb/health"
	"gslb/topology"
)

// maxWeight is the largest weight the kernel keeps exactly.
const maxWeight = 65535

// Compile returns the table that director self should hold while v is the
// view of its destinations, in canonical order. A service of which a destination
// has not been checked yet is undecided. Else a destination that is not up
// is left out, except under a hash scheduler for TCP, where it stays with
// weight 0: the other clients' places in the hash table are then untouched,
// under mh always, under sh where the weights are equal (see [Spread]).
// (For UDP it must go, or the kernel sends a flow to the dead server for ever.)
func Compile(topo *topology.Topology, self *topology.Director, v health.View) Table {
	var t Table
	marks := marksOf(topo, self)
	families := map[bool]bool{}
	for _, r := range roles(topo, self) {
		for _, vip := range r.service.VIPs {
			families[vip.Is6()] = true
			for _, port := range r.service.Ports {
				t.Services = append(t.Services, r.row(vip, port, v))
			}
		}
	}
	for pair, mark := range marks {
		t.Services = append(t.Services, Service{
			Key: MarkKey(mark, pair.vip.Is6()), Scheduler: "rr", Netmask: uint8(pair.vip.BitLen()),
			Destinations: []Destination{{Addr: netip.AddrPortFrom(pair.to, 0), Method: pair.method, Weight: 1}},
		})
	}
	for v6 := range families {
		bits := uint8(32)
		if v6 {
			bits = 128
		}
		t.Services = append(t.Services, Service{Key: MarkKey(GuardMark, v6), Scheduler: "rr", Netmask: bits})
	}
	t.Sort()
	return t
}

// Owned returns the owner of everything director self forwards: all VIPs of
// the services it has a tier in.
func Owned(topo *topology.Topology, self *topology.Director) Owner {
	o := Owner{}
	for _, r := range roles(topo, self) {
		for _, vip := range r.service.VIPs {
			o[vip] = true
		}
	}
	return o
}

// A Probe is a target of a director's, the check that decides it, and how to reach it.
type Probe struct {
	Target health.Target
	Check  *topology.Check
	Mark   uint32     // 0: straight to the target
	Source netip.Addr // with Mark: the director's own address
}

// Probes returns what director self must probe, each target once, in file order.
func Probes(topo *topology.Topology, self *topology.Director) []Probe {
	marks := marksOf(topo, self)
	seen := map[health.Target]bool{}
	var out []Probe
	for _, r := range roles(topo, self) {
		for _, vip := range r.service.VIPs {
			for _, port := range r.service.Ports {
				for _, d := range r.destinations(vip, port) {
					if d.check == nil || seen[d.target] {
						continue
					}
					seen[d.target] = true
					p := Probe{Target: d.target, Check: d.check}
					if d.target.Via.IsValid() {
						p.Mark = marks[pair{vip, d.addr.Addr(), r.tier.Method}]
						p.Source, _ = self.Addrs.Like(vip)
					}
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// A role is a director's part in one service.
type role struct {
	self    *topology.Director
	service *topology.Service
	index   int
	tier    *topology.Tier
}

func roles(topo *topology.Topology, self *topology.Director) []role {
	var out []role
	for _, s := range topo.Services {
		for i, tier := range s.Tiers {
			if slices.Contains(tier.Directors, self) {
				out = append(out, role{self, s, i, tier})
			}
		}
	}
	return out
}

func (r role) last() bool { return r.index == len(r.service.Tiers)-1 }

// row is the service at one VIP and port.
func (r role) row(vip netip.Addr, port topology.Port, v health.View) Service {
	scheduler, _ := topology.SchedulerNamed(r.tier.Scheduler)
	s := Service{
		Key:       VIPKey(port.Proto, netip.AddrPortFrom(vip, port.Number)),
		Scheduler: r.tier.Scheduler,
		Netmask:   uint8(vip.BitLen()),
	}
	if scheduler.Hash {
		s.Flags |= Fallback
	}
	for _, d := range r.destinations(vip, port) {
		weight := d.weight
		if d.check != nil && !v[d.target].Known {
			s.Undecided = true
		}
		if d.check != nil && !v.Up(d.target) {
			if !scheduler.Hash || port.Proto != topology.TCP {
				continue
			}
			weight = 0
		}
		s.Destinations = append(s.Destinations, Destination{Addr: d.addr, Method: r.tier.Method, Weight: weight})
	}
	return s
}

// destination is a destination before anybody knows whether it is up.
type destination struct {
	addr   netip.AddrPort
	weight uint32
	check  *topology.Check // nil: always up
	target health.Target
}

func (r role) destinations(vip netip.Addr, port topology.Port) []destination {
	var out []destination
	add := func(addr netip.Addr, number uint16, weight int) {
		d := destination{addr: netip.AddrPortFrom(addr, number), weight: uint32(weight), check: r.tier.Check}
		if d.check != nil {
			d.target = r.target(vip, d.addr, port)
		}
		out = append(out, d)
	}
	if r.last() {
		for _, s := range r.servers() {
			if addr, ok := s.Addrs.Like(vip); ok {
				number := port.Number
				if r.tier.Method == topology.NAT && s.Port != 0 {
					number = s.Port
				}
				add(addr, number, s.Weight)
			}
		}
		return out
	}
	next := role{service: r.service, index: r.index + 1, tier: r.service.Tiers[r.index+1]}
	weights := make([]int, len(next.tier.Directors))
	for i, d := range next.tier.Directors {
		next.self = d
		weights[i] = next.capacity()
	}
	weights = scale(weights)
	for i, d := range next.tier.Directors {
		if addr, ok := d.Addrs.Like(vip); ok {
			add(addr, port.Number, weights[i])
		}
	}
	return out
}

// scale makes weights the smallest with the same ratios, and all of them fit
// the kernel: then the ratios are as near as can be, and none becomes 0.
func scale(weights []int) []int {
	unit, largest := gcd(weights), slices.Max(weights)
	out := make([]int, len(weights))
	for i, w := range weights {
		out[i] = w / unit
		if largest/unit > maxWeight && w > 0 {
			out[i] = max(1, w*maxWeight/largest)
		}
	}
	return out
}

// target is what tells whether a destination is up. A NAT director asks its
// real servers directly, on their own port when the check names one of the
// service's: those the servers need not have. Everybody else asks through the VIP on that one
// destination: only that proves that the packet arrives, is taken out of the
// tunnel, finds the VIP there and is answered.
func (r role) target(vip netip.Addr, dest netip.AddrPort, port topology.Port) health.Target {
	c := r.tier.Check
	number := c.Port
	if r.tier.Method == topology.NAT {
		if c.Type == topology.CheckICMP { // looks at no port: one target for all
			return health.Target{Check: c.ID, Addr: netip.AddrPortFrom(dest.Addr(), 0)}
		}
		moved := dest.Port() != port.Number // the server has a port of its own
		switch {
		case moved && (number == 0 || slices.Contains(r.service.Ports, topology.Port{Proto: r.asked(), Number: number})):
			number = dest.Port()
		case number == 0:
			number = r.checkable(port)
		}
		return health.Target{Check: c.ID, Addr: netip.AddrPortFrom(dest.Addr(), number)}
	}
	if number == 0 {
		number = r.checkable(port)
	}
	return health.Target{Check: c.ID, Addr: netip.AddrPortFrom(vip, number), Via: dest.Addr()}
}

// checkable is the port that a check without one looks at for a row: the row's
// own or, where the check speaks the other protocol, the service's first of it.
func (r role) checkable(port topology.Port) uint16 {
	if port.Proto != r.asked() {
		for _, other := range r.service.Ports {
			if other.Proto == r.asked() {
				return other.Number
			}
		}
	}
	return port.Number
}

// asked is the protocol of the ports that the tier's check looks at.
func (r role) asked() topology.Proto {
	if r.tier.Check.Type.Proto() == topology.UDP {
		return topology.UDP
	}
	return topology.TCP
}

// servers of the role's director: a NAT director has the farms whose gateway
// it is, any other all farms of the tier.
func (r role) servers() []*topology.Server {
	var out []*topology.Server
	for _, f := range r.tier.Farms {
		if r.tier.Method == topology.NAT && f.Gateway != r.self {
			continue
		}
		out = append(out, f.Servers...)
	}
	return out
}

// capacity is the sum of the weights of all real servers behind the role's
// director: its weight at the tier before, so that every real server of the
// service gets its share whichever way leads to it.
func (r role) capacity() int {
	sum := 0
	if r.last() {
		for _, s := range r.servers() {
			sum += s.Weight
		}
		return sum
	}
	next := role{service: r.service, index: r.index + 1, tier: r.service.Tiers[r.index+1]}
	for _, d := range next.tier.Directors {
		next.self = d
		sum += next.capacity()
	}
	return sum
}

// gcd of the numbers, 1 if all are 0.
func gcd(numbers []int) int {
	g := 0
	for _, n := range numbers {
		for n != 0 {
			g, n = n, g%n
		}
	}
	return max(g, 1)
}

// A pair is what a probe mark stands for.
type pair struct {
	vip, to netip.Addr
	method  topology.Method
}

// marksOf gives each pair that self probes through a VIP its mark. The mark
// comes from a hash of the pair, so that it stays when other pairs come and go;
// pairs that collide take the next free one in a fixed order. Beyond 65,535
// pairs the rest has no mark and is never up.
func marksOf(topo *topology.Topology, self *topology.Director) map[pair]uint32 {
	var pairs []pair
	for _, r := range roles(topo, self) {
		if r.tier.Method == topology.NAT || r.tier.Check == nil {
			continue
		}
		for _, vip := range r.service.VIPs {
			for _, d := range r.destinations(vip, r.service.Ports[0]) {
				pairs = append(pairs, pair{vip, d.addr.Addr(), r.tier.Method})
			}
		}
	}
	slices.SortFunc(pairs, pair.compare)
	pairs = slices.Compact(pairs)

	const guard = GuardMark & 0xffff
	taken := map[uint32]bool{guard: true}
	marks := make(map[pair]uint32, len(pairs))
	for _, p := range pairs {
		if len(taken) > int(guard) {
			break
		}
		h := fnv.New32a()
		h.Write(p.vip.AsSlice())
		h.Write(p.to.AsSlice())
		h.Write([]byte{byte(p.method)})
		low := h.Sum32()
		low = (low ^ low>>16) & 0xffff
		for taken[low] {
			low = (low + 1) & 0xffff
		}
		taken[low] = true
		marks[p] = MarkBase | low
	}
	return marks
}

func (p pair) compare(o pair) int {
	if c := p.vip.Compare(o.vip); c != 0 {
		return c
	}
	if c := p.to.Compare(o.to); c != 0 {
		return c
	}
	return int(p.method) - int(o.method)
}
