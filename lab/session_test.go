package lab

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRunnable(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"tool": 0o755, "text": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]int{
		"sh": 0, "/bin/sh": 0, "./tool": 0, filepath.Join(dir, "tool"): 0,
		"./text": notRunnable, "./": notRunnable,
		"./none": notThere, "/none": notThere, "no-such-program": notThere, "": notThere,
	} {
		if exit, err := runnable(dir, name); exit != want || (err == nil) != (want == 0) {
			t.Errorf("%q: %d, %v; want %d", name, exit, err, want)
		}
	}
}
