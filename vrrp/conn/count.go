package conn

import (
	"errors"
	"log/slog"
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
}

// quiet is how often one thing that goes on and on is logged.
const quiet = time.Minute

// A counter counts what happens on one instance and says each kind of it once a
// minute. Several goroutines may use it.
type counter struct {
	log *slog.Logger
	mu  sync.Mutex
	Counts
	said map[string]said
}

type said struct {
	at    time.Time
	since uint64 // how often since it was said
}

func newCounter(in vrrp.Instance, log *slog.Logger) *counter {
	return &counter{
		log:    log.With("virtual_router", in.ID, "interface", in.Interface),
		Counts: Counts{ID: in.ID, Interface: in.Interface, IPv6: in.Source.Is6(), Refused: map[vrrp.Reason]uint64{}},
		said:   map[string]said{},
	}
}

// say logs, unless it was said less than a minute ago. c.mu is held.
func (c *counter) say(kind, message string, attrs ...any) {
	s := c.said[kind]
	s.since++
	if now := time.Now(); s.at.IsZero() || now.Sub(s.at) >= quiet {
		c.log.Warn(message, append(attrs, "times", s.since)...)
		s = said{at: now}
	}
	c.said[kind] = s
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
	c.say(r.Reason.String(), "advertisement refused", "from", p.Src, "reason", r.Reason.String(), "detail", r.Detail)
}

func (c *counter) heard(p vrrp.Packet, in vrrp.Instance, a vrrp.Advert) {
	differs := in.Differs(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Heard++
	if differs {
		c.Differing++
		c.say("differs", "a peer advertises other addresses", "from", p.Src, "theirs", a.Addrs, "ours", in.Addrs)
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
	out.Refused = make(map[vrrp.Reason]uint64, len(c.Refused))
	for r, n := range c.Refused {
		out.Refused[r] = n
	}
	return out
}
