package topology

// Director returns the director with that address in the file.
func (t *Topology) Director(id string) (*Director, bool) {
	return find(t.Directors, func(d *Director) bool { return d.ID == id })
}

// Nameserver returns the nameserver with that address in the file.
func (t *Topology) Nameserver(id string) (*Nameserver, bool) {
	return find(t.Nameservers, func(n *Nameserver) bool { return n.ID == id })
}

// Server returns the real server with that address in the file.
func (t *Topology) Server(id string) (*Server, bool) {
	for _, f := range t.Farms {
		if s, ok := find(f.Servers, func(s *Server) bool { return s.ID == id }); ok {
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
