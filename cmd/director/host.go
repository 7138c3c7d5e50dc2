package main

import (
	"reflect"

	"gslb/dataplane/hostnet"
	"gslb/tiers"
)

// A hostKeeper keeps this host as it is wanted to be. It goes by what it has
// done until it is told to look again or something is refused: a director may
// have 10,000 VIPs.
type hostKeeper struct {
	known bool
	want  tiers.Host
}

// forget has the next converge look at the host.
func (h *hostKeeper) forget() { h.known = false }

func (h *hostKeeper) converge(want tiers.Host, record string) ([]string, error) {
	if h.is(want) {
		return nil, nil
	}
	changes, err := hostnet.Converge(want, record)
	h.known, h.want = err == nil, want
	return changes, err
}

// check reports whether the host has every interface that want needs.
func (h *hostKeeper) check(want tiers.Host) error {
	if h.is(want) {
		return nil
	}
	return hostnet.Check(want)
}

func (h *hostKeeper) is(want tiers.Host) bool { return h.known && reflect.DeepEqual(h.want, want) }
