// Package wiring says what a node needs to be forwarded to: as configuration
// that an operating system reads ([Files]), and as what is wrong with a host as
// it was found ([Verify]). It is arithmetic on values: package hostnet looks at
// a kernel and makes a [Picture] of it, or changes it; nothing here does.
package wiring

import (
	"net/netip"
	"slices"

	"gslb/tiers"
	"gslb/topology"
)

// Needs are all that is asked of a node's kernel, and why.
type Needs struct {
	Node  string // address of its object in the file
	Host  tiers.Host
	Parts []Part
	// Gateways are the routers of the node's network, where the file names them.
	Gateways topology.Addrs
	Prefixes []netip.Prefix // of its network; none: it is in none

	of map[netip.Addr][]int // parts of each VIP; there may be 10,000
}

// A Part is what the node does for one VIP.
type Part struct {
	VIP  netip.Addr
	Link tiers.Link      // the one with the node's own address
	By   topology.Method // how packets come here; NoMethod: the node owns the VIP
	From []Peer          // directors that send them
	To   []Peer          // where a director sends them on by DR
}

// A Peer is a node at the other end, or a pair of which one member is.
type Peer struct {
	ID    string
	Near  netip.Addr   // the address that packets go to or come from
	Addrs []netip.Addr // all it has
}

// Of returns what the node at an address of the file needs; false when it is
// no director and no real server.
func Of(topo *topology.Topology, node string) (Needs, bool) {
	if d, ok := topo.Director(node); ok {
		return ofDirector(topo, d), true
	}
	if s, ok := topo.Server(node); ok {
		return ofServer(topo, s), true
	}
	return Needs{}, false
}

func ofDirector(topo *topology.Topology, self *topology.Director) Needs {
	n := Needs{Node: self.ID, Host: tiers.DirectorHost(topo, self)}
	n.on(self.Network)
	for _, s := range topo.Services {
		for i, tier := range s.Tiers {
			if !slices.Contains(tier.Directors, self) {
				continue
			}
			for _, vip := range s.VIPs {
				own, ok := self.Addrs.Like(vip)
				if !ok {
					continue
				}
				p := Part{VIP: vip, Link: tiers.Link{Holds: own}}
				if i > 0 {
					p.By, p.From = s.Tiers[i-1].Method, directors(s.Tiers[i-1].Directors, own, self.Network)
				}
				if tier.Method == topology.DR {
					p.To = destinations(s, i, vip, self.Network)
				}
				n.add(p)
			}
		}
	}
	return n
}

func ofServer(topo *topology.Topology, self *topology.Server) Needs {
	n := Needs{Node: self.ID, Host: tiers.ServerHost(topo, self)}
	n.on(self.Farm.Network)
	for _, s := range topo.Services {
		if !slices.Contains(s.Farms(), self.Farm) {
			continue
		}
		tier := s.Tiers[len(s.Tiers)-1]
		for _, vip := range s.VIPs {
			own, ok := self.Addrs.Reach(vip, tier.Method)
			if !ok {
				continue
			}
			p := Part{VIP: vip, Link: tiers.Link{Holds: own}, By: tier.Method}
			if tier.Method == topology.NAT {
				p.From = forwarders([]topology.Forwarder{self.Farm.Gateway}, own, self.Farm.Network)
			} else {
				p.From = directors(tier.Directors, own, self.Farm.Network)
			}
			n.add(p)
		}
	}
	return n
}

// add adds a part. Two services with the same VIP have the same path (GS209) as
// far as a node's wiring goes, or another method: those are parts of their own.
func (n *Needs) add(p Part) {
	if n.of == nil {
		n.of = map[netip.Addr][]int{}
	}
	if !slices.ContainsFunc(n.of[p.VIP], func(i int) bool {
		o := n.Parts[i]
		return o.By == p.By && slices.EqualFunc(o.From, p.From, Peer.is) && slices.EqualFunc(o.To, p.To, Peer.is)
	}) {
		n.of[p.VIP] = append(n.of[p.VIP], len(n.Parts))
		n.Parts = append(n.Parts, p)
	}
}

func (p Peer) is(o Peer) bool { return p.ID == o.ID && p.Near == o.Near }

// on notes the network of the node's own address, nil for none.
func (n *Needs) on(network *topology.Network) {
	if network == nil {
		return
	}
	n.Prefixes = network.Prefixes
	if network.Routed {
		n.Gateways = network.Gateways
	}
}

// directors are those that have an address of own's family, which is the one
// that packets travel in.
func directors(list []*topology.Director, own netip.Addr, on *topology.Network) []Peer {
	each := make([]topology.Forwarder, len(list))
	for i, d := range list {
		each[i].Director = d
	}
	return forwarders(each, own, on)
}

// forwarders are the same for directors and pairs.
func forwarders(list []topology.Forwarder, own netip.Addr, on *topology.Network) []Peer {
	var out []Peer
	for _, f := range list {
		near := f.On(on)
		if near == nil {
			near = f.Addrs()
		}
		p := Peer{ID: f.ID(), Addrs: slices.Clone(near)}
		for _, d := range f.Members() {
			p.Addrs = append(p.Addrs, d.Addrs...)
			if d.Inside != nil {
				p.Addrs = append(p.Addrs, d.Inside.Addrs...)
			}
		}
		if a, ok := near.Like(own); ok {
			p.Near = a
			out = append(out, p)
		}
	}
	return out
}

// destinations are who gets the packets of tier i.
func destinations(s *topology.Service, i int, vip netip.Addr, on *topology.Network) []Peer {
	if i+1 < len(s.Tiers) {
		return forwarders(s.Tiers[i+1].Forwarders(), vip, on)
	}
	var out []Peer
	for _, f := range s.Tiers[i].Farms {
		for _, server := range f.Servers {
			if a, ok := server.Addrs.Like(vip); ok {
				out = append(out, Peer{ID: server.ID, Near: a, Addrs: []netip.Addr{a}})
			}
		}
	}
	return out
}

// Links are the addresses by which the node's interfaces are known, each once,
// in the order in which they are needed.
func (n Needs) Links() []netip.Addr {
	var out []netip.Addr
	add := func(l tiers.Link) {
		if l.Holds.IsValid() && !slices.Contains(out, l.Holds) {
			out = append(out, l.Holds)
		}
	}
	for _, s := range n.Host.Sysctls {
		add(s.Link)
	}
	for _, a := range n.Host.Addresses {
		add(a.Link)
	}
	for _, r := range n.Host.Routes {
		add(r.Link)
	}
	for _, m := range n.Host.Marks {
		add(m.Link)
	}
	for _, p := range n.Parts {
		if n.Replies(p.VIP.Is6()) { // the gateway is there
			add(p.Link)
		}
	}
	return out
}

// Replies reports whether packets of a family are answered by a route of their
// own, which takes a gateway.
func (n Needs) Replies(v6 bool) bool {
	return slices.ContainsFunc(n.Host.Replies, func(r tiers.Reply) bool { return r.From.Is6() == v6 })
}
