package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"gslb/lab"
)

func labDemoCmd() *cobra.Command {
	var f labFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "demo PATH",
		Short: "Kill a real server, a director and a region of a two-tier topology, and watch",
		Long: `Bring a topology of two regions or more, with two tiers each, up as a lab and tell
a story on it: a real server, a second-tier director, the active member of a
failover pair of fronts (where there is one) and a whole region die in turn and
come back. Each line shows the requests made, the errors among them, the
seconds until traffic was clean (20 successes in a row), and the bound.

With DEMO_FAULT=none in the environment nobody dies, and the checks that wait for
a death fail.`,
		Example: "  gslb lab demo examples/failover.hcl",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.examine(c, "demo", args[0], asJSON, func(ctx context.Context, w *lab.World, r *lab.Report) error {
				fault := lab.RealFault
				if os.Getenv("DEMO_FAULT") == "none" {
					fault = lab.NoFault
				}
				return w.Demo(ctx, r, fault)
			})
		},
	}
	f.register(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the checks as JSON")
	return c
}
