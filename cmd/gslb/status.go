package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gslb/health"
	"gslb/internal/cli"
	"gslb/internal/local"
	"gslb/steering"
	"gslb/topology"
)

func statusCmd() *cobra.Command {
	var socket string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what gslb serve knows: who is up, what is answered, what was overridden",
		Long: `Show what the gslb serve of this machine knows: every target of its checks with
its state, since when and why; every answer with the weight it has now; and what
operators have overridden.

A state in brackets was saved by a run before and has had no result in this one.
What is stale has had no result for three intervals and the timeout of its check.
A streak of 1/3 is one of the three results in a row that would turn it over.`,
		Example: `  gslb status
  gslb status --json | jq '.targets[] | select(.state == "down")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := local.AskDaemon(cmd.Context(), socket, "gslb serve", request{FormatVersion: 1, Command: "status"})
			if err != nil {
				return err
			}
			if asJSON {
				_, err = cmd.OutOrStdout().Write(data)
				return err
			}
			var s statusJSON
			if err := json.Unmarshal(data, &s); err != nil {
				return fmt.Errorf("read the reply: %w", err)
			}
			s.text(cmd.OutOrStdout(), cli.Colour(cmd.OutOrStdout()))
			return nil
		},
	}
	cmd.Flags().StringVar(&socket, "socket", standardSocket, "`PATH` of gslb serve's socket")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// statusVersion is the version of the form below. Fields that are added do not
// change it.
const statusVersion = 1

// A statusJSON is all that can be seen of a daemon at one moment.
type statusJSON struct {
	FormatVersion int            `json:"format_version"`
	At            time.Time      `json:"at"`
	Node          string         `json:"node,omitempty"`
	Topology      string         `json:"topology,omitempty"`
	State         string         `json:"state"` // "serving", or "starting" until the first results are there
	Started       time.Time      `json:"started"`
	Generation    int            `json:"generation"` // how many times the files were read and put in force
	Serial        uint32         `json:"serial"`
	Unserved      []string       `json:"unserved_zones,omitempty"` // whose files have errors: they get SERVFAIL
	StateDir      string         `json:"state_dir,omitempty"`
	Targets       []targetJSON   `json:"targets"`
	Domains       []domainJSON   `json:"domains"`
	Overrides     []overrideJSON `json:"overrides"`
}

type targetJSON struct {
	Target    string     `json:"target"`
	Check     string     `json:"check"` // "default" for the check of services that name none
	Type      string     `json:"type"`
	State     string     `json:"state"` // "up", "down" or "unknown"
	Saved     bool       `json:"saved"` // of a run before, without a result in this one
	Stale     bool       `json:"stale"` // nothing has confirmed the state of late
	Since     *time.Time `json:"since,omitempty"`
	Streak    int        `json:"streak"` // results in a row that contradict the state
	Needed    int        `json:"needed"` // that turn it over
	Flaps     int        `json:"flaps"`
	HeldUntil *time.Time `json:"held_until,omitempty"` // not up before
	Factor    float64    `json:"factor"`               // part of its weight, below 1 in slow start or as its agent says
	Agent     string     `json:"agent,omitempty"`      // what its agent says against it: "drain, 40 %"
	// What follows makes the state whole, as [health.State] has it.
	Recovered bool        `json:"recovered"`               // it is up and was down before
	Less      uint8       `json:"agent_less,omitempty"`    // percent of the weight that the agent does not want
	Mode      string      `json:"agent_mode,omitempty"`    // "drained" or "disabled"
	Stopped   bool        `json:"agent_stopped,omitempty"` // the agent says that it does not serve
	Last      *resultJSON `json:"last,omitempty"`
	Answers   []string    `json:"answers"` // that depend on it
}

type resultJSON struct {
	At     time.Time `json:"at"`
	OK     bool      `json:"ok"`
	Reason string    `json:"reason,omitempty"`
	TookMS float64   `json:"took_ms"`
}

type domainJSON struct {
	Domain string   `json:"domain"`
	Name   string   `json:"name"`
	Types  []string `json:"types,omitempty"` // that are answered; none: A and AAAA
	// Instead is there when nothing is up and the policy cares: "all" are
	// answered, those of a region by its address, or "none".
	Instead string       `json:"instead,omitempty"`
	Answers []answerJSON `json:"answers"`
}

type answerJSON struct {
	Answer    string   `json:"answer"`
	State     string   `json:"state"` // "up", "down", "partly", "unknown", "drained" or "disabled"
	By        string   `json:"by,omitempty"`
	Addresses []string `json:"addresses"`
	Up        []string `json:"up"`
	CNAME     string   `json:"cname,omitempty"`
	Target    string   `json:"target,omitempty"`
	Weight    int      `json:"weight"`
	WeightNow float64  `json:"weight_now"`
}

type overrideJSON struct {
	Object string     `json:"object"`
	Mode   string     `json:"mode"`
	Reason string     `json:"reason,omitempty"`
	Who    string     `json:"who"`
	Since  time.Time  `json:"since"`
	Until  *time.Time `json:"until,omitempty"`
	Absent bool       `json:"absent"` // the topology has no such object
}

// report says all that can be seen at time now.
func (d *dnsNode) report(now time.Time) statusJSON {
	g, state := d.now, "serving"
	if g == nil {
		g, state = d.next, "starting"
	}
	s := statusJSON{
		FormatVersion: statusVersion, At: now.UTC(), Node: d.node, Topology: g.topo.Name, State: state, Started: d.desk.started.UTC(), Generation: d.desk.generation,
		Serial: d.serial, Unserved: g.zones.Unserved(), StateDir: d.desk.dir, Targets: []targetJSON{}, Domains: []domainJSON{}, Overrides: []overrideJSON{},
	}
	users := map[health.Target][]string{}
	for _, domain := range g.topo.Domains {
		for _, a := range domain.Answers {
			for _, t := range steering.Targets(a, steering.Host) {
				if !slices.Contains(users[t], a.ID) {
					users[t] = append(users[t], a.ID)
				}
			}
		}
	}
	for _, p := range steering.Probes(g.topo) {
		s.Targets = append(s.Targets, d.target(p, users[p.Target], now))
	}
	spread := d.desk.overrides.Spread(g.topo)
	for _, domain := range g.topo.Domains {
		x := domainJSON{Domain: domain.ID, Name: strings.TrimSuffix(domain.Name, "."), Types: domain.Types, Answers: []answerJSON{}}
		for _, a := range domain.Answers {
			x.Answers = append(x.Answers, d.seen(a, spread, now))
		}
		x.Instead = instead(domain.Policy, x.Answers)
		s.Domains = append(s.Domains, x)
	}
	known := map[string]bool{}
	for _, a := range addresses(g.topo) {
		known[a] = true
	}
	for _, o := range d.desk.overrides {
		s.Overrides = append(s.Overrides, overrideJSON{o.Object, o.Mode.String(), o.Reason, o.Who, o.Since.UTC(), moment(o.Until), !known[o.Object]})
	}
	return s
}

// instead is what a policy answers when nothing is up, "" while something is.
func instead(p *topology.Policy, answers []answerJSON) string {
	for _, a := range answers {
		if a.State != health.Disabled.String() && (len(a.Up) > 0 || len(a.Addresses) == 0) {
			return ""
		}
	}
	for _, step := range p.All() {
		switch {
		case step.Kind != topology.StepHealth:
		case step.FailTo != nil:
			return step.FailTo.ID
		case step.FailOpen:
			return "all"
		default:
			return "none"
		}
	}
	return ""
}

// moment is a time for JSON, nil for the zero time.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (d *dnsNode) target(p steering.Probe, answers []string, now time.Time) targetJSON {
	t, s := p.Target, d.view.Of(p.Target)
	address := t.Addr.String()
	if p.Check.Type.Proto() == topology.NoProto && t.Addr.Port() == 0 {
		address = t.Addr.Addr().String()
	}
	out := targetJSON{
		Target: address, Check: t.Check, Type: p.Check.Type.String(), State: "unknown", Saved: s.Saved, Since: moment(s.Since),
		Streak: s.Streak, Flaps: s.Flaps, Factor: s.Factor(p.Check, now), Agent: s.Agent.String(), Answers: answers,
		Recovered: s.Recovered, Less: s.Agent.Less, Stopped: s.Agent.Stopped,
	}
	if s.Agent.Mode != health.Enabled {
		out.Mode = s.Agent.Mode.String()
	}
	if t.Check == "" {
		out.Check = "default"
	}
	out.Stale = s.Known && !d.desk.seen(t, s).Add(health.StaleAfter(p.Check)).After(now)
	switch {
	case s.Known && s.Up:
		out.State, out.Needed = "up", p.Check.Fall
	case s.Known:
		out.State, out.Needed = "down", p.Check.Rise
		if held := s.HeldUntil(p.Check); held.After(now) {
			out.HeldUntil = moment(held)
		}
	}
	if last, ok := d.desk.last[t]; ok {
		r := resultJSON{At: last.at.UTC(), OK: last.err == nil, TookMS: math.Round(last.took.Seconds()*1e5) / 100}
		if last.err != nil {
			r.Reason = last.err.Error()
		}
		out.Last = &r
	}
	return out
}

// seen is an answer as it is now.
func (d *dnsNode) seen(a *topology.Answer, spread health.Overrides, now time.Time) answerJSON {
	out := answerJSON{Answer: a.ID, Addresses: []string{}, Up: []string{}, CNAME: strings.TrimSuffix(a.CNAME, "."), Target: strings.TrimSuffix(a.Target, "."), Weight: a.Weight}
	for _, addr := range a.Addrs {
		out.Addresses = append(out.Addresses, addr.String())
	}
	factor, known := 1.0, true
	if a.Check == nil {
		out.Up = append(out.Up, out.Addresses...)
	}
	for _, f := range []steering.Family{steering.V4, steering.V6} {
		for _, t := range steering.Targets(a, f) {
			s := d.view.Of(t)
			known = known && s.Known
			if s.Up {
				out.Up = append(out.Up, t.Addr.Addr().String())
				factor = min(factor, s.Factor(a.Check, now))
			}
		}
	}
	out.WeightNow = float64(a.Weight) * factor
	switch mode := steering.Mode(spread, a); {
	case mode != health.Enabled:
		out.State, out.WeightNow = mode.String(), 0
		out.By = steering.Cause(d.desk.overrides, a, mode).Object
	case !known:
		out.State = "unknown"
	case len(out.Up) == len(out.Addresses):
		out.State = "up"
	case len(out.Up) > 0:
		out.State = "partly"
	default:
		out.State, out.WeightNow = "down", 0
	}
	return out
}

// text is the status for people.
func (s *statusJSON) text(out io.Writer, colour bool) {
	head := []string{"gslb serve"}
	if s.Node != "" {
		head = append(head, s.Node)
	}
	head = append(head, s.State, "up "+cli.Age(s.At.Sub(s.Started)), fmt.Sprintf("generation %d", s.Generation), fmt.Sprintf("serial %d", s.Serial))
	if s.StateDir == "" {
		head = append(head, "nothing is kept over a restart")
	}
	fmt.Fprintln(out, strings.Join(head, ", "))

	paint := cli.Painter(colour)
	if len(s.Unserved) > 0 {
		fmt.Fprintln(out, "\nZones whose files have errors, answered with SERVFAIL")
		for _, name := range s.Unserved {
			fmt.Fprintln(out, "  "+strings.TrimSuffix(name, "."))
		}
	}
	if len(s.Overrides) > 0 {
		fmt.Fprintln(out, "\nOverrides")
		var rows [][]string
		for _, o := range s.Overrides {
			left := "until it is enabled"
			if o.Until != nil {
				left = "for " + cli.Age(o.Until.Sub(s.At))
			}
			object := o.Object
			if o.Absent {
				object += " (not in the topology)"
			}
			rows = append(rows, []string{object, paint(o.Mode), left, "by " + o.Who, o.Reason})
		}
		cli.Table(out, "  ", rows)
	}

	fmt.Fprintln(out, "\nTargets")
	var rows [][]string
	for _, t := range s.Targets {
		state, since := paint(t.State), ""
		if t.Saved {
			state = "[" + state + "]"
		}
		if t.Since != nil {
			since = "for " + cli.Age(s.At.Sub(*t.Since))
		}
		var notes []string
		if t.Stale {
			notes = append(notes, "stale: no result of late")
		}
		if t.Streak > 0 {
			notes = append(notes, fmt.Sprintf("streak %d/%d", t.Streak, t.Needed))
		}
		if t.HeldUntil != nil {
			notes = append(notes, fmt.Sprintf("held down for %s, flap %d", cli.Age(t.HeldUntil.Sub(s.At)), t.Flaps))
		}
		switch {
		case t.Agent != "":
			notes = append(notes, "agent: "+t.Agent)
		case t.Factor < 1:
			notes = append(notes, fmt.Sprintf("slow start at %.0f %%", 100*t.Factor))
		}
		if t.Last != nil && !t.Last.OK {
			notes = append(notes, t.Last.Reason)
		}
		rows = append(rows, []string{t.Target, state, since, t.Check, someOf(t.Answers), strings.Join(notes, "; ")})
	}
	if len(rows) == 0 {
		fmt.Fprintln(out, "  none: nothing is checked")
	}
	cli.Table(out, "  ", rows)

	for _, d := range s.Domains {
		fmt.Fprintf(out, "\n%s  %s", d.Name, d.Domain)
		if len(d.Types) > 0 {
			fmt.Fprintf(out, "  %s", strings.Join(d.Types, ", "))
		}
		switch d.Instead {
		case "":
		case "all":
			fmt.Fprint(out, "  nothing is up: all but what is disabled is answered")
		case "none":
			fmt.Fprint(out, "  nothing is up, nothing is answered")
		default:
			fmt.Fprintf(out, "  nothing is up: the answers of %s are given", d.Instead)
		}
		fmt.Fprintln(out)
		rows = nil
		for _, a := range d.Answers {
			weight := fmt.Sprintf("weight %d", a.Weight)
			if a.WeightNow != float64(a.Weight) {
				weight = fmt.Sprintf("weight %s of %d", strings.TrimSuffix(fmt.Sprintf("%.1f", a.WeightNow), ".0"), a.Weight)
			}
			what := strings.Join(a.Addresses, ", ")
			switch {
			case a.CNAME != "":
				what = a.CNAME
			case a.Target != "":
				what = strings.TrimSuffix(a.Target+", "+what, ", ")
			}
			state := paint(a.State)
			if a.State == "partly" {
				state += " (" + strings.Join(a.Up, ", ") + ")"
			}
			if a.By != "" && a.By != a.Answer {
				state += " (" + a.By + ")"
			}
			rows = append(rows, []string{strings.TrimPrefix(a.Answer, d.Domain+"."), state, weight, what})
		}
		cli.Table(out, "  ", rows)
	}
}

// someOf is a list for a line of a table.
func someOf(list []string) string {
	switch len(list) {
	case 0:
		return ""
	case 1:
		return list[0]
	}
	return fmt.Sprintf("%s +%d", list[0], len(list)-1)
}
