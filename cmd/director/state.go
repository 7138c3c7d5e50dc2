package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"gslb/dataplane/ipvs"
	"gslb/tiers"
)

// A state is what the director of this host leaves behind for the next one
// and for `director stop`: who it is and which VIPs' services are its own.
type state struct {
	Node  string       `json:"node"`
	PID   int          `json:"pid"` // of the last one
	VIPs  []netip.Addr `json:"vips"`
	Marks []uint32     `json:"marks,omitempty"`
	// Timeouts are what those of the kernel were that are ours now.
	Timeouts span `json:"timeouts_before,omitzero"`
	// Sync are the sync daemons that are ours.
	Sync []daemonRecord `json:"sync_daemons,omitempty"`
}

func (s state) owner() tiers.Owner {
	o := tiers.Owner{VIPs: map[netip.Addr]bool{}, Marks: map[uint32]bool{}}
	for _, vip := range s.VIPs {
		o.VIPs[vip] = true
	}
	for _, mark := range s.Marks {
		o.Marks[mark] = true
	}
	return o
}

// owning is the state with the VIPs and marks of the owner.
func (s state) owning(o tiers.Owner) state {
	s.VIPs = slices.SortedFunc(maps.Keys(o.VIPs), netip.Addr.Compare)
	s.Marks = slices.Sorted(maps.Keys(o.Marks))
	return s
}

// owns reports whether the VIPs and marks of the state are just the owner's.
func (s state) owns(o tiers.Owner) bool {
	return len(s.VIPs) == len(o.VIPs) && len(s.Marks) == len(o.Marks) &&
		!slices.ContainsFunc(s.VIPs, func(a netip.Addr) bool { return !o.VIPs[a] }) &&
		!slices.ContainsFunc(s.Marks, func(m uint32) bool { return !o.Marks[m] })
}

// settled is the state with time-outs to be put back.
func (s state) settled(before ipvs.Timeouts) state {
	s.Timeouts = spanOf(before)
	return s
}

// copying is the state with sync daemons that are ours.
func (s state) copying(ours []daemonRecord) state {
	s.Sync = ours
	return s
}

func (s state) equal(o state) bool {
	return slices.Equal(s.Sync, o.Sync) && s.Timeouts == o.Timeouts && s.Node == o.Node && s.PID == o.PID && slices.Equal(s.VIPs, o.VIPs) && slices.Equal(s.Marks, o.Marks)
}

func statePath(dir string) string { return filepath.Join(dir, "director.json") }
func hostPath(dir string) string  { return filepath.Join(dir, "host.json") }

func readState(dir string) (state, error) {
	var s state
	data, err := os.ReadFile(statePath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return s, fmt.Errorf("read the director's state %s: %w", statePath(dir), err)
	}
	return s, nil
}

func (s state) write(dir string) error {
	data, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	temporary := statePath(dir) + ".new"
	if err := os.WriteFile(temporary, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the director's state: %w", err)
	}
	if err := os.Rename(temporary, statePath(dir)); err != nil {
		return fmt.Errorf("write the director's state: %w", err)
	}
	return nil
}

// errRunning says that a director runs on this host already.
var errRunning = errors.New("a director runs here already")

// lockName is the name of an abstract unix socket.
const lockName = "@gslb-director"

// holder is the process that holds the lock. Anybody on the host can take the
// name; one who is neither root nor this user is named in an error.
func holder() (pid int, err error) {
	conn, err := net.DialTimeout("unix", lockName, time.Second)
	if err != nil {
		return 0, fmt.Errorf("ask who holds this host: %w", err)
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Ucred
	var peerErr error
	if err := raw.Control(func(fd uintptr) {
		peer, peerErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if peerErr != nil {
		return 0, fmt.Errorf("ask who holds this host: %w", peerErr)
	}
	if peer.Uid != 0 && int(peer.Uid) != os.Getuid() {
		return 0, fmt.Errorf("process %d of user %d, which is no director's, has taken the name %s: end it", peer.Pid, peer.Uid, lockName)
	}
	return int(peer.Pid), nil
}

// A hold keeps others from changing this host; it ends with Close, or with the process.
type hold struct {
	file *os.File
	name net.Listener
}

// Close lets others in.
func (h hold) Close() { h.name.Close(); h.file.Close() }

// lock makes this process the only one that changes this host, and uses dir.
// The host is a network namespace, and so the lock is the name of an abstract
// unix socket, which belongs to one; the folder has a lock file of its own.
func lock(dir string) (hold, error) {
	name, err := net.Listen("unix", lockName)
	if errors.Is(err, unix.EADDRINUSE) {
		if _, err := holder(); err != nil {
			return hold{}, err
		}
		return hold{}, errRunning
	}
	if err != nil {
		return hold{}, fmt.Errorf("lock this host: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		name.Close()
		return hold{}, fmt.Errorf("make the state folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "director.lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		f.Close()
		name.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return hold{}, fmt.Errorf("%w (state folder %s)", errRunning, dir)
		}
		return hold{}, fmt.Errorf("lock the state folder: %w", err)
	}
	return hold{f, name}, nil
}
