package rr

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for name, c := range map[string]struct{ typ, data, want string }{
		"an address": {"A", "192.0.2.1", ".\t0\tIN\tA\t192.0.2.1"},
		"a relative name is relative to the zone": {"CNAME", "cdn", ".\t0\tIN\tCNAME\tcdn.example.org."},
		"@ is the zone":                            {"MX", "10 @", ".\t0\tIN\tMX\t10 example.org."},
		"an absolute name stays":                   {"MX", "10 mail.example.net.", ".\t0\tIN\tMX\t10 mail.example.net."},
		"the case of a name stays":                 {"CNAME", "CDN.Example.net.", ".\t0\tIN\tCNAME\tCDN.Example.net."},
		"a semicolon in quotes is text":            {"TXT", `"v=DMARC1; p=none"`, ".\t0\tIN\tTXT\t\"v=DMARC1; p=none\""},
		"parentheses in quotes are text":           {"TXT", `"(x)"`, ".\t0\tIN\tTXT\t\"(x)\""},
		"a type without a name":                    {"TYPE65280", `\# 2 abcd`, ".\t0\tCLASS1\tTYPE65280\t\\# 2 abcd"},
		"a known type in the form of unknown ones": {"A", `\# 4 c0000201`, ".\t0\tIN\tA\t192.0.2.1"},
		"a service binding":                        {"HTTPS", `1 . alpn="h2"`, ".\t0\tIN\tHTTPS\t1 . alpn=\"h2\""},
		"a certification authority":                {"CAA", `0 issue "ca.example.net"`, ".\t0\tIN\tCAA\t0 issue \"ca.example.net\""},
	} {
		t.Run(name, func(t *testing.T) {
			record, err := Parse(c.typ, c.data, "example.org.")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, record.String()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct{ typ, data, want string }{
		"a bad address":                  {"A", "192.0.2.256", "192.0.2.256"},
		"an address of the other family": {"A", "2001:db8::1", "2001:db8::1"},
		"no data":                        {"A", "", `A data ""`},
		"blanks only":                    {"TXT", "  ", "TXT data"},
		"a type there is not":            {"WWW", "x", `"WWW" is no record type`},
		"a type in lower case":           {"a", "192.0.2.1", `"a" is no record type`},
		"a query type":                   {"ANY", "x", "ANY is no type"},
		"a message's record":             {"OPT", "x", "OPT is no type"},
		"the zone's own record":          {"SOA", "a. b. 1 2 3 4 5", "the zone has it"},
		"a second line":                  {"A", "192.0.2.1\nx A 192.0.2.2", "control character 0x0a"},
		"a directive on a second line":   {"A", "192.0.2.1\n$INCLUDE /etc/passwd", "control character 0x0a"},
		"a comment":                      {"TXT", "v=DMARC1; p=none", "comment"},
		"an open parenthesis":            {"A", "( 192.0.2.1", "one"},
		"an open quote":                  {"TXT", `"a`, "not closed"},
		"a long label":                   {"CNAME", strings.Repeat("a", 64) + ".example.", "CNAME data"},
		"a long name":                    {"CNAME", strings.Repeat("abcdefg.", 32) + "example.", "CNAME data"},
		"trailing words":                 {"A", "192.0.2.1 192.0.2.2", "192.0.2.2"},
		"a preference without a name":    {"MX", "10", "MX data"},
		"a generic form without content": {"A", `\# 0`, "A data"},
		"a generic form too short":       {"MX", `\# 1 00`, "MX data"},
		"a generic form of wrong length": {"A", `\# 3 c00002`, "A data"},
		"a generic form too long":        {"MX", `\# 4 000a0000`, "4 octets given, of which 3 have a meaning"},
		"an octet there is not":          {"TXT", `x\256`, `at most \255`},
		"a mandatory key not given":      {"HTTPS", "1 . mandatory=alpn port=53", "alpn is mandatory, but not given"},
		"a key given twice":              {"HTTPS", "1 . port=53 port=54", "given twice"},
		"no default and no other":        {"HTTPS", "1 . no-default-alpn", "no-default-alpn without alpn"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(c.typ, c.data, "example.org.")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), " at line") {
				t.Errorf("error %v counts lines of a text nobody has", err)
			}
		})
	}
}

// Whatever is accepted is one record that can be sent.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"192.0.2.1", `"a" "b"`, "10 mail", `\# 4 c0000201`, "1 . alpn=h2", "(\n)", ";", "@"} {
		for _, typ := range []string{"A", "TXT", "MX", "HTTPS", "LOC", "TYPE65280"} {
			f.Add(typ, s)
		}
	}
	f.Fuzz(func(t *testing.T, typ, data string) {
		record, err := Parse(typ, data, "example.org.")
		if err != nil || strings.Contains(data, `\#`) { // the generic form can say what the type's own text cannot
			return
		}
		again, err := Parse(typ, Data(record), "example.org.")
		if err != nil {
			t.Fatalf("%s %q is accepted, its own text %q is not: %v", typ, data, Data(record), err)
		}
		if diff := cmp.Diff(record.String(), again.String()); diff != "" {
			t.Errorf("(-first +second)\n%s", diff)
		}
	})
}
