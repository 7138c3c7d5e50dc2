package main

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"gslb/internal/cli"
	"gslb/plan"
	"gslb/topology"
)

// changed is the exit code of plan --detailed-exitcode when there are changes.
const changed = 2

func planCmd() *cobra.Command {
	var in cli.Inputs
	var asJSON, exitcode bool
	var detail string
	cmd := &cobra.Command{
		Use:   "plan OLD NEW",
		Short: "Say what a change of the topology does, and to whom",
		Long: `Say what leads from one topology to another: what each director, real server and
nameserver changes, which answers change, what clients notice and what is
dangerous about it. OLD and NEW are each a file, or a directory whose *.hcl and
*.hcl.json are one topology together. Nothing is carried out, and nothing but
the files and the variables is looked at: everything is taken to be up, and
directors to have run with OLD since they started.

For tiers with a hash scheduler (mh, sh) the part of clients that get another
destination is counted with the kernel's own tables, for one client in each of
4,096 networks.`,
		Example: `  gslb plan shop.hcl shop-new.hcl
  gslb plan /etc/gslb /tmp/next --detail=summary
  gslb plan old.hcl new.hcl --detailed-exitcode --json`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch plan.Detail(detail) {
			case plan.Brief, plan.Normal, plan.Full:
			default:
				return cli.Usagef("--detail %q is none of summary, normal, full", detail)
			}
			before, after, err := sides(&in, args, cmd.ErrOrStderr())
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
	in.Flags(cmd)
	return cmd
}

// sides reads both topologies, the second also when the first is wrong, so that
// all faults are told at once. Warnings are those of the second: the first is
// in use, and has been looked at.
func sides(in *cli.Inputs, args []string, errs io.Writer) (before, after *topology.Topology, err error) {
	var said bytes.Buffer
	before, err = in.Topology(args[:1], &said)
	if err != nil {
		if _, err := said.WriteTo(errs); err != nil {
			return nil, nil, err
		}
	}
	after, second := in.Topology(args[1:], errs)
	if err == nil {
		err = second
	}
	return before, after, err
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
