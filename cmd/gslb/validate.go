package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gslb/conf"
	"gslb/conf/load"
	"gslb/internal/cli"
	"gslb/topology"
)

func validateCmd() *cobra.Command {
	var asJSON bool
	var vars []string
	cmd := &cobra.Command{
		Use:   "validate PATH...",
		Short: "Say what is wrong with topology files",
		Long: `Say what is wrong with topology files, everything at once, each fault with
file, line and the way out. In a file whose syntax is wrong that is said with
what can be told of the text in front of that place. Each PATH is a topology of
its own: a file, or a directory whose *.hcl and *.hcl.json are one topology
together. Nothing but the files and the variables is looked at: the same input gives the same answer
on every machine. Warnings do not make a topology invalid.`,
		Example: `  gslb validate shop.hcl
  gslb validate examples/*.hcl
  gslb validate shop.hcl --var env=staging --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			values, err := cli.Vars(vars)
			if err != nil {
				return err
			}
			if asJSON {
				return validateJSON(cmd.OutOrStdout(), paths, values)
			}
			return validate(cmd.OutOrStdout(), cmd.ErrOrStderr(), paths, values)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write the diagnostics as JSON")
	cmd.Flags().StringArrayVar(&vars, "var", nil, "set variable `NAME=VALUE` (repeatable)")
	return cmd
}

// validate writes one line for each good topology and the diagnostics of the others.
func validate(out, errs io.Writer, paths []string, vars map[string]string) error {
	var failed error
	for _, path := range paths {
		src, err := load.Read([]string{path})
		if err != nil {
			fmt.Fprintf(errs, "gslb: %v\n", err)
			failed = cli.ErrSaid
			continue
		}
		src.Vars = vars
		topo, diags := conf.Parse(src)
		conf.Text(errs, diags, src, cli.Colour(errs))
		if topo == nil {
			fmt.Fprintf(errs, "\n%s: invalid: %s\n", path, tally(diags))
			failed = cli.ErrSaid
			continue
		}
		fmt.Fprintf(out, "%s: valid: %s\n", path, contents(topo))
	}
	return failed
}

// validateJSON writes the diagnostics of all topologies as one document.
func validateJSON(out io.Writer, paths []string, vars map[string]string) error {
	var all conf.Source
	var found conf.Diagnostics
	for _, path := range paths {
		src, err := load.Read([]string{path})
		if err != nil {
			return err
		}
		src.Vars = vars
		_, diags := conf.Parse(src)
		found = append(found, diags...)
		all.Files = append(all.Files, src.Files...)
	}
	text, err := conf.JSON(found, all)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n", text)
	if found.HasErrors() {
		return cli.ErrSaid
	}
	return nil
}

// tally counts diagnostics: "2 errors, 1 warning".
func tally(diags conf.Diagnostics) string {
	errs := 0
	for _, d := range diags {
		if conf.IsError(d) {
			errs++
		}
	}
	s := count(errs, "error")
	if w := len(diags) - errs; w > 0 {
		s += ", " + count(w, "warning")
	}
	return s
}

// contents says what is in a topology, as far as it has any.
func contents(t *topology.Topology) string {
	servers := 0
	for _, f := range t.Farms {
		servers += len(f.Servers)
	}
	var parts []string
	for _, x := range []struct {
		n    int
		noun string
	}{
		{len(t.Regions), "region"}, {len(t.Nameservers), "nameserver"}, {len(t.Directors), "director"},
		{len(t.Farms), "farm"}, {servers, "server"}, {len(t.Services), "virtual service"}, {len(t.Domains), "domain"},
	} {
		if x.n > 0 {
			parts = append(parts, count(x.n, x.noun))
		}
	}
	if len(parts) == 0 {
		return "empty"
	}
	return strings.Join(parts, ", ")
}
