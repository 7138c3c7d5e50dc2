package rr

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParams(t *testing.T) {
	for name, c := range map[string]struct{ text, want, err string }{
		"none":                        {"", "", ""},
		"in the order of their keys":  {`port=8443 key65333=x alpn=h2,h3`, `alpn="h2,h3" port="8443" key65333="x"`, ""},
		"mandatory comes first":       {`alpn=h2 mandatory=port,alpn port=443`, `mandatory="alpn,port" alpn="h2" port="443"`, ""},
		"a key without a value":       {`alpn=h3 no-default-alpn`, `alpn="h3" no-default-alpn=""`, ""},
		"a path":                      {`alpn=h2 dohpath=/dns-query{?dns}`, `alpn="h2" dohpath="/dns-query{?dns}"`, ""},
		"hints are not for the file":  {`ipv4hint=192.0.2.1`, "", "ipv4hint are the addresses that are answered"},
		"nothing to be the default":   {`no-default-alpn`, "", "no-default-alpn without alpn"},
		"mandatory that is not there": {`mandatory=port alpn=h2`, "", "port is mandatory, but not given"},
		"mandatory itself":            {`mandatory=mandatory alpn=h2`, "", "mandatory"},
		"a key twice":                 {`port=1 port=2`, "", "port is given twice"},
		"a protocol without a name":   {`alpn=`, "", "alpn names no protocol"},
		"an unknown key":              {`colour=blue`, "", "bad SVCB key"},
		"a port that is none":         {`port=70000`, "", `bad value: "port=70000"`},
	} {
		t.Run(name, func(t *testing.T) {
			list, got, err := Params(c.text)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			wire := []byte{0, 1, 0}
			for i, p := range list {
				if i > 0 && list[i-1].Key >= p.Key {
					t.Errorf("key %d after key %d", p.Key, list[i-1].Key)
				}
				wire = append(wire, p.Wire...)
			}
			record, err := Parse("HTTPS", "1 . "+c.text, ".")
			if err != nil {
				t.Fatal(err)
			}
			whole, err := Wire(record)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(whole, wire) {
				t.Errorf("parts %x, whole %x", wire, whole)
			}
		})
	}
}
