package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A Report is what --json prints. Times are in seconds.
type Report struct {
	FormatVersion int           `json:"format_version"`
	Time          time.Time     `json:"time"`
	Processor     string        `json:"processor"`
	Rounds        int           `json:"rounds"`
	Reloads       int           `json:"reloads"`
	Scenes        []SceneResult `json:"scenes"`
}

// A SceneResult is how the programs did with one table.
type SceneResult struct {
	Services     int      `json:"services"`
	Destinations int      `json:"destinations_per_service"`
	Results      []Result `json:"results"`
}

// A Result is how one program did: medians of its runs, and the same as parts
// of what the first program, keepalived, took.
type Result struct {
	Program string `json:"program"`
	Start   Figure `json:"start"`
	Table   Figure `json:"programming"`
	Reload  Figure `json:"reload"`
	Memory  Figure `json:"memory_mb"`
	Runs    []Run  `json:"runs"`
}

// A Figure is a median and its ratio to keepalived's.
type Figure struct {
	Value float64 `json:"value"`
	Ratio float64 `json:"ratio"` // below 1 is less than keepalived's
}

// A Run is one start.
type Run struct {
	Start   float64   `json:"start"`       // from the start of the process until the table is whole
	Program float64   `json:"programming"` // from the first service in the kernel until then
	Reloads []float64 `json:"reloads"`     // from the file's change until the kernel has it
	Memory  float64   `json:"memory_mb"`   // after the start, at its peak
}

func (r Run) String() string {
	return fmt.Sprintf("start %.3f s, of which programming %.3f s; one weight %.3f s; %.0f MB", r.Start, r.Program, median(r.Reloads), r.Memory)
}

func (s *SceneResult) compare() {
	for i := range s.Results {
		r := &s.Results[i]
		var start, table, reload, memory []float64
		for _, run := range r.Runs {
			start, table = append(start, run.Start), append(table, run.Program)
			reload, memory = append(reload, run.Reloads...), append(memory, run.Memory)
		}
		base := s.Results[0]
		figure := func(values []float64, base *Figure, into *Figure) {
			into.Value = median(values)
			into.Ratio = into.Value / base.Value
		}
		if i == 0 {
			base = Result{Start: Figure{Value: median(start)}, Table: Figure{Value: median(table)}, Reload: Figure{Value: median(reload)}, Memory: Figure{Value: median(memory)}}
		}
		figure(start, &base.Start, &r.Start)
		figure(table, &base.Table, &r.Table)
		figure(reload, &base.Reload, &r.Reload)
		figure(memory, &base.Memory, &r.Memory)
	}
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

func (s *SceneResult) print(out io.Writer) {
	fmt.Fprintln(out, scene{s.Services, s.Destinations})
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "program\tstart\t\tprogramming\t\tone weight\t\tmemory\t\t\n")
	for i, r := range s.Results {
		fmt.Fprintf(w, "%s\t", r.Program)
		for _, f := range []Figure{r.Start, r.Table, r.Reload} {
			fmt.Fprintf(w, "%.3f s\t%s\t", f.Value, ratio(f.Ratio, i))
		}
		fmt.Fprintf(w, "%.0f MB\t%s\t\n", r.Memory.Value, ratio(r.Memory.Ratio, i))
	}
	_ = w.Flush()
	base, ours := s.Results[0], s.Results[len(s.Results)-1]
	fmt.Fprintf(out, "keepalived's start to our programming: %s\n\n", ratio(ours.Table.Value/base.Start.Value, 1))
}

// ratio says how a figure stands to keepalived's: "1/25", or "x 3.0".
func ratio(r float64, program int) string {
	switch {
	case program == 0:
		return ""
	case r < 1:
		return fmt.Sprintf("1/%.1f", 1/r)
	}
	return fmt.Sprintf("x %.1f", r)
}

func (r *Report) footer(out io.Writer) {
	fmt.Fprintf(out, `Medians of %d starts with %d changes each, programs in turns, one at a time, each
time in a fresh guest of user-mode Linux with one processor. Start: from the
start of the process until the table is whole. Programming: from the first
service in the kernel until then. One weight: from the changed file's taking the
old one's place, and SIGHUP, until the kernel has the weight. VIPs are
there before, as keepalived puts none; there are no checks.
%s
`, r.Rounds, r.Reloads, r.Processor)
}

func (r *Report) json(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// processor is what the kernel calls the machine's.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
