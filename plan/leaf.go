package plan

import (
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
		return []Change{{Action: Add, Kind: kind, Object: object, Text: object + text(after), After: strings.TrimSpace(text(after))}}
	case after == nil:
		return []Change{{Action: Remove, Kind: kind, Object: object, Text: object + text(before), Before: strings.TrimSpace(text(before))}}
	}
	var out []Change
	for i, b := range before {
		a := after[i]
		if a.value == b.value {
			continue
		}
		out = append(out, Change{
			Action: Modify, Kind: kind, Object: object, Before: b.value, After: a.value,
			Text: object + " " + b.name + " " + or(b.value, "none") + " => " + or(a.value, "none"),
		})
	}
	return out
}

func text(list []leaf) string {
	var b strings.Builder
	for _, l := range list {
		if l.value == "" {
			continue
		}
		b.WriteString(" " + l.name + " " + l.value)
	}
	return b.String()
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
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
