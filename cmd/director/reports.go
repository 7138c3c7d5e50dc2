package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"gslb/internal/secret"
	"gslb/report"
	"gslb/tiers"
	"gslb/topology"
)

const (
	// beat is how often a director tells those in front of it what is behind
	// it, besides at once when that changes.
	beat = time.Second
	// quiet is how long nothing more is said of datagrams that are refused.
	quiet = time.Minute
)

// A reporter exchanges reports with the directors of the tiers before and
// behind, and with the other members of pairs. The goroutine that owns the daemon owns it too.
type reporter struct {
	log     *slog.Logger
	cluster topology.Cluster
	addrs   topology.Addrs
	keys    report.Keys
	conns   []*net.UDPConn // of each family
	came    chan datagram
	heard   report.Heard
	refused map[netip.Addr]refused
	sent    time.Time // when the last reports were, as they say
	// sentCopies is likewise of what members of pairs are told.
	sentCopies time.Time
	due        time.Time
	said       map[tiers.Key]uint32 // last
}

type datagram struct {
	from netip.AddrPort
	data []byte
}

// refused are the datagrams of one address that were of no use.
type refused struct {
	count int
	told  time.Time
}

// maxRefused bounds the addresses that are remembered.
const maxRefused = 1000

// openReporter listens at the director's own addresses; nil when the file has
// no cluster, or nobody to exchange reports with.
func openReporter(log *slog.Logger, topo *topology.Topology, self *topology.Director) (*reporter, error) {
	c := topo.Cluster
	if c == nil {
		return nil, nil
	}
	text, err := secret.Read(c.Key)
	if err != nil {
		return nil, fmt.Errorf("cluster: key: %w", err)
	}
	keys, err := report.ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("cluster: key: secret %s: %w", c.Key, err)
	}
	r := &reporter{log: log, cluster: *c, addrs: self.Addrs, keys: keys, came: make(chan datagram, 256), refused: map[netip.Addr]refused{}}
	for _, a := range self.Addrs {
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, c.Port)))
		if err != nil {
			r.close()
			return nil, fmt.Errorf("cluster: %w", err)
		}
		r.conns = append(r.conns, conn)
		go r.listen(conn)
	}
	return r, nil
}

// listen passes on what comes in; what is too much is dropped, for it comes again.
func (r *reporter) listen(conn *net.UDPConn) {
	buffer := make([]byte, report.MaxSize+1)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // an ICMP message about one that was sent
			continue
		}
		select {
		case r.came <- datagram{from, slices.Clone(buffer[:n])}:
		default:
		}
	}
}

func (r *reporter) close() {
	if r == nil {
		return
	}
	for _, c := range r.conns {
		c.Close()
	}
}

// same reports whether the reporter is what another reading of the file asks for.
func (r *reporter) same(topo *topology.Topology, self *topology.Director) bool {
	if r == nil || topo.Cluster == nil {
		return r == nil && topo.Cluster == nil
	}
	return r.cluster == *topo.Cluster && slices.Equal(r.addrs, self.Addrs)
}

// incoming is where datagrams come in; nil, which never yields, without a cluster.
func (r *reporter) incoming() <-chan datagram {
	if r == nil {
		return nil
	}
	return r.came
}

// take takes in a datagram and reports whether it says anything new.
func (r *reporter) take(d datagram, g *tiers.Ground, now time.Time) bool {
	said, err := report.Open(r.keys, d.data)
	news := false
	if err == nil {
		news, err = r.heard.Take(said, now, g.Hears)
	}
	if err != nil {
		r.refuse(d.from.Addr(), err, now)
	}
	return news
}

// refuse counts a datagram that is of no use, and says so.
func (r *reporter) refuse(from netip.Addr, why error, now time.Time) {
	x, known := r.refused[from]
	x.count++
	if now.Sub(x.told) >= quiet && (known || len(r.refused) < maxRefused) {
		r.log.Warn("report refused", "from", from, "reason", why, "count", x.count)
		x = refused{told: now}
	}
	if known || len(r.refused) < maxRefused {
		r.refused[from] = x
	}
}

// fresh is what counts of what was heard, and when that is less.
func (r *reporter) fresh(now time.Time) (tiers.Reports, time.Time) {
	if r == nil {
		return nil, time.Time{}
	}
	return r.heard.Fresh(now, r.cluster.Stale)
}

// tell tells the fronts what is behind this director, when it is time to or
// that has changed. It returns when it is time again, the zero time for never.
func (r *reporter) tell(g *tiers.Ground, self string, capacity map[tiers.Key]uint32, now time.Time) time.Time {
	if r == nil || len(g.Fronts) == 0 {
		return time.Time{}
	}
	if now.Before(r.due) && maps.Equal(capacity, r.said) {
		return r.due
	}
	r.due, r.said = now.Add(beat), capacity
	for _, front := range g.Fronts {
		var services []report.Capacity
		for _, k := range front.Keys {
			if w, known := capacity[k]; known {
				services = append(services, report.Capacity{Key: k, Weight: w})
			}
		}
		if len(services) == 0 {
			continue
		}
		if !now.After(r.sent) { // the clock was set back
			now = r.sent.Add(1)
		}
		sealed := report.Seal(r.keys, self, now, services)
		r.sent = now.Add(time.Duration(len(sealed)))
		now = r.sent
		for _, conn := range r.conns {
			local, _ := netip.AddrFromSlice(conn.LocalAddr().(*net.UDPAddr).IP)
			to, ok := front.Director.Addrs.Like(local.Unmap())
			if !ok {
				continue
			}
			for _, data := range sealed {
				// A report that is lost comes again with the next beat.
				_, _ = conn.WriteToUDPAddrPort(data, netip.AddrPortFrom(to, r.cluster.Port))
			}
			break // by one family is enough
		}
	}
	return r.due
}
