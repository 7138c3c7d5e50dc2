package rr

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Hints are the keys of address hints (RFC 9460, section 7.3).
const (
	IPv4Hint = uint16(dns.SVCB_IPV4HINT)
	IPv6Hint = uint16(dns.SVCB_IPV6HINT)
)

// A Param is one service parameter of an HTTPS or SVCB record.
type Param struct {
	Key  uint16
	Wire []byte // key, length and value
}

// Params returns the service parameters that text describes, as they stand in
// an HTTPS or SVCB record behind the target, in the order of their keys, and
// the same as text (RFC 9460, section 2.1). Hints are refused: they are not the
// file's to give.
func Params(text string) ([]Param, string, error) {
	if text == "" {
		return nil, "", nil
	}
	data := "1 . " + text
	record, err := Parse("SVCB", data, ".")
	if err != nil {
		why := strings.TrimPrefix(err.Error(), fmt.Sprintf("SVCB data %q: ", data))
		if strings.HasPrefix(why, ": ") {
			why = "bad value" + why
		}
		return nil, "", errors.New(why)
	}
	values := record.(*dns.SVCB).Value
	slices.SortFunc(values, func(a, b dns.SVCBKeyValue) int { return int(a.Key()) - int(b.Key()) })
	var list []Param
	var canonical string
	for _, v := range values {
		switch v := v.(type) {
		case *dns.SVCBIPv4Hint, *dns.SVCBIPv6Hint:
			return nil, "", fmt.Errorf("%v are the addresses that are answered: they cannot be given", v.Key())
		case *dns.SVCBMandatory:
			slices.Sort(v.Code)
		}
		one := &dns.SVCB{Hdr: *record.Header(), Priority: 1, Target: ".", Value: []dns.SVCBKeyValue{v}}
		wire, err := Wire(one)
		if err != nil {
			return nil, "", err
		}
		list = append(list, Param{uint16(v.Key()), wire[3:]})
		canonical += " " + Data(one)[len("1 . "):]
	}
	return list, canonical[1:], nil
}
