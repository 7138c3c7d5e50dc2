// Package rr turns the text of one resource record's data into the record and
// refuses what a zone cannot hold. It is the whole of our knowledge about
// zone-file text: names in the data are relative to the zone, one record is
// one line, and nothing in it may pull in other files. It does no I/O.
package rr

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Parse returns the record of class IN that typ and data, zone-file text with
// names relative to origin, describe; whose it is and for how long, the caller
// knows.
func Parse(typ, data, origin string) (dns.RR, error) {
	want, err := Type(typ)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(data) == "" {
		return nil, fmt.Errorf("%s data %q: no data", typ, data)
	}
	if err := plain(data); err != nil {
		return nil, fmt.Errorf("%s data %q: %w", typ, data, err)
	}
	parser := dns.NewZoneParser(strings.NewReader(". 0 IN "+typ+" "+data+"\n"), dns.Fqdn(origin), "")
	record, ok := parser.Next()
	if err := parser.Err(); err != nil {
		return nil, fmt.Errorf("%s data %q: %s", typ, data, cause(err))
	}
	if !ok || record.Header().Rrtype != want {
		return nil, fmt.Errorf("%s data %q: no data", typ, data)
	}
	if _, more := parser.Next(); more || parser.Err() != nil {
		return nil, fmt.Errorf("%s data %q: more than one record", typ, data)
	}
	if _, err := Sent(record); err != nil {
		return nil, fmt.Errorf("%s data %q: %w", typ, data, err)
	}
	return record, nil
}

// Type returns the number of the type called name, a type a zone file may
// hold: no query type, no record that lives in messages only, and no SOA,
// which a zone has by itself.
func Type(name string) (uint16, error) {
	typ, ok := dns.StringToType[name]
	if !ok {
		var n uint16
		if _, err := fmt.Sscanf(name, "TYPE%d", &n); err != nil || fmt.Sprintf("TYPE%d", n) != name {
			return 0, fmt.Errorf("%q is no record type", name)
		}
		typ = n
	}
	if typ == dns.TypeSOA {
		return 0, errors.New("SOA is no record of its own: the zone has it")
	}
	if !Holds(typ) {
		return 0, fmt.Errorf("%s is no type of a zone's record", name)
	}
	return typ, nil
}

// Holds reports whether a zone may hold records of a type: meta and query
// types live in messages only (RFC 6895, section 3.1).
func Holds(typ uint16) bool {
	return typ != dns.TypeNone && typ != dns.TypeReserved && typ != dns.TypeOPT && (typ < 128 || typ > 255)
}

// plain refuses text that a zone file would read as something other than
// this record's data: further lines, and comments, which would silently cut
// what follows an unquoted semicolon.
func plain(data string) error {
	quoted := false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '\\':
			if !Escapes(data[i:]) {
				return fmt.Errorf(`%q: an escape of three digits is at most \255`, data[i:i+4])
			}
			i++
		case c == '"':
			quoted = !quoted
		case c < ' ' && c != '\t', c == 0x7f:
			return fmt.Errorf("control character %#02x: write it as \\%03d", c, c)
		case c == ';' && !quoted:
			return errors.New(`";" starts a comment: put the text in double quotes`)
		case (c == '(' || c == ')') && !quoted:
			return fmt.Errorf(`%q joins lines, and this is one: put the text in double quotes`, c)
		}
	}
	if quoted {
		return errors.New("a double quote is not closed")
	}
	return nil
}

// Escapes reports whether text, which begins with a backslash, begins with an
// escape that means something: three digits are an octet (RFC 1035, section 5.1).
func Escapes(text string) bool {
	if len(text) < 4 {
		return true
	}
	for _, c := range text[1:4] {
		if c < '0' || c > '9' {
			return true
		}
	}
	return text[1:4] <= "255"
}

// Sent is [Wire] of a record that survives being sent: what resolvers read of
// it, sent on, is the same. Other records are an error.
func Sent(record dns.RR) ([]byte, error) {
	told := int(record.Header().Rdlength) // in the form of RFC 3597
	if err := svcb(record); err != nil {
		return nil, err
	}
	order(record)
	sent, err := Wire(record)
	if err != nil {
		return nil, err
	}
	if told != 0 && told != len(sent) {
		return nil, fmt.Errorf("%d octets given, of which %d have a meaning", told, len(sent))
	}
	typ := record.Header().Rrtype
	if len(sent) == 0 && typ != dns.TypeAPL && typ != dns.TypeNULL && dns.TypeToRR[typ] != nil {
		return nil, errors.New("no data")
	}
	back, _, err := dns.UnpackRRWithHeader(dns.RR_Header{Name: ".", Rrtype: typ, Class: dns.ClassINET, Rdlength: uint16(len(sent))}, sent, 0)
	if err != nil {
		return nil, errors.New(cause(err))
	}
	again, err := Wire(back)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(sent, again) {
		return nil, fmt.Errorf("cannot be sent as written, only as %q", Data(back))
	}
	return sent, nil
}

// order puts the types that a record lists, in text in any order, into the one
// they are sent in (RFC 4034, section 4.1.2).
func order(record dns.RR) {
	switch r := record.(type) {
	case *dns.NSEC:
		slices.Sort(r.TypeBitMap)
	case *dns.NSEC3:
		slices.Sort(r.TypeBitMap)
	case *dns.CSYNC:
		slices.Sort(r.TypeBitMap)
	}
}

// svcb is what is wrong with the parameters of a service binding: clients take
// no notice of one that contradicts itself (RFC 9460, sections 7.1.1 and 8).
func svcb(record dns.RR) error {
	var values []dns.SVCBKeyValue
	switch r := record.(type) {
	case *dns.SVCB:
		values = r.Value
	case *dns.HTTPS:
		values = r.Value
	}
	given := map[dns.SVCBKey]bool{}
	for _, v := range values {
		if given[v.Key()] {
			return fmt.Errorf("%s is given twice", v.Key())
		}
		given[v.Key()] = true
		if alpn, ok := v.(*dns.SVCBAlpn); ok && (len(alpn.Alpn) == 0 || slices.Contains(alpn.Alpn, "")) {
			return errors.New("alpn names no protocol")
		}
	}
	for _, v := range values {
		mandatory, ok := v.(*dns.SVCBMandatory)
		if !ok {
			continue
		}
		for i, key := range mandatory.Code {
			if slices.Contains(mandatory.Code[:i], key) {
				return fmt.Errorf("%s is mandatory twice", key)
			}
			if key == dns.SVCB_MANDATORY || !given[key] {
				return fmt.Errorf("%s is mandatory, but not given", key)
			}
		}
	}
	if given[dns.SVCB_NO_DEFAULT_ALPN] && !given[dns.SVCB_ALPN] {
		return errors.New("no-default-alpn without alpn")
	}
	return nil
}

// Data is the data of a record as zone-file text, for a type without a name
// in the form of RFC 3597.
func Data(record dns.RR) string {
	if r, ok := record.(*dns.RFC3597); ok {
		return fmt.Sprintf(`\# %d %s`, len(r.Rdata)/2, r.Rdata)
	}
	return strings.TrimPrefix(record.String(), record.Header().String())
}

var place = regexp.MustCompile(` at line: \d+:\d+$`)

// cause is what the parser complains about, without its own name and a line
// number that means nothing to the reader.
func cause(err error) string {
	return place.ReplaceAllString(strings.TrimPrefix(err.Error(), "dns: "), "")
}

// Wire is the data of a record as it is sent, names not compressed.
func Wire(record dns.RR) ([]byte, error) {
	buf := make([]byte, dns.Len(record))
	end, err := dns.PackRR(record, buf, 0, nil, false)
	if err != nil { // the length is an estimate
		buf = make([]byte, dns.MaxMsgSize)
		end, err = dns.PackRR(record, buf, 0, nil, false)
	}
	if err != nil {
		return nil, errors.New(cause(err))
	}
	return append([]byte(nil), buf[end-int(record.Header().Rdlength):end]...), nil
}

// Name is a domain name as it is sent: labels with their lengths, in the case given.
func Name(text string) (string, error) {
	var buf [256]byte
	end, err := dns.PackDomainName(dns.Fqdn(text), buf[:], 0, nil, false)
	if err != nil || end > 255 {
		return "", fmt.Errorf("%q is no domain name", text)
	}
	return string(buf[:end]), nil
}
