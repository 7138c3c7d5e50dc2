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
		serveCmd(),
		labCmd(),
	)
	root.AddCommand(cli.Man(root, cli.Manual{Name: "gslb-topology", About: "the language of topology files", Text: conf.Manual()}))
	complete(root)
	return cli.Run(root, args, stdout, stderr)
}
