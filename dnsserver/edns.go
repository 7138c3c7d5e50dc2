package dnsserver

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"
)

// optLen is the length of an OPT record without options.
const optLen = 11

// edns is what the OPT record of a query says (RFC 6891). Options that are
// not known here are none: they are neither looked at nor sent back.
type edns struct {
	present bool
	size    int // the largest reply over UDP the asker takes; at least 512
	version uint8
	do      bool

	subnet    subnet
	cookie    []byte // the client's and, behind it, perhaps ours; nil: none
	nsid      bool
	keepalive bool
}

// read reads the fixed part and the options of an OPT record.
func (q *query) read(class uint16, ttl uint32, data []byte) {
	q.size = max(int(class), dns.MinMsgSize)
	q.version = uint8(ttl >> 16)
	q.do = ttl&(1<<15) != 0
	if q.version > 0 {
		return // what follows may look different in that version
	}
	r := reader{packet: data}
	for r.at < len(data) {
		code := r.uint16()
		option := r.bytes(int(r.uint16()))
		if r.failed {
			q.fail("an EDNS option is cut short")
			return
		}
		switch code {
		case dns.EDNS0SUBNET:
			if !q.subnet.asked {
				q.fault = q.subnet.read(option)
			}
		case dns.EDNS0COOKIE:
			// Only the first counts (RFC 7873, section 4).
			if q.cookie == nil {
				if !cookieLength(len(option)) {
					q.fail("a cookie has 8 or 16 to 40 octets") // RFC 7873, section 5.2.2
				}
				q.cookie = option
			}
		case dns.EDNS0NSID:
			q.nsid = true
		case dns.EDNS0TCPKEEPALIVE:
			q.keepalive = true
		}
		if q.fault != "" {
			return
		}
	}
}

// A subnet is the client subnet option of a query (RFC 7871, section 6).
type subnet struct {
	asked  bool
	family uint16
	source uint8
	addr   []byte
}

// read reads the option and returns what is wrong with it. Family 0 with
// nothing in it, which dig sends for "nobody", is taken for source length 0.
func (s *subnet) read(option []byte) (fault string) {
	if len(option) < 4 {
		return "client subnet: cut short"
	}
	s.asked, s.family, s.source, s.addr = true, binary.BigEndian.Uint16(option), option[2], option[4:]
	longest := 0
	switch s.family {
	case 0:
	case 1:
		longest = 32
	case 2:
		longest = 128
	default:
		return "client subnet: unknown family"
	}
	bits := int(s.source)
	switch {
	case bits > longest:
		return "client subnet: source prefix too long"
	case option[3] != 0:
		return "client subnet: a query has scope 0"
	case len(s.addr) != (bits+7)/8:
		return "client subnet: wrong number of address octets"
	case bits%8 != 0 && s.addr[len(s.addr)-1]<<(bits%8) != 0:
		return "client subnet: bits set beyond the source prefix"
	}
	return ""
}

// prefix is the network that the option names; the zero Prefix if it names none.
func (s *subnet) prefix() netip.Prefix {
	if s.source == 0 {
		return netip.Prefix{}
	}
	var octets [16]byte
	copy(octets[:], s.addr)
	addr := netip.AddrFrom16(octets)
	if s.family == 1 {
		addr = netip.AddrFrom4([4]byte(octets[:4]))
	}
	return netip.PrefixFrom(addr, int(s.source))
}

// An ede is an extended error: what a person should know who looks at the
// reply (RFC 8914). The zero ede is none.
type ede struct {
	given bool
	code  uint16
	text  string
}

// options appends the options of the reply, as far as the query asked for them.
func (w *Worker) options(buf []byte) []byte {
	q := &w.q
	if q.subnet.asked {
		buf = option(buf, dns.EDNS0SUBNET, 4+len(q.subnet.addr))
		buf = binary.BigEndian.AppendUint16(buf, q.subnet.family)
		buf = append(append(buf, q.subnet.source, w.a.scope), q.subnet.addr...)
	}
	if q.cookie != nil && len(w.o.Cookies) > 0 {
		buf = option(buf, dns.EDNS0COOKIE, clientCookie+serverCookie)
		buf = append(append(buf, q.cookie[:clientCookie]...), w.cookie[:]...)
	}
	if q.nsid && w.o.Node != "" {
		buf = option(buf, dns.EDNS0NSID, len(w.o.Node))
		buf = append(buf, w.o.Node...)
	}
	if q.keepalive && w.r.Via == TCP {
		buf = option(buf, dns.EDNS0TCPKEEPALIVE, 2)
		buf = binary.BigEndian.AppendUint16(buf, uint16(w.r.Idle.Milliseconds()/100))
	}
	return buf
}

// optionsLen is how many bytes options appends.
func (w *Worker) optionsLen() int {
	q, n := &w.q, 0
	if q.subnet.asked {
		n += 4 + 4 + len(q.subnet.addr)
	}
	if q.cookie != nil && len(w.o.Cookies) > 0 {
		n += 4 + clientCookie + serverCookie
	}
	if q.nsid && w.o.Node != "" {
		n += 4 + len(w.o.Node)
	}
	if q.keepalive && w.r.Via == TCP {
		n += 4 + 2
	}
	return n
}

// option appends the head of an option of n bytes.
func option(buf []byte, code uint16, n int) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(buf, code), uint16(n))
}
