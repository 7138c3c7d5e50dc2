package conn

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"gslb/vrrp"
)

// A worker lets the hands do the latest that is wanted, one thing after the
// other, while the loop keeps the time.
type worker struct {
	m      *Member
	ctx    context.Context
	cancel context.CancelFunc
	kick   chan struct{}
	ended  chan struct{}

	mu     sync.Mutex
	change chan struct{} // closed when what follows has changed
	held   []Holding     // what is wanted
	gen    uint64        // of what is wanted
	done   uint64        // the generation that the node has
	tell   bool          // announce when it has
	err    error         // of the last try
	of     vrrp.State    // the router when it wanted that
	has    bool          // the node has addresses; its goroutine's
}

// retry is between tries to drop addresses.
const retry = time.Second

func newWorker(m *Member) *worker {
	w := &worker{m: m, kick: make(chan struct{}, 1), ended: make(chan struct{}), change: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

func (w *worker) wake() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

func (w *worker) want(held []Holding, by vrrp.State) {
	w.mu.Lock()
	w.held, w.of = held, by
	w.gen++
	if held == nil {
		w.tell = false
	}
	w.mu.Unlock()
	w.wake()
}

func (w *worker) announce() {
	w.mu.Lock()
	w.tell = w.held != nil
	w.mu.Unlock()
	w.wake()
}

// holds reports whether the node has what it is to have, and that is something.
func (w *worker) holds() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held != nil && w.gen == w.done
}

func (w *worker) stop() {
	w.cancel()
	<-w.ended
}

func (w *worker) run() {
	defer close(w.ended)
	for {
		select {
		case <-w.kick:
		case <-w.ctx.Done():
			return
		}
		for !w.step() {
			// Only dropping is tried again: what cannot be taken is given up.
			select {
			case <-time.After(retry):
			case <-w.ctx.Done():
				return
			}
		}
	}
}

// step does the latest, and reports whether it is done with.
func (w *worker) step() bool {
	w.mu.Lock()
	held, gen, done, of := w.held, w.gen, w.done, w.of
	w.mu.Unlock()
	if gen != done {
		err := w.m.hands.Hold(w.ctx, held)
		w.mu.Lock()
		w.err = err
		if err == nil {
			w.done = gen
		}
		close(w.change)
		w.change = make(chan struct{})
		w.mu.Unlock()
		if err != nil {
			if w.ctx.Err() != nil {
				return true
			}
			w.m.log.Error("addresses", "held", len(held), "err", err)
			if held == nil {
				return false
			}
			w.m.Tell(vrrp.Unable{Why: err.Error()})
			return true
		}
		if held != nil && !w.has {
			w.m.tookOver(of)
		}
		w.has = held != nil
	}
	w.mu.Lock()
	tell := w.tell && w.gen == w.done
	if tell {
		w.tell = false
	}
	w.mu.Unlock()
	if tell {
		w.m.announce(held)
	}
	return true
}

// settle waits until the node has what it is to have.
func (w *worker) settle(ctx context.Context) error {
	for {
		w.mu.Lock()
		settled, change, err := w.gen == w.done, w.change, w.err
		w.mu.Unlock()
		if settled {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// tookOver tells how long a take-over took.
func (m *Member) tookOver(of vrrp.State) {
	now := m.wire.Clock()
	took := now - of.TakenAt
	attrs := []any{"addresses", took.Round(time.Microsecond)}
	why := fmt.Sprintf("has the addresses, %v after it was to", took.Round(time.Millisecond))
	if of.Peer.At != 0 {
		silence := (now - of.Peer.At).Round(time.Millisecond)
		attrs = append(attrs, "from", of.Peer.From, "silence", silence)
		why += fmt.Sprintf(" and %v after the last word of %v", silence, of.Peer.From)
	}
	m.log.Info("took over", attrs...)
	m.odd(why)
}

// announce says on each device which addresses are there.
func (m *Member) announce(held []Holding) {
	m.mu.Lock()
	links := m.links
	m.mu.Unlock()
	for _, l := range links {
		var addrs []netip.Addr
		in, at := l.want.Load().Instance, l.place.Load()
		for _, h := range held {
			if h.Interface == at.device && slices.Contains(in.Addrs, h.Addr) {
				addrs = append(addrs, h.Addr)
			}
		}
		if err := m.wire.Announce(at.device, at.mac, addrs); err != nil {
			m.log.Warn("announce", "err", err)
		}
	}
}
