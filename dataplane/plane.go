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
	return (&Keeper{Plane: p}).Converge(ctx, want, owner)
}
