package dnsserver

import (
	"bufio"
	"encoding/binary"
	"errors"
	"net/netip"
)

// The PROXY protocol, version 2, as HAProxy's doc/proxy-protocol.txt has it
// (section 2.2): a signature of 12 bytes, version and command, family and
// transport, the length of what follows, addresses, and extras that are skipped.
const (
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"
	proxyHead      = len(proxySignature) + 4
	proxyMost      = 1 << 10 // bytes that a header may have behind its head
)

var errNoProxy = errors.New("no PROXY header of version 2")

// proxied reads the header before a message and returns who asks and how long
// the header is. Where the proxy speaks for itself that is peer.
func proxied(packet []byte, peer netip.Addr) (asker netip.Addr, n int, ok bool) {
	if len(packet) < proxyHead || string(packet[:len(proxySignature)]) != proxySignature {
		return netip.Addr{}, 0, false
	}
	version, family := packet[12], packet[13]
	n = proxyHead + int(binary.BigEndian.Uint16(packet[14:]))
	if n > len(packet) || n > proxyHead+proxyMost {
		return netip.Addr{}, 0, false
	}
	addrs := packet[proxyHead:n]
	switch {
	case version == 0x20: // LOCAL
		return peer, n, true
	case version != 0x21: // PROXY
		return netip.Addr{}, 0, false
	case family>>4 == 0: // unspecified
		return peer, n, true
	case family>>4 == 1 && len(addrs) >= 12: // source, destination, ports
		return netip.AddrFrom4([4]byte(addrs)), n, true
	case family>>4 == 2 && len(addrs) >= 36:
		return netip.AddrFrom16([16]byte(addrs)).Unmap(), n, true
	}
	return netip.Addr{}, 0, false
}

// readProxied reads the header at the start of a connection.
func readProxied(in *bufio.Reader, peer netip.Addr) (netip.Addr, error) {
	head, err := in.Peek(proxyHead)
	if err != nil {
		return netip.Addr{}, err
	}
	all, err := in.Peek(proxyHead + min(int(binary.BigEndian.Uint16(head[14:])), proxyMost))
	if err != nil {
		return netip.Addr{}, err
	}
	asker, n, ok := proxied(all, peer)
	if !ok {
		return netip.Addr{}, errNoProxy
	}
	_, err = in.Discard(n)
	return asker, err
}
