package debian

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The manifest is written when a kit is whole and lists each file of its root with its size, so that one that was cut short, by a full
// disk or by hand, is seen at once.
const manifestName = "manifest"

func writeManifest(folder string) error {
	text, err := manifestOf(filepath.Join(folder, "root"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, manifestName), []byte(text), 0o644)
}

// checkManifest says what is wrong with the kit in a folder. Where there is none the error is fs.ErrNotExist.
func checkManifest(folder string) error {
	want, err := os.ReadFile(filepath.Join(folder, manifestName))
	if err != nil {
		return err
	}
	have, err := manifestOf(filepath.Join(folder, "root"))
	if err != nil {
		return fmt.Errorf("the cache is damaged: %w", err)
	}
	if have != string(want) {
		return fmt.Errorf("the cache is damaged: %s", difference(have, string(want)))
	}
	return nil
}

func manifestOf(root string) (string, error) {
	var text strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%v %d %q\n", info.Mode(), info.Size(), strings.TrimPrefix(path, root))
		return nil
	})
	return text.String(), err
}

func difference(have, want string) string {
	has := map[string]bool{}
	for l := range strings.Lines(have) {
		has[l] = true
	}
	for l := range strings.Lines(want) {
		if !has[l] {
			return "it lacks " + strings.TrimSpace(l)
		}
	}
	return "it has more than was fetched"
}
