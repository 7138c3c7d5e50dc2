package conf

import (
	"fmt"
	"slices"

	"gslb/topology"
)

// Steps that are part of the language and not acted on yet.
var laterSteps = []string{"geo", "prefixes", "nearest", "capacity", "sticky"}

// Which step each argument belongs to.
var stepArguments = map[string]string{"fail_open": "health", "answers": "limit", "default": "prefixes"}

// Steps that look at where the client is.
var localSteps = []string{"geo", "prefixes", "nearest"}

// What must not come before what, and why.
var stepOrder = []struct{ early, late, why string }{
	{"rotate", "health", "The order that rotate makes is of places that health then takes out."},
	{"limit", "health", "The places that are left could all be down."},
	{"geo", "health", "The region that geo chooses could be all down, and no other would be left to fall back to."},
	{"prefixes", "health", "The region that prefixes chooses could be all down, and no other would be left to fall back to."},
	{"nearest", "health", "The places that nearest puts first could all be down."},
	{"capacity", "health", "The places among which capacity divides the clients could be down."},
	{"sticky", "health", "The place that a client is kept at could be down."},
	{"limit", "weight", "The places that are left are no longer chosen by weight."},
	{"limit", "geo", "The places that are left need not be in the client's region."},
	{"limit", "prefixes", "The places that are left need not be in the client's region."},
	{"limit", "nearest", "The places that are left need not be near the client."},
	{"limit", "capacity", "The places that are left could be those without room."},
	{"limit", "sticky", "The place that a client is kept at could be gone."},
	{"rotate", "geo", "The order that rotate makes is of places that geo then takes out."},
	{"rotate", "prefixes", "The order that rotate makes is of places that prefixes then takes out."},
	{"rotate", "nearest", "The order that rotate makes is lost when nearest sorts by distance."},
}

// checkPolicies looks at the steps of each policy.
func (p *parser) checkPolicies() {
	for _, pol := range p.all("policy") {
		steps := pol.of("step")
		if len(steps) == 0 && !pol.broken && !ghost(pol.raw, "step") {
			p.errorf("GS002", pol.raw.decl, "%s needs at least one step block.", pol.id)
			continue
		}
		at := map[string]*node{}
		all := !pol.broken
		for _, s := range steps {
			if !p.checkStep(s) {
				all = false
				continue
			}
			at[s.raw.label] = s
		}
		for _, o := range stepOrder {
			a, b := at[o.early], at[o.late]
			if a == nil || b == nil || slices.Index(steps, a) > slices.Index(steps, b) {
				continue
			}
			p.report(fault{
				code: "GS308", at: a.raw.at, detail: fmt.Sprintf("%s stands before %s in %s. %s", o.early, o.late, pol.id, o.why),
				help: fmt.Sprintf("Put %s after %s.", o.early, o.late), rel: []Related{{o.late + " stands here", b.raw.at}},
			})
			break
		}
		if all && at["health"] == nil {
			p.warn(fault{
				code: "GS309", at: pol.raw.at, detail: pol.id + " has no health step: places that are down are answered like the others.",
				help: "Begin with step \"health\" {}.",
			})
		}
	}
}

// checkStep looks at a step's label and arguments, and reports whether there
// is such a step.
func (p *parser) checkStep(s *node) bool {
	label := s.raw.label
	known := []string{"health", "weight", "rotate", "limit"}
	_, err := topology.ParseStepKind(label)
	switch {
	case slices.Contains(laterSteps, label):
		p.report(fault{code: "GS020", at: s.raw.at, detail: fmt.Sprintf("The step %q %v.", label, errLater), help: "Steps are " + among(known) + "."})
	case err != nil:
		f := fault{code: "GS010", at: s.raw.at, detail: fmt.Sprintf("There is no step %q.", label), help: meant(label, append(known, laterSteps...))}
		if f.help == "" {
			f.help = "Steps are " + among(known) + "."
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
	return true
}

// stepOf is a step of a domain's policy, nil when it has none of that kind.
func stepOf(d *node, kind string) *node {
	pol := d.ref("policy")
	if pol == nil {
		return nil
	}
	for _, s := range pol.of("step") {
		if s.raw.label == kind {
			return s
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

// checkPlaces warns of steps that look at where clients are, when nothing says
// where that is.
func (p *parser) checkPlaces() {
	for _, g := range p.all("geoip") {
		if g.gave("city") || g.gave("asn") {
			return
		}
	}
	if p.ghosts["geoip"] {
		return
	}
	for _, r := range p.all("region") {
		if r.gave("prefixes") {
			return
		}
	}
	told := map[*node]bool{}
	for _, d := range p.all("domain") {
		s := localStep(d)
		if s == nil || told[s] {
			continue
		}
		told[s] = true
		p.warn(fault{
			code: "GS306", at: d.at("policy"), detail: fmt.Sprintf("%s steers %s by where the client is, but there is no geoip block with a database and no region has prefixes: every client is from nowhere.", s.id, d.id),
			help: "Add geoip { city = ... }, or give the regions prefixes.", rel: []Related{{"the step " + s.raw.label + " stands here", s.raw.at}},
		})
	}
}
