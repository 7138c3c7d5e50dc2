// Command director measures `director run` beside Debian's keepalived: how long
// until a large table is in the kernel, and how long a changed weight takes
// from the file to the kernel. Both run by themselves, in turns, each time in
// a fresh guest of user-mode Linux, on the same table: the same VIPs, servers
// and weights, no health checks. What the kernel holds is asked of the kernel.
//
// It installs nothing, needs no root, and ends all that it has started.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gslb/lab/debian"
	"gslb/lab/uml"
)

func main() {
	uml.Init()
	if len(os.Args) == 3 && os.Args[1] == guestFlag {
		os.Exit(guest(os.Args[2], os.Stdout, os.Stderr))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

type settings struct {
	rounds   int
	reloads  int
	json     bool
	only     string
	director string
	keep     string
	timeout  time.Duration
}

const usage = `Measure 'director run' beside keepalived (fetched from Debian when the machine
lacks it), in turns, each in a fresh guest of user-mode Linux, on the same table
without checks.

Usage:
  director [flags]

Example:
  make bench-director
  bin/bench-director --only 1000x10 --rounds 5 --json >figures.json

Flags:
`

// scenes are what is measured.
var scenes = []scene{{1000, 10}, {4000, 10}}

// contestants, ours last.
var contestants = []string{"keepalived", "director"}

func run(args []string, out, errs io.Writer) int {
	var s settings
	flags := flag.NewFlagSet("director", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.IntVar(&s.rounds, "rounds", 3, "how often each is started")
	flags.IntVar(&s.reloads, "reloads", 5, "how often a weight is changed after each start")
	flags.BoolVar(&s.json, "json", false, "print JSON")
	flags.StringVar(&s.only, "only", "", "measure one `table`, as SERVICESxDESTINATIONS (default 1000x10 and 4000x10)")
	flags.StringVar(&s.director, "director", "bin/director", "the program to measure")
	flags.StringVar(&s.keep, "keep", "", "leave the files of both, and what they said, in `folder`")
	flags.DurationVar(&s.timeout, "timeout", 10*time.Minute, "the longest that one start with its reloads may take")
	flags.Usage = func() {
		fmt.Fprint(errs, usage)
		flags.PrintDefaults()
		fmt.Fprint(errs, "\nExit status: 0 measured, 1 a program is missing, wrong or ended, 64 usage.\n")
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 64
	}
	if flags.NArg() > 0 || s.rounds < 1 || s.reloads < 1 || s.timeout <= 0 {
		fmt.Fprintln(errs, "director: want no arguments, --rounds and --reloads from 1, --timeout above 0")
		return 64
	}
	chosen := scenes
	if s.only != "" {
		one, err := parseScene(s.only)
		if err != nil {
			fmt.Fprintln(errs, "director: --only:", err)
			return 64
		}
		chosen = []scene{one}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := measure(ctx, s, chosen, out, errs); err != nil {
		fmt.Fprintln(errs, "director:", err)
		return 1
	}
	return 0
}

var programs = []debian.Program{{Executable: "keepalived", Package: "keepalived"}}

func measure(ctx context.Context, s settings, chosen []scene, out, errs io.Writer) error {
	say := func(format string, args ...any) { fmt.Fprintf(errs, format+"\n", args...) }
	kit, err := uml.Ensure(ctx, say)
	if err != nil {
		return err
	}
	root, err := debian.Ensure(ctx, "bench-director", "keepalived", programs, say)
	if err != nil {
		return fmt.Errorf("find keepalived: %w", err)
	}
	if s.director, err = filepath.Abs(s.director); err != nil {
		return err
	}
	if _, err := os.Stat(s.director); err != nil {
		return fmt.Errorf("%w: make build makes it", err)
	}
	report := Report{FormatVersion: 1, Time: time.Now().UTC().Truncate(time.Second), Rounds: s.rounds, Reloads: s.reloads, Processor: processor()}
	for _, scene := range chosen {
		result := SceneResult{Services: scene.Services, Destinations: scene.Destinations}
		for _, c := range contestants {
			result.Results = append(result.Results, Result{Program: c})
		}
		for round := range s.rounds {
			for i, c := range contestants {
				say("%s, round %d of %d: %s", scene, round+1, s.rounds, c)
				j := job{Scene: scene, Program: c, Director: s.director, Root: root, Reloads: s.reloads, Patience: s.timeout / 2}
				if s.keep != "" {
					j.Keep = filepath.Join(s.keep, fmt.Sprintf("%dx%d-%s", scene.Services, scene.Destinations, c))
				}
				r, err := carry(ctx, kit, j, s.timeout, errs)
				if ctx.Err() != nil {
					return errors.New("interrupted")
				}
				if err != nil {
					return fmt.Errorf("%s, %s: %w", scene, c, err)
				}
				say("  %s", r)
				result.Results[i].Runs = append(result.Results[i].Runs, r)
			}
		}
		result.compare()
		report.Scenes = append(report.Scenes, result)
		if !s.json {
			result.print(out)
		}
	}
	if s.json {
		return report.json(out)
	}
	report.footer(out)
	return nil
}

// guestMemory in MB; what is not touched takes no room.
const guestMemory = 4096

// carry does a job in a guest of its own.
func carry(ctx context.Context, kit *uml.Kit, j job, timeout time.Duration, errs io.Writer) (Run, error) {
	self, err := os.Executable()
	if err != nil {
		return Run{}, err
	}
	var writable []string
	if j.Keep != "" {
		if j.Keep, err = filepath.Abs(j.Keep); err != nil {
			return Run{}, err
		}
		if err := os.MkdirAll(j.Keep, 0o755); err != nil {
			return Run{}, err
		}
		writable = []string{j.Keep}
	}
	text, err := json.Marshal(j)
	if err != nil {
		return Run{}, err
	}
	var stdout bytes.Buffer
	exit, err := kit.Run(ctx, uml.Command{
		Path: self, Args: []string{guestFlag, string(text)}, Stdout: &stdout, Stderr: errs,
		Writable: writable, Memory: guestMemory, Modules: []string{"ip_vs_wlc", "dummy"}, Timeout: timeout,
	})
	if err != nil {
		return Run{}, err
	}
	if exit != 0 {
		return Run{}, errors.New("not measured")
	}
	var r Run
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		return Run{}, fmt.Errorf("read what the guest measured, %q: %w", strings.TrimSpace(stdout.String()), err)
	}
	return r, nil
}
