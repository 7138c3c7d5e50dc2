// Package dnsserver is the authoritative name server: packets in, packets out.
// [Compile] makes zones of a topology, a [Table] joins them with what steering
// decides, [Table.Reply] turns one message into another and a [Server] does so
// on sockets. It owns DNS messages; it does not know who is up or why a client
// is sent somewhere.
//
// It is no recursive server, it transfers no zones and takes no updates.
package dnsserver

import (
	"github.com/miekg/dns"

	"gslb/steering"
)

// UDPSize is the largest reply sent over UDP, which passes unfragmented nearly
// everywhere, and the size our OPT records tell.
const UDPSize = 1232

// A Transport is how a message came and its reply goes.
type Transport uint8

// The transports.
const (
	UDP Transport = iota
	TCP
)

// A Table is everything a reply depends on, besides the query. It is never
// changed once made, so any number of workers may read it.
type Table struct {
	zones    *Zones
	steering *steering.Table
}

// NewTable joins zones with the steering of the topology they were made of.
func NewTable(zones *Zones, steering *steering.Table) *Table {
	return &Table{zones: zones, steering: steering}
}

// Reply writes the reply to packet into buf and returns it, or nil where
// silence is the answer. The number u makes the answers of steered names
// differ; the caller moves it by steering.Golden.
func (t *Table) Reply(buf, packet []byte, via Transport, u uint64) []byte {
	return t.reply(buf, packet, via, u, nil)
}

// reply is Reply, and tells told, unless it is nil, where the answer comes from.
func (t *Table) reply(buf, packet []byte, via Transport, u uint64, told *Told) []byte {
	q, ok := parse(packet)
	if !ok {
		return nil
	}
	limit := dns.MaxMsgSize
	if via == UDP {
		limit = min(q.size, UDPSize)
	}
	var m message
	m.begin(buf, &q, limit)
	switch q.opcode {
	case dns.OpcodeQuery:
	case dns.OpcodeUpdate:
		return m.finish(&q, dns.RcodeRefused, false, false)
	default:
		return m.finish(&q, dns.RcodeNotImplemented, false, false)
	}
	if !q.asked {
		return m.finish(&q, dns.RcodeFormatError, false, false)
	}
	m.ask(q.question)
	switch {
	case q.malformed:
		return m.finish(&q, dns.RcodeFormatError, false, false)
	case q.version > 0:
		return m.finish(&q, dns.RcodeBadVers, false, false)
	case q.class != dns.ClassINET, q.typ == dns.TypeAXFR, q.typ == dns.TypeIXFR:
		return m.finish(&q, dns.RcodeRefused, false, false)
	}
	z := t.zone(key(q.name), q.typ)
	if z == nil {
		return m.finish(&q, dns.RcodeRefused, false, false)
	}
	a := asking{table: t, m: &m, u: u, typ: q.typ, told: told}
	a.resolve(z, q.name)
	return m.finish(&q, a.rcode, a.aa, a.tc)
}

// zone is the zone to answer from: the one the name lies in, but for the DS of
// a zone's own name the one above, if that is ours too.
func (t *Table) zone(name string, typ uint16) *zone {
	z := t.zones.enclosing(name)
	if typ == dns.TypeDS && z != nil && z.key == name {
		if above, ok := parent(name); ok {
			if up := t.zones.enclosing(above); up != nil {
				return up
			}
		}
	}
	return z
}
