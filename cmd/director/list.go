package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"gslb/dataplane"
	"gslb/internal/cli"
	"gslb/tiers"
	"gslb/topology"
)

func listCmd(open opener) *cobra.Command {
	var dir string
	var asJSON, counters bool
	c := &cobra.Command{
		Use:   "list",
		Short: "Print the kernel's forwarding table",
		Long: `Print every virtual service of this host's kernel with its destinations, as the
kernel has them: flags, persistence, weights, thresholds, tunnels, and how many
connections there are. The kernel is asked, not the director.

Services of other programs are there too, marked as foreign; so are the services
by fwmark through which single destinations are probed, and the guard, which
keeps the kernel forwarding while all other services come and go. Whose a service
is follows from what the director has written down in its state folder.

With --stats also what the kernel has counted since a destination was added. Of
tun and dr it sees one direction only: replies pass it by.`,
		Example: `  director list
  director list --json | jq '.services[] | select(.owner == "foreign")'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			k, err := open()
			if err != nil {
				return err
			}
			defer k.Close()
			table, err := k.Table(c.Context())
			if err != nil {
				return err
			}
			stats, err := k.Stats(c.Context())
			if err != nil {
				return err
			}
			s, err := readState(dir)
			if err != nil {
				fmt.Fprintf(c.ErrOrStderr(), "note: whose services these are is not known: %v\n", err)
			}
			list := listOf(table, stats, s)
			if !asJSON {
				list.text(c.OutOrStdout(), counters)
				return nil
			}
			out := json.NewEncoder(c.OutOrStdout())
			out.SetIndent("", "  ")
			return out.Encode(list)
		},
	}
	c.Flags().StringVar(&dir, "state", stateDir(), "`folder` of the director's state")
	c.Flags().BoolVar(&counters, "stats", false, "also what was counted since it was added")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// A listing is the kernel's table, and its own JSON form.
type listing struct {
	FormatVersion int             `json:"format_version"`
	Services      []listedService `json:"services"`
}

type listedService struct {
	keyJSON
	Owner        string              `json:"owner"`   // "director", "foreign", or "unknown" where no director has written down what is its
	Purpose      string              `json:"purpose"` // "service", "probe" or "guard"
	Scheduler    string              `json:"scheduler"`
	Flags        uint32              `json:"flags"`
	FlagNames    []string            `json:"flag_names"`
	Persistence  uint32              `json:"persistence_seconds"` // 0: none
	Netmask      uint8               `json:"netmask"`             // of persistence, bits
	Engine       string              `json:"persistence_engine,omitempty"`
	Counters     countersJSON        `json:"counters"`
	Destinations []listedDestination `json:"destinations"`

	is tiers.Service
}

type listedDestination struct {
	Address  string       `json:"address"`
	Method   string       `json:"method"` // "nat", "dr", "tun", or "" for the host itself
	Weight   uint32       `json:"weight"`
	Upper    uint32       `json:"upper_threshold"` // connections; 0: none
	Lower    uint32       `json:"lower_threshold"`
	Encap    *encapJSON   `json:"encapsulation,omitempty"` // of tun
	Load     loadJSON     `json:"connections"`
	Counters countersJSON `json:"counters"`
}

type encapJSON struct {
	Type  string `json:"type"` // "ipip", "gue" or "gre"
	Port  uint16 `json:"port,omitempty"`
	Flags uint16 `json:"flags,omitempty"`
}

// A countersJSON is what was counted since something was added.
type countersJSON struct {
	Connections uint64 `json:"connections"`
	PacketsIn   uint64 `json:"packets_in"`
	PacketsOut  uint64 `json:"packets_out"`
	BytesIn     uint64 `json:"bytes_in"`
	BytesOut    uint64 `json:"bytes_out"`
}

var encapsulations = [...]string{"ipip", "gue", "gre"}

// listOf is a table with what was counted, and whose its services are as far
// as the state of a director says.
func listOf(t tiers.Table, stats []dataplane.Stats, s state) listing {
	counted := map[tiers.Key]dataplane.Stats{}
	loads := map[tiers.At]dataplane.DestinationStats{}
	for _, x := range stats {
		counted[x.Key] = x
		for _, d := range x.Destinations {
			loads[tiers.At{Key: x.Key, Addr: d.Addr}] = d
		}
	}
	owner := s.owner()
	out := listing{FormatVersion: 1, Services: []listedService{}}
	for _, s1 := range t.Services {
		x := listedService{
			keyJSON: keyed(s1.Key), Owner: "unknown", Purpose: "service", Scheduler: s1.Scheduler, Flags: uint32(s1.Flags),
			FlagNames: append([]string{}, s1.FlagNames()...), Netmask: s1.Netmask, Engine: s1.Engine,
			Counters: countersJSON(counted[s1.Key].Counters), Destinations: []listedDestination{}, is: s1,
		}
		switch {
		case owner.Owns(s1.Key): // probes and guards are in any case
			x.Owner = "director"
		case s.Node != "":
			x.Owner = "foreign"
		}
		switch mark := s1.Key.Mark; {
		case mark == tiers.GuardMark:
			x.Purpose = "guard"
		case mark&^0xffff == tiers.MarkBase:
			x.Purpose = "probe"
		}
		if s1.Flags&tiers.Persistent != 0 {
			x.Persistence = s1.Timeout
		}
		for _, d := range s1.Destinations {
			n := loads[tiers.At{Key: s1.Key, Addr: d.Addr}]
			y := listedDestination{
				Address: d.Addr.String(), Method: d.Method.String(), Weight: d.Weight, Upper: d.Upper, Lower: d.Lower,
				Load: loadJSON{n.Load.Active, n.Load.Inactive, n.Load.Persistent}, Counters: countersJSON(n.Counters),
			}
			if d.Method == topology.NoMethod {
				y.Method = ""
			}
			if d.Method == topology.TUN {
				y.Encap = &encapJSON{"ipip", d.Encap.Port, d.Encap.Flags}
				if int(d.Encap.Type) < len(encapsulations) {
					y.Encap.Type = encapsulations[d.Encap.Type]
				}
			}
			x.Destinations = append(x.Destinations, y)
		}
		out.Services = append(out.Services, x)
	}
	return out
}

// text is the table for people: the lines of [tiers.Table], and beside them
// what there is to be said of each.
func (l *listing) text(out io.Writer, counters bool) {
	var rows [][]string
	wide := 0
	for _, s := range l.Services {
		for i, d := range s.is.Destinations {
			rows = append(rows, s.Destinations[i].row("  -> "+d.String(), counters))
			wide = max(wide, len(rows[len(rows)-1][0]))
		}
	}
	for _, s := range l.Services {
		notes := []string{s.is.String()}
		switch {
		case s.Purpose == "guard":
			notes = append(notes, "the guard")
		case s.Purpose == "probe":
			notes = append(notes, "of a probe")
		case s.Owner == "foreign":
			notes = append(notes, "foreign")
		}
		if counters && s.Purpose == "service" {
			notes = append(notes, s.Counters.text())
		}
		fmt.Fprintln(out, strings.Join(notes, ", "))
		n := len(s.Destinations)
		for _, row := range rows[:n] {
			row[0] += strings.Repeat(" ", wide-len(row[0]))
		}
		cli.Table(out, "", rows[:n])
		rows = rows[n:]
	}
}

func (d *listedDestination) row(name string, counters bool) []string {
	row := []string{name, fmt.Sprintf("%d active", d.Load.Active), fmt.Sprintf("%d inactive", d.Load.Inactive)}
	if d.Load.Persistent > 0 {
		row = append(row, fmt.Sprintf("%d kept by persistence", d.Load.Persistent))
	}
	if counters {
		row = append(row, d.Counters.text())
	}
	return row
}

func (c *countersJSON) text() string {
	n := func(v uint64) string { return short(float64(v)) }
	return fmt.Sprintf("%s connections, packets %s in %s out, bytes %s in %s out",
		n(c.Connections), n(c.PacketsIn), n(c.PacketsOut), n(c.BytesIn), n(c.BytesOut))
}

// short is a number in six characters at most.
func short(v float64) string {
	if v < 9.95 && v != float64(int64(v)) {
		return fmt.Sprintf("%.1f", v)
	}
	if v < 999.5 {
		return fmt.Sprintf("%.0f", v)
	}
	for _, unit := range []string{"k", "M", "G", "T"} {
		v /= 1000
		switch {
		case v < 99.95:
			return fmt.Sprintf("%.1f%s", v, unit)
		case v < 999.5:
			return fmt.Sprintf("%.0f%s", v, unit)
		}
	}
	return fmt.Sprintf("%.0fP", v/1000)
}

// A book is what the file calls what the kernel knows by address.
type book struct {
	services     map[string]string // "tcp 192.0.2.5:80" -> virtual_service.www
	destinations map[netip.AddrPort]string
	hosts        map[netip.Addr]string
}

// book is that of a director.
func (s *statusJSON) book() book {
	b := book{map[string]string{}, map[netip.AddrPort]string{}, map[netip.Addr]string{}}
	for _, x := range s.Services {
		b.services[x.name()] = x.Service
		for _, d := range x.Destinations {
			if at, err := netip.ParseAddrPort(d.Address); err == nil {
				b.destinations[at], b.hosts[at.Addr()] = d.Object, d.Object
			}
		}
	}
	return b
}

// of is the object at a destination; "" where the file has none.
func (b book) of(at netip.AddrPort) string {
	if object, ok := b.destinations[at]; ok {
		return object
	}
	return b.hosts[at.Addr()] // of a service with many ports
}
