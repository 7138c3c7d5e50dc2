package graph

import (
	"fmt"
	"strings"

	"gslb/topology"
)

// DOT writes a topology in the language of Graphviz.
func DOT(t *topology.Topology) string {
	m := compile(t)
	var out strings.Builder
	out.WriteString("digraph topology {\n")
	out.WriteString("  graph [rankdir=LR, compound=true, fontname=\"sans-serif\", label=" + dotText(m.name) + ", labelloc=t]\n")
	out.WriteString("  node [shape=box, style=rounded, fontname=\"sans-serif\", fontsize=11]\n")
	out.WriteString("  edge [fontname=\"sans-serif\", fontsize=10]\n")
	for i, g := range m.groups {
		fmt.Fprintf(&out, "  subgraph cluster_%d {\n    label=%s\n", i, dotText(g.title))
		for _, b := range g.boxes {
			fmt.Fprintf(&out, "    %s [label=%s%s]\n", b.id, dotText(append([]string{b.title}, b.lines...)...), dotShape(b.kind))
		}
		out.WriteString("  }\n")
	}
	m.zones(func(from, to *group, i, j int) {
		fmt.Fprintf(&out, "  %s -> %s [ltail=cluster_%d, lhead=cluster_%d]\n", from.boxes[0].id, to.boxes[0].id, i, j)
	})
	joints := 0
	m.edges(func(from, to, label string) {
		fmt.Fprintf(&out, "  %s -> %s", from, to)
		if label != "" {
			fmt.Fprintf(&out, " [label=%s]", dotText(strings.Split(label, "\n")...))
		}
		out.WriteString("\n")
	}, func(label string) string {
		joints++
		id := fmt.Sprintf("j%d", joints)
		fmt.Fprintf(&out, "  %s [shape=plaintext, label=%s]\n", id, dotText(strings.Split(label, "\n")...))
		return id
	})
	out.WriteString("}\n")
	return out.String()
}

func dotShape(k kind) string {
	switch k {
	case service:
		return ", style=\"rounded,bold\""
	case farm:
		return ", shape=box3d, style=solid"
	case domain, zone:
		return ", shape=note, style=solid"
	}
	return ""
}

// dotText is a quoted string of some lines.
func dotText(lines ...string) string {
	for i, s := range lines {
		lines[i] = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(clean(s))
	}
	return `"` + strings.Join(lines, `\n`) + `"`
}

// zones calls do for the frame of the nameservers with that of each zone.
func (m *model) zones(do func(from, to *group, i, j int)) {
	for j, g := range m.groups {
		if j > 0 && g.dns && m.groups[0].boxes[0].kind == nameserver {
			do(m.groups[0], g, 0, j)
		}
	}
}

// edges writes the links one by one. A link of many to many goes through a
// joint, which carries its label, so that there are as many edges as ends.
func (m *model) edges(edge func(from, to, label string), joint func(label string) string) {
	for _, l := range m.links {
		label := l.label
		if c := l.carries(); c != "" {
			label += "\n" + c
		}
		if len(l.from) == 1 {
			for _, b := range l.to {
				edge(l.from[0].id, b.id, label)
			}
			continue
		}
		if len(l.to) == 1 {
			for _, b := range l.from {
				edge(b.id, l.to[0].id, label)
			}
			continue
		}
		id := joint(label)
		for _, b := range l.from {
			edge(b.id, id, "")
		}
		for _, b := range l.to {
			edge(id, b.id, "")
		}
	}
}
