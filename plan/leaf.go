package plan

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// A leaf is an argument with its value as text; "" is not shown.
type leaf struct{ name, value string }

// leaves are the changes of an object from one list of arguments to another,
// with the same names in the same places: a line for each that differs, one
// line for an object that comes or goes, whose list is nil otherwise.
func leaves(kind, object string, before, after []leaf) []Change {
	switch {
	case before == nil && after == nil:
		return nil
	case before == nil:
		return []Change{{Action: Add, Kind: kind, Object: object, Text: join(object, text(after)), After: text(after)}}
	case after == nil:
		return []Change{{Action: Remove, Kind: kind, Object: object, Text: join(object, text(before)), Before: text(before)}}
	}
	var out []Change
	for i, b := range before {
		a := after[i]
		if a.value == b.value {
			continue
		}
		out = append(out, Change{
			Action: Modify, Kind: kind, Object: object, Before: b.value, After: a.value,
			Text: join(object, b.name, or(b.value, "none"), "=>", or(a.value, "none")),
		})
	}
	return out
}

func text(list []leaf) string {
	var words []string
	for _, l := range list {
		if l.value != "" {
			words = append(words, l.name, l.value)
		}
	}
	return strings.Join(words, " ")
}

// join puts a space between the words that are not empty.
func join(words ...string) string {
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// words are values with commas between them, in quotes where else it could not
// be seen which is which.
func words(values []string) string {
	out := make([]string, len(values))
	for i, v := range values {
		if out[i] = v; strings.Contains(v, ", ") || v == "" {
			out[i] = strconv.Quote(v)
		}
	}
	return strings.Join(out, ", ")
}

func yes(b bool) string {
	if b {
		return "true"
	}
	return ""
}

// some is a number, "" for 0.
func some[T ~int | ~uint16](n T) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(int(n))
}

// lasting is a span, "" for none.
func lasting(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return span(d)
}

// span is a time as a file has it: 1h, not 1h0m0s.
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
