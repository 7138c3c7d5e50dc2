// Package cli holds the manners that both programs share: how arguments are
// read, what exit codes mean and where words go. Data goes to stdout, talk to
// stderr.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Exit codes.
const (
	OK      = 0
	Failed  = 1  // what was asked for failed, or the file is invalid
	Differs = 3  // a file differs from its layout
	Usage   = 64 // the arguments make no sense (EX_USAGE of sysexits.h)
)

// ErrSaid is the error of a command that has told the user already.
var ErrSaid = errors.New("said already")

// A Status is the error of a command whose exit code is that of a program it ran.
type Status int

func (s Status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// A UsageError is one of the arguments.
type UsageError struct{ error }

// Usagef makes a [UsageError].
func Usagef(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// Run runs root with args and returns the exit code. The context of the
// command ends with the first SIGINT or SIGTERM; the second one kills.
func Run(root *cobra.Command, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.Version = version()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(badFlag)
	builtin(root, args)
	help(root)
	groups(root)
	root.SetArgs(twoDashes(root, args))
	command, err := root.ExecuteContextC(ctx)
	var usage UsageError
	var status Status
	switch {
	case err == nil:
		return OK
	case errors.Is(err, ErrSaid):
		return Failed
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &usage), strings.HasPrefix(err.Error(), "unknown command"):
		fmt.Fprintf(stderr, "%s: %v\nTry '%s --help'.\n", root.Name(), err, command.CommandPath())
		return Usage
	}
	fmt.Fprintf(stderr, "%s: %v\n", root.Name(), err)
	return Failed
}

// version is the module's, with the revision it was built from where the
// toolchain has noted it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	out := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			out += " " + s.Value
		}
	}
	return out + " " + info.GoVersion
}

// builtin adds the commands that the library brings along, so that they have
// the same manners. There is no PowerShell where this runs.
func builtin(root *cobra.Command, args []string) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd(args...)
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		for _, shell := range c.Commands() {
			if shell.Name() == "powershell" {
				c.RemoveCommand(shell)
			}
		}
	}
}

// groups makes the wrong number of arguments a usage error everywhere, and a
// command that only has subcommands show its help.
func groups(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return UsageError{err}
			}
			return nil
		}
	}
	if c.HasSubCommands() && !c.Runnable() {
		c.Args = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknown(c, args[0])
			}
			return nil
		}
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	for _, sub := range c.Commands() {
		groups(sub)
	}
}

// twoDashes gives long flags that were written with one dash their second one,
// so that -json means --json. What stands after "--" is left alone.
func twoDashes(root *cobra.Command, args []string) []string {
	out := make([]string, len(args))
	copy(out, args)
	for i, a := range out {
		if a == "--" {
			break
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(a, "-"), "=")
		if len(name) > 1 && a[0] == '-' && a[1] != '-' && knows(root, name) {
			out[i] = "-" + a
		}
	}
	return out
}

func knows(c *cobra.Command, name string) bool {
	if name == "help" || name == "version" || c.Flags().Lookup(name) != nil || c.PersistentFlags().Lookup(name) != nil {
		return true
	}
	for _, sub := range c.Commands() {
		if knows(sub, name) {
			return true
		}
	}
	return false
}

// Colour reports whether w is a terminal whose user wants colour (no-color.org).
func Colour(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}
