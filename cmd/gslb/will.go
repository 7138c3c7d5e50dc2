package main

import (
	"context"
	"errors"
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

// inherit takes the overrides of the process before. Where that has not sent
// them those count that it has saved.
func (d *dnsNode) inherit(will []byte, now time.Time) {
	k := d.desk
	theirs, err := health.ReadOverrides(will)
	if err != nil {
		if will == nil {
			err = errors.New("it is of a version that does not, it was busy, or it has died")
		}
		k.log.Warn("the process before has not sent its overrides, those that are saved count", "reason", err)
		if k.dir == "" {
			return // nothing is kept
		}
		saved, ok := k.read("overrides.json")
		if !ok {
			return
		}
		if theirs, err = health.ReadOverrides(saved); err != nil {
			k.log.Error("saved overrides are not read", "reason", err)
			return
		}
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
