package guest

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// parameters are those of modules that would else make devices nobody asked for, under names that programs want.
var parameters = map[string]string{"dummy": "numdummies=0", "ifb": "numifbs=0"}

// ModuleName is the name the kernel uses for the module in a file: kernel/net/foo-bar.ko holds foo_bar.
func ModuleName(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(path.Base(file), ".ko"), "-", "_")
}

// LoadModules loads files of a folder, in their order. What is loaded already stays.
func LoadModules(folder string, files []string) error {
	for _, f := range files {
		fd, err := unix.Open(filepath.Join(folder, f), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("load module %s: %w", f, err)
		}
		err = unix.FinitModule(fd, parameters[ModuleName(f)], 0)
		_ = unix.Close(fd)
		if err != nil && err != unix.EEXIST {
			return fmt.Errorf("load module %s: %w", f, err)
		}
	}
	return nil
}
