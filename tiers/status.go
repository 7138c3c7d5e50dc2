package tiers

import (
	"slices"

	"gslb/health"
	"gslb/topology"
)

// A Status is what has been decided on a service, and why.
type Status struct {
	Service   Service // as it is to be in the table
	ID        string  // of the virtual_service
	Tier      string  // its name
	Last      bool    // it forwards to real servers
	Lost      bool    // it has no quorum
	Sorry     bool    // who stands in for all gets what is new
	Have      int     // destinations that take connections, or their weights
	Need, All int     // of which these make a quorum
	ByWeight  bool
	// Destinations are all of the file, also those that are left out.
	Destinations []DestinationStatus
}

// A DestinationStatus is what has been decided on a destination.
type DestinationStatus struct {
	Destination // as the file has it
	Object      string
	Within      string // the farm, "" of a director
	Verdict     Verdict
	Now         uint32 // its weight in the table
	Listed      bool   // it is in the table
	Check       *topology.Check
	Target      health.Target // with Check
	State       health.State  // with Check
	Factor      float64       // below 1: it has come up again and its weight grows, or its agent wants less
	Override    health.Override
	Reported    bool // its weight is what the director there reports
}

// Status decides like [Ground.Decide] and says why.
func (g *Ground) Status(in Inputs) []Status {
	var out []Status
	g.decide(in, func(s Status) { out = append(out, s) })
	return out
}

// report tells of the service that has just been decided on.
func (d *decision) report(r *row, s Service, lost bool, have, need int) {
	if d.tell == nil {
		return
	}
	out := Status{
		Service: s, ID: r.service.ID, Tier: r.tier.Name, Last: r.last(), Lost: lost && !s.Undecided,
		Have: have, Need: max(need, 1), All: r.most, ByWeight: r.quorum.ByWeight,
	}
	for i, dest := range r.destinations {
		v := d.verdicts[i]
		x := DestinationStatus{
			Destination: dest.Destination, Object: dest.object, Within: dest.within, Verdict: v.Verdict,
			Check: dest.check, Target: dest.target, State: v.state, Factor: v.factor, Override: v.override,
		}
		if dest.below.IsValid() {
			_, x.Reported = d.in.Reports[From{dest.object, r.bare.Key}]
		}
		if j := slices.IndexFunc(s.Destinations, func(y Destination) bool { return y.Addr == dest.Addr }); j >= 0 {
			x.Now, x.Listed = s.Destinations[j].Weight, true
		}
		out.Destinations = append(out.Destinations, x)
	}
	if r.sorry != nil {
		out.Sorry = slices.Contains(s.Destinations, *r.sorry)
	}
	d.tell(out)
}
