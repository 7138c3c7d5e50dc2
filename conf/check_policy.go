package conf

import (
	"fmt"
	"slices"
	"strings"
)

// The steps, and those that are part of the language and not acted on yet.
var (
	steps      = []string{"health", "prefixes", "geo", "asn", "nearest", "failover", "weight", "sticky", "rotate", "limit", "policy"}
	laterSteps = []string{"capacity"}
)

// Which step each argument belongs to.
var stepArguments = map[string]string{"fail_open": "health", "fail_to": "health", "answers": "limit", "default": "prefixes", "policy": "policy"}

// Steps that look at where the client is.
var localSteps = []string{"geo", "prefixes", "asn", "nearest"}

// What must not come before what, and why.
var stepOrder = []struct{ early, late, why string }{
	{"rotate", "health", "The order that rotate makes is of places that health then takes out."},
	{"limit", "health", "The places that are left could all be down."},
	{"geo", "health", "The region that geo chooses could be all down, and no other would be left to fall back to."},
	{"prefixes", "health", "The region that prefixes chooses could be all down, and no other would be left to fall back to."},
	{"asn", "health", "The region that asn chooses could be all down, and no other would be left to fall back to."},
	{"nearest", "health", "The places that nearest leaves could all be down."},
	{"failover", "health", "The place that failover leaves could be down."},
	{"capacity", "health", "The places among which capacity divides the clients could be down."},
	{"sticky", "health", "The place that a client is kept at could be down."},
	{"geo", "prefixes", "The operator's own map goes before all others."},
	{"asn", "prefixes", "The operator's own map goes before all others."},
	{"nearest", "prefixes", "The operator's own map goes before all others."},
	{"nearest", "geo", "The places that nearest leaves need not be in the client's region."},
	{"nearest", "asn", "The places that nearest leaves need not be in the region that serves the client."},
	{"limit", "weight", "The places that are left are no longer chosen by weight."},
	{"limit", "geo", "The places that are left need not be in the client's region."},
	{"limit", "prefixes", "The places that are left need not be in the client's region."},
	{"limit", "asn", "The places that are left need not be in the client's region."},
	{"limit", "nearest", "The places that are left need not be near the client."},
	{"limit", "capacity", "The places that are left could be those without room."},
	{"limit", "sticky", "The place that a client is kept at could be gone."},
	{"failover", "geo", "The place that failover leaves need not be in the client's region."},
	{"failover", "prefixes", "The place that failover leaves need not be in the client's region."},
	{"failover", "asn", "The place that failover leaves need not be in the client's region."},
	{"failover", "nearest", "The place that failover leaves need not be near the client."},
	{"rotate", "geo", "The order that rotate makes is of places that geo then takes out."},
	{"rotate", "prefixes", "The order that rotate makes is of places that prefixes then takes out."},
	{"rotate", "asn", "The order that rotate makes is of places that asn then takes out."},
	{"rotate", "nearest", "The order that rotate makes is of places that nearest then takes out."},
}

// checkPolicies looks at the steps of each policy.
func (p *parser) checkPolicies() {
	for _, pol := range p.all("policy") {
		steps := pol.of("step")
		if len(steps) == 0 && !pol.broken && !ghost(pol.raw, "step") {
			p.errorf("GS002", pol.raw.decl, "%s needs at least one step block.", pol.id)
			continue
		}
		all := !pol.broken
		named := map[*node]*node{}
		for _, s := range steps {
			all = p.checkStep(s) && all
			if other := s.ref("policy"); named[other] != nil {
				p.report(fault{
					code: "GS007", at: s.at("policy"), detail: fmt.Sprintf("The steps of %s stand in %s already.", other.id, pol.id),
					help: "Leave one of the two out.", rel: []Related{{"they stand here", named[other].at("policy")}},
				})
			} else if other != nil {
				named[other] = s
			}
		}
		if p.checkNesting(pol) {
			continue
		}
		p.checkOrder(pol)
		if all && stepIn(pol, "health") == nil && !p.nested(pol) {
			p.warn(fault{
				code: "GS309", at: pol.raw.at, detail: pol.id + " has no health step: places that are down are answered like the others.",
				help: "Begin with step \"health\" {}.",
			})
		}
	}
}

// A turn is a step as a policy makes it: at is where it says so, be it the
// step itself or the one that names another policy.
type turn struct{ step, at *node }

// stepsOf are the steps of a policy and of those that it names, in order, each
// once. Policies that lead back to themselves are followed once.
func stepsOf(pol *node) []turn {
	var out []turn
	open := map[*node]bool{}
	var add func(pol, at *node)
	add = func(pol, at *node) {
		if pol == nil || open[pol] {
			return
		}
		open[pol] = true
		for _, s := range pol.of("step") {
			where := at
			if where == nil {
				where = s
			}
			if s.raw.label == "policy" {
				add(s.ref("policy"), where)
			} else {
				out = append(out, turn{s, where})
			}
		}
		open[pol] = false
	}
	add(pol, nil)
	return out
}

// nested reports whether another policy names this one, so that it need not
// be whole.
func (p *parser) nested(pol *node) bool {
	for _, other := range p.all("policy") {
		for _, s := range other.of("step") {
			if s.ref("policy") == pol {
				return true
			}
		}
	}
	return false
}

// checkNesting reports a policy that leads back to itself.
func (p *parser) checkNesting(pol *node) bool {
	way := []*node{pol}
	var first *node
	var walk func(*node) bool
	walk = func(at *node) bool {
		for _, s := range at.of("step") {
			next := s.ref("policy")
			if next == nil {
				continue
			}
			if at == pol {
				first = s
			}
			if next == pol {
				return true
			}
			if slices.Contains(way, next) {
				continue
			}
			way = append(way, next)
			if walk(next) {
				return true
			}
			way = way[:len(way)-1]
		}
		return false
	}
	if !walk(pol) {
		return false
	}
	if slices.IndexFunc(p.all("policy"), func(n *node) bool { return slices.Contains(way, n) }) == slices.Index(p.all("policy"), pol) {
		p.report(fault{
			code: "GS006", at: first.at("policy"), detail: fmt.Sprintf("%s: the steps of a policy cannot be its own.", strings.Join(append(ids(way), pol.id), " -> ")),
			help: "Put the steps that they have in common into a policy of their own.",
		})
	}
	return true
}

// checkOrder looks at the order of a policy's steps, those of other policies in
// their place.
func (p *parser) checkOrder(pol *node) {
	turns := stepsOf(pol)
	first, last := map[string]int{}, map[string]int{}
	for i, t := range turns {
		if _, ok := first[t.step.raw.label]; !ok {
			first[t.step.raw.label] = i
		}
		last[t.step.raw.label] = i
	}
	for _, o := range stepOrder {
		i, ok1 := first[o.early]
		j, ok2 := last[o.late]
		if !ok1 || !ok2 || i > j {
			continue
		}
		early, late := turns[i], turns[j]
		if early.at == late.at {
			continue // within another policy, which is told so
		}
		p.report(fault{
			code: "GS308", at: early.at.raw.at, detail: fmt.Sprintf("%s stands before %s in %s. %s", o.early, o.late, pol.id, o.why),
			help: fmt.Sprintf("Put %s after %s.", o.early, o.late), rel: []Related{{o.late + " stands here", late.at.raw.at}},
		})
		return
	}
}

// checkStep looks at a step's label and arguments, and reports whether there
// is such a step.
func (p *parser) checkStep(s *node) bool {
	label := s.raw.label
	switch {
	case slices.Contains(laterSteps, label):
		p.report(fault{code: "GS020", at: s.raw.at, detail: fmt.Sprintf("The step %q %v.", label, errLater), help: "Steps are " + among(steps) + "."})
	case !slices.Contains(steps, label):
		f := fault{code: "GS010", at: s.raw.at, detail: fmt.Sprintf("There is no step %q.", label), help: meant(label, append(slices.Clone(steps), laterSteps...))}
		if f.help == "" {
			f.help = "Steps are " + among(steps) + "."
		}
		p.report(f)
		return false
	}
	for _, f := range s.raw.fields {
		if of := stepArguments[f.name]; of != label {
			p.report(fault{
				code: "GS307", at: f.expr.Range(), detail: fmt.Sprintf("%s belongs to the step %q; this is the step %q.", f.name, of, label),
				help: "Leave it out.",
			})
		}
	}
	if label == "policy" && !s.gave("policy") && !s.raw.known["policy"] {
		p.report(fault{code: "GS002", at: s.raw.decl, detail: "The step policy needs policy: whose steps stand here.", help: "Give it policy = policy.x."})
	}
	if v := s.arg("fail_open"); label == "health" && s.gave("fail_to") && v != nil && v.own {
		p.report(fault{code: "GS010", at: v.at, detail: "A health step has fail_open or fail_to, not both.", help: "Leave fail_open out.", rel: []Related{{"fail_to stands here", s.at("fail_to")}}})
	}
	return true
}

// stepOf is a step of a domain's policy, nil when it has none of that kind.
func stepOf(d *node, kind string) *node {
	pol := d.ref("policy")
	if pol == nil {
		return nil
	}
	return stepIn(pol, kind)
}

// stepIn is a step of a policy or of one that it names, nil when it has none of
// that kind.
func stepIn(pol *node, kind string) *node {
	for _, t := range stepsOf(pol) {
		if t.step.raw.label == kind {
			return t.step
		}
	}
	return nil
}

// localStep is the first step of a domain's policy that looks at where the client is.
func localStep(d *node) *node {
	for _, kind := range localSteps {
		if s := stepOf(d, kind); s != nil {
			return s
		}
	}
	return nil
}
