package plan

import (
	"slices"
	"strconv"
	"strings"

	"gslb/topology"
)

// zones adds what changes of the answers, zone by zone.
func (p *Plan) zones(old, now *topology.Topology) {
	was, is := domainsOf(old), domainsOf(now)
	nameservers := []string{}
	for _, n := range now.Nameservers {
		nameservers = append(nameservers, n.ID)
	}
	both(old.Zones, now.Zones, func(z *topology.Zone) string { return z.ID }, func(id string, before, after *topology.Zone) {
		z := Zone{ID: id, Action: action(before != nil, after != nil)}
		if z.Nameservers = nameservers; after == nil {
			z.Nameservers = []string{}
		}
		z.Changes = leaves("zone", id, zoneLeaves(before), zoneLeaves(after))
		z.Changes = append(z.Changes, hostNames(old, now, before, after)...)
		var records, recordsNow []*topology.Record
		if before != nil {
			z.Name, records = before.Name, before.Records
		}
		if after != nil {
			z.Name, recordsNow = after.Name, after.Records
		}
		both(records, recordsNow, func(r *topology.Record) string { return r.ID }, func(id string, before, after *topology.Record) {
			z.Changes = append(z.Changes, leaves("record", id, recordLeaves(before), recordLeaves(after))...)
		})
		both(was[before], is[after], func(d *topology.Domain) string { return d.ID }, func(id string, before, after *topology.Domain) {
			z.Changes = append(z.Changes, domainChanges(id, before, after)...)
			if before != nil && after != nil && (limited(before) || limited(after)) {
				z.Changes = append(z.Changes, fateChanges(old, now, before, after)...)
			}
		})
		if len(z.Changes) > 0 {
			p.Zones = append(p.Zones, z)
		}
	})
}

func domainsOf(t *topology.Topology) map[*topology.Zone][]*topology.Domain {
	out := map[*topology.Zone][]*topology.Domain{}
	for _, d := range t.Domains {
		out[d.Zone] = append(out[d.Zone], d)
	}
	return out
}

func zoneLeaves(z *topology.Zone) []leaf {
	if z == nil {
		return nil
	}
	return []leaf{
		{"name", z.Name}, {"file", z.File}, {"contact", z.Contact}, {"ttl", span(z.TTL)}, {"negative_ttl", span(z.NegativeTTL)},
		{"refresh", span(z.Refresh)}, {"retry", span(z.Retry)}, {"expire", span(z.Expire)},
	}
}

// hostNames are the changes of the names that the zone lists as its nameservers.
func hostNames(old, now *topology.Topology, before, after *topology.Zone) []Change {
	list := func(t *topology.Topology, z *topology.Zone) (names []string) {
		if z != nil {
			for _, n := range t.Nameservers {
				names = append(names, n.NameIn(z))
			}
		}
		return names
	}
	was, is := list(old, before), list(now, after)
	var out []Change
	for _, n := range is {
		if !slices.Contains(was, n) {
			out = append(out, Change{Action: Add, Kind: "ns", Text: "NS " + n, After: n})
		}
	}
	for _, n := range was {
		if !slices.Contains(is, n) {
			out = append(out, Change{Action: Remove, Kind: "ns", Text: "NS " + n, Before: n})
		}
	}
	return out
}

func recordLeaves(r *topology.Record) []leaf {
	if r == nil {
		return nil
	}
	return []leaf{{"name", r.Name}, {"type", r.Type}, {"data", words(r.Data)}, {"ttl", span(r.TTL)}}
}

func domainChanges(id string, before, after *topology.Domain) []Change {
	out := leaves("domain", id, domainLeaves(before), domainLeaves(after))
	var was, is []*topology.Answer
	if before != nil {
		was = before.Answers
	}
	if after != nil {
		is = after.Answers
	}
	answerID := func(a *topology.Answer) string { return a.ID }
	both(was, is, answerID, func(id string, before, after *topology.Answer) {
		out = append(out, leaves("answer", id, answerLeaves(before), answerLeaves(after))...)
	})
	if a, b := order(was, is, answerLabel), order(is, was, answerLabel); before != nil && after != nil && a != b {
		out = append(out, Change{Action: Modify, Kind: "domain", Object: id, Text: id + " order of answers " + a + " => " + b, Before: a, After: b})
	}
	return out
}

func answerLabel(a *topology.Answer) string { return a.Label }

// order is the names of those of a that b has too.
func order[T any](a, b []T, name func(T) string) string {
	there := map[string]bool{}
	for _, x := range b {
		there[name(x)] = true
	}
	var out []string
	for _, x := range a {
		if there[name(x)] {
			out = append(out, name(x))
		}
	}
	return words(out)
}

// limited reports whether not all answers are given, but a few that have little in common.
func limited(d *topology.Domain) bool {
	for _, s := range d.Policy.All() {
		if s.Kind == topology.StepLimit {
			return true
		}
	}
	return false
}

// fateChanges are the changes of what answers have in common, by which steering
// keeps apart those that would fail together.
func fateChanges(old, now *topology.Topology, before, after *topology.Domain) []Change {
	var out []Change
	was, is := shared(old, before), shared(now, after)
	for _, a := range after.Answers {
		if b, there := was[a.ID]; there {
			out = append(out, leaves("answer", a.ID, []leaf{{"shares", b}}, []leaf{{"shares", is[a.ID]}})...)
		}
	}
	return out
}

// shared are, by the answers of a domain, the directors and networks that each
// depends on and another one too.
func shared(t *topology.Topology, d *topology.Domain) map[string]string {
	needs, count := map[string][]string{}, map[string]int{}
	for _, a := range d.Answers {
		var ids []string
		need := func(id string) {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
				count[id]++
			}
		}
		if a.Service != nil {
			for _, tier := range a.Service.Tiers {
				for _, d := range tier.Directors {
					need(d.ID)
					need(d.Network.ID)
				}
			}
		}
		for _, n := range t.Networks {
			if slices.ContainsFunc(a.Addrs, n.Contains) {
				need(n.ID)
			}
		}
		needs[a.ID] = ids
	}
	out := map[string]string{}
	for id, ids := range needs {
		out[id] = words(slices.DeleteFunc(ids, func(x string) bool { return count[x] < 2 }))
	}
	return out
}

func domainLeaves(d *topology.Domain) []leaf {
	if d == nil {
		return nil
	}
	out := []leaf{
		{"name", d.Name}, {"ttl", span(d.TTL)}, {"policy", policyText(d.Policy)}, {"min_ttl", ""},
		{"types", words(d.Types)}, {"params", d.Params},
	}
	if d.MinTTL > 0 && d.MinTTL != d.TTL {
		out[3].value = span(d.MinTTL)
	}
	return out
}

// policyText is a policy in a line.
func policyText(p *topology.Policy) string {
	var out []string
	for _, s := range p.All() {
		word := s.Kind.String()
		switch {
		case s.Kind == topology.StepHealth && s.FailTo != nil:
			word += " (else " + s.FailTo.ID + ")"
		case s.Kind == topology.StepHealth && !s.FailOpen:
			word += " (closed)"
		case s.Kind == topology.StepPrefixes && s.Default != nil:
			word += " (else " + s.Default.ID + ")"
		case s.Kind == topology.StepLimit:
			word += " " + strconv.Itoa(s.Answers)
		}
		out = append(out, word)
	}
	return strings.Join(out, ", ")
}

func answerLeaves(a *topology.Answer) []leaf {
	if a == nil {
		return nil
	}
	list := []leaf{
		{"addresses", topology.Addrs(a.Addrs).String()}, {"cname", a.CNAME}, {"weight", strconv.Itoa(a.Weight)}, {"region", ""},
		{"target", a.Target}, {"priority", ""}, {"port", some(a.TargetPort)}, {"bias", some(a.Bias)},
	}
	if a.Region != nil {
		list[3].value = a.Region.Name
	}
	if a.Target != "" {
		list[5].value = strconv.Itoa(a.Priority)
	}
	return list
}
