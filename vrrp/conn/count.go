package conn

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"gslb/vrrp"
)

// Counts are what happened on one instance since it was opened.
type Counts struct {
	ID        uint8  `json:"id"`
	Interface string `json:"interface"`
	IPv6      bool   `json:"ipv6"`
	Sent      uint64 `json:"sent"`   // advertisements, to each peer
	Unsent    uint64 `json:"unsent"` // that the kernel did not take
	Heard     uint64 `json:"heard"`
	Differing uint64 `json:"differing"` // of those with another list of addresses
	// Refused has the reasons that there were.
	Refused map[vrrp.Reason]uint64 `json:"refused"`
	Peers   []PeerCount            `json:"peers"` // who was heard, in the order of the addresses
}

// A PeerCount is what was heard of a peer. Who is backup says nothing.
type PeerCount struct {
	Addr     netip.Addr    `json:"addr"`
	Heard    uint64        `json:"heard"`
	Priority uint8         `json:"priority"` // the last one; 0: it has resigned
	At       time.Duration `json:"at"`       // of the member's clock
}

// quiet is how often one thing that goes on and on is logged.
const quiet = time.Minute

// A counter counts what happens on one instance and says each kind of it once a
// minute. Several goroutines may use it.
type counter struct {
	log *slog.Logger
	mu  sync.Mutex
	Counts
	said  map[string]said
	peers map[netip.Addr]PeerCount
	odd   func(string) // is told of what peers do wrong, as often as it is logged
}

type said struct {
	at    time.Time
	since uint64 // how often since it was said
}

func newCounter(in vrrp.Instance, log *slog.Logger) *counter {
	return &counter{
		log:    log.With("virtual_router", in.ID, "interface", in.Interface),
		Counts: Counts{ID: in.ID, Interface: in.Interface, IPv6: in.Source.Is6(), Refused: map[vrrp.Reason]uint64{}},
		said:   map[string]said{}, peers: map[netip.Addr]PeerCount{}, odd: func(string) {},
	}
}

// say logs, unless it was said less than a minute ago, and returns how often it
// has happened since, 0 if it was not logged. c.mu is held.
func (c *counter) say(kind, message string, attrs ...any) (times uint64) {
	s := c.said[kind]
	s.since++
	if now := time.Now(); s.at.IsZero() || now.Sub(s.at) >= quiet {
		times = s.since
		c.log.Warn(message, append(attrs, "times", times)...)
		s = said{at: now}
	}
	c.said[kind] = s
	return times
}

func (c *counter) refused(p vrrp.Packet, in vrrp.Instance, err error) {
	var r *vrrp.Refusal
	if !errors.As(err, &r) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Refused[r.Reason]++
	if r.Reason == vrrp.BadRouter && !slices.Contains(in.Peers, p.Src) {
		return // a segment may have many virtual routers of others
	}
	if n := c.say(r.Reason.String(), "advertisement refused", "from", p.Src, "reason", r.Reason.String(), "detail", r.Detail); n > 0 {
		c.odd(fmt.Sprintf("advertisement of %v refused, %s: %s", p.Src, r.Reason, r.Detail))
	}
}

func (c *counter) heard(p vrrp.Packet, in vrrp.Instance, a vrrp.Advert, now time.Duration) {
	differs := in.Differs(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Heard++
	if slices.Contains(in.Peers, p.Src) { // of others there is no end
		c.peers[p.Src] = PeerCount{p.Src, c.peers[p.Src].Heard + 1, a.Priority, now}
	}
	if differs {
		c.Differing++
		if n := c.say("differs", "a peer advertises other addresses", "from", p.Src, "theirs", a.Addrs, "ours", in.Addrs); n > 0 {
			c.odd(fmt.Sprintf("%v advertises other addresses: %v", p.Src, a.Addrs))
		}
	}
}

func (c *counter) sent(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.Sent++
		return
	}
	c.Unsent++
	c.say("unsent", "advertisement not sent", "err", err)
}

func (c *counter) counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.Counts
	out.Peers = slices.SortedFunc(maps.Values(c.peers), func(a, b PeerCount) int { return a.Addr.Compare(b.Addr) })
	out.Refused = make(map[vrrp.Reason]uint64, len(c.Refused))
	for r, n := range c.Refused {
		out.Refused[r] = n
	}
	return out
}
