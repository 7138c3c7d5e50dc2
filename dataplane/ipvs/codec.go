package ipvs

import (
	"bytes"
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
	cmdSetConfig  = 12
	cmdGetConfig  = 13
	cmdGetInfo    = 15
	cmdZero       = 16

	attrService       = 1
	attrDest          = 2
	attrTimeoutTCP    = 4
	attrTimeoutTCPFin = 5
	attrTimeoutUDP    = 6

	infoVersion = 1
	infoTable   = 2

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
	serviceStats64   = 12

	destAddress     = 1
	destPort        = 2
	destMethod      = 3
	destWeight      = 4
	destUpper       = 5
	destLower       = 6
	destActive      = 7
	destInactive    = 8
	destPersistent  = 9
	destFamily      = 11
	destStats64     = 12
	destTunnelType  = 13
	destTunnelPort  = 14
	destTunnelFlags = 15

	statsConnections = 1
	statsPacketsIn   = 2
	statsPacketsOut  = 3
	statsBytesIn     = 4
	statsBytesOut    = 5

	// hashed is a flag the kernel sets for itself.
	hashed tiers.Flags = 2
)

var commands = [...]uint8{
	tiers.AddService:        cmdNewService,
	tiers.EditService:       cmdSetService,
	tiers.DeleteService:     cmdDelService,
	tiers.AddDestination:    cmdNewDest,
	tiers.EditDestination:   cmdSetDest,
	tiers.DeleteDestination: cmdDelDest,
}

// appendChange appends the payload of the request for a change.
func appendChange(packet []byte, c *tiers.Change) []byte {
	out := attrs(packet)
	start := out.nest(attrService)
	encodeKey(&out, number(c.Service.Key), c.Service.Key)
	if c.Op == tiers.AddService || c.Op == tiers.EditService {
		encodeService(&out, c.Service)
	}
	out.end(start)
	switch c.Op {
	case tiers.AddDestination, tiers.EditDestination, tiers.DeleteDestination:
		start = out.nest(attrDest)
		encodeDestination(&out, &c.Destination)
		out.end(start)
	}
	return out
}

// encodeKey is what identifies a service: its protocol by number, because a
// [tiers.Key] does not know all.
func encodeKey(a *attrs, protocol uint16, k tiers.Key) {
	a.u16(serviceFamily, family(k.V6))
	if !k.VIP.IsValid() {
		a.u32(serviceMark, k.Mark)
		return
	}
	a.u16(serviceProtocol, protocol)
	a.addr(serviceAddress, k.VIP.Addr())
	a.be16(servicePort, k.VIP.Port())
}

func (a *attrs) addr(kind uint16, addr netip.Addr) {
	if addr.Is4() {
		b := addr.As4()
		a.bytes(kind, b[:])
		return
	}
	b := addr.As16()
	a.bytes(kind, b[:])
}

// encodeService is what there is of a service beside its key. The kernel wants
// a netmask also without persistence, and none of IPv6 is 128.
func encodeService(a *attrs, s *tiers.Service) {
	a.text(serviceScheduler, s.Scheduler)
	if s.Engine != "" {
		a.text(serviceEngine, s.Engine)
	}
	a.head(serviceFlags, 8)
	*a = binary.NativeEndian.AppendUint32(*a, uint32(s.Flags))
	*a = binary.NativeEndian.AppendUint32(*a, ^uint32(0)) // all of them
	a.u32(serviceTimeout, s.Timeout)
	if s.Key.V6 {
		a.u32(serviceNetmask, uint32(s.Netmask))
	} else {
		a.be32(serviceNetmask, ^uint32(0)<<(32-min(s.Netmask, 32)))
	}
}

func encodeDestination(a *attrs, d *tiers.Destination) {
	a.u16(destFamily, family(d.Addr.Addr().Is6()))
	a.addr(destAddress, d.Addr.Addr())
	a.be16(destPort, d.Addr.Port())
	a.u32(destMethod, methodFlags[d.Method])
	a.u32(destWeight, d.Weight)
	a.u32(destUpper, d.Upper)
	a.u32(destLower, d.Lower)
	if d.Encap != (tiers.Encap{}) { // what the kernel takes when nothing is said
		a.u8(destTunnelType, d.Encap.Type)
		a.be16(destTunnelPort, d.Encap.Port)
		a.u16(destTunnelFlags, d.Encap.Flags)
	}
}

// decodeService reads a service, and the number of its protocol.
func decodeService(data []byte) (tiers.Service, uint16, error) {
	f, err := parse(data)
	if err != nil {
		return tiers.Service{}, 0, fmt.Errorf("read a virtual service: %w", err)
	}
	v6 := f.u16(serviceFamily) == unix.AF_INET6
	s := tiers.Service{
		Scheduler: schedulerName(f[serviceScheduler]),
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
		return s, 0, nil
	}
	addr, err := decodeAddr(f[serviceAddress], v6)
	if err != nil {
		return tiers.Service{}, 0, fmt.Errorf("read a virtual service: %w", err)
	}
	protocol := f.u16(serviceProtocol)
	s.Key = tiers.VIPKey(protoOf(protocol), netip.AddrPortFrom(addr, f.be16(servicePort)))
	return s, protocol, nil
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

// schedulerName reads a name without making a new text of one that is known.
func schedulerName(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	for i := range topology.Schedulers {
		if name := topology.Schedulers[i].Name; name == string(b) {
			return name
		}
	}
	return string(b)
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
var methodFlags = [...]uint32{
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

// number is the number of a key's protocol; 0 for those that no key names.
func number(k tiers.Key) uint16 {
	switch k.Proto {
	case topology.TCP:
		return unix.IPPROTO_TCP
	case topology.UDP:
		return unix.IPPROTO_UDP
	}
	return 0
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
