package vrrp

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var addr = netip.MustParseAddr

// one is an instance of the node with the last byte self among nodes 11, 12
// and 13 of a segment.
func one(self byte) Instance {
	in := Instance{ID: 51, Version: 3, Interface: "e0", Source: netip.AddrFrom4([4]byte{192, 0, 2, self}), Addrs: []netip.Addr{addr("192.0.2.5")}}
	for _, b := range []byte{11, 12, 13} {
		if b != self {
			in.Peers = append(in.Peers, netip.AddrFrom4([4]byte{192, 0, 2, b}))
		}
	}
	return in
}

// two adds the node's inside, where the order of the addresses is the other way
// round.
func two(self byte) []Instance {
	in := Instance{ID: 52, Version: 3, Interface: "e1", Source: netip.AddrFrom4([4]byte{10, 0, 0, 100 - self}), Addrs: []netip.Addr{addr("10.0.0.1")}}
	for _, b := range []byte{11, 12, 13} {
		if b != self {
			in.Peers = append(in.Peers, netip.AddrFrom4([4]byte{10, 0, 0, 100 - b}))
		}
	}
	return []Instance{one(self), in}
}

// A play is a router under a script: lines of a time and an event, and below
// each what the router wants done. Words of a configuration line:
//
//	router priority=200 interval=1s preempt delay=3s flap=2,10s,1s,4s instances=2
type play struct {
	router Router
	epoch  time.Duration
	saved  Saved
}

func (p *play) config(t *testing.T, words []string) Config {
	t.Helper()
	c := Config{Name: "front", Instances: []Instance{one(11)}, Priority: 100, Interval: time.Second}
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		d, _ := time.ParseDuration(v)
		n, _ := strconv.Atoi(v)
		switch k {
		case "priority":
			c.Priority = uint8(n)
		case "interval":
			c.Interval = d
		case "preempt":
			c.Preempt = true
		case "below":
			c.PreemptBelow = uint8(n)
		case "delay":
			c.PreemptDelay = d
		case "instances":
			c.Instances = two(11)[:n]
		case "flap":
			f := strings.Split(v, ",")
			c.Flap.Count, _ = strconv.Atoi(f[0])
			for i, to := range []*time.Duration{&c.Flap.Window, &c.Flap.Hold, &c.Flap.Max} {
				*to, _ = time.ParseDuration(f[i+1])
			}
		default:
			t.Fatalf("no such word: %s", w)
		}
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	return c
}

// event reads "heard 192.0.2.12 200 [1s]" and its like.
func (p *play) event(t *testing.T, f []string) Event {
	t.Helper()
	arg := func(i int) string {
		if i < len(f) {
			return f[i]
		}
		return ""
	}
	switch f[0] {
	case "start":
		return Start{}
	case "stop":
		return Stop{}
	case "tick":
		return Tick{}
	case "heard":
		n, err := strconv.Atoi(arg(2))
		if err != nil {
			t.Fatal(err)
		}
		h := Heard{From: addr(arg(1)), Priority: uint8(n), Interval: p.router.Config.Interval}
		if h.From.As4()[0] == 10 {
			h.Instance = 1
		}
		if arg(3) != "" {
			if h.Interval, err = time.ParseDuration(arg(3)); err != nil {
				t.Fatal(err)
			}
		}
		return h
	case "tracked":
		n, _ := strconv.Atoi(arg(1))
		return Tracked{Penalty: uint8(n), Unfit: arg(1) == "unfit", Why: strings.Join(f[2:], " ")}
	case "ready":
		return Ready{true}
	case "waits":
		return Ready{false}
	case "yield", "claim", "free":
		var w Will
		if err := w.UnmarshalText([]byte(f[0])); err != nil {
			t.Fatal(err)
		}
		return Move{w}
	case "unable":
		return Unable{strings.Join(f[1:], " ")}
	case "reload":
		return Reload{p.config(t, f[1:])}
	}
	t.Fatalf("no such event: %s", f)
	return nil
}

func (p *play) tell(b *strings.Builder, actions []Action) {
	for _, a := range actions {
		if w, ok := a.(Wake); ok && w.At != 0 {
			a = Wake{w.At - p.epoch}
		}
		fmt.Fprintf(b, "  %v\n", a)
	}
}

// run plays the lines that are no actions, and gives the script anew.
func (p *play) run(t *testing.T, script string) string {
	t.Helper()
	var b strings.Builder
	p.epoch = time.Hour
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		f := strings.Fields(line)
		if strings.HasPrefix(line, "  ") {
			continue
		}
		b.WriteString(line + "\n")
		if len(f) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if f[0] == "router" {
			*p = play{router: New(p.config(t, f[1:])), epoch: p.epoch}
			continue
		}
		at, err := time.ParseDuration(f[0])
		if err != nil {
			t.Fatal(err)
		}
		now := p.epoch + at
		var actions []Action
		switch f[1] {
		case "save":
			p.saved = p.router.Save(now)
			continue
		case "resume":
			p.router, actions = Resume(p.router.Config, p.saved, now)
		default:
			p.router, actions = p.router.Next(now, p.event(t, f[1:]))
		}
		p.tell(&b, actions)
	}
	return b.String()
}

// Each section of the file is a play, with what the router does below each
// event; UPDATE=1 writes it anew.
func TestRouter(t *testing.T) {
	const path = "testdata/router.txt"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for i, section := range strings.Split(string(data), "\n# ") {
		if i > 0 {
			section = "# " + section
		}
		name, script, _ := strings.Cut(section, "\n")
		script = strings.TrimRight(script, "\n") + "\n"
		t.Run(strings.TrimPrefix(name, "# "), func(t *testing.T) {
			var p play
			got := p.run(t, script)
			if i > 0 {
				all.WriteString("\n")
			}
			all.WriteString(name + "\n" + got)
			if diff := cmp.Diff(script, got); diff != "" && os.Getenv("UPDATE") == "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if os.Getenv("UPDATE") != "" && !t.Failed() {
		if err := os.WriteFile(path, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
