package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"gslb/health"
	"gslb/health/probe"
	"gslb/internal/local"
	"gslb/tiers"
)

// A desk is the daemon's side of what operators see and say, and of what is
// kept over restarts: their words, and what the next decision must know of the
// last. The goroutine that owns the daemon owns it too.
type desk struct {
	log       *slog.Logger
	started   time.Time
	dir       string
	overrides health.Overrides
	memory    tiers.Memory
	last      map[health.Target]outcome
	events    []event // the last ones
	calls     chan call
	server    *local.Server // nil: it does not listen
	words     *local.Saver  // overrides.json
	decisions *local.Saver  // decisions.json
}

// An outcome is the result of the last probe of a target.
type outcome struct {
	at   time.Time
	took time.Duration
	err  error
}

// A call is a request to the daemon and where its reply goes.
type call struct {
	peer    local.Peer
	request request
	reply   chan<- any
}

// A request is what the commands send, as JSON.
type request struct {
	FormatVersion int    `json:"format_version"`
	Command       string `json:"command"` // "status", "override", "failover", or "inputs": what is decided from
	Object        string `json:"object,omitempty"`
	Mode          string `json:"mode,omitempty"`     // "enabled", "drained" or "disabled"; of a pair "free" or "yield"
	To            string `json:"to,omitempty"`       // the member of a pair that is to have its VIPs
	Seconds       int64  `json:"seconds,omitempty"`  // after which it runs out; 0: never
	Deadline      int64  `json:"deadline,omitempty"` // of a drain, in seconds from now; 0: none
	Reason        string `json:"reason,omitempty"`
	Force         bool   `json:"force,omitempty"` // also below quorum
}

const (
	maxSaved = 64 << 20 // bytes of a file
	// socketName is the desk's socket in the state folder.
	socketName = "director.sock"
)

// openDesk begins with what is kept in dir.
func openDesk(log *slog.Logger, dir string) (*desk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of what is kept: %w", err)
	}
	k := &desk{log: log, started: time.Now(), dir: dir, last: map[health.Target]outcome{}, calls: make(chan call)}
	k.restore()
	k.words, k.decisions = local.NewSaver(k.path("overrides.json")), local.NewSaver(k.path("decisions.json"))
	return k, nil
}

// listen has operators heard at socket, until the desk is closed.
func (k *desk) listen(socket string) error {
	server, err := local.Listen(socket)
	if err != nil {
		return err
	}
	if err := server.Publish(); err != nil {
		server.Close()
		return err
	}
	k.server = server
	go server.Serve(k.answer, func(p local.Peer) []byte {
		return local.Marshal(local.Refuse("%s may not: only root and the user of the director may", p))
	})
	return nil
}

func (k *desk) path(name string) string { return filepath.Join(k.dir, name) }

// restore reads what was kept. A file that cannot be read is put aside and
// told of: a director that does not start helps nobody.
func (k *desk) restore() {
	k.read("overrides.json", func(data []byte) (err error) {
		o, err := health.ReadOverrides(data)
		left, gone := o.Expire(time.Now())
		k.overrides = left
		for _, x := range left {
			k.log.Warn("override is in force", x.Attrs()...)
		}
		for _, x := range gone {
			k.log.Info("override has run out while no director ran", x.Attrs()...)
		}
		return err
	})
	k.read("decisions.json", func(data []byte) (err error) {
		k.memory, err = tiers.ReadMemory(data)
		return err
	})
}

func (k *desk) read(name string, take func([]byte) error) {
	data, err := local.ReadFile(k.path(name), maxSaved)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = take(data)
	}
	if err != nil {
		k.log.Error("what was kept is put aside", "file", k.path(name), "now", local.PutAside(k.path(name)), "reason", err)
	}
}

func (k *desk) close() {
	if k.server != nil {
		k.server.Close()
	}
	k.words.Close()
	k.decisions.Close()
}

// note keeps a result to be shown.
func (k *desk) note(r probe.Result, now time.Time) {
	k.last[r.Probe.Target] = outcome{now, r.Took, r.Err}
}

// remember keeps what the next decision must know.
func (k *desk) remember(m tiers.Memory) {
	if m.Equal(k.memory) {
		return
	}
	k.memory = m
	k.decisions.Save(m.Encode, func(err error) {
		if err != nil {
			k.log.Error("decisions are not kept", "reason", err)
		}
	})
}

// expire takes out the overrides that have run out, and reports whether there were any.
func (k *desk) expire(now time.Time) bool {
	left, gone := k.overrides.Expire(now)
	for _, x := range gone {
		k.log.Info("override has run out", x.Attrs()...)
		k.happened("override", x.Object+" is "+x.Mode.String()+" no more: its time is over")
	}
	if len(gone) == 0 {
		return false
	}
	k.say(left, func(err error) {
		if err != nil {
			k.log.Error("overrides are not kept", "reason", err)
		}
	})
	return true
}

// say puts overrides in force, has them kept and tells of the outcome.
func (k *desk) say(o health.Overrides, told func(error)) {
	k.overrides = o
	k.words.Save(o.Encode, told)
}

// answer is what the socket's users get; it runs beside the daemon.
func (k *desk) answer(ctx context.Context, peer local.Peer, data []byte) []byte {
	return local.Exchange(ctx, "the director", data, k.calls, func(r request, reply chan<- any) call { return call{peer, r, reply} })
}
