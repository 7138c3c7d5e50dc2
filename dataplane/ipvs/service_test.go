package ipvs

import (
	"fmt"
	"net/netip"
	"strings"

	"gslb/tiers"
	"gslb/topology"
)

// at is a service by what its key is called, "tcp 192.0.2.1:80" or a mark.
func at(key, scheduler string, destinations ...tiers.Destination) tiers.Service {
	s := tiers.Service{Scheduler: scheduler, Netmask: 32, Destinations: destinations}
	var mark uint32
	if n, _ := fmt.Sscan(key, &mark); n == 1 {
		s.Key = tiers.MarkKey(mark, false)
		return s
	}
	proto, vip, _ := strings.Cut(key, " ")
	p, err := topology.ParseProto(proto)
	if err != nil {
		panic(err)
	}
	s.Key = tiers.VIPKey(p, netip.MustParseAddrPort(vip))
	s.Netmask = uint8(s.Key.VIP.Addr().BitLen())
	return s
}

func with(s tiers.Service, f func(*tiers.Service)) tiers.Service { f(&s); return s }

func nat(at string, weight uint32) tiers.Destination {
	return tiers.Destination{Addr: netip.MustParseAddrPort(at), Method: topology.NAT, Weight: weight}
}

func dr(at string, weight uint32) tiers.Destination {
	return tiers.Destination{Addr: netip.MustParseAddrPort(at), Method: topology.DR, Weight: weight}
}

func tun(at string, e tiers.Encap) tiers.Destination {
	return tiers.Destination{Addr: netip.MustParseAddrPort(at), Method: topology.TUN, Weight: 1, Encap: e}
}
