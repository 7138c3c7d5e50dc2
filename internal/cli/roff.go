package cli

import (
	"fmt"
	"regexp"
	"strings"
)

// A page is a manual page in the making, in the macros of man(7).
type page struct{ out strings.Builder }

// newPage begins a page: its name, section and one line of what it is about.
func newPage(name, section, about string) *page {
	p := &page{}
	fmt.Fprintf(&p.out, "'\\\" t\n.TH %s %s \"\" \"gslb\" \"gslb manual\"\n.nh\n.ad l\n", quote(strings.ToUpper(name)), section)
	p.section("Name")
	p.line(roff(name) + ` \- ` + roff(about))
	return p
}

func (p *page) line(s string) { p.out.WriteString(s + "\n") }

func (p *page) section(title string)    { p.line(".SH " + quote(strings.ToUpper(title))) }
func (p *page) subsection(title string) { p.line(".SS " + quote(title)) }

// item is a term with what it means.
func (p *page) item(term, text string) {
	p.line(".TP")
	p.line(term)
	p.line(text)
}

// literal is text that keeps its lines.
func (p *page) literal(lines []string) {
	p.line(".PP\n.RS 4\n.nf")
	for _, l := range lines {
		p.line(roff(l))
	}
	p.line(".fi\n.RE")
}

// prose is plain text: paragraphs, and lines that are indented by two blanks
// and keep their form.
func (p *page) prose(text string) {
	var kept []string
	begun := false // a paragraph
	flush := func() {
		if len(kept) > 0 {
			p.literal(kept)
		}
		kept = nil
	}
	for _, l := range strings.Split(strings.Trim(text, "\n"), "\n") {
		switch {
		case strings.HasPrefix(l, "  "):
			kept = append(kept, l[2:])
			begun = false
		case l == "":
			begun = false
		default:
			flush()
			if !begun {
				p.line(".PP")
				begun = true
			}
			p.line(roff(l))
		}
	}
	flush()
}

// roff escapes plain text.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

// quote is an argument of a macro.
func quote(s string) string { return `"` + strings.ReplaceAll(roff(s), `"`, `\(dq`) + `"` }

func bold(s string) string   { return `\fB` + roff(s) + `\fR` }
func italic(s string) string { return `\fI` + roff(s) + `\fR` }

// Words in capitals stand for what a user writes.
var placeholder = regexp.MustCompile(`[A-Z][A-Z0-9_]+`)

var (
	mark = regexp.MustCompile("`[^`]*`|\\*\\*[^*]+\\*\\*|\\*[^*]+\\*|\\[[^\\]`]*\\]\\([^)]*\\)|\\\\[<|]")
)

// inline turns a line of Markdown into roff.
func inline(s string) string {
	var out strings.Builder
	for s != "" {
		at := mark.FindStringIndex(s)
		if at == nil {
			out.WriteString(roff(s))
			break
		}
		if at[0] > 0 {
			out.WriteString(roff(s[:at[0]]))
		}
		m := s[at[0]:at[1]]
		switch {
		case m[0] == '`':
			out.WriteString(bold(strings.Trim(m, "`")))
		case strings.HasPrefix(m, "**"):
			out.WriteString(bold(strings.Trim(m, "*")))
		case m[0] == '*':
			out.WriteString(italic(strings.Trim(m, "*")))
		case m[0] == '[':
			text, _, _ := strings.Cut(m[1:], "](")
			out.WriteString(roff(text))
		default: // an escaped sign
			out.WriteString(roff(m[1:]))
		}
		s = s[at[1]:]
	}
	return out.String()
}

// markdown adds a document in the Markdown that the manual is written in:
// headings, paragraphs, fenced text and tables. The contents are left out.
func (p *page) markdown(text string) {
	lines := strings.Split(text, "\n")
	var heads []string // of a table
	skip, begun := false, false
	for i := 0; i < len(lines); i++ {
		l := lines[i]
		depth := len(l) - len(strings.TrimLeft(l, "#"))
		if depth > 0 && strings.HasPrefix(l[depth:], " ") {
			skip = depth == 1 || l == "## Contents"
			begun = false
			switch title := l[depth+1:]; {
			case l == "## Contents":
			case depth == 1:
				p.section("Description")
				skip = false
			case depth == 2:
				p.section(title)
			default:
				p.subsection(title)
			}
			continue
		}
		switch {
		case skip:
		case strings.HasPrefix(l, "```"):
			end := i + 1
			for end < len(lines) && lines[end] != "```" {
				end++
			}
			p.literal(lines[i+1 : end])
			i, begun = end, false
		case strings.HasPrefix(l, "|"):
			switch cells := strings.Split(strings.TrimSuffix(l[1:], "|"), " |"); {
			case heads == nil:
				heads = cells
			case !strings.HasPrefix(l, "|---"):
				p.row(heads, cells)
			}
			begun = false
		case l == "":
			heads, begun = nil, false
		default:
			if !begun {
				p.line(".PP")
				begun = true
			}
			p.line(inline(strings.TrimPrefix(l, "* ")))
		}
	}
}

// row is a line of a table: the first cell is the term, the others are
// sentences on it.
func (p *page) row(heads, cells []string) {
	var rest []string
	for i, c := range cells[1:] {
		c = strings.TrimSpace(c)
		switch {
		case c == "":
			continue
		case strings.TrimSpace(heads[i+1]) == "Default" && c[0] == '`':
			c = "default " + c
		}
		rest = append(rest, inline(c))
	}
	text := strings.Join(rest, "; ")
	if len(rest) > 1 { // kind and default, then what it is for
		text = strings.Join(rest[:len(rest)-1], "; ") + ".\n.br\n" + rest[len(rest)-1]
	}
	p.item(inline(strings.TrimSpace(cells[0])), text)
}
