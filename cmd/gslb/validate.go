package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gslb/conf"
	"gslb/internal/cli"
	"gslb/topology"
)

func validateCmd() *cobra.Command {
	var asJSON bool
	var code string
	var strict bool
	var in cli.Inputs
	cmd := &cobra.Command{
		Use:   "validate PATH...",
		Short: "Say what is wrong with topology files",
		Long: `Say what is wrong with topology files, everything at once, each fault with
file, line and the way out. In a file whose syntax is wrong that is said with
what can be told of the text in front of that place. Each PATH is a topology of
its own: a file, or a directory whose *.hcl and *.hcl.json are one topology
together. Once that is right, the master files of its zones are looked into too,
as far as they can be read here. Nothing but the files, what they name and the
variables is looked at: the same input gives the same answer on every machine.
Warnings change the exit code only with --strict.`,
		Example: `  gslb validate shop.hcl
  gslb validate examples/*.hcl
  gslb validate shop.hcl --var env=staging --json
  gslb validate --explain GS231     what a code means, and what to do about it
  gslb validate --explain list`,
		Args: func(_ *cobra.Command, paths []string) error { return explainArgs(code, paths) },
		RunE: func(cmd *cobra.Command, paths []string) error {
			if code != "" {
				return explainCode(cmd.OutOrStdout(), code, asJSON)
			}
			if asJSON {
				return validateJSON(cmd.OutOrStdout(), paths, in, strict)
			}
			return validate(cmd.OutOrStdout(), cmd.ErrOrStderr(), paths, in, strict)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write the diagnostics as JSON")
	cmd.Flags().StringVar(&code, "explain", "", "print the page of a diagnostic's `CODE`, or the list of all codes for list")
	cmd.Flags().BoolVar(&strict, "strict", false, "let warnings fail the validation (exit 1)")
	in.Flags(cmd)
	return cmd
}

// validate writes one line for each good topology and the diagnostics of the others.
func validate(out, errs io.Writer, paths []string, in cli.Inputs, strict bool) error {
	var failed error
	for _, path := range paths {
		src, err := in.Source([]string{path})
		if err != nil {
			return err
		}
		topo, diags, src := parse(src)
		conf.Text(errs, diags, src, cli.Colour(errs))
		if strict && topo != nil && len(diags) > 0 {
			fmt.Fprintf(errs, "\n%s: valid, but not strictly: %s\n", path, tally(diags))
			failed = cli.ErrSaid
			continue
		}
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
func validateJSON(out io.Writer, paths []string, in cli.Inputs, strict bool) error {
	var all conf.Source
	var found conf.Diagnostics
	for _, path := range paths {
		src, err := in.Source([]string{path})
		if err != nil {
			return err
		}
		_, diags, src := parse(src)
		found = append(found, diags...)
		all.Masters = append(all.Masters, src.Masters...)
		all.Files = append(all.Files, src.Files...)
		all.VarFiles = append(all.VarFiles, src.VarFiles...)
	}
	if err := sayJSON(out, found, all); !errors.Is(err, cli.ErrSaid) || found.HasErrors() || strict && len(found) > 0 {
		return err
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
