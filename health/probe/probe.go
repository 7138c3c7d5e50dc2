// Package probe opens connections to see whether somebody lives. It knows how
// to ask and when; what the results mean is package health's business.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gslb/health"
	"gslb/topology"
)

// maxBody bounds what is read of a body or reply, in bytes: enough to let a
// server finish a small answer, too little for a garbage source to cost anything.
const maxBody = 64 << 10

// A Probe is a target and how to reach it.
type Probe struct {
	Target health.Target
	Check  *topology.Check
	// Mark is the fwmark (SO_MARK) the probe's packets carry, by which a
	// director sends them to one destination; 0 for none. Needs CAP_NET_ADMIN.
	Mark uint32
	// Source is the local address; the zero Addr lets the kernel choose.
	Source netip.Addr
}

// A Result is the outcome of one probe.
type Result struct {
	Probe Probe
	Err   error // nil: alive
	Took  time.Duration
}

// Once asks one time, within p.Check.Timeout. The error says what was wrong
// with the answer, without the target's name.
func Once(ctx context.Context, p Probe) error {
	ctx, cancel := context.WithTimeout(ctx, p.Check.Timeout)
	defer cancel()
	err := ask(ctx, p)
	var because told
	switch {
	case err == nil:
		return nil
	case errors.As(err, &because):
		return because.error
	// The connection's own deadline may strike a moment before the context's.
	case errors.Is(ctx.Err(), context.DeadlineExceeded), os.IsTimeout(err):
		return fmt.Errorf("no answer within %v", p.Check.Timeout)
	}
	return err
}

// told is an error that says more of a time that ran out than that it did.
type told struct{ error }

func ask(ctx context.Context, p Probe) error {
	switch p.Check.Type {
	case topology.CheckTCP, topology.CheckUDP:
		return talk(ctx, p)
	case topology.CheckHTTP, topology.CheckHTTPS:
		return get(ctx, p)
	case topology.CheckTLS:
		return handshake(ctx, p)
	case topology.CheckDNS:
		return resolve(ctx, p)
	case topology.CheckICMP:
		return echo(ctx, p)
	case topology.CheckGRPC:
		return serving(ctx, p)
	case topology.CheckExec:
		return execute(ctx, p)
	}
	return fmt.Errorf("no probe for check type %s", p.Check.Type)
}

// straight refuses a probe that is to arrive through a VIP and cannot: what it
// sends is not a connection that could carry a mark.
func straight(p Probe) error {
	if p.Mark != 0 {
		return fmt.Errorf("a check of type %s cannot be made through a VIP, only of an address itself", p.Check.Type)
	}
	return nil
}

// dial connects to the target. A probe with a mark has a source port that none
// before it had for as long as possible: IPVS looks for a connection with the
// same addresses and ports before it looks at the mark, and one to a dead
// destination stays in its table for a minute after the probe has given up
// (the SYN_RECV timeout of net/netfilter/ipvs/ip_vs_proto_tcp.c).
func dial(ctx context.Context, p Probe, network string) (net.Conn, error) {
	if p.Mark == 0 || !p.Source.IsValid() {
		return dialer(p, network, 0).DialContext(ctx, network, p.Target.Addr.String())
	}
	for {
		c, err := dialer(p, network, nextPort()).DialContext(ctx, network, p.Target.Addr.String())
		if !errors.Is(err, unix.EADDRINUSE) || ctx.Err() != nil {
			return c, err
		}
	}
}

func dialer(p Probe, network string, port uint16) *net.Dialer {
	d := &net.Dialer{KeepAlive: -1}
	if p.Source.IsValid() {
		local := netip.AddrPortFrom(p.Source, port)
		if network == "udp" {
			d.LocalAddr = net.UDPAddrFromAddrPort(local)
		} else {
			d.LocalAddr = net.TCPAddrFromAddrPort(local)
		}
	}
	if p.Mark != 0 {
		d.Control = func(_, _ string, raw syscall.RawConn) error {
			var err error
			controlErr := raw.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, int(p.Mark))
			})
			return errors.Join(controlErr, err)
		}
	}
	return d
}

// cause strips the wrapping that repeats the target.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
