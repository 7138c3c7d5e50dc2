package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gslb/internal/cli"
	"gslb/steering"
	"gslb/steering/geo"
	"gslb/topology"
)

func geoCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "geo",
		Short: "Say what geo databases know",
		Long: `Say what the databases know that clients are steered by: the continent, country,
coordinates and autonomous system of an address. They are files in MaxMind's
format; only files are read.`,
		Example: `  gslb geo lookup 203.0.113.9 shop.hcl
  gslb geo info dbip-city-lite.mmdb`,
	}
	cmd.AddCommand(geoLookupCmd(), geoInfoCmd())
	return cmd
}

func geoLookupCmd() *cobra.Command {
	var files geo.Files
	var in cli.Inputs
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lookup IP [PATH...]",
		Short: "Say where an address is, and whose region that makes it",
		Long: `Say what databases say about an address and, with a topology, which region each
step of its policies that looks at the client takes it for, and by which rule.

The databases are those that the topology's geoip block names; --city and --asn
stand instead of them. PATHs are one topology; without one it is the current
directory, or none where a database is given.

What a client of that address is answered, with what is up, 'gslb explain' says.`,
		Example: `  gslb geo lookup 203.0.113.9 shop.hcl
  gslb geo lookup 2001:db8::9 --city dbip-city-lite.mmdb --asn dbip-asn-lite.mmdb`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			addr, err := clientAddr("lookup", args[0])
			if err != nil {
				return err
			}
			var topo *topology.Topology
			if paths := args[1:]; len(paths) > 0 || !files.Is() {
				if topo, err = in.Topology(here(paths), cmd.ErrOrStderr()); err != nil {
					return err
				}
				if !files.Is() {
					files = geoFiles(topo)
				}
			}
			found, err := lookUp(addr, files, topo)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), found)
			}
			fmt.Fprint(cmd.OutOrStdout(), found.text())
			return nil
		},
	}
	cmd.Flags().StringVar(&files.City, "city", "", "look into this City or Country database `FILE`")
	cmd.Flags().StringVar(&files.ASN, "asn", "", "look into this `FILE` with autonomous systems")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write it as JSON")
	in.Flags(cmd)
	return cmd
}

// A geoAnswer is what gslb geo lookup says.
type geoAnswer struct {
	FormatVersion int       `json:"format_version"`
	Address       string    `json:"address"`
	City          *geoEntry `json:"city,omitempty"`
	ASN           *geoEntry `json:"asn,omitempty"`
	// Steps are those that look at the client; nil: no topology was given.
	Steps []geoStep `json:"steps,omitempty"`
}

// A geoEntry is what a database says.
type geoEntry struct {
	File          string   `json:"file"`
	Network       string   `json:"network"`
	Found         bool     `json:"found"`
	Continent     string   `json:"continent,omitempty"`
	ContinentName string   `json:"continent_name,omitempty"`
	Country       string   `json:"country,omitempty"`
	CountryName   string   `json:"country_name,omitempty"`
	City          string   `json:"city,omitempty"`
	Latitude      *float64 `json:"latitude,omitempty"`
	Longitude     *float64 `json:"longitude,omitempty"`
	ASN           uint32   `json:"asn,omitempty"`
	Organisation  string   `json:"organisation,omitempty"`
}

// A geoStep is what a step takes the client for.
type geoStep struct {
	Policy string `json:"policy"` // "": no policy has this step
	Step   string `json:"step"`
	Region string `json:"region,omitempty"`
	Rule   string `json:"rule"`
	// What the rule found: a prefix, AS64500, DE, EU, 812 km.
	By string `json:"by,omitempty"`
}

func lookUp(addr netip.Addr, files geo.Files, topo *topology.Topology) (geoAnswer, error) {
	out := geoAnswer{FormatVersion: 1, Address: addr.String()}
	var where steering.Where
	for _, f := range []struct {
		path string
		into **geoEntry
	}{{files.City, &out.City}, {files.ASN, &out.ASN}} {
		if f.path == "" {
			continue
		}
		d, err := geo.Open(f.path)
		if err != nil {
			return out, err
		}
		e, err := d.Lookup(addr)
		if err != nil {
			return out, err
		}
		said := &geoEntry{File: f.path, Network: e.Network.String(), Found: e.Found}
		*f.into = said
		if f.into == &out.City {
			where = e.Where
			where.ASN = 0
			said.Continent, said.ContinentName, said.Country, said.CountryName, said.City = e.Continent, e.ContinentName, e.Country, e.CountryName, e.City
			if e.Point != nil {
				said.Latitude, said.Longitude = &e.Point.Lat, &e.Point.Lon
			}
		} else {
			where.ASN = e.ASN
			said.ASN, said.Organisation = e.ASN, e.Organisation
		}
	}
	if topo == nil {
		return out, nil
	}
	if len(topo.Regions) == 0 {
		return out, errors.New("the topology has no region that a client could belong to")
	}
	out.Steps = looks(topo, addr, where)
	return out, nil
}

// A pin is a map of one address.
type pin struct {
	addr  netip.Addr
	where steering.Where
}

// Walk yields the address.
func (p pin) Walk(yield func(netip.Prefix, steering.Where) bool) {
	yield(netip.PrefixFrom(p.addr, p.addr.BitLen()), p.where)
}

// looks asks steering what every step that looks at the client takes it for,
// each in a policy of its own and with an answer in every region, so that
// nothing else has a say. A topology without one is asked for a geo step.
func looks(topo *topology.Topology, addr netip.Addr, where steering.Where) []geoStep {
	var steps []topology.Placed
	for _, p := range topo.Policies {
		for _, s := range p.Steps {
			switch s.Kind {
			case topology.StepPrefixes, topology.StepGeo, topology.StepASN, topology.StepNearest:
				steps = append(steps, topology.Placed{Step: s, In: p})
			}
		}
	}
	if len(steps) == 0 {
		steps = []topology.Placed{{Step: topology.Step{Kind: topology.StepGeo}, In: &topology.Policy{}}}
	}
	answers := make([]*topology.Answer, len(topo.Regions))
	for i, r := range topo.Regions {
		answers[i] = &topology.Answer{ID: r.ID, Region: r, Addrs: []netip.Addr{addr}, Weight: 1, Bias: r.Bias}
	}
	family := steering.V4
	if addr.Is6() {
		family = steering.V6
	}
	var out []geoStep
	for _, s := range steps {
		d := &topology.Domain{Answers: answers, Policy: &topology.Policy{Steps: []topology.Step{s.Step}}}
		alone := &topology.Topology{Regions: topo.Regions, Domains: []*topology.Domain{d}}
		m := pin{addr, where}
		trace, _ := steering.Explain(steering.Prepare(alone, m), steering.Inputs{Map: m}, d, family, netip.PrefixFrom(addr, addr.BitLen()), 0)
		said := geoStep{Policy: s.In.ID, Step: s.Kind.String(), Rule: "none"}
		if len(trace.Stages) > 0 {
			r := trace.Stages[0].Reason
			region := r.Region
			if region == nil && r.Rule != steering.NoRule {
				region = r.Served
			}
			if region != nil {
				said.Region = region.ID
			}
			said.Rule, said.By = ruled(r, where)
		}
		out = append(out, said)
	}
	return out
}

// ruled is the rule in a word, and what it found.
func ruled(r steering.Reason, w steering.Where) (rule, by string) {
	switch r.Rule {
	case steering.RulePrefix:
		return "prefix", r.Prefix.String()
	case steering.RuleASN:
		return "asn", asName(w.ASN)
	case steering.RuleCountry:
		return "country", w.Country
	case steering.RuleContinent:
		return "continent", w.Continent
	case steering.RuleNearest:
		if r.Kilometres >= 0 {
			by = fmt.Sprintf("%.0f km", r.Kilometres)
		}
		return "nearest", by
	case steering.RuleDefault:
		return "default", ""
	}
	return "none", ""
}

func asName(n uint32) string { return "AS" + strconv.FormatUint(uint64(n), 10) }

func (a geoAnswer) text() string {
	var b strings.Builder
	fmt.Fprintln(&b, a.Address)
	for _, d := range []struct {
		name string
		*geoEntry
	}{{"city", a.City}, {"asn", a.ASN}} {
		if d.geoEntry == nil {
			continue
		}
		fmt.Fprintf(&b, "\n%s  %s\n", d.name, d.File)
		line := func(name string, words ...string) {
			if text := strings.TrimSpace(strings.Join(words, " ")); text != "" {
				fmt.Fprintf(&b, "  %-12s %s\n", name, text)
			}
		}
		line("network", d.Network)
		if !d.Found {
			line("", "nothing is known about it")
			continue
		}
		line("continent", d.Continent, d.ContinentName)
		line("country", d.Country, d.CountryName)
		line("city", d.City)
		if d.Latitude != nil {
			line("coordinates", strconv.FormatFloat(*d.Latitude, 'f', -1, 64)+",", strconv.FormatFloat(*d.Longitude, 'f', -1, 64))
		}
		if d.ASN != 0 {
			line("system", asName(d.ASN), d.Organisation)
		}
	}
	if len(a.Steps) == 0 {
		return b.String()
	}
	if a.Steps[0].Policy == "" {
		fmt.Fprint(&b, "\nregion, if a policy had a step that looks at the client\n")
	} else {
		fmt.Fprint(&b, "\nregion, as steps of policies take it\n")
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, s := range a.Steps {
		name := "step " + s.Step
		if s.Policy != "" {
			name = s.Policy + "\t" + name
		}
		switch {
		case s.Rule == "none":
			fmt.Fprintf(w, "  %s\tnobody's: every place stays\n", name)
		case s.By == "":
			fmt.Fprintf(w, "  %s\t%s\tby %s\n", name, s.Region, s.Rule)
		default:
			fmt.Fprintf(w, "  %s\t%s\tby %s: %s\n", name, s.Region, s.Rule, s.By)
		}
	}
	_ = w.Flush()
	return b.String()
}

func geoInfoCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "info FILE",
		Short: "Say what a geo database is",
		Long: `Say of which type a database is, when it was built, how much is in it and which
of what clients are steered by it tells. The whole file is verified, as 'gslb
serve' does before it takes one.`,
		Example: `  gslb geo info dbip-city-lite.mmdb
  gslb geo info new.mmdb && mv new.mmdb city.mmdb`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := geo.Open(args[0])
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), geoFileOf(info))
			}
			fmt.Fprint(cmd.OutOrStdout(), geoFileOf(info).text())
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write it as JSON")
	return cmd
}

// A geoFile is what gslb geo info says.
type geoFile struct {
	FormatVersion int      `json:"format_version"`
	File          string   `json:"file"`
	Type          string   `json:"type"`
	Built         string   `json:"built"` // RFC 3339, UTC
	IPVersion     int      `json:"ip_version"`
	Networks      int      `json:"networks"`
	Records       int      `json:"records"`
	Bytes         int64    `json:"bytes"`
	Tells         []string `json:"tells"`
}

func geoFileOf(i geo.Info) geoFile {
	f := geoFile{1, i.Path, i.Type, i.Built.Format(time.RFC3339), i.IPVersion, i.Networks, i.Records, i.Size, []string{}}
	for _, t := range []struct {
		name string
		told bool
	}{{"continent", i.Has.Continent}, {"country", i.Has.Country}, {"coordinates", i.Has.Point}, {"asn", i.Has.ASN}} {
		if t.told {
			f.Tells = append(f.Tells, t.name)
		}
	}
	return f
}

func (f geoFile) text() string {
	tells := "nothing that clients are steered by"
	if len(f.Tells) > 0 {
		tells = strings.Join(f.Tells, ", ")
	}
	families := "IPv4"
	if f.IPVersion == 6 {
		families = "IPv4 and IPv6"
	}
	return fmt.Sprintf("%s\n  type      %s\n  built     %s\n  families  %s\n  networks  %d\n  records   %d\n  size      %d bytes\n  tells     %s\n",
		f.File, f.Type, f.Built, families, f.Networks, f.Records, f.Bytes, tells)
}

func writeJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(v)
}
