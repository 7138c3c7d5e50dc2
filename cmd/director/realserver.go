package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gslb/dataplane/hostnet"
	"gslb/internal/cli"
	"gslb/topology"
	"gslb/wiring"
)

func realserverCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "realserver",
		Short: "Prepare a node to be forwarded to",
	}
	c.AddCommand(realserverPrintCmd(), realserverApplyCmd(), realserverVerifyCmd())
	return c
}

func realserverApplyCmd() *cobra.Command {
	var node, dir string
	var in cli.Inputs
	c := &cobra.Command{
		Use:   "apply FILE... --node ADDR",
		Short: "Give this host what it needs to be forwarded to",
		Long: `Give this host what the methods that forward to it need, and print each change.

  nat  the default route is the director
  tun  a tunnel from each director, with the VIP on it; loose reverse path filter;
       a TCP segment size that leaves room for the outer header
  dr   the VIP on the loopback device
  tun, dr: the host never answers ARP for the VIP (arp_ignore=1, arp_announce=2)

ADDR is a real server of the file, or a director of a second tier. Applying a
second time changes nothing. It lasts until the host starts again; "print" says
the same as configuration that stays.`,
		Example: `  director realserver apply shop.hcl --node 'farm.web["fra"].server.web[0]'
  director realserver apply shop.hcl --node 'director.nat["fra1"]'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, paths []string) error {
			topo, err := topologyOf(node, &in, paths, c.ErrOrStderr())
			if err != nil {
				return err
			}
			needs, err := needsOf(topo, node)
			if err != nil {
				return err
			}
			held, err := lock(dir)
			if errors.Is(err, errRunning) {
				return fmt.Errorf("%w: it prepares this host itself", err)
			}
			if err != nil {
				return err
			}
			defer held.Close()
			changes, err := hostnet.Converge(needs.Host, hostPath(dir))
			for _, change := range changes {
				fmt.Fprintln(c.OutOrStdout(), change)
			}
			if err == nil && len(changes) == 0 {
				fmt.Fprintln(c.ErrOrStderr(), "nothing to change")
			}
			return err
		},
	}
	c.Flags().StringVar(&node, "node", "", "this host's `address` in the file")
	c.Flags().StringVar(&dir, "state", stateDir(), "`folder` for the record of what was changed")
	in.Flags(c)
	return c
}

// needsOf is what the kernel of the node at an address must be like, and why.
func needsOf(topo *topology.Topology, node string) (wiring.Needs, error) {
	if n, ok := wiring.Of(topo, node); ok {
		return n, nil
	}
	var have []string
	for _, f := range topo.Farms {
		for _, s := range f.Servers {
			have = append(have, s.ID)
		}
	}
	for _, d := range topo.Directors {
		have = append(have, d.ID)
	}
	return wiring.Needs{}, cli.NoNode(node, "real server or director", have)
}
