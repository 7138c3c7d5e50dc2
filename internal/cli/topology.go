package cli

import (
	"fmt"
	"io"
	"strings"

	"gslb/conf"
	"gslb/conf/load"
	"gslb/topology"
)

// Topology reads and checks the files. When something is wrong with them it
// says so on stderr, with file and line, and the error is [ErrSaid]; warnings
// are said too.
func Topology(paths []string, vars map[string]string, stderr io.Writer) (*topology.Topology, error) {
	source, err := load.Read(paths)
	if err != nil {
		return nil, err
	}
	source.Vars = vars
	topo, diags := conf.Parse(source)
	conf.Text(stderr, diags, source, Colour(stderr))
	if diags.HasErrors() {
		return nil, ErrSaid
	}
	return topo, nil
}

// Vars reads the values of --var flags.
func Vars(flags []string) (map[string]string, error) {
	vars := map[string]string{}
	for _, f := range flags {
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
