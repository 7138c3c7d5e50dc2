// Package vrrp decides who of several nodes holds addresses that they share:
// the Virtual Router Redundancy Protocol, version 3 (RFC 9568) for IPv4 and
// IPv6, and version 2 (RFC 3768) for those who speak nothing newer.
//
// A [Router] is the role of one node and a pure function: [Router.Next] takes an
// event and gives the router after it and what to do. It moves all its
// [Instance]s together, so that a VIP and the gateway behind it, or the VIPs of
// both families, are never at two nodes. An [Inbox] decides which packets are
// heard at all, with a named reason for each that is not, and an [Outbox] makes
// those that are sent.
//
// The time is an argument twice over. Roles go by a clock that never jumps and
// that a restart of the program does not set back, such as Linux's
// CLOCK_BOOTTIME: a time.Duration since any fixed moment, never 0. Only the
// sequence of authenticated advertisements is made from the wall clock.
//
// The package refuses I/O, goroutines and to add an address anywhere; package
// conn opens the sockets.
package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// A Role is what a node is for its addresses (RFC 9568, section 6.3).
type Role uint8

// The zero value holds nothing and says nothing.
const (
	Init   Role = iota // not started, or not fit to hold the addresses
	Backup             // listens, and takes over when the active router is silent
	Active             // has the addresses and says so
)

var roles = [...]string{"init", "backup", "active"}

func (r Role) String() string {
	if int(r) < len(roles) {
		return roles[r]
	}
	return fmt.Sprintf("role %d", r)
}

// MarshalText gives the role's word.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads it.
func (r *Role) UnmarshalText(text []byte) error {
	for i, word := range roles {
		if string(text) == word {
			*r = Role(i)
			return nil
		}
	}
	return fmt.Errorf("%q is none of init, backup, active", text)
}

// Bounds of what a router may be told.
const (
	MaxInstances = 16
	MaxPeers     = 16
	// Owner is the priority of the node that has the addresses as its own; it
	// never waits (RFC 9568, section 5.2.4).
	Owner = 255
	// Claimed and Yielded are the priorities of a router that an operator has
	// told to take over, and to give up.
	Claimed = 254
	Yielded = 1
)

// A Config is what a router is told. It is not changed by anybody afterwards.
type Config struct {
	// Name is what the router is called in sentences.
	Name string
	// Instances move together, at most [MaxInstances]. The first decides
	// between nodes of equal priority.
	Instances []Instance
	// Priority is from 1 to 254, or [Owner].
	Priority uint8
	// Interval is the time between advertisements: from 10 ms to 40.95 s in
	// steps of 10 ms for version 3, whole seconds up to 255 for version 2.
	Interval time.Duration
	// Preempt lets the router take over from an active one of lower priority,
	// when it has listened to it for PreemptDelay, which is 0 or more.
	Preempt      bool
	PreemptDelay time.Duration
	// PreemptBelow lets the router do so without Preempt from one whose priority
	// is below it: the node is there, and not well.
	PreemptBelow uint8
	Flap         Flap
}

// Flap is how a router's own take-overs are dampened. A role that is lost
// within Window after it was taken is a flap, and sooner than after PreemptDelay:
// who comes back and takes over as it should has listened for so long. From the
// flap with number Count in a row on, the router does not take over for
//
//	min(Hold x 2^(flaps - Count), Max)
//
// unless the active router resigns. A Count of 0 dampens nothing.
type Flap struct {
	Count             int
	Window, Hold, Max time.Duration
}

// An Instance is one virtual router on one segment, of one family.
type Instance struct {
	// ID is the virtual router's, from 1 to 255, one of its own on the segment
	// for each family.
	ID uint8
	// Version is 3, or 2 for IPv4.
	Version uint8
	// Interface is the network interface of the segment.
	Interface string
	// Source is the node's own address there, the one it speaks from: the
	// primary address of RFC 9568, link-local for IPv6 by multicast.
	Source netip.Addr
	// VirtualMAC lets the addresses have a MAC address that moves with them, on a
	// device of its own.
	VirtualMAC bool
	// Addrs are the addresses that move, of Source's family. For IPv6 the first
	// is link-local (RFC 9568, section 5.2.9); [LinkLocal] makes one.
	Addrs []netip.Addr
	// Peers are the other nodes' addresses, at most [MaxPeers]. Every instance
	// of a router lists the nodes in the same order. Nobody else is heard.
	Peers []netip.Addr
	// Open hears everybody on the segment besides the peers.
	Open bool
	// Unicast sends to each of the peers instead of to all routers.
	Unicast bool
	// Hops is how many routers may lie between the nodes, for unicast only. 0 is
	// the protocol's own protection: what comes from another segment is refused.
	Hops uint8
	// Password is version 2's simple text password, at most 8 bytes; it keeps
	// out mistakes, not enemies.
	Password string
	// Keys authenticate advertisements; the first signs, all are accepted; the
	// zero Key stands for no signature. At most [MaxKeys].
	Keys []Key
	// Window is how far the wall clocks of nodes with keys may differ, 1 s to
	// 300 s. 0 compares no clocks: an advertisement is fresh when its sequence
	// is above the last one of its sender.
	Window time.Duration
}

// LinkLocal is the link-local address of the IPv6 virtual router with an id:
// the one that follows from its virtual MAC address (RFC 4291, appendix A).
func LinkLocal(id uint8) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: 0x02, 10: 0x5e, 11: 0xff, 12: 0xfe, 13: 0, 14: 0x02, 15: id})
}

// MAC is the virtual MAC address of a virtual router (RFC 9568, section 7.3).
func MAC(id uint8, v6 bool) [6]byte {
	if v6 {
		return [6]byte{0, 0, 0x5e, 0, 2, id}
	}
	return [6]byte{0, 0, 0x5e, 0, 1, id}
}

// Where advertisements go when they go to all (RFC 9568, sections 5.1.1.2 and
// 5.1.2.2).
var (
	allRouters4 = netip.MustParseAddr("224.0.0.18")
	allRouters6 = netip.MustParseAddr("ff02::12")
)

// AllRouters is the multicast address of a family's VRRP routers.
func AllRouters(v6 bool) netip.Addr {
	if v6 {
		return allRouters6
	}
	return allRouters4
}

// Check says all that is wrong with a configuration.
func (c Config) Check() error {
	var errs []error
	say := func(format string, args ...any) { errs = append(errs, fmt.Errorf(c.Name+": "+format, args...)) }
	switch {
	case len(c.Instances) == 0:
		say("no instance: there is nothing to hold")
	case len(c.Instances) > MaxInstances:
		say("%d instances, %d at most", len(c.Instances), MaxInstances)
	}
	if c.Priority == 0 {
		say("priority 0 means that a router resigns: give 1 to 254")
	}
	if c.PreemptDelay < 0 {
		say("a preempt delay of %v", c.PreemptDelay)
	}
	if f := c.Flap; f.Count < 0 || f.Count > 0 && (f.Window <= 0 || f.Hold <= 0 || f.Max < f.Hold) {
		say("flaps: count %d, window %v, hold %v, max %v", f.Count, f.Window, f.Hold, f.Max)
	}
	for i, in := range c.Instances {
		if err := in.check(c.Interval); err != nil {
			say("instance %d (virtual router %d on %s): %w", i+1, in.ID, in.Interface, err)
		}
		if len(in.Peers) != len(c.Instances[0].Peers) {
			say("instance %d has %d peers, the first has %d: each lists the same nodes", i+1, len(in.Peers), len(c.Instances[0].Peers))
		}
	}
	return errors.Join(errs...)
}

func (in Instance) check(interval time.Duration) error {
	var errs []error
	say := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	v6 := in.Source.Is6()
	if in.ID == 0 {
		say("a virtual router's id is 1 to 255")
	}
	switch {
	case in.Version == 3 && (interval < centisecond || interval > maxCentiseconds*centisecond || interval%centisecond != 0):
		say("an interval of %v: version 3 has 10ms to 40.95s in steps of 10ms", interval)
	case in.Version == 2 && (interval < time.Second || interval > maxSeconds*time.Second || interval%time.Second != 0):
		say("an interval of %v: version 2 has whole seconds from 1 to 255", interval)
	case in.Version == 2 && v6:
		say("version 2 knows IPv4 alone")
	case in.Version != 2 && in.Version != 3:
		say("version %d: there are 2 and 3", in.Version)
	}
	if !in.Source.IsValid() || in.Source.Is4In6() || in.Source.IsMulticast() || in.Source.Zone() != "" {
		say("%v is no address to speak from", in.Source)
	}
	if len(in.Addrs) == 0 {
		say("no addresses")
	}
	if size := in.size(); size > maxPayload {
		say("%d addresses make an advertisement of %d bytes, %d at most", len(in.Addrs), size, maxPayload)
	}
	for i, a := range in.Addrs {
		if a.Is6() != v6 || a.Is4In6() || a.Zone() != "" || a.IsMulticast() {
			say("%v does not go with %v", a, in.Source)
		} else if v6 && i == 0 && !a.IsLinkLocalUnicast() {
			say("%v: the first address of an IPv6 virtual router is link-local (RFC 9568, section 5.2.9)", a)
		}
	}
	if v6 && !in.Unicast && !in.Source.IsLinkLocalUnicast() {
		say("%v: by multicast an IPv6 router speaks from its link-local address (RFC 9568, section 5.1.2.1)", in.Source)
	}
	switch {
	case len(in.Peers) == 0 && (!in.Open || in.Unicast):
		say("no peers")
	case len(in.Peers) > MaxPeers:
		say("%d peers, %d at most", len(in.Peers), MaxPeers)
	}
	for i, p := range in.Peers {
		if p.Is6() != v6 || p.Is4In6() || p.Zone() != "" || p.IsMulticast() {
			say("the peer %v does not go with %v", p, in.Source)
		}
		if p == in.Source {
			say("the peer %v is the node itself", p)
		}
		for _, q := range in.Peers[:i] {
			if p == q {
				say("the peer %v is there twice", p)
			}
		}
	}
	if in.Hops > 0 && !in.Unicast {
		say("hops are for unicast: a multicast packet never leaves its segment")
	}
	if in.Password != "" && (in.Version != 2 || len(in.Password) > passwordSize) {
		say("a password is for version 2 and has at most %d bytes", passwordSize)
	}
	if in.Password != "" && len(in.Keys) > 0 {
		say("a password and keys: what has keys needs no password")
	}
	if err := checkKeys(in.Keys); err != nil {
		errs = append(errs, err)
	}
	if in.Window != 0 && (in.Window < minWindow || in.Window > maxWindow) {
		say("a window of %v: %v to %v, or 0", in.Window, minWindow, maxWindow)
	}
	return errors.Join(errs...)
}
