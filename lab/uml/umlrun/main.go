// Umlrun runs a program inside user-mode Linux, as root and with IPVS, wherever it is started and by whomever:
//
//	umlrun [-mem MB] [-w DIR]... [-lend PACKAGE]... PROGRAM [ARG]...
//
// Its output, its exit status and the files it sees are as if it ran here, but what it writes to files is lost when it ends, except in
// the folders named by -w. With -lend a program of Debian, by the name of its package, is fetched into the cache if the machine lacks
// it, where [debian.Ensure] finds it by that name: there is no network inside. Umlrun is made for go test:
//
//	CGO_ENABLED=0 go test -tags kernel -exec bin/umlrun ./...
//
// where it lets the test write the profiles that go test asks for. A test built with -race cannot run in user-mode Linux.
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
	"strings"
	"syscall"

	"gslb/lab/debian"
	"gslb/lab/uml"
)

func main() {
	uml.Init()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr *os.File) int {
	flags := flag.NewFlagSet("umlrun", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: umlrun [-mem MB] [-w DIR]... [-lend PACKAGE]... PROGRAM [ARG]...")
	}
	memory := flags.Int("mem", 768, "")
	var writable []string
	flags.Func("w", "", func(dir string) error { writable = append(writable, dir); return nil })
	var lent []string
	flags.Func("lend", "", func(name string) error { lent = append(lent, name); return nil })
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() == 0 {
		flags.Usage()
		return 2
	}
	// SIGQUIT is how go test ends a test that hangs.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer stop()
	say := func(format string, args ...any) { fmt.Fprintf(stderr, "umlrun: "+format+"\n", args...) }
	for _, name := range lent {
		if _, err := debian.Ensure(ctx, name, name, []debian.Program{{Executable: name, Package: name}}, say); err != nil {
			fmt.Fprintln(stderr, "umlrun:", err)
			return 1
		}
	}
	kit, err := uml.Ensure(ctx, say)
	if err != nil {
		fmt.Fprintln(stderr, "umlrun:", err)
		return 1
	}
	c := uml.Command{
		Path: flags.Arg(0), Args: flags.Args()[1:],
		Stdout: stdout, Stderr: stderr,
		Writable: append(writable, profiles(flags.Args()[1:])...), Memory: *memory,
	}
	if same(stdout, stderr) {
		c.Stderr = io.Writer(stdout)
	}
	exit, err := kit.Run(ctx, c)
	var killed *uml.Killed
	switch {
	case errors.As(err, &killed):
		fmt.Fprintln(stderr, "umlrun:", err)
		return exit
	case err != nil:
		fmt.Fprintln(stderr, "umlrun:", err)
		return 1
	}
	return exit
}

// profiles lists the folders that a test binary is told to write to by go test's flags.
func profiles(args []string) []string {
	var dirs []string
	for _, a := range args {
		name, value, ok := strings.Cut(a, "=")
		if !ok || !filepath.IsAbs(value) {
			continue
		}
		switch name {
		case "-test.outputdir", "-test.gocoverdir":
			dirs = append(dirs, value)
		case "-test.testlogfile", "-test.coverprofile":
			dirs = append(dirs, filepath.Dir(value))
		}
	}
	return dirs
}

// same says whether two files are one, as when go test collects stdout and stderr: then the order of what is written counts.
func same(a, b *os.File) bool {
	x, errX := a.Stat()
	y, errY := b.Stat()
	return errX == nil && errY == nil && os.SameFile(x, y)
}
