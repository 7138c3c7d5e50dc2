package ipvs

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"gslb/dataplane"
	"gslb/tiers"
)

// Stats reads what the kernel has counted of the services with the keys, or
// without any of all services; those that are not there are left out. The
// kernel adds up its counters every two seconds (net/netfilter/ipvs/ip_vs_est.c).
func (p *Plane) Stats(ctx context.Context, keys ...tiers.Key) ([]dataplane.Stats, error) {
	out, err := p.stats(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read the kernel's counters: %w", err)
	}
	return out, nil
}

func (p *Plane) stats(ctx context.Context, keys []tiers.Key) ([]dataplane.Stats, error) {
	var out []dataplane.Stats
	var protocols []uint16
	add := func(f *fields) error {
		s, protocol, err := decodeService(f[attrService])
		if err != nil {
			return err
		}
		counters, err := decodeCounters(f[attrService], serviceStats64)
		out = append(out, dataplane.Stats{Key: s.Key, Counters: counters})
		protocols = append(protocols, protocol)
		return err
	}
	if len(keys) == 0 {
		err := errTorn
		for try := 0; try < tornReads && errors.Is(err, errTorn); try++ {
			out, protocols = nil, nil
			err = p.request(cmdGetService, unix.NLM_F_DUMP, nil, add)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, k := range keys {
		if err := p.request(cmdGetService, 0, which(number(k), k), add); err != nil && !gone(err) {
			return nil, err
		}
	}
	there := out[:0]
	for i, s := range out {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var err error
		s.Destinations, err = p.destinationStats(protocols[i], s.Key)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Key, err)
		}
		there = append(there, s)
	}
	return there, nil
}

func (p *Plane) destinationStats(protocol uint16, k tiers.Key) (out []dataplane.DestinationStats, err error) {
	err = errTorn
	for try := 0; try < tornReads && errors.Is(err, errTorn); try++ {
		out = nil
		err = p.request(cmdGetDest, unix.NLM_F_DUMP, which(protocol, k), func(f *fields) error {
			d, err := decodeDestination(f[attrDest], k.V6)
			if err != nil {
				return err
			}
			counters, err := decodeCounters(f[attrDest], destStats64)
			if err != nil {
				return err
			}
			g, err := parse(f[attrDest])
			out = append(out, dataplane.DestinationStats{
				Addr: d.Addr, Weight: d.Weight, Counters: counters,
				Load: tiers.Load{Active: g.u32(destActive), Inactive: g.u32(destInactive), Persistent: g.u32(destPersistent)},
			})
			return err
		})
	}
	return out, err
}

// decodeCounters reads the 64-bit counters of a service or destination.
func decodeCounters(data []byte, kind uint16) (dataplane.Counters, error) {
	f, err := parse(data)
	if err != nil {
		return dataplane.Counters{}, err
	}
	c, err := parse(f[kind])
	return dataplane.Counters{
		Connections: c.u64(statsConnections),
		PacketsIn:   c.u64(statsPacketsIn), PacketsOut: c.u64(statsPacketsOut),
		BytesIn: c.u64(statsBytesIn), BytesOut: c.u64(statsBytesOut),
	}, err
}
