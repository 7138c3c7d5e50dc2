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
		"./text": 126, "./": 126,
		"./none": 127, "/none": 127, "no-such-program": 127, "": 127,
	} {
		err, exit := runnable(dir, name), 0
		if err != nil {
			exit = NotRun{err}.Exit()
		}
		if exit != want {
			t.Errorf("%q: %d, %v; want %d", name, exit, err, want)
		}
	}
}
