package debian

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// fetch makes the kit in the cache: the packages and those they need that the machine lacks, unpacked.
func fetch(ctx context.Context, cache string, packages []string, say func(string, ...any)) error {
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("this machine lacks what Debian has in the packages %s, and has no %s to fetch them with: install them",
				strings.Join(packages, ", "), tool)
		}
	}
	a := apt{folder: filepath.Join(cache, "apt")}
	tmp := filepath.Join(cache, "kit.tmp")
	for _, d := range []string{a.folder, tmp} {
		if err := os.RemoveAll(d); err != nil {
			return err
		}
		defer os.RemoveAll(d)
	}
	debs := filepath.Join(tmp, "debs")
	for _, d := range []string{debs, filepath.Join(tmp, "root"), filepath.Join(a.folder, "archives/partial"), filepath.Join(a.folder, "state/lists/partial")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	// The machine's own lists first. They may be empty, as in a fresh container, or so old that what they name is gone.
	if err := a.download(ctx, debs, packages, say); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		say("fetching the lists of Debian's packages")
		a.ownLists = true
		// Done in part may be enough: of the machine's sources some may be out of reach, and others have the packages.
		_, updateErr := a.run(ctx, "", "update", "-o", "APT::Update::Error-Mode=any")
		if err := a.download(ctx, debs, packages, say); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if updateErr != nil {
				err = fmt.Errorf("%w; %w", updateErr, err)
			}
			return fmt.Errorf("%w (to do without fetching, install them: apt-get install %s)", err, strings.Join(packages, " "))
		}
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if out, err := exec.CommandContext(ctx, "dpkg-deb", "--extract", f, filepath.Join(tmp, "root")).CombinedOutput(); err != nil {
			return fmt.Errorf("unpack %s: %w: %s", filepath.Base(f), err, bytes.TrimSpace(out))
		}
	}
	if err := os.RemoveAll(debs); err != nil {
		return err
	}
	if err := mergeUsr(filepath.Join(tmp, "root")); err != nil {
		return err
	}
	if err := writeManifest(tmp); err != nil {
		return err
	}
	folder := filepath.Join(cache, "kit")
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	return os.Rename(tmp, folder)
}

// mergeUsr moves what packages have in /bin, /sbin and /lib to where these are links to. The packages are laid over the host's root,
// and a folder /lib there would hide the host's libraries.
func mergeUsr(root string) error {
	for _, d := range []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"} {
		from := filepath.Join(root, d)
		if _, err := os.Lstat(from); err != nil {
			continue
		}
		if s, err := os.Lstat("/" + d); err != nil || s.Mode()&os.ModeSymlink == 0 {
			continue
		}
		if err := moveInto(from, filepath.Join(root, "usr", d)); err != nil {
			return err
		}
	}
	return nil
}

func moveInto(from, to string) error {
	if s, err := os.Lstat(to); err != nil || !s.IsDir() {
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.Rename(from, to)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := moveInto(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return os.Remove(from)
}

// apt is apt-get as an ordinary user runs it: it reads what the machine has and writes to a folder of its own.
type apt struct {
	folder   string
	ownLists bool
}

func (a apt) run(ctx context.Context, dir string, args ...string) (string, error) {
	options := []string{"-q", "-o", "Dir::Cache=" + a.folder, "-o", "APT::Sandbox::User=", "-o", "Acquire::Retries=2"}
	if a.ownLists {
		options = append(options, "-o", "Dir::State="+filepath.Join(a.folder, "state"), "-o", "Dir::State::status=/var/lib/dpkg/status")
	}
	cmd := exec.CommandContext(ctx, "apt-get", append(options, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("apt-get %s: %w: %s", args[0], err, complaint(stderr.String()))
	}
	return stdout.String(), nil
}

// download puts the packages and those they need into a folder.
func (a apt) download(ctx context.Context, dir string, packages []string, say func(string, ...any)) error {
	plan, err := a.run(ctx, "", append([]string{"install", "--simulate", "--no-install-recommends"}, packages...)...)
	if err != nil {
		return err
	}
	all := toInstall(plan)
	uris, err := a.run(ctx, dir, append([]string{"download", "--print-uris"}, all...)...)
	if err != nil {
		return err
	}
	size := sizes(uris)
	var rest int64
	others := 0
	for _, name := range all {
		if slices.Contains(packages, name) {
			say("fetching %s (%s)", name, human(size[name]))
		} else {
			others++
			rest += size[name]
		}
	}
	if others > 0 {
		say("fetching %d packages that these need (%s)", others, human(rest))
	}
	_, err = a.run(ctx, dir, append([]string{"download"}, all...)...)
	return err
}

// toInstall reads the packages from what apt-get install --simulate prints: "Inst NAME [OLD] (NEW ...".
func toInstall(plan string) []string {
	var names []string
	for line := range strings.Lines(plan) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "Inst" {
			names = append(names, f[1])
		}
	}
	return names
}

// sizes reads the packages' sizes from what apt-get download --print-uris prints: "'URI' NAME_VERSION_ARCH.deb SIZE HASH".
func sizes(uris string) map[string]int64 {
	size := map[string]int64{}
	for line := range strings.Lines(uris) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		name, _, ok := strings.Cut(f[1], "_")
		n, err := strconv.ParseInt(f[2], 10, 64)
		if ok && err == nil {
			size[name] = n
		}
	}
	return size
}

func human(bytes int64) string {
	if bytes < 1e6 {
		return strconv.FormatInt((bytes+999)/1000, 10) + " kB"
	}
	return strconv.FormatInt((bytes+5e5)/1e6, 10) + " MB"
}

// complaint gives the errors of what apt-get wrote, in one line.
func complaint(stderr string) string {
	var lines []string
	for line := range strings.Lines(stderr) {
		if l := strings.TrimSpace(line); strings.HasPrefix(l, "E: ") {
			lines = append(lines, strings.TrimPrefix(l, "E: "))
		}
	}
	if lines == nil {
		return strings.TrimSpace(stderr)
	}
	return strings.Join(lines, "; ")
}
