package dnsserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"gslb/dnsserver/rr"
	"gslb/dnsserver/zonefile"
	"gslb/topology"
)

// Zones is the static side of the answers: every name of every zone and what
// stands there. It is made once for a topology and never changed.
type Zones struct {
	zones map[string]*zone
	ready ready
}

type zone struct {
	name     []byte // as it is sent
	key      string
	lowered  []byte           // key
	labels   int              // the root's included
	nodes    map[string]*node // by key; empty non-terminals are here too
	apex     *node
	unserved bool           // its file has errors
	ttl      uint32         // of what the topology says of its nameservers, seconds
	file     *zonefile.Zone // nil: none
	lines    map[string]int // of names in file, once asked for
	soa      rrset
	negative rrset // the SOA with the TTL of a negative answer
}

// A node is a name that exists. Without sets and domains it is an empty
// non-terminal (RFC 4592, section 2.2.2).
type node struct {
	sets    []rrset  // in the order of their types
	steered *steered // the domains of this name; nil: none
}

// An rrset is all records of one type at one name. Signatures are a set for
// each type that they sign, whose TTL they have (RFC 4034, section 3).
type rrset struct {
	typ  uint16
	ttl  uint32
	data [][]byte
}

func (n *node) set(typ uint16) *rrset {
	for i := range n.sets {
		if n.sets[i].typ == typ {
			return &n.sets[i]
		}
	}
	return nil
}

// signatures are the sets of RRSIG.
func (n *node) signatures() []rrset {
	i, _ := slices.BinarySearchFunc(n.sets, int(dns.TypeRRSIG), rrset.compare)
	j, _ := slices.BinarySearchFunc(n.sets, int(dns.TypeRRSIG)+1, rrset.compare)
	return n.sets[i:j]
}

func (s rrset) compare(typ int) int { return int(s.typ) - typ }

// Len is the number of zones that are served.
func (zs *Zones) Len() int { return len(zs.zones) - len(zs.Unserved()) }

// Unserved are the names of the zones whose files have errors, sorted.
func (zs *Zones) Unserved() []string {
	var out []string
	for _, z := range zs.zones {
		if z.unserved {
			out = append(out, text(z.key))
		}
	}
	slices.Sort(out)
	return out
}

// Compile makes the zones of topo with the given SOA serial number, which
// zones whose master file has a SOA do without. The files are those of the
// zones that have one; which is whose, their origins tell. The error joins
// everything that cannot be served, as a [zonefile.Fault] what is in a file.
// Queries about a zone whose file is [zonefile.Zone.Unserved] get SERVFAIL.
func Compile(topo *topology.Topology, serial uint32, files ...*zonefile.Zone) (*Zones, error) {
	zs := &Zones{zones: make(map[string]*zone, len(topo.Zones))}
	c := compiler{zones: zs, files: make(map[string]*zonefile.Zone, len(files))}
	for _, f := range files {
		c.files[dns.CanonicalName(f.Origin)] = f
	}
	for _, tz := range topo.Zones {
		c.zone(tz, topo.Nameservers, serial)
	}
	for _, ns := range topo.Nameservers {
		for _, tz := range topo.Zones {
			c.glue(ns, tz)
		}
	}
	for _, d := range topo.Domains {
		c.domain(d)
	}
	for _, tz := range topo.Zones {
		c.cut(tz)
	}
	for _, tz := range topo.Zones {
		if z, ok := c.find(tz.Name); ok && !z.unserved {
			c.check(z)
		}
	}
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	for _, tz := range topo.Zones {
		if z, ok := c.find(tz.Name); ok {
			zs.ready.add(zs, z)
		}
	}
	for _, s := range c.leading {
		s.settle(zs)
	}
	zs.ready.index()
	return zs, nil
}

// A compiler collects faults, so that all of them can be told at once.
type compiler struct {
	zones   *Zones
	files   map[string]*zonefile.Zone
	leading []*steered // to hosts
	faults  []error
}

func (c *compiler) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf(format, args...))
}

func (c *compiler) find(name string) (*zone, bool) {
	wire, err := rr.Name(name)
	if err != nil {
		return nil, false
	}
	z, ok := c.zones.zones[key(wire)]
	return z, ok
}

// zone makes the zone itself: SOA, NS and its static records.
func (c *compiler) zone(tz *topology.Zone, nameservers []*topology.Nameserver, serial uint32) {
	name, err := rr.Name(tz.Name)
	if err != nil {
		c.fault("zone %s: %w", tz.Name, err)
		return
	}
	z := newZone(name)
	z.ttl = seconds(tz.TTL)
	if _, ok := c.zones.zones[z.key]; ok {
		c.fault("zone %s: declared twice", tz.Name)
		return
	}
	c.zones.zones[z.key] = z

	if tz.File != "" {
		if z.file = c.files[dns.CanonicalName(tz.Name)]; z.file == nil {
			c.fault("zone %s: %s has not been read", tz.Name, tz.File)
			return
		}
		if z.file.Unserved {
			z.unserved = true
			return
		}
		for r := range z.file.Records() {
			if !hashed(r) {
				z.add(key(r.Owner), r.Type, r.TTL, r.Data)
			}
		}
	}
	if z.apex.set(dns.TypeNS) == nil {
		if len(nameservers) == 0 {
			c.fault("zone %s: no nameserver", tz.Name)
			return
		}
		c.nameservers(z, tz, nameservers)
	}
	if soa := z.apex.set(dns.TypeSOA); soa != nil {
		z.soa = *soa
	} else if !c.soa(z, tz, nameservers, serial) {
		return
	}
	minimum := z.soa.data[0][len(z.soa.data[0])-4:]
	z.negative = rrset{typ: dns.TypeSOA, ttl: min(z.soa.ttl, binary.BigEndian.Uint32(minimum), maxTTL), data: z.soa.data} // RFC 2308, section 3
	for _, r := range tz.Records {
		c.record(z, tz, r)
	}
}

// hashed reports whether a record is one of NSEC3 or signs such: their owners
// are no names of the zone (RFC 5155, section 7.2.8).
func hashed(r zonefile.Record) bool {
	return r.Type == dns.TypeNSEC3 || r.Type == dns.TypeRRSIG && binary.BigEndian.Uint16(r.Data) == dns.TypeNSEC3
}

// soa makes a SOA of what the topology says.
func (c *compiler) soa(z *zone, tz *topology.Zone, nameservers []*topology.Nameserver, serial uint32) bool {
	if len(nameservers) == 0 {
		c.fault("zone %s: no nameserver to name in its SOA", tz.Name)
		return false
	}
	soa, err := rr.Wire(&dns.SOA{
		Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET},
		Ns:  nameservers[0].NameIn(tz), Mbox: dns.Fqdn(tz.Contact), Serial: serial,
		Refresh: seconds(tz.Refresh), Retry: seconds(tz.Retry), Expire: seconds(tz.Expire), Minttl: seconds(tz.NegativeTTL),
	})
	if err != nil {
		c.fault("zone %s: %w", tz.Name, err)
		return false
	}
	z.soa = rrset{typ: dns.TypeSOA, ttl: seconds(tz.TTL), data: [][]byte{soa}}
	z.add(z.key, z.soa.typ, z.soa.ttl, soa)
	return true
}

// nameservers lists the topology's as the zone's.
func (c *compiler) nameservers(z *zone, tz *topology.Zone, nameservers []*topology.Nameserver) {
	for _, ns := range nameservers {
		host, err := rr.Name(ns.NameIn(tz))
		if err != nil {
			c.fault("nameserver %s: %w", ns.ID, err)
			continue
		}
		z.add(z.key, dns.TypeNS, seconds(tz.TTL), []byte(host))
	}
}

func (c *compiler) record(z *zone, tz *topology.Zone, r *topology.Record) {
	owner, err := rr.Name(r.Name)
	if err != nil {
		c.fault("record %s: %w", r.ID, err)
		return
	}
	owner = key(owner)
	if !under(owner, z.key) {
		c.fault("record %s: %s is not in zone %s", r.ID, r.Name, tz.Name)
		return
	}
	for _, text := range r.Data {
		record, err := rr.Parse(r.Type, text, tz.Name)
		if err != nil {
			c.fault("record %s: %w", r.ID, err)
			continue
		}
		data, err := rr.Wire(record)
		if err != nil {
			c.fault("record %s: %w", r.ID, err)
			continue
		}
		z.add(owner, record.Header().Rrtype, seconds(r.TTL), data)
	}
}

// glue adds the addresses of a nameserver to the zone its name lies in.
func (c *compiler) glue(ns *topology.Nameserver, tz *topology.Zone) {
	host, err := rr.Name(ns.NameIn(tz))
	if err != nil {
		return // told by zone
	}
	if of, ok := c.find(tz.Name); !ok || !of.lists(host) {
		return // the zone's file has nameservers of its own
	}
	host = key(host)
	z := c.zones.enclosing([]byte(host))
	if z == nil {
		return
	}
	for _, a := range ns.Addrs {
		z.add(host, addressType(a), z.ttl, a.AsSlice())
	}
}

// cut makes a zone's name exist in the zone that encloses it, which is the one
// to be asked for its DS (RFC 4035, section 3.1.4.1).
func (c *compiler) cut(tz *topology.Zone) {
	child, ok := c.find(tz.Name)
	if !ok {
		return
	}
	if above, ok := parent(child.key); ok {
		if z := c.zones.enclosing([]byte(above)); z != nil {
			z.node(child.key)
		}
	}
}

// check finds what may not stand beside or below each other.
func (c *compiler) check(z *zone) {
	for _, owner := range z.owners() {
		c.node(z, owner, z.nodes[owner])
	}
	z.file, z.lines = nil, nil // were for errors
}

func (c *compiler) node(z *zone, owner string, n *node) {
	if n.empty() {
		return
	}
	fault := func(format string, args ...any) {
		c.faults = append(c.faults, z.placed(fmt.Errorf(format, args...), owner))
	}
	name := func() string { return text(owner) }
	for _, typ := range []uint16{dns.TypeCNAME, dns.TypeDNAME} {
		if set := n.set(typ); set != nil && len(set.data) > 1 {
			fault("%s: more than one %s", name(), dns.Type(typ)) // RFC 2181, section 10.1; RFC 6672, section 2.4
		}
	}
	if n.set(dns.TypeCNAME) != nil && (!n.alone() || n.steered != nil) {
		fault("%s: CNAME beside other data", name()) // RFC 1034, section 3.6.2
	}
	if d := n.set(dns.TypeDNAME); d != nil {
		if owner != z.key && n.set(dns.TypeNS) != nil {
			fault("%s: DNAME beside NS", name()) // RFC 6672, section 2.3
		}
		if target := key(string(d.data[0])); under(target, owner) {
			fault("%s: DNAME leads to %s below itself, which has no end", name(), text(target))
		}
	}
	if isWildcard(owner) && (n.set(dns.TypeNS) != nil || n.set(dns.TypeDNAME) != nil) {
		fault("%s: NS or DNAME at a wildcard has no meaning", name()) // RFC 4592, sections 4.2 and 4.4
	}
	if owner == z.key && n.set(dns.TypeDS) != nil {
		fault("%s: the DS of a zone stands in the zone above", name()) // RFC 4035, section 2.4
	}
	for s := n.steered; s != nil; s = s.next {
		for _, typ := range s.types {
			if n.set(typ) != nil {
				fault("%s: %s also has a static %s", s.domain.ID, name(), dns.Type(typ))
			}
		}
		if n.set(dns.TypeNS) != nil && owner != z.key {
			fault("%s: %s is delegated", s.domain.ID, name())
		}
	}
	for above, ok := parent(owner); ok && owner != z.key && under(above, z.key); above, ok = parent(above) {
		switch up := z.nodes[above]; {
		case up.set(dns.TypeDNAME) != nil && !n.empty():
			c.faults = append(c.faults, z.placed(fmt.Errorf("%s: lies below the DNAME of %s", name(), text(above)), owner, above)) // RFC 6672, section 2.4
		case n.steered != nil && above != z.key && up.set(dns.TypeNS) != nil:
			c.faults = append(c.faults, z.placed(fmt.Errorf("%s: %s lies below the delegation of %s", n.steered.domain.ID, name(), text(above)), owner, above))
		}
	}
}

// alone reports whether a CNAME has nothing beside it but what signs it,
// proves it and is the key of who may change it (RFC 4035, section 2.5).
func (n *node) alone() bool {
	for _, set := range n.sets {
		switch set.typ {
		case dns.TypeCNAME, dns.TypeRRSIG, dns.TypeNSEC, dns.TypeKEY:
		default:
			return false
		}
	}
	return true
}

func (n *node) empty() bool { return len(n.sets) == 0 && n.steered == nil }

// owners are the names of a zone in a fixed order.
func (z *zone) owners() []string {
	var list []string
	for owner := range z.nodes {
		list = append(list, owner)
	}
	slices.Sort(list)
	return list
}

func newZone(name string) *zone {
	z := &zone{name: []byte(name), key: key(name), nodes: map[string]*node{}}
	z.lowered, z.labels, z.apex = []byte(z.key), len(labels(nil, z.key)), z.node(z.key)
	return z
}

// node returns the node at a name of the zone, which then exists, as do all
// names between it and the apex.
func (z *zone) node(owner string) *node {
	n, ok := z.nodes[owner]
	if !ok {
		n = &node{}
		z.nodes[owner] = n
		if above, ok := parent(owner); ok && owner != z.key {
			z.node(above)
		}
	}
	return n
}

// add puts one record into its set. Records given twice are one, and a set has
// one TTL, the least of those given (RFC 2181, sections 5.2 and 5).
func (z *zone) add(owner string, typ uint16, ttl uint32, data []byte) {
	n := z.node(owner)
	set := n.set(typ)
	if typ == dns.TypeRRSIG {
		set = n.signature(data)
	}
	if set == nil {
		i, _ := slices.BinarySearchFunc(n.sets, int(typ)+1, rrset.compare) // behind those of other signatures
		n.sets = slices.Insert(n.sets, i, rrset{typ: typ, ttl: ttl})
		set = &n.sets[i]
	}
	set.ttl = min(set.ttl, ttl)
	for _, d := range set.data {
		if string(d) == string(data) {
			return
		}
	}
	set.data = append(set.data, data)
}

// signature is the set that an RRSIG with this data belongs to; nil: there is none yet.
func (n *node) signature(data []byte) *rrset {
	for i := range n.signatures() {
		if set := &n.signatures()[i]; string(set.data[0][:2]) == string(data[:2]) {
			return set
		}
	}
	return nil
}

// lists reports whether host is a nameserver of the zone.
func (z *zone) lists(host string) bool {
	ns := z.apex.set(dns.TypeNS)
	return ns != nil && slices.ContainsFunc(ns.data, func(data []byte) bool { return key(string(data)) == key(host) })
}

// placed is an error about names, at the place of the first of them that is in
// the zone's file; as it is where none is from there.
func (z *zone) placed(err error, owners ...string) error {
	if z.file == nil {
		return err
	}
	if z.lines == nil {
		z.lines = map[string]int{}
		for r := range z.file.Records() {
			z.lines[key(r.Owner)] = r.Line
		}
	}
	for _, owner := range owners {
		if line, ok := z.lines[owner]; ok {
			return &zonefile.Fault{File: z.file.File, Line: line, Err: err}
		}
	}
	return err
}

// enclosing is the zone that a name in lower case lies in: the longest that matches.
func (zs *Zones) enclosing(name []byte) *zone {
	for ok := true; ok; name, ok = parent(name) {
		if found := zs.zones[string(name)]; found != nil {
			return found
		}
	}
	return nil
}

func text(name string) string {
	s, _, err := dns.UnpackDomainName([]byte(name), 0)
	if err != nil {
		return fmt.Sprintf("%q", name)
	}
	return s
}

func addressType(a netip.Addr) uint16 {
	if a.Is4() {
		return dns.TypeA
	}
	return dns.TypeAAAA
}

// maxTTL is the longest time to live there is, in seconds (RFC 2181, section 8).
const maxTTL = 1<<31 - 1

// seconds is a duration as a TTL.
func seconds(d time.Duration) uint32 {
	return uint32(min(max(d/time.Second, 0), maxTTL))
}
