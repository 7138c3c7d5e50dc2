package explain

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gslb/tiers"
	"gslb/topology"
)

// A Flow is the packets from one port of a client to a port of a VIP.
type Flow struct {
	Proto   topology.Proto // NoProto: that of the port; TCP where it has both
	Client  netip.AddrPort
	Virtual netip.AddrPort
}

// A FlowWay is where the first packet of a flow goes, tier by tier, and its
// own JSON form.
type FlowWay struct {
	FormatVersion int            `json:"format_version"`
	Protocol      string         `json:"protocol"` // tcp or udp
	Client        netip.AddrPort `json:"client"`
	Virtual       netip.AddrPort `json:"virtual"`
	Service       string         `json:"service"`
	Down          []Down         `json:"down"`
	Why           []string       `json:"why"` // nobody answers; empty: somebody does
	First         *Stage         `json:"first,omitempty"`
	Reply         string         `json:"reply"`
}

// A Stage is what one director does with the flow, if it comes there.
type Stage struct {
	Director  string `json:"director"`
	Pair      string `json:"pair,omitempty"` // of which it is the active member
	Tier      string `json:"tier"`
	Method    string `json:"method"`
	Scheduler string `json:"scheduler"`
	// Known says that Next is the very destination. Else it is all that come
	// into question, with their shares.
	Known       bool       `json:"known"`
	Reason      string     `json:"reason"`              // that it is known, or not
	Persistence int64      `json:"persistence_seconds"` // 0: none
	Next        []FlowNext `json:"next"`
}

// A FlowNext is where a director sends the flow, or may.
type FlowNext struct {
	Object  string         `json:"object"`
	Kind    string         `json:"kind"` // director, server or sorry
	Address netip.AddrPort `json:"address"`
	Weight  uint32         `json:"weight"`
	Share   float64        `json:"share"` // 0 to 1, of those that come into question; 1 where it is known
	Why     []string       `json:"why"`   // it does not answer; empty: it does
	Stage   *Stage         `json:"stage,omitempty"`
}

// ExplainFlow says which way a new flow takes while state says who is up.
func ExplainFlow(topo *topology.Topology, f Flow, state State) (*FlowWay, error) {
	if state.Seen != nil {
		return nil, errors.New("directors send it on, and what a name server knows says nothing of them")
	}
	w, err := newWorld(topo, state)
	if err != nil {
		return nil, err
	}
	s, port, err := w.serving(f)
	if err != nil {
		return nil, err
	}
	if f.Client.Addr().Is6() != f.Virtual.Addr().Is6() {
		return nil, fmt.Errorf("%s and %s are of two families: no packet has both", f.Client.Addr(), f.Virtual.Addr())
	}
	x := &FlowWay{
		FormatVersion: FormatVersion, Protocol: port.Proto.String(), Client: f.Client, Virtual: f.Virtual, Service: s.ID,
		Down: w.roots(), Why: []string{}, Reply: reply(s, f.Virtual.Addr()),
	}
	first := w.front(s)
	if why := w.dead(s.ID); why != nil {
		x.Why = why
	} else if why := w.dead(first.ID); why != nil {
		x.Why = why
	} else {
		x.First = w.stage(s, first, f, port)
	}
	return x, nil
}

// serving is the service at the address of a flow, and its port there.
func (w *world) serving(f Flow) (*topology.Service, topology.Port, error) {
	vip, number := f.Virtual.Addr(), f.Virtual.Port()
	var has []string
	for _, s := range w.topo.Services {
		if !s.VIPs.Has(vip) {
			continue
		}
		for _, proto := range []topology.Proto{topology.TCP, topology.UDP} {
			port := topology.Port{Proto: proto, Number: number}
			if (f.Proto == topology.NoProto || f.Proto == proto) && slices.Contains(s.Ports, port) {
				return s, port, nil
			}
		}
		for _, p := range s.Ports {
			has = append(has, p.String())
		}
	}
	what := f.Virtual.String()
	if f.Proto != topology.NoProto {
		what = f.Proto.String() + " " + what
	}
	if len(has) > 0 {
		return nil, topology.Port{}, fmt.Errorf("no virtual_service is at %s; at that address there is %s", what, few(has, ", "))
	}
	var vips []string
	for _, s := range w.topo.Services {
		for _, a := range s.VIPs {
			vips = append(vips, a.String())
		}
	}
	if len(vips) == 0 {
		return nil, topology.Port{}, fmt.Errorf("no virtual_service is at %s: the topology has none", what)
	}
	return nil, topology.Port{}, fmt.Errorf("no virtual_service is at %s; the VIPs are %s", what, few(vips, ", "))
}

// stage is what a director does with a flow.
func (w *world) stage(s *topology.Service, d *topology.Director, f Flow, port topology.Port) *Stage {
	vip := f.Virtual.Addr()
	p := w.part(role{d, s})
	r := p.rows[tiers.KeyOf(s, vip, port)]
	out := &Stage{Director: d.ID, Tier: p.tier.Name, Method: p.tier.Method.String(), Scheduler: r.Scheduler, Next: []FlowNext{}}
	if pair := p.tier.PairOf(d); pair != nil {
		out.Pair = pair.ID
	}
	if r.Flags&tiers.Persistent != 0 {
		out.Persistence = int64(r.Timeout)
	}
	scheduler, _ := topology.SchedulerNamed(r.Scheduler)
	var open []tiers.Destination
	sum := 0.
	share := func(d tiers.Destination) float64 {
		if scheduler.Weighted {
			return float64(d.Weight)
		}
		return 1
	}
	for _, d := range r.Destinations {
		if d.Weight > 0 {
			open = append(open, d)
			sum += share(d)
		}
	}
	chosen := p.chosen(r, f.Client)
	switch {
	case len(open) == 0:
		out.Known, out.Reason = true, "nobody takes new connections"
	case len(open) == 1:
		out.Known, out.Reason = true, "the only one that takes new connections"
	case chosen.IsValid():
		out.Known, out.Reason = true, schedulers[r.Scheduler]
		if r.Flags&tiers.Sched2 != 0 {
			out.Reason += " and port"
		}
		open = slices.DeleteFunc(open, func(d tiers.Destination) bool { return d.Addr != chosen })
	default:
		out.Reason = schedulers[r.Scheduler] + ": that cannot be known, it depends on the other connections at that moment"
	}
	for _, dest := range open {
		next := FlowNext{Object: "the sorry server", Kind: "sorry", Address: dest.Addr, Weight: dest.Weight, Share: share(dest) / sum, Why: []string{}}
		if out.Known {
			next.Share = 1
		}
		if i := slices.IndexFunc(p.hops, func(h hop) bool { to, there := r.to(h); return there && to.Addr == dest.Addr }); i >= 0 {
			h := p.hops[i]
			next.Object, next.Kind = h.id, "server"
			next.Why = append(next.Why, w.hop(h, s, vip, port.Number)...)
			if h.director != nil {
				next.Kind = "director"
				if w.dead(h.id) == nil {
					next.Stage = w.stage(s, h.director, f, port)
				}
			}
		}
		out.Next = append(out.Next, next)
	}
	return out
}

// Text is the way as an operator reads it.
func (x *FlowWay) Text(paint Paint) string {
	w := &writer{paint: paint}
	w.line("%s  %s %s -> %s, %s", w.paint.with(paint.Head, "FLOW"), x.Protocol, x.Client, x.Virtual, x.Service)
	for i, d := range x.Down {
		title := "down"
		if i > 0 {
			title = ""
		}
		with := ""
		if d.With > 0 {
			with = fmt.Sprintf(", with %d objects in it", d.With)
		}
		w.line("  %-6s  %s%s", title, d.Object, with)
	}
	if len(x.Why) > 0 {
		w.line("  %s", w.paint.with(paint.Bad, "nobody answers: "+few(x.Why, "; ")))
	}
	if x.First != nil {
		w.WriteByte('\n')
		w.line("  %s", member(x.First.Director, x.First.Pair))
		w.stage(x.First, "    ")
	}
	w.WriteByte('\n')
	w.line("  reply: %s", x.Reply)
	return w.String()
}

// member is a director as a sentence names it that may be one of a pair.
func member(director, pair string) string {
	if pair == "" {
		return director
	}
	return director + " of " + pair
}

func (w *writer) stage(s *Stage, indent string) {
	w.line("%stier %s, %s", indent, s.Tier, s.Method)
	w.line("%s%s", indent, w.paint.with(w.paint.Dim, s.Scheduler+": "+s.Reason))
	if s.Persistence > 0 {
		w.line("%s%s", indent, w.paint.with(w.paint.Dim, fmt.Sprintf("persistence: a client that was here within %v goes where it went then", time.Duration(s.Persistence)*time.Second)))
	}
	for _, n := range s.Next {
		mark := "->"
		if !s.Known {
			mark = percent(n.Share)
		}
		object := n.Object
		if n.Stage != nil {
			object = member(n.Object, n.Stage.Pair)
		}
		line := fmt.Sprintf("%s%s %s  %s", indent, mark, object, strings.TrimSuffix(n.Address.String(), ":0"))
		if len(n.Why) > 0 {
			line += "  " + w.paint.with(w.paint.Bad, "does not answer: "+few(n.Why, "; "))
		}
		w.line("%s", line)
		if n.Stage != nil {
			w.stage(n.Stage, indent+"   ")
		}
	}
}
