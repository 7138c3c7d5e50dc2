package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"iter"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"gslb/dataplane"
	"gslb/dataplane/fake"
	"gslb/dataplane/ipvs"
	"gslb/tiers"
	"gslb/topology"
	"gslb/vrrp/conn"
	fakeconn "gslb/vrrp/conn/fake"
)

// A fakeKernel is a kernel in memory, or in a file that several processes share.
type fakeKernel struct {
	fake.Plane
	path     string // "": in memory
	timeouts ipvs.Timeouts
	conns    []ipvs.Conn
	daemons  []ipvs.Daemon
	started  int          // daemons, in all
	host     []tiers.Host // as it was wanted, each time
	refuse   error        // what changes end in
	no       error        // what looking for interfaces ends in
	reads    int
	applied  []tiers.Plan
	beats    uint64            // readings of the counters
	segment  *fakeconn.Segment // that pairs speak on; nil: this host's
	own      []device          // the interfaces with the addresses that they have by themselves
	down     map[string]bool   // those that have lost their carrier
	full     error             // what giving it addresses ends in
	renewed  map[netip.Addr]time.Time
	said     *ipvs.Heard // by the sync daemon of another
	mu       sync.Mutex  // of daemons, host, down, renewed and said, which others use too
}

// Interfaces are the own ones with what was wanted on them last.
func (k *fakeKernel) Interfaces() ([]device, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []device
	for _, d := range k.own {
		d.addrs = slices.Clone(d.addrs)
		if len(k.host) > 0 {
			for _, a := range k.host[len(k.host)-1].Addresses {
				if a.Link.Name == d.name {
					d.addrs = append(d.addrs, a.Addr)
				}
			}
		}
		out = append(out, d)
	}
	return out, nil
}

func (k *fakeKernel) Running(name string) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.down[name], nil
}

func (k *fakeKernel) Renew(addrs []tiers.Address) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.renewed == nil {
		k.renewed = map[netip.Addr]time.Time{}
	}
	for _, a := range addrs {
		k.renewed[a.Addr] = time.Now()
	}
	return nil
}

func (k *fakeKernel) Wire() conn.Wire {
	if k.segment == nil {
		return nil
	}
	return k.segment
}

// openFake opens the kernel in the file that FAKE_KERNEL names. In one beside
// it, *.conns, are its connections, as lines of words.
func openFake() (kernel, error) {
	return &fakeKernel{path: os.Getenv("FAKE_KERNEL"), timeouts: found}, nil
}

// found are the time-outs of a kernel that nobody has told otherwise.
var found = ipvs.Timeouts{TCP: 900e9, TCPFin: 120e9, UDP: 300e9}

func (k *fakeKernel) load() error {
	if k.path == "" {
		return nil
	}
	if text, err := os.ReadFile(k.path + ".conns"); err == nil {
		k.conns = nil
		for line := range strings.Lines(string(text)) {
			w := strings.Fields(line)
			c := ipvs.Conn{Client: netip.MustParseAddrPort(w[1]), Virtual: netip.MustParseAddrPort(w[2]), Destination: netip.MustParseAddrPort(w[3]), State: w[4]}
			c.Proto, _ = topology.ParseProto(w[0])
			c.Expires, _ = time.ParseDuration(w[5])
			c.Template = c.Client.Port() == 0
			k.conns = append(k.conns, c)
		}
	}
	var table tiers.Table
	data, err := os.ReadFile(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, &table)
	}
	if err != nil {
		return err
	}
	k.Plane = fake.Plane{}
	var plan tiers.Plan
	for _, s := range table.Services {
		bare := s
		bare.Destinations = nil
		plan = append(plan, tiers.Change{Op: tiers.AddService, Service: &bare})
		for _, d := range s.Destinations {
			plan = append(plan, tiers.Change{Op: tiers.AddDestination, Service: &bare, Destination: d})
		}
	}
	return k.Plane.Apply(context.Background(), plan)
}

func (k *fakeKernel) save() error {
	if k.path == "" {
		return nil
	}
	table, _ := k.Plane.Table(context.Background())
	data, err := json.Marshal(table)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(k.path+".new", data, 0o600), os.Rename(k.path+".new", k.path))
}

func (k *fakeKernel) Table(ctx context.Context) (tiers.Table, error) {
	k.reads++
	if err := k.load(); err != nil {
		return tiers.Table{}, err
	}
	return k.Plane.Table(ctx)
}

func (k *fakeKernel) Apply(ctx context.Context, plan tiers.Plan) error {
	k.applied = append(k.applied, plan)
	if k.refuse != nil {
		return k.refuse
	}
	return errors.Join(k.Plane.Apply(ctx, plan), k.save())
}

func (k *fakeKernel) of(key tiers.Key, d tiers.Destination) (load tiers.Load) {
	for _, c := range k.conns {
		if c.Destination != d.Addr || c.Proto != key.Proto || c.Virtual != key.VIP {
			continue
		}
		switch {
		case c.Template:
			load.Persistent++
		case c.State == "ESTABLISHED":
			load.Active++
		default:
			load.Inactive++
		}
	}
	return load
}

func (k *fakeKernel) Loads(_ context.Context, of []tiers.At) (tiers.Loads, error) {
	out := tiers.Loads{}
	if len(of) == 0 {
		return out, nil
	}
	if err := k.load(); err != nil {
		return nil, err
	}
	table, _ := k.Plane.Table(context.Background())
	for _, at := range of {
		if i, ok := table.Find(at.Key); ok && slices.ContainsFunc(table.Services[i].Destinations, func(d tiers.Destination) bool { return d.Addr == at.Addr }) {
			out[at] = k.of(at.Key, tiers.Destination{Addr: at.Addr})
		}
	}
	return out, nil
}

// Stats counts as much for each connection with each reading.
func (k *fakeKernel) Stats(context.Context, ...tiers.Key) ([]dataplane.Stats, error) {
	if err := k.load(); err != nil {
		return nil, err
	}
	table, _ := k.Plane.Table(context.Background())
	k.beats++
	var out []dataplane.Stats
	for _, s := range table.Services {
		x := dataplane.Stats{Key: s.Key}
		for _, d := range s.Destinations {
			load := k.of(s.Key, d)
			n := k.beats * uint64(load.Active+load.Inactive)
			c := dataplane.Counters{Connections: n, PacketsIn: 100 * n, PacketsOut: 150 * n, BytesIn: 10_000 * n, BytesOut: 200_000 * n}
			x.Destinations = append(x.Destinations, dataplane.DestinationStats{Addr: d.Addr, Weight: d.Weight, Load: load, Counters: c})
			x.Counters.Connections += c.Connections
			x.Counters.PacketsIn += c.PacketsIn
			x.Counters.PacketsOut += c.PacketsOut
			x.Counters.BytesIn += c.BytesIn
			x.Counters.BytesOut += c.BytesOut
		}
		out = append(out, x)
	}
	return out, nil
}

func (k *fakeKernel) Conns(ctx context.Context) iter.Seq2[ipvs.Conn, error] {
	return func(yield func(ipvs.Conn, error) bool) {
		if err := k.load(); err != nil {
			yield(ipvs.Conn{}, err)
			return
		}
		for _, c := range k.conns {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func (k *fakeKernel) Timeouts() (ipvs.Timeouts, error) { return k.timeouts, nil }

func (k *fakeKernel) SetTimeouts(t ipvs.Timeouts) error {
	if k.refuse != nil {
		return k.refuse
	}
	if t.TCP != 0 {
		k.timeouts.TCP = t.TCP
	}
	if t.TCPFin != 0 {
		k.timeouts.TCPFin = t.TCPFin
	}
	if t.UDP != 0 {
		k.timeouts.UDP = t.UDP
	}
	return nil
}

func (k *fakeKernel) Daemons() ([]ipvs.Daemon, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.daemons), nil
}

func (k *fakeKernel) StartDaemon(d ipvs.Daemon) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if slices.ContainsFunc(k.daemons, func(x ipvs.Daemon) bool { return x.Role == d.Role }) {
		return errors.New("there is one already")
	}
	k.started++
	k.daemons = append(k.daemons, d)
	return nil
}

func (k *fakeKernel) StopDaemon(r ipvs.Role) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.daemons = slices.DeleteFunc(k.daemons, func(d ipvs.Daemon) bool { return d.Role == r })
	return nil
}

// Listen hears what is said, once in each window.
func (k *fakeKernel) Listen(netip.Addr, uint16) (listener, error) {
	return &earshot{kernel: k, ended: make(chan struct{})}, nil
}

type earshot struct {
	kernel *fakeKernel
	again  bool
	ended  chan struct{}
}

func (e *earshot) Hear(until time.Time) (ipvs.Heard, error) {
	e.kernel.mu.Lock()
	said := e.kernel.said
	e.kernel.mu.Unlock()
	if e.again = !e.again; e.again && said != nil {
		return *said, nil
	}
	select {
	case <-e.ended:
		return ipvs.Heard{}, net.ErrClosed
	case <-time.After(time.Until(until)):
		return ipvs.Heard{}, os.ErrDeadlineExceeded
	}
}

func (*earshot) Join(netip.Addr) error { return nil }

func (e *earshot) Close() error { close(e.ended); return nil }

func (k *fakeKernel) Host(want tiers.Host, _ string) ([]string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.full != nil && len(want.Addresses) > 0 {
		return nil, k.full
	}
	k.host = append(k.host, want)
	return nil, nil
}

func (k *fakeKernel) CheckHost(tiers.Host) error { return k.no }

func (k *fakeKernel) Close() error { return nil }
