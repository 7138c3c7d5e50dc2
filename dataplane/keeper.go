package dataplane

import (
	"context"

	"gslb/tiers"
)

// A Keeper keeps a plane at what is wanted of it. It reads the plane's table
// once and goes by what it has done since, until it is told to look again or a
// change is refused. It belongs to one goroutine.
type Keeper struct {
	Plane Plane
	have  tiers.Table
	known bool
}

// Forget has the next Converge read the plane's table, to find what others have
// changed meanwhile.
func (k *Keeper) Forget() { k.known = false }

// Converge makes the plane hold want as far as owner owns it, and returns the
// changes that it took (or tried, with an error): none when all was well.
func (k *Keeper) Converge(ctx context.Context, want tiers.Table, owner tiers.Owner) (tiers.Plan, error) {
	if !k.known {
		have, err := k.Plane.Table(ctx)
		if err != nil {
			return nil, err
		}
		k.have, k.known = have, true
	}
	plan := tiers.Diff(k.have, want, owner)
	if len(plan) == 0 {
		return nil, nil
	}
	if err := k.Plane.Apply(ctx, plan); err != nil {
		k.Forget() // nobody knows how much of it was done
		return plan, err
	}
	k.have = plan.Apply(k.have)
	return plan, nil
}
