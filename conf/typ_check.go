package conf

import (
	"encoding/hex"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"gslb/topology"
)

// Types of a check's arguments.
var (
	tFlaps     = &typ{doc: "a whole number from 0", conv: convInt(0, math.MaxInt32)}
	tSlowStart = &typ{doc: "a duration up to \"1h\"", conv: func(v cty.Value) (any, *complaint) {
		d, c := convDuration(v)
		if c == nil && d.(time.Duration) > time.Hour {
			return no("%s is more than 1h", show(v))
		}
		return d, c
	}}
	tPattern = &typ{doc: "a regular expression such as \"^220 \"", conv: func(v cty.Value) (any, *complaint) {
		s, c := convString(v)
		if c != nil {
			return nil, c
		}
		if _, err := regexp.Compile(s.(string)); err != nil {
			return nil, &complaint{
				text: show(v) + " is no regular expression: " + strings.TrimPrefix(err.Error(), "error parsing regexp: "),
				help: "The syntax is that of RE2 (https://github.com/google/re2/wiki/Syntax); a backslash is written twice.",
			}
		}
		return s, nil
	}}
	tRcodes = (&typ{conv: func(v cty.Value) (any, *complaint) {
		s, c := convString(v)
		if c != nil {
			return nil, c
		}
		if !slices.Contains(rcodes, s.(string)) {
			return nil, &complaint{text: show(v) + " is none of " + strings.Join(rcodes, ", "), help: meant(s.(string), rcodes)}
		}
		return s, nil
	}}).many("result codes such as \"NOERROR\"")
	tCommand = &typ{doc: "a list of a program and its arguments", conv: convString, list: true, whole: func(items []item) (int, string) {
		if path := items[0].x.(string); !strings.HasPrefix(path, "/") {
			return 0, path + " is no absolute path"
		}
		for i, it := range items {
			if strings.Contains(it.x.(string), "\x00") {
				return i, "an argument cannot contain a zero byte"
			}
		}
		return -1, ""
	}}
	tStatus = (&typ{conv: convStatus}).many("HTTP status codes such as 200 and \"300-399\"")
	tDigest = &typ{doc: "64 hexadecimal digits", conv: func(v cty.Value) (any, *complaint) {
		s, c := convString(v)
		if c != nil {
			return nil, c
		}
		digest := strings.ToLower(s.(string))
		switch b, err := hex.DecodeString(digest); {
		case err == nil && len(b) == 16:
			return nil, &complaint{
				text: show(v) + " is 32 hexadecimal digits, a digest of MD5; those of SHA-256 have 64",
				help: "Make a new one: curl -s URL | sha256sum. A check that fails says which digest the body has.",
			}
		case err != nil || len(b) != 32:
			return no("%s is not 64 hexadecimal digits", show(v))
		}
		return digest, nil
	}}
	tHTTPMethod = &typ{doc: "\"GET\" or \"HEAD\"", conv: func(v cty.Value) (any, *complaint) {
		s, c := convString(v)
		if c == nil && s != "GET" && s != "HEAD" {
			return no("%s is neither GET nor HEAD", show(v))
		}
		return s, c
	}}
	tHeaders = &typ{doc: "header fields such as { Name = \"value\" }", conv: convHeaders}
	tAccount = &typ{doc: "a name or number", conv: func(v cty.Value) (any, *complaint) {
		s, ok := text(v)
		if !ok || !accountName.MatchString(s) {
			return no("%s is not a name or number of an account", show(v))
		}
		return s, nil
	}}
	tPath = &typ{doc: "an absolute path", conv: func(v cty.Value) (any, *complaint) {
		s, c := convString(v)
		switch {
		case c != nil:
			return nil, c
		case !strings.HasPrefix(s.(string), "/") || strings.Contains(s.(string), "\x00"):
			return no("%s is no absolute path", show(v))
		}
		return s, nil
	}}
	tEnvironment = &typ{doc: "variables such as { NAME = \"value\" }", conv: convEnvironment}
)

// rcodes are the result codes that a server gives to questions (RFC 1035
// section 4.1.1).
var rcodes = []string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"}

// convStatus reads a status code, or a range of them such as "200-299".
func convStatus(v cty.Value) (any, *complaint) {
	code := convInt(100, 599)
	first, last, is := "", "", false
	if v.Type() == cty.String {
		first, last, is = strings.Cut(v.AsString(), "-")
	}
	if !is {
		n, c := code(v)
		if c != nil {
			return nil, c
		}
		return topology.StatusRange{First: n.(int), Last: n.(int)}, nil
	}
	a, c1 := code(cty.StringVal(first))
	b, c2 := code(cty.StringVal(last))
	switch {
	case c1 != nil || c2 != nil:
		return no("%s is not a range of status codes between 100 and 599 such as \"200-299\"", show(v))
	case a.(int) > b.(int):
		return no("%s ends before it begins", show(v))
	}
	return topology.StatusRange{First: a.(int), Last: b.(int)}, nil
}

var (
	accountName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$`)
	headerName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$") // a token of RFC 9110, section 5.6.2
)

// ownHeaders are the header fields that belong to the request's own making.
var ownHeaders = []string{"connection", "content-length", "expect", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}

// convHeaders reads a map into "Name: value", sorted.
func convHeaders(v cty.Value) (any, *complaint) {
	const most, longest = 50, 4096
	if !(v.Type().IsObjectType() || v.Type().IsMapType()) {
		return no("%s is not { Name = \"value\" }", show(v))
	}
	var out []string
	names := map[string]bool{}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		name := strings.ToLower(k.AsString())
		s, ok := text(e)
		switch {
		case !headerName.MatchString(name):
			return no("%s is no name of a header field", show(k))
		case name == "host":
			return nil, &complaint{text: "Host is a header field of its own argument", help: "Give host."}
		case slices.Contains(ownHeaders, name):
			return no("%s is about the connection, which is the check's own matter", k.AsString())
		case names[name]:
			return no("%s is there twice", k.AsString())
		case !ok || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) || s != strings.TrimSpace(s):
			return no("%s of %s is not a string that a header field can hold", show(e), k.AsString())
		case len(s) > longest:
			return no("%s has %d bytes, more than %d", k.AsString(), len(s), longest)
		case len(names) == most:
			return no("there are more than %d header fields", most)
		}
		names[name] = true
		out = append(out, k.AsString()+": "+s)
	}
	slices.Sort(out)
	return out, nil
}

var variableName = regexp.MustCompile("^[A-Za-z_][A-Za-z0-9_]*$")

// convEnvironment reads a map into NAME=VALUE, sorted.
func convEnvironment(v cty.Value) (any, *complaint) {
	if !(v.Type().IsObjectType() || v.Type().IsMapType()) {
		return no("%s is not { NAME = \"value\" }", show(v))
	}
	var out []string
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		s, ok := text(e)
		switch {
		case !variableName.MatchString(k.AsString()):
			return no("%s is no name of a variable: letters, digits and _", show(k))
		case strings.HasPrefix(k.AsString(), "GSLB_CHECK_"):
			return no("%s is set for every program", k.AsString())
		case !ok || strings.Contains(s, "\x00"):
			return no("%s of %s is not a string", show(e), k.AsString())
		}
		out = append(out, k.AsString()+"="+s)
	}
	slices.Sort(out)
	return out, nil
}
