package main

import (
	"context"
	"time"

	"gslb/health"
)

// What operators have said to a process that is replaced must be known to the
// one that replaces it, also what was said after that one had begun. So operators
// find the new process only when it serves; the old one sends it its overrides then, and
// takes none any more.

// bequeath asks the goroutine that owns d for what it leaves; it is called by another.
func (d *dnsNode) bequeath(ctx context.Context) []byte {
	reply := make(chan []byte, 1)
	select {
	case d.wills <- reply:
		return <-reply
	case <-ctx.Done():
		return nil
	}
}

// will is what the next process is left. From then on that one is spoken to.
func (k *desk) will() []byte {
	k.left = true
	return k.overrides.Encode()
}

// inherit takes the overrides of the process before.
func (d *dnsNode) inherit(will []byte, now time.Time) {
	if will == nil {
		return // of a version without, or it has died
	}
	k := d.desk
	theirs, err := health.ReadOverrides(will)
	if err != nil {
		k.log.Error("overrides of the process before are not taken over", "reason", err)
		return
	}
	theirs, _ = theirs.Expire(now)
	for _, x := range theirs {
		if was, there := k.overrides.Of(x.Object); !there || was != x {
			k.log.Warn("override is in force", x.Attrs()...)
		}
	}
	k.overrides = theirs
	k.keep(func(err error) {
		if err != nil && k.words != nil {
			k.log.Error("overrides are not saved", "reason", err)
		}
	})
	d.publish()
}
