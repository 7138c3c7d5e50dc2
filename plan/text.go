package plan

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Detail is how much of a plan is told.
type Detail string

// The details.
const (
	Brief  Detail = "summary" // what it means: counts, clients, dangers
	Normal Detail = "normal"  // the changes too, long lists cut
	Full   Detail = "full"    // every line
)

// How much a Normal screen shows before it counts the rest.
const (
	maxNodes = 20 // of each kind
	maxLines = 12 // of each node
)

// Text writes the plan as an operator reads it.
func (p *Plan) Text(w io.Writer, detail Detail, colour bool) {
	s := &screen{w: w, detail: detail, colour: colour}
	if p.Empty() {
		fmt.Fprintln(w, "No changes.")
		return
	}
	if detail != Brief {
		s.nodes("director", p.Directors)
		s.nodes("real server", p.RealServers)
		s.nodes("nameserver", p.Nameservers)
		for _, z := range p.Zones {
			s.heading(z.Action, z.ID, strings.TrimSuffix(z.Name, ".")+", on every nameserver")
			s.changes(z.Changes)
		}
	}
	s.clients(p)
	s.dangers(p.Dangers)
	fmt.Fprintf(w, "%s\n", s.paint(bold, p.Summary.String()))
}

func (s Summary) String() string {
	var nodes []string
	total := 0
	for _, x := range []struct {
		n    int
		noun string
	}{{s.Directors, "director"}, {s.Nameservers, "nameserver"}, {s.RealServers, "real server"}} {
		if x.n > 0 {
			nodes = append(nodes, number(x.n, x.noun))
			total += x.n
		}
	}
	verb := "change"
	if total == 1 {
		verb = "changes"
	}
	return fmt.Sprintf("Plan: %s %s: %s to add, %s to change, %s to remove.", and(nodes), verb, thousands(s.Add), thousands(s.Change), thousands(s.Remove))
}

// A screen writes a plan.
type screen struct {
	w      io.Writer
	detail Detail
	colour bool
}

// Colours, as terminals take them.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (s *screen) paint(colour, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

var signs = map[Action]struct{ sign, colour string }{Add: {"+", green}, Modify: {"~", yellow}, Remove: {"-", red}}

func (s *screen) heading(a Action, what, remark string) {
	line := s.paint(bold, what)
	if a != Modify {
		line = s.paint(signs[a].colour, signs[a].sign) + " " + line
	}
	if remark != "" {
		line += s.paint(dim, " ("+remark+")")
	}
	fmt.Fprintln(s.w, line)
}

// nodes shows nodes, those that change alike together.
func (s *screen) nodes(kind string, list []Node) {
	for shown := 0; len(list) > 0; shown++ {
		if shown == maxNodes && s.detail != Full {
			fmt.Fprintf(s.w, "%s\n\n", s.paint(dim, fmt.Sprintf("... and %s (--detail=full)", number(len(list), "more "+kind))))
			return
		}
		n := 1
		for n < len(list) && alike(list[0], list[n]) {
			n++
		}
		s.heading(list[0].Action, s.ids(list[:n]), remark(kind, list[0].Action))
		s.changes(s.folded(list[0]))
		list = list[n:]
	}
}

// remark is what an operator has to do, where that is not to be guessed.
func remark(kind string, a Action) string {
	switch {
	case kind == "real server":
		return "director realserver apply"
	case kind == "director" && a == Add:
		return "director run"
	case kind == "director" && a == Remove:
		return "director stop --flush"
	case kind == "nameserver" && a == Add:
		return "gslb serve"
	}
	return ""
}

func alike(a, b Node) bool {
	return a.Action == b.Action && slices.EqualFunc(a.Changes, b.Changes, func(x, y Change) bool {
		return x.Action == y.Action && x.Text == y.Text && x.Object == y.Object
	})
}

func (s *screen) ids(list []Node) string {
	var names []string
	for i, n := range list {
		if i == 3 && len(list) > 4 && s.detail != Full {
			names = append(names, fmt.Sprintf("%s more", thousands(len(list)-i)))
			break
		}
		names = append(names, n.ID)
	}
	return and(names)
}

// folded are the changes of a node; where it comes or goes as a whole, its
// sysctls in one line.
func (s *screen) folded(n Node) []Change {
	sysctls := 0
	for _, c := range n.Changes {
		if c.Kind == "sysctl" {
			sysctls++
		}
	}
	if n.Action == Modify || sysctls < 2 || s.detail == Full {
		return n.Changes
	}
	out := []Change{{Action: n.Action, Kind: "sysctl", Text: number(sysctls, "sysctl") + " (--detail=full)"}}
	for _, c := range n.Changes {
		if c.Kind != "sysctl" {
			out = append(out, c)
		}
	}
	return out
}

func (s *screen) changes(list []Change) {
	shown, left := 0, 0
	for _, c := range list {
		if s.detail != Full {
			if c.Kind == "probe" {
				continue
			}
			if shown == maxLines {
				left++
				continue
			}
		}
		shown++
		line := s.paint(signs[c.Action].colour, signs[c.Action].sign) + " " + c.Text
		if c.Object != "" && !strings.HasPrefix(c.Text, c.Object) {
			line += "  " + s.paint(dim, c.Object)
		}
		fmt.Fprintln(s.w, "  "+line)
	}
	if left > 0 {
		fmt.Fprintln(s.w, "  "+s.paint(dim, fmt.Sprintf("... and %s more (--detail=full)", thousands(left))))
	}
	fmt.Fprintln(s.w)
}

// clients says what users notice.
func (s *screen) clients(p *Plan) {
	fmt.Fprintln(s.w, s.paint(bold, "Clients"))
	s.line("", fmt.Sprintf("Of %s sampled client networks %s change region.", thousands(p.Impact.ClientNetworks), thousands(p.Impact.ChangeRegion)))
	for _, d := range p.Impact.Domains {
		s.line("", d.String())
	}
	for i, svc := range p.Impact.Services {
		if i == maxNodes && s.detail != Full {
			s.line("", fmt.Sprintf("... and %s (--detail=full)", number(len(p.Impact.Services)-i, "more virtual service")))
			break
		}
		for _, sentence := range svc.sentences() {
			s.line("", sentence)
		}
	}
	fmt.Fprintln(s.w)
}

// width is where sentences are broken.
const width = 100

// line writes a sentence below a heading, after a mark, in as many lines as it takes.
func (s *screen) line(mark, sentence string) {
	indent := strings.Repeat(" ", 4)
	at := 2 + len(mark)
	fmt.Fprint(s.w, "  "+s.paint(red, mark))
	for i, word := range strings.Split(sentence, " ") {
		switch {
		case i == 0:
		case at+1+len(word) > width && word != "%" && word != "%,":
			fmt.Fprint(s.w, "\n"+indent)
			at = len(indent)
		default:
			fmt.Fprint(s.w, " ")
			at++
		}
		fmt.Fprint(s.w, word)
		at += len(word)
	}
	fmt.Fprintln(s.w)
}

// String is the impact as a sentence.
func (d DomainImpact) String() string {
	var parts []string
	for _, share := range d.Shares {
		parts = append(parts, fmt.Sprintf("%s %s => %s", share.Place, percent(share.Before), percent(share.After)))
	}
	return fmt.Sprintf("%s (%s): %s of queries.", d.Domain, strings.Join(d.Types, ", "), strings.Join(parts, ", "))
}

// sentences are the impact in words.
func (i ServiceImpact) sentences() []string {
	var parts []string
	switch {
	case i.Moved > 0:
		parts = append(parts, fmt.Sprintf("%s of client addresses change destination (%s)", percent(i.Moved), strings.Join(i.Hashed, ", ")))
	case len(i.Hashed) > 0:
		parts = append(parts, fmt.Sprintf("0 %% of client addresses change destination (%s)", strings.Join(i.Hashed, ", ")))
	}
	if len(i.Balanced) > 0 {
		parts = append(parts, fmt.Sprintf("new connections are balanced anew (%s)", strings.Join(i.Balanced, ", ")))
	}
	if len(i.EndedVIPs) == 0 {
		parts = append(parts, "established connections keep theirs")
	}
	if len(i.Ended) > 0 {
		end := "but those to " + and(few(i.Ended)) + " end"
		if i.Flows {
			end = "but flows to " + and(few(i.Ended)) + " move with their next packet"
		}
		parts = append(parts, end)
	}
	var out []string
	if len(parts) > 0 {
		out = append(out, i.Service+": "+strings.Join(parts, ", ")+".")
	}
	if len(i.EndedVIPs) > 0 {
		out = append(out, i.Service+": connections to "+and(few(i.EndedVIPs))+" end.")
	}
	return out
}

// few are the first of many words.
func few(words []string) []string {
	if len(words) > 4 {
		return append(slices.Clone(words[:3]), thousands(len(words)-3)+" more")
	}
	return words
}

// dangers tells dangers of a kind together, and what follows from them once.
func (s *screen) dangers(list []Danger) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(s.w, s.paint(bold, "Dangers"))
	var codes []string
	of := map[string][]Danger{}
	for _, d := range list {
		if len(of[d.Code]) == 0 {
			codes = append(codes, d.Code)
		}
		of[d.Code] = append(of[d.Code], d)
	}
	for _, code := range codes {
		for i, d := range of[code] {
			if i == maxLines && s.detail != Full {
				s.line("! ", fmt.Sprintf("... and %s more (--detail=full)", thousands(len(of[code])-i)))
				break
			}
			s.line("! ", d.Object+": "+d.Text+".")
		}
		s.line("  ", of[code][0].Detail)
	}
	fmt.Fprintln(s.w)
}

// and joins words as a sentence does.
func and(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
