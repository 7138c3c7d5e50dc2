package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gslb/internal/near"
)

// A row is a line of a help's table.
type row struct{ name, text string }

// exitCodes are those that a command can have.
func exitCodes(c *cobra.Command) []row {
	has := func(flag string) bool { return c.Flags().Lookup(flag) != nil }
	rows := []row{{"0", "all is well"}, {"1", "what was asked for failed, or the topology is invalid"}}
	if has("detailed-exitcode") {
		rows = append(rows, row{"2", "with --detailed-exitcode: there are changes"})
	}
	if has("check") {
		rows = append(rows, row{"3", "with --check: a file differs from its layout"})
	}
	return append(rows, row{"64", "the arguments make no sense"})
}

// environment are the variables that a command looks at.
func environment(c *cobra.Command) []row {
	var rows []row
	if c.Flags().Lookup("var") != nil {
		rows = append(rows, row{"GSLB_VAR_NAME", "value of the topology's variable NAME; --var and --var-file beat it"})
	}
	return append(rows, row{"NO_COLOR", "no colour where it is set; there is none but on a terminal in any case"})
}

// help makes every command's help end with what all have in common.
func help(root *cobra.Command) {
	usual := root.HelpFunc()
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		usual(c, args)
		if c.HasSubCommands() && c.HasParent() {
			return
		}
		out := c.OutOrStdout()
		for _, part := range []struct {
			title string
			rows  []row
		}{{"Exit codes", exitCodes(c)}, {"Environment", environment(c)}} {
			fmt.Fprintf(out, "\n%s:\n", part.title)
			width := 0
			for _, r := range part.rows {
				width = max(width, len(r.name))
			}
			for _, r := range part.rows {
				fmt.Fprintf(out, "  %-*s   %s\n", width, r.name, r.text)
			}
		}
	})
}

// unknown is the error for a subcommand that there is not.
func unknown(c *cobra.Command, name string) error {
	var words []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			words = append(words, sub.Name())
		}
	}
	return Usagef("unknown command %q for %q%s", name, c.CommandPath(), meant(near.Word(name, words)))
}

// badFlag is the error for a flag that is wrong.
func badFlag(c *cobra.Command, err error) error {
	name, ok := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !ok {
		return UsageError{err}
	}
	var words []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			words = append(words, f.Name)
		}
	})
	word := near.Word(name, words)
	if word != "" {
		word = "--" + word
	}
	return Usagef("%w%s", err, meant(word))
}

// meant is the rest of a sentence when there is a word that is close.
func meant(word string) string {
	if word == "" {
		return ""
	}
	return "; did you mean " + word + "?"
}
