package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gslb/topology"
)

// A Kind is what a node is for.
type Kind uint8

// The kinds of node.
const (
	Router     Kind = iota + 1 // of a region: joins its networks, its clients and the WAN
	Client                     // of a region: the users, many addresses
	Nameserver                 // runs gslb serve
	Director                   // runs director run
	Server                     // answers; prepared by director realserver apply
	Elsewhere                  // answers at addresses of a domain that are no service's of the file
)

// A Plan is a topology as namespaces: which there are, how they are joined and
// what addresses and routes they start with. VIPs, tunnels and the like are not
// in it: those are the business of the programs that the lab is there to try.
type Plan struct {
	Nodes    []*Node
	Segments []string // names of the L2 segments; a port names its own by number
	Wires    []Wire
}

// A Node is one namespace.
type Node struct {
	ID     string // address in the file; router.REGION and client.REGION for those the lab adds
	Kind   Kind
	Region *topology.Region
	Ports  []Port
	Routes []Route
	// Anywhere are prefixes of which every address is the node's own.
	Anywhere []netip.Prefix
}

// A Port joins a node to a segment. The first is e0.
type Port struct {
	Segment int
	Addrs   []netip.Prefix
}

// A Route of a node. Via is on the link of port Dev even when no prefix there says so.
type Route struct {
	To  netip.Prefix
	Via netip.Addr
	Dev string
}

// A Wire joins two routers over the WAN.
type Wire struct {
	A, B         int // indexes of nodes
	AName, BName string
	AAddr, BAddr [2]netip.Prefix // v4, v6
	Delay        time.Duration   // one way
}

// Node returns the node with an ID, with or without the quotes that a shell
// takes away: director.cell[a] is director.cell["a"]. The users and the router
// of region.site["eu"] are client.site-eu and router.site-eu, and also
// client.site["eu"] and router.site["eu"].
func (p *Plan) Node(id string) (*Node, bool) {
	bare := func(s string) string { return strings.ReplaceAll(s, `"`, "") }
	i := slices.IndexFunc(p.Nodes, func(n *Node) bool {
		if bare(n.ID) == bare(id) {
			return true
		}
		kind, region, _ := strings.Cut(id, ".")
		return (n.Kind == Router || n.Kind == Client) && strings.HasPrefix(n.ID, kind+".") && "region."+bare(region) == bare(n.Region.ID)
	})
	if i < 0 {
		return nil, false
	}
	return p.Nodes[i], true
}

// clientBits is the length of a region's v4 client prefix: 1,022 clients.
const clientBits = 22

// NewPlan lays out topo. It fails for what no lab can be made of: an address
// that lies nowhere.
func NewPlan(topo *topology.Topology) (*Plan, error) {
	b := &builder{topo: topo, plan: &Plan{}, segments: map[*topology.Network]int{}, routers: map[*topology.Region]*Node{}}
	for _, r := range topo.Regions {
		n := b.node("router."+r.Name, Router, r)
		b.routers[r] = n
	}
	for _, n := range topo.Networks {
		b.network(n)
	}
	for _, ns := range topo.Nameservers {
		if err := b.place(b.node(ns.ID, Nameserver, ns.Region), ns.Addrs); err != nil {
			return nil, err
		}
	}
	for _, d := range topo.Directors {
		n := b.node(d.ID, Director, d.Region())
		b.join(n, d.Network, d.Addrs)
		b.defaultRoute(n, d.Network)
		if d.Inside != nil {
			b.join(n, d.Inside.Network, d.Inside.Addrs)
		}
	}
	for _, f := range topo.Farms {
		for _, s := range f.Servers {
			n := b.node(s.ID, Server, f.Region)
			switch {
			case f.Network == nil:
				if err := b.place(n, s.Addrs); err != nil {
					return nil, err
				}
			case f.Gateway.IsValid(): // its default route is director realserver's to set
				b.join(n, f.Network, s.Addrs)
			default:
				b.join(n, f.Network, s.Addrs)
				b.defaultRoute(n, f.Network)
			}
		}
	}
	for _, e := range elsewhere(topo) {
		if err := b.place(b.node(e.id, Elsewhere, e.region), e.addrs); err != nil {
			return nil, err
		}
	}
	if err := b.clients(); err != nil {
		return nil, err
	}
	b.wan()
	b.regionalRoutes()
	return b.plan, nil
}

// A foreigner is a place that a domain's answer points to without a service of
// the file: a cluster that somebody else describes.
type foreigner struct {
	id     string // of the first answer with its addresses
	region *topology.Region
	addrs  topology.Addrs
	at     []endpoint // where checks look
}

// elsewhere are the foreigners of topo, each address once.
func elsewhere(topo *topology.Topology) []foreigner {
	owner := map[netip.Addr]int{} // index of the foreigner, or known
	const known = -1
	for _, s := range topo.Services {
		for _, a := range s.VIPs {
			owner[a] = known
		}
	}
	for _, d := range topo.Directors {
		for _, a := range d.Addrs {
			owner[a] = known
		}
	}
	for _, f := range topo.Farms {
		for _, s := range f.Servers {
			for _, a := range s.Addrs {
				owner[a] = known
			}
		}
	}
	for _, ns := range topo.Nameservers {
		for _, a := range ns.Addrs {
			owner[a] = known
		}
	}
	var out []foreigner
	for _, d := range topo.Domains {
		for _, answer := range d.Answers {
			mine := len(out)
			for _, a := range answer.Addrs {
				i, taken := owner[a]
				switch {
				case !taken && mine == len(out):
					out = append(out, foreigner{id: answer.ID, region: regionOf(topo, answer)})
					fallthrough
				case !taken:
					i, owner[a] = mine, mine
					out[i].addrs = append(out[i].addrs, a)
				}
				if i != known && answer.Check != nil && answer.Check.Type.Proto() != topology.NoProto {
					port := answer.Check.Port
					if port == 0 {
						port = answer.Port
					}
					asked := topology.Port{Proto: answer.Check.Type.Proto(), Number: port}
					if e := (endpoint{asked.Proto, netip.AddrPortFrom(a, port), first(answer.Check, asked)}); !slices.Contains(out[i].at, e) {
						out[i].at = append(out[i].at, e)
					}
				}
			}
		}
	}
	return out
}

// regionOf is where an answer's addresses lie: in the region it names, else in
// that of the network that has them, else in the first.
func regionOf(topo *topology.Topology, a *topology.Answer) *topology.Region {
	if a.Region != nil {
		return a.Region
	}
	for _, n := range topo.Networks {
		if len(a.Addrs) > 0 && n.Contains(a.Addrs[0]) {
			return n.Region
		}
	}
	if len(topo.Regions) == 0 {
		return nil
	}
	return topo.Regions[0]
}

type builder struct {
	topo     *topology.Topology
	plan     *Plan
	segments map[*topology.Network]int
	routers  map[*topology.Region]*Node
	// reach is what each region must be told of the others.
	reach []reachable
	pairs [][2]*topology.Region // the regions each wire joins
}

type reachable struct {
	region *topology.Region
	prefix netip.Prefix
}

func (b *builder) node(id string, kind Kind, region *topology.Region) *Node {
	n := &Node{ID: id, Kind: kind, Region: region}
	b.plan.Nodes = append(b.plan.Nodes, n)
	return n
}

func (b *builder) segment(name string) int {
	b.plan.Segments = append(b.plan.Segments, name)
	return len(b.plan.Segments) - 1
}

// network makes the segment of n and joins the region's router to it where
// anybody there needs one.
func (b *builder) network(n *topology.Network) {
	b.segments[n] = b.segment(n.ID)
	if !b.routed(n) {
		return
	}
	for _, p := range n.Prefixes {
		b.reach = append(b.reach, reachable{n.Region, p})
	}
	b.join(b.routers[n.Region], n, n.Gateways)
}

// routed reports whether the region's router is on the segment: when the file
// says so, or a node there has no director for a gateway. A gateway address that
// is a director's or a pair's is no router's.
func (b *builder) routed(n *topology.Network) bool {
	needed := n.Routed
	for _, d := range b.topo.Directors {
		for _, g := range n.Gateways {
			if d.Addrs.Has(g) || (d.Inside != nil && d.Inside.Addrs.Has(g)) {
				return false
			}
		}
		needed = needed || d.Network == n
	}
	for _, ns := range b.topo.Nameservers {
		for _, a := range ns.Addrs {
			needed = needed || n.Contains(a)
		}
	}
	for _, f := range b.topo.Failovers {
		for _, g := range n.Gateways {
			if f.On(n).Has(g) {
				return false
			}
		}
	}
	for _, f := range b.topo.Farms {
		needed = needed || (f.Network == n && !f.Gateway.IsValid())
	}
	return needed
}

func (b *builder) join(n *Node, network *topology.Network, addrs topology.Addrs) {
	port := Port{Segment: b.segments[network]}
	for _, a := range addrs {
		port.Addrs = append(port.Addrs, netip.PrefixFrom(a, prefixBits(network, a)))
	}
	n.Ports = append(n.Ports, port)
}

func prefixBits(network *topology.Network, a netip.Addr) int {
	for _, p := range network.Prefixes {
		if p.Contains(a) {
			return p.Bits()
		}
	}
	return a.BitLen()
}

// defaultRoute gives n the network's router for its default route. A node
// without an IPv4 address has none of IPv4: it would ask for the router's
// hardware address in the name of a VIP, the only address that it has.
func (b *builder) defaultRoute(n *Node, network *topology.Network) {
	has4 := slices.ContainsFunc(n.Ports[0].Addrs, func(p netip.Prefix) bool { return p.Addr().Is4() })
	for _, g := range network.Gateways {
		if g.Is4() && !has4 {
			continue
		}
		n.Routes = append(n.Routes, Route{To: netip.PrefixFrom(unspecified(g), 0), Via: g, Dev: "e0"})
	}
}

func unspecified(like netip.Addr) netip.Addr {
	if like.Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// The router's own address on a segment that has no network of the file.
var stubGateways = topology.Addrs{netip.MustParseAddr("169.254.1.1"), netip.MustParseAddr("fe80::1")}

// place puts a node that the file gives addresses but no network into the
// network of its region that has them, or else onto a segment of its own behind
// the region's router.
func (b *builder) place(n *Node, addrs []netip.Addr) error {
	for _, network := range b.topo.Networks {
		if network.Region != n.Region || len(addrs) == 0 || !network.Contains(addrs[0]) {
			continue
		}
		for _, a := range addrs {
			if !network.Contains(a) {
				return fmt.Errorf("%s: %s is on %s and %s is not; the lab has no place for a node on both", n.ID, addrs[0], network.ID, a)
			}
		}
		b.join(n, network, addrs)
		b.defaultRoute(n, network)
		return nil
	}
	b.stub(n, addrs)
	return nil
}

// stub joins n to the region's router alone.
func (b *builder) stub(n *Node, addrs []netip.Addr) {
	router := b.routers[n.Region]
	segment := b.segment(n.ID)
	dev := fmt.Sprintf("e%d", len(router.Ports))
	port, routerPort := Port{Segment: segment}, Port{Segment: segment}
	for _, a := range addrs {
		port.Addrs = append(port.Addrs, netip.PrefixFrom(a, a.BitLen()))
		b.stubRoute(n, netip.PrefixFrom(a, a.BitLen()), a, dev)
	}
	for _, g := range stubGateways {
		routerPort.Addrs = append(routerPort.Addrs, netip.PrefixFrom(g, g.BitLen()))
	}
	n.Ports = append(n.Ports, port)
	router.Ports = append(router.Ports, routerPort)
}

// stubRoute leads from n everywhere, and from the region's router to prefix by n's address via.
func (b *builder) stubRoute(n *Node, prefix netip.Prefix, via netip.Addr, dev string) {
	gateway, _ := stubGateways.Like(via)
	everywhere := Route{To: netip.PrefixFrom(unspecified(via), 0), Via: gateway, Dev: "e0"}
	if !slices.Contains(n.Routes, everywhere) {
		n.Routes = append(n.Routes, everywhere)
	}
	router := b.routers[n.Region]
	to := Route{To: prefix, Via: via, Dev: dev}
	if prefix.Bits() == via.BitLen() && prefix.Addr() == via {
		to.Via = netip.Addr{} // on the link
	}
	router.Routes = append(router.Routes, to)
	b.reach = append(b.reach, reachable{n.Region, prefix})
}

// clients gives each region a namespace of users, with prefixes that the file
// has no use for.
func (b *builder) clients() error {
	next4 := netip.MustParseAddr("100.64.0.0")
	next6 := netip.MustParseAddr("fd67:736c:6200::")
	for _, r := range b.topo.Regions {
		var err error
		var p4, p6 netip.Prefix
		if p4, next4, err = b.free(next4, clientBits); err != nil {
			return err
		}
		if p6, next6, err = b.free(next6, 64); err != nil {
			return err
		}
		n := b.node("client."+r.Name, Client, r)
		n.Anywhere = []netip.Prefix{p4, p6}
		first := []netip.Addr{p4.Addr().Next(), p6.Addr().Next()}
		dev := fmt.Sprintf("e%d", len(b.routers[r].Ports))
		b.stub(n, first)
		b.stubRoute(n, p4, first[0], dev)
		b.stubRoute(n, p6, first[1], dev)
	}
	return nil
}

// free finds the first prefix from start on that overlaps none of the file's.
func (b *builder) free(start netip.Addr, bits int) (netip.Prefix, netip.Addr, error) {
	for a, tries := start, 0; tries < 1024; tries++ {
		p := netip.PrefixFrom(a, bits)
		a = after(p)
		if !b.used(p) {
			return p, a, nil
		}
	}
	return netip.Prefix{}, start, fmt.Errorf("no free prefix for the lab's clients from %s on: the file uses them all", start)
}

func (b *builder) used(p netip.Prefix) bool {
	for _, n := range b.topo.Networks {
		if slices.ContainsFunc(n.Prefixes, p.Overlaps) {
			return true
		}
	}
	for _, a := range b.addresses() {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// addresses are all single addresses of the file.
func (b *builder) addresses() []netip.Addr {
	var out []netip.Addr
	for _, ns := range b.topo.Nameservers {
		out = append(out, ns.Addrs...)
	}
	for _, f := range b.topo.Farms {
		for _, s := range f.Servers {
			out = append(out, s.Addrs...)
		}
	}
	for _, s := range b.topo.Services {
		out = append(out, s.VIPs...)
	}
	for _, d := range b.topo.Domains {
		for _, a := range d.Answers {
			out = append(out, a.Addrs...)
		}
	}
	return out
}

// after is the first address behind p.
func after(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i, bit := (p.Bits()-1)/8, byte(1)<<(7-(p.Bits()-1)%8); i >= 0; i, bit = i-1, 1 {
		b[i] += bit
		if b[i] >= bit { // no carry
			break
		}
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// wan joins the routers of all regions with each other.
func (b *builder) wan() {
	index := map[*Node]int{}
	for i, n := range b.plan.Nodes {
		index[n] = i
	}
	regions := b.topo.Regions
	for i, ra := range regions {
		for j, rb := range regions[i+1:] {
			k := len(b.plan.Wires)
			w := Wire{
				A: index[b.routers[ra]], B: index[b.routers[rb]],
				AName: fmt.Sprintf("w%d", i+1+j), BName: fmt.Sprintf("w%d", i),
				Delay: Delay(ra.Location, rb.Location),
			}
			for end, addrs := range []*[2]netip.Prefix{&w.AAddr, &w.BAddr} {
				addrs[0] = netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254, byte(2 + k>>7), byte(k<<1 | end)}), 31)
				addrs[1] = netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x67, 2: 0x73, 3: 0x6c, 4: 0x77, 13: byte(k >> 8), 14: byte(k), 15: byte(end)}), 127)
			}
			b.plan.Wires = append(b.plan.Wires, w)
			b.pairs = append(b.pairs, [2]*topology.Region{ra, rb})
		}
	}
}

// regionalRoutes tells each router what lies in the other regions, and where
// the VIPs are that lie on none of its segments.
func (b *builder) regionalRoutes() {
	for _, s := range b.topo.Services {
		owner := s.Tiers[0].Directors[0]
		for _, vip := range s.VIPs {
			via, ok := s.Tiers[0].Forwarders()[0].Addrs().Like(vip)
			if !ok {
				via, ok = owner.Addrs.Like(vip)
			}
			if !ok || owner.Network.Contains(vip) {
				continue
			}
			r := Route{To: netip.PrefixFrom(vip, vip.BitLen()), Via: via, Dev: b.portOn(owner.Network)}
			router := b.routers[owner.Region()]
			if !slices.Contains(router.Routes, r) {
				router.Routes = append(router.Routes, r)
				b.reach = append(b.reach, reachable{owner.Region(), r.To})
			}
		}
	}
	for i, w := range b.plan.Wires {
		pair := b.pairs[i]
		for _, r := range b.reach {
			far := 0
			if r.prefix.Addr().Is6() {
				far = 1
			}
			switch r.region {
			case pair[1]:
				n := b.plan.Nodes[w.A]
				n.Routes = append(n.Routes, Route{To: r.prefix, Via: w.BAddr[far].Addr(), Dev: w.AName})
			case pair[0]:
				n := b.plan.Nodes[w.B]
				n.Routes = append(n.Routes, Route{To: r.prefix, Via: w.AAddr[far].Addr(), Dev: w.BName})
			}
		}
	}
}

// portOn is the name of the router's port on a network.
func (b *builder) portOn(n *topology.Network) string {
	for i, p := range b.routers[n.Region].Ports {
		if p.Segment == b.segments[n] {
			return fmt.Sprintf("e%d", i)
		}
	}
	return "e0"
}

// Delay is the time one way between two places; 0 when one is not known.
func Delay(a, b *topology.Point) time.Duration {
	if a == nil || b == nil {
		return 0
	}
	return topology.RoundTrip(*a, *b) / 2
}
