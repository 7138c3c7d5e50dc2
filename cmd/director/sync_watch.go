package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"gslb/dataplane/ipvs"
	"gslb/internal/cli"
	"gslb/report"
	"gslb/topology"
	"gslb/vrrp"
)

// copies is what is known of the connections of pairs, here and at the others.
type copies struct {
	told   report.Told
	next   time.Time                // of the count
	mine   map[string]int           // by pair
	lags   map[[2]string]time.Time  // by peer and pair: since when one of both has far fewer
	logged map[[3]string]time.Time  // problems by peer, pair and kind
	views  map[string][]syncPeerRow // by pair
}

// A syncPeerRow is another member as the last look found it.
type syncPeerRow struct {
	view    copyView
	problem string
}

// adopt listens for the members of the pairs of a topology, as far as they copy
// connections.
func (s *syncer) adopt(topo *topology.Topology, self *topology.Director, k kernel) error {
	want, of, err := daemonsOf(topo, self, k)
	if err != nil {
		return err
	}
	members := map[netip.Addr]bool{}
	for _, f := range topo.Failovers {
		if of == nil || f.Sync == nil || !slices.Contains(f.Members, self) {
			continue
		}
		for _, m := range f.Members {
			for _, a := range addresses(m) {
				members[a] = m != self
			}
		}
	}
	s.copies.told.Forget(func(from, pair string) bool { return mayTell(topo, self, from, pair) })
	if s.ears != nil && len(want) > 0 && s.ears.own == want[1] && sameKeys(s.ears.members, members) {
		return nil
	}
	s.close()
	if len(want) == 0 {
		return nil
	}
	if s.ears, err = openEars(k, want[1], members); err != nil {
		return err
	}
	s.since = time.Now()
	s.copies.lags, s.copies.logged = map[[2]string]time.Time{}, map[[3]string]time.Time{}
	s.ticker = time.NewTicker(syncLook)
	return nil
}

func sameKeys(a, b map[netip.Addr]bool) bool {
	if len(a) != len(b) {
		return false
	}
	for k := range a {
		if _, ok := b[k]; !ok {
			return false
		}
	}
	return true
}

// addresses are all of a director's own.
func addresses(d *topology.Director) topology.Addrs {
	out := slices.Clone(d.Addrs)
	if d.Inside != nil {
		out = append(out, d.Inside.Addrs...)
	}
	return out
}

// close ends the listening.
func (s *syncer) close() {
	s.ears.close()
	s.ears = nil
	if s.ticker != nil {
		s.ticker.Stop()
		s.ticker = nil
	}
}

// ticks come as long as there is something to look at.
func (s *syncer) ticks() <-chan time.Time {
	if s.ticker == nil {
		return nil
	}
	return s.ticker.C
}

// mayTell reports whether a director may tell this one of a pair's connections.
func mayTell(topo *topology.Topology, self *topology.Director, from, pair string) bool {
	for _, f := range topo.Failovers {
		if f.ID == pair && f.Sync != nil && from != self.ID && slices.Contains(f.Members, self) {
			return slices.ContainsFunc(f.Members, func(m *topology.Director) bool { return m.ID == from })
		}
	}
	return false
}

// hear takes in a datagram if it is about copies.
func (d *daemon) hear(x datagram, now time.Time) bool {
	if d.reports == nil || !report.IsCopies(x.data) {
		return false
	}
	from, sent, list, err := report.OpenCopies(d.reports.keys, x.data)
	if err == nil {
		err = d.sync.copies.told.Take(from, sent, list, now, func(from, pair string) bool { return mayTell(d.topo, d.self, from, pair) })
	}
	if err != nil {
		d.reports.refuse(x.from.Addr(), err, now)
	}
	return true
}

// watchSync looks at how the copies get on, tells the others and the pairs.
func (d *daemon) watchSync(ctx context.Context, now time.Time) {
	s := &d.sync.copies
	have, err := d.kernel.Daemons()
	runs := func(r ipvs.Role) bool {
		return err == nil && slices.ContainsFunc(d.sync.want, func(w daemonRecord) bool {
			return w.Role == r && len(ipvs.PlanDaemons(have, []ipvs.Daemon{w.Daemon}, nil).Start) == 0 && len(ipvs.PlanDaemons(have, []ipvs.Daemon{w.Daemon}, nil).Foreign) == 0
		})
	}
	sends, takes := runs(ipvs.Sender), runs(ipvs.Receiver)
	d.count(ctx, now)
	s.views = map[string][]syncPeerRow{}
	for _, f := range d.topo.Failovers {
		p := d.pairs.all[f.ID]
		if p == nil || f.Sync == nil {
			continue
		}
		state := p.member.Status().Router.State
		leads := state.Role == vrrp.Active
		theirs := -1
		for _, m := range f.Members {
			if m == d.self {
				continue
			}
			v := d.copyView(f, m)
			v.leads = leads
			v.lives = v.fresh(now) || !leads && state.Peer.At != 0 && addresses(m).Has(state.Peer.From)
			k := [2]string{m.ID, f.ID}
			switch began := s.lags[k]; {
			case !v.behind(now):
				delete(s.lags, k)
			case began.IsZero():
				s.lags[k] = now
			default:
				v.lags = began
			}
			if v.fresh(now) && v.told.Active {
				theirs = int(v.told.Connections)
			}
			kind, words := v.problem(now)
			d.complain([3]string{m.ID, f.ID, kind}, words, now)
			if !v.fresh(now) {
				v.told = report.Saying{} // nobody needs to see it
			}
			s.views[f.ID] = append(s.views[f.ID], syncPeerRow{v, words})
			d.reports.tellCopies(d.self.ID, m, report.Copies{
				Pair: f.ID, Active: leads, Connections: uint32(s.mine[f.ID]), ID: f.Sync.ID, Sends: sends, Takes: takes, Heard: heardAgo(v.sound.Right, now),
			}, now)
		}
		p.arrive(now, s.mine[f.ID], theirs, leads)
	}
	for i, words := range d.sync.wrong {
		d.complain([3]string{d.self.ID, "", fmt.Sprint(i)}, words, now)
	}
}

func heardAgo(t, now time.Time) time.Duration {
	if t.IsZero() {
		return -1
	}
	return now.Sub(t)
}

// copyView is what is known of another member of a pair.
func (d *daemon) copyView(f *topology.Failover, m *topology.Director) copyView {
	v := copyView{
		peer: m.ID, id: f.Sync.ID, since: d.sync.since, mine: d.sync.copies.mine[f.ID],
		sound: d.sync.ears.of(addresses(m), len(f.Members) == 2), told: d.sync.copies.told.Of(m.ID, f.ID),
	}
	if len(d.sync.want) > 0 {
		v.on = d.sync.want[0].Interface
	}
	for _, p := range d.ground.Probes { // of the same kind at every member
		switch p.Check.Type {
		case topology.CheckICMP, topology.CheckFile, topology.CheckExec: // may make no connection
		default:
			v.speaks = v.speaks || p.Mark != 0
		}
	}
	return v
}

// complain logs a problem, once a minute while it lasts.
func (d *daemon) complain(what [3]string, words string, now time.Time) {
	s := &d.sync.copies
	last := s.logged[what]
	if words == "" || now.Sub(last) < quiet {
		return
	}
	if now.Sub(last) >= 2*quiet { // it is new
		d.desk.happened("sync", words)
	}
	s.logged[what] = now
	d.log.Warn("connections are not copied as they should be", "pair", what[1], "problem", words)
}

// count counts the connections of the pairs: each second, or seldom where that
// takes long.
func (d *daemon) count(ctx context.Context, now time.Time) {
	s := &d.sync.copies
	if now.Before(s.next) {
		return
	}
	s.mine = map[string]int{}
	for id, p := range d.pairs.all {
		if p.failover().Sync == nil || len(p.keys) == 0 {
			continue
		}
		stats, err := d.kernel.Stats(ctx, p.keys...)
		if err != nil {
			d.log.Error("count connections", "pair", id, "error", err)
		}
		for _, x := range stats {
			for _, t := range x.Destinations {
				s.mine[id] += int(t.Load.Active)
				if x.Key.Proto == topology.UDP {
					s.mine[id] += int(t.Load.Inactive)
				}
			}
		}
	}
	s.next = now.Add(min(50*time.Since(now), syncQuiet/3))
}

// arrive tells a member when it has the connections of the active one.
func (p *pair) arrive(now time.Time, mine, theirs int, leads bool) {
	p.mu.Lock()
	unfit := p.down != ""
	p.mu.Unlock()
	switch {
	case leads:
		p.arrival = arrival{done: true}
	case unfit: // what is said meanwhile is not heard
		p.arrival = arrival{}
	default:
		p.arrival = p.arrival.next(now, mine, theirs)
	}
	p.tell()
}

// tellCopies tells another member.
func (r *reporter) tellCopies(self string, m *topology.Director, c report.Copies, now time.Time) {
	if r == nil {
		return
	}
	if !now.After(r.sentCopies) {
		now = r.sentCopies.Add(1)
	}
	r.sentCopies = now
	for _, conn := range r.conns {
		local, _ := netip.AddrFromSlice(conn.LocalAddr().(*net.UDPAddr).IP)
		if to, ok := m.Addrs.Like(local.Unmap()); ok {
			for _, data := range report.SealCopies(r.keys, self, now, []report.Copies{c}) {
				_, _ = conn.WriteToUDPAddrPort(data, netip.AddrPortFrom(to, r.cluster.Port)) // it comes again
			}
			return
		}
	}
}

// A syncJSON is how a pair's connections are copied.
type syncJSON struct {
	ID          int            `json:"id"`
	Interface   string         `json:"interface"`
	Connections int            `json:"connections"`
	Complete    bool           `json:"complete"`        // has those of the active member, as far as they are copied
	Waits       string         `json:"waits,omitempty"` // what it waits for
	Peers       []syncPeerJSON `json:"peers"`
	Problems    []string       `json:"problems"`
}

// text is a line of the copies, and one for each problem.
func (x *syncJSON) text(out io.Writer, s *statusJSON, paint func(string) string) {
	if x == nil {
		return
	}
	line := fmt.Sprintf("  copies connections as id %d on %s: %d here", x.ID, x.Interface, x.Connections)
	for _, p := range x.Peers {
		line += "; " + p.Node
		if p.Connections != nil {
			line += fmt.Sprintf(" has %d,", *p.Connections)
		}
		if p.Heard == nil {
			line += " not heard"
		} else {
			line += " heard " + cli.Age(s.At.Sub(*p.Heard)) + " ago"
		}
	}
	fmt.Fprintln(out, line)
	for _, problem := range x.Problems {
		fmt.Fprintln(out, "  "+paint("trouble")+": "+problem)
	}
}

// A syncPeerJSON is another member as it copies.
type syncPeerJSON struct {
	Node        string     `json:"node"`
	Heard       *time.Time `json:"heard,omitempty"`       // its last message that is taken in
	Connections *int       `json:"connections,omitempty"` // as it says itself
	HearsUs     *time.Time `json:"hears_us,omitempty"`    // likewise
}

// status of a pair's copies, nil when there are none.
func (s *syncer) status(p *pair, f *topology.Failover) *syncJSON {
	if f.Sync == nil || len(s.want) == 0 {
		return nil
	}
	out := &syncJSON{
		ID: int(f.Sync.ID), Interface: s.want[0].Interface, Connections: s.copies.mine[f.ID],
		Complete: p.arrival.done, Waits: p.arrival.waits, Problems: append([]string{}, s.wrong...), Peers: []syncPeerJSON{},
	}
	for _, row := range s.copies.views[f.ID] {
		x := syncPeerJSON{Node: row.view.peer}
		if t := row.view.sound.Right.UTC(); !row.view.sound.Right.IsZero() {
			x.Heard = &t
		}
		if told := row.view.told; !told.At.IsZero() {
			n := int(told.Connections)
			x.Connections = &n
			if told.Heard >= 0 {
				t := told.At.Add(-told.Heard).UTC()
				x.HearsUs = &t
			}
		}
		if row.problem != "" {
			out.Problems = append(out.Problems, row.problem)
		}
		out.Peers = append(out.Peers, x)
	}
	return out
}
