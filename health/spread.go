package health

import "gslb/topology"

// Spread returns the overrides with what those of directors and farms make of
// services: where every director of a tier is drained or disabled, or every
// farm, nothing new gets through, and the service is as the least strict of
// them. A director or farm with others in its place changes no service. A
// service's own override stays when it is as strict.
func (o Overrides) Spread(topo *topology.Topology) Overrides {
	if len(o) == 0 {
		return o
	}
	out := o
	for _, s := range topo.Services {
		mode, object := o.through(s)
		if mode <= o.Mode(s.ID) {
			continue
		}
		cause, _ := o.Of(object)
		cause.Object = s.ID
		cause.Mode = mode
		out = append(out.Without(s.ID), cause)
		sortOverrides(out)
	}
	return out
}

// through is what the directors and farms make of a service, and one of those
// that do.
func (o Overrides) through(s *topology.Service) (Mode, string) {
	worst, why := Enabled, ""
	stage := func(ids []string) {
		least, which := Disabled, ""
		for _, id := range ids {
			if m := o.Mode(id); m <= least {
				least, which = m, id
			}
		}
		if len(ids) > 0 && least > worst {
			worst, why = least, which
		}
	}
	for _, t := range s.Tiers {
		var directors, farms []string
		for _, d := range t.Directors {
			directors = append(directors, d.ID)
		}
		for _, f := range t.Farms {
			farms = append(farms, f.ID)
		}
		stage(directors)
		stage(farms)
	}
	return worst, why
}
