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

// A Ground is what a director forwards as far as it follows from the file
// alone: made once for each reading of it, so that a decision costs little more
// than looking at who is up. It is never changed once handed out.
type Ground struct {
	// Probes are what the director must probe, each target once, in file order.
	Probes []Probe
	// Fronts are the directors of the tiers before, which send packets here, in
	// file order, with the services that each of them sends.
	Fronts []Front
	// Owner owns everything the director forwards.
	Owner Owner

	made   map[*topology.Service][]row // of each service in the file's order
	rows   []row                       // in the order of their keys
	agents bool                        // some destinations say what they want
	fixed  []Service                   // of probes, and the guards
}

// A Probe is a target of a director's, the check that decides it, and how to reach it.
type Probe struct {
	Target health.Target
	Check  *topology.Check
	Mark   uint32     // 0: straight to the target
	Source netip.Addr // with Mark: the director's own address
	Object string     // the server, director or pair that is looked at, the first of several
}

// A Front is a director that forwards to this one.
type Front struct {
	Director *topology.Director
	Keys     []Key
}

// A row is one virtual service of the director's, and what the file says of it.
type row struct {
	role
	bare         Service // without destinations
	destinations []destination
	sorry        *Destination // with weight 1; nil: none
	inhibit      bool         // what is down stays, with weight 0
	flows        bool         // it has UDP, whose flows never end by themselves
	weighted     bool
	quorum       topology.Quorum
	most         int // destinations, or their weights together: what quorum is of
}

// A destination is a [Destination] as the file has it, before anybody knows
// whether it is up.
type destination struct {
	Destination
	object string             // ID of the server, director or pair
	within string             // ID of the farm, "" for a director
	below  topology.Forwarder // of the next tier; nobody: it is a server
	check  *topology.Check    // nil: always up
	target health.Target
	agent  *topology.Check // of a server; nil: nobody is asked what it wants
	asks   health.Target   // the agent's
}

// Prepare works out what director self forwards.
func Prepare(topo *topology.Topology, self *topology.Director) *Ground {
	return follow(&Ground{}, topo, self)
}

// Next is [Prepare] for the reading of the file that follows on g's. What is
// the same object in both is taken over: objects are never changed, and a service is
// another one when anything that it names is.
func (g *Ground) Next(topo *topology.Topology, self *topology.Director) *Ground {
	return follow(g, topo, self)
}

func follow(before *Ground, topo *topology.Topology, self *topology.Director) *Ground {
	g := &Ground{
		Owner: Owner{VIPs: make(map[netip.Addr]bool, len(before.Owner.VIPs)), Marks: map[uint32]bool{}},
		made:  make(map[*topology.Service][]row, len(topo.Services)),
		rows:  make([]row, 0, len(before.rows)),
	}
	marks := marksOf(topo, self)
	families := map[bool]bool{}
	parts := roles(topo, self)
	size := 0
	for _, r := range parts {
		if r.last() && r.tier.Check != nil {
			size += len(r.service.VIPs) * len(r.ports()) * len(r.servers())
		}
	}
	seen := make(map[health.Target]bool, size)
	g.Probes = make([]Probe, 0, size)
	for _, r := range parts {
		made := before.made[r.service]
		if len(made) == 0 || made[0].self != self {
			made = r.rows()
		}
		g.made[r.service] = made
		for _, vip := range r.service.VIPs {
			g.Owner.VIPs[vip] = true
			families[vip.Is6()] = true
			for range r.ports() {
				row := &made[0]
				made = made[1:]
				for i := range row.destinations {
					d := &row.destinations[i]
					g.agents = g.agents || d.agent != nil
					if d.agent != nil && !seen[d.asks] {
						seen[d.asks] = true
						g.Probes = append(g.Probes, Probe{Target: d.asks, Check: d.agent, Object: d.object})
					}
					if d.check == nil || seen[d.target] {
						continue
					}
					seen[d.target] = true
					p := Probe{Target: d.target, Check: d.check, Object: d.object}
					if d.target.Via.IsValid() {
						p.Mark = marks[pair{vip, d.Addr.Addr(), r.tier.Method}]
						p.Source, _ = self.Addrs.Like(vip)
					}
					g.Probes = append(g.Probes, p)
				}
				g.rows = append(g.rows, *row)
				g.front(r, row.bare.Key)
			}
		}
		if r.service.Mark != 0 {
			g.Owner.Marks[r.service.Mark] = true
		}
	}
	byKey := func(a, b row) int { return a.bare.Key.compare(b.bare.Key) }
	if !slices.IsSortedFunc(g.rows, byKey) {
		slices.SortStableFunc(g.rows, byKey)
	}
	for pair, mark := range marks {
		g.fixed = append(g.fixed, Service{
			Key: MarkKey(mark, pair.vip.Is6()), Scheduler: "rr", Netmask: uint8(pair.vip.BitLen()),
			Destinations: []Destination{{Addr: netip.AddrPortFrom(pair.to, 0), Method: pair.method, Weight: 1}},
		})
	}
	for v6 := range families {
		bits := uint8(32)
		if v6 {
			bits = 128
		}
		g.fixed = append(g.fixed, Service{Key: MarkKey(GuardMark, v6), Scheduler: "rr", Netmask: bits})
	}
	slices.SortFunc(g.fixed, func(a, b Service) int { return a.Key.compare(b.Key) })
	return g
}

// front notes whom to tell of a service.
func (g *Ground) front(r role, k Key) {
	if r.index == 0 {
		return
	}
	for _, d := range r.service.Tiers[r.index-1].Directors {
		i := slices.IndexFunc(g.Fronts, func(f Front) bool { return f.Director == d })
		if i < 0 {
			i, g.Fronts = len(g.Fronts), append(g.Fronts, Front{Director: d})
		}
		g.Fronts[i].Keys = append(g.Fronts[i].Keys, k)
	}
}

// Hears returns for whom the director counts what another says to be behind
// it: for the other itself, or for the pair that it is a member of; false when it
// does not count.
func (g *Ground) Hears(from From) (From, bool) {
	r := g.row(from.Key)
	if r == nil {
		return From{}, false
	}
	for _, d := range r.destinations {
		for _, m := range d.below.Members() {
			if m.ID == from.Director {
				return From{d.object, from.Key}, true
			}
		}
	}
	return From{}, false
}

// Counts reports whether the director counts what is said for a director or
// pair.
func (g *Ground) Counts(of From) bool {
	r := g.row(of.Key)
	return r != nil && slices.ContainsFunc(r.destinations, func(d destination) bool { return d.below.IsValid() && d.object == of.Director })
}

// PairOf is the pair by which the director has a service, nil where it has it by
// itself.
func (g *Ground) PairOf(k Key) *topology.Failover {
	r := g.row(k)
	if r == nil {
		return nil
	}
	return r.tier.PairOf(r.self)
}

// row is the one with a key, nil for none.
func (g *Ground) row(k Key) *row {
	i, ok := slices.BinarySearchFunc(g.rows, k, func(r row, k Key) int { return r.bare.Key.compare(k) })
	if !ok {
		return nil
	}
	return &g.rows[i]
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

// ports are those that are a row each: of a service by mark the first stands
// for all.
func (r role) ports() []topology.Port {
	if r.service.Mark != 0 {
		return r.service.Ports[:1]
	}
	return r.service.Ports
}

// KeyOf is the key of the service in the kernels of its directors, at one of
// its VIPs and ports.
func KeyOf(s *topology.Service, vip netip.Addr, port topology.Port) Key {
	if s.Mark != 0 {
		return MarkKey(s.Mark, vip.Is6())
	}
	return VIPKey(port.Proto, netip.AddrPortFrom(vip, port.Number))
}

// rows are the service at all its VIPs and ports, in their order.
func (r role) rows() []row {
	out := make([]row, 0, len(r.service.VIPs)*len(r.ports()))
	for _, vip := range r.service.VIPs {
		for _, port := range r.ports() {
			out = append(out, r.row(vip, port))
		}
	}
	return out
}

// row is the service at one VIP and port, or at one VIP by its mark.
func (r role) row(vip netip.Addr, port topology.Port) row {
	scheduler, _ := topology.SchedulerNamed(r.tier.Scheduler)
	out := row{role: r, weighted: scheduler.Weighted, quorum: topology.Quorum{
		MinUp: topology.Bound{Count: 1}, Restore: topology.Bound{Count: 1},
	}}
	s := Service{Key: KeyOf(r.service, vip, port), Scheduler: r.tier.Scheduler, Netmask: uint8(vip.BitLen())}
	out.flows = port.Proto == topology.UDP
	if r.service.Mark != 0 {
		out.flows = slices.ContainsFunc(r.service.Ports, func(p topology.Port) bool { return p.Proto == topology.UDP })
	}
	if scheduler.Hash {
		s.Flags |= Fallback
		if r.tier.HashPort {
			s.Flags |= Sched2
		}
	}
	if r.tier.OnePacket && port.Proto == topology.UDP {
		s.Flags |= OnePacket
	}
	if p := r.tier.Persistence; p != nil {
		s.Flags |= Persistent
		s.Timeout, s.Netmask = uint32(p.Timeout.Seconds()), uint8(p.Mask)
		if vip.Is6() {
			s.Netmask = uint8(p.Mask6)
		}
	}
	out.bare = s
	out.destinations = r.destinations(vip, port)
	out.inhibit = scheduler.Hash && !out.flows
	if r.tier.Inhibit != nil {
		out.inhibit = *r.tier.Inhibit
	}
	if sorry, ok := r.tier.SorryFor(vip); ok {
		out.sorry = r.sorry(sorry, vip, port)
	}
	if q := r.tier.Quorum; q != nil {
		out.quorum = *q
	}
	for _, d := range out.destinations {
		if out.quorum.ByWeight {
			out.most += int(d.Weight)
		} else {
			out.most++
		}
	}
	return out
}

// sorry is who stands in for all destinations.
func (r role) sorry(s topology.Sorry, vip netip.Addr, port topology.Port) *Destination {
	number := port.Number
	if r.service.Mark != 0 {
		number = 0
	}
	if !s.Addr.IsValid() {
		// The kernel delivers on the spot what goes to an address of its own,
		// with no method (localnode in ip_vs_ctl.c).
		loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if vip.Is6() {
			loopback = netip.IPv6Loopback()
		}
		return &Destination{Addr: netip.AddrPortFrom(loopback, number), Weight: 1}
	}
	if s.Port != 0 && r.tier.Method == topology.NAT {
		number = s.Port
	}
	return &Destination{Addr: netip.AddrPortFrom(s.Addr, number), Method: r.tier.Method, Weight: 1}
}

func (r role) destinations(vip netip.Addr, port topology.Port) []destination {
	var out []destination
	add := func(d destination, addr netip.Addr, number uint16, weight int) {
		d.Destination.Addr, d.Method, d.Weight, d.check = netip.AddrPortFrom(addr, number), r.tier.Method, uint32(weight), r.tier.Check
		if d.check != nil {
			d.target = r.target(vip, d.Destination.Addr, port)
		}
		if r.service.Mark != 0 && number == port.Number {
			d.Destination.Addr = netip.AddrPortFrom(addr, 0) // each port stays what it is
		}
		out = append(out, d)
	}
	if r.last() {
		servers := r.servers()
		out = make([]destination, 0, len(servers))
		for _, s := range servers {
			if addr, ok := s.Addrs.Reach(vip, r.tier.Method); ok {
				number := port.Number
				if r.tier.Method == topology.NAT && s.Port != 0 {
					number = s.Port
				}
				d := destination{object: s.ID, within: s.Farm.ID}
				d.Upper, d.Lower = uint32(s.MaxConnections), uint32(s.ResumeConnections)
				if a := s.Farm.Agent; a != nil { // it speaks for the machine, whatever the way of the packets
					d.agent, d.asks = a, health.Target{Check: a.ID, Addr: netip.AddrPortFrom(addr, a.Port)}
				}
				add(d, addr, number, s.Weight)
			}
		}
	} else {
		next := role{service: r.service, index: r.index + 1, tier: r.service.Tiers[r.index+1]}
		for _, f := range next.tier.Forwarders() {
			next.self = f.Members()[0]
			if addr, ok := f.Addrs().Like(vip); ok {
				add(destination{object: f.ID(), below: f}, addr, port.Number, next.capacity())
			}
		}
	}
	slices.SortStableFunc(out, func(a, b destination) int { return a.Destination.Addr.Compare(b.Destination.Addr) })
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
		if c.Type.Portless() { // looks at no port: one target for all
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
// it or its pair is, any other all farms of the tier.
func (r role) servers() []*topology.Server {
	var out []*topology.Server
	for _, f := range r.tier.Farms {
		if r.tier.Method == topology.NAT && !f.Gateway.Has(r.self) {
			continue
		}
		if out == nil {
			out = f.Servers[:len(f.Servers):len(f.Servers)] // not copied: mostly there is one farm
			continue
		}
		out = append(out, f.Servers...)
	}
	return out
}

// capacity is the sum of the weights of all real servers behind the role's
// director: its weight at the tier before while all are up, so that every real
// server of the service gets its share whichever way leads to it.
func (r role) capacity() int {
	sum := 0
	if r.last() {
		for _, s := range r.servers() {
			sum += s.Weight
		}
		return sum
	}
	next := role{service: r.service, index: r.index + 1, tier: r.service.Tiers[r.index+1]}
	for _, f := range next.tier.Forwarders() {
		next.self = f.Members()[0]
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
				pairs = append(pairs, pair{vip, d.Addr.Addr(), r.tier.Method})
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
