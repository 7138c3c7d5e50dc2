package conf

// A block is a row of the schema table: a kind of block or group.
type block struct {
	name  string
	label string // what its label is; "" = it has none
	doc   string
	one   bool   // at most one in its parent
	group bool   // may be written as an argument too: soa = { ... }
	free  bool   // its arguments are the user's own names
	asks  bool   // a group that asks for something by being there: without it its defaults say nothing
	later string // what is refused: "VRRP failover pairs"; "" = acted on
	idle  bool   // describes what nothing acts on yet: a warning
	attrs []*attr
	kids  []*block
}

// An attr is a row of the schema table: an argument of a block.
type attr struct {
	name  string
	typ   *typ
	must  bool
	def   string // default as the file would say it; "" = none
	doc   string
	show  bool   // readable through a reference: network.edge.cidr
	later string // what is refused when it differs from def; "" = acted on
	idle  bool   // describes what nothing acts on yet: a warning
	no    int    // what it is counted as in [parser.spoken]
}

func (b *block) attr(name string) *attr {
	for _, a := range b.attrs {
		if a.name == name {
			return a
		}
	}
	return nil
}

func (b *block) kid(name string) *block {
	for _, k := range b.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// words are the arguments and blocks that b may hold.
func (b *block) words() (attrs, kids []string) {
	for _, a := range b.attrs {
		attrs = append(attrs, a.name)
	}
	for _, k := range b.kids {
		kids = append(kids, k.name)
		if k.group {
			attrs = append(attrs, k.name)
		}
	}
	if b.repeats() {
		attrs = append(attrs, "for_each")
	}
	return attrs, kids
}

// repeats reports whether b takes for_each.
func (b *block) repeats() bool {
	return b.label != "" && !b.one && b.name != "variable" && b.name != "include"
}

// numbers are those of arguments, by block and name: those of the defaults
// block have the same as those they stand for.
var numbers = func() map[string]int {
	out := map[string]int{}
	seen := map[*block]bool{}
	var walk func(b *block)
	walk = func(b *block) {
		if seen[b] {
			return
		}
		seen[b] = true
		for _, a := range b.attrs {
			key := b.name + "." + a.name
			if _, ok := out[key]; !ok {
				out[key] = len(out)
			}
			a.no = out[key]
		}
		for _, k := range b.kids {
			walk(k)
		}
	}
	walk(root)
	return out
}()

// inherits returns the group of the defaults block that gives b's blocks
// their values: the same arguments and groups, none of them required.
func inherits(b *block, names ...string) *block {
	g := &block{name: b.name, group: true, one: true, doc: "Values for every " + b.name + " that does not give its own."}
	for _, n := range names {
		if a := b.attr(n); a != nil {
			c := *a
			c.must, c.def = false, ""
			g.attrs = append(g.attrs, &c)
			continue
		}
		g.kids = append(g.kids, b.kid(n))
	}
	return g
}
