package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"gslb/dataplane"
	"gslb/dataplane/ipvs"
	"gslb/health"
	"gslb/health/probe"
	"gslb/internal/cli"
	"gslb/tiers"
	"gslb/topology"
	"gslb/vrrp"
)

const (
	// driftInterval is how often the kernel is looked at when nothing has happened.
	driftInterval = 10 * time.Second
	// The wait before a change that failed is tried again doubles between these.
	retryFirst = 500 * time.Millisecond
	retryLast  = driftInterval
	// countInterval is how often the connections of what drains are counted. The
	// kernel's own counts are exact.
	countInterval = time.Second
	// tidyAfter is how long after a reading of the file what it left over is
	// collected: then, and not while the next reading is under way, which finds
	// its memory ready.
	tidyAfter = 100 * time.Millisecond
)

// A daemon is the one owner of the topology, the view and the plane: all
// decisions are made in its goroutine, from the whole picture.
type daemon struct {
	kernel kernel
	keeper *dataplane.Keeper
	desk   *desk
	dir    string
	state  state
	read   func() (*topology.Topology, *topology.Director, error)
	reload <-chan os.Signal
	log    *slog.Logger

	topo   *topology.Topology
	self   *topology.Director
	ground *tiers.Ground
	view   health.Book
	probes map[health.Target]tiers.Probe
	loads  tiers.Loads
	host   *hostKeeper
	pairs  *pairs
	sync   *syncer
	// handOver ends the daemon without giving up the addresses of pairs.
	handOver <-chan os.Signal
	reports  *reporter // nil: the file has no cluster
	// capacity is what the directors before this one are told, the next time at
	// beat; of a pair by the active member alone.
	capacity map[tiers.Key]uint32
	beat     time.Time
	failing  string   // the last error of converging, to be said once
	tried    []string // changes of the table that were told of when the last plan was not carried out whole
	drifts   drifts
	timeouts ipvs.Timeouts // of the kernel, when they were last looked at
	// generation is how many readings of the file have been put in force.
	generation int
}

// drifts are what others have changed in the kernel and was put right again.
type drifts struct {
	count int
	last  time.Time
}

// adopt makes topo the topology in force, keeping what is known of the targets
// it shares with the one before. After an error the one before is in force.
func (d *daemon) adopt(topo *topology.Topology, self *topology.Director) error {
	if !d.reports.same(topo, self) {
		// The port may be the same: first the old one is given up.
		d.reports.close()
		next, err := openReporter(d.log, topo, self)
		if err != nil {
			if d.topo != nil {
				again, failed := openReporter(d.log, d.topo, d.self)
				d.reports, err = again, errors.Join(err, failed)
			}
			return err
		}
		d.reports = next
	}
	d.host.adopt(topo, self)
	err := d.sync.adopt(topo, self, d.kernel)
	if err == nil {
		err = d.pairs.adopt(topo, self)
	}
	if err != nil {
		if d.topo != nil {
			d.host.adopt(d.topo, d.self)
			err = errors.Join(err, d.sync.adopt(d.topo, d.self, d.kernel))
		}
		return err
	}
	d.topo, d.self = topo, self
	if d.ground == nil {
		d.ground = &tiers.Ground{}
	}
	d.ground = d.ground.Next(topo, self)
	d.probes = make(map[health.Target]tiers.Probe, len(d.ground.Probes))
	for _, p := range append(d.pairs.probes(), d.ground.Probes...) { // of two that are the same the destination's
		d.probes[p.Target] = p
	}
	d.view.Keep(func(t health.Target) bool { _, still := d.probes[t]; return still })
	for t := range d.desk.last {
		if _, still := d.probes[t]; !still {
			delete(d.desk.last, t)
		}
	}
	if d.reports != nil {
		d.reports.heard.Forget(d.ground.Counts)
	}
	d.generation++
	return nil
}

// run forwards until ctx ends.
func (d *daemon) run(ctx context.Context) error {
	results := make(chan probe.Result, 64)
	set := probe.NewSet(results)
	defer set.Close()
	defer d.sync.close()

	d.log.Info("director starts", "node", d.self.ID, "destinations checked", len(d.probes))
	// The services that the probes go through must be there before the first
	// probe. Those with a destination not checked yet stay as a director that
	// ran before has left them.
	next, err := d.converge(ctx, looked)
	if err != nil {
		return err
	}
	set.Set(d.requests())
	look := time.Now().Add(driftInterval)
	retry := retryFirst
	timer := time.NewTimer(time.Hour)
	tidy := time.AfterFunc(tidyAfter, runtime.GC)
	defer tidy.Stop()
	for {
		timer.Reset(max(time.Until(first(look, next, d.beat)), 0))
		why := decided
		select {
		case <-ctx.Done():
			d.log.Info("director stops, the kernel goes on forwarding", "node", d.self.ID)
			d.pairs.close(false)
			return nil
		case <-d.handOver:
			d.log.Info("director hands over, the kernel goes on forwarding", "node", d.self.ID)
			d.pairs.close(true)
			return nil
		case r := <-results:
			why = d.observe(r)
		case now := <-d.sync.ticks():
			d.watchSync(ctx, now)
			continue
		case x := <-d.reports.incoming():
			if d.hear(x, time.Now()) || !d.reports.take(x, d.ground, time.Now()) {
				continue
			}
		case r := <-d.pairs.reports:
			d.desk.happened("pair", fmt.Sprintf("%s: %s", r.pair, r.Report))
			d.pairs.happened(r)
			d.beat = d.reports.tell(d.ground, d.self.ID, d.told(), time.Now())
			continue
		case c := <-d.desk.calls:
			why = d.handle(c)
		case <-timer.C:
			now := time.Now()
			if now.Before(first(look, next)) {
				d.beat = d.reports.tell(d.ground, d.self.ID, d.told(), now)
				continue
			}
			switch {
			case d.desk.expire(now), now.Before(look):
			case !next.IsZero() && !now.Before(next):
				why = looked
			default:
				why = drifted
			}
		case <-d.reload:
			if !d.readAgain() {
				continue
			}
			next, err = d.converge(ctx, reread) // before the new probes start
			_ = d.say(err)
			set.Set(d.requests())
			tidy.Reset(tidyAfter)
		}
		for more := true; more; { // all that has happened meanwhile, then one decision
			select {
			case r := <-results:
				if got := d.observe(r); got > why {
					why = got
				} else if got != nothing && why == drifted {
					why = looked // something has happened
				}
			default:
				more = false
			}
		}
		if why == nothing {
			continue
		}
		if d.failing != "" {
			why = looked // what failed may have been the host's part; it is no drift of others
		}
		next, err = d.converge(ctx, why)
		if d.say(err) != nil && ctx.Err() == nil {
			look = time.Now().Add(retry)
			retry = min(2*retry, retryLast)
			continue
		}
		retry = retryFirst
		if why >= looked {
			look = time.Now().Add(driftInterval)
		}
	}
}

// first is the earliest of the times that are not zero.
func first(times ...time.Time) time.Time {
	var out time.Time
	for _, t := range times {
		if !t.IsZero() && (out.IsZero() || t.Before(out)) {
			out = t
		}
	}
	return out
}

// A reason is why the daemon decides anew.
type reason uint8

const (
	nothing reason = iota
	decided        // somebody came up or went down, or an operator has spoken
	reread         // the file is not what it was
	looked         // what is in the kernel may not be what it was
	drifted        // nothing is known to have happened: others may have changed the kernel
)

func (d *daemon) requests() []probe.Probe {
	out := make([]probe.Probe, 0, len(d.probes))
	for _, p := range d.probes {
		out = append(out, probe.Probe{Target: p.Target, Check: p.Check, Mark: p.Mark, Source: p.Source})
	}
	return out
}

// observe takes in a result.
func (d *daemon) observe(r probe.Result) reason {
	p, ours := d.probes[r.Probe.Target]
	if !ours {
		return nothing
	}
	now := time.Now()
	d.desk.note(r, now)
	before := d.view.Of(p.Target)
	after := r.After(before, p.Check, now)
	d.view.Set(p.Target, after)
	if before.Known && before.Up == after.Up && before.Agent == after.Agent {
		return nothing
	}
	args := []any{"object", p.Object, "check", checkName(p.Check), "target", p.Target.Addr}
	said := fmt.Sprintf("%s, %s of %s", p.Object, checkName(p.Check), p.Target.Addr)
	if p.Target.Addr.Port() == 0 {
		said = fmt.Sprintf("%s, %s of %s", p.Object, checkName(p.Check), p.Target.Addr.Addr())
	}
	if p.Target.Via.IsValid() {
		args = append(args, "on", p.Target.Via)
	}
	what := "destination"
	switch {
	case p.Check.Type == topology.CheckAgent: // beside the check of a destination, as a rule
		what = "agent"
	case d.pairs.tracksAs(p.Object):
		what = "tracked object"
	}
	if before.Agent != after.Agent {
		d.log.Info("agent has another opinion", append(args, "says", after.Agent.String(), "reason", r.Advice.Reason)...)
		d.desk.happened("agent", strings.TrimSuffix(fmt.Sprintf("%s says %s: %s", said, after.Agent, r.Advice.Reason), ": "))
	}
	switch {
	case before.Known && before.Up == after.Up:
	case after.Up:
		d.log.Info(what+" is up", args...)
		if before.Known { // not all of them at each start
			d.desk.happened("up", said)
		}
	default:
		args = append(args, "reason", r.Err)
		if held := after.HeldUntil(p.Check); !held.IsZero() {
			args = append(args, "flap", after.Flaps, "held until", held.UTC().Format(time.RFC3339))
		}
		d.log.Warn(what+" is down", args...)
		d.desk.happened("down", fmt.Sprintf("%s: %v", said, r.Err))
	}
	return decided
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
		err = d.host.check(topo, self)
	}
	if err == nil {
		err = d.pairs.check(topo, self)
	}
	if err == nil {
		_, _, err = daemonsOf(topo, self, d.kernel)
	}
	if err == nil {
		err = d.adopt(topo, self)
	}
	if err != nil {
		text := err.Error()
		if errors.Is(err, cli.ErrSaid) {
			text = "the file has errors, which the log has"
		} else {
			d.log.Error("reload", "error", err)
		}
		d.log.Warn("reload refused, the old file stays in force", "node", d.self.ID)
		d.desk.happened("reload", "refused, the old file stays in force: "+text)
		return false
	}
	d.log.Info("reloaded", "node", d.self.ID, "destinations checked", len(d.probes))
	d.desk.happened("reload", fmt.Sprintf("generation %d is in force", d.generation))
	return true
}

// inputs are what is decided from now.
func (d *daemon) inputs(now time.Time) tiers.Inputs {
	reports, _ := d.reports.fresh(now)
	return tiers.Inputs{View: d.view.View(), Overrides: d.desk.overrides, Now: now, Before: d.desk.memory, Loads: d.loads, Reports: reports}
}

// converge makes the kernel what the topology, the view and the operators say.
// It returns when that has to be done again though nothing happens.
func (d *daemon) converge(ctx context.Context, why reason) (time.Time, error) {
	now := time.Now()
	var errs []error
	owned := d.ground.Owner
	owner := owned
	if why >= looked {
		d.keeper.Forget()
		d.host.forget()
	}
	if why >= reread {
		if !d.state.owns(owned) {
			owner = d.state.owner().With(owned) // what this node had before is still its own, to be removed
		}
		if err := d.own(owner); err != nil {
			return now.Add(retryFirst), err
		}
		changes, err := d.host.converge()
		if why == drifted {
			d.drifted(changes)
		}
		errs = append(errs, err, d.settleTimeouts(why), d.settleSync(why))
	}
	draining := d.ground.Draining(d.inputs(now))
	loads, err := d.kernel.Loads(ctx, draining)
	d.loads = loads
	errs = append(errs, err)
	decision := d.ground.Decide(d.inputs(now))
	d.desk.remember(decision.Memory)
	d.pairs.judge(decision, d.view.View())
	plan, err := d.keeper.Converge(ctx, decision.Table, owner)
	errs = append(errs, err)
	d.tell(plan, err, why)
	d.capacity = decision.Capacity
	d.beat = d.reports.tell(d.ground, d.self.ID, d.told(), now)
	_, old := d.reports.fresh(now)
	next := first(decision.Next, old)
	if len(draining) > 0 {
		next = first(next, now.Add(countInterval))
	}
	if err := errors.Join(errs...); err != nil {
		return next, err
	}
	return next, d.own(owned)
}

// maxTold is how many changes of one decision are told of one by one.
const maxTold = 100

// tell logs what was done to the table. What is only tried again is not news.
func (d *daemon) tell(plan tiers.Plan, err error, why reason) {
	before := d.tried
	d.tried = nil
	if len(plan) == 0 {
		return
	}
	word := "table"
	switch {
	case err != nil:
		word = "table, as far as it was not refused"
	case why == drifted:
		word = "table, which somebody else had changed"
		var list []string
		for _, change := range plan {
			list = append(list, change.String())
		}
		d.drifted(list)
	}
	for i, change := range plan {
		if i == maxTold {
			d.log.Info(word, "further changes", len(plan)-maxTold)
			break
		}
		text := change.String()
		if err != nil {
			d.tried = append(d.tried, text)
		}
		if !slices.Contains(before, text) {
			d.log.Info(word, "change", text)
		}
	}
}

// drifted notes what somebody else had changed and was put right.
func (d *daemon) drifted(list []string) {
	if len(list) == 0 {
		return
	}
	d.drifts.count += len(list)
	d.drifts.last = time.Now()
	text := list[0]
	if len(list) > 1 {
		text += fmt.Sprintf(" and %d more", len(list)-1)
	}
	d.desk.happened("drift", "somebody else had changed the kernel; put right: "+text)
}

// told is what the directors before this one are told.
func (d *daemon) told() map[tiers.Key]uint32 {
	if len(d.pairs.all) == 0 {
		return d.capacity
	}
	active := map[*topology.Failover]bool{nil: true}
	for _, p := range d.pairs.all {
		active[p.failover()] = p.member.Status().Router.State.Role == vrrp.Active
	}
	out := make(map[tiers.Key]uint32, len(d.capacity))
	for k, w := range d.capacity {
		if active[d.ground.PairOf(k)] {
			out[k] = w
		}
	}
	return out
}

// own has it written down whose services these are, before the kernel has them.
func (d *daemon) own(o tiers.Owner) error {
	if d.state.owns(o) {
		return nil
	}
	return d.keep(d.state.owning(o))
}

// keep writes down what this host's next director has to know.
func (d *daemon) keep(next state) error {
	if next.equal(d.state) {
		return nil
	}
	d.state = next
	return d.state.write(d.dir)
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
		line, _, _ := strings.Cut(text, "\n")
		d.desk.happened("trouble", line)
	default:
		d.log.Info("the kernel is as it should be again")
		d.desk.happened("well", "the kernel is as it should be again")
	}
	d.failing = text
	return err
}
