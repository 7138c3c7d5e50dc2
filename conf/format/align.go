package format

import (
	"bytes"
	"unicode"
)

// indent gives each line its depth. However many brackets a line opens, what
// follows stands one step further in, until a line closes the last of them.
func indent(lines []line) {
	var open []int // what each step's first line left open
	for i := range lines {
		l := &lines[i]
		if len(l.tokens) == 0 {
			continue
		}
		first, n := l.tokens[0], net(l.code())
		l.depth = len(open)
		switch {
		case n < 0:
			part := 0
			for left := -n; left > 0 && len(open) > 0; {
				top := &open[len(open)-1]
				if *top > left {
					*top -= left
					part = 1
					break
				}
				left -= *top
				open = open[:len(open)-1]
			}
			switch first.opens() {
			case -1:
				l.depth = len(open) - part // "}", and "}," of "f({"
			case 1:
				l.depth = len(open) // "{ ... } }" that ends a for
			}
		case first.opens() < 0 && len(open) > 0: // "}, {"
			l.depth--
			open[len(open)-1] += n
		case n > 0:
			open = append(open, n)
		}
		l.tokens[0].gap = 2 * l.depth
	}
}

// align puts the "=" of arguments in consecutive lines under each other, and
// then the comments after them.
func align(lines []line) {
	column(lines, func(l line) int { return l.assign })
	column(lines, func(l line) int { return l.comment })
}

// column puts the tokens at index at under each other, in each run of
// consecutive lines of one depth that have such a token. Index 0 is none.
func column(lines []line, at func(line) int) {
	for from := 0; from < len(lines); {
		to, widest := from, 0
		for to < len(lines) && at(lines[to]) > 0 && lines[to].depth == lines[from].depth {
			widest = max(widest, width(lines[to].tokens[:at(lines[to])]))
			to++
		}
		for _, l := range lines[from:to] {
			i := at(l)
			l.tokens[i].gap = 1 + widest - width(l.tokens[:i])
		}
		from = max(to, from+1)
	}
}

// width is the column that tokens end at.
func width(tokens []token) int {
	n := 0
	for _, t := range tokens {
		n += t.gap
		text := t.text
		if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
			n, text = 0, text[i+1:]
		}
		for _, r := range string(text) {
			if !unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
				n++
			}
		}
	}
	return n
}
