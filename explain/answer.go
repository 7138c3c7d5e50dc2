package explain

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"gslb/health"
	"gslb/steering"
	"gslb/topology"
)

// answering is one question on its way.
type answering struct {
	world    *world
	question Question
	server   Server
	domain   *topology.Domain // nil: a name that nothing steers
	family   steering.Family
	client   netip.Prefix               // that the name server knows of
	in       steering.Inputs            // all that steering goes by
	why      map[health.Target][]string // of the targets that are down
	varies   bool                       // which addresses are answered differs from query to query
	trace    steering.Trace
	now      map[*topology.Answer]float64 // what weighs otherwise than its answer
	given    bool                         // something is answered that steering chose
}

// steer takes in that d decides.
func (a *answering) steer(d *topology.Domain) {
	a.domain = d
	switch {
	case d.Hosts():
		a.family = steering.Host
	case a.question.Type == "AAAA" && d.Has("AAAA") || !d.Has("A"):
		a.family = steering.V6
	}
	a.in, a.why = a.world.inputs(), map[health.Target][]string{}
	a.world.look(d, &a.in, a.why)
	for _, other := range a.world.topo.Domains { // to which d may lead
		a.world.look(other, &a.in, a.why)
	}
}

// steps are what the policy did.
func (a *answering) steps() []Step {
	trace, _ := steering.Explain(a.world.ground, a.in, a.domain, a.family, a.client, 0)
	a.trace = trace
	a.now = map[*topology.Answer]float64{}
	for _, p := range trace.Admitted {
		if p.Weight != uint64(p.Answer.Weight)*trace.Scale {
			a.now[p.Answer] = float64(p.Weight) / float64(trace.Scale)
		}
	}
	none := Step{Step: "answers", Text: a.candidates(), Left: a.places(trace.Admitted), Out: []Out{}, Kept: len(trace.Admitted)}
	for _, p := range trace.Places {
		if !slices.ContainsFunc(trace.Admitted, func(q steering.Place) bool { return q.Answer == p.Answer }) {
			none.Out = append(none.Out, Out{Answer: p.Answer.ID, Label: p.Answer.Label, Addresses: p.Addrs, Why: a.overridden(p)})
		}
	}
	for _, answer := range a.domain.Answers {
		if !slices.ContainsFunc(trace.Places, func(p steering.Place) bool { return p.Answer == answer }) {
			none.Out = append(none.Out, Out{Answer: answer.ID, Label: answer.Label, Addresses: []netip.Addr{}, Why: "has no such address"})
		}
	}
	steps := []Step{none}
	for _, stage := range trace.Stages {
		step := trace.Steps[stage.Index]
		s := Step{Step: step.Kind.String(), Number: stage.Index + 1, Left: a.places(stage.Left), Out: []Out{}, Varies: stage.Varies, Kept: len(stage.Left)}
		if step.In != a.domain.Policy {
			s.Policy = step.In.ID
		}
		switch step.Kind {
		case topology.StepHealth:
			s.Text = a.health(&s, stage, step)
		case topology.StepWeight:
			s.Text = a.weight(&s, stage)
		case topology.StepSticky:
			s.Text = a.sticky(&s, stage)
		case topology.StepFailover:
			s.Text = "the first in the file"
			outs(&s, stage, "another comes first")
		case topology.StepPrefixes, topology.StepGeo, topology.StepASN, topology.StepNearest:
			s.Text = a.place(&s, stage, step)
		case topology.StepRotate:
			s.Text = "every query starts at the next one"
			if stage.Idle {
				s.Text = "nothing to do: the draw by weight turns already"
				if slices.ContainsFunc(trace.Steps, func(x topology.Placed) bool { return x.Kind == topology.StepSticky }) {
					s.Text = "nothing to do: clients are kept where they are"
				}
			}
			if len(stage.Left) < 2 {
				s.Text = "nothing to turn"
			}
		case topology.StepLimit:
			s.Text = a.limit(&s, stage, step.Answers)
		}
		a.varies = a.varies || s.Varies
		steps = append(steps, s)
	}
	return steps
}

// candidates says which answers come to the first step.
func (a *answering) candidates() string {
	switch {
	case a.family == steering.Host:
		return "hosts"
	case a.question.Type == "A" || a.question.Type == "AAAA":
		return "with an address of the type asked for"
	case a.family == steering.V6:
		return "with an IPv6 address"
	case a.domain.Has("AAAA") && a.domain.Has(a.question.Type):
		return "with an IPv4 address; IPv6 goes the same way"
	}
	return "with an IPv4 address"
}

func (a *answering) places(list []steering.Place) []Place {
	out := []Place{}
	for _, p := range list {
		x := Place{Answer: p.Answer.ID, Label: p.Answer.Label, Addresses: p.Addrs, Weight: p.Answer.Weight}
		if now, ok := a.now[p.Answer]; ok {
			x.WeightNow = &now
		}
		out = append(out, x)
	}
	return out
}

// health says what a health step left out, address by address.
func (a *answering) health(s *Step, stage steering.Stage, step topology.Placed) string {
	unchecked, down, drained := 0, 0, 0
	for _, p := range stage.Came {
		o := Out{Answer: p.Answer.ID, Label: p.Answer.Label, Addresses: []netip.Addr{}}
		var reasons []string
		if p.Answer.Check == nil {
			unchecked++
		}
		for _, t := range steering.Targets(p.Answer, a.family) {
			if why := a.why[t]; len(why) > 0 && slices.Contains(p.Addrs, t.Addr.Addr()) {
				o.Addresses = append(o.Addresses, t.Addr.Addr())
				verb := " fails: "
				if !a.in.View[t].Known {
					verb = ": "
				}
				reasons = append(reasons, told(t)+verb+few(why, ", "))
			}
		}
		if len(reasons) > 0 {
			down++
		}
		left := slices.ContainsFunc(stage.Left, func(q steering.Place) bool { return q.Answer == p.Answer })
		if mode, _ := a.mode(p); mode == health.Drained && a.up(p) {
			drained++
			if !left {
				o.Addresses = p.Addrs
				reasons = append([]string{a.overridden(p) + ", and another is up"}, reasons...)
			}
		}
		if len(reasons) > 0 {
			o.Why = few(reasons, "; ")
			s.Out = append(s.Out, o)
		}
	}
	dead := !slices.ContainsFunc(stage.Came, a.up)
	switch {
	case len(stage.Came) == 0:
		return "nothing to check"
	case dead && step.FailTo != nil && len(stage.Left) == 0:
		return "all down, and nobody of " + step.FailTo.ID + " is here (fail_to)"
	case dead && step.FailTo != nil:
		outs(s, stage, "not in "+step.FailTo.ID)
		return "all down: those of " + step.FailTo.ID + " stay in (fail_to)"
	case dead && step.FailOpen:
		return "all down: all stay in (fail_open), a place wrongly taken for dead is better than none"
	case dead:
		return "all down, and the step is closed (fail_open = false)"
	case drained > 0 && len(s.Out) == down: // none has gone out for it
		return "up; what is drained stays in, for nothing else is"
	case drained > 0 || down > 0:
		return "up"
	case unchecked == len(stage.Came):
		return "none has a check, so all count as up"
	case unchecked > 0:
		return "all up, some for want of a check"
	}
	return "all up"
}

// up reports whether a place is: some address of it, or it is nobody's to check.
func (a *answering) up(p steering.Place) bool {
	targets := steering.Targets(p.Answer, a.family)
	return len(targets) == 0 || slices.ContainsFunc(targets, func(t health.Target) bool { return len(a.why[t]) == 0 })
}

// weight gives the places their shares.
func (a *answering) weight(s *Step, stage steering.Stage) string {
	var total uint64
	for _, p := range stage.Left {
		total += p.Weight
	}
	for i, p := range stage.Left {
		s.Left[i].Share = float64(p.Weight) / float64(total)
	}
	for _, p := range stage.Came {
		if !slices.ContainsFunc(stage.Left, func(q steering.Place) bool { return q.Answer == p.Answer }) {
			s.Out = append(s.Out, Out{Answer: p.Answer.ID, Label: p.Answer.Label, Addresses: p.Addrs, Why: "weight 0, while another weighs more"})
		}
	}
	switch {
	case stage.Idle:
		return "nothing to do: another step draws or keeps clients already"
	case len(stage.Left) == 0:
		return "nobody to draw"
	case len(stage.Left) == 1:
		return "one place gets all"
	case slices.ContainsFunc(s.Left, func(p Place) bool { return p.WeightNow != nil }):
		return "shares in proportion to the weights of now: " + a.weights(stage.Left)
	case total == uint64(len(stage.Left)):
		return "equal shares"
	}
	return "shares in proportion to weight"
}

// weights are what places weigh for now: eu 0.2 of 1, us 1.
func (a *answering) weights(list []steering.Place) string {
	words := make([]string, len(list))
	for i, p := range list {
		words[i] = fmt.Sprintf("%s %d", p.Answer.Label, p.Answer.Weight)
		if now, ok := a.now[p.Answer]; ok {
			words[i] = fmt.Sprintf("%s %s of %d", p.Answer.Label, strconv.FormatFloat(math.Round(now*100)/100, 'f', -1, 64), p.Answer.Weight)
		}
	}
	return few(words, ", ")
}

// limit says how many stay.
func (a *answering) limit(s *Step, stage steering.Stage, n int) string {
	switch {
	case len(stage.Came) <= n:
		s.Varies = false
		return fmt.Sprintf("at most %d", n)
	case stage.Varies:
		s.Left = []Place{} // as the file has them: the order of one query says nothing
		for _, answer := range a.domain.Answers {
			for _, p := range stage.Came {
				if p.Answer == answer {
					s.Left = append(s.Left, a.places([]steering.Place{p})...)
				}
			}
		}
		return "others for each query"
	}
	outs(s, stage, fmt.Sprintf("not among the first %d", n))
	for i, o := range s.Out {
		if slices.ContainsFunc(stage.Came[:n], func(p steering.Place) bool { return p.Answer.ID == o.Answer }) {
			s.Out[i].Why = "shares a director or a network with another"
		}
	}
	return fmt.Sprintf("the first %d", n)
}

// outs adds the places that a stage has left out, all for one reason.
func outs(s *Step, stage steering.Stage, why string) {
	for _, p := range stage.Came {
		left := slices.ContainsFunc(stage.Left, func(q steering.Place) bool { return q.Answer == p.Answer })
		said := slices.ContainsFunc(s.Out, func(o Out) bool { return o.Answer == p.Answer.ID })
		if !left && !said {
			s.Out = append(s.Out, Out{Answer: p.Answer.ID, Label: p.Answer.Label, Addresses: p.Addrs, Why: why})
		}
	}
}

// sticky says for whom a place is kept, and gives the places their shares of
// all clients.
func (a *answering) sticky(s *Step, stage steering.Stage) string {
	text := a.weight(s, stage)
	if stage.Idle || len(stage.Left) < 2 {
		return text
	}
	return steering.ClientOf(a.client.Addr()).String() + " is kept at its place; of all clients " + text
}

// place says why the client belongs where a step has left places.
func (a *answering) place(s *Step, stage steering.Stage, step topology.Placed) string {
	r, where := stage.Reason, a.trace.Where
	far := ""
	if r.Kilometres >= 0 {
		far = fmt.Sprintf(", %.0f km", r.Kilometres)
	}
	why := ""
	switch r.Rule {
	case steering.NoRule:
		return map[topology.StepKind]string{
			topology.StepPrefixes: "no prefix has the client: all stay",
			topology.StepGeo:      "nothing says where the client is: all stay",
			topology.StepASN:      "no region serves the client's autonomous system: all stay",
			topology.StepNearest:  "nothing says how far the client is: all stay",
		}[step.Kind]
	case steering.RulePrefix:
		why = fmt.Sprintf("prefix %v of %s", r.Prefix, r.Region.ID)
	case steering.RuleDefault:
		why = "no prefix has the client, default " + r.Region.ID
	case steering.RuleASN:
		why = fmt.Sprintf("AS%d of %s", where.ASN, r.Region.ID)
	case steering.RuleCountry:
		why = fmt.Sprintf("country %s of %s", where.Country, r.Region.ID)
	case steering.RuleContinent:
		why = fmt.Sprintf("continent %s of %s", where.Continent, r.Region.ID)
	}
	switch {
	case r.Rule == steering.RuleNearest && r.Served != nil:
		outs(s, stage, "further away")
		return "nearest is " + r.Served.ID + far
	case r.Served == nil:
		return why + ", where nobody is left: all stay"
	case r.Served == r.Region:
		outs(s, stage, "not in "+r.Region.ID)
		return why
	case far != "":
		outs(s, stage, "further away")
		return why + ", where nobody is left: nearest is " + r.Served.ID + far
	}
	outs(s, stage, "not in "+r.Served.ID)
	return why + ", where nobody is left: falls back to " + r.Served.ID
}

// samples is how many consecutive queries of a server the shares are counted
// over, with few places: the numbers of a server fall evenly, so the error is
// a few in as many.
const (
	samples = 1 << 16
	effort  = 1 << 22 // places looked at in all
)

// answer is what the resolver gets.
func (a *answering) answer(reply Reply) (Answer, error) {
	out := Answer{Rcode: reply.Rcode, Authoritative: reply.Authoritative, Error: reply.Error, Records: []Recorded{}, Authority: []Recorded{}, Notes: []string{}}
	steered := a.domain != nil && (a.question.Type == "A" || a.question.Type == "AAAA")
	name, reached := "", false // of the steered records, as it was asked for
	var behind []Recorded      // what follows from the steered record of this query
	for _, r := range reply.Answer {
		switch {
		case steered && strings.EqualFold(r.Name, a.domain.Name):
			name, reached = r.Name, true
		case !reached:
			out.Records = append(out.Records, recorded(r))
		case !a.varies:
			behind = append(behind, recorded(r))
		}
	}
	if !steered && a.domain != nil && a.domain.Has(a.question.Type) {
		a.bound(&out, reply)
	}
	if steered {
		if !reached {
			name = reply.Name
		}
		out.Scope = a.trace.Scope
		a.sample(&out, name)
		out.Records = append(out.Records, behind...)
	}
	if a.given {
		reply.Authority = nil
	}
	for _, r := range reply.Authority {
		out.Authority = append(out.Authority, recorded(r))
	}
	notes, err := a.notes(reply)
	out.Notes = append(out.Notes, notes...)
	if a.absent(reply) {
		out.missing = notes[0]
		if len(notes) > 1 {
			out.missing += "; " + notes[1]
		}
	}
	return out, err
}

// bound completes the answer of a type that leads to hosts or is made of
// addresses: of one query, the first.
func (a *answering) bound(out *Answer, reply Reply) {
	a.given = !noData(reply, a.question.Type)
	out.Scope = reply.Scope
	for _, r := range reply.Additional {
		out.Additional = append(out.Additional, recorded(r))
	}
	if a.varies && a.given {
		out.Notes = append(out.Notes, "this is one query: others get others, as the steps say")
	}
}

func recorded(r Record) Recorded {
	return Recorded{Name: r.Name, TTL: int(r.TTL.Seconds()), Type: r.Type, Data: r.Data, Share: 1}
}

// sample adds the steered records of a name, each with the part of the
// replies that hold it.
func (a *answering) sample(out *Answer, name string) {
	table := a.world.ground.Compile(a.in)
	// The records, by their addresses or answers, and of each: how many
	// replies hold it, the last of them, and whose it is.
	type drawn struct {
		typ, data   string
		count, last int
		by          []*topology.Answer
	}
	var all []*drawn
	byAddr, byName := map[netip.Addr]*drawn{}, map[string]*drawn{}
	for _, answer := range a.domain.Answers {
		if answer.CNAME != "" && byName[answer.CNAME] == nil {
			byName[answer.CNAME] = &drawn{typ: "CNAME", data: answer.CNAME}
			all = append(all, byName[answer.CNAME])
		}
		for _, addr := range answer.Addrs {
			if addr.Is4() == (a.family == steering.V4) && byAddr[addr] == nil {
				byAddr[addr] = &drawn{typ: a.question.Type, data: addr.String()}
				all = append(all, byAddr[addr])
			}
		}
	}
	n := max(1<<10, min(samples, effort/max(1, len(all))))
	if !a.varies && !slices.ContainsFunc(all, func(d *drawn) bool { return d.typ == "CNAME" }) {
		n = 1 // only the order differs
	}
	var buf []steering.Place
	u, ttl := uint64(0), uint32(0)
	for query := 1; query <= n; query++ {
		buf, ttl, _ = table.Answer(buf[:0], a.domain, a.family, a.client, u)
		u += steering.Golden
		size := 0
		hold := func(d *drawn, by *topology.Answer) {
			if !slices.Contains(d.by, by) {
				d.by = append(d.by, by)
			}
			if d.last != query { // two answers may share an address
				d.last = query
				d.count++
				size++
			}
		}
		for _, p := range buf {
			for _, addr := range p.Addrs {
				hold(byAddr[addr], p.Answer)
			}
			if len(p.Addrs) == 0 {
				hold(byName[p.Answer.CNAME], p.Answer)
			}
		}
		if out.Least == 0 || size < out.Least {
			out.Least = size
		}
		out.Most = max(out.Most, size)
	}
	for _, d := range all {
		if d.count == 0 {
			continue
		}
		a.given = true
		r := Recorded{Name: name, TTL: int(ttl), Type: d.typ, Data: d.data, Share: float64(d.count) / float64(n)}
		for _, answer := range a.domain.Answers {
			if slices.Contains(d.by, answer) {
				named := Named{Answer: answer.ID, Label: answer.Label}
				if answer.Service != nil {
					named.Service = answer.Service.ID
				}
				r.Answers = append(r.Answers, named)
			}
		}
		out.Records = append(out.Records, r)
	}
}

// absent reports whether there is no such name as the one that was asked for.
// What an alias leads to may be missing all the same.
func (a *answering) absent(r Reply) bool {
	switch r.Rcode {
	case "NXDOMAIN":
		return len(r.Answer) == 0
	case "REFUSED":
		return !slices.ContainsFunc(a.world.topo.Zones, func(z *topology.Zone) bool { return within(a.question.Name, z) })
	}
	return false
}

// notes say what a resolver, or its user, makes of the reply.
func (a *answering) notes(reply Reply) ([]string, error) {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	topo := a.world.topo
	var zones []string
	for _, z := range topo.Zones {
		zones = append(zones, z.Name)
	}
	switch last := len(reply.Answer) - 1; {
	case reply.Rcode == "REFUSED" && !a.absent(reply):
		add("the name server refuses questions of type %s", a.question.Type)
	case reply.Rcode == "REFUSED":
		add("%s lies in no zone of the file; there is %s", a.question.Name, few(zones, ", "))
	case reply.Rcode == "NXDOMAIN":
		add("there is no %s in zone %s", reply.Name, reply.Zone)
	case last >= 0 && reply.Answer[last].Type == "CNAME" && reply.Zone == "" && a.question.Type != "CNAME":
		add("%s lies in no zone of the file: the resolver asks elsewhere", reply.Name)
	case !reply.Authoritative:
		add("the name is delegated: the resolver asks the nameservers of %s", owner(reply.Authority))
	case !a.given && noData(reply, a.question.Type) && a.domain != nil && len(a.trace.Places) > 0:
		add("nobody of %s is left to answer with: resolvers are told that it has no %s record", reply.Name, a.question.Type)
	case !a.given && noData(reply, a.question.Type):
		other := map[string]string{"A": "AAAA", "AAAA": "A"}[a.question.Type]
		add("%s exists and has no %s record", reply.Name, a.question.Type)
		if other != "" {
			also, err := a.server(a.world.ground.Compile(a.in), a.client.Masked().Addr(), a.question.Name, other, 0)
			if err != nil {
				return nil, fmt.Errorf("ask %s %s: %w", a.question.Name, other, err)
			}
			if !noData(also, other) {
				add("it has %s: ask with --type %s", other, other)
			}
		}
	}
	if meant := meant(topo, reply, a.question.Name); meant != "" {
		add("did you mean %s?", meant)
	}
	if slices.ContainsFunc(reply.Answer, func(r Record) bool { return r.Type == "SOA" }) {
		add("the serial number is the time at which the server reads the file; 0 stands for it here")
	}
	if s := a.world.seen; s != nil && s.Starting {
		add("gslb serve was starting then and answered nothing yet")
	}
	var dead []string
	for _, n := range topo.Nameservers {
		if a.world.dead(n.ID) != nil {
			dead = append(dead, n.ID)
		}
	}
	switch {
	case len(dead) > 0 && len(dead) == len(topo.Nameservers):
		add("every nameserver is down: nobody gets this answer")
	case len(dead) == 1:
		add("%s is down: resolvers ask the other nameservers", dead[0])
	case len(dead) > 0:
		add("%s are down: resolvers ask the other nameservers", few(dead, ", "))
	}
	return notes, nil
}

// noData reports whether the name is there and has nothing of the type.
func noData(r Reply, typ string) bool {
	return r.Rcode == "NOERROR" && r.Authoritative && !slices.ContainsFunc(r.Answer, func(x Record) bool { return x.Type == typ }) && typ != "ANY"
}

func owner(list []Record) string {
	if len(list) == 0 {
		return "the zone below"
	}
	return list[0].Name
}
