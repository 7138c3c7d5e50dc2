// Command dns measures name servers against each other on one machine: ours,
// NSD, Knot and gdnsd from Debian's packages, and CoreDNS. Each answers the same queries
// from the same data on a processor of its own, in turns; the generator has
// another processor. What a server answers is checked before it is measured.
//
// It counts the time that a server's processor works for an answer, which
// other load on the machine disturbs least; answers per second come second.
// It installs nothing and ends all that it has started. Root is needed for what
// is measured over virtual network cards alone, which is left out without.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"gslb/lab/debian"
)

func main() {
	// The thread that starts a process is the one whose end the process must
	// not survive, so it has to be there to the last.
	runtime.LockOSThread()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

type settings struct {
	rounds  int
	seconds float64
	window  int
	askers  int // 0: as scenes say
	json    bool
	only    string
	gslb    string
	coredns string
	profile string
}

const usage = `Measure name servers: ours, NSD, Knot and gdnsd (fetched from Debian when the
machine lacks them) and CoreDNS (made from its source, where Go is there), on
the same data and queries, one processor for the server and another for the
queries, in turns.

Usage:
  dns [flags]

Example:
  make bench-dns
  bin/bench-dns --rounds 9 --seconds 3 --json >figures.json
  bin/bench-dns --only weighted

Flags:
`

func run(args []string, out, errs io.Writer) int {
	var s settings
	flags := flag.NewFlagSet("dns", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.IntVar(&s.rounds, "rounds", 15, "how often each server is measured")
	flags.Float64Var(&s.seconds, "seconds", 0.5, "how long each time, in seconds")
	flags.IntVar(&s.window, "window", 192, "how many queries wait for their replies at most")
	flags.IntVar(&s.askers, "askers", 0, fmt.Sprintf("from how many addresses and ports queries come: %d, or as many as wait; 0: what the scene says", few))
	flags.BoolVar(&s.json, "json", false, "print JSON")
	flags.StringVar(&s.only, "only", "", "measure one `scene`: "+strings.Join(sceneNames(), ", "))
	flags.StringVar(&s.gslb, "gslb", "bin/gslb", "the program to measure")
	flags.StringVar(&s.coredns, "coredns", "", "the CoreDNS to measure, at `path`; none: without it (default: made by Go's module proxy once)")
	flags.StringVar(&s.profile, "keep", "", "keep the servers' files in `folder`")
	flags.Usage = func() {
		fmt.Fprint(errs, usage)
		flags.PrintDefaults()
		fmt.Fprint(errs, "\nExit status: 0 measured, 1 a server is missing, wrong or ended, 64 usage.\n")
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 64
	}
	if flags.NArg() > 0 || s.rounds < 1 || s.seconds <= 0 || s.window < 2*few || s.window > batch || s.window%few != 0 {
		fmt.Fprintf(errs, "dns: want no arguments, --rounds from 1, --seconds above 0, --window from %d to %d in steps of %d\n", 2*few, batch, few)
		return 64
	}
	if s.askers != 0 && s.askers != few && s.askers != s.window {
		fmt.Fprintf(errs, "dns: --askers %d: want %d, or %d as there are waiting queries (--window)\n", s.askers, few, s.window)
		return 64
	}
	if s.only != "" && findScene(s.only) == nil {
		fmt.Fprintf(errs, "dns: --only %s: no such scene; there are %s\n", s.only, strings.Join(sceneNames(), ", "))
		return 64
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := measure(ctx, s, out, errs); err != nil {
		fmt.Fprintln(errs, "dns:", err)
		return 1
	}
	return 0
}

// programs are what Debian has of those measured.
var programs = []debian.Program{
	{Executable: "nsd", Package: "nsd"},
	{Executable: "knotd", Package: "knot"},
	{Executable: "gdnsd", Package: "gdnsd"},
}

var errInterrupted = errors.New("interrupted")

func measure(ctx context.Context, s settings, out, errs io.Writer) error {
	say := func(format string, args ...any) { fmt.Fprintf(errs, format+"\n", args...) }
	cores, err := twoCores()
	if err != nil {
		return err
	}
	root, err := debian.Ensure(ctx, "bench", "name servers", programs, say)
	if err != nil {
		return fmt.Errorf("find the other name servers: %w", err)
	}
	switch s.coredns {
	case "":
		if s.coredns, err = findCoreDNS(ctx, say); ctx.Err() != nil {
			return errInterrupted
		} else if err != nil {
			say("measuring without CoreDNS: %v", err)
		}
	case "none":
		s.coredns = ""
	}
	if s.gslb, err = filepath.Abs(s.gslb); err != nil {
		return err
	}
	if _, err := os.Stat(s.gslb); err != nil {
		return fmt.Errorf("%w: make build makes it", err)
	}
	folder := s.profile
	if folder == "" {
		if folder, err = os.MkdirTemp("", "bench-dns-"); err != nil {
			return err
		}
		defer os.RemoveAll(folder)
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return err
	}
	report := Report{FormatVersion: 1, Time: time.Now().UTC().Truncate(time.Second), Rounds: s.rounds, Seconds: s.seconds, Window: s.window, Processor: processor()}
	for i := range scenes {
		scene := &scenes[i]
		if s.only != "" && s.only != scene.name {
			continue
		}
		b := bench{settings: s, scene: scene, root: root, folder: filepath.Join(folder, scene.name), cores: cores, say: say}
		results, err := b.run(ctx)
		if errors.Is(err, errNoCards) && s.only == "" {
			say("leaving %s out: %v", scene.name, err)
			continue
		}
		if ctx.Err() != nil {
			return errInterrupted
		}
		if err != nil {
			return fmt.Errorf("%s: %w", scene.name, err)
		}
		for _, result := range results {
			report.Scenes = append(report.Scenes, *result)
			if !s.json {
				result.print(out)
			}
		}
	}
	if s.json {
		return report.json(out)
	}
	report.footer(out)
	return nil
}
