// Package tiers works out what each node must forward and what its kernel must
// be like for that. It is arithmetic on values: a [topology.Topology] and a
// [health.View] go in; a [Table] of virtual services, a [Host] of addresses,
// tunnels and sysctls, and the [Plan] from one table to another come out.
// Package dataplane carries them out.
package tiers

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"gslb/topology"
)

// MarkBase is the first of the fwmarks that are ours, 0x47530000/16: one for
// each pair of VIP and destination that is probed through the VIP.
const MarkBase uint32 = 0x47530000

// GuardMark is the fwmark of the guard: a service without destinations that
// keeps the kernel's hooks registered when the last other service goes. Without
// it, live connections are reset (net/netfilter/ipvs/ip_vs_ctl.c unregisters
// the hooks with the last service).
const GuardMark = MarkBase | 0xffff

// A Table is the complete forwarding state of a director: what a kernel holds
// or what it should hold, in canonical order (see [Table.Sort]).
type Table struct {
	Services []Service
}

// A Key identifies a virtual service in the kernel: by VIP, protocol and port,
// or by fwmark and family.
type Key struct {
	Proto topology.Proto // NoProto with a VIP: neither TCP nor UDP, so foreign
	VIP   netip.AddrPort
	Mark  uint32 // without a VIP
	V6    bool   // family of a fwmark service; that of VIP else
}

// VIPKey is the key of a service at an address.
func VIPKey(proto topology.Proto, vip netip.AddrPort) Key {
	return Key{Proto: proto, VIP: vip, V6: vip.Addr().Is6()}
}

// MarkKey is the key of a service for packets with a mark.
func MarkKey(mark uint32, v6 bool) Key { return Key{Mark: mark, V6: v6} }

func (k Key) String() string {
	switch {
	case k.VIP.IsValid() && k.Proto == topology.NoProto:
		return "other protocol " + k.VIP.String()
	case k.VIP.IsValid():
		return k.Proto.String() + " " + k.VIP.String()
	case k.V6:
		return fmt.Sprintf("fwmark 0x%x v6", k.Mark)
	}
	return fmt.Sprintf("fwmark 0x%x", k.Mark)
}

// Flags of a virtual service, as in linux/ip_vs.h.
type Flags uint32

// The flags of a virtual service. What a scheduler flag means depends on the
// scheduler; for sh and mh the first is "fallback", the second "port".
const (
	Persistent Flags = 1 << 0
	OnePacket  Flags = 1 << 2
	Sched1     Flags = 1 << 3
	Sched2     Flags = 1 << 4
	Sched3     Flags = 1 << 5
)

// Fallback lets a hash scheduler choose another destination when the one it
// hashed to has weight 0; without it those clients are refused.
const Fallback = Sched1

// A Service is one virtual service of the kernel's table.
type Service struct {
	Key       Key
	Scheduler string
	Flags     Flags
	Timeout   uint32 // of persistence, seconds
	Netmask   uint8  // prefix length of persistence: 1 to 32, or to 128
	Engine    string // of persistence: "" or "sip"
	// Undecided says of a wanted service that too little is known yet: the
	// kernel keeps what it has, be it nothing or what a director left there
	// before.
	Undecided bool
	// Destinations in canonical order. The order matters to sh, which fills its
	// table in the order they were added.
	Destinations []Destination
}

// A Destination is where a virtual service forwards to: a real server or a
// director of the next tier.
type Destination struct {
	Addr   netip.AddrPort
	Method topology.Method // NoMethod for what only the kernel itself sets (localnode)
	Weight uint32          // 0: nothing new
	Encap  Encap           // TUN only
	Upper  uint32          // connections at which nothing new comes; 0: none
	Lower  uint32          // connections below which it comes again
}

// Encap is the encapsulation of TUN: the zero value is IP in IP.
type Encap struct {
	Type  uint8 // 0 ipip, 1 gue, 2 gre
	Port  uint16
	Flags uint16
}

// Sort puts the table in canonical order: services by key, destinations by
// address. Two directors with the same destinations then give hash schedulers
// the same table.
func (t Table) Sort() {
	slices.SortFunc(t.Services, func(a, b Service) int { return a.Key.compare(b.Key) })
	for _, s := range t.Services {
		slices.SortFunc(s.Destinations, func(a, b Destination) int { return a.Addr.Compare(b.Addr) })
	}
}

// Find returns where the service with key k is in a table in canonical order,
// or would be.
func (t Table) Find(k Key) (at int, there bool) {
	return slices.BinarySearchFunc(t.Services, k, func(s Service, k Key) int { return s.Key.compare(k) })
}

func (k Key) compare(o Key) int {
	return cmp.Or(
		k.VIP.Compare(o.VIP), cmp.Compare(k.Proto, o.Proto), cmp.Compare(k.Mark, o.Mark),
		cmp.Compare(boolInt(k.V6), boolInt(o.V6)))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// String is the table as an operator reads it, a line for each service and destination.
func (t Table) String() string {
	var b strings.Builder
	for _, s := range t.Services {
		fmt.Fprintln(&b, s)
		for _, d := range s.Destinations {
			fmt.Fprintf(&b, "  -> %s\n", d)
		}
	}
	return b.String()
}

func (s Service) String() string {
	out := s.Key.String() + " " + s.Scheduler
	for _, f := range s.FlagNames() {
		if f != "persistent" {
			out += " " + f
		}
	}
	if s.Flags&Persistent != 0 {
		out += fmt.Sprintf(" persistent %ds/%d", s.Timeout, s.Netmask)
	}
	if s.Engine != "" {
		out += " engine " + s.Engine
	}
	return out
}

// FlagNames are the flags in words: what a scheduler's mean depends on it.
func (s *Service) FlagNames() []string {
	var out []string
	add := func(bit Flags, name string) {
		if s.Flags&bit != 0 {
			out = append(out, name)
		}
	}
	add(Persistent, "persistent")
	add(OnePacket, "one-packet")
	if s.Scheduler == "sh" || s.Scheduler == "mh" {
		add(Sched1, "fallback")
		add(Sched2, "port")
	} else {
		add(Sched1, "flag-1")
		add(Sched2, "flag-2")
	}
	add(Sched3, "flag-3")
	return out
}

func (d Destination) String() string {
	out := fmt.Sprintf("%s %s weight %d", d.Addr, d.method(), d.Weight)
	if d.Upper != 0 || d.Lower != 0 {
		out += fmt.Sprintf(" thresholds %d/%d", d.Upper, d.Lower)
	}
	return out
}

func (d Destination) method() string {
	switch {
	case d.Method == topology.NoMethod:
		return "local"
	case d.Method == topology.TUN && d.Encap.Type == 1:
		return fmt.Sprintf("tun gue port %d", d.Encap.Port)
	case d.Method == topology.TUN && d.Encap.Type == 2:
		return "tun gre"
	}
	return d.Method.String()
}
