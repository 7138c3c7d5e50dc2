package dnsserver

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// A Request is a message and how it came.
type Request struct {
	Packet []byte
	Via    Transport
	From   netip.Addr    // who asks, not mapped into IPv6; the zero Addr: nobody in particular
	Now    uint32        // seconds since 1970, for cookies
	Idle   time.Duration // after which a connection ends, told those who ask for it over TCP
	U      uint64        // makes the answers of steered names differ; the caller moves it by steering.Golden
}

// A Worker writes replies, one after the other. It keeps the memory that this
// takes, so that the next reply takes none; it belongs to one goroutine. The
// zero Worker is ready for use.
type Worker struct {
	q query
	m message
	a asking
	r Request
	o *Options

	cookie  [serverCookie]byte // for the reply
	trusted bool               // the query's cookie is good: its sender is who he says
	rcode   int                // of the reply
}

// Reply writes the reply to r into buf, which must not be part of the message,
// and returns it, or nil where silence is the answer.
func (w *Worker) Reply(buf []byte, t *Table, o *Options, r Request) []byte {
	return w.reply(buf, t, o, r, nil)
}

// reply is Reply, and tells told, unless it is nil, where the answer comes from.
func (w *Worker) reply(buf []byte, t *Table, o *Options, r Request, told *Told) []byte {
	w.r, w.o, w.trusted = r, o, false
	q := &w.q
	if !q.parse(r.Packet) {
		return nil
	}
	w.a.begin(t, &w.m, &w.r, q, told)
	if q.fault != "" || q.version > 0 {
		q.subnet, q.cookie, q.nsid, q.keepalive = subnet{}, nil, false, false
	}
	w.trust(&w.r)
	limit, keep := dns.MaxMsgSize, 0
	if r.Via == UDP {
		limit = min(q.size, UDPSize)
	}
	if q.present {
		keep = optLen + w.optionsLen()
	}
	w.m.begin(buf, limit, keep)
	return w.finish(w.decide(t), limit)
}

// decide fills the reply in and returns its rcode.
func (w *Worker) decide(t *Table) int {
	q, a := &w.q, &w.a
	switch q.opcode {
	case dns.OpcodeQuery:
	case dns.OpcodeUpdate:
		// Forwarding updates is no business of ours (RFC 2136, section 3.1).
		a.ede = ede{true, dns.ExtendedErrorCodeNotSupported, "zones are changed in the topology file"}
		return dns.RcodeRefused
	case dns.OpcodeIQuery, dns.OpcodeStatus, dns.OpcodeNotify:
		return dns.RcodeNotImplemented
	default:
		// What the rest of such a message means is not known, so neither is
		// that it has an OPT record (RFC 8906, section 8.1.4).
		q.present = false
		return dns.RcodeNotImplemented
	}
	if !w.o.Allow.has(w.r.From) {
		if q.asked {
			w.m.ask(q.question)
		}
		a.ede = ede{true, dns.ExtendedErrorCodeProhibited, "you may not ask here"}
		return dns.RcodeRefused
	}
	if q.questions == 0 && q.fault == "" && q.version == 0 && q.cookie != nil && len(w.o.Cookies) > 0 {
		// Asked for nothing but a cookie (RFC 7873, section 5.4).
		if len(q.cookie) > clientCookie && !w.trusted {
			return dns.RcodeBadCookie
		}
		return dns.RcodeSuccess
	}
	if q.asked {
		w.m.ask(q.question)
	} else {
		q.fail("a query has one question") // RFC 9619
	}
	switch {
	case q.fault != "":
		a.ede = ede{true, dns.ExtendedErrorCodeOther, q.fault}
		return dns.RcodeFormatError
	case q.version > 0:
		return dns.RcodeBadVers
	case q.class == dns.ClassCHAOS:
		return w.chaos()
	case q.class != dns.ClassINET:
		a.ede = ede{true, dns.ExtendedErrorCodeNotSupported, "no class but IN is served"}
		return dns.RcodeRefused
	case q.typ == dns.TypeAXFR, q.typ == dns.TypeIXFR:
		a.ede = ede{true, dns.ExtendedErrorCodeProhibited, "zones are not transferred"}
		return dns.RcodeRefused
	}
	lowered := a.lower(q.name)
	z := t.zone(lowered, q.typ)
	if z == nil {
		a.ede = ede{true, dns.ExtendedErrorCodeNotAuthoritative, "the name lies in no zone of this server"}
		return dns.RcodeRefused
	}
	if z.unserved {
		a.ede = ede{true, dns.ExtendedErrorCodeInvalidData, "the zone's file has errors"}
		return dns.RcodeServerFailure
	}
	a.resolve(z, q.name, lowered)
	// A negative answer depends on the client only where a policy gives some
	// clients nobody; elsewhere its scope is 0, as section 7.4 of RFC 7871 says
	// it should. There it says whom it is for: a scope of 0 would overlap those
	// of the others, which section 7.2.1 forbids.
	if q.subnet.source == 0 {
		a.scope = 0 // section 7.1.2
	}
	return a.rcode
}

// chaos says which node this is (RFC 4892). What program it runs is nobody's
// business.
func (w *Worker) chaos() int {
	q, a := &w.q, &w.a
	name := a.lower(q.name)
	ours := string(name) == "\x02id\x06server\x00" || string(name) == "\x08hostname\x04bind\x00"
	if !ours || w.o.Node == "" || q.typ != dns.TypeTXT && q.typ != dns.TypeANY {
		a.ede = ede{true, dns.ExtendedErrorCodeProhibited, ""}
		return dns.RcodeRefused
	}
	text := w.o.Node[:min(len(w.o.Node), 255)]
	m := &w.m
	a.aa = true
	if len(m.buf)+12+1+len(text) > m.limit { // the same as NSID beside it may be too much
		a.tc = true
		return dns.RcodeSuccess
	}
	m.buf = append(m.buf, 0xc0, headerLen, 0, byte(dns.TypeTXT), 0, byte(dns.ClassCHAOS), 0, 0, 0, 0)
	m.buf = binary.BigEndian.AppendUint16(m.buf, uint16(len(text)+1))
	m.buf = append(append(m.buf, byte(len(text))), text...)
	m.counts[answer] = 1
	return dns.RcodeSuccess
}

// finish writes the header and, where the query had one, the OPT record, and
// returns the reply.
func (w *Worker) finish(rcode, limit int) []byte {
	q, a, m := &w.q, &w.a, &w.m
	w.rcode = rcode
	if q.present {
		m.counts[additional]++
		m.buf = append(m.buf, 0, 0, byte(dns.TypeOPT), UDPSize>>8, UDPSize&0xff, byte(rcode>>4), 0, bit(q.do)<<7, 0, 0, 0)
		from := len(m.buf)
		m.buf = w.options(m.buf)
		if n := len(a.ede.text); a.ede.given && len(m.buf)+4+2+n <= limit {
			m.buf = option(m.buf, dns.EDNS0EDE, 2+n)
			m.buf = append(binary.BigEndian.AppendUint16(m.buf, a.ede.code), a.ede.text...)
		}
		binary.BigEndian.PutUint16(m.buf[from-2:], uint16(len(m.buf)-from))
	}
	h := m.buf[:headerLen]
	binary.BigEndian.PutUint16(h, q.id)
	h[2] = 0x80 | byte(q.opcode)<<3 | bit(a.aa)<<2 | bit(a.tc)<<1 | bit(q.rd)
	h[3] = bit(q.cd)<<4 | byte(rcode&0xf)
	clear(h[4:])
	h[5] = bit(m.asked)
	for i, n := range m.counts {
		binary.BigEndian.PutUint16(h[6+2*i:], n)
	}
	return m.buf
}

// cut turns the reply just written into one without answers: truncated, so
// that an honest asker comes back over TCP, or BADCOOKIE, so that one who has
// cookies comes back with a good one (RFC 7873, section 5.2.3).
func (w *Worker) cut() []byte {
	q, a := &w.q, &w.a
	w.m.cut(q.question)
	a.scope, a.ede = 0, ede{}
	if q.cookie != nil && len(w.o.Cookies) > 0 {
		a.aa, a.tc = false, false
		return w.finish(dns.RcodeBadCookie, UDPSize)
	}
	a.tc = true
	return w.finish(w.rcode, UDPSize)
}
