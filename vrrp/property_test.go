package vrrp

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// A world is nodes on segments that lose, delay and double what is sent, whose
// nodes stand still, die, come back and have clocks that jump. Everything is
// drawn from one seed.
type world struct {
	r     *rand.Rand
	now   time.Duration
	queue calendar
	n     uint64
	nodes []*node
	log   []string

	interval time.Duration
	// cut and lossy are the links from one node to another, for each instance.
	cut, lossy map[[3]int]bool
	// good is since when both directions between two nodes have been whole on
	// all instances.
	good map[[2]int]time.Duration
	both map[[2]int]time.Duration // since when both are active and hear each other
	none time.Duration            // since when nobody who lives is active
	fit  []time.Duration          // since when each node could be
	back bool                     // clocks jump back; then nobody forgets their sequence
}

const (
	never    = time.Duration(-1)
	slowest  = 4 * time.Millisecond // of a link that is whole
	lateness = 3 * time.Millisecond // of a timer
)

type node struct {
	router Router
	in     []Inbox
	out    []Outbox
	alive  bool
	paused bool
	missed []func() // what came while it stood still
	wake   time.Duration
	due    bool // a timer ran out while it stood still
	wall   time.Duration
	saved  *Saved
}

type entry struct {
	at time.Duration
	n  uint64
	do func()
}
type calendar []entry

func (c calendar) Len() int { return len(c) }
func (c calendar) Less(i, j int) bool {
	return c[i].at < c[j].at || c[i].at == c[j].at && c[i].n < c[j].n
}
func (c calendar) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *calendar) Push(x any)   { *c = append(*c, x.(entry)) }
func (c *calendar) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

func (w *world) at(d time.Duration, do func()) {
	w.n++
	heap.Push(&w.queue, entry{w.now + d, w.n, do})
}

func (w *world) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.r.Int64N(int64(b-a)+1))
}

func (w *world) say(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%9v ", w.now-time.Hour)+fmt.Sprintf(format, args...))
}

func newWorld(seed uint64) *world {
	w := &world{r: rand.New(rand.NewPCG(seed, 1)), now: time.Hour, cut: map[[3]int]bool{}, lossy: map[[3]int]bool{}, good: map[[2]int]time.Duration{}, both: map[[2]int]time.Duration{}, none: never}
	w.interval = []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, time.Second}[w.r.IntN(3)]
	w.back = w.r.IntN(2) == 0
	count, instances, signed := 2+w.r.IntN(2), 1+w.r.IntN(2), w.r.IntN(3) == 0
	for i := range count {
		c := Config{
			Name: "front", Instances: two(byte(11 + i))[:instances], Interval: w.interval,
			Priority: uint8(100 + 50*w.r.IntN(3)), Preempt: w.r.IntN(3) > 0,
			PreemptDelay: time.Duration(w.r.IntN(3)) * time.Second, PreemptBelow: uint8(50 * w.r.IntN(4)),
			Flap: Flap{Count: 2, Window: 5 * time.Second, Hold: w.interval * 5, Max: w.interval * 20},
		}
		for k := range c.Instances {
			if signed {
				c.Instances[k].Keys = []Key{draft}
			}
		}
		if err := c.Check(); err != nil {
			panic(err)
		}
		n := &node{router: New(c)}
		for k := range c.Instances {
			n.in = append(n.in, Inbox{Instance: c.Instances[k], Interval: c.Interval})
			n.out = append(n.out, Outbox{Instance: c.Instances[k]})
		}
		w.nodes = append(w.nodes, n)
		w.fit = append(w.fit, never)
		w.at(w.between(0, 2*time.Second), func() { w.boot(i) })
	}
	w.at(time.Second, w.trouble)
	return w
}

// address of a node on an instance is its Source; who has it tells the node.
func (w *world) boot(i int) {
	n := w.nodes[i]
	n.alive, n.paused, n.missed, n.due = true, false, nil, false
	var actions []Action
	if n.saved != nil {
		n.router, actions = Resume(n.router.Config, *n.saved, w.now)
		n.saved = nil
	} else {
		if !w.back {
			for k := range n.out {
				n.out[k].Sequence = 0
				n.in[k].Marks = nil
			}
		}
		n.router, actions = New(n.router.Config).Next(w.now, Start{})
	}
	w.say("node %d comes", i)
	w.act(i, actions)
}

// tell gives a node an event, now or when it moves again.
func (w *world) tell(i int, e Event) {
	n := w.nodes[i]
	if !n.alive {
		return
	}
	if n.paused {
		if len(n.missed) < 64 {
			n.missed = append(n.missed, func() { w.tell(i, e) })
		}
		return
	}
	var actions []Action
	n.router, actions = n.router.Next(w.now, e)
	w.act(i, actions)
}

func (w *world) act(i int, actions []Action) {
	n := w.nodes[i]
	for _, a := range actions {
		switch a := a.(type) {
		case Send:
			for k := range n.out {
				var packets []Packet
				n.out[k], packets = n.out[k].Write(a.Priority, a.Interval, epoch.Add(w.now+n.wall))
				for to := range w.nodes {
					if to != i {
						w.send(i, to, k, packets[0])
					}
				}
			}
		case Wake:
			n.wake = a.At
			if a.At != 0 {
				w.at(a.At-w.now+w.between(0, lateness), func() { w.tick(i, a.At) })
			}
		case Report:
			w.say("node %d %v", i, a)
		}
	}
	w.watch()
}

func (w *world) tick(i int, at time.Duration) {
	n := w.nodes[i]
	switch {
	case !n.alive || n.wake != at:
	case n.paused:
		n.due = true
	default:
		w.tell(i, Tick{})
	}
}

func (w *world) send(from, to, k int, p Packet) {
	link := [3]int{from, to, k}
	if w.cut[link] || w.lossy[link] && w.r.IntN(3) == 0 {
		return
	}
	copies := 1
	if w.lossy[link] && w.r.IntN(5) == 0 {
		copies = 2
	}
	for range copies {
		delay := w.between(0, slowest)
		if w.lossy[link] {
			delay = w.between(0, 2*w.interval)
		}
		w.at(delay, func() { w.arrive(to, k, p) })
	}
}

func (w *world) arrive(to, k int, p Packet) {
	n := w.nodes[to]
	if !n.alive {
		return
	}
	if n.paused {
		if len(n.missed) < 64 {
			n.missed = append(n.missed, func() { w.arrive(to, k, p) })
		}
		return
	}
	after, a, err := n.in[k].Open(p, epoch.Add(w.now+n.wall))
	if err != nil {
		return
	}
	n.in[k] = after
	w.tell(to, Heard{k, p.Src, a.Priority, a.Interval})
}

// trouble is one thing that goes wrong, or right again.
func (w *world) trouble() {
	i := w.r.IntN(len(w.nodes))
	j := (i + 1 + w.r.IntN(len(w.nodes)-1)) % len(w.nodes)
	k := w.r.IntN(len(w.nodes[0].in))
	n := w.nodes[i]
	switch w.r.IntN(17) {
	case 0:
		if n.alive {
			w.say("node %d is killed", i)
			n.alive = false
			w.at(w.between(0, 5*time.Second), func() { w.boot(i) })
		}
	case 1:
		if n.alive && !n.paused {
			w.say("node %d hands over to another process", i)
			s := n.router.Save(w.now)
			n.saved, n.alive = &s, false
			w.at(w.between(0, 4*w.interval), func() { w.boot(i) })
		}
	case 2, 3:
		if n.alive && !n.paused {
			w.pause(i, w.between(0, 10*w.interval))
		}
	case 4:
		w.say("all links between %d and %d are cut", i, j)
		for k := range w.nodes[0].in {
			w.cut[[3]int{i, j, k}], w.cut[[3]int{j, i, k}] = true, true
		}
	case 5:
		w.say("the link from %d to %d is cut on %d", i, j, k)
		w.cut[[3]int{i, j, k}] = true
	case 6, 7, 8:
		w.say("links are whole again")
		clear(w.cut)
		clear(w.lossy)
	case 9:
		w.say("the link from %d to %d loses on %d", i, j, k)
		w.lossy[[3]int{i, j, k}] = true
	case 10:
		d := w.between(0, time.Hour)
		if w.back {
			d -= 30 * time.Minute
		}
		w.say("the clock of node %d jumps by %v", i, d)
		n.wall += d
	case 11:
		w.tell(i, Tracked{Unfit: true, Why: "e0 is down"})
	case 12:
		w.tell(i, Tracked{Penalty: uint8(w.r.IntN(2) * 60)})
	case 13:
		w.tell(i, Move{Will(w.r.IntN(3))})
	case 14:
		w.tell(i, Ready{w.r.IntN(2) == 0})
	case 15:
		c := n.router.Config
		c.Priority = uint8(100 + 50*w.r.IntN(3))
		w.tell(i, Reload{c})
	case 16:
		// What one node cannot hold, the others get; if all are gone it tries again.
		for _, d := range []time.Duration{0, 6 * w.interval, 12 * w.interval, 20 * w.interval} {
			w.at(d, func() { w.tell(i, Unable{"e0 is gone"}) })
		}
	}
	w.watch()
	w.at(w.between(0, 3*time.Second), w.trouble)
}

func (w *world) pause(i int, d time.Duration) {
	n := w.nodes[i]
	w.say("node %d stands still for %v", i, d)
	n.paused = true
	w.at(d, func() {
		if !n.paused {
			return // it was killed meanwhile
		}
		w.say("node %d moves again", i)
		n.paused = false
		missed, due := n.missed, n.due
		n.missed, n.due = nil, false
		// What came and the timer: nothing says which a program sees first.
		first := w.r.IntN(2) == 0
		if due && first {
			w.tell(i, Tick{})
		}
		for _, m := range missed {
			m()
		}
		if due && !first {
			w.tell(i, Tick{})
		}
	})
}

func (w *world) able(i int) bool {
	n := w.nodes[i]
	return n.alive && !n.paused && n.router.State.Unfit == ""
}

func (w *world) active(i int) bool {
	n := w.nodes[i]
	return n.alive && !n.paused && n.router.State.Role == Active
}

// watch keeps the times of what must not last.
func (w *world) watch() {
	for i := range w.nodes {
		if w.able(i) != (w.fit[i] != never) {
			w.fit[i] = never
			if w.able(i) {
				w.fit[i] = w.now
			}
		}
		for j := range i {
			k := [2]int{i, j}
			whole := true
			for in := range w.nodes[0].in {
				for _, l := range [][3]int{{i, j, in}, {j, i, in}} {
					whole = whole && !w.cut[l] && !w.lossy[l]
				}
			}
			if _, was := w.both[k]; !whole || !w.active(i) || !w.active(j) {
				delete(w.both, k)
			} else if !was {
				w.both[k] = w.now
			}
		}
	}
	someone := false
	for i := range w.nodes {
		someone = someone || w.active(i)
	}
	if someone {
		w.none = never
	} else if w.none == never {
		w.none = w.now
	}
}

// wrong says what must not be, at any moment.
func (w *world) wrong() string {
	bound := 3*w.interval + w.interval + 2*(slowest+lateness)
	for k, since := range w.both {
		if w.now-since > bound {
			return fmt.Sprintf("nodes %d and %d have heard each other for %v, and both are active", k[0], k[1], w.now-since)
		}
	}
	if w.none == never {
		return ""
	}
	// A packet that was delayed, an operator's least priority, an interval more
	// for a node that stood still, and the longest hold.
	patience := 2*w.interval + 4*w.interval + w.interval + 20*w.interval + 2*lateness
	for i, since := range w.fit {
		if since != never && w.now-max(since, w.none) > patience {
			return fmt.Sprintf("nobody has been active for %v, and node %d lives", w.now-w.none, i)
		}
	}
	return ""
}

func (w *world) run(until time.Duration) string {
	for w.queue.Len() > 0 {
		e := heap.Pop(&w.queue).(entry)
		if e.at > until {
			return ""
		}
		w.now = max(w.now, e.at)
		if s := w.wrong(); s != "" {
			return s
		}
		e.do()
	}
	return ""
}

// Whatever goes wrong, two nodes that hear each other are not both active for
// longer than it takes to find a dead one, and one is active if any lives.
func TestNeverTwoAndSomeoneAlways(t *testing.T) {
	schedules := uint64(2000)
	if testing.Short() {
		schedules = 300
	}
	roles := 0
	for seed := range schedules {
		w := newWorld(seed)
		if s := w.run(time.Hour + 40*time.Second); s != "" {
			w.say("%s", s)
			t.Fatalf("seed %d:\n%s", seed, strings.Join(w.log[max(0, len(w.log)-40):], "\n"))
		}
		for _, l := range w.log {
			if strings.Contains(l, "-> active") {
				roles++
			}
		}
	}
	if roles < int(schedules) {
		t.Errorf("%d take-overs in %d schedules: nothing happens", roles, schedules)
	}
	t.Logf("%d schedules of 40 s, %d take-overs", schedules, roles)
}
