package main

import (
	"fmt"
	"time"

	"gslb/internal/cli"
	"gslb/report"
	"gslb/tiers"
)

const (
	// syncLate bounds the way of a connection to the peers: two refreshes and the
	// time that a message lies.
	syncLate = 2*tiers.SyncRefresh + 3*time.Second
	// syncQuiet is after how long without a word something is said about it.
	syncQuiet = 15 * time.Second
	// syncBound is how long a member waits for connections at the most.
	syncBound = time.Minute
	// syncAll is the part of the active member's connections, in percent, that is
	// all of them: counts are of different moments, and the youngest are under way.
	syncAll = 95
	// syncFew is how many connections are too few to judge by.
	syncFew = 10
)

// An arrival is how the connections of a pair come to a member that has joined.
type arrival struct {
	began time.Time // zero: not yet
	most  int
	grew  time.Time // when there were more than ever before
	done  bool
	waits string // for what
}

// next is the arrival after another look: mine are the connections here, theirs
// those of the active member, negative when nobody tells. Nobody waits for ever:
// what is silent is not copied before it says something.
func (a arrival) next(now time.Time, mine, theirs int) arrival {
	if a.done {
		return a
	}
	if a.began.IsZero() {
		a.began, a.grew = now, now
	}
	if mine > a.most {
		a.most, a.grew = mine, now
	}
	waited := now.Sub(a.began)
	switch {
	case theirs >= 0 && 100*mine >= syncAll*theirs, waited >= syncBound:
		return arrival{began: a.began, done: true}
	case theirs >= 0 && now.Sub(a.grew) >= syncLate && waited >= syncLate:
		return arrival{began: a.began, done: true}
	case theirs >= 0:
		a.waits = fmt.Sprintf("waits for connections: %d of %d", mine, theirs)
	case waited >= syncLate:
		return arrival{began: a.began, done: true}
	default:
		a.waits = fmt.Sprintf("waits for connections: %d, for %s more", mine, cli.Age(syncLate-waited))
	}
	return a
}

// A copyView is what one member knows of the copying with another one.
type copyView struct {
	peer   string
	id     uint8
	on     string // our interface
	sound  sound
	told   report.Saying // At zero: it tells nothing
	since  time.Time     // when the listening began
	mine   int           // connections
	leads  bool          // we have the VIPs
	lags   time.Time     // since when they have far more than we, or we far more than they; zero: not
	lives  bool          // it is heard otherwise
	speaks bool          // its probes alone would be copied
}

// fresh reports whether what the peer has told still counts.
func (v *copyView) fresh(now time.Time) bool {
	return !v.told.At.IsZero() && now.Sub(v.told.At) < syncQuiet
}

// behind reports whether the one that gets connections has far fewer than the
// active one.
func (v *copyView) behind(now time.Time) bool {
	if !v.fresh(now) || v.told.Active == v.leads {
		return false
	}
	more, less := v.mine, int(v.told.Connections)
	if v.told.Active {
		more, less = less, more
	}
	return more >= syncFew && 2*less < more
}

// problem is what is wrong between two members, in words, "" when nothing is
// known to be; kind tells problems apart whose words have numbers in them.
func (v *copyView) problem(now time.Time) (kind, words string) {
	hears := now.Sub(v.sound.Right) < syncQuiet
	lags := !v.lags.IsZero() && now.Sub(v.lags) >= syncQuiet
	switch {
	case v.fresh(now) && v.told.ID != v.id:
		return "id", fmt.Sprintf("%s copies with sync id %d, this director with %d: neither takes in what the other sends. Do both have the same file?", v.peer, v.told.ID, v.id)
	case v.fresh(now) && !v.told.Sends:
		return "sender", fmt.Sprintf("%s says that its kernel's sync sender does not run as it should: it sends no connections", v.peer)
	case v.fresh(now) && !v.told.Takes:
		return "receiver", fmt.Sprintf("%s says that its kernel's sync receiver does not run as it should: it takes in no connections", v.peer)
	case !hears && now.Sub(v.sound.Wrong) < syncQuiet:
		return "id", fmt.Sprintf("%s sends with sync id %d, and %d is taken in: its connections do not come here", v.peer, v.sound.WrongID, v.id)
	case !hears && now.Sub(v.sound.Elsewhere) < syncQuiet:
		return "interface", fmt.Sprintf("what %s sends comes in by %s, and only %s is listened to: its connections do not come here", v.peer, v.sound.On, v.on)
	case !hears && lags && v.told.Active:
		return "nothing", fmt.Sprintf("%s has %d connections, of which %d are here, and nothing has come from it%s: its sync daemon does not run, or its messages are lost", v.peer, v.told.Connections, v.mine, ago(now, v.sound.Right))
	case v.fresh(now) && lags && v.leads && (v.told.Heard < 0 || v.told.Heard >= syncQuiet):
		return "one way", fmt.Sprintf("%s gets nothing of what is sent here: it has %d of %d connections", v.peer, v.told.Connections, v.mine)
	case lags && v.leads:
		return "few", fmt.Sprintf("%s has %d of the %d connections here, though it hears what is sent", v.peer, v.told.Connections, v.mine)
	case lags:
		return "few", fmt.Sprintf("%d of the %d connections of %s are here, though it is heard", v.mine, v.told.Connections, v.peer)
	case !hears && v.speaks && v.lives && now.Sub(v.since) >= 2*syncQuiet && now.Sub(v.sound.Right) >= 2*syncQuiet:
		return "nothing", fmt.Sprintf("nothing has come from %s%s, not even its own probes: its sync daemon does not run, or its messages are lost", v.peer, ago(now, v.sound.Right))
	}
	return "", ""
}

// ago is a time in the past in a sentence.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " for " + cli.Age(now.Sub(t))
}
