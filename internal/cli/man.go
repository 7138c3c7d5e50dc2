package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A Manual is a page of section 5, on a file format, written in Markdown.
type Manual struct{ Name, About, Text string }

// Man returns the hidden command that writes the manual pages of root and of
// all its subcommands into a folder.
func Man(root *cobra.Command, formats ...Manual) *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages into a folder",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := args[0]
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("write manual: %w", err)
			}
			for name, text := range manualPages(root, formats) {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					return fmt.Errorf("write manual: %w", err)
				}
			}
			return nil
		},
	}
}

// manualPages are the pages by file name.
func manualPages(root *cobra.Command, formats []Manual) map[string]string {
	pages := map[string]string{}
	var beside []string // what every page points to
	for _, f := range formats {
		p := newPage(f.Name, "5", f.About)
		p.markdown(f.Text)
		p.section("See also")
		p.line(bold(root.Name()) + "(1)")
		pages[f.Name+".5"] = p.out.String()
		beside = append(beside, f.Name+"(5)")
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		pages[pageName(c)+".1"] = commandPage(c, beside)
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				walk(sub)
			}
		}
	}
	walk(root)
	return pages
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func commandPage(c *cobra.Command, beside []string) string {
	c.InitDefaultHelpFlag()
	p := newPage(pageName(c), "1", lowerFirst(c.Short))
	p.section("Synopsis")
	use := strings.TrimPrefix(c.UseLine(), c.CommandPath())
	if !c.Runnable() || c.HasAvailableSubCommands() {
		use = " COMMAND"
	}
	p.line(bold(c.CommandPath()) + placeholder.ReplaceAllString(roff(use), `\fI$0\fR`))
	if c.Long != "" {
		p.section("Description")
		p.prose(c.Long)
	}
	if c.HasAvailableSubCommands() {
		p.section("Commands")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				p.item(bold(pageName(sub))+"(1)", roff(sub.Short))
			}
		}
	}
	if c.HasAvailableFlags() {
		p.section("Options")
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				p.option(f)
			}
		})
	}
	if c.Example != "" {
		p.section("Examples")
		p.prose(c.Example)
	}
	p.section("Exit status")
	for _, r := range exitCodes(c) {
		p.item(bold(r.name), roff(r.text))
	}
	p.section("Environment")
	for _, r := range environment(c) {
		p.item(bold(r.name), roff(r.text))
	}
	p.section("See also")
	also := beside
	if c.HasParent() {
		also = append([]string{pageName(c.Parent()) + "(1)"}, also...)
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			also = append(also, pageName(sub)+"(1)")
		}
	}
	for i, name := range also {
		name, section, _ := strings.Cut(name, "(")
		end := ","
		if i == len(also)-1 {
			end = ""
		}
		p.line(bold(name) + "(" + section + end)
	}
	return p.out.String()
}

// option describes a flag.
func (p *page) option(f *pflag.Flag) {
	value, usage := pflag.UnquoteUsage(f)
	term := bold("--" + f.Name)
	if f.Shorthand != "" {
		term = bold("-"+f.Shorthand) + ", " + term
	}
	if value != "" {
		term += " " + italic(value)
	}
	text := roff(usage)
	if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" {
		text += " (default " + bold(f.DefValue) + ")"
	}
	p.item(term, text)
}

// lowerFirst is a sentence as it stands behind a dash.
func lowerFirst(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToLower(s[:1]) + s[1:]
}
