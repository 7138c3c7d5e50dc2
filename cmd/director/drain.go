package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"gslb/health"
	"gslb/internal/cli"
	"gslb/internal/local"
)

// overridden is what the commands have in common that say something of an object.
const overridden = `

ADDR is the address of a real server, a farm, a director of the next tier or a
virtual_service, as in the file. It is said to the director of this host alone,
takes effect at once, and is kept over restarts.`

func drainCmd() *cobra.Command {
	var span, deadline, reason, socket string
	var force, asJSON, leave bool
	c := &cobra.Command{
		Use:   "drain ADDR",
		Short: "Take a destination out of service without ending its connections",
		Long: `Send nobody new to a destination, wait until it has no connections any more, then
take it out of the kernel's table; under sh and mh it stays there with weight 0,
so that nobody else moves. At the deadline it is taken out with what still runs:
UDP flows go to others with their next packet, TCP connections end.

The command waits and shows how many connections are left. Ending it changes
nothing: the drain goes on, and 'director status' shows it.

It is refused when a service would lose its quorum by it, but for --force.` + overridden,
		Example: `  director drain 'farm.web["fra"].server.web[0]' --deadline 30m --reason "new disks"
  director drain director.nat2 --for 2h --no-wait`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r := request{FormatVersion: 1, Command: "override", Object: args[0], Mode: health.Drained.String(), Reason: reason, Force: force}
			var err error
			if r.Seconds, err = seconds("for", span); err != nil {
				return err
			}
			if r.Deadline, err = seconds("deadline", deadline); err != nil {
				return err
			}
			change, err := say(c, socket, r, asJSON)
			if err != nil || leave || asJSON || change.Destinations == 0 {
				return err
			}
			return watch(c.Context(), c.OutOrStdout(), socket, change.Object)
		},
	}
	c.Flags().StringVar(&deadline, "deadline", "", "after this `TIME` end what still runs (default never)")
	c.Flags().BoolVar(&leave, "no-wait", false, "do not wait until it has no connections")
	wordFlags(c, &socket, &span, &reason, &force, &asJSON)
	return c
}

func maintCmd() *cobra.Command {
	var span, reason, socket string
	var force, asJSON bool
	c := &cobra.Command{
		Use:   "maint ADDR",
		Short: "Take a destination out of service at once",
		Long: `Treat a destination as if it were down, whatever its checks say. Its connections
are not waited for: what is still open ends, as when a server dies.

It is refused when a service would lose its quorum by it, but for --force.` + overridden,
		Example: `  director maint 'farm.web["fra"].server.web[0]' --for 2h --reason "burning"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r := request{FormatVersion: 1, Command: "override", Object: args[0], Mode: health.Disabled.String(), Reason: reason, Force: force}
			var err error
			if r.Seconds, err = seconds("for", span); err != nil {
				return err
			}
			_, err = say(c, socket, r, asJSON)
			return err
		},
	}
	wordFlags(c, &socket, &span, &reason, &force, &asJSON)
	return c
}

func enableCmd(name string) *cobra.Command {
	var socket string
	var asJSON bool
	c := &cobra.Command{
		Use:     name + " ADDR",
		Short:   "Take back a drain or maint",
		Long:    "Take back what drain or maint has said of a destination: its checks decide again." + overridden,
		Example: `  director ` + name + ` 'farm.web["fra"].server.web[0]'`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			_, err := say(c, socket, request{FormatVersion: 1, Command: "override", Object: args[0], Mode: health.Enabled.String()}, asJSON)
			return err
		},
	}
	socketFlag(c, &socket)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func wordFlags(c *cobra.Command, socket, span, reason *string, force, asJSON *bool) {
	socketFlag(c, socket)
	c.Flags().StringVar(span, "for", "", "for this `TIME`, as in 90s, 30m, 2h or 1d (default until it is enabled)")
	c.Flags().StringVar(reason, "reason", "", "why, a `TEXT` for those who look at the status")
	c.Flags().BoolVar(force, "force", false, "also when a service loses its quorum by it")
	c.Flags().BoolVar(asJSON, "json", false, "print JSON and do not wait")
}

func seconds(flag, span string) (int64, error) {
	if span == "" {
		return 0, nil
	}
	d, err := cli.Span(flag, span)
	return int64(d / time.Second), err
}

// say sends an override and prints what came of it.
func say(c *cobra.Command, socket string, r request, asJSON bool) (changeJSON, error) {
	var change changeJSON
	data, err := local.AskDaemon(c.Context(), socket, daemonName, r)
	if err != nil {
		return change, err
	}
	if err := json.Unmarshal(data, &change); err != nil {
		return change, fmt.Errorf("read the reply: %w", err)
	}
	if asJSON {
		_, err := c.OutOrStdout().Write(data)
		return change, err
	}
	out, errs := c.OutOrStdout(), c.ErrOrStderr()
	switch {
	case change.Mode == "enabled" && change.Before == "enabled":
		fmt.Fprintf(out, "%s was enabled already.\n", change.Object)
	case change.Mode == "enabled":
		fmt.Fprintf(out, "%s is enabled: its checks decide again.\n", change.Object)
	case change.Until != nil:
		fmt.Fprintf(out, "%s is %s until %s.\n", change.Object, change.Mode, change.Until.Format("2006-01-02 15:04:05 UTC"))
	default:
		fmt.Fprintf(out, "%s is %s until it is enabled.\n", change.Object, change.Mode)
	}
	for _, s := range change.Lost {
		fmt.Fprintf(errs, "note: %s has no quorum by it.\n", s)
	}
	if change.NotKept != "" {
		fmt.Fprintf(errs, "note: a restart forgets it: %s.\n", change.NotKept)
	}
	return change, nil
}

// watchInterval is how often a drain is looked at.
const watchInterval = time.Second

// watch shows what is left at an object until that is nothing, or it is not
// draining any more.
func watch(ctx context.Context, out io.Writer, socket, object string) error {
	live := cli.Colour(out) // a terminal: one line that changes
	var first, shown uint32
	var began time.Time
	for {
		data, err := local.AskDaemon(ctx, socket, daemonName, request{FormatVersion: 1, Command: "status"})
		if err != nil {
			return err
		}
		var s statusJSON
		if err := json.Unmarshal(data, &s); err != nil {
			return fmt.Errorf("read the reply: %w", err)
		}
		left := s.left(object)
		if began.IsZero() {
			first, began = left.load.sum(), s.At
		}
		line := left.text(s.At, first, s.At.Sub(began))
		switch {
		case live:
			fmt.Fprintf(out, "\r\x1b[K%s", line)
		case left.load.sum() != shown || left.draining == 0:
			fmt.Fprintln(out, line)
		}
		shown = left.load.sum()
		if left.draining == 0 {
			if live {
				fmt.Fprintln(out)
			}
			return nil
		}
		select {
		case <-time.After(watchInterval):
		case <-ctx.Done():
			if live {
				fmt.Fprintln(out)
			}
			return errors.New("not waiting any longer; the drain goes on")
		}
	}
}

// A leftover is what still runs at an object that drains.
type leftover struct {
	draining int // destinations
	drained  int
	down     int
	load     loadJSON
	deadline *time.Time
}

func (l *loadJSON) sum() uint32 { return l.Active + l.Inactive + l.Persistent }

// left is what still runs at an object.
func (s *statusJSON) left(object string) leftover {
	var l leftover
	for _, x := range s.Services {
		for _, d := range x.Destinations {
			if d.Override != object {
				continue
			}
			switch d.State {
			case health.Drained.String():
				l.drained++
				continue
			case "down":
				l.down++
				continue
			case "draining":
				l.draining++
			default:
				continue
			}
			if d.Deadline != nil {
				l.deadline = d.Deadline
			}
			if d.Load != nil {
				l.load.Active += d.Load.Active
				l.load.Inactive += d.Load.Inactive
				l.load.Persistent += d.Load.Persistent
			}
		}
	}
	return l
}

// text is a line about what is left, and about when nothing will be if it goes
// on like since the first of them was counted.
func (l leftover) text(now time.Time, first uint32, past time.Duration) string {
	if l.draining == 0 {
		switch {
		case l.down > 0:
			return "It is down by its check: what still ran has ended."
		case l.drained == 0:
			return "It does not drain any more."
		}
		return "Nothing is left: it can be taken away."
	}
	line := l.load.text() + " left"
	if gone := int64(first) - int64(l.load.sum()); gone > 0 && past > 0 {
		line += fmt.Sprintf(", none in about %s", cli.Age(time.Duration(float64(past)/float64(gone)*float64(l.load.sum()))))
	}
	if l.deadline != nil {
		line += fmt.Sprintf(", the deadline is in %s", cli.Age(l.deadline.Sub(now)))
	}
	return line
}
