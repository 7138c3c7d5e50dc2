package health

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gslb/topology"
)

// An Agent is what a program on a machine has said of it and not taken back.
// The zero value: nothing against the machine.
type Agent struct {
	Less    uint8 // percent of its weight that it does not want, 0 to 100
	Mode    Mode  // Drained: nobody new; Disabled: it is being worked on, and counts as down
	Stopped bool  // it does not serve, and counts as down
}

// alive reports whether nothing that was said makes it count as down.
func (a Agent) alive() bool { return !a.Stopped && a.Mode != Disabled }

// String is what it says, "" when it says nothing: "maint, stopped, 40 %".
func (a Agent) String() string {
	var out []string
	switch a.Mode {
	case Drained:
		out = append(out, "drain")
	case Disabled:
		out = append(out, "maint")
	case Enabled:
	}
	if a.Stopped {
		out = append(out, "stopped")
	}
	if a.Less > 0 {
		out = append(out, fmt.Sprintf("%d %%", 100-a.Less))
	}
	return strings.Join(out, ", ")
}

// An Advice is one line of an agent, in the protocol of HAProxy's agent-check
// (configuration manual, section 5.2): words in any order, of which each says
// one thing and leaves the others as they were. The zero value says nothing.
type Advice struct {
	Weighs bool  // Weight was said
	Weight uint8 // percent of the weight in the file, 0 to 100
	// Ruled says that "ready" (Enabled), "drain" (Drained) or "maint" (Disabled)
	// was said.
	Ruled bool
	Mode  Mode
	// Told says that "up", or one of "down", "stopped" and "fail", was said.
	Told    bool
	Stopped bool
	Reason  string // what stands behind '#', at most 100 bytes
}

// maxReason bounds, in bytes, what is kept of an agent's reason.
const maxReason = 100

// ParseAdvice reads the first line of what an agent has sent. Of two words that
// contradict each other the last counts. A percentage above 100 counts as 100:
// a weight grows no larger than the file makes it. "maxconn:N" is passed over.
// A word of no meaning makes the whole line an error.
func ParseAdvice(text string) (Advice, error) {
	if end := strings.IndexAny(text, "\r\n"); end >= 0 {
		text = text[:end]
	}
	text, reason, _ := strings.Cut(text, "#")
	a := Advice{Reason: plain(reason)}
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' })
	if len(words) == 0 {
		return Advice{}, errors.New("the agent says nothing")
	}
	for _, word := range words {
		switch strings.ToLower(word) {
		case "ready":
			a.Ruled, a.Mode = true, Enabled
		case "drain":
			a.Ruled, a.Mode = true, Drained
		case "maint":
			a.Ruled, a.Mode = true, Disabled
		case "up":
			a.Told, a.Stopped = true, false
		case "down", "stopped", "fail":
			a.Told, a.Stopped = true, true
		default:
			if limit, is := strings.CutPrefix(word, "maxconn:"); is && digits(limit) {
				continue
			}
			number, percent := strings.CutSuffix(word, "%")
			if !percent || !digits(number) {
				return Advice{}, fmt.Errorf("the agent says %.40q, which is none of up, down, stopped, fail, ready, drain, maint and a percentage", word)
			}
			n, err := strconv.Atoi(number)
			if err != nil { // longer than any number
				n = 100
			}
			a.Weighs, a.Weight = true, uint8(min(n, 100))
		}
	}
	return a, nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// plain is text from outside without what is no text.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.TrimSpace(s)
	return strings.ToValidUTF8(s[:min(len(s), maxReason)], "")
}

// Advise returns the state after an agent has answered, at time now, under
// check c. That it has answered is a success like any other. What it says of
// up and down is no chance and counts at once, however large c.Rise and c.Fall
// are; being held down ([State.HeldUntil]) is not ended by it. Being worked on
// ("maint") is no flap.
func (s State) Advise(c *topology.Check, now time.Time, a Advice) State {
	was := s.Agent.alive()
	if a.Weighs {
		s.Agent.Less = 100 - min(a.Weight, 100)
	}
	if a.Ruled {
		s.Agent.Mode = a.Mode
	}
	if a.Told {
		s.Agent.Stopped = a.Stopped
	}
	return s.next(c, now, true, a.Told || was != s.Agent.alive())
}

// Advised returns the state s of a destination with what the agent of its
// machine says, which has a target and state of its own. An agent that has
// not answered yet or answers no longer says what it has said last: whether the
// destination lives is what s knows.
func (s State) Advised(agent State) State {
	s.Agent = agent.Agent
	s.Up = s.Up && s.Agent.alive()
	return s
}
