// Qemurun runs a static program as root in a machine of software with Debian's own kernel, wherever it is started and by whomever:
//
//	qemurun [-file FILE]... [-module NAME]... PROGRAM [ARG]...
//
// Its output and its exit status are as if it ran here; of the files here it has those named by -file. Qemurun is made for go test:
//
//	CGO_ENABLED=0 go test -tags xdp -exec 'bin/qemurun -module veth' ./dnsserver/afxdp
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"gslb/lab/qemu"
)

func main() {
	qemu.Init()
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	flags := flag.NewFlagSet("qemurun", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: qemurun [-file FILE]... [-module NAME]... PROGRAM [ARG]...")
	}
	c := qemu.Command{Output: os.Stdout}
	flags.Func("file", "", func(f string) error { c.Files = append(c.Files, f); return nil })
	flags.Func("module", "", func(m string) error { c.Modules = append(c.Modules, m); return nil })
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() == 0 {
		flags.Usage()
		return 2
	}
	c.Path, c.Args = flags.Arg(0), flags.Args()[1:]
	// SIGQUIT is how go test ends a test that hangs.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer stop()
	kit, err := qemu.Ensure(ctx, func(format string, args ...any) { fmt.Fprintf(os.Stderr, "qemurun: "+format+"\n", args...) })
	if err != nil {
		fmt.Fprintln(os.Stderr, "qemurun:", err)
		return 1
	}
	exit, err := kit.Run(ctx, c)
	if err != nil {
		fmt.Fprintln(os.Stderr, "qemurun:", err)
		return 1
	}
	return exit
}
