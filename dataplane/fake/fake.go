// Package fake is a plane in memory, for tests and simulation. It refuses what
// the kernel refuses: a service or destination that is there already, or is not.
package fake

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gslb/dataplane"
	"gslb/tiers"
)

// A Plane holds a table in memory. The zero value is empty. It belongs to one goroutine.
type Plane struct {
	// Counted is what Stats says was counted, of the services that are there.
	Counted []dataplane.Stats

	table tiers.Table
}

// Table returns the table.
func (p *Plane) Table(context.Context) (tiers.Table, error) { return p.table, nil }

// Stats returns what Counted says of the services that are there.
func (p *Plane) Stats(_ context.Context, keys ...tiers.Key) ([]dataplane.Stats, error) {
	var out []dataplane.Stats
	for _, s := range p.Counted {
		if _, there := p.table.Find(s.Key); there && (len(keys) == 0 || slices.Contains(keys, s.Key)) {
			out = append(out, s)
		}
	}
	return out, nil
}

// Apply carries out the plan.
func (p *Plane) Apply(_ context.Context, plan tiers.Plan) error {
	var errs []error
	var done tiers.Plan
	now := map[tiers.Key]tiers.Table{} // each with one service or none
	for _, c := range plan {
		k := c.Service.Key
		if _, touched := now[k]; !touched {
			if i, there := p.table.Find(k); there {
				now[k] = tiers.Table{Services: p.table.Services[i : i+1 : i+1]}
			}
		}
		if err := refuse(now[k], c); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c, err))
			continue
		}
		now[k] = tiers.Plan{c}.Apply(now[k])
		done = append(done, c)
	}
	p.table = done.Apply(p.table)
	return errors.Join(errs...)
}

// refuse says why a table with the change's service, or nothing, does not take it.
func refuse(t tiers.Table, c tiers.Change) error {
	i, exists := t.Find(c.Service.Key)
	switch {
	case c.Op == tiers.AddService && exists:
		return errors.New("service exists")
	case c.Op == tiers.AddService:
		return nil
	case !exists:
		return errors.New("no such service")
	case c.Op == tiers.EditService || c.Op == tiers.DeleteService:
		return nil
	}
	there := slices.ContainsFunc(t.Services[i].Destinations, func(d tiers.Destination) bool {
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
