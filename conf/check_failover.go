package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/zclconf/go-cty/cty"

	"gslb/topology"
)

// A forwarder is a director of a tier: named itself, or as a member of a
// failover pair that is named.
type forwarder struct {
	*node
	pair *node // nil: named itself
	nth  int   // of the pair's members
	it   item  // what names it
}

// forwarders lists the directors of a tier, those of its pairs among them.
func forwarders(t *node) []forwarder {
	var out []forwarder
	for _, it := range t.list("directors") {
		n := it.x.(*node)
		if n.sch != failoverBlock {
			out = append(out, forwarder{node: n, it: it})
			continue
		}
		for nth, m := range n.nodes("members") {
			out = append(out, forwarder{m, n, nth, it})
		}
	}
	return out
}

// who is how a sentence names the forwarder: the pair, as long as nothing
// tells its members apart.
func (f forwarder) who() string {
	if f.pair != nil && f.nth == 0 {
		return f.pair.id
	}
	return f.id
}

// head is what the tier names: the director or the pair. It is also what the
// farms behind a NAT tier name.
func (f forwarder) head() *node {
	if f.pair != nil {
		return f.pair
	}
	return f.node
}

// isAmong reports whether a director is one of the forwarders.
func isAmong(fs []forwarder, d *node) bool {
	return slices.ContainsFunc(fs, func(f forwarder) bool { return f.node == d })
}

// paired reports whether a tier names a pair whose members are known.
func paired(t *node) bool {
	return slices.ContainsFunc(forwarders(t), func(f forwarder) bool { return f.pair != nil })
}

// segmented reports whether the members of a pair are known to be on one segment.
func segmented(pair *node) bool {
	members := pair.nodes("members")
	for _, m := range members {
		if m.ref("network") == nil || m.ref("network") != members[0].ref("network") {
			return false
		}
	}
	return len(members) > 0
}

// A taking is where a pair takes an id or an address for itself.
type taking struct {
	pair *node
	it   item
}

// checkFailovers looks at each pair by itself and at what two pairs must not
// have in common. What the services make of them is for checkServices.
func (p *parser) checkFailovers() {
	if len(p.all("failover")) == 0 {
		return
	}
	routers := map[[2]any]taking{} // by segment and virtual router id
	var sound []*node
	vips := map[netip.Addr]taking{}
	served := map[netip.Addr]bool{} // of services, which say themselves what is wrong with them
	for _, s := range p.all("virtual_service") {
		for _, vip := range s.addrs("vip") {
			served[vip] = true
		}
	}
	for _, f := range p.all("failover") {
		if !f.gave("vips") && !f.gave("address") && !f.raw.known["vips"] && !f.raw.known["address"] {
			p.report(fault{
				code: "GS002", at: f.raw.decl, what: "vips", detail: f.id + " needs vips, as a first tier, or address, behind another tier.",
			})
		}
		good := p.checkMembers(f)
		p.checkVRRP(f)
		p.checkHold(f)
		for _, t := range f.of("track") {
			p.checkTrack(t)
		}
		for _, it := range f.list("vips") {
			p.checkPairVIP(f, it, vips, served)
		}
		if !good {
			continue
		}
		sound = append(sound, f)
		for _, leg := range pairLegs(f) {
			p.checkMemberFamilies(f, leg)
		}
		p.checkInside(f)
		vrrp := f.groups["vrrp"]
		if id := routerID(f); id != 0 && (!vrrp.gave("id") || vrrp.val("id") != nil) {
			at := f.raw.decl
			if vrrp.gave("id") {
				at = vrrp.at("id")
			}
			p.checkRouter(f, item{id, at}, routers)
		}
	}
	p.checkSyncs(sound)
}

// checkRouter reports a virtual router id that another pair has on a segment.
func (p *parser) checkRouter(f *node, id item, routers map[[2]any]taking) {
	for _, leg := range pairLegs(f) {
		for _, four := range leg.families() {
			k := [2]any{leg.on, [2]any{id.x, four}}
			first, ok := routers[k]
			if !ok {
				routers[k] = taking{f, id}
				continue
			}
			if a, b := first.pair.addrs("vips"), f.addrs("vips"); len(a) > 0 && len(b) > 0 && a[0] == b[0] && !f.groups["vrrp"].gave("id") {
				return // said of the VIP
			}
			p.report(fault{
				code: "GS250", at: id.at, detail: fmt.Sprintf("%s and %s are both virtual router %v on %s: each would take the other's advertisements for its own.", first.pair.id, f.id, id.x, leg.on.id),
				help: "Give each pair of a segment an id of its own, from 1 to 255.",
				rel:  []Related{{first.pair.id + " has it", first.it.at}},
			})
			return
		}
	}
}

// A pairLeg is what a pair has on one segment.
type pairLeg struct {
	on    *node  // network
	items []item // addresses that move
	known bool   // all of them are
	of    func(member *node) *node
}

// pairLegs are those of a pair whose members are on one segment: where they are,
// and inside.
func pairLegs(f *node) []pairLeg {
	out := []pairLeg{{
		on: f.nodes("members")[0].ref("network"), items: slices.Concat(f.list("vips"), f.list("address")),
		known: (!f.gave("vips") || f.val("vips") != nil) && (!f.gave("address") || f.val("address") != nil),
		of:    func(d *node) *node { return d },
	}}
	if in := f.groups["inside"]; in.ref("network") != nil {
		out = append(out, pairLeg{
			on: in.ref("network"), items: in.list("address"), known: in.val("address") != nil,
			of: func(d *node) *node { return d.groups["inside"] },
		})
	}
	return out
}

// families tells which families a leg's addresses have: true for IPv4. Both when
// they are not known.
func (l pairLeg) families() []bool {
	var out []bool
	for _, it := range l.items {
		if four := it.x.(netip.Addr).Is4(); !slices.Contains(out, four) {
			out = append(out, four)
		}
	}
	if out == nil || !l.known {
		return []bool{true, false}
	}
	return out
}

// checkInside reports members that are not on the segment of a pair's gateway.
func (p *parser) checkInside(f *node) {
	in := f.groups["inside"]
	on := in.ref("network")
	if on == nil {
		return
	}
	for _, d := range f.nodes("members") {
		own := d.groups["inside"]
		if own.ref("network") == on || own != nil && own.ref("network") == nil {
			continue
		}
		where := "has no inside interface"
		switch {
		case own != nil:
			where = "has its inside interface on " + own.ref("network").id
		case d.ref("network") == on:
			where += "; an address on " + on.id + " is the pair's address, without inside"
		}
		p.report(fault{
			code: "GS201", at: in.at("network"), detail: fmt.Sprintf("%s has the gateway of farms on %s, and %s %s: it could not take the gateway over.", f.id, on.id, d.id, where),
			help: "Give every member an inside interface on that network.", rel: []Related{d.here()},
		})
		return
	}
}

// routerID is the pair's virtual router id, 0 when it is not known: what the
// file says or else the last byte of the first VIP, or of the address, 255 where
// that is 0.
func routerID(f *node) int {
	if id := f.groups["vrrp"].num("id"); id != 0 {
		return id
	}
	addrs := slices.Concat(f.addrs("vips"), f.addrs("address"))
	if len(addrs) == 0 || f.gave("vips") && f.val("vips") == nil {
		return 0
	}
	bytes := addrs[0].AsSlice()
	if last := int(bytes[len(bytes)-1]); last != 0 {
		return last
	}
	return 255
}

// checkPairs reports pairs of which the tier before does not find the active
// member.
func (p *parser) checkPairs(tiers []*node, i int) {
	t := tiers[i]
	for _, it := range t.list("directors") {
		f := it.x.(*node)
		if f.sch != failoverBlock {
			continue
		}
		if i > 0 && !f.gave("address") && !f.raw.known["address"] {
			p.report(fault{
				code: "GS258", at: it.at, detail: fmt.Sprintf("%s is behind %s and has no address of its own: what is sent to a member goes on going there when another one has taken over.", f.id, tiers[i-1].id),
				help: "Give it address, an address of the members' network that nobody has.", rel: []Related{f.here()},
			})
		}
	}
}

// maxMembers is how many directors may be in a pair: one, and the peers that it
// listens to.
const maxMembers = 17

// checkMembers looks at who is in a pair. It returns whether the members are
// two or more directors on one segment.
func (p *parser) checkMembers(f *node) bool {
	v := f.val("members")
	if v == nil {
		return false
	}
	seen := map[*node]bool{}
	for _, it := range v.items {
		d := it.x.(*node)
		if seen[d] {
			p.report(fault{
				code: "GS252", at: it.at, detail: fmt.Sprintf("%s is a member of %s already: it cannot take over from itself.", d.id, f.id),
				help: "Name another director.", rel: []Related{d.here()},
			})
			return false
		}
		seen[d] = true
	}
	if len(v.items) < 2 {
		d := v.items[0].x.(*node)
		p.report(fault{
			code: "GS252", at: v.at, detail: fmt.Sprintf("%s has one member, %s: when it fails nobody takes over.", f.id, d.id),
			help: "Name two directors of one segment, or let tiers name the director itself.", rel: []Related{d.here()},
		})
		return false
	}
	if len(v.items) > maxMembers {
		p.errorf("GS252", v.at, "%s has %d members, %d at most.", f.id, len(v.items), maxMembers)
		return false
	}
	first := v.items[0].x.(*node)
	for _, it := range v.items[1:] {
		d := it.x.(*node)
		a, b := first.ref("network"), d.ref("network")
		if a == nil || b == nil {
			return false
		}
		if a == b {
			continue
		}
		p.report(fault{
			code: "GS201", at: v.at, detail: fmt.Sprintf("%s is on %s and %s on %s: neither would hear the other, and a VIP cannot move from one segment to another.", first.id, a.id, d.id, b.id),
			help: "Put the members on one network.", rel: []Related{first.here(), d.here()},
		})
		return false
	}
	p.checkTags(f)
	return true
}

// checkMemberFamilies reports a member that has no address to speak from for an
// address of the pair on a segment, once for each family.
func (p *parser) checkMemberFamilies(f *node, leg pairLeg) {
	said := map[bool]bool{}
	for _, it := range leg.items {
		moves := it.x.(netip.Addr)
		for _, d := range f.nodes("members") {
			if leg.of(d).val("address") == nil || leg.of(d).ref("network") != leg.on || said[moves.Is4()] {
				continue
			}
			if _, ok := leg.of(d).addrs("address").Like(moves); !ok {
				said[moves.Is4()] = true
				p.report(fault{
					code: "GS252", at: it.at, detail: fmt.Sprintf("%s has no %s address on %s, so it cannot say that it has %s.", d.id, version(moves), leg.on.id, moves),
					help: "Give the member an address of the family, or this one to another pair.", rel: []Related{d.here()},
				})
			}
		}
	}
}

// What members of a pair must not share, the nearest first.
var shared = []string{"host", "hypervisor", "rack"}

// checkTags warns of members that fail together by the user's own notes.
func (p *parser) checkTags(f *node) {
	members := f.nodes("members")
	for _, tag := range shared {
		at := map[string]*node{}
		for _, d := range members {
			what, ok := note(d, tag)
			if !ok {
				continue
			}
			first := at[what]
			if first == nil {
				at[what] = d
				continue
			}
			p.warn(fault{
				code: "GS256", at: f.at("members"), detail: fmt.Sprintf("%s and %s have the same %s, %q: what stops it stops both.", first.id, d.id, tag, what),
				help: "Use directors that do not fail together.",
				rel:  []Related{{first.id + " has its tags here", first.at("tags")}, {d.id + " has its tags here", d.at("tags")}},
			})
			return
		}
	}
}

// note is what a director's tags say under a name.
func note(d *node, name string) (string, bool) {
	tags, ok := get[cty.Value](d, "tags")
	if !ok || !tags.IsKnown() || tags.IsNull() || !(tags.Type().IsObjectType() || tags.Type().IsMapType()) {
		return "", false
	}
	for it := tags.ElementIterator(); it.Next(); {
		k, v := it.Element()
		if k.AsString() != name {
			continue
		}
		return text(v)
	}
	return "", false
}

// Bounds of the time between VRRP advertisements. Below the first a busy
// kernel misses three in a row without being dead, above the second a takeover
// takes more than 3 seconds.
const (
	advertMin = 50 * time.Millisecond
	advertMax = time.Second
)

// refresh is how often a kernel sends a connection again to its peers, rounded
// up: a member that waits for less comes back without the connections.
const refresh = 3 * time.Second

// checkVRRP looks at how a pair's members agree.
func (p *parser) checkVRRP(f *node) {
	vrrp := f.groups["vrrp"]
	if vrrp == nil || vrrp.broken {
		return
	}
	if d, ok := get[time.Duration](vrrp, "advert"); ok && (d < 10*time.Millisecond || d > 40950*time.Millisecond || d%(10*time.Millisecond) != 0) {
		p.errorf("GS010", vrrp.at("advert"), "advert: %v cannot be told to other members, who count from 10ms to 40.95s in steps of 10ms.", d)
	} else if ok && (d < advertMin || d > advertMax) {
		w := fault{
			code: "GS254", at: vrrp.at("advert"), detail: fmt.Sprintf("A member is taken for dead after 3 advertisements are missing: with one every %v, after about %v.", d, 3*d),
			help: fmt.Sprintf("Use %v to %v; \"100ms\" finds a dead member in about 0.3s.", advertMin, advertMax),
		}
		if d < advertMin {
			w.detail += " A process that is not scheduled for so long is not dead, and both members would hold the VIPs."
		}
		p.warn(w)
	}
	delay, given := get[time.Duration](vrrp, "preempt_delay")
	sync := p.syncOf(f) != nil
	switch {
	case vrrp.gave("preempt") && !vrrp.flag("preempt"):
	case !given && (vrrp.gave("preempt_delay") || vrrp.raw.known["preempt_delay"]):
	case !given || delay == 0:
		at := vrrp.raw.at
		if given {
			at = vrrp.at("preempt_delay")
		}
		w := fault{
			code: "GS253", at: at, detail: "A member of higher priority takes the VIPs back the moment it is started, before its checks know the destinations: connections fail twice, and again at each restart.",
			help: "Give preempt_delay = \"30s\".",
		}
		if sync {
			w.detail = "A member of higher priority takes the VIPs back the moment it is started, before the connections are copied to it: they fail twice, and again at each restart."
		}
		p.warn(w)
	case sync && delay < refresh:
		p.warn(fault{
			code: "GS253", at: vrrp.at("preempt_delay"), detail: fmt.Sprintf("Connections are copied again to a returning member every 2s; after %v it takes the VIPs back without some of them.", delay),
			help: "Give preempt_delay = \"30s\".",
		})
	}
}

// checkTrack looks at what the members of a pair look at.
func (p *parser) checkTrack(t *node) {
	c, typ := t.ref("check"), typeOf(t.ref("check"))
	switch {
	case c == nil || typ == topology.NoCheck:
	case typ == topology.CheckAgent:
		p.report(fault{
			code: "GS010", at: t.at("check"), rel: []Related{c.here()}, detail: fmt.Sprintf("check: %s asks an agent what part of its weight it wants, and %s has none.", c.id, t.id),
			help: "Give a check of another type.",
		})
	case needsPort(typ) && !c.gave("port"):
		p.report(fault{
			code: "GS408", at: t.at("check"), rel: []Related{c.here()}, detail: fmt.Sprintf("%s names no port, and %s looks at no service that has one.", c.id, t.id),
			help: "Give the check a port.",
		})
	}
	if v := t.val("penalty"); v != nil && v.own && t.flag("unfit") {
		p.report(fault{code: "GS010", at: v.at, detail: "penalty: a member that is not fit holds nothing, whatever its priority.", help: "Leave out penalty or unfit."})
	}
}

// checkKeepsConnections warns of a pair whose members do not choose alike, and
// do not tell each other what they have chosen either.
func (p *parser) checkKeepsConnections(tiers []*node, i int) {
	name := scheduler(tiers, i)
	if name == "" || name == "mh" {
		return
	}
	for _, it := range tiers[i].list("directors") {
		f := it.x.(*node)
		if f.sch != failoverBlock || p.syncOf(f) != nil {
			continue
		}
		p.warn(fault{
			code: "GS257", at: tiers[i].at("scheduler"), rel: []Related{f.here()},
			detail: fmt.Sprintf("When a member of %s takes over, %s sends what comes next of a connection to any destination: established connections break.", f.id, name),
			help:   "Use mh, by which all members choose alike, or give the pair sync.",
		})
	}
}

// checkPairVIP looks at an address that a pair lists.
func (p *parser) checkPairVIP(f *node, it item, listed map[netip.Addr]taking, served map[netip.Addr]bool) {
	vip := it.x.(netip.Addr)
	if o, ok := p.owners[vip]; ok {
		if served[vip] {
			return
		}
		p.report(fault{
			code: "GS203", at: it.at, detail: fmt.Sprintf("The VIP %s of %s is also the address of %s.", vip, f.id, o.who),
			help: "A VIP moves between nodes and belongs to none: give it an address of its own.",
			rel:  []Related{{o.who + " has it here", o.at}},
		})
		return
	}
	if p.atAnother(f, it) {
		return
	}
	first, ok := listed[vip]
	if !ok {
		listed[vip] = taking{f, it}
		return
	}
	if first.pair == f {
		p.errorf("GS010", it.at, "vips: %s is there twice.", vip)
		return
	}
	if p.isAnycast(vip) {
		return
	}
	p.report(fault{
		code: "GS209", at: it.at, detail: fmt.Sprintf("%s is listed by %s and by %s: two hosts would answer for it.", vip, first.pair.id, f.id),
		help: "Let one pair own it, or give the service anycast = true.",
		rel:  []Related{{first.pair.id + " lists it", first.it.at}},
	})
}

// atAnother reports a VIP of a pair that a service has at another director.
func (p *parser) atAnother(f *node, it item) bool {
	has := func(s *node) bool { return s.addrs("vip").Has(it.x.(netip.Addr)) }
	if slices.ContainsFunc(p.all("virtual_service"), func(s *node) bool { return owning(s) == f && has(s) }) {
		return false // said of the services
	}
	for _, s := range p.all("virtual_service") {
		d := owning(s)
		if d == nil || !has(s) || d.sch == failoverBlock || s.flag("anycast") {
			continue
		}
		p.report(fault{
			code: "GS209", at: it.at, detail: fmt.Sprintf("%s lists %s, which %s has at %s: two hosts would answer for it.", f.id, it.x, s.id, d.id),
			help: "Take it out of vips: behind another tier a pair has an address of its own; or let the first tier name the pair.",
			rel:  []Related{{s.id + " has it", s.at("vip")}},
		})
		return true
	}
	return false
}

// isAnycast reports whether every service with the VIP is in several places
// on purpose.
func (p *parser) isAnycast(vip netip.Addr) bool {
	found := false
	for _, s := range p.all("virtual_service") {
		if s.addrs("vip").Has(vip) {
			if !s.flag("anycast") {
				return false
			}
			found = true
		}
	}
	return found
}
