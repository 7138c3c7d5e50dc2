package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"gslb/dataplane"
	"gslb/internal/cli"
	"gslb/tiers"
)

// orders are the keys and words of what is sorted by.
var orders = []struct {
	key  byte
	word string
}{{'n', "name"}, {'c', "connections"}, {'p', "packets"}, {'b', "bytes"}, {'a', "active"}}

func topCmd(open opener) *cobra.Command {
	var interval, order, socket string
	var once, asJSON bool
	c := &cobra.Command{
		Use:   "top",
		Short: "Show the rates of services and destinations as they change",
		Long: `Show for each virtual service and destination of this host's kernel the new
connections, packets and bytes per second, in (from clients) and out, and how
many connections there are: active ones, and inactive ones that are ending or,
of UDP, all of them. Of tun and dr the kernel sees one direction only.

On a terminal the screen is kept up to date: n, c, p, b and a sort by name,
connections, packets, bytes or active connections, q ends it. Elsewhere, or with
--once, there is one screen, after one interval. --json writes a line of JSON for
each interval.

The kernel adds up its counters every 2 seconds; a shorter interval shows leaps.`,
		Example: `  director top
  director top --once --sort bytes
  director top --json --interval 10s >>rates.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			every, err := cli.Span("interval", interval)
			if err != nil {
				return err
			}
			words := make([]string, len(orders))
			for i, o := range orders {
				words[i] = o.word
			}
			if !slices.Contains(words, order) {
				return cli.Usagef("--sort %s: want one of %s", order, strings.Join(words, ", "))
			}
			k, err := open()
			if err != nil {
				return err
			}
			defer k.Close()
			t := &top{kernel: k, out: c.OutOrStdout(), order: order, every: every, names: namesOf(c.Context(), socket)}
			if asJSON {
				return t.lines(c.Context(), once)
			}
			terminal := terminalOf(t.out)
			if once || terminal == nil {
				return t.once(c.Context(), terminal)
			}
			screen, err := openScreen(terminal)
			if err != nil {
				return err
			}
			defer screen.close()
			return t.live(c.Context(), screen)
		},
	}
	c.Flags().StringVar(&interval, "interval", "2s", "`TIME` between two looks")
	c.Flags().StringVar(&order, "sort", "name", "sort by `WORD`: name, connections, packets, bytes or active")
	c.Flags().BoolVar(&once, "once", false, "one screen and no more")
	c.Flags().BoolVar(&asJSON, "json", false, "write a line of JSON for each interval")
	socketFlag(c, &socket)
	return c
}

// A top is what is known of the kernel's counters at two times.
type top struct {
	kernel kernel
	out    io.Writer
	order  string
	every  time.Duration
	names  book

	before []dataplane.Stats
	at     time.Time
}

// A topJSON is the rates between two looks.
type topJSON struct {
	FormatVersion int          `json:"format_version"`
	At            time.Time    `json:"at"`
	Seconds       float64      `json:"seconds"` // that the rates are of
	Services      []topService `json:"services"`
}

type topService struct {
	keyJSON
	Service string `json:"service,omitempty"` // of the file
	topRow
	Destinations []topDestination `json:"destinations"`
}

type topDestination struct {
	Address string `json:"address"`
	Object  string `json:"object,omitempty"` // of the file
	Weight  uint32 `json:"weight"`
	topRow
}

type topRow struct {
	Connections float64 `json:"connections_per_second"`
	PacketsIn   float64 `json:"packets_in_per_second"`
	PacketsOut  float64 `json:"packets_out_per_second"`
	BytesIn     float64 `json:"bytes_in_per_second"`
	BytesOut    float64 `json:"bytes_out_per_second"`
	Active      uint64  `json:"active"`
	Inactive    uint64  `json:"inactive"`
}

// look reads the counters and returns the rates since the look before; false
// at the first.
func (t *top) look(ctx context.Context) (topJSON, bool, error) {
	now, err := t.kernel.Stats(ctx)
	if err != nil {
		return topJSON{}, false, err
	}
	at := time.Now()
	before, span := t.before, at.Sub(t.at)
	first := t.at.IsZero()
	t.before, t.at = now, at
	if first {
		return topJSON{}, false, nil
	}
	return ratesOf(before, now, at, span, t.names), true, nil
}

// ratesOf are the rates of services between two readings. What has come
// meanwhile, or was set to 0, has been counted from 0. Probes and guards of the
// director are left out.
func ratesOf(before, now []dataplane.Stats, at time.Time, span time.Duration, names book) topJSON {
	services := map[tiers.Key]dataplane.Counters{}
	destinations := map[tiers.At]dataplane.Counters{}
	for _, s := range before {
		services[s.Key] = s.Counters
		for _, d := range s.Destinations {
			destinations[tiers.At{Key: s.Key, Addr: d.Addr}] = d.Counters
		}
	}
	out := topJSON{FormatVersion: 1, At: at.UTC(), Seconds: span.Seconds(), Services: []topService{}}
	for _, s := range now {
		if s.Key.Mark&^0xffff == tiers.MarkBase {
			continue
		}
		x := topService{keyJSON: keyed(s.Key), topRow: rates(services[s.Key], s.Counters, span), Destinations: []topDestination{}}
		x.Service = names.services[x.name()]
		for _, d := range s.Destinations {
			y := topDestination{
				Address: d.Addr.String(), Object: names.of(d.Addr), Weight: d.Weight,
				topRow: rates(destinations[tiers.At{Key: s.Key, Addr: d.Addr}], d.Counters, span),
			}
			y.Active, y.Inactive = uint64(d.Load.Active), uint64(d.Load.Inactive)
			x.Active, x.Inactive = x.Active+y.Active, x.Inactive+y.Inactive
			x.Destinations = append(x.Destinations, y)
		}
		out.Services = append(out.Services, x)
	}
	return out
}

func rates(before, now dataplane.Counters, span time.Duration) topRow {
	per := func(a, b uint64) float64 {
		if b < a {
			a = 0
		}
		if span <= 0 {
			return 0
		}
		return math.Round(float64(b-a)/span.Seconds()*10) / 10
	}
	return topRow{
		Connections: per(before.Connections, now.Connections),
		PacketsIn:   per(before.PacketsIn, now.PacketsIn), PacketsOut: per(before.PacketsOut, now.PacketsOut),
		BytesIn: per(before.BytesIn, now.BytesIn), BytesOut: per(before.BytesOut, now.BytesOut),
	}
}

// by compares rows by what is sorted by, the most first; 0 by name.
func by(order string) func(a, b topRow) int {
	value := func(topRow) float64 { return 0 }
	switch order {
	case "connections":
		value = func(r topRow) float64 { return r.Connections }
	case "packets":
		value = func(r topRow) float64 { return r.PacketsIn + r.PacketsOut }
	case "bytes":
		value = func(r topRow) float64 { return r.BytesIn + r.BytesOut }
	case "active":
		value = func(r topRow) float64 { return float64(r.Active) }
	}
	return func(a, b topRow) int { return cmp.Compare(value(b), value(a)) }
}

// Widths of the screen: what a name and a number have, and where the names of
// the file have room too.
const (
	nameWidth   = 31
	numberWidth = 7
	screenWidth = nameWidth + 7*numberWidth
	objectsFrom = screenWidth + 20
)

// text are the lines of a screen of a width.
func (j *topJSON) text(order string, width int) []string {
	compare := by(order)
	slices.SortStableFunc(j.Services, func(a, b topService) int { return compare(a.topRow, b.topRow) })
	line := func(name string, object string, numbers ...string) string {
		out := fmt.Sprintf("%-*s", nameWidth, name)
		for _, n := range numbers {
			out += fmt.Sprintf("%*s", numberWidth, n)
		}
		if width >= objectsFrom && object != "" {
			room := width - screenWidth - 2
			out += "  " + cut(object, room)
		}
		return out
	}
	lines := []string{
		line("", "", "conn/s", "pkt/s", "pkt/s", "byte/s", "byte/s", "active", "inact"),
		line("", "", "", "in", "out", "in", "out", "", ""),
	}
	row := func(name, object string, r topRow) {
		if len(name) > nameWidth { // an address is not cut: a wrong one would be read
			lines = append(lines, name)
			name = ""
		}
		lines = append(lines, line(name, object, short(r.Connections), short(r.PacketsIn), short(r.PacketsOut),
			short(r.BytesIn), short(r.BytesOut), short(float64(r.Active)), short(float64(r.Inactive))))
	}
	for _, s := range j.Services {
		row(s.name(), s.Service, s.topRow)
		slices.SortStableFunc(s.Destinations, func(a, b topDestination) int { return compare(a.topRow, b.topRow) })
		for _, d := range s.Destinations {
			row(fmt.Sprintf("  %s w%d", d.Address, d.Weight), d.Object, d.topRow)
		}
	}
	if len(j.Services) == 0 {
		lines = append(lines, "the kernel has no virtual services")
	}
	return lines
}

// wait waits for the next look; false when it is to end.
func (t *top) wait(ctx context.Context) bool {
	select {
	case <-time.After(t.every):
		return true
	case <-ctx.Done():
		return false
	}
}

// once prints one screen.
func (t *top) once(ctx context.Context, terminal *os.File) error {
	if _, _, err := t.look(ctx); err != nil {
		return err
	}
	if !t.wait(ctx) {
		return nil
	}
	j, _, err := t.look(ctx)
	if err != nil {
		return err
	}
	width := objectsFrom + 20
	if terminal != nil {
		width, _ = sizeOf(terminal)
	}
	for _, line := range j.text(t.order, width) {
		fmt.Fprintln(t.out, strings.TrimRight(line, " "))
	}
	return nil
}

// lines writes JSON for each interval.
func (t *top) lines(ctx context.Context, once bool) error {
	out := json.NewEncoder(t.out)
	for {
		j, known, err := t.look(ctx)
		if err != nil {
			return err
		}
		if known {
			if err := out.Encode(j); err != nil || once {
				return err
			}
		}
		if !t.wait(ctx) {
			return nil
		}
	}
}

// live keeps a screen up to date until it is ended.
func (t *top) live(ctx context.Context, s *screen) error {
	var now topJSON
	known := false
	due := time.NewTimer(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case key := <-s.keys:
			if key == 'q' {
				return nil
			}
			for _, o := range orders {
				if o.key == key {
					t.order = o.word
				}
			}
		case <-due.C:
			j, there, err := t.look(ctx)
			if err != nil {
				return err
			}
			if there {
				now, known = j, true
			}
			due.Reset(t.every)
		}
		width, height := sizeOf(s.out)
		lines := []string{"", "  the first rates come in " + cli.Age(t.every)}
		if known {
			lines = append([]string{""}, now.text(t.order, width)...)
		}
		lines[0] = fmt.Sprintf("%s  by %s; sort: n c p b a  quit: q", time.Now().Format("15:04:05"), t.order)
		if len(lines) > height {
			left := len(lines) - height + 1
			lines = append(lines[:max(height-1, 0)], fmt.Sprintf("and %d lines more", left))
		}
		s.draw(lines, width)
	}
}

// A screen is a terminal that is drawn on, with keys that come one by one.
type screen struct {
	out    *os.File
	before *unix.Termios // of the keyboard; nil: there is none
	keys   chan byte
}

// terminalOf is the terminal that out is; nil when it is none.
func terminalOf(out io.Writer) *os.File {
	f, ok := out.(*os.File)
	if !ok {
		return nil
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return f
}

// openScreen takes a terminal; close gives it back.
func openScreen(f *os.File) (*screen, error) {
	s := &screen{out: f, keys: make(chan byte)}
	keyboard := int(os.Stdin.Fd())
	if before, err := unix.IoctlGetTermios(keyboard, unix.TCGETS); err == nil {
		raw := *before
		raw.Lflag &^= unix.ICANON | unix.ECHO // Ctrl-C stays a signal
		raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
		if err := unix.IoctlSetTermios(keyboard, unix.TCSETS, &raw); err != nil {
			return nil, fmt.Errorf("set up the terminal: %w", err)
		}
		s.before = before
		go func() {
			for in := bufio.NewReader(os.Stdin); ; {
				key, err := in.ReadByte()
				if err != nil {
					return
				}
				s.keys <- key
			}
		}()
	}
	fmt.Fprint(f, "\x1b[?1049h\x1b[?25l") // the other screen, no cursor
	return s, nil
}

// close gives the terminal back.
func (s *screen) close() {
	fmt.Fprint(s.out, "\x1b[?25h\x1b[?1049l")
	if s.before != nil {
		_ = unix.IoctlSetTermios(int(os.Stdin.Fd()), unix.TCSETS, s.before)
	}
}

// sizeOf is how many columns and lines a terminal has.
func sizeOf(f *os.File) (width, height int) {
	if w, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && w.Col > 0 && w.Row > 0 {
		return int(w.Col), int(w.Row)
	}
	return 80, 24
}

// draw puts the lines onto the screen, cut to its width.
func (s *screen) draw(lines []string, width int) {
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(cut(line, width) + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	_, _ = io.WriteString(s.out, b.String())
}

// cut is the beginning of a text, width characters at most.
func cut(text string, width int) string {
	if r := []rune(text); len(r) > width {
		return string(r[:width])
	}
	return text
}
