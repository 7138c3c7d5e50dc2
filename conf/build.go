package conf

import (
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"gslb/topology"
)

// A builder makes the topology out of what has been checked.
type builder struct {
	p        *parser
	t        *topology.Topology
	regions  map[*node]*topology.Region
	networks map[*node]*topology.Network
	zones    map[*node]*topology.Zone
	dirs     map[*node]*topology.Director
	pairs    map[*node]*topology.Failover
	farms    map[*node]*topology.Farm
	checks   map[*node]*topology.Check
	services map[*node]*topology.Service
	policies map[*node]*topology.Policy
	domains  map[*node]*topology.Domain
}

// again lists what has been made of n for the topology before, where there is
// one: it and all that it refers to are the same. It reports whether there is.
func again[T any](made map[*node]*T, n *node, list *[]*T) bool {
	x := made[n]
	if x != nil {
		*list = append(*list, x)
	}
	return x != nil
}

func newBuilder(p *parser) *builder {
	return &builder{
		p:       p,
		regions: map[*node]*topology.Region{}, networks: map[*node]*topology.Network{}, zones: map[*node]*topology.Zone{},
		dirs: map[*node]*topology.Director{}, pairs: map[*node]*topology.Failover{}, farms: map[*node]*topology.Farm{}, checks: map[*node]*topology.Check{},
		services: map[*node]*topology.Service{}, policies: map[*node]*topology.Policy{}, domains: map[*node]*topology.Domain{},
	}
}

// forget takes a node out that is to be worked out again.
func (b *builder) forget(n *node) {
	delete(b.regions, n)
	delete(b.networks, n)
	delete(b.zones, n)
	delete(b.dirs, n)
	delete(b.pairs, n)
	delete(b.farms, n)
	delete(b.checks, n)
	delete(b.services, n)
	delete(b.policies, n)
	delete(b.domains, n)
}

// moved reports whether a network has another gateway than before.
func (b *builder) moved() bool {
	for n, w := range b.networks {
		if !slices.Equal(w.Gateways, b.p.gateways[n]) {
			return true
		}
	}
	return false
}

// build makes the topology. It is called only when there is no error.
func (p *parser) build() *topology.Topology {
	b := p.built
	if b == nil || b.moved() {
		b = newBuilder(p)
	}
	p.built = b
	b.t = &topology.Topology{}
	b.t.MaxRemove = 1
	for _, n := range p.all("topology") {
		b.t.Name = n.name
		if part, ok := get[float64](n, "max_remove"); ok {
			b.t.MaxRemove = part
		}
		b.t.Watch, _ = get[bool](n, "watch")
	}
	for _, n := range p.all("geoip") {
		if city, asn := b.beside(n.str("city")), b.beside(n.str("asn")); city != "" || asn != "" {
			b.t.GeoIP = &topology.GeoIP{City: city, ASN: asn}
		}
	}
	for _, n := range p.all("cluster") {
		key, _ := get[*secret](n, "key")
		b.t.Cluster = &topology.Cluster{Key: key.where, Port: uint16(n.num("port")), Stale: n.duration("stale")}
	}
	for _, n := range p.all("region") {
		if !again(b.regions, n, &b.t.Regions) {
			b.region(n)
		}
	}
	for _, n := range p.all("region") {
		if b.regions[n].Fallback == nil {
			b.fallback(n)
		}
	}
	for _, n := range p.all("network") {
		if !again(b.networks, n, &b.t.Networks) {
			b.network(n)
		}
	}
	for _, n := range p.all("zone") {
		if !again(b.zones, n, &b.t.Zones) {
			b.zone(n)
		}
	}
	for _, n := range p.all("nameserver") {
		b.nameserver(n)
	}
	for _, n := range p.all("director") {
		if !again(b.dirs, n, &b.t.Directors) {
			b.director(n)
		}
	}
	for _, n := range p.all("check") {
		if !again(b.checks, n, &b.t.Checks) {
			c := b.check(n)
			b.checks[n] = c
			b.t.Checks = append(b.t.Checks, c)
		}
	}
	for _, n := range p.all("failover") {
		if !again(b.pairs, n, &b.t.Failovers) {
			b.failover(n)
		}
	}
	for _, n := range p.all("farm") {
		if !again(b.farms, n, &b.t.Farms) {
			b.farm(n)
		}
	}
	for _, n := range p.all("virtual_service") {
		if !again(b.services, n, &b.t.Services) {
			b.service(n)
		}
	}
	for _, n := range p.all("policy") {
		if !again(b.policies, n, &b.t.Policies) {
			b.policies[n] = &topology.Policy{ID: n.id} // others may name it
			b.t.Policies = append(b.t.Policies, b.policies[n])
		}
	}
	for _, n := range p.all("policy") {
		if b.policies[n].Steps == nil {
			b.policy(n)
		}
	}
	for _, n := range p.all("domain") {
		if !again(b.domains, n, &b.t.Domains) {
			b.domain(n)
		}
	}
	return b.t
}

// beside is a path as it is opened: a relative one begins in the folder of the
// topology's first file.
func (b *builder) beside(name string) string {
	if name == "" || path.IsAbs(name) {
		return name
	}
	return path.Join(path.Dir(b.p.src.Files[0].Name), name)
}

func (b *builder) region(n *node) {
	r := &topology.Region{ID: n.id, Name: n.name, Continents: n.strings("continents"), Countries: n.strings("countries"), Bias: n.num("bias")}
	for _, it := range n.list("asns") {
		r.ASNs = append(r.ASNs, uint32(it.x.(int)))
	}
	for _, it := range n.list("prefixes") {
		r.Prefixes = append(r.Prefixes, it.x.(netip.Prefix))
	}
	if at, ok := get[topology.Point](n, "location"); ok {
		r.Location = &at
	}
	b.regions[n] = r
	b.t.Regions = append(b.t.Regions, r)
}

// fallback finds the regions that a region names.
func (b *builder) fallback(n *node) {
	for _, name := range n.strings("fallback") {
		i := slices.IndexFunc(b.t.Regions, func(r *topology.Region) bool { return r.Name == name })
		b.regions[n].Fallback = append(b.regions[n].Fallback, b.t.Regions[i])
	}
}

func (b *builder) network(n *node) {
	w := &topology.Network{
		ID: n.id, Region: b.regions[n.ref("region")], Prefixes: n.prefixes(),
		Gateways: b.p.gateways[n], Routed: n.gave("gateway"),
	}
	b.networks[n] = w
	b.t.Networks = append(b.t.Networks, w)
}

func (b *builder) zone(n *node) {
	soa := b.p.groupOr(n, "soa")
	z := &topology.Zone{
		ID: n.id, Name: b.p.fqdn[n], File: b.beside(n.str("file")), TTL: n.duration("ttl"),
		Refresh: soa.duration("refresh"), Retry: soa.duration("retry"), Expire: soa.duration("expire"), NegativeTTL: soa.duration("negative_ttl"),
	}
	z.Contact = "hostmaster." + z.Name
	if c, ok := get[string](soa, "contact"); ok {
		z.Contact = strings.ToLower(strings.TrimSuffix(c, ".")) + "."
	}
	for _, k := range n.of("record") {
		r := &topology.Record{ID: k.id, Name: b.p.fqdn[k], Type: strings.ToUpper(k.str("type")), TTL: z.TTL, Data: k.strings("data")}
		if d, ok := get[time.Duration](k, "ttl"); ok {
			r.TTL = d
		}
		z.Records = append(z.Records, r)
	}
	b.zones[n] = z
	b.t.Zones = append(b.t.Zones, z)
}

func (b *builder) nameserver(n *node) {
	s := &topology.Nameserver{ID: n.id, Region: b.regions[n.ref("region")], Addrs: n.addrs("addresses"), Label: strings.ToLower(n.name)}
	if n.gave("name") {
		s.Name = b.p.fqdn[n]
	}
	b.t.Nameservers = append(b.t.Nameservers, s)
}

func (b *builder) director(n *node) {
	d := &topology.Director{ID: n.id, Network: b.networks[n.ref("network")], Addrs: n.addrs("address")}
	capacity := b.p.groupOr(n, "capacity")
	d.MeanPacket, d.PacketCost = capacity.num("mean_packet"), capacity.duration("packet_cost")
	if t := b.p.groupOr(n, "timeouts"); t != nil {
		d.Timeouts = topology.Timeouts{TCP: t.duration("tcp"), TCPFin: t.duration("tcp_fin"), UDP: t.duration("udp")}
	}
	if in := n.groups["inside"]; in != nil {
		d.Inside = &topology.Leg{Network: b.networks[in.ref("network")], Addrs: in.addrs("address")}
	}
	b.dirs[n] = d
	b.t.Directors = append(b.t.Directors, d)
}

func (b *builder) failover(n *node) {
	f := &topology.Failover{ID: n.id, VIPs: n.addrs("vips"), Addrs: n.addrs("address")}
	if in := n.groups["inside"]; in != nil {
		f.Inside = &topology.Leg{Network: b.networks[in.ref("network")], Addrs: in.addrs("address")}
	}
	for _, d := range n.nodes("members") {
		f.Members = append(f.Members, b.dirs[d])
	}
	vrrp := b.p.groupOr(n, "vrrp")
	f.RouterID = uint8(routerID(n))
	f.Advert, f.Preempt, f.PreemptDelay = vrrp.duration("advert"), vrrp.flag("preempt"), vrrp.duration("preempt_delay")
	f.Unicast, f.VirtualMAC = vrrp.flag("unicast"), vrrp.flag("virtual_mac")
	if key, ok := get[*secret](vrrp, "key"); ok {
		f.Key = key.where
	}
	f.Flap = flapOf(b.p.groupOr(n, "flap"))
	for _, k := range n.of("track") {
		t := &topology.Track{ID: k.id, Check: b.checks[k.ref("check")], Penalty: uint8(k.num("penalty")), Unfit: k.flag("unfit")}
		t.Addr, _ = get[netip.Addr](k, "address")
		f.Tracks = append(f.Tracks, t)
	}
	f.Sync = b.sync(n)
	b.pairs[n] = f
	b.t.Failovers = append(b.t.Failovers, f)
}

func (b *builder) farm(n *node) {
	f := &topology.Farm{ID: n.id, Region: b.regions[n.ref("region")], Agent: b.checks[n.ref("agent")]}
	if w := n.ref("network"); w != nil {
		f.Network = b.networks[w]
		f.Region = f.Network.Region
	}
	if g := n.ref("gateway"); g != nil {
		f.Gateway = topology.Forwarder{Director: b.dirs[g], Pair: b.pairs[g]}
	}
	for _, k := range n.of("server") {
		s := &topology.Server{ID: k.id, Farm: f, Addrs: k.addrs("address"), Weight: k.num("weight"), Port: uint16(k.num("port"))}
		s.Throughput, _ = get[float64](k, "throughput")
		s.MaxConnections, s.ResumeConnections = k.num("max_connections"), k.num("resume_connections")
		f.Servers = append(f.Servers, s)
	}
	b.farms[n] = f
	b.t.Farms = append(b.t.Farms, f)
}

func flapOf(g *node) topology.Flap {
	return topology.Flap{Count: g.num("count"), Window: g.duration("window"), Hold: g.duration("hold"), Max: g.duration("max")}
}

func (b *builder) check(n *node) *topology.Check {
	c := &topology.Check{
		ID: n.id, Port: uint16(n.num("port")), Interval: n.duration("interval"), Timeout: n.duration("timeout"),
		Rise: n.num("rise"), Fall: n.num("fall"),
	}
	c.Type, _ = get[topology.CheckType](n, "type")
	c.Jitter, _ = get[float64](n, "jitter")
	c.SlowStart = n.duration("slow_start")
	c.Flap = flapOf(b.p.groupOr(n, "flap"))
	expect := b.p.groupOr(n, "expect")
	takes := func(name string) bool { return slices.Contains(argumentOf[name], c.Type) }
	str := func(n *node, name string) string {
		if !takes(name) {
			return ""
		}
		return n.str(name)
	}
	c.Path, c.Host, c.Send = str(n, "path"), str(n, "host"), str(n, "send")
	c.Query, c.QueryType, c.Service = str(n, "query"), strings.ToUpper(str(n, "query_type")), str(n, "grpc_service")
	if c.QueryType == "" && takes("query_type") {
		c.QueryType = "A"
	}
	c.Text, c.Pattern, c.SHA256 = str(expect, "text"), str(expect, "pattern"), str(expect, "sha256")
	c.Verify, c.TLS = takes("verify") && n.flag("verify"), takes("tls") && n.flag("tls")
	c.Helo, c.StartTLS = str(n, "helo"), takes("starttls") && n.flag("starttls")
	if takes("headers") {
		c.HTTP2 = n.flag("http2")
		c.Headers, _ = get[[]string](n, "headers")
		if n.str("method") != "GET" {
			c.Method = n.str("method")
		}
	}
	if takes("command") {
		c.Command = n.strings("command")
		c.Environment, _ = get[[]string](n, "environment")
		c.User, c.Group = n.str("user"), n.str("group")
	}
	if takes("file") {
		c.File, c.MaxAge = n.str("file"), expect.duration("max_age")
		c.Absent = expect.gave("exists") && !expect.flag("exists")
	}
	if takes("status") {
		for _, it := range expect.list("status") {
			c.Status = append(c.Status, it.x.(topology.StatusRange))
		}
	}
	if takes("certificate_days") {
		c.CertificateDays = expect.num("certificate_days")
	}
	if takes("rcode") {
		c.Rcodes, c.Records = expect.strings("rcode"), expect.strings("answer")
	}
	return c
}

// standardCheck connects to the service's TCP port, the first of several.
func (b *builder) standardCheck(ports []uint16) *topology.Check {
	n := b.p.defaultCheck()
	c := b.check(n)
	c = &topology.Check{
		Type: topology.CheckTCP, Port: c.Port, Interval: c.Interval, Timeout: c.Timeout, Jitter: c.Jitter,
		Rise: c.Rise, Fall: c.Fall, Flap: c.Flap, SlowStart: c.SlowStart,
	}
	if len(ports) > 1 {
		c.Port = ports[0]
	}
	return c
}

func (b *builder) service(n *node) {
	s := &topology.Service{ID: n.id, Region: b.regions[n.ref("region")], VIPs: n.addrs("vip"), Check: b.checks[n.ref("check")]}
	for _, it := range n.list("ports") {
		s.Ports = append(s.Ports, it.x.(topology.Port))
	}
	if tcp := portsOf(n, topology.TCP); s.Check == nil && len(tcp) > 0 {
		s.Check = b.standardCheck(tcp)
	}
	s.Mark = uint32(n.num("fwmark"))
	tiers := n.of("tier")
	for i, k := range tiers {
		last := i == len(tiers)-1
		t := &topology.Tier{Name: k.name, Method: k.method(), Scheduler: k.str("scheduler"), Check: b.checks[k.ref("check")]}
		if t.Scheduler == "" {
			t.Scheduler = standardScheduler(k, last)
		}
		t.HashPort, t.OnePacket = slices.Contains(k.strings("flags"), "port"), k.flag("one_packet")
		if inhibit, ok := get[bool](k, "inhibit"); ok {
			t.Inhibit = &inhibit
		}
		for _, it := range sorryOf(n, k, last).list("sorry") {
			t.Sorry = append(t.Sorry, it.x.(topology.Sorry))
		}
		// What a service says is of its last tier.
		ofService := func(name string) *node {
			if g := k.groups[name]; g != nil || !last {
				return g
			}
			return n.groups[name]
		}
		if g := ofService("persistence"); g != nil {
			t.Persistence = persistence(g)
		}
		if g := ofService("quorum"); g != nil {
			t.Quorum = quorum(g)
		}
		if t.Check == nil {
			t.Check = s.Check
		}
		for _, f := range forwarders(k) {
			t.Directors = append(t.Directors, b.dirs[f.node])
			if f.pair != nil && f.nth == 0 {
				t.Pairs = append(t.Pairs, b.pairs[f.pair])
			}
		}
		for _, f := range k.nodes("farms") {
			t.Farms = append(t.Farms, b.farms[f])
		}
		s.Tiers = append(s.Tiers, t)
	}
	b.services[n] = s
	b.t.Services = append(b.t.Services, s)
}

func persistence(g *node) *topology.Persistence {
	out := &topology.Persistence{Timeout: g.duration("timeout"), Mask: 32, Mask6: 128}
	if bits, ok := get[int](g, "netmask"); ok {
		out.Mask = bits
	}
	if bits, ok := get[int](g, "netmask6"); ok {
		out.Mask6 = bits
	}
	return out
}

func quorum(g *node) *topology.Quorum {
	low, _ := bound(g, "min_up")
	q := &topology.Quorum{MinUp: low.Bound, Restore: low.Bound, ByWeight: g.str("by") == "weight", Keep: g.str("on_loss") == "keep"}
	if high, ok := bound(g, "restore"); ok {
		q.Restore = high.Bound
	}
	return q
}

func (b *builder) policy(n *node) {
	p := b.policies[n]
	for _, k := range n.of("step") {
		kind, _ := topology.ParseStepKind(k.raw.label)
		step := topology.Step{Kind: kind}
		switch kind {
		case topology.StepHealth:
			step.FailTo = b.regions[k.ref("fail_to")]
			step.FailOpen = k.flag("fail_open") && step.FailTo == nil
		case topology.StepLimit:
			step.Answers = k.num("answers")
		case topology.StepPrefixes:
			step.Default = b.regions[k.ref("default")]
		case topology.StepPolicy:
			step.Policy = b.policies[k.ref("policy")]
		}
		p.Steps = append(p.Steps, step)
	}
}

// standardPolicy is the policy of a domain that names none. Among hosts the
// client chooses: it gets all that are up.
func standardPolicy(hosts bool) *topology.Policy {
	if hosts {
		return &topology.Policy{Steps: []topology.Step{{Kind: topology.StepHealth, FailOpen: true}}}
	}
	return &topology.Policy{Steps: []topology.Step{
		{Kind: topology.StepHealth, FailOpen: true}, {Kind: topology.StepWeight}, {Kind: topology.StepRotate}, {Kind: topology.StepLimit, Answers: 1},
	}}
}

func (b *builder) domain(n *node) {
	d := &topology.Domain{ID: n.id, Name: b.p.fqdn[n], Zone: b.zones[n.ref("zone")], TTL: n.duration("ttl"), Policy: b.policies[n.ref("policy")]}
	d.MinTTL = d.TTL
	if low, ok := get[time.Duration](n, "min_ttl"); ok {
		d.MinTTL = low
	}
	for _, t := range n.strings("types") {
		d.Types = append(d.Types, strings.ToUpper(t))
	}
	d.Params = n.str("params")
	if d.Policy == nil {
		d.Policy = standardPolicy(d.Hosts())
	}
	for _, k := range n.of("answer") {
		a := &topology.Answer{
			ID: k.id, Label: k.name, Region: b.regions[k.ref("region")], Weight: k.num("weight"), Check: b.checks[k.ref("check")],
			Addrs: append([]netip.Addr(nil), k.addrs("addresses")...),
		}
		if ref := k.ref("service"); ref != nil {
			s := b.services[ref]
			a.Service, a.Region, a.Addrs = s, s.Region, append([]netip.Addr(nil), s.VIPs...)
			if a.Check == nil {
				a.Check = s.Check
			}
			if a.Check != nil && !a.Check.Type.Portless() {
				if ports := portsOf(ref, asked(a.Check.Type)); len(ports) > 0 {
					a.Port = ports[0]
				}
			}
		}
		if cname, ok := get[string](k, "cname"); ok {
			a.CNAME, _ = ownerIn(cname, d.Zone.Name, ownerName)
		}
		if target, ok := get[string](k, "target"); ok {
			a.Target, _ = ownerIn(target, d.Zone.Name, ownerName)
			a.Priority, a.TargetPort = 1, uint16(k.num("port"))
			if first, ok := get[int](k, "priority"); ok {
				a.Priority = first
			}
			if a.Service != nil && a.TargetPort == 0 && d.Has("SRV") {
				a.TargetPort = a.Service.Ports[0].Number
			}
		}
		if a.Region != nil {
			a.Bias = a.Region.Bias
		}
		if bias, ok := get[int](k, "bias"); ok {
			a.Bias = bias
		}
		d.Answers = append(d.Answers, a)
	}
	b.domains[n] = d
	b.t.Domains = append(b.t.Domains, d)
}
