package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"gslb/topology"
)

// long is how long persistence may keep a client before taking a server out
// takes too long to wait for.
const long = time.Hour

// checkPersistence looks at how a service or tier keeps clients on their servers.
func (p *parser) checkPersistence(s, n *node) {
	g := n.groups["persistence"]
	if g == nil || g.broken {
		return
	}
	if d, ok := get[time.Duration](g, "timeout"); ok && d > long {
		p.warn(fault{
			code: "GS245", at: g.at("timeout"), detail: fmt.Sprintf("A server that is taken out keeps its clients for %v after their last packet: draining it takes at least as long.", d),
			help: "Use minutes, such as \"5m\".",
		})
	}
	has := map[bool]bool{} // is4
	for _, it := range s.list("vip") {
		has[it.x.(netip.Addr).Is4()] = true
	}
	if has[true] && !g.gave("netmask") && !g.raw.known["netmask"] {
		p.warn(fault{
			code: "GS245", at: g.raw.at, detail: "A client is one address. Behind a provider's NAT a client's connections may come from several addresses of one prefix, and would go to several servers.",
			help: "Give netmask = 24: then clients of one /24 are one client.",
		})
	}
	for _, m := range []struct {
		name, family string
		is4          bool
		most         int
	}{{"netmask", "IPv4", true, 32}, {"netmask6", "IPv6", false, 128}} {
		bits, ok := get[int](g, m.name)
		switch {
		case !ok:
		case bits > m.most:
			p.errorf("GS010", g.at(m.name), "%s: %d is more than the %d bits of an %s address.", m.name, bits, m.most, m.family)
		case m.is4 && len(has) > 0 && !has[true]:
			p.report(fault{
				code: "GS010", at: g.at(m.name), detail: fmt.Sprintf("netmask is of IPv4 clients, and %s has no IPv4 VIP.", s.id),
				help: "Use netmask6.", rel: []Related{s.here()},
			})
		}
	}
}

// A part is a quorum's bound with where it stands.
type part struct {
	topology.Bound
	at item
}

func bound(g *node, name string) (part, bool) {
	v := g.val(name)
	if v == nil {
		return part{}, false
	}
	b := part{at: item{v.items[0].x, v.at}}
	switch x := v.items[0].x.(type) {
	case int:
		b.Count = x
	case float64:
		b.Ratio = x
	}
	return b, true
}

// checkQuorum compares a quorum with the destinations of tier t, that of the
// service with its last one.
func (p *parser) checkQuorum(g, t *node, m membership) {
	if g == nil || g.broken {
		return
	}
	members := m.count
	if g.str("by") == "weight" {
		members = -1 // weights are not counted here
	}
	most := func(name string, b part) bool {
		if members < 0 || b.Count <= members {
			return true
		}
		p.report(fault{
			code: "GS242", at: b.at.at, detail: fmt.Sprintf("%s asks for %d living destinations and %s has %d: the service could never be up.", name, b.Count, m.of.id, members),
			help: fmt.Sprintf("Give a count up to %d, or a percentage.", members), rel: []Related{m.of.here()},
		})
		return false
	}
	low, ok := bound(g, "min_up")
	if ok {
		if !most("min_up", low) {
			return
		}
		part, of := low.Ratio, low.String()
		known := low.Count == 0
		if !known && members > 0 {
			part, known = float64(low.Count)/float64(members), true
			of = fmt.Sprintf("%d of %d", low.Count, members)
		}
		if known && g.gave("min_up") && low.at.at != (hcl.Range{}) && part < 1.0/3-1e-9 {
			p.warn(fault{
				code: "GS242", at: low.at.at, detail: fmt.Sprintf("The service stays up with %s of its destinations, which then carry %s the traffic of each.", of, times(part)),
				help: "Give a third or more, such as \"50%\", unless that few can carry everything.",
			})
		}
	}
	high, also := bound(g, "restore")
	if !also || !most("restore", high) || !ok {
		return
	}
	inverted := false
	switch {
	case low.Count == 0 && high.Count == 0:
		inverted = high.Ratio < low.Ratio
	case low.Count > 0 && high.Count > 0:
		inverted = high.Count < low.Count
	case members >= 0:
		inverted = high.Of(members) < low.Of(members)
	}
	if inverted {
		p.report(fault{
			code: "GS242", at: high.at.at, detail: fmt.Sprintf("restore = %v is below min_up = %v: between the two the service would be down and up at once.", high, low),
			help: "Give restore at least min_up; a little more keeps it from flapping.", rel: []Related{{"min_up is here", low.at.at}},
		})
	}
}

// times is how many times as much each of a part carries.
func times(part float64) string {
	if part <= 0 {
		return "many times"
	}
	return fmt.Sprintf("%.3g times", 1/part)
}

// A membership is how many destinations there are, -1 where they are not all
// known, and whose: a tier's, or those of the gateway that has the fewest of a
// NAT tier, each of whose directors has the farms behind it and no others.
type membership struct {
	count int
	of    *node
}

// members counts the destinations of a tier.
func members(tiers []*node, i int) membership {
	t := tiers[i]
	unknown := membership{-1, t}
	if i < len(tiers)-1 {
		if !complete(tiers[i+1], "directors") || !tiers[i+1].gave("directors") {
			return unknown
		}
		return membership{len(tiers[i+1].list("directors")), t}
	}
	if !complete(t, "farms") || !t.gave("farms") {
		return unknown
	}
	var gateways []*node
	behind := map[*node]int{}
	for _, f := range t.nodes("farms") {
		if f.broken {
			return unknown
		}
		gateway := t
		if g := f.ref("gateway"); g != nil && t.method() == topology.NAT {
			gateway = g
		}
		if !slices.Contains(gateways, gateway) {
			gateways = append(gateways, gateway)
		}
		behind[gateway] += len(f.of("server"))
	}
	fewest := membership{0, t}
	for k, g := range gateways {
		if k == 0 || behind[g] < fewest.count {
			fewest = membership{behind[g], g}
		}
	}
	return fewest
}

// checkTrip warns of a tier whose directors are in another region than those
// in front of it.
func (p *parser) checkTrip(tiers []*node, i int) {
	var from *node
	for _, f := range forwarders(tiers[i-1]) {
		if from == nil {
			from = f.node
		}
	}
	a := from.ref("network").ref("region")
	if a == nil {
		return
	}
	for _, f := range forwarders(tiers[i]) {
		b := f.ref("network").ref("region")
		if b == nil || a == b {
			continue
		}
		text := fmt.Sprintf("%s is in %s and %s, in front of it, in %s.", f.who(), b.id, from.id, a.id)
		x, ok1 := get[topology.Point](a, "location")
		y, ok2 := get[topology.Point](b, "location")
		if ok1 && ok2 {
			text += fmt.Sprintf(" They are %.0f km apart: a round trip takes about %v, and every packet of a client makes half of it on top of its own way.",
				x.Kilometres(y), topology.RoundTrip(x, y).Round(100*time.Microsecond))
		} else {
			text += " Every packet of a client goes from one region to the other on its way."
		}
		p.warn(fault{
			code: "GS247", at: f.it.at, detail: text, help: "Let DNS choose the region, and keep the tiers of a service in one.",
			rel: []Related{f.here()},
		})
		return
	}
}
