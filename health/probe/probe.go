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
	"strings"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"gslb/health"
	"gslb/topology"
)

// maxBody and maxHeader bound, in bytes, what is read of a body or reply and of
// a header: enough to let a server finish a small answer, too little for a
// garbage source to cost anything.
const (
	maxBody   = 64 << 10
	maxHeader = 64 << 10
)

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
	// Advice is what an agent has said, where one was asked and has answered.
	Advice health.Advice
	Took   time.Duration
}

// After returns the state s of the target after this result, at time now, under
// check c.
func (r Result) After(s health.State, c *topology.Check, now time.Time) health.State {
	if c.Type == topology.CheckAgent && r.Advice != (health.Advice{}) {
		return s.Advise(c, now, r.Advice)
	}
	return s.Observe(c, now, r.Err == nil)
}

// Once asks one time, within p.Check.Timeout. The result's error says what was
// wrong with the answer, without the target's name.
//
// When the time is up and this process was not there to see it, the answer may
// have come while nobody looked: it asks once more, within as long again, and
// that counts.
func Once(ctx context.Context, p Probe) Result { return once(ctx, p, ask) }

func once(ctx context.Context, p Probe, ask func(context.Context, Probe) (health.Advice, error)) Result {
	r, late := attempt(ctx, p, ask)
	if late > max(leastLate, p.Check.Timeout/20) {
		r, _ = attempt(ctx, p, ask)
	}
	return r
}

// leastLate is how late a time-out is noticed at least by a process that stood
// still; a busy one is late by less.
const leastLate = 20 * time.Millisecond

// attempt asks, and says how long after it was up the time was noticed to be up; 0
// when there was an answer.
func attempt(ctx context.Context, p Probe, ask func(context.Context, Probe) (health.Advice, error)) (r Result, late time.Duration) {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, p.Check.Timeout)
	defer cancel()
	noticed := make(chan time.Time, 1)
	stop := context.AfterFunc(ctx, func() { noticed <- time.Now() })
	defer stop()
	advice, err := ask(ctx, p)
	r = Result{Probe: p, Err: inTime(ctx, p, err), Advice: advice, Took: time.Since(begin)}
	if err == nil || r.Took < p.Check.Timeout {
		return r, 0
	}
	<-ctx.Done() // the connection's own deadline may strike a moment before
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		late = (<-noticed).Sub(begin) - p.Check.Timeout
	}
	return r, late
}

// inTime makes of an error what is to be said of it.
func inTime(ctx context.Context, p Probe, err error) error {
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
	return short(err, p.Check.Type)
}

// maxError bounds, in bytes, what is said of a failure: libraries quote servers
// at length.
const maxError = 300

// short is an error on one line of text that is no longer than can be read.
func short(err error, kind topology.CheckType) error {
	most := maxError
	if kind == topology.CheckExec {
		most = maxOutput + 100
	}
	text := err.Error()
	if len(text) <= most && !strings.ContainsFunc(text, unicode.IsControl) {
		return err
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, text)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most-3], "") + "..."
	}
	return errors.New(text)
}

// told is an error that says more of a time that ran out than that it did.
type told struct{ error }

func ask(ctx context.Context, p Probe) (health.Advice, error) {
	if p.Check.Type == topology.CheckAgent {
		return consult(ctx, p)
	}
	return health.Advice{}, alive(ctx, p)
}

func alive(ctx context.Context, p Probe) error {
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
	case topology.CheckSMTP:
		return mail(ctx, p)
	case topology.CheckFile:
		return look(ctx, p)
	}
	return fmt.Errorf("no probe for check type %s", p.Check.Type)
}

// destination is what is checked in the end: what lies behind the VIP where
// the probe goes through one.
func destination(p Probe) netip.Addr {
	if p.Target.Via.IsValid() {
		return p.Target.Via
	}
	return p.Target.Addr.Addr()
}

// open is dial with a connection that ends with ctx.
func open(ctx context.Context, p Probe, network string) (net.Conn, error) {
	conn, err := dial(ctx, p, network)
	if err != nil {
		return nil, cause(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return opened{conn, stop}, nil
}

type opened struct {
	net.Conn
	stop func() bool
}

func (o opened) Close() error {
	o.stop()
	return o.Conn.Close()
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
