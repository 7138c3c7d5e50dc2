package plan

import (
	"fmt"
	"slices"
	"strconv"

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
	list := []leaf{
		{"member", fmt.Sprintf("%d of %d", slices.Index(f.Members, member)+1, len(f.Members))},
		{"vips", f.VIPs.String()}, {"addresses", f.Addrs.String()}, {"gateway", ""},
		{"id", strconv.Itoa(int(f.RouterID))}, {"advert", span(f.Advert)}, {"preempt", strconv.FormatBool(f.Preempt)}, {"preempt_delay", lasting(f.PreemptDelay)},
		{"unicast", yes(f.Unicast)}, {"virtual_mac", yes(f.VirtualMAC)}, {"key", f.Key}, {"flap", flapText(f.Flap)}, {"sync", ""},
	}
	if f.Inside != nil {
		list[3].value = f.Inside.Addrs.String()
	}
	if f.Sync != nil {
		list[len(list)-1].value = fmt.Sprintf("%d on %s", f.Sync.ID, f.Sync.Network.ID)
	}
	return list
}

func trackLeaves(t *topology.Track) []leaf {
	if t == nil {
		return nil
	}
	list := []leaf{{"check", name(t.Check)}, {"address", ""}, {"penalty", strconv.Itoa(int(t.Penalty))}, {"unfit", yes(t.Unfit)}}
	if t.Addr.IsValid() {
		list[1].value = t.Addr.String()
	}
	if t.Unfit {
		list[2].value = ""
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
// run with the old topology and some with the new one.
func (p *Plan) pairDangers(old, now *topology.Topology) {
	was := map[string]*topology.Failover{}
	for _, f := range old.Failovers {
		was[f.ID] = f
	}
	for _, f := range now.Failovers {
		b := was[f.ID]
		if b == nil {
			continue
		}
		var why string
		switch {
		case b.RouterID != f.RouterID:
			why = fmt.Sprintf("its id changes from %d to %d", b.RouterID, f.RouterID)
		case b.Unicast != f.Unicast:
			why = "it goes from multicast to unicast"
			if b.Unicast {
				why = "it goes from unicast to multicast"
			}
		case b.Key == "" && f.Key != "":
			why = "it gets a key, and the file of it had better say `unsigned` for now"
		case b.Key != "" && f.Key == "":
			why = "it loses its key, whose file had better say `unsigned` before"
		case !slices.ContainsFunc(f.Moves(), b.Moves().Has):
			why = "none of its addresses stays"
		default:
			continue
		}
		p.danger("pair_splits", f.ID, "%s", why)
	}
}
