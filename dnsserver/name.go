package dnsserver

// A name is a domain name as it is sent: labels, each after its length, and
// the empty label of the root. Zones look names up in lower case, in which
// they are equal exactly if they are the same name (RFC 4343).

// maxName is the length of the longest name (RFC 1035, section 2.3.4), and
// maxLabels the number of labels that fit into it.
const (
	maxName   = 255
	maxLabels = 128
)

// lower writes name in lower case to buf. Lengths of labels are below 64 and
// so never taken for letters.
func lower(buf []byte, name string) []byte {
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf = append(buf, c)
	}
	return buf
}

func key(name string) string { return string(lower(nil, name)) }

// labels appends to buf where each label of name starts, the root's included.
func labels(buf []int, name string) []int {
	for i := 0; ; i += int(name[i]) + 1 {
		buf = append(buf, i)
		if name[i] == 0 {
			return buf
		}
	}
}

// parent is name without its first label; the root has none.
func parent(name string) (string, bool) {
	if name[0] == 0 {
		return "", false
	}
	return name[int(name[0])+1:], true
}

// under reports whether name is zone or lies below it. Both are in lower case.
func under(name, zone string) bool {
	for {
		if name == zone {
			return true
		}
		if len(name) <= len(zone) {
			return false
		}
		name, _ = parent(name)
	}
}

// wildcard is the name whose records speak for what does not exist directly
// below name (RFC 4592, section 2.1.1).
func wildcard(name string) string { return "\x01*" + name }

func isWildcard(name string) bool { return len(name) > 2 && name[0] == 1 && name[1] == '*' }
