package dnsserver

import (
	"bytes"
	"encoding/binary"

	"github.com/miekg/dns"
)

// A message is a reply being written. Sets go in whole or not at all (RFC
// 2181, section 9); room for the OPT record is kept from the start.
type message struct {
	buf   []byte
	limit int  // for everything but OPT
	full  bool // a set did not fit: nothing more is added
	asked bool // the question is in it

	counts [3]uint16 // answer, authority, additional

	// names are where labels stand that later names may point to, oldest
	// first. A reply worth compressing has few; later ones go without.
	names [48]uint16
	known int
}

type section int

const (
	answer section = iota
	authority
	additional
)

// begin starts a reply of at most limit bytes in buf, of which keep stay free
// for the OPT record.
func (m *message) begin(buf []byte, limit, keep int) {
	m.limit, m.full, m.asked, m.counts, m.known = limit-keep, false, false, [3]uint16{}, 0
	m.buf = append(buf[:0], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
}

// ask puts the question in, byte for byte: its case may be a secret that the
// asker wants to see again.
func (m *message) ask(question []byte) {
	m.asked = true
	m.learn(len(m.buf), question[:len(question)-4])
	m.buf = append(m.buf, question...)
}

// cut takes everything out but the question.
func (m *message) cut(question []byte) {
	m.buf = m.buf[:headerLen]
	if m.asked {
		m.buf = append(m.buf, question...)
	}
	m.counts = [3]uint16{}
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// add puts a set into a section and reports whether it fitted. Sections are
// filled in their order.
func (m *message) add(to section, owner []byte, set *rrset) bool {
	if m.full {
		return false
	}
	before, known := len(m.buf), m.known
	for _, data := range set.data {
		m.name(owner)
		m.buf = binary.BigEndian.AppendUint16(m.buf, set.typ)
		m.buf = binary.BigEndian.AppendUint16(m.buf, dns.ClassINET)
		m.buf = binary.BigEndian.AppendUint32(m.buf, set.ttl)
		m.buf = append(m.buf, 0, 0)
		from := len(m.buf)
		m.data(set.typ, data)
		binary.BigEndian.PutUint16(m.buf[from-2:], uint16(len(m.buf)-from))
		if len(m.buf) > m.limit {
			m.buf, m.known, m.full = m.buf[:before], known, true
			return false
		}
	}
	m.counts[to] += uint16(len(set.data))
	return true
}

// data writes a record's data. Names may be compressed in the types of RFC
// 1035 only (RFC 3597, section 4).
func (m *message) data(typ uint16, data []byte) {
	names := 0
	switch typ {
	case dns.TypeNS, dns.TypeCNAME, dns.TypePTR:
		names = 1
	case dns.TypeMX:
		m.buf, data, names = append(m.buf, data[:2]...), data[2:], 1
	case dns.TypeSOA:
		names = 2
	}
	for range names {
		r := reader{packet: data}
		r.skipName()
		m.name(data[:r.at])
		data = data[r.at:]
	}
	m.buf = append(m.buf, data...)
}

// name writes a name, its end as a pointer where the same labels in the same
// case stand in the message already.
func (m *message) name(name []byte) {
	for at := 0; name[at] != 0; at += int(name[at]) + 1 {
		if p, ok := m.find(name[at:]); ok {
			from := len(m.buf)
			m.buf = append(m.buf, name[:at]...)
			m.learn(from, name[:at])
			m.buf = binary.BigEndian.AppendUint16(m.buf, 0xc000|p)
			return
		}
	}
	m.learn(len(m.buf), name)
	m.buf = append(m.buf, name...)
}

// learn remembers the labels of a name that starts at offset from.
func (m *message) learn(from int, name []byte) {
	for at := 0; at < len(name) && name[at] != 0; at += int(name[at]) + 1 {
		if from+at >= 0x4000 || m.known == len(m.names) {
			return
		}
		m.names[m.known] = uint16(from + at)
		m.known++
	}
}

func (m *message) find(name []byte) (uint16, bool) {
	for _, p := range m.names[:m.known] {
		if m.stands(int(p), name) {
			return p, true
		}
	}
	return 0, false
}

// stands reports whether the name at offset at of the message is name.
func (m *message) stands(at int, name []byte) bool {
	for {
		switch n := int(m.buf[at]); {
		case n >= 0xc0: // we wrote it, and it points back
			at = n&0x3f<<8 | int(m.buf[at+1])
		case n != int(name[0]):
			return false
		case n == 0:
			return true
		case !bytes.Equal(m.buf[at+1:at+1+n], name[1:1+n]):
			return false
		default:
			at += n + 1
			name = name[n+1:]
		}
	}
}
