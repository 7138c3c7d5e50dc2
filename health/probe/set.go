package probe

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"reflect"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gslb/health"
)

const (
	// maxRunning bounds how many probes are under way at the same time.
	maxRunning = 1024
	// turn is how often at most the set looks whose turn it is.
	turn = time.Millisecond
	// startGap is how far apart the first starts of new probes are.
	startGap = 100 * time.Microsecond
)

// A Set runs probes, each on its own interval. One goroutine owns the set and
// calls its methods; the probes run beside it, each in a goroutine while it is
// under way and as nothing but an entry of a list until its next turn.
type Set struct {
	results chan<- Result
	limit   int
	wake    chan struct{} // something is due sooner than the keeper thinks
	wait    sync.WaitGroup

	mu      sync.Mutex
	entries map[health.Target]*entry
	due     queue
	running int
	next    time.Time // when the keeper looks again by itself; zero: when it is woken
	closed  bool
}

// An entry is a probe of the set: in the queue, or under way.
type entry struct {
	probe Probe
	at    time.Time // next start
	place int       // in the queue; -1: not there
	ctx   context.Context
	stop  context.CancelFunc
}

func newEntry(p Probe, at time.Time) *entry {
	ctx, stop := context.WithCancel(context.Background())
	return &entry{probe: p, at: at, place: -1, ctx: ctx, stop: stop}
}

// NewSet returns an empty set that sends its results to results.
func NewSet(results chan<- Result) *Set {
	s := &Set{results: results, limit: limit(), wake: make(chan struct{}, 1), entries: map[health.Target]*entry{}}
	s.wait.Go(s.keep)
	return s
}

// limit is how many probes may be under way: no more than need a quarter of
// the files that the process may have open.
func limit() int {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return maxRunning
	}
	return int(max(16, min(maxRunning, files.Cur/4)))
}

// Set makes the running probes be exactly these, one for each target: those
// that are gone stop, those that are the same go on undisturbed, new ones start
// 100 microseconds apart. It returns when the last of them starts, counted from
// now. A result that is on its way may still arrive after its probe is gone.
func (s *Set) Set(probes []Probe) time.Duration {
	want := make(map[health.Target]Probe, len(probes))
	for _, p := range probes {
		want[p.Target] = p
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for t, e := range s.entries {
		if p, ok := want[t]; ok && reflect.DeepEqual(p, e.probe) {
			delete(want, t)
			continue
		}
		s.drop(e)
	}
	now, last := time.Now(), time.Duration(0)
	// In the order given: neighbours in the file start after each other.
	for _, p := range probes {
		if _, fresh := want[p.Target]; !fresh {
			continue
		}
		delete(want, p.Target)
		e := newEntry(p, now.Add(last))
		s.entries[p.Target] = e
		heap.Push(&s.due, e)
		last += startGap
	}
	s.hurry()
	return max(last-startGap, 0)
}

func (s *Set) drop(e *entry) {
	e.stop()
	delete(s.entries, e.probe.Target)
	if e.place >= 0 {
		heap.Remove(&s.due, e.place)
	}
}

// Close stops all probes and waits for them.
func (s *Set) Close() {
	s.mu.Lock()
	for _, e := range s.entries {
		s.drop(e)
	}
	s.closed = true
	s.next = time.Time{}
	s.hurry()
	s.mu.Unlock()
	s.wait.Wait()
}

// hurry wakes the keeper when there is something to do more than a turn before
// it looks by itself.
func (s *Set) hurry() {
	if !s.closed && (len(s.due) == 0 || s.running >= s.limit || !s.next.IsZero() && !s.due[0].at.Add(turn).Before(s.next)) {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default: // it has been told
	}
}

// keep starts what is due until the set is closed. When more are under way
// than may be, those that have waited longest come first.
func (s *Set) keep() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-s.wake:
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return
		}
		now := time.Now()
		for s.running < s.limit && len(s.due) > 0 && !s.due[0].at.After(now) {
			e := heap.Pop(&s.due).(*entry)
			s.running++
			s.wait.Go(func() { s.run(e) })
		}
		timer.Stop()
		s.next = time.Time{}
		if s.running < s.limit && len(s.due) > 0 {
			pause := max(s.due[0].at.Sub(now), turn)
			s.next = now.Add(pause)
			timer.Reset(pause)
		}
		s.mu.Unlock()
	}
}

// run makes one probe, hands over the result and puts the probe in the queue
// again. Starts are an interval apart, early by a random part of it, so that
// probes that began together drift apart.
func (s *Set) run(e *entry) {
	begin := time.Now()
	r := Once(e.ctx, e.probe)
	if e.ctx.Err() == nil {
		select {
		case s.results <- r:
		case <-e.ctx.Done():
		}
	}
	c := e.probe.Check
	early := time.Duration(c.Jitter * rand.Float64() * float64(c.Interval))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	if e.ctx.Err() == nil {
		e.at = begin.Add(c.Interval - early)
		heap.Push(&s.due, e)
	}
	s.hurry()
}

// A queue is a heap of entries, the next first.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	e := x.(*entry)
	e.place = len(*q)
	*q = append(*q, e)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	e.place = -1
	return e
}
