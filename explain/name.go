package explain

import (
	"fmt"
	"slices"
	"strings"

	"gslb/internal/near"
	"gslb/topology"
)

// Absolute returns the name that an operator means by given: it may be
// absolute, with or without its last dot, or relative to a zone of the file.
// A name with a last dot is taken as it is. An error is a name that is there
// in several zones.
func Absolute(topo *topology.Topology, given string) (string, error) {
	name := strings.ToLower(given)
	if strings.HasSuffix(name, ".") {
		return name, nil
	}
	there := names(topo)
	if slices.Contains(there, name) {
		return name + ".", nil
	}
	var found []string
	for _, z := range topo.Zones {
		if full := name + "." + strings.TrimSuffix(z.Name, "."); slices.Contains(there, full) {
			found = append(found, full)
		}
	}
	switch {
	case len(found) > 1:
		return "", fmt.Errorf("%s is in several zones: say %s", given, few(found, " or "))
	case len(found) == 1:
		return found[0] + ".", nil
	}
	for _, z := range topo.Zones {
		if within(name+".", z) {
			return name + ".", nil
		}
	}
	if len(topo.Zones) == 1 && !strings.Contains(name, ".") {
		return name + "." + topo.Zones[0].Name, nil
	}
	return name + ".", nil
}

func within(name string, z *topology.Zone) bool { return strings.HasSuffix("."+name, "."+z.Name) }

// names are those of a topology, without their last dots, each once.
func names(topo *topology.Topology) []string {
	var out []string
	for _, d := range topo.Domains {
		out = append(out, strings.TrimSuffix(d.Name, "."))
	}
	for _, z := range topo.Zones {
		out = append(out, strings.TrimSuffix(z.Name, "."))
		for _, r := range z.Records {
			out = append(out, strings.TrimSuffix(r.Name, "."))
		}
		for _, n := range topo.Nameservers {
			if host := n.NameIn(z); strings.HasSuffix(host, "."+z.Name) {
				out = append(out, strings.TrimSuffix(host, "."))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// meant is the name of the file that somebody may have meant who got a reply
// that says there is no such name: within its zone if there is one, for all
// names of a zone are alike at their ends.
func meant(topo *topology.Topology, r Reply, name string) string {
	zone := ""
	switch r.Rcode {
	case "REFUSED":
		if slices.ContainsFunc(topo.Zones, func(z *topology.Zone) bool { return within(name, z) }) {
			return "" // for another reason
		}
	case "NXDOMAIN":
		name, zone = r.Name, "."+strings.TrimSuffix(r.Zone, ".")
	default:
		return ""
	}
	var words []string
	for _, n := range names(topo) {
		if word, ok := strings.CutSuffix(n, zone); ok {
			words = append(words, word)
		}
	}
	word := near.Word(strings.TrimSuffix(strings.TrimSuffix(name, "."), zone), words)
	if word == "" {
		return ""
	}
	return word + zone
}
