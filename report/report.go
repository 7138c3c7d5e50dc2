// Package report is how a director tells those of the tier before it what is
// behind it, and the other members of its failover pairs which connections it
// has: the text of a datagram, sealed with a key that all directors of the file
// have, and what a director keeps of those it gets. It is arithmetic on values;
// the director sends and receives.
//
// A datagram is lines of text, so that tcpdump shows what is said:
//
//	gslb-capacity 1
//	from director.nat["a"]
//	sent 1795348800000000000
//	400 tcp 192.0.2.5:80
//	seal 6f3c...
//
// Sent is in nanoseconds since 1970. The seal is HMAC-SHA-256 (RFC 2104) of all
// before it, in hexadecimal. What is said is no secret: it is not encrypted.
package report

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"gslb/tiers"
)

// Bounds of a datagram.
const (
	// MaxSize is the largest in bytes: it fits one packet of IPv6's least MTU.
	MaxSize = 1200
	maxFrom = 500
)

const head = "gslb-capacity 1\n"

// A Report is what one datagram says.
type Report struct {
	From     string    // ID of the director
	Sent     time.Time // by the sender's clock
	Services []Capacity
}

// A Capacity is what is behind a director for a service: the sum of the weights
// of the servers that take connections.
type Capacity struct {
	Key    tiers.Key
	Weight uint32
}

// Keys are the keys of a cluster: the first seals, any of them opens, so that
// they can be changed one after the other.
type Keys [][]byte

// MinKey is the least length of a key in bytes.
const MinKey = 16

// ParseKeys reads the text of a secret: a key a line, those with nothing in
// them and those that begin with "#" are not.
func ParseKeys(text string) (Keys, error) {
	var out Keys
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case len(line) < MinKey:
			return nil, fmt.Errorf("line %d: a key of %d characters is shorter than %d", i+1, len(line), MinKey)
		default:
			out = append(out, []byte(line))
		}
	}
	if len(out) == 0 {
		return nil, errors.New("there is no key in it")
	}
	return out, nil
}

// Seal returns the datagrams that say what from has, sent at a time; each of
// them has a later one than that before, by a nanosecond.
func Seal(keys Keys, from string, sent time.Time, services []Capacity) [][]byte {
	return seal(keys, head, from, sent, func(yield func(string) bool) {
		for _, s := range services {
			if !yield(fmt.Sprintf("%d %s\n", s.Weight, s.Key)) {
				return
			}
		}
	})
}

// seal puts lines into as many datagrams as it takes, one at least.
func seal(keys Keys, head, from string, sent time.Time, lines iter.Seq[string]) [][]byte {
	var out [][]byte
	var b strings.Builder
	begin := func() {
		b.Reset()
		fmt.Fprintf(&b, "%sfrom %s\nsent %d\n", head, from, sent.UnixNano()+int64(len(out)))
	}
	end := func() {
		mac := hmac.New(sha256.New, keys[0])
		mac.Write([]byte(b.String()))
		out = append(out, fmt.Appendf([]byte(b.String()), "seal %x\n", mac.Sum(nil)))
	}
	const seal = len("seal \n") + 2*sha256.Size
	begin()
	for line := range lines {
		if b.Len()+len(line)+seal > MaxSize {
			end()
			begin()
		}
		b.WriteString(line)
	}
	end()
	return out
}

// ErrSeal is the error for a datagram that none of the keys has sealed.
var ErrSeal = errors.New("sealed with none of the keys")

// Open reads a datagram. Nothing of one whose seal is wrong is looked at.
func Open(keys Keys, data []byte) (Report, error) {
	from, sent, lines, err := open(keys, data, head)
	if err != nil {
		return Report{}, err
	}
	r := Report{From: from, Sent: sent}
	for _, line := range lines {
		weight, name, _ := strings.Cut(line, " ")
		w, err := strconv.ParseUint(weight, 10, 32)
		if err != nil {
			return r, fmt.Errorf("capacity %q: not a number up to 4294967295", weight)
		}
		key, err := tiers.ParseKey(name)
		if err != nil {
			return r, err
		}
		r.Services = append(r.Services, Capacity{key, uint32(w)})
	}
	return r, nil
}

// open is the lines of a datagram of a kind, who says them and when.
func open(keys Keys, data []byte, head string) (from string, at time.Time, lines []string, err error) {
	wrong := func(err error) (string, time.Time, []string, error) { return "", time.Time{}, nil, err }
	if len(data) > MaxSize {
		return wrong(fmt.Errorf("%d bytes are more than %d", len(data), MaxSize))
	}
	text := string(data)
	end := strings.LastIndex(text, "\nseal ") + 1
	sum, err := hex.DecodeString(strings.TrimSuffix(strings.TrimPrefix(text[end:], "seal "), "\n"))
	if end == 0 || err != nil || len(sum) != sha256.Size {
		return wrong(errors.New("it has no seal"))
	}
	body := text[:end]
	good := false
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(body))
		good = good || hmac.Equal(mac.Sum(nil), sum)
	}
	if !good {
		return wrong(ErrSeal)
	}
	rest, ok := strings.CutPrefix(body, head)
	if !ok {
		return wrong(errors.New("it is of another version"))
	}
	lines = strings.Split(strings.TrimSuffix(rest, "\n"), "\n")
	if len(lines) < 2 {
		return wrong(errors.New("it breaks off"))
	}
	if from, ok = strings.CutPrefix(lines[0], "from "); !ok || from == "" || len(from) > maxFrom {
		return wrong(errors.New("from: missing or too long"))
	}
	sent, ok := strings.CutPrefix(lines[1], "sent ")
	nanos, err := strconv.ParseInt(sent, 10, 64)
	if !ok || err != nil || nanos <= 0 {
		return wrong(errors.New("sent: not a time"))
	}
	return from, time.Unix(0, nanos), lines[2:], nil
}

// Heard is what a director has been told, by whom and when. The zero value has
// heard nothing. It belongs to one goroutine.
type Heard struct {
	last map[string]time.Time // by sender: when its last datagram was sent
	said map[tiers.From]told  // by director or pair
}

type told struct {
	weight uint32
	at     time.Time // by our own clock
}

// maxSkew is how far a sender's clock may be from ours: what was sent longer
// ago may be somebody's repetition.
const maxSkew = time.Minute

// current reports why a datagram does not count that was sent at a time by its
// sender's clock, whose last one counted was sent at last.
func current(sent, last, now time.Time) error {
	if skew := now.Sub(sent); skew > maxSkew || skew < -maxSkew {
		return fmt.Errorf("it was sent %v away from now: is its clock right, or does somebody repeat it?", skew.Round(time.Second))
	}
	if !sent.After(last) {
		return errors.New("it is not newer than the one before")
	}
	return nil
}

// Take takes in a report that came at time now, of which of says for whom the
// sender says it and whether it may, and reports whether it says anything new. A
// report that is not newer than the last of its sender is refused. Of what
// several members of a pair say, the last one to come counts.
func (h *Heard) Take(r Report, now time.Time, of func(tiers.From) (tiers.From, bool)) (news bool, err error) {
	if err := current(r.Sent, h.last[r.From], now); err != nil {
		return false, err
	}
	for _, s := range r.Services {
		if _, ok := of(tiers.From{Director: r.From, Key: s.Key}); !ok {
			return false, fmt.Errorf("%s has no part in %s behind this director", r.From, s.Key)
		}
	}
	if h.last == nil {
		h.last, h.said = map[string]time.Time{}, map[tiers.From]told{}
	}
	h.last[r.From] = r.Sent
	for _, s := range r.Services {
		from, _ := of(tiers.From{Director: r.From, Key: s.Key})
		before, there := h.said[from]
		news = news || !there || before.weight != s.Weight
		h.said[from] = told{s.Weight, now}
	}
	return news, nil
}

// Fresh is what was said less than stale ago, and when the first of it will be
// no more; the zero time when there is none.
func (h *Heard) Fresh(now time.Time, stale time.Duration) (tiers.Reports, time.Time) {
	out := tiers.Reports{}
	var next time.Time
	for from, t := range h.said {
		until := t.at.Add(stale)
		if !now.Before(until) {
			continue
		}
		out[from] = t.weight
		if next.IsZero() || until.Before(next) {
			next = until
		}
	}
	return out, next
}

// Forget drops what of does not know any more.
func (h *Heard) Forget(of func(tiers.From) bool) {
	for from := range h.said {
		if !of(from) {
			delete(h.said, from)
		}
	}
}
