package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"gslb/conf"
	"gslb/internal/cli"
	"gslb/topology"
)

// watchEvery is how often files are looked at.
const watchEvery = time.Second

// A watcher asks for a reload when what the files say has changed. It looks
// at their content: a folder can be renamed into place, and two changes can
// fall into one tick of a file's clock. Master files, which may be many and
// large, are told by their time and size.
type watcher struct {
	in    *cli.Inputs
	paths []string
	zones atomic.Pointer[masters] // of the topology read last
	last  conf.Source
}

// masters are master files as they were found when a topology was read.
type masters struct {
	files []string
	found uint64
}

// read notes which master files a topology has. They must not have been read yet.
func (w *watcher) read(topo *topology.Topology) {
	var m masters
	for _, z := range topo.Zones {
		if z.File != "" {
			m.files = append(m.files, z.File)
		}
	}
	m.found = m.print()
	w.zones.Store(&m)
}

// run asks by hup until ctx ends. Files that are being written are waited for:
// they must have stayed alike from one look to the next.
func (w *watcher) run(ctx context.Context, hup chan<- os.Signal, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	type look struct{ topology, masters uint64 }
	var of *masters
	read := look{w.print(), of.print()}
	for before := read; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if m := w.zones.Load(); m != of {
			of, read.masters = m, m.found
		}
		now := look{w.print(), of.print()}
		if now != read && now == before {
			read = now
			select {
			case hup <- syscall.SIGHUP:
			default: // one is on its way
			}
		}
		before = now
	}
}

// print is a number that changes with the topology's files.
func (w *watcher) print() uint64 {
	h := fnv.New64a()
	source, err := w.in.Again(w.last, w.paths)
	w.last = source
	fmt.Fprintln(h, err)
	for _, f := range slices.Concat(source.Files, source.VarFiles) {
		fmt.Fprintln(h, f.Name, len(f.Data))
		_, _ = h.Write(f.Data)
	}
	for _, path := range slices.Sorted(maps.Keys(source.Texts)) {
		fmt.Fprintln(h, path, len(source.Texts[path]))
		_, _ = io.WriteString(h, source.Texts[path])
	}
	return h.Sum64()
}

// print is a number that changes with the master files.
func (m *masters) print() uint64 {
	h := fnv.New64a()
	if m == nil {
		return h.Sum64()
	}
	for _, path := range m.files {
		info, err := os.Stat(path)
		if err != nil {
			fmt.Fprintln(h, path, "is missing")
			continue
		}
		fmt.Fprintln(h, path, versionOf(info))
	}
	return h.Sum64()
}
