package plan

import (
	"math"
	"net/netip"
	"slices"
	"strings"

	"gslb/health"
	"gslb/steering"
	"gslb/tiers"
	"gslb/topology"
)

// An Impact is what clients notice.
type Impact struct {
	ClientNetworks int `json:"client_networks"` // how many were sampled
	// ChangeRegion is how many of them go to another region, for the domain
	// and family for which it is most.
	ChangeRegion int             `json:"change_region"`
	Domains      []DomainImpact  `json:"domains"`
	Services     []ServiceImpact `json:"services"`
}

// A DomainImpact is what changes for who asks for a name.
type DomainImpact struct {
	Domain string `json:"domain"`
	Name   string `json:"name"`
	// Types are the types of query this is true for: A, AAAA, or those of a
	// domain whose answers are hosts.
	Types        []string `json:"types"`
	ChangeRegion int      `json:"change_region"`
	Shares       []Share  `json:"shares"`
}

// A Share is the part of queries, 0 to 1, whose first address or host is in a place: a
// region or, of an answer without one, the answer itself.
type Share struct {
	Place  string  `json:"place"`
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// A ServiceImpact is what changes for who uses a virtual service.
type ServiceImpact struct {
	Service string `json:"service"`
	// Hash says that a hash scheduler is on the way and stays, so that a client
	// has a destination of its own; Moved is the part of client addresses, 0 to 1,
	// whose new connections go to another one: of the VIP and port where it is most.
	Hash  bool    `json:"hash"`
	Moved float64 `json:"moved"`
	// Hashed and Balanced are the schedulers of tiers whose destinations
	// change: those that choose by address before and after, and the others,
	// where new connections are balanced anew.
	Hashed   []string `json:"hashed"`
	Balanced []string `json:"balanced"`
	// Ended are the destinations whose established connections end, because
	// the file has them no more where they were; all others keep theirs.
	Ended []string `json:"ended"`
	// Flows says that the service has UDP ports only: flows to what is in Ended
	// do not end but move with their next packet.
	Flows bool `json:"flows"`
	// EndedVIPs are the VIPs and ports whose established connections all end:
	// they are gone, or at a director that does not know them.
	EndedVIPs []string `json:"ended_vips"`
}

func (p *Plan) impact(old, now *side, steps map[string]tiers.Plan) {
	p.Impact = Impact{ClientNetworks: Sampled, Domains: domainImpacts(old.topo, now.topo), Services: serviceImpacts(old, now, steps)}
	for _, d := range p.Impact.Domains {
		p.Impact.ChangeRegion = max(p.Impact.ChangeRegion, d.ChangeRegion)
	}
}

func domainImpacts(old, now *topology.Topology) []DomainImpact {
	out := []DomainImpact{}
	was := map[string]*topology.Domain{}
	for _, d := range old.Domains {
		was[asked(d)] = d
	}
	var before, after []*topology.Domain
	for _, d := range now.Domains {
		if b := was[asked(d)]; b != nil && steered(b) != steered(d) {
			before, after = append(before, b), append(after, d)
		}
	}
	tablesOf := func(domains []*topology.Domain) *steering.Table {
		view := health.View{}
		for _, d := range domains {
			for _, a := range d.Answers {
				for _, t := range steering.Targets(a, steering.Host) {
					view[t] = health.State{Known: true, Up: true}
				}
			}
		}
		return steering.Compile(&topology.Topology{Domains: domains}, steering.Inputs{View: view})
	}
	tableBefore, tableAfter := tablesOf(before), tablesOf(after)
	for i, d := range after {
		var last *DomainImpact
		for _, f := range families(before[i], d) {
			b, a := shares(tableBefore, before[i], f), shares(tableAfter, d, f)
			one := DomainImpact{Domain: d.ID, Name: d.Name, Types: d.Types}
			if f != steering.Host {
				one.Types = []string{[]string{steering.V4: "A", steering.V6: "AAAA"}[f]}
			}
			gone, differ := 0, false
			for _, place := range places(before[i], d) {
				if b[place]+a[place] == 0 {
					continue
				}
				one.Shares = append(one.Shares, Share{place, float64(b[place]) / Sampled, float64(a[place]) / Sampled})
				gone += max(b[place]-a[place], 0)
				differ = differ || b[place] != a[place]
			}
			one.ChangeRegion = gone
			switch {
			case !differ:
			case last != nil && slices.Equal(last.Shares, one.Shares):
				last.Types = append(last.Types, one.Types...)
			default:
				out = append(out, one)
				last = &out[len(out)-1]
			}
		}
	}
	return out
}

// asked is what a domain is asked for: its name, and its types where they are
// not addresses, as domains of other types may have the name too.
func asked(d *topology.Domain) string {
	if d.Hosts() {
		return d.Name + " " + strings.Join(d.Types, " ")
	}
	return d.Name
}

// families are those that can be asked of a domain before or after.
func families(before, after *topology.Domain) []steering.Family {
	out := steering.Asked(before)
	for _, f := range steering.Asked(after) {
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	slices.Sort(out)
	return out
}

// steered is everything that decides to which place queries for d go.
func steered(d *topology.Domain) string {
	out := policyText(d.Policy)
	for _, a := range d.Answers {
		out += "\n" + place(a) + " " + text(answerLeaves(a))
	}
	return out
}

// shares is how many of the sampled queries get each place first. The numbers
// of the queries are evenly spread, as those of a nameserver are.
func shares(t *steering.Table, d *topology.Domain, f steering.Family) map[string]int {
	out := map[string]int{}
	var buf []steering.Place
	for n := range uint64(Sampled) {
		buf = t.Pick(buf[:0], d, f, n*(math.MaxUint64/Sampled+1))
		if len(buf) > 0 {
			out[place(buf[0].Answer)]++
		}
	}
	return out
}

func place(a *topology.Answer) string {
	if a.Region != nil {
		return a.Region.ID
	}
	return a.ID
}

// places of two states of a domain, each once, in the order of the file.
func places(before, after *topology.Domain) []string {
	var out []string
	for _, d := range []*topology.Domain{before, after} {
		for _, a := range d.Answers {
			if p := place(a); !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// A journey follows the clients of one VIP and port through the tiers, before
// and after.
type journey struct {
	key      tiers.Key
	old, now *side
	was, is  *topology.Service
	steps    map[string]map[tiers.Key]tiers.Plan // of each director, for each key
	stops    map[string]*stop                    // by director
}

// A stop is a director on the way.
type stop struct {
	old, now         *tiers.Service
	listOld, listNow tiers.List
	hashOld, hashNow *tiers.Spread
	next             map[netip.Addr]string // the next tier's directors, by address
	stay             []tiers.Destination   // those of them that were there before
	same             bool                  // nothing changes here or behind
}

func serviceImpacts(old, now *side, steps map[string]tiers.Plan) []ServiceImpact {
	byKey := map[string]map[tiers.Key]tiers.Plan{}
	for id, plan := range steps {
		byKey[id] = map[tiers.Key]tiers.Plan{}
		for _, c := range plan {
			byKey[id][c.Service.Key] = append(byKey[id][c.Service.Key], c)
		}
	}
	out := []ServiceImpact{}
	both(old.topo.Services, now.topo.Services, func(s *topology.Service) string { return s.ID }, func(id string, before, after *topology.Service) {
		i := ServiceImpact{Service: id, Hashed: []string{}, Balanced: []string{}, Ended: []string{}, EndedVIPs: []string{}}
		touched := false
		if before != nil {
			for _, k := range keys(before) {
				if now.at[k] == nil {
					i.EndedVIPs = append(i.EndedVIPs, k.String())
					touched = true
				}
			}
		}
		if after != nil {
			for _, k := range keys(after) {
				was := old.at[k]
				if was == nil {
					continue
				}
				j := journey{key: k, old: old, now: now, was: was, is: after, steps: byKey, stops: map[string]*stop{}}
				touched = j.weigh(&i) || touched
				i.Flows = !slices.ContainsFunc(after.Ports, func(p topology.Port) bool { return p.Proto == topology.TCP })
			}
		}
		if touched {
			out = append(out, i)
		}
	})
	return out
}

// weigh adds what changes for the journey's VIP and port and reports whether
// anything does.
func (j *journey) weigh(i *ServiceImpact) bool {
	touched := false
	for at, tier := range j.is.Tiers {
		hash := byAddress(tier) && at < len(j.was.Tiers) && byAddress(j.was.Tiers[at])
		i.Hash = i.Hash || hash
		if !j.changes(tier.Directors) && (at >= len(j.was.Tiers) || !j.changes(j.was.Tiers[at].Directors)) {
			continue
		}
		touched = true
		list := &i.Balanced
		if hash {
			list = &i.Hashed
		}
		if !slices.Contains(*list, tier.Scheduler) {
			*list = append(*list, tier.Scheduler)
		}
	}
	if !touched {
		return false
	}
	first, before := j.is.Tiers[0].Directors[0].ID, j.was.Tiers[0].Directors[0].ID
	if moves(j.was.Tiers[0].Forwarders()[0], j.is.Tiers[0].Forwarders()[0]) {
		i.EndedVIPs = append(i.EndedVIPs, j.key.String())
	}
	for _, tier := range j.was.Tiers {
		for _, d := range tier.Directors {
			for _, c := range j.steps[d.ID][j.key] {
				if c.Op != tiers.DeleteDestination {
					continue
				}
				if who := j.old.directors[d.ID].who(c.Destination.Addr.Addr()); !slices.Contains(i.Ended, who) {
					i.Ended = append(i.Ended, who)
				}
			}
		}
	}
	if i.Hash {
		moved := 0.0
		for n := range Sampled {
			moved += j.moved(before, first, client(n, j.key.V6))
		}
		i.Moved = max(i.Moved, moved/Sampled)
	}
	return true
}

func byAddress(t *topology.Tier) bool {
	s, _ := topology.SchedulerNamed(t.Scheduler)
	return s.Hash
}

func (j *journey) changes(directors []*topology.Director) bool {
	for _, d := range directors {
		if len(j.steps[d.ID][j.key]) > 0 {
			return true
		}
	}
	return false
}

// moved is the chance that a client, who is at director was or is, gets another
// destination than before as far as the client's address decides.
func (j *journey) moved(was, is string, client netip.AddrPort) float64 {
	s := j.at(was, is)
	switch {
	case s.same:
		return 0
	case s.old == nil || s.now == nil:
		return 1
	case s.hashOld == nil || s.hashNow == nil:
		return j.average(s, client)
	}
	a, hadA := s.hashOld.Pick(client)
	b, hadB := s.hashNow.Pick(client)
	if !hadA && !hadB {
		return 0
	}
	if hadA != hadB || s.listOld[a].Addr != s.listNow[b].Addr {
		return 1
	}
	if next := s.next[s.listNow[b].Addr.Addr()]; next != "" {
		return j.moved(next, next, client)
	}
	return 0
}

// average is the chance behind a stop where not the address decides: over the
// directors that stay, by their weights.
func (j *journey) average(s *stop, client netip.AddrPort) float64 {
	sum, weights := 0.0, 0.0
	for _, d := range s.stay {
		sum += float64(d.Weight) * j.moved(s.next[d.Addr.Addr()], s.next[d.Addr.Addr()], client)
		weights += float64(d.Weight)
	}
	if weights == 0 {
		return 0
	}
	return sum / weights
}

func (j *journey) at(was, is string) *stop {
	if s := j.stops[is]; s != nil {
		return s
	}
	s := &stop{next: map[netip.Addr]string{}}
	j.stops[is] = s
	if d := j.old.directors[was]; d != nil {
		s.old = d.rows[j.key]
	}
	if d := j.now.directors[is]; d != nil {
		s.now = d.rows[j.key]
	}
	if s.old == nil || s.now == nil {
		return s
	}
	s.same = was == is && len(j.steps[is][j.key]) == 0
	for i, tier := range j.is.Tiers {
		if i > 0 && has(j.is.Tiers[i-1].Directors, j.now.directors[is].Director) {
			for _, f := range tier.Forwarders() {
				if a, ok := f.Addrs().Like(j.key.VIP.Addr()); ok {
					d := f.Members()[0] // the others have the same table
					s.next[a] = d.ID
					s.same = s.same && j.at(d.ID, d.ID).same
				}
			}
		}
	}
	if s.same {
		return s
	}
	before := map[netip.AddrPort]bool{}
	for _, d := range s.old.Destinations {
		before[d.Addr] = true
	}
	for _, d := range s.now.Destinations {
		if before[d.Addr] && s.next[d.Addr.Addr()] != "" {
			s.stay = append(s.stay, d)
		}
	}
	s.listOld = tiers.Listed(*s.old)
	s.listNow = tiers.Listed(*s.now)
	if was == is { // else a kernel that has never known the service
		s.listNow = s.listOld.After(j.steps[is][j.key], j.key)
	}
	s.hashOld = tiers.NewSpread(s.old.Scheduler, s.old.Flags, s.listOld)
	s.hashNow = tiers.NewSpread(s.now.Scheduler, s.now.Flags, s.listNow)
	return s
}
