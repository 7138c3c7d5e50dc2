package uml

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Kit is what carrying needs from outside.
type Kit struct {
	Kernel  string // the kernel, an executable
	Modules string // the folder of its modules, with modules.dep
	Root    string // unpacked packages that the guest sees as if they were installed; empty when the host has all of them
}

const kernelName = "linux.uml"

// wanted is what a guest offers, by the executable that shows it to be there, and the Debian package that has it.
var wanted = []struct{ executable, pkg string }{
	{kernelName, "user-mode-linux"},
	{"ip", "iproute2"},
	{"ipvsadm", "ipvsadm"},
	{"tcpdump", "tcpdump"},
	{"dig", "bind9-dnsutils"},
	{"curl", "curl"},
	{"ping", "iputils-ping"},
}

// systemPath is where executables are looked for, whatever PATH says: the kernel and its tools may be root's.
var systemPath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

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
	packages := missing("/")
	if len(packages) == 0 {
		return kitIn("/", "")
	}
	if runtime.GOARCH != "amd64" {
		return nil, fmt.Errorf("there is no Debian package user-mode-linux for %s", runtime.GOARCH)
	}
	cache, err := cacheFolder()
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(cache, "kit")
	if k, err := cached(folder, packages); err == nil {
		return k, nil
	}
	unlock, err := lock(ctx, filepath.Join(cache, "lock"), say)
	if err != nil {
		return nil, err
	}
	defer unlock()
	k, err := cached(folder, packages)
	if err == nil {
		return k, nil // somebody else has fetched it
	}
	if !errors.Is(err, fs.ErrNotExist) {
		say("fetching user-mode Linux anew: %v", err)
	}
	if err := fetch(ctx, cache, packages, say); err != nil {
		return nil, err
	}
	return cached(folder, packages)
}

// missing lists the packages that are not installed under a root.
func missing(root string) []string {
	var packages []string
	for _, w := range wanted {
		if executableIn(root, w.executable) == "" {
			packages = append(packages, w.pkg)
		}
	}
	return packages
}

func executableIn(root, executable string) string {
	for _, d := range systemPath {
		file := filepath.Join(root, d, executable)
		if s, err := os.Stat(file); err == nil && s.Mode().IsRegular() && s.Mode()&0o111 != 0 {
			return file
		}
	}
	return ""
}

// cached gives the kit in the cache if it is whole and has all the packages.
func cached(folder string, packages []string) (*Kit, error) {
	root := filepath.Join(folder, "root")
	if err := checkManifest(folder); err != nil {
		return nil, err
	}
	for _, p := range missing(root) {
		if slices.Contains(packages, p) {
			return nil, fmt.Errorf("the cache lacks %s", p)
		}
	}
	at := "/"
	if slices.Contains(packages, wanted[0].pkg) {
		at = root
	}
	return kitIn(at, root)
}

// kitIn finds the kernel and its modules under a root.
func kitIn(at, root string) (*Kit, error) {
	kernel := executableIn(at, kernelName)
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

// cacheFolder makes the cache's folder, in the first place that lets it.
func cacheFolder() (string, error) {
	if c := os.Getenv("GSLB_CACHE"); c != "" {
		c, err := filepath.Abs(filepath.Join(c, "uml"))
		if err == nil {
			err = os.MkdirAll(c, 0o755)
		}
		return c, err
	}
	if c, err := os.UserCacheDir(); err == nil {
		c = filepath.Join(c, "gslb", "uml")
		if os.MkdirAll(c, 0o755) == nil && unix.Access(c, unix.W_OK) == nil {
			return c, nil
		}
	}
	// A user without a home, as services are. The folder's parent is everybody's, so it must be seen to be ours.
	own := fmt.Sprintf("/var/tmp/gslb-%d", os.Getuid())
	if err := os.Mkdir(own, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	var s unix.Stat_t
	if err := unix.Lstat(own, &s); err != nil {
		return "", err
	}
	if s.Mode&unix.S_IFMT != unix.S_IFDIR || int(s.Uid) != os.Getuid() || s.Mode&0o022 != 0 {
		return "", fmt.Errorf("%s is not a folder that this user alone may write: remove it or set GSLB_CACHE", own)
	}
	c := filepath.Join(own, "uml")
	return c, os.MkdirAll(c, 0o755)
}

// lock waits until this process is the only one to change the cache.
func lock(ctx context.Context, file string, say func(string, ...any)) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for said := false; ; {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", file, err)
		}
		if !said {
			said = true
			say("waiting for another process that is fetching user-mode Linux")
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
