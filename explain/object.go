package explain

import (
	"fmt"
	"slices"
	"strings"

	"gslb/internal/near"
	"gslb/topology"
)

// An object is something that can be down.
type object struct {
	id      string
	follows []string // objects that are down when it is
}

// objects are all that can be down, in file order within each kind.
func objects(topo *topology.Topology) []object {
	var out []object
	for _, r := range topo.Regions {
		o := object{id: r.ID}
		for _, n := range topo.Networks {
			if n.Region == r {
				o.follows = append(o.follows, n.ID)
			}
		}
		for _, d := range topo.Directors {
			if d.Region() == r {
				o.follows = append(o.follows, d.ID)
			}
		}
		for _, f := range topo.Farms {
			if f.Region == r {
				o.follows = append(o.follows, f.ID)
			}
		}
		for _, n := range topo.Nameservers {
			if n.Region == r {
				o.follows = append(o.follows, n.ID)
			}
		}
		for _, d := range topo.Domains {
			for _, a := range d.Answers {
				if a.Region == r && a.Service == nil {
					o.follows = append(o.follows, a.ID)
				}
			}
		}
		out = append(out, o)
	}
	for _, n := range topo.Networks {
		o := object{id: n.ID}
		for _, d := range topo.Directors {
			if d.Network == n {
				o.follows = append(o.follows, d.ID)
			}
		}
		for _, f := range topo.Farms {
			if f.Network == n {
				o.follows = append(o.follows, f.ID)
			}
		}
		for _, ns := range topo.Nameservers {
			if ns.Region == n.Region && len(ns.Addrs) > 0 && n.Contains(ns.Addrs[0]) {
				o.follows = append(o.follows, ns.ID)
			}
		}
		out = append(out, o)
	}
	for _, n := range topo.Nameservers {
		out = append(out, object{id: n.ID})
	}
	for _, d := range topo.Directors {
		out = append(out, object{id: d.ID})
	}
	for _, f := range topo.Failovers {
		o := object{id: f.ID}
		for _, d := range f.Members {
			o.follows = append(o.follows, d.ID)
		}
		out = append(out, o)
	}
	for _, f := range topo.Farms {
		o := object{id: f.ID}
		var servers []object
		for _, s := range f.Servers {
			o.follows = append(o.follows, s.ID)
			servers = append(servers, object{id: s.ID})
		}
		out = append(append(out, o), servers...)
	}
	for _, s := range topo.Services {
		out = append(out, object{id: s.ID})
	}
	for _, d := range topo.Domains {
		for _, a := range d.Answers {
			out = append(out, object{id: a.ID})
		}
	}
	return out
}

// bare is an address without the quotes that a shell may have taken away.
func bare(id string) string { return strings.ReplaceAll(id, `"`, "") }

// named returns the objects that given names: one, or all instances of a label.
func named(all []object, given string) ([]object, error) {
	var found []object
	for _, o := range all {
		id := bare(o.id)
		if id == bare(given) {
			return []object{o}, nil
		}
		if rest, ok := strings.CutPrefix(id, bare(given)+"["); ok && strings.HasSuffix(rest, "]") && !strings.Contains(rest, "].") {
			found = append(found, o)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	ids := make([]string, len(all))
	for i, o := range all {
		ids[i] = bare(o.id)
	}
	if meant := near.Word(bare(given), ids); meant != "" {
		return nil, fmt.Errorf("%s: there is no such object that could be down. Did you mean %s?", given, all[slices.Index(ids, meant)].id)
	}
	kind, _, _ := strings.Cut(given, ".")
	var same []string
	for _, o := range all {
		if strings.HasPrefix(o.id, kind+".") {
			same = append(same, o.id)
		}
	}
	if len(same) > 0 {
		return nil, fmt.Errorf("%s: there is no such object that could be down. There is %s", given, few(same, ", "))
	}
	return nil, fmt.Errorf("%s: there is no such object that could be down; a region, network, nameserver, director, failover, farm, server, virtual_service or answer could", given)
}

// few joins words and leaves out what nobody would read.
func few(words []string, with string) string {
	const show = 6
	if len(words) > show+1 {
		return fmt.Sprintf("%s%sand %d more", strings.Join(words[:show], with), with, len(words)-show)
	}
	return strings.Join(words, with)
}
