package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"gslb/dnsserver"
	"gslb/dnsserver/zonefile"
	"gslb/health"
	"gslb/health/probe"
	"gslb/internal/cli"
	"gslb/steering"
	"gslb/topology"
)

func serveCmd() *cobra.Command {
	var from doors
	var watch bool
	var replies replyFlags
	var at place
	var in cli.Inputs
	cmd := &cobra.Command{
		Use:   "serve FILE...",
		Short: "Answer DNS queries for the zones of a topology",
		Long: `Answer DNS queries for the zones of a topology, over UDP and TCP, and check
the answers of its domains so that none is given that is down.

SIGHUP reads the files again, and so does a change of theirs where --watch is
given or their topology block has watch = true. Files with errors are refused
and the topology read before stays, or the zone if it is a zone's file; at the
start queries about such a zone get SERVFAIL, and with --replace the process
that serves already goes on. The listening addresses stay in any case. The
serial number of every SOA that no zone's file has is the time of reading, in
seconds since 1970.

--replace takes over from the process that serves at the same addresses, of this
user and in this network namespace: its sockets are handed over, so no query is
lost, and it ends when this one serves. Files, flags and the program may differ.

Queries are answered for everybody, but not without end: over UDP, where the
sender may be a lie, --rate-limit bounds what one network is sent. A client that
has shown a good DNS cookie is not limited; servers that share an address must
share --cookie-secret.

--xdp takes queries that come in by an interface before the kernel's network
stack has them, and before the host's firewall: they cost less there. This needs
root, or CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF. TCP and all else go the usual
way.`,
		Example: `  gslb serve shop.hcl --listen 127.0.0.1:5300     try it, without being root
  gslb serve shop.hcl --node 'nameserver.ns["fra"]'   as that nameserver, on port 53
  gslb serve shop.hcl --node nameserver.ns --xdp eth0 so too, past the kernel's stack`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			if from.node == "" && len(from.listen) == 0 {
				return cli.Usagef("nowhere to listen: give --node nameserver.NAME for port 53 of its addresses, or --listen ADDR:PORT, as in --listen 127.0.0.1:5300")
			}
			hup := make(chan os.Signal, 1)
			signal.Notify(hup, syscall.SIGHUP)
			defer signal.Stop(hup)
			w := newWatcher(&in, paths, watch)
			files := in.Reader(paths)
			read := func() (*topology.Topology, error) {
				topo, err := files.Topology(cmd.ErrOrStderr())
				if err == nil {
					w.read(topo, files.Source)
				}
				return topo, err
			}
			ctx, stop := context.WithCancel(cmd.Context())
			defer stop()
			go w.run(ctx, hup, watchEvery)
			return serve(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), hup, read, from, &replies, at)
		},
	}
	from.flags(cmd)
	cmd.Flags().BoolVar(&watch, "watch", false, "read the files again when they have changed, whatever their topology block says of watch")
	replies.flags(cmd)
	at.flags(cmd)
	in.Flags(cmd)
	return cmd
}

// serve answers until ctx ends.
func serve(ctx context.Context, out, errs io.Writer, hup <-chan os.Signal, read func() (*topology.Topology, error), from doors, replies *replyFlags, at place) error {
	topo, err := read()
	if err != nil {
		return err
	}
	addrs, err := from.addrs(topo)
	if err != nil {
		return err
	}
	name := ""
	if ns, ok := topo.Nameserver(from.node); ok {
		name = ns.Label
	}
	options, err := replies.options(name)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(errs, nil))
	sockets, err := openSockets(log, addrs, from.node, at.replace)
	if err != nil {
		return err
	}
	defer sockets.close()

	d := &dnsNode{
		log:     log,
		results: make(chan probe.Result),
		moves:   make(chan moved),
		wills:   make(chan chan<- []byte),
		node:    from.node,
	}
	var saved health.View
	if d.desk, saved, err = openDesk(log, at); err != nil {
		return err
	}
	d.view = health.NewBook(saved)
	defer d.desk.close()
	defer d.save()
	if sockets.heritage == nil {
		if err := d.desk.publish(); err != nil {
			return err
		}
	}
	d.probes = probe.NewSet(d.results)
	defer d.probes.Close()
	defer d.dns.Close()
	defer func() { d.drop(d.now); d.drop(d.next) }()
	d.dns.Log = log
	d.dns.Configure(options)
	if sockets.heritage == nil { // nobody else serves what this one could not
		d.files = zoneFiles{}
	}
	if err := d.prepare(topo); err != nil {
		return err
	}
	reread := func() (*topology.Topology, error) {
		topo, err := read()
		if err != nil {
			return nil, err
		}
		if want, err := from.addrs(topo); err != nil || !slices.Equal(want, addrs) {
			log.Warn("the nameserver's addresses have changed, those listened on stay until a restart", "node", from.node)
		}
		if options, err := replies.options(name); err != nil {
			log.Error("cookie secrets refused, those read before stay", "reason", err)
		} else {
			d.dns.Configure(options)
		}
		return topo, nil
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var overtaken error
	err = d.run(ctx, hup, reread, func() {
		if sockets.heritage == nil {
			if overtaken = d.bypass(ctx, from.xdp, sockets.addrs()); overtaken != nil {
				stop(overtaken)
				return
			}
		}
		for _, l := range sockets.listeners {
			d.dns.Serve(l)
			fmt.Fprintf(out, "serving %s on %s (udp, tcp)\n", count(d.now.zones.Len(), "zone"), l.Addr)
		}
		will, err := sockets.serving(d.dns.Holds, func() []byte { return d.bequeath(ctx) })
		if overtaken = err; overtaken != nil {
			d.desk.left = sockets.heritage != nil // somebody else has taken over
			stop(overtaken)
			return
		}
		if sockets.heritage != nil {
			if err := d.desk.publish(); err != nil { // what is said now is heard below
				log.Error("operators are not heard", "reason", err)
			}
			d.inherit(will, time.Now())
			d.inheritBypass(ctx, from.xdp, sockets.addrs(), sockets.holds())
		}
		sockets.ready("serving " + count(d.now.zones.Len(), "zone"))
		taken := sockets.taken()
		go func() {
			select {
			case <-ctx.Done():
			case <-taken:
				stop(errReplaced)
			}
		}()
	})
	replaced := errors.Is(context.Cause(ctx), errReplaced)
	sockets.left(replaced)
	sockets.withdraw()
	if replaced {
		d.desk.left = true
		log.Info("another process serves, leaving")
		d.dns.Leave(farewell)
	}
	return errors.Join(err, overtaken)
}

// whyNot adds to an error of listening what can be done about it.
func whyNot(err error, a netip.AddrPort, node string) error {
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL) && node != "":
		return fmt.Errorf("%w: %s is no address of this machine; run where %s is, or give --listen instead", err, a.Addr(), node)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w: %s is no address of this machine", err, a.Addr())
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w: ports below 1024 need root or CAP_NET_BIND_SERVICE; --listen 127.0.0.1:5300 needs neither", err)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: another program answers there", err)
	}
	return err
}

// A dnsNode is the daemon. One goroutine, in run, owns all of it; the server
// reads the table published last, the probes send their results.
type dnsNode struct {
	log     *slog.Logger
	dns     dnsserver.Server
	probes  *probe.Set
	results chan probe.Result
	moves   chan moved
	wills   chan chan<- []byte // asked for when another process takes over
	view    health.Book
	shown   shown
	desk    *desk
	node    string // address of the nameserver that it is; "" for none
	serial  uint32
	files   zoneFiles   // of the generation prepared last
	now     *generation // what is served; nil before the first
	next    *generation // what is to be served once its targets are known
}

// A shown is what the table published last was made of.
type shown struct {
	at    time.Time
	view  health.View
	stale map[health.Target]bool
}

// A generation is one reading of the files, made ready to be served.
type generation struct {
	topo    *topology.Topology
	places  *places
	ground  *steering.Ground
	zones   *dnsserver.Zones
	targets map[health.Target]bool
	checks  map[health.Target]*topology.Check
	timeout time.Duration // when every first result must have come in, from when the probes were set
}

func (g *generation) has(t health.Target) bool { return g != nil && g.targets[t] }

// prepare makes topo the next generation and starts its probes. It is served
// when each of its targets has had a first result, so that no answer is given
// or held back only because nobody has looked yet.
func (d *dnsNode) prepare(topo *topology.Topology) error {
	if len(topo.Zones) == 0 {
		return errors.New("the topology has no zone: there is nothing to answer")
	}
	serial := nextSerial(d.serial, time.Now())
	before := d.files
	if before != nil {
		before = before.of(topo)
	}
	files, zones, err := before.compile(topo, serial, func(err error, stays *zonefile.Zone) {
		if stays.Unserved {
			d.log.Error("zone file refused, queries about the zone get SERVFAIL", "reason", err)
		} else {
			d.log.Error("zone file refused, the zone read before stays", "reason", err)
		}
	})
	if err != nil {
		return err
	}
	if zones.Len() == 0 {
		return errors.New("no zone can be served, for the reasons told above")
	}
	latest := d.next
	if latest == nil {
		latest = d.now
	}
	where, err := d.places(topo, latest.where())
	if err != nil {
		return err
	}
	d.serial, d.files = serial, files
	g := &generation{topo: topo, places: where, ground: where.ground(topo), zones: zones, targets: map[health.Target]bool{}, checks: map[health.Target]*topology.Check{}}
	var probes []probe.Probe
	for _, p := range steering.Probes(topo) {
		g.targets[p.Target], g.checks[p.Target] = true, p.Check
		probes = append(probes, probe.Probe{Target: p.Target, Check: p.Check})
		g.timeout = max(g.timeout, p.Check.Timeout)
	}
	d.drop(d.next, g, d.now)
	d.next = g
	g.timeout += d.probes.Set(probes)
	return nil
}

// known reports whether every target of the next generation has had a result.
func (d *dnsNode) known() bool {
	for t := range d.next.targets {
		if !d.view.Of(t).Known {
			return false
		}
	}
	return true
}

// promote makes the next generation the one that is served.
func (d *dnsNode) promote() {
	d.drop(d.now, d.next)
	d.now, d.next = d.next, nil
	d.view.Keep(d.now.has)
	d.desk.promoted(d.now)
	d.publish()
	// Reading and compiling take more than what is kept, and a server that
	// only answers takes nothing more for a long time.
	go debug.FreeOSMemory()
}

func (d *dnsNode) publish() {
	now := time.Now()
	overrides := d.overridden(now)
	view := d.view.View()
	d.shown = shown{now, view, d.stale(now)}
	d.desk.arm()
	d.dns.Publish(dnsserver.NewTable(d.now.zones, d.now.ground.Compile(steering.Inputs{View: view, Now: now, Overrides: overrides, Stale: d.shown.stale})))
}

// run decides what is served until ctx ends, and calls start when there is
// something for the first time.
func (d *dnsNode) run(ctx context.Context, hup <-chan os.Signal, read func() (*topology.Topology, error), start func()) error {
	late := time.NewTimer(d.next.timeout + grace)
	defer late.Stop()
	ready := d.known()
	for {
		if ready && d.next != nil {
			first := d.now == nil
			d.promote()
			if first {
				start()
			} else {
				d.log.Info("topology reloaded", "zones", d.now.zones.Len(), "domains", len(d.now.topo.Domains), "serial", d.serial)
			}
		}
		ready = false
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			if err := d.reload(read); err != nil {
				if errors.Is(err, cli.ErrSaid) {
					err = errors.New("the files have errors, told above")
				}
				d.log.Error("reload refused, the topology read before stays", "reason", err)
				continue
			}
			late.Reset(d.next.timeout + grace)
			ready = d.known()
		case m := <-d.moves:
			d.move(m)
		case reply := <-d.wills:
			reply <- d.desk.will()
		case c := <-d.desk.calls:
			d.handle(c)
		case <-d.desk.tick.C:
			d.turn(time.Now())
		case r := <-d.results:
			d.observe(r)
			ready = d.next != nil && d.known()
		case <-late.C:
			ready = d.next != nil
		}
	}
}

// grace is how much later than its timeout a probe's result may come in.
const grace = 500 * time.Millisecond

func (d *dnsNode) reload(read func() (*topology.Topology, error)) error {
	topo, err := read()
	if err != nil {
		return err
	}
	return d.prepare(topo)
}

// observe takes a result in and, where it changes who is up, publishes.
func (d *dnsNode) observe(r probe.Result) {
	t := r.Probe.Target
	if !d.now.has(t) && !d.next.has(t) {
		return // from a probe that was on its way when it was stopped
	}
	before, now := d.view.Of(t), time.Now()
	d.desk.note(t, r, now)
	after := r.After(before, r.Probe.Check, now)
	d.view.Set(t, after)
	if before.Known && before.Up == after.Up {
		// Who is up stays as it is, but a change has come closer, or further away,
		// or an agent wants another part of the weight.
		if d.now.has(t) && (before.Agent != after.Agent || d.shown.stale[t] || d.now.ground.Moves(t, r.Probe.Check, d.shown.view[t], d.shown.at, after, now)) {
			d.desk.soon(now)
		}
		return
	}
	d.desk.changed(t, after, r.Probe.Check, now)
	d.tell(t, after.Up, r.Err)
	if d.now.has(t) {
		d.publish()
	}
}

// tell logs that the answers that depend on t have gone or come back.
func (d *dnsNode) tell(t health.Target, up bool, reason error) {
	g := d.now
	if d.next.has(t) {
		g = d.next
	}
	check := t.Check
	if check == "" {
		check = "default"
	}
	for _, dep := range steering.Dependents(g.topo, t) {
		attrs := []any{"domain", dep.Domain.ID, "answer", dep.Answer.Label, "target", t.Addr.String(), "check", check}
		if up {
			d.log.Info("answer is up", attrs...)
		} else {
			d.log.Warn("answer is down", append(attrs, "reason", reason)...)
		}
	}
}

// nextSerial is the SOA serial number of a topology read at time now: the
// seconds since 1970, or one more than before where that would not move it
// forward in the arithmetic of RFC 1982.
func nextSerial(before uint32, now time.Time) uint32 {
	serial := uint32(now.Unix())
	if before != 0 && int32(serial-before) <= 0 {
		return before + 1
	}
	return serial
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
