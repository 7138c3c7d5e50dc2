package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// layable lists the files that path stands for, in the order of their names.
func layable(path string, recursive bool) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("fmt: %w", err)
	}
	if !info.IsDir() {
		if strings.HasSuffix(path, ".json") {
			return nil, nil
		}
		return []string{path}, nil
	}
	names, topologies, err := hclFiles(path, recursive)
	if err == nil && !topologies {
		err = fmt.Errorf("fmt %s: no *.hcl in this directory", path)
	}
	return names, err
}

// hclFiles lists the *.hcl of a directory. It reports whether the directory
// has topology files at all; JSON is one form of them.
func hclFiles(dir string, recursive bool) (names []string, topologies bool, err error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, false, fmt.Errorf("fmt: %w", err)
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir() && recursive: // a link to a directory is none: it may lead back
			below, some, deep := hclFiles(name, recursive)
			names, topologies, err = append(names, below...), topologies || some, errors.Join(err, deep)
		case strings.HasSuffix(e.Name(), ".hcl.json"):
			topologies = true
		case strings.HasSuffix(e.Name(), ".hcl"):
			info, broken := os.Stat(name)
			if broken != nil {
				err = errors.Join(err, fmt.Errorf("fmt: %w", broken))
			} else if !info.IsDir() {
				names, topologies = append(names, name), true
			}
		}
	}
	return names, topologies, err
}

// readFile reads a regular file: others have no content that could be replaced.
func readFile(name string) ([]byte, error) {
	file, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe is not waited for
	if err != nil {
		return nil, fmt.Errorf("fmt: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil {
		return nil, fmt.Errorf("fmt: %w", err)
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("fmt %s: it is not a regular file", name)
	}
	return bounded(file, name)
}

// replace gives a file new content in one step: whoever reads it finds the old
// text or the new one. Mode and owner stay; of a link, the file it leads to is
// replaced.
func replace(name string, text []byte) (err error) {
	target, err := filepath.EvalSymlinks(name)
	if err != nil {
		return fmt.Errorf("fmt: %w", err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return fmt.Errorf("fmt: %w", err)
	}
	// Renaming over a file needs no right to write to it.
	if info.Mode().Perm()&0o222 == 0 {
		return fmt.Errorf("fmt %s: it is read-only and not laid out", name)
	}
	if err := unix.Access(target, unix.W_OK); err != nil {
		return fmt.Errorf("fmt %s: it is read-only and not laid out: %w", name, err)
	}
	file, err := os.CreateTemp(filepath.Dir(target), ".gslb-fmt-*")
	if err != nil {
		return fmt.Errorf("fmt %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(file.Name())
			err = fmt.Errorf("fmt %s: %w", name, err)
		}
	}()
	if _, err := file.Write(text); err != nil {
		return err
	}
	if err := keepOwner(file, target); err != nil {
		return err
	}
	if err := file.Chmod(info.Mode().Perm()); err != nil { // after the owner: that clears bits
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), target)
}

// keepOwner gives file the owner and the group of the file target.
func keepOwner(file *os.File, target string) error {
	var want, have unix.Stat_t
	if err := unix.Stat(target, &want); err != nil {
		return err
	}
	if err := unix.Fstat(int(file.Fd()), &have); err != nil {
		return err
	}
	if want.Uid == have.Uid && want.Gid == have.Gid {
		return nil
	}
	return file.Chown(int(want.Uid), int(want.Gid))
}
