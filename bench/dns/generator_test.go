package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

// Each reply counts for its query alone: not a second time, not to another
// asker, and none for what was not answered. So of both numbers of askers, and
// of queries that are equally long and that are not.
func TestGeneratorMatchesReplies(t *testing.T) {
	const window = 64
	for name, c := range map[string]struct {
		askers, lengths int
		want            string
	}{
		"an asker for each query":                          {window, 1, "2 lost, 2 unexpected, true askers"},
		"an asker for each query, queries of four lengths": {window, 4, "2 lost, 2 unexpected, true askers"},
		"few askers":                          {few, 1, "1 lost, 1 unexpected, true askers"},
		"few askers, queries of four lengths": {few, 4, "1 lost, 1 unexpected, true askers"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			asked := map[netip.AddrPort]bool{}
			done := make(chan struct{})
			go func() {
				defer close(done)
				buf := make([]byte, room)
				for n := 1; ; n++ {
					size, from, err := conn.ReadFromUDPAddrPort(buf)
					if err != nil {
						return
					}
					asked[from] = true
					buf[2], buf[7] = 0x84, 1
					to := []netip.AddrPort{from}
					switch {
					case n == 100:
						to = append(to, from) // once more
					case n == 200:
						to = nil
					case n == 300 && c.askers > few: // to another one at the same port
						other := from.Addr().As4()
						other[3] ^= 1
						to[0] = netip.AddrPortFrom(netip.AddrFrom4(other), from.Port())
					}
					for _, to := range to {
						_, _ = conn.WriteToUDPAddrPort(buf[:size], to)
					}
				}
			}()
			g, err := newGenerator(&server{addr: conn.LocalAddr().(*net.UDPAddr), askers: [3]byte{127, 0, 1}}, world{targets: 1, lengths: c.lengths}.queries(), window, c.askers)
			if err != nil {
				t.Fatal(err)
			}
			defer g.close()
			for begin := time.Now(); g.answered < 1000 && time.Since(begin) < 30*time.Second; { // once, as a rule
				if err := g.run(context.Background(), 200*time.Millisecond); err != nil {
					t.Fatal(err)
				}
			}
			_ = conn.Close()
			<-done
			got := fmt.Sprintf("%d lost, %d unexpected, %v askers", g.lost, g.strange, len(asked) == c.askers)
			if got != c.want || g.answered < 1000 || g.sent != g.answered+g.lost {
				t.Errorf("%s, %d of %d queries answered by %d; want %s", got, g.answered, g.sent, len(asked), c.want)
			}
		})
	}
}
