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

// What must not come before what, and why.
var stepOrder = []struct {
	early, late topology.StepKind
	why         string
}{
	{topology.StepRotate, topology.StepHealth, "The order that rotate makes is of places that health then takes out."},
	{topology.StepLimit, topology.StepHealth, "The places that are left could all be down."},
	{topology.StepLimit, topology.StepWeight, "The places that are left are no longer chosen by weight."},
}

// checkPolicies looks at the steps of each policy.
func (p *parser) checkPolicies() {
	for _, pol := range p.all("policy") {
		steps := pol.of("step")
		if len(steps) == 0 && !pol.broken && !ghost(pol.raw, "step") {
			p.errorf("GS002", pol.raw.decl, "%s needs at least one step block.", pol.id)
			continue
		}
		at := map[topology.StepKind]*node{}
		all := true
		for _, s := range steps {
			k, ok := p.stepKind(s)
			if !ok {
				all = false
				continue
			}
			at[k] = s
		}
		for _, o := range stepOrder {
			a, b := at[o.early], at[o.late]
			if a == nil || b == nil || slices.Index(steps, a) > slices.Index(steps, b) {
				continue
			}
			p.report(fault{
				code: "GS308", at: a.raw.at, detail: fmt.Sprintf("%s stands before %s in %s. %s", o.early, o.late, pol.id, o.why),
				help: fmt.Sprintf("Put %s after %s.", o.early, o.late), rel: []Related{{o.late.String() + " stands here", b.raw.at}},
			})
			break
		}
		if all && at[topology.StepHealth] == nil {
			p.warn(fault{
				code: "GS309", at: pol.raw.at, detail: pol.id + " has no health step: places that are down are answered like the others.",
				help: "Begin with step \"health\" {}.",
			})
		}
	}
}

// stepKind reads a step's label and looks at its arguments.
func (p *parser) stepKind(s *node) (topology.StepKind, bool) {
	label := s.raw.label
	known := []string{"health", "weight", "rotate", "limit"}
	k, err := topology.ParseStepKind(label)
	switch {
	case slices.Contains(laterSteps, label):
		p.report(fault{code: "GS020", at: s.raw.at, detail: fmt.Sprintf("The step %q %v.", label, errLater), help: "Steps are " + among(known) + "."})
		return k, false
	case err != nil:
		f := fault{code: "GS010", at: s.raw.at, detail: fmt.Sprintf("There is no step %q.", label), help: meant(label, append(known, laterSteps...))}
		if f.help == "" {
			f.help = "Steps are " + among(known) + "."
		}
		p.report(f)
		return k, false
	}
	for _, f := range s.raw.fields {
		if of := stepArguments[f.name]; of != label {
			p.report(fault{
				code: "GS307", at: f.expr.Range(), detail: fmt.Sprintf("%s belongs to the step %q; this is the step %q.", f.name, of, label),
				help: "Leave it out.",
			})
		}
	}
	return k, true
}
