package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"gslb/topology"
)

// checkChecks looks at each check by itself.
func (p *parser) checkChecks() {
	for _, c := range p.all("check") {
		p.checkTiming(c)
		typ, ok := get[topology.CheckType](c, "type")
		if !ok {
			continue
		}
		p.checkArguments(c, typ)
		if s, ok := get[string](c, "path"); ok && !strings.HasPrefix(s, "/") {
			p.report(fault{code: "GS010", at: c.at("path"), detail: fmt.Sprintf("path: %q does not begin with \"/\".", s), help: fmt.Sprintf("Write %q.", "/"+s)})
		}
		if s, ok := get[string](c, "path"); ok && strings.ContainsAny(s, " \r\n\t") {
			p.errorf("GS010", c.at("path"), "path: %q contains white space, which a request cannot carry: write it as %%20.", s)
		}
		if s, ok := get[string](c, "host"); ok {
			if _, err := netip.ParseAddr(s); err != nil {
				if _, why := canonical(s, hostName); why != "" {
					p.errorf("GS106", c.at("host"), "host: %s.", why)
				}
			}
		}
	}
	p.checkAgents()
	if d := p.defaults["check"]; d != nil && len(p.all("check")) == 0 {
		p.checkTiming(p.defaultCheck())
	}
}

// checkTiming compares a check's timeout with its interval.
func (p *parser) checkTiming(c *node) {
	interval, ok1 := get[time.Duration](c, "interval")
	timeout, ok2 := get[time.Duration](c, "timeout")
	if !ok1 || !ok2 || timeout < interval {
		return
	}
	at := c.at("timeout")
	if v := c.arg("timeout"); !v.own && c.arg("interval").own {
		at = c.at("interval")
	}
	p.report(fault{
		code: "GS403", at: at, detail: fmt.Sprintf("A check starts every %v and may take %v: it would run into the next one.", interval, timeout),
		help: "Give a timeout below the interval.",
	})
}

// defaultCheck is the check of what has none: it connects, with the timing
// of the defaults block.
func (p *parser) defaultCheck() *node {
	if p.plain == nil {
		r := &raw{sch: checkBlock, known: map[string]bool{"type": true}}
		p.plain = &node{raw: r, sch: checkBlock}
		p.values(p.plain)
		p.plain.set(checkBlock.attr("port"), nil)
	}
	return p.plain
}

// legs are the networks a director has an interface on.
func legs(d *node) []*node {
	var out []*node
	if n := d.ref("network"); n != nil {
		out = append(out, n)
	}
	if n := d.groups["inside"].ref("network"); n != nil {
		out = append(out, n)
	}
	return out
}

// wired reports whether a director's interfaces are all known.
func wired(d *node) bool {
	in := d.groups["inside"]
	return d.ref("network") != nil && (in == nil || in.ref("network") != nil)
}

// complete reports whether a list argument is good, and so are the members of
// the failover pairs in it. One that is not there is complete.
func complete(n *node, name string) bool {
	v := n.arg(name)
	if v == nil {
		return true
	}
	if v.bad {
		return false
	}
	for _, it := range v.items {
		if r, ok := it.x.(*node); ok && r.sch == failoverBlock && r.val("members") == nil {
			return false
		}
	}
	return true
}

func (p *parser) checkServices() {
	p.checkFailovers()
	services := p.all("virtual_service")
	doors := map[door]opening{}
	marked := p.anyGives("virtual_service", "fwmark")
	marks := map[int]*node{}
	for _, s := range services {
		if marked {
			p.checkMark(s, marks)
		}
	vips:
		for _, it := range p.contested(s) {
			for _, port := range s.list("ports") {
				d := door{it.x.(netip.Addr), port.x.(topology.Port)}
				if first, ok := doors[d]; ok {
					if s.flag("anycast") && first.service.flag("anycast") {
						continue
					}
					p.report(fault{
						code: "GS210", at: it.at, detail: fmt.Sprintf("%s has %v on %v, and so has another service.", s.id, d.port, d.vip),
						rel: []Related{{first.service.id + " has it", first.it.at}},
					})
					continue vips
				}
				doors[d] = opening{s, it}
			}
		}
		p.once(s, "service", func() { p.checkService(s) })
	}
	for _, f := range p.all("farm") {
		p.once(f, "thresholds", func() { p.checkThresholds(f) })
	}
	p.checkOwners()
	p.checkListening()
	p.checkPublic()
	p.checkTracking()
	p.checkTunnels()
	p.checkClients()
	p.checkCapacity()
}

// contested are a service's VIPs if any VIP is of two services.
func (p *parser) contested(s *node) []item {
	if p.shared == 0 {
		return nil
	}
	return s.list("vip")
}

// An opening is what makes a door: a service, by one of its VIPs.
type opening struct {
	service *node
	it      item
}

// checkService looks at a service by itself. It is done by [parser.once], which
// says what it may look at.
func (p *parser) checkService(s *node) {
	tiers := s.of("tier")
	if len(tiers) == 0 && !s.broken && !ghost(s.raw, "tier") {
		p.errorf("GS002", s.raw.decl, "%s needs at least one tier block.", s.id)
	}
	if len(tiers) > maxTiers {
		p.errorf("GS241", tiers[maxTiers].raw.decl, "%s has %d tiers; there can be %d.", s.id, len(tiers), maxTiers)
		return
	}
	for i, t := range tiers {
		p.checkTier(s, tiers, i)
		p.checkPort(t, s)
	}
	p.checkPort(s, s)
	p.checkDirectors(tiers)
	p.checkPersistence(s, s)
	if len(tiers) > 0 && !s.broken {
		i := len(tiers) - 1
		p.checkQuorum(s.groups["quorum"], tiers[i], members(tiers, i))
	}
	p.checkStraight(s, tiers)
	p.checkVIPs(s, tiers)
}

// checkPort reports a check that leaves open which of the service's ports it
// means.
func (p *parser) checkPort(n, s *node) {
	v := n.val("check")
	if v == nil || s.val("ports") == nil || !v.own {
		return
	}
	c := n.ref("check")
	if c.gave("port") {
		return
	}
	typ, ok := get[topology.CheckType](c, "type")
	proto := asked(typ)
	ports := portsOf(s, proto)
	if !ok || !needsPort(typ) || len(ports) == 1 {
		return
	}
	name := strings.ToUpper(proto.String())
	f := fault{
		code: "GS408", at: v.at, rel: []Related{c.here()}, help: "Give the check a port.",
		detail: fmt.Sprintf("%s names no port and %s has %d for %s.", c.id, s.id, len(ports), name),
	}
	if len(ports) == 0 {
		f.detail = fmt.Sprintf("%s names no port and %s has none for %s.", c.id, s.id, name)
	}
	p.report(f)
}

func portsOf(s *node, proto topology.Proto) []uint16 {
	var out []uint16
	for _, it := range s.list("ports") {
		if port := it.x.(topology.Port); port.Proto == proto {
			out = append(out, port.Number)
		}
	}
	return out
}

// checkDirectors reports a director that stands twice in one service.
func (p *parser) checkDirectors(tiers []*node) {
	first := map[*node]item{}
	tierOf := map[*node]*node{}
	for _, t := range tiers {
		for _, d := range forwarders(t) {
			f, ok := first[d.node]
			if !ok {
				first[d.node], tierOf[d.node] = d.it, t
				continue
			}
			if d.pair != nil && f == d.it {
				continue // GS252
			}
			why := "The two would be the same VIP and port in one kernel."
			if tierOf[d.node] == t {
				why = "Once is enough."
			}
			p.report(fault{
				code: "GS241", at: d.it.at, detail: fmt.Sprintf("%s is in %s already.", d.id, tierOf[d.node].id),
				help: why, rel: []Related{{"first named here", f.at}},
			})
			break
		}
	}
}

// checkTier looks at one tier: its members, and how it reaches what is next.
func (p *parser) checkTier(s *node, tiers []*node, i int) {
	t := tiers[i]
	lastTier := i == len(tiers)-1
	directors := t.nodes("directors")
	known := complete(t, "directors") && t.gave("directors")

	if i == 0 && known && len(directors) > 1 && !s.flag("anycast") {
		p.report(fault{
			code: "GS211", at: t.at("directors"),
			detail: fmt.Sprintf("The first tier has %d directors, and a VIP can be at one place only: %s would not be at any of them for certain.", len(directors), s.addrs("vip")),
			help:   "Name one director, or a failover pair of them.",
		})
	}
	p.checkPairs(tiers, i)
	if t.method() == topology.NAT && !lastTier {
		p.report(fault{
			code: "GS240", at: t.at("method"), detail: fmt.Sprintf("%s rewrites packets to the address of the next director, where the VIP would be unknown.", t.id),
			help: "Use tun or dr before the last tier; nat is for the last one.",
		})
	}
	if !lastTier && t.gave("farms") && len(t.list("farms")) > 0 {
		p.report(fault{
			code: "GS241", at: t.at("farms"), detail: t.id + " is not the last tier: it forwards to the directors of the next one.",
			help: "Move farms to the last tier.",
		})
	}
	if lastTier && complete(t, "farms") && len(t.list("farms")) == 0 && !t.raw.known["farms"] {
		at := t.raw.decl
		if t.gave("farms") {
			at = t.at("farms")
		}
		p.errorf("GS241", at, "%s is the last tier and has no farm to forward to.", t.id)
	}
	if lastTier && complete(t, "farms") {
		first := map[*node]bool{}
		for _, it := range t.list("farms") {
			f := it.x.(*node)
			if first[f] {
				p.errorf("GS241", it.at, "%s is in %s already.", f.id, t.id)
				break
			}
			first[f] = true
		}
	}
	p.checkFamilies(s, tiers, i)
	switch {
	case t.method() == topology.DR:
		p.checkDirect(t, tiers, i)
	case t.method() == topology.NAT && lastTier && known && !t.flag("fullnat"):
		p.checkNAT(t)
	}
	p.checkScheduler(s, tiers, i)
	p.checkMethodArguments(s, t, lastTier)
	p.checkSorry(s, t, lastTier)
	p.checkPersistence(s, t)
	p.checkQuorum(t.groups["quorum"], t, members(tiers, i))
	if i > 0 && complete(tiers[i-1], "directors") && len(tiers[i-1].list("directors")) > 0 {
		p.checkTrip(tiers, i)
	}
	if lastTier {
		p.checkLone(s, tiers, i)
		if t.method() == topology.TUN {
			p.checkTunnelled(t)
		}
		if t.method() == topology.DR || t.method() == topology.TUN {
			p.checkServerPorts(s, t)
			p.checkReplies(t)
		}
		p.checkWeights(s, t)
	}
}

// checkFamilies reports a tier whose nodes lack an address of a VIP's family.
func (p *parser) checkFamilies(s *node, tiers []*node, i int) {
	t := tiers[i]
	for _, it := range s.list("vip") {
		vip := it.x.(netip.Addr)
		lacks := func(n *node, addrs topology.Addrs) bool {
			if n.val("address") == nil {
				return false
			}
			_, ok := addrs.Like(vip)
			return !ok
		}
		var bad *node
		for _, d := range forwarders(t) {
			if bad == nil && !(i > 0 && mixes(tiers[i-1])) && lacks(d.node, d.addrs("address")) {
				bad = d.node
			}
			if bad == nil && i > 0 && d.pair != nil && lacks(d.pair, d.pair.addrs("address")) {
				bad = d.pair
			}
		}
		if i == len(tiers)-1 {
			for _, f := range t.nodes("farms") {
				for _, srv := range f.of("server") {
					if bad == nil && lacks(srv, srv.addrs("address")) && !p.wrapped(t, srv) {
						bad = srv
					}
				}
			}
			if t.method() == topology.NAT && bad == nil {
				bad = p.gatewayLacks(t, vip)
			}
		}
		if bad == nil && i == len(tiers)-1 && t.method() == topology.TUN {
			if p.checkCopied(t, it) {
				return
			}
		}
		if bad == nil {
			continue
		}
		f := fault{
			code: "GS208", at: it.at, detail: fmt.Sprintf("%s is forwarded through %s, and %s has no %s address.", vip, t.id, bad.id, version(vip)),
			help: "Give every director and server of the service an address of that family.",
			rel:  []Related{bad.here()},
		}
		if bad.sch == serverBlock && t.method() == topology.TUN {
			f.help = fmt.Sprintf("Give the directors of %s an address of the server's family: a tunnel takes packets of one family through the other.", t.id)
		}
		p.report(f)
		return
	}
}

// checkCopied reports a director that copies connections beside a service of
// which the servers have another family than the VIP: the kernel refuses the one
// beside the other, whoever's the service is (ip_vs_ctl.c, EINVAL).
func (p *parser) checkCopied(t *node, it item) bool {
	vip := it.x.(netip.Addr)
	for _, d := range forwarders(t) {
		pair := p.copies(d.node)
		if pair == nil {
			continue
		}
		for _, f := range t.nodes("farms") {
			for _, srv := range f.of("server") {
				if _, ok := srv.addrs("address").Like(vip); ok || srv.val("address") == nil {
					continue
				}
				p.report(fault{
					code: "GS208", at: it.at, detail: fmt.Sprintf("%s has no %s address, and %s copies connections: the kernel does not do that beside services whose servers have another family.", srv.id, version(vip), pair.id),
					help: "Leave sync out of the pair, or give the servers an address of that family.",
					rel:  []Related{srv.here(), {pair.id + " copies its connections", p.syncOf(pair).raw.at}},
				})
				return true
			}
		}
	}
	return false
}

// wrapped reports whether a tier's tunnels take packets of a VIP's family to a
// server that has only addresses of the other: its directors have one of that.
func (p *parser) wrapped(t, srv *node) bool {
	if t.method() != topology.TUN {
		return false
	}
	to := srv.addrs("address")
	return len(to) > 0 && !slices.ContainsFunc(forwarders(t), func(d forwarder) bool {
		_, ok := d.addrs("address").Like(to[0])
		return !ok && d.val("address") != nil
	})
}

// mixes reports whether a tier's tunnels take packets of one family through
// addresses of the other.
func mixes(t *node) bool {
	return t.method() == topology.TUN && t.arg("encap") != nil && t.str("encap") != "ipip"
}

// gatewayLacks returns a NAT director or pair of the tier without an inside
// address of the VIP's family.
func (p *parser) gatewayLacks(t *node, vip netip.Addr) *node {
	for _, f := range t.nodes("farms") {
		d := f.ref("gateway")
		if d == nil {
			continue
		}
		in := d.groups["inside"]
		if d.sch == failoverBlock && in == nil && segmented(d) && d.val("address") != nil && d.nodes("members")[0].ref("network") == f.ref("network") {
			if _, ok := d.addrs("address").Like(vip); !ok {
				return d
			}
		}
		if in == nil || in.val("address") == nil || in.ref("network") != f.ref("network") {
			continue
		}
		if _, ok := in.addrs("address").Like(vip); !ok {
			return d
		}
	}
	return nil
}

func version(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// checkDirect reports next hops that a DR tier cannot reach: it changes the
// MAC address only, so they must be on a segment of the director's.
func (p *parser) checkDirect(t *node, tiers []*node, i int) {
	for _, d := range forwarders(t) {
		if !wired(d.node) || d.pair != nil && !segmented(d.pair) {
			continue
		}
		reach := func(next Related, name string, on *node, where string) bool {
			if slices.Contains(legs(d.node), on) {
				return true
			}
			p.report(fault{
				code: "GS220", at: t.at("method"),
				detail: fmt.Sprintf("method = \"dr\" rewrites only the destination MAC address, so every next hop must be on the director's own L2 segment. %s is on %s; %s is %s.", d.who(), d.ref("network").id, name, where),
				help:   "Use method = \"tun\" (IP in IP, needs 20 bytes of MTU headroom), or move one of them.",
				rel:    []Related{next},
			})
			return false
		}
		if i < len(tiers)-1 {
			for _, e := range forwarders(tiers[i+1]) {
				if e.ref("network") == nil || e.pair != nil && !segmented(e.pair) {
					continue
				}
				if !reach(e.here(), e.who(), e.ref("network"), "on "+e.ref("network").id) {
					return
				}
			}
			continue
		}
		for _, f := range t.nodes("farms") {
			net := f.ref("network")
			if net == nil && f.gave("network") {
				continue
			}
			if net == nil && f.ref("region") == nil {
				continue
			}
			where := "reached by routing"
			if net != nil {
				where = "on " + net.id
			}
			if !reach(f.here(), f.id, net, where) {
				return
			}
		}
	}
}

// checkNAT looks at what a NAT tier needs: replies come back through the
// director, so each farm's default route must be one of the tier's directors or
// pairs.
func (p *parser) checkNAT(t *node) {
	directors := t.nodes("directors")
	served := map[*node]bool{}
	clean := complete(t, "farms") && len(t.list("farms")) > 0
	for _, it := range t.list("farms") {
		f := it.x.(*node)
		g := f.ref("gateway")
		switch {
		case g == nil && f.gave("gateway"):
			clean = false // reported
		case g == nil:
			clean = false
			p.report(fault{
				code: "GS237", at: it.at, detail: fmt.Sprintf("%s has no gateway, so replies would not come back through a director of %s.", f.id, t.id),
				help: "Give the farm a gateway: the NAT director that its servers have as default route.",
				rel:  []Related{f.here()},
			})
		case !slices.Contains(directors, g):
			clean = false
			w := fault{
				code: "GS237", at: f.at("gateway"), detail: fmt.Sprintf("The servers of %s send their replies through %s, which is not a director of %s.", f.id, g.id, t.id),
				help: "Make it one of " + among(ids(directors)) + ".",
				rel:  []Related{{t.id + " feeds the farm", it.at}},
			}
			for _, d := range forwarders(t) {
				switch {
				case d.pair != nil && d.node == g:
					w.detail = fmt.Sprintf("The servers of %s send their replies through %s itself, a member of %s: when another member has taken over, nobody puts the VIP back into them.", f.id, g.id, d.pair.id)
					w.help = fmt.Sprintf("Write gateway = %s, whose inside address moves.", d.pair.id)
				case d.pair == nil && slices.Contains(g.nodes("members"), d.node):
					w.detail = fmt.Sprintf("The servers of %s send their replies through the active member of %s, and %s names %s by itself: when another member has the gateway, it has not rewritten the requests.", f.id, g.id, t.id, d.id)
					w.help = fmt.Sprintf("Name %s in directors, or %s as the gateway.", g.id, d.id)
				}
			}
			p.report(w)
		default:
			served[g] = true
			p.checkBehind(t, f, g)
		}
	}
	if !clean {
		return
	}
	for _, it := range t.list("directors") {
		d := it.x.(*node)
		if served[d] {
			continue
		}
		p.report(fault{
			code: "GS230", at: it.at, detail: fmt.Sprintf("%s is the gateway of no farm of %s, so it has nobody to forward to.", d.id, t.id),
			help: "Give it a farm, or leave it out.", rel: []Related{d.here()},
		})
		return
	}
}

// checkBehind reports a farm that its gateway has no interface to, or no address
// that moves with it.
func (p *parser) checkBehind(t, f, g *node) {
	if g.sch == failoverBlock {
		p.checkBehindPair(t, f, g)
		return
	}
	if !wired(g) {
		return
	}
	net := f.ref("network")
	var detail string
	at := f.at("network")
	switch {
	case net != nil && slices.Contains(legs(g), net):
		return
	case net != nil:
		var on []string
		for _, l := range legs(g) {
			on = append(on, l.id)
		}
		detail = fmt.Sprintf("%s is on %s; its gateway %s is on %s.", f.id, net.id, g.id, strings.Join(on, " and "))
	case f.ref("region") != nil:
		detail = fmt.Sprintf("%s is reached by routing, so %s cannot be its servers' default route.", f.id, g.id)
		at = f.at("region")
	default:
		return
	}
	p.report(fault{
		code: "GS232", at: at, detail: detail, help: "Put the farm on the director's inside network.",
		rel: []Related{g.here(), {t.id + " forwards by " + t.method().String(), t.at("method")}},
	})
}

// checkBehindPair is checkBehind for a pair.
func (p *parser) checkBehindPair(t, f, g *node) {
	in := g.groups["inside"]
	if !segmented(g) || in != nil && in.ref("network") == nil {
		return
	}
	var on []*node // where it has an address for neighbours
	if in != nil {
		on = append(on, in.ref("network"))
	}
	if g.gave("address") {
		on = append(on, g.nodes("members")[0].ref("network"))
	}
	net := f.ref("network")
	w := fault{
		code: "GS232", at: f.at("network"), rel: []Related{g.here(), {t.id + " forwards by " + t.method().String(), t.at("method")}},
	}
	switch {
	case net != nil && slices.Contains(on, net):
		return
	case net != nil && len(on) == 0:
		w.detail = fmt.Sprintf("%s is on %s; its gateway %s has no address there that moves to the active member.", f.id, net.id, g.id)
	case net != nil:
		w.detail = fmt.Sprintf("%s is on %s; its gateway %s has an address on %s.", f.id, net.id, g.id, strings.Join(ids(on), " and on "))
	case f.ref("region") != nil:
		w.at, w.detail = f.at("region"), fmt.Sprintf("%s is reached by routing, so %s cannot be its servers' default route.", f.id, g.id)
	default:
		return
	}
	w.help = "Put the farm on the network of the pair's inside address."
	if net != nil && in == nil {
		w.help = fmt.Sprintf("Give the pair inside = { network = %s, address = ... }, an address there that nobody has.", net.id)
	}
	p.report(w)
}

func ids(ns []*node) []string {
	var out []string
	for _, n := range ns {
		out = append(out, n.id)
	}
	return out
}

// checkReplies reports servers that answer by themselves, through a director of
// the tier. It has the VIP, so what it would have to forward comes from an
// address of its own.
func (p *parser) checkReplies(t *node) {
	directors := forwarders(t)
	for _, f := range t.nodes("farms") {
		g := f.ref("gateway")
		if g == nil {
			continue
		}
		if !isAmong(directors, g) && !slices.ContainsFunc(g.nodes("members"), func(d *node) bool { return isAmong(directors, d) }) {
			p.checkBehind(t, f, g)
			continue
		}
		p.report(fault{
			code: "GS225", at: t.at("method"),
			detail: fmt.Sprintf("By %s the servers of %s answer with the VIP as source, through their gateway %s. It has the VIP too, and drops as martians what comes from an address of its own.", t.method(), f.id, g.id),
			help:   "Leave gateway out, so that the servers answer by the region's router, or use method = \"nat\".",
			rel:    []Related{{g.id + " is the gateway of " + f.id, f.at("gateway")}},
		})
		return
	}
}

// checkServerPorts reports servers with a port of their own behind a method
// that cannot change it.
func (p *parser) checkServerPorts(s, t *node) {
	if s.val("ports") == nil {
		return
	}
	for _, f := range t.nodes("farms") {
		for _, srv := range f.of("server") {
			port, ok := get[int](srv, "port")
			if !ok {
				continue
			}
			for _, it := range s.list("ports") {
				want := it.x.(topology.Port)
				if int(want.Number) == port {
					continue
				}
				p.report(fault{
					code: "GS222", at: srv.at("port"),
					detail: fmt.Sprintf("%s is on port %d and %s is %s: %s leaves the port as it is.", srv.id, port, s.id, want, t.method()),
					help:   "Leave port out, or use method = \"nat\".", rel: []Related{{t.id + " forwards by " + t.method().String(), t.at("method")}},
				})
				break
			}
		}
	}
}

// checkWeights reports a last tier that would forward to nobody.
func (p *parser) checkWeights(s, t *node) {
	var first hcl.Range
	for _, f := range t.nodes("farms") {
		if f.broken {
			return
		}
		for _, srv := range f.of("server") {
			w, ok := get[int](srv, "weight")
			if !ok || w > 0 {
				return
			}
			if first == (hcl.Range{}) {
				first = srv.at("weight")
			}
		}
	}
	if first == (hcl.Range{}) || !complete(t, "farms") {
		return
	}
	p.errorf("GS243", first, "Every server of %s has weight 0: nobody gets new connections.", t.id)
}
