package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gslb/health"
	"gslb/health/probe"
	"gslb/internal/local"
	"gslb/topology"
)

const (
	// savedAge is how old a saved view may be to be begun with: what was found
	// longer ago says too little of now.
	savedAge = 10 * time.Minute
	// saveSoon and saveOften are how long after a change, and how often
	// without one, the view is saved.
	saveSoon  = time.Second
	saveOften = time.Minute
	maxSaved  = 64 << 20 // bytes of a file
	// moveSoon is how long a change of nothing but TTLs waits for others, so
	// that many results make one table.
	moveSoon = 100 * time.Millisecond
)

// A place is where a daemon keeps its state and is spoken to.
type place struct {
	dir, socket string
	replace     bool // the daemon that is there already
}

func (p *place) flags(cmd *cobra.Command) {
	dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":") // systemd.exec(5)
	cmd.Flags().StringVar(&p.dir, "state", dir, "keep health and overrides in `DIR` over restarts (default $STATE_DIRECTORY, else nowhere)")
	cmd.Flags().BoolVar(&p.replace, "replace", false, "take the sockets over from the process that serves there, without losing a query")
	cmd.Flags().StringVar(&p.socket, "socket", "", "listen to gslb status, disable, drain and enable on the Unix socket `PATH` (default gslb.sock in the state's folder)")
}

// A desk is the daemon's side of what operators see and say, and of what is
// kept over restarts. The goroutine that owns the dnsNode owns it too.
type desk struct {
	log       *slog.Logger
	started   time.Time
	dir       string
	overrides health.Overrides
	left      bool // another process has been left what this one knows
	last      map[health.Target]outcome
	// generation is how many readings of the files have been put in force.
	generation int
	calls      chan call
	server     *local.Server // nil: nobody is heard
	views      *local.Saver  // nil: nothing is kept
	words      *local.Saver
	tick       *time.Timer // for whichever of these is next; the zero time is never
	grows      time.Time   // a weight
	moves      time.Time   // a TTL
	stales     time.Time   // a state, unless a result comes before
	saves      time.Time   // the view
	saved      time.Time   // when the view was that was begun with; zero: there was none
}

// An outcome is the result of the last probe of a target.
type outcome struct {
	at   time.Time
	took time.Duration
	err  error
}

// A call is a request to the daemon and where its reply goes.
type call struct {
	peer    local.Peer
	request request
	reply   chan<- any
}

// A request is what the commands send, as JSON.
type request struct {
	FormatVersion int    `json:"format_version"`
	Command       string `json:"command"` // "status" or "override"
	Object        string `json:"object,omitempty"`
	Mode          string `json:"mode,omitempty"` // "enabled", "drained" or "disabled"
	Seconds       int64  `json:"seconds,omitempty"`
	Reason        string `json:"reason,omitempty"`
}

// openDesk begins with what was kept, as far as it is of use. Operators find it
// when its server is published.
func openDesk(log *slog.Logger, at place) (*desk, health.View, error) {
	k := &desk{log: log, started: time.Now(), dir: at.dir, last: map[health.Target]outcome{}, calls: make(chan call), tick: time.NewTimer(time.Hour)}
	k.tick.Stop()
	view := health.View{}
	if at.dir != "" {
		if err := os.MkdirAll(at.dir, 0o700); err != nil {
			return nil, nil, fmt.Errorf("make the state's folder: %w", err)
		}
		view = k.restore()
		k.views, k.words = local.NewSaver(k.path("health.json")), local.NewSaver(k.path("overrides.json"))
		if at.socket == "" {
			at.socket = k.path("gslb.sock")
		}
		k.saves = k.started.Add(saveOften)
	}
	if at.socket != "" {
		server, err := local.Listen(at.socket)
		if err != nil {
			k.close()
			return nil, nil, err
		}
		k.server = server
		go server.Serve(k.answer, func(p local.Peer) []byte {
			return local.Marshal(local.Refuse("%s may not: only root and the user of gslb serve may", p.String()))
		})
	}
	k.arm()
	return k, view, nil
}

func (k *desk) path(name string) string { return filepath.Join(k.dir, name) }

// restore reads what was kept. A file that cannot be read is put aside and
// told of: a daemon that does not start helps nobody.
func (k *desk) restore() health.View {
	now := time.Now()
	if data, ok := k.read("overrides.json"); ok {
		o, err := health.ReadOverrides(data)
		if err != nil {
			k.aside("overrides.json", err)
		}
		left, gone := o.Expire(now)
		k.overrides = left
		for _, x := range left {
			k.log.Warn("override is in force", x.Attrs()...)
		}
		for _, x := range gone {
			k.log.Info("override has run out while nobody served", x.Attrs()...)
		}
	}
	view := health.View{}
	if data, ok := k.read("health.json"); ok {
		saved, at, err := health.ReadView(data)
		switch age := now.Sub(at); {
		case err != nil:
			k.aside("health.json", err)
		case age > savedAge || age < -savedAge:
			k.log.Info("saved health is too old to begin with", "saved", at.Format(time.RFC3339), "targets", len(saved))
		default:
			view, k.saved = saved, at
			k.log.Info("beginning with saved health", "saved", at.Format(time.RFC3339), "targets", len(saved))
		}
	}
	return view
}

func (k *desk) read(name string) ([]byte, bool) {
	data, err := local.ReadFile(k.path(name), maxSaved)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.log.Error("state is not read", "reason", err)
	}
	return data, err == nil
}

func (k *desk) aside(name string, err error) {
	k.log.Error("state is put aside", "file", k.path(name), "now", local.PutAside(k.path(name)), "reason", err)
}

// publish lets operators find the desk.
func (k *desk) publish() error {
	if k.server == nil {
		return nil
	}
	return k.server.Publish()
}

// close ends what was begun.
func (k *desk) close() {
	switch {
	case k.server == nil:
	case k.left:
		k.server.Leave()
	default:
		k.server.Close()
	}
	if k.views != nil {
		k.views.Close()
		k.words.Close()
	}
}

// save keeps a view. What was saved before and has had no result since gets no
// younger by that: while it counts the file stays as it is, and then it is left out.
func (k *desk) save(view health.View) {
	now := time.Now()
	view = maps.Clone(view)
	every := len(view)
	maps.DeleteFunc(view, func(_ health.Target, s health.State) bool { return s.Saved })
	if len(view) < every && now.Sub(k.saved) < savedAge {
		return
	}
	k.views.Save(func() []byte { return view.Encode(now) }, func(err error) {
		if err != nil {
			k.log.Error("health is not saved", "reason", err)
		}
	})
}

// arm sets the timer for what comes next.
func (k *desk) arm() {
	k.tick.Stop()
	next := time.Time{}
	for _, t := range []time.Time{k.grows, k.moves, k.stales, k.saves, k.overrides.Next()} {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if !next.IsZero() {
		k.tick.Reset(time.Until(next))
	}
}

// note keeps a result to be shown.
func (k *desk) note(t health.Target, r probe.Result, now time.Time) {
	k.last[t] = outcome{now, r.Took, r.Err}
}

// soon has a table published for the sake of TTLs.
func (k *desk) soon(now time.Time) {
	if k.moves.IsZero() {
		k.moves = now.Add(moveSoon)
		k.arm()
	}
}

// seen is when a target's state was last confirmed: by a result, or when it was
// saved. The zero time: never.
func (k *desk) seen(t health.Target, s health.State) time.Time {
	if s.Saved {
		return k.saved
	}
	return k.last[t].at
}

// stale are the targets of what is served whose states nothing has confirmed of
// late. It also notes when the next one will be, without a result.
func (d *dnsNode) stale(now time.Time) map[health.Target]bool {
	k := d.desk
	k.stales = time.Time{}
	out := map[health.Target]bool{}
	for t, c := range d.now.checks {
		until := k.seen(t, d.view.Of(t)).Add(health.StaleAfter(c))
		switch {
		case !until.After(now):
			out[t] = true
		case k.stales.IsZero() || until.Before(k.stales):
			k.stales = until
		}
	}
	return out
}

// aged tells of targets that have become stale, and reports whether there are any.
func (d *dnsNode) aged(now time.Time) bool {
	before, any := d.shown.stale, false
	for t := range d.stale(now) {
		if !before[t] {
			any = true
			d.desk.log.Warn("health is stale: no result has come of late", "target", t.Addr.String(), "check", t.Check)
		}
	}
	return any
}

// changed says that a target's state has changed and should be saved soon.
func (k *desk) changed(t health.Target, s health.State, c *topology.Check, now time.Time) {
	if held := s.HeldUntil(c); !held.IsZero() {
		k.log.Warn("target is held down", "target", t.Addr.String(), "check", t.Check, "flap", s.Flaps, "until", held.UTC().Format(time.RFC3339))
	}
	if soon := now.Add(saveSoon); k.views != nil && soon.Before(k.saves) {
		k.saves = soon
		k.arm()
	}
}

// turn does what is due.
func (d *dnsNode) turn(now time.Time) {
	k := d.desk
	left, gone := k.overrides.Expire(now)
	for _, x := range gone {
		k.log.Info("override has run out", x.Attrs()...)
	}
	if len(gone) > 0 {
		k.overrides = left
		if d.now != nil && !k.left { // else they may be another process's
			k.keep(func(err error) {
				if err != nil {
					k.log.Error("overrides are not saved", "reason", err)
				}
			})
		}
	}
	due := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	if d.now != nil {
		aged := due(k.stales) && d.aged(now)
		if aged || due(k.grows) || due(k.moves) || len(gone) > 0 {
			d.publish()
		}
	}
	if due(k.saves) {
		d.save()
		k.saves = now.Add(saveOften)
	}
	k.arm()
}

// save keeps the view, unless it is another process's to keep.
func (d *dnsNode) save() {
	if k := d.desk; k.views != nil && d.now != nil && !k.left {
		k.save(d.view.View())
	}
}

// keep has the overrides saved, and told of the outcome.
func (k *desk) keep(told func(error)) {
	if k.words == nil {
		told(errors.New("gslb serve runs without --state"))
		return
	}
	k.words.Save(k.overrides.Encode, told)
}

// promoted says that another generation is served: what is no target of it is
// forgotten.
func (k *desk) promoted(g *generation) {
	k.generation++
	maps.DeleteFunc(k.last, func(t health.Target, _ outcome) bool { return !g.has(t) })
}

// overridden are the overrides for steering at time now. It also notes when the
// next weight grows.
func (d *dnsNode) overridden(now time.Time) health.Overrides {
	k := d.desk
	k.grows, k.moves = time.Time{}, time.Time{}
	for t, c := range d.now.checks {
		if next := d.view.Of(t).NextStep(c, now); !next.IsZero() && (k.grows.IsZero() || next.Before(k.grows)) {
			k.grows = next
		}
	}
	return k.overrides.Spread(d.now.topo)
}

// answer is what the socket's users get; it runs beside the daemon.
func (k *desk) answer(ctx context.Context, peer local.Peer, data []byte) []byte {
	return local.Exchange(ctx, "gslb serve", data, k.calls, func(r request, reply chan<- any) call { return call{peer, r, reply} })
}

// handle does what a call asks for.
func (d *dnsNode) handle(c call) {
	switch c.request.Command {
	case "status":
		c.reply <- d.report(time.Now())
	case "override":
		d.override(c, time.Now())
	default:
		c.reply <- local.Refuse("this gslb serve knows no command %q", c.request.Command)
	}
}
