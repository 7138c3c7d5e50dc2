package ipvs

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"

	moby "github.com/moby/ipvs"
	"golang.org/x/sys/unix"

	"gslb/tiers"
	"gslb/topology"
)

// Commands and attributes of the IPVS family, from include/uapi/linux/ip_vs.h.
// moby/ipvs keeps its own private and lacks those of tunnels and families.
const (
	cmdNewService = 1
	cmdSetService = 2
	cmdDelService = 3
	cmdGetService = 4
	cmdNewDest    = 5
	cmdSetDest    = 6
	cmdDelDest    = 7
	cmdGetDest    = 8

	attrService = 1
	attrDest    = 2

	serviceFamily    = 1
	serviceProtocol  = 2
	serviceAddress   = 3
	servicePort      = 4
	serviceMark      = 5
	serviceScheduler = 6
	serviceFlags     = 7
	serviceTimeout   = 8
	serviceNetmask   = 9
	serviceEngine    = 11

	destAddress     = 1
	destPort        = 2
	destMethod      = 3
	destWeight      = 4
	destUpper       = 5
	destLower       = 6
	destFamily      = 11
	destTunnelType  = 13
	destTunnelPort  = 14
	destTunnelFlags = 15

	// hashed is a flag the kernel sets for itself.
	hashed tiers.Flags = 2
)

var commands = map[tiers.Op]uint8{
	tiers.AddService:        cmdNewService,
	tiers.EditService:       cmdSetService,
	tiers.DeleteService:     cmdDelService,
	tiers.AddDestination:    cmdNewDest,
	tiers.EditDestination:   cmdSetDest,
	tiers.DeleteDestination: cmdDelDest,
}

// encode is the payload of the request for a change.
func encode(c tiers.Change) []byte {
	var out attrs
	out.nest(attrService, encodeService(c.Service))
	switch c.Op {
	case tiers.AddDestination, tiers.EditDestination, tiers.DeleteDestination:
		out.nest(attrDest, encodeDestination(c.Destination))
	}
	return out
}

// encodeKey is what identifies a service.
func encodeKey(k tiers.Key) attrs {
	var a attrs
	a.u16(serviceFamily, family(k.V6))
	if !k.VIP.IsValid() {
		a.u32(serviceMark, k.Mark)
		return a
	}
	a.u16(serviceProtocol, protocol(k.Proto))
	a.add(serviceAddress, k.VIP.Addr().AsSlice())
	a.be16(servicePort, k.VIP.Port())
	return a
}

func encodeService(s tiers.Service) attrs {
	a := encodeKey(s.Key)
	a.text(serviceScheduler, s.Scheduler)
	if s.Engine != "" {
		a.text(serviceEngine, s.Engine)
	}
	flags := binary.NativeEndian.AppendUint32(nil, uint32(s.Flags))
	a.add(serviceFlags, binary.NativeEndian.AppendUint32(flags, ^uint32(0)))
	a.u32(serviceTimeout, s.Timeout)
	if s.Key.V6 {
		a.u32(serviceNetmask, uint32(s.Netmask))
	} else {
		mask := ^uint32(0) << (32 - s.Netmask)
		a.add(serviceNetmask, binary.BigEndian.AppendUint32(nil, mask))
	}
	return a
}

func encodeDestination(d tiers.Destination) attrs {
	var a attrs
	a.u16(destFamily, family(d.Addr.Addr().Is6()))
	a.add(destAddress, d.Addr.Addr().AsSlice())
	a.be16(destPort, d.Addr.Port())
	a.u32(destMethod, methodFlags[d.Method])
	a.u32(destWeight, d.Weight)
	a.u32(destUpper, d.Upper)
	a.u32(destLower, d.Lower)
	a.u8(destTunnelType, d.Encap.Type)
	a.be16(destTunnelPort, d.Encap.Port)
	a.u16(destTunnelFlags, d.Encap.Flags)
	return a
}

func decodeService(data []byte) (tiers.Service, error) {
	f, err := parse(data)
	if err != nil {
		return tiers.Service{}, fmt.Errorf("read a virtual service: %w", err)
	}
	v6 := f.u16(serviceFamily) == unix.AF_INET6
	s := tiers.Service{
		Scheduler: f.text(serviceScheduler),
		Flags:     tiers.Flags(f.u32(serviceFlags)) &^ hashed,
		Timeout:   f.u32(serviceTimeout),
		Netmask:   uint8(f.u32(serviceNetmask)),
		Engine:    f.text(serviceEngine),
	}
	if !v6 {
		s.Netmask = uint8(bits.OnesCount32(f.u32(serviceNetmask)))
	}
	if mark := f.u32(serviceMark); mark != 0 {
		s.Key = tiers.MarkKey(mark, v6)
		return s, nil
	}
	addr, err := decodeAddr(f[serviceAddress], v6)
	if err != nil {
		return tiers.Service{}, fmt.Errorf("read a virtual service: %w", err)
	}
	s.Key = tiers.VIPKey(protoOf(f.u16(serviceProtocol)), netip.AddrPortFrom(addr, f.be16(servicePort)))
	return s, nil
}

func decodeDestination(data []byte, serviceV6 bool) (tiers.Destination, error) {
	f, err := parse(data)
	if err != nil {
		return tiers.Destination{}, fmt.Errorf("read a destination: %w", err)
	}
	v6 := serviceV6
	if af := f.u16(destFamily); af != 0 { // kernels before 3.18 do not say
		v6 = af == unix.AF_INET6
	}
	addr, err := decodeAddr(f[destAddress], v6)
	if err != nil {
		return tiers.Destination{}, fmt.Errorf("read a destination: %w", err)
	}
	return tiers.Destination{
		Addr:   netip.AddrPortFrom(addr, f.be16(destPort)),
		Method: methodOf(f.u32(destMethod)),
		Weight: f.u32(destWeight),
		Upper:  f.u32(destUpper),
		Lower:  f.u32(destLower),
		Encap:  tiers.Encap{Type: f.u8(destTunnelType), Port: f.be16(destTunnelPort), Flags: f.u16(destTunnelFlags)},
	}, nil
}

// decodeAddr reads an address: the kernel gives 16 bytes for both families.
func decodeAddr(b []byte, v6 bool) (netip.Addr, error) {
	size := 4
	if v6 {
		size = 16
	}
	if len(b) < size {
		return netip.Addr{}, fmt.Errorf("address of %d bytes", len(b))
	}
	addr, _ := netip.AddrFromSlice(b[:size])
	return addr, nil
}

// The forwarding methods; localnode is the zero Method, which nobody asks for.
var methodFlags = map[topology.Method]uint32{
	topology.NoMethod: moby.ConnFwdLocalNode,
	topology.NAT:      moby.ConnFwdMasq,
	topology.TUN:      moby.ConnFwdTunnel,
	topology.DR:       moby.ConnFwdDirectRoute,
}

func methodOf(flags uint32) topology.Method {
	switch flags & moby.ConnFwdMask {
	case moby.ConnFwdMasq:
		return topology.NAT
	case moby.ConnFwdTunnel:
		return topology.TUN
	case moby.ConnFwdDirectRoute:
		return topology.DR
	}
	return topology.NoMethod
}

func family(v6 bool) uint16 {
	if v6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

func protocol(p topology.Proto) uint16 {
	if p == topology.UDP {
		return unix.IPPROTO_UDP
	}
	return unix.IPPROTO_TCP
}

// protoOf: SCTP and the like, which only foreign services have, are none of ours.
func protoOf(number uint16) topology.Proto {
	switch number {
	case unix.IPPROTO_TCP:
		return topology.TCP
	case unix.IPPROTO_UDP:
		return topology.UDP
	}
	return topology.NoProto
}
