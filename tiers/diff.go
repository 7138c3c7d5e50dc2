package tiers

import (
	"maps"
	"net/netip"
	"slices"
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
	Service *Service // without destinations; changes of one service share it
	// Destination of a change that concerns one.
	Destination Destination
	// What there was before an edit.
	ServiceBefore     *Service
	DestinationBefore *Destination
}

// A Plan is the changes from one table to another, in the order in which they
// are made: whatever takes traffic first, what gives it up last.
type Plan []Change

// Diff returns the plan that turns have into want, touching only what o owns.
// Both tables are in canonical order.
// What is undecided in want stays as it is in have.
func Diff(have, want Table, o Owner) Plan {
	var plan, last, gone Plan
	if more := want.size() - have.size(); more > 0 {
		plan = make(Plan, 0, more)
	}
	left := have.Services
	// before takes the services up to k off those that are left and returns the one that has it.
	before := func(k Key) *Service {
		for len(left) > 0 {
			s := &left[0]
			order := 0
			if s.Key != k {
				order = s.Key.compare(k)
			}
			if order > 0 {
				break
			}
			left = left[1:]
			if order == 0 {
				return s
			}
			if o.Owns(s.Key) {
				gone = append(gone, Change{Op: DeleteService, Service: s.bare()})
			}
		}
		return nil
	}
	for i := range want.Services {
		s := &want.Services[i]
		old := before(s.Key)
		if s.Undecided {
			continue
		}
		equal := old != nil && slices.Equal(old.Destinations, s.Destinations)
		if equal && old.same(s) {
			continue
		}
		bare := s.bare()
		switch {
		case old == nil:
			plan = append(plan, Change{Op: AddService, Service: bare})
			old = &Service{}
		case !old.same(s):
			plan = append(plan, Change{Op: EditService, Service: bare, ServiceBefore: old.bare()})
		}
		if !equal {
			plan, last = diffDestinations(plan, last, bare, old.Destinations, s.Destinations)
		}
	}
	for i := range left {
		if s := &left[i]; o.Owns(s.Key) {
			gone = append(gone, Change{Op: DeleteService, Service: s.bare()})
		}
	}
	return append(append(plan, last...), gone...)
}

// diffDestinations appends what takes traffic to plan and what gives it up to last.
func diffDestinations(plan, last Plan, s *Service, have, want []Destination) (Plan, Plan) {
	for len(have) > 0 || len(want) > 0 {
		var order int
		switch {
		case len(have) == 0:
			order = 1
		case len(want) == 0:
			order = -1
		default:
			order = have[0].Addr.Compare(want[0].Addr)
		}
		switch {
		case order > 0:
			plan = append(plan, Change{Op: AddDestination, Service: s, Destination: want[0]})
		case order < 0:
			last = append(last, Change{Op: DeleteDestination, Service: s, Destination: have[0]})
		case have[0] != want[0]:
			plan = append(plan, Change{Op: EditDestination, Service: s, Destination: want[0], DestinationBefore: &have[0]})
		}
		if order <= 0 {
			have = have[1:]
		}
		if order >= 0 {
			want = want[1:]
		}
	}
	return plan, last
}

// bare is the service without its destinations.
func (s *Service) bare() *Service {
	bare := *s
	bare.Destinations = nil
	return &bare
}

// size is how many services and destinations there are.
func (t Table) size() int {
	n := len(t.Services)
	for i := range t.Services {
		n += len(t.Services[i].Destinations)
	}
	return n
}

func (s *Service) same(o *Service) bool {
	return s.Scheduler == o.Scheduler && s.Flags == o.Flags && s.Netmask == o.Netmask && s.Engine == o.Engine &&
		(s.Timeout == o.Timeout || s.Flags&Persistent == 0)
}

// Apply returns the table after the plan has been carried out on t, which is
// in canonical order and stays as it is; the two share what has not changed.
// Changes of what is not in t are none.
func (p Plan) Apply(t Table) Table {
	touched := map[Key]*Service{} // nil: it is gone
	var added []Key
	for i := range p {
		c := &p[i]
		k := c.Service.Key
		s, known := touched[k]
		if !known {
			if at, there := t.Find(k); there {
				own := t.Services[at]
				own.Destinations = slices.Clone(own.Destinations)
				s = &own
			} else {
				added = append(added, k)
			}
		}
		switch {
		case c.Op == AddService:
			s = c.Service.bare()
		case s == nil:
		case c.Op == EditService:
			destinations := s.Destinations
			*s = *c.Service
			s.Destinations = destinations
		case c.Op == DeleteService:
			s = nil
		default:
			s.change(c)
		}
		touched[k] = s
	}
	var out Table
	out.Services = slices.Grow(out.Services, len(t.Services)+len(added))
	for i := range t.Services {
		s := &t.Services[i]
		if own, is := touched[s.Key]; is {
			s = own
		}
		if s != nil {
			out.Services = append(out.Services, *s)
		}
	}
	for _, k := range added {
		if s := touched[k]; s != nil {
			out.Services = append(out.Services, *s)
		}
	}
	for k, s := range touched {
		if s != nil {
			slices.SortFunc(touched[k].Destinations, func(a, b Destination) int { return a.Addr.Compare(b.Addr) })
		}
	}
	if len(out.Services) == 0 {
		return Table{}
	}
	if len(added) > 0 {
		slices.SortFunc(out.Services, func(a, b Service) int { return a.Key.compare(b.Key) })
	}
	return out
}

// change makes a change of a destination.
func (s *Service) change(c *Change) {
	i := -1
	if c.Op != AddDestination {
		i = slices.IndexFunc(s.Destinations, func(d Destination) bool { return d.Addr == c.Destination.Addr })
	}
	switch {
	case c.Op == AddDestination:
		s.Destinations = append(s.Destinations, c.Destination)
	case i < 0:
	case c.Op == EditDestination:
		s.Destinations[i] = c.Destination
	case c.Op == DeleteDestination:
		if s.Destinations = slices.Delete(s.Destinations, i, i+1); len(s.Destinations) == 0 {
			s.Destinations = nil
		}
	}
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
