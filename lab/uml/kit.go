package uml

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"gslb/lab/debian"
)

// Kit is what carrying needs from outside.
type Kit struct {
	Kernel  string // the kernel, an executable
	Modules string // the folder of its modules, with modules.dep
	Root    string // unpacked packages that the guest sees as if they were installed; empty when the host has all of them
}

const kernelName = "linux.uml"

// wanted is what a guest offers, by the executable that shows it to be there, and the Debian package that has it.
var wanted = []debian.Program{
	{Executable: kernelName, Package: "user-mode-linux"},
	{Executable: "ip", Package: "iproute2"},
	{Executable: "ipvsadm", Package: "ipvsadm"},
	{Executable: "tcpdump", Package: "tcpdump"},
	{Executable: "dig", Package: "bind9-dnsutils"},
	{Executable: "curl", Package: "curl"},
	{Executable: "ping", Package: "iputils-ping"},
}

// Ensure gives the kit: what the machine has, and in a cache of the user's own what it lacks, fetched there as Debian packages when it
// is not there yet. It needs no root and changes nothing outside the cache, which is $GSLB_CACHE/uml, or gslb/uml among the user's
// caches. What it does that takes time it says, in lines.
func Ensure(ctx context.Context, say func(format string, args ...any)) (*Kit, error) {
	if say == nil {
		say = func(string, ...any) {}
	}
	k, err := ensure(ctx, say)
	if err != nil {
		return nil, fmt.Errorf("find what user-mode Linux needs: %w", err)
	}
	return k, nil
}

func ensure(ctx context.Context, say func(format string, args ...any)) (*Kit, error) {
	root, err := debian.Ensure(ctx, "uml", "user-mode Linux", wanted, say)
	if err != nil {
		return nil, err
	}
	at := "/"
	if debian.Find("/", kernelName) == "" {
		at = root
	}
	return kitIn(at, root)
}

// kitIn finds the kernel and its modules under a root.
func kitIn(at, root string) (*Kit, error) {
	kernel := debian.Find(at, kernelName)
	deps, err := filepath.Glob(filepath.Join(at, "usr/lib/uml/modules/*/modules.dep"))
	if err != nil {
		return nil, err
	}
	switch len(deps) {
	case 1:
		return &Kit{kernel, filepath.Dir(deps[0]), root}, nil
	case 0:
		return nil, fmt.Errorf("%s has no modules in %s", kernel, filepath.Join(at, "usr/lib/uml/modules"))
	}
	version, err := exec.Command(kernel, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w", kernel, err)
	}
	for _, d := range deps {
		if filepath.Base(filepath.Dir(d)) == strings.TrimSpace(string(version)) {
			return &Kit{kernel, filepath.Dir(d), root}, nil
		}
	}
	return nil, fmt.Errorf("%s has no modules of its version %s in %s", kernel, strings.TrimSpace(string(version)), filepath.Join(at, "usr/lib/uml/modules"))
}
