package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"gslb/dataplane"
	"gslb/dataplane/hostnet"
	"gslb/dataplane/ipvs"
	"gslb/internal/cli"
	"gslb/tiers"
	"gslb/topology"
)

// stopWait bounds the wait for a running director to end.
const stopWait = 10 * time.Second

func stopCmd(open opener) *cobra.Command {
	var dir string
	var flush, handOver bool
	c := &cobra.Command{
		Use:   "stop",
		Short: "Stop this host's director",
		Long: `Stop the director that runs on this host. The kernel goes on forwarding, but
another member takes over the VIPs of failover pairs. With --hand-over they stay
here: a director that is started within three advertisements goes on, and
nothing moves.

With --flush take out of the kernel what the director (or 'director realserver
apply') has put there: virtual services, VIPs, tunnels, rules, routes and sync
daemons, and set kernel parameters and the time-outs of IPVS to what they were. What others put there stays.`,
		Example: "  director stop --flush",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			end := unix.SIGTERM
			if handOver {
				if flush {
					return cli.Usagef("--hand-over and --flush say two things")
				}
				end = unix.SIGUSR2
			}
			held, err := takeOver(c.Context(), dir, end)
			if err != nil {
				return err
			}
			defer held.Close()
			if !flush {
				return nil
			}
			changes, err := flushAll(c.Context(), open, dir)
			for _, change := range changes {
				fmt.Fprintln(c.OutOrStdout(), change)
			}
			return err
		},
	}
	c.Flags().StringVar(&dir, "state", stateDir(), "`folder` of the director's state")
	c.Flags().BoolVar(&handOver, "hand-over", false, "leave the VIPs of failover pairs to the next director of this host")
	c.Flags().BoolVar(&flush, "flush", false, "take what is ours out of the kernel")
	return c
}

// takeOver ends the running director by a signal, if there is one, and holds its
// lock.
func takeOver(ctx context.Context, dir string, end unix.Signal) (hold, error) {
	ctx, cancel := context.WithTimeout(ctx, stopWait)
	defer cancel()
	for told := 0; ; {
		held, err := lock(dir)
		if !errors.Is(err, errRunning) {
			return held, err
		}
		// One that has ended since is no fault; the next try will tell.
		if pid, err := holder(); err == nil && pid != told {
			if err := unix.Kill(pid, end); err != nil && !errors.Is(err, unix.ESRCH) {
				return hold{}, fmt.Errorf("stop the director, process %d: %w", pid, err)
			}
			told = pid
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return hold{}, fmt.Errorf("the director, process %d, has not ended within %v", told, stopWait)
		}
	}
}

// flushAll removes what is recorded as ours.
func flushAll(ctx context.Context, open opener, dir string) ([]string, error) {
	s, err := readState(dir)
	if err != nil {
		return nil, err
	}
	var changes []string
	kernel, err := open()
	switch {
	case errors.Is(err, ipvs.ErrNoIPVS): // then nothing of ours is in it
	case err != nil:
		return nil, err
	default:
		defer kernel.Close()
		plan, err := dataplane.Converge(ctx, kernel, tiers.Table{}, s.owner())
		if err != nil {
			return nil, err
		}
		for _, change := range plan {
			changes = append(changes, change.String())
		}
		ended, err := stopDaemons(kernel, s.Sync)
		changes = append(changes, ended...)
		if err != nil {
			return changes, err
		}
		put, err := putBack(kernel, s.Timeouts.timeouts())
		if err != nil {
			return changes, err
		}
		changes = append(changes, put...)
	}
	done, err := hostnet.Converge(tiers.Host{}, hostPath(dir))
	changes = append(changes, done...)
	if err != nil {
		return changes, err
	}
	return changes, state{Node: s.Node}.write(dir)
}

// putBack sets time-outs to what they were before they were ours.
func putBack(k kernel, before ipvs.Timeouts) ([]string, error) {
	if before == (ipvs.Timeouts{}) {
		return nil, nil
	}
	have, err := k.Timeouts()
	if err != nil {
		return nil, err
	}
	set := settle(topology.Timeouts{}, have, before).set
	if set == (ipvs.Timeouts{}) {
		return nil, nil
	}
	return changes(set), k.SetTimeouts(set)
}
