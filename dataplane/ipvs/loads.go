package ipvs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"gslb/tiers"
)

// The counts of a destination's connections, from include/uapi/linux/ip_vs.h.
const (
	destActive     = 7
	destInactive   = 8
	destPersistent = 9
)

// Loads counts the connections of destinations. Those that are not in the
// table are not in the result either.
func (p *Plane) Loads(ctx context.Context, of []tiers.At) (tiers.Loads, error) {
	out := tiers.Loads{}
	var done []tiers.Key
	for _, at := range of {
		if slices.Contains(done, at.Key) {
			continue
		}
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		done = append(done, at.Key)
		var which attrs
		which.nest(attrService, encodeKey(at.Key))
		err := p.request(cmdGetDest, unix.NLM_F_DUMP, which, func(data []byte) error {
			f, err := parse(data)
			if err != nil {
				return err
			}
			d, err := decodeDestination(f[attrDest], at.Key.V6)
			if err != nil {
				return err
			}
			if x := (tiers.At{Key: at.Key, Addr: d.Addr}); slices.Contains(of, x) {
				counts, err := parse(f[attrDest])
				if err != nil {
					return err
				}
				out[x] = tiers.Load{Active: counts.u32(destActive), Inactive: counts.u32(destInactive), Persistent: counts.u32(destPersistent)}
			}
			return nil
		})
		if err != nil && !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.ENOENT) {
			return out, fmt.Errorf("count the connections of %s: %w", at.Key, err)
		}
	}
	return out, nil
}
