package steering

import (
	"net/netip"

	"gslb/topology"
)

// A Map says where clients are: disjoint prefixes in ascending order, IPv4
// before IPv6. What it leaves out is nowhere.
type Map interface {
	Walk(yield func(netip.Prefix, Where) bool)
}

// A Where is what a map says about a prefix. The zero value of a field: it
// does not say.
type Where struct {
	Continent string // AF AN AS EU NA OC SA
	Country   string // ISO 3166-1 alpha-2, upper case
	ASN       uint32
	Point     *topology.Point
}
