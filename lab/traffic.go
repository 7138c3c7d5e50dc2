package lab

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"gslb/topology"
)

// requestTimeout is how long a user waits for an answer unless told otherwise:
// long enough for a first packet that was lost (RFC 6298 says 1 s) or a machine
// that was busy.
const requestTimeout = 2 * time.Second

// A door is where a service is asked: one of its VIPs and ports.
type door struct {
	service *topology.Service
	vip     netip.Addr
	port    topology.Port
}

func (d door) String() string {
	return fmt.Sprintf("%s %s:%s", d.service.ID, d.vip, d.port)
}

func doors(s *topology.Service) []door {
	var out []door
	for _, vip := range s.VIPs {
		for _, port := range s.Ports {
			out = append(out, door{s, vip, port})
		}
	}
	return out
}

// traffic makes n requests, spread over the users of all regions.
func (w *World) traffic(ctx context.Context, d door, r Requests, start, n int) ([]Reply, error) {
	r.Proto, r.To = d.port.Proto, netip.AddrPortFrom(d.vip, d.port.Number)
	r.Timeout = cmp.Or(r.Timeout, requestTimeout)
	regions := len(w.Topo.Regions)
	replies := make([][]Reply, regions)
	errs := make([]error, regions)
	var wait sync.WaitGroup
	for i, region := range w.Topo.Regions {
		share := n / regions
		if i < n%regions {
			share++
		}
		mine := r
		mine.From = w.users[region].from(d.vip, start/regions, share)
		if len(mine.From) == 0 {
			continue
		}
		wait.Go(func() { errs[i] = w.users[region].call(ctx, "Traffic", mine, &replies[i]) })
	}
	wait.Wait()
	var out []Reply
	for i := range replies {
		if errs[i] != nil {
			return nil, errs[i]
		}
		out = append(out, replies[i]...)
	}
	return out, nil
}

// A streak is a series of requests that went on until they were clean.
type streak struct {
	requests, errors int
	took             time.Duration // until the first of the clean ones, or until it was seen that all is well
	clean            bool
	last             string // error

	begin time.Time
	first time.Time // start of the present row of successes
	row   int
}

// note takes in one outcome of something begun at a time. The streak is clean
// after so many successes in a row.
func (s *streak) note(at time.Time, bad error) {
	s.requests++
	switch {
	case bad != nil:
		s.errors++
		s.last = bad.Error()
		s.row = 0
	case s.row == 0:
		s.first, s.row = at, 1
	default:
		s.row++
	}
	if s.clean = s.row >= clean; s.clean {
		s.took = s.first.Sub(s.begin)
	} else {
		s.took = time.Since(s.begin)
	}
}

func (s *streak) String() string {
	text := fmt.Sprintf("%d requests, %d errors, clean after %.1f s", s.requests, s.errors, s.took.Seconds())
	if !s.clean {
		text = fmt.Sprintf("%d requests, %d errors, not clean after %.1f s", s.requests, s.errors, s.took.Seconds())
		if s.last != "" {
			text += ", last error: " + s.last
		}
	}
	return text
}

// untilClean makes requests until so many in a row are answered as good wants
// it, for at most bound.
func (w *World) untilClean(ctx context.Context, d door, bound time.Duration, parallel int, good func(Reply) error) (streak, error) {
	s := streak{begin: time.Now()}
	for {
		const batch = 5
		at := time.Now()
		replies, err := w.traffic(ctx, d, Requests{Parallel: parallel}, s.requests, batch)
		if err != nil {
			return s, err
		}
		for _, r := range replies {
			s.note(at, good(r))
		}
		if s.clean || time.Since(s.begin) > bound {
			return s, nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

// answered says whether a request was answered by somebody it may be answered by.
func answered(r Reply, except ...netip.Addr) error {
	if r.Err != "" {
		return fmt.Errorf("%s", r.Err)
	}
	for _, a := range except {
		if r.Server == a {
			return fmt.Errorf("answered by %s", a)
		}
	}
	return nil
}

// untilAll makes requests until every one of the servers has answered, and no
// request has failed in the last round.
func (w *World) untilAll(ctx context.Context, d door, bound time.Duration, parallel int, servers map[netip.Addr]float64) (streak, error) {
	var s streak
	begin := time.Now()
	for {
		missing := map[netip.Addr]bool{}
		for a := range servers {
			missing[a] = true
		}
		failed := 0
		replies, err := w.traffic(ctx, d, Requests{Hold: true, Parallel: parallel}, 0, reaching(len(servers)))
		if err != nil {
			return s, err
		}
		for _, r := range replies {
			s.requests++
			if r.Err != "" {
				failed++
				s.last = r.Err
			}
			delete(missing, r.Server)
		}
		s.errors += failed
		s.took = time.Since(begin)
		if s.clean = len(missing) == 0 && failed == 0; s.clean || time.Since(begin) > bound {
			for a := range missing {
				s.last = fmt.Sprintf("nothing from %s", a)
			}
			return s, nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}
