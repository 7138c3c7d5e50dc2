package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"os"
	"slices"
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
	in       *cli.Inputs
	paths    []string
	always   bool         // the user says so, whatever the files say
	readings chan reading // the last one that is not known to run yet
}

func newWatcher(in *cli.Inputs, paths []string, always bool) *watcher {
	return &watcher{in: in, paths: paths, always: always, readings: make(chan reading, 1)}
}

// A reading is what the files said when they were right the last time.
type reading struct {
	watch   bool // whether changes from here on are asked for
	source  conf.Source
	masters []string // files of zones
	found   prints
}

// prints are numbers that change with the files.
type prints struct{ topology, masters uint64 }

// read notes what was read, and whether it is to be watched. The master files
// must not have been read yet.
func (w *watcher) read(topo *topology.Topology, source conf.Source) {
	r := reading{watch: w.always || topo.Watch}
	if r.watch {
		r.source = source
		for _, z := range topo.Zones {
			if z.File != "" {
				r.masters = append(r.masters, z.File)
			}
		}
		r.found = r.prints()
	}
	select {
	case <-w.readings: // this one counts
	default:
	}
	w.readings <- r
}

// run asks by hup until ctx ends. Files that are being written are waited for:
// they must have stayed alike from one look to the next.
func (w *watcher) run(ctx context.Context, hup chan<- os.Signal, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	tick.Stop()
	var last reading
	var before prints
	for {
		select {
		case <-ctx.Done():
			return
		case last = <-w.readings:
			tick.Stop()
			if last.watch {
				tick.Reset(every)
			}
			before = last.found
			continue
		case <-tick.C:
		}
		last.source, _ = w.in.Again(last.source, w.paths) // the flags are right: they were read before
		now := last.prints()
		if now != last.found && now == before {
			last.found = now
			select {
			case hup <- syscall.SIGHUP:
			default: // one is on its way
			}
		}
		before = now
	}
}

func (r *reading) prints() prints {
	h := fnv.New64a()
	for _, f := range slices.Concat(r.source.Files, r.source.VarFiles) {
		fmt.Fprintln(h, f.Name, len(f.Data))
		_, _ = h.Write(f.Data)
	}
	for _, path := range slices.Sorted(maps.Keys(r.source.Texts)) {
		fmt.Fprintln(h, path, len(r.source.Texts[path]))
		_, _ = io.WriteString(h, r.source.Texts[path])
	}
	p := prints{topology: h.Sum64()}
	h.Reset()
	for _, path := range r.masters {
		info, err := os.Stat(path)
		if err != nil {
			fmt.Fprintln(h, path, "is missing")
			continue
		}
		fmt.Fprintln(h, path, versionOf(info))
	}
	p.masters = h.Sum64()
	return p
}
