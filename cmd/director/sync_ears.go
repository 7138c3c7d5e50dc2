package main

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"gslb/dataplane/ipvs"
)

const (
	// earsWindow and earsSample bound what listening costs: so many messages in
	// so long a time. A busy member sends thousands.
	earsWindow = time.Second
	earsSample = 64
	// earsJoin is how often interfaces are looked for that have come since.
	earsJoin = 10 * time.Second
)

// A sound is what was heard last of the sync messages from one address, by our
// own clock; zero times: never.
type sound struct {
	Right     time.Time // with our id on our interface
	Wrong     time.Time // with another id
	WrongID   uint8
	Elsewhere time.Time // with our id on another interface
	On        string
}

// ears listen to the sync daemons of other members beside the kernel, which
// says nothing of what it hears and refuses.
type ears struct {
	own     daemonRecord
	members map[netip.Addr]bool
	inner   listener

	mu    sync.Mutex
	heard map[netip.Addr]sound
}

// openEars listens where a receiver does; members are the addresses that count.
func openEars(k kernel, own daemonRecord, members map[netip.Addr]bool) (*ears, error) {
	inner, err := k.Listen(own.Group, own.Port)
	if err != nil {
		return nil, err
	}
	e := &ears{own: own, members: members, inner: inner, heard: map[netip.Addr]sound{}}
	go e.listen()
	return e, nil
}

func (e *ears) close() {
	if e != nil {
		e.inner.Close()
	}
}

// listen hears a sample in each window.
func (e *ears) listen() {
	joined := time.Now()
	for {
		window := time.Now().Add(earsWindow)
		for n := 0; n < earsSample; n++ {
			h, err := e.inner.Hear(window)
			switch {
			case errors.Is(err, net.ErrClosed):
				return
			case errors.Is(err, os.ErrDeadlineExceeded):
				n = earsSample
			case err == nil:
				e.note(h, time.Now())
			}
		}
		time.Sleep(time.Until(window))
		if time.Since(joined) >= earsJoin {
			joined = time.Now()
			_ = e.inner.Join(e.own.Group) // what cannot be told apart now can be the next time
		}
	}
}

// note takes in what was heard. By IPv6 daemons speak from link-local addresses,
// which stand in no file.
func (e *ears) note(h ipvs.Heard, now time.Time) {
	if !e.members[h.From] && !h.From.IsLinkLocalUnicast() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s, known := e.heard[h.From]
	if !known && len(e.heard) >= maxRefused {
		return
	}
	switch {
	case h.ID != e.own.ID:
		s.Wrong, s.WrongID = now, h.ID
	case h.Interface != e.own.Index:
		s.Elsewhere, s.On = now, "an interface that is gone"
		if dev, err := net.InterfaceByIndex(h.Interface); err == nil {
			s.On = dev.Name
		}
	default:
		s.Right = now
	}
	e.heard[h.From] = s
}

// of is what was heard from one of several addresses; by IPv6 what was heard
// from anybody, if only one can have said it.
func (e *ears) of(addrs []netip.Addr, only bool) sound {
	var out sound
	if e == nil {
		return out
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	add := func(s sound) {
		if s.Right.After(out.Right) {
			out.Right = s.Right
		}
		if s.Wrong.After(out.Wrong) {
			out.Wrong, out.WrongID = s.Wrong, s.WrongID
		}
		if s.Elsewhere.After(out.Elsewhere) {
			out.Elsewhere, out.On = s.Elsewhere, s.On
		}
	}
	for _, a := range addrs {
		add(e.heard[a])
	}
	if only {
		for a, s := range e.heard {
			if a.IsLinkLocalUnicast() && !s.Right.IsZero() { // others may have other ids on purpose
				add(sound{Right: s.Right})
			}
		}
	}
	return out
}
