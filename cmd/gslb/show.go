package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"gslb/conf"
	"gslb/internal/cli"
	"gslb/topology"
)

func showCmd() *cobra.Command {
	var asJSON bool
	var in cli.Inputs
	cmd := &cobra.Command{
		Use:   "show [ADDR] [PATH...]",
		Short: "Say what a topology holds in full, and where each value comes from",
		Long: `Say what a topology holds once for_each, references, functions and defaults are
worked out: every object with its address, and every argument with its value.
Behind each stands where it comes from: file, line and column; "defaults" with
the place in the defaults block; or "default" when the language gives it. A
secret is shown as the place it is kept in. The listing looks like HCL and is
for reading: addresses stand where a file has a block's kind and label.

ADDR, which may stand behind the PATHs too, is an object (director.nat["eu1"]), all instances of a label
(director.nat), all of a kind (director), or what lies in one
(farm.web["eu1"].server). Quotes may be left to the shell. What names an
existing file is a PATH. All PATHs are one topology; without one it is the
current directory.`,
		Example: `  gslb show shop.hcl
  gslb show 'director.nat["eu1"]' shop.hcl
  gslb show farm.web shop.hcl --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			address, paths := addressed(args)
			x, err := expand(cmd, &in, here(paths), asJSON)
			if err != nil {
				return err
			}
			if address != "" {
				found, help := x.Find(address)
				if len(found) == 0 {
					return fmt.Errorf("show %s: there is no such object. %s", address, help)
				}
				x.Objects = found
			}
			if asJSON {
				text, err := json.MarshalIndent(x, "", "  ")
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
				return nil
			}
			var dim func(string) string
			if cli.Colour(cmd.OutOrStdout()) {
				dim = func(s string) string { return "\x1b[2m" + s + "\x1b[0m" }
			}
			fmt.Fprint(cmd.OutOrStdout(), conf.Print(x.Objects, dim))
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write the objects as JSON")
	in.Flags(cmd)
	return cmd
}

// addressed takes the address of an object from among paths, wherever it
// stands: the first that names no file and could be one.
func addressed(args []string) (address string, paths []string) {
	for _, a := range args {
		if address == "" && conf.IsAddress(a) {
			if _, err := os.Stat(a); errors.Is(err, os.ErrNotExist) {
				address = a
				continue
			}
		}
		paths = append(paths, a)
	}
	return address, paths
}

// here is the current directory where no path is given.
func here(paths []string) []string {
	if len(paths) == 0 {
		return []string{"."}
	}
	return paths
}

// expand reads the files; what is wrong with them has been said when it
// returns an error, on stdout where that is to be JSON.
func expand(cmd *cobra.Command, in *cli.Inputs, paths []string, asJSON bool) (*conf.Expansion, error) {
	src, err := in.Source(paths)
	if err != nil {
		return nil, err
	}
	x, diags := conf.Expand(src)
	if x == nil && asJSON {
		return nil, sayJSON(cmd.OutOrStdout(), diags, src)
	}
	conf.Text(cmd.ErrOrStderr(), diags, src, cli.Colour(cmd.ErrOrStderr()))
	if x == nil {
		return nil, cli.ErrSaid
	}
	return x, nil
}

// topologyOf reads and checks the files; what is wrong with them has been said
// when it returns an error, on stdout where that is to be JSON.
func topologyOf(cmd *cobra.Command, in *cli.Inputs, paths []string, asJSON bool) (*topology.Topology, error) {
	if !asJSON {
		return in.Topology(paths, cmd.ErrOrStderr())
	}
	src, err := in.Source(paths)
	if err != nil {
		return nil, err
	}
	topo, diags := conf.Parse(src)
	if topo == nil {
		return nil, sayJSON(cmd.OutOrStdout(), diags, src)
	}
	conf.Text(cmd.ErrOrStderr(), diags, src, cli.Colour(cmd.ErrOrStderr()))
	return topo, nil
}

// sayJSON writes what is wrong with files, as gslb validate --json does.
func sayJSON(out io.Writer, diags conf.Diagnostics, src conf.Source) error {
	text, err := conf.JSON(diags, src)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s\n", text); err != nil {
		return err
	}
	return cli.ErrSaid
}
