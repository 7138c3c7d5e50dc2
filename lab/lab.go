// Package lab turns a topology file into network namespaces on one machine:
// every node and L2 segment of the file, a router per region, WAN links with
// the delay between the regions, users, and real servers that say who they are.
// The programs that run in it are the real ones with the real file.
//
// What is checked there is checked from outside: by what clients get, by what
// crosses a wire. A [Plan] says what there is; a [World] is it.
package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"gslb/topology"
)

// A World is a plan in being. Close ends it.
//
// Namespaces have no names: they are held by open files and so go with the
// process, whatever ends it.
type World struct {
	Plan *Plan
	Topo *topology.Topology

	places   map[string]*place
	switches *place // holds the bridges, the far ends of all ports
	thread   *thread
	dir      string // logs and state of the programs
	gslb     string // this program, once the lab is up
	// environment is what every program gets beside this one's.
	environment []string

	mu        sync.Mutex
	processes []*Process
	servers   map[string]*realServer

	users map[*topology.Region]*users
}

// A place is one namespace.
type place struct {
	node   *Node
	handle netns.NsHandle
	link   *netlink.Handle
}

// NewWorld makes the namespaces of plan and joins them. Dir is an empty folder
// of the world's own.
func NewWorld(topo *topology.Topology, plan *Plan, dir string) (*World, error) {
	// Orphans of the world's programs become this process's children, so that
	// it can end them.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become the parent of orphans: %w", err)
	}
	w := &World{Plan: plan, Topo: topo, places: map[string]*place{}, thread: newThread(), dir: dir, servers: map[string]*realServer{}, users: map[*topology.Region]*users{}}
	var err error
	if w.environment, err = secrets(topo, filepath.Join(dir, "secrets")); err == nil {
		err = w.build()
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Close ends every process of the world and lets the namespaces go.
func (w *World) Close() {
	w.mu.Lock()
	processes := w.processes
	w.mu.Unlock()
	for _, p := range processes {
		p.Kill()
	}
	w.killOrphans()
	for _, s := range w.servers {
		s.halt()
	}
	for _, p := range w.places {
		p.close()
	}
	if w.switches != nil {
		w.switches.close()
	}
	w.thread.close()
}

// killOrphans ends what programs of the world have left running: this process
// has taken the place of their parent (see NewWorld). They are known by their
// namespace: this process may hold other worlds.
func (w *World) killOrphans() {
	mine := map[uint64]bool{}
	for _, p := range w.places {
		var file unix.Stat_t
		if unix.Fstat(int(p.handle), &file) == nil {
			mine[file.Ino] = true
		}
	}
	for killed := true; killed; {
		killed = false
		children, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid()))
		for _, text := range strings.Fields(string(children)) {
			pid, err := strconv.Atoi(text)
			var in unix.Stat_t
			if err != nil || unix.Stat("/proc/"+text+"/ns/net", &in) != nil || !mine[in.Ino] {
				continue
			}
			unix.Kill(pid, unix.SIGKILL)
			_, _ = unix.Wait4(pid, nil, 0, nil) // os/exec may have been faster
			killed = true
		}
	}
}

func (p *place) close() {
	if p.link != nil {
		p.link.Close()
	}
	_ = p.handle.Close()
}

func (w *World) build() error {
	var err error
	if w.switches, err = w.newPlace(&Node{ID: "the switches"}); err != nil {
		return err
	}
	for i := range w.Plan.Segments {
		off := false
		bridge := &netlink.Bridge{LinkAttrs: linkAttrs(bridgeName(i)), MulticastSnooping: &off}
		if err := w.switches.add(bridge); err != nil {
			return fmt.Errorf("segment %s: %w", w.Plan.Segments[i], err)
		}
	}
	for _, n := range w.Plan.Nodes {
		p, err := w.newPlace(n)
		if err != nil {
			return err
		}
		w.places[n.ID] = p
	}
	for i, n := range w.Plan.Nodes {
		for j, port := range n.Ports {
			if err := w.plug(i, j, port); err != nil {
				return fmt.Errorf("%s: port e%d: %w", n.ID, j, err)
			}
		}
	}
	for _, wire := range w.Plan.Wires {
		if err := w.wire(wire); err != nil {
			return fmt.Errorf("WAN from %s to %s: %w", w.Plan.Nodes[wire.A].ID, w.Plan.Nodes[wire.B].ID, err)
		}
	}
	for _, n := range w.Plan.Nodes {
		if err := w.places[n.ID].routes(n); err != nil {
			return fmt.Errorf("%s: %w", n.ID, err)
		}
	}
	return nil
}

func linkAttrs(name string) netlink.LinkAttrs {
	a := netlink.NewLinkAttrs()
	a.Name = name
	return a
}

func bridgeName(segment int) string { return fmt.Sprintf("br%d", segment) }

// portName is the switch's end of a port.
func portName(node, port int) string { return fmt.Sprintf("p%d.%d", node, port) }

// sysctls of every node. A Debian host has rp_filter 2, so the lab has it too:
// what works here must not depend on a laxer kernel.
var sysctls = map[Kind][][2]string{
	Router: {
		{"net/ipv4/ip_forward", "1"}, {"net/ipv6/conf/all/forwarding", "1"},
		{"net/ipv4/conf/all/rp_filter", "0"}, {"net/ipv4/conf/default/rp_filter", "0"},
		{"net/ipv4/conf/all/send_redirects", "0"}, {"net/ipv4/conf/default/send_redirects", "0"},
	},
	// A v6 address that only a route makes the host's own is not bindable without.
	Client:     append([][2]string{{"net/ipv6/ip_nonlocal_bind", "1"}}, hostSysctls...),
	Nameserver: hostSysctls,
	Director:   hostSysctls,
	Server:     hostSysctls,
	Elsewhere:  hostSysctls,
	0:          {{"net/ipv6/conf/all/disable_ipv6", "1"}, {"net/ipv6/conf/default/disable_ipv6", "1"}},
}

var hostSysctls = [][2]string{
	{"net/ipv4/conf/all/rp_filter", "2"}, {"net/ipv4/conf/default/rp_filter", "2"},
	{"net/ipv6/conf/all/accept_dad", "0"}, {"net/ipv6/conf/default/accept_dad", "0"},
	{"net/ipv6/conf/all/accept_ra", "0"}, {"net/ipv6/conf/default/accept_ra", "0"},
}

func (w *World) newPlace(n *Node) (*place, error) {
	p := &place{node: n}
	err := w.thread.do(func() error {
		var err error
		if p.handle, err = netns.New(); err != nil { // the thread is in it now
			return fmt.Errorf("make a network namespace: %w", err)
		}
		defer w.thread.goHome()
		for _, s := range sysctls[n.Kind] {
			if err := os.WriteFile(filepath.Join("/proc/sys", s[0]), []byte(s[1]), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		p.link, err = netlink.NewHandle()
		if err != nil {
			return err
		}
		lo, err := p.link.LinkByName("lo")
		if err != nil {
			return err
		}
		return p.link.LinkSetUp(lo)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.ID, err)
	}
	return p, nil
}

// add makes a link in the place and sets it up.
func (p *place) add(link netlink.Link) error {
	if err := p.link.LinkAdd(link); err != nil {
		return err
	}
	return p.link.LinkSetUp(link)
}

// plug joins a port to its segment.
func (w *World) plug(node, number int, port Port) error {
	p := w.places[w.Plan.Nodes[node].ID]
	veth := &netlink.Veth{
		LinkAttrs: linkAttrs(portName(node, number)), PeerName: fmt.Sprintf("e%d", number), PeerNamespace: netlink.NsFd(p.handle),
	}
	if err := w.switches.add(veth); err != nil {
		return err
	}
	bridge, err := w.switches.link.LinkByName(bridgeName(port.Segment))
	if err != nil {
		return err
	}
	if err := w.switches.link.LinkSetMaster(veth, bridge); err != nil {
		return err
	}
	return p.configure(veth.PeerName, port.Addrs)
}

func (p *place) configure(dev string, addrs []netip.Prefix) error {
	link, err := p.link.LinkByName(dev)
	if err != nil {
		return err
	}
	if err := p.link.LinkSetUp(link); err != nil {
		return err
	}
	for _, a := range addrs {
		addr := &netlink.Addr{IPNet: ipNet(a)}
		if a.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := p.link.AddrAdd(link, addr); err != nil {
			return fmt.Errorf("address %s: %w", a, err)
		}
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// wire joins two routers, with the WAN's delay at both ends.
func (w *World) wire(wire Wire) error {
	a, b := w.places[w.Plan.Nodes[wire.A].ID], w.places[w.Plan.Nodes[wire.B].ID]
	veth := &netlink.Veth{LinkAttrs: linkAttrs(wire.AName), PeerName: wire.BName, PeerNamespace: netlink.NsFd(b.handle)}
	if err := a.add(veth); err != nil {
		return err
	}
	for _, end := range []struct {
		place *place
		dev   string
		addrs [2]netip.Prefix
	}{{a, wire.AName, wire.AAddr}, {b, wire.BName, wire.BAddr}} {
		if err := end.place.configure(end.dev, end.addrs[:]); err != nil {
			return err
		}
		if wire.Delay == 0 {
			continue
		}
		link, err := end.place.link.LinkByName(end.dev)
		if err != nil {
			return err
		}
		delay := netlink.NewNetem(
			netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
			netlink.NetemQdiscAttrs{Latency: uint32(wire.Delay.Microseconds()), Limit: 100_000})
		if err := end.place.link.QdiscAdd(delay); err != nil {
			return fmt.Errorf("delay: %w", err)
		}
	}
	return nil
}

func (p *place) routes(n *Node) error {
	lo, err := p.link.LinkByName("lo")
	if err != nil {
		return err
	}
	for _, own := range n.Anywhere {
		r := &netlink.Route{LinkIndex: lo.Attrs().Index, Dst: ipNet(own), Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST}
		if err := p.link.RouteAdd(r); err != nil {
			return fmt.Errorf("own prefix %s: %w", own, err)
		}
	}
	for _, route := range n.Routes {
		link, err := p.link.LinkByName(route.Dev)
		if err != nil {
			return fmt.Errorf("route to %s: %w", route.To, err)
		}
		r := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(route.To)}
		if route.Via.IsValid() {
			r.Gw = route.Via.AsSlice()
			r.Flags = int(netlink.FLAG_ONLINK)
		} else {
			r.Scope = netlink.SCOPE_LINK
		}
		if err := p.link.RouteAdd(r); err != nil {
			return fmt.Errorf("route to %s by %s on %s: %w", route.To, route.Via, route.Dev, err)
		}
	}
	return nil
}

// Unplug pulls all cables of a node; Plug puts them back. The node itself
// goes on running, as one does that has lost its switch.
func (w *World) Unplug(id string) error { return w.cables(id, false) }

// Plug puts back the cables that [World.Unplug] pulled.
func (w *World) Plug(id string) error { return w.cables(id, true) }

func (w *World) cables(id string, up bool) error {
	for i, n := range w.Plan.Nodes {
		if n.ID != id {
			continue
		}
		for j := range n.Ports {
			link, err := w.switches.link.LinkByName(portName(i, j))
			if err != nil {
				return fmt.Errorf("%s: port e%d: %w", id, j, err)
			}
			set := w.switches.link.LinkSetDown
			if up {
				set = w.switches.link.LinkSetUp
			}
			if err := set(link); err != nil {
				return fmt.Errorf("%s: port e%d: %w", id, j, err)
			}
		}
		return nil
	}
	return fmt.Errorf("the lab has no node %s", id)
}

// in runs f inside the node's namespace. What f opens stays there; what f
// starts to wait for must not need another namespace.
func (w *World) in(id string, f func() error) error {
	p, ok := w.places[id]
	if !ok {
		return fmt.Errorf("the lab has no node %s", id)
	}
	return w.thread.do(func() error {
		if err := netns.Set(p.handle); err != nil {
			return fmt.Errorf("%s: enter its namespace: %w", id, err)
		}
		defer w.thread.goHome()
		return f()
	})
}

// A thread is one operating system thread that moves between namespaces. It
// lives as long as the world: processes that it has started are told of the
// death of their parent thread, which must not come before their time.
type thread struct {
	work chan func()
	home netns.NsHandle
}

func newThread() *thread {
	t := &thread{work: make(chan func())}
	ready := make(chan struct{})
	go func() {
		runtime.LockOSThread() // never unlocked: the thread may end up in another namespace
		t.home, _ = netns.Get()
		close(ready)
		for f := range t.work {
			f()
		}
		_ = t.home.Close()
	}()
	<-ready
	return t
}

func (t *thread) do(f func() error) error {
	done := make(chan error)
	t.work <- func() { done <- f() }
	return <-done
}

func (t *thread) close() { close(t.work) }

// goHome leaves a namespace. Nothing that comes after depends on it: whatever
// the thread does next begins with entering a namespace.
func (t *thread) goHome() { _ = netns.Set(t.home) }

// fileName is a node's ID as a file name, with the node's number, for IDs may
// differ only in what a file name cannot have.
func (w *World) fileName(id string) string {
	number := slices.IndexFunc(w.Plan.Nodes, func(n *Node) bool { return n.ID == id })
	return fmt.Sprintf("%d.", number) + strings.NewReplacer(`["`, ".", `"]`, "", "[", ".", "]", "", "/", "_").Replace(id)
}

// A Process is a program that runs in a node.
type Process struct {
	Node string
	Log  string // file with what it says
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of waiting; valid after done
}

// Start starts a program in a node. What it says goes to a log file.
func (w *World) Start(node, path string, args ...string) (*Process, error) {
	log := filepath.Join(w.dir, w.fileName(node)+".log")
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = out, out
	return w.start(node, cmd, log)
}

func (w *World) start(node string, cmd *exec.Cmd, log string) (*Process, error) {
	return w.startNice(node, cmd, log, 0)
}

// startNice starts a program with a niceness, which a child has from the
// thread that starts it.
func (w *World) startNice(node string, cmd *exec.Cmd, log string, nice int) (*Process, error) {
	cmd.Env = append(append(cmd.Environ(), w.environment...), "RUNTIME_DIRECTORY="+filepath.Join(w.dir, w.fileName(node)))
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &unix.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = unix.SIGKILL
	err := w.in(node, func() error {
		if nice != 0 {
			if err := unix.Setpriority(unix.PRIO_PROCESS, 0, nice); err != nil {
				return err
			}
			defer func() { _ = unix.Setpriority(unix.PRIO_PROCESS, 0, 0) }() // root may
		}
		return cmd.Start()
	})
	if err != nil {
		return nil, fmt.Errorf("start %s in %s: %w", filepath.Base(cmd.Path), node, err)
	}
	p := &Process{Node: node, Log: log, cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	w.mu.Lock()
	w.processes = append(w.processes, p)
	w.mu.Unlock()
	return p, nil
}

// Kill ends the process and all it has started, and waits for it.
func (p *Process) Kill() {
	unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL)
	<-p.done
}

// Wait waits for the process to end.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}
