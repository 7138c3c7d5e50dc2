// Package secret reads on a node what the topology file only says the place of.
package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxBytes bounds what is read.
const maxBytes = 64 << 10

// RootVar is the environment variable that names a folder in which the files
// are looked for: "file:/etc/key" is then DIR/etc/key. A lab gives its nodes
// secrets of their own so.
const RootVar = "GSLB_SECRETS"

// Read returns the secret at a place, "file:PATH" or "env:NAME". Errors name the
// place and never what is there.
func Read(place string) (string, error) {
	kind, where, _ := strings.Cut(place, ":")
	switch kind {
	case "env":
		text, ok := os.LookupEnv(where)
		if !ok {
			return "", fmt.Errorf("secret %s: the environment does not have it", place)
		}
		return text, nil
	case "file":
		text, err := read(filepath.Join(os.Getenv(RootVar), where))
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		if err != nil {
			return "", fmt.Errorf("secret %s: %w", place, err)
		}
		return text, nil
	}
	return "", fmt.Errorf("secret %s: want file:PATH or env:NAME", place)
}

func read(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	switch {
	case !info.Mode().IsRegular():
		return "", errors.New("it is not a regular file")
	case info.Mode().Perm()&0o007 != 0:
		return "", fmt.Errorf("everybody may use it (mode %04o): take that away by chmod o=", info.Mode().Perm())
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err == nil && len(data) > maxBytes {
		err = fmt.Errorf("more than %d bytes", maxBytes)
	}
	return string(data), err
}
