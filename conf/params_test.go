package conf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func TestParams(t *testing.T) {
	for text, want := range map[string]string{
		`{ port = 8443, alpn = ["h2", "h3"] }`:                    `alpn="h2,h3" port="8443"`,
		`{ alpn = "h2", no-default-alpn = true }`:                 `alpn="h2" no-default-alpn=""`,
		`{ alpn = "h2", no-default-alpn = false }`:                `alpn="h2"`,
		`{ mandatory = ["port", "alpn"], port = 1, alpn = "h2" }`: `mandatory="alpn,port" alpn="h2" port="1"`,
		`{ dohpath = "/q{?dns}", alpn = "h2" }`:                   `alpn="h2" dohpath="/q{?dns}"`,
		`{}`:                                                      ``,
		`{ ipv4hint = "192.0.2.1" }`:                              "! ipv4hint cannot be given: the hints are the addresses that are answered",
		`{ mandatory = ["alpn", "alpn"], alpn = "h2" }`:           "! alpn is mandatory twice",
		`{ mandatory = "port" }`:                                  "! port is mandatory, but not given",
		`{ no-default-alpn = true }`:                              "! no-default-alpn without alpn",
		`{ alpn = [] }`:                                           "! a list of alpn is no text, number or list",
		`{ port = 70000 }`:                                        "! 70000 is no value of port",
		`{ alpn = [["h2"]] }`:                                     "! a list of alpn contains a list, which is no single value",
		`{ key65333 = "a\"b" }`:                                   `! "a\"b" of key65333 contains a quote or a line break`,
		`{ port = null }`:                                         "! null of port is no value",
		`{ "a b" = "c" }`:                                         `! bad SVCB key`,
		`"alpn=h2"`:                                               `! "alpn=h2" is not { alpn = ["h2"] }`,
	} {
		e, diags := hclsyntax.ParseExpression([]byte(text), "", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		v, diags := e.Value(nil)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		got, c := convParams(v)
		if why, ok := strings.CutPrefix(want, "! "); ok {
			if c == nil || !strings.HasPrefix(c.text, why) {
				t.Errorf("%s: %v, complaint %+v, want %s", text, got, c, why)
			}
			continue
		}
		if c != nil {
			t.Errorf("%s: %s", text, c.text)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", text, diff)
		}
	}
}
