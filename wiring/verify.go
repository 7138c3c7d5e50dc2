package wiring

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"gslb/tiers"
	"gslb/topology"
)

// A Finding is one condition of a host that is not as it must be.
type Finding struct {
	Code   string   `json:"code"`   // stable: vip_missing
	Object string   `json:"object"` // an address, an interface, a parameter
	Wrong  string   `json:"wrong"`
	Why    string   `json:"why"`
	Mend   []string `json:"mend"` // commands, in order
}

// Verify returns what is wrong with a host for what it needs, in the order in
// which it would be built; nothing when all is well. What has come about by
// another way than ours is as good: a VIP on a dummy device, a tunnel of another
// name, a segment size that the link's MTU sees to. What follows from one
// finding alone is none of its own.
func Verify(n Needs, p Picture) []Finding {
	v := verifier{
		n: n, p: p, places: map[netip.Addr][]place{}, rules: map[Rule]bool{}, marked: map[Mark]Mark{},
		tunnels: map[string]string{}, broken: map[string]bool{}, missing: map[netip.Addr]bool{}, routeless: map[bool]bool{},
	}
	for i := range p.Links {
		for _, a := range p.Links[i].Addrs {
			v.places[a.Prefix.Addr()] = append(v.places[a.Prefix.Addr()], place{&p.Links[i], a})
		}
	}
	for _, r := range p.Rules {
		v.rules[r] = true
	}
	for _, m := range p.Marks {
		v.marked[Mark{Link: m.Link, VIP: m.VIP, Port: m.Port}] = m
	}
	v.links()
	v.sysctls()
	v.allTunnels()
	v.addresses()
	v.reversePath()
	for _, v6 := range []bool{false, true} {
		v.defaultRoute(v6)
		v.replyRoute(v6)
	}
	v.neighbours()
	v.proxies()
	v.marks()
	return v.found
}

type verifier struct {
	n Needs
	p Picture
	// What the picture has, to be found: there may be 10,000 VIPs.
	places map[netip.Addr][]place
	rules  map[Rule]bool
	marked map[Mark]Mark // without mark and handle -> with them

	tunnels map[string]string   // name in the wish -> the device that does it
	broken  map[string]bool     // names in the wish of tunnels that were found wanting
	missing map[netip.Addr]bool // VIPs that no device has
	// routeless are the families without the right default route.
	routeless map[bool]bool
	found     []Finding
}

// A place is an interface that has an address.
type place struct {
	*Link
	addr Addr
}

func (v *verifier) find(f Finding) { v.found = append(v.found, f) }

// device is the name of a link, false when the host has none with its address.
func (v *verifier) device(l tiers.Link) (string, bool) {
	if l.Holds.IsValid() {
		if at := v.places[l.Holds]; len(at) > 0 {
			return at[0].Name, true
		}
		return "", false
	}
	if name, ok := v.tunnels[l.Name]; ok {
		return name, true
	}
	return l.Name, true
}

// links are the interfaces with the node's own addresses.
func (v *verifier) links() {
	own := v.n.Links()
	for _, p := range v.n.Parts {
		if !slices.Contains(own, p.Link.Holds) {
			own = append(own, p.Link.Holds)
		}
	}
	for _, a := range own {
		if len(v.places[a]) > 0 {
			continue
		}
		prefix := netip.PrefixFrom(a, a.BitLen())
		for _, p := range v.n.Prefixes {
			if p.Contains(a) {
				prefix = netip.PrefixFrom(a, p.Bits())
			}
		}
		v.find(Finding{"address_missing", a.String(),
			fmt.Sprintf("no interface of this host has the address %s, which the file gives %s", a, v.n.Node),
			"what is sent to this node never gets here, and nothing that belongs on that interface can be looked at; perhaps --node names another host",
			[]string{fmt.Sprintf("%s address add %s dev INTERFACE", ip(a.Is6()), prefix)}})
	}
}

// A rule of what a parameter must be.
type parameter struct {
	code   string
	larger bool // that of the interface and that of "all", whichever is larger
	fine   func(have, want int) bool
	why    string
}

func equal(have, want int) bool   { return have == want }
func atLeast(have, want int) bool { return have >= want }

// parameters by the last part of their path; rp_filter belongs to a tunnel.
var parameters = map[string]parameter{
	"arp_ignore": {"arp_ignore", true, func(have, _ int) bool { return have == 1 || have == 2 || have == 8 },
		"the host answers ARP for the VIP: the router then sends some or all packets here, past the director, and everything seems to work"},
	"arp_announce": {"arp_announce", true, atLeast,
		"the host asks for its neighbours with the VIP as sender: they learn its MAC address for the VIP, and send packets here, past the director"},
	"accept_local": {"accept_local", true, atLeast,
		"the answer to a probe through the VIP comes from the VIP, an address of this host, and is dropped as a martian: every destination looks dead"},
	"send_redirects": {"send_redirects", false, equal,
		"a redirect teaches a server on the director's own segment to answer past it; the client then gets packets from an address it does not know"},
	"ip_forward": {"ip_forward", false, equal,
		"the host does not route: replies of the servers behind it are dropped here"},
	"forwarding": {"ip6_forward", false, equal,
		"the host does not route IPv6: replies of the servers behind it are dropped here"},
	"expire_nodest_conn": {"ipvs_sysctl", false, equal,
		"packets of a connection whose destination was taken out are dropped without a word; a UDP flow stays with the dead for ever"},
	"sloppy_tcp": {"ipvs_sysctl", false, equal,
		"connections that the other member of the pair began are refused here when it fails"},
	"expire_quiescent_template": {"ipvs_sysctl", false, equal,
		"clients that are kept by persistence are sent to a destination that drains or is down, as long as they come"},
}

func (v *verifier) sysctls() {
	for _, s := range v.n.Host.Sysctls {
		rule, ok := parameters[path.Base(s.Key)]
		device, known := "", true
		if s.Link != (tiers.Link{}) {
			device, known = v.device(s.Link)
		}
		if !ok || !known {
			continue
		}
		where := pathOf(s.Key, device)
		have, there := v.p.Sysctls[where]
		var want int
		fmt.Sscan(s.Value, &want)
		value := v.p.number(where)
		if rule.larger {
			value = v.p.larger(s.Key, device)
		}
		if there && rule.fine(value, want) {
			v.forwards(s, device)
			continue
		}
		f := Finding{rule.code, where, fmt.Sprintf("%s is %s", where, have), rule.why, []string{setSysctl(where, s.Value)}}
		switch {
		case !there && strings.HasPrefix(where, "net/ipv4/vs/"):
			f.Wrong = "there is no " + where + ": the kernel module ip_vs is not loaded"
			f.Mend = append([]string{"modprobe ip_vs"}, f.Mend...)
		case !there:
			f.Wrong = "there is no " + where + " in this kernel"
		case rule.larger:
			all := pathOf(s.Key, "all")
			f.Wrong += fmt.Sprintf(" and %s is %s, the larger one counts and must be %s", all, v.p.Sysctls[all], s.Value)
			if path.Base(s.Key) == "arp_ignore" && value > want { // 3 to 7 answer for addresses of other interfaces
				f.Mend = append(f.Mend, setSysctl(all, s.Value))
			}
		default:
			f.Wrong += ", it must be " + s.Value
		}
		v.find(f)
	}
}

// forwards looks at the interfaces of a director that routes: each of them can
// be left out by itself.
func (v *verifier) forwards(s tiers.Sysctl, device string) {
	if path.Base(s.Key) != "send_redirects" || device == "" || v.p.number("net/ipv4/ip_forward") == 0 {
		return
	}
	where := pathOf("net/ipv4/conf/%s/forwarding", device)
	if have, there := v.p.Sysctls[where]; there && have == "0" {
		v.find(Finding{"ip_forward", where, where + " is 0, it must be 1", parameters["ip_forward"].why, []string{setSysctl(where, "1")}})
	}
}

// by reports whether packets of a family come here by a method.
func (v *verifier) by(m topology.Method, v6 bool) bool {
	return slices.ContainsFunc(v.n.Parts, func(p Part) bool { return p.By == m && p.VIP.Is6() == v6 })
}

// over reports whether packets come here in packets of a family.
func (v *verifier) over(v6 bool) bool {
	return slices.ContainsFunc(v.n.Host.Tunnels, func(w tiers.Tunnel) bool { return w.Local.Is6() == v6 })
}

func (t *Tunnel) open() bool { return !t.Remote.IsValid() || t.Remote.IsUnspecified() }

func (t *Tunnel) is(w tiers.Tunnel) bool { return t.Local == w.Local && t.Remote == w.Remote }

// like reports whether a device is of the kind that w takes. Over IPv4 there is
// one for each family.
func (t *Tunnel) like(w tiers.Tunnel) bool {
	if w.Local.Is6() {
		return t.V6
	}
	return !t.V6 && (w.Six && t.Six || !w.Six && t.Four)
}

// takes reports whether a tunnel's device takes out the packets of its VIPs.
func (v *verifier) takes(t *Tunnel, w tiers.Tunnel) bool {
	return !slices.ContainsFunc(v.n.Host.Addresses, func(a tiers.Address) bool {
		return a.Link.Name == w.Name && (a.Addr.Is6() && !t.Six || a.Addr.Is4() && !t.Four)
	})
}

// allTunnels finds the device of each tunnel, by its ends.
func (v *verifier) allTunnels() {
	taken := map[string]bool{}
	for _, w := range v.n.Host.Tunnels {
		for _, l := range v.p.Links {
			if l.Tunnel != nil && l.Tunnel.like(w) && (l.Tunnel.is(w) || l.Filtered && l.Up && l.Tunnel.open()) {
				v.tunnels[w.Name] = l.Name
				taken[l.Name] = true
			}
		}
	}
	for _, w := range v.n.Host.Tunnels {
		name, ok := v.tunnels[w.Name]
		if !ok {
			v.broken[w.Name] = true
			v.noTunnel(w, taken)
			continue
		}
		l, _ := v.p.link(name)
		switch {
		case !l.Up:
			v.broken[w.Name] = true
			v.find(Finding{"tunnel_down", name, fmt.Sprintf("the tunnel %s from %s is down", name, w.Remote),
				"packets of that director are not taken out of the tunnel and are lost", append([]string{tunnelUp(name)}, v.inhabit(w, name)...)})
		case !v.takes(l.Tunnel, w):
			v.broken[w.Name] = true
			v.find(v.mode(l, w))
		}
	}
	for _, l := range v.p.Links {
		if l.Tunnel == nil || !l.Up || !l.Tunnel.open() || l.Filtered || taken[l.Name] || !v.over(l.Tunnel.V6) {
			continue
		}
		v.find(openTunnel(&l, nil))
	}
}

// mode is the finding of a tunnel with the right ends and another inside.
func (v *verifier) mode(l *Link, w tiers.Tunnel) Finding {
	return Finding{"tunnel_mode", l.Name, fmt.Sprintf("the tunnel %s from %s does not take out packets of the VIP's family", l.Name, w.Remote),
		"what that director sends is not taken out of the tunnel and is lost", append([]string{noTunnel(l.Name)}, v.build(w)...)}
}

// openTunnel is the finding of a device that takes packets from anybody.
func openTunnel(l *Link, instead []string) Finding {
	mend := noTunnel(l.Name)
	if l.Name == "tunl0" || l.Name == "ip6tnl0" || l.Name == "sit0" { // the kernel's own stay
		mend = "ip link set dev " + l.Name + " down"
	}
	return Finding{"tunnel_open", l.Name, fmt.Sprintf("the tunnel %s is up and bound to no sender", l.Name),
		"it takes packets in packets from anybody, who so gets past filters for the inner address; where a firewall drops what others send it, say so with --filtered",
		append([]string{mend}, instead...)}
}

// noTunnel finds why there is no tunnel as wanted: one that looks as if it was
// meant to be it, or none.
func (v *verifier) noTunnel(w tiers.Tunnel, taken map[string]bool) {
	i := slices.IndexFunc(v.p.Links, func(l Link) bool {
		if l.Tunnel == nil || l.Filtered || taken[l.Name] || l.Tunnel.V6 != w.Local.Is6() {
			return false
		}
		return l.Name == w.Name || l.Up && slices.ContainsFunc(v.n.Host.Addresses, func(a tiers.Address) bool {
			_, has := l.has(a.Addr)
			return a.Link.Name == w.Name && has
		})
	})
	if i < 0 {
		v.find(Finding{"tunnel_missing", w.Name, fmt.Sprintf("no tunnel takes packets from %s to %s", w.Remote, w.Local),
			"what that director sends is not taken out of the tunnel and is lost", v.build(w)})
		return
	}
	l := &v.p.Links[i]
	taken[l.Name] = true
	instead := append([]string{noTunnel(l.Name)}, v.build(w)...)
	switch {
	case l.Tunnel.is(w):
		v.find(v.mode(l, w))
	case l.Tunnel.open():
		v.find(openTunnel(l, v.build(w)))
	case l.Tunnel.Remote != w.Remote:
		v.find(Finding{"tunnel_remote", l.Name, fmt.Sprintf("the tunnel %s is bound to %s, and the director sends from %s", l.Name, l.Tunnel.Remote, w.Remote),
			"what the director sends is not taken out of the tunnel and is lost; what the other sends is taken", instead})
	default:
		v.find(Finding{"tunnel_local", l.Name, fmt.Sprintf("the tunnel %s is bound to the own address %s, and the director sends to %s", l.Name, l.Tunnel.Local, w.Local),
			"what the director sends is not taken out of the tunnel and is lost", instead})
	}
}

// build makes a tunnel with all that belongs to it.
func (v *verifier) build(w tiers.Tunnel) []string {
	out := []string{addTunnel(w)}
	for _, s := range v.n.Host.Sysctls {
		if s.Link.Name == w.Name {
			out = append(out, setSysctl(pathOf(s.Key, w.Name), s.Value))
		}
	}
	return append(append(out, tunnelUp(w.Name)), v.inhabit(w, w.Name)...)
}

// inhabit gives a tunnel's device its VIPs.
func (v *verifier) inhabit(w tiers.Tunnel, device string) []string {
	var out []string
	for _, a := range v.n.Host.Addresses {
		if a.Link.Name == w.Name {
			out = append(out, addAddress(a.Addr, device))
		}
	}
	return out
}

// addresses are the VIPs.
func (v *verifier) addresses() {
	wanted := map[netip.Addr][]tiers.Link{}
	for _, a := range v.n.Host.Addresses {
		wanted[a.Addr] = append(wanted[a.Addr], a.Link)
	}
	seen := map[netip.Addr]bool{}
	for _, a := range v.n.Host.Addresses {
		if seen[a.Addr] {
			continue
		}
		seen[a.Addr] = true
		if a.Link.Holds.IsValid() {
			v.owned(a, v.places[a.Addr])
		} else {
			v.held(a.Addr, wanted[a.Addr], v.places[a.Addr])
		}
		for _, l := range v.places[a.Addr] {
			v.six(a.Addr, l)
		}
	}
}

// owned is a VIP that this host answers for.
func (v *verifier) owned(a tiers.Address, holders []place) {
	device, ok := v.device(a.Link)
	if !ok {
		return
	}
	var others []place
	on := false
	for _, l := range holders {
		switch {
		case l.Name == device:
			on = true
		case l.Neighbours || !on:
			others = append(others, l)
		}
	}
	if on {
		others = slices.DeleteFunc(others, func(l place) bool { return !l.Neighbours })
	}
	switch {
	case !on && len(others) == 0:
		v.gone(a.Addr, []string{device})
	case !on:
		v.find(Finding{"vip_device", a.Addr.String(), fmt.Sprintf("the VIP %s is on %s and not on %s", a.Addr, names(others), device),
			"the director owns the VIP: its router finds it by ARP or neighbour discovery on the interface that leads there, and by no other for certain",
			append([]string{addAddress(a.Addr, device)}, leave(others)...)})
	case len(others) > 0:
		v.find(Finding{"vip_interfaces", a.Addr.String(), fmt.Sprintf("the VIP %s is on %s as well as on %s", a.Addr, names(others), device),
			"the host answers for it on both segments: packets come in where nothing was planned for them, and one copy stays behind when the VIP moves",
			leave(others)})
	}
}

// held is a VIP that this host accepts and somebody else answers for.
func (v *verifier) held(vip netip.Addr, wanted []tiers.Link, holders []place) {
	var places []string
	mended := true // the tunnels' own findings see to it
	for _, l := range wanted {
		device, _ := v.device(l)
		if !v.broken[l.Name] {
			places = append(places, device)
			mended = false
		}
	}
	var bad []place
	for _, l := range holders {
		if l.Neighbours {
			bad = append(bad, l)
		}
	}
	var add []string
	for _, device := range places {
		add = append(add, addAddress(vip, device))
	}
	switch {
	case len(bad) > 0:
		if len(bad) < len(holders) {
			add = nil
		}
		v.find(Finding{"vip_device", vip.String(), fmt.Sprintf("the VIP %s is on %s", vip, names(bad)),
			"there the host answers ARP or neighbour discovery for it, whatever arp_ignore says: the router sends packets here, past the director",
			append(add, leave(bad)...)})
	case len(holders) == 0 && !mended:
		v.gone(vip, places)
	}
}

func (v *verifier) gone(vip netip.Addr, places []string) {
	v.missing[vip] = true
	f := Finding{Code: "vip_missing", Object: vip.String(), Wrong: fmt.Sprintf("no interface has the VIP %s", vip),
		Why: "the kernel takes packets for the VIP only when it is an address of its own; it drops them, or sends them on to the next router"}
	for _, device := range places {
		f.Mend = append(f.Mend, addAddress(vip, device))
	}
	v.find(f)
}

// six is what else a VIP of IPv6 must be like on an interface that has it.
func (v *verifier) six(vip netip.Addr, at place) {
	a, l := at.addr, at.Link
	if !vip.Is6() {
		return
	}
	again := []string{noAddress(a.Prefix, l.Name), addAddress(vip, l.Name)}
	looks := l.Neighbours && v.p.larger("net/ipv6/conf/%s/accept_dad", l.Name) > 0
	switch {
	case a.Failed:
		v.find(Finding{"vip_dad", vip.String(), fmt.Sprintf("the VIP %s on %s has failed duplicate address detection", vip, l.Name),
			"several nodes have a VIP on purpose, and one that finds another never uses it: nothing is accepted for it", again})
	case a.Tentative:
		v.find(Finding{"vip_dad", vip.String(), fmt.Sprintf("the VIP %s on %s is tentative: duplicates are being looked for", vip, l.Name),
			"several nodes have a VIP on purpose; until the search ends nothing is accepted for it, and where it finds another, never", again})
	case looks && !a.NoDAD:
		v.find(Finding{"vip_dad", vip.String(), fmt.Sprintf("the VIP %s on %s was added without nodad", vip, l.Name),
			"several nodes have a VIP on purpose; the next time the interface comes up the search finds another, and the VIP is not used", again})
	case !a.Deprecated:
		v.find(Finding{"vip_preferred", vip.String(), fmt.Sprintf("the VIP %s on %s is a preferred address", vip, l.Name),
			"what the host sends of its own accord may start from the VIP, and the answer goes to whoever has it (RFC 6724)",
			[]string{addAddress(vip, l.Name)}})
	}
}

func leave(from []place) []string {
	var out []string
	for _, l := range from {
		out = append(out, noAddress(l.addr.Prefix, l.Name))
	}
	return out
}

func names(links []place) string {
	out := make([]string, len(links))
	for i, l := range links {
		out[i] = l.Name
	}
	return strings.Join(out, " and ")
}

// reversePath is the filter by source on the devices that take packets out of
// tunnels: clients are not reached through those.
func (v *verifier) reversePath() {
	const key = "net/ipv4/conf/%s/rp_filter"
	for _, w := range v.n.Host.Tunnels {
		device, ok := v.tunnels[w.Name]
		l, there := v.p.link(device)
		var vips []netip.Addr
		for _, a := range v.n.Host.Addresses {
			if a.Link.Name == w.Name && a.Addr.Is4() {
				vips = append(vips, a.Addr)
			}
		}
		if !ok || !there || v.broken[w.Name] || len(vips) == 0 {
			continue
		}
		switch filter := v.p.larger(key, device); {
		case filter == 1:
			v.find(Finding{"rp_filter", pathOf(key, device),
				fmt.Sprintf("%s is %s and %s is %s: the larger one counts, 1 is strict", pathOf(key, device), v.p.Sysctls[pathOf(key, device)], pathOf(key, "all"), v.p.Sysctls[pathOf(key, "all")]),
				"clients are not reached through the tunnel, so a strict filter drops every packet that comes out of it",
				[]string{setSysctl(pathOf(key, device), "2")}})
		case filter == 2 && !l.holds4():
			if slices.ContainsFunc(vips, func(a netip.Addr) bool { return v.missing[a] }) {
				continue // comes back with the VIP
			}
			var mend []string
			for _, a := range vips {
				mend = append(mend, addAddress(a, device))
			}
			v.find(Finding{"rp_filter", device, fmt.Sprintf("the reverse path filter of %s is 2, loose, and the device has no address", device),
				"a loose filter drops every packet that comes in by a device without an address", mend})
		}
	}
}

// replaceDefault leads to a default route, whatever the one that is there.
func replaceDefault(have Route, there bool, v6 bool, by string, mss int) []string {
	var out []string
	if there && v6 && have.Metric != 1024 && have.Via.IsValid() { // replaces only what has its own metric
		out = append(out, fmt.Sprintf("ip -6 route del default via %s dev %s metric %d", have.Via, have.Link, have.Metric))
	}
	return append(out, addRoute(v6, by, mss, 0))
}

// main is the default route that a family goes by: IPv4 may go by a gateway of
// IPv6 where there is no other.
func (v *verifier) main(v6 bool) (Route, bool) {
	have, there := v.p.Default(v6)
	if !v6 && (!there || !have.Via.IsValid()) && len(v.n.Host.Replies) > 0 {
		if six, ok := v.p.Default(true); ok {
			return six, true
		}
	}
	return have, there
}

// defaultRoute is by the director for NAT, and past it for TUN and DR.
func (v *verifier) defaultRoute(v6 bool) {
	have, there := v.main(v6)
	var wanted []tiers.Route
	for _, r := range v.n.Host.Routes {
		if r.Via.Is6() == v6 {
			wanted = append(wanted, r)
		}
	}
	for i, w := range wanted {
		device, ok := v.device(w.Link)
		if !ok {
			v.routeless[v6] = true
			return
		}
		if there && have.Via == w.Via && have.Link == device {
			if w.MSS != 0 && v.p.segment(have) > w.MSS {
				v.find(v.segment(have, w.MSS, addRoute(v6, by(v6, w.Via, device, have.OnLink), w.MSS, 0)))
			}
			return
		}
		if i == len(wanted)-1 {
			v.routeless[v6] = true
			why := "replies must pass the director, which puts the VIP back as their source: past it the client gets packets from an address it does not know"
			if there && v.isOf(have.Via, w.Via) {
				why = "that is an address of one member of the pair: when another member takes over, replies go on by this one, which does not put the VIP back any more"
			}
			v.find(Finding{"default_route", family(v6), fmt.Sprintf("the default route is %s, not the director %s on %s", describe(have, there), w.Via, device),
				why, replaceDefault(have, there, v6, by(v6, w.Via, device, false), w.MSS)})
		}
	}
	if len(wanted) > 0 || !v.by(topology.TUN, v6) && !v.by(topology.DR, v6) {
		return
	}
	part := v.n.Parts[slices.IndexFunc(v.n.Parts, func(p Part) bool { return (p.By == topology.TUN || p.By == topology.DR) && p.VIP.Is6() == v6 })]
	device, ok := v.device(part.Link)
	if !ok {
		device = "INTERFACE"
	}
	router := "via ROUTER dev " + device
	if gateway, ok := v.n.Gateways.Reach(part.VIP, part.By); ok {
		router = by(v6, gateway, device, false)
	}
	if !there {
		v.routeless[v6] = true
		v.find(Finding{"default_route", family(v6), "there is no default route", "the host answers clients itself, and has no way to them",
			[]string{addRoute(v6, router, 0, 0)}})
		return
	}
	for _, p := range v.n.Parts {
		if p.By != topology.TUN && p.By != topology.DR || p.VIP.Is6() != v6 {
			continue
		}
		for _, d := range p.From {
			if slices.Contains(d.Addrs, have.Via) {
				v.routeless[v6] = true
				v.find(Finding{"default_route", family(v6), fmt.Sprintf("the default route is %s, which is %s", describe(have, true), d.ID),
					"that director has the VIP too and drops the replies, which come from the VIP, as martians: they must go past it",
					replaceDefault(have, true, v6, router, 0)})
				return
			}
		}
	}
}

// isOf reports whether an address is another one of who has the gateway.
func (v *verifier) isOf(a, gateway netip.Addr) bool {
	return slices.ContainsFunc(v.n.Parts, func(p Part) bool {
		return p.By == topology.NAT && slices.ContainsFunc(p.From, func(d Peer) bool { return d.Near == gateway && slices.Contains(d.Addrs, a) })
	})
}

func family(v6 bool) string {
	if v6 {
		return "IPv6"
	}
	return "IPv4"
}

func describe(r Route, there bool) string {
	switch {
	case !there:
		return "missing"
	case !r.Via.IsValid():
		return "on " + r.Link
	}
	return fmt.Sprintf("by %s on %s", r.Via, r.Link)
}

// segment is the finding of segments too large for a tunnel.
func (v *verifier) segment(r Route, want int, mend string) Finding {
	return Finding{"segment_size", family(r.V6),
		fmt.Sprintf("the route %s advertises TCP segments of %d bytes, it must be %d at most", describe(r, true), v.p.segment(r), want),
		"the client's packets do not fit the tunnel's outer header: uploads hang where ICMP \"too big\" is filtered", []string{mend}}
}

// replyRoute is for what comes from a VIP behind a tunnel.
func (v *verifier) replyRoute(v6 bool) {
	main, there := v.main(v6)
	mss := 0
	for _, r := range v.n.Host.Replies {
		if r.From.Is6() == v6 && (mss == 0 || r.MSS < mss) {
			mss = r.MSS
		}
	}
	if mss == 0 || !there || v.routeless[v6] || !main.Via.IsValid() || main.V6 == v6 && v.p.segment(main) <= mss {
		return
	}
	mend := addRoute(v6, by(v6, main.Via, main.Link, main.OnLink), mss, tiers.ReplyTable)
	have, ok := v.p.replies(v6)
	switch {
	case !ok || have.Via != main.Via || have.Link != main.Link:
		v.find(Finding{"reply_route", fmt.Sprintf("table %d", tiers.ReplyTable),
			fmt.Sprintf("the default route for replies is %s, the host's is %s", describe(have, ok), describe(main, true)),
			"replies from the VIP go another way than the host's, or with segments that leave no room for the tunnel's outer header", []string{mend}})
	case v.p.segment(have) > mss:
		v.find(v.segment(have, mss, mend))
	}
	for _, r := range v.n.Host.Replies {
		if r.From.Is6() != v6 {
			continue
		}
		var lost, mend []string
		for _, rule := range replyRules(r.From) {
			if !v.rules[rule] {
				lost = append(lost, fmt.Sprint(rule.Preference))
				mend = append(mend, addRule(rule))
			}
		}
		if len(lost) > 0 {
			v.find(Finding{"reply_rules", r.From.String(), fmt.Sprintf("rule %s for packets from %s is missing", strings.Join(lost, " and "), r.From),
				"replies from the VIP do not take the route with small segments, so uploads hang where ICMP \"too big\" is filtered; or take it where a nearer one is there", mend})
		}
	}
}

// neighbours are those at the other end of DR.
func (v *verifier) neighbours() {
	seen := map[netip.Addr]bool{}
	look := func(p Part, peers []Peer, what string) {
		device, ok := v.device(p.Link)
		if !ok {
			return
		}
		for _, peer := range peers {
			way, there := v.p.Ways[peer.Near]
			if seen[peer.Near] || there && !way.Via.IsValid() {
				continue
			}
			seen[peer.Near] = true
			wrong := fmt.Sprintf("this host has no way to %s, %s", peer.Near, peer.ID)
			if there {
				wrong = fmt.Sprintf("this host gets to %s, %s, by %s", peer.Near, peer.ID, way.Via)
			}
			v.find(Finding{"on_link", peer.Near.String(), wrong, what,
				[]string{fmt.Sprintf("%s route replace %s dev %s", ip(peer.Near.Is6()), host(peer.Near), device)}})
		}
	}
	for _, p := range v.n.Parts {
		if p.By == topology.DR {
			look(p, p.From, "DR changes nothing but the MAC address, so the director must be on the same segment; else its packets never get here")
		}
		look(p, p.To, "DR changes nothing but the MAC address, so a destination must be on the same segment; the router in between sends the packet back here, round and round")
	}
}

// proxies are hosts that answer for others.
func (v *verifier) proxies() {
	const key = "net/ipv4/conf/%s/proxy_arp"
	seen := map[string]bool{}
	for _, p := range v.n.Parts {
		device, ok := v.device(p.Link)
		if !ok || seen[device] || p.VIP.Is6() || p.By != topology.TUN && p.By != topology.DR || v.p.larger(key, device) == 0 {
			continue
		}
		seen[device] = true
		f := Finding{Code: "proxy_arp", Object: pathOf(key, device), Why: "the host answers ARP for whatever it has a route to by another interface, VIPs of others among it: their packets come here"}
		for _, link := range []string{"all", device} {
			if where := pathOf(key, link); v.p.number(where) != 0 {
				f.Wrong = fmt.Sprintf("%s is %s, it must be 0", where, v.p.Sysctls[where])
				f.Mend = append(f.Mend, setSysctl(where, "0"))
			}
		}
		v.find(f)
	}
}

// marks are what tells a director the ports of one service.
func (v *verifier) marks() {
	for _, w := range v.n.Host.Marks {
		device, ok := v.device(w.Link)
		if !ok || v.broken[w.Link.Name] {
			continue
		}
		have, there := v.marked[Mark{Link: device, VIP: w.VIP, Port: w.Port}]
		f := Finding{"mark", fmt.Sprintf("%s %s on %s", w.VIP, w.Port, device), "",
			"the kernel takes the ports of the service for one by their mark; packets without it find no virtual service and are refused",
			[]string{addHook(device), markFilter(w, device, "add", 0)}}
		switch {
		case !there:
			f.Wrong = fmt.Sprintf("nothing marks what comes in by %s for %s %s with %d", device, w.VIP, w.Port, w.Mark)
		case have.Mark != w.Mark:
			f.Wrong = fmt.Sprintf("what comes in by %s for %s %s is marked with %d, it must be %d", device, w.VIP, w.Port, have.Mark, w.Mark)
			f.Mend = []string{markFilter(w, device, "replace", have.Handle)}
		default:
			continue
		}
		v.find(f)
	}
}
