package conf

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"gslb/topology"
)

// A Memory is what is kept of one reading of a topology for the next: the next
// costs what has changed, not what is there. The zero value remembers nothing
// yet. It belongs to one goroutine, and the data of the files it was given must
// stay as they are.
//
// What it says is what [Parse] says of the same source. That is the rule for
// all that is done here: whatever is not simple is left to Parse.
type Memory struct {
	src      Source // of the last reading
	texts    map[string]*pieced
	parts    []*piece // of all files in order
	budget   *budget
	reader   *parser           // of pieces
	count    int               // pieces read so far
	readings int               // of sources so far
	shifts   map[string]*shift // of the pieces

	p *parser // the last reading, evaluated; nil: nothing can be taken from it
	// rest is what the last evaluation had to say apart from what is in tops.
	rest hcl.Diagnostics
}

// A top is a block at the top of a file with what has been made of it.
type top struct {
	raw    *raw
	nodes  []*node
	said   hcl.Diagnostics // about it while it was worked out
	names  []*family       // what it names
	uses   []*uses         // those it counts in
	family *family
	stale  bool // it is to be worked out again
	gone   bool // from the text
}

// Parse is [Parse] for one source after the other. Of topologies, objects that
// are the same in both may be the same object.
func (m *Memory) Parse(src Source) (*topology.Topology, hcl.Diagnostics) {
	if !m.take(src) {
		return Parse(src)
	}
	p := m.p
	p.diags = slices.Clone(m.rest)
	for _, k := range m.parts {
		for _, r := range k.kids {
			p.diags = append(p.diags, r.top.said...)
		}
	}
	p.checkPaths()
	p.check()
	if p.failed() {
		m.p = nil
		return Parse(src)
	}
	topo := p.build()
	return topo, p.diagnostics()
}

// Wanted is [Wanted] for one source after the other. A Parse of the same source
// that follows goes on from there.
func (m *Memory) Wanted(src Source) (texts, paths []string) {
	if !m.take(src) {
		return Wanted(src)
	}
	for _, n := range m.p.paths() {
		paths = append(paths, n.path)
	}
	slices.Sort(paths)
	return nil, slices.Compact(paths) // with a text wanting it could not be taken
}

// take brings what is remembered up to a source, as far as it can be evaluated
// without a fault; else it reports false.
func (m *Memory) take(src Source) bool {
	if !simple(src) {
		return false // and the reading before stays what is remembered
	}
	m.begin()
	before, parts := m.parts, make([]*piece, 0, len(m.parts)+16)
	texts := map[string]*pieced{}
	for _, f := range src.Files {
		t, ok := m.pieces(f.Name, f.Data)
		if !ok {
			return false
		}
		texts[f.Name] = t
		parts = append(parts, t.pieces...)
	}
	m.texts, m.parts = texts, parts
	last := m.src
	m.src = src
	gone, come := m.changed(before)
	same := m.p != nil && maps.Equal(last.Vars, src.Vars) && maps.Equal(last.Env, src.Env) && maps.Equal(last.Texts, src.Texts) &&
		slices.EqualFunc(last.VarFiles, src.VarFiles, func(a, b File) bool { return a.Name == b.Name && string(a.Data) == string(b.Data) }) &&
		src.Files[0].Name == last.Files[0].Name // relative paths begin there
	if same && m.p.patchable(gone, come) {
		if !m.patch(gone, come) {
			m.p = nil
			return false
		}
		return true
	}
	return m.evaluate()
}

// changed are the blocks that are no longer there, and those that are new.
func (m *Memory) changed(before []*piece) (gone, come []*top) {
	m.readings++
	for _, k := range m.parts {
		if k.seen == 0 {
			m.shifts[k.name] = &k.shift
			for _, r := range k.kids {
				r.top = &top{raw: r}
				come = append(come, r.top)
			}
		}
		k.seen = m.readings
	}
	for _, k := range before {
		if k.seen != m.readings {
			delete(m.shifts, k.name)
			for _, r := range k.kids {
				gone = append(gone, r.top)
			}
		}
	}
	return gone, come
}

// simple reports whether a source is one that a Memory can be of.
func simple(src Source) bool {
	size := 0
	names := map[string]bool{}
	for _, f := range src.Files {
		if names[f.Name] || strings.HasSuffix(f.Name, ".json") {
			return false
		}
		names[f.Name] = true
		size += len(f.Data)
	}
	return len(src.Files) > 0 && size <= maxBytes && len(src.Problems) == 0
}

// begin makes ready to read pieces.
func (m *Memory) begin() {
	if m.budget == nil {
		m.budget = &budget{standardLimits.steps, standardLimits.written}
		m.shifts = map[string]*shift{}
	}
	if m.reader == nil {
		m.reader = newParserOn(Source{}, standardLimits, m.budget)
	}
}

// lay says where the pieces lie.
func (m *Memory) lay() map[string]*shift {
	for i, f := range m.src.Files {
		line, at := 0, 0
		for _, k := range m.texts[f.Name].pieces {
			k.shift = shift{file: f.Name, order: i, line: line, byte: at}
			line, at = line+k.lines, at+k.size
		}
	}
	return m.shifts
}

// evaluate works everything out anew, from pieces that have been read.
func (m *Memory) evaluate() bool {
	m.p = nil
	*m.budget = budget{standardLimits.steps, standardLimits.written}
	p := newParserOn(m.src, standardLimits, m.budget)
	p.wanted = map[string]bool{}
	p.shifts = m.lay()
	for _, k := range m.parts {
		for _, r := range k.kids {
			r.top = &top{raw: r}
			p.file.kids = append(p.file.kids, r)
		}
	}
	p.doubles(p.file)
	if p.failed() {
		return false
	}
	p.evaluate()
	if p.failed() || p.soft > 0 || len(p.wanted) > 0 || slices.ContainsFunc(p.file.kids, func(r *raw) bool { return r.top.said.HasErrors() }) {
		return false
	}
	p.wanted = nil
	m.p, m.rest = p, p.diags
	return true
}
