package wiring

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"gslb/tiers"
	"gslb/topology"
)

// A Picture is a host as it was found.
type Picture struct {
	Links   []Link
	Sysctls map[string]string // path below /proc/sys -> value; one that is not there is not in it
	Routes  []Route           // default routes of the main table and of [tiers.ReplyTable]
	Rules   []Rule            // of the preferences that are ours
	Marks   []Mark
	Ways    map[netip.Addr]Way // how the host gets to its peers; none: it does not
}

// A Link is an interface.
type Link struct {
	Name string
	Up   bool
	// Neighbours says that it asks and answers for addresses (ARP, neighbour
	// discovery): no loopback, no dummy and no tunnel does.
	Neighbours bool
	MTU        int
	Addrs      []Addr
	Tunnel     *Tunnel // nil: none of IP in IP
	// Filtered says that a firewall drops what strangers send to a tunnel that
	// is bound to nobody, which a picture does not show.
	Filtered bool
}

// An Addr is an address of an interface.
type Addr struct {
	Prefix     netip.Prefix // with the host's bits
	NoDAD      bool         // duplicates are not looked for
	Tentative  bool         // not used yet
	Failed     bool         // somebody else has it
	Deprecated bool
}

// A Tunnel is an interface that takes packets out of packets.
type Tunnel struct {
	Local, Remote netip.Addr // the zero Addr or the unspecified one: any
	V6            bool       // in packets of IPv6
	Four, Six     bool       // what is taken out
}

// A Route is a default route.
type Route struct {
	V6     bool
	Table  int
	Via    netip.Addr // the zero Addr: on the link; of IPv6 also for IPv4 (RFC 8950)
	OnLink bool       // Via is outside the host's prefixes
	Link   string
	MSS    int // 0: what the link's MTU leaves
	Metric int
}

// A Rule is one of policy routing.
type Rule struct {
	Preference int
	From       netip.Addr
	Table      int
	Suppress   bool // default routes of the table do not count
}

// A Mark is a filter that gives packets an fwmark.
type Mark struct {
	Link string
	VIP  netip.Addr
	Port topology.Port
	Mark uint32
	// Handle is what the kernel calls the filter by.
	Handle int
}

// A Way is the next step to a peer.
type Way struct {
	Link string
	Via  netip.Addr // the zero Addr: it is on the link
}

// link returns the interface of that name.
func (p *Picture) link(name string) (*Link, bool) {
	i := slices.IndexFunc(p.Links, func(l Link) bool { return l.Name == name })
	if i < 0 {
		return nil, false
	}
	return &p.Links[i], true
}

// Holder is the name of an interface that has the address.
func (p *Picture) Holder(addr netip.Addr) (string, bool) {
	for _, l := range p.Links {
		if _, ok := l.has(addr); ok {
			return l.Name, true
		}
	}
	return "", false
}

func (l *Link) has(addr netip.Addr) (Addr, bool) {
	i := slices.IndexFunc(l.Addrs, func(a Addr) bool { return a.Prefix.Addr() == addr })
	if i < 0 {
		return Addr{}, false
	}
	return l.Addrs[i], true
}

// holds4 reports whether the interface has any address of IPv4.
func (l *Link) holds4() bool {
	return slices.ContainsFunc(l.Addrs, func(a Addr) bool { return a.Prefix.Addr().Is4() })
}

// Default is the default route of the main table that counts.
func (p *Picture) Default(v6 bool) (Route, bool) {
	var best Route
	found := false
	for _, r := range p.Routes {
		if r.V6 == v6 && r.Table != tiers.ReplyTable && (!found || r.Metric < best.Metric) {
			best, found = r, true
		}
	}
	return best, found
}

// replies is the route that replies from VIPs go by.
func (p *Picture) replies(v6 bool) (Route, bool) {
	for _, r := range p.Routes {
		if r.V6 == v6 && r.Table == tiers.ReplyTable {
			return r, true
		}
	}
	return Route{}, false
}

// segment is the TCP segment size that a route makes the host advertise.
func (p *Picture) segment(r Route) int {
	headers := 20 + 20
	if r.V6 {
		headers = 40 + 20
	}
	size := r.MSS
	if l, ok := p.link(r.Link); ok && l.MTU > headers && (size == 0 || l.MTU-headers < size) {
		size = l.MTU - headers
	}
	return size
}

// number is a parameter; one that is not there is 0.
func (p *Picture) number(path string) int {
	n, err := strconv.Atoi(p.Sysctls[path])
	if err != nil {
		return 0
	}
	return n
}

// larger is the parameter of an interface where the larger one of that and of
// "all" counts (IN_DEV_MAXCONF and IN_DEV_ORCONF in include/linux/inetdevice.h).
func (p *Picture) larger(key, link string) int {
	return max(p.number(pathOf(key, "all")), p.number(pathOf(key, link)))
}

// pathOf is the path of a parameter below /proc/sys.
func pathOf(key, link string) string { return strings.Replace(key, "%s", link, 1) }

// LinkKeys are the parameters of an interface that a picture has to have, of
// "all" too.
var LinkKeys = []string{
	"net/ipv4/conf/%s/arp_ignore", "net/ipv4/conf/%s/arp_announce", "net/ipv4/conf/%s/rp_filter",
	"net/ipv4/conf/%s/send_redirects", "net/ipv4/conf/%s/accept_local", "net/ipv4/conf/%s/proxy_arp",
	"net/ipv4/conf/%s/forwarding", "net/ipv6/conf/%s/accept_dad",
}
