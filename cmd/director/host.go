package main

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"gslb/tiers"
	"gslb/topology"
	"gslb/vrrp"
)

// A hostKeeper keeps this host as it is wanted to be. It goes by what it has
// done until it is told to look again or something is refused: a director may
// have 10,000 VIPs. The daemon uses it and, so that a take-over waits for no
// decision, the pairs do.
type hostKeeper struct {
	kernel kernel
	record string // path
	log    *slog.Logger

	mu     sync.Mutex
	topo   *topology.Topology
	self   *topology.Director
	active map[string][]tiers.Address // the addresses that the host has for each pair, by their IDs
	known  bool
	is     tiers.Host
	wanted wanted // last
}

// A wanted is what a host must be like, without pairs' addresses, and what for.
type wanted struct {
	topo *topology.Topology
	self *topology.Director
	host tiers.Host
}

func newHostKeeper(k kernel, record string, log *slog.Logger) *hostKeeper {
	return &hostKeeper{kernel: k, record: record, log: log, active: map[string][]tiers.Address{}}
}

// adopt makes topo the topology in force.
func (h *hostKeeper) adopt(topo *topology.Topology, self *topology.Director) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.topo, h.self = topo, self
}

// forget has the next converge look at the host.
func (h *hostKeeper) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known = false
}

// want is what the host must be like with a topology.
func (h *hostKeeper) want(topo *topology.Topology, self *topology.Director) tiers.Host {
	if h.wanted.topo != topo || h.wanted.self != self {
		h.wanted = wanted{topo, self, tiers.DirectorHost(topo, self)}
	}
	want := h.wanted.host
	want.Addresses = slices.Clip(want.Addresses)
	for _, f := range topo.Failovers {
		if slices.Contains(f.Members, self) {
			want.Addresses = append(want.Addresses, h.active[f.ID]...)
		}
	}
	return want
}

// check reports whether the host has every interface that it needs with a topology.
func (h *hostKeeper) check(topo *topology.Topology, self *topology.Director) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	want := h.want(topo, self)
	if h.known && h.is.Equal(want) {
		return nil
	}
	return h.kernel.CheckHost(want)
}

// converge makes the host what the topology says and returns what it changed.
func (h *hostKeeper) converge() ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.change()
}

func (h *hostKeeper) change() ([]string, error) {
	want := h.want(h.topo, h.self)
	if h.known && h.is.Equal(want) {
		return nil, nil
	}
	changes, err := h.kernel.Host(want, h.record)
	h.known, h.is = err == nil, want
	for i, change := range changes {
		if i == maxTold {
			h.log.Info("host", "further changes", len(changes)-maxTold)
			break
		}
		h.log.Info("host", "change", change)
	}
	return changes, err
}

// hold makes the host have these addresses of a pair, and no others of it.
// Other things that go wrong are for the daemon to say.
func (h *hostKeeper) hold(c vrrp.Config, addrs []tiers.Address) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active[c.Name] = addrs
	h.known = false // what has happened to the addresses meanwhile is not known
	_, err := h.change()
	if err == nil {
		return nil
	}
	list, failed := h.kernel.Interfaces()
	if failed != nil {
		return fmt.Errorf("%w; %w", err, failed)
	}
	is := heldBy(c, list)
	same := func(a tiers.Address) bool { return slices.Contains(is, a) }
	if len(is) != len(addrs) || slices.ContainsFunc(addrs, func(a tiers.Address) bool { return !same(a) }) {
		return err
	}
	h.log.Error("host", "error", err)
	return nil
}

// keep says that the host has addresses of a pair from before.
func (h *hostKeeper) keep(pair string, addrs []tiers.Address) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active[pair] = addrs
}

// renew keeps the addresses of a pair that the host has.
func (h *hostKeeper) renew(pair string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.active[pair]) == 0 {
		return nil
	}
	return h.kernel.Renew(h.active[pair])
}
