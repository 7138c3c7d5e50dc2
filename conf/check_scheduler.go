package conf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"gslb/topology"
)

// Those that choose by the address a packet goes to. They are made for
// directors in front of caches, where that is the address of an origin.
var cacheSchedulers = []string{"lblc", "lblcr", "dh"}

// Flags that schedulers have.
var schedulerFlags = map[string][]string{"sh": {"fallback", "port"}, "mh": {"fallback", "port"}}

// Encapsulations of TUN with the bytes that each adds between the two IP
// headers: a GUE header behind one of UDP (RFC 768), a plain GRE header
// (RFC 2784).
var encaps = map[string]int{"ipip": 0, "gue": 8 + 4, "gre": 4}

// What the kernel's hash schedulers can hold: the places in the table of sh
// (ip_vs_sh.c) and of mh (ip_vs_mh.c), and the largest ratio of weights that
// mh keeps.
const (
	shPlaces = 256
	mhPlaces = 4093
	mhRatio  = 62
)

// steep is the ratio of weights from which the light server is hardly ever
// chosen.
const steep = 1000

// scheduler is the scheduler of a tier, "" where it is not known.
func scheduler(tiers []*node, i int) string {
	t := tiers[i]
	switch {
	case t.gave("scheduler"):
		return t.str("scheduler")
	case t.raw.known["scheduler"]:
		return ""
	}
	return standardScheduler(t, i == len(tiers)-1)
}

// standardScheduler is that of a tier which does not name one. The members of a
// pair must choose alike, or connections break when one takes over.
func standardScheduler(t *node, last bool) string {
	if last && !slices.ContainsFunc(t.list("directors"), func(it item) bool { return it.x.(*node).sch == failoverBlock }) {
		return "wlc"
	}
	return "mh"
}

// checkScheduler looks at whether a tier's scheduler suits its place and what
// it chooses from.
func (p *parser) checkScheduler(s *node, tiers []*node, i int) {
	t := tiers[i]
	name := scheduler(tiers, i)
	if slices.Contains(cacheSchedulers, name) && !s.gave("fwmark") {
		p.warn(fault{
			code: "GS227", at: t.at("scheduler"), detail: fmt.Sprintf("%s chooses by the address that a packet goes to, for caches in front of many origins. Behind a VIP that is always the VIP: everything goes to one destination for as long as it copes.", name),
			help: "Use mh to keep a client with its server, wlc otherwise.",
		})
	}
	p.checkFlags(t, name)
	p.checkKeepsConnections(tiers, i)
	if name == "sh" && i > 0 && scheduler(tiers, i-1) == "sh" {
		p.warn(fault{
			code: "GS227", at: t.at("scheduler"), detail: fmt.Sprintf("%s and %s choose by the same hash of the client's address: the clients that reach one director of %s all have hashes from the same part of the table, so most of its destinations get nobody.", tiers[i-1].id, t.id, t.id),
			help: "Use mh, whose table does not have this effect, or wlc in one of them.",
			rel:  []Related{{tiers[i-1].id + " uses sh", tiers[i-1].at("scheduler")}},
		})
	}
	at := t.at("scheduler")
	switch i {
	case len(tiers) - 1:
		for _, g := range p.groups(t) {
			if p.checkSteep(g) || p.checkShares(t, name, at, g) {
				return
			}
		}
	case len(tiers) - 2:
		p.checkShares(t, name, at, p.fronted(tiers[i+1]))
	}
}

func schedulerNames() []string {
	var out []string
	for _, s := range topology.Schedulers {
		out = append(out, s.Name)
	}
	return out
}

// checkFlags looks at the flags of a tier's scheduler.
func (p *parser) checkFlags(t *node, name string) {
	v := t.val("flags")
	if v == nil || name == "" {
		return
	}
	known := schedulerFlags[name]
	for _, it := range v.items {
		f := it.x.(string)
		if slices.Contains(known, f) {
			continue
		}
		w := fault{code: "GS010", at: it.at, detail: fmt.Sprintf("flags: %q is not a flag of %s.", f, name), help: strings.TrimSpace(meant(f, known) + " Its flags are " + among(known) + ".")}
		if len(known) == 0 {
			w.detail, w.help = fmt.Sprintf("flags: %s has no flags; they are for sh and mh.", name), "Leave it out."
		}
		p.report(w)
		return
	}
	if len(known) > 0 && !slices.Contains(t.strings("flags"), "fallback") {
		p.warn(fault{
			code: "GS227", at: v.at, detail: fmt.Sprintf("Without \"fallback\" %s refuses the clients whose hash leads to a destination of weight 0: one that is down or draining.", name),
			help: "Add \"fallback\", or leave flags out.",
		})
	}
}

// A share is a destination with its part of the traffic: a real server, or a
// director of a last tier with that of all servers behind it.
type share struct {
	dest   *node
	weight int
}

// groups are the sets of real servers that the directors of a last tier choose
// from: with NAT those behind each director, else all of them. Nil when they
// are not all known.
func (p *parser) groups(t *node) [][]share {
	if !complete(t, "farms") {
		return nil
	}
	var order []*node
	by := map[*node][]share{}
	for _, f := range t.nodes("farms") {
		if f.broken {
			return nil
		}
		var key *node
		if t.method() == topology.NAT && !t.flag("fullnat") {
			key = f.ref("gateway")
		}
		if by[key] == nil {
			order = append(order, key)
		}
		for _, srv := range f.of("server") {
			w, ok := get[int](srv, "weight")
			if !ok {
				return nil
			}
			by[key] = append(by[key], share{srv, w})
		}
	}
	var out [][]share
	for _, k := range order {
		out = append(out, by[k])
	}
	return out
}

// fronted is what a director in front of last tier t chooses from: package
// tiers gives each director of t the weights behind it, in the smallest numbers
// of the same ratio. Nil when they are not all known.
func (p *parser) fronted(t *node) []share {
	groups := p.groups(t)
	if groups == nil || !complete(t, "directors") || t.method() != topology.NAT || t.flag("fullnat") {
		return nil
	}
	behind := map[*node]int{}
	for _, g := range groups {
		for _, s := range g {
			behind[s.dest.up.ref("gateway")] += s.weight
		}
	}
	out := make([]share, len(t.list("directors")))
	unit := 0
	for i, d := range t.nodes("directors") {
		out[i] = share{d, behind[d]}
	}
	for _, s := range out {
		for a, b := s.weight, unit; ; a, b = b, a%b {
			if b == 0 {
				unit = a
				break
			}
		}
	}
	for i := range out {
		out[i].weight /= max(unit, 1)
	}
	return out
}

// ends are the lightest destination that has a weight, and the heaviest.
func ends(g []share) (light, heavy share) {
	for _, s := range g {
		if s.weight > 0 && (light.dest == nil || s.weight < light.weight) {
			light = s
		}
		if s.weight > heavy.weight {
			heavy = s
		}
	}
	return light, heavy
}

// checkSteep warns of weights of which the small ones count for nothing.
func (p *parser) checkSteep(g []share) bool {
	light, heavy := ends(g)
	if light.dest == nil || heavy.weight <= steep*light.weight {
		return false // without a weight it is GS243 of another kind
	}
	p.warn(fault{
		code: "GS243", at: heavy.dest.at("weight"), detail: fmt.Sprintf("%s has weight %d and %s has %d: for each connection of the latter the former gets %d.", heavy.dest.id, heavy.weight, light.dest.id, light.weight, heavy.weight/light.weight),
		help: "Use smaller ratios; weight 0 takes a server out.",
		rel:  weightOf(light.dest),
	})
	return true
}

// checkShares warns of a hash scheduler that cannot give each destination what
// its weight says.
func (p *parser) checkShares(t *node, name string, at hcl.Range, g []share) bool {
	light, heavy := ends(g)
	if light.dest == nil {
		return false
	}
	sum := 0
	for _, s := range g {
		sum += s.weight
	}
	switch {
	case name == "mh" && len(g) > mhPlaces:
		p.warn(fault{
			code: "GS227", at: at, detail: fmt.Sprintf("The table of mh has %d places, and %s chooses from %d destinations: some get nobody.", mhPlaces, t.id, len(g)),
			help: "Use another scheduler, or another tier in between.",
		})
	case name == "mh" && heavy.weight > mhRatio*light.weight:
		p.warn(fault{
			code: "GS227", at: at, detail: fmt.Sprintf("mh keeps ratios of weights up to about %d to 1, and %s has weight %d where %s has %d: the former gets less than its share, the latter more.", mhRatio, heavy.dest.id, heavy.weight, light.dest.id, light.weight),
			help: "Use wlc or wrr, or smaller ratios.",
			rel:  append(weightOf(heavy.dest), weightOf(light.dest)...),
		})
	case name == "sh" && sum > shPlaces:
		p.warn(fault{code: "GS227", at: at, detail: starved(t, g, sum), help: "Use mh, or smaller weights with the same ratios."})
	default:
		return false
	}
	return true
}

// starved says what sh does with weights that sum up to more than its places:
// it deals them out in turn, to each destination as many as it has weight. Who
// is last depends on the order of addresses.
func starved(t *node, g []share, sum int) string {
	text := fmt.Sprintf("The table of sh has %d places and gives each destination as many in a row as it has weight. The weights of the %d that a director of %s chooses from sum up to %d", shPlaces, len(g), t.id, sum)
	first := g[0].weight
	same := !slices.ContainsFunc(g, func(s share) bool { return s.weight != first })
	if idle := len(g) - (shPlaces+first-1)/max(first, 1); same && idle > 0 {
		return fmt.Sprintf("%s: no client gets to %d of them.", text, idle)
	}
	return text + ": the last get less than their share, or nobody."
}

// weightOf is where a destination's weight stands, nothing when the file does
// not say it.
func weightOf(dest *node) []Related {
	if v := dest.arg("weight"); v == nil || v.at == (hcl.Range{}) {
		return nil
	}
	return []Related{{dest.id + " has its weight here", dest.at("weight")}}
}

// checkMethodArguments looks at the arguments that only some methods have.
func (p *parser) checkMethodArguments(s, t *node, lastTier bool) {
	m := t.method()
	encap, known := get[string](t, "encap")
	if v := t.val("encap"); v != nil && v.own {
		if _, ok := encaps[encap]; !ok {
			words := []string{"ipip", "gue", "gre"}
			p.report(fault{code: "GS010", at: v.at, detail: fmt.Sprintf("encap: %q is none of %s.", encap, strings.Join(words, ", ")), help: meant(encap, words)})
			known = false
		} else if m != topology.NoMethod && m != topology.TUN {
			p.report(fault{code: "GS010", at: v.at, detail: fmt.Sprintf("encap is for method = \"tun\"; %s forwards by %s.", t.id, m), help: "Leave it out, or change the method."})
			known = false
		}
	}
	if v := t.val("encap_port"); v != nil && v.own && known && encap != "gue" {
		p.report(fault{code: "GS010", at: v.at, detail: fmt.Sprintf("encap_port is for encap = \"gue\"; %s uses %s.", t.id, encap), help: "Leave it out, or change encap."})
	}
	if v := t.val("fullnat"); v != nil && t.flag("fullnat") && m != topology.NoMethod && m != topology.NAT {
		p.report(fault{code: "GS010", at: v.at, detail: fmt.Sprintf("fullnat rewrites the client's address, which %s does not.", m), help: "Leave it out, or use method = \"nat\"."})
	}
	p.checkOnePacket(s, t, lastTier)
}

// checkOnePacket reports one-packet scheduling where the kernel takes it and
// then loses packets.
func (p *parser) checkOnePacket(s, t *node, lastTier bool) {
	if !t.flag("one_packet") {
		return
	}
	keeps := t.groups["persistence"]
	if keeps == nil && lastTier {
		keeps = s.groups["persistence"]
	}
	f := fault{code: "GS229", at: t.at("one_packet"), help: "Leave it out."}
	tcp := portsOf(s, topology.TCP)
	switch {
	case t.method() == topology.NAT:
		f.detail = fmt.Sprintf("%s forgets each datagram at once, and with nat the reply has to be rewritten by what is remembered of the request: every reply would be lost.", t.id)
		f.help, f.rel = "Use tun or dr, or leave one_packet out.", []Related{{t.id + " forwards by nat", t.at("method")}}
	case len(tcp) > 0:
		f.detail = fmt.Sprintf("%s has tcp/%d: the packets of one TCP connection would go to several servers.", s.id, tcp[0])
		f.help = "Leave it out, or give the UDP ports a service of their own."
		f.rel = []Related{{s.id + " has its ports here", s.at("ports")}}
	case keeps != nil:
		f.detail = fmt.Sprintf("%s keeps clients on their servers and schedules every datagram anew: both cannot be.", t.id)
		f.rel = []Related{{"persistence is asked for here", keeps.raw.at}}
	default:
		return
	}
	p.report(f)
}
