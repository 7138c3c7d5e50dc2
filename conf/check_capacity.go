package conf

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gslb/topology"
)

// An offer is what real servers can deliver together, in bytes per second.
type offer struct {
	rate    float64
	servers int
	each    float64 // 0: not all the same
	farms   []*node
}

// offered sums up farms; false where a server's throughput is not known.
func offered(farms []*node) (offer, bool) {
	o := offer{farms: farms}
	for _, f := range farms {
		if f.broken {
			return o, false
		}
		for _, t := range serversOf(f).rates {
			if t < 0 {
				return o, false
			}
			if o.servers == 0 {
				o.each = t
			}
			if t != o.each {
				o.each = 0
			}
			o.rate += t
			o.servers++
		}
	}
	return o, o.servers > 0
}

func (o offer) String() string {
	text := fmt.Sprintf("The %d servers of %s offer %s", o.servers, strings.Join(ids(o.farms), " and "), rate(o.rate))
	if o.servers == 1 {
		text = fmt.Sprintf("The server of %s offers %s", o.farms[0].id, rate(o.rate))
	} else if o.each > 0 {
		text += fmt.Sprintf(" (%s each)", rateOf(o.each))
	}
	return text
}

// rate writes bytes per second for sums and limits, rateOf as a file would.
func rate(r float64) string {
	switch {
	case r >= 1e9:
		return fmt.Sprintf("%.2f GB/s", r/1e9)
	case r >= 1e6:
		return fmt.Sprintf("%.2f MB/s", r/1e6)
	case r >= 1e3:
		return fmt.Sprintf("%.2f KB/s", r/1e3)
	}
	return fmt.Sprintf("%.0f B/s", r)
}

func rateOf(r float64) string {
	digits := func(x float64) float64 { return math.Round(x*100) / 100 }
	switch {
	case r >= 1e9:
		return fmt.Sprintf("%g GB/s", digits(r/1e9))
	case r >= 1e6:
		return fmt.Sprintf("%g MB/s", digits(r/1e6))
	case r >= 1e3:
		return fmt.Sprintf("%g KB/s", digits(r/1e3))
	}
	return fmt.Sprintf("%g B/s", digits(r))
}

// A limit is what a director can rewrite by NAT.
type limit struct {
	packet int
	cost   time.Duration
}

func (l limit) rate() float64 { return float64(l.packet) / l.cost.Seconds() }

func (p *parser) limitOf(d *node) (limit, bool) {
	g := p.groupOr(d, "capacity")
	if g.broken {
		return limit{}, false
	}
	packet, ok1 := get[int](g, "mean_packet")
	cost, ok2 := get[time.Duration](g, "packet_cost")
	return limit{packet, cost}, ok1 && ok2 && cost > 0
}

// A rewriter is a director, or a pair of which one works at a time, of last
// tiers that forward by NAT.
type rewriter struct {
	d     *node
	works *node          // it, or the pair's first member
	tier  *node          // the first such tier it is in
	farms []*node        // what it forwards to in all of them
	has   map[*node]bool // those
	limit limit
	offer offer
	known bool // limit and offer are
	over  bool // the offer is above the limit
}

// rewriters lists the NAT directors and pairs of all services in file order.
func (p *parser) rewriters() ([]*rewriter, map[*node]*rewriter) {
	var out []*rewriter
	by := map[*node]*rewriter{}
	for _, s := range p.all("virtual_service") {
		tiers := s.of("tier")
		if len(tiers) == 0 || s.broken {
			continue
		}
		t := tiers[len(tiers)-1]
		if t.method() != topology.NAT || !complete(t, "directors") || !complete(t, "farms") {
			continue
		}
		behind := farmsBehind(t)
		for _, f := range forwarders(t) {
			r := by[f.head()]
			if r == nil {
				r = &rewriter{d: f.head(), works: f.node, tier: t, has: map[*node]bool{}}
				by[f.head()] = r
				out = append(out, r)
			}
			reached := behind[f.head()]
			if t.flag("fullnat") {
				reached = t.nodes("farms")
			}
			for _, farm := range reached {
				if !r.has[farm] {
					r.has[farm] = true
					r.farms = append(r.farms, farm)
				}
			}
		}
	}
	for _, r := range out {
		var ok1, ok2 bool
		r.limit, ok1 = p.limitOf(r.works)
		r.offer, ok2 = offered(r.farms)
		r.known = ok1 && ok2
		r.over = r.known && r.offer.rate > r.limit.rate()
	}
	return out, by
}

// checkCapacity compares what NAT directors can rewrite with what is behind
// them: each by itself, the members of a pair for each other, and what is left
// when one director or region is down.
func (p *parser) checkCapacity() {
	if !p.anyGives("server", "throughput") && len(p.all("failover")) == 0 {
		return // nothing is known of what they carry
	}
	all, by := p.rewriters()
	for _, r := range all {
		if !r.over {
			continue
		}
		use := int(r.limit.rate() / r.offer.rate * float64(r.offer.servers))
		p.warn(fault{
			code: "GS231", at: r.tier.at("method"),
			detail: fmt.Sprintf("%s rewrites every packet in both directions: %d bytes / %v per packet = %s at most. %v, so about %d of them can be used.",
				r.d.id, r.limit.packet, r.limit.cost, rate(r.limit.rate()), r.offer, use),
			help: "Split the farm over more NAT directors, or use tun/dr for this tier.",
			rel:  []Related{r.d.here()},
		})
	}
	for _, f := range p.all("failover") {
		p.checkBackup(f, by)
	}
	for _, s := range p.all("virtual_service") {
		p.checkSpare(s, by)
	}
	for _, d := range p.all("domain") {
		p.checkRegionSpare(d, by)
	}
}

// checkBackup warns of a pair in which one member cannot do the work of all.
func (p *parser) checkBackup(f *node, by map[*node]*rewriter) {
	var weakest *node
	least := math.Inf(1)
	for _, d := range f.nodes("members") {
		l, ok := p.limitOf(d)
		if !ok {
			return
		}
		if l.rate() < least {
			weakest, least = d, l.rate()
		}
	}
	r := by[f]
	if r == nil || r.over || len(f.list("members")) < 2 || len(r.farms) == 0 { // over is GS231
		return
	}
	l, _ := p.limitOf(weakest)
	o, ok := offered(r.farms)
	if active := f.nodes("members")[0]; !ok && weakest != active {
		a, _ := p.limitOf(active)
		p.warn(fault{
			code: "GS246", at: f.at("members"),
			detail: fmt.Sprintf("%s can rewrite %s (%d bytes / %v per packet), and %s, which takes over from it, %s (%d bytes / %v).",
				active.id, rate(a.rate()), a.packet, a.cost, weakest.id, rate(least), l.packet, l.cost),
			help: "Use a pair of equals, or say with throughput what the servers need.", rel: []Related{active.here(), weakest.here()},
		})
		return
	}
	if !ok || o.rate <= least {
		return
	}
	p.warn(fault{
		code: "GS246", at: f.at("members"),
		detail: fmt.Sprintf("When %s is all that is left of %s, it rewrites every packet: %d bytes / %v per packet = %s at most. %v: %s of what it can do.",
			weakest.id, f.id, l.packet, l.cost, rate(least), o, percent(o.rate/least)),
		help: "Use a pair for less, or directors that can do more.", rel: []Related{weakest.here()},
	})
}

func percent(part float64) string { return fmt.Sprintf("%.0f %%", part*100) }

// farmsBehind are a tier's farms by their gateway.
func farmsBehind(t *node) map[*node][]*node {
	out := map[*node][]*node{}
	for _, f := range t.nodes("farms") {
		out[f.ref("gateway")] = append(out[f.ref("gateway")], f)
	}
	return out
}

// delivers is what comes out of a last tier at full load, by what its list of
// directors names: of NAT directors no more than they can rewrite, of the
// others what the servers offer. Farms that are counted already are left out.
// False where something is not known or a director is a bottleneck by itself.
func (p *parser) delivers(t *node, by map[*node]*rewriter, counted map[*node]bool) ([]float64, bool) {
	if !complete(t, "directors") || !complete(t, "farms") || len(t.list("directors")) == 0 || t.method() == topology.NoMethod {
		return nil, false
	}
	take := func(farms []*node) (float64, bool) {
		sum := 0.0
		for _, f := range farms {
			o, ok := offered([]*node{f})
			if !ok {
				return 0, false
			}
			if !counted[f] {
				sum += o.rate
			}
			counted[f] = true
		}
		return sum, true
	}
	if t.method() != topology.NAT || t.flag("fullnat") {
		sum, ok := take(t.nodes("farms"))
		return []float64{sum}, ok
	}
	out := make([]float64, len(t.list("directors")))
	behind := farmsBehind(t)
	for i, d := range t.nodes("directors") {
		r := by[d]
		if r == nil || r.over {
			return nil, false
		}
		sum, ok := take(behind[d])
		if !ok {
			return nil, false
		}
		out[i] = sum
	}
	return out, true
}

// checkSpare warns of a NAT tier in which the other directors cannot take over
// what one of them carries.
func (p *parser) checkSpare(s *node, by map[*node]*rewriter) {
	tiers := s.of("tier")
	if s.broken || len(tiers) == 0 {
		return
	}
	t := tiers[len(tiers)-1]
	if t.method() != topology.NAT || len(t.list("directors")) < 2 {
		return
	}
	if t.flag("fullnat") {
		p.checkFullNAT(t)
		return
	}
	rates, ok := p.delivers(t, by, map[*node]bool{})
	if !ok {
		return
	}
	sum, worst := 0.0, -1
	for i, it := range t.list("directors") {
		sum += rates[i]
		if it.x.(*node).sch == directorBlock && (worst < 0 || rates[i] > rates[worst]) {
			worst = i
		}
	}
	if worst < 0 || rates[worst] <= sum-rates[worst] || sum == rates[worst] {
		return
	}
	lost, rest := t.list("directors")[worst].x.(*node), sum-rates[worst]
	p.warn(fault{
		code: "GS501", at: t.at("directors"),
		detail: fmt.Sprintf("The servers behind %s offer %s, and those behind all other directors of %s %s. With %s down, the others carry %s at full load (N-1), beside what they have of their own.",
			lost.id, rate(rates[worst]), t.id, rate(rest), lost.id, percent(rates[worst]/rest)),
		help: "Divide the servers more evenly, or over more directors.", rel: []Related{lost.here()},
	})
}

// checkFullNAT is checkSpare where every director reaches every server.
func (p *parser) checkFullNAT(t *node) {
	o, ok := offered(t.nodes("farms"))
	if !ok || !complete(t, "directors") || !complete(t, "farms") {
		return
	}
	sum, worst := 0.0, 0.0
	var lost *node
	for _, d := range forwarders(t) {
		l, ok := p.limitOf(d.node)
		if !ok {
			return
		}
		if d.nth > 0 {
			continue // of a pair one works
		}
		sum += l.rate()
		if d.pair == nil && l.rate() > worst {
			lost, worst = d.node, l.rate()
		}
	}
	if lost == nil || o.rate > sum || o.rate <= sum-worst {
		return
	}
	p.warn(fault{
		code: "GS501", at: t.at("directors"),
		detail: fmt.Sprintf("%v. With %s down, the other directors of %s can rewrite %s: they carry %s at full load (N-1).", o, lost.id, t.id, rate(sum-worst), percent(o.rate/(sum-worst))),
		help:   "Add a director.", rel: []Related{lost.here()},
	})
}

// checkRegionSpare warns of a domain in which the other regions cannot take
// over what one of them carries.
func (p *parser) checkRegionSpare(d *node, by map[*node]*rewriter) {
	var order []*node
	rates, loads := map[*node]float64{}, map[*node]float64{}
	at := map[*node]item{}
	counted := map[*node]bool{}
	for _, a := range d.of("answer") {
		s := a.ref("service")
		weight, ok := get[int](a, "weight")
		region, tiers := s.ref("region"), []*node(nil)
		if s != nil {
			tiers = s.of("tier")
		}
		if !ok || region == nil || s.broken || len(tiers) == 0 {
			return
		}
		each, ok := p.delivers(tiers[len(tiers)-1], by, counted)
		if !ok {
			return
		}
		if at[region].x == nil {
			order = append(order, region)
			at[region] = item{s, a.at("service")}
		}
		for _, r := range each {
			rates[region] += r
			if weight > 0 {
				loads[region] += r
			}
		}
	}
	if d.broken || len(order) < 2 {
		return
	}
	sum := 0.0
	for _, r := range order {
		sum += rates[r]
	}
	var lost *node
	worst := 1.0
	for _, r := range order {
		if rest := sum - rates[r]; rest > 0 && loads[r]/rest > worst {
			lost, worst = r, loads[r]/rest
		}
	}
	if lost == nil {
		return
	}
	var names []string
	for _, r := range order {
		if r != lost {
			names = append(names, r.name)
		}
	}
	p.warn(fault{
		code: "GS501", at: at[lost].at,
		detail: fmt.Sprintf("The servers of %s in %s offer %s, and those in all other regions %s. N-1: with %s down, %s %s %s at full load, beside what is there already.",
			d.id, lost.id, rate(loads[lost]), rate(sum-rates[lost]), lost.name, strings.Join(names, " and "), carry(len(names)), percent(worst)),
		help: "Add servers in the other regions, or regions.", rel: []Related{d.here()},
	})
}

func carry(n int) string {
	if n == 1 {
		return "carries"
	}
	return "carry"
}

// checkLone warns of a tier behind another that has one NAT director: it has
// all the farms, and no other director can be their gateway in time. In a first
// tier, which has one director by rule, another answer of the domain is what
// stands by.
func (p *parser) checkLone(s *node, tiers []*node, i int) {
	t := tiers[i]
	ds := t.nodes("directors")
	if i == 0 || t.method() != topology.NAT || len(ds) != 1 || ds[0].sch != directorBlock {
		return
	}
	p.warn(fault{
		code: "GS238", at: t.at("directors"), detail: fmt.Sprintf("%s is the only director of %s: when it is down, so is %s, whatever its servers do.", ds[0].id, t.id, s.id),
		help: "Give part of the servers to a second NAT director, each the gateway of a farm of its own, or name a failover pair.", rel: []Related{ds[0].here()},
	})
}

// checkClients warns of clients that are on the segment of the servers behind
// a NAT director: their replies go to them directly, past the director.
func (p *parser) checkClients() {
	if !slices.ContainsFunc(p.all("region"), func(r *node) bool { return len(r.list("prefixes")) > 0 }) {
		return
	}
	behind := map[*node][2]*node{} // networks of NAT farms: farm and tier
	for _, s := range p.all("virtual_service") {
		tiers := s.of("tier")
		if len(tiers) == 0 || s.broken {
			continue
		}
		t := tiers[len(tiers)-1]
		if t.method() != topology.NAT || t.flag("fullnat") {
			continue
		}
		for _, f := range t.nodes("farms") {
			if n := f.ref("network"); n != nil && behind[n] == [2]*node{} && f.ref("gateway") != nil {
				behind[n] = [2]*node{f, t}
			}
		}
	}
	if len(behind) == 0 {
		return
	}
	for _, r := range p.all("region") {
		for _, it := range r.list("prefixes") {
			users := it.x.(netip.Prefix)
			seg, ok := p.overlapping(users, func(s segment) bool { return behind[s.n] != [2]*node{} })
			if !ok {
				continue
			}
			f, t := behind[seg.n][0], behind[seg.n][1]
			p.warn(fault{
				code: "GS233", at: it.at, detail: fmt.Sprintf("The users in %s can be on the segment of %s, %s. Its servers answer those directly, past %s, from an address that they did not connect to: the connections fail.", users, f.id, seg.prefix(), f.ref("gateway").id),
				help: "Leave the segment out of the prefixes, or give the tier fullnat = true.",
				rel:  []Related{{seg.n.id + " has " + seg.prefix().String(), seg.it.at}, {t.id + " forwards by nat", t.at("method")}},
			})
		}
	}
}

// overlapping returns the first segment of those that overlap a prefix which
// is wanted.
func (p *parser) overlapping(pfx netip.Prefix, wanted func(segment) bool) (segment, bool) {
	i, found := slices.BinarySearchFunc(p.segments, pfx.Addr(), func(s segment, a netip.Addr) int { return s.prefix().Addr().Compare(a) })
	if !found && i > 0 {
		i--
	}
	for ; i < len(p.segments) && p.segments[i].prefix().Addr().Compare(last(pfx)) <= 0; i++ {
		if s := p.segments[i]; s.prefix().Overlaps(pfx) && wanted(s) {
			return s, true
		}
	}
	return segment{}, false
}
