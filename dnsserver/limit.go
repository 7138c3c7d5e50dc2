package dnsserver

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// A Limit bounds how many replies of one kind one network is sent over UDP,
// where the sender of a query may be a lie and the reply hit somebody else.
// The kind is the name and type of an answer, the zone for what does not
// exist, the delegated name for referrals, and the rcode for other errors; the
// network is a /24 or an IPv6 /56.
type Limit struct {
	PerSecond int // replies of one kind; 0 or less is no limit
	Slip      int // of so many replies held back one, by chance, is sent truncated; 0 is none, 1 all
}

// A limiter counts what was sent, in memory that does not grow: where it
// would, the network longest quiet is forgotten. It knows no locks.
//
// A slot holds 24 bits of the hash of network and kind, and a time in ticks
// since an arbitrary moment: each reply moves it on by a second's share, and it
// may be at most a second ahead. That is a token bucket as deep as one second.
type limiter struct {
	seed  maphash.Seed
	sets  []limiterSet
	start time.Time
}

const (
	limiterSets = 1 << 15 // 1 MiB of slots
	tick        = time.Second >> 16
	tickBits    = 40 // half a year; a slot that old looks far ahead and starts anew
	tickMask    = 1<<tickBits - 1
)

type limiterSet [4]atomic.Uint64

func newLimiter() *limiter {
	return &limiter{seed: maphash.MakeSeed(), sets: make([]limiterSet, limiterSets), start: time.Now()}
}

// kind is the hash of what the reply that w has written is counted by.
func (l *limiter) kind(w *Worker) uint64 {
	var k [16 + 4]byte
	if from := w.r.From; from.Is4() {
		octets := from.As4()
		copy(k[:], octets[:3])
	} else {
		octets := from.As16()
		copy(k[:], octets[:7])
	}
	k[15] = byte(w.rcode)
	k[16] = byte(w.rcode >> 8)
	k[17] = bit(w.r.From.Is4())
	if w.m.counts[answer] > 0 || w.a.tc {
		binary.BigEndian.PutUint16(k[18:], w.q.typ)
	}
	hash := maphash.Bytes(l.seed, k[:])
	if len(w.a.about) > 0 {
		hash ^= bits.RotateLeft64(maphash.Bytes(l.seed, w.a.about), 1)
	}
	return hash
}

// pass is the reply to send instead of the one that w has just written: that
// one, a truncated one, or nil.
func (l *limiter) pass(w *Worker, reply []byte, now time.Time) []byte {
	limit := &w.o.Limit
	if reply == nil || l.may(w, now) {
		return reply
	}
	// By chance, as a count over all clients could fall on the same ones again and again.
	if limit.Slip <= 0 || rand.IntN(limit.Slip) != 0 || w.rcode != dns.RcodeSuccess && w.rcode != dns.RcodeNameError {
		return nil
	}
	return w.cut()
}

// may reports whether the reply that w has just written is within the limit.
func (l *limiter) may(w *Worker, now time.Time) bool {
	return w.o.Limit.PerSecond <= 0 || w.trusted || l.take(l.kind(w), now, w.o.Limit.PerSecond)
}

// take reports whether there is something left in the bucket of hash, and takes it.
func (l *limiter) take(hash uint64, now time.Time, perSecond int) bool {
	set := &l.sets[hash%limiterSets]
	tag := hash >> tickBits << tickBits
	ticks := uint64(now.Sub(l.start)/tick) & tickMask
	second := uint64(time.Second / tick)
	share := max(second/uint64(perSecond), 1)
	for range 8 { // a slot that others change all the time is not worth more
		slot, seen := l.slot(set, tag, ticks)
		ahead := (seen - ticks) & tickMask
		if seen&^tickMask != tag || ahead > second {
			ahead = 0 // empty, somebody else's, or long ago
		}
		if ahead+share > second {
			return false
		}
		if slot.CompareAndSwap(seen, tag|(ticks+ahead+share)&tickMask) {
			return true
		}
	}
	return true
}

// slot is the slot with a tag or, if there is none, the one to give up: of
// those that nothing is owed to the first, otherwise the one least ahead.
func (l *limiter) slot(set *limiterSet, tag, ticks uint64) (*atomic.Uint64, uint64) {
	var least *atomic.Uint64
	var leastSeen, leastAhead uint64
	for i := range set {
		seen := set[i].Load()
		if seen&^tickMask == tag && seen != 0 {
			return &set[i], seen
		}
		ahead := (seen - ticks) & tickMask
		if ahead > uint64(time.Second/tick) {
			ahead = 0
		}
		if least == nil || ahead < leastAhead {
			least, leastSeen, leastAhead = &set[i], seen, ahead
		}
	}
	return least, leastSeen
}
