package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"gslb/conf"
	"gslb/internal/cli"
	"gslb/plan"
	"gslb/topology"
)

// changed is the exit code of plan --detailed-exitcode when there are changes.
const changed = 2

func planCmd() *cobra.Command {
	var in cli.Inputs
	var asJSON, exitcode, live bool
	var detail, node, dir string
	cmd := &cobra.Command{
		Use:   "plan OLD NEW",
		Short: "Say what a change of the topology does, and to whom",
		Long: `Say what leads from one topology to another: what each director, real server and
nameserver changes, which answers change, what clients notice and what is
dangerous about it. OLD and NEW are each a file, or a directory whose *.hcl and
*.hcl.json are one topology together. Nothing is carried out, and nothing but
the files and the variables is looked at: everything is taken to be up, and
directors to have run with OLD since they started. Master files of NEW's zones
that have errors refuse it, as in gslb validate; what else they say is not compared.

For tiers with a hash scheduler (mh, sh) the part of clients that get another
destination is counted with the kernel's own tables, for one client in each of
4,096 networks.

With --live there is one topology, PATH..., and this host: it says what
'director run' with it would change here now, in the kernel's table, addresses,
tunnels, routes and kernel parameters, and changes nothing. It goes by the checks
and overrides of the director that runs here; what that does not check is taken
to be up.`,
		Example: `  gslb plan shop.hcl shop-new.hcl
  gslb plan /etc/gslb /tmp/next --detail=summary
  gslb plan old.hcl new.hcl --detailed-exitcode --json
  gslb plan shop.hcl --live --node 'director.front["fra"]'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if live {
				return cobra.MinimumNArgs(1)(cmd, args)
			}
			return cobra.ExactArgs(2)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if live {
				p, err := planLive(cmd, &in, args, node, dir, asJSON)
				if err != nil {
					return err
				}
				if asJSON {
					err = encode(cmd.OutOrStdout(), p)
				} else {
					p.text(cmd.OutOrStdout())
				}
				if err == nil && exitcode && p.changes() > 0 {
					return cli.Status(changed)
				}
				return err
			}
			for _, of := range []string{"node", "state"} {
				if cmd.Flags().Changed(of) {
					return cli.Usagef("--%s is of this host: it goes with --live", of)
				}
			}
			switch plan.Detail(detail) {
			case plan.Brief, plan.Normal, plan.Full:
			default:
				return cli.Usagef("--detail %q is none of summary, normal, full", detail)
			}
			before, after, err := sides(cmd, &in, args, asJSON)
			if err != nil {
				return err
			}
			p := plan.Make(before, after)
			if err := writePlan(cmd.OutOrStdout(), p, asJSON, plan.Detail(detail)); err != nil {
				return err
			}
			if exitcode && !p.Empty() {
				return cli.Status(changed)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write the plan as JSON")
	cmd.Flags().BoolVar(&exitcode, "detailed-exitcode", false, "exit with 0 without changes, 1 on error, 2 with changes")
	cmd.Flags().StringVar(&detail, "detail", string(plan.Normal), "show `LEVEL`: summary, normal or full")
	cmd.Flags().BoolVar(&live, "live", false, "say what 'director run' with the one topology would change on this host now")
	cmd.Flags().StringVar(&node, "node", "", "with --live: this host's director, its `address` in the file (default: the one that has run here)")
	cmd.Flags().StringVar(&dir, "state", cmp.Or(os.Getenv("RUNTIME_DIRECTORY"), "/run/gslb"), "with --live: `folder` of the director's state")
	in.Flags(cmd)
	return cmd
}

// sides reads both topologies, the second also when the first is wrong, so that
// all faults are told at once, on stdout where that is to be JSON. Warnings are
// those of the second: the first is in use, and has been looked at.
func sides(cmd *cobra.Command, in *cli.Inputs, args []string, asJSON bool) (before, after *topology.Topology, err error) {
	errs := cmd.ErrOrStderr()
	first, err := in.Source(args[:1])
	if err != nil {
		return nil, nil, err
	}
	second, err := in.Source(args[1:])
	if err != nil {
		return nil, nil, err
	}
	before, wrong := conf.Parse(first)
	after, diags, second := parse(second)
	if before != nil && after != nil {
		conf.Text(errs, diags, second, cli.Colour(errs))
		return before, after, nil
	}
	if before != nil {
		wrong = nil
	}
	if asJSON {
		first.Files, first.VarFiles = append(first.Files, second.Files...), append(first.VarFiles, second.VarFiles...)
		first.Masters = second.Masters
		return nil, nil, sayJSON(cmd.OutOrStdout(), append(wrong, diags...), first)
	}
	conf.Text(errs, wrong, first, cli.Colour(errs))
	if len(wrong) > 0 && len(diags) > 0 {
		fmt.Fprintln(errs)
	}
	conf.Text(errs, diags, second, cli.Colour(errs))
	return nil, nil, cli.ErrSaid
}

func writePlan(out io.Writer, p *plan.Plan, asJSON bool, detail plan.Detail) error {
	if !asJSON {
		p.Text(out, detail, cli.Colour(out))
		return nil
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false) // of -> and =>
	enc.SetIndent("", "  ")
	return enc.Encode(p)
}
