package conn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gslb/vrrp"
)

// Hands have the addresses, or do not.
type Hands interface {
	// Hold makes the node have exactly these addresses of the router, none when
	// held is empty. It is called by one goroutine, with the latest that is
	// wanted, and again when it fails. An error of a Hold of addresses makes the
	// router give them up for a while.
	Hold(ctx context.Context, held []Holding) error
}

// Options of a [Member]. The zero value is good.
type Options struct {
	// Log hears of changes of role, of what is refused, once a minute for each
	// reason, and of what fails. nil: nobody.
	Log *slog.Logger
	// Notice is called with every report of the router, with what a take-over has
	// taken, and with what is refused, once a minute for each reason: these two do
	// not change the role. It must not wait, nor call the member, and may be called
	// by several goroutines.
	Notice func(vrrp.Report)
	// Saved lets the member go on where another process of the node ended.
	Saved *Saved
	// Wire is what the member speaks by; nil: this host's sockets.
	Wire Wire
	// First is told before the router starts, or when it has gone on.
	First []vrrp.Event
}

// Saved is a member between two processes of one node, as JSON.
type Saved struct {
	Router vrrp.Saved  `json:"router"`
	Links  []SavedLink `json:"links"`
}

// A SavedLink is what an instance's advertisements have come to.
type SavedLink struct {
	ID        uint8       `json:"id"`
	Interface string      `json:"interface"`
	IPv6      bool        `json:"ipv6"`
	Sequence  uint64      `json:"sequence"`
	Pseudo    bool        `json:"pseudo"`
	Marks     []vrrp.Mark `json:"marks"`
}

// A Member is this node's part in one router. Its methods may be called by
// several goroutines.
type Member struct {
	hands  Hands
	log    *slog.Logger
	notice func(vrrp.Report)
	wire   Wire

	heard    chan heard
	requests chan func() // done by the loop
	over     chan struct{}
	timer    *time.Timer
	links    []*link
	router   vrrp.Router // the loop's
	ended    bool
	leaves   bool // what it made stays for another process
	// remindedAt is when switches were reminded of a virtual MAC address.
	remindedAt time.Duration
	worker     *worker

	mu     sync.Mutex
	status Status
}

// Status is what a member is and has seen.
type Status struct {
	Router vrrp.Router
	Clock  time.Duration // of the router's times, now
	Held   bool          // the node has the addresses
	Counts []Counts
}

type heard struct {
	on    *link
	from  netip.Addr
	about vrrp.Advert
}

// A link is an instance at work.
type link struct {
	*counter
	line  Line
	out   vrrp.Outbox
	place atomic.Pointer[place]
	want  atomic.Pointer[vrrp.Inbox] // what the configuration says, without marks
	marks atomic.Pointer[[]vrrp.Mark]
}

// A place is where the addresses of an instance belong.
type place struct {
	device string
	mac    [6]byte
}

// Join opens the sockets and starts the router. The configuration is one that
// its Check has let pass.
func Join(config vrrp.Config, hands Hands, options Options) (*Member, error) {
	m := &Member{
		hands: hands, log: options.Log, notice: options.Notice, wire: options.Wire,
		heard: make(chan heard, 64), requests: make(chan func(), 64), over: make(chan struct{}),
		timer: time.NewTimer(time.Hour),
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.log = m.log.With("router", config.Name)
	if m.wire == nil {
		m.wire = host{}
	}
	for i, in := range config.Instances {
		l, err := m.link(in, config.Interval, savedLink(options.Saved, in))
		if err != nil {
			m.close()
			return nil, fmt.Errorf("%s: instance %d: %w", config.Name, i+1, err)
		}
		m.links = append(m.links, l)
	}
	m.worker = newWorker(m)
	for _, l := range m.links {
		go m.receive(l, l.line)
	}
	if options.Saved != nil {
		var actions []vrrp.Action
		m.router, actions = vrrp.Resume(config, options.Saved.Router, m.wire.Clock())
		m.worker.has = m.router.State.Role == vrrp.Active
		m.act(actions)
		m.tell(options.First...)
	} else {
		m.router = vrrp.New(config)
		m.tell(options.First...)
		m.tell(vrrp.Start{})
	}
	go m.worker.run()
	go m.loop()
	return m, nil
}

func savedLink(s *Saved, in vrrp.Instance) SavedLink {
	if s != nil {
		for _, l := range s.Links {
			if l.ID == in.ID && l.Interface == in.Interface && l.IPv6 == in.Source.Is6() {
				return l
			}
		}
	}
	return SavedLink{}
}

// link opens an instance. Nobody listens yet.
func (m *Member) link(in vrrp.Instance, interval time.Duration, saved SavedLink) (*link, error) {
	l := &link{counter: newCounter(in, m.log)}
	l.odd = m.odd
	l.out = vrrp.Outbox{Instance: in, Sequence: saved.Sequence, Pseudo: saved.Pseudo}
	l.want.Store(&vrrp.Inbox{Instance: in, Interval: interval})
	l.marks.Store(&saved.Marks)
	line, err := m.wire.Open(in)
	if err != nil {
		return nil, err
	}
	l.lay(line)
	return l, nil
}

// lay puts a line in place.
func (l *link) lay(line Line) {
	device, mac := line.Place()
	l.line = line
	l.place.Store(&place{device, mac})
}

func (m *Member) close() {
	for _, l := range m.links {
		if err := l.line.Close(m.leaves); err != nil {
			m.log.Warn("close", "err", err)
		}
	}
}

// receive hears what comes in until the socket is closed.
func (m *Member) receive(l *link, line Line) {
	box := vrrp.Inbox{Marks: *l.marks.Load()}
	for {
		p, err := line.Receive()
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case err != nil:
			// The interface is down, or gone: the loop opens it again.
			time.Sleep(100 * time.Millisecond)
			continue
		}
		want := l.want.Load()
		box.Instance, box.Interval = want.Instance, want.Interval
		after, a, err := box.Open(p, time.Now())
		if err != nil {
			l.refused(p, want.Instance, err)
			continue
		}
		box = after
		marks := after.Marks
		l.marks.Store(&marks)
		l.counter.heard(p, want.Instance, a, m.wire.Clock())
		a.Trailer = nil // lies where the next packet will
		select {
		case m.heard <- heard{l, p.Src, a}:
		case <-m.over:
			return
		}
	}
}

// reopened is how often a lost interface is looked for.
const reopened = 5 * time.Second

// loop owns the router.
func (m *Member) loop() {
	look := time.NewTicker(reopened)
	defer look.Stop()
	for !m.ended {
		select {
		case h := <-m.heard:
			m.hear(h)
		case <-m.timer.C:
			// What was heard before the time was up comes first.
			for n := len(m.heard); n > 0; n-- {
				m.hear(<-m.heard)
			}
			m.tell(vrrp.Tick{})
		case do := <-m.requests:
			do()
		case <-look.C:
			m.reopen()
			m.remind()
		}
	}
	m.close()
	close(m.over)
}

func (m *Member) hear(h heard) {
	for i, l := range m.links {
		if l != h.on {
			continue
		}
		if h.about.Version == 3 && !h.from.Is6() {
			l.out.Pseudo = !h.about.Plain
		}
		m.tell(vrrp.Heard{Instance: i, From: h.from, Priority: h.about.Priority, Interval: h.about.Interval})
	}
}

// odd tells of what is no step of the router's.
func (m *Member) odd(why string) {
	if m.notice == nil {
		return
	}
	m.mu.Lock()
	role := m.status.Router.State.Role
	m.mu.Unlock()
	m.notice(vrrp.Report{From: role, To: role, Why: why})
}

// tell is the router's next step.
func (m *Member) tell(events ...vrrp.Event) {
	for _, e := range events {
		var actions []vrrp.Action
		m.router, actions = m.router.Next(m.wire.Clock(), e)
		m.act(actions)
	}
}

func (m *Member) act(actions []vrrp.Action) {
	// The worker may be done with an action before the next one is begun with: what
	// it tells of is the new role.
	m.mu.Lock()
	m.status.Router = m.router
	m.mu.Unlock()
	for _, a := range actions {
		switch a := a.(type) {
		case vrrp.Send:
			m.send(a)
		case vrrp.Take:
			m.worker.want(holdings(m.router.Config, m.device), m.router.State)
		case vrrp.Drop:
			m.worker.want(nil, m.router.State)
		case vrrp.Announce:
			m.worker.announce()
		case vrrp.Wake:
			if a.At == 0 {
				m.timer.Stop()
			} else {
				m.timer.Reset(a.At - m.wire.Clock())
			}
		case vrrp.Report:
			m.log.Info("vrrp", "from", a.From, "to", a.To, "why", a.Why)
			if m.notice != nil {
				m.notice(a)
			}
		}
	}
}

func (m *Member) send(s vrrp.Send) {
	now := time.Now()
	for _, l := range m.links {
		var packets []vrrp.Packet
		l.out, packets = l.out.Write(s.Priority, s.Interval, now)
		for _, p := range packets {
			l.sent(l.line.Send(p))
		}
	}
}

// device is where the addresses of an instance belong.
func (m *Member) device(in vrrp.Instance) string {
	for i, l := range m.links {
		if i < len(m.router.Config.Instances) && m.router.Config.Instances[i].Source == in.Source && l.ID == in.ID {
			return l.place.Load().device
		}
	}
	return in.Interface
}

// reopen opens the sockets of interfaces that were taken away and came back.
func (m *Member) reopen() {
	for _, l := range m.links {
		in := l.want.Load().Instance
		if !l.line.Stale() {
			continue
		}
		fresh, err := m.wire.Open(in)
		if err != nil {
			m.log.Warn("interface came back", "err", err)
			continue
		}
		_ = l.line.Close(true) // its virtual device went with it
		l.lay(fresh)
		go m.receive(l, l.line)
		m.log.Info("interface came back", "interface", in.Interface)
	}
}

// reminded is how often switches are reminded of where a virtual MAC address is
// that advertisements do not come from. They forget it after five minutes.
const reminded = time.Minute

// remind announces the addresses again that have such a MAC address.
func (m *Member) remind() {
	now := m.wire.Clock()
	if m.router.State.Role != vrrp.Active || now-max(m.remindedAt, m.router.State.AnnouncedAt) < reminded {
		return
	}
	for _, in := range m.router.Config.Instances {
		if in.VirtualMAC && in.Unicast {
			m.remindedAt = now
			m.worker.announce()
			return
		}
	}
}

// do lets the loop do something, unless it has ended.
func (m *Member) do(what func()) bool {
	done := make(chan struct{})
	select {
	case m.requests <- func() { what(); close(done) }:
	case <-m.over:
		return false
	}
	select {
	case <-done:
		return true
	case <-m.over:
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
}

// Tell gives the router an event: Tracked, Ready, Move. It returns when the
// router knows, and does nothing when the member has ended.
func (m *Member) Tell(e vrrp.Event) { m.do(func() { m.tell(e) }) }

// Status is what the member is now.
func (m *Member) Status() Status {
	m.mu.Lock()
	s := m.status
	links := m.links
	m.mu.Unlock()
	s.Clock, s.Held = m.wire.Clock(), m.worker.holds()
	for _, l := range links {
		s.Counts = append(s.Counts, l.counts())
	}
	return s
}

// Reload gives the member another configuration, which Check has let pass. The
// role stays. When a socket cannot be opened nothing has changed.
func (m *Member) Reload(config vrrp.Config) error {
	err := errors.New("the member has ended")
	m.do(func() { err = m.reload(config) })
	return err
}

func (m *Member) reload(config vrrp.Config) error {
	var links, fresh []*link
	kept := map[*link]bool{}
	for i, in := range config.Instances {
		var l *link
		for _, have := range m.links {
			if old := have.want.Load().Instance; !kept[have] && old.ID == in.ID && old.Interface == in.Interface && old.Source == in.Source && old.Unicast == in.Unicast && old.VirtualMAC == in.VirtualMAC {
				l = have
			}
		}
		if l == nil {
			var err error
			if l, err = m.link(in, config.Interval, SavedLink{}); err != nil {
				for _, f := range fresh {
					_ = f.line.Close(false)
				}
				return fmt.Errorf("%s: instance %d: %w", config.Name, i+1, err)
			}
			fresh = append(fresh, l)
		}
		kept[l] = true
		links = append(links, l)
	}
	old := m.links
	m.mu.Lock()
	m.links = links
	m.mu.Unlock()
	for i, l := range links {
		l.out.Instance = config.Instances[i]
		l.want.Store(&vrrp.Inbox{Instance: config.Instances[i], Interval: config.Interval})
	}
	for _, l := range fresh {
		go m.receive(l, l.line)
	}
	for _, l := range old {
		if !kept[l] {
			if err := l.line.Close(false); err != nil {
				m.log.Warn("close", "err", err)
			}
		}
	}
	m.tell(vrrp.Reload{Config: config})
	return nil
}

// Save is the member as it is, for a process that comes after one that was not
// asked to hand over.
func (m *Member) Save() (saved Saved) {
	m.do(func() { saved = m.save() })
	return saved
}

func (m *Member) save() Saved {
	s := Saved{Router: m.router.Save(m.wire.Clock())}
	for _, l := range m.links {
		in := l.out.Instance
		s.Links = append(s.Links, SavedLink{in.ID, in.Interface, in.Source.Is6(), l.out.Sequence, l.out.Pseudo, *l.marks.Load()})
	}
	return s
}

// Stop resigns, so that another node takes over at once, drops the addresses and
// ends the member. An error says that the node may have the addresses still.
func (m *Member) Stop(ctx context.Context) error {
	m.do(func() { m.tell(vrrp.Stop{}) })
	err := m.worker.settle(ctx)
	m.end()
	return err
}

// HandOver ends the member without a word and leaves the addresses where they
// are: another process goes on with what is returned, within three intervals.
func (m *Member) HandOver() Saved {
	var saved Saved
	m.do(func() { saved, m.ended, m.leaves = m.save(), true, true })
	m.end()
	return saved
}

func (m *Member) end() {
	m.do(func() { m.ended = true })
	<-m.over
	m.worker.stop()
}
