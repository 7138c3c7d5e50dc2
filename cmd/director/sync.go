package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gslb/dataplane/ipvs"
	"gslb/topology"
)

const (
	// syncMessage bounds the bytes of a message, so that two connections of IPv4
	// fill it, or one of IPv6: the kernel sends a full one at once, and lets another
	// lie for two seconds.
	syncMessage = 80
	// syncLook is how often it is looked at how the copies get on.
	syncLook = time.Second
)

// A daemonRecord is a sync daemon that this host's director has started.
type daemonRecord struct {
	ipvs.Daemon
	// Index is that of the interface: a daemon stays with one that is gone,
	// and hears nothing from another of its name.
	Index int `json:"index"`
}

// A syncer keeps the kernel's sync daemons as the pairs want them, and watches
// what comes of it. The goroutine that owns the daemon owns it too.
type syncer struct {
	want   []daemonRecord // none: no pair copies connections
	wrong  []string       // about the daemons of this kernel, in words
	since  time.Time      // when the listening began
	ears   *ears          // nil: nothing is wanted
	ticker *time.Ticker
	copies copies
}

// daemonsOf are the sync daemons of a director: both, so that connections go
// to and fro whoever is active.
func daemonsOf(topo *topology.Topology, self *topology.Director, k kernel) ([]daemonRecord, *topology.Sync, error) {
	i := slices.IndexFunc(topo.Failovers, func(f *topology.Failover) bool {
		return f.Sync != nil && slices.Contains(f.Members, self)
	})
	if i < 0 {
		return nil, nil, nil
	}
	f := topo.Failovers[i]
	d := ipvs.Daemon{ID: f.Sync.ID, Group: ipvs.SyncGroup, Port: ipvs.SyncPort, TTL: 1}
	own := self.On(f.Sync.Network)[0]
	for _, a := range self.On(f.Sync.Network) {
		if a.Is4() {
			own = a
		}
	}
	for _, m := range f.Members { // IPv4 where all have it
		if _, ok := m.On(f.Sync.Network).Like(own); !ok || own.Is6() {
			d.Group = ipvs.SyncGroup6
		}
	}
	have, err := k.Interfaces()
	if err == nil {
		d.Interface, err = interfaceOf(own, have)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: sync: %w", f.ID, err)
	}
	index := have[slices.IndexFunc(have, func(x device) bool { return x.name == d.Interface })].index
	sender, receiver := d, d
	sender.Role, sender.MaxLen = ipvs.Sender, syncMessage
	receiver.Role = ipvs.Receiver
	return []daemonRecord{{sender, index}, {receiver, index}}, f.Sync, nil
}

// bare are the daemons of records.
func bare(list []daemonRecord) []ipvs.Daemon {
	var out []ipvs.Daemon
	for _, r := range list {
		out = append(out, r.Daemon)
	}
	return out
}

// settleSync makes the kernel's sync daemons what the pairs want. Somebody
// else's are left alone, and said.
func (d *daemon) settleSync(why reason) error {
	want, _, err := daemonsOf(d.topo, d.self, d.kernel)
	if err != nil {
		return err
	}
	d.sync.want, d.sync.wrong = want, nil
	if len(want) == 0 && len(d.state.Sync) == 0 {
		return nil
	}
	have, err := d.kernel.Daemons()
	if err != nil {
		return err
	}
	ours := d.state.Sync
	plan := ipvs.PlanDaemons(have, bare(want), bare(ours))
	for _, w := range want {
		if deaf(w, ours, have) && !slices.Contains(plan.Stop, w.Role) {
			plan.Stop, plan.Start = append(plan.Stop, w.Role), append(plan.Start, w.Daemon)
		}
	}
	for _, f := range plan.Foreign {
		w := want[slices.IndexFunc(want, func(w daemonRecord) bool { return w.Role == f.Role })]
		d.sync.wrong = append(d.sync.wrong, fmt.Sprintf("the kernel's %s was started by somebody else; %s is wanted: stop it (ipvsadm --stop-daemon %s)", f, w.Daemon, kernelWord(f.Role)))
	}
	if len(plan.Stop)+len(plan.Start) == 0 {
		return nil
	}
	// Written down before they are there, and as long as they may be.
	next := ours
	for _, s := range plan.Start {
		next = append(slices.Clone(next), want[slices.IndexFunc(want, func(w daemonRecord) bool { return w.Role == s.Role })])
	}
	if err := d.keep(d.state.copying(next)); err != nil {
		return err
	}
	var errs []error
	var list []string
	done := func(err error, what string) {
		if errs = append(errs, err); err == nil {
			list = append(list, what)
			d.log.Info("host", "change", what)
		}
	}
	for _, r := range plan.Stop {
		done(d.kernel.StopDaemon(r), fmt.Sprintf("no sync %s", r))
	}
	for _, s := range plan.Start {
		done(d.kernel.StartDaemon(s), s.String())
	}
	if why == drifted {
		d.drifted(list)
	}
	if have, err = d.kernel.Daemons(); err != nil {
		return errors.Join(append(errs, err)...)
	}
	return errors.Join(append(errs, d.keep(d.state.copying(running(next, have))))...)
}

// running are the records of daemons that run, the last of each role.
func running(list []daemonRecord, have []ipvs.Daemon) []daemonRecord {
	var out []daemonRecord
	for _, r := range slices.Backward(list) {
		runs := len(ipvs.PlanDaemons(have, nil, []ipvs.Daemon{r.Daemon}).Stop) > 0
		if runs && !slices.ContainsFunc(out, func(x daemonRecord) bool { return x.Role == r.Role }) {
			out = append(out, r)
		}
	}
	return out
}

// kernelWord is what ipvsadm calls a role.
func kernelWord(r ipvs.Role) string {
	if r == ipvs.Sender {
		return "master"
	}
	return "backup"
}

// deaf reports whether a daemon of ours that runs as it is wanted belongs to an
// interface that is not there any more.
func deaf(want daemonRecord, ours []daemonRecord, have []ipvs.Daemon) bool {
	runs := slices.ContainsFunc(have, func(h ipvs.Daemon) bool { return h.Role == want.Role && h.Interface == want.Interface })
	return runs && slices.ContainsFunc(ours, func(o daemonRecord) bool { return o.Daemon == want.Daemon && o.Index != want.Index }) && !slices.Contains(ours, want)
}

// stopDaemons ends those that are ours.
func stopDaemons(k kernel, ours []daemonRecord) ([]string, error) {
	if len(ours) == 0 {
		return nil, nil
	}
	have, err := k.Daemons()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range ipvs.PlanDaemons(have, nil, bare(ours)).Stop {
		if err := k.StopDaemon(r); err != nil {
			return out, err
		}
		out = append(out, fmt.Sprintf("no sync %s", r))
	}
	return out, nil
}
