package dnsserver

import "net/netip"

// Options are what replies depend on besides the zones.
type Options struct {
	// Node is this server's name, for those who ask which of several has
	// answered (NSID, id.server); "" keeps it secret. At most 255 bytes.
	Node string
	// Cookies are the secrets of server cookies: the first makes them, all
	// are accepted. Without one there are no cookies.
	Cookies []Secret
	// Allow are the networks that may ask, all others being refused. None
	// means everybody.
	Allow Networks
	// Proxies are the peers whose packets and connections begin with a PROXY
	// header of version 2, and must.
	Proxies Networks
	// Limit bounds what one network is sent over UDP.
	Limit Limit
}

// Networks is a list of prefixes.
type Networks []netip.Prefix

// has reports whether addr may do what the list allows: an empty one allows everybody.
func (n Networks) has(addr netip.Addr) bool { return len(n) == 0 || n.list(addr) }

// list reports whether addr lies in one of the networks.
func (n Networks) list(addr netip.Addr) bool {
	for _, p := range n {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
