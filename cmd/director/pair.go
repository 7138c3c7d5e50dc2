package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"time"

	"gslb/internal/local"
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

// ownFlaps is how a member's own take-overs are dampened.
var ownFlaps = vrrp.Flap{Count: 3, Window: time.Minute, Hold: 10 * time.Second, Max: 5 * time.Minute}

// pairsPath is where members are kept between two processes.
func pairsPath(dir string) string { return filepath.Join(dir, "failover.json") }

// A pair is this director's part in a failover pair.
type pair struct {
	of     *topology.Failover
	config vrrp.Config
	member *conn.Member
	keys   []tiers.Key // the services whose VIPs it owns
	stop   context.CancelFunc

	mu      sync.Mutex
	tracked vrrp.Tracked
	down    string // why the interface is not fit
	lost    string // a service without quorum
	ready   bool
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
func configs(topo *topology.Topology, self *topology.Director) (map[string]vrrp.Config, error) {
	out := map[string]vrrp.Config{}
	var errs []error
	for _, f := range topo.Failovers {
		if !slices.Contains(f.Members, self) {
			continue
		}
		c, err := configOf(f, self)
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

// configOf is what a member of a pair is told. IPv4 goes by multicast, as
// everybody's does; IPv6 from address to address, because the link-local
// addresses of the others stand in no file.
func configOf(f *topology.Failover, self *topology.Director) (vrrp.Config, error) {
	order := slices.Index(f.Members, self)
	c := vrrp.Config{
		Name: f.ID, Priority: uint8(firstPriority - order*priorityStep), Interval: f.Advert,
		Preempt: true, PreemptDelay: f.PreemptDelay, Flap: ownFlaps,
	}
	for _, v6 := range []bool{false, true} {
		in := vrrp.Instance{ID: f.RouterID, Version: 3, Unicast: v6}
		for _, vip := range f.VIPs {
			if vip.Is6() == v6 {
				in.Addrs = append(in.Addrs, vip)
			}
		}
		if len(in.Addrs) == 0 {
			continue
		}
		if in.Source, _ = self.Addrs.Like(in.Addrs[0]); !in.Source.IsValid() {
			return c, fmt.Errorf("%s: %s has no address of the family of %s", f.ID, self.ID, in.Addrs[0])
		}
		for _, m := range f.Members {
			if a, ok := m.Addrs.Like(in.Source); ok && m != self {
				in.Peers = append(in.Peers, a)
			}
		}
		if v6 {
			in.Addrs = slices.Insert(in.Addrs, 0, vrrp.LinkLocal(f.RouterID))
		}
		var err error
		if in.Interface, err = interfaceOf(in.Source); err != nil {
			return c, fmt.Errorf("%s: %w", f.ID, err)
		}
		c.Instances = append(c.Instances, in)
	}
	return c, nil
}

// interfaceOf is the name of the interface that has an address.
func interfaceOf(a netip.Addr) (string, error) {
	list, err := net.Interfaces()
	if err != nil {
		return "", fmt.Errorf("list the interfaces: %w", err)
	}
	for _, dev := range list {
		addrs, err := dev.Addrs()
		if err != nil {
			continue // it has gone since
		}
		for _, x := range addrs {
			if p, err := netip.ParsePrefix(x.String()); err == nil && p.Addr().Unmap() == a {
				return dev.Name, nil
			}
		}
	}
	return "", fmt.Errorf("no interface of this host has the address %s that the file gives this node", a)
}

// check reports whether the host can play its part in the pairs of a topology.
func (ps *pairs) check(topo *topology.Topology, self *topology.Director) error {
	_, err := configs(topo, self)
	return err
}

// adopt takes part in the pairs of a topology, and no longer in others. A
// member that is in the pair already keeps its role. After an error nothing has
// changed.
func (ps *pairs) adopt(topo *topology.Topology, self *topology.Director) error {
	wanted, err := configs(topo, self)
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
		p.config = config
	}
	maps.Copy(ps.all, fresh)
	for _, f := range topo.Failovers {
		if p := ps.all[f.ID]; p != nil {
			p.adopt(f, topo)
		}
	}
	ps.saved = nil // was for those that are there now
	return nil
}

// adopt notes what the pair is in a topology.
func (p *pair) adopt(f *topology.Failover, topo *topology.Topology) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of, p.keys = f, nil
	for _, s := range topo.Services {
		if s.Tiers[0].Pair != f {
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

// Hands of a pair: the host.
type hands struct {
	host *hostKeeper
	pair *pair
}

// Hold makes the host have the pair's addresses, or none of them.
func (h hands) Hold(_ context.Context, held []conn.Holding) error {
	return h.host.hold(h.pair.failover(), len(held) > 0)
}

// join begins to take part. A member may take over from one that lives when all
// destinations have been checked.
func (ps *pairs) join(f *topology.Failover, config vrrp.Config) (*pair, error) {
	p := &pair{of: f, config: config}
	options := conn.Options{Log: ps.log, First: []vrrp.Event{vrrp.Ready{Ready: false}}}
	options.Notice = func(r vrrp.Report) {
		select {
		case ps.reports <- pairReport{f.ID, r}:
		default:
		}
	}
	if saved, ok := ps.saved[f.ID]; ok {
		options.Saved = &saved
		if saved.Router.Role == vrrp.Active {
			ps.host.keep(f) // until the member says that another has taken over
		}
	}
	if p.down = unfit(config); p.down != "" {
		p.tracked = vrrp.Tracked{Unfit: true, Why: p.down}
		options.First = append(options.First, p.tracked)
	}
	var err error
	if p.member, err = conn.Join(config, hands{ps.host, p}, options); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	go p.watch(ctx)
	return p, nil
}

// keep says that the host has the addresses of a pair from before.
func (h *hostKeeper) keep(f *topology.Failover) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active[f.ID] = true
}

// unfit is why a member cannot be heard; "" when it can.
func unfit(c vrrp.Config) string {
	for _, in := range c.Instances {
		dev, err := net.InterfaceByName(in.Interface)
		if err != nil {
			return "interface " + in.Interface + " is gone"
		}
		if dev.Flags&net.FlagRunning == 0 {
			return "interface " + in.Interface + " is down"
		}
	}
	return ""
}

// watch tracks the interface.
func (p *pair) watch(ctx context.Context) {
	tick := time.NewTicker(watchedEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		why := unfit(p.member.Status().Router.Config)
		p.track(func() { p.down = why })
	}
}

// track changes what the member is told of this node, and tells it.
func (p *pair) track(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	next := vrrp.Tracked{Unfit: p.down != "", Why: "all is well again"}
	switch {
	case p.down != "":
		next.Why = p.down
	case p.lost != "":
		next.Penalty, next.Why = lostPenalty, p.lost+" has no quorum here"
	}
	if next != p.tracked && (next.Unfit != p.tracked.Unfit || next.Penalty != p.tracked.Penalty) {
		p.tracked = next
		p.member.Tell(next)
	}
}

// judge tells the members what was decided: who has no quorum here, and who
// knows all of its destinations.
func (ps *pairs) judge(d tiers.Decision) {
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
		p.track(func() { p.lost = lost })
		if ready != p.ready {
			p.ready = ready
			p.member.Tell(vrrp.Ready{Ready: ready})
		}
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
