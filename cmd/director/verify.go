package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"gslb/dataplane/hostnet"
	"gslb/internal/cli"
	"gslb/wiring"
)

func realserverVerifyCmd() *cobra.Command {
	var node string
	var filtered []string
	var asJSON bool
	var in cli.Inputs
	c := &cobra.Command{
		Use:   "verify FILE... --node ADDR",
		Short: "Say what is wrong with this host for being forwarded to",
		Long: `Look at this host, by whatever means it was made ready, and say each condition
that is wrong: what it is, why it matters, and the commands that mend it.

It looks at the VIPs and where they are, at what the host answers by ARP and
neighbour discovery, at tunnels and whom they are bound to, at the reverse path
filter, at the default route, the rules and the segment size of replies, at
forwarding, redirects and marks. It changes nothing.

Exit status 0 when all is well, 1 when something is wrong.`,
		Example: `  director realserver verify shop.hcl --node 'farm.web["fra"].server.web[0]'
  director realserver verify shop.hcl --node 'director.nat["fra1"]' --json | jq -r '.findings[].mend[]'`,
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
			picture, err := hostnet.Look(needs)
			if err != nil {
				return err
			}
			if err := behindFirewall(&picture, filtered); err != nil {
				return err
			}
			found := wiring.Verify(needs, picture)
			if err := tellFindings(c.OutOrStdout(), c.ErrOrStderr(), needs.Node, found, asJSON); err != nil {
				return err
			}
			if len(found) > 0 {
				return cli.ErrSaid
			}
			return nil
		},
	}
	c.Flags().StringVar(&node, "node", "", "this host's `address` in the file")
	c.Flags().StringArrayVar(&filtered, "filtered", nil, "`NAME` of a tunnel that is bound to nobody, and of which a firewall drops what strangers send; may be repeated")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	in.Flags(c)
	return c
}

// behindFirewall notes what the user says of tunnels.
func behindFirewall(p *wiring.Picture, names []string) error {
	for _, name := range names {
		found := false
		for i := range p.Links {
			if p.Links[i].Name == name && p.Links[i].Tunnel != nil {
				p.Links[i].Filtered, found = true, true
			}
		}
		if !found {
			return cli.Usagef("--filtered %s: this host has no such tunnel", name)
		}
	}
	return nil
}

func tellFindings(out, say io.Writer, node string, found []wiring.Finding, asJSON bool) error {
	if asJSON {
		if found == nil {
			found = []wiring.Finding{}
		}
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			FormatVersion int              `json:"format_version"`
			Node          string           `json:"node"`
			Findings      []wiring.Finding `json:"findings"`
		}{1, node, found})
	}
	for i, f := range found {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "%s: %s\n  %s\n", f.Code, f.Wrong, f.Why)
		for _, command := range f.Mend {
			fmt.Fprintln(out, "    "+command)
		}
	}
	switch len(found) {
	case 0:
		fmt.Fprintf(say, "nothing is wrong for %s\n", node)
	case 1:
		fmt.Fprintf(say, "\n1 condition is wrong for %s\n", node)
	default:
		fmt.Fprintf(say, "\n%d conditions are wrong for %s\n", len(found), node)
	}
	return nil
}
