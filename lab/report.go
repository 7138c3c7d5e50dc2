package lab

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// A Check is one thing that was looked at: what came out and what had to.
type Check struct {
	Name   string `json:"name"`
	Figure string `json:"figure"`
	Bound  string `json:"bound"`
	OK     bool   `json:"ok"`
}

// A Report collects checks and says each as it comes.
type Report struct {
	Title  string // before the last line: lab, demo
	Checks []Check
	Notes  []string

	out    io.Writer
	asJSON bool
	colour bool
	start  time.Time
}

type reportJSON struct {
	FormatVersion int      `json:"format_version"`
	OK            bool     `json:"ok"`
	Passed        int      `json:"passed"`
	Total         int      `json:"total"`
	Seconds       float64  `json:"seconds"`
	Checks        []Check  `json:"checks"`
	Notes         []string `json:"notes"`
}

// NewReport makes a report that is written to out, as lines or as JSON at the end.
func NewReport(title string, out io.Writer, asJSON, colour bool) *Report {
	return &Report{Title: title, Checks: []Check{}, Notes: []string{}, out: out, asJSON: asJSON, colour: colour, start: time.Now()}
}

// Add takes in a check.
func (r *Report) Add(c Check) {
	r.Checks = append(r.Checks, c)
	if !r.asJSON {
		r.line(c)
	}
}

// Failures says the checks that failed once more.
func (r *Report) Failures() {
	for _, c := range r.Checks {
		if !c.OK {
			r.line(c)
		}
	}
}

func (r *Report) line(c Check) {
	word := r.paint("ok  ", "32")
	if !c.OK {
		word = r.paint("FAIL", "31")
	}
	fmt.Fprintf(r.out, "%s  %s: %s (bound: %s)\n", word, c.Name, c.Figure, c.Bound)
}

func (r *Report) paint(text, code string) string {
	if !r.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Note says something that is no check.
func (r *Report) Note(text string) {
	r.Notes = append(r.Notes, text)
	if !r.asJSON {
		fmt.Fprintf(r.out, "note  %s\n", text)
	}
}

// Passed is the number of checks that passed.
func (r *Report) Passed() int {
	n := 0
	for _, c := range r.Checks {
		if c.OK {
			n++
		}
	}
	return n
}

// End says the result and reports whether everything passed. A report without
// checks has not passed: nothing was looked at.
func (r *Report) End() bool {
	ok := len(r.Checks) > 0 && r.Passed() == len(r.Checks)
	if r.asJSON {
		out := json.NewEncoder(r.out)
		out.SetIndent("", "  ")
		err := out.Encode(reportJSON{1, ok, r.Passed(), len(r.Checks), time.Since(r.start).Round(time.Millisecond).Seconds(), r.Checks, r.Notes})
		return ok && err == nil
	}
	fmt.Fprintf(r.out, "%s: %d of %d checks passed\n", r.Title, r.Passed(), len(r.Checks))
	return ok
}
