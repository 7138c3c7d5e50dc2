package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"gslb/tiers"
)

func listCmd(open opener) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "Print the kernel's forwarding table",
		Long: `Print every virtual service of this host's kernel with its destinations, as the
kernel has them: also those of other programs, and the services by fwmark
through which single destinations are probed.`,
		Example: "  director list --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			plane, err := open()
			if err != nil {
				return err
			}
			defer plane.Close()
			table, err := plane.Table(c.Context())
			if err != nil {
				return err
			}
			if !asJSON {
				_, err = fmt.Fprint(c.OutOrStdout(), table)
				return err
			}
			out := json.NewEncoder(c.OutOrStdout())
			out.SetIndent("", "  ")
			return out.Encode(tableJSON(table))
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

type listedService struct {
	keyJSON
	Scheduler    string              `json:"scheduler"`
	Flags        uint32              `json:"flags"`
	Persistence  uint32              `json:"persistence_seconds"`
	Destinations []listedDestination `json:"destinations"`
}

type listedDestination struct {
	Address string `json:"address"`
	Method  string `json:"method"`
	Weight  uint32 `json:"weight"`
}

func tableJSON(t tiers.Table) any {
	services := []listedService{}
	for _, s := range t.Services {
		out := listedService{keyJSON: keyed(s.Key), Scheduler: s.Scheduler, Flags: uint32(s.Flags), Destinations: []listedDestination{}}
		if s.Flags&tiers.Persistent != 0 {
			out.Persistence = s.Timeout
		}
		for _, d := range s.Destinations {
			out.Destinations = append(out.Destinations, listedDestination{d.Addr.String(), d.Method.String(), d.Weight})
		}
		services = append(services, out)
	}
	return map[string]any{"format_version": 1, "services": services}
}
