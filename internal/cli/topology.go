package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gslb/conf"
	"gslb/conf/load"
	"gslb/topology"
)

// Inputs are the values of variables as flags give them.
type Inputs struct {
	Vars  []string // NAME=VALUE
	Files []string
}

// Flags adds the flags to a command.
func (in *Inputs) Flags(c *cobra.Command) {
	c.Flags().StringArrayVar(&in.Vars, "var", nil, "set variable `NAME=VALUE` (repeatable)")
	c.Flags().StringArrayVar(&in.Files, "var-file", nil, "read values of variables, name = value, from `FILE` (repeatable; a later one counts)")
}

// Source reads the files.
func (in *Inputs) Source(paths []string) (conf.Source, error) {
	vars, err := in.values()
	return load.Read(paths, load.Values{Vars: vars, Files: in.Files}), err
}

// Again reads the files as Source does, with less work where they are what they
// were before.
func (in *Inputs) Again(before conf.Source, paths []string) (conf.Source, error) {
	vars, err := in.values()
	return load.Again(before, paths, load.Values{Vars: vars, Files: in.Files}), err
}

// Topology reads and checks the files. When something is wrong with them it
// says so on stderr, with file and line, and the error is [ErrSaid]; warnings
// are said too.
func (in *Inputs) Topology(paths []string, stderr io.Writer) (*topology.Topology, error) {
	source, err := in.Source(paths)
	if err != nil {
		return nil, err
	}
	return said(conf.Parse, source, stderr)
}

func said(parse func(conf.Source) (*topology.Topology, conf.Diagnostics), source conf.Source, stderr io.Writer) (*topology.Topology, error) {
	topo, diags := parse(source)
	conf.Text(stderr, diags, source, Colour(stderr))
	if diags.HasErrors() {
		return nil, ErrSaid
	}
	return topo, nil
}

// A Reader is [Inputs.Topology] for a program that reads the same files again
// and again: a reading costs what has changed since the one before. It belongs
// to one goroutine.
type Reader struct {
	Source conf.Source // what was read last, be it right or wrong

	in    *Inputs
	paths []string
	files load.Reader
}

// Reader returns what reads the files of paths.
func (in *Inputs) Reader(paths []string) *Reader { return &Reader{in: in, paths: paths} }

// Topology reads and checks the files.
func (r *Reader) Topology(stderr io.Writer) (*topology.Topology, error) {
	vars, err := r.in.values()
	if err != nil {
		return nil, err
	}
	r.Source = r.files.Read(r.paths, load.Values{Vars: vars, Files: r.in.Files})
	return said(r.files.Parse, r.Source, stderr)
}

func (in *Inputs) values() (map[string]string, error) {
	vars := map[string]string{}
	for _, f := range in.Vars {
		name, value, ok := strings.Cut(f, "=")
		if !ok || name == "" {
			return nil, Usagef("--var %q is not NAME=VALUE", f)
		}
		vars[name] = value
	}
	return vars, nil
}

// NoNode is the error for an address that names no node the command is for.
func NoNode(given string, kind string, have []string) error {
	if len(have) == 0 {
		return fmt.Errorf("%s is no %s of the file: it has none", given, kind)
	}
	return fmt.Errorf("%s is no %s of the file: it has %s", given, kind, strings.Join(have, ", "))
}
