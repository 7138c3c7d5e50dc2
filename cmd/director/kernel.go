package main

import (
	"context"
	"iter"

	"gslb/dataplane"
	"gslb/dataplane/hostnet"
	"gslb/dataplane/ipvs"
	"gslb/tiers"
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
	// Host makes the rest of the host what is wanted and returns what it
	// changed; CheckHost says whether that can be done.
	Host(want tiers.Host, record string) ([]string, error)
	CheckHost(want tiers.Host) error
	Close() error
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
