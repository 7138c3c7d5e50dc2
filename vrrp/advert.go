package vrrp

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Protocol is VRRP's IP protocol number.
const Protocol = 112

const (
	centisecond     = 10 * time.Millisecond
	maxCentiseconds = 1<<12 - 1 // 12 bits (RFC 9568, section 5.2.7)
	maxSeconds      = 1<<8 - 1  // 8 bits (RFC 3768, section 5.3.7)

	advertisement = 1 // the one type there is
	headerSize    = 8
	passwordSize  = 8
	// maxPayload fits a frame of Ethernet behind either IP header. An
	// advertisement is never sent in fragments, and not taken from them.
	maxPayload = 1500 - 40

	// Version 2's kinds of authentication (RFC 2338, section 5.3.6; RFC 3768
	// knows 0 only, keepalived sends 1 still).
	authNone   = 0
	authSimple = 1
)

// An Advert is one advertisement.
type Advert struct {
	Version  uint8
	ID       uint8
	Priority uint8 // 0: the active router resigns
	Interval time.Duration
	Addrs    []netip.Addr
	// Auth is version 2's kind of authentication and Password its data, without
	// trailing zero bytes.
	Auth     uint8
	Password string
	// Plain says that a version 3 checksum over IPv4 covers the message alone
	// (RFC 9568, section 5.2.8). RFC 5798 was read as covering a pseudo-header
	// too, and that is what keepalived 2.2 sends, and all that it accepts.
	Plain bool
	// Trailer is what stands behind the message: an authentication trailer, or
	// nothing. Of a parsed advertisement it lies in the packet.
	Trailer []byte
}

// messageSize is the length of an advertisement without its trailer.
func messageSize(version uint8, v6 bool, addrs int) int {
	size := headerSize + addrs*4
	if v6 {
		size = headerSize + addrs*16
	}
	if version == 2 {
		size += passwordSize
	}
	return size
}

// Parse reads an advertisement: the bytes behind the IP header of a packet from
// src to dst. It checks that it is whole, its version and its checksum; what it
// says is for an [Inbox]. Errors are of type *[Refusal].
func Parse(src, dst netip.Addr, payload []byte) (Advert, error) {
	v6 := src.Is6()
	if dst.Is6() != v6 {
		return Advert{}, refuse(BadLength, "from %v to %v", src, dst)
	}
	if len(payload) < headerSize {
		return Advert{}, refuse(BadLength, "%d bytes, an advertisement has %d at least", len(payload), headerSize)
	}
	if len(payload) > maxPayload {
		return Advert{}, refuse(BadLength, "%d bytes, an advertisement has %d at most", len(payload), maxPayload)
	}
	a := Advert{Version: payload[0] >> 4, ID: payload[1], Priority: payload[2]}
	if kind := payload[0] & 15; kind != advertisement || a.Version != 3 && (a.Version != 2 || v6) {
		return Advert{}, refuse(BadVersion, "version %d type %d", a.Version, kind)
	}
	count := int(payload[3])
	size := messageSize(a.Version, v6, count)
	if rest := len(payload) - size; rest != 0 && rest != trailerSize {
		return Advert{}, refuse(BadLength, "%d bytes, with %d addresses it has %d, or %d with authentication", len(payload), count, size, size+trailerSize)
	}
	message := payload[:size]
	a.Trailer = payload[size:]
	if !a.sound(src, dst, payload, message) {
		return Advert{}, refuse(BadChecksum, "checksum %#04x is wrong", binary.BigEndian.Uint16(payload[6:]))
	}
	if a.Version == 2 {
		a.Auth, a.Interval = payload[4], time.Duration(payload[5])*time.Second
		a.Password = string(trimZeros(message[size-passwordSize:]))
	} else {
		a.Interval = time.Duration(binary.BigEndian.Uint16(payload[4:])&maxCentiseconds) * centisecond
	}
	for i := range count {
		if v6 {
			a.Addrs = append(a.Addrs, netip.AddrFrom16([16]byte(message[headerSize+16*i:])))
		} else {
			a.Addrs = append(a.Addrs, netip.AddrFrom4([4]byte(message[headerSize+4*i:])))
		}
	}
	return a, nil
}

// sound checks the checksum and notes its kind.
func (a *Advert) sound(src, dst netip.Addr, payload, message []byte) bool {
	switch {
	case src.Is6():
		// As for every protocol above IPv6, up to the packet's end.
		return checksum(pseudoHeader(src, dst, len(payload)), payload) == 0
	case checksum(0, message) == 0:
		a.Plain = a.Version == 3
		return true
	}
	return a.Version == 3 && checksum(pseudoHeader(src, dst, len(message)), message) == 0
}

// Append writes the advertisement behind buf as the payload of a packet from src
// to dst: the message, then the trailer, and the checksum of its kind. The
// advertisement is one that Check of its configuration has let pass.
func (a *Advert) Append(buf []byte, src, dst netip.Addr) []byte {
	start := len(buf)
	buf = append(buf, a.Version<<4|advertisement, a.ID, a.Priority, uint8(len(a.Addrs)))
	if a.Version == 2 {
		buf = append(buf, a.Auth, uint8(a.Interval/time.Second))
	} else {
		buf = binary.BigEndian.AppendUint16(buf, uint16(a.Interval/centisecond))
	}
	buf = append(buf, 0, 0)
	for _, addr := range a.Addrs {
		buf = append(buf, addr.AsSlice()...)
	}
	if a.Version == 2 {
		var data [passwordSize]byte
		copy(data[:], a.Password)
		buf = append(buf, data[:]...)
	}
	message := buf[start:]
	size := len(message)
	buf = append(buf, a.Trailer...)
	message = buf[start : start+size]
	var sum uint16
	switch {
	case src.Is6():
		sum = checksum(pseudoHeader(src, dst, len(buf)-start), buf[start:])
	case a.Version == 2 || a.Plain:
		sum = checksum(0, message)
	default:
		sum = checksum(pseudoHeader(src, dst, size), message)
	}
	binary.BigEndian.PutUint16(message[6:], sum)
	return buf
}

func trimZeros(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

// pseudoHeader is the sum of what stands before the payload for a checksum
// (RFC 8200, section 8.1; for IPv4 as TCP has it).
func pseudoHeader(src, dst netip.Addr, size int) uint32 {
	sum := uint32(Protocol) + uint32(size)
	for _, b := range [][]byte{src.AsSlice(), dst.AsSlice()} {
		for ; len(b) > 0; b = b[2:] {
			sum += uint32(binary.BigEndian.Uint16(b))
		}
	}
	return sum
}

// checksum is the Internet's (RFC 1071), on top of a sum. Over bytes that hold
// their own checksum it is 0.
func checksum(sum uint32, b []byte) uint16 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
