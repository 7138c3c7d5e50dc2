package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gslb/internal/cli"
	"gslb/topology"
)

func TestWatcherAsksForAReload(t *testing.T) {
	for name, change := range map[string]func(dir string) error{
		"when a file has changed": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "a.hcl"), []byte("# other"), 0o644)
		},
		"when a file has been renamed into place": func(dir string) error {
			file := filepath.Join(dir, "a.hcl")
			if err := os.WriteFile(file+".new", []byte("# new!!"), 0o644); err != nil {
				return err
			}
			return os.Rename(file+".new", file)
		},
		"when a file has come into the folder": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "b.hcl"), nil, 0o644)
		},
		"when a zone's master file has changed": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "shop.zone"), []byte("; longer than before"), 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range []string{"a.hcl", "shop.zone"} {
				if err := os.WriteFile(filepath.Join(dir, f), []byte("# begun"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			w := watcher{in: &cli.Inputs{}, paths: []string{dir}}
			hup := make(chan os.Signal, 1)
			go w.run(t.Context(), hup, 20*time.Millisecond)
			time.Sleep(50 * time.Millisecond) // the first reading takes its time, and is no change
			w.read(&topology.Topology{Zones: []*topology.Zone{{File: filepath.Join(dir, "shop.zone")}}})
			select {
			case <-hup:
				t.Fatal("asked before anything had changed")
			case <-time.After(200 * time.Millisecond):
			}
			if err := change(dir); err != nil {
				t.Fatal(err)
			}
			select {
			case <-hup:
			case <-time.After(10 * time.Second):
				t.Fatal("did not ask")
			}
		})
	}
}
