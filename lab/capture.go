package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A capture counts packets in a namespace that come from a VIP and are not the
// answers to the node's own probes.
type capture struct {
	fd       int
	from     netip.Addr
	notTo    func(netip.Addr) bool
	seen     atomic.Int64 // packets from the VIP
	all      atomic.Int64 // packets of any kind, to know that the capture works
	finished chan struct{}
}

// allPackets is ETH_P_ALL in network byte order.
const allPackets = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8

// capture watches all interfaces of a node for packets from a VIP to anybody but notTo.
func (w *World) capture(node string, from netip.Addr, notTo func(netip.Addr) bool) (*capture, error) {
	c := &capture{from: from, notTo: notTo, finished: make(chan struct{})}
	err := w.in(node, func() error {
		var err error
		c.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, allPackets)
		if err != nil {
			return err
		}
		timeout := unix.NsecToTimeval((50 * time.Millisecond).Nanoseconds())
		return errors.Join(
			unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
			unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20),
		)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: capture: %w", node, err)
	}
	return c, nil
}

// run counts until stop is closed.
func (c *capture) run(stop <-chan struct{}) {
	defer close(c.finished)
	buffer := make([]byte, 128)
	for {
		n, _, err := unix.Recvfrom(c.fd, buffer, 0)
		if err == nil {
			c.all.Add(1)
			if c.counts(buffer[:n]) {
				c.seen.Add(1)
			}
			continue
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}

func (c *capture) close() { unix.Close(c.fd) }

// counts reports whether a packet, from its IP header on, is one from the VIP.
func (c *capture) counts(packet []byte) bool {
	from, to, ok := ends(packet)
	return ok && from == c.from && !c.notTo(to)
}

// ends of an IP packet: who it is from and to.
func ends(packet []byte) (from, to netip.Addr, ok bool) {
	switch {
	case len(packet) >= 20 && packet[0]>>4 == 4:
		from = netip.AddrFrom4([4]byte(packet[12:16]))
		to = netip.AddrFrom4([4]byte(packet[16:20]))
		return from, to, true
	case len(packet) >= 40 && packet[0]>>4 == 6:
		from = netip.AddrFrom16([16]byte(packet[8:24]))
		to = netip.AddrFrom16([16]byte(packet[24:40]))
		return from, to, true
	}
	return from, to, false
}

// drops are the packets the capture had no room for, since it was last asked.
func (c *capture) drops() (uint32, error) {
	stats, err := unix.GetsockoptTpacketStats(c.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, err
	}
	return stats.Drops, nil
}
