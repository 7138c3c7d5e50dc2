package vrrp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Bounds of keys, as the draft has them.
const (
	MaxKeys    = 4
	MinKeySize = 32
	MaxKeySize = 64
	minWindow  = time.Second
	maxWindow  = 300 * time.Second
)

// A Key is a secret that the nodes share, and the number they call it by. The
// zero Key is none: among others it accepts what is not signed, first of all it
// signs nothing. By it nodes go from no key to one without missing a word.
type Key struct {
	ID     uint8  // 1 to 255
	Secret []byte // 32 to 64 bytes
}

// IsZero reports whether the key is none.
func (k Key) IsZero() bool { return k.ID == 0 && len(k.Secret) == 0 }

// String does not tell the secret.
func (k Key) String() string {
	if k.IsZero() {
		return unsigned
	}
	return fmt.Sprintf("key %d", k.ID)
}

// unsigned is the line of a key file that stands for no key.
const unsigned = "unsigned"

// GoString does not either.
func (k Key) GoString() string { return k.String() }

// ParseKeys reads keys as people write them: a line each, of 32 to 64 characters,
// at most [MaxKeys]. A line "unsigned" is the zero Key, and never the only one.
// Empty lines and those that begin with # do not count. The number of a key is
// made from it, so that it is the same at all nodes in whatever order; that two
// have the same one by chance is an error. Errors name lines and tell nothing of
// what stands there.
func ParseKeys(text string) ([]Key, error) {
	var keys []Key
	lines := map[uint8]int{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if line == unsigned {
			if first, ok := lines[0]; ok {
				return nil, fmt.Errorf("lines %d and %d: %s is there twice", first, i+1, unsigned)
			}
			lines[0] = i + 1
			keys = append(keys, Key{})
			continue
		}
		if strings.Fields(line)[0] == unsigned {
			return nil, fmt.Errorf("line %d: %s stands alone on its line; a remark has one of its own", i+1, unsigned)
		}
		if n := len(line); n < MinKeySize || n > MaxKeySize {
			return nil, fmt.Errorf("line %d: a key of %d characters: %d to %d", i+1, n, MinKeySize, MaxKeySize)
		}
		sum := sha256.Sum256([]byte(line))
		k := Key{ID: 1 + uint8(binary.BigEndian.Uint32(sum[:])%255), Secret: []byte(line)}
		if first, ok := lines[k.ID]; ok {
			return nil, fmt.Errorf("lines %d and %d: the keys are the same, or have the number %d by chance: make another one", first, i+1, k.ID)
		}
		lines[k.ID] = i + 1
		keys = append(keys, k)
	}
	switch {
	case !slices.ContainsFunc(keys, func(k Key) bool { return !k.IsZero() }):
		return nil, errors.New("there is no key in it")
	case len(keys) > MaxKeys:
		return nil, fmt.Errorf("%d keys, %d at most", len(keys), MaxKeys)
	}
	return keys, nil
}

func checkKeys(keys []Key) error {
	var errs []error
	if len(keys) > MaxKeys {
		errs = append(errs, fmt.Errorf("%d keys, %d at most", len(keys), MaxKeys))
	}
	for i, k := range keys {
		if k.ID == 0 && !k.IsZero() {
			errs = append(errs, errors.New("a key's number is 1 to 255"))
		}
		if n := len(k.Secret); !k.IsZero() && (n < MinKeySize || n > MaxKeySize) {
			errs = append(errs, fmt.Errorf("%v has %d bytes: %d to %d", k, n, MinKeySize, MaxKeySize))
		}
		for _, o := range keys[:i] {
			if o.ID == k.ID {
				errs = append(errs, fmt.Errorf("%v is there twice", k))
			}
		}
	}
	return errors.Join(errs...)
}

// The authentication trailer of draft-cassen-vrrp-auth-hmac, behind the message:
//
//	scheme (1), key (1), zero (2), seconds (4), 1/65536 s (2), counter (2), HMAC (16)
//
// The HMAC is SHA-256's first 16 bytes over a header of 20 bytes (4 or 6, the
// version, the virtual router's id, zero, the source address with zeros up to
// 16 bytes), the message with a checksum of zero, and the trailer with an HMAC
// of zero.
const (
	trailerSize = 28
	hmacSize    = 16
	hmacSHA256  = 1
)

// sequence is the trailer's time stamp and counter as one number.
func sequence(trailer []byte) uint64 { return binary.BigEndian.Uint64(trailer[4:]) }

// after compares sequences so that their end, in 2106, is not the end
// (RFC 1982).
func after(a, b uint64) bool { return int64(a-b) > 0 }

// stamp is a time as a sequence whose counter is 0.
func stamp(wall time.Time) uint64 {
	return uint64(uint32(wall.Unix()))<<32 | uint64(wall.Nanosecond())<<16/1e9<<16
}

// nextSequence is above last and as near to the clock as that allows. With a
// window, a sequence that a clock which was set back has left ahead by more is
// begun again: receivers refuse it and forget theirs.
func nextSequence(last uint64, wall time.Time, window time.Duration) uint64 {
	now := stamp(wall)
	if after(now, last) || window > 0 && time.Duration(int32(last>>32-now>>32))*time.Second > window {
		return now
	}
	return last + 1
}

// trailer makes an unsigned one.
func trailer(key Key, seq uint64) []byte {
	t := make([]byte, trailerSize)
	t[0], t[1] = hmacSHA256, key.ID
	binary.BigEndian.PutUint64(t[4:], seq)
	return t
}

// sign is the HMAC of a message and its trailer, whatever the message's
// checksum and the trailer's HMAC are. So one signature is good for all
// destinations.
func sign(key Key, src netip.Addr, message, trailer []byte) []byte {
	var head [20]byte
	head[0] = 4
	if src.Is6() {
		head[0] = 6
	}
	head[1], head[2] = message[0]>>4, message[1]
	copy(head[4:], src.AsSlice())
	var zero [hmacSize]byte
	h := hmac.New(sha256.New, key.Secret)
	for _, part := range [][]byte{head[:], message[:6], zero[:2], message[8:], trailer[:trailerSize-hmacSize], zero[:]} {
		h.Write(part)
	}
	return h.Sum(nil)[:hmacSize]
}

// verify checks the trailer of a payload whose message has size bytes, all but
// its place in the order of what was heard.
func (in Instance) verify(src netip.Addr, payload []byte, size int, wall time.Time) error {
	t := payload[size:]
	if len(t) == 0 {
		return refuse(Unsigned, "it is not signed")
	}
	if t[0] != hmacSHA256 || t[2] != 0 || t[3] != 0 {
		return refuse(BadHMAC, "a signature of an unknown kind")
	}
	if in.Window > 0 {
		// Before the costly part: what is recorded and sent again later costs nothing.
		if d := skew(sequence(t), wall); d > in.Window || d < -in.Window {
			return refuse(Stale, "its sender's clock is %v from ours, %v at most", d, in.Window)
		}
	}
	for _, k := range in.Keys {
		if k.IsZero() || k.ID != t[1] {
			continue
		}
		if !hmac.Equal(sign(k, src, payload[:size], t), t[trailerSize-hmacSize:]) {
			return refuse(BadHMAC, "the signature with %v is wrong", k)
		}
		return nil
	}
	return refuse(UnknownKey, "it is signed with key %d, which is not known", t[1])
}

// skew is how far a sequence is behind a clock, in whole seconds.
func skew(seq uint64, wall time.Time) time.Duration {
	return time.Duration(int32(uint32(wall.Unix())-uint32(seq>>32))) * time.Second
}
