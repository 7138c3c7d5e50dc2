// Package fake is a segment in memory, for tests of what takes part in VRRP:
// its wires carry what the members of one process say to each other. It refuses
// to know what an advertisement is.
package fake

import (
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"gslb/vrrp"
	"gslb/vrrp/conn"
)

// A Segment connects members. Everybody may use it at the same time; [New]
// makes one.
type Segment struct {
	epoch time.Time

	mu    sync.Mutex
	lines []*line
	cut   map[netip.Addr]bool
	told  []Told
}

// Told is an announcement: whose addresses are at a device now.
type Told struct {
	Device string
	Addrs  []netip.Addr
}

// waiting is how many packets a line keeps; what is too much is lost.
const waiting = 64

// New is a segment on which nobody is yet.
func New() *Segment {
	return &Segment{epoch: time.Now().Add(-time.Hour), cut: map[netip.Addr]bool{}}
}

// Cut loses what a node with an address says and what is said to it; with on
// false no longer.
func (s *Segment) Cut(node netip.Addr, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut[node] = on
}

// Told are the announcements so far.
func (s *Segment) Told() []Told {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.told)
}

// Open puts a node on the segment.
func (s *Segment) Open(in vrrp.Instance) (conn.Line, error) {
	l := &line{of: s, in: in, packets: make(chan vrrp.Packet, waiting), closed: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, l)
	return l, nil
}

// Announce keeps what is announced, see [Segment.Told].
func (s *Segment) Announce(device string, _ [6]byte, addrs []netip.Addr) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, Told{device, slices.Clone(addrs)})
	return nil
}

// Clock is the time since an hour before the segment was made.
func (s *Segment) Clock() time.Duration { return time.Since(s.epoch) }

type line struct {
	of      *Segment
	in      vrrp.Instance
	packets chan vrrp.Packet
	closed  chan struct{}
}

func (l *line) Receive() (vrrp.Packet, error) {
	select {
	case p := <-l.packets:
		return p, nil
	case <-l.closed:
		return vrrp.Packet{}, os.ErrClosed
	}
}

func (l *line) Send(p vrrp.Packet) error {
	s := l.of
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Payload = slices.Clone(p.Payload)
	for _, to := range s.lines {
		all := p.Dst == vrrp.AllRouters(p.Dst.Is6()) && !to.in.Unicast
		if to == l || !all && p.Dst != to.in.Source || s.cut[l.in.Source] || s.cut[to.in.Source] {
			continue
		}
		select {
		case to.packets <- p:
		default:
		}
	}
	return nil
}

func (l *line) Place() (string, [6]byte) {
	if l.in.VirtualMAC {
		return "vr-" + l.in.Interface, vrrp.MAC(l.in.ID, l.in.Source.Is6())
	}
	return l.in.Interface, [6]byte{}
}

func (*line) Stale() bool { return false }

func (l *line) Close(bool) error {
	s := l.of
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = slices.DeleteFunc(s.lines, func(o *line) bool { return o == l })
	close(l.closed)
	return nil
}
