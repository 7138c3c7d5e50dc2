package plan

import (
	"encoding/binary"
	"net/netip"

	"gslb/steering"
)

// Sampled is how many client networks stand for all of them.
const Sampled = 4096

// client is an address in the n-th sampled network, 0 to [Sampled]-1: the same
// ones for every plan, spread over the unicast addresses of a family, one in a
// /24 of IPv4 (1.0.0.0 to 223.255.255.255, without 10.0.0.0/8, 127.0.0.0/8
// and 169.0.0.0/8) or a /48 of IPv6 (2000::/3).
func client(n int, v6 bool) netip.AddrPort {
	spread := uint64(n+1) * steering.Golden
	port := uint16(1024 + spread>>8%64512)
	if v6 {
		b := [16]byte{15: 1}
		binary.BigEndian.PutUint64(b[:], 0x2000<<48|spread>>3&^0xffff)
		return netip.AddrPortFrom(netip.AddrFrom16(b), port)
	}
	const block = 1 << 16 // the /24s of a /8
	at := block + uint32(spread>>32*(220*block)>>32)
	for _, taken := range []uint32{10, 127, 169} {
		if at >= taken*block {
			at += block
		}
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], at<<8|1+uint32(n%254))
	return netip.AddrPortFrom(netip.AddrFrom4(b), port)
}
