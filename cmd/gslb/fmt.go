package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"gslb/conf"
	"gslb/conf/format"
	"gslb/conf/load"
	"gslb/internal/cli"
)

// stdinName is what stdin is called where a file's name stands.
const stdinName = "<stdin>"

func fmtCmd() *cobra.Command {
	var f formatter
	var recursive bool
	cmd := &cobra.Command{
		Use:   "fmt [PATH...]",
		Short: "Lay topology files out",
		Long: `Lay topology files out in the one layout that all of them have, and print the
names of those that were not. A PATH is a file, or a directory whose *.hcl are
meant; without one it is the current directory; - lays stdin out to stdout.
*.hcl.json and names that begin with a dot are left alone.

The layout is that of 'terraform fmt': two spaces for each step in, = and
comments under each other, no more than one empty line. Besides, single groups
are written as arguments: soa { ... } becomes soa = { ... }. Comments stay, and
so do line breaks, kinds of line ends and what the file means. A file need not
be valid, but its syntax must be right; when it is not, the file is left alone,
its faults are told as by 'gslb validate', and the exit code is 1.

A file is replaced as a whole and keeps its mode and owner; a link keeps
pointing to it. A read-only file is an error. --check and --diff write no file;
with both, --diff says what is printed and --check what the exit code is.

Exit codes: 0 all is well, 1 a file could not be laid out, 3 with --check: a
file differs from its layout.`,
		Example: `  gslb fmt
  gslb fmt shop.hcl
  gslb fmt --check --recursive .
  gslb fmt --diff examples
  gslb fmt - <shop.hcl`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			f.in, f.out, f.errs = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			if len(paths) == 0 {
				paths = []string{"."}
			}
			return f.run(paths, recursive)
		},
	}
	cmd.Flags().BoolVar(&f.check, "check", false, "write nothing; print the names of files that differ, and exit with 3 if any does")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "write nothing; print what would change as unified diffs")
	cmd.Flags().BoolVar(&f.json, "json", false, "print all files as JSON")
	cmd.Flags().BoolVar(&recursive, "recursive", false, "look into the directories of a directory too")
	return cmd
}

// A formatter is one run of fmt.
type formatter struct {
	check, diff, json bool
	in                io.Reader
	out, errs         io.Writer

	report  fmtReport
	found   conf.Diagnostics
	sources conf.Source // files that diagnostics point into
	failed  bool
	differs bool
}

type fmtReport struct {
	FormatVersion int             `json:"format_version"`
	Files         []fmtFile       `json:"files"`
	Diagnostics   json.RawMessage `json:"diagnostics"` // as validate --json has them
}

type fmtFile struct {
	Filename string `json:"filename"`
	Changed  bool   `json:"changed"`        // it differs, or differed, from its layout
	Diff     string `json:"diff,omitempty"` // with --diff
}

func (f *formatter) run(paths []string, recursive bool) error {
	f.report = fmtReport{FormatVersion: 1, Files: []fmtFile{}}
	seen := map[string]bool{}
	for _, path := range paths {
		if path == "-" {
			if f.json && !f.check && !f.diff {
				return cli.Usagef("--json and the layout of stdin cannot both go to stdout: add --check or --diff")
			}
			if !seen[path] {
				f.fail(f.stdin())
			}
			seen[path] = true
			continue
		}
		names, err := layable(path, recursive)
		f.fail(err)
		for _, name := range names {
			if same := filepath.Clean(name); !seen[same] {
				seen[same] = true
				f.fail(f.file(name))
			}
		}
	}
	if f.json {
		if err := f.printJSON(); err != nil {
			return err
		}
	}
	switch {
	case f.failed:
		return cli.ErrSaid
	case f.check && f.differs:
		return cli.Status(cli.Differs)
	}
	return nil
}

// fail says what is wrong with one file; the others are still to do.
func (f *formatter) fail(err error) {
	if err == nil {
		return
	}
	f.failed = true
	if !errors.Is(err, cli.ErrSaid) {
		fmt.Fprintf(f.errs, "gslb: %v\n", err)
	}
}

func (f *formatter) stdin() error {
	text, err := bounded(f.in, stdinName)
	if err != nil {
		return err
	}
	laid, err := f.layout(stdinName, text)
	if err != nil || f.check || f.diff {
		return err
	}
	_, err = f.out.Write(laid)
	return err
}

func (f *formatter) file(name string) error {
	text, err := readFile(name)
	if err != nil {
		return err
	}
	laid, err := f.layout(name, text)
	if err != nil || f.check || f.diff || string(laid) == string(text) {
		return err
	}
	if err := replace(name, laid); err != nil {
		return err
	}
	if !f.json {
		fmt.Fprintln(f.out, name)
	}
	return nil
}

// layout lays a text out and prints what --check and --diff want printed.
func (f *formatter) layout(name string, text []byte) ([]byte, error) {
	file := conf.File{Name: name, Data: text}
	laid, diags := format.Source(file)
	if diags.HasErrors() {
		f.found = append(f.found, diags...)
		f.sources.Files = append(f.sources.Files, file)
		f.report.Files = append(f.report.Files, fmtFile{Filename: name})
		if !f.json {
			conf.Text(f.errs, diags, conf.Source{Files: []conf.File{file}}, cli.Colour(f.errs))
		}
		return nil, cli.ErrSaid
	}
	entry := fmtFile{Filename: name, Changed: string(laid) != string(text)}
	if entry.Changed {
		f.differs = true
		if f.diff {
			entry.Diff = string(diff.Diff(name+".orig", text, name, laid))
		}
		switch {
		case f.json:
		case f.diff:
			fmt.Fprint(f.out, entry.Diff)
		case f.check:
			fmt.Fprintln(f.out, name)
		}
	}
	f.report.Files = append(f.report.Files, entry)
	return laid, nil
}

func (f *formatter) printJSON() error {
	text, err := conf.JSON(f.found, f.sources)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &struct{ Diagnostics *json.RawMessage }{&f.report.Diagnostics}); err != nil {
		return err
	}
	if text, err = json.MarshalIndent(f.report, "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintf(f.out, "%s\n", text)
	return err
}

// bounded reads what is not larger than a topology may be.
func bounded(in io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(in, load.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("fmt %s: %w", name, err)
	}
	if len(text) > load.MaxBytes {
		return nil, fmt.Errorf("fmt %s: it has more than %d MB", name, load.MaxBytes>>20)
	}
	return text, nil
}
