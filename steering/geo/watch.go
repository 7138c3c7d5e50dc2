package geo

import (
	"context"
	"io/fs"
	"os"
	"time"
)

// A Change is what a watch has to tell: a new map, or why there is none.
type Change struct {
	Map *Map // nil: what was loaded before stays
	Err error
}

// A mark tells one state of a file from another.
type mark struct{ info fs.FileInfo }

func (m mark) is(n mark) bool {
	if m.info == nil || n.info == nil {
		return m.info == nil && n.info == nil
	}
	return os.SameFile(m.info, n.info) && m.info.Size() == n.info.Size() && m.info.ModTime().Equal(n.info.ModTime())
}

type marks struct{ city, asn mark }

func (m marks) are(n marks) bool { return m.city.is(n.city) && m.asn.is(n.asn) }

// looked are the marks that the files have now; a file that is not there has none.
func looked(f Files) marks {
	see := func(path string) mark {
		if path == "" {
			return mark{}
		}
		info, err := os.Stat(path)
		if err != nil {
			return mark{}
		}
		return mark{info}
	}
	return marks{see(f.City), see(f.ASN)}
}

// A Watch loads databases anew when their files change.
type Watch struct {
	files Files
	seen  marks
}

// Start loads the databases, and returns the watch that knows which state of
// the files that was.
func Start(f Files) (*Map, *Watch, error) {
	m, seen, err := load(f)
	return m, &Watch{f, seen}, err
}

// Run looks at the files every so often and tells what has become of them,
// until ctx ends. Files are loaded once they have looked the same twice, so
// that one that is being written is waited for, and a state of the files is
// told once, be it good or broken.
func (w *Watch) Run(ctx context.Context, every time.Duration, tell func(Change)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	before := w.seen
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := looked(w.files)
		settled := now.are(before)
		before = now
		if !settled || now.are(w.seen) {
			continue
		}
		m, _, err := load(w.files)
		w.seen = now // what was written meanwhile will look different
		tell(Change{m, err})
	}
}
