package zonefile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// written is the records of a zone as "LINE OWNER TTL TYPE DATA".
func written(t *testing.T, z *Zone) []string {
	t.Helper()
	var list []string
	for r := range z.Records() {
		owner, _, err := dns.UnpackDomainName([]byte(r.Owner), 0)
		if err != nil {
			t.Fatal(err)
		}
		record, _, err := dns.UnpackRRWithHeader(dns.RR_Header{Name: owner, Rrtype: r.Type, Class: dns.ClassINET, Ttl: r.TTL, Rdlength: uint16(len(r.Data))}, r.Data, 0)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%d %s", r.Line, strings.ReplaceAll(record.String(), "\t", " ")))
	}
	return list
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"a SOA over several lines": {"@ IN SOA ns hostmaster (\n 1 ; serial\n 2h 15m\n 2w 30 )\n", []string{
			"4 example.org. 3600 IN SOA ns.example.org. hostmaster.example.org. 1 7200 900 1209600 30"}},
		"an owner left out is the one before": {"www A 192.0.2.1\n    AAAA 2001:db8::1\n", []string{
			"1 www.example.org. 3600 IN A 192.0.2.1", "2 www.example.org. 3600 IN AAAA 2001:db8::1"}},
		"TTL and class in either order": {"a 60 IN A 192.0.2.1\nb IN 60 A 192.0.2.1\nc 1h30m A 192.0.2.1\n", []string{
			"1 a.example.org. 60 IN A 192.0.2.1", "2 b.example.org. 60 IN A 192.0.2.1", "3 c.example.org. 5400 IN A 192.0.2.1"}},
		"$TTL is for what has none (RFC 2308, section 4)": {"$TTL 90\na A 192.0.2.1\nb 60 A 192.0.2.1\nc A 192.0.2.1\n", []string{
			"2 a.example.org. 90 IN A 192.0.2.1", "3 b.example.org. 60 IN A 192.0.2.1", "4 c.example.org. 90 IN A 192.0.2.1"}},
		"$ORIGIN moves relative names": {"$ORIGIN sub\na CNAME b\n$ORIGIN example.org.\na CNAME b.\n", []string{
			"2 a.sub.example.org. 3600 IN CNAME b.sub.example.org.", "4 a.example.org. 3600 IN CNAME b."}},
		"$GENERATE counts": {"$GENERATE 1-3 h$ A 192.0.2.$\n", []string{
			"1 h1.example.org. 3600 IN A 192.0.2.1", "1 h2.example.org. 3600 IN A 192.0.2.2", "1 h3.example.org. 3600 IN A 192.0.2.3"}},
		"what $GENERATE makes has the TTL of $TTL": {"$TTL 600\n$GENERATE 1-1 h$ A 192.0.2.$\na A 192.0.2.1\n$TTL 1m ; less\n$GENERATE 2-2 h$ IN A 192.0.2.$", []string{
			"2 h1.example.org. 600 IN A 192.0.2.1", "3 a.example.org. 600 IN A 192.0.2.1", "5 h2.example.org. 60 IN A 192.0.2.2"}},
		"what $GENERATE makes has its own TTL": {"$TTL 600\n$GENERATE 1-1 h$ 60 A 192.0.2.$\n$GENERATE 2-2 h$ IN 61 A 192.0.2.$\n$GENERATE 3-3 h$ 62 IN A 192.0.2.$\n", []string{
			"2 h1.example.org. 60 IN A 192.0.2.1", "3 h2.example.org. 61 IN A 192.0.2.2", "4 h3.example.org. 62 IN A 192.0.2.3"}},
		"without $TTL what $GENERATE makes has the TTL before": {"$GENERATE 1-1 h$ A 192.0.2.$\na 60 A 192.0.2.1\n$GENERATE 2-2 h$ A 192.0.2.$\nb A 192.0.2.2\n", []string{
			"1 h1.example.org. 3600 IN A 192.0.2.1", "2 a.example.org. 60 IN A 192.0.2.1", "3 h2.example.org. 60 IN A 192.0.2.2", "4 b.example.org. 60 IN A 192.0.2.2"}},
		"comments between words that are types elsewhere": {"a TXT ( x ; this; and\n A ; that\n)\nb NSEC ( c ; next\n A\n RRSIG )\n; $TTL 1\n", []string{
			`3 a.example.org. 3600 IN TXT "x" "A"`, "6 b.example.org. 3600 IN NSEC c.example.org. A RRSIG"}},
		"a semicolon that begins no comment": {`a TXT "x;y" x\;y` + "\nb TXT \"x\n; y\"\n", []string{
			`1 a.example.org. 3600 IN TXT "x;y" "x;y"`, `3 b.example.org. 3600 IN TXT "x\010; y"`}},
		"types that are listed out of order": {"a NSEC b AAAA TYPE65280 A\n", []string{
			"1 a.example.org. 3600 IN NSEC b.example.org. A AAAA TYPE65280"}},
		"the case of names stays": {"WWW CNAME Mail\n", []string{
			"1 WWW.example.org. 3600 IN CNAME Mail.example.org."}},
		"escapes": {`a\.b A 192.0.2.1` + "\n" + `\065 TXT "x\"y" "\200"` + "\n", []string{
			`1 a\.b.example.org. 3600 IN A 192.0.2.1`, `2 A.example.org. 3600 IN TXT "x\"y" "\200"`}},
		"unknown types and classes (RFC 3597)": {"x TYPE65280 \\# 3 0102 03\ny CLASS1 TYPE1 \\# 4 c0000201\n", []string{
			`1 x.example.org. 3600 CLASS1 TYPE65280 \# 3 010203`, "2 y.example.org. 3600 IN A 192.0.2.1"}},
		"no end of line at the end": {"a A 192.0.2.1\nb A 192.0.2.2", []string{
			"1 a.example.org. 3600 IN A 192.0.2.1", "2 b.example.org. 3600 IN A 192.0.2.2"}},
		"line ends of other systems": {"a A 192.0.2.1\r\nb A 192.0.2.2\r\n", []string{
			"1 a.example.org. 3600 IN A 192.0.2.1", "2 b.example.org. 3600 IN A 192.0.2.2"}},
		"data in many types": {`@ MX 10 mail
@ CAA 0 issue "ca.example.net"
_sip._tcp SRV 1 1 5060 mail
@ NAPTR 1 1 "s" "SIP+D2U" "" _sip._udp
@ HTTPS 1 . alpn="h2" ipv4hint=192.0.2.9
@ LOC 52 22 23 N 4 53 32 E -2m 0m 10000m 10m
_443._tcp TLSA 3 1 1 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
@ SSHFP 4 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
@ APL 1:192.0.2.0/24 !2:2001:db8::/32
`, []string{
			"1 example.org. 3600 IN MX 10 mail.example.org.",
			`2 example.org. 3600 IN CAA 0 issue "ca.example.net"`,
			"3 _sip._tcp.example.org. 3600 IN SRV 1 1 5060 mail.example.org.",
			`4 example.org. 3600 IN NAPTR 1 1 "s" "SIP+D2U" "" _sip._udp.example.org.`,
			`5 example.org. 3600 IN HTTPS 1 . alpn="h2" ipv4hint="192.0.2.9"`,
			"6 example.org. 3600 IN LOC 52 22 23.000 N 04 53 32.000 E -2m 0.00m 10000m 10m",
			"7 _443._tcp.example.org. 3600 IN TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			"8 example.org. 3600 IN SSHFP 4 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
			"9 example.org. 3600 IN APL 1:192.0.2.0/24 !2:2001:db8::/32"}},
	} {
		t.Run(name, func(t *testing.T) {
			z, err := Parse("x.zone", "example.org.", c.text, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, written(t, z)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	const soa = "@ SOA ns hostmaster 1 2 3 4 5\n"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nothing":                           {"", []string{"x.zone: it has no record"}},
		"only comments":                     {"; nothing\n\n  ; still nothing\n", []string{"x.zone: it has no record"}},
		"bad data":                          {"a A 192.0.2.1\n\nb A 192.0.2.256\nc A 192.0.2.1\n", []string{`x.zone:3: bad A A: "192.0.2.256"`}},
		"no such type":                      {"a NOTHING x\n", []string{`x.zone:1: no type, class or TTL: "NOTHING"`}},
		"a parenthesis that is not closed":  {"a TXT ( x\n", []string{`x.zone:1: bad TXT Txt: "unbalanced brace"`}},
		"a quote that is not closed":        {"a TXT \"x\n", []string{`x.zone:1: bad TXT Txt: " "`}},
		"another file":                      {"a A 192.0.2.1\n$INCLUDE /etc/passwd\n", []string{"x.zone:2: $INCLUDE: other files are not read, put their records here"}},
		"a record of no owner":              {" A 192.0.2.1\n", []string{"x.zone:1: A: no owner, and no record before to take it from"}},
		"a name outside":                    {"www.example.net. A 192.0.2.1\n", []string{"x.zone:1: www.example.net. A: not in zone example.org."}},
		"another class":                     {"a CH TXT x\n", []string{"x.zone:1: a.example.org. TXT: class CH, only IN is served"}},
		"a type of messages":                {"a TYPE255 \\# 0\n", []string{"x.zone:1: a.example.org. ANY: no type of a zone's record"}},
		"an octet there is not":             {"a A 192.0.2.1\nb TXT x\\256\n", []string{`x.zone:2: an escape of three digits is at most \255`}},
		"more octets than mean something":   {"a A \\# 5 c000020100\n", []string{"x.zone:1: a.example.org. A: 5 octets given, of which 4 have a meaning"}},
		"what the library has no words for": {"a HTTPS 1 . alpn=h2,,h3\n", []string{`x.zone:1: cannot be read: "alpn=h2,,h3"`}},
		"a second SOA":                      {soa + soa, []string{"x.zone:2: example.org. SOA: a second one, the first is on line 1"}},
		"a SOA elsewhere":                   {"a SOA ns hostmaster 1 2 3 4 5\n", []string{"x.zone:1: a.example.org. SOA: only the zone itself has one"}},
		"a TTL too long":                    {"a 2147483648 A 192.0.2.1\n", []string{"x.zone:1: a.example.org. A: TTL 2147483648, at most 2147483647 is possible"}},
		"everything at once": {"a.example. A 192.0.2.1\nb 2147483648 A 192.0.2.1\nc A x\n", []string{
			"x.zone:1: a.example. A: not in zone example.org.", "x.zone:2: b.example.org. A: TTL 2147483648, at most 2147483647 is possible", `x.zone:3: bad A A: "x"`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("x.zone", "example.org.", c.text, time.Hour)
			if err == nil {
				t.Fatal("accepted")
			}
			if diff := cmp.Diff(c.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseTellsSoManyErrorsAndNoMore(t *testing.T) {
	_, err := Parse("x.zone", "example.org.", strings.Repeat("a.example. A 192.0.2.1\n", 100), time.Hour)
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != most+1 || lines[most] != "x.zone: 80 errors more" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

// Whatever the text: no panic, and what is accepted can be sent.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n", "$TTL 1h\n$ORIGIN a\nx TXT ( \"a\"\n b )\n", "$GENERATE 1-3 h$ A 192.0.2.$\n",
		"x TYPE65280 \\# 3 010203\n", "$INCLUDE x\n", "a CLASS1 A 192.0.2.1 ; x\n", "a HTTPS 1 . alpn=h2\n", "\\000 A 192.0.2.1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(strings.ToUpper(text), "$GENERATE") && len(text) > 100 {
			return // multiplies
		}
		z, err := Parse("x.zone", "example.org.", text, time.Hour)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "x.zone:") {
				t.Fatalf("the error does not name the file: %v", err)
			}
			return
		}
		before := 0
		for r := range z.Records() {
			if r.Line < before || r.Line > strings.Count(text, "\n")+1 {
				t.Fatalf("line %d", r.Line)
			}
			before = r.Line
		}
		written(t, z)
	})
}
