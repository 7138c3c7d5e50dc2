package explain

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"gslb/health"
	"gslb/steering"
	"gslb/topology"
)

// Seen is what a running name server knew at one moment: all that it chose its
// answers by beside its files.
type Seen struct {
	At       time.Time // not zero
	Node     string    // which of the nameservers it is; "": it does not know
	Starting bool      // it had not begun to answer
	View     health.View
	Last     map[health.Target]string // why the last result was none, of those that failed
	Stale    map[health.Target]bool
	// Overrides are those that operators have said, and nothing that follows.
	Overrides health.Overrides
}

// A Snapshot tells when and by whom something was seen.
type Snapshot struct {
	At       time.Time `json:"at"`
	Node     string    `json:"node,omitempty"`
	Starting bool      `json:"starting"`
}

// matched refuses what a name server has seen that goes by other files: it
// would answer otherwise than what is said here.
func (w *world) matched() error {
	if w.seen == nil {
		return nil
	}
	if w.seen.At.IsZero() {
		return errors.New("nothing says when the name server has seen this")
	}
	made := map[health.Target]bool{}
	var lacks, lost []string
	for _, p := range steering.Probes(w.topo) {
		made[p.Target] = true
		if _, ok := w.seen.View[p.Target]; !ok {
			lacks = append(lacks, told(p.Target))
		}
	}
	for t := range w.seen.View {
		if !made[t] {
			lost = append(lost, told(t))
		}
	}
	slices.Sort(lost)
	switch {
	case len(lost) > 0:
		return fmt.Errorf("the name server checks %s, and these files do not: it goes by others", few(lost, ", "))
	case len(lacks) > 0:
		return fmt.Errorf("these files check %s, and the name server does not: it goes by others", few(lacks, ", "))
	}
	return nil
}

// seenWhy is why a name server took a target for down; none for one that is up.
func (w *world) seenWhy(t health.Target) []string {
	s := w.seen.View[t]
	switch last := w.seen.Last[t]; {
	case s.Up:
		return nil
	case !s.Known:
		return []string{"no result has come yet"}
	case last != "":
		return []string{last}
	}
	return []string{"down since " + clock(s.Since)}
}

// inputs are all that steering goes by beside the view.
func (w *world) inputs() steering.Inputs {
	if w.seen == nil {
		return steering.Inputs{View: health.View{}}
	}
	return steering.Inputs{View: maps.Clone(w.seen.View), Now: w.seen.At, Overrides: w.seen.Overrides.Spread(w.topo), Stale: maps.Clone(w.seen.Stale)}
}

// look says who is up to in and why to why, of the targets of a domain's
// answers that are not there yet.
func (w *world) look(d *topology.Domain, in *steering.Inputs, why map[health.Target][]string) {
	causes := map[health.Target][]string{}
	for _, answer := range d.Answers {
		for _, t := range steering.Targets(answer, steering.Host) {
			if _, before := why[t]; before {
				continue
			}
			if _, ok := causes[t]; !ok {
				causes[t] = []string{}
			}
			if w.seen != nil && len(w.given) == 0 {
				continue
			}
			for _, cause := range w.answered(answer, t) {
				if !slices.Contains(causes[t], cause) { // answers may share a target
					causes[t] = append(causes[t], cause)
				}
			}
		}
	}
	for t, list := range causes {
		switch {
		case w.seen != nil && len(list) == 0:
			list = w.seenWhy(t)
		case w.seen != nil: // that something is down goes before what was seen
			delete(in.Stale, t)
			in.View[t] = health.State{Known: true}
		default:
			in.View[t] = health.State{Known: true, Up: len(list) == 0}
		}
		why[t] = list
	}
}
