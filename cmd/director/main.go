// Command director is the director node: it forwards, and prepares the nodes
// that are forwarded to.
package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"gslb/internal/cli"
	"gslb/wiring"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int { return runOn(openLinux, args, stdout, stderr) }

// runOn runs the program on a kernel.
func runOn(open opener, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:   "director",
		Short: "Forward virtual services with the kernel's IPVS, as a topology file says",
		Example: `  director run shop.hcl --node 'director.front["fra"]'
  director status
  director drain 'farm.web["fra"].server.web[0]' --deadline 30m
  director realserver apply shop.hcl --node 'farm.web["fra"].server.web[0]'
  director realserver verify shop.hcl --node 'farm.web["fra"].server.web[0]'
  director stop --flush`,
	}
	root.AddCommand(runCmd(open), statusCmd(), listCmd(open), connsCmd(open), topCmd(open), drainCmd(), maintCmd(), enableCmd("enable"), enableCmd("undrain"), failoverCmd(), realserverCmd(), stopCmd(open))
	root.AddCommand(cli.Man(root))
	cli.Flag(root, "run", "node", cli.Objects("director"))
	for _, verb := range []string{"print", "apply", "verify"} {
		cli.Flag(root, "realserver "+verb, "node", cli.Objects("server", "director"))
	}
	cli.Flag(root, "realserver print", "as", cli.Words(wiring.Forms()...))
	return cli.Run(root, args, stdout, stderr)
}

// stateDir is where a node keeps what it has changed: systemd's
// RuntimeDirectory= when there is one, gone with a reboot like the changes.
func stateDir() string {
	if dir := os.Getenv("RUNTIME_DIRECTORY"); dir != "" {
		return dir
	}
	return "/run/gslb"
}
