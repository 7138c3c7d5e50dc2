package dnsserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"gslb/dnsserver/rr"
	"gslb/topology"
)

// A Told is a reply in words.
type Told struct {
	Rcode         string // NOERROR, NXDOMAIN, REFUSED, ...
	Authoritative bool
	// Name is where the aliases, if any, have led, and Zone the zone it lies
	// in; "" when that is none of ours.
	Name, Zone                    string
	Domain                        *topology.Domain // that steers it; nil: none
	Answer, Authority, Additional []Record
	Scope                         int // of ECS, when the resolver tells the client
	// Error is the extended error that those get who ask with EDNS (RFC 8914);
	// nil: none.
	Error *ExtendedError
}

// An ExtendedError says to people who look at a reply what is behind it.
type ExtendedError struct {
	Code uint16
	Name string // of the code, as in "Stale Answer"
	Text string // "": no more than the code says
}

// A Record is one record of a reply, its data as zone-file text.
type Record struct {
	Name string // as it is sent, with trailing dot
	TTL  time.Duration
	Type string
	Data string
}

// Tell returns what is answered over TCP when asked for the name, as
// zone-file text, and the type, as in "A", and where the answer comes from. The
// zero Addr as client is nobody in particular.
func (t *Table) Tell(client netip.Addr, name, typ string, u uint64) (Told, error) {
	number, ok := typeNumber(typ)
	if !ok {
		return Told{}, fmt.Errorf("%q is no record type", typ)
	}
	wire, err := rr.Name(name)
	if err != nil {
		return Told{}, err
	}
	packet := make([]byte, headerLen, headerLen+len(wire)+4)
	packet[5] = 1 // one question
	packet = append(packet, wire...)
	packet = binary.BigEndian.AppendUint16(packet, number)
	packet = binary.BigEndian.AppendUint16(packet, dns.ClassINET)
	var told Told
	var m dns.Msg
	var w Worker
	reply := w.reply(nil, t, &Options{}, Request{Packet: packet, Via: TCP, From: client, U: u}, &told)
	if reply == nil {
		return Told{}, errors.New("no reply")
	}
	if err := m.Unpack(reply); err != nil {
		return Told{}, fmt.Errorf("reply: %w", err)
	}
	told.Rcode = dns.RcodeToString[m.Rcode]
	told.Authoritative = m.Authoritative
	if e := w.a.ede; e.given {
		told.Error = &ExtendedError{e.code, dns.ExtendedErrorCodeToString[e.code], e.text}
	}
	told.Answer, told.Authority, told.Additional = records(m.Answer), records(m.Ns), records(m.Extra)
	return told, nil
}

// IsType reports whether there is a record type of that name, in upper case:
// one that has a name, or a number as RFC 3597 writes it, TYPE65280.
func IsType(typ string) bool {
	_, ok := typeNumber(typ)
	return ok
}

// Types are the names of record types.
func Types() []string { return slices.Sorted(maps.Keys(dns.StringToType)) }

func typeNumber(typ string) (uint16, bool) {
	if number, ok := dns.StringToType[typ]; ok {
		return number, true
	}
	digits, ok := strings.CutPrefix(typ, "TYPE")
	number, err := strconv.ParseUint(digits, 10, 16)
	return uint16(number), ok && err == nil
}

func records(list []dns.RR) []Record {
	var out []Record
	for _, r := range list {
		h := r.Header()
		out = append(out, Record{Name: h.Name, TTL: time.Duration(h.Ttl) * time.Second, Type: dns.Type(h.Rrtype).String(), Data: rr.Data(r)})
	}
	return out
}
