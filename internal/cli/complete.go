package cli

import (
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gslb/conf"
	"gslb/topology"
)

// A Completion gives the words that an argument or flag of a command may be.
// It is quick and says nothing: what is wrong with a file is not asked for.
type Completion = cobra.CompletionFunc

// Flag sets the completion of a flag of the command at a path below root, as in
// "lab exec".
func Flag(root *cobra.Command, path, flag string, words Completion) {
	c := command(root, path)
	if err := c.RegisterFlagCompletionFunc(flag, words); err != nil {
		panic("cli: completion of " + path + " --" + flag + ": " + err.Error())
	}
}

// Arg sets the completion of the argument at a position of a command; the
// others are files.
func Arg(root *cobra.Command, path string, position int, words Completion) {
	c := command(root, path)
	c.ValidArgsFunction = func(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) != position {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return words(c, args, typed)
	}
}

// Args sets the completion of all arguments of a command.
func Args(root *cobra.Command, path string, words Completion) {
	command(root, path).ValidArgsFunction = words
}

func command(root *cobra.Command, path string) *cobra.Command {
	c, _, err := root.Find(strings.Fields(path))
	if err != nil || c == root {
		panic("cli: there is no command " + path)
	}
	return c
}

// Words completes one of a few words.
func Words(words ...string) Completion {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

// Objects completes the address of an object of the topology, of some kinds or
// of all.
func Objects(kinds ...string) Completion {
	return func(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		source, ok := named(c, args)
		if !ok {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, _ := conf.Expand(source)
		if all == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var out []string
		var walk func(objects []*conf.Object)
		walk = func(objects []*conf.Object) {
			for _, o := range objects {
				if len(kinds) == 0 || slices.Contains(kinds, o.Kind) {
					out = append(out, o.Address)
				}
				walk(o.Blocks)
			}
		}
		walk(all.Objects)
		return matching(out, typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// Of completes what a function finds in the topology.
func Of(words func(*topology.Topology) []string) Completion {
	return func(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		source, ok := named(c, args)
		if !ok {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		topo, _ := conf.Parse(source)
		if topo == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return matching(words(topo), typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// named are the files of a command line that is being written: those among its
// arguments, else the current directory.
func named(c *cobra.Command, args []string) (conf.Source, bool) {
	var in Inputs
	in.Vars, _ = c.Flags().GetStringArray("var")
	in.Files, _ = c.Flags().GetStringArray("var-file")
	var paths []string
	for _, a := range args {
		info, err := os.Stat(a)
		if err == nil && (info.IsDir() || info.Mode().IsRegular()) {
			paths = append(paths, a)
		}
	}
	if len(paths) == 0 {
		if found, err := fs.Glob(os.DirFS("."), "*.hcl*"); err != nil || len(found) == 0 {
			return conf.Source{}, false
		}
		paths = []string{"."}
	}
	source, err := in.Source(paths)
	return source, err == nil
}

// matching are the words that begin as what has been typed. The quotes in
// addresses, which shells would take for their own, are left out unless the
// user has begun to write them.
func matching(words []string, typed string) []string {
	var out []string
	for _, w := range words {
		if !strings.Contains(typed, `"`) {
			w = strings.ReplaceAll(w, `"`, "")
		}
		if strings.HasPrefix(w, typed) {
			out = append(out, w)
		}
	}
	return out
}
