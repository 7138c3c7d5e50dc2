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

// A Report is what --json prints.
type Report struct {
	FormatVersion int           `json:"format_version"`
	Time          time.Time     `json:"time"`
	Processor     string        `json:"processor"`
	Rounds        int           `json:"rounds"`
	Seconds       float64       `json:"seconds"`
	Window        int           `json:"window"`
	Scenes        []SceneResult `json:"scenes"`
}

// A SceneResult is how the servers of one scene did, asked by some number of askers.
type SceneResult struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Askers  int      `json:"askers"`
	Results []Result `json:"results"`
}

// A Result is how one server did: medians of its runs.
type Result struct {
	Server         string  `json:"server"`
	PerSecond      float64 `json:"queries_per_second"`
	Micros         float64 `json:"cpu_microseconds_per_query"`
	Ratio          float64 `json:"cpu_ratio"` // to ours, round by round; above 1 works more than ours
	Lost           int     `json:"lost"`
	Strange        int     `json:"unexpected"` // replies that were none to an open query, or had no answer
	ServerShare    float64 `json:"server_cpu_share"`
	GeneratorShare float64 `json:"generator_cpu_share"`
	Runs           []Run   `json:"runs"`
}

// A Run is one turn of one server.
type Run struct {
	PerSecond      float64 `json:"queries_per_second"`
	Micros         float64 `json:"cpu_microseconds_per_query"`
	Lost           int     `json:"lost"`
	Strange        int     `json:"unexpected"`
	ServerShare    float64 `json:"server_cpu_share"`
	GeneratorShare float64 `json:"generator_cpu_share"`
}

// compare fills in the medians and the ratios to the last server, ours.
func (s *SceneResult) compare() {
	for i := range s.Results {
		r := &s.Results[i]
		r.PerSecond = median(r.Runs, func(r Run) float64 { return r.PerSecond })
		r.Micros = median(r.Runs, func(r Run) float64 { return r.Micros })
		r.ServerShare = median(r.Runs, func(r Run) float64 { return r.ServerShare })
		r.GeneratorShare = median(r.Runs, func(r Run) float64 { return r.GeneratorShare })
		for _, run := range r.Runs {
			r.Lost += run.Lost
			r.Strange += run.Strange
		}
	}
	// By round: runs that follow each other share what else the machine does.
	ours := s.Results[len(s.Results)-1].Runs
	for i := range s.Results {
		var ratios []float64
		for round, run := range s.Results[i].Runs {
			ratios = append(ratios, run.Micros/ours[round].Micros)
		}
		s.Results[i].Ratio = middle(ratios)
	}
}

func median(runs []Run, of func(Run) float64) float64 {
	var values []float64
	for _, r := range runs {
		values = append(values, of(r))
	}
	return middle(values)
}

// middle is the median of values, which it sorts.
func middle(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

func (s *SceneResult) print(out io.Writer) {
	fmt.Fprintf(out, "%s, %d askers: %s\n", s.Name, s.Askers, s.Title)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "server\tqueries/s\tCPU µs/query\tto gslb\tlost\tunexpected\tserver\tgenerator\t\n")
	for _, r := range s.Results {
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.2f\t%d\t%d\t%.0f %%\t%.0f %%\t\n", r.Server, r.PerSecond, r.Micros, r.Ratio, r.Lost, r.Strange, 100*r.ServerShare, 100*r.GeneratorShare)
	}
	_ = w.Flush()
	fmt.Fprintln(out)
}

func (r *Report) footer(out io.Writer) {
	fmt.Fprintf(out, `Medians of %d rounds of %g s, servers in turns, at most %d queries waiting, over loopback
where no card is named. CPU: user and system time of the server's processes and of the kernel's
threads for its card (napi) and its processor (ksoftirqd). To gslb: the same, divided by ours of
that round; above 1 gslb works less. Server, generator: how much of its processor each used.
An asker is an address and a port. Proxies have a few, resolvers another for each query.
%s
`, r.Rounds, r.Seconds, r.Window, r.Processor)
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
