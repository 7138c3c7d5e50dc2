package probe

import (
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gslb/health"
	"gslb/topology"
)

// A target that is given many times, as by many services, is asked once an interval.
func TestOneTargetIsOneProbe(t *testing.T) {
	var asked atomic.Int32
	server := listen(t, func(c net.Conn) { asked.Add(1); c.Close() })
	chk := check(topology.CheckTCP)
	chk.Interval = time.Hour
	p := probeOf(t, server, chk)
	results := make(chan Result, 1000)
	s := NewSet(results)
	many := make([]Probe, 100)
	for i := range many {
		many[i] = p
	}
	s.Set(many)
	<-results
	s.Set(many)
	time.Sleep(50 * time.Millisecond)
	s.Close()
	if n := asked.Load(); n != 1 || len(results) != 0 {
		t.Errorf("asked %d times, %d more results", n, len(results))
	}
}

// Many probes start one after the other, and wait without a goroutine each.
func TestManyProbesStartEvenly(t *testing.T) {
	const targets = 5000
	chk := check(topology.CheckFile)
	chk.Interval, chk.Timeout, chk.File = time.Hour, 10*time.Second, "/"
	var probes []Probe
	for i := range targets {
		probes = append(probes, Probe{Target: health.Target{Check: fmt.Sprint(i)}, Check: chk})
	}
	before := runtime.NumGoroutine()
	results := make(chan Result, targets)
	s := NewSet(results)
	defer s.Close()
	begin := time.Now()
	if last := s.Set(probes); last != (targets-1)*startGap {
		t.Errorf("the last starts after %v", last)
	}
	for range targets / 2 {
		<-results
	}
	half := time.Since(begin)
	for range targets - targets/2 {
		<-results
	}
	if half < targets/2*startGap*8/10 {
		t.Errorf("half of them had started after %v", half)
	}
	settle(t, before+1)
}

// What does not answer holds no more than its part of the machine, and what
// waits for it is only late.
func TestProbesUnderWayAreLimited(t *testing.T) {
	chk := check(topology.CheckUDP) // to one that never answers
	chk.Interval, chk.Timeout, chk.Send = 100*time.Millisecond, 90*time.Millisecond, "x"
	deaf, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	var probes []Probe
	for i := range 50 {
		p := probeOf(t, deaf.LocalAddr(), chk)
		p.Target.Check = fmt.Sprint(i)
		probes = append(probes, p)
	}
	results := make(chan Result)
	s := NewSet(results)
	defer s.Close()
	s.mu.Lock()
	s.limit = 10
	s.mu.Unlock()
	s.Set(probes)
	seen := map[string]int{}
	for range 150 {
		r := <-results
		seen[r.Probe.Target.Check]++
		s.mu.Lock()
		if s.running > s.limit {
			t.Errorf("%d under way", s.running)
		}
		s.mu.Unlock()
	}
	for name, n := range seen {
		if n < 2 || n > 4 {
			t.Errorf("probe %s had %d turns of 150 of 50", name, n)
		}
	}
}

func TestSetKeepsStartsAndStops(t *testing.T) {
	silent := listen(t, func(c net.Conn) { c.Close() })
	quick := check(topology.CheckTCP)
	quick.Interval, quick.Timeout = 10*time.Millisecond, 9*time.Millisecond
	slow := check(topology.CheckTCP)
	slow.Interval = time.Hour
	fast, once := probeOf(t, silent, quick), probeOf(t, silent, slow)
	once.Target.Check = "check.slow"

	results := make(chan Result)
	s := NewSet(results)
	s.Set([]Probe{fast, once})
	seen := map[string]int{}
	for i := 0; i < 10; i++ {
		seen[(<-results).Probe.Target.Check]++
	}
	same := *slow // an equal check from a file read again
	once.Check = &same
	s.Set([]Probe{fast, once})
	for i := 0; i < 10; i++ {
		seen[(<-results).Probe.Target.Check]++
	}
	if seen["check.slow"] != 1 || seen[""] != 19 {
		t.Errorf("results %v; want 1 of the hourly check, which an equal Set must not restart, and 19 of the other", seen)
	}
	s.Close() // must not hang on a probe that wants to report
	select {
	case r := <-results:
		t.Errorf("result %v after Close", r)
	default:
	}
}

// Starts are an interval apart, early by a random part of it that is anything up
// to jitter, and so probes that began together drift apart. Time passes as the
// probes let it, which take none.
func TestStartsAreEarlyByUpToJitter(t *testing.T) {
	const interval, targets, rounds = 10 * time.Second, 20, 200
	for _, jitter := range []float64{0, 0.2, 1} {
		t.Run(fmt.Sprint(jitter), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chk := check(topology.CheckFile)
				chk.Interval, chk.Timeout, chk.Jitter, chk.File = interval, time.Second, jitter, "/"
				var probes []Probe
				for i := range targets {
					probes = append(probes, Probe{Target: health.Target{Check: fmt.Sprint(i)}, Check: chk})
				}
				results := make(chan Result)
				s := NewSet(results)
				defer s.Close()
				s.Set(probes)
				starts := map[string][]time.Time{}
				for n := 0; n < targets; {
					r := <-results
					name := r.Probe.Target.Check
					starts[name] = append(starts[name], time.Now())
					if len(starts[name]) == rounds {
						n++
					}
				}
				soonest := interval - time.Duration(jitter*float64(interval))
				var parts [10]int // of what may be between soonest and the interval
				gaps := 0
				var first, last []time.Time
				for name, at := range starts {
					for i, begin := range at[1:] {
						gap := begin.Sub(at[i])
						// The set looks whose turn it is no more often than each turn.
						if gap < soonest || gap >= interval+turn {
							t.Fatalf("probe %s: %v between two starts, want %v to %v", name, gap, soonest, interval)
						}
						gaps++
						if jitter > 0 {
							parts[min(int(gap-soonest)*len(parts)/int(interval-soonest), len(parts)-1)]++
						}
					}
					first, last = append(first, at[0]), append(last, at[rounds-1])
				}
				if apart := span(first); apart > targets*turn {
					t.Errorf("the first starts are %v apart", apart)
				}
				if jitter == 0 {
					if apart := span(last); apart > targets*turn {
						t.Errorf("without jitter they are %v apart in the end", apart)
					}
					return
				}
				for i, n := range parts {
					if even := gaps / len(parts); n < even*3/4 || n > even*5/4 {
						t.Errorf("%d of %d starts are in part %d of %d, want about %d: %v", n, gaps, i+1, len(parts), even, parts)
					}
				}
				if apart := span(last); apart < time.Duration(jitter*float64(interval)) {
					t.Errorf("after %d rounds they are %v apart", rounds, apart)
				}
			})
		})
	}
}

func span(times []time.Time) time.Duration {
	return slices.MaxFunc(times, time.Time.Compare).Sub(slices.MinFunc(times, time.Time.Compare))
}
