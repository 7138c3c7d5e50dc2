package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// A Router is the role of a node for the addresses of a [Config]. It is a value:
// [Router.Next] makes the next one. [New] makes the first.
type Router struct {
	Config Config
	State  State
}

// New is a router that has not been started.
func New(c Config) Router { return Router{Config: c} }

// A State is what a router knows. Times are of its clock, 0 is never. Package
// users read it; a [Saved] one is how it outlives its process.
type State struct {
	Role  Role          `json:"role"`
	Since time.Duration `json:"since"` // of the role
	Why   string        `json:"why"`   // it has the role

	Running bool   `json:"running"`
	Penalty uint8  `json:"penalty"` // of tracked objects
	Unfit   string `json:"unfit"`   // why; "" is fit
	Waits   bool   `json:"waits"`   // it was said not to be ready
	Will    Will   `json:"will"`

	// Of an active router.
	SendAt       time.Duration `json:"send_at"`       // the next advertisement
	SentAt       time.Duration `json:"sent_at"`       // the last one
	SentInterval time.Duration `json:"sent_interval"` // what it promised
	AnnounceAt   time.Duration `json:"announce_at"`   // once more
	AnnouncedAt  time.Duration `json:"announced_at"`
	// Doubts says that it stood still for longer than its peers wait. It says
	// nothing until SendAt, and believes whoever speaks before.
	Doubts bool `json:"doubts"`

	// Of a backup router.
	DownAt   time.Duration `json:"down_at"`   // when the active one counts as gone
	Learned  time.Duration `json:"learned"`   // the active one's interval
	Resigned bool          `json:"resigned"`  // the active one has
	Overs    bool          `json:"overslept"` // it has been given another interval
	// LowerSince is since when the active one has a lower priority and is one to be
	// taken over from.
	LowerSince time.Duration `json:"lower_since"`

	// Peer is who was heard last as active, At when.
	Peer Peer `json:"peer"`

	// Of the dampening.
	Flaps     int           `json:"flaps"`
	TakenAt   time.Duration `json:"taken_at"`
	LostAt    time.Duration `json:"lost_at"`
	HeldUntil time.Duration `json:"held_until"`
}

// A Peer is what an active peer said last.
type Peer struct {
	From     netip.Addr    `json:"from"`
	Node     int           `json:"node"` // index among the peers, -1 for others
	Priority uint8         `json:"priority"`
	At       time.Duration `json:"at"`
}

const (
	// again is when a take-over is announced once more: a switch that was busy,
	// or a neighbour that missed it, has had time.
	again = 5 * time.Second
	// quiet is between announcements because another router is active too.
	quiet = time.Second
)

// Priority is what the router advertises: its own without the penalty of
// tracked objects, or what an operator made of it; 0 when it is not fit.
func (r Router) Priority() uint8 {
	switch {
	case r.State.Unfit != "":
		return 0
	case r.State.Will == Claim:
		return max(Claimed, r.Config.Priority)
	case r.State.Will == Yield:
		return Yielded
	case r.State.Penalty >= r.Config.Priority:
		return 1
	}
	return r.Config.Priority - r.State.Penalty
}

// Skew is how much longer than three intervals a router waits, the shorter the
// higher its priority (RFC 9568, section 6.1).
func Skew(interval time.Duration, priority uint8) time.Duration {
	return interval * time.Duration(256-int(priority)) / 256
}

// DownInterval is how long a router of a priority hears nothing of an active
// one with an interval before it takes over (RFC 9568, section 6.1).
func DownInterval(interval time.Duration, priority uint8) time.Duration {
	return 3*interval + Skew(interval, priority)
}

// A step is one event being dealt with.
type step struct {
	Router
	now  time.Duration
	todo []Action
}

// Next returns the router after an event at time now, which is never before
// that of the event before, and what to do.
func (r Router) Next(now time.Duration, e Event) (Router, []Action) {
	s := &step{Router: r, now: now}
	wake := r.wake()
	switch e := e.(type) {
	case Start:
		s.start()
	case Stop:
		s.stop()
	case Tick:
		s.tick()
	case Heard:
		s.heard(e)
	case Tracked:
		s.tracked(e)
	case Ready:
		s.State.Waits = !e.Ready
	case Move:
		s.move(e.To)
	case Unable:
		s.unable(e.Why)
	case Reload:
		s.reload(e.Config)
	}
	// A tick that came too early needs another one.
	if _, ticked := e.(Tick); s.wake() != wake || ticked && wake != 0 {
		s.do(Wake{s.wake()})
	}
	return s.Router, s.todo
}

func (s *step) do(a ...Action) { s.todo = append(s.todo, a...) }

// wake is when the router has to do something by itself.
func (r Router) wake() time.Duration {
	switch r.State.Role {
	case Backup:
		return r.State.DownAt
	case Active:
		if at := r.State.AnnounceAt; at != 0 {
			return min(at, r.State.SendAt)
		}
		return r.State.SendAt
	}
	return 0
}

// turn changes the role.
func (s *step) turn(to Role, why string) {
	from := s.State.Role
	s.State.Role, s.State.Since, s.State.Why = to, s.now, why
	s.do(Report{from, to, why})
}

func (s *step) note(why string) { s.do(Report{s.State.Role, s.State.Role, why}) }

// send advertises now, and next after an interval.
func (s *step) send() {
	s.State.SentAt, s.State.SentInterval, s.State.Doubts = s.now, s.Config.Interval, false
	s.do(Send{s.Priority(), s.Config.Interval})
	s.State.SendAt = s.now + s.Config.Interval
}

// answer advertises at once, unless that has just been done: two routers that
// are sure to win against each other would otherwise talk as fast as they can.
func (s *step) answer() {
	if s.now-s.State.SentAt >= s.Config.Interval/8 {
		s.send()
	}
}

func (s *step) resign() { s.do(Send{0, s.Config.Interval}) }

func (s *step) announce() {
	s.State.AnnouncedAt = s.now
	s.do(Announce{})
}

func (s *step) start() {
	if s.State.Running {
		return
	}
	s.State.Running = true
	s.begin("started")
}

// begin leaves Init (RFC 9568, section 6.4.1).
func (s *step) begin(why string) {
	switch {
	case s.State.Unfit != "":
		s.note(s.State.Unfit)
		s.do(Drop{})
	case s.Priority() == Owner:
		s.active("the addresses are its own")
	default:
		// What an earlier process left on the interface goes.
		s.listen(s.Config.Interval, why)
		s.do(Drop{})
	}
}

// listen makes it a backup router that has yet to hear somebody.
func (s *step) listen(interval time.Duration, why string) {
	s.turn(Backup, why)
	st := &s.State
	st.SendAt, st.AnnounceAt, st.Doubts = 0, 0, false
	st.Learned, st.Resigned, st.Overs, st.LowerSince = interval, false, false, 0
	st.DownAt = s.now + DownInterval(interval, s.Priority())
}

// active takes over. Peers hear of it first: they wait for nothing else.
func (s *step) active(why string) {
	st := &s.State
	st.DownAt, st.LowerSince = 0, 0
	if rest := s.Config.Flap.Window; st.Flaps > 0 && s.now-max(st.LostAt, st.HeldUntil) > rest {
		st.Flaps = 0
	}
	st.TakenAt = s.now
	s.turn(Active, why)
	s.send()
	s.do(Take{})
	s.announce()
	st.AnnounceAt = s.now + again
}

// lose counts a role that was lost, not given.
func (s *step) lose() {
	f, st := s.Config.Flap, &s.State
	st.LostAt = s.now
	window := f.Window
	if d := s.Config.PreemptDelay; d > 0 {
		window = min(window, d)
	}
	if s.now-st.TakenAt >= window {
		st.Flaps = 0
		return
	}
	st.Flaps++
	if f.Count == 0 || st.Flaps < f.Count {
		return
	}
	hold := f.Hold
	for n := f.Count; n < st.Flaps && hold < f.Max; n++ {
		hold *= 2
	}
	hold = min(hold, f.Max)
	st.HeldUntil = s.now + hold
	s.note(fmt.Sprintf("took over and lost the addresses %d times in a row: does not take over for %v", st.Flaps, hold))
}

func (s *step) stop() {
	st := &s.State
	st.Running = false
	if st.Role == Init {
		return
	}
	s.leave("stopped")
}

// leave goes to Init. The resignation comes first: the next router waits for
// its skew time after it, which is longer than dropping addresses takes.
func (s *step) leave(why string) {
	was := s.State.Role
	if was == Active {
		s.resign()
	}
	s.turn(Init, why)
	if was == Active {
		s.do(Drop{})
	}
	st := &s.State
	st.SendAt, st.AnnounceAt, st.Doubts, st.DownAt, st.LowerSince = 0, 0, false, 0, 0
}

func (s *step) tick() {
	st := &s.State
	switch st.Role {
	case Active:
		if s.now >= st.SendAt && !s.doubt() {
			due := st.SendAt
			s.send()
			if s.now-due < s.Config.Interval {
				st.SendAt = due + s.Config.Interval
			}
		}
		if st.AnnounceAt != 0 && s.now >= st.AnnounceAt && !st.Doubts {
			st.AnnounceAt = 0
			s.announce()
		}
	case Backup:
		if s.now >= st.DownAt {
			s.down()
		}
	}
}

// doubt reports whether an active router has only now found out that it stood
// still for longer than any peer waits: it was silent for an interval and three
// more. One of them is active by now, and would give way to the first word of a
// higher priority, so it listens for an interval before it speaks. If nobody is,
// that costs nothing.
func (s *step) doubt() bool {
	st := &s.State
	if st.Doubts || s.now-st.SendAt <= 3*s.Config.Interval {
		return false
	}
	st.Doubts = true
	if st.AnnounceAt != 0 {
		st.AnnounceAt = s.now + again
	}
	st.SendAt = s.now + s.Config.Interval + Skew(s.Config.Interval, s.Priority())
	return true
}

// down is the end of a backup router's patience.
func (s *step) down() {
	st := &s.State
	switch late := s.now - st.DownAt; {
	case late > st.Learned && !st.Overs:
		// It stood still itself, so that it heard nothing says little: what came
		// meanwhile may wait to be read.
		st.Overs = true
		st.DownAt = s.now + st.Learned
	case s.now < st.HeldUntil && !st.Resigned && st.Will != Claim:
		st.DownAt = st.HeldUntil
	case st.Resigned:
		s.active("the active router resigned")
	case st.Peer.At == 0:
		s.active("no router is active")
	case st.Will == Claim:
		s.active("an operator said so")
	case st.LowerSince != 0 && s.preempts():
		s.active(fmt.Sprintf("%v is active with the lower priority %d", st.Peer.From, st.Peer.Priority))
	default:
		s.active(fmt.Sprintf("nothing heard of %v for %v", st.Peer.From, (s.now - st.Peer.At).Round(time.Millisecond)))
	}
}

// beats reports whether an advertisement is of a router that goes before this
// one while both are active: by its priority, then by its node's address in the
// first instance (RFC 9568, section 6.4.3).
func (r Router) beats(h Heard) bool {
	if own := r.Priority(); h.Priority != own {
		return h.Priority > own
	}
	first, in := r.Config.Instances[0], r.Config.Instances[h.Instance]
	if k := r.node(h); k >= 0 {
		return first.Source.Less(first.Peers[k])
	}
	return in.Source.Less(h.From)
}

// node is the index of an advertisement's sender among the peers, or -1.
func (r Router) node(h Heard) int {
	return slices.Index(r.Config.Instances[h.Instance].Peers, h.From)
}

func (s *step) peer(h Heard) Peer { return Peer{h.From, s.node(h), h.Priority, s.now} }

func (s *step) heard(h Heard) {
	if h.Instance < 0 || h.Instance >= len(s.Config.Instances) {
		return
	}
	switch s.State.Role {
	case Active:
		s.heardActive(h)
	case Backup:
		s.heardBackup(h)
	}
}

// heardActive is RFC 9568, section 6.4.3.
func (s *step) heardActive(h Heard) {
	st := &s.State
	s.doubt()
	switch {
	case h.Priority == 0:
		s.answer()
	case s.beats(h) || st.Doubts:
		why := fmt.Sprintf("%v is active with priority %d", h.From, h.Priority)
		if s.beats(h) {
			// A last word: who stays active may not have heard of this one, and has to
			// announce where the addresses are.
			s.do(Send{s.Priority(), s.Config.Interval})
		} else {
			why = fmt.Sprintf("stood still, and %v has taken over", h.From)
		}
		st.Peer = s.peer(h)
		s.listen(h.Interval, why)
		s.do(Drop{})
		s.lose()
	default:
		st.Peer = s.peer(h)
		s.answer()
		if s.now-st.AnnouncedAt >= quiet {
			s.note(fmt.Sprintf("%v is active too, with priority %d", h.From, h.Priority))
			s.announce()
			st.AnnounceAt = s.now + again
		}
	}
}

// heardBackup is RFC 9568, section 6.4.2, with a delay before the router
// preempts.
func (s *step) heardBackup(h Heard) {
	st := &s.State
	if h.Priority == 0 {
		if n := s.node(h); n >= 0 && st.Peer.Node >= 0 && st.Peer.At != 0 && n != st.Peer.Node {
			return // late: another router is active since
		}
		st.Resigned = true
		st.DownAt = s.now + Skew(st.Learned, s.Priority())
		return
	}
	st.Peer = s.peer(h)
	if h.Priority >= s.Priority() || !s.yields() {
		st.LowerSince = 0
	} else if st.LowerSince == 0 {
		st.LowerSince = s.now
	}
	if st.LowerSince != 0 && s.preempts() {
		return // not heard: it takes over when its patience ends
	}
	st.Learned, st.Resigned, st.Overs = h.Interval, false, false
	st.DownAt = s.now + DownInterval(h.Interval, s.Priority())
}

// yields reports whether the active router, which was heard last, is one to be
// taken over from, were its priority lower.
func (s *step) yields() bool {
	return s.Config.Preempt || s.State.Will == Claim || s.State.Peer.Priority < s.Config.PreemptBelow
}

// preempts reports whether the router takes over from one of lower priority
// that lives.
func (s *step) preempts() bool {
	st := &s.State
	if st.Will == Claim {
		return true
	}
	return s.yields() && !st.Waits && s.now >= st.LowerSince+s.Config.PreemptDelay && s.now >= st.HeldUntil
}

func (s *step) tracked(t Tracked) {
	st := &s.State
	before := s.Priority()
	st.Penalty, st.Unfit = t.Penalty, ""
	if t.Unfit {
		st.Unfit = t.Why
		if st.Unfit == "" {
			st.Unfit = "not fit"
		}
	}
	now := s.Priority()
	switch {
	case !st.Running || now == before:
	case now == 0:
		wasActive := st.Role == Active
		s.leave(st.Unfit)
		if wasActive {
			s.lose()
		}
	case st.Role == Init:
		s.begin("fit again")
	case st.Role == Active:
		s.note(fmt.Sprintf("priority %d instead of %d: %s", now, before, t.Why))
		s.send()
	}
}

func (s *step) move(to Will) {
	st := &s.State
	if st.Will == to {
		return
	}
	active := st.Role == Active
	if active && to == Yield {
		s.resign()
	}
	st.Will = to
	if st.Role == Init {
		return
	}
	switch {
	case active && to == Yield:
		s.listen(s.Config.Interval, "an operator said so")
		s.do(Drop{})
	case active:
		s.note("an operator's will: " + to.String())
		s.send()
	default:
		s.note("an operator's will: " + to.String())
	}
}

// unable gives up what the node could not take, for a while that grows.
func (s *step) unable(why string) {
	if s.State.Role != Active {
		return
	}
	s.resign()
	s.listen(s.Config.Interval, "could not take the addresses: "+why)
	s.do(Drop{})
	s.lose()
	s.State.HeldUntil = max(s.State.HeldUntil, s.now+quiet)
}

func (s *step) reload(c Config) {
	s.Config = c
	if s.State.Role != Active {
		return
	}
	s.send()
	s.do(Take{})
	s.announce()
}
