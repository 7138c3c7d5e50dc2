package dnsserver

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"gslb/internal/siphash"
)

// Lengths of the two halves of a cookie (RFC 9018, section 4).
const (
	clientCookie = 8
	serverCookie = 16
)

// cookieLength reports whether a cookie may have n octets (RFC 7873, section 4).
func cookieLength(n int) bool { return n == clientCookie || n >= 16 && n <= 40 }

// How old a server cookie may be, in seconds (RFC 9018, section 4.3).
const (
	cookieOld    = 3600 // older is no longer accepted
	cookieEarly  = 300  // so much may the clock of another node be ahead
	cookieRenews = 1800 // older is replaced
)

// A Secret is what server cookies are made with. All nodes that share an
// address share it (RFC 9018, section 5).
type Secret [16]byte

// ParseSecrets reads secrets, 32 hexadecimal digits in each line. The first
// makes cookies, all are accepted. Empty lines and what follows a "#" do not count.
func ParseSecrets(text string) ([]Secret, error) {
	var secrets []Secret
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		b, err := hex.DecodeString(line)
		if err != nil || len(b) != len(Secret{}) {
			return nil, fmt.Errorf("line %d: a cookie secret is 32 hexadecimal digits", number) // the line itself stays secret
		}
		secrets = append(secrets, Secret(b))
	}
	if len(secrets) == 0 {
		return nil, errors.New("no cookie secret: give 32 hexadecimal digits")
	}
	return secrets, nil
}

// trust makes the cookie for the reply to r, if the query has one, and notes
// whether that is good.
func (w *Worker) trust(r *Request) {
	w.trusted = w.q.cookie != nil && len(w.o.Cookies) > 0 && check(&w.cookie, w.o.Cookies, w.q.cookie, r.From, r.Now)
}

// check looks at the cookie of a query that came from client at time now,
// puts the server cookie for the reply into fresh and reports whether the one
// sent is good.
func check(fresh *[serverCookie]byte, secrets []Secret, sent []byte, client netip.Addr, now uint32) bool {
	theirs, ours := sent[:clientCookie], sent[clientCookie:]
	good, keep := false, false
	if len(ours) == serverCookie && ours[0] == 1 {
		made := binary.BigEndian.Uint32(ours[4:])
		age := int32(now - made) // RFC 1982: the clock may go round
		if -cookieEarly <= age && age <= cookieOld {
			for i := range secrets {
				secrets[i].bake(fresh, theirs, [4]byte(ours[:4]), made, client)
				if *fresh == [serverCookie]byte(ours) {
					good = true
					keep = i == 0 && age <= cookieRenews && [4]byte(ours[:4]) == [4]byte{1}
					break
				}
			}
		}
	}
	if !keep {
		secrets[0].bake(fresh, theirs, [4]byte{1}, now, client)
	}
	return good
}

// bake makes a server cookie (RFC 9018, section 4.4).
func (s *Secret) bake(cookie *[serverCookie]byte, theirs []byte, version [4]byte, made uint32, client netip.Addr) {
	var input [clientCookie + 8 + 16]byte
	copy(input[:], theirs)
	copy(input[clientCookie:], version[:])
	binary.BigEndian.PutUint32(input[clientCookie+4:], made)
	n := clientCookie + 8
	if client.Is4() {
		octets := client.As4()
		n += copy(input[n:], octets[:])
	} else {
		octets := client.As16()
		n += copy(input[n:], octets[:])
	}
	copy(cookie[:], input[clientCookie:clientCookie+8])
	binary.LittleEndian.PutUint64(cookie[8:], siphash.Sum(2, 4, binary.LittleEndian.Uint64(s[:]), binary.LittleEndian.Uint64(s[8:]), input[:n]))
}
