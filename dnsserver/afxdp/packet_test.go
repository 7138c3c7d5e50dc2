package afxdp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
)

// datagram is a frame as it would come in, written by the book and slowly.
func datagram(from, to netip.AddrPort, payload []byte) []byte {
	udp := binary.BigEndian.AppendUint16(nil, from.Port())
	udp = binary.BigEndian.AppendUint16(udp, to.Port())
	udp = binary.BigEndian.AppendUint16(udp, uint16(udpLen+len(payload)))
	udp = append(append(udp, 0, 0), payload...)
	f := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	if to.Addr().Is4() {
		f = append(f, 8, 0, 0x45, 3, 0, 0, 0x12, 0x34, 0, 0, 9, protoUDP, 0, 0)
		binary.BigEndian.PutUint16(f[16:], uint16(ipv4Len+len(udp)))
		f = append(append(f, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	} else {
		f = append(f, 0x86, 0xdd, 0x6a, 1, 2, 3, 0, 0, protoUDP, 9)
		binary.BigEndian.PutUint16(f[18:], uint16(len(udp)))
		f = append(append(f, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	}
	return append(f, udp...)
}

// right reports whether the checksum over the parts comes out, two octets at a time (RFC 1071).
func right(parts ...[]byte) bool {
	all := bytes.Join(parts, nil)
	if len(all)%2 == 1 {
		all = append(all, 0)
	}
	var s uint32
	for i := 0; i < len(all); i += 2 {
		s += uint32(all[i])<<8 | uint32(all[i+1])
		s = s&0xffff + s>>16
	}
	return s == 0xffff
}

// proper says what is wrong with a frame that we send.
func proper(f []byte) string {
	p, ok := parse(f)
	if !ok {
		return "it is none"
	}
	ip, udp := f[p.ip:p.udp], f[p.udp:]
	addrs := ip[len(ip)-8:]
	if len(ip) == ipv6Len {
		addrs = ip[8:]
	} else if !right(ip) {
		return "the header's checksum is wrong"
	}
	pseudo := []byte{0, protoUDP, byte(len(udp) >> 8), byte(len(udp))}
	switch {
	case p.end != len(f):
		return "it is longer than its payload"
	case udp[6] == 0 && udp[7] == 0:
		return "it has no checksum"
	case !right(addrs, pseudo, udp):
		return "the checksum is wrong"
	}
	return ""
}

func TestReplies(t *testing.T) {
	for _, c := range []struct{ from, to string }{
		{"192.0.2.7:40000", "198.51.100.1:53"},
		{"[2001:db8::7]:40000", "[2001:db8::53]:5300"},
	} {
		from, to := netip.MustParseAddrPort(c.from), netip.MustParseAddrPort(c.to)
		for n := range 300 {
			payload := bytes.Repeat([]byte{0xff, byte(n), 3}, 100)[:n]
			f := append(datagram(from, to, payload), 0, 0, 0) // as cards pad short ones
			p, ok := parse(f)
			if !ok || p.from != from || !bytes.Equal(f[p.data:p.end], payload) {
				t.Fatalf("%s, %d octets: %+v, %v", c.from, n, p, ok)
			}
			f = f[:turn(f[:cap(f)], &p, n)]
			if no := proper(f); no != "" {
				t.Fatalf("%s, %d octets: %s", c.from, n, no)
			}
			p, _ = parse(f)
			if p.from != to || !bytes.Equal(f[p.data:p.end], payload) || !bytes.Equal(f[:12], []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}) {
				t.Fatalf("%s, %d octets: the reply is % x", c.from, n, f)
			}
		}
	}
}

// A UDP checksum that would come out as zero is sent as all ones.
func TestZeroChecksum(t *testing.T) {
	from, to := netip.MustParseAddrPort("192.0.2.7:40000"), netip.MustParseAddrPort("198.51.100.1:53")
	for n := range 1 << 16 {
		f := datagram(from, to, binary.BigEndian.AppendUint16(nil, uint16(n)))
		p, _ := parse(f)
		f = f[:turn(f, &p, 2)]
		if f[p.udp+6] == 0xff && f[p.udp+7] == 0xff {
			if no := proper(f); no != "" {
				t.Error(no)
			}
			return
		}
	}
	t.Error("there is none among all words")
}

func TestWhatIsNotAnswered(t *testing.T) {
	from, to := netip.MustParseAddrPort("192.0.2.7:40000"), netip.MustParseAddrPort("198.51.100.1:53")
	from6, to6 := netip.MustParseAddrPort("[2001:db8::7]:40000"), netip.MustParseAddrPort("[2001:db8::53]:53")
	query := []byte("query")
	with := func(f []byte, at int, octets ...byte) []byte {
		copy(f[at:], octets)
		return f
	}
	four, six := func() []byte { return datagram(from, to, query) }, func() []byte { return datagram(from6, to6, query) }
	for name, f := range map[string][]byte{
		"nothing":                       nil,
		"a header alone":                four()[:etherLen+ipv4Len],
		"another protocol of Ethernet":  with(four(), 12, 8, 6),
		"IPv4 with options":             with(four(), etherLen, 0x46),
		"TCP":                           with(four(), etherLen+9, 6),
		"shorter than IPv4 says":        four()[:len(four())-1],
		"longer than IPv4 says":         with(four(), etherLen+2, 0, ipv4Len+udpLen),
		"UDP without room for a header": with(four(), etherLen+ipv4Len+4, 0, 7),
		"from nowhere":                  with(four(), etherLen+12, 0, 0, 0, 0),
		"from this host":                with(four(), etherLen+12, 127, 0, 0, 1),
		"from a group":                  with(four(), etherLen+12, 224, 0, 0, 1),
		"from this network":             with(four(), etherLen+12, 0, 1, 2, 3),
		"from what is reserved":         with(four(), etherLen+12, 240, 0, 0, 1),
		"from the one that is asked":    with(four(), etherLen+12, 198, 51, 100, 1),
		"from a group of stations":      with(four(), 6, 1),
		"from the one asked, in IPv6":   datagram(to6, to6, query),
		"from everybody":                with(four(), etherLen+12, 255, 255, 255, 255),
		"IPv6 of version 4":             with(six(), etherLen, 0x4a),
		"IPv6 with an extension":        with(six(), etherLen+6, 0),
		"IPv6's header alone":           six()[:etherLen+ipv6Len],
		"shorter than IPv6 says":        six()[:len(six())-1],
		"from an address of IPv4":       datagram(netip.MustParseAddrPort("[::ffff:192.0.2.7]:1"), to6, query),
	} {
		if p, ok := parse(f); ok {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if _, ok := parse(six()); !ok {
		t.Error("what they are made of is not answered")
	}
}

func FuzzPacket(f *testing.F) {
	f.Add(datagram(netip.MustParseAddrPort("192.0.2.7:40000"), netip.MustParseAddrPort("198.51.100.1:53"), []byte("query")), uint16(9))
	f.Add(datagram(netip.MustParseAddrPort("[2001:db8::7]:40000"), netip.MustParseAddrPort("[2001:db8::53]:53"), []byte("query")), uint16(100))
	f.Fuzz(func(t *testing.T, data []byte, reply uint16) {
		frame := make([]byte, frameLen-256)
		n := copy(frame, data)
		p, ok := parse(frame[:n:n])
		if !ok {
			return
		}
		if p.data > p.end || p.end > n {
			t.Fatalf("payload from %d to %d of %d", p.data, p.end, n)
		}
		length := turn(frame, &p, int(reply)%(len(frame)-p.data))
		// The address that was asked may be one that nothing comes from; the program lets only ours pass.
		if _, ours := parse(frame[:length]); !ours {
			return
		}
		if no := proper(frame[:length]); no != "" {
			t.Fatal(no)
		}
	})
}

func BenchmarkTurn(b *testing.B) {
	f := datagram(netip.MustParseAddrPort("192.0.2.7:40000"), netip.MustParseAddrPort("198.51.100.1:53"), make([]byte, 60))
	for b.Loop() {
		p, _ := parse(f)
		turn(f, &p, 60)
	}
}
