package conf

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
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
	tEnvironment = &typ{doc: "variables such as { NAME = \"value\" }", conv: convEnvironment}
)

// rcodes are the result codes that a server gives to questions (RFC 1035
// section 4.1.1).
var rcodes = []string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"}

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
