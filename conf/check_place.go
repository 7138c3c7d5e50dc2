package conf

import (
	"fmt"
	"slices"
)

// A sight is what tells where clients are, and whose they are.
type sight struct {
	city, asn bool            // databases
	claims    map[string]bool // arguments of regions
}

func (p *parser) sight() sight {
	s := sight{claims: map[string]bool{}}
	for _, g := range p.all("geoip") {
		s.city = s.city || g.gave("city")
		s.asn = s.asn || g.gave("asn")
	}
	for _, r := range p.all("region") {
		for _, arg := range []string{"prefixes", "asns", "countries", "continents", "location"} {
			s.claims[arg] = s.claims[arg] || r.gave(arg)
		}
	}
	return s
}

// blind says why a step never knows where a client is, and the way out; "" when
// it can. A step prefixes in front has taken the clients of prefixes.
func (s sight) blind(kind string, prefixes bool) (why, help string) {
	none := !s.city && !s.asn
	switch {
	case kind == "nearest" && none:
		return "there is no geoip block with a city database", "Add geoip { city = ... }."
	case kind == "asn" && none:
		return "there is no geoip block with a database", "Add geoip { asn = ... }."
	case kind == "geo" && none && prefixes:
		return "there is no geoip block with a database, and the step prefixes has had the clients of prefixes", "Add geoip { city = ... }, or leave the step out."
	case kind == "geo" && none && !s.claims["prefixes"]:
		return "there is no geoip block with a database and no region has prefixes", "Add geoip { city = ... }, or give the regions prefixes."
	case kind == "nearest" && !s.city:
		return "the geoip block has no city database, which alone has coordinates", "Add city = ... to the geoip block."
	case !none && kind == "geo" && !s.city && (s.claims["countries"] || s.claims["continents"]):
		return "regions have countries or continents and the geoip block has no city database", "Add city = ... to the geoip block."
	}
	return "", ""
}

// idle says what no region has that a step goes by, "" when one has.
func (s sight) idle(step *node) string {
	switch kind := step.raw.label; {
	case kind == "prefixes" && !s.claims["prefixes"] && !step.gave("default"):
		return "prefixes"
	case kind == "asn" && !s.claims["asns"]:
		return "asns"
	case kind == "geo" && !slices.Contains([]bool{s.claims["prefixes"], s.claims["asns"], s.claims["countries"], s.claims["continents"], s.claims["location"]}, true):
		return "continents, countries, asns, prefixes or a location"
	}
	return ""
}

// checkPlaces warns of steps that look at where clients are and can never do
// anything, and of answers that such steps do not find.
func (p *parser) checkPlaces() {
	if !p.whole("region") || p.ghosts["geoip"] {
		return
	}
	sight := p.sight()
	local := map[*node][]*node{} // of policies: the steps that look at where the client is
	told := map[*node]bool{}
	for _, d := range p.all("domain") {
		pol := d.ref("policy")
		if pol == nil {
			continue
		}
		steps, known := local[pol]
		if !known {
			for _, t := range stepsOf(pol) {
				if slices.Contains(localSteps, t.step.raw.label) {
					steps = append(steps, t.step)
				}
			}
			local[pol] = steps
			p.checkSight(d, steps, sight, told)
		}
		if len(steps) > 0 {
			p.checkPlaced(d, steps, told)
		}
	}
}

// checkSight warns of steps that can never do anything. They are those of the
// policy of a domain.
func (p *parser) checkSight(d *node, steps []*node, sight sight, told map[*node]bool) {
	prefixes := false
	for _, s := range steps {
		kind := s.raw.label
		why, help := sight.blind(kind, prefixes)
		idle := sight.idle(s)
		prefixes = prefixes || kind == "prefixes"
		if told[s] {
			continue
		}
		told[s] = why != "" || idle != ""
		by := []Related{{d.id + " is steered by it", d.at("policy")}}
		if why != "" {
			detail := fmt.Sprintf("The step %s goes by where the client is, but %s: ", kind, why)
			if sight.city || sight.asn {
				detail += "gslb serve refuses to begin."
			} else {
				detail += "it never does anything."
			}
			p.warn(fault{code: "GS306", at: s.raw.at, detail: detail, help: help, rel: by})
		}
		if idle != "" {
			p.warn(fault{
				code: "GS315", at: s.raw.at, detail: fmt.Sprintf("The step %s looks for the region that a client belongs to, but no region has %s: it never does anything.", kind, idle),
				help: fmt.Sprintf("Give the regions %s, or leave the step out.", idle), rel: by,
			})
		}
	}
}

// checkPlaced warns of answers that the steps of their domain do not find,
// where there is another one that gets their clients.
func (p *parser) checkPlaced(d *node, steps []*node, told map[*node]bool) {
	answers := d.of("answer")
	if len(answers) < 2 || d.broken {
		return
	}
	nearest := slices.IndexFunc(steps, func(s *node) bool { return s.raw.label == "nearest" })
	for _, a := range answers {
		r := regionOf(a)
		switch {
		case r == nil && (a.broken || a.gave("service") || a.gave("region")):
			// reported
		case r == nil:
			p.warn(fault{
				code: "GS314", at: a.raw.at, detail: fmt.Sprintf("%s has no region: the step %s leaves it only to clients whose place is not known, or for whom no other answer is left.", a.id, steps[0].raw.label),
				help: "Give it region = region.x: where it is.", rel: []Related{{"the step " + steps[0].raw.label + " stands here", steps[0].raw.at}},
			})
		case nearest >= 0 && !r.gave("location") && !told[r] && !claims(r, steps[:nearest]):
			told[r] = true
			p.warn(fault{
				code: "GS313", at: r.raw.at, detail: fmt.Sprintf("%s has no location, and %s has an answer there: the step nearest leaves that only to clients whose place is not known, or for whom no other answer is left.", r.id, d.id),
				help: "Give it location = [LATITUDE, LONGITUDE].", rel: []Related{{"the step nearest stands here", steps[nearest].raw.at}},
			})
		}
	}
}

// claims reports whether a region says who its users are to one of these steps:
// then it gets those, and need not be near to others.
func claims(r *node, steps []*node) bool {
	return slices.ContainsFunc(steps, func(s *node) bool {
		switch s.raw.label {
		case "prefixes":
			return r.gave("prefixes") || s.ref("default") == r
		case "asn":
			return r.gave("asns")
		}
		return slices.ContainsFunc([]string{"prefixes", "asns", "countries", "continents"}, r.gave)
	})
}
