package ipvs

import (
	"context"
	"fmt"

	"gslb/tiers"
)

// Loads counts the connections of destinations. Those that are not in the
// table are not in the result either.
func (p *Plane) Loads(ctx context.Context, of []tiers.At) (tiers.Loads, error) {
	out := tiers.Loads{}
	wanted := map[tiers.At]bool{}
	for _, at := range of {
		wanted[at] = true
	}
	done := map[tiers.Key]bool{}
	for _, at := range of {
		if done[at.Key] {
			continue
		}
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		done[at.Key] = true
		stats, err := p.destinationStats(number(at.Key), at.Key)
		if err != nil && !gone(err) {
			return out, fmt.Errorf("count the connections of %s: %w", at.Key, err)
		}
		for _, d := range stats {
			if x := (tiers.At{Key: at.Key, Addr: d.Addr}); wanted[x] {
				out[x] = d.Load
			}
		}
	}
	return out, nil
}
