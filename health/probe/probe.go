// Package probe opens connections to see whether somebody lives. It knows how
// to ask and when; what the results mean is package health's business.
package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gslb/health"
	"gslb/topology"
)

// maxBody bounds what is read of a body: enough to let a server finish a small
// answer, too little for a garbage source to cost anything.
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
	var err error
	switch p.Check.Type {
	case topology.CheckTCP:
		err = connect(ctx, p)
	case topology.CheckHTTP, topology.CheckHTTPS:
		err = get(ctx, p)
	default:
		err = fmt.Errorf("no probe for check type %s", p.Check.Type)
	}
	// The connection's own deadline may strike a moment before the context's.
	if err != nil && (errors.Is(ctx.Err(), context.DeadlineExceeded) || os.IsTimeout(err)) {
		return fmt.Errorf("no answer within %v", p.Check.Timeout)
	}
	return err
}

func connect(ctx context.Context, p Probe) error {
	c, err := dial(ctx, p)
	if err != nil {
		return cause(err)
	}
	return c.Close()
}

func get(ctx context.Context, p Probe) error {
	scheme, host := "http", p.Check.Host
	if host == "" {
		host = p.Target.Addr.String()
	}
	if p.Check.Type == topology.CheckHTTPS {
		scheme = "https"
	}
	transport := &http.Transport{
		// The host decides header, SNI and certificate; the target decides where the packets go.
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx, p)
		},
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxBody,
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: !p.Check.Verify, ServerName: p.Check.Host},
	}
	defer transport.CloseIdleConnections()
	client := http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	path := p.Check.Path
	if path == "" {
		path = "/"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+host+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "gslb-check")
	answer, err := client.Do(request)
	if err != nil {
		return cause(err)
	}
	defer answer.Body.Close()
	if !accepted(p.Check.Status, answer.StatusCode) {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, maxBody)); err != nil {
		return cause(err)
	}
	return nil
}

func accepted(want []int, status int) bool {
	if len(want) == 0 {
		return status >= 200 && status < 400
	}
	return slices.Contains(want, status)
}

// dial connects to the target. A probe with a mark has a source port that none
// before it had for as long as possible: IPVS looks for a connection with the
// same addresses and ports before it looks at the mark, and one to a dead
// destination stays in its table for a minute after the probe has given up
// (the SYN_RECV timeout of net/netfilter/ipvs/ip_vs_proto_tcp.c).
func dial(ctx context.Context, p Probe) (net.Conn, error) {
	if p.Mark == 0 || !p.Source.IsValid() {
		return dialer(p, 0).DialContext(ctx, "tcp", p.Target.Addr.String())
	}
	for {
		c, err := dialer(p, nextPort()).DialContext(ctx, "tcp", p.Target.Addr.String())
		if !errors.Is(err, unix.EADDRINUSE) || ctx.Err() != nil {
			return c, err
		}
	}
}

func dialer(p Probe, port uint16) *net.Dialer {
	d := &net.Dialer{KeepAlive: -1}
	if p.Source.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.Source, port))
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
