package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gslb/internal/cli"
	"gslb/internal/local"
)

// daemonName is what the daemon is called in errors.
const daemonName = "director"

// socketFlag adds the flag for where the daemon listens.
func socketFlag(c *cobra.Command, socket *string) {
	c.Flags().StringVar(socket, "socket", filepath.Join(stateDir(), socketName), "`PATH` of the director's socket")
}

func statusCmd() *cobra.Command {
	var socket string
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what the director of this host does and why",
		Long: `Show every virtual service of the director that runs on this host: whether it has
its quorum, each destination of the file with its weight in the kernel, since
when it is up or down and why; the part it has in failover pairs; what operators
have said; and what others have changed in the kernel.

A streak of 1/3 is one of the three results in a row that would turn it over.`,
		Example: `  director status
  director status --json | jq '.services[] | select(.state == "down")'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			data, err := local.AskDaemon(c.Context(), socket, daemonName, request{FormatVersion: 1, Command: "status"})
			if err != nil {
				return err
			}
			if asJSON {
				_, err = c.OutOrStdout().Write(data)
				return err
			}
			var s statusJSON
			if err := json.Unmarshal(data, &s); err != nil {
				return fmt.Errorf("read the reply: %w", err)
			}
			s.text(c.OutOrStdout(), cli.Colour(c.OutOrStdout()))
			return nil
		},
	}
	socketFlag(c, &socket)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// text is the status for people.
func (s *statusJSON) text(out io.Writer, colour bool) {
	paint := cli.Painter(colour)
	head := []string{s.Node, paint(s.State), "up " + cli.Age(s.At.Sub(s.Started)), fmt.Sprintf("generation %d", s.Generation)}
	if s.DriftLast != nil {
		head = append(head, fmt.Sprintf("%d changes of others put right, the last %s ago", s.DriftCount, cli.Age(s.At.Sub(*s.DriftLast))))
	}
	fmt.Fprintln(out, strings.Join(head, ", "))
	for _, line := range strings.Split(s.Degraded, "\n") {
		if line != "" {
			fmt.Fprintln(out, "  "+line)
		}
	}
	if s.Timeouts.span != (span{}) {
		fmt.Fprintln(out, s.Timeouts.text())
	}
	if len(s.Overrides) > 0 {
		fmt.Fprintln(out, "\nOverrides")
		var rows [][]string
		for _, o := range s.Overrides {
			rows = append(rows, o.row(s, paint))
		}
		cli.Table(out, "  ", rows)
	}
	for i := range s.Pairs {
		s.Pairs[i].text(out, s, paint)
	}
	for i := range s.Services {
		s.Services[i].text(out, s, paint)
	}
	if len(s.Services) == 0 {
		fmt.Fprintln(out, "\nno virtual service of the file has a tier here")
	}
	if last := s.Events[max(len(s.Events)-shownEvents, 0):]; len(last) > 0 {
		fmt.Fprintln(out, "\nLast events")
		var rows [][]string
		for _, e := range slices.Backward(last) {
			rows = append(rows, []string{cli.Age(s.At.Sub(e.At)) + " ago", paint(e.Kind), e.Text})
		}
		cli.Table(out, "  ", rows)
	}
}

// shownEvents is how many of the last events people get.
const shownEvents = 8

// text is a line about the kernel's time-outs.
func (t *timeoutsJSON) text() string {
	var parts []string
	for _, x := range []struct {
		name    string
		seconds int64
	}{{"tcp", t.TCP}, {"tcp_fin", t.TCPFin}, {"udp", t.UDP}} {
		part := x.name + " " + cli.Age(time.Duration(x.seconds)*time.Second)
		if slices.Contains(t.ByFile, x.name) {
			part += " (file)"
		}
		parts = append(parts, part)
	}
	return "connections that are silent end after: " + strings.Join(parts, ", ")
}

func (o wordJSON) row(s *statusJSON, paint func(string) string) []string {
	left := "until it is enabled"
	if o.Until != nil {
		left = "for " + cli.Age(o.Until.Sub(s.At))
	}
	if o.Deadline != nil {
		left += ", what still runs ends in " + cli.Age(o.Deadline.Sub(s.At))
	}
	object := o.Object
	if o.Absent {
		object += " (not forwarded to here)"
	}
	return []string{object, paint(o.Mode), left, "by " + o.Who, o.Reason}
}

// name is the service as the kernel has it.
func (k keyJSON) name() string {
	switch {
	case k.Address != "":
		return k.Protocol + " " + k.Address
	case k.Family == "ipv6":
		return fmt.Sprintf("fwmark %d v6", k.Fwmark)
	}
	return fmt.Sprintf("fwmark %d", k.Fwmark)
}

func (x *serviceJSON) text(out io.Writer, s *statusJSON, paint func(string) string) {
	fmt.Fprintf(out, "\n%s  %s tier %s, %s: %s", x.name(), x.Service, x.Tier, x.Scheduler, paint(x.State))
	what := fmt.Sprintf("%d of %d", x.Have, x.All)
	if x.By == "weight" {
		what = "weight " + what
	}
	if x.State != "undecided" {
		fmt.Fprintf(out, ", %s, quorum %d", what, x.Need)
	}
	if x.Sorry {
		fmt.Fprint(out, ", the sorry server gets what is new")
	}
	fmt.Fprintln(out)
	var rows [][]string
	for _, d := range x.Destinations {
		weight := fmt.Sprintf("weight %d", d.Weight)
		switch {
		case !d.Listed:
			weight = "not in the table"
		case d.Weight != d.OfFile && d.Reported:
			weight += " by its report"
		}
		rows = append(rows, []string{d.Address, paint(d.State), weight, d.Object, strings.Join(d.notes(s), "; ")})
	}
	cli.Table(out, "  ", rows)
}

// notes are what else is to be said of a destination.
func (d *destinationJSON) notes(s *statusJSON) []string {
	var notes []string
	if d.Load != nil {
		notes = append(notes, d.Load.text())
	}
	if d.Since != nil {
		notes = append(notes, "for "+cli.Age(s.At.Sub(*d.Since)))
	}
	if d.Override != "" && d.Override != d.Object {
		notes = append(notes, "by that of "+d.Override)
	}
	if d.Streak > 0 {
		notes = append(notes, fmt.Sprintf("streak %d/%d", d.Streak, d.Needed))
	}
	if d.Held != nil {
		notes = append(notes, fmt.Sprintf("held down for %s, flap %d", cli.Age(d.Held.Sub(s.At)), d.Flaps))
	}
	if d.Factor < 1 {
		notes = append(notes, fmt.Sprintf("slow start at %.0f %%", 100*d.Factor))
	}
	if d.Last != nil && !d.Last.OK {
		notes = append(notes, d.Last.Reason)
	}
	return notes
}

// text is what still runs at a destination.
func (l *loadJSON) text() string {
	out := fmt.Sprintf("%d connections", l.Active+l.Inactive)
	if l.Active > 0 && l.Inactive > 0 {
		out += fmt.Sprintf(" (%d active)", l.Active)
	}
	if l.Persistent > 0 {
		out += fmt.Sprintf(", %d clients kept by persistence", l.Persistent)
	}
	return out
}
