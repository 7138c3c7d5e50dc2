package vrrp

import "time"

// Saved is a router between two processes of one node.
type Saved struct {
	// At is when it was saved, of a clock that both processes have and that a
	// restart of the machine begins anew, such as CLOCK_BOOTTIME.
	At time.Duration `json:"at"`
	State
}

// Save gives the router as it is.
func (r Router) Save(now time.Duration) Saved { return Saved{now, r.State} }

// Resume starts a router where another process of the node has left it: an
// active one stays active and nothing moves, if its peers cannot have taken over
// yet, three intervals after it was heard last. Otherwise it is started anew,
// with its operator's will and its flaps.
func Resume(c Config, saved Saved, now time.Duration) (Router, []Action) {
	r := New(c)
	if now < saved.At {
		return r.Next(now, Start{}) // of an earlier boot
	}
	st := saved.State
	if st.Role != Active || !st.Running || st.Unfit != "" || now-st.SentAt >= 3*min(st.SentInterval, c.Interval) {
		r.State.Will, r.State.Waits, r.State.Penalty, r.State.Unfit = st.Will, st.Waits, st.Penalty, st.Unfit
		r.State.Flaps, r.State.TakenAt, r.State.LostAt, r.State.HeldUntil = st.Flaps, st.TakenAt, st.LostAt, st.HeldUntil
		return r.Next(now, Start{})
	}
	r.State = st
	s := &step{Router: r, now: now}
	s.note("goes on where the process before it ended")
	s.send()
	s.do(Take{}, Wake{s.wake()})
	return s.Router, s.todo
}
