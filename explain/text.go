package explain

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// A Paint colours words of the screen; the zero Paint leaves them as they are.
type Paint struct {
	Head func(string) string // headings
	Bad  func(string) string // what does not work
	Dim  func(string) string // what explains
}

func (p Paint) with(f func(string) string, s string) string {
	if f == nil || s == "" {
		return s
	}
	return f(s)
}

// Text is the explanation as an operator reads it.
func (x *Explanation) Text(paint Paint) string {
	w := &writer{paint: paint}
	w.question(x)
	w.rules(x)
	w.steps(x)
	w.answer(x)
	for _, p := range x.Paths {
		w.path(x, p)
	}
	return w.String()
}

// A writer collects lines.
type writer struct {
	strings.Builder
	paint Paint
}

func (w *writer) line(format string, args ...any) {
	w.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " "))
	w.WriteByte('\n')
}

func (w *writer) head(title string, format string, args ...any) {
	w.WriteByte('\n')
	w.line("%s  %s", w.paint.with(w.paint.Head, title), fmt.Sprintf(format, args...))
}

func (w *writer) question(x *Explanation) {
	q := x.Question
	w.line("%s  %s %s", w.paint.with(w.paint.Head, "QUESTION"), q.Name, q.Type)
	asks := "asking the name server itself"
	if q.Resolver != q.Client {
		asks = "asking by resolver " + q.Resolver.String()
		if q.ECS {
			asks += ", which tells of " + q.Steered.String() + " (ECS)"
		} else if slices.ContainsFunc(x.Steps, func(s Step) bool { return slices.Contains(byClient, s.Step) }) {
			asks += ", which tells nothing of it"
		}
	}
	w.line("  client  %s, %s", q.Client, asks)
	if q.Place != nil {
		w.line("  place   %s, says the map of %v", q.Place, q.Place.Prefix)
	}
	switch {
	case q.Domain != "":
		w.line("  name    %s, policy %s", q.Domain, q.Policy)
	case q.Zone != "":
		w.line("  zone    %s", q.Zone)
	}
	if s := q.Seen; s != nil {
		who := "gslb serve"
		if s.Node != "" {
			who += " " + s.Node
		}
		w.line("  state   as %s knew it at %s", who, clock(s.At))
	}
	for i, d := range x.Down {
		title := "down"
		if i > 0 {
			title = ""
		}
		with := ""
		switch {
		case d.With == 1:
			with = ", with 1 object in it"
		case d.With > 1:
			with = fmt.Sprintf(", with %d objects in it", d.With)
		}
		w.line("  %-6s  %s%s", title, w.paint.with(w.paint.Bad, d.Object), with)
	}
}

// byClient are the steps that look at who asks.
var byClient = []string{"prefixes", "geo", "asn", "nearest", "sticky"}

func (l *Located) String() string {
	var words []string
	if l.Country != "" {
		words = append(words, "country "+l.Country)
	}
	if l.Continent != "" {
		words = append(words, "continent "+l.Continent)
	}
	if l.ASN != 0 {
		words = append(words, fmt.Sprintf("AS%d", l.ASN))
	}
	if l.Latitude != nil {
		words = append(words, fmt.Sprintf("[%.2f, %.2f]", *l.Latitude, *l.Longitude))
	}
	return strings.Join(words, ", ")
}

func (w *writer) rules(x *Explanation) {
	if len(x.Rules) == 0 {
		return
	}
	w.head("RULES", "what counts beside the results of checks")
	labels, names := 0, 0
	for _, r := range x.Rules {
		labels, names = max(labels, len(r.Label)), max(names, len(r.Rule))
	}
	for _, r := range x.Rules {
		w.line("  %-*s  %-*s  %s", labels, r.Label, names, r.Rule, w.paint.with(w.paint.Dim, r.Text))
	}
}

func (w *writer) steps(x *Explanation) {
	if len(x.Steps) == 0 {
		return
	}
	w.head("POLICY", "what is left after each step")
	long := func(s Step) string {
		var words []string
		for _, p := range s.Left {
			word := p.Label
			if p.Share > 0 {
				word += " " + percent(p.Share)
			}
			words = append(words, word)
		}
		if len(words) == 0 {
			return "nobody"
		}
		if s.Varies {
			return fmt.Sprintf("%d of %s", s.Kept, few(words, ", "))
		}
		return few(words, ", ")
	}
	width := 0
	for _, s := range x.Steps {
		width = max(width, len(long(s)))
	}
	width = min(width, 40)
	for _, s := range x.Steps {
		number := ""
		if s.Number > 0 {
			number = fmt.Sprint(s.Number)
		}
		text := s.Text
		if s.Policy != "" {
			text += " (" + s.Policy + ")"
		}
		w.line("  %1s %-8s %-*s  %s", number, s.Step, width, long(s), w.paint.with(w.paint.Dim, text))
		for i, o := range s.Out {
			if i == 6 && len(s.Out) > 7 {
				w.line("             and %d more", len(s.Out)-i)
				break
			}
			word := "out"
			if slices.ContainsFunc(s.Left, func(p Place) bool { return p.Answer == o.Answer }) {
				word = "without " + addresses(o.Addresses)
				if len(o.Addresses) > 0 && slices.ContainsFunc(s.Left, func(p Place) bool { return p.Answer == o.Answer && slices.Contains(p.Addresses, o.Addresses[0]) }) {
					word = "down"
				}
			}
			w.line("             %s %s: %s", o.Label, w.paint.with(w.paint.Bad, word), o.Why)
		}
	}
}

func addresses(list []netip.Addr) string {
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = a.String()
	}
	return few(words, ", ")
}

func (w *writer) answer(x *Explanation) {
	a := x.Answer
	title := a.Rcode
	if a.Rcode == "NOERROR" && len(a.Records) == 0 && len(a.Authority) > 0 && a.Authoritative {
		title += ", no data"
	}
	if len(a.Records) > 0 {
		same := "the same for every client"
		if a.Scope > 0 {
			p, _ := x.Question.Steered.Addr().Prefix(a.Scope)
			same = "the same for every client in " + p.String()
		}
		title += fmt.Sprintf(", %s (ECS scope /%d)", same, a.Scope)
	}
	w.head("ANSWER", "%s", title)
	shared := slices.ContainsFunc(a.Records, func(r Recorded) bool { return r.Share < 1 })
	if shared {
		each := fmt.Sprintf("%d of these addresses", a.Most)
		if a.Least != a.Most {
			each = fmt.Sprintf("%d to %d of these addresses", a.Least, a.Most)
		} else if a.Most == 1 {
			each = "one of these addresses"
		}
		w.line("  Each reply has %s; the part of the replies stands before it.", each)
	}
	width := 0
	for _, r := range a.Records {
		width = max(width, len(record(r)))
	}
	width = min(width, 60)
	for _, r := range a.Records {
		share := ""
		if shared {
			share = fmt.Sprintf("%6s  ", percent(r.Share))
		}
		var by []string
		for _, n := range r.Answers {
			word := n.Label
			if n.Service != "" {
				word += ", " + n.Service
			}
			by = append(by, word)
		}
		w.line("  %s%-*s  %s", share, width, record(r), w.paint.with(w.paint.Dim, few(by, "; ")))
	}
	for _, r := range a.Additional {
		w.line("  beside it: %s", record(r))
	}
	for _, r := range a.Authority {
		w.line("  authority: %s", record(r))
	}
	if e := a.Error; e != nil {
		text := ""
		if e.Text != "" {
			text = ": " + e.Text
		}
		w.line("  extended error %d, %s%s", e.Code, e.Name, text)
	}
	for _, n := range a.Notes {
		w.line("  note: %s", n)
	}
}

func record(r Recorded) string { return fmt.Sprintf("%s %d %s %s", r.Name, r.TTL, r.Type, r.Data) }

func (w *writer) path(x *Explanation, p Path) {
	what := ""
	if p.Service != "" {
		what = ", " + p.Service + ", " + strings.Join(p.Ports, ", ")
	}
	if p.Share < 1 {
		what += " (" + percent(p.Share) + " of the replies)"
	}
	w.head("PATH", "to %s%s", p.Address, what)
	if len(p.Why) > 0 {
		w.line("  %s: %s", w.paint.with(w.paint.Bad, "does not work"), few(p.Why, ", "))
	}
	if p.Note != "" {
		w.line("  %s", p.Note)
	}
	if p.First == nil {
		return
	}
	client := x.Question.Client.String()
	if x.Question.Client.Is4() != p.Address.Is4() {
		client = "the client"
	}
	port := ""
	if len(p.Ports) == 1 {
		_, port, _ = strings.Cut(p.Ports[0], "/")
	}
	at := func(h Hop) string {
		number := port
		if h.Port != 0 {
			number = fmt.Sprint(h.Port)
		}
		if number == "" {
			return h.Address.String()
		}
		if h.Address.Is6() {
			return "[" + h.Address.String() + "]:" + number
		}
		return h.Address.String() + ":" + number
	}
	w.line("  %s -> %s", client, at(*p.First))
	w.line("  %s  %s", member(p.First.Object, p.First.Pair), w.state(*p.First))
	w.behind(*p.First, at, p.Ports, "    ", "")
	w.line("  reply: %s", p.Reply)
}

// shown is how many destinations of a director are listed.
const shown = 12

// state says in which state a hop is, nothing for one that is up.
func (w *writer) state(h Hop) string {
	why := ""
	if !slices.Equal(h.Why, []string{h.Object + " is down"}) {
		why = ": " + few(h.Why, ", ")
	}
	switch h.State {
	case OutDown:
		return w.paint.with(w.paint.Bad, "down") + why
	case Draining:
		return "weight 0: nothing new comes"
	case Lost:
		return w.paint.with(w.paint.Bad, "dead and chosen all the same") + why
	}
	return ""
}

// behind writes what a director does with packets, unless that was said, and
// what is behind it. Ports are those of the path.
func (w *writer) behind(h Hop, at func(Hop) string, ports []string, indent, said string) string {
	f := h.Forward
	if f == nil {
		return said
	}
	does := fmt.Sprintf("tier %s, %s: %s\n%s: %s", f.Tier, f.Method, f.Rewrite, f.Scheduler, f.Choice)
	if does != said {
		for line := range strings.SplitSeq(does, "\n") {
			w.line("%s%s", indent, w.paint.with(w.paint.Dim, line))
		}
	}
	objects, places := 0, 0
	where := func(n Hop) string {
		if n.Kind == "director" {
			return n.Address.String()
		}
		return at(n)
	}
	for _, n := range f.Next {
		objects, places = max(objects, len(member(n.Object, n.Pair))), max(places, len(where(n)))
	}
	left, states, inner := 0, map[string]int{}, ""
	for i, n := range f.Next {
		if i >= shown && len(f.Next) > shown+1 && len(n.Client) == 0 {
			left++
			states[n.State]++
			continue
		}
		share := "-"
		if n.Share > 0 {
			share = percent(n.Share)
		}
		var words []string
		switch {
		case len(n.Client) == len(ports):
			words = append(words, "<- this client")
		case len(n.Client) > 0:
			words = append(words, "<- this client at "+strings.Join(n.Client, ", "))
		}
		if state := w.state(n); state != "" {
			words = append(words, state)
		}
		w.line("%s%6s  %-*s  %-*s  %s", indent, share, objects, member(n.Object, n.Pair), places, where(n), strings.Join(words, ", "))
		inner = w.behind(n, at, ports, indent+"        ", inner)
	}
	if left > 0 {
		var words []string
		for _, state := range []string{Up, OutDown, Draining, Lost} {
			if states[state] > 0 {
				words = append(words, fmt.Sprintf("%d %s", states[state], state))
			}
		}
		if states[Up] == left {
			words = []string{"all up"}
		}
		w.line("%s        and %d more: %s", indent, left, strings.Join(words, ", "))
	}
	return does
}

// percent is a part of one in percent: 50 %, 33.3 %, <0.1 %.
func percent(share float64) string {
	tenths := math.Round(share * 1000)
	switch {
	case tenths == 0 && share > 0:
		return "<0.1 %"
	case math.Mod(tenths, 10) == 0:
		return fmt.Sprintf("%.0f %%", tenths/10)
	}
	return fmt.Sprintf("%.1f %%", tenths/10)
}
