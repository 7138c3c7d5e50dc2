package conf

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"gslb/topology"
)

const (
	// A TTL counts against the time that detection takes from ten times it
	// on, and below a minute never: then it is not what a client waits for.
	ttlOverDetection = 10
	ttlShort         = time.Minute

	// With one address in hand, a client waits out the TTL.
	ttlOneAnswer = 5 * time.Minute

	// What one node can be expected to probe, in probes a second. Each is a
	// connection of its own, for https with a handshake.
	probeBudget = 1000

	// Nodes report to each other every second.
	heartbeat = time.Second
)

// checkTimes looks at what intervals, timeouts and TTLs come to.
func (p *parser) checkTimes() {
	p.secure = nil
	for _, c := range p.all("check") {
		p.checkFlapping(c)
		p.checkTLS(c)
	}
	for _, d := range p.all("domain") {
		p.checkOutage(d)
		p.checkSlowStart(d)
	}
	for _, c := range p.all("cluster") {
		if stale, ok := get[time.Duration](c, "stale"); ok && stale < 3*heartbeat {
			p.warn(fault{
				code: "GS410", at: c.at("stale"), detail: fmt.Sprintf("Nodes report every %v; after %v a report counts as old, so one that is late or lost is enough.", heartbeat, stale),
				help: fmt.Sprintf("Give stale at least %v.", 3*heartbeat),
			})
		}
	}
	p.checkBudget()
	p.checkRoundTrips()
}

// checkName is how a check is called in sentences.
func checkName(c *node) string {
	if c.id == "" {
		return "the default check"
	}
	return c.id
}

// checkFlapping warns of a check that one result turns over, either way.
func (p *parser) checkFlapping(c *node) {
	rise, ok1 := get[int](c, "rise")
	fall, ok2 := get[int](c, "fall")
	if !ok1 || !ok2 || rise > 1 || fall > 1 {
		return
	}
	at := c.at("fall")
	if !c.arg("fall").own && c.arg("rise").own {
		at = c.at("rise")
	}
	p.warn(fault{
		code: "GS409", at: at, detail: fmt.Sprintf("One failure takes what %s looks at down and one success brings it up: each lost packet changes answers and forwarding tables twice.", c.id),
		help: "Give fall at least 2, and a shorter interval if it must be as fast.",
	})
}

// tlsPorts are where clients speak TLS from the first byte on.
var tlsPorts = []int{443, 8443}

// checkTLS looks at checks of what speaks TLS.
func (p *parser) checkTLS(c *node) {
	typ, ok := get[topology.CheckType](c, "type")
	switch {
	case !ok:
	case typ == topology.CheckTCP:
		port, rel, ok := p.portOf(c)
		if !ok || !slices.Contains(tlsPorts, port) {
			return
		}
		p.warn(fault{
			code: "GS407", at: c.at("type"), detail: fmt.Sprintf("%s only connects to port %d: that succeeds as well when the certificate has expired or the program behind the port is stuck.", c.id, port),
			help: "Use type = \"https\" with a host and a path.", rel: rel,
		})
	case typ == topology.CheckHTTPS && !c.gave("host") && c.val("verify") != nil:
		f := fault{
			code: "GS407", at: c.at("type"), detail: c.id + " has no host, so it sends no server name (an address cannot be one, RFC 6066 section 3): a server with several certificates chooses another than for clients, or refuses.",
			help: "Give host the name that clients use.",
		}
		if c.flag("verify") {
			f.at = c.at("verify")
			f.detail = c.id + " verifies the certificate and has no host: there is no name that the certificate could be valid for."
			p.report(f)
			return
		}
		p.warn(f)
	}
}

// portOf is the port that a check looks at: its own, or that of a service that
// uses it, with the place of the latter.
func (p *parser) portOf(c *node) (int, []Related, bool) {
	if c.gave("port") {
		port, ok := get[int](c, "port")
		return port, nil, ok
	}
	if s := p.speaksTLS()[c]; s != nil {
		return s.way.tls, []Related{{s.id + " is checked with it", s.at("ports")}}, true
	}
	return 0, nil, false
}

// speaksTLS is, of each check, the first service that uses it and has one TCP
// port, on which clients speak TLS.
func (p *parser) speaksTLS() map[*node]*node {
	if p.secure != nil {
		return p.secure
	}
	p.secure = map[*node]*node{}
	note := func(c, s *node) {
		if c != nil && p.secure[c] == nil {
			p.secure[c] = s
		}
	}
	for _, s := range p.all("virtual_service") {
		if p.wayOf(s).tls == 0 {
			continue
		}
		note(s.ref("check"), s)
		for _, t := range s.of("tier") {
			note(t.ref("check"), s)
		}
	}
	for _, d := range p.all("domain") {
		for _, a := range d.of("answer") {
			if s := a.ref("service"); s != nil && p.wayOf(s).tls != 0 {
				note(a.ref("check"), s)
			}
		}
	}
	return p.secure
}

// checkOf is the check of an answer: its own, its service's, or the default
// one; nil when it has none. It is not known when something is wrong with it.
func (p *parser) checkOf(a *node) (c *node, known bool) {
	if a.gave("check") {
		c = a.ref("check")
		return c, c != nil
	}
	if !a.gave("service") {
		return nil, !a.raw.known["service"]
	}
	return p.checkOfService(a.ref("service"))
}

func (p *parser) checkOfService(s *node) (c *node, known bool) {
	switch {
	case s == nil || s.val("ports") == nil:
		return nil, false
	case s.gave("check"):
		c = s.ref("check")
		return c, c != nil
	case len(portsOf(s, topology.TCP)) > 0:
		return p.defaultCheck(), true
	}
	return nil, true
}

// detection is how long a check takes to find that something is down, and how
// that comes about.
func detection(c *node) (time.Duration, string, bool) {
	interval, ok1 := get[time.Duration](c, "interval")
	timeout, ok2 := get[time.Duration](c, "timeout")
	fall, ok3 := get[int](c, "fall")
	if !ok1 || !ok2 || !ok3 || timeout >= interval || interval > math.MaxInt64/2/time.Duration(fall) {
		return 0, "", false
	}
	return time.Duration(fall)*interval + timeout, fmt.Sprintf("%d x %v + %v", fall, interval, timeout), true
}

// checkOutage warns of a domain whose TTL is what clients wait for when a place
// goes down.
func (p *parser) checkOutage(d *node) {
	ttl, ok := get[time.Duration](d, "ttl")
	answers := d.of("answer")
	if !ok || d.broken || len(answers) < 2 {
		return // with one place there is no other to go to
	}
	var slowest *node
	var longest time.Duration
	var sum string
	for _, a := range answers {
		c, known := p.checkOf(a)
		if !known {
			return
		}
		if c == nil {
			continue
		}
		took, why, ok := detection(c)
		if !ok {
			return
		}
		if took > longest {
			slowest, longest, sum = c, took, why
		}
	}
	if slowest != nil && ttl > ttlOverDetection*longest && ttl > ttlShort {
		f := fault{
			code: "GS401", at: d.at("ttl"), detail: fmt.Sprintf("%s detects a failure in about %v (%s), but resolvers keep the old answer for %v: clients wait up to %v.", checkName(slowest), longest, sum, ttl, longest+ttl),
			help: fmt.Sprintf("Lower the ttl of %s; 30s is usual for a steered name.", d.id),
		}
		if slowest.id != "" {
			f.rel = []Related{slowest.here()}
		} else {
			f.detail = strings.ToUpper(f.detail[:1]) + f.detail[1:]
		}
		p.warn(f)
		return
	}
	places, at, known := mostPlaces(d)
	if !known || places > 1 || ttl <= ttlOneAnswer {
		return
	}
	f := fault{
		code: "GS310", at: d.at("ttl"), detail: fmt.Sprintf("%s answers one place at a time for %v: a client whose place goes down has no other address until its resolver asks again.", d.id, ttl),
		help: "Lower the ttl, or answer more places: step \"limit\" { answers = 2 }.",
	}
	if at != nil {
		f.rel = []Related{{"one place is answered", at.at("answers")}}
	}
	p.warn(f)
}

// checkSlowStart warns of a weight that grows where no step looks at it. With
// failover there is one place, and nobody to weigh it against; SRV records
// carry the weight, and clients weigh.
func (p *parser) checkSlowStart(d *node) {
	pol := d.ref("policy")
	if pol == nil || pol.broken || has(typesOf(d), []string{"SRV"}) || stepIn(pol, "weight") != nil || stepIn(pol, "sticky") != nil || stepIn(pol, "failover") != nil {
		return
	}
	for _, a := range d.of("answer") {
		c, known := p.checkOf(a)
		if !known || c == nil {
			continue
		}
		if slow, ok := get[time.Duration](c, "slow_start"); !ok || slow == 0 {
			continue
		}
		f := fault{
			code: "GS312", at: d.at("policy"), detail: fmt.Sprintf("%s has slow_start, and %s has no step that weighs: what has come up again gets all its clients of %s at once.", checkName(c), pol.id, d.id),
			help: fmt.Sprintf("Give %s step \"weight\" {} or step \"sticky\" {}, or leave slow_start out.", pol.id), rel: []Related{{"slow_start is here", c.at("slow_start")}},
		}
		if c.id == "" {
			f.detail = strings.ToUpper(f.detail[:1]) + f.detail[1:]
		}
		p.warn(f)
		return
	}
}

// mostPlaces is how many places one answer of a domain may hold, and the step
// that says so.
func mostPlaces(d *node) (int, *node, bool) {
	if !d.gave("policy") {
		if hosted(d) {
			return len(d.of("answer")), nil, true
		}
		return 1, nil, true
	}
	if pol := d.ref("policy"); pol == nil || pol.broken {
		return 0, nil, false
	}
	limit := stepOf(d, "limit")
	if limit == nil {
		return len(d.of("answer")), nil, true
	}
	n, ok := get[int](limit, "answers")
	return n, limit, ok
}

// A load is what one check makes a node do.
type load struct {
	check   *node
	targets int
}

// A workload is what a node probes: each target of a check once.
type workload struct {
	loads []load
	seen  map[aim]bool
}

// An aim is what a check looks at: a farm, a director of the next tier, or what
// is behind the VIP of a service.
type aim struct {
	check, of *node
	vip       netip.Addr
	port      int
}

func (w *workload) add(c *node, key aim, targets int) {
	if targets == 0 || w.seen[key] {
		return
	}
	w.seen[key] = true
	for i := range w.loads {
		if w.loads[i].check == c {
			w.loads[i].targets += targets
			return
		}
	}
	w.loads = append(w.loads, load{c, targets})
}

// rate is how often a node probes, per second, with the arithmetic, and the
// check that most of it is of.
func (w *workload) rate() (float64, string, *node) {
	sum, most := 0.0, 0.0
	var top *node
	var parts []string
	for _, l := range w.loads {
		interval, ok := get[time.Duration](l.check, "interval")
		if !ok {
			continue
		}
		rate := float64(l.targets) / interval.Seconds()
		parts = append(parts, fmt.Sprintf("%d of %s / %v", l.targets, checkName(l.check), interval))
		sum += rate
		if rate > most {
			top, most = l.check, rate
		}
	}
	if len(parts) > 4 {
		parts = append(parts[:3], fmt.Sprintf("%d more checks", len(parts)-3))
	}
	return sum, strings.Join(parts, " + "), top
}

// checkBudget warns of nodes that would probe more than they can.
func (p *parser) checkBudget() {
	over := func(who string, decl *node, w workload) {
		rate, sum, top := w.rate()
		if rate <= probeBudget {
			return
		}
		f := fault{
			code: "GS404", at: top.at("interval"), detail: fmt.Sprintf("%s probes %.0f times a second (targets / interval: %s); a node can be expected to do %d.", who, rate, sum, probeBudget),
			help: "Use a longer interval, or fewer targets per node.", rel: []Related{decl.here()},
		}
		if f.at == (hcl.Range{}) { // nobody wrote it
			f.at, f.rel = decl.raw.decl, nil
		}
		p.warn(f)
	}
	if ns := p.all("nameserver"); len(ns) > 0 {
		over("Each nameserver", ns[0], p.answered())
	}
	w := p.forwarded()
	for _, d := range p.all("director") {
		if w[d] != nil {
			over(d.id, d, *w[d])
		}
	}
}

// answered is what each nameserver probes: the addresses of answers.
func (p *parser) answered() workload {
	w := workload{seen: map[aim]bool{}}
	for _, d := range p.all("domain") {
		for _, a := range d.of("answer") {
			c, _ := p.checkOf(a)
			if c == nil {
				continue
			}
			s := a.ref("service")
			addrs := a.addrs("addresses")
			if s != nil {
				addrs = s.addrs("vip")
			}
			if c.gave("port") {
				s = nil
			}
			for _, addr := range addrs {
				w.add(c, aim{c, s, addr, 0}, 1)
			}
		}
	}
	return w
}

// forwarded is what each director probes: its destinations.
func (p *parser) forwarded() map[*node]*workload {
	out := map[*node]*workload{}
	for _, s := range p.all("virtual_service") {
		for _, e := range p.wayOf(s).errands {
			w := out[e.director]
			if w == nil {
				w = &workload{seen: map[aim]bool{}}
				out[e.director] = w
			}
			w.add(e.aim.check, e.aim, e.targets)
		}
	}
	return out
}

// A way is what a service makes of its own and of what it refers to, where
// that is worth remembering.
type way struct {
	tls     int // its one TCP port, if clients speak TLS there
	errands []errand
}

// An errand is what a director probes at one place for one service.
type errand struct {
	director *node
	aim      aim
	targets  int
}

// wayOf works a service's way out, once.
func (p *parser) wayOf(s *node) *way {
	if s.way != nil {
		return s.way
	}
	s.way = &way{errands: p.errands(s)}
	if ports := portsOf(s, topology.TCP); len(ports) == 1 && slices.Contains(tlsPorts, int(ports[0])) {
		s.way.tls = int(ports[0])
	}
	return s.way
}

// errands are what directors probe for a service.
func (p *parser) errands(s *node) []errand {
	var out []errand
	tiers := s.of("tier")
	for i, t := range tiers {
		c, known := t.ref("check"), true
		if !t.gave("check") {
			c, known = p.checkOfService(s)
		}
		if !known || c == nil {
			continue
		}
		ports := []int{c.num("port")}
		if !c.gave("port") {
			ports = nil
			for _, n := range portsOf(s, topology.TCP) {
				ports = append(ports, int(n))
			}
		}
		for _, d := range forwarders(t) {
			for _, vip := range s.addrs("vip") {
				for _, port := range ports {
					if i < len(tiers)-1 {
						for _, next := range tiers[i+1].nodes("directors") {
							out = append(out, errand{d.node, aim{c, next, vip, port}, 1})
						}
						continue
					}
					for _, f := range t.nodes("farms") {
						k := aim{c, f, vip, port}
						if t.method() == topology.NAT {
							if f.ref("gateway") != d.head() {
								continue
							}
							k.vip = netip.IPv4Unspecified()
							if vip.Is6() {
								k.vip = netip.IPv6Unspecified()
							}
						}
						n := serversOf(f).v6
						if vip.Is4() {
							n = serversOf(f).v4
						}
						out = append(out, errand{d.node, k, n})
					}
				}
			}
		}
	}
	return out
}

// probers are directors, with those of failover pairs in place of the pairs.
func probers(ds []*node) []*node {
	var out []*node
	for _, d := range ds {
		if d.sch == failoverBlock {
			out = append(out, d.nodes("members")...)
		} else {
			out = append(out, d)
		}
	}
	return out
}

// servers are the servers of a farm together.
type servers struct {
	v4, v6 int       // those that have an address of the family
	rates  []float64 // what each can deliver, up to the first of which that is not known: -1
}

// serversOf looks at the servers of a farm, once.
func serversOf(f *node) *servers {
	if f.servers != nil {
		return f.servers
	}
	out := &servers{}
	known := true
	for _, srv := range f.of("server") {
		for _, a := range srv.addrs("address") {
			if a.Is4() {
				out.v4++
			} else {
				out.v6++
			}
		}
		if !known {
			continue
		}
		rate, ok := get[float64](srv, "throughput")
		if known = ok; !ok {
			rate = -1
		}
		out.rates = append(out.rates, rate)
	}
	f.servers = out
	return out
}

// trips is how many round trips a check takes at least: one to connect, one
// for question and answer, one for the handshake of TLS 1.3; of SMTP connecting,
// greeting and EHLO.
var trips = map[topology.CheckType]int{
	topology.CheckTCP: 1, topology.CheckHTTP: 2, topology.CheckHTTPS: 3, topology.CheckTLS: 2,
	topology.CheckUDP: 1, topology.CheckDNS: 1, topology.CheckICMP: 1, topology.CheckGRPC: 2,
	topology.CheckSMTP: 3, topology.CheckAgent: 2,
}

// A leap is the way from who probes to what it probes.
type leap struct {
	from, to string
	distance float64 // km
	trip     time.Duration
}

// checkRoundTrips warns of checks whose timeout is over before an answer can be
// back from the farthest target.
func (p *parser) checkRoundTrips() {
	located := 0
	for _, r := range p.all("region") {
		if r.gave("location") {
			located++
		}
	}
	if located < 2 {
		return
	}
	farthest := map[*node]leap{}
	note := func(c, prober, from, target, to *node) {
		a, ok1 := get[topology.Point](from, "location")
		b, ok2 := get[topology.Point](to, "location")
		if c == nil || from == to || !ok1 || !ok2 {
			return
		}
		if trip := topology.RoundTrip(a, b); trip > farthest[c].trip {
			farthest[c] = leap{prober.id + " in " + from.id, target.id + " in " + to.id, a.Kilometres(b), trip}
		}
	}
	for _, d := range p.all("domain") {
		for _, a := range d.of("answer") {
			c, _ := p.checkOf(a)
			for _, ns := range p.all("nameserver") {
				note(c, ns, ns.ref("region"), a, regionOf(a))
			}
		}
	}
	type pair struct{ check, from, to *node }
	seen := map[pair]bool{}
	for _, s := range p.all("virtual_service") {
		tiers := s.of("tier")
		for i, t := range tiers {
			c := t.ref("check")
			if !t.gave("check") {
				c, _ = p.checkOfService(s)
			}
			far := t.nodes("farms")
			if i < len(tiers)-1 {
				far = probers(tiers[i+1].nodes("directors"))
			}
			for _, d := range probers(t.nodes("directors")) {
				from := d.ref("network").ref("region")
				for _, f := range far {
					to := f.ref("region")
					if w := f.ref("network"); w != nil {
						to = w.ref("region")
					}
					if k := (pair{c, from, to}); !seen[k] {
						seen[k] = true
						note(c, d, from, f, to)
					}
				}
			}
		}
	}
	checks := p.all("check")
	if p.plain != nil {
		checks = append(slices.Clone(checks), p.plain)
	}
	for _, c := range checks {
		l, far := farthest[c]
		timeout, ok1 := get[time.Duration](c, "timeout")
		typ, ok2 := get[topology.CheckType](c, "type")
		if c == p.plain {
			typ, ok2 = topology.CheckTCP, true
		}
		if !far || !ok1 || !ok2 || timeout >= time.Duration(trips[typ])*l.trip {
			continue
		}
		n := trips[typ]
		need := time.Duration(n) * l.trip
		how := fmt.Sprintf("a check of type %v needs %d of them, %v", typ, n, need.Round(time.Millisecond))
		if n == 1 {
			how = fmt.Sprintf("a check of type %v needs one", typ)
		}
		f := fault{
			code: "GS411", at: c.at("timeout"), help: fmt.Sprintf("Give a timeout of %v or more.", roundUp(2*need, 50*time.Millisecond)),
			detail: fmt.Sprintf("%s looks at %s, %.0f km away. A round trip takes about %v there (7.4ms + 0.01628ms for each km) and %s; with a timeout of %v it would always fail.",
				l.from, l.to, l.distance, l.trip.Round(time.Millisecond), how, timeout),
		}
		p.warn(f)
	}
}

func roundUp(d, unit time.Duration) time.Duration { return (d + unit - 1).Truncate(unit) }
