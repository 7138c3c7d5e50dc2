package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gslb/graph"
	"gslb/internal/cli"
	"gslb/topology"
)

func graphCmd() *cobra.Command {
	var format, output string
	var asJSON bool
	var in cli.Inputs
	cmd := &cobra.Command{
		Use:   "graph [PATH...]",
		Short: "Draw a topology: names, services, tiers of directors, farms",
		Long: `Draw a topology: names with the share of their answers, the services they lead
to, the tiers of directors behind these with method and scheduler, and the
farms. Beside a tier that rewrites packets (NAT) stands what its directors can
rewrite; where servers have a throughput, what they deliver.

All PATHs are one topology; without one it is the current directory. The
formats are:
  text     a tree, for a terminal
  dot      Graphviz
  mermaid  a flowchart, for Markdown
  svg      a drawing, for a browser; it follows the viewer's light or dark
  json     the boxes and links of the drawing; the same as --json
In all but text, what stands side by side in large numbers becomes one box.`,
		Example: `  gslb graph shop.hcl
  gslb graph shop.hcl --format svg --output shop.svg
  gslb graph shop.hcl --format dot | dot -Tpdf -o shop.pdf`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			if asJSON {
				format = "json"
			}
			draw, err := drawer(format)
			if err != nil {
				return err
			}
			topo, err := topologyOf(cmd, &in, here(paths), format == "json")
			if err != nil {
				return err
			}
			if output == "" {
				fmt.Fprint(cmd.OutOrStdout(), draw(topo))
				return nil
			}
			if err := os.WriteFile(output, []byte(draw(topo)), 0o644); err != nil {
				return fmt.Errorf("write graph: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text, dot, mermaid, svg or json")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write the boxes and links as JSON")
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to this `FILE` instead of stdout")
	in.Flags(cmd)
	return cmd
}

// drawer is what draws in a format.
func drawer(format string) (func(*topology.Topology) string, error) {
	switch strings.ToLower(format) {
	case "text":
		return graph.Text, nil
	case "dot":
		return graph.DOT, nil
	case "mermaid":
		return graph.Mermaid, nil
	case "svg":
		return graph.SVG, nil
	case "json":
		return graph.JSON, nil
	}
	return nil, cli.Usagef("--format %q is none of text, dot, mermaid, svg, json", format)
}
