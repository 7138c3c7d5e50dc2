package conf

import (
	"fmt"
	"slices"
	"strings"

	"gslb/topology"
)

// Manual returns the reference manual of the language as Markdown. What it
// says of blocks and arguments is the schema table.
func Manual() string {
	m := &manual{}
	m.text(introduction)
	m.contents()
	m.text(expressions)
	m.heading(2, "Blocks")
	m.para("An argument stands in its block as `name = value`. One without a default that is not required has no value when it is left out. " +
		"What is *not available yet* is checked and then refused ([GS020](../../conf/codes/pages/GS020.md)); what has *no effect yet* is checked and accepted.")
	for _, b := range root.kids {
		m.block(b, nil)
	}
	m.functions()
	m.limits()
	m.diagnostics()
	return strings.TrimRight(m.out.String(), "\n") + "\n"
}

type manual struct{ out strings.Builder }

func (m *manual) text(s string) { m.out.WriteString(strings.Trim(s, "\n") + "\n\n") }

func (m *manual) para(format string, args ...any) { m.text(fmt.Sprintf(format, args...)) }

func (m *manual) heading(depth int, title string) { m.para("%s %s", strings.Repeat("#", depth), title) }

// contents links to every heading that the rest of the manual has.
func (m *manual) contents() {
	m.heading(2, "Contents")
	var names []string
	for _, b := range root.kids {
		names = append(names, fmt.Sprintf("[%s](#%s)", b.name, b.name))
	}
	m.para("* [Expressions](#expressions): [values](#values), [references](#references), [repeating blocks](#repeating-blocks), [variables](#variables)\n"+
		"* [Blocks](#blocks): %s\n* [Functions](#functions)\n* [Limits](#limits)\n* [Diagnostics](#diagnostics)", strings.Join(names, ", "))
}

// block describes a kind of block, and then what it may hold.
func (m *manual) block(b *block, in []*block) {
	in = append(slices.Clone(in), b)
	var path []string
	for _, x := range in {
		path = append(path, x.name)
	}
	m.heading(min(2+len(in), 5), strings.Join(path, " "))
	m.para("```hcl fragment\n%s\n```", sketch(b))
	m.para("%s", strings.Join(remarks(b, in[:len(in)-1]), " "))
	if len(b.attrs) > 0 {
		m.out.WriteString("| Argument | Value | Default | |\n|---|---|---|---|\n")
		for _, a := range b.attrs {
			fmt.Fprintf(&m.out, "| `%s` | %s | %s | %s |\n", a.name, admitted(a), standing(a), describe(a))
		}
		m.out.WriteString("\n")
	}
	if slices.Contains(kinds, b.name) && len(in) == 1 {
		m.para("Of a reference to it expressions can read %s.", readable(b))
	}
	if b == defaultsBlock {
		m.defaults()
		return
	}
	if len(b.kids) > 0 {
		var inside []string
		for _, k := range b.kids {
			inside = append(inside, fmt.Sprintf("[%s](#%s-%s)", k.name, strings.Join(path, "-"), k.name))
		}
		m.para("In it: %s.", strings.Join(inside, ", "))
	}
	for _, k := range b.kids {
		m.block(k, in)
	}
}

// defaults lists what the defaults block may give, which is described where
// it belongs.
func (m *manual) defaults() {
	m.out.WriteString("| Group | Arguments |\n|---|---|\n")
	for _, k := range defaultsBlock.kids {
		var names []string
		for _, a := range k.attrs {
			names = append(names, "`"+a.name+"`")
		}
		for _, g := range k.kids {
			names = append(names, "`"+g.name+"`")
		}
		fmt.Fprintf(&m.out, "| `%s` | %s |\n", k.name, strings.Join(names, ", "))
	}
	m.out.WriteString("\n")
}

// sketch is a block's form in the text.
func sketch(b *block) string {
	switch {
	case b.group:
		return fmt.Sprintf("%s = { # or %s { ... }\n}", b.name, b.name)
	case b.label == "":
		return b.name + " {\n}"
	}
	return fmt.Sprintf("%s \"%s\" {\n}", b.name, strings.ToUpper(b.label))
}

// remarks are sentences on what a block is and where it may stand.
func remarks(b *block, in []*block) []string {
	out := []string{b.doc}
	if b.later != "" {
		out = append(out, "*Not available yet.*")
	}
	if b.idle {
		out = append(out, "*No effect yet.*")
	}
	place := "in a topology"
	if len(in) > 0 {
		place = "in a `" + in[len(in)-1].name + "`"
	}
	switch {
	case b.repeats():
		out = append(out, fmt.Sprintf("Any number %s; takes `for_each`.", place))
	case b.one:
		out = append(out, fmt.Sprintf("At most one %s.", place))
	default:
		out = append(out, fmt.Sprintf("Any number %s.", place))
	}
	if b.free {
		out = append(out, "Its arguments are names of your own, read as local.NAME.")
	}
	return out
}

// admitted says what an argument's value is.
func admitted(a *attr) string {
	if a.typ == tScheduler {
		var names []string
		for _, s := range topology.Schedulers {
			names = append(names, s.Name)
		}
		return strings.Join(names, ", ")
	}
	if len(a.typ.kinds) == 0 {
		return a.typ.doc
	}
	var to []string
	for _, k := range a.typ.kinds {
		to = append(to, fmt.Sprintf("[%s](#%s)", k, k))
	}
	if a.typ.list {
		return "references to " + strings.Join(to, " or ")
	}
	return "reference to " + strings.Join(to, " or ")
}

// standing is what holds for an argument that is left out.
func standing(a *attr) string {
	switch {
	case a.must:
		return "**required**"
	case a.def != "":
		return "`" + a.def + "`"
	}
	return ""
}

func describe(a *attr) string {
	s := a.doc
	if a.later != "" {
		s += " *Not available yet.*"
	}
	if a.idle {
		s += " *No effect yet.*"
	}
	return strings.NewReplacer("|", "\\|", "<", "\\<").Replace(s)
}

// readable names what expressions can read through a reference.
func readable(b *block) string {
	names := []string{"`id` (its address)", "`key` (its key of `for_each`)"}
	for _, a := range b.attrs {
		if a.show {
			names = append(names, "`"+a.name+"`")
		}
	}
	return strings.Join(names, ", ")
}

// functions lists what expressions may call.
func (m *manual) functions() {
	m.heading(2, "Functions")
	for _, g := range functionGroups {
		m.para("**%s**", g.name)
		m.out.WriteString("| Call | Result |\n|---|---|\n")
		for _, f := range g.functions {
			fmt.Fprintf(&m.out, "| `%s` | %s |\n", f.call, f.result)
		}
		m.out.WriteString("\n")
	}
}

func (m *manual) limits() {
	m.heading(2, "Limits")
	l := standardLimits
	m.out.WriteString("| What | At most |\n|---|---|\n")
	for _, row := range []struct {
		what string
		most string
	}{
		{"bytes of all files together", thousands(maxBytes)},
		{"brackets and operators inside each other", thousands(maxNesting)},
		{"blocks after for_each, and elements that one function makes", thousands(l.instances)},
		{"elements that for expressions and functions go through", thousands(l.steps)},
		{"values in one local or variable", thousands(l.values)},
		{"values in all locals and variables", thousands(l.kept)},
		{"bytes of text in one local or variable", thousands(l.text)},
		{"bytes of text that expressions write", thousands(l.written)},
		{"tiers of a virtual service", thousands(maxTiers)},
	} {
		fmt.Fprintf(&m.out, "| %s | %s |\n", row.what, row.most)
	}
	m.out.WriteString("\n")
}

// diagnostics lists the codes, each with a link to its page.
func (m *manual) diagnostics() {
	m.heading(2, "Diagnostics")
	m.para("`gslb validate --explain CODE` prints what a code means, why it matters and what to do about it.")
	m.out.WriteString("| Code | Summary |\n|---|---|\n")
	for _, code := range Codes() {
		summary := Summary(code)
		if caution := Caution(code); caution != "" {
			summary += "; as a warning: " + caution
		}
		fmt.Fprintf(&m.out, "| [%s](../../conf/codes/pages/%s.md) | %s |\n", code, code, summary)
	}
	m.out.WriteString("\n")
}

// thousands writes a number with commas: 1,048,576.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

const introduction = `
# The topology language

A topology is everything that the nodes of one system have to know: zones and steered names, regions and networks, directors,
farms and the services that go through them. Every node reads the same topology and is told which object of it it is.

It is written in HCL, the syntax of Terraform: blocks with labels, arguments with values, comments with ` + "`#`, `//` or `/* */`" + `.
All ` + "`*.hcl` and `*.hcl.json`" + ` files of a folder are one topology; blocks may refer to each other in any order and across files.
A file that ends in ` + "`.json`" + ` is read as HCL's JSON form. ` + "`gslb validate`" + ` says what is wrong, ` + "`gslb fmt`" + ` lays files out.

This manual is made from the table that the program itself reads files by.
`

const expressions = `
## Expressions

### Values

| Kind | Written |
|---|---|
| text | ` + "`\"eu\"`, `\"${each.key}.shop.example\"`, heredocs `<<EOT`" + ` |
| number, truth, nothing | ` + "`80`, `true`, `null`" + ` |
| list, map | ` + "`[1, 2]`, `{ eu = 1, us = 2 }`" + ` |
| duration | ` + "`\"300ms\"`, `\"2s\"`, `\"1h30m\"`, `\"2w\"`" + `: always with a unit of ns, us, ms, s, m, h, d, w |
| rate | ` + "`\"400KB/s\"`" + ` bytes, ` + "`\"1Gbit/s\"`" + ` bits, per second; K, M, G are thousands |
| percentage | ` + "`\"25%\"`" + ` |
| port | ` + "`\"tcp/80\"`, `\"udp/53\"`" + ` |
| address, prefix | ` + "`\"192.0.2.1\"`, `\"2001:db8::/64\"`" + ` |
| secret | ` + "`secret(\"file:/etc/gslb/key\")`" + `: the value is read on the node and never enters the topology |

Arguments that take several values take one without brackets too. Operators are ` + "`+ - * / %`, `== != < <= > >=`, `&& || !`" + ` and
` + "`condition ? a : b`" + `; ` + "`[for x in list : x if condition]` and `{ for k, v in map : k => v }`" + ` make collections of collections.

### References

A block is named by its kind and label: ` + "`network.edge`" + `. Of a block with ` + "`for_each`" + ` that is all instances, a map or list, and
` + "`network.edge[\"eu\"]`" + ` is one. Labels that are referred to are identifiers. References are checked: what does not exist, is of another
kind, or needs itself is an error.

` + "```hcl fragment" + `
locals {
  site = "192.0.2.0/26"
}
network "edge" {
  region = region.eu
  cidr   = local.site
}
nameserver "ns" {
  region    = region.eu
  addresses = [cidrhost(network.edge.cidr, 53)]
}
` + "```" + `

### Repeating blocks

` + "`for_each`" + ` makes an instance of a block for every element of a map, a set of strings, a list or ` + "`range(n)`" + `. In the block ` + "`each.key`" + ` is
the key of a map, the string of a set or the position in a list, and ` + "`each.value`" + ` the element. In a block inside of it, ` + "`parent`" + ` is the
enclosing block's ` + "`each`" + `. The name of an instance, as in host names and regions, is the label, a hyphen and the key.

` + "```hcl fragment" + `
farm "web" {
  for_each = { a = "10.10.1.0/24", b = "10.10.2.0/24" }
  network  = network.inside[each.key]
  gateway  = director.nat[each.key]
  server "web" {
    for_each = range(3)
    address  = cidrhost(parent.value, 10 + each.value)
  }
}
` + "```" + `

### Variables

A ` + "`variable`" + ` is read as ` + "`var.NAME`" + `. Its value is, in this order, that of ` + "`--var NAME=VALUE`" + `, of the last ` + "`--var-file FILE`" + ` that gives one,
of the environment's ` + "`GSLB_VAR_NAME`" + `, or its default. In flags and the environment lists and maps are written as in a file: ` + "`[\"a\", \"b\"]`" + `.
A file of values has lines ` + "`name = value`" + `.
`
