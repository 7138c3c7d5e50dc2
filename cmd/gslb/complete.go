package main

import (
	"strings"

	"github.com/spf13/cobra"

	"gslb/conf/codes"
	"gslb/internal/cli"
	"gslb/topology"
)

// complete says what the shell offers for arguments and flags that are not files.
func complete(root *cobra.Command) {
	cli.Flag(root, "validate", "explain", explainable)
	cli.Flag(root, "graph", "format", cli.Words("text", "dot", "mermaid", "svg", "json"))
	cli.Flag(root, "plan", "detail", cli.Words("summary", "normal", "full"))
	cli.Flag(root, "plan", "node", cli.Objects("director"))
	cli.Flag(root, "serve", "node", cli.Objects("nameserver"))
	cli.Flag(root, "explain", "type", cli.Words("A", "AAAA", "HTTPS", "SVCB", "SRV", "MX"))
	cli.Flag(root, "explain", "down", cli.Objects("region", "network", "nameserver", "director", "farm", "server", "virtual_service", "answer"))
	for _, verb := range []string{"disable", "drain", "enable"} {
		cli.Arg(root, verb, 0, cli.Of(addresses))
	}
	cli.Arg(root, "explain", 0, cli.Of(names))
	cli.Args(root, "show", addressOrFile)
	cli.Arg(root, "lab exec", 1, cli.Of(labNodes))
}

// explainable are the codes that have a page, with their titles.
func explainable(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	out := []cobra.Completion{cobra.CompletionWithDesc("list", "all codes")}
	for _, e := range codes.All() {
		out = append(out, cobra.CompletionWithDesc(e.Code, e.Title))
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// addressOrFile offers the objects of the files that are named, or else of the
// current directory, beside files; when there is an address, files alone.
func addressOrFile(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if address, _ := addressed(args); address != "" {
		return nil, cobra.ShellCompDirectiveDefault
	}
	found, _ := cli.Objects()(c, args, typed)
	return found, cobra.ShellCompDirectiveDefault
}

// names are the domains of a topology.
func names(t *topology.Topology) []string {
	var out []string
	for _, d := range t.Domains {
		out = append(out, strings.TrimSuffix(d.Name, "."))
	}
	return out
}

// labNodes are the nodes that a lab of the topology has.
func labNodes(t *topology.Topology) []string {
	var out []string
	for _, r := range t.Regions {
		out = append(out, "client."+r.Name, "router."+r.Name)
	}
	for _, n := range t.Nameservers {
		out = append(out, n.ID)
	}
	for _, d := range t.Directors {
		out = append(out, d.ID)
	}
	for _, f := range t.Farms {
		for _, s := range f.Servers {
			out = append(out, s.ID)
		}
	}
	return out
}
