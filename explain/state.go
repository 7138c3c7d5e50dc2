package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"gslb/health"
	"gslb/steering"
)

// StateVersion is the version of the state files that [ReadState] reads.
const StateVersion = 1

// MaxState is the size of the largest state file, in bytes.
const MaxState = 64 << 20

// A State says who is not as well as everybody is without it: the zero State
// is a world in which everything works.
type State struct {
	// Down are addresses of objects that are dead, with everything that follows.
	Down []string
	// Targets are results of checks that are other than would follow.
	Targets map[health.Target]bool
	// Seen is what a running name server knew; nil: nobody was asked. It goes
	// before what would follow, and what is Down goes before it.
	Seen *Seen
	// Map says where clients are; nil: nobody knows.
	Map steering.Map
}

// ReadState reads a state file:
//
//	{"format_version": 1,
//	 "down": ["region.us"],
//	 "targets": [{"check": "check.web", "address": "192.0.2.5:80", "via": "192.0.2.21", "up": false}]}
//
// "check" is absent for the default check; "via" is there for a target that is
// checked through its VIP.
func ReadState(text []byte) (State, error) {
	if len(text) > MaxState {
		return State{}, fmt.Errorf("has more than %d bytes", MaxState)
	}
	var file struct {
		FormatVersion *int     `json:"format_version"`
		Down          []string `json:"down"`
		Targets       []struct {
			Check   string          `json:"check"`
			Address *netip.AddrPort `json:"address"`
			Via     netip.Addr      `json:"via"`
			Up      *bool           `json:"up"`
		} `json:"targets"`
	}
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&file); err != nil {
		return State{}, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if rest := bytes.TrimSpace(text[in.InputOffset():]); len(rest) > 0 {
		return State{}, errors.New("something follows the object")
	}
	switch {
	case file.FormatVersion == nil:
		return State{}, fmt.Errorf(`"format_version" is missing: this program reads %d`, StateVersion)
	case *file.FormatVersion != StateVersion:
		return State{}, fmt.Errorf(`"format_version" is %d: this program reads %d`, *file.FormatVersion, StateVersion)
	}
	s := State{Down: slices.Clone(file.Down), Targets: map[health.Target]bool{}}
	for i, t := range file.Targets {
		switch {
		case t.Address == nil || !t.Address.IsValid():
			return State{}, fmt.Errorf(`targets[%d] has no "address"`, i)
		case t.Up == nil:
			return State{}, fmt.Errorf(`targets[%d], %s, has no "up"`, i, t.Address)
		}
		target := health.Target{Check: t.Check, Addr: *t.Address, Via: t.Via}
		if up, twice := s.Targets[target]; twice && up != *t.Up {
			return State{}, fmt.Errorf("targets[%d], %s, is up and down", i, told(target))
		}
		s.Targets[target] = *t.Up
	}
	return s, nil
}

// told names a target.
func told(t health.Target) string {
	check := t.Check
	if check == "" {
		check = "the default check"
	}
	at := t.Addr.String()
	if t.Addr.Port() == 0 { // of a check without ports
		at = t.Addr.Addr().String()
	}
	out := check + " of " + at
	if t.Via.IsValid() {
		out += " through " + t.Via.String()
	}
	return out
}
