package probe

import (
	"context"
	"math/rand/v2"
	"reflect"
	"sync"
	"time"

	"gslb/health"
)

// A Set runs probes, each on its own interval. One goroutine owns the set and
// calls its methods; the probes run beside it.
type Set struct {
	results chan<- Result
	running map[health.Target]running
	wait    sync.WaitGroup
}

type running struct {
	probe Probe
	stop  context.CancelFunc
}

// NewSet returns an empty set that sends its results to results.
func NewSet(results chan<- Result) *Set {
	return &Set{results: results, running: map[health.Target]running{}}
}

// Set makes the running probes be exactly these, one for each target: new ones
// start at once, those that are gone stop, those that are the same go on
// undisturbed. A result that is on its way may still arrive after its probe is gone.
func (s *Set) Set(probes []Probe) {
	want := make(map[health.Target]Probe, len(probes))
	for _, p := range probes {
		want[p.Target] = p
	}
	for t, r := range s.running {
		if p, ok := want[t]; ok && reflect.DeepEqual(p, r.probe) {
			delete(want, t)
			continue
		}
		r.stop()
		delete(s.running, t)
	}
	for t, p := range want {
		ctx, stop := context.WithCancel(context.Background())
		s.running[t] = running{p, stop}
		s.wait.Go(func() { repeat(ctx, p, s.results) })
	}
}

// Close stops all probes and waits for them.
func (s *Set) Close() {
	s.Set(nil)
	s.wait.Wait()
}

// repeat probes p until ctx ends. Starts are an interval apart, early by a
// random part of it, so that many probes spread out in time.
func repeat(ctx context.Context, p Probe, results chan<- Result) {
	for {
		begin := time.Now()
		err := Once(ctx, p)
		if ctx.Err() != nil {
			return
		}
		select {
		case results <- Result{Probe: p, Err: err, Took: time.Since(begin)}:
		case <-ctx.Done():
			return
		}
		early := time.Duration(p.Check.Jitter * rand.Float64() * float64(p.Check.Interval))
		select {
		case <-time.After(p.Check.Interval - early - time.Since(begin)):
		case <-ctx.Done():
			return
		}
	}
}
