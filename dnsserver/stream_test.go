package dnsserver

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// An ear hears replies, of which it takes each write for itself.
type ear struct {
	mu     sync.Mutex
	writes []string
	deaf   bool
}

func (e *ear) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.deaf {
		return 0, errors.New("connection reset by peer")
	}
	var words []string
	for rest := p; len(rest) > 0; {
		n := 2 + int(binary.BigEndian.Uint16(rest))
		words, rest = append(words, string(rest[2:n])), rest[n:]
	}
	e.writes = append(e.writes, strings.Join(words, " "))
	return len(p), nil
}

func (e *ear) Close() error { return nil }

// Queries are words here, and a word with digits behind it is answered after so
// many milliseconds; "!" is no query.
func TestSlowAnswersHoldUpNobody(t *testing.T) {
	for name, c := range map[string]struct {
		queries string
		deaf    bool
		want    []string
		why     error
	}{
		"quick ones stay in order and leave together":       {"a b c", false, []string{"a b c"}, nil},
		"one that is slow comes last":                       {"a slow100 b c", false, []string{"a", "b c", "slow100"}, nil},
		"one that is not slow enough keeps its place":       {"a slow10 b", false, []string{"a slow10 b"}, nil},
		"the quicker of two slow ones comes first":          {"slow100 slow50 a", false, []string{"a", "slow50", "slow100"}, nil},
		"the last one may be slow":                          {"a slow100", false, []string{"a", "slow100"}, nil},
		"too many slow ones are waited for":                 {strings.Repeat("slow500 ", 9) + "a", false, append(slices.Repeat([]string{"slow500"}, 8), "slow500 a"), nil},
		"what is no query ends it, after the replies":       {"a ! b", false, []string{"a"}, errNoQuery},
		"and so does what is no query behind a slow one":    {"slow100 ! b", false, nil, errNoQuery},
		"nobody takes the replies":                          {"a b", true, nil, errDeaf},
		"nobody takes the replies, of which one would come": {"a slow100 b", true, nil, errDeaf},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var all []byte
				for word := range strings.FieldsSeq(c.queries) {
					all = append(all, framed([]byte(word))...)
				}
				e := &ear{deaf: c.deaf}
				k := &talk{in: bufio.NewReader(bytes.NewReader(all)), out: e,
					patience: func() (time.Duration, error) { return time.Second, nil },
					answerer: func() answerer {
						return func(buf, packet []byte, _ time.Duration) []byte {
							word := string(packet)
							if word == "!" {
								return nil
							}
							if digits := strings.TrimLeft(word, "abcdefghijklmnopqrstuvwxyz"); digits != "" {
								d, err := time.ParseDuration(digits + "ms")
								if err != nil {
									t.Error(err)
								}
								time.Sleep(d)
							}
							return append(buf[:0], word...)
						}
					}}
				k.lead()
				k.others.Wait()
				if diff := cmp.Diff(c.want, e.writes); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				if k.why != c.why {
					t.Errorf("ended with %v, want %v", k.why, c.why)
				}
			})
		})
	}
}

// When all places are taken the one that has been idle for longest goes.
func TestTheLongestIdleMakesRoom(t *testing.T) {
	var log bytes.Buffer
	s := Server{Log: slog.New(slog.NewTextHandler(&log, nil))}
	var pairs []*net.TCPConn
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 3 {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, conn.(*net.TCPConn))
	}
	var guests []*guest
	for i := range maxConns {
		conn := pairs[min(i, 1)]
		if i > 1 {
			conn = new(net.TCPConn)
		}
		g, err := s.admit(conn, netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}))
		if err != nil {
			t.Fatal(err)
		}
		guests = append(guests, g)
	}
	guests[0].quiet.Store(time.Now().UnixNano()) // it has just asked
	guests[1].quiet.Store(1)
	if _, err := s.admit(pairs[2], netip.MustParseAddr("198.51.100.1")); err != nil {
		t.Fatal(err)
	}
	if s.conns[pairs[1]] != nil || s.conns[pairs[0]] == nil || s.conns[pairs[2]] == nil || len(s.conns) != maxConns {
		t.Errorf("of %d connections the wrong one went", len(s.conns))
	}
	if _, err := pairs[1].Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("it is open: %v", err)
	}
	s.dismiss(pairs[1]) // which its own goroutine does
	if n := s.perNetwork[guests[1].network]; n != 0 || len(s.conns) != maxConns {
		t.Errorf("counted twice: %d, %d", n, len(s.conns))
	}
	if !strings.Contains(log.String(), `msg="connection is ended" reason="idle for longest of 1024, and another one came"`) {
		t.Errorf("log: %s", &log)
	}
}

// Connections that fail are told of, each kind at once and then in sums.
func TestTroubleIsToldNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		out := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
		var s trouble
		for i := range 1000 {
			s.note(out, "is refused", netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), errCrowd)
			if i == 500 {
				s.note(out, "has failed", netip.Addr{}, io.ErrUnexpectedEOF)
			}
		}
		time.Sleep(time.Minute)
		s.note(out, "is refused", netip.MustParseAddr("192.0.2.1"), errCrowd)
		s.note(nil, "is refused", netip.MustParseAddr("192.0.2.1"), errCrowd)
		time.Sleep(time.Minute)
		want := `level=WARN msg="connection is refused" reason="its network has 128 already" client=192.0.2.0
level=WARN msg="connection has failed" reason="unexpected EOF"
level=WARN msg="connection is refused" reason="its network has 128 already" client=192.0.2.231 connections=999
level=WARN msg="connection is refused" reason="its network has 128 already" client=192.0.2.1
`
		if diff := cmp.Diff(want, log.String()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}
