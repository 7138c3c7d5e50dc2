package dnsserver

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

const headerLen = 12

// A query is what a message asks, as far as it could be read. Its slices are
// parts of the message.
type query struct {
	id     uint16
	opcode int
	rd, cd bool

	questions int
	asked     bool // there is exactly one question and it could be read
	question  []byte
	name      []byte // as it was sent
	typ       uint16
	class     uint16

	fault string // what is wrong with the message; "" if nothing is
	edns
}

// parse reads a message. It returns false for what deserves no reply: less
// than a header, and replies, which answering could turn into a loop.
func (q *query) parse(packet []byte) bool {
	if len(packet) < headerLen || packet[2]&0x80 != 0 {
		return false
	}
	*q = query{
		id:        binary.BigEndian.Uint16(packet),
		opcode:    int(packet[2]>>3) & 0xf,
		rd:        packet[2]&1 != 0,
		cd:        packet[3]&0x10 != 0,
		questions: int(binary.BigEndian.Uint16(packet[4:])),
		edns:      edns{size: dns.MinMsgSize},
	}
	additional := int(binary.BigEndian.Uint16(packet[10:]))
	records := int(binary.BigEndian.Uint16(packet[6:])) + int(binary.BigEndian.Uint16(packet[8:])) + additional

	r := reader{packet: packet, at: headerLen}
	for i := range q.questions {
		from := r.at
		plain := r.skipName()
		typ, class := r.uint16(), r.uint16()
		if r.failed {
			break
		}
		// There is nothing before the question's name that it could point to.
		if i == 0 && q.questions == 1 && plain {
			q.asked = true
			q.question = packet[from:r.at]
			q.name = packet[from : r.at-4]
			q.typ, q.class = typ, class
		}
	}
	for left := records; left > 0 && !r.failed; left-- {
		q.record(&r, left <= additional)
	}
	switch {
	case r.failed:
		q.fail("the message is cut short")
	case r.at != len(packet):
		q.fail("bytes after the message")
	case q.questions == 1 && !q.asked:
		q.fail("the question's name is compressed")
	}
	return true
}

// fail notes the first thing that is wrong.
func (q *query) fail(what string) {
	if q.fault == "" {
		q.fault = what
	}
}

// record reads one record, of which only OPT matters (RFC 6891, section 6.1).
func (q *query) record(r *reader, additional bool) {
	from := r.at
	r.skipName()
	root := r.at == from+1
	typ, class, ttl := r.uint16(), r.uint16(), r.uint32()
	data := r.bytes(int(r.uint16()))
	if r.failed || typ != dns.TypeOPT {
		return
	}
	switch {
	case !root || !additional:
		q.fail("OPT at the wrong place")
	case q.present:
		q.fail("more than one OPT")
	}
	if q.fault == "" {
		q.read(class, ttl, data)
	}
	q.present = true
}

// A reader takes a message apart. Once something is missing, failed stays set
// and everything read is zero.
type reader struct {
	packet []byte
	at     int
	failed bool
}

func (r *reader) bytes(n int) []byte {
	if r.failed || n > len(r.packet)-r.at {
		r.failed = true
		return nil
	}
	r.at += n
	return r.packet[r.at-n : r.at]
}

func (r *reader) uint16() uint16 {
	b := r.bytes(2)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

func (r *reader) uint32() uint32 {
	b := r.bytes(4)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

// skipName passes a name and reports whether it is plain, that is without a
// compression pointer. Where a pointer leads is not followed.
func (r *reader) skipName() bool {
	length := 0
	for {
		b := r.bytes(1)
		if b == nil {
			return false
		}
		n := int(b[0])
		switch {
		case n == 0:
			return true
		case n >= 0xc0:
			r.bytes(1)
			return false
		case n >= 0x40:
			r.failed = true // RFC 6891, section 5: extended label types are gone
			return false
		}
		r.bytes(n)
		if length += n + 1; length >= maxName {
			r.failed = true
		}
	}
}
