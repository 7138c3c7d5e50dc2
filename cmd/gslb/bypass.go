package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"gslb/dnsserver/afxdp"
)

const (
	// A process that has just ended, or is about to, leaves an interface within
	// bypassSoon, when it is asked for often; then it is less often.
	bypassSoon  = 2 * time.Second
	bypassOften = 20 * time.Millisecond
	bypassAgain = time.Second
	// bypassLate is when it is told that an interface is not to be had.
	bypassLate = 10 * time.Second
)

// bypass takes what comes for addrs by the interfaces past the kernel's stack.
func (d *dnsNode) bypass(ctx context.Context, interfaces []string, addrs []netip.AddrPort) error {
	for _, name := range interfaces {
		iface, err := afxdp.Open(name, addrs)
		for begin := time.Now(); errors.Is(err, afxdp.ErrBusy) && time.Since(begin) < bypassSoon && ctx.Err() == nil; {
			time.Sleep(bypassOften)
			iface, err = afxdp.Open(name, addrs)
		}
		if err != nil {
			return fmt.Errorf("--xdp: %w", whyNoBypass(err))
		}
		d.passes(ctx, iface, addrs)
	}
	return nil
}

// inheritBypass is bypass where another process is replaced, which leaves its
// interfaces in a moment. Until then packets come by the sockets, which are this
// one's already.
func (d *dnsNode) inheritBypass(ctx context.Context, interfaces []string, addrs []netip.AddrPort, held []afxdp.Hold) {
	for _, h := range held {
		if !slices.Contains(interfaces, h.Interface) {
			_ = unix.Close(h.FD)
		}
	}
	for _, name := range interfaces {
		var hold *afxdp.Hold
		if i := slices.IndexFunc(held, func(h afxdp.Hold) bool { return h.Interface == name }); i >= 0 {
			hold = &held[i]
		}
		go d.bypassWhenFree(ctx, name, addrs, hold)
	}
}

// bypassWhenFree takes what comes by an interface as soon as that can be had. What
// holds it, unless that is nil, is its own.
func (d *dnsNode) bypassWhenFree(ctx context.Context, name string, addrs []netip.AddrPort, hold *afxdp.Hold) {
	release := func() {
		if hold != nil {
			_ = unix.Close(hold.FD)
			hold = nil
		}
	}
	defer release()
	late := time.After(bypassLate)
	for begin := time.Now(); ; {
		var iface *afxdp.Interface
		var err error
		if hold != nil {
			iface, err = afxdp.Inherit(*hold, addrs)
		} else {
			iface, err = afxdp.Open(name, addrs)
		}
		if err == nil {
			hold = nil
			d.passes(ctx, iface, addrs)
			return
		}
		if hold != nil && errors.Is(err, afxdp.ErrGone) {
			release()
			continue
		}
		wait := bypassAgain
		if time.Since(begin) < bypassSoon {
			wait = bypassOften
		}
		select {
		case <-ctx.Done():
			return
		case <-late:
			d.log.Error("queries go through the kernel's stack until the interface can be had", "interface", name, "reason", whyNoBypass(err))
		case <-time.After(wait):
		}
	}
}

// passes answers what comes by an interface, and asks for it again when it has gone.
func (d *dnsNode) passes(ctx context.Context, iface *afxdp.Interface, addrs []netip.AddrPort) {
	d.log.Info("queries go past the kernel's stack", "interface", iface.Name, "queues", len(iface.Queues()), "in driver", iface.Native, "zero copy", iface.ZeroCopy)
	d.dns.Bypass(iface, func(reason error) {
		d.log.Error("queries go through the kernel's stack until the interface is there again", "interface", iface.Name, "reason", reason)
		go d.bypassWhenFree(ctx, iface.Name, addrs, nil)
	})
}

// whyNoBypass adds to an error what can be done about it.
func whyNoBypass(err error) error {
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: this takes root, or CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF", err)
	case errors.Is(err, unix.ENOBUFS):
		return fmt.Errorf("%w: this takes 8 MiB of memory that may be locked for each queue (ulimit -l, LimitMEMLOCK=), or CAP_IPC_LOCK", err)
	case errors.Is(err, unix.EAFNOSUPPORT):
		return fmt.Errorf("%w: the kernel has no sockets of AF_XDP (CONFIG_XDP_SOCKETS)", err)
	case errors.Is(err, afxdp.ErrBusy):
		return fmt.Errorf("%w; ip link show and ss --xdp say which", err)
	}
	return err
}
