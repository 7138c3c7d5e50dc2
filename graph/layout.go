package graph

import (
	"math"
	"slices"
	"unicode/utf8"
)

// Measures of the drawing in its own units, which are pixels at full size.
const (
	margin   = 24.0
	header   = 84.0 // title above everything
	footer   = 40.0
	titleH   = 18.0 // of a box
	lineH    = 15.0
	padY     = 8.0
	padX     = 12.0
	frameTop = 34.0 // title of a frame
	framePad = 18.0
	boxGap   = 14.0  // between boxes above each other
	blockGap = 22.0  // between services above each other
	bandGap  = 26.0  // between frames; links run in it
	gutter   = 116.0 // between columns, at least
	entry    = 64.0  // between a region's edge and its services; shares stand in it
	pillH    = 20.0
	noteH    = 15.0 // what a tier carries, below its pill
	narrow   = 104.0
	widest   = 190.0
	roadW    = 84.0 // between DNS and the regions
)

// A pill is where the many ends of a tier's link meet, with its label.
type pill struct {
	link       *link
	x, y, w, h float64
	note       string
}

// A plan is where everything lies.
type plan struct {
	model  *model
	w, h   float64
	dns    []*group
	bands  []*group
	cols   []float64 // left edge of each column in a band
	widths []float64
	gutter float64
	grid   int // bands side by side
	pills  []*pill
	ports  map[*link]float64 // y at which a name's link ends
}

// layout puts the boxes in their places: DNS on the left, a band for each
// region on the right, in it a column for services, for each tier and for
// farms. Many bands stand in several columns.
func layout(m *model) *plan {
	p := &plan{model: m, ports: map[*link]float64{}}
	for _, g := range m.groups {
		if g.dns {
			p.dns = append(p.dns, g)
		} else {
			p.bands = append(p.bands, g)
		}
	}
	for _, b := range m.all {
		b.h = padY + titleH + lineH*float64(len(b.lines)) + padY
	}
	p.columns()
	for _, g := range p.bands {
		p.band(g)
	}
	dnsW, dnsH := p.front()
	p.arrange(dnsW, dnsH)
	p.junctions()
	p.entries()
	return p
}

// column is the number of a box's column in its band.
func (p *plan) column(b *box) int {
	switch b.kind {
	case farm:
		return len(p.cols) - 1
	case director:
		return len(p.cols) - 2 - b.depth
	}
	return 0
}

// columns measures the columns of all bands, so that they stand in line.
func (p *plan) columns() {
	tiers, served := 0, false
	for _, g := range p.bands {
		for _, b := range g.boxes {
			switch b.kind {
			case director:
				tiers = max(tiers, b.depth+1)
			case farm:
				served = true
			}
		}
	}
	n := 1 + tiers
	if served || tiers > 0 {
		n++
	}
	p.cols, p.widths = make([]float64, n), make([]float64, n)
	for i := range p.widths {
		p.widths[i] = narrow
	}
	for _, g := range p.bands {
		for _, b := range g.boxes {
			c := p.column(b)
			p.widths[c] = max(p.widths[c], boxWidth(b))
		}
	}
	p.gutter = gutter
	for _, l := range p.model.links {
		if l.method != "" {
			p.gutter = max(p.gutter, math.Ceil(l.width())+26)
		}
	}
	x := entry
	for i := range p.cols {
		p.cols[i] = x
		x += p.widths[i] + p.gutter
		if i == 0 && n > 1 {
			x -= p.gutter / 2 // nothing is written there
		}
	}
}

// bandW is how wide every band is.
func (p *plan) bandW() float64 {
	last := len(p.cols) - 1
	return p.cols[last] + p.widths[last] + framePad
}

// band puts a region's boxes into rows; y counts from the band's top.
func (p *plan) band(g *group) {
	last := lastLinks(p.model, g)
	// Blocks, one for each service with what it is the first to use.
	var order []int
	blocks := map[int][]*box{}
	for _, b := range g.boxes {
		if blocks[b.first] == nil {
			order = append(order, b.first)
		}
		blocks[b.first] = append(blocks[b.first], b)
	}
	slices.Sort(order)
	y := frameTop
	for i, key := range order {
		if i > 0 {
			y += blockGap
		}
		y += p.block(blocks[key], last, y)
	}
	g.w, g.h = p.bandW(), y+framePad
	for _, b := range g.boxes {
		c := p.column(b)
		b.x, b.w = p.cols[c], p.widths[c]
	}
}

// lastLinks are for each director of a region the links to its farms.
func lastLinks(m *model, g *group) map[*box][]*link {
	in := map[*box]bool{}
	for _, b := range g.boxes {
		in[b] = true
	}
	out := map[*box][]*link{}
	for _, l := range m.links {
		if l.method != "" && l.to[0].kind == farm {
			for _, b := range l.from {
				if in[b] {
					out[b] = append(out[b], l)
				}
			}
		}
	}
	return out
}

// block stacks boxes from y on and returns how high they are. Directors lie
// beside the farms they feed; what stands before them is centred.
func (p *plan) block(all []*box, last map[*box][]*link, y float64) float64 {
	mine, placed := map[*box]bool{}, map[*box]bool{}
	for _, b := range all {
		mine[b] = true
	}
	var rows [][]*box
	take := func(row, boxes []*box) []*box {
		for _, b := range boxes {
			if mine[b] && !placed[b] {
				placed[b] = true
				row = append(row, b)
			}
		}
		return row
	}
	pills := map[*box]int{} // of a row's first box
	for _, b := range all {
		if placed[b] || len(last[b]) == 0 {
			continue
		}
		var row []*box
		for _, l := range last[b] {
			row = take(take(row, l.from), l.to)
		}
		pills[row[0]] = len(last[b])
		rows = append(rows, row)
	}
	// What is left stands beside the rows that leave its column free, or
	// below them all.
	used, crossed := map[int]bool{}, map[int]bool{}
	crosses := func(row []*box) bool { // its links pass a column between
		for _, b := range row {
			if b.kind == director && b.depth > 0 {
				return true
			}
		}
		return false
	}
	rows = slices.Concat(
		slices.DeleteFunc(slices.Clone(rows), func(row []*box) bool { return !crosses(row) }),
		slices.DeleteFunc(slices.Clone(rows), crosses))
	for _, row := range rows {
		first := len(p.cols)
		for _, b := range row {
			used[p.column(b)] = true
			first = min(first, p.column(b))
		}
		if crosses(row) {
			for c := first + 1; c < len(p.cols); c++ {
				crossed[c] = true
			}
		}
	}
	var beside, below, after []*box
	for _, b := range all {
		switch c := p.column(b); {
		case placed[b]:
		case used[c]:
			below = append(below, b)
		case crossed[c]:
			after = append(after, b)
		default:
			beside = append(beside, b)
		}
	}
	if len(below) > 0 {
		rows = append(rows, below)
	}
	total, top := 0.0, 0.0 // top: below the rows that cross
	heights := make([]float64, len(rows))
	for i, row := range rows {
		heights[i] = max(p.stacks(row), float64(pills[row[0]])*(pillH+noteH+6)-6)
		if i > 0 {
			total += boxGap
		}
		total += heights[i]
		if crosses(row) {
			top = total + boxGap
		}
	}
	total = max(total, top+p.stacks(after))
	h := max(total, p.stacks(beside))
	y += (h - total) / 2
	at := y
	for i, row := range rows {
		p.stack(row, at, heights[i])
		at += heights[i] + boxGap
	}
	p.stack(after, y+top, total-top)
	p.stack(beside, y-(h-total)/2, h)
	return h
}

// stacks is the height of boxes stacked by column.
func (p *plan) stacks(boxes []*box) float64 {
	h := map[int]float64{}
	most := 0.0
	for _, b := range boxes {
		c := p.column(b)
		if h[c] > 0 {
			h[c] += boxGap
		}
		h[c] += b.h
		most = max(most, h[c])
	}
	return most
}

// stack puts boxes above each other by column, each column centred in h.
func (p *plan) stack(boxes []*box, y, h float64) {
	columns := make([][]*box, len(p.cols))
	for _, b := range boxes {
		c := p.column(b)
		columns[c] = append(columns[c], b)
	}
	for _, col := range columns {
		at := y + (h-p.stacks(col))/2
		for _, b := range col {
			b.y = at
			at += b.h + boxGap
		}
	}
}

// front puts the DNS frames above each other and returns their size.
func (p *plan) front() (w, h float64) {
	if len(p.dns) == 0 {
		return 0, 0
	}
	for _, g := range p.dns {
		w = max(w, min(1.2*widest, textWidth(g.title, 13)))
		for _, b := range g.boxes {
			w = max(w, boxWidth(b))
		}
	}
	for i, g := range p.dns {
		if i > 0 {
			h += bandGap
		}
		g.y = h
		y := frameTop
		for _, b := range g.boxes {
			b.y, b.w = y, w
			y += b.h + boxGap
		}
		g.w, g.h = w+2*framePad, y-boxGap+framePad
		h += g.h
	}
	return w + 2*framePad, h
}

// arrange gives every frame its place on the sheet.
func (p *plan) arrange(dnsW, dnsH float64) {
	left := margin
	if dnsW > 0 {
		left += dnsW + roadW
	}
	bandW := p.bandW()
	rows := func(grid int) (heights []float64, sum float64) {
		for i, g := range p.bands {
			if i%grid == 0 {
				heights = append(heights, 0)
			}
			r := len(heights) - 1
			heights[r] = max(heights[r], g.h)
		}
		for i, h := range heights {
			if i > 0 {
				sum += bandGap
			}
			sum += h
		}
		return heights, sum
	}
	// As many bands side by side as make the sheet no higher than wide.
	p.grid = 1
	for p.grid < len(p.bands) {
		if _, h := rows(p.grid); h <= 900 || header+h+footer <= left+float64(p.grid)*(bandW+bandGap) {
			break
		}
		p.grid++
	}
	heights, sum := rows(p.grid)
	h := max(sum, dnsH)
	y := header + (h-sum)/2
	for i, g := range p.bands {
		r := i / p.grid
		if i > 0 && i%p.grid == 0 {
			y += heights[r-1] + bandGap
		}
		g.h = heights[r]
		p.move(g, left+float64(i%p.grid)*(bandW+bandGap), y)
	}
	top := header + (h-dnsH)/2
	for _, g := range p.dns {
		p.move(g, margin, top+g.y)
		for _, b := range g.boxes {
			b.x = margin + framePad
		}
	}
	p.w = margin + dnsW + margin
	if len(p.bands) > 0 {
		p.w = left + float64(p.grid)*(bandW+bandGap) - bandGap + margin
	}
	p.h = header + h + footer
	p.w = max(p.w, 2*margin+textWidth(p.model.name, 22), 2*margin+textWidth(p.model.counts, 13))
}

// move puts a frame, and what is in it, at x and y.
func (p *plan) move(g *group, x, y float64) {
	g.x, g.y = x, y
	for _, b := range g.boxes {
		b.x += x
		b.y += y
	}
}

func (b *box) middle() float64 { return b.y + b.h/2 }

// junctions puts the pills of tiers into the gutters.
func (p *plan) junctions() {
	taken := map[int][]*pill{} // by x
	for _, l := range p.model.links {
		if l.method == "" {
			continue
		}
		right, sum := 0.0, 0.0
		for _, b := range l.from {
			right = max(right, b.x+b.w)
			sum += b.middle()
		}
		y := sum / float64(len(l.from))
		if len(l.from) > 1 && len(l.to) == 1 {
			y = l.to[0].middle()
		}
		j := &pill{link: l, w: l.width(), h: pillH, note: l.carries()}
		if j.note != "" {
			j.h += noteH
		}
		j.x, j.y = right+(p.gutter-j.w)/2, y-pillH/2
		column := taken[int(right)]
		for moved := true; moved; {
			moved = false
			for _, o := range column {
				if j.y < o.y+o.h+4 && o.y < j.y+j.h+4 {
					j.y, moved = o.y+o.h+4, true
				}
			}
		}
		taken[int(right)] = append(column, j)
		p.pills = append(p.pills, j)
	}
}

// width is how wide a link's pill is with the note below it.
func (l *link) width() float64 { return max(textWidth(l.label, 11)+18, textWidth(l.carries(), 11)+4) }

// entries spreads the ends of links over the left side of a service.
func (p *plan) entries() {
	into := map[*box][]*link{}
	for _, l := range p.model.links {
		if l.method == "" && (l.from[0].kind == domain) {
			into[l.to[0]] = append(into[l.to[0]], l)
		}
	}
	for to, links := range into {
		n := float64(len(links))
		step := min(20, (to.h-12)/n)
		for i, l := range links {
			p.ports[l] = to.middle() + (float64(i)-(n-1)/2)*step
			if step < 14 {
				l.label = "" // no room between two
			}
		}
	}
}

func boxWidth(b *box) float64 {
	w := textWidth(b.title, 13)
	for _, s := range b.lines {
		w = max(w, textWidth(s, 12))
	}
	return min(widest, max(narrow, math.Ceil(w)+2*padX))
}

// textWidth is about how wide text is in a sans-serif font, rather too wide.
func textWidth(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case r == 'i' || r == 'l' || r == '.' || r == ',' || r == ':' || r == '[' || r == ']' || r == '\'' || r == '|' || r == 'j' || r == '!':
			w += 0.36
		case r == 'm' || r == 'w' || r == 'M' || r == 'W' || r == '@' || r == '%':
			w += 0.95
		case r >= 0x1100:
			w += 1.05
		case r >= 'A' && r <= 'Z':
			w += 0.7
		default:
			w += 0.61
		}
	}
	return w * size
}

// cut shortens text in its middle to fit a width.
func cut(s string, size, width float64) string {
	if textWidth(s, size) <= width {
		return s
	}
	r := []rune(s)
	for n := utf8.RuneCountInString(s) - 1; n > 2; n-- {
		t := string(r[:(n+1)/2]) + "…" + string(r[len(r)-n/2:])
		if textWidth(t, size) <= width {
			return t
		}
	}
	return "…"
}
