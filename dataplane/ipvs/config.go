package ipvs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"gslb/tiers"
)

// Info is what the kernel says of its IPVS.
type Info struct {
	Version     string // "1.2.1"
	Connections int    // places in the table of connections, a power of 2
}

// Info asks for it.
func (p *Plane) Info() (Info, error) {
	var out Info
	err := p.request(cmdGetInfo, 0, nil, func(f *fields) error {
		v := f.u32(infoVersion)
		out.Version = fmt.Sprintf("%d.%d.%d", v>>16&0xff, v>>8&0xff, v&0xff)
		out.Connections = int(f.u32(infoTable))
		return nil
	})
	return out, err
}

// Timeouts are how long the kernel keeps a connection that is silent, in whole
// seconds from 1 on: TCP's while it is established and after a FIN, and UDP's.
// They count for all services of a namespace.
type Timeouts struct{ TCP, TCPFin, UDP time.Duration }

// Timeouts asks for them.
func (p *Plane) Timeouts() (Timeouts, error) {
	var t Timeouts
	err := p.request(cmdGetConfig, 0, nil, func(f *fields) error {
		t.TCP = time.Duration(f.u32(attrTimeoutTCP)) * time.Second
		t.TCPFin = time.Duration(f.u32(attrTimeoutTCPFin)) * time.Second
		t.UDP = time.Duration(f.u32(attrTimeoutUDP)) * time.Second
		return nil
	})
	if err != nil {
		return Timeouts{}, fmt.Errorf("read the timeouts of IPVS: %w", err)
	}
	return t, nil
}

// SetTimeouts sets them; 0 leaves one as it is. Connections that there are get
// the new ones with their next packet.
func (p *Plane) SetTimeouts(t Timeouts) error {
	var a attrs
	for _, x := range []struct {
		name  string
		kind  uint16
		value time.Duration
	}{
		{"TCP", attrTimeoutTCP, t.TCP}, {"TCP after FIN", attrTimeoutTCPFin, t.TCPFin}, {"UDP", attrTimeoutUDP, t.UDP},
	} {
		seconds := x.value / time.Second
		// The kernel counts in ticks, of which it has 1,000 a second at most (ip_vs_set_timeout).
		if x.value%time.Second != 0 || seconds < 0 || seconds > math.MaxInt32/1000 {
			return fmt.Errorf("set the timeout of %s to %v: want whole seconds up to %d", x.name, x.value, math.MaxInt32/1000)
		}
		a.u32(x.kind, uint32(seconds))
	}
	if err := p.request(cmdSetConfig, 0, a, nothing); err != nil {
		return fmt.Errorf("set the timeouts of IPVS: %w", permitted(err))
	}
	return nil
}

// Zero sets the counters of services and of their destinations to 0: those of
// the keys, or without any those of all services.
func (p *Plane) Zero(ctx context.Context, keys ...tiers.Key) error {
	if len(keys) == 0 {
		if err := p.request(cmdZero, 0, nil, nothing); err != nil {
			return fmt.Errorf("zero all counters: %w", permitted(err))
		}
		return nil
	}
	var errs []error
	for _, k := range keys {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch err := p.request(cmdZero, 0, which(number(k), k), nothing); {
		case gone(err):
			errs = append(errs, fmt.Errorf("zero the counters of %s: it is not there", k))
		case err != nil:
			errs = append(errs, fmt.Errorf("zero the counters of %s: %w", k, permitted(err)))
		}
	}
	return errors.Join(errs...)
}

func nothing(*fields) error { return nil }

// permitted says in words what EPERM means.
func permitted(err error) error {
	if errors.Is(err, unix.EPERM) {
		return errors.New("not permitted: CAP_NET_ADMIN is needed")
	}
	return err
}
