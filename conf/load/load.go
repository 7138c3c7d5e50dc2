// Package load reads topology files and the environment from this machine
// into a [conf.Source]. What they mean is package conf's business.
package load

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gslb/conf"
)

// MaxBytes is how much all files of a topology may have together.
const MaxBytes = 16 << 20

// Read reads files and directories. Of a directory it reads every *.hcl and
// *.hcl.json in it, in the order of their names; all of it is one topology.
func Read(paths []string) (conf.Source, error) {
	src := conf.Source{Env: map[string]string{}}
	for _, kv := range os.Environ() {
		if k, v, ok := strings.Cut(kv, "="); ok && strings.HasPrefix(k, "GSLB_VAR_") {
			src.Env[k] = v
		}
	}
	left := int64(MaxBytes)
	for _, path := range paths {
		names, err := expand(path)
		if err != nil {
			return conf.Source{}, err
		}
		for _, name := range names {
			data, err := read(name, left)
			if err != nil {
				return conf.Source{}, err
			}
			left -= int64(len(data))
			src.Files = append(src.Files, conf.File{Name: name, Data: data})
		}
	}
	return src, nil
}

// expand lists the files a path stands for.
func expand(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read topology: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return nil, fmt.Errorf("read topology: %w", err)
	}
	var names []string
	for _, e := range entries {
		n := e.Name()
		if strings.HasPrefix(n, ".") || !(strings.HasSuffix(n, ".hcl") || strings.HasSuffix(n, ".hcl.json")) {
			continue
		}
		name := filepath.Join(path, n)
		if info, err := os.Stat(name); err != nil || info.Mode()&fs.ModeDir != 0 {
			if err != nil {
				return nil, fmt.Errorf("read topology: %w", err)
			}
			continue
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("read topology: %s: no *.hcl or *.hcl.json in this directory", path)
	}
	return names, nil
}

// read reads one file of at most limit bytes.
func read(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read topology: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read topology: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read topology: %s: the files have more than %d MB together", name, MaxBytes>>20)
	}
	return data, nil
}
