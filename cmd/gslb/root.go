package main

import (
	"io"

	"github.com/spf13/cobra"

	"gslb/conf"
	"gslb/internal/cli"
)

func run(args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:   "gslb",
		Short: "Global server load balancing from one topology file",
		Long: `Work with a topology: the file, or directory of files, that describes zones and
names, regions, directors and farms of one system. Every node reads the same
topology. Commands that only read it (validate, fmt, show, graph, explain, plan)
are offline: they look at the files and at nothing else.

The language is in gslb-topology(5); 'gslb validate --explain CODE' says what a
diagnostic's code means. The directors' program is director(1).`,
		Example: `  gslb validate shop.hcl
  gslb serve shop.hcl --listen 127.0.0.1:5300
  gslb lab test shop.hcl`,
	}
	root.AddCommand(
		validateCmd(),
		fmtCmd(),
		showCmd(),
		graphCmd(),
		explainCmd(),
		planCmd(),
		geoCmd(),
		serveCmd(),
		statusCmd(),
		disableCmd(),
		drainCmd(),
		enableCmd(),
		labCmd(),
	)
	root.AddCommand(cli.Man(root, cli.Manual{Name: "gslb-topology", About: "the language of topology files", Text: conf.Manual()}))
	complete(root)
	return cli.Run(root, args, stdout, stderr)
}
