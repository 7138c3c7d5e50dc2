package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"gslb/health"
	"gslb/internal/local"
	"gslb/internal/secret"
	"gslb/tiers"
	"gslb/topology"
	"gslb/vrrp"
	"gslb/vrrp/conn"
)

const (
	// firstPriority is that of the first member of a pair; each one after it has
	// priorityStep less.
	firstPriority = 200
	priorityStep  = 10
	// lostPenalty is what a service without quorum costs a member: more than
	// the order of all members together. Where all have lost it the order is what
	// it was.
	lostPenalty = 190
	// watchedEvery is how often the interface of a pair is looked at.
	watchedEvery = 250 * time.Millisecond
	// resignTime bounds the end of a member: it waits for addresses to be dropped.
	resignTime = 5 * time.Second
)

// pairsPath is where members are kept between two processes.
func pairsPath(dir string) string { return filepath.Join(dir, "failover.json") }

// A pair is this director's part in a failover pair.
type pair struct {
	member *conn.Member
	keys   []tiers.Key // the services that it has a tier in
	tracks []track
	stop   context.CancelFunc
	ready  bool
	events []event // of its own, the last ones

	mu      sync.Mutex
	of      *topology.Failover
	config  vrrp.Config
	tracked vrrp.Tracked
	down    string            // why the interface is not fit
	lost    string            // a service without quorum
	missing []*topology.Track // what is down of what it tracks

	// What is ready to take over from a member that lives; the daemon's alone.
	checked bool // all destinations
	arrival arrival
}

// A track is what a member looks at, and as which target.
type track struct {
	*topology.Track
	probe tiers.Probe
}

// pairs are all of the director's. The daemon owns them.
type pairs struct {
	dir   string
	log   *slog.Logger
	host  *hostKeeper
	saved map[string]conn.Saved
	all   map[string]*pair
	// reports are what members tell of their roles; of more than fit it the rest
	// is in the log alone.
	reports chan pairReport
}

// A pairReport is a member's.
type pairReport struct {
	pair string
	at   time.Time
	vrrp.Report
}

// openPairs begins with what another process has left.
func openPairs(dir string, log *slog.Logger, host *hostKeeper) *pairs {
	ps := &pairs{dir: dir, log: log, host: host, all: map[string]*pair{}, reports: make(chan pairReport, 64)}
	data, err := local.ReadFile(pairsPath(dir), maxSaved)
	if err == nil {
		err = json.Unmarshal(data, &ps.saved)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Error("what was kept of the pairs is not used", "file", pairsPath(dir), "reason", err)
		ps.saved = nil
	}
	return ps
}

// configs are what the members of a director are told, by the IDs of the pairs.
func (ps *pairs) configs(topo *topology.Topology, self *topology.Director) (map[string]vrrp.Config, error) {
	out := map[string]vrrp.Config{}
	if len(topo.Failovers) == 0 {
		return out, nil
	}
	have, err := ps.host.kernel.Interfaces()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, f := range topo.Failovers {
		if !slices.Contains(f.Members, self) {
			continue
		}
		c, err := configOf(f, self, have)
		if err == nil {
			err = c.Check()
		}
		if err != nil {
			errs = append(errs, err)
		}
		out[f.ID] = c
	}
	return out, errors.Join(errs...)
}

// priorityOf is that of the member with a place in the order, from 0.
func priorityOf(order int) uint8 { return uint8(firstPriority - order*priorityStep) }

// keysOf reads what the members of a pair sign with.
func keysOf(f *topology.Failover) ([]vrrp.Key, error) {
	if f.Key == "" {
		return nil, nil
	}
	text, err := secret.Read(f.Key)
	if err != nil {
		return nil, fmt.Errorf("%s: key: %w", f.ID, err)
	}
	keys, err := vrrp.ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s: key: secret %s: %w", f.ID, f.Key, err)
	}
	return keys, nil
}

// configOf is what a member of a pair is told: one virtual router for each
// segment and family, which move together. IPv4 goes by multicast, as
// everybody's does, unless the file says otherwise; IPv6 from address to
// address, because the link-local addresses of the others stand in no file.
func configOf(f *topology.Failover, self *topology.Director, have []device) (vrrp.Config, error) {
	order := slices.Index(f.Members, self)
	c := vrrp.Config{
		Name: f.ID, Priority: priorityOf(order), Interval: f.Advert,
		Preempt: f.Preempt, PreemptDelay: f.PreemptDelay, PreemptBelow: priorityOf(len(f.Members) - 1), Flap: vrrp.Flap(f.Flap),
	}
	keys, err := keysOf(f)
	if err != nil {
		return c, err
	}
	legs := []topology.Leg{{Network: self.Network, Addrs: slices.Concat(f.VIPs, f.Addrs)}}
	if f.Inside != nil {
		legs = append(legs, *f.Inside)
	}
	for _, leg := range legs {
		for _, v6 := range []bool{false, true} {
			in, err := instanceOf(f, self, leg, v6, have)
			if err != nil {
				return c, fmt.Errorf("%s: %w", f.ID, err)
			}
			in.Keys = keys
			if len(in.Addrs) > 0 {
				c.Instances = append(c.Instances, in)
			}
		}
	}
	return c, nil
}

// instanceOf is the virtual router of one family on one segment, without its
// keys; one without addresses where nothing of the family moves there.
func instanceOf(f *topology.Failover, self *topology.Director, leg topology.Leg, v6 bool, have []device) (vrrp.Instance, error) {
	in := vrrp.Instance{ID: f.RouterID, Version: 3, Unicast: v6 || f.Unicast, VirtualMAC: f.VirtualMAC}
	for _, a := range leg.Addrs {
		if a.Is6() == v6 {
			in.Addrs = append(in.Addrs, a)
		}
	}
	if len(in.Addrs) == 0 {
		return in, nil
	}
	if in.Source, _ = self.On(leg.Network).Like(in.Addrs[0]); !in.Source.IsValid() {
		return in, fmt.Errorf("%s has no address of the family of %s", self.ID, in.Addrs[0])
	}
	for _, m := range f.Members {
		if a, ok := m.On(leg.Network).Like(in.Source); ok && m != self {
			in.Peers = append(in.Peers, a)
		}
	}
	if v6 {
		in.Addrs = slices.Insert(in.Addrs, 0, vrrp.LinkLocal(f.RouterID))
	}
	var err error
	in.Interface, err = interfaceOf(in.Source, have)
	return in, err
}

// interfaceOf is the name of the interface that has an address.
func interfaceOf(a netip.Addr, have []device) (string, error) {
	for _, dev := range have {
		if slices.Contains(dev.addrs, a) {
			return dev.name, nil
		}
	}
	return "", fmt.Errorf("no interface of this host has the address %s that the file gives this node", a)
}

// check reports whether the host can play its part in the pairs of a topology.
func (ps *pairs) check(topo *topology.Topology, self *topology.Director) error {
	_, err := ps.configs(topo, self)
	return err
}

// adopt takes part in the pairs of a topology, and no longer in others. A
// member that is in the pair already keeps its role. After an error nothing has
// changed.
func (ps *pairs) adopt(topo *topology.Topology, self *topology.Director) error {
	wanted, err := ps.configs(topo, self)
	if err != nil {
		return err
	}
	fresh := map[string]*pair{}
	for _, f := range topo.Failovers {
		config, mine := wanted[f.ID]
		if !mine || ps.all[f.ID] != nil {
			continue
		}
		p, err := ps.join(f, config)
		if err != nil {
			for _, p := range fresh {
				ps.leave(p)
			}
			return err
		}
		fresh[f.ID] = p
	}
	for id, p := range ps.all {
		config, still := wanted[id]
		if !still {
			delete(ps.all, id)
			go ps.leave(p)
			continue
		}
		if reflect.DeepEqual(config, p.config) {
			continue
		}
		if err := p.member.Reload(config); err != nil {
			ps.log.Error("the pair stays as it was", "pair", id, "error", err)
			continue
		}
		p.mu.Lock()
		p.config = config
		p.mu.Unlock()
	}
	maps.Copy(ps.all, fresh)
	for _, f := range topo.Failovers {
		if p := ps.all[f.ID]; p != nil {
			p.adopt(f, topo, self)
		}
	}
	ps.saved = nil // was for those that are there now
	return nil
}

// adopt notes what the pair is in a topology.
func (p *pair) adopt(f *topology.Failover, topo *topology.Topology, self *topology.Director) {
	p.mu.Lock()
	p.of = f
	p.mu.Unlock()
	p.tracks = nil
	for i, probe := range tiers.Tracked(f, self) {
		p.tracks = append(p.tracks, track{f.Tracks[i], probe})
	}
	p.keys = nil
	for _, s := range topo.Services {
		if !slices.ContainsFunc(s.Tiers, func(t *topology.Tier) bool { return slices.Contains(t.Pairs, f) }) {
			continue
		}
		for _, vip := range s.VIPs {
			for _, port := range s.Ports {
				if k := tiers.KeyOf(s, vip, port); !slices.Contains(p.keys, k) {
					p.keys = append(p.keys, k)
				}
			}
		}
	}
}

// failover is the pair as the topology in force has it.
func (p *pair) failover() *topology.Failover {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.of
}

// told is what the member was told last.
func (p *pair) told() vrrp.Config {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.config
}

// Hands of a pair: the host.
type hands struct {
	host *hostKeeper
	pair *pair
}

// Hold makes the host have the pair's addresses, or none of them.
func (h hands) Hold(_ context.Context, held []conn.Holding) error {
	c := h.pair.told()
	var addrs []tiers.Address
	for _, x := range held {
		addrs = append(addrs, tiers.Address{Addr: x.Addr, Link: tiers.Link{Name: x.Interface}, Valid: valid(c.Interval)})
	}
	return h.host.hold(c, addrs)
}

// Addresses of a pair go from the kernel by themselves when no director has
// renewed them for so long: whoever is dead, or stuck, does not keep them from the
// others.
const (
	leastValid   = 10 * time.Second
	validAdverts = 10
	// renewals is how often they are renewed in that time.
	renewals = 5
)

// valid is how long addresses last without renewal, in whole seconds.
func valid(advert time.Duration) time.Duration {
	return max(leastValid, (validAdverts*advert + time.Second - 1).Truncate(time.Second))
}

// heldBy are the addresses of a member that the host has, as another process has
// left them.
func heldBy(c vrrp.Config, have []device) []tiers.Address {
	var out []tiers.Address
	for _, in := range c.Instances {
		for _, dev := range have {
			for _, a := range in.Addrs {
				held := tiers.Address{Addr: a, Link: tiers.Link{Name: dev.name}, Valid: valid(c.Interval)}
				if slices.Contains(dev.addrs, a) && !slices.Contains(out, held) { // a link-local address is in several
					out = append(out, held)
				}
			}
		}
	}
	return out
}

// join begins to take part. A member may take over from one that lives when all
// destinations have been checked and the connections of that one have come.
func (ps *pairs) join(f *topology.Failover, config vrrp.Config) (*pair, error) {
	have, err := ps.host.kernel.Interfaces()
	if err != nil {
		return nil, err
	}
	p := &pair{of: f, config: config}
	options := conn.Options{Log: ps.log, Wire: ps.host.kernel.Wire(), First: []vrrp.Event{vrrp.Ready{Ready: false}}}
	options.Notice = func(r vrrp.Report) {
		select {
		case ps.reports <- pairReport{f.ID, time.Now(), r}:
		default:
		}
	}
	if saved, ok := ps.saved[f.ID]; ok {
		options.Saved = &saved
		if saved.Router.Role == vrrp.Active {
			ps.host.keep(f.ID, heldBy(config, have)) // until the member says that another has taken over
		}
	}
	if p.down = unfit(config, ps.host.kernel); p.down != "" {
		p.tracked = vrrp.Tracked{Unfit: true, Why: p.down}
		options.First = append(options.First, p.tracked)
	}
	member, err := conn.Join(config, hands{ps.host, p}, options)
	if err != nil {
		return nil, err
	}
	p.member = member
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	go p.watch(ctx, ps)
	return p, nil
}

// unfit is why a member cannot be heard; "" when it can.
func unfit(c vrrp.Config, k kernel) string {
	for _, in := range c.Instances {
		switch up, err := k.Running(in.Interface); {
		case err != nil:
			return "interface " + in.Interface + " is gone"
		case !up:
			return "interface " + in.Interface + " is down"
		}
	}
	return ""
}

// watch tracks the interface, and renews the addresses while the member speaks.
func (p *pair) watch(ctx context.Context, ps *pairs) {
	tick := time.NewTicker(watchedEvery)
	defer tick.Stop()
	renewed, failed := time.Time{}, ""
	for {
		var now time.Time
		select {
		case <-ctx.Done():
			return
		case now = <-tick.C:
		}
		s := p.member.Status()
		c, st := s.Router.Config, s.Router.State
		why := unfit(c, ps.host.kernel)
		p.track(func() { p.down = why })
		speaks := st.Role == vrrp.Active && s.Clock-st.SentAt < 3*c.Interval
		if !speaks || now.Sub(renewed) < valid(c.Interval)/renewals {
			continue
		}
		renewed = now
		text := ""
		if err := ps.host.renew(c.Name); err != nil {
			text = err.Error()
		}
		if text != failed && text != "" {
			ps.log.Error("addresses are not renewed and will go", "pair", c.Name, "error", text)
		}
		failed = text
	}
}

// track changes what the member is told of this node, and tells it.
func (p *pair) track(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	next := vrrp.Tracked{}
	var why []string
	note := func(what string, penalty uint8, unfit bool) {
		why = append(why, what)
		next.Penalty = uint8(min(255, int(next.Penalty)+int(penalty)))
		next.Unfit = next.Unfit || unfit
	}
	if p.down != "" {
		note(p.down, 0, true)
	}
	if p.lost != "" {
		note(p.lost+" has no quorum here", lostPenalty, false)
	}
	for _, t := range p.missing {
		note(t.ID+" is down", t.Penalty, t.Unfit)
	}
	next.Why = strings.Join(why, ", ")
	if why == nil {
		next.Why = "all is well again"
	}
	if next != p.tracked && (next.Unfit != p.tracked.Unfit || next.Penalty != p.tracked.Penalty) {
		p.tracked = next
		p.member.Tell(next)
	}
}

// judge tells the members what was decided: who has no quorum here, and who
// knows all of its destinations.
func (ps *pairs) judge(d tiers.Decision, view health.View) {
	if len(ps.all) == 0 {
		return
	}
	undecided := map[tiers.Key]bool{}
	for _, s := range d.Table.Services {
		if s.Undecided {
			undecided[s.Key] = true
		}
	}
	for _, p := range ps.all {
		lost, ready := "", true
		for _, k := range p.keys {
			if lost == "" && d.Memory[k].Lost {
				lost = k.String()
			}
			ready = ready && !undecided[k]
		}
		var missing []*topology.Track
		for _, t := range p.tracks {
			s := view[t.probe.Target]
			ready = ready && s.Known
			if s.Known && !s.Up {
				missing = append(missing, t.Track)
			}
		}
		p.track(func() { p.lost, p.missing = lost, missing })
		p.checked = ready
		p.tell()
	}
}

// tell tells the member when it becomes ready to take over, or is no longer.
func (p *pair) tell() {
	ready := p.checked && (p.failover().Sync == nil || p.arrival.done)
	if ready != p.ready {
		p.ready = ready
		p.member.Tell(vrrp.Ready{Ready: ready})
	}
}

// probes are those of what the members look at.
func (ps *pairs) probes() []tiers.Probe {
	var out []tiers.Probe
	for _, p := range ps.all {
		for _, t := range p.tracks {
			out = append(out, t.probe)
		}
	}
	return out
}

// tracksAs reports whether something is looked at for a pair.
func (ps *pairs) tracksAs(object string) bool {
	for _, p := range ps.all {
		if slices.ContainsFunc(p.tracks, func(t track) bool { return t.ID == object }) {
			return true
		}
	}
	return false
}

// maxPairEvents is how many of a pair's own events are kept to be shown.
const maxPairEvents = 5

// happened keeps what a member has told.
func (ps *pairs) happened(r pairReport) {
	if p := ps.all[r.pair]; p != nil {
		p.events = append(p.events, event{r.at.UTC(), "pair", r.Report.String()})
		p.events = p.events[max(len(p.events)-maxPairEvents, 0):]
	}
}

// leave ends a member: it resigns, and the addresses go.
func (ps *pairs) leave(p *pair) {
	p.stop()
	ctx, cancel := context.WithTimeout(context.Background(), resignTime)
	defer cancel()
	if err := p.member.Stop(ctx); err != nil {
		ps.log.Error("the addresses of the pair may be here still", "pair", p.failover().ID, "error", err)
	}
}

// close ends all members. With handOver the addresses stay, for the next process
// of this node to go on with within three advertisements; without it another
// member takes over at once.
func (ps *pairs) close(handOver bool) {
	saved := map[string]conn.Saved{}
	var mu sync.Mutex
	var wait sync.WaitGroup
	for id, p := range ps.all {
		wait.Go(func() {
			var s conn.Saved
			if handOver {
				p.stop()
				s = p.member.HandOver()
			} else {
				s = p.member.Save()
				s.Router.Role = vrrp.Init
				ps.leave(p)
			}
			mu.Lock()
			defer mu.Unlock()
			saved[id] = s
		})
	}
	wait.Wait()
	ps.write(saved)
}

// keep has what operators have said of the pairs, and the roles as they are,
// written down: a process that dies cannot.
func (ps *pairs) keep() {
	saved := map[string]conn.Saved{}
	for id, p := range ps.all {
		s := p.member.Save()
		s.Router.Role = vrrp.Init // who dies has lost it
		saved[id] = s
	}
	ps.write(saved)
}

func (ps *pairs) write(saved map[string]conn.Saved) {
	if len(saved) == 0 {
		if err := os.Remove(pairsPath(ps.dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			ps.log.Error("what was kept of the pairs is there still", "error", err)
		}
		return
	}
	data, err := json.Marshal(saved)
	if err == nil {
		temporary := pairsPath(ps.dir) + ".new"
		if err = os.WriteFile(temporary, append(data, '\n'), 0o600); err == nil {
			err = os.Rename(temporary, pairsPath(ps.dir))
		}
	}
	if err != nil {
		ps.log.Error("the pairs are not kept", "error", err)
	}
}
