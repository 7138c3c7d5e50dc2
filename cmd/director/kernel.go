package main

import (
	"context"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"time"

	"gslb/dataplane"
	"gslb/dataplane/hostnet"
	"gslb/dataplane/ipvs"
	"gslb/tiers"
	"gslb/vrrp/conn"
)

// A kernel is all that the program reads and changes of this host.
type kernel interface {
	dataplane.Plane
	dataplane.Counter
	// Loads counts the connections of destinations.
	Loads(ctx context.Context, of []tiers.At) (tiers.Loads, error)
	// Conns goes through the table of connections.
	Conns(ctx context.Context) iter.Seq2[ipvs.Conn, error]
	// Timeouts are how long a silent connection is kept; SetTimeouts leaves
	// those as they are that are 0.
	Timeouts() (ipvs.Timeouts, error)
	SetTimeouts(ipvs.Timeouts) error
	// Daemons are those that copy connections; a role has one at most.
	Daemons() ([]ipvs.Daemon, error)
	StartDaemon(ipvs.Daemon) error
	StopDaemon(ipvs.Role) error
	// Listen hears what the daemons of others say.
	Listen(group netip.Addr, port uint16) (listener, error)
	// Host makes the rest of the host what is wanted and returns what it
	// changed; CheckHost says whether that can be done.
	Host(want tiers.Host, record string) ([]string, error)
	CheckHost(want tiers.Host) error
	// Interfaces are those of this host. Running reports whether one of them is up
	// and has a carrier; an error says that it is not there.
	Interfaces() ([]device, error)
	Running(name string) (bool, error)
	// Renew keeps addresses for as long as they are valid from now.
	Renew([]tiers.Address) error
	// Wire is what members of pairs speak by; nil: this host's sockets.
	Wire() conn.Wire
	Close() error
}

// A listener is an [ipvs.Ears].
type listener interface {
	Hear(until time.Time) (ipvs.Heard, error)
	Join(group netip.Addr) error
	Close() error
}

// A device is a network interface.
type device struct {
	name  string
	index int
	addrs []netip.Addr
}

// An opener connects to the kernel.
type opener func() (kernel, error)

// linux is the kernel of the process's network namespace.
type linux struct{ *ipvs.Plane }

func openLinux() (kernel, error) {
	plane, err := ipvs.Open()
	if err != nil {
		return nil, err
	}
	return linux{plane}, nil
}

func (linux) Conns(ctx context.Context) iter.Seq2[ipvs.Conn, error] { return ipvs.Conns(ctx) }

func (linux) Host(want tiers.Host, record string) ([]string, error) {
	return hostnet.Converge(want, record)
}

func (linux) CheckHost(want tiers.Host) error { return hostnet.Check(want) }

func (linux) Listen(group netip.Addr, port uint16) (listener, error) { return ipvs.Listen(group, port) }

func (linux) Interfaces() ([]device, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the interfaces of this host: %w", err)
	}
	var out []device
	for _, dev := range list {
		addrs, err := dev.Addrs()
		if err != nil {
			continue // it has gone since
		}
		x := device{name: dev.Name, index: dev.Index}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				x.addrs = append(x.addrs, p.Addr().Unmap())
			}
		}
		out = append(out, x)
	}
	return out, nil
}

func (linux) Running(name string) (bool, error) {
	dev, err := net.InterfaceByName(name)
	if err != nil {
		return false, err
	}
	return dev.Flags&net.FlagRunning != 0, nil
}

func (linux) Renew(addrs []tiers.Address) error { return hostnet.Renew(addrs) }

func (linux) Wire() conn.Wire { return nil }
