package topology

// A Policy is how a domain's answer is chosen: steps in order.
type Policy struct {
	ID    string // "" for the default policy
	Steps []Step
}

// A Step of a policy. Which fields count depends on Kind.
type Step struct {
	Kind     StepKind
	FailOpen bool    // health: all down = all are answered; false = none
	FailTo   *Region // health: all down = the places of this region are answered; nil: FailOpen says
	Answers  int     // limit: at most this many places, 1 or more
	Default  *Region // prefixes: of the clients that no prefix names; nil: they go on to the next step
	Policy   *Policy // policy: whose steps stand here
}

// A Placed is a step with the policy that it stands in.
type Placed struct {
	Step
	In *Policy
}

// All are the policy's steps in order, those of named policies in their place.
func (p *Policy) All() []Placed {
	var out []Placed
	for _, s := range p.Steps {
		if s.Kind == StepPolicy {
			out = append(out, s.Policy.All()...)
			continue
		}
		out = append(out, Placed{Step: s, In: p})
	}
	return out
}
