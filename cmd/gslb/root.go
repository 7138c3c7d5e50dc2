package main

import (
	"io"

	"github.com/spf13/cobra"

	"gslb/internal/cli"
	"gslb/topology"
)

func run(args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:   "gslb",
		Short: "Global server load balancing from one topology file",
		Example: `  gslb validate shop.hcl
  gslb serve shop.hcl --listen 127.0.0.1:5300
  gslb lab test shop.hcl`,
	}
	root.AddCommand(
		validateCmd(),
		showCmd(),
		serveCmd(),
		labCmd(),
	)
	return cli.Run(root, args, stdout, stderr)
}

// readTopology reads the files of a command's arguments; what is wrong with
// them has been said when it returns an error.
func readTopology(stderr io.Writer, paths, vars []string) (*topology.Topology, error) {
	values, err := cli.Vars(vars)
	if err != nil {
		return nil, err
	}
	return cli.Topology(paths, values, stderr)
}
