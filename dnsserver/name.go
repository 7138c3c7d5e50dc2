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

// lower appends name to buf in lower case. Lengths of labels are below 64 and
// so never taken for letters.
func lower[N string | []byte](buf []byte, name N) []byte {
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf = append(buf, c)
	}
	return buf
}

// key is name in lower case; name itself where that has no capitals, so that
// names of one piece of memory stay in it.
func key(name string) string {
	for i := range len(name) {
		if c := name[i]; 'A' <= c && c <= 'Z' {
			return string(lower(nil, name))
		}
	}
	return name
}

// labels appends to buf where each label of name starts, the root's included.
func labels[N string | []byte](buf []int, name N) []int {
	for i := 0; ; i += int(name[i]) + 1 {
		buf = append(buf, i)
		if name[i] == 0 {
			return buf
		}
	}
}

// parent is name without its first label; the root has none.
func parent[N string | []byte](name N) (above N, ok bool) {
	if name[0] == 0 {
		return above, false
	}
	return name[int(name[0])+1:], true
}

// under reports whether name is zone or lies below it. Both are in lower case.
func under[N string | []byte](name N, zone string) bool {
	for {
		if string(name) == zone {
			return true
		}
		if len(name) <= len(zone) {
			return false
		}
		name, _ = parent(name)
	}
}

func isWildcard(name string) bool { return len(name) > 2 && name[0] == 1 && name[1] == '*' }
