package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// An Event is what a router is told.
type Event interface{ event() }

type (
	// Start begins: everybody is backup first, the [Owner] alone is not.
	Start struct{}
	// Stop ends. An active router resigns, so that the next one need not wait.
	Stop struct{}
	// Tick says that it is the time that the last [Wake] named, or later.
	Tick struct{}
	// Heard is an advertisement that an [Inbox] has let pass.
	Heard struct {
		Instance int // index in Config.Instances
		From     netip.Addr
		Priority uint8
		Interval time.Duration
	}
	// Tracked is what the objects that a router depends on cost it: Penalty is
	// taken off its priority, which stays at 1 at least. An unfit router resigns
	// and holds nothing until it is fit.
	Tracked struct {
		Penalty uint8
		Unfit   bool
		Why     string
	}
	// Ready says whether the node has what it needs to take over from an active
	// router that lives, such as a copy of its connections. A router is ready
	// until it is told otherwise. Being not ready never keeps it from taking over
	// when nobody is active.
	Ready struct{ Ready bool }
	// Move is an operator's will; it lasts until another one, over reloads and
	// restarts.
	Move struct{ To Will }
	// Unable says that the node could not hold the addresses.
	Unable struct{ Why string }
	// Reload gives another configuration. The role stays.
	Reload struct{ Config Config }
)

func (Start) event()   {}
func (Stop) event()    {}
func (Tick) event()    {}
func (Heard) event()   {}
func (Tracked) event() {}
func (Ready) event()   {}
func (Move) event()    {}
func (Unable) event()  {}
func (Reload) event()  {}

// A Will is what an operator wants of a router.
type Will uint8

// The zero value leaves it to the priorities.
const (
	Free  Will = iota
	Yield      // give up, and hold the addresses only when nobody else does
	Claim      // take over, whatever the other's priority, delays and holds
)

var wills = [...]string{"free", "yield", "claim"}

func (w Will) String() string {
	if int(w) < len(wills) {
		return wills[w]
	}
	return fmt.Sprintf("will %d", w)
}

// MarshalText gives the will's word.
func (w Will) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads it.
func (w *Will) UnmarshalText(text []byte) error {
	for i, word := range wills {
		if string(text) == word {
			*w = Will(i)
			return nil
		}
	}
	return fmt.Errorf("%q is none of free, yield, claim", text)
}

// An Action is what a router wants done, in the order of the list.
type Action interface {
	fmt.Stringer
	action()
}

type (
	// Send advertises on all instances, at once: peers count the time.
	Send struct {
		Priority uint8
		Interval time.Duration
	}
	// Take makes the node have all addresses of all instances, those that it has
	// already too. When that is done or has failed, [Unable] says the latter.
	Take struct{}
	// Drop makes the node have none of them.
	Drop struct{}
	// Announce tells the segments where the addresses are now, by gratuitous ARP
	// and unsolicited neighbour advertisements, when what was before it in order
	// is done.
	Announce struct{}
	// Wake is the time of the next [Tick], the one named last counts. 0: none.
	Wake struct{ At time.Duration }
	// Report is for people: a change of role, or what is odd.
	Report struct {
		From, To Role
		Why      string
	}
)

func (Send) action()     {}
func (Take) action()     {}
func (Drop) action()     {}
func (Announce) action() {}
func (Wake) action()     {}
func (Report) action()   {}

func (s Send) String() string {
	if s.Priority == 0 {
		return "resign"
	}
	return fmt.Sprintf("advertise %d", s.Priority)
}
func (Take) String() string     { return "take" }
func (Drop) String() string     { return "drop" }
func (Announce) String() string { return "announce" }
func (w Wake) String() string   { return fmt.Sprintf("wake %v", w.At) }
func (r Report) String() string {
	if r.From == r.To {
		return fmt.Sprintf("%v: %s", r.To, r.Why)
	}
	return fmt.Sprintf("%v -> %v: %s", r.From, r.To, r.Why)
}
