package steering

import (
	"math/bits"
	"slices"
)

// A trie says of every address of a family which class of clients it is in,
// and of every prefix which classes are in it. Equal parts are there once, so
// it is no larger than what differs.
type trie struct {
	nodes []node // the first is nobody's
	root  uint32 // index in nodes; 0: all addresses are in one class
	set   uint32 // the classes of all addresses
	// top are the parts of the 16 bits behind base, the prefix of length bare
	// that all lies in which is divided: so the nodes down to there need not be
	// gone through. Above are the sets of the prefixes between, numbered as in
	// a node. They are there for a large trie.
	top   []part
	above []uint32
	base  uint64
	bare  int
}

// A node divides a prefix by its next four bits.
type node struct {
	// sets are the classes in the larger parts: sets[1] those of the whole,
	// sets[2] and sets[3] those of its halves, up to sets[15].
	sets  [16]uint32
	parts [16]part // sixteenths
}

// A part is a prefix in a node.
type part struct {
	set  uint32 // its classes
	next uint32 // node that divides it; 0: its set is one class
}

// Sets are the sets of classes that prefixes have. The first are those of a
// single class, whose numbers are the classes'.
type sets struct {
	single  int
	pairs   [][2]uint32 // of the others: two sets that make it up, each before it
	members [][]uint32  // of the others, ascending; nil for a large one
	byPair  map[[2]uint32]uint32
	byHash  map[uint64][]uint32 // sets with the same hash of their members
	recent  []recent
	scratch []uint32
}

// A recent is a union that was made lately.
type recent struct {
	pair [2]uint32
	id   uint32
}

// large is how many classes a set has at least that is not compared with
// others: the same one may be there twice then, which costs a little room.
const large = 16

func newSets(classes int) *sets {
	return &sets{single: classes, byPair: map[[2]uint32]uint32{}, byHash: map[uint64][]uint32{}, recent: make([]recent, 1<<10)}
}

func (s *sets) len() int { return s.single + len(s.pairs) }

// append adds the classes of a set to a list; it is false for a large set.
func (s *sets) append(list []uint32, id uint32) ([]uint32, bool) {
	if int(id) < s.single {
		return append(list, id), true
	}
	m := s.members[int(id)-s.single]
	return append(list, m...), m != nil
}

// union is the number of the set that has the classes of both.
func (s *sets) union(a, b uint32) uint32 {
	if a == b {
		return a
	}
	pair := [2]uint32{min(a, b), max(a, b)}
	near := &s.recent[mix(uint64(a)<<32^uint64(b))%uint64(len(s.recent))]
	if near.pair == pair {
		return near.id
	}
	id, ok := s.byPair[pair]
	if !ok {
		id = s.joined(pair)
		s.byPair[pair] = id
	}
	*near = recent{pair, id}
	return id
}

func (s *sets) joined(pair [2]uint32) uint32 {
	all, small := s.append(s.scratch[:0], pair[0])
	if small {
		all, small = s.append(all, pair[1])
	}
	s.scratch = all
	if small {
		slices.Sort(all)
		all = slices.Compact(all)
	}
	id := uint32(s.len())
	if !small || len(all) >= large {
		s.pairs, s.members = append(s.pairs, pair), append(s.members, nil)
		return id
	}
	hash := uint64(len(all))
	for _, class := range all {
		hash = mix(hash ^ uint64(class))
	}
	for _, known := range s.byHash[hash] {
		if slices.Equal(s.members[int(known)-s.single], all) {
			return known
		}
	}
	s.pairs, s.members = append(s.pairs, pair), append(s.members, slices.Clone(all))
	s.byHash[hash] = append(s.byHash[hash], id)
	return id
}

// planted forgets what only planting needs.
func (s *sets) planted() { *s = sets{single: s.single, pairs: s.pairs} }

// same says of every set what holds for all its classes: what class says, or
// -1 when that differs.
func (s *sets) same(class []int32) []int32 {
	out := make([]int32, s.len())
	copy(out, class)
	for i, pair := range s.pairs {
		if out[pair[0]] == out[pair[1]] {
			out[s.single+i] = out[pair[0]]
		} else {
			out[s.single+i] = -1
		}
	}
	return out
}

// A planter makes tries.
type planter struct {
	sets  *sets
	nodes []node
	seen  map[[16]uint32]uint32
}

// leaf marks the number of a class where else the number of a node stands.
const leaf = 1 << 31

// plant makes the trie of runs whose ids are classes.
func plant(runs []run, s *sets) trie {
	p := planter{sets: s, nodes: make([]node, 1), seen: map[[16]uint32]uint32{}}
	root := p.part(runs, key{}, 0)
	t := trie{nodes: p.nodes}
	if root&leaf != 0 {
		t.set = root &^ leaf
	} else {
		t.root, t.set = root, p.nodes[root].sets[1]
	}
	return t
}

// part makes what divides the prefix of length depth that begins with at; the
// first run holds there, the others begin within it.
func (p *planter) part(runs []run, at key, depth int) uint32 {
	if len(runs) == 1 {
		return runs[0].id | leaf
	}
	var parts [16]uint32
	from := 0
	for i := range parts {
		to := len(runs)
		if i < 15 {
			end := at.plus(depth, uint64(i)+1)
			to = from + 1
			for to < len(runs) && runs[to].at.less(end) {
				to++
			}
		}
		parts[i] = p.part(runs[from:to], at.plus(depth, uint64(i)), depth+4)
		from = to - 1
		if i < 15 && to < len(runs) && runs[to].at == at.plus(depth, uint64(i)+1) {
			from = to
		}
	}
	if parts[0]&leaf != 0 && !slices.ContainsFunc(parts[1:], func(x uint32) bool { return x != parts[0] }) {
		return parts[0]
	}
	if n, ok := p.seen[parts]; ok {
		return n
	}
	var n node
	for i, x := range parts {
		if x&leaf != 0 {
			n.parts[i] = part{set: x &^ leaf}
		} else {
			n.parts[i] = part{p.nodes[x].sets[1], x}
		}
	}
	for i := 15; i > 7; i-- {
		n.sets[i] = p.sets.union(n.parts[2*i-16].set, n.parts[2*i-15].set)
	}
	for i := 7; i > 0; i-- {
		n.sets[i] = p.sets.union(n.sets[2*i], n.sets[2*i+1])
	}
	p.nodes = append(p.nodes, n)
	p.seen[parts] = uint32(len(p.nodes) - 1)
	return uint32(len(p.nodes) - 1)
}

// crowded is how many nodes a trie has that gets a table of its top.
const crowded = 256

// crown makes the table of the top. What is divided of IPv6 mostly lies in
// 2000::/4, so that four bits of it say nothing.
func (t *trie) crown() {
	from := part{t.set, t.root}
	for t.bare = 0; t.bare < 48; t.bare += 4 {
		only, divided := 0, 0
		for i, p := range t.nodes[from.next].parts {
			if p.next != 0 {
				only, divided = i, divided+1
			}
		}
		if divided != 1 {
			break
		}
		t.base |= uint64(only) << (60 - t.bare)
		from = t.nodes[from.next].parts[only]
	}
	t.top, t.above = make([]part, 1<<16), make([]uint32, 1<<16)
	var fill func(p part, at, depth uint32)
	fill = func(p part, at, depth uint32) {
		if depth == 16 {
			t.top[at] = p
			return
		}
		n := node{}
		if p.next != 0 {
			n = t.nodes[p.next]
		} else {
			for i := range n.parts {
				n.sets[i], n.parts[i].set = p.set, p.set
			}
		}
		for i := uint32(1); i < 16; i++ {
			level := uint32(bits.Len32(i)) - 1
			t.above[1<<(depth+level)|at<<level|i&(1<<level-1)] = n.sets[i]
		}
		for i := range uint32(16) {
			fill(n.parts[i], at<<4|i, depth+4)
		}
	}
	fill(from, 0, 0)
}

// A verdict is what holds for the clients of a domain and family.
type verdict struct {
	same []int32 // by set of classes; -1: not the same for all of them
	// tops are, of each family whose trie has a top, the verdicts on the parts
	// of it: what holds and the length of the shortest prefix in which it does,
	// as value << 8 | length, or the node that divides the part, as node |
	// split.
	tops [2][]uint32
}

// split marks the number of a node in the top of a verdict.
const split = 1 << 31

// tops is how many verdicts of a table have tops, of 256 KB for each family.
const tops = 64

// verdict works out what holds when class says what does for each class.
func (g *Ground) verdict(class []int32, top bool) *verdict {
	v := &verdict{same: g.sets.same(class)}
	for f := range g.tries {
		t := &g.tries[f]
		if !top || t.top == nil || len(class) >= 1<<23 {
			continue
		}
		x, length := v.same[t.set], 0
		if x < 0 {
			x, length = t.search(t.root, 0, key{hi: t.base}, v.same)
		}
		if length == 0 || length < t.bare { // the same holds for more than the base
			v.tops[f] = slices.Repeat([]uint32{uint32(x)<<8 | uint32(length)}, 1<<16)
			continue
		}
		v.tops[f] = v.settle(make([]uint32, 0, 1<<16), t, 1, 0)
	}
	return v
}

// settle appends the verdicts on the prefix with number j, of length depth
// behind the base.
func (v *verdict) settle(list []uint32, t *trie, j uint32, depth int) []uint32 {
	var set uint32
	if depth < 16 {
		set = t.above[j]
	} else {
		set = t.top[j-1<<16].set
	}
	if x := v.same[set]; x >= 0 {
		for range 1 << (16 - depth) {
			list = append(list, uint32(x)<<8|uint32(t.bare+depth))
		}
		return list
	}
	if depth == 16 {
		return append(list, t.top[j-1<<16].next|split)
	}
	return v.settle(v.settle(list, t, 2*j, depth+1), t, 2*j+1, depth+1)
}

// find returns what holds for a client of the trie's family and the length of
// the shortest prefix with it in which the same holds for all.
func (t *trie) find(k key, v *verdict, f Family) (int32, int) {
	if top := v.tops[f]; len(top) == 1<<16 && (k.hi^t.base)>>(64-t.bare) == 0 {
		x := top[k.hi<<t.bare>>48]
		if x&split == 0 {
			return int32(x >> 8), int(x & 0xff)
		}
		return t.search(x&^split, t.bare+16, k, v.same)
	}
	if x := v.same[t.set]; x >= 0 {
		return x, 0
	}
	return t.search(t.root, 0, k, v.same)
}

// search is find from a node on, which divides a prefix of length depth in
// which not the same holds for all.
func (t *trie) search(from uint32, depth int, k key, same []int32) (int32, int) {
	n := &t.nodes[from]
	for ; ; depth += 4 {
		i := k.nibble(depth)
		p := n.parts[i]
		if x := same[p.set]; x >= 0 {
			j, length := (16|i)>>1, depth+4
			for ; same[n.sets[j]] >= 0; j >>= 1 {
				length--
			}
			return x, length
		}
		n = &t.nodes[p.next]
	}
}

// class is the class of a client.
func (t *trie) class(k key) uint32 {
	p := part{t.set, t.root}
	for depth := 0; p.next != 0; depth += 4 {
		p = t.nodes[p.next].parts[k.nibble(depth)]
	}
	return p.set
}
