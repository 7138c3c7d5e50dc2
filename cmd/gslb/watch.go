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

	"gslb/internal/cli"
	"gslb/topology"
)

// watchEvery is how often files are looked at.
const watchEvery = time.Second

// A watcher asks for a reload when what the files say has changed. It looks
// at their content: a folder can be renamed into place, and two changes can
// fall into one tick of a file's clock.
type watcher struct {
	in    *cli.Inputs
	paths []string
	zones atomic.Pointer[[]string] // master files of the topology read last
}

// read notes which master files a topology has.
func (w *watcher) read(topo *topology.Topology) {
	var files []string
	for _, z := range topo.Zones {
		if z.File != "" {
			files = append(files, z.File)
		}
	}
	w.zones.Store(&files)
}

// run asks by hup until ctx ends. Files that are being written are waited for:
// they must have stayed alike from one look to the next.
func (w *watcher) run(ctx context.Context, hup chan<- os.Signal, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	read := w.print()
	for before := read; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := w.print()
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

// print is a number that changes with the files. Master files, which may be
// large, are told by their time and size.
func (w *watcher) print() uint64 {
	h := fnv.New64a()
	source, err := w.in.Source(w.paths)
	fmt.Fprintln(h, err)
	for _, f := range slices.Concat(source.Files, source.VarFiles) {
		fmt.Fprintln(h, f.Name, len(f.Data))
		_, _ = h.Write(f.Data)
	}
	for _, path := range slices.Sorted(maps.Keys(source.Texts)) {
		fmt.Fprintln(h, path, len(source.Texts[path]))
		_, _ = io.WriteString(h, source.Texts[path])
	}
	if files := w.zones.Load(); files != nil {
		for _, path := range *files {
			info, err := os.Stat(path)
			if err != nil {
				fmt.Fprintln(h, path, "is missing")
				continue
			}
			fmt.Fprintln(h, path, info.ModTime().UnixNano(), info.Size())
		}
	}
	return h.Sum64()
}
