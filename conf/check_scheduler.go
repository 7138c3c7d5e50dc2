package conf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"gslb/topology"
)

// Schedulers of the kernel that are part of the language and not acted on yet.
var laterSchedulers = []string{"lblc", "lblcr", "dh", "fo", "ovf", "twos"}

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
	case i == len(tiers)-1:
		return "wlc"
	}
	return "mh"
}

// checkScheduler looks at whether a tier's scheduler suits its place and what
// it chooses from.
func (p *parser) checkScheduler(s *node, tiers []*node, i int) {
	t := tiers[i]
	name := scheduler(tiers, i)
	if slices.Contains(laterSchedulers, name) {
		p.report(fault{
			code: "GS020", at: t.at("scheduler"), detail: fmt.Sprintf("The scheduler %s %v.", name, errLater),
			help: "Use one of " + among(schedulerNames()) + ".",
		})
	}
	if slices.Contains(cacheSchedulers, name) && !s.gave("fwmark") {
		p.warn(fault{
			code: "GS227", at: t.at("scheduler"), detail: fmt.Sprintf("%s chooses by the address that a packet goes to, for caches in front of many origins. Behind a VIP that is always the VIP: everything goes to one destination for as long as it copes.", name),
			help: "Use mh to keep a client with its server, wlc otherwise.",
		})
	}
	p.checkFlags(t, name)
	if name == "sh" && i > 0 && scheduler(tiers, i-1) == "sh" {
		p.warn(fault{
			code: "GS227", at: t.at("scheduler"), detail: fmt.Sprintf("%s and %s choose by the same hash of the client's address: the clients that reach one director of %s all have hashes from the same part of the table, so most of its destinations get nobody.", tiers[i-1].id, t.id, t.id),
			help: "Use mh, whose table does not have this effect, or wlc in one of them.",
			rel:  []Related{{tiers[i-1].id + " uses sh", tiers[i-1].at("scheduler")}},
		})
	}
	if i == len(tiers)-1 {
		p.checkShares(t, name)
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
	if v == nil || name == "" || slices.Contains(laterSchedulers, name) {
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

// A share is a real server with its part of the traffic.
type share struct {
	srv    *node
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

// checkShares looks at whether the scheduler of a last tier gives each server
// what its weight says.
func (p *parser) checkShares(t *node, name string) {
	at := t.at("scheduler")
	for _, g := range p.groups(t) {
		var light, heavy share
		sum := 0
		for _, s := range g {
			sum += s.weight
			if s.weight > 0 && (light.srv == nil || s.weight < light.weight) {
				light = s
			}
			if s.weight > heavy.weight {
				heavy = s
			}
		}
		if light.srv == nil {
			continue // GS243
		}
		switch {
		case heavy.weight > steep*light.weight:
			p.warn(fault{
				code: "GS243", at: heavy.srv.at("weight"), detail: fmt.Sprintf("%s has weight %d and %s has %d: for each connection of the latter the former gets %d.", heavy.srv.id, heavy.weight, light.srv.id, light.weight, heavy.weight/light.weight),
				help: "Use smaller ratios; weight 0 takes a server out.",
				rel:  weightOf(light.srv),
			})
		case name == "mh" && len(g) > mhPlaces:
			p.warn(fault{
				code: "GS227", at: at, detail: fmt.Sprintf("The table of mh has %d places, and %s chooses from %d servers: some get nobody.", mhPlaces, t.id, len(g)),
				help: "Use another scheduler, or another tier in between.",
			})
		case name == "mh" && heavy.weight > mhRatio*light.weight:
			p.warn(fault{
				code: "GS227", at: at, detail: fmt.Sprintf("mh keeps ratios of weights up to about %d to 1, and %s has weight %d where %s has %d: it gets a smaller part than that.", mhRatio, heavy.srv.id, heavy.weight, light.srv.id, light.weight),
				help: "Use wlc or wrr, or smaller ratios.",
				rel:  append(weightOf(heavy.srv), weightOf(light.srv)...),
			})
		case name == "sh" && sum > shPlaces:
			p.warn(fault{code: "GS227", at: at, detail: starved(t, g, sum), help: "Use mh, or smaller weights with the same ratios."})
		default:
			continue
		}
		return
	}
}

// starved says what sh does with weights that sum up to more than its places:
// it deals them out in turn, to each server as many as it has weight.
func starved(t *node, g []share, sum int) string {
	left, idle := shPlaces, 0
	for _, s := range g {
		if s.weight > 0 && left <= 0 {
			idle++
		}
		left -= s.weight
	}
	text := fmt.Sprintf("The table of sh has %d places and gives each server as many in a row as it has weight. The weights of the %d servers that a director of %s chooses from sum up to %d", shPlaces, len(g), t.id, sum)
	if idle == 0 {
		return text + ": the last one gets less than its share."
	}
	return fmt.Sprintf("%s: %d of them get nobody.", text, idle)
}

// weightOf is where a server's weight stands, nothing when it is the table's default.
func weightOf(srv *node) []Related {
	if v := srv.vals["weight"]; v == nil || v.at == (hcl.Range{}) {
		return nil
	}
	return []Related{{srv.id + " has its weight here", srv.at("weight")}}
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
