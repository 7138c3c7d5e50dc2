package explain

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"gslb/tiers"
	"gslb/topology"
)

// A Path is the way of a client's packets to an address of the answer.
type Path struct {
	Address netip.Addr `json:"address"`
	Share   float64    `json:"share"` // 0 to 1, of the replies that hold the address
	Service string     `json:"service,omitempty"`
	Ports   []string   `json:"ports"` // those that have this path: tcp/80
	Why     []string   `json:"why"`   // it does not work; empty: it does
	First   *Hop       `json:"first,omitempty"`
	Reply   string     `json:"reply,omitempty"`
	Note    string     `json:"note,omitempty"`
}

// A Hop is a node on the way.
type Hop struct {
	Object  string     `json:"object"`
	Pair    string     `json:"pair,omitempty"` // of which the director is the active member
	Kind    string     `json:"kind"`           // director or server
	Address netip.Addr `json:"address"`        // to which packets for it go
	Port    uint16     `json:"port,omitempty"` // 0: the one the client used
	State   string     `json:"state"`          // see the constants
	Why     []string   `json:"why"`
	Weight  uint32     `json:"weight"`      // at the director before, 0 where it gets nothing
	Share   float64    `json:"share"`       // 0 to 1, of what that director gets
	Total   float64    `json:"total_share"` // 0 to 1, of what the VIP gets
	Client  []string   `json:"this_client"` // the ports at which this client is sent to it, as far as that is known
	Forward *Forward   `json:"forward,omitempty"`
}

// The states of a hop.
const (
	Up       = "up"
	OutDown  = "down"     // it is not chosen, its check fails
	Draining = "draining" // weight 0: it is not chosen
	Lost     = "lost"     // it is dead and chosen all the same: no check sees it
)

// A Forward is what a director does with packets.
type Forward struct {
	Tier      string `json:"tier"`
	Method    string `json:"method"`
	Scheduler string `json:"scheduler"`
	Rewrite   string `json:"rewrite"`
	Choice    string `json:"choice"`
	Next      []Hop  `json:"next"`
}

// schedulers say how each of them chooses.
var schedulers = map[string]string{
	"rr":  "in turn",
	"wrr": "in turn, by weight",
	"lc":  "the fewest connections",
	"wlc": "the fewest connections for its weight",
	"sed": "the shortest expected delay",
	"nq":  "an idle one, else the shortest expected delay",
	"sh":  "by the client's address",
	"mh":  "by the client's address",
}

// paths are the ways to the addresses among records, in their order.
func (a *answering) paths(records []Recorded) []Path {
	var out []Path
	for _, r := range records {
		vip, err := netip.ParseAddr(r.Data)
		if err != nil || r.Type != "A" && r.Type != "AAAA" || slices.ContainsFunc(out, func(p Path) bool { return p.Address == vip }) {
			continue
		}
		services := a.world.at(vip, 0)
		if len(services) == 0 {
			p := Path{Address: vip, Share: r.Share, Ports: []string{}, Why: []string{}, Note: "the file says nothing about what lies behind this address"}
			if n := a.nameserver(vip); n != "" {
				p.Note = "this is " + n
			}
			out = append(out, p)
		}
		for _, s := range services {
			from := len(out)
			for _, port := range s.Ports {
				p := a.path(s, vip, port)
				p.Share = r.Share
				same := slices.IndexFunc(out[from:], func(o Path) bool { return slices.Equal(o.Why, p.Why) && same(*o.First, *p.First) })
				if same < 0 {
					out = append(out, p)
					continue
				}
				out[from+same].Ports = append(out[from+same].Ports, p.Ports...)
				join(out[from+same].First, *p.First)
			}
		}
	}
	return out
}

// same reports whether two ways differ in nothing but where this client goes.
func same(a, b Hop) bool {
	behind := func(h *Hop) *Forward {
		f := h.Forward
		h.Client, h.Forward = nil, nil
		return f
	}
	f, g := behind(&a), behind(&b)
	if !reflect.DeepEqual(a, b) || (f == nil) != (g == nil) {
		return false
	}
	if f == nil {
		return true
	}
	one, other := *f, *g
	one.Next, other.Next = nil, nil
	return reflect.DeepEqual(one, other) && slices.EqualFunc(f.Next, g.Next, same)
}

// join adds to a way where this client goes on one that is the same.
func join(into *Hop, from Hop) {
	into.Client = append(into.Client, from.Client...)
	if into.Forward != nil {
		for i := range into.Forward.Next {
			join(&into.Forward.Next[i], from.Forward.Next[i])
		}
	}
}

func (a *answering) nameserver(addr netip.Addr) string {
	for _, n := range a.world.topo.Nameservers {
		if slices.Contains(n.Addrs, addr) {
			return n.ID
		}
	}
	return ""
}

// path is the way to one port of a service.
func (a *answering) path(s *topology.Service, vip netip.Addr, port topology.Port) Path {
	first := a.world.front(s)
	p := Path{Address: vip, Service: s.ID, Ports: []string{port.String()}, Why: []string{}, Reply: reply(s, vip)}
	if why := a.world.dead(s.ID); why != nil {
		p.Why = why
	}
	h := Hop{Object: first.ID, Kind: "director", Address: vip, State: Up, Why: []string{}, Weight: 1, Share: 1, Total: 1, Client: []string{port.String()}}
	if pair := s.Tiers[0].PairOf(first); pair != nil {
		h.Pair = pair.ID
	}
	if len(p.Why) == 0 {
		if why := a.world.director(role{first, s}, vip, port.Number); len(why) > 0 {
			p.Why = why
		}
	}
	if why := a.world.dead(first.ID); why != nil {
		h.State, h.Why = OutDown, why
	} else {
		h.Forward = a.forward(s, first, vip, port, 1, true)
	}
	p.First = &h
	return p
}

// forward is what a director does with packets for a VIP and port. Total is
// the part of them that comes to it, and mine says that this client's do.
func (a *answering) forward(s *topology.Service, d *topology.Director, vip netip.Addr, port topology.Port, total float64, mine bool) *Forward {
	w := a.world
	p := w.part(role{d, s})
	key := tiers.KeyOf(s, vip, port)
	r := p.rows[key]
	f := &Forward{Tier: p.tier.Name, Method: p.tier.Method.String(), Scheduler: r.Scheduler, Choice: schedulers[r.Scheduler], Next: []Hop{}}
	f.Rewrite = rewrite(p, d, vip)
	scheduler, _ := topology.SchedulerNamed(r.Scheduler)
	share := func(d tiers.Destination) float64 {
		if !scheduler.Weighted {
			return float64(min(d.Weight, 1))
		}
		return float64(d.Weight)
	}
	var sum, chosen = 0., p.chosen(r, netip.AddrPortFrom(a.question.Client, 0))
	eligible := 0
	for _, d := range r.Destinations {
		sum += share(d)
		if d.Weight > 0 {
			eligible++
		}
	}
	for _, h := range p.hops {
		addr, ok := h.addrs.Reach(vip, p.tier.Method)
		if !ok {
			continue
		}
		next := Hop{Object: h.id, Kind: "server", Address: addr, State: Up, Why: []string{}, Client: []string{}}
		if h.director != nil {
			next.Kind = "director"
		}
		if h.pair != nil {
			next.Pair = h.pair.ID
		}
		if h.port != 0 && h.port != port.Number {
			next.Port = h.port
		}
		dest, there := r.to(h)
		next.Weight = dest.Weight
		why := w.hop(h, s, vip, port.Number)
		checked := p.out(h, r)
		switch {
		case there && dest.Weight > 0:
			next.Share = share(dest) / sum
			if len(why) > 0 {
				next.State, next.Why = Lost, why
				if p.tier.Check == nil {
					next.Why = append(slices.Clone(why), "tier "+p.tier.Name+" has no check to see it")
				}
			}
		case len(checked) > 0:
			next.State, next.Why = OutDown, checked
		default:
			next.State = Draining
		}
		next.Total = total * next.Share
		here := mine && next.Share > 0 && (eligible == 1 || chosen.IsValid() && chosen == dest.Addr)
		if here {
			next.Client = append(next.Client, port.String())
		}
		if h.director != nil && w.dead(h.id) == nil {
			next.Forward = a.forward(s, h.director, vip, port, next.Total, here)
		}
		f.Next = append(f.Next, next)
	}
	return f
}

// chosen is the destination that a hash scheduler gives a client; the zero
// AddrPort where that does not follow from the client's address, or from its
// port where that counts and is not 0.
func (p *part) chosen(r row, client netip.AddrPort) netip.AddrPort {
	if client.Addr().Is4() == r.Key.V6 || r.Flags&tiers.Sched2 != 0 && client.Port() == 0 {
		return netip.AddrPort{}
	}
	i := slices.IndexFunc(p.whole.Services, func(s tiers.Service) bool { return s.Key == r.Key })
	if i < 0 {
		return netip.AddrPort{}
	}
	// The kernel's table is the one of a director that began with everything up.
	list := tiers.Listed(p.whole.Services[i]).After(tiers.Diff(p.whole, p.now, tiers.Owner{}), r.Key)
	spread := tiers.NewSpread(r.Scheduler, r.Flags, list)
	if spread == nil {
		return netip.AddrPort{}
	}
	if i, ok := spread.Pick(client); ok {
		return list[i].Addr
	}
	return netip.AddrPort{}
}

// rewrite says what a director changes in a packet.
func rewrite(p *part, d *topology.Director, vip netip.Addr) string {
	switch p.tier.Method {
	case topology.NAT:
		if slices.ContainsFunc(p.hops, func(h hop) bool { return h.port != 0 }) {
			return "the destination becomes the real server's address, and its port where it has its own"
		}
		return "the destination address becomes the real server's"
	case topology.DR:
		return "the destination MAC address becomes the next hop's, nothing else changes"
	}
	var from []string
	for _, h := range p.hops {
		var network *topology.Network
		if h.director != nil {
			network = h.director.Network
		} else {
			network = h.server.Farm.Network
		}
		sends := d.On(network) // from the interface that is nearest
		if sends == nil {
			sends = d.Addrs
		}
		if addr, ok := sends.Like(vip); ok && !slices.Contains(from, addr.String()) {
			from = append(from, addr.String())
		}
	}
	bytes := 20
	if vip.Is6() {
		bytes = 40
	}
	return fmt.Sprintf("IP in IP from %s to the next hop, %d bytes more, the packet inside stays as it is", strings.Join(from, " or "), bytes)
}

// reply says which way the answer to a packet goes.
func reply(s *topology.Service, vip netip.Addr) string {
	last := s.Tiers[len(s.Tiers)-1]
	var past []string
	for _, t := range s.Tiers {
		if t == last && last.Method == topology.NAT {
			break
		}
		for _, d := range t.Directors {
			past = append(past, d.ID)
		}
	}
	out := fmt.Sprintf("real server, as %s, -> client", vip)
	if last.Method == topology.NAT {
		gateway := "the NAT director it came through"
		if all := last.Forwarders(); len(all) == 1 {
			gateway = all[0].ID()
			if at, ok := all[0].On(last.Farms[0].Network).Like(vip); ok {
				gateway += " " + at.String()
			}
		}
		out = fmt.Sprintf("real server -> its gateway, %s: the source becomes %s -> client", gateway, vip)
	}
	if len(past) > 0 {
		out += "; past " + few(past, ", ")
	}
	return out
}
