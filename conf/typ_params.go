package conf

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"gslb/dnsserver/rr"
)

// tParams holds service parameters as zone-file text, in the order of their keys.
var tParams = &typ{doc: `service parameters such as { alpn = ["h2", "h3"], port = 8443 }`, conv: convParams}

func convParams(v cty.Value) (any, *complaint) {
	if !(v.Type().IsObjectType() || v.Type().IsMapType()) {
		return no("%s is not { alpn = [\"h2\"] }", show(v))
	}
	var all []string
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		key := k.AsString()
		s, why := param(e)
		if why != "" {
			return no("%s of %s %s", show(e), key, why)
		}
		switch strings.ToLower(key) {
		case "ipv4hint", "ipv6hint":
			return nil, &complaint{text: key + " cannot be given: the hints are the addresses that are answered", help: "Leave it out."}
		}
		one := key + s
		if e.Type() == cty.Bool && e.IsKnown() && !e.IsNull() && e.False() {
			continue
		}
		if _, _, err := rr.Params(one); err != nil && strings.HasPrefix(err.Error(), "bad value") {
			return no("%s is no value of %s", show(e), key)
		}
		all = append(all, one)
	}
	_, text, err := rr.Params(strings.Join(all, " "))
	if err != nil {
		return nil, &complaint{text: err.Error(), help: "Keys are mandatory, alpn, no-default-alpn, port, ech, dohpath and key65333, with values as in a zone file (RFC 9460 section 2.1)."}
	}
	return text, nil
}

// param is a parameter's value behind its key, and what is wrong with it, to
// stand behind it.
func param(v cty.Value) (value, why string) {
	if !v.IsKnown() || v.IsNull() {
		return "", "is no value"
	}
	if v.Type() == cty.Bool { // a key without a value
		return "", ""
	}
	var parts []string
	if n, ok := length(v); ok && n > 0 && !v.Type().IsObjectType() && !v.Type().IsMapType() {
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			s, ok := text(e)
			if !ok || strings.Contains(s, ",") {
				return "", fmt.Sprintf("contains %s, which is no single value", show(e))
			}
			parts = append(parts, s)
		}
	} else if s, ok := text(v); ok {
		parts = []string{s}
	} else {
		return "", "is no text, number or list"
	}
	s := strings.Join(parts, ",")
	if strings.ContainsAny(s, "\"\n") {
		return "", "contains a quote or a line break"
	}
	return `="` + s + `"`, ""
}
