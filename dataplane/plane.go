// Package dataplane brings a kernel's forwarding to what package tiers says it
// should be. A [Plane] is one such kernel; the packages below hold the planes.
package dataplane

import (
	"context"

	"gslb/tiers"
)

// A Plane is something that holds a forwarding table.
type Plane interface {
	// Table returns the whole table, foreign services too, in canonical order.
	// Nobody changes what it has returned.
	Table(ctx context.Context) (tiers.Table, error)
	// Apply carries out the plan. A change that is refused does not keep the
	// others from being made; the error names each that was. After an error the
	// table is what Table says then.
	Apply(ctx context.Context, plan tiers.Plan) error
}

// Converge makes p hold want as far as owner owns it, and returns the changes
// that it took (or tried, with an error): none when all was well.
func Converge(ctx context.Context, p Plane, want tiers.Table, owner tiers.Owner) (tiers.Plan, error) {
	return Keep(p).Converge(ctx, want, owner)
}

// A Keeper keeps a plane as it is wanted to be, and remembers what it has left
// there: one changed weight does not take reading all of a large table. Whether
// others have changed the plane it finds out when it is told to look.
type Keeper struct {
	plane Plane
	known bool
	have  tiers.Table
}

// Keep returns the keeper of a plane, which reads it first.
func Keep(p Plane) *Keeper { return &Keeper{plane: p} }

// Look makes the next Converge read the plane.
func (k *Keeper) Look() { k.known, k.have = false, tiers.Table{} }

// Converge is like the function of that name. After an error the next one
// reads the plane.
func (k *Keeper) Converge(ctx context.Context, want tiers.Table, owner tiers.Owner) (tiers.Plan, error) {
	if !k.known {
		have, err := k.plane.Table(ctx)
		if err != nil {
			return nil, err
		}
		k.have = have
	}
	k.known = false
	plan := tiers.Diff(k.have, want, owner)
	if len(plan) > 0 {
		if err := k.plane.Apply(ctx, plan); err != nil {
			return plan, err
		}
		k.have = plan.Apply(k.have)
	}
	k.known = true
	return plan, nil
}
