package tiers

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"gslb/topology"
)

// A Host is what a node's kernel must be like, besides its IPVS table, to play
// its parts: the VIPs it holds and where, tunnels that take packets in, sysctls
// and routes. The node's own addresses, links and (but for the servers of NAT
// farms) default route are its operating system's. Package hostnet makes a
// kernel so.
//
// The zero Host asks for nothing.
type Host struct {
	Sysctls   []Sysctl // before the addresses: a VIP must not be announced first
	Tunnels   []Tunnel
	Addresses []Address
	Routes    []Route
	Replies   []Reply
	Marks     []Mark
}

// Equal reports whether two ask for the same in the same order.
func (h Host) Equal(other Host) bool {
	return slices.Equal(h.Sysctls, other.Sysctls) && slices.Equal(h.Tunnels, other.Tunnels) && slices.Equal(h.Addresses, other.Addresses) &&
		slices.Equal(h.Routes, other.Routes) && slices.Equal(h.Replies, other.Replies) && slices.Equal(h.Marks, other.Marks)
}

// A Link is an interface of the node, by name or by an address it has.
type Link struct {
	Name  string
	Holds netip.Addr // when Name is ""
}

// A Sysctl is a kernel parameter, of a link when Key has a %s.
type Sysctl struct {
	Key   string // net/ipv4/conf/%s/arp_ignore: as below /proc/sys
	Link  Link
	Value string
}

// A Tunnel is a device that takes IP-in-IP packets from one sender to one
// address of ours. Bound like this it takes nothing from anybody else. One over
// IPv6 takes packets of both families.
type Tunnel struct {
	Name          string
	Local, Remote netip.Addr
	Six           bool // over IPv4: it takes IPv6 (RFC 4213) instead of IPv4 (RFC 2003)
}

// An Address is an address of the node, alone in its prefix.
type Address struct {
	Addr netip.Addr
	Link Link
	// Valid is how long the kernel keeps it when nobody renews it, in whole
	// seconds; 0: for ever.
	Valid time.Duration
}

// A Route is a default route.
type Route struct {
	Via  netip.Addr
	Link Link
	MSS  int // advertised TCP segment size; 0: the link's
}

// A Mark says that packets to a VIP and port get an fwmark when they come in by
// a link, so that the kernel takes all ports of a service for one (IPVS finds
// services by fwmark before those by address).
type Mark struct {
	VIP  netip.Addr
	Port topology.Port
	Mark uint32
	Link Link
}

// A Reply says that what the node sends from address From goes by its default
// route, with an advertised TCP segment size of MSS bytes.
type Reply struct {
	From netip.Addr
	MSS  int
}

// What is ours in a kernel, by the numbers it goes by there.
const (
	// ReplyTable is the routing table of [Reply], and the rules lead there: the
	// first for more specific routes of the main table, the second for the rest.
	ReplyTable     = 0x4753
	ReplyMainRule  = 0x4752
	ReplyTableRule = 0x4753
	// RouteProtocol marks our routes.
	RouteProtocol = 0x47
	// MarkPreference4 and MarkPreference6 are those of the filters of [Mark].
	MarkPreference4 = 0x4753
	MarkPreference6 = 0x4754
)

// tunnelMSS is the largest TCP segment to a VIP that fits a 1500 byte link
// behind the header of a tunnel to address to. Without it uploads hang for
// clients that drop the ICMP messages of path MTU discovery.
func tunnelMSS(vip, to netip.Addr) int { return 1500 - header(to) - header(vip) - 20 }

// header is how many bytes the IP header of an address's family has.
func header(a netip.Addr) int {
	if a.Is6() {
		return 40
	}
	return 20
}

// A hostBuilder is a Host under construction, of which nothing is asked twice.
type hostBuilder struct {
	Host
	addresses map[Address]bool // there may be 10,000 of them
	replies   map[Reply]bool
	marks     map[Mark]bool
}

// first reports whether x is asked for the first time.
func first[T comparable](seen *map[T]bool, x T) bool {
	if (*seen)[x] {
		return false
	}
	if *seen == nil {
		*seen = map[T]bool{}
	}
	(*seen)[x] = true
	return true
}

// DirectorHost returns what the kernel of director self must be like. The
// addresses of pairs come beside it while it has them, and nothing else depends
// on them: a backup member can forward the moment that it has the addresses.
func DirectorHost(topo *topology.Topology, self *topology.Director) Host {
	var h hostBuilder
	h.copies(topo, self)
	parts := roles(topo, self)
	h.addresses, h.Addresses = make(map[Address]bool, len(parts)), make([]Address, 0, len(parts))
	forwards := map[bool]bool{} // families
	for _, r := range parts {
		for _, vip := range r.service.VIPs {
			own, _ := self.Addrs.Like(vip)
			link := Link{Holds: own}
			in := []Link{link}
			pair := r.tier.PairOf(self)
			if pair != nil {
				// A connection that the other member began is taken on from its next
				// packet, by the same hash.
				h.set("net/ipv4/vs/sloppy_tcp", Link{}, "1")
			}
			switch {
			case r.index > 0:
				to := own
				if pair != nil {
					to, _ = pair.Addrs.Like(vip)
				}
				in = h.hold(vip, link, to, r.service.Tiers[r.index-1], self.Network)
			case pair == nil:
				h.add(Address{Addr: vip, Link: link})
			}
			if self.Inside != nil {
				if a, ok := self.Inside.Addrs.Like(vip); ok { // servers may be clients
					in = append(in, Link{Holds: a})
				}
			}
			h.mark(r.service, vip, in)
			if r.tier.Persistence != nil {
				// A server that drains or is down loses its clients, who would else
				// be sent there for as long as they come.
				h.set("net/ipv4/vs/expire_quiescent_template", Link{}, "1")
			}
			if r.tier.Method == topology.NAT {
				if !forwards[vip.Is6()] {
					forwards[vip.Is6()] = true
					h.forward(vip, self)
				}
			} else if r.tier.Check != nil && vip.Is4() {
				// The answer to a probe comes from the VIP, an address of ours.
				h.set("net/ipv4/conf/%s/accept_local", link, "1")
			}
		}
	}
	if len(parts) > 0 {
		// A destination that is taken out is dead: its flows must move at once
		// (UDP would stay with it for ever) and be refused, not black-holed.
		h.set("net/ipv4/vs/expire_nodest_conn", Link{}, "1")
	}
	return h.Host
}

// copies has the kernel of a member of a pair tell the others of connections
// (ip_vs_sync_conn_needed in ip_vs_sync.c): of each from its first packet on,
// and of one that goes on again after every 2 s, so that a member that comes
// back gets what was there before it. The default, a packet of fifty, leaves
// quiet connections out.
func (h *hostBuilder) copies(topo *topology.Topology, self *topology.Director) {
	if slices.ContainsFunc(topo.Failovers, func(f *topology.Failover) bool {
		return f.Sync != nil && slices.Contains(f.Members, self)
	}) {
		h.set("net/ipv4/vs/sync_threshold", Link{}, "3 0")
		h.set("net/ipv4/vs/sync_refresh_period", Link{}, strconv.Itoa(int(SyncRefresh/time.Second)))
		h.set("net/ipv4/vs/sync_persist_mode", Link{}, "0") // connections too, not only what persistence remembers
	}
}

// SyncRefresh is after how long the kernel copies a connection that goes on
// once more.
const SyncRefresh = 2 * time.Second

// ServerHost returns what the kernel of real server self must be like.
func ServerHost(topo *topology.Topology, self *topology.Server) Host {
	var h hostBuilder
	for _, s := range topo.Services {
		if !slices.Contains(s.Farms(), self.Farm) {
			continue
		}
		tier := s.Tiers[len(s.Tiers)-1]
		for _, vip := range s.VIPs {
			own, ok := self.Addrs.Reach(vip, tier.Method)
			if !ok {
				continue
			}
			link := Link{Holds: own}
			if tier.Method != topology.NAT {
				h.hold(vip, link, own, tier, self.Farm.Network)
				if tunnelled(s) {
					h.reply(Reply{From: vip, MSS: tunnelMSS(vip, own)})
				}
				continue
			}
			gateway, ok := self.Farm.Gateway.On(self.Farm.Network).Like(vip)
			if !ok {
				continue
			}
			mss := 0
			if tunnelled(s) {
				mss = tunnelMSS(vip, vip)
			}
			h.route(Route{Via: gateway, Link: link, MSS: mss})
		}
	}
	return h.Host
}

// tunnelled reports whether packets of s are wrapped anywhere on their way.
func tunnelled(s *topology.Service) bool {
	return slices.ContainsFunc(s.Tiers, func(t *topology.Tier) bool { return t.Method == topology.TUN })
}

// hold makes the node accept packets for vip that directors send by method to an
// address of its own, or of its pair, without ever claiming the VIP on the
// segment: the owner alone answers ARP. On is the network of that address, nil
// for none. It returns the links that the packets come in by.
func (h *hostBuilder) hold(vip netip.Addr, link Link, to netip.Addr, from *topology.Tier, on *topology.Network) (in []Link) {
	if vip.Is4() {
		h.set("net/ipv4/conf/%s/arp_ignore", link, "1")
		h.set("net/ipv4/conf/%s/arp_announce", link, "2")
	}
	if from.Method == topology.DR {
		h.add(Address{Addr: vip, Link: Link{Name: "lo"}})
		return []Link{link}
	}
	for _, d := range from.Directors {
		// A director sends from the interface that is nearest.
		sends := d.On(on)
		if sends == nil {
			sends = d.Addrs
		}
		remote, ok := sends.Like(to)
		if !ok {
			continue
		}
		t := Tunnel{Local: to, Remote: remote, Six: to.Is4() && vip.Is6()}
		t.Name = tunnelName(t)
		if !slices.Contains(h.Tunnels, t) {
			h.Tunnels = append(h.Tunnels, t)
		}
		if vip.Is4() {
			// Clients are not reached through the tunnel, so the reverse path
			// must be loose; and loose wants an address on the device.
			h.set("net/ipv4/conf/%s/rp_filter", Link{Name: t.Name}, "2")
		}
		h.add(Address{Addr: vip, Link: Link{Name: t.Name}})
		in = append(in, Link{Name: t.Name})
	}
	return in
}

// mark has the packets of a service by mark marked.
func (h *hostBuilder) mark(s *topology.Service, vip netip.Addr, in []Link) {
	if s.Mark == 0 {
		return
	}
	for _, link := range in {
		for _, port := range s.Ports {
			if m := (Mark{vip, port, s.Mark, link}); first(&h.marks, m) {
				h.Marks = append(h.Marks, m)
			}
		}
	}
}

// forward makes the node a router between clients and its farms.
func (h *hostBuilder) forward(vip netip.Addr, self *topology.Director) {
	if vip.Is6() {
		h.set("net/ipv6/conf/all/forwarding", Link{}, "1")
		return
	}
	h.set("net/ipv4/ip_forward", Link{}, "1")
	// A redirect would tell a server on the director's own segment to answer
	// the client past the director.
	h.set("net/ipv4/conf/all/send_redirects", Link{}, "0")
	legs := []topology.Addrs{self.Addrs}
	if self.Inside != nil {
		legs = append(legs, self.Inside.Addrs)
	}
	for _, addrs := range legs {
		if a, ok := addrs.Like(vip); ok {
			h.set("net/ipv4/conf/%s/send_redirects", Link{Holds: a}, "0")
		}
	}
}

func (h *hostBuilder) set(key string, link Link, value string) {
	s := Sysctl{key, link, value}
	if !slices.Contains(h.Sysctls, s) {
		h.Sysctls = append(h.Sysctls, s)
	}
}

func (h *hostBuilder) add(a Address) {
	if first(&h.addresses, a) {
		h.Addresses = append(h.Addresses, a)
	}
}

func (h *hostBuilder) reply(r Reply) {
	if first(&h.replies, r) {
		h.Replies = append(h.Replies, r)
	}
}

// route adds a default route; of two by the same gateway the smaller segment counts.
func (h *hostBuilder) route(r Route) {
	for i, have := range h.Routes {
		if have.Via == r.Via {
			if have.MSS == 0 || (r.MSS != 0 && r.MSS < have.MSS) {
				h.Routes[i].MSS = r.MSS
			}
			return
		}
	}
	h.Routes = append(h.Routes, r)
}

// tunnelName is a device name that follows from the tunnel's ends and what it
// takes, and fits the kernel's 15 bytes.
func tunnelName(t Tunnel) string {
	f := fnv.New32a()
	f.Write(t.Local.AsSlice())
	f.Write(t.Remote.AsSlice())
	if t.Six {
		f.Write([]byte{6})
	}
	return fmt.Sprintf("gslb%08x", f.Sum32())
}
