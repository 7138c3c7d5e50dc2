package afxdp

import (
	"sync/atomic"
	"testing"
)

// of is a ring whose numbers have run up to n.
func of(length int, n uint32) *ring[int] {
	r := &ring[int]{producer: new(atomic.Uint32), consumer: new(atomic.Uint32), flags: new(atomic.Uint32), entries: make([]int, length), mine: n, theirs: n}
	r.producer.Store(n)
	r.consumer.Store(n)
	return r
}

// Numbers go on over the end of 32 bits, entries over the end of the ring.
func TestRing(t *testing.T) {
	const begin = 1<<32 - 6
	ours, kernels := of(8, begin), of(8, begin)
	kernels.producer, kernels.consumer, kernels.entries = ours.producer, ours.consumer, ours.entries
	next, want := 0, 0
	ours.put(next)
	next++
	if n := kernels.ready(8); n != 0 {
		t.Fatalf("%d are ready before anything is told", n)
	}
	for range 20 {
		for ours.left() < 8 {
			ours.put(next)
			next++
		}
		ours.tell()
		for range 5 {
			if kernels.ready(1) != 1 {
				t.Fatalf("nothing is ready after %d", want)
			}
			if got := kernels.take(); got != want {
				t.Fatalf("took %d, want %d", got, want)
			}
			want++
		}
		kernels.release()
		if n := ours.left(); n != 3 {
			t.Fatalf("%d are left of 3", n)
		}
	}
}
