package steering

import (
	"gslb/health"
	"gslb/topology"
)

// Mode is what overrides, with those of services spread ([health.Overrides.Spread]),
// make of an answer: the strictest of its own, its service's and its region's.
func Mode(o health.Overrides, a *topology.Answer) health.Mode {
	mode := o.Mode(a.ID)
	if a.Service != nil {
		mode = max(mode, o.Mode(a.Service.ID))
	}
	if a.Region != nil {
		mode = max(mode, o.Mode(a.Region.ID))
	}
	return mode
}

// Origins are the objects that an answer derives from, itself first.
func Origins(a *topology.Answer) []string {
	out := []string{a.ID}
	if a.Region != nil {
		out = append(out, a.Region.ID)
	}
	if a.Service != nil {
		out = append(out, a.Service.ID)
		for _, t := range a.Service.Tiers {
			for _, x := range t.Directors {
				out = append(out, x.ID)
			}
			for _, f := range t.Farms {
				out = append(out, f.ID)
			}
		}
	}
	return out
}

// Cause is the override, of those that operators have said, by which an answer
// has a mode that is not enabled: the first of its [Origins] that is as strict.
func Cause(said health.Overrides, a *topology.Answer, mode health.Mode) health.Override {
	for _, id := range Origins(a) {
		if x, ok := said.Of(id); ok && x.Mode >= mode {
			return x
		}
	}
	return health.Override{}
}
