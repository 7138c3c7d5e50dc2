// Package zonefile reads master files, the text in which zones have been
// written since RFC 1035 (section 5): [Parse] makes a [Zone] of one. It knows
// what a record is, not what a server does with it, and does no I/O: $INCLUDE,
// which would read other files, is refused.
package zonefile

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"gslb/dnsserver/rr"
)

// A Zone is what a master file says.
type Zone struct {
	File    string // as it was opened; errors name it
	Origin  string // the zone's name, with trailing dot
	Records []Record
}

// A Record is one record of class IN.
type Record struct {
	Owner string // as it is sent, in the case written
	Type  uint16
	TTL   uint32
	Data  []byte // as it is sent, names not compressed
	Line  int    // on which the record ends, counted from 1
}

// maxTTL is the longest time to live there is, in seconds (RFC 2181, section 8).
const maxTTL = 1<<31 - 1

// most is how many errors are told of one file.
const most = 20

// Parse reads text, which is the file called file, as the zone origin. Records
// without a TTL of their own, from $TTL or from a record before get ttl. The
// error lists what is wrong in lines "FILE:LINE: what", up to the first place
// behind which the text cannot be followed any more.
func Parse(file, origin, text string, ttl time.Duration) (*Zone, error) {
	origin = dns.Fqdn(origin)
	if _, err := rr.Name(origin); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	p := parser{zone: &Zone{File: file, Origin: origin}, apex: dns.CanonicalName(origin)}
	in := &lines{text: text}
	records := dns.NewZoneParser(in, origin, "")
	records.SetDefaultTTL(uint32(min(max(ttl/time.Second, 0), maxTTL)))
	for {
		record, ok := records.Next()
		if !ok {
			break
		}
		p.record(record, in.ended())
	}
	if err := records.Err(); err != nil {
		p.syntax(err)
	}
	if p.count > most {
		p.faults = append(p.faults, fmt.Errorf("%s: %d errors more", file, p.count-most))
	}
	if len(p.faults) > 0 {
		return nil, errors.Join(p.faults...)
	}
	return p.zone, nil
}

type parser struct {
	zone    *Zone
	apex    string
	soaLine int
	name    string // the owner before, as text and as it is sent
	owner   string
	count   int
	faults  []error
}

func (p *parser) fault(line int, format string, args ...any) {
	if p.count++; p.count <= most {
		p.faults = append(p.faults, fmt.Errorf("%s:%d: %w", p.zone.File, line, fmt.Errorf(format, args...)))
	}
}

// record takes in one record, which ends on line.
func (p *parser) record(record dns.RR, line int) {
	h := record.Header()
	typ := dns.Type(h.Rrtype)
	if h.Name == "" {
		p.fault(line, "%s: no owner, and no record before to take it from", typ)
		return
	}
	if h.Name != p.name || p.owner == "" {
		owner, err := rr.Name(h.Name)
		if err != nil {
			p.fault(line, "owner: %w", err)
			return
		}
		p.name, p.owner = h.Name, owner
	}
	switch {
	case h.Class != dns.ClassINET:
		p.fault(line, "%s %s: class %s, only IN is served", h.Name, typ, dns.Class(h.Class))
		return
	case !dns.IsSubDomain(p.apex, h.Name):
		p.fault(line, "%s %s: not in zone %s", h.Name, typ, p.zone.Origin)
		return
	case !rr.Holds(h.Rrtype):
		p.fault(line, "%s %s: no type of a zone's record", h.Name, typ)
		return
	case h.Ttl > maxTTL:
		p.fault(line, "%s %s: TTL %d, at most %d is possible", h.Name, typ, h.Ttl, maxTTL)
		return
	}
	if h.Rrtype == dns.TypeSOA {
		if dns.CanonicalName(h.Name) != p.apex {
			p.fault(line, "%s SOA: only the zone itself has one", h.Name)
			return
		}
		if p.soaLine != 0 {
			p.fault(line, "%s SOA: a second one, the first is on line %d", h.Name, p.soaLine)
			return
		}
		p.soaLine = line
	}
	data, err := rr.Sent(record)
	if err != nil {
		p.fault(line, "%s %s: %w", h.Name, typ, err)
		return
	}
	p.zone.Records = append(p.zone.Records, Record{Owner: p.owner, Type: h.Rrtype, TTL: h.Ttl, Data: data, Line: line})
}

var place = regexp.MustCompile(`(?s)^dns: (.*) at line: (\d+):\d+$`)

// syntax tells what the library could not read, in the form of our own errors.
func (p *parser) syntax(err error) {
	m := place.FindStringSubmatch(err.Error())
	if m == nil {
		p.faults = append(p.faults, fmt.Errorf("%s: %w", p.zone.File, err))
		return
	}
	line, _ := strconv.Atoi(m[2])
	if strings.HasPrefix(m[1], "$INCLUDE directive not allowed") {
		p.fault(line, "$INCLUDE: other files are not read, put their records here")
		return
	}
	p.fault(line, "%s", strings.Replace(m[1], "not a TTL", "no type, class or TTL", 1))
}

// lines is the text, read byte by byte, which tells how far the library is.
type lines struct {
	text     string
	at, line int
}

func (l *lines) ReadByte() (byte, error) {
	if l.at == len(l.text) {
		return 0, io.EOF
	}
	c := l.text[l.at]
	l.at++
	if c == '\n' {
		l.line++
	}
	return c, nil
}

func (l *lines) Read(b []byte) (int, error) {
	for i := range b {
		c, err := l.ReadByte()
		if err != nil {
			return i, err
		}
		b[i] = c
	}
	return len(b), nil
}

// ended is the line of the last byte read.
func (l *lines) ended() int {
	if l.at > 0 && l.text[l.at-1] == '\n' {
		return l.line
	}
	return l.line + 1
}
