package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// compiler puts a program called go in front of all others, and the cache into
// a folder of its own, which it returns.
func compiler(t *testing.T, script string) string {
	t.Helper()
	bin, cache := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("XDG_CACHE_HOME", cache)
	return filepath.Join(cache, "gslb", "bench")
}

func names(t *testing.T, folder string) string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func TestCoreDNSIsMadeOnce(t *testing.T) {
	folder := compiler(t, `echo "$GOTMPDIR" >"$GOTMPDIR/work"; test "$1" = mod || echo made >coredns`)
	var told []string
	say := func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }
	for range 2 {
		made, err := findCoreDNS(t.Context(), say)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(made); err != nil || string(text) != "made\n" {
			t.Errorf("%s: %q, %v", made, text, err)
		}
	}
	if diff := cmp.Diff([]string{"making CoreDNS " + coreDNS + ", which takes some minutes the first time"}, told); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff("coredns-"+coreDNS, names(t, folder)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestCoreDNSThatCannotBeMade(t *testing.T) {
	folder := compiler(t, `echo "go: no way to the proxy" >&2; exit 1`)
	_, err := findCoreDNS(t.Context(), t.Logf)
	if want := "go mod tidy: exit status 1: go: no way to the proxy"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if left := names(t, folder); left != "" {
		t.Errorf("left: %s", left)
	}
}

// Whoever is interrupted leaves no process and no file.
func TestMakingCoreDNSIsInterrupted(t *testing.T) {
	folder := compiler(t, `trap 'echo "$$" >"$XDG_CACHE_HOME/ended"; exit 1' INT; : >"$XDG_CACHE_HOME/begun"; while :; do sleep 0.05; done`)
	begun, ended := filepath.Join(os.Getenv("XDG_CACHE_HOME"), "begun"), filepath.Join(os.Getenv("XDG_CACHE_HOME"), "ended")
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		for _, err := os.Stat(begun); err != nil && t.Context().Err() == nil; _, err = os.Stat(begun) {
			time.Sleep(time.Millisecond)
		}
		stop()
	}()
	if _, err := findCoreDNS(ctx, t.Logf); err != context.Canceled {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
	if _, err := os.Stat(ended); err != nil {
		t.Errorf("go was not asked to end: %v", err)
	}
	if left := names(t, folder); left != "" {
		t.Errorf("left: %s", left)
	}
}

func TestProgressIsTold(t *testing.T) {
	p := &progress{mark: "\n"}
	for _, text := range []string{"a\nb\n", "c\n"} {
		if _, err := p.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	told := make(chan int, 1)
	stop := p.tell(time.Millisecond, func(n int) {
		select {
		case told <- n:
		default:
		}
	})
	defer stop()
	if n := <-told; n != 3 {
		t.Errorf("%d are told, want 3", n)
	}
	if diff := cmp.Diff("a\nb\nc\n", string(p.text)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
