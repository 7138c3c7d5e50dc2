package dnsserver

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"gslb/steering"
)

// ready holds what nearly all queries ask for: the addresses of names that
// exist and where nothing stands in the way, as they go into a reply. It is
// one table for all zones, so an answer is one look-up away, however many
// zones and labels there are.
type ready struct {
	slots   []slot // a power of two, at most half of them taken; a name hashes to the first of its run
	entries []byte // one after the other, each as entry has it
	domains []*steered
}

// A slot leads to an entry. Slots are small, so that more of them stay near
// the processor, and mostly tell a wrong entry without looking there.
type slot struct {
	tag uint32 // other bits of the hash
	at  uint32 // 1 more than the offset of the entry; 0: free
}

// An entry is, in bytes: the length of the name, the name in lower case, the
// type (its low byte), the number of records, 0 where the answer is steered,
// then two bytes of length and what follows them: the records, their owner a
// pointer to the question; or four bytes, an index of domains.
const entryHead = 1 + 1 + 1 + 2

// maxLabel is the length of the longest label (RFC 1035, section 2.3.4).
const maxLabel = 63

// maxReady is how many records an entry has at most; longer answers do not
// fit into a reply over UDP.
const maxReady = 255

// add adds the addresses of z's names.
func (r *ready) add(zones *Zones, z *zone) {
	for _, owner := range z.owners() {
		n := z.nodes[owner]
		if !zones.plain(z, owner, n) {
			continue
		}
		for _, typ := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeSVCB} {
			if d := n.steers(typ); d != nil {
				if d.has(typ) && !d.domain.Hosts() {
					r.domains = append(r.domains, d)
					r.enter(owner, typ, 0, binary.BigEndian.AppendUint32(nil, uint32(len(r.domains)-1)))
				}
				continue
			}
			if typ == dns.TypeHTTPS || typ == dns.TypeSVCB {
				continue
			}
			set := n.set(typ)
			if set == nil || len(set.data) > maxReady {
				continue
			}
			var records []byte
			for _, data := range set.data {
				records = appendAddress(records, typ, set.ttl, data)
			}
			r.enter(owner, typ, len(set.data), records)
		}
	}
}

// plain reports whether a query for an address at owner is answered with what
// stands at n: the zone is served, and no delegation, alias, nor zone of its own
// is in between.
func (zs *Zones) plain(z *zone, owner string, n *node) bool {
	if z.unserved || n.set(dns.TypeCNAME) != nil || zs.enclosing([]byte(owner)) != z {
		return false
	}
	for at := owner; at != z.key; at, _ = parent(at) {
		up := z.nodes[at]
		if up.set(dns.TypeNS) != nil || at != owner && up.set(dns.TypeDNAME) != nil {
			return false
		}
	}
	return owner == z.key || z.apex.set(dns.TypeDNAME) == nil
}

func appendAddress(buf []byte, typ uint16, ttl uint32, data []byte) []byte {
	buf = append(buf, 0xc0, headerLen, 0, byte(typ), 0, byte(dns.ClassINET))
	buf = binary.BigEndian.AppendUint32(buf, ttl)
	buf = append(buf, 0, byte(len(data)))
	return append(buf, data...)
}

func (r *ready) enter(owner string, typ uint16, records int, data []byte) {
	r.entries = append(append(r.entries, byte(len(owner))), owner...)
	r.entries = append(r.entries, byte(typ), byte(records))
	r.entries = append(binary.BigEndian.AppendUint16(r.entries, uint16(len(data))), data...)
}

// index makes the slots of the entries.
func (r *ready) index() {
	count := 0
	r.each(func(int, []byte, uint16) { count++ })
	r.slots = make([]slot, 1<<bits.Len(uint(2*count)))
	var q quick
	r.each(func(at int, owner []byte, typ uint16) {
		hash := q.hash(owner, len(owner), typ)
		i := hash & uint64(len(r.slots)-1)
		for r.slots[i].at != 0 {
			i = (i + 1) & uint64(len(r.slots)-1)
		}
		r.slots[i] = slot{uint32(hash >> 32), uint32(at + 1)}
	})
	r.entries = bytes.Clone(r.entries) // without the room that it grew into
}

func (r *ready) each(do func(at int, owner []byte, typ uint16)) {
	for at := 0; at < len(r.entries); {
		n := int(r.entries[at])
		e := r.entries[at+1:]
		do(at, e[:n], uint16(e[n]))
		at += entryHead + n + int(binary.BigEndian.Uint16(e[n+2:]))
	}
}

// find is the entry of a name, which q has just hashed, without the name.
func (r *ready) find(q *quick, hash uint64, n int, typ uint16) []byte {
	mask := uint64(len(r.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := r.slots[i]
		if s.at == 0 {
			return nil
		}
		if s.tag != uint32(hash>>32) {
			continue
		}
		e := r.entries[s.at-1:]
		if int(e[0]) == n && string(e[1:1+n]) == string(q.name[:n]) && e[1+n] == byte(typ) {
			return e[1+n:]
		}
	}
}

// A quick is the memory of quick replies.
type quick struct {
	name    [maxName + 8]byte // in lower case
	places  []steering.Place
	records [UDPSize]byte                             // of a steered name
	served  [maxQuick * (2*addressHead + 4 + 16)]byte // the addresses that go with a service binding
	subnet  subnet
	cookie  []byte                                             // as in edns
	options [4 + 4 + 16 + 4 + clientCookie + serverCookie]byte // of the reply, where a cookie is among them
}

// hash puts the first n bytes of packet, a name, into q in lower case and
// returns the name's hash. Octets that count labels are below the letters, so
// all can be lowered alike, eight at a time. Names are the operator's and not
// the asker's: nobody can make them collide.
func (q *quick) hash(packet []byte, n int, typ uint16) uint64 {
	h := 0x9e3779b97f4a7c15 ^ uint64(typ)<<32 ^ uint64(n)
	for i := 0; i < n; i += 8 {
		var w uint64
		if i+8 <= len(packet) {
			w = binary.LittleEndian.Uint64(packet[i:])
			if left := n - i; left < 8 {
				w &= 1<<(8*left&63) - 1
			}
		} else {
			for k, b := range packet[i:n] {
				w |= uint64(b) << (8 * k)
			}
		}
		w = lowerWord(w)
		binary.LittleEndian.PutUint64(q.name[i:], w)
		hi, lo := bits.Mul64(h^w, 0xd6e8feb86659fd93)
		h = hi ^ lo
	}
	return h
}

// lowerWord makes lower-case letters of the capital ones among eight octets.
func lowerWord(w uint64) uint64 {
	const ones = 0x0101010101010101
	low := w & (0x7f * ones)
	capital := (low + (0x80-'A')*ones) &^ (low + (0x80-'Z'-1)*ones) &^ w & (0x80 * ones)
	return w | capital>>2
}

// quick is the reply to the commonest queries: one question for the addresses
// of a name that is ready, with no options but a client subnet and a cookie. All
// others it declines, and those beyond a limit. [Worker.Reply] would give the same.
//
// The reply is written over the query, which it mostly repeats, if that lies
// in enough memory, else into buf.
func (d *datagrams) quick(buf []byte, t *Table, o *Options, l *limiter, r *Request, now time.Time) ([]byte, bool) {
	q := &d.fast
	query, hash, ok := q.read(r.Packet)
	if !ok || len(o.Allow) > 0 && !o.Allow.list(r.From) {
		return nil, false
	}
	n := query.question - 4 - headerLen
	e := t.zones.ready.find(q, hash, n, query.typ)
	if e == nil {
		return nil, false
	}
	count, with, scope := int(e[1]), 0, 0
	data := e[4 : 4+int(binary.BigEndian.Uint16(e[2:]))]
	if count == 0 {
		if data, count, with, scope = q.steer(t, binary.BigEndian.Uint32(data), &query, r); count == 0 {
			return nil, false
		}
	}
	w, whole := &d.worker, len(r.Packet)+len(data)
	w.o, w.trusted = o, false
	var options []byte // what is sent back, where that is not what came
	if q.cookie != nil {
		w.q.edns, w.a.scope = edns{subnet: q.subnet, cookie: q.cookie}, uint8(scope)
		w.trust(r)
		options = w.options(q.options[:0])
		whole = query.question + len(data) + optLen + len(options)
	}
	if whole > query.limit {
		return nil, false
	}
	if l != nil {
		w.r.From, w.rcode = r.From, dns.RcodeSuccess
		w.q.typ, w.m.counts, w.a.tc, w.a.about = query.typ, [3]uint16{uint16(count), 0, uint16(with)}, false, q.name[:n]
		if !l.may(w, now) {
			return nil, false
		}
	}
	p := r.Packet
	if cap(p) < UDPSize {
		p = slices.Grow(append(buf[:0], p...), max(whole-len(p), 0))
	}
	p = p[:whole]
	if query.opt {
		opt := p[query.question+len(data):]
		copy(opt, p[query.question:])
		opt[3], opt[4], opt[5] = UDPSize>>8, UDPSize&0xff, 0
		opt[7], opt[8] = opt[7]&0x80, 0 // DO
		if q.cookie != nil {
			binary.BigEndian.PutUint16(opt[optLen-2:], uint16(len(options)))
			copy(opt[optLen:], options)
		} else if q.subnet.asked {
			opt[optLen+7] = byte(scope)
		}
	}
	copy(p[query.question:], data)
	p[2] = 0x84 | p[2]&1 // a reply, authoritative, RD as it came
	p[3] &= 0x10         // CD as it came
	p[7] = byte(count)
	p[11] += byte(with)
	return p, true
}

// steer makes the records that a domain answers with and those that go with
// them. It returns none where these are not all there is to say, or many.
func (q *quick) steer(t *Table, domain uint32, query *quickQuery, r *Request) (records []byte, count, with, scope int) {
	if query.typ == dns.TypeHTTPS || query.typ == dns.TypeSVCB {
		return q.serve(t, domain, query, r)
	}
	records, count, scope, _, ok := q.addresses(q.records[:0], t, domain, query.typ, query, r)
	if !ok {
		return nil, 0, 0, 0
	}
	return records, count, 0, scope
}

// addresses appends the addresses of a type that a domain answers with, and
// says how long they hold. It returns false where there are many, or more is to
// be said.
func (q *quick) addresses(buf []byte, t *Table, domain uint32, typ uint16, query *quickQuery, r *Request) (records []byte, count, scope int, ttl uint32, ok bool) {
	family := steering.V4
	if typ == dns.TypeAAAA {
		family = steering.V6
	}
	if octets, ttl, scope, ok := t.steered[domain].Address(family, q.client(r), r.U); ok {
		if q.subnet.source == 0 {
			scope = 0
		}
		return appendAddress(buf, typ, ttl, octets), 1, scope, ttl, true
	}
	d := t.zones.ready.domains[domain].domain
	client := q.subnet.prefix()
	if !client.IsValid() && r.From.IsValid() {
		client = netip.PrefixFrom(r.From, r.From.BitLen())
	}
	places, ttl, scope := t.steering.Answer(q.places[:0], d, family, client, r.U)
	q.places = places
	if query.opt && t.steering.Stale(d, family) {
		return nil, 0, 0, 0, false // which the reply says
	}
	if q.subnet.source == 0 {
		scope = 0
	}
	if len(places) == 0 {
		return buf, 0, scope, ttl, true
	}
	if len(places) != 1 || len(places[0].Addrs) == 0 || len(places[0].Addrs) > maxQuick {
		return nil, 0, 0, 0, false // several places may share an address
	}
	for i, addr := range places[0].Addrs {
		for _, before := range places[0].Addrs[:i] {
			if addr == before {
				return nil, 0, 0, 0, false
			}
		}
		if addr.Is4() {
			octets := addr.As4()
			buf = appendAddress(buf, typ, ttl, octets[:])
		} else {
			octets := addr.As16()
			buf = appendAddress(buf, typ, ttl, octets[:])
		}
	}
	return buf, len(places[0].Addrs), scope, ttl, true
}

// serve makes the HTTPS or SVCB record of a domain, and its addresses to go
// with it.
func (q *quick) serve(t *Table, domain uint32, query *quickQuery, r *Request) (records []byte, count, with, scope int) {
	d := t.zones.ready.domains[domain]
	buf := q.served[:0]
	least, at := uint32(maxTTL), [3]int{} // where the addresses of the families begin and end
	for i, typ := range addressTypes {
		if d.has(typ) {
			var n, bits int
			var ttl uint32
			var ok bool
			if buf, n, bits, ttl, ok = q.addresses(buf, t, domain, typ, query, r); !ok {
				return nil, 0, 0, 0
			}
			with, scope, least = with+n, max(scope, bits), min(least, ttl)
		}
		at[i+1] = len(buf)
	}
	length := 3
	for i := range hintKeys {
		length += len(d.params[i]) + 4 + at[i+1] - at[i] // no less than the hints take
	}
	if length += len(d.params[2]); with == 0 || addressHead+length+len(buf) > len(q.records) {
		return nil, 0, 0, 0
	}
	records = append(q.records[:0], 0xc0, headerLen, 0, byte(query.typ), 0, byte(dns.ClassINET))
	records = binary.BigEndian.AppendUint32(records, least)
	records = append(records, 0, 0, 0, 1, 0) // length, priority 1, the owner itself
	for i, key := range hintKeys {
		records = append(records, d.params[i]...)
		size := addressHead + addressLen[i]
		if n := (at[i+1] - at[i]) / size; n > 0 {
			records = binary.BigEndian.AppendUint16(records, key)
			records = binary.BigEndian.AppendUint16(records, uint16(n*addressLen[i]))
			for k := at[i] + addressHead; k < at[i+1]; k += size {
				records = append(records, buf[k:k+addressLen[i]]...)
			}
		}
	}
	records = append(records, d.params[2]...)
	binary.BigEndian.PutUint16(records[addressHead-2:], uint16(len(records)-addressHead))
	return append(records, buf...), 1, with, scope
}

// addressHead is how many octets appendAddress writes before the address, and
// addressLen how many that has in each family.
const addressHead = 12

var addressLen = [2]int{4, 16}

// client is who asks: the client subnet, or else the sender.
func (q *quick) client(r *Request) steering.Client {
	switch s := &q.subnet; {
	case s.source > 0 && s.family == 1:
		var octets [4]byte
		copy(octets[:], s.addr)
		return steering.At4(binary.BigEndian.Uint32(octets[:]))
	case s.source > 0:
		return steering.At(s.prefix())
	case r.From.Is4():
		octets := r.From.As4()
		return steering.At4(binary.BigEndian.Uint32(octets[:]))
	case r.From.IsValid():
		return steering.At(netip.PrefixFrom(r.From, r.From.BitLen()))
	}
	return steering.Client{}
}

// maxQuick is how many addresses of a steered name a quick reply has at most.
const maxQuick = 8

// A quickQuery is what quick has read of a packet.
type quickQuery struct {
	question int // where it ends
	typ      uint16
	opt      bool
	do       bool
	limit    int
}

// read reads the packet and reports whether it is one of the commonest.
func (q *quick) read(packet []byte) (query quickQuery, hash uint64, ok bool) {
	// A query with one question, no records but perhaps an OPT, and no flags that mean something.
	if len(packet) < headerLen+1+4 || packet[2]&^1 != 0 || binary.BigEndian.Uint64(packet[4:])&^1 != 1<<48 {
		return query, 0, false
	}
	end := headerLen
	for end < len(packet) && packet[end] != 0 {
		if packet[end] > maxLabel {
			return query, 0, false
		}
		end += int(packet[end]) + 1
	}
	end++
	if end-headerLen > maxName || end+4 > len(packet) || packet[end] != 0 || packet[end+2] != 0 || packet[end+3] != byte(dns.ClassINET) {
		return query, 0, false
	}
	query.typ = uint16(packet[end+1])
	query.question = end + 4
	switch query.typ {
	case dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeSVCB:
	default:
		return query, 0, false
	}
	query.limit = dns.MinMsgSize
	q.subnet, q.cookie = subnet{}, nil
	rest := packet[query.question:]
	if packet[11] == 0 {
		if len(rest) != 0 {
			return query, 0, false
		}
	} else if !q.opt(rest, &query) {
		return query, 0, false
	}
	return query, q.hash(packet[headerLen:], end-headerLen, query.typ), true
}

// opt reads an OPT record of version 0 with no options but perhaps a client
// subnet and a cookie.
func (q *quick) opt(rest []byte, query *quickQuery) bool {
	if len(rest) < optLen || rest[0] != 0 || rest[1] != 0 || rest[2] != byte(dns.TypeOPT) || rest[6] != 0 {
		return false
	}
	length := int(binary.BigEndian.Uint16(rest[9:]))
	if len(rest) != optLen+length {
		return false
	}
	query.opt = true
	query.do = rest[7]&0x80 != 0
	query.limit = min(max(int(binary.BigEndian.Uint16(rest[3:])), dns.MinMsgSize), UDPSize)
	for options := rest[optLen:]; len(options) > 0; {
		if len(options) < 4 {
			return false
		}
		code, n := binary.BigEndian.Uint16(options), int(binary.BigEndian.Uint16(options[2:]))
		if n > len(options)-4 {
			return false
		}
		option := options[4 : 4+n]
		switch {
		case code == dns.EDNS0SUBNET && !q.subnet.asked:
			if q.subnet.read(option) != "" {
				return false
			}
		case code == dns.EDNS0COOKIE && q.cookie == nil && cookieLength(n):
			q.cookie = option
		default:
			return false
		}
		options = options[4+n:]
	}
	return true
}
