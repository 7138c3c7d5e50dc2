package qemu

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"gslb/lab/guest"
)

// loadOrder gives the files of modules, each once and after those it needs. What
// it needs a module says itself: the list for all (modules.dep) is made where a
// kernel is installed, not where its package is unpacked.
func (k *Kit) loadOrder(names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	files := map[string]string{}
	err := filepath.WalkDir(k.Modules, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".ko") {
			files[guest.ModuleName(path)] = path
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var order []string
	var add func(name string) error
	add = func(name string) error {
		path, ok := files[guest.ModuleName(name)]
		if !ok {
			return fmt.Errorf("the guest's kernel has no module %s", name)
		}
		file, err := filepath.Rel(k.Modules, path)
		if err != nil || slices.Contains(order, file) {
			return err
		}
		needs, err := needsOf(path)
		if err != nil {
			return err
		}
		for _, n := range needs {
			if err := add(n); err != nil {
				return err
			}
		}
		order = append(order, file)
		return nil
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// needsOf are the modules that one in a file needs.
func needsOf(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info := f.Section(".modinfo")
	if info == nil {
		return nil, fmt.Errorf("%s: has no .modinfo", path)
	}
	data, err := info.Data()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for line := range bytes.SplitSeq(data, []byte{0}) {
		if list, ok := strings.CutPrefix(string(line), "depends="); ok && list != "" {
			return strings.Split(list, ","), nil
		}
	}
	return nil, nil
}
