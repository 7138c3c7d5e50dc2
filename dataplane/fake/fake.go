// Package fake is a plane in memory, for tests and simulation. It refuses what
// the kernel refuses: a service or destination that is there already, or is not.
package fake

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gslb/tiers"
)

// A Plane holds a table in memory. The zero value is empty. It belongs to one goroutine.
type Plane struct {
	table tiers.Table
}

// Table returns the table.
func (p *Plane) Table(context.Context) (tiers.Table, error) {
	return tiers.Plan(nil).Apply(p.table), nil
}

// Apply carries out the plan.
func (p *Plane) Apply(_ context.Context, plan tiers.Plan) error {
	var errs []error
	for _, c := range plan {
		if err := p.refuse(c); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c, err))
			continue
		}
		p.table = tiers.Plan{c}.Apply(p.table)
	}
	return errors.Join(errs...)
}

func (p *Plane) refuse(c tiers.Change) error {
	i := slices.IndexFunc(p.table.Services, func(s tiers.Service) bool { return s.Key == c.Service.Key })
	switch {
	case c.Op == tiers.AddService && i >= 0:
		return errors.New("service exists")
	case c.Op == tiers.AddService:
		return nil
	case i < 0:
		return errors.New("no such service")
	case c.Op == tiers.EditService || c.Op == tiers.DeleteService:
		return nil
	}
	there := slices.ContainsFunc(p.table.Services[i].Destinations, func(d tiers.Destination) bool {
		return d.Addr == c.Destination.Addr
	})
	switch {
	case c.Op == tiers.AddDestination && there:
		return errors.New("destination exists")
	case c.Op != tiers.AddDestination && !there:
		return errors.New("no such destination")
	}
	return nil
}
