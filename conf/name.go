package conf

import (
	"fmt"
	"strings"
)

// How strict a name is.
type nameKind uint8

const (
	hostName  nameKind = iota // letters, digits and hyphens (RFC 1123 section 2.1)
	ownerName                 // also underscores, and "*" as the first label
)

// canonical makes a domain name lower case with a trailing dot. It says why
// when that is not possible, as the middle of a sentence.
func canonical(s string, kind nameKind) (name, why string) {
	name = strings.ToLower(strings.TrimSuffix(s, "."))
	if name == "" {
		return "", fmt.Sprintf("%q is not a domain name", s)
	}
	if len(name) > 253 {
		return "", fmt.Sprintf("%q... has %d letters, and a domain name has at most 253", name[:40], len(name))
	}
	for i, label := range strings.Split(name, ".") {
		switch {
		case label == "":
			return "", fmt.Sprintf("%q has an empty label", s)
		case len(label) > 63:
			return "", fmt.Sprintf("the label %q... has %d letters, and a label has at most 63", label[:20], len(label))
		case label == "*" && i == 0 && kind == ownerName:
			continue
		}
		for _, c := range label {
			ok := c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || (c == '_' && kind == ownerName)
			if !ok {
				return "", fmt.Sprintf("%q contains %q", s, c)
			}
		}
		if label[0] == '-' || label[len(label)-1] == '-' {
			return "", fmt.Sprintf("the label %q begins or ends with a hyphen", label)
		}
	}
	return name + ".", ""
}

// owner is the full name of what stands in a zone under a label: "@" is the
// zone itself, a trailing dot makes the name complete.
func ownerIn(label, zone string, kind nameKind) (name, why string) {
	switch {
	case label == "@":
		return zone, ""
	case strings.HasSuffix(label, "."):
		return canonical(label, kind)
	}
	if _, why := canonical(label, kind); why != "" {
		return "", why
	}
	return canonical(label+"."+zone, kind)
}

// within reports whether name is zone or below it.
func within(name, zone string) bool {
	return name == zone || strings.HasSuffix(name, "."+zone)
}
