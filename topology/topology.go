// Package topology holds the nouns of a topology file as immutable values:
// what exists, where it is and how it is joined, never who is up or what
// follows from it. Package conf makes a [Topology] out of text; steering and
// tiers read it. Nothing here does I/O, and nothing changes a value after
// conf has handed it out, so it may be shared between goroutines.
package topology

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Topology is one whole file (or directory of files), checked: every
// reference is resolved to the object itself. Lists are in file order.
type Topology struct {
	Name string // label of the topology block; "" without one
	// MaxRemove is the part of a forwarding table, 0 to 1, that one change may
	// remove without being a danger; 1 where the file does not say.
	MaxRemove float64
	// Watch says that name servers read the files again when they have changed.
	Watch       bool
	Regions     []*Region
	Networks    []*Network
	Zones       []*Zone
	Nameservers []*Nameserver
	Directors   []*Director
	Failovers   []*Failover
	Farms       []*Farm
	Checks      []*Check
	Services    []*Service
	Policies    []*Policy
	Domains     []*Domain
	GeoIP       *GeoIP   // nil: no database says where clients are
	Cluster     *Cluster // nil: nodes share nothing
}

// GeoIP names the databases that say where addresses are. They are read on
// the node.
type GeoIP struct {
	City string // file; "": none
	ASN  string // file; "": none
}

// Addrs are the addresses of one interface or VIP: at most one of each family.
type Addrs []netip.Addr

// Like returns the address of a's list that has the family of b.
func (a Addrs) Like(b netip.Addr) (netip.Addr, bool) {
	for _, x := range a {
		if x.Is4() == b.Is4() {
			return x, true
		}
	}
	return netip.Addr{}, false
}

// Reach returns the address that packets to b are sent to by a method: one of
// b's family or, where there is none and packets are wrapped, one of the other.
func (a Addrs) Reach(b netip.Addr, m Method) (netip.Addr, bool) {
	if x, ok := a.Like(b); ok || m != TUN || len(a) == 0 {
		return x, ok
	}
	return a[0], true
}

// Has reports whether b is one of the addresses.
func (a Addrs) Has(b netip.Addr) bool {
	for _, x := range a {
		if x == b {
			return true
		}
	}
	return false
}

func (a Addrs) String() string {
	s := make([]string, len(a))
	for i, x := range a {
		s[i] = x.String()
	}
	return strings.Join(s, ", ")
}

// A Region is a place with directors and users of its own.
type Region struct {
	ID       string // address in the file: region.eu, region.site["eu"]
	Name     string // label, or label-key with for_each: eu, site-eu
	Location *Point // nil: not given
	// Continents (codes such as EU), Countries (ISO 3166-1 alpha-2), ASNs and
	// Prefixes (host bits zero) are whose users it serves.
	Continents []string
	Countries  []string
	ASNs       []uint32
	Prefixes   []netip.Prefix
	Fallback   []*Region // who takes its users over when nobody here is up, in order
	// Bias makes the region count as nearer (up to 99) or further (down to
	// -99) than it is, see [Answer.Bias].
	Bias int
}

// A Cluster is how nodes share what they know.
type Cluster struct {
	Key   string // where the key is: "file:PATH" or "env:NAME"
	Port  uint16 // UDP, of directors
	Stale time.Duration
}

// A Point is a place on earth in degrees: latitude -90 to 90, longitude -180 to 180.
type Point struct{ Lat, Lon float64 }

// A Network is one L2 segment.
type Network struct {
	ID       string
	Region   *Region
	Prefixes []netip.Prefix // at most one of each family, host bits zero
	Gateways Addrs          // the region's router on the segment, one per prefix
	// Routed says that the file names the gateway; otherwise Gateways holds
	// the default, the highest unused host.
	Routed bool
}

// Contains reports whether a lies in one of the segment's prefixes.
func (n *Network) Contains(a netip.Addr) bool {
	for _, p := range n.Prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// A Director is a node that forwards.
type Director struct {
	ID      string // director.cell["a"]
	Network *Network
	Addrs   Addrs
	Inside  *Leg // second interface, towards the farms; nil: one interface
	// MeanPacket in bytes and PacketCost are what one packet is and takes
	// where it is rewritten (NAT).
	MeanPacket int
	PacketCost time.Duration
	Timeouts   Timeouts
}

// Timeouts are after how long without a packet the kernel forgets a connection
// of its table, whole seconds; 0: what the kernel has.
type Timeouts struct {
	TCP, TCPFin, UDP time.Duration
}

// Rewrites is how many bytes per second the director can forward by NAT: one
// packet of mean size per packet cost, in both directions together.
func (d *Director) Rewrites() float64 {
	if d.PacketCost <= 0 {
		return 0
	}
	return float64(d.MeanPacket) / d.PacketCost.Seconds()
}

// Region is the region of the director's network.
func (d *Director) Region() *Region { return d.Network.Region }

// Leg is an interface of a node on a network.
type Leg struct {
	Network *Network
	Addrs   Addrs
}

// On returns the director's own addresses on network n, nil when it has no leg there.
func (d *Director) On(n *Network) Addrs {
	switch {
	case n == nil:
		return nil
	case d.Inside != nil && d.Inside.Network == n:
		return d.Inside.Addrs
	case d.Network == n:
		return d.Addrs
	}
	return nil
}

// A Failover is directors of one segment that own addresses together: one of
// them has the addresses, the others take them over when it is silent.
type Failover struct {
	ID      string
	Members []*Director // two or more, in order of priority
	VIPs    Addrs       // any number of each family
	// Addrs are where the tier before sends packets for the active member, on
	// the members' network; none where the pair is in first tiers alone.
	Addrs Addrs
	// Inside is the gateway that farms have, on a network that every member has
	// an inside interface on; nil: none there.
	Inside *Leg
	// RouterID is the id of the virtual router, 1 to 255, its pair's own on each
	// segment for each family.
	RouterID uint8
	Advert   time.Duration // between advertisements, 10 ms to 40.95 s in steps of 10 ms
	// Preempt lets a member take over from an active one that is well and comes
	// after it in the order, and PreemptDelay is how long it listens to one of
	// lower priority before.
	Preempt      bool
	PreemptDelay time.Duration
	// Key is the place of the keys that advertisements are signed with,
	// "file:PATH" or "env:NAME"; "": they are not signed.
	Key string
	// Unicast has IPv4 go from address to address instead of by multicast.
	Unicast bool
	// VirtualMAC gives the VIPs a MAC address that moves with them.
	VirtualMAC bool
	Flap       Flap // of a member's own take-overs
	Tracks     []*Track
	// Sync is how the members' kernels copy connections to each other; nil: not
	// at all. Pairs with a director in common have the same.
	Sync *Sync
}

// A Sync is a channel on which kernels copy connections: each takes in all
// messages with its id on the segment.
type Sync struct {
	ID      uint8    // 1 to 255, on the segment only between directors of common pairs; 0 would take in all
	Network *Network // all members have addresses on it
}

// A Track is what every member of a pair looks at, besides its interface and
// its services.
type Track struct {
	ID    string     // failover.front.track.router
	Check *Check     // never of type agent
	Addr  netip.Addr // the zero Addr: the member's own
	// Penalty is what is taken off a member's priority while it is down for it,
	// 1 to 254. Unfit instead: then the member holds nothing, whoever else does.
	Penalty uint8
	Unfit   bool
}

// Network is the segment of all members.
func (f *Failover) Network() *Network { return f.Members[0].Network }

// On returns the addresses that the active member has on network n besides VIPs
// and its own, nil for none.
func (f *Failover) On(n *Network) Addrs {
	switch {
	case n == nil:
		return nil
	case f.Inside != nil && f.Inside.Network == n:
		return f.Inside.Addrs
	case f.Network() == n:
		return f.Addrs
	}
	return nil
}

// Moves are all addresses that move from member to member.
func (f *Failover) Moves() Addrs {
	out := slices.Concat(f.VIPs, f.Addrs)
	if f.Inside != nil {
		out = append(out, f.Inside.Addrs...)
	}
	return out
}

// A Forwarder is a director, or a failover pair, of which one member at a time
// forwards. The zero Forwarder is nobody.
type Forwarder struct {
	Director *Director // nil: Pair counts
	Pair     *Failover
}

// IsValid reports whether f is somebody.
func (f Forwarder) IsValid() bool { return f != Forwarder{} }

// ID is the address in the file of the director or pair, "" of nobody.
func (f Forwarder) ID() string {
	switch {
	case f.Pair != nil:
		return f.Pair.ID
	case f.Director != nil:
		return f.Director.ID
	}
	return ""
}

// Members are the directors that may forward, in order of priority.
func (f Forwarder) Members() []*Director {
	switch {
	case f.Pair != nil:
		return f.Pair.Members
	case f.Director != nil:
		return []*Director{f.Director}
	}
	return nil
}

// Has reports whether d is the director, or a member of the pair.
func (f Forwarder) Has(d *Director) bool {
	return f.Pair == nil && f.Director == d && d != nil || f.Pair != nil && slices.Contains(f.Pair.Members, d)
}

// Addrs are where a tier before sends packets.
func (f Forwarder) Addrs() Addrs {
	switch {
	case f.Pair != nil:
		return f.Pair.Addrs
	case f.Director != nil:
		return f.Director.Addrs
	}
	return nil
}

// On returns the addresses by which network n knows f, nil when it is not there.
func (f Forwarder) On(n *Network) Addrs {
	switch {
	case f.Pair != nil:
		return f.Pair.On(n)
	case f.Director != nil:
		return f.Director.On(n)
	}
	return nil
}

// Rewrites is how many bytes per second f can forward by NAT, of a pair the
// weakest member; see [Director.Rewrites].
func (f Forwarder) Rewrites() float64 {
	least := 0.0
	for i, d := range f.Members() {
		if r := d.Rewrites(); i == 0 || r < least {
			least = r
		}
	}
	return least
}

// A Farm is a set of real servers reached in one way.
type Farm struct {
	ID      string
	Region  *Region
	Network *Network  // nil: a WAN farm, reached by routing
	Gateway Forwarder // who forwards by NAT and is its servers' default route; nobody: the region's router
	Servers []*Server
	// Agent asks each server, at its own address, what part of its weight it
	// wants and whether it serves; nil: nobody is asked.
	Agent *Check
}

// A Server is a real server.
type Server struct {
	ID     string // farm.web["a"].server.web[0]
	Farm   *Farm
	Addrs  Addrs
	Weight int    // 0 to 65535; 0 = draining
	Port   uint16 // 0: the service's port. Only NAT can use another one
	// Throughput is what it can deliver in bytes per second; 0: not given.
	Throughput float64
	// MaxConnections is how many connections a director gives it at the same
	// time before it gets no new ones, until there are fewer than
	// ResumeConnections; 0: no bound, and three quarters of MaxConnections.
	MaxConnections, ResumeConnections int
}

// A Service is a virtual service: VIPs, ports and the whole path of a packet.
type Service struct {
	ID     string
	Region *Region
	VIPs   Addrs
	Ports  []Port
	Check  *Check // of the VIP as the DNS node sees it; never nil for a service with a TCP port (see conf's default), else may be nil: always up
	// Mark is the fwmark by which a director takes all ports of the service, of
	// each family, for one virtual service; 0: each port is one by itself.
	Mark  uint32
	Tiers []*Tier
}

// A Tier is one stage of forwarding. Every director of the tier has every VIP of the service.
type Tier struct {
	Name string
	// Directors are those that have the tier, the members of its pairs among them.
	Directors []*Director
	Pairs     []*Failover // whose members are among Directors
	Method    Method
	Scheduler string  // as the kernel calls it: rr, wrr, lc, wlc, sed, nq, sh, mh
	Farms     []*Farm // last tier only
	Check     *Check  // of the tier's destinations; nil: always up
	// HashPort makes a hash scheduler choose by the client's port too.
	HashPort bool
	// OnePacket schedules each datagram by itself; UDP by TUN and DR only.
	OnePacket   bool
	Persistence *Persistence // nil: none
	Quorum      *Quorum      // nil: one destination is enough
	// Sorry are who gets the new connections when the tier has lost its quorum,
	// at most one of each family.
	Sorry []Sorry
	// Inhibit keeps what is down in the table with weight 0, instead of taking
	// it out; nil: as the scheduler and the protocol ask for.
	Inhibit *bool
}

// PairOf is the pair of the tier that d is a member of, nil for none.
func (t *Tier) PairOf(d *Director) *Failover {
	for _, p := range t.Pairs {
		if slices.Contains(p.Members, d) {
			return p
		}
	}
	return nil
}

// Forwarders are the directors and pairs that the tier consists of, in the
// order of Directors.
func (t *Tier) Forwarders() []Forwarder {
	out := make([]Forwarder, 0, len(t.Directors))
	for _, d := range t.Directors {
		f := Forwarder{Director: d}
		if pair := t.PairOf(d); pair != nil {
			f = Forwarder{Pair: pair}
			if slices.Contains(out, f) {
				continue
			}
		}
		out = append(out, f)
	}
	return out
}

// Persistence keeps a client at its destination.
type Persistence struct {
	Timeout     time.Duration // after the client's last connection; whole seconds
	Mask, Mask6 int           // bits of a client's address that count, 1 to 32 and 1 to 128
}

// A Quorum is how many destinations must be able to take connections for a
// service to live. MinUp <= Restore: between the two it stays what it was.
type Quorum struct {
	MinUp, Restore Bound
	ByWeight       bool // their weights are added up, instead of the destinations
	// Keep goes on forwarding without quorum, to whoever lives; else, where
	// there is no sorry server either, nobody new is taken, so that others who
	// look at the VIP see it as down.
	Keep bool
}

// A Bound is a number, or a part of all.
type Bound struct {
	Count int     // 1 or more; 0: Ratio counts
	Ratio float64 // 0 to 1
}

// Of is the bound where all are n: the smallest number that reaches it.
func (b Bound) Of(n int) int {
	if b.Count > 0 {
		return b.Count
	}
	return int(math.Ceil(b.Ratio*float64(n) - 1e-9))
}

func (b Bound) String() string {
	if b.Count > 0 {
		return strconv.Itoa(b.Count)
	}
	return strconv.FormatFloat(math.Round(b.Ratio*1e6)/1e4, 'g', -1, 64) + "%"
}

// A Sorry is a server that stands in for all others.
type Sorry struct {
	Addr netip.Addr // the zero Addr: the director itself, by a program that listens at the VIP
	Port uint16     // 0: the service's. Only NAT can use another one
}

// SorryFor is the tier's sorry server for connections to vip.
func (t *Tier) SorryFor(vip netip.Addr) (Sorry, bool) {
	for _, s := range t.Sorry {
		if !s.Addr.IsValid() || s.Addr.Is4() == vip.Is4() {
			return s, true
		}
	}
	return Sorry{}, false
}

// Farms of the service, those of its last tier.
func (s *Service) Farms() []*Farm { return s.Tiers[len(s.Tiers)-1].Farms }

// A Port is a protocol with a port number.
type Port struct {
	Proto  Proto
	Number uint16
}

func (p Port) String() string { return p.Proto.String() + "/" + utoa(p.Number) }

// A Check says how to find out whether something lives. Which fields count
// depends on Type; the others have their zero values.
type Check struct {
	ID       string // "" for the default check
	Type     CheckType
	Port     uint16        // 0: the destination's
	Interval time.Duration // start to start
	Timeout  time.Duration // less than Interval
	Jitter   float64       // 0 to 1: part of Interval by which a start may be early
	Rise     int           // consecutive successes that bring it up, 1 or more
	Fall     int           // consecutive failures that take it down, 1 or more
	Flap     Flap
	// SlowStart is how long the weight of what has come up again grows; 0: it
	// is whole at once.
	SlowStart time.Duration

	Path            string        // http, https: starts with "/"
	Method          string        // http, https: "GET" or "HEAD"; "" = GET
	HTTP2           bool          // http, https: HTTP/2 and no other; over http without asking (RFC 9113 section 3.3)
	Headers         []string      // http, https: "Name: value", in the order of their names
	Host            string        // http, https: Host header and SNI; tls, grpc, smtp: SNI and authority; "" = the address
	Status          []StatusRange // http, https: accepted; empty = 200 to 399
	Verify          bool          // https, tls, grpc, smtp: certificate must be valid for Host
	CertificateDays int           // https, tls, grpc, smtp: days that the certificate must be valid still; 0: no matter
	Text            string        // tcp, udp, http, https, file: must be in the reply; "" = no matter
	Pattern         string        // the same as a regular expression (RE2)
	SHA256          string        // http, https: digest of the whole body, 64 hexadecimal digits in lower case; "" = no matter
	Send            string        // tcp, udp, agent: sent first
	Query           string        // dns: name that is asked for
	QueryType       string        // dns: "A", "SOA", ...
	Rcodes          []string      // dns: accepted; empty = NOERROR
	Records         []string      // dns: data of records that must be in the answer
	TLS             bool          // grpc: over TLS
	Service         string        // grpc: name of the service; "" = the server as a whole
	Helo            string        // smtp: the name it greets with; "" = its address
	StartTLS        bool          // smtp: asks for TLS
	File            string        // file: absolute path; {address} in it stands for the destination's
	Absent          bool          // file: alive while it does not exist
	MaxAge          time.Duration // file: since it was last written; 0: no matter
	Command         []string      // exec: absolute path and arguments
	Environment     []string      // exec: NAME=VALUE, sorted
	User            string        // exec: name or number; "" = nobody (65534) where the prober is root, else the prober's
	Group           string        // exec: name or number; "" = the user's
}

// A StatusRange is the status codes of HTTP from First to Last.
type StatusRange struct{ First, Last int }

func (r StatusRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(r.First)
	}
	return strconv.Itoa(r.First) + "-" + strconv.Itoa(r.Last)
}

// A Flap is how long something that comes and goes is kept down. The zero
// value: no longer than anything else.
type Flap struct {
	Count  int           // from this one in a row on it is held down; 0: never
	Window time.Duration // going down less than this after coming up is one more in a row
	Hold   time.Duration // how long the first time; doubled every time after
	Max    time.Duration // never longer
}

// A Zone is an authoritative DNS zone.
type Zone struct {
	ID          string
	Name        string // canonical: lower case, trailing dot
	Contact     string // SOA RNAME as a domain name with trailing dot
	Refresh     time.Duration
	Retry       time.Duration
	Expire      time.Duration
	NegativeTTL time.Duration
	TTL         time.Duration // of SOA, NS, glue and of records without one
	Records     []*Record
	// File is the path of a master file (RFC 1035, section 5) with further
	// records, ready to be opened; "" = none. Its SOA and the NS records of the
	// zone itself, where it has them, stand instead of those made of the fields
	// above and of the file's nameservers.
	File string
}

// A Record is a static RRset member list, data in zone-file text; relative
// names in Data are relative to the zone.
type Record struct {
	ID   string
	Name string // canonical owner, lower case, trailing dot
	Type string // upper case: "CNAME", "MX", "TXT", ...
	TTL  time.Duration
	Data []string
}

// A Nameserver is a node of the DNS front. It serves every zone of the file.
type Nameserver struct {
	ID     string
	Region *Region
	Addrs  []netip.Addr
	// Name is the canonical host name from the file; "" means
	// Label + "." + zone in each zone.
	Name  string
	Label string // label[-key]
}

// NameIn is the nameserver's host name as zone z lists it, with trailing dot.
func (n *Nameserver) NameIn(z *Zone) string {
	if n.Name != "" {
		return n.Name
	}
	return n.Label + "." + z.Name
}

// A Domain is a steered name.
type Domain struct {
	ID      string
	Name    string // canonical, trailing dot
	Zone    *Zone
	TTL     time.Duration // the highest that its answers have
	MinTTL  time.Duration // the lowest, while a change is near; TTL: they all have the same
	Types   []string      // record types that are answered, upper case; empty: A and AAAA
	Params  string        // of its HTTPS and SVCB records, hints left out, as zone-file text: `alpn="h2" port="8443"`; "": none
	Policy  *Policy       // never nil
	Answers []*Answer
}

// Hosts reports whether the domain's answers name hosts, as those of SRV and
// MX do, and not addresses. HTTPS and SVCB go with either.
func (d *Domain) Hosts() bool { return !d.Has("A") && !d.Has("AAAA") }

// Alias reports whether an answer stands alone, being another name of the
// domain: a CNAME, or a host in AliasMode (RFC 9460, section 2.4.2).
func (d *Domain) Alias(a *Answer) bool {
	return a.CNAME != "" || a.Target != "" && a.Priority == 0 && (d.Has("HTTPS") || d.Has("SVCB"))
}

// Has reports whether the domain answers a record type.
func (d *Domain) Has(typ string) bool {
	if len(d.Types) == 0 {
		return typ == "A" || typ == "AAAA"
	}
	for _, t := range d.Types {
		if t == typ {
			return true
		}
	}
	return false
}

// An Answer is one place a domain may point to: a service's VIPs, literal
// addresses, another name or, in a domain of hosts, a host. Addresses of a host
// say whether it is up.
type Answer struct {
	ID      string
	Label   string
	Region  *Region // the service's; nil for literal addresses without one
	Service *Service
	Addrs   []netip.Addr // Service's VIPs, or literal; empty only where there is a CNAME or Target
	CNAME   string       // canonical, trailing dot; "": none
	Target  string       // name of the host, canonical, trailing dot; "": none
	// Priority of the host, 0 to 65535: lower ones first. In a domain of HTTPS
	// and SVCB 0 makes it an alias.
	Priority   int
	TargetPort uint16 // SRV: where the host listens
	Weight     int    // 0 to 65535; 0 = never chosen while another weighs more
	Check      *Check // nil: always up
	Port       uint16 // where Check looks when it names no port
	// Bias in percent, -99 to 99: a positive one takes that part off the
	// distance of a client, a negative one makes it longer as much as the
	// positive one makes it shorter. It is the region's where the file gives none.
	Bias int
}
