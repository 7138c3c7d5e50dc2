package tiers

import (
	"maps"
	"net/netip"
	"strings"

	"gslb/topology"
)

// An Owner says which virtual services of a kernel are ours to change: those
// of its VIPs and of its marks, and the fwmarks from [MarkBase] to [GuardMark].
// Everything else is foreign: shown, and left alone.
type Owner struct {
	VIPs  map[netip.Addr]bool
	Marks map[uint32]bool
}

// Owns reports whether the service with key k is ours.
func (o Owner) Owns(k Key) bool {
	if k.VIP.IsValid() {
		return o.VIPs[k.VIP.Addr()] && k.Proto != topology.NoProto
	}
	return k.Mark&0xffff0000 == MarkBase || o.Marks[k.Mark]
}

// With is the owner of what either owns.
func (o Owner) With(other Owner) Owner {
	out := Owner{VIPs: maps.Clone(o.VIPs), Marks: maps.Clone(o.Marks)}
	if out.VIPs == nil {
		out.VIPs = map[netip.Addr]bool{}
	}
	if out.Marks == nil {
		out.Marks = map[uint32]bool{}
	}
	maps.Copy(out.VIPs, other.VIPs)
	maps.Copy(out.Marks, other.Marks)
	return out
}

// An Op is what a [Change] does.
type Op uint8

// The operations of a plan. There is none that replaces: a service deleted and
// added again would lose its connections.
const (
	AddService Op = iota + 1
	EditService
	DeleteService
	AddDestination
	EditDestination
	DeleteDestination
)

// A Change is one step of a [Plan].
type Change struct {
	Op      Op
	Service Service // without destinations
	// Destination of a change that concerns one.
	Destination Destination
	// What there was before an edit.
	ServiceBefore     Service
	DestinationBefore Destination
}

// A Plan is the changes from one table to another, in the order in which they
// are made: whatever takes traffic first, what gives it up last.
type Plan []Change

// Diff returns the plan that turns have into want, touching only what o owns.
// Both tables are in canonical order.
// What is undecided in want stays as it is in have.
func Diff(have, want Table, o Owner) Plan {
	before := make(map[Key]Service, len(have.Services))
	for _, s := range have.Services {
		before[s.Key] = s
	}
	wanted := make(map[Key]bool, len(want.Services))
	var plan, last Plan
	for _, s := range want.Services {
		wanted[s.Key] = true
		if s.Undecided {
			continue
		}
		old, there := before[s.Key]
		bare := s.bare()
		switch {
		case !there:
			plan = append(plan, Change{Op: AddService, Service: bare})
		case !old.same(s):
			plan = append(plan, Change{Op: EditService, Service: bare, ServiceBefore: old.bare()})
		}
		add, remove := diffDestinations(bare, old.Destinations, s.Destinations)
		plan, last = append(plan, add...), append(last, remove...)
	}
	for _, s := range have.Services {
		if !wanted[s.Key] && o.Owns(s.Key) {
			last = append(last, Change{Op: DeleteService, Service: s.bare()})
		}
	}
	return append(plan, last...)
}

func diffDestinations(s Service, have, want []Destination) (add, remove Plan) {
	before := make(map[netip.AddrPort]Destination, len(have))
	for _, d := range have {
		before[d.Addr] = d
	}
	for _, d := range want {
		old, there := before[d.Addr]
		delete(before, d.Addr)
		switch {
		case !there:
			add = append(add, Change{Op: AddDestination, Service: s, Destination: d})
		case old != d:
			add = append(add, Change{Op: EditDestination, Service: s, Destination: d, DestinationBefore: old})
		}
	}
	for _, d := range have {
		if _, left := before[d.Addr]; left {
			remove = append(remove, Change{Op: DeleteDestination, Service: s, Destination: d})
		}
	}
	return add, remove
}

func (s Service) bare() Service {
	s.Destinations = nil
	return s
}

func (s Service) same(o Service) bool {
	return s.Scheduler == o.Scheduler && s.Flags == o.Flags && s.Netmask == o.Netmask && s.Engine == o.Engine &&
		(s.Timeout == o.Timeout || s.Flags&Persistent == 0)
}

// Apply returns the table after the plan has been carried out on t.
func (p Plan) Apply(t Table) Table {
	services := map[Key]*Service{}
	var order []*Service
	for _, s := range t.Services {
		s.Destinations = append([]Destination(nil), s.Destinations...)
		order = append(order, &s)
		services[s.Key] = &s
	}
	for _, c := range p {
		s := services[c.Service.Key]
		switch c.Op {
		case AddService:
			s = &Service{}
			*s = c.Service
			order = append(order, s)
			services[s.Key] = s
		case EditService:
			destinations := s.Destinations
			*s = c.Service
			s.Destinations = destinations
		case DeleteService:
			delete(services, c.Service.Key)
		case AddDestination:
			s.Destinations = append(s.Destinations, c.Destination)
		case EditDestination, DeleteDestination:
			s.Destinations = replace(s.Destinations, c)
		}
	}
	var out Table
	for _, s := range order {
		if services[s.Key] == s {
			out.Services = append(out.Services, *s)
		}
	}
	out.Sort()
	return out
}

func replace(list []Destination, c Change) []Destination {
	var out []Destination
	for _, d := range list {
		switch {
		case d.Addr != c.Destination.Addr:
			out = append(out, d)
		case c.Op == EditDestination:
			out = append(out, c.Destination)
		}
	}
	return out
}

// String is the plan as an operator reads it, a line for each change.
func (p Plan) String() string {
	var b strings.Builder
	for _, c := range p {
		b.WriteString(c.String())
		b.WriteByte('\n')
	}
	return b.String()
}

func (c Change) String() string {
	arrow := c.Service.Key.String() + " -> "
	switch c.Op {
	case AddService:
		return "+ " + c.Service.String()
	case EditService:
		return "~ " + c.ServiceBefore.String() + " => " + c.Service.String()
	case DeleteService:
		return "- " + c.Service.String()
	case AddDestination:
		return "+ " + arrow + c.Destination.String()
	case EditDestination:
		before, after := c.DestinationBefore, c.Destination
		if i := strings.Index(after.String(), "weight"); strings.HasPrefix(before.String(), after.String()[:i]) {
			return "~ " + arrow + before.String() + " => " + after.String()[i:]
		}
		return "~ " + arrow + before.String() + " => " + after.String()
	case DeleteDestination:
		return "- " + arrow + c.Destination.String()
	}
	return "? " + arrow
}
