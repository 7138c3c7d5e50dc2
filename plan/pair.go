package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"gslb/topology"
)

// pairChanges are the changes of the pairs that a director is a member of, and
// of what it tracks in them.
func pairChanges(old, now *director) []Change {
	var out []Change
	id := func(f *topology.Failover) string { return f.ID }
	both(old.pairs, now.pairs, id, func(id string, before, after *topology.Failover) {
		out = append(out, leaves("pair", id, pairLeaves(before, old.Director), pairLeaves(after, now.Director))...)
		var was, is []*topology.Track
		if before != nil {
			was = before.Tracks
		}
		if after != nil {
			is = after.Tracks
		}
		both(was, is, func(t *topology.Track) string { return t.ID }, func(id string, before, after *topology.Track) {
			out = append(out, leaves("track", id, trackLeaves(before), trackLeaves(after))...)
		})
	})
	return out
}

func pairLeaves(f *topology.Failover, member *topology.Director) []leaf {
	if f == nil {
		return nil
	}
	var inside, copies string
	if f.Inside != nil {
		inside = f.Inside.Addrs.String()
	}
	if f.Sync != nil {
		copies = fmt.Sprintf("%d on %s", f.Sync.ID, f.Sync.Network.ID)
	}
	return []leaf{
		{"member", fmt.Sprintf("%d of %d", slices.Index(f.Members, member)+1, len(f.Members))},
		{"peers", peers(f, member)}, {"vips", f.VIPs.String()}, {"addresses", f.Addrs.String()}, {"gateway", inside},
		{"id", strconv.Itoa(int(f.RouterID))}, {"advert", span(f.Advert)}, {"preempt", strconv.FormatBool(f.Preempt)}, {"preempt_delay", lasting(f.PreemptDelay)},
		{"unicast", yes(f.Unicast)}, {"virtual_mac", yes(f.VirtualMAC)}, {"key", f.Key}, {"flap", flapText(f.Flap)}, {"sync", copies},
	}
}

func trackLeaves(t *topology.Track) []leaf {
	if t == nil {
		return nil
	}
	list := []leaf{{"address", ""}, {"penalty", strconv.Itoa(int(t.Penalty))}, {"unfit", yes(t.Unfit)}}
	if t.Addr.IsValid() {
		list[0].value = t.Addr.String()
	}
	if t.Unfit {
		list[1].value = ""
	}
	return list
}

func flapText(f topology.Flap) string {
	if f.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%d in %s, held %s to %s", f.Count, span(f.Window), span(f.Hold), span(f.Max))
}

// pairDangers are those of pairs whose members do not hear each other while some
// run with the old topology and some with the new one. A pair that has another
// name is the one it shares addresses with.
func (p *Plan) pairDangers(old, now *topology.Topology) {
	for _, f := range now.Failovers {
		i := slices.IndexFunc(old.Failovers, func(b *topology.Failover) bool { return b.ID == f.ID })
		if i < 0 {
			i = slices.IndexFunc(old.Failovers, func(b *topology.Failover) bool { return slices.ContainsFunc(f.Moves(), b.Moves().Has) })
		}
		if i >= 0 {
			if why := splits(old.Failovers[i], f); why != "" {
				p.danger("pair_splits", f.ID, "%s", why)
			}
		}
	}
}

// splits says why a member that runs with b and one that runs with f do not hear
// each other, "" where they do.
func splits(b, f *topology.Failover) string {
	switch {
	case b.RouterID != f.RouterID:
		return fmt.Sprintf("its id changes from %d to %d", b.RouterID, f.RouterID)
	case b.Unicast && !f.Unicast:
		return "it goes from unicast to multicast"
	case !b.Unicast && f.Unicast:
		return "it goes from multicast to unicast"
	case b.Key == "" && f.Key != "":
		return "it gets a key, and the file of it had better say `unsigned` for now"
	case b.Key != "" && f.Key == "":
		return "it loses its key, whose file had better say `unsigned` before"
	case !slices.ContainsFunc(f.Moves(), b.Moves().Has):
		return "none of its addresses stays"
	}
	was := map[string]*topology.Director{}
	for _, d := range b.Members {
		was[d.ID] = d
	}
	old := func(d *topology.Director) bool { return was[d.ID] != nil }
	v4 := slices.ContainsFunc(f.Moves(), netip.Addr.Is4)
	for i, d := range f.Members {
		before := was[d.ID]
		switch {
		case before != nil && !sharesAddress(b, before, f, d):
			return fmt.Sprintf("%s gets other addresses, and is a stranger to the others", d.ID)
		case before == nil && (f.Unicast || !v4):
			return fmt.Sprintf("%s is new, and the others do not speak to it before they know", d.ID)
		case before == nil && slices.ContainsFunc(f.Members[i:], old):
			return fmt.Sprintf("%s is new and comes before another, which does not listen to it before it knows", d.ID)
		}
	}
	return ""
}

// sharesAddress reports whether a member of pair b, and the same one of f, speaks
// from an address that stays.
func sharesAddress(b *topology.Failover, before *topology.Director, f *topology.Failover, d *topology.Director) bool {
	if slices.ContainsFunc(before.On(b.Network()), d.On(f.Network()).Has) {
		return true
	}
	return b.Inside != nil && f.Inside != nil && slices.ContainsFunc(before.On(b.Inside.Network), d.On(f.Inside.Network).Has)
}

// peers are the addresses of the other members, which alone are heard.
func peers(f *topology.Failover, member *topology.Director) string {
	var out []string
	for _, d := range f.Members {
		if d != member {
			out = append(out, d.On(f.Network()).String())
		}
	}
	return strings.Join(out, ", ")
}
