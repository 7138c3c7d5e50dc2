package report

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const copiesHead = "gslb-copies 1\n"

// Copies is what a member of a failover pair tells another one of the
// connections that their kernels copy to each other. In a datagram it is a line:
//
//	active 1020 51 both 1200 failover.front
type Copies struct {
	Pair        string
	Active      bool   // it has the VIPs
	Connections uint32 // in its kernel: established ones of TCP, all of UDP
	ID          uint8  // of its messages
	Sends       bool   // its kernel's daemon sends as it should
	Takes       bool   // and takes in
	// Heard is how long ago it heard a message of the member that it tells this,
	// in whole milliseconds; negative: never.
	Heard time.Duration
}

// IsCopies reports whether a datagram says that it has such lines.
func IsCopies(data []byte) bool { return bytes.HasPrefix(data, []byte(copiesHead)) }

// SealCopies returns the datagrams that say them, as [Seal] does.
func SealCopies(keys Keys, from string, sent time.Time, list []Copies) [][]byte {
	return seal(keys, copiesHead, from, sent, func(yield func(string) bool) {
		for _, c := range list {
			role, heard := "backup", "never"
			if c.Active {
				role = "active"
			}
			if c.Heard >= 0 {
				heard = strconv.FormatInt(c.Heard.Milliseconds(), 10)
			}
			if !yield(fmt.Sprintf("%s %d %d %s %s %s\n", role, c.Connections, c.ID, daemons[c.Sends][c.Takes], heard, c.Pair)) {
				return
			}
		}
	})
}

// daemons are the words for which daemons run as they should.
var daemons = map[bool]map[bool]string{
	true:  {true: "both", false: "sender"},
	false: {true: "receiver", false: "none"},
}

// OpenCopies reads such a datagram, and when it was sent by whom.
func OpenCopies(keys Keys, data []byte) (from string, sent time.Time, list []Copies, err error) {
	from, sent, lines, err := open(keys, data, copiesHead)
	if err != nil {
		return "", time.Time{}, nil, err
	}
	for _, line := range lines {
		c, err := parseCopies(line)
		if err != nil {
			return "", time.Time{}, nil, fmt.Errorf("%q: %w", line, err)
		}
		list = append(list, c)
	}
	return from, sent, list, nil
}

func parseCopies(line string) (Copies, error) {
	w := strings.SplitN(line, " ", 6)
	if len(w) < 6 || w[5] == "" {
		return Copies{}, errors.New("it breaks off")
	}
	c := Copies{Pair: w[5], Active: w[0] == "active", Heard: -1}
	connections, err := strconv.ParseUint(w[1], 10, 32)
	id, wrong := strconv.ParseUint(w[2], 10, 8)
	if err != nil || wrong != nil || !c.Active && w[0] != "backup" {
		return Copies{}, errors.New("no role, number of connections and id")
	}
	c.Connections, c.ID = uint32(connections), uint8(id)
	found := false
	for sends, words := range daemons {
		for takes, word := range words {
			if word == w[3] {
				c.Sends, c.Takes, found = sends, takes, true
			}
		}
	}
	if !found {
		return Copies{}, errors.New("its daemons are not told")
	}
	if w[4] != "never" {
		ms, err := strconv.ParseUint(w[4], 10, 63)
		if err != nil || ms > math.MaxInt64/uint64(time.Millisecond) {
			return Copies{}, errors.New("when it heard something is no number of milliseconds")
		}
		c.Heard = time.Duration(ms) * time.Millisecond
	}
	return c, nil
}

// Told is what members of pairs have told of their copies. The zero value has
// heard nothing. It belongs to one goroutine.
type Told struct {
	last map[string]time.Time
	said map[[2]string]Saying
}

// A Saying is what one member has told, and when it came by our own clock.
type Saying struct {
	Copies
	At time.Time
}

// Take takes in what came at time now; of decides who may speak of which pair.
func (t *Told) Take(from string, sent time.Time, list []Copies, now time.Time, of func(from, pair string) bool) error {
	if err := current(sent, t.last[from], now); err != nil {
		return err
	}
	for _, c := range list {
		if !of(from, c.Pair) {
			return fmt.Errorf("%s is not a member of %s that copies connections to this director", from, c.Pair)
		}
	}
	if t.last == nil {
		t.last, t.said = map[string]time.Time{}, map[[2]string]Saying{}
	}
	t.last[from] = sent
	for _, c := range list {
		t.said[[2]string{from, c.Pair}] = Saying{c, now}
	}
	return nil
}

// Of is the last that a member has told of a pair; At is zero when there is none.
func (t *Told) Of(from, pair string) Saying { return t.said[[2]string{from, pair}] }

// Forget drops what of does not know any more.
func (t *Told) Forget(of func(from, pair string) bool) {
	for k := range t.said {
		if !of(k[0], k[1]) {
			delete(t.said, k)
		}
	}
}
