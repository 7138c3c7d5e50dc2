package qemu

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
)

// An archive is one of cpio, which the kernel unpacks as its first root
// (Documentation/driver-api/early-userspace/buffer-format.rst). The first error
// stays.
type archive struct {
	out  *bufio.Writer
	has  map[string]bool
	next int // inode
	err  error
}

func newArchive(w io.Writer) *archive {
	return &archive{out: bufio.NewWriter(w), has: map[string]bool{"/": true}}
}

const (
	modeFolder = 0o40755
	modeFile   = 0o100755
)

// entry writes a header, a name, and what r has.
func (a *archive) entry(name string, mode int, size int64, r io.Reader) {
	if a.err != nil || a.has[name] {
		return
	}
	a.has[name] = true
	a.next++
	relative := name
	if name != trailer {
		a.folder(path.Dir(name))
		relative = name[1:]
	}
	n, err := fmt.Fprintf(a.out, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00", a.next, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(relative)+1, 0, relative)
	if err == nil {
		err = a.pad(n)
	}
	if err == nil && size > 0 {
		var copied int64
		if copied, err = io.CopyN(a.out, r, size); err == nil {
			err = a.pad(int(copied & 3))
		}
	}
	a.err = err
}

// pad makes what follows n octets begin at a multiple of four.
func (a *archive) pad(n int) error {
	_, err := a.out.Write(make([]byte, -n&3))
	return err
}

func (a *archive) folder(name string) { a.entry(name, modeFolder, 0, nil) }

func (a *archive) text(name string, text []byte) {
	a.entry(name, modeFile, int64(len(text)), bytes.NewReader(text))
}

// file puts a file of the host in at a name.
func (a *archive) file(name, from string) {
	f, err := os.Open(from)
	if err != nil {
		a.err = err
		return
	}
	defer f.Close()
	s, err := f.Stat()
	if err != nil {
		a.err = err
		return
	}
	a.entry(name, modeFile, s.Size(), f)
}

const trailer = "TRAILER!!!"

func (a *archive) close() error {
	a.entry(trailer, 0, 0, nil)
	if a.err != nil {
		return a.err
	}
	return a.out.Flush()
}
