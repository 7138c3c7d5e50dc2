// Package codes explains the codes of diagnostics, one page each: what a code
// means, why it matters, what is wrong and right in a file, and what to do when
// it is right on purpose. It holds text and refuses to know how a fault is
// found, which is package conf's business.
package codes

import (
	"embed"
	"strings"
)

// The pages are Markdown. The first line of each is "# CODE TITLE (SEVERITY)".
//
//go:embed pages/*.md
var pages embed.FS

// An Entry is a code and what its page is headed.
type Entry struct {
	Code  string // GS231
	Title string // NAT director will be the bottleneck (warning)
}

// all are the entries in the order of their codes, which is that of the files.
var all = func() []Entry {
	files, err := pages.ReadDir("pages")
	if err != nil {
		panic("codes: " + err.Error()) // the folder is part of the program
	}
	var out []Entry
	for _, f := range files {
		code := strings.TrimSuffix(f.Name(), ".md")
		first, _, _ := strings.Cut(markdown(code), "\n")
		out = append(out, Entry{code, strings.TrimPrefix(first, "# "+code+" ")})
	}
	return out
}()

func markdown(code string) string {
	data, err := pages.ReadFile("pages/" + code + ".md")
	if err != nil {
		return ""
	}
	return string(data)
}

// All returns an entry for every page, in the order of the codes.
func All() []Entry { return append([]Entry(nil), all...) }

// Code returns the code that s means: "gs231", "231" and "GS231" are one, and
// "1" is GS001.
func Code(s string) string {
	number := strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(s)), "GS")
	if short := 3 - len(number); short > 0 {
		if full := "GS" + strings.Repeat("0", short) + number; markdown(full) != "" {
			return full
		}
	}
	return "GS" + number
}

// Page returns the page of a code, as [Code] reads it, as plain text: examples
// are indented by four blanks. It reports whether there is one.
func Page(code string) (string, bool) {
	text := markdown(Code(code))
	if text == "" {
		return "", false
	}
	var out strings.Builder
	example := false
	for line := range strings.Lines(strings.TrimPrefix(text, "# ")) {
		switch {
		case strings.HasPrefix(line, "```"):
			example = !example
			continue
		case example && line != "\n":
			out.WriteString("    ")
		}
		out.WriteString(line)
	}
	return out.String(), true
}

// Near returns the entries around a code that has no page: those that it is
// the beginning of, or else the one before and the one behind it.
func Near(code string) []Entry {
	code = Code(code)
	var before, behind, within []Entry
	for _, e := range all {
		switch {
		case len(code) > len("GS") && strings.HasPrefix(e.Code, code):
			within = append(within, e)
		case e.Code < code:
			before = append(before, e)
		default:
			behind = append(behind, e)
		}
	}
	if len(within) > 0 {
		return within
	}
	return append(before[max(0, len(before)-1):], behind[:min(1, len(behind))]...)
}
