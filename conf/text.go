package conf

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// The colours of a terminal.
const (
	red    = "\x1b[1;31m"
	yellow = "\x1b[1;33m"
	blue   = "\x1b[1;34m"
	bold   = "\x1b[1m"
	plain  = "\x1b[0m"
)

// Text writes diagnostics for people: each with the lines of the file it is
// about, the value underlined, what is wrong and the way out.
func Text(w io.Writer, diags hcl.Diagnostics, src Source, color bool) {
	t := texter{lines: newLines(src, diags), color: color}
	for i, d := range diags {
		if i > 0 {
			t.out.WriteByte('\n')
		}
		t.diagnostic(d)
	}
	_, _ = w.Write(t.out.Bytes()) // the caller sees what the writer makes of it
}

type texter struct {
	out   bytes.Buffer
	lines lines
	color bool
}

func (t *texter) paint(color, s string) string {
	if !t.color {
		return s
	}
	return color + s + plain
}

func (t *texter) diagnostic(d *hcl.Diagnostic) {
	x, _ := d.Extra.(*Extra)
	if x == nil {
		x = &Extra{}
	}
	word, color := "error", red
	if d.Severity == hcl.DiagWarning {
		word, color = "warning", yellow
	}
	if x.Code != "" {
		word += "[" + x.Code + "]"
	}
	fmt.Fprintf(&t.out, "%s%s\n", t.paint(color, word), t.paint(bold, ": "+printable(d.Summary)))
	width := 3
	for _, r := range append([]Related{{Range: at(d)}}, x.Related...) {
		width = max(width, len(fmt.Sprint(r.Range.Start.Line)))
	}
	if d.Subject != nil {
		t.span(*d.Subject, '^', "", color, width)
	}
	for _, r := range x.Related {
		t.span(r.Range, '-', r.Message, blue, width)
	}
	note := func(s string) {
		for i, line := range strings.Split(s, "\n") {
			mark := "="
			if i > 0 {
				mark = " "
			}
			fmt.Fprintf(&t.out, "%s %s %s\n", strings.Repeat(" ", width+2), t.paint(blue, mark), printable(line))
		}
	}
	if d.Detail != "" {
		note(d.Detail)
	}
	if x.Help != "" {
		note("help: " + x.Help)
	}
	if x.More == 1 {
		note("the same applies to 1 more instance of this block")
	} else if x.More > 1 {
		note(fmt.Sprintf("the same applies to %d more instances of this block", x.More))
	}
}

func at(d *hcl.Diagnostic) hcl.Range {
	if d.Subject == nil {
		return hcl.Range{}
	}
	return *d.Subject
}

// span writes the line a range begins on and marks the range.
func (t *texter) span(r hcl.Range, mark byte, message, color string, width int) {
	fmt.Fprintf(&t.out, "%s %s:%d:%d\n", t.paint(blue, strings.Repeat(" ", width-1)+"-->"), printable(r.Filename), r.Start.Line, r.Start.Column)
	line, start, ok := t.lines.line(r)
	if !ok {
		if message != "" {
			fmt.Fprintf(&t.out, "%s %s %s\n", strings.Repeat(" ", width+2), t.paint(blue, "="), printable(message))
		}
		return
	}
	end := r.End.Byte - start
	if r.End.Line != r.Start.Line || end > len(line) {
		end = len(line)
	}
	begin := min(max(r.Start.Byte-start, 0), len(line))
	end = max(end, begin)
	var under strings.Builder
	for _, c := range line[:begin] { // tabs stay tabs, so that the mark stands below
		if c == '\t' {
			under.WriteByte('\t')
		} else {
			under.WriteByte(' ')
		}
	}
	marks := strings.Repeat(string(mark), max(1, utf8.RuneCountInString(line[begin:end])))
	if message != "" {
		marks += " " + printable(message)
	}
	fmt.Fprintf(&t.out, "%s %s\n", t.paint(blue, fmt.Sprintf("%*d |", width+2, r.Start.Line)), printable(line))
	fmt.Fprintf(&t.out, "%s %s%s\n", t.paint(blue, strings.Repeat(" ", width+3)+"|"), under.String(), t.paint(color, marks))
}

// printable keeps a file, its name and the values of its expressions from
// steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return utf8.RuneError
		}
		return r
	}, s)
}

// lines finds the text of lines, without the secrets in it.
type lines map[string]File

func newLines(src Source, diags hcl.Diagnostics) lines {
	l := lines{}
	if len(diags) == 0 {
		return l
	}
	named := map[string]bool{}
	for _, d := range diags {
		named[at(d).Filename] = true
		if x, _ := d.Extra.(*Extra); x != nil {
			for _, r := range x.Related {
				named[r.Range.Filename] = true
			}
		}
	}
	for _, m := range src.Masters {
		l[m.Name] = m.File
	}
	for _, f := range slices.Concat(src.Files, src.VarFiles) {
		if named[f.Name] {
			l[f.Name] = File{f.Name, hide(f, diags)}
		}
	}
	return l
}

// The most of a line that is shown, in bytes, and of it what may stand in front
// of the value. A file in JSON may be one line, and have a thousand faults.
const (
	lineShown  = 600
	lineBefore = 200
)

// line returns the line that r begins on and the byte at which it begins; of a
// long line only what is around the value.
func (l lines) line(r hcl.Range) (string, int, bool) {
	f, ok := l[r.Filename]
	if !ok || r.Start.Byte < 0 || r.Start.Byte > len(f.Data) || r.Start.Line < 1 {
		return "", 0, false
	}
	start := bytes.LastIndexByte(f.Data[:r.Start.Byte], '\n') + 1
	end := len(f.Data)
	if i := bytes.IndexByte(f.Data[r.Start.Byte:], '\n'); i >= 0 {
		end = r.Start.Byte + i
	}
	text := masked(strings.TrimSuffix(string(f.Data[start:end]), "\r")) // as a whole: what is cut may not look secret
	if len(text) <= lineShown {
		return text, start, true
	}
	from := max(0, min(r.Start.Byte-start-lineBefore, len(text)-lineShown))
	to := from + lineShown
	for from > 0 && !utf8.RuneStart(text[from]) {
		from--
	}
	for to < len(text) && !utf8.RuneStart(text[to]) {
		to++
	}
	return text[from:to], start + from, true
}
