package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// coreDNS is the version that is measured. Debian has no package of it.
const coreDNS = "v1.12.4"

// building is how long making CoreDNS may take: there is much to fetch.
const building = 15 * time.Minute

// A program of CoreDNS with the two plugins that serving a zone takes, so that
// what the others need is not fetched. It is a module of its own: ours does
// not depend on it.
var coreDNSFiles = map[string]string{
	"go.mod": "module coredns\n\ngo 1.26\n\nrequire github.com/coredns/coredns " + coreDNS + "\n",
	"main.go": `package main

import (
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/file"
)

func main() { coremain.Run() }
`,
}

// findCoreDNS returns the path of a CoreDNS that was made before, or makes it
// by Go's module proxy, whose sums go.sum's database vouches for.
func findCoreDNS(ctx context.Context, say func(string, ...any)) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	made := filepath.Join(cache, "gslb", "bench", "coredns-"+coreDNS)
	if _, err := os.Stat(made); err == nil {
		return made, nil
	}
	if _, err := exec.LookPath("go"); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(made), 0o755); err != nil {
		return "", err
	}
	folder, err := os.MkdirTemp(filepath.Dir(made), "coredns.tmp-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(folder)
	for name, text := range coreDNSFiles {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	say("making CoreDNS %s, which takes some minutes the first time", coreDNS)
	bounded, stop := context.WithTimeout(ctx, building)
	defer stop()
	// Go's own work folder is within ours, so that nothing of it stays whatever ends it.
	env := append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOTMPDIR="+folder)
	for _, step := range []struct {
		mark, done string
		args       []string
	}{
		{"go: downloading ", "modules fetched", []string{"mod", "tidy"}},
		{"\n", "packages built", []string{"build", "-v", "-trimpath", "-o", "coredns", "."}},
	} {
		said := &progress{mark: step.mark}
		cmd := exec.CommandContext(bounded, "go", step.args...)
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = folder, env, said, said
		// It ends its compilers and tidies up when it is asked to.
		cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(os.Interrupt) }, 10*time.Second
		quiet := said.tell(10*time.Second, func(n int) { say("CoreDNS: %d %s so far", n, step.done) })
		err := cmd.Run()
		quiet()
		if err != nil {
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			if bounded.Err() != nil {
				err = fmt.Errorf("not done after %v", building)
			}
			return "", fmt.Errorf("go %s: %w: %s", strings.Join(step.args, " "), err, last(said.text))
		}
	}
	// Renamed, so that there is a whole program there or none.
	return made, os.Rename(filepath.Join(folder, "coredns"), made)
}

// A progress counts what a command says it has done.
type progress struct {
	mark string // what the command writes for each
	mu   sync.Mutex
	text []byte // the end of what was written, for errors
	n    int
}

func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n += bytes.Count(b, []byte(p.mark))
	p.text = append(p.text, b...)
	p.text = p.text[max(0, len(p.text)-1<<12):]
	return len(b), nil
}

func (p *progress) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

// tell says how much it is every now and then, until the function that it
// returns is called.
func (p *progress) tell(every time.Duration, say func(n int)) (stop func()) {
	end := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				say(p.count())
			case <-end:
				return
			}
		}
	})
	return func() { close(end); wait.Wait() }
}
