// Package zonefile reads master files, the text in which zones have been
// written since RFC 1035 (section 5): [Parse] makes a [Zone] of one. It knows
// what a record is, not what a server does with it, and does no I/O: $INCLUDE,
// which would read other files, is refused.
package zonefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"gslb/dnsserver/rr"
)

// A Zone is what a master file says. It is kept for as long as the file stays
// as it is, so it takes little room: what owners and data are made of is in
// two pieces of memory, however many records there are.
type Zone struct {
	File   string // as it was opened; errors name it
	Origin string // the zone's name, with trailing dot
	// Unserved says that the file has errors and nobody knows what was there before: the zone is ours, and there is no answer.
	Unserved bool
	records  []packed
	owners   string
	data     []byte
}

// A packed record begins where the one before ends, and so does its owner,
// unless that is the same.
type packed struct {
	owner, data uint32 // where they end in a zone's owners and data
	ttl, line   uint32
	typ         uint16
	length      uint8 // of the owner
}

// largest is how many bytes all owners, and all data, of a file come to at most.
const largest = 1 << 31

// Records are the zone's in the order of the file. The memory of their data is
// the zone's and must not be changed.
func (z *Zone) Records() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		from := uint32(0)
		for _, r := range z.records {
			if !yield(Record{z.owners[r.owner-uint32(r.length) : r.owner], r.typ, r.ttl, z.data[from:r.data:r.data], int(r.line)}) {
				return
			}
			from = r.data
		}
	}
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
// error joins a [Fault] for everything that is wrong, up to the first place
// behind which the text cannot be followed any more.
func Parse(file, origin, text string, ttl time.Duration) (*Zone, error) {
	origin = dns.Fqdn(origin)
	if _, err := rr.Name(origin); err != nil {
		return nil, &Fault{File: file, Err: err}
	}
	p := parser{zone: &Zone{File: file, Origin: origin}, apex: dns.CanonicalName(origin)}
	in := &lines{text: text, ttl: uint32(min(max(ttl/time.Second, 0), maxTTL))}
	records := dns.NewZoneParser(in, origin, "")
	records.SetDefaultTTL(in.ttl)
	for {
		record, ok := records.Next()
		if !ok || in.bad != 0 {
			break
		}
		in.timed(record)
		p.record(record, in.ended())
	}
	if in.bad != 0 {
		p.fault(in.bad, "an escape of three digits is at most \\255")
	} else if err := records.Err(); err != nil {
		p.syntax(err)
	}
	if p.count > most {
		p.faults = append(p.faults, &Fault{File: file, Err: fmt.Errorf("%d errors more", p.count-most)})
	}
	if len(p.faults) == 0 && len(p.zone.records) == 0 {
		// Somebody has not finished writing it, say: every name would be gone.
		return nil, &Fault{File: file, Err: errors.New("it has no record")}
	}
	if len(p.faults) > 0 {
		return nil, errors.Join(p.faults...)
	}
	p.zone.records, p.zone.data, p.zone.owners = slices.Clone(p.zone.records), bytes.Clone(p.zone.data), string(p.owners)
	return p.zone, nil
}

// A Fault is what is wrong in a master file, as an error.
type Fault struct {
	File string // as it was opened
	Line int    // counted from 1; 0: the file as a whole
	Err  error  // what is wrong there
}

func (f *Fault) Error() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %v", f.File, f.Err)
	}
	return fmt.Sprintf("%s:%d: %v", f.File, f.Line, f.Err)
}

func (f *Fault) Unwrap() error { return f.Err }

type parser struct {
	zone    *Zone
	apex    string
	soaLine int
	name    string // the owner before, as text and as it is sent
	owner   string
	owners  []byte
	count   int
	faults  []error
}

func (p *parser) fault(line int, format string, args ...any) {
	if p.count++; p.count <= most {
		p.faults = append(p.faults, &Fault{p.zone.File, line, fmt.Errorf(format, args...)})
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
		p.owners = append(p.owners, owner...)
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
	if max(len(p.owners), len(p.zone.data)+len(data)) > largest {
		p.fault(line, "%s %s: the records before take %d bytes, which is all there is room for", h.Name, typ, largest)
		return
	}
	p.zone.data = append(p.zone.data, data...)
	p.zone.records = append(p.zone.records, packed{uint32(len(p.owners)), uint32(len(p.zone.data)), h.Ttl, uint32(line), h.Rrtype, uint8(len(p.owner))})
}

var place = regexp.MustCompile(`(?s)^dns: (.*) at line: (\d+):\d+$`)

// syntax tells what the library could not read, in the form of our own errors.
func (p *parser) syntax(err error) {
	m := place.FindStringSubmatch(err.Error())
	if m == nil {
		p.faults = append(p.faults, &Fault{File: p.zone.File, Err: err})
		return
	}
	line, _ := strconv.Atoi(m[2])
	if strings.HasPrefix(m[1], "$INCLUDE directive not allowed") {
		p.fault(line, "$INCLUDE: other files are not read, put their records here")
		return
	}
	if strings.HasPrefix(m[1], ": ") { // it has no words for some
		m[1] = "cannot be read" + m[1]
	}
	p.fault(line, "%s", strings.Replace(m[1], "not a TTL", "no type, class or TTL", 1))
}

// lines is the text, read byte by byte, which tells how far the library is. It
// keeps from it what it would get wrong: comments, since a word behind one is
// taken for a type where that is its name, and escapes of octets there are not.
// And it knows the TTL of what $GENERATE makes, for which the library has its own.
type lines struct {
	text     string
	at, line int
	from     int // where the line begins
	quoted   bool
	escaped  bool
	bad      int // the line of an escape that means no octet; 0: none

	ttl       uint32 // of records that state none
	fixed     bool   // by $TTL
	generated bool   // the last line was $GENERATE, without a TTL
}

func (l *lines) ReadByte() (byte, error) {
	if !l.quoted && !l.escaped && l.at < len(l.text) && l.text[l.at] == ';' {
		if n := strings.IndexByte(l.text[l.at:], '\n'); n >= 0 {
			l.at += n
		} else {
			l.at = len(l.text)
		}
	}
	if l.at == len(l.text) {
		l.end()
		return 0, io.EOF
	}
	c := l.text[l.at]
	switch {
	case l.escaped:
		l.escaped = false
	case c == '\\':
		l.escaped = true
		if !rr.Escapes(l.text[l.at:]) {
			l.bad = l.line + 1
			return 0, errEscape
		}
	case c == '"':
		l.quoted = !l.quoted
	}
	if c == '\n' {
		if !l.quoted {
			l.end()
		}
		l.line++
	}
	l.at++
	return c, nil
}

var errEscape = errors.New("no such octet")

// end looks at the line that ends where l is.
func (l *lines) end() {
	line := l.text[l.from:l.at]
	l.from, l.generated = min(l.at+1, len(l.text)), false
	if !strings.HasPrefix(line, "$") {
		return
	}
	line, _, _ = strings.Cut(line, ";")
	words := strings.Fields(line)
	switch strings.ToUpper(words[0]) {
	case "$TTL":
		// What the library cannot read it tells by itself.
		if len(words) == 2 {
			if record, err := dns.NewRR(". " + words[1] + " A 192.0.2.1"); err == nil {
				l.ttl, l.fixed = record.Header().Ttl, true
			}
		}
	case "$GENERATE":
		// $GENERATE RANGE OWNER [TTL] [CLASS] TYPE DATA; class and TTL may change places.
		l.generated = true
		for _, word := range words[min(3, len(words)):min(5, len(words))] {
			if word[0] >= '0' && word[0] <= '9' {
				l.generated = false
			}
			if dns.StringToClass[strings.ToUpper(word)] == 0 {
				break
			}
		}
	}
}

// timed gives a record that $GENERATE has just made the TTL that one written
// there would have.
func (l *lines) timed(record dns.RR) {
	if h := record.Header(); l.generated {
		h.Ttl = l.ttl
	} else if !l.fixed {
		l.ttl = h.Ttl // it is that of the next which states none
	}
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
