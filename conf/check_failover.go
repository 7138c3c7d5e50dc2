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
	of   int   // where that stands in the list
}

// forwarders lists the directors of a tier, those of its pairs among them.
func forwarders(t *node) []forwarder {
	var out []forwarder
	for i, it := range t.list("directors") {
		n := it.x.(*node)
		if n.sch != failoverBlock {
			out = append(out, forwarder{node: n, it: it, of: i})
			continue
		}
		for nth, m := range n.nodes("members") {
			out = append(out, forwarder{m, n, nth, it, i})
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

// isAmong reports whether a director is one of the forwarders.
func isAmong(fs []forwarder, d *node) bool {
	return slices.ContainsFunc(fs, func(f forwarder) bool { return f.node == d })
}

// plainly are the forwarders' directors.
func plainly(fs []forwarder) []*node {
	var out []*node
	for _, f := range fs {
		out = append(out, f.node)
	}
	return out
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
	syncs := map[[2]any]taking{}
	vips := map[netip.Addr]taking{}
	served := map[netip.Addr]bool{} // of services, which say themselves what is wrong with them
	for _, s := range p.all("virtual_service") {
		for _, vip := range s.addrs("vip") {
			served[vip] = true
		}
	}
	for _, f := range p.all("failover") {
		sound := p.checkMembers(f)
		p.checkVRRP(f)
		p.checkHold(f)
		for _, t := range f.of("track") {
			p.checkTrack(t)
		}
		for _, it := range f.list("vips") {
			p.checkPairVIP(f, it, vips, served)
		}
		if !sound {
			continue
		}
		p.checkMemberFamilies(f)
		on := f.nodes("members")[0].ref("network")
		vrrp, sync := f.groups["vrrp"], f.groups["sync"]
		if id := routerID(f); id != 0 && (!vrrp.gave("id") || vrrp.val("id") != nil) {
			at := f.raw.decl
			if vrrp.gave("id") {
				at = vrrp.at("id")
			}
			for _, four := range families(f) {
				k := [2]any{on, [2]any{id, four}}
				first, ok := routers[k]
				if !ok {
					routers[k] = taking{f, item{id, at}}
					continue
				}
				if slices.Equal(first.pair.addrs("vips")[:1], f.addrs("vips")[:1]) && !vrrp.gave("id") {
					break // said of the VIP
				}
				p.report(fault{
					code: "GS250", at: at, detail: fmt.Sprintf("%s and %s are both virtual router %v on %s: each would take the other's advertisements for its own.", first.pair.id, f.id, id, on.id),
					help: "Give each pair of a segment an id of its own, from 1 to 255.",
					rel:  []Related{{first.pair.id + " has it", first.it.at}},
				})
				break
			}
		}
		if v := sync.val("id"); v != nil {
			k := [2]any{on, v.items[0].x}
			first, ok := syncs[k]
			if !ok {
				syncs[k] = taking{f, item{v.items[0].x, v.at}}
				continue
			}
			p.report(fault{
				code: "GS255", at: v.at, detail: fmt.Sprintf("%s and %s both copy their connections as sync id %v on %s: each would take in the other's.", first.pair.id, f.id, v.items[0].x, on.id),
				help: "Give each pair of a segment an id of its own, from 1 to 255.",
				rel:  []Related{{first.pair.id + " has it", first.it.at}},
			})
		}
	}
}

// routerID is the pair's virtual router id, 0 when it is not known: what the
// file says or else the last byte of the first VIP, 255 where that is 0.
func routerID(f *node) int {
	if id := f.groups["vrrp"].num("id"); id != 0 {
		return id
	}
	vips := f.addrs("vips")
	if len(vips) == 0 {
		return 0
	}
	bytes := vips[0].AsSlice()
	if last := int(bytes[len(bytes)-1]); last != 0 {
		return last
	}
	return 255
}

// checkPairs refuses what pairs are not acted on for: they own VIPs in the first
// tier, by TUN or DR.
func (p *parser) checkPairs(t *node, i int) {
	for _, it := range t.list("directors") {
		n := it.x.(*node)
		if n.sch != failoverBlock || i == 0 && t.method() != topology.NAT {
			continue
		}
		what := "a pair behind another tier"
		if i == 0 {
			what = "a pair that is the gateway of farms"
		}
		p.report(fault{
			code: "GS020", at: it.at, detail: refused(n.id, what),
			help: "Name the directors themselves, or let a pair be the first tier, with tun or dr.",
		})
	}
}

// families tells of a pair which families its VIPs have: true for IPv4. Both
// when that is not known.
func families(f *node) []bool {
	var out []bool
	for _, it := range f.list("vips") {
		if four := it.x.(netip.Addr).Is4(); !slices.Contains(out, four) {
			out = append(out, four)
		}
	}
	if out == nil {
		return []bool{true, false}
	}
	return out
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

// checkMemberFamilies reports a member that has no address to speak from for a
// VIP of the pair, once for each family.
func (p *parser) checkMemberFamilies(f *node) {
	if f.val("vips") == nil {
		return
	}
	for _, four := range families(f) {
		it := f.list("vips")[slices.IndexFunc(f.list("vips"), func(it item) bool { return it.x.(netip.Addr).Is4() == four })]
		vip := it.x.(netip.Addr)
		for _, d := range f.nodes("members") {
			if d.val("address") == nil {
				continue
			}
			if _, ok := d.addrs("address").Like(vip); !ok {
				family := "IPv6"
				if four {
					family = "IPv4"
				}
				p.report(fault{
					code: "GS252", at: it.at, detail: fmt.Sprintf("%s has no %s address, so it cannot say that it has %s.", d.id, family, vip),
					help: "Give the member an address of the family, or the VIP to another pair.", rel: []Related{d.here()},
				})
				break
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
	sync := f.groups["sync"] != nil
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
		if f.sch != failoverBlock || f.groups["sync"] != nil {
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
