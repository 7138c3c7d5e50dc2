package afxdp

import (
	"encoding/binary"
	"net/netip"
)

// A packet is what the program lets come here: UDP in IPv4 without options or in
// IPv6 without extensions, whole.
type packet struct {
	from    netip.AddrPort
	ip, udp int // where their headers begin
	data    int // where the payload does
	end     int // and where it ends; the card may have padded it
}

// parse finds out what a frame holds. It believes nothing, so that a frame is
// at worst not answered.
func parse(f []byte) (p packet, ok bool) {
	if len(f) < etherLen+ipv4Len+udpLen || f[6]&1 == 1 { // from a group of stations
		return packet{}, false
	}
	p.ip = etherLen
	var left int // of the IP packet, behind its header
	var addr, asked netip.Addr
	switch binary.BigEndian.Uint16(f[12:]) {
	case etherIPv4:
		if f[etherLen] != 0x45 || f[etherLen+9] != protoUDP {
			return packet{}, false
		}
		p.udp = etherLen + ipv4Len
		left = int(binary.BigEndian.Uint16(f[etherLen+2:])) - ipv4Len
		addr, asked = netip.AddrFrom4([4]byte(f[etherLen+12:])), netip.AddrFrom4([4]byte(f[etherLen+16:]))
		if f[etherLen+12] == 0 || f[etherLen+12] >= 240 {
			return packet{}, false // this network, and what is reserved, as 255.255.255.255 is
		}
	case etherIPv6:
		if len(f) < etherLen+ipv6Len+udpLen || f[etherLen]>>4 != 6 || f[etherLen+6] != protoUDP {
			return packet{}, false
		}
		p.udp = etherLen + ipv6Len
		left = int(binary.BigEndian.Uint16(f[etherLen+4:]))
		addr, asked = netip.AddrFrom16([16]byte(f[etherLen+8:])), netip.AddrFrom16([16]byte(f[etherLen+24:]))
	default:
		return packet{}, false
	}
	n := int(binary.BigEndian.Uint16(f[p.udp+4:]))
	if n < udpLen || n > left || p.udp+n > len(f) {
		return packet{}, false
	}
	// The kernel's stack would not let packets from these in (RFC 1122, section
	// 3.2.1.3; RFC 4291, section 2.7), and nobody is to be made answer them.
	if addr == asked || addr.IsUnspecified() || addr.IsLoopback() || addr.IsMulticast() || addr.Is4In6() {
		return packet{}, false
	}
	p.from = netip.AddrPortFrom(addr, binary.BigEndian.Uint16(f[p.udp:]))
	p.data, p.end = p.udp+udpLen, p.udp+n
	return p, true
}

// turn makes the frame that held p one with a payload of n octets, which is
// there already, on its way back: to the station that it came from, which is
// the asker or the router through which its packets come. It returns the length.
func turn(f []byte, p *packet, n int) int {
	end := p.data + n
	f = f[:end]
	var mac [6]byte
	copy(mac[:], f[:6])
	copy(f[:6], f[6:12])
	copy(f[6:12], mac[:])

	udp := f[p.udp:]
	var ports [2]byte
	copy(ports[:], udp[:2])
	copy(udp[:2], udp[2:4])
	copy(udp[2:4], ports[:])
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	clear(udp[6:8])

	ip := f[p.ip:p.udp]
	if len(ip) == ipv4Len {
		ip[1] = 0 // the query's class of service and mark of congestion are not the reply's
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+len(udp)))
		clear(ip[4:6])
		binary.BigEndian.PutUint16(ip[6:], 0x4000) // never in fragments (RFC 9715), so no ID either (RFC 6864)
		ip[8] = hops
		swap4(ip[12:16], ip[16:20])
		clear(ip[10:12])
		binary.BigEndian.PutUint16(ip[10:], ^fold(sum(0, ip)))
		binary.BigEndian.PutUint16(udp[6:], checksum(sum(sum(protoUDP+uint64(len(udp)), ip[12:20]), udp)))
		return end
	}
	clear(ip[:4])
	ip[0] = 6 << 4
	binary.BigEndian.PutUint16(ip[4:], uint16(len(udp)))
	ip[7] = hops
	var addr [16]byte
	copy(addr[:], ip[8:24])
	copy(ip[8:24], ip[24:40])
	copy(ip[24:40], addr[:])
	binary.BigEndian.PutUint16(udp[6:], checksum(sum(sum(protoUDP+uint64(len(udp)), ip[8:40]), udp)))
	return end
}

// hops is the TTL and hop limit of what leaves (RFC 1700's default, Linux's too).
const hops = 64

func swap4(a, b []byte) {
	x, y := binary.NativeEndian.Uint32(a), binary.NativeEndian.Uint32(b)
	binary.NativeEndian.PutUint32(a, y)
	binary.NativeEndian.PutUint32(b, x)
}

// sum adds the words of b to s (RFC 1071), eight octets at a time: carries are
// kept, in the upper half, until they are folded.
func sum(s uint64, b []byte) uint64 {
	for len(b) >= 8 {
		v := binary.BigEndian.Uint64(b)
		s += v>>32 + v&0xffffffff
		b = b[8:]
	}
	for len(b) >= 2 {
		s += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

func fold(s uint64) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// checksum is that of UDP: none is written as zero, which would say that there
// is none (RFC 768).
func checksum(s uint64) uint16 {
	if c := ^fold(s); c != 0 {
		return c
	}
	return 0xffff
}
