package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gslb/health"
	"gslb/internal/cli"
	"gslb/internal/local"
	"gslb/internal/near"
	"gslb/steering"
	"gslb/topology"
)

// standardSocket is where a daemon is that systemd has started with
// StateDirectory=gslb.
const standardSocket = "/var/lib/gslb/gslb.sock"

func disableCmd() *cobra.Command {
	return overrideCmd("disable", health.Disabled, "Take something out of all answers, whatever its checks say",
		`Take something out of all answers until it is enabled again or the time is over,
whatever its checks say. It is not answered even where a policy answers what is
down when nothing is up.`,
		`  gslb disable 'domain.www.answer.us' --for 2h --reason "database is being moved"
  gslb disable region.us
  gslb disable 'director.front["fra"]' --for 30m`)
}

func drainCmd() *cobra.Command {
	return overrideCmd("drain", health.Drained, "Send nobody new to something that is alive",
		`Leave something out of answers while anything else is up, until it is enabled
again or the time is over. It counts as alive: where nothing else is up it is
answered. Resolvers keep what they have been answered for as long as its TTL.`,
		`  gslb drain region.us --for 2h --reason "new cables"
  gslb drain 'virtual_service.www["eu"]'`)
}

func enableCmd() *cobra.Command {
	return overrideCmd("enable", health.Enabled, "Take back a disable or drain",
		`Take back what disable or drain has said of something: its checks decide again.`,
		`  gslb enable region.us`)
}

// objects are what an override can be said of.
const objects = "an answer, virtual_service, region, director or farm"

func overrideCmd(verb string, mode health.Mode, short, long, example string) *cobra.Command {
	var socket, reason, span string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   verb + " ADDR",
		Short: short,
		Long: long + `

ADDR is the address of ` + objects + `,
as in the file. A director or farm counts only where no other is in its place: a
service is drained or disabled when all directors of a tier, or all farms, are.

It is said to the gslb serve of this machine alone, takes effect at once and,
where that runs with --state, is kept over restarts.`,
		Example: example,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := request{FormatVersion: 1, Command: "override", Object: args[0], Mode: mode.String(), Reason: reason}
			if span != "" {
				d, err := cli.Span("for", span)
				if err != nil {
					return err
				}
				r.Seconds = int64(d / time.Second)
			}
			data, err := local.AskDaemon(cmd.Context(), socket, "gslb serve", r)
			if err != nil {
				return err
			}
			if asJSON {
				_, err = cmd.OutOrStdout().Write(data)
				return err
			}
			var c changeJSON
			if err := json.Unmarshal(data, &c); err != nil {
				return fmt.Errorf("read the reply: %w", err)
			}
			c.text(cmd.OutOrStdout(), cmd.ErrOrStderr())
			return nil
		},
	}
	cmd.Flags().StringVar(&socket, "socket", standardSocket, "`PATH` of gslb serve's socket")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	if mode != health.Enabled {
		cmd.Flags().StringVar(&span, "for", "", "for this `TIME`, as in 90s, 30m, 2h or 1d (default until it is enabled)")
		cmd.Flags().StringVar(&reason, "reason", "", "why, a `TEXT` for those who look at the status")
	}
	return cmd
}

// A changeJSON is the reply to an override.
type changeJSON struct {
	FormatVersion int        `json:"format_version"`
	Object        string     `json:"object"`
	Mode          string     `json:"mode"`
	Before        string     `json:"mode_before"`
	Until         *time.Time `json:"until,omitempty"`
	Answers       []answered `json:"answers"`
	NotKept       string     `json:"not_kept,omitempty"` // why a restart forgets it
}

// An answered is an answer that derives from the object, and what it is now.
type answered struct {
	Answer string `json:"answer"`
	Name   string `json:"name"`
	Mode   string `json:"mode"`
	Before string `json:"mode_before"`
}

func (c *changeJSON) text(out, errs io.Writer) {
	switch {
	case c.Mode == "enabled" && c.Before == "enabled":
		fmt.Fprintf(out, "%s was enabled already.\n", c.Object)
	case c.Until != nil:
		fmt.Fprintf(out, "%s is %s until %s.\n", c.Object, c.Mode, c.Until.UTC().Format("2006-01-02 15:04:05 UTC"))
	case c.Mode == "enabled":
		fmt.Fprintf(out, "%s is enabled: its checks decide again.\n", c.Object)
	default:
		fmt.Fprintf(out, "%s is %s until it is enabled.\n", c.Object, c.Mode)
	}
	var rows [][]string
	changed := 0
	for _, a := range c.Answers {
		if a.Mode != a.Before {
			changed++
		}
		rows = append(rows, []string{a.Answer, a.Name, a.Mode})
	}
	cli.Table(out, "  ", rows)
	switch {
	case len(c.Answers) == 0:
		fmt.Fprintf(errs, "note: no answer derives from %s.\n", c.Object)
	case changed == 0 && c.Mode != c.Before:
		fmt.Fprintf(errs, "note: no answer changes: others are in the place of %s, or another override says as much.\n", c.Object)
	}
	if c.NotKept != "" && c.Mode != c.Before {
		fmt.Fprintf(errs, "note: a restart forgets it: %s.\n", c.NotKept)
	}
}

// override does what an operator says.
func (d *dnsNode) override(c call, now time.Time) {
	g := d.now
	if g == nil {
		g = d.next
	}
	r := c.request
	if d.desk.left {
		c.reply <- local.Refuse("another process takes over at this moment; say it again")
		return
	}
	object, ok := find(g.topo, r.Object)
	if _, there := d.desk.overrides.Of(r.Object); !ok && there && r.Mode == health.Enabled.String() {
		object, ok = r.Object, true // of a topology before
	}
	if !ok {
		c.reply <- local.Refuse("%s", missing(g.topo, r.Object))
		return
	}
	before, left := d.desk.overrides, d.desk.overrides.Without(object)
	if r.Mode != health.Enabled.String() {
		mode, err := health.ParseMode(r.Mode)
		if err != nil {
			c.reply <- local.Refuse("mode: %v", err)
			return
		}
		const longest = int64(10 * 365 * 24 * time.Hour / time.Second)
		x := health.Override{Object: object, Mode: mode, Reason: r.Reason, Who: c.peer.String(), Since: now}
		if r.Seconds != 0 {
			x.Until = now.Add(time.Duration(min(max(r.Seconds, 0), longest)) * time.Second)
		}
		if left, err = left.With(x); err != nil {
			c.reply <- local.Refuse("%v", err)
			return
		}
		d.log.Warn("override", x.Attrs()...)
	} else if x, there := before.Of(object); there {
		d.log.Info("override is taken back", append(x.Attrs(), "by", c.peer.String())...)
	}
	d.desk.overrides = left
	if d.now != nil {
		d.publish()
	}
	d.desk.arm()

	out := changeJSON{FormatVersion: 1, Object: object, Mode: left.Mode(object).String(), Before: before.Mode(object).String(), Answers: []answered{}}
	if x, there := left.Of(object); there && !x.Until.IsZero() {
		out.Until = &x.Until
	}
	was, is := before.Spread(g.topo), left.Spread(g.topo)
	for _, domain := range g.topo.Domains {
		for _, a := range domain.Answers {
			if slices.Contains(steering.Origins(a), object) {
				out.Answers = append(out.Answers, answered{a.ID, strings.TrimSuffix(domain.Name, "."), steering.Mode(is, a).String(), steering.Mode(was, a).String()})
			}
		}
	}
	d.desk.keep(func(err error) {
		if err != nil {
			out.NotKept = err.Error()
		}
		c.reply <- out
	})
}

// addresses are what an override of a topology can be said of.
func addresses(t *topology.Topology) []string {
	var out []string
	for _, d := range t.Domains {
		for _, a := range d.Answers {
			out = append(out, a.ID)
		}
	}
	for _, s := range t.Services {
		out = append(out, s.ID)
	}
	for _, r := range t.Regions {
		out = append(out, r.ID)
	}
	for _, d := range t.Directors {
		out = append(out, d.ID)
	}
	for _, f := range t.Farms {
		out = append(out, f.ID)
	}
	return out
}

// find returns the object's address as the file has it: quotes that a shell
// took away are no mistake.
func find(t *topology.Topology, given string) (string, bool) {
	bare := strings.NewReplacer(`"`, "", `'`, "")
	for _, a := range addresses(t) {
		if a == given || bare.Replace(a) == bare.Replace(given) {
			return a, true
		}
	}
	return "", false
}

// missing is why there is no such object.
func missing(t *topology.Topology, given string) string {
	for _, n := range t.Nameservers {
		if n.ID == given {
			return given + " is a nameserver, from which no answer derives: stop it instead"
		}
	}
	for _, d := range t.Domains {
		if d.ID == given {
			return given + " is a domain; give one of its answers: " + few(d.Answers)
		}
	}
	if word := near.Word(given, addresses(t)); word != "" {
		return given + " is not in the topology; did you mean " + word + "?"
	}
	return given + " is not in the topology; give " + objects
}

func few(answers []*topology.Answer) string {
	var ids []string
	for _, a := range answers {
		ids = append(ids, a.ID)
	}
	if len(ids) > 5 {
		ids = append(ids[:5], "...")
	}
	return strings.Join(ids, ", ")
}
