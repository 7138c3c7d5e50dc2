package ipvs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"gslb/tiers"
)

// tornReads is how often a table that changes while it is read is read again.
const tornReads = 5

// wholeEvery is how long a table is kept up by what /proc/net/ip_vs tells,
// which is all but flags, thresholds, engines and tunnels, and 6 times faster
// at 10,000 services of 10 destinations; then it is read whole again.
const wholeEvery = 5 * time.Minute

// A memory is what the kernel was last seen to hold, and what was changed
// since. The zero value knows nothing.
type memory struct {
	known bool
	table tiers.Table
	whole time.Time          // when all of it was last read
	since []tiers.Plan       // carried out since
	doubt map[tiers.Key]bool // services of changes that were refused since
}

func (m *memory) forget() { *m = memory{} }

// add notes a plan that was carried out but for the changes that were refused.
func (m *memory) add(plan tiers.Plan, refused map[int]bool) {
	if !m.known {
		return
	}
	if len(refused) == 0 {
		m.since = append(m.since, plan)
		return
	}
	if m.doubt == nil {
		m.doubt = map[tiers.Key]bool{}
	}
	done := make(tiers.Plan, 0, len(plan))
	for i, c := range plan {
		if refused[i] {
			m.doubt[c.Service.Key] = true
		} else {
			done = append(done, c)
		}
	}
	m.since = append(m.since, done)
}

// now is the table with what has been changed since.
func (m *memory) now() tiers.Table {
	for _, plan := range m.since {
		m.table = plan.Apply(m.table)
	}
	m.since = nil
	return m.table
}

// Table reads the kernel's table. It reads all of it the first time, after the
// connection has failed, and every five minutes; else it looks at
// /proc/net/ip_vs for services that are not as they were left, and reads those
// and the ones of which a change was refused.
// The caller changes nothing of what it gets.
func (p *Plane) Table(ctx context.Context) (tiers.Table, error) {
	if p.memory.known && time.Since(p.memory.whole) < wholeEvery {
		t, err := p.drifted(ctx, p.memory.now(), p.memory.doubt)
		if err == nil {
			p.memory.table, p.memory.doubt = t, nil
			return t, nil
		}
		if ctx.Err() != nil {
			return tiers.Table{}, ctx.Err()
		}
		// Whatever was wrong, reading all of it is the way out.
	}
	p.memory.forget()
	begin := time.Now()
	t, err := p.readAll(ctx)
	if err != nil {
		return tiers.Table{}, fmt.Errorf("read the kernel's table: %w", err)
	}
	t.Sort()
	p.memory = memory{known: true, table: t, whole: begin}
	return t, nil
}

func (p *Plane) readAll(ctx context.Context) (t tiers.Table, err error) {
	for range tornReads {
		if ctx.Err() != nil {
			return tiers.Table{}, ctx.Err()
		}
		if t, err = p.read(ctx); !errors.Is(err, errTorn) {
			break
		}
	}
	return t, err
}

func (p *Plane) read(ctx context.Context) (tiers.Table, error) {
	var t tiers.Table
	var protocols []uint16
	err := p.request(cmdGetService, unix.NLM_F_DUMP, nil, func(f *fields) error {
		s, protocol, err := decodeService(f[attrService])
		t.Services, protocols = append(t.Services, s), append(protocols, protocol)
		return err
	})
	if err != nil {
		return t, err
	}
	for i := range t.Services {
		if ctx.Err() != nil {
			return t, ctx.Err()
		}
		if err := p.readDestinations(&t.Services[i], protocols[i]); err != nil {
			return t, err
		}
	}
	return t, nil
}

// readDestinations fills in the destinations of a service.
func (p *Plane) readDestinations(s *tiers.Service, protocol uint16) error {
	s.Destinations = nil
	err := p.request(cmdGetDest, unix.NLM_F_DUMP, which(protocol, s.Key), func(f *fields) error {
		d, err := decodeDestination(f[attrDest], s.Key.V6)
		s.Destinations = append(s.Destinations, d)
		return err
	})
	if gone(err) {
		return errTorn // the service went between the two reads
	}
	if err != nil {
		return fmt.Errorf("destinations of %s: %w", s.Key, err)
	}
	return nil
}

// readOne reads one service with its destinations; there is false when it is not there.
func (p *Plane) readOne(k tiers.Key) (s tiers.Service, there bool, err error) {
	err = p.request(cmdGetService, 0, which(number(k), k), func(f *fields) error {
		s, _, err = decodeService(f[attrService])
		there = true
		return err
	})
	if gone(err) {
		return s, false, nil
	}
	if err != nil || !there {
		return s, false, err
	}
	return s, true, p.readDestinations(&s, number(k))
}

func which(protocol uint16, k tiers.Key) []byte {
	var a attrs
	start := a.nest(attrService)
	encodeKey(&a, protocol, k)
	a.end(start)
	return a
}

// gone reports whether the kernel's reason is that there is no such service.
func gone(err error) bool { return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) }
