package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gslb/health"
	"gslb/steering"
	"gslb/topology"
)

// A Rule is something that counts beside whether checks succeed, and the
// answer that it counts for.
type Rule struct {
	Rule   string `json:"rule"` // see the constants
	Answer string `json:"answer"`
	Label  string `json:"-"`
	Object string `json:"object,omitempty"` // of an override: what it was said of
	Target string `json:"target,omitempty"` // of all others: whose state it is
	Reason string `json:"reason,omitempty"` // of an override
	Who    string `json:"who,omitempty"`    // has said it
	// Until is when an override or a hold-down ends, and when a weight has
	// grown; nil: nobody knows.
	Until *time.Time `json:"until,omitempty"`
	Part  *float64   `json:"part,omitempty"` // 0 to 1, of its weight, by slow start or an agent
	Text  string     `json:"text"`
}

// The rules. What is disabled or drained is so by an override.
const (
	RuleDisabled = "disabled"
	RuleDrained  = "drained"
	RuleSlow     = "slow start"
	RuleAgent    = "agent"
	RuleHeld     = "held down"
	RuleStale    = "stale"
	RuleSaved    = "saved"
)

// rules are those that count for the answers that come to the policy.
func (a *answering) rules() []Rule {
	out := []Rule{}
	for _, p := range a.trace.Places {
		add := func(r Rule, format string, args ...any) {
			r.Answer, r.Label, r.Text = p.Answer.ID, p.Answer.Label, fmt.Sprintf(format, args...)
			out = append(out, r)
		}
		if mode, by := a.mode(p); mode != health.Enabled {
			r := Rule{Rule: RuleDisabled, Object: by.Object, Reason: by.Reason, Who: by.Who, Until: moment(by.Until)}
			if mode == health.Drained {
				r.Rule = RuleDrained
			}
			add(r, "%s", said(by))
		}
		for _, t := range steering.Targets(p.Answer, a.family) {
			s, check := a.in.View[t], p.Answer.Check
			if slow := (health.State{Known: s.Known, Up: s.Up, Since: s.Since, Recovered: s.Recovered}); !a.in.Now.IsZero() {
				if part := slow.Factor(check, a.in.Now); part < 1 {
					full := s.Since.Add(check.SlowStart)
					add(Rule{Rule: RuleSlow, Target: told(t), Part: &part, Until: moment(full)}, "%s: %.0f %% of its weight, all of it at %s", told(t), 100*part, clock(full))
				}
			}
			if says := s.Agent.String(); says != "" {
				r := Rule{Rule: RuleAgent, Target: told(t)}
				if s.Up {
					part := health.State{Agent: s.Agent}.Factor(check, a.in.Now)
					r.Part = &part
				}
				add(r, "%s: its agent says %s", told(t), says)
			}
			if !a.checks() {
				continue
			}
			if held := s.HeldUntil(check); held.After(a.in.Now) && !a.in.Now.IsZero() {
				add(Rule{Rule: RuleHeld, Target: told(t), Until: moment(held)}, "%s: not up before %s, whatever its check says; flap %d", told(t), clock(held), s.Flaps)
			}
			if a.in.Stale[t] {
				text := "no result has come of late, so its state counts as it was"
				if !s.Known {
					text = "no result has come yet, so it counts as down"
				}
				add(Rule{Rule: RuleStale, Target: told(t)}, "%s: %s", told(t), text)
			}
			if s.Saved {
				add(Rule{Rule: RuleSaved, Target: told(t)}, "%s: the state is of a run before, there has been no result in this one", told(t))
			}
		}
	}
	return out
}

// mode is what operators have made of a place, and by which of their words.
func (a *answering) mode(p steering.Place) (health.Mode, health.Override) {
	mode := steering.Mode(a.in.Overrides, p.Answer)
	if mode == health.Enabled {
		return mode, health.Override{}
	}
	return mode, steering.Cause(a.world.seen.Overrides, p.Answer, mode)
}

// overridden is a place's mode and what it comes from, for where it goes out.
func (a *answering) overridden(p steering.Place) string {
	mode, by := a.mode(p)
	if by.Object != p.Answer.ID {
		return fmt.Sprintf("%v (%s)", mode, by.Object)
	}
	return mode.String()
}

// checks reports whether the policy looks at health.
func (a *answering) checks() bool {
	return slices.ContainsFunc(a.trace.Steps, func(s topology.Placed) bool { return s.Kind == topology.StepHealth })
}

// said is an operator's word as others read it.
func said(o health.Override) string {
	words := []string{o.Object, "until it is enabled"}
	if !o.Until.IsZero() {
		words[1] = "until " + clock(o.Until)
	}
	if o.Who != "" {
		words = append(words, "by "+o.Who)
	}
	out := strings.Join(words, ", ")
	if o.Reason != "" {
		out += ": " + o.Reason
	}
	return out
}

// clock is a moment as people read it.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// moment is a time for JSON, nil for the zero time.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
