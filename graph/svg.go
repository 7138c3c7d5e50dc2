package graph

import (
	"fmt"
	"math"
	"strings"

	"gslb/topology"
)

// The drawing's colours; a viewer that prefers dark gets the second ones.
const style = `
text { font-family: system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; fill: #1b2430 }
.sheet { fill: #ffffff }
.title { font-size: 22px; font-weight: 600 }
.sub { font-size: 13px; fill: #57606a }
.head { font-size: 11px; fill: #57606a; letter-spacing: .06em }
.name { font-size: 13px; font-weight: 600 }
.line { font-size: 12px; fill: #57606a }
.frame { font-size: 13px; font-weight: 600 }
.box { fill: #ffffff; stroke: #b4bdc8 }
.back { fill: #f2f4f7; stroke: #b4bdc8 }
.dns { fill: #f6f8fa; stroke: #d8dee4 }
.r0 { fill: #eef4ff; stroke: #c6d8f7 } .r1 { fill: #eefaf2; stroke: #c3e6d0 } .r2 { fill: #fff8e9; stroke: #efdcae }
.r3 { fill: #f6f1ff; stroke: #dccff5 } .r4 { fill: #fff1f3; stroke: #f3cdd5 } .r5 { fill: #ebf9fa; stroke: #bde3e6 }
.edge { fill: none; stroke: #8b96a5; stroke-width: 1.4 }
.tip { fill: #8b96a5 }
.pill { fill: #ffffff; stroke-width: 1.2 }
.what { font-size: 11px; font-weight: 600 }
.note { font-size: 11px; fill: #57606a }
.part { font-size: 11px; font-weight: 600; fill: #57606a }
.nat { stroke: #d97a2b } .tun { stroke: #7d5bd0 } .dr { stroke: #1f9488 }
.mark { stroke: none } .service { fill: #2f6fde } .director { fill: #6b7788 } .farm { fill: #2f9e5b } .place { fill: #97a1ae }
.nameserver, .domain, .zone { fill: #97a1ae }
.over { fill: #c0392b }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.sheet { fill: #0d1117 }
.sub, .head, .line, .note, .part { fill: #9aa5b1 }
.box { fill: #161c24; stroke: #465160 }
.back { fill: #11161d; stroke: #465160 }
.dns { fill: #12171e; stroke: #30363d }
.r0 { fill: #101b30; stroke: #263d63 } .r1 { fill: #0f2118; stroke: #24482f } .r2 { fill: #231c0d; stroke: #4d3f1d }
.r3 { fill: #1b1530; stroke: #3c3063 } .r4 { fill: #28141a; stroke: #5a2c37 } .r5 { fill: #0d2123; stroke: #23484c }
.edge { stroke: #748091 }
.tip { fill: #748091 }
.pill { fill: #0d1117 }
.over { fill: #ff7b6b }
}
`

// SVG draws a topology for a browser: a sheet that needs no script, no font
// and nothing from elsewhere.
func SVG(t *topology.Topology) string {
	p := layout(compile(t))
	c := &canvas{}
	c.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s %s" role="img" aria-labelledby="title desc">`+"\n",
		num(p.w), num(p.h), num(p.w), num(p.h))
	name := p.model.name
	if name == "" {
		name = "topology"
	}
	c.printf("<title id=\"title\">%s</title>\n", escape(name))
	c.printf("<desc id=\"desc\">%s</desc>\n", escape(describe(p)))
	c.printf("<style>%s</style>\n", style)
	c.printf(`<rect class="sheet" width="%s" height="%s"/>`+"\n", num(p.w), num(p.h))
	c.text("title", margin, 40, "", name)
	c.text("sub", margin, 61, "", p.model.counts)
	for _, g := range p.dns {
		c.frame(g, "dns")
	}
	for i, g := range p.bands {
		class := fmt.Sprintf("r%d", i%6)
		if g.id == "" { // no region
			class = "dns"
		}
		c.frame(g, class)
	}
	c.fronts(p)
	c.links(p)
	for _, b := range p.model.all {
		c.box(b)
	}
	for _, j := range p.pills {
		c.pill(j)
	}
	c.legend(p)
	c.printf("</svg>\n")
	return c.out.String()
}

// describe says in words what the drawing shows.
func describe(p *plan) string {
	var parts []string
	for _, g := range p.bands {
		var in []string
		for _, b := range g.boxes {
			in = append(in, b.kind.String()+" "+b.title)
		}
		parts = append(parts, g.title+": "+strings.Join(in, ", "))
	}
	s := strings.ReplaceAll(p.model.counts, " ·", ",")
	if len(parts) > 0 {
		s += ". " + strings.Join(parts, ". ")
	}
	return s + "."
}

type canvas struct{ out strings.Builder }

func (c *canvas) printf(format string, args ...any) { fmt.Fprintf(&c.out, format, args...) }

func (c *canvas) text(class string, x, y float64, anchor, s string) {
	if s == "" {
		return
	}
	if anchor != "" {
		anchor = ` text-anchor="` + anchor + `"`
	}
	c.printf(`<text class="%s" x="%s" y="%s"%s>%s</text>`+"\n", class, num(x), num(y), anchor, escape(s))
}

func (c *canvas) rect(class string, x, y, w, h, r float64) {
	c.printf(`<rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="%s"/>`+"\n", class, num(x), num(y), num(w), num(h), num(r))
}

func (c *canvas) frame(g *group, class string) {
	c.rect(class, g.x, g.y, g.w, g.h, 10)
	c.text("frame", g.x+14, g.y+22, "", cut(g.title, 13, g.w-28))
}

func (c *canvas) box(b *box) {
	c.printf("<g>")
	c.printf("<title>%s</title>\n", escape(strings.Join(b.objects, "\n")))
	if b.many || len(b.objects) > 1 {
		c.rect("back", b.x+4, b.y+4, b.w, b.h, 6)
	}
	c.rect("box", b.x, b.y, b.w, b.h, 6)
	c.rect("mark "+marks[b.kind], b.x, b.y+6, 3, b.h-12, 1.5)
	y := b.y + padY + 13
	c.text("name", b.x+padX, y, "", cut(b.title, 13, b.w-2*padX+4))
	for _, s := range b.lines {
		y += lineH
		c.text("line", b.x+padX, y+2, "", cut(s, 12, b.w-2*padX+4))
	}
	c.printf("</g>\n")
}

var marks = map[kind]string{
	nameserver: "nameserver", domain: "domain", zone: "zone", service: "service", place: "place", director: "director", farm: "farm",
}

func (c *canvas) pill(j *pill) {
	mid := j.x + j.w/2
	w := textWidth(j.link.label, 11) + 18
	c.printf("<g>")
	c.rect("pill "+j.link.method, mid-w/2, j.y, w, pillH, pillH/2)
	c.text("what", mid, j.y+14, "middle", j.link.label)
	class := "note"
	if j.link.limit > 0 && j.link.supply > j.link.limit {
		class = "note over"
	}
	c.text(class, mid, j.y+pillH+12, "middle", j.note)
	c.printf("</g>\n")
}

// curve goes from one point to another, level at both ends.
func (c *canvas) curve(x0, y0, x1, y1 float64) {
	if math.Abs(y0-y1) < 0.5 {
		c.printf(`<path class="edge" d="M%s %sH%s"/>`+"\n", num(x0), num(y0), num(x1))
		return
	}
	mid := (x0 + x1) / 2
	c.printf(`<path class="edge" d="M%s %sC%s %s %s %s %s %s"/>`+"\n", num(x0), num(y0), num(mid), num(y0), num(mid), num(y1), num(x1), num(y1))
}

// far is how far above or below a box lies that a lane leads to.
const far = 60

// lane goes to a box far above or below, straight between pills and boxes.
func (c *canvas) lane(x0, y0, x1, y1 float64) {
	at, r := x1-6, 6.0
	if y1 < y0 {
		r = -r
	}
	c.printf(`<path class="edge" d="M%s %sH%sq6 0 6 %sV%sq0 %s 6 %sH%s"/>`+"\n",
		num(x0), num(y0), num(at-6), num(r), num(y1-r), num(r), num(r), num(x1))
}

// tip is the point of an arrow that ends at x, y going right.
func (c *canvas) tip(x, y float64) {
	c.printf(`<path class="tip" d="M%s %sl-7 -3.5v7z"/>`+"\n", num(x), num(y))
}

// fronts joins the nameservers to the zones they serve: downwards to one,
// beside the frames to several.
func (c *canvas) fronts(p *plan) {
	if len(p.dns) < 2 || p.dns[0].boxes[0].kind != nameserver {
		return
	}
	from, zones := p.dns[0], p.dns[1:]
	if len(zones) == 1 {
		x, y := from.x+from.w/2, zones[0].y
		c.printf(`<path class="edge" d="M%s %sV%s"/>`+"\n", num(x), num(from.y+from.h), num(y-6))
		c.printf(`<path class="tip" d="M%s %sl-3.5 -7h7z"/>`+"\n", num(x), num(y))
		return
	}
	at := from.x - 13
	end := zones[len(zones)-1].y + frameTop/2
	c.printf(`<path class="edge" d="M%s %sH%sq-6 0 -6 6V%s"/>`+"\n", num(from.x), num(from.y+frameTop/2), num(at+6), num(end-6))
	for _, z := range zones {
		y := z.y + frameTop/2
		c.printf(`<path class="edge" d="M%s %sq0 6 6 6H%s"/>`+"\n", num(at), num(y-6), num(z.x-6))
		c.tip(z.x, y)
	}
}

func (c *canvas) links(p *plan) {
	left := 0.0 // of the first bands
	if len(p.bands) > 0 {
		left = p.bands[0].x
	}
	frame := map[*box]*group{}
	for _, g := range p.bands {
		for _, b := range g.boxes {
			frame[b] = g
		}
	}
	for _, l := range p.model.links {
		if l.method != "" {
			continue
		}
		from := l.from[0]
		for _, to := range l.to {
			x, y := to.x, to.middle()
			if from.kind != domain {
				c.curve(from.x+from.w, from.middle(), x-6, y)
				c.tip(x, y)
				continue
			}
			y = p.ports[l]
			g, level := frame[to], x-50 // the share stands on what is level
			if g.x == left {
				c.curve(from.x+from.w, from.middle(), level, y)
			} else {
				// Along the road above the row of bands, then down into this one.
				road := g.y - bandGap/2
				c.curve(from.x+from.w, from.middle(), left-8, road)
				c.printf(`<path class="edge" d="M%s %sH%s"/>`+"\n", num(left-8), num(road), num(g.x-bandGap))
				c.curve(g.x-bandGap, road, level, y)
			}
			c.printf(`<path class="edge" d="M%s %sH%s"/>`+"\n", num(level), num(y), num(x-6))
			c.tip(x, y)
			c.text("part", x-10, y-5, "end", l.label)
		}
	}
	for _, j := range p.pills {
		y := j.y + pillH/2
		w := textWidth(j.link.label, 11) + 18
		mid := j.x + j.w/2
		for _, b := range j.link.from {
			c.curve(b.x+b.w, b.middle(), mid-w/2, y)
		}
		for _, b := range j.link.to {
			if b.y > y+far || b.y+b.h < y-far {
				c.lane(mid+w/2, y, b.x-6, b.middle())
			} else {
				c.curve(mid+w/2, y, b.x-6, b.middle())
			}
			c.tip(b.x, b.middle())
		}
	}
}

// legend says what the pills mean, as far as there are any.
func (c *canvas) legend(p *plan) {
	if len(p.pills) == 0 {
		return
	}
	s := "On the way: method and scheduler of the tier."
	limit, supply := false, false
	for _, j := range p.pills {
		limit, supply = limit || j.link.limit > 0, supply || j.link.supply > 0
	}
	switch {
	case limit && supply:
		s += " Below: what the directors can rewrite by NAT, for what the servers deliver."
	case limit:
		s += " Below: what the directors can rewrite by NAT."
	case supply:
		s += " Below: what the servers deliver."
	}
	c.text("sub", margin, p.h-16, "", s)
}

// num writes a length with one digit behind the point at most.
func num(v float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}

// escape is text as an element or a quoted attribute holds it.
func escape(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(clean(l))
	}
	return strings.Join(lines, "\n")
}
