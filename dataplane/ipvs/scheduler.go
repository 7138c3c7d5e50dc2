package ipvs

import (
	"bytes"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"gslb/topology"
)

// A Presence is whether a kernel has something.
type Presence uint8

// The presences.
const (
	Unknown Presence = iota // only trying would tell
	Absent
	Loadable // as a module, which the kernel loads by itself
	Present
)

// Schedulers tells of each scheduler that a file may name whether this kernel
// has it. It loads nothing: it looks at what is loaded, and at the lists of the
// modules that the kernel was built with. Where these are not to be seen, as
// in a container, a scheduler that is not loaded is Unknown.
func Schedulers() map[string]Presence {
	var name unix.Utsname
	release := ""
	if unix.Uname(&name) == nil {
		release = unix.ByteSliceToString(name.Release[:])
	}
	return schedulers("/", release)
}

// schedulers is that under a root.
func schedulers(root, release string) map[string]Presence {
	lists := filepath.Join(root, "lib/modules", release)
	builtin, _ := os.ReadFile(filepath.Join(lists, "modules.builtin"))
	loadable, err := os.ReadFile(filepath.Join(lists, "modules.dep"))
	out := map[string]Presence{}
	for _, s := range topology.Schedulers {
		file := []byte("/ip_vs_" + s.Name + ".ko")
		_, loaded := os.Stat(filepath.Join(root, "sys/module/ip_vs_"+s.Name))
		switch {
		case loaded == nil || bytes.Contains(builtin, file):
			out[s.Name] = Present
		case bytes.Contains(loadable, file):
			out[s.Name] = Loadable
		case err == nil:
			out[s.Name] = Absent
		}
	}
	return out
}
