// Package dnsserver is the authoritative name server: packets in, packets out.
// [Compile] makes zones of a topology, a [Table] joins them with what steering
// decides, a [Worker] turns one message into another and a [Server] does so on
// sockets. It owns DNS messages; it does not know who is up or why a client
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
	steered  []*steering.Steered // of each of zones.ready.domains
}

// NewTable joins zones with the steering of the topology they were made of.
func NewTable(zones *Zones, steering *steering.Table) *Table {
	t := &Table{zones: zones, steering: steering}
	for _, d := range zones.ready.domains {
		t.steered = append(t.steered, steering.Of(d.domain))
	}
	return t
}

// zone is the zone to answer from: the one the name lies in, but for the DS of
// a zone's own name the one above, if that is ours too.
func (t *Table) zone(name []byte, typ uint16) *zone {
	z := t.zones.enclosing(name)
	if typ == dns.TypeDS && z != nil && z.key == string(name) {
		if above, ok := parent(name); ok {
			if up := t.zones.enclosing(above); up != nil {
				return up
			}
		}
	}
	return z
}
