package hostnet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
)

// A Record is what this program has put into a node's kernel, and what the
// kernel parameters were before: enough to take all of it out again. It is
// written before the kernel is changed, so a crash leaves nothing unrecorded.
type Record struct {
	Addresses []RecordedAddress
	Tunnels   []string
	Sysctls   map[string]string // path below /proc/sys -> value before
	Routes    []RecordedRoute
	Replies   []netip.Addr
	// Marked are the devices with filters that mark packets; Hooks are those of
	// which the hook for filters is ours too.
	Marked, Hooks []string
}

// A RecordedAddress is an address on a device.
type RecordedAddress struct {
	Device string
	Addr   netip.Addr
}

// A RecordedRoute is a default route that was put in place, with the one it
// took the place of, if there was one of the same metric: one of another metric
// is still there, behind ours.
type RecordedRoute struct {
	Device string
	Via    netip.Addr
	Before *Default
}

// A Default is a default route as it was found.
type Default struct {
	Device string
	Via    netip.Addr // the zero Addr: on the link
	OnLink bool       // Via is outside the host's prefixes
	Metric int
	MSS    int
}

// ReadRecord reads a record; a file that is not there is an empty record.
func ReadRecord(path string) (Record, error) {
	var r Record
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return r, fmt.Errorf("read the record of changes %s: %w", path, err)
	}
	return r, nil
}

// Write puts the record into a file, whole or not at all.
func (r Record) Write(path string) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write the record of changes: %w", err)
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the record of changes: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("write the record of changes: %w", err)
	}
	return nil
}

// with returns the record with everything of o as well; what was before stays
// what r says.
func (r Record) with(o Record) Record {
	out := Record{
		Addresses: union(r.Addresses, o.Addresses),
		Tunnels:   union(r.Tunnels, o.Tunnels),
		Replies:   union(r.Replies, o.Replies),
		Marked:    union(r.Marked, o.Marked),
		Hooks:     union(r.Hooks, o.Hooks),
		Sysctls:   map[string]string{},
		Routes:    slices.Clone(r.Routes),
	}
	for k, v := range o.Sysctls {
		out.Sysctls[k] = v
	}
	for k, v := range r.Sysctls {
		out.Sysctls[k] = v
	}
	for _, n := range o.Routes {
		if !slices.ContainsFunc(out.Routes, n.sameAs) {
			out.Routes = append(out.Routes, n)
		}
	}
	return out
}

func (r RecordedRoute) sameAs(o RecordedRoute) bool { return r.Device == o.Device && r.Via == o.Via }

func (r Record) equal(o Record) bool {
	return slices.Equal(r.Addresses, o.Addresses) && slices.Equal(r.Tunnels, o.Tunnels) && slices.Equal(r.Replies, o.Replies) &&
		slices.Equal(r.Marked, o.Marked) && slices.Equal(r.Hooks, o.Hooks) &&
		maps.Equal(r.Sysctls, o.Sysctls) && slices.EqualFunc(r.Routes, o.Routes, func(a, b RecordedRoute) bool {
		return a.sameAs(b) && (a.Before == nil) == (b.Before == nil) && (a.Before == nil || *a.Before == *b.Before)
	})
}

func union[T comparable](a, b []T) []T {
	out := slices.Clone(a)
	in := setOf(a)
	for _, x := range b {
		if !in[x] {
			in[x] = true
			out = append(out, x)
		}
	}
	return out
}

func setOf[T comparable](list []T) map[T]bool {
	in := make(map[T]bool, len(list))
	for _, x := range list {
		in[x] = true
	}
	return in
}
