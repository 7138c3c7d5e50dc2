package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"gslb/dataplane"
	"gslb/dataplane/hostnet"
	"gslb/health"
	"gslb/health/probe"
	"gslb/internal/cli"
	"gslb/tiers"
	"gslb/topology"
)

const (
	// driftInterval is how often the kernel is looked at when nothing has happened.
	driftInterval = 10 * time.Second
	// The wait before a change that failed is tried again doubles between these.
	retryFirst = 500 * time.Millisecond
	retryLast  = driftInterval
)

// A daemon is the one owner of the topology, the view and the plane: all
// decisions are made in its goroutine, from the whole picture.
type daemon struct {
	plane  dataplane.Plane
	dir    string
	state  state
	read   func() (*topology.Topology, *topology.Director, error)
	reload <-chan os.Signal
	log    *slog.Logger

	topo    *topology.Topology
	self    *topology.Director
	ground  *tiers.Ground
	memory  tiers.Memory
	view    health.View
	probes  map[health.Target]tiers.Probe
	failing string // the last error of converging, to be said once
}

// adopt makes topo the topology in force, keeping what is known of the targets it shares with the one before.
func (d *daemon) adopt(topo *topology.Topology, self *topology.Director) {
	d.topo, d.self = topo, self
	d.ground = tiers.Prepare(topo, self)
	d.probes = map[health.Target]tiers.Probe{}
	for _, p := range d.ground.Probes {
		d.probes[p.Target] = p
	}
	d.view = d.view.Keep(func(t health.Target) bool { _, still := d.probes[t]; return still })
}

// run forwards until ctx ends.
func (d *daemon) run(ctx context.Context) error {
	results := make(chan probe.Result, 64)
	set := probe.NewSet(results)
	defer set.Close()

	d.log.Info("director starts", "node", d.self.ID, "destinations checked", len(d.probes))
	// The services that the probes go through must be there before the first
	// probe. Those with a destination not checked yet stay as a director that
	// ran before has left them.
	if err := d.converge(ctx); err != nil {
		return err
	}
	set.Set(d.requests())
	timer := time.NewTimer(driftInterval)
	retry := retryFirst
	for {
		var changed bool
		select {
		case <-ctx.Done():
			d.log.Info("director stops, the kernel goes on forwarding", "node", d.self.ID)
			return nil
		case r := <-results:
			changed = d.observe(r)
		case <-timer.C:
			changed = true
		case <-d.reload:
			if d.readAgain() {
				_ = d.say(d.converge(ctx)) // before the new probes start
				set.Set(d.requests())
			}
		}
		for more := true; more; { // all that has happened meanwhile, then one decision
			select {
			case r := <-results:
				changed = d.observe(r) || changed
			default:
				more = false
			}
		}
		if !changed {
			continue
		}
		wait := driftInterval
		if err := d.say(d.converge(ctx)); err != nil && ctx.Err() == nil {
			wait = retry
			retry = min(2*retry, retryLast)
		} else {
			retry = retryFirst
		}
		timer.Reset(wait)
	}
}

func (d *daemon) requests() []probe.Probe {
	var out []probe.Probe
	for _, p := range d.probes {
		out = append(out, probe.Probe{Target: p.Target, Check: p.Check, Mark: p.Mark, Source: p.Source})
	}
	return out
}

// observe takes in a result and reports whether somebody came up or went down.
func (d *daemon) observe(r probe.Result) bool {
	p, ours := d.probes[r.Probe.Target]
	if !ours {
		return false
	}
	before := d.view[p.Target]
	after := r.After(before, p.Check, time.Now())
	d.view = d.view.With(p.Target, after)
	if before.Known && before.Up == after.Up {
		return false
	}
	args := []any{"check", checkName(p.Check), "target", p.Target.Addr}
	if p.Target.Via.IsValid() {
		args = append(args, "on", p.Target.Via)
	}
	if after.Up {
		d.log.Info("destination is up", args...)
	} else {
		d.log.Warn("destination is down", append(args, "reason", r.Err)...)
	}
	return true
}

func checkName(c *topology.Check) string {
	if c.ID == "" {
		return "default " + c.Type.String()
	}
	return c.ID
}

// readAgain reads the file again and reports whether it is in force now.
func (d *daemon) readAgain() bool {
	topo, self, err := d.read()
	if err == nil {
		err = hostnet.Check(tiers.DirectorHost(topo, self))
	}
	if err != nil {
		if !errors.Is(err, cli.ErrSaid) {
			d.log.Error("reload", "error", err)
		}
		d.log.Warn("reload refused, the old file stays in force", "node", d.self.ID)
		return false
	}
	d.adopt(topo, self)
	d.log.Info("reloaded", "node", d.self.ID, "destinations checked", len(d.probes))
	return true
}

// converge makes the kernel what the topology and the view say.
func (d *daemon) converge(ctx context.Context) error {
	owned := d.ground.Owner
	owner := d.state.owner().With(owned) // what this node had before is still its own, to be removed
	d.state = d.state.owning(owner)
	if err := d.state.write(d.dir); err != nil {
		return err
	}
	changes, hostErr := hostnet.Converge(tiers.DirectorHost(d.topo, d.self), hostPath(d.dir))
	for _, change := range changes {
		d.log.Info("host", "change", change)
	}
	decision := d.ground.Decide(tiers.Inputs{View: d.view, Now: time.Now(), Before: d.memory})
	d.memory = decision.Memory
	plan, err := dataplane.Converge(ctx, d.plane, decision.Table, owner)
	for _, change := range plan {
		if err == nil {
			d.log.Info("table", "change", change.String())
		} else {
			d.log.Info("table, as far as it was not refused", "change", change.String())
		}
	}
	if err := errors.Join(hostErr, err); err != nil {
		return err
	}
	if len(owner.VIPs) > len(owned.VIPs) || len(owner.Marks) > len(owned.Marks) {
		d.state = d.state.owning(owned)
		return d.state.write(d.dir)
	}
	return nil
}

// say logs an error of converging once, and once more when it is over.
func (d *daemon) say(err error) error {
	text := ""
	if err != nil {
		text = err.Error()
	}
	switch {
	case text == d.failing:
	case text != "":
		d.log.Error("the kernel is not as it should be; trying again", "error", err)
	default:
		d.log.Info("the kernel is as it should be again")
	}
	d.failing = text
	return err
}
