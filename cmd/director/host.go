package main

import (
	"reflect"

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

func (h *hostKeeper) converge(k kernel, want tiers.Host, record string) ([]string, error) {
	if h.is(want) {
		return nil, nil
	}
	changes, err := k.Host(want, record)
	h.known, h.want = err == nil, want
	return changes, err
}

// check reports whether the host has every interface that want needs.
func (h *hostKeeper) check(k kernel, want tiers.Host) error {
	if h.is(want) {
		return nil
	}
	return k.CheckHost(want)
}

func (h *hostKeeper) is(want tiers.Host) bool { return h.known && reflect.DeepEqual(h.want, want) }
