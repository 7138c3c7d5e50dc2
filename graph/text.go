package graph

import (
	"strings"

	"gslb/topology"
)

// A branch is a line of a tree with what hangs below it.
type branch struct {
	text string
	kids []*branch
}

func (b *branch) add(parts ...string) *branch {
	k := &branch{text: clean(strings.Join(parts, "  "))}
	b.kids = append(b.kids, k)
	return k
}

func (b *branch) write(out *strings.Builder, in string) {
	for i, k := range b.kids {
		stem, below := "├─ ", "│  "
		if i == len(b.kids)-1 {
			stem, below = "└─ ", "   "
		}
		out.WriteString(in + stem + k.text + "\n")
		k.write(out, in+below)
	}
}

// Text draws a topology as a tree for a terminal, every object by its address
// in the file: who serves which names, and for each region the way of a
// packet. Servers are counted, not listed.
func Text(t *topology.Topology) string {
	var out strings.Builder
	top := func(text string, fill func(b *branch)) {
		var b branch
		fill(&b)
		out.WriteString(clean(text) + "\n")
		b.write(&out, "")
	}
	if t.Name != "" {
		out.WriteString(clean(t.Name) + ": ")
	}
	if c := counts(t); c != "" {
		out.WriteString(strings.ReplaceAll(c, " ·", ",") + "\n")
	} else {
		out.WriteString("empty\n")
	}
	byZone := map[*topology.Zone][]*topology.Domain{}
	for _, d := range t.Domains {
		byZone[d.Zone] = append(byZone[d.Zone], d)
	}
	if len(t.Nameservers) > 0 {
		top("nameservers", func(b *branch) {
			for _, n := range t.Nameservers {
				b.add(n.ID, topology.Addrs(n.Addrs).String(), n.Region.ID)
			}
		})
	}
	for _, z := range t.Zones {
		top(z.ID+"  "+bareName(z.Name), func(b *branch) {
			for _, d := range byZone[z] {
				answers(b.add(append([]string{bareName(d.Name)}, about(d)...)...), d)
			}
		})
	}
	inRegion := map[*topology.Region][]*topology.Service{}
	for _, v := range t.Services {
		inRegion[v.Region] = append(inRegion[v.Region], v)
	}
	idle := unused(t)
	for _, r := range t.Regions {
		top(r.ID, func(b *branch) {
			for _, v := range inRegion[r] {
				way(b.add(v.ID, v.VIPs.String(), ports(v.Ports, len(v.Ports))), v)
			}
			for _, text := range idle[r] {
				b.add(text, "not used")
			}
		})
	}
	return out.String()
}

func answers(b *branch, d *topology.Domain) {
	for _, a := range d.Answers {
		if a.Service != nil {
			of := []string{part(d, a), a.Service.ID}
			if a.Target != "" {
				of = append(of, bareName(a.Target))
			}
			b.add(of...)
			continue
		}
		region := []string{part(d, a), strings.Join(points(a), ", ")}
		if a.Region != nil {
			region = append(region, a.Region.ID)
		}
		b.add(region...)
	}
}

// way hangs the tiers of a service below it.
func way(b *branch, v *topology.Service) {
	for i, t := range v.Tiers {
		tier := b.add("tier " + t.Name + ": " + t.Method.String() + ", " + t.Scheduler)
		if i < len(v.Tiers)-1 {
			for _, f := range t.Forwarders() {
				forwarder(tier, v, t, f)
			}
			continue
		}
		for _, c := range cells(t, func(d *topology.Director) string { return d.ID }) {
			var last *branch
			for _, f := range c.forwarders {
				last = forwarder(tier, v, t, f)
			}
			if len(c.forwarders) > 1 || last == nil {
				last = tier
			}
			for _, f := range c.farms {
				parts := []string{f.ID, plural(len(f.Servers), "server")}
				if rate := throughput(f); rate > 0 {
					parts = append(parts, perSecond(rate))
				}
				if f.Region != v.Region {
					parts = append(parts, f.Region.ID)
				}
				last.add(parts...)
			}
		}
	}
}

// forwarder hangs a director below its tier, or a pair with its members.
func forwarder(tier *branch, v *topology.Service, t *topology.Tier, f topology.Forwarder) *branch {
	parts := []string{f.ID()}
	if addrs := f.Addrs(); len(addrs) > 0 {
		parts = append(parts, addrs.String())
	}
	if rate := rewrites(t, []topology.Forwarder{f}); rate > 0 {
		parts = append(parts, perSecond(rate))
	}
	if region := f.Members()[0].Region(); region != v.Region {
		parts = append(parts, region.ID)
	}
	b := tier.add(parts...)
	if f.Pair != nil {
		for i, d := range f.Pair.Members {
			order := "first"
			if i > 0 {
				order = "stands by"
			}
			b.add(d.ID, d.Addrs.String(), order)
		}
	}
	return b
}

// unused lists the directors and farms that no service leads to.
func unused(t *topology.Topology) map[*topology.Region][]string {
	used := map[string]bool{}
	for _, v := range t.Services {
		for _, tier := range v.Tiers {
			for _, d := range tier.Directors {
				used[d.ID] = true
			}
			for _, f := range tier.Farms {
				used[f.ID] = true
			}
		}
	}
	out := map[*topology.Region][]string{}
	for _, d := range t.Directors {
		if !used[d.ID] {
			out[d.Region()] = append(out[d.Region()], d.ID)
		}
	}
	for _, f := range t.Farms {
		if !used[f.ID] {
			out[f.Region] = append(out[f.Region], f.ID)
		}
	}
	return out
}
