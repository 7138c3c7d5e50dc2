package graph

import (
	"fmt"
	"strings"

	"gslb/topology"
)

// Mermaid writes a topology as a flowchart that Markdown viewers draw.
func Mermaid(t *topology.Topology) string {
	m := compile(t)
	var out strings.Builder
	out.WriteString("flowchart LR\n")
	for i, g := range m.groups {
		fmt.Fprintf(&out, "  subgraph g%d[%s]\n", i, mermaidText(g.title))
		for _, b := range g.boxes {
			open, end := "[", "]"
			switch b.kind {
			case service:
				open, end = "([", "])"
			case farm:
				open, end = "[[", "]]"
			}
			fmt.Fprintf(&out, "    %s%s%s%s\n", b.id, open, mermaidText(append([]string{b.title}, b.lines...)...), end)
		}
		out.WriteString("  end\n")
	}
	m.zones(func(_, _ *group, i, j int) { fmt.Fprintf(&out, "  g%d --> g%d\n", i, j) })
	joints := 0
	m.edges(func(from, to, label string) {
		arrow := "-->"
		if label != "" {
			arrow = "-->|" + mermaidText(strings.Split(label, "\n")...) + "|"
		}
		fmt.Fprintf(&out, "  %s %s %s\n", from, arrow, to)
	}, func(label string) string {
		joints++
		id := fmt.Sprintf("j%d", joints)
		fmt.Fprintf(&out, "  %s{{%s}}\n", id, mermaidText(strings.Split(label, "\n")...))
		return id
	})
	return out.String()
}

// mermaidText is a quoted label of some lines. What could end it or be read
// as markup is written by its number.
func mermaidText(lines ...string) string {
	for i, s := range lines {
		lines[i] = strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "&", "#amp;", "`", "#96;", "\\", "#92;").Replace(clean(s))
	}
	return `"` + strings.Join(lines, "<br>") + `"`
}
