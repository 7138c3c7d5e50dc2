package plan

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gslb/tiers"
	"gslb/topology"
)

// A Danger is something about a plan that somebody should have looked at before
// it is carried out.
type Danger struct {
	// Code is one of service_removed, vip_moves, vip_removed, last_server,
	// farm_drained, region_left, domain_removed, zone_removed, max_remove, renumbered,
	// gateway_changed, pair_splits, one_nameserver and one_director.
	Code   string `json:"code"`
	Object string `json:"object"`
	Text   string `json:"text"`   // what happens to the object
	Detail string `json:"detail"` // what follows, the same for all of a code
}

// details are what follows from a danger.
var details = map[string]string{
	"service_removed": "Connections to it end, and names in caches lead there for as long as their TTL.",
	"vip_removed":     "Connections to it end, and names in caches lead there for as long as their TTL.",
	"vip_moves":       "The director that gets it does not know its connections: they end. Both must change at the same time, else two hosts answer for the VIP, or none.",
	"last_server":     "Its clients are refused.",
	"farm_drained":    "Nothing new goes there; what is left of the services takes it all.",
	"gateway_changed": "Until `director realserver apply` has run on each of them, replies go by the old gateway and connections by the new one stall.",
	"pair_splits":     "Until the last of its members runs with it, they do not hear each other, and more than one holds the addresses: reload all at the same time.",
	"region_left":     "What takes its clients must carry them.",
	"domain_removed":  "Clients that look for it find nothing, or what a wildcard record gives.",
	"zone_removed":    "Queries for any name in it are refused.",
	"max_remove":      "Make smaller changes one after the other, or raise max_remove in the topology block.",
	"renumbered":      "Addresses with a number mean other objects than before, in this plan, in logs and in commands. A for_each over a map or a set of names gives each a name that stays.",
	"one_nameserver":  "When it dies no name resolves.",
	"one_director":    "When it dies the service is down.",
}

func (p *Plan) danger(code, object, format string, args ...any) {
	p.Dangers = append(p.Dangers, Danger{code, object, fmt.Sprintf(format, args...), details[code]})
}

func (p *Plan) dangers(old, now *side, steps map[string]tiers.Plan) {
	p.serviceDangers(old, now)
	p.nameDangers(old.topo, now.topo)
	p.removals(old, now, steps)
	p.pairDangers(old.topo, now.topo)
	p.renumbered(old.topo, now.topo)
	p.redundancy(old.topo, now.topo)
}

func (p *Plan) serviceDangers(old, now *side) {
	both(old.topo.Services, now.topo.Services, func(s *topology.Service) string { return s.ID }, func(id string, before, after *topology.Service) {
		if before == nil {
			return
		}
		var lost []string
		for _, k := range keys(before) {
			is := now.at[k]
			if is == nil {
				lost = append(lost, k.String())
				continue
			}
			if a, b := before.Tiers[0].Forwarders()[0], is.Tiers[0].Forwarders()[0]; moves(a, b) {
				p.danger("vip_moves", id, "%s moves from %s to %s", k, a.ID(), b.ID())
			}
		}
		switch {
		case after == nil && len(lost) > 0:
			p.danger("service_removed", id, "removed with %s", and(lost))
		case len(lost) > 0:
			p.danger("vip_removed", id, "nobody forwards %s any more", and(lost))
		}
	})
	both(old.topo.Directors, now.topo.Directors, func(d *topology.Director) string { return d.ID }, func(id string, before, after *topology.Director) {
		if before == nil || after == nil {
			return
		}
		for _, s := range now.directors[id].table.Services {
			was := old.directors[id].rows[s.Key]
			if svc := now.at[s.Key]; was != nil && svc != nil && svc.Tiers[0].Directors[0].ID == id && usable(*was) > 0 && usable(s) == 0 {
				p.danger("last_server", id, "%s loses its last destination with a weight", s.Key)
			}
		}
	})
	was := map[string]*topology.Farm{}
	for _, f := range old.topo.Farms {
		was[f.ID] = f
	}
	for _, f := range now.topo.Farms {
		b := was[f.ID]
		if b == nil {
			continue
		}
		if hasWeight(b) && !hasWeight(f) && len(now.ofFarm[f]) > 0 {
			p.danger("farm_drained", f.ID, "has no real server with a weight any more")
		}
		if was, is := b.Gateway.On(b.Network), f.Gateway.On(f.Network); was != nil && is != nil && was.String() != is.String() {
			p.danger("gateway_changed", f.ID, "the gateway of %s changes from %s (%s) to %s (%s)", number(len(f.Servers), "real server"),
				b.Gateway.ID(), was, f.Gateway.ID(), is)
		}
	}
}

// moves reports whether a VIP goes to who cannot have known its connections: to
// no director that may have had it before.
func moves(before, after topology.Forwarder) bool {
	was := map[string]bool{}
	for _, d := range before.Members() {
		was[d.ID] = true
	}
	for _, d := range after.Members() {
		if was[d.ID] {
			return false
		}
	}
	return true
}

func usable(s tiers.Service) int {
	n := 0
	for _, d := range s.Destinations {
		if d.Weight > 0 {
			n++
		}
	}
	return n
}

func hasWeight(f *topology.Farm) bool {
	for _, s := range f.Servers {
		if s.Weight > 0 {
			return true
		}
	}
	return false
}

func (p *Plan) nameDangers(old, now *topology.Topology) {
	zones, domains := map[string]bool{}, map[string]bool{}
	for _, z := range now.Zones {
		zones[z.Name] = true
	}
	for _, d := range now.Domains {
		domains[d.Name] = true
	}
	for _, z := range old.Zones {
		if !zones[z.Name] {
			p.danger("zone_removed", z.ID, "%s is removed", z.Name)
		}
	}
	for _, d := range old.Domains {
		if !domains[d.Name] && zones[d.Zone.Name] {
			p.danger("domain_removed", d.ID, "%s is removed", d.Name)
		}
	}
	for _, d := range p.Impact.Domains {
		for _, s := range d.Shares {
			if s.Before > 0 && s.After == 0 {
				p.danger("region_left", d.Domain, "all clients that it leads to %s (%s of queries) go elsewhere", s.Place, percent(s.Before))
			}
		}
	}
}

// removals are those that take more out of a forwarding table than the file allows.
func (p *Plan) removals(old, now *side, steps map[string]tiers.Plan) {
	for _, n := range p.Directors {
		before := old.directors[n.ID]
		if before == nil {
			continue
		}
		all, gone := 0, 0
		for _, s := range before.table.Services {
			if s.Key.VIP.IsValid() {
				all += len(s.Destinations)
			}
		}
		for _, c := range steps[n.ID] {
			switch {
			case !c.Service.Key.VIP.IsValid():
			case c.Op == tiers.DeleteDestination:
				gone++
			case c.Op == tiers.DeleteService:
				gone += len(before.rows[c.Service.Key].Destinations)
			}
		}
		if part := float64(gone) / float64(max(all, 1)); part > now.topo.MaxRemove {
			p.danger("max_remove", n.ID, "%d of %s go from its forwarding table (%s), max_remove allows %s", gone, number(all, "destination"), percent(part), percent(now.topo.MaxRemove))
		}
	}
}

// renumbered finds objects that are numbered by their place in a list, where
// one that stays gets the number of another.
func (p *Plan) renumbered(old, now *topology.Topology) {
	index := func(t *topology.Topology, f func(list string, index int, addrs string)) {
		add := func(id string, addrs topology.Addrs) {
			open := strings.LastIndexByte(id, '[')
			if open < 0 || !strings.HasSuffix(id, "]") {
				return
			}
			if n, err := strconv.Atoi(id[open+1 : len(id)-1]); err == nil {
				f(id[:open], n, addrs.String())
			}
		}
		for _, d := range t.Directors {
			add(d.ID, d.Addrs)
		}
		for _, n := range t.Nameservers {
			add(n.ID, n.Addrs)
		}
		for _, f := range t.Farms {
			for _, s := range f.Servers {
				add(s.ID, s.Addrs)
			}
		}
	}
	type key struct{ list, addrs string }
	was := map[key]int{}
	index(old, func(list string, n int, addrs string) { was[key{list, addrs}] = n })
	moved := map[string]int{}
	example := map[string]string{}
	var order []string
	index(now, func(list string, n int, addrs string) {
		before, there := was[key{list, addrs}]
		if !there || before == n {
			return
		}
		if moved[list]++; moved[list] == 1 {
			order = append(order, list)
			example[list] = fmt.Sprintf("%s was [%d] and is [%d]", addrs, before, n)
		}
	})
	for _, list := range order {
		text := example[list]
		if n := moved[list] - 1; n > 0 {
			text += ", and " + thousands(n) + " more likewise"
		}
		p.danger("renumbered", list, "%s", text)
	}
}

func (p *Plan) redundancy(old, now *topology.Topology) {
	if len(old.Nameservers) > 1 && len(now.Nameservers) == 1 {
		p.danger("one_nameserver", now.Nameservers[0].ID, "the only nameserver that is left")
	}
	was := map[string]*topology.Service{}
	for _, s := range old.Services {
		was[s.ID] = s
	}
	for _, s := range now.Services {
		b := was[s.ID]
		if b == nil {
			continue
		}
		for i, tier := range s.Tiers {
			if i < len(b.Tiers) && len(b.Tiers[i].Directors) > 1 && len(tier.Directors) == 1 {
				p.danger("one_director", s.ID, "only %s is left in tier %q", tier.Directors[0].ID, tier.Name)
			}
		}
	}
}

func number(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%s %ss", thousands(n), noun)
}

// percent is a part of 1 in percent, to a tenth, never rounded to none or all.
func percent(part float64) string {
	tenths := math.Round(part * 1000)
	switch {
	case part > 0 && tenths == 0:
		return "less than 0.1 %"
	case part < 1 && tenths == 1000:
		tenths = 999
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", tenths/10), ".0") + " %"
}

// thousands is a number with a comma before every three digits.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
