package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"gslb/dataplane"
	"gslb/internal/cli"
	"gslb/topology"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"director": func() { os.Exit(runOn(openFake, os.Args[1:], os.Stdout, os.Stderr)) },
		"forward":  func() { os.Exit(forward(os.Args[1], os.Args[2], os.Args[3])) },
	})
}

// forward is 'director run' without the lock, which belongs to the machine.
func forward(file, node, dir string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, unix.SIGHUP)
	files := (&cli.Inputs{}).Reader([]string{file})
	read := func() (*topology.Topology, *topology.Director, error) {
		topo, err := files.Topology(os.Stderr)
		if err != nil {
			return nil, nil, err
		}
		self, _ := topo.Director(node)
		return topo, self, nil
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	err := func() error {
		topo, self, err := read()
		if err != nil {
			return err
		}
		desk, err := openDesk(log, dir)
		if err != nil {
			return err
		}
		defer desk.close()
		k, _ := openFake()
		host := newHostKeeper(k, hostPath(dir), log)
		d := &daemon{host: host, pairs: openPairs(dir, log, host), sync: &syncer{}, kernel: k, keeper: &dataplane.Keeper{Plane: k}, desk: desk, dir: dir, state: state{Node: node}, read: read, reload: hangup, log: log}
		if err := d.adopt(topo, self); err != nil {
			return err
		}
		if err := desk.listen(filepath.Join(dir, socketName)); err != nil {
			return err
		}
		return d.run(ctx)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// The operator's screens. UPDATE=1 writes them anew.
func TestScreens(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       os.Getenv("UPDATE") != "",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("FAKE_KERNEL", filepath.Join(e.WorkDir, "kernel.json"))
			e.Setenv("RUNTIME_DIRECTORY", filepath.Join(e.WorkDir, "state"))
			return os.Mkdir(filepath.Join(e.WorkDir, "out"), 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"until": until},
	})
}

// until runs a command until what it prints has the pattern.
func until(ts *testscript.TestScript, _ bool, args []string) {
	for begin := time.Now(); time.Since(begin) < 10*time.Second; time.Sleep(20 * time.Millisecond) {
		if err := ts.Exec(args[1], args[2:]...); err == nil && regexp.MustCompile(args[0]).MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("%s does not come; the last was\n%s%s", args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
}
