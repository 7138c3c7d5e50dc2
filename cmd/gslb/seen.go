package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"gslb/explain"
	"gslb/health"
)

// readState reads a state file, or what gslb status --json has printed.
func readState(text []byte) (explain.State, error) {
	var head struct {
		At *json.RawMessage `json:"at"` // which a state file never has
	}
	if json.NewDecoder(bytes.NewReader(text)).Decode(&head) != nil || head.At == nil {
		return explain.ReadState(text)
	}
	seen, err := readSeen(text)
	if err != nil {
		return explain.State{}, err
	}
	return explain.State{Seen: seen}, nil
}

// readSeen reads what gslb status --json has printed. What it does not know is
// an error, for it could change what is answered.
func readSeen(text []byte) (*explain.Seen, error) {
	if len(text) > explain.MaxState {
		return nil, fmt.Errorf("has more than %d bytes", explain.MaxState)
	}
	var s statusJSON
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&s); err != nil {
		what := strings.TrimPrefix(err.Error(), "json: ")
		if strings.HasPrefix(what, "unknown field") {
			what += " in what looks like the output of gslb status --json: that of this version has none"
		}
		return nil, errors.New(what)
	}
	if rest := bytes.TrimSpace(text[in.InputOffset():]); len(rest) > 0 {
		return nil, errors.New("something follows the object")
	}
	return s.seen()
}

// seen is what explanations go by.
func (s *statusJSON) seen() (*explain.Seen, error) {
	switch {
	case s.FormatVersion != statusVersion:
		return nil, fmt.Errorf(`"format_version" is %d: this program reads %d`, s.FormatVersion, statusVersion)
	case s.At.IsZero() || strange(s.At):
		return nil, errors.New(`"at" is no time that a clock shows`)
	case s.State != "serving" && s.State != "starting":
		return nil, fmt.Errorf(`"state" is %q, not serving or starting`, s.State)
	}
	out := &explain.Seen{
		At: s.At, Node: s.Node, Starting: s.State == "starting",
		View: health.View{}, Last: map[health.Target]string{}, Stale: map[health.Target]bool{},
	}
	for i, x := range s.Targets {
		t, state, err := x.state()
		if _, twice := out.View[t]; err == nil && twice {
			err = errors.New("there twice")
		}
		if err != nil {
			return nil, fmt.Errorf("targets[%d], %s: %w", i, x.Target, err)
		}
		out.View[t] = state
		if x.Last != nil && !x.Last.OK {
			out.Last[t] = x.Last.Reason
		}
		if x.Stale || !state.Known { // the server tells of both alike
			out.Stale[t] = true
		}
	}
	for i, x := range s.Overrides {
		o := health.Override{Object: x.Object, Reason: x.Reason, Who: x.Who, Since: x.Since}
		if x.Until != nil {
			o.Until = *x.Until
		}
		var err error
		if o.Mode, err = health.ParseMode(x.Mode); err == nil {
			if _, twice := out.Overrides.Of(x.Object); twice {
				err = errors.New("there twice")
			} else if strange(o.Since) || strange(o.Until) {
				err = errors.New("a time that no clock shows")
			} else {
				out.Overrides, err = out.Overrides.With(o)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("overrides[%d], %s: %w", i, x.Object, err)
		}
	}
	out.Overrides, _ = out.Overrides.Expire(s.At)
	return out, nil
}

// state is the target and its state, as [dnsNode.target] has shown them.
func (x *targetJSON) state() (health.Target, health.State, error) {
	var t health.Target
	var err error
	if t.Addr, err = netip.ParseAddrPort(x.Target); err != nil {
		addr, bad := netip.ParseAddr(x.Target) // of a check without ports
		if bad != nil {
			return t, health.State{}, errors.New("its target is no address")
		}
		t.Addr = netip.AddrPortFrom(addr, 0)
	}
	if x.Check != "default" {
		t.Check = x.Check
	}
	s := health.State{
		Known: x.State != "unknown", Up: x.State == "up", Streak: x.Streak, Recovered: x.Recovered, Flaps: x.Flaps, Saved: x.Saved,
		Agent: health.Agent{Less: x.Less, Stopped: x.Stopped},
	}
	if x.Since != nil {
		s.Since = *x.Since
	}
	if x.Mode != "" {
		if s.Agent.Mode, err = health.ParseMode(x.Mode); err != nil {
			return t, s, fmt.Errorf("agent_mode: %w", err)
		}
	}
	const many = 1 << 30
	switch {
	case x.State != "up" && x.State != "down" && x.State != "unknown":
		return t, s, fmt.Errorf(`"state" is %q, not up, down or unknown`, x.State)
	case s.Streak < 0 || s.Streak > many:
		return t, s, fmt.Errorf(`"streak" is %d`, s.Streak)
	case s.Flaps < 0 || s.Flaps > many:
		return t, s, fmt.Errorf(`"flaps" is %d`, s.Flaps)
	case s.Agent.Less > 100:
		return t, s, fmt.Errorf(`"agent_less" is %d percent`, s.Agent.Less)
	case strange(s.Since):
		return t, s, errors.New(`"since" is no time that a clock shows`)
	}
	return t, s, nil
}

// strange is a time that JSON could not hold in another zone.
func strange(t time.Time) bool { return t.Year() > 9000 || t.Year() < 1 && !t.IsZero() }
