// Package debian lends programs of Debian to tests and measurements: those
// that the machine has, and the others fetched as packages and unpacked in a
// cache of the user's own. It installs nothing and needs no root.
package debian

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Program is an executable and the package that has it; with a slash in it, any
// file by a pattern ([filepath.Match]) that begins at the root.
type Program struct{ Executable, Package string }

// Path is where executables are looked for, whatever PATH says: those of root may be meant.
var Path = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// Ensure gives a root under which the programs are that the machine lacks; "" when it has all of them. They are fetched when they are
// not there yet. The root is in $GSLB_CACHE/name, or in gslb/name among the user's caches. What is for people to read calls it all
// what. What takes time is said, in lines.
func Ensure(ctx context.Context, name, what string, programs []Program, say func(format string, args ...any)) (root string, err error) {
	packages := missing("/", programs)
	if len(packages) == 0 {
		return "", nil
	}
	if runtime.GOARCH != "amd64" {
		return "", fmt.Errorf("the machine lacks %s, and fetching is for amd64", packages[0])
	}
	cache, err := cacheFolder(name)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "kit")
	if root, err := cached(folder, packages, programs); err == nil {
		return root, nil
	}
	unlock, err := lock(ctx, filepath.Join(cache, "lock"), what, say)
	if err != nil {
		return "", err
	}
	defer unlock()
	root, err = cached(folder, packages, programs)
	if err == nil {
		return root, nil // somebody else has fetched it
	}
	if !errors.Is(err, fs.ErrNotExist) {
		say("fetching %s anew: %v", what, err)
	}
	if err := fetch(ctx, cache, packages, say); err != nil {
		return "", err
	}
	return cached(folder, packages, programs)
}

// missing lists the packages that are not installed under a root.
func missing(root string, programs []Program) []string {
	var packages []string
	for _, p := range programs {
		if Find(root, p.Executable) == "" {
			packages = append(packages, p.Package)
		}
	}
	return packages
}

// Find is the path of an executable under a root, as in [Program], or "".
func Find(root, executable string) string {
	if strings.Contains(executable, "/") {
		files, err := filepath.Glob(filepath.Join(root, executable))
		if err != nil || len(files) == 0 {
			return ""
		}
		return slices.Max(files)
	}
	for _, d := range Path {
		file := filepath.Join(root, d, executable)
		if s, err := os.Stat(file); err == nil && s.Mode().IsRegular() && s.Mode()&0o111 != 0 {
			return file
		}
	}
	return ""
}

// cached gives the root in the cache if it is whole and has all the packages.
func cached(folder string, packages []string, programs []Program) (string, error) {
	root := filepath.Join(folder, "root")
	if err := checkManifest(folder); err != nil {
		return "", err
	}
	for _, p := range missing(root, programs) {
		if slices.Contains(packages, p) {
			return "", fmt.Errorf("the cache lacks %s", p)
		}
	}
	return root, nil
}

// cacheFolder makes the cache's folder, in the first place that lets it.
func cacheFolder(name string) (string, error) {
	if c := os.Getenv("GSLB_CACHE"); c != "" {
		c, err := filepath.Abs(filepath.Join(c, name))
		if err == nil {
			err = os.MkdirAll(c, 0o755)
		}
		return c, err
	}
	if c, err := os.UserCacheDir(); err == nil {
		c = filepath.Join(c, "gslb", name)
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
	c := filepath.Join(own, name)
	return c, os.MkdirAll(c, 0o755)
}

// lock waits until this process is the only one to change the cache.
func lock(ctx context.Context, file, what string, say func(string, ...any)) (unlock func(), err error) {
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
			say("waiting for another process that is fetching %s", what)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
