package explain

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"gslb/health"
	"gslb/steering"
	"gslb/tiers"
	"gslb/topology"
)

// A world is a topology with what is down in it. Every "why" that it gives is
// empty for what works, and else the causes, most often one.
type world struct {
	topo    *topology.Topology
	ground  *steering.Ground
	objects []object
	given   []string          // objects that are down because somebody said so
	fallen  map[string]string // object -> the given one it is down with
	told    map[health.Target]bool
	seen    *Seen // nil: nobody was asked
	parts   map[role]*part
}

func newWorld(topo *topology.Topology, state State) (*world, error) {
	w := &world{topo: topo, ground: steering.Prepare(topo, state.Map), objects: objects(topo), fallen: map[string]string{}, told: state.Targets, seen: state.Seen, parts: map[role]*part{}}
	byID := map[string]object{}
	for _, o := range w.objects {
		byID[o.id] = o
	}
	var fall func(o object, root string)
	fall = func(o object, root string) {
		if _, already := w.fallen[o.id]; already {
			return
		}
		w.fallen[o.id] = root
		for _, id := range o.follows {
			fall(byID[id], root)
		}
	}
	for _, given := range state.Down {
		found, err := named(w.objects, given)
		if err != nil {
			return nil, err
		}
		for _, o := range found {
			if !slices.Contains(w.given, o.id) {
				w.given = append(w.given, o.id)
				fall(o, o.id)
			}
		}
	}
	return w, cmp.Or(w.checked(), w.matched())
}

// checked refuses results of checks that nobody makes: they would change nothing.
func (w *world) checked() error {
	if len(w.told) == 0 {
		return nil
	}
	made := map[health.Target]bool{}
	for _, p := range steering.Probes(w.topo) {
		made[p.Target] = true
	}
	for _, d := range w.topo.Directors {
		for _, p := range tiers.Prepare(w.topo, d).Probes {
			made[p.Target] = true
		}
	}
	var lost []string
	for t := range w.told {
		if !made[t] {
			lost = append(lost, told(t))
		}
	}
	slices.Sort(lost)
	if len(lost) > 0 {
		return fmt.Errorf("nobody makes %s", few(lost, ", "))
	}
	return nil
}

// roots are the objects that were said to be down, with how many follow each.
func (w *world) roots() []Down {
	out := []Down{}
	for _, id := range w.given {
		d := Down{Object: id}
		for _, o := range w.objects {
			if w.fallen[o.id] == id && o.id != id {
				d.With++
			}
		}
		out = append(out, d)
	}
	return out
}

func (w *world) dead(id string) []string {
	if root, ok := w.fallen[id]; ok {
		return []string{root + " is down"}
	}
	return nil
}

// result is what the state file says of a target.
func (w *world) result(t health.Target) (why []string, known bool) {
	up, known := w.told[t]
	if known && !up {
		why = []string{told(t) + " fails, says the state file"}
	}
	return why, known
}

// A role is a director's part in a service.
type role struct {
	director *topology.Director
	service  *topology.Service
}

// A part is how a director sees its role.
type part struct {
	service *topology.Service
	tier    *topology.Tier
	last    bool
	hops    []hop
	at      map[netip.Addr][]int // indexes of the hops with an address
	now     tiers.Table          // what it forwards
	whole   tiers.Table          // what it would if everything worked
	rows    map[tiers.Key]row    // of now
	why     map[seen][]string    // what its checks find down
}

// seen is a hop as a check names it.
type seen struct {
	vip netip.Addr // that it is checked through; the zero Addr: it is checked itself
	at  netip.Addr
}

// A hop is where a director may forward to: a real server or a director, of a
// pair the active member.
type hop struct {
	id       string
	addrs    topology.Addrs
	port     uint16 // 0: the one that came in
	server   *topology.Server
	director *topology.Director
	pair     *topology.Failover
}

// part returns what a director does for a service. Only that service counts,
// so a director that is a front here and the next tier there is no circle.
func (w *world) part(r role) *part {
	if p, ok := w.parts[r]; ok {
		return p
	}
	p := &part{service: r.service, at: map[netip.Addr][]int{}, rows: map[tiers.Key]row{}, why: map[seen][]string{}}
	at := slices.IndexFunc(r.service.Tiers, func(t *topology.Tier) bool { return slices.Contains(t.Directors, r.director) })
	p.tier, p.last = r.service.Tiers[at], at == len(r.service.Tiers)-1
	if p.last {
		for _, f := range p.tier.Farms {
			if p.tier.Method == topology.NAT && !f.Gateway.Has(r.director) {
				continue
			}
			for _, s := range f.Servers {
				h := hop{id: s.ID, addrs: s.Addrs, server: s}
				if p.tier.Method == topology.NAT {
					h.port = s.Port
				}
				p.hops = append(p.hops, h)
			}
		}
	} else {
		for _, f := range r.service.Tiers[at+1].Forwarders() {
			d := w.active(f)
			p.hops = append(p.hops, hop{id: d.ID, addrs: f.Addrs(), director: d, pair: f.Pair})
		}
	}
	for i, h := range p.hops {
		for _, a := range h.addrs {
			p.at[a] = append(p.at[a], i)
		}
	}
	alone := &topology.Topology{Services: []*topology.Service{r.service}}
	now, whole := health.View{}, health.View{}
	ground := tiers.Prepare(alone, r.director)
	for _, probe := range ground.Probes {
		why, known := w.result(probe.Target)
		if !known {
			why = w.reached(p, r.service, probe.Target)
		}
		if at := looked(probe.Target); len(why) > 0 && (p.why[at] == nil || slices.Compare(why, p.why[at]) < 0) {
			p.why[at] = why
		}
		now[probe.Target] = health.State{Known: true, Up: len(why) == 0}
		whole[probe.Target] = health.State{Known: true, Up: true}
	}
	p.now, p.whole = ground.Decide(tiers.Inputs{View: now}).Table, ground.Decide(tiers.Inputs{View: whole}).Table
	for _, s := range p.now.Services {
		to := make(map[netip.AddrPort]tiers.Destination, len(s.Destinations))
		for _, d := range s.Destinations {
			to[d.Addr] = d
		}
		p.rows[s.Key] = row{s, to}
	}
	w.parts[r] = p
	return p
}

// looked is what a target looks at.
func looked(t health.Target) seen {
	if t.Via.IsValid() {
		return seen{t.Addr.Addr(), t.Via}
	}
	return seen{at: t.Addr.Addr()}
}

// reached is why a probe finds nobody.
func (w *world) reached(p *part, s *topology.Service, t health.Target) []string {
	for _, i := range p.at[looked(t).at] {
		if why := w.hop(p.hops[i], s, t.Addr.Addr(), t.Addr.Port()); len(why) > 0 {
			return why
		}
	}
	return nil
}

// hop is why packets for a VIP and port that are sent to h are not answered.
func (w *world) hop(h hop, s *topology.Service, vip netip.Addr, port uint16) []string {
	if h.server != nil {
		return w.dead(h.id)
	}
	return w.director(role{h.director, s}, vip, port)
}

// director is why a director does not get packets for a VIP and port answered.
func (w *world) director(r role, vip netip.Addr, port uint16) []string {
	if why := w.dead(r.director.ID); why != nil {
		return why
	}
	p := w.part(r)
	row, ok := p.row(vip, port)
	if !ok {
		return []string{fmt.Sprintf("%s has nothing at %s", r.director.ID, netip.AddrPortFrom(vip, port))}
	}
	var causes []string
	for _, h := range p.hops {
		d, there := row.to(h)
		why := p.out(h, row)
		if there && d.Weight > 0 {
			if why = w.hop(h, r.service, vip, port); len(why) == 0 {
				return nil
			}
		}
		for _, cause := range why {
			if !slices.Contains(causes, cause) {
				causes = append(causes, cause)
			}
		}
	}
	if len(causes) == 0 {
		return []string{"everything behind " + r.director.ID + " has weight 0"}
	}
	return causes
}

// A row is a virtual service of a director's table.
type row struct {
	tiers.Service
	destinations map[netip.AddrPort]tiers.Destination
}

// row is the one that a packet for a VIP and a TCP port meets, or, where the
// port is only checked, the VIP's first.
func (p *part) row(vip netip.Addr, port uint16) (row, bool) {
	if r, ok := p.rows[tiers.KeyOf(p.service, vip, topology.Port{Proto: topology.TCP, Number: port})]; ok {
		return r, true
	}
	for _, s := range p.now.Services {
		if s.Key.VIP.Addr() == vip {
			return p.rows[s.Key], true
		}
	}
	return row{}, false
}

// to is the row's destination for a hop.
func (r row) to(h hop) (tiers.Destination, bool) {
	var addr netip.Addr
	for _, a := range h.addrs {
		if a.Is6() == r.Key.V6 {
			addr = a
		}
	}
	port := r.Key.VIP.Port() // 0 of one by mark
	if h.port != 0 {
		port = h.port
	}
	d, ok := r.destinations[netip.AddrPortFrom(addr, port)]
	return d, ok
}

// out is why a hop does not count for a row, as the director's checks say.
func (p *part) out(h hop, r row) []string {
	for _, vip := range []netip.Addr{r.Key.VIP.Addr(), {}} {
		addr, _ := h.addrs.Reach(r.Key.VIP.Addr(), p.tier.Method)
		if why := p.why[seen{vip, addr}]; why != nil {
			return why
		}
	}
	return nil
}

// service is why the VIP of a service does not answer at a port.
func (w *world) service(s *topology.Service, vip netip.Addr, port uint16) []string {
	if why := w.dead(s.ID); why != nil {
		return why
	}
	return w.director(role{w.front(s), s}, vip, port)
}

// front is the director that has a service's VIPs.
func (w *world) front(s *topology.Service) *topology.Director {
	return w.active(s.Tiers[0].Forwarders()[0])
}

// active is the director that forwards: of a pair the first member that is not
// dead.
func (w *world) active(f topology.Forwarder) *topology.Director {
	for _, d := range f.Members() {
		if w.dead(d.ID) == nil {
			return d
		}
	}
	return f.Members()[0]
}

// at are the services that have a VIP, those with the port first.
func (w *world) at(vip netip.Addr, port uint16) []*topology.Service {
	var with, without []*topology.Service
	for _, s := range w.topo.Services {
		switch {
		case !s.VIPs.Has(vip):
		case slices.Contains(s.Ports, topology.Port{Proto: topology.TCP, Number: port}):
			with = append(with, s)
		default:
			without = append(without, s)
		}
	}
	return append(with, without...)
}

// answered is why nobody answers where a name server checks an answer.
func (w *world) answered(a *topology.Answer, t health.Target) []string {
	if why, known := w.result(t); known {
		return why
	}
	if why := w.dead(a.ID); why != nil {
		return why
	}
	if a.Service != nil {
		return w.service(a.Service, t.Addr.Addr(), t.Addr.Port())
	}
	for _, s := range w.at(t.Addr.Addr(), t.Addr.Port()) {
		return w.service(s, t.Addr.Addr(), t.Addr.Port())
	}
	return nil // a literal address: nothing in the file could take it down
}
