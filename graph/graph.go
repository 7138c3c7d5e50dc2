// Package graph draws a topology: names, services with their VIPs, the tiers
// of directors behind them and the farms, with what each edge can carry. It
// is arithmetic on values: a [topology.Topology] goes in, text comes out, the
// same for the same topology. It owns how things are grouped and where they
// lie, and refuses to know files, terminals and who is up.
package graph

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gslb/topology"
)

// A kind of box.
type kind uint8

const (
	nameserver kind = iota
	domain
	zone // one without steered names
	service
	place // addresses that no service of the file has
	director
	farm
)

var kinds = []string{"nameserver", "name", "zone", "service", "place", "director", "farm"}

func (k kind) String() string { return kinds[k] }

// A box stands for one object, or for several that look alike.
type box struct {
	kind    kind
	id      string   // n1, n2, ... in the order of drawing
	objects []string // addresses in the file
	title   string
	lines   []string
	family  string // label that all its objects have; "" when they differ
	first   int    // block it is drawn in: first of the services that share things
	many    bool   // it stands for several servers
	depth   int    // directors: tiers between it and the farms

	x, y, w, h float64 // where layout puts it; y grows downwards
}

// A link says that each of from passes packets, or users, to each of to.
type link struct {
	from, to []*box
	method   string // tun, dr, nat; "" for users
	label    string // tun mh; 50 %
	// carries is what can pass in bytes per second: limit is what from can
	// rewrite, supply what the servers of to deliver; 0: not known.
	limit, supply float64
}

// A group is a frame around boxes: a region, a zone.
type group struct {
	id    string // address; "" for what has none
	title string
	dns   bool
	boxes []*box

	x, y, w, h float64
}

// A model is a topology as boxes and links.
type model struct {
	name   string
	counts string
	groups []*group // those of DNS first, then the regions
	links  []*link

	topo *topology.Topology
	of   map[string]*box // by an object's address
	all  []*box
}

// allowance is how many boxes of one kind stand side by side before they
// become one, so that a drawing of many regions stays one of few boxes.
func allowance(regions int) int {
	switch {
	case regions <= 4:
		return 6
	case regions <= 8:
		return 3
	}
	return 1
}

func compile(t *topology.Topology) *model {
	m := &model{name: t.Name, counts: counts(t), topo: t, of: map[string]*box{}}
	s := merge(t)
	m.dns(s)
	m.regions(s)
	for _, g := range m.groups {
		for _, b := range g.boxes {
			m.all = append(m.all, b)
			b.id = fmt.Sprintf("n%d", len(m.all))
		}
	}
	m.answers()
	m.tiers()
	return m
}

// counts says how much there is: "2 regions, 9 servers".
func counts(t *topology.Topology) string {
	servers := 0
	for _, f := range t.Farms {
		servers += len(f.Servers)
	}
	var parts []string
	for _, x := range []struct {
		n    int
		noun string
	}{
		{len(t.Regions), "region"}, {len(t.Nameservers), "nameserver"}, {len(t.Domains), "name"}, {len(t.Services), "virtual service"},
		{len(t.Directors), "director"}, {len(t.Farms), "farm"}, {servers, "server"},
	} {
		if x.n > 0 {
			parts = append(parts, plural(x.n, x.noun))
		}
	}
	return strings.Join(parts, " · ")
}

// dns makes the boxes of the DNS front: nameservers, and names by zone.
func (m *model) dns(s *sets) {
	if len(m.topo.Nameservers) > 0 {
		g := &group{title: "nameservers", dns: true}
		for _, n := range m.topo.Nameservers {
			if b := m.join(g, s, nameserver, n.ID); len(b.objects) == 1 {
				b.lines = append(texts(n.Addrs), "in "+n.Region.Name)
			}
		}
		m.groups = append(m.groups, g)
	}
	byZone := map[*topology.Zone]*group{}
	many := len(m.topo.Zones) > manyZones
	var shared *group
	for _, z := range m.topo.Zones {
		if many && shared != nil {
			byZone[z] = shared
			continue
		}
		g := &group{id: z.ID, title: bareName(z.Name), dns: true}
		if many {
			g.id, g.title, shared = "", plural(len(m.topo.Zones), "zone"), g
		}
		byZone[z] = g
		m.groups = append(m.groups, g)
	}
	for _, d := range m.topo.Domains {
		if b := m.join(byZone[d.Zone], s, domain, d.ID); len(b.objects) == 1 {
			b.title = bareName(d.Name)
			b.lines = about(d)
		}
	}
	for _, z := range m.topo.Zones {
		if g := byZone[z]; len(g.boxes) == 0 || many && g.boxes[0].kind == zone {
			b := m.join(g, s, zone, z.ID)
			b.title, b.lines = "no steered names", nil
			if !many && len(z.Records) > 0 {
				b.lines = []string{plural(len(z.Records), "static record")}
			}
		}
	}
}

// regions makes the boxes of what forwards and serves, by region.
func (m *model) regions(s *sets) {
	groups := map[*topology.Region]*group{}
	for _, r := range m.topo.Regions {
		g := &group{id: r.ID, title: r.Name}
		groups[r] = g
		m.groups = append(m.groups, g)
	}
	for i, v := range m.topo.Services {
		b := m.join(groups[v.Region], s, service, v.ID)
		if len(b.objects) == 1 {
			b.lines = append(texts(v.VIPs), ports(v.Ports, 2))
			b.first = s.block(i)
		}
	}
	for _, d := range m.topo.Directors {
		b := m.join(groups[d.Region()], s, director, d.ID)
		if len(b.objects) == 1 {
			b.lines = texts(d.Addrs)
			b.first = len(m.topo.Services)
		}
		b.first = min(b.first, s.first(d.ID, len(m.topo.Services)))
		b.depth = max(b.depth, s.depth[d.ID])
	}
	for _, f := range m.topo.Failovers {
		if b := m.of[f.Members[0].ID]; len(b.objects) == len(f.Members) {
			b.title = short(f.ID)
			b.lines = append(texts(f.Addrs), fmt.Sprintf("pair of %d", len(f.Members)))
		}
	}
	servers, rates := map[*box]int{}, map[*box]float64{}
	for _, f := range m.topo.Farms {
		b := m.join(groups[f.Region], s, farm, f.ID)
		if len(b.objects) == 1 {
			b.first = len(m.topo.Services)
		}
		b.first = min(b.first, s.first(f.ID, len(m.topo.Services)))
		servers[b] += len(f.Servers)
		b.many = servers[b] > 1
		rates[b] += throughput(f)
		b.lines = []string{plural(servers[b], "server")}
		if rates[b] > 0 {
			b.lines = append(b.lines, perSecond(rates[b]))
		}
	}
	var elsewhere *group
	for _, d := range m.topo.Domains {
		for _, a := range d.Answers {
			if a.Service != nil {
				continue
			}
			g := groups[a.Region]
			if a.Region == nil {
				if elsewhere == nil {
					elsewhere = &group{title: "outside the regions"}
				}
				g = elsewhere
			}
			b := m.join(g, s, place, a.ID)
			if len(b.objects) == 1 {
				all := points(a)
				b.title, b.lines = all[0], append(all[1:], "not in the file")
				b.first = len(m.topo.Services)
			}
		}
	}
	if elsewhere != nil {
		m.groups = append(m.groups, elsewhere)
	}
	m.groups = slices.DeleteFunc(m.groups, func(g *group) bool { return len(g.boxes) == 0 })
}

// join puts an object into its set's box, which lies in g.
func (m *model) join(g *group, s *sets, k kind, id string) *box {
	root := s.root(id)
	b := m.of[root]
	if b == nil {
		b = &box{kind: k, title: short(id), family: family(id)}
		m.of[root] = b
		g.boxes = append(g.boxes, b)
	}
	m.of[id] = b
	b.objects = append(b.objects, id)
	if b.family != family(id) {
		b.family = ""
	}
	if n := len(b.objects); n > 1 {
		b.title, b.lines = fmt.Sprintf("%d %ss", n, k), nil
		if b.family != "" && (k == nameserver || k == service || k == director || k == farm) {
			b.title = fmt.Sprintf("%d × %s", n, b.family)
		}
	}
	return b
}

// answers makes the links from names to services and places.
func (m *model) answers() {
	type key struct{ from, to *box }
	links := map[key]*link{}
	for _, d := range m.topo.Domains {
		for _, a := range d.Answers {
			to := m.of[a.ID]
			if a.Service != nil {
				to = m.of[a.Service.ID]
			}
			label := ""
			if len(d.Answers) > 1 {
				label = part(d, a)
			}
			k := key{m.of[d.ID], to}
			l := links[k]
			if l == nil {
				l = &link{from: []*box{k.from}, to: []*box{to}, label: label}
				links[k] = l
				m.links = append(m.links, l)
			} else if l.label != label {
				l.label = "" // several names or answers that differ
			}
		}
	}
}

// tiers makes the links from services through directors to farms.
func (m *model) tiers() {
	known := map[string]*link{}
	add := func(l *link) {
		if len(l.from) == 0 || len(l.to) == 0 {
			return
		}
		var k strings.Builder
		for _, b := range l.from {
			k.WriteString(b.id + " ")
		}
		k.WriteString("> ")
		for _, b := range l.to {
			k.WriteString(b.id + " ")
		}
		k.WriteString(l.label)
		if old := known[k.String()]; old == nil {
			known[k.String()] = l
			m.links = append(m.links, l)
		} else {
			old.limit, old.supply = max(old.limit, l.limit), max(old.supply, l.supply)
		}
	}
	for _, v := range m.topo.Services {
		add(&link{from: []*box{m.of[v.ID]}, to: boxes(m, v.Tiers[0].Directors)})
		for i, t := range v.Tiers {
			l := link{method: t.Method.String(), label: t.Method.String() + " · " + t.Scheduler}
			if i < len(v.Tiers)-1 {
				l.from, l.to = boxes(m, t.Directors), boxes(m, v.Tiers[i+1].Directors)
				l.limit = rewrites(t, t.Forwarders())
				add(&l)
				continue
			}
			for _, c := range cells(t, func(d *topology.Director) string { return m.of[d.ID].id }) {
				l := l
				l.from, l.to = boxes(m, c.directors()), boxes(m, c.farms)
				l.limit = rewrites(t, c.forwarders)
				for _, f := range c.farms {
					l.supply += throughput(f)
				}
				add(&l)
			}
		}
	}
}

// A cell is a set of directors and pairs that feed the same farms.
type cell struct {
	forwarders []topology.Forwarder
	farms      []*topology.Farm
}

// directors of the cell, all members of its pairs.
func (c cell) directors() []*topology.Director {
	var out []*topology.Director
	for _, f := range c.forwarders {
		out = append(out, f.Members()...)
	}
	return out
}

// cells splits a last tier: by NAT a director or pair feeds the farms it is the
// gateway of, otherwise each feeds every farm. Those whose first directors have
// the same name by box stay together.
func cells(t *topology.Tier, box func(*topology.Director) string) []cell {
	if t.Method != topology.NAT {
		return []cell{{t.Forwarders(), t.Farms}}
	}
	at := map[string]int{}
	var out []cell
	for _, f := range t.Forwarders() {
		first := box(f.Members()[0])
		i, ok := at[first]
		if !ok {
			i = len(out)
			at[first] = i
			out = append(out, cell{})
		}
		out[i].forwarders = append(out[i].forwarders, f)
	}
	for _, f := range t.Farms {
		if !f.Gateway.IsValid() {
			continue
		}
		if i, ok := at[box(f.Gateway.Members()[0])]; ok {
			out[i].farms = append(out[i].farms, f)
		}
	}
	return out
}

// boxes are those of some objects, each once, in order.
func boxes[T interface {
	*topology.Director | *topology.Farm
}](m *model, objects []T) []*box {
	var out []*box
	seen := map[*box]bool{}
	for _, o := range objects {
		var b *box
		switch o := any(o).(type) {
		case *topology.Director:
			b = m.of[o.ID]
		case *topology.Farm:
			b = m.of[o.ID]
		}
		if !seen[b] {
			seen[b] = true
			out = append(out, b)
		}
	}
	return out
}

// rewrites is what directors can rewrite together where their tier does, in
// bytes per second, a pair as much as its weakest member; 0 where it does not.
func rewrites(t *topology.Tier, forwarders []topology.Forwarder) float64 {
	if t.Method != topology.NAT {
		return 0
	}
	sum := 0.0
	for _, f := range forwarders {
		sum += f.Rewrites()
	}
	return sum
}

// throughput is what a farm's servers deliver together, in bytes per second.
func throughput(f *topology.Farm) float64 {
	sum := 0.0
	for _, s := range f.Servers {
		sum += s.Throughput
	}
	return sum
}

// points are where an answer points to that is no service: its addresses, or
// the name or host.
func points(a *topology.Answer) []string {
	switch {
	case a.CNAME != "":
		return []string{bareName(a.CNAME)}
	case a.Target != "":
		return append([]string{bareName(a.Target)}, texts(a.Addrs)...)
	}
	return texts(a.Addrs)
}

// about is what a name's box says below the name.
func about(d *topology.Domain) []string {
	lines := []string{"TTL " + duration(d.TTL)}
	if len(d.Types) > 0 {
		lines = append(lines, strings.Join(d.Types, ", "))
	}
	return lines
}

// part says which answers a gets of a domain's, or which place among hosts.
func part(d *topology.Domain, a *topology.Answer) string {
	switch {
	case d.Hosts() && d.Alias(a):
		return "alias"
	case d.Hosts():
		return "priority " + strconv.Itoa(a.Priority)
	}
	return percent(share(d, a))
}

// share is the part of a domain's answers, 0 to 1, that a gets while all are up.
func share(d *topology.Domain, a *topology.Answer) float64 {
	weighted := slices.ContainsFunc(d.Policy.All(), func(s topology.Placed) bool {
		return s.Kind == topology.StepWeight || s.Kind == topology.StepSticky
	})
	sum := 0
	for _, x := range d.Answers {
		sum += x.Weight
	}
	if !weighted || sum == 0 {
		return 1 / float64(len(d.Answers))
	}
	return float64(a.Weight) / float64(sum)
}

// carries is what a link can carry in words: "8.93 for 4.8 MB/s".
func (l *link) carries() string {
	switch {
	case l.limit > 0 && l.supply > 0:
		return ratio(l.limit, l.supply)
	case l.limit > 0:
		return perSecond(l.limit)
	case l.supply > 0:
		return perSecond(l.supply)
	}
	return ""
}
