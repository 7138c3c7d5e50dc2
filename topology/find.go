package topology

import "strings"

// Means reports whether a user who wrote s means the object with the address
// id. The quotes of a key may be gone: a shell takes those out of
// nameserver.ns["eu"] that are not quoted themselves.
func Means(s, id string) bool {
	return s == id || strings.ReplaceAll(s, `"`, "") == strings.ReplaceAll(id, `"`, "")
}

// Director returns the director with that address in the file.
func (t *Topology) Director(id string) (*Director, bool) {
	return find(t.Directors, func(d *Director) bool { return Means(id, d.ID) })
}

// Nameserver returns the nameserver with that address in the file.
func (t *Topology) Nameserver(id string) (*Nameserver, bool) {
	return find(t.Nameservers, func(n *Nameserver) bool { return Means(id, n.ID) })
}

// Server returns the real server with that address in the file.
func (t *Topology) Server(id string) (*Server, bool) {
	for _, f := range t.Farms {
		if s, ok := find(f.Servers, func(s *Server) bool { return Means(id, s.ID) }); ok {
			return s, true
		}
	}
	return nil, false
}

func find[T any](list []*T, is func(*T) bool) (*T, bool) {
	for _, x := range list {
		if is(x) {
			return x, true
		}
	}
	return nil, false
}
