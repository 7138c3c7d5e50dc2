package conn

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/vrrp"
)

func TestEachReasonIsLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		in := vrrp.Instance{ID: 51, Interface: "e0", Peers: []netip.Addr{netip.MustParseAddr("192.0.2.12")}}
		c := newCounter(in, slog.New(slog.NewTextHandler(&log, nil)))
		peer, stranger := vrrp.Packet{Src: in.Peers[0]}, vrrp.Packet{Src: netip.MustParseAddr("192.0.2.99")}
		for range 3 {
			c.refused(peer, in, &vrrp.Refusal{Reason: vrrp.BadHops, Detail: "TTL 3"})
			c.refused(peer, in, &vrrp.Refusal{Reason: vrrp.Replayed, Detail: "old"})
			c.refused(stranger, in, &vrrp.Refusal{Reason: vrrp.BadRouter, Detail: "of 52"}) // the neighbours' business
			time.Sleep(25 * time.Second)
		}
		c.refused(peer, in, &vrrp.Refusal{Reason: vrrp.BadHops, Detail: "TTL 4"})
		c.refused(peer, in, &vrrp.Refusal{Reason: vrrp.BadRouter, Detail: "of 53"})
		var got []string
		for line := range strings.Lines(log.String()) {
			_, rest, _ := strings.Cut(line, "reason=")
			got = append(got, strings.TrimSpace(rest))
		}
		want := []string{`hops detail="TTL 3" times=1`, `replayed detail=old times=1`, `hops detail="TTL 4" times=3`, `router detail="of 53" times=1`}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(map[vrrp.Reason]uint64{vrrp.BadHops: 4, vrrp.Replayed: 3, vrrp.BadRouter: 4}, c.counts().Refused); diff != "" {
			t.Errorf("counted (-want +got)\n%s", diff)
		}
	})
}
