package dataplane

import (
	"context"
	"net/netip"

	"gslb/tiers"
)

// A Counter is a plane that counts.
type Counter interface {
	// Stats returns what was counted of the services with the keys, or without
	// any of all services. Those that are not there are left out.
	Stats(ctx context.Context, keys ...tiers.Key) ([]Stats, error)
}

// Stats are what was counted of a service.
type Stats struct {
	Key          tiers.Key
	Counters     Counters
	Destinations []DestinationStats
}

// DestinationStats are what was counted of a destination.
type DestinationStats struct {
	Addr     netip.AddrPort
	Weight   uint32
	Load     tiers.Load
	Counters Counters
}

// Counters are sums since a service or destination was added, or set to 0.
// "In" is from clients; with TUN and DR replies pass by and are not counted.
type Counters struct {
	Connections           uint64
	PacketsIn, PacketsOut uint64
	BytesIn, BytesOut     uint64
}
