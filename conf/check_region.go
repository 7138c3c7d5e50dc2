package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// The continents by the codes that location databases have, which are those of
// the United Nations' statistics but for Antarctica's.
var continents = []string{"AF", "AN", "AS", "EU", "NA", "OC", "SA"}

// The countries of ISO 3166-1 (alpha-2), and XK, which location databases have
// for Kosovo.
var countries = strings.Fields(`
	AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
	CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
	GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT
	JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY
	MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM
	PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ
	TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW`)

// What people write for a country instead of its code.
var countryMeant = map[string]string{"UK": "GB", "EL": "GR", "SU": "RU", "TP": "TL", "YU": "RS"}

// checkUsers looks at the users that regions claim as theirs.
func (p *parser) checkUsers() {
	p.checkClaims("continents", continents)
	p.checkClaims("countries", countries)
	type place struct {
		region *node
		at     hcl.Range
	}
	claimed := map[netip.Prefix]place{}
	for _, r := range p.all("region") {
		for _, it := range r.list("prefixes") {
			prefix := it.x.(netip.Prefix)
			first, again := claimed[prefix]
			if !again {
				claimed[prefix] = place{r, it.at}
				continue
			}
			f := fault{
				code: "GS304", at: it.at, detail: fmt.Sprintf("%v is a prefix of %s and of %s: its users can be sent to one of them.", prefix, first.region.id, r.id),
				help: "Keep it in one region. A longer prefix inside a shorter one is fine: the longest counts.",
				rel:  []Related{{first.region.id + " has it", first.at}},
			}
			if first.region == r {
				f.detail, f.help = fmt.Sprintf("%s has %v already.", r.id, prefix), "Leave it out."
			}
			p.report(f)
		}
	}
}

// checkClaims looks at the codes of continents or countries.
func (p *parser) checkClaims(arg string, known []string) {
	type place struct {
		region *node
		at     hcl.Range
	}
	one := map[string]string{"continents": "continent", "countries": "country"}[arg]
	claimed := map[string]place{}
	for _, r := range p.all("region") {
		for _, it := range r.list(arg) {
			code := it.x.(string)
			if !slices.Contains(known, code) {
				p.report(fault{code: "GS305", at: it.at, detail: fmt.Sprintf("%s: %q is not the code of a %s.", arg, code, one), help: codeMeant(arg, code, known)})
				continue
			}
			first, again := claimed[code]
			if !again {
				claimed[code] = place{r, it.at}
				continue
			}
			f := fault{
				code: "GS305", at: it.at, detail: fmt.Sprintf("The %s %s is of %s and of %s: the former gets all its users.", one, code, first.region.id, r.id),
				help: "Keep it in one region, or divide it by prefixes.",
				rel:  []Related{{first.region.id + " has it", first.at}},
			}
			if first.region == r {
				f.detail, f.help = fmt.Sprintf("%s has the %s %s already.", r.id, one, code), "Leave it out."
			}
			p.warn(f)
		}
	}
}

// codeMeant is the help for an unknown code of a continent or country.
func codeMeant(arg, code string, known []string) string {
	upper := strings.ToUpper(strings.TrimSpace(code))
	if m := countryMeant[upper]; m != "" && arg == "countries" {
		upper = m
	}
	switch {
	case slices.Contains(known, upper):
		return "Did you mean " + upper + "?"
	case arg == "countries" && slices.Contains(continents, upper):
		return upper + " is a continent: put it into continents."
	case arg == "continents" && slices.Contains(countries, upper):
		return upper + " is a country: put it into countries."
	case arg == "continents":
		return "Continents are " + strings.Join(continents, ", ") + "."
	}
	return "Countries have the two letters of ISO 3166-1, such as DE or US."
}

// users lists the arguments with which a region says who its users are.
func users(r *node) []string {
	var out []string
	for _, name := range []string{"prefixes", "countries", "continents", "asns"} {
		if len(r.list(name)) > 0 {
			out = append(out, name)
		}
	}
	return out
}

// regionOf is where an answer is, nil when that is not said or not known.
func regionOf(a *node) *node {
	if a.gave("service") {
		return a.ref("service").ref("region")
	}
	return a.ref("region")
}

// checkFallbacks looks at where the users of regions go when nobody answers there.
func (p *parser) checkFallbacks() {
	if !p.whole("region") || !p.whole("domain") {
		return
	}
	regions := map[string]*node{}
	fallbacks := false
	for _, r := range p.all("region") {
		regions[r.name] = r
		fallbacks = fallbacks || len(r.list("fallback")) > 0
	}
	answered := map[*node]bool{} // by any domain
	steered := map[*node]bool{}  // by a domain that looks at where clients are
	placed := false              // there is such a domain
	for _, d := range p.all("domain") {
		if d.broken {
			return
		}
		local := localStep(d) != nil
		placed = placed || local
		for _, a := range d.of("answer") {
			r := regionOf(a)
			if r == nil {
				return // it may be anywhere
			}
			answered[r] = true
			steered[r] = steered[r] || local
		}
	}
	if len(answered) == 0 {
		return
	}
	told := map[*node]bool{}
	for _, r := range p.all("region") {
		v := r.arg("fallback")
		if v != nil && v.bad || told[r] {
			continue
		}
		if v != nil && len(v.items) > 0 {
			p.checkReach(r, regions, answered, told)
			continue
		}
		who := users(r)
		switch {
		case placed && len(who) > 0 && !steered[r]:
			p.warn(fault{
				code: "GS303", at: r.raw.at, detail: fmt.Sprintf("%s has users (%s), but no answer of a domain that is steered by the client's place, and no fallback: nothing says who serves them.", r.id, strings.Join(who, ", ")),
				help: "Give it a fallback, or a domain an answer there.", rel: []Related{{"its users", r.at(who[0])}},
			})
		case v == nil && len(p.all("region")) > 1 && (steered[r] || fallbacks && answered[r]):
			f := fault{
				code: "GS301", at: r.raw.at, detail: r.id + " has no fallback: when its answers are down, nothing says which region its users go to.",
				help: "Give it a fallback, or fallback = [] if there shall be none.",
			}
			if !steered[r] {
				f.detail = r.id + " has no fallback and other regions have: when its answers are down, nothing says which region its users go to."
			}
			p.warn(f)
		}
	}
}

// checkReach reports fallbacks from which no region with an answer is reached.
func (p *parser) checkReach(r *node, regions map[string]*node, answered, told map[*node]bool) {
	reached := []*node{r}
	for i := 0; i < len(reached); i++ {
		if answered[reached[i]] {
			return
		}
		v := reached[i].arg("fallback")
		if v != nil && v.bad {
			return
		}
		for _, name := range reached[i].strings("fallback") {
			next := regions[name]
			if next == nil {
				return // reported
			}
			if !slices.Contains(reached, next) {
				reached = append(reached, next)
			}
		}
	}
	if len(reached) == 1 {
		return // it names itself only: reported
	}
	for _, n := range reached {
		told[n] = told[n] || len(n.list("fallback")) > 0
	}
	p.report(fault{
		code: "GS302", at: r.at("fallback"), detail: fmt.Sprintf("%s falls back to %s, and no domain has an answer in any of these regions: its users get nowhere.", r.id, among(ids(reached[1:]))),
		help: "Fall back to a region with answers.",
	})
}
