package conf

import (
	"bytes"
	"strconv"
)

// A piece is a part of a file that can be read by itself: some blocks, to the
// end of the line on which the last of them ends. What a text means does not
// depend on what stands in front of it or behind it if it is whole, so the
// pieces of a file mean what the file does.
type piece struct {
	size, lines int
	name        string // of the ranges in it
	shift       shift
	kids        []*raw
	seen        int // the last reading it was in
}

// A pieced is a file in pieces.
type pieced struct {
	data   []byte
	pieces []*piece
}

// portion is the length of the first piece of a text: to the end of the first line
// that begins with a closing brace, which is the end of a block in most files.
// In others the piece is not whole, and more must be taken.
func portion(text []byte) int {
	at := 0
	if text[0] != '}' {
		i := bytes.Index(text, []byte("\n}"))
		if i < 0 {
			return len(text)
		}
		at = i + 1
	}
	if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(text)
}

// maxJoined is how many pieces are tried together before the rest of the text
// is taken as one.
const maxJoined = 8

var byteOrderMark = []byte("\xef\xbb\xbf")

// pieces divides a text. Those of the text before that are still there are
// taken over, the others are read; false where one of them is not without fault.
func (m *Memory) pieces(name string, data []byte) (*pieced, bool) {
	before := m.texts[name]
	if before == nil {
		before = &pieced{}
	}
	now := &pieced{data: data}
	// Most of the text is as before, at the start and at the end.
	same := matching(before.data, data)
	head, at := 0, 0
	for head < len(before.pieces) {
		k := before.pieces[head]
		if at+k.size > same || before.data[at+k.size-1] != '\n' && at+k.size < len(data) {
			break
		}
		at += k.size
		head++
	}
	now.pieces = append(make([]*piece, 0, len(before.pieces)+1), before.pieces[:head]...)
	tail, end, old := len(before.pieces), len(data), len(before.data)
	for tail > head {
		k := before.pieces[tail-1]
		if end-k.size < at || end-k.size > 0 && data[end-k.size-1] != '\n' || !bytes.Equal(data[end-k.size:end], before.data[old-k.size:old]) {
			break
		}
		end, old = end-k.size, old-k.size
		tail--
	}
	// Those in between are known by their text, wherever they have gone.
	known := map[string][]*piece{}
	from := at
	for _, k := range before.pieces[head:tail] {
		s := string(before.data[from : from+k.size])
		known[s] = append(known[s], k)
		from += k.size
	}
	for rest := data[at:end]; len(rest) > 0; {
		size := portion(rest)
		var k *piece
		for tries := 1; ; tries++ {
			if tries == maxJoined {
				size = len(rest)
			}
			s := string(rest[:size])
			if ks := known[s]; len(ks) > 0 {
				k, known[s] = ks[0], ks[1:]
				break
			}
			if k = m.whole(rest[:size]); k != nil {
				break
			}
			if size == len(rest) {
				return nil, false
			}
			size += portion(rest[size:])
		}
		now.pieces = append(now.pieces, k)
		rest = rest[size:]
	}
	now.pieces = append(now.pieces, before.pieces[tail:]...)
	return now, true
}

// matching is how many bytes two texts have in common at their start.
func matching(a, b []byte) int {
	n := min(len(a), len(b))
	const step = 4096
	at := 0
	for at+step <= n && bytes.Equal(a[at:at+step], b[at:at+step]) {
		at += step
	}
	for at < n && a[at] == b[at] {
		at++
	}
	return at
}

// whole reads a piece; nil when there is anything to say about it, which may be
// because it is only a part of a block.
func (m *Memory) whole(data []byte) *piece {
	if bytes.HasPrefix(data, byteOrderMark) { // it means something at the start of a file
		return nil
	}
	m.count++
	k := &piece{size: len(data), lines: bytes.Count(data, []byte("\n")), name: "\x00" + strconv.Itoa(m.count)}
	q := m.reader
	body := q.body(File{Name: k.name, Data: data})
	if body != nil && len(q.diags) == 0 {
		k.kids = q.content(body, root).kids
		for _, r := range k.kids {
			q.duplicates(r)
			q.findSecrets(r)
		}
	}
	if body == nil || len(q.diags) > 0 || q.fatal {
		m.reader = nil // what it has found is not to be found again
		m.begin()
		return nil
	}
	return k
}
