package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gslb/tiers"
	"gslb/topology"
)

// directorNode is what changes at a director, which one of the two sides may
// not have, and the part of it that is its forwarding table.
func directorNode(id string, old, now *director) (Node, tiers.Plan) {
	n := Node{ID: id, Action: action(old != nil, now != nil), Changes: []Change{}}
	var was, is director
	owner := tiers.Owner{}
	for _, side := range []struct{ from, to *director }{{old, &was}, {now, &is}} {
		if side.from != nil {
			*side.to = *side.from
			owner = owner.With(side.from.owner)
		}
	}
	if old != nil && now != nil {
		n.Changes = append(n.Changes, leaves("node", "", directorLeaves(old), directorLeaves(now))...)
		n.Changes = append(n.Changes, pairChanges(old, now)...)
		n.Changes = append(n.Changes, tierChanges(old, now)...)
		n.Changes = append(n.Changes, checkChanges(directorChecks(old), directorChecks(now))...)
	}
	n.Changes = append(n.Changes, hostChanges(was.host, is.host)...)
	plan := tiers.Diff(was.table, is.table, owner)
	for _, c := range plan {
		n.Changes = append(n.Changes, forwarding(c, old, now))
	}
	return n, plan
}

func directorLeaves(d *director) []leaf {
	list := []leaf{
		{"address", d.Addrs.String()}, {"network", d.Network.ID}, {"inside", ""},
		{"timeouts.tcp", lasting(d.Timeouts.TCP)}, {"timeouts.tcp_fin", lasting(d.Timeouts.TCPFin)}, {"timeouts.udp", lasting(d.Timeouts.UDP)},
		{"gateway", gateways(d.Network)}, {"cluster", ""},
	}
	if d.Inside != nil {
		list[2].value = d.Inside.Addrs.String() + " on " + d.Inside.Network.ID
	}
	if c := d.cluster; c != nil {
		list[len(list)-1].value = fmt.Sprintf("port %d, stale %s, key %s", c.Port, span(c.Stale), c.Key)
	}
	return list
}

// gateways are those of a network that the file names.
func gateways(n *topology.Network) string {
	if n == nil || !n.Routed {
		return ""
	}
	return n.Gateways.String()
}

// tierChanges are the changes of tiers that a director has before and after, as
// far as they are not in its table while everything is up.
func tierChanges(old, now *director) []Change {
	was := map[stage]*topology.Tier{}
	old.tiers(func(at stage, _ string, tier *topology.Tier) { was[at] = tier })
	var out []Change
	now.tiers(func(at stage, id string, tier *topology.Tier) {
		if before := was[at]; before != nil {
			out = append(out, leaves("tier", id, tierLeaves(before), tierLeaves(tier))...)
		}
	})
	return out
}

func tierLeaves(t *topology.Tier) []leaf {
	list := []leaf{{"quorum", ""}, {"sorry", ""}, {"inhibit", ""}}
	if q := t.Quorum; q != nil {
		list[0].value = fmt.Sprintf("%s, restored at %s", q.MinUp, q.Restore)
		if q.ByWeight {
			list[0].value += " by weight"
		}
		if q.Keep {
			list[0].value += ", kept when lost"
		}
	}
	var sorry []string
	for _, s := range t.Sorry {
		text := "localhost"
		if s.Addr.IsValid() {
			text = s.Addr.String()
		}
		if s.Port != 0 {
			text += " port " + strconv.Itoa(int(s.Port))
		}
		sorry = append(sorry, text)
	}
	list[1].value = words(sorry)
	if t.Inhibit != nil {
		list[2].value = strconv.FormatBool(*t.Inhibit)
	}
	return list
}

// forwarding is a change of a forwarding table in the words of the file.
func forwarding(c tiers.Change, old, now *director) Change {
	out := Change{Text: c.String()[2:], Kind: "service"}
	d := now
	switch c.Op {
	case tiers.AddService:
		out.Action, out.After = Add, c.Service.String()
	case tiers.EditService:
		out.Action, out.Before, out.After = Modify, c.ServiceBefore.String(), c.Service.String()
	case tiers.DeleteService:
		out.Action, out.Before, d = Remove, c.Service.String(), old
		if n := len(old.rows[c.Service.Key].Destinations); n > 0 {
			out.Text += " with " + number(n, "destination")
		}
	case tiers.AddDestination:
		out.Kind, out.Action, out.After = "destination", Add, c.Destination.String()
	case tiers.EditDestination:
		out.Kind, out.Action, out.Before, out.After = "destination", Modify, c.DestinationBefore.String(), c.Destination.String()
	case tiers.DeleteDestination:
		out.Kind, out.Action, out.Before, d = "destination", Remove, c.Destination.String(), old
	}
	switch {
	case !c.Service.Key.VIP.IsValid():
		out.Kind = "probe"
	case out.Kind == "destination":
		out.Object = d.who(c.Destination.Addr.Addr())
	default:
		for _, svc := range d.services {
			if slices.Contains(keys(svc), c.Service.Key) {
				out.Object = svc.ID
			}
		}
	}
	return out
}

// A hostLine is something of a host, with its value and where it is, as far as
// it has them.
type hostLine struct{ kind, what, value, where string }

func (l hostLine) text(value string) string { return join(l.what, value, l.where) }

func hostLines(h tiers.Host) []hostLine {
	var out []hostLine
	for _, s := range h.Sysctls {
		l := hostLine{"sysctl", "sysctl " + s.Key, "= " + s.Value, ""}
		switch {
		case s.Link.Name != "":
			l.what = strings.Replace(l.what, "%s", s.Link.Name, 1)
		case s.Link.Holds.IsValid():
			l.what, l.where = strings.Replace(l.what, "%s", "*", 1), link(s.Link)
		}
		out = append(out, l)
	}
	for _, t := range h.Tunnels {
		out = append(out, hostLine{"tunnel", fmt.Sprintf("tunnel %s from %s to %s", t.Name, t.Remote, t.Local), "", ""})
	}
	for _, a := range h.Addresses {
		out = append(out, hostLine{"address", "address " + a.Addr.String(), "", link(a.Link)})
	}
	for _, r := range h.Routes {
		out = append(out, hostLine{"route", "default route by " + r.Via.String(), segments(r.MSS), ""})
	}
	for _, r := range h.Replies {
		out = append(out, hostLine{"reply", "replies from " + r.From.String(), segments(r.MSS), ""})
	}
	for _, m := range h.Marks {
		out = append(out, hostLine{"mark", fmt.Sprintf("mark packets to %s %s", m.VIP, m.Port), "0x" + strconv.FormatUint(uint64(m.Mark), 16), link(m.Link)})
	}
	return out
}

func segments(mss int) string {
	if mss == 0 {
		return ""
	}
	return "segments of " + strconv.Itoa(mss)
}

func link(l tiers.Link) string {
	if l.Name != "" {
		return "on " + l.Name
	}
	return "on the interface with " + l.Holds.String()
}

func hostChanges(old, now tiers.Host) []Change {
	if sameHost(old, now) {
		return nil
	}
	type key struct{ what, where string }
	was := map[key]hostLine{}
	for _, l := range hostLines(old) {
		was[key{l.what, l.where}] = l
	}
	var out []Change
	for _, l := range hostLines(now) {
		before, there := was[key{l.what, l.where}]
		delete(was, key{l.what, l.where})
		switch {
		case !there:
			out = append(out, Change{Action: Add, Kind: l.kind, Text: l.text(l.value), After: l.value})
		case before.value != l.value:
			arrow := or(before.value, "segments of the link's size") + " => " + or(l.value, "segments of the link's size")
			out = append(out, Change{Action: Modify, Kind: l.kind, Text: l.text(arrow), Before: before.value, After: l.value})
		}
	}
	for _, l := range hostLines(old) {
		if _, left := was[key{l.what, l.where}]; left {
			out = append(out, Change{Action: Remove, Kind: l.kind, Text: l.text(l.value), Before: l.value})
		}
	}
	return out
}

// realServers adds what changes in the kernels of real servers. One that goes
// is nobody's business any more. A real server is known by its farm and its
// addresses: another number in a list does not make it another host.
func (p *Plan) realServers(old, now *side) {
	type key struct{ farm, addrs string }
	type at struct {
		server *topology.Server
		part   *topology.Topology
	}
	was := map[key]at{}
	for _, f := range old.topo.Farms {
		part := &topology.Topology{Services: old.ofFarm[f]}
		for _, s := range f.Servers {
			was[key{f.ID, s.Addrs.String()}] = at{s, part}
		}
	}
	for _, f := range now.topo.Farms {
		part := &topology.Topology{Services: now.ofFarm[f]}
		for _, s := range f.Servers {
			var host tiers.Host
			var changes []Change
			before, there := was[key{f.ID, s.Addrs.String()}]
			if there {
				host = tiers.ServerHost(before.part, before.server)
				changes = leaves("node", "", serverLeaves(before.server), serverLeaves(s))
			}
			if changes = append(changes, hostChanges(host, tiers.ServerHost(part, s))...); len(changes) > 0 {
				p.RealServers = append(p.RealServers, Node{ID: s.ID, Action: action(there, true), Changes: changes})
			}
		}
	}
}

// serverLeaves are what a real server has besides what follows from services:
// where its own replies go.
func serverLeaves(s *topology.Server) []leaf {
	if s.Farm.Gateway.IsValid() {
		return []leaf{{"gateway", ""}} // a default route, which the host has
	}
	return []leaf{{"gateway", gateways(s.Farm.Network)}}
}

func sameHost(a, b tiers.Host) bool {
	return slices.Equal(a.Sysctls, b.Sysctls) && slices.Equal(a.Tunnels, b.Tunnels) && slices.Equal(a.Addresses, b.Addresses) &&
		slices.Equal(a.Routes, b.Routes) && slices.Equal(a.Replies, b.Replies) && slices.Equal(a.Marks, b.Marks)
}

// nameservers adds what changes at nameservers, besides what they answer.
func (p *Plan) nameservers(old, now *topology.Topology) {
	every := append(placeChanges(old, now), checkChanges(answerChecks(old), answerChecks(now))...)
	both(old.Nameservers, now.Nameservers, func(n *topology.Nameserver) string { return n.ID }, func(id string, before, after *topology.Nameserver) {
		n := Node{ID: id, Action: action(before != nil, after != nil)}
		if n.Action == Modify {
			n.Changes = append(leaves("node", "", nameserverLeaves(before), nameserverLeaves(after)), every...)
			if len(n.Changes) == 0 {
				return
			}
		} else {
			list := nameserverLeaves(before)
			if after != nil {
				list = nameserverLeaves(after)
			}
			value := text(list)
			n.Changes = []Change{{Action: n.Action, Kind: "node", Text: value, After: value}}
			if after == nil {
				n.Changes[0].Before, n.Changes[0].After = value, ""
			}
		}
		p.Nameservers = append(p.Nameservers, n)
	})
}

func nameserverLeaves(n *topology.Nameserver) []leaf {
	if n == nil {
		return nil
	}
	list := []leaf{{"addresses", topology.Addrs(n.Addrs).String()}, {"region", ""}, {"name", n.Name}}
	if n.Region != nil {
		list[1].value = n.Region.Name
	}
	return list
}

// placeChanges are the changes of what every nameserver knows of where clients
// are, and of whose they are.
func placeChanges(old, now *topology.Topology) []Change {
	var was, is topology.GeoIP
	if old.GeoIP != nil {
		was = *old.GeoIP
	}
	if now.GeoIP != nil {
		is = *now.GeoIP
	}
	out := leaves("node", "", []leaf{{"geoip.city", was.City}, {"geoip.asn", was.ASN}}, []leaf{{"geoip.city", is.City}, {"geoip.asn", is.ASN}})
	id := func(r *topology.Region) string { return r.ID }
	both(old.Regions, now.Regions, id, func(id string, before, after *topology.Region) {
		out = append(out, leaves("region", id, regionLeaves(before), regionLeaves(after))...)
	})
	// Of two that claim the same clients the first has them.
	if a, b := order(old.Regions, now.Regions, id), order(now.Regions, old.Regions, id); a != b {
		out = append(out, Change{Action: Modify, Kind: "region", Text: "order of regions " + a + " => " + b, Before: a, After: b})
	}
	return out
}

func regionLeaves(r *topology.Region) []leaf {
	if r == nil {
		return nil
	}
	var location string
	if r.Location != nil {
		location = fmt.Sprintf("%g, %g", r.Location.Lat, r.Location.Lon)
	}
	var fallback []string
	for _, other := range r.Fallback {
		fallback = append(fallback, other.ID)
	}
	return []leaf{
		{"location", location}, {"continents", words(r.Continents)}, {"countries", words(r.Countries)},
		{"asns", list(r.ASNs)}, {"prefixes", list(r.Prefixes)}, {"fallback", words(fallback)},
	}
}

// list is values with commas between them.
func list[T any](values []T) string {
	var out []string
	for _, v := range values {
		out = append(out, fmt.Sprint(v))
	}
	return words(out)
}
