package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"gslb/dataplane/hostnet"
	"gslb/dataplane/ipvs"
	"gslb/health"
	"gslb/internal/cli"
	"gslb/internal/local"
	"gslb/tiers"
	"gslb/topology"
	"gslb/vrrp"
)

// A left is what the director of this host leaves behind in its state folder,
// as far as a plan goes by it.
type left struct {
	Node     string       `json:"node"`
	VIPs     []netip.Addr `json:"vips"`
	Marks    []uint32     `json:"marks"`
	Timeouts struct {
		TCP    int64 `json:"tcp_seconds"`
		TCPFin int64 `json:"tcp_fin_seconds"`
		UDP    int64 `json:"udp_seconds"`
	} `json:"timeouts_before"`
}

func readLeft(dir string) (left, error) {
	var l left
	path := filepath.Join(dir, "director.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &l)
	}
	if err != nil {
		return l, fmt.Errorf("read the director's state %s: %w", path, err)
	}
	return l, nil
}

// A livePlan is what a director would change on this host now, and its own
// JSON form.
type livePlan struct {
	FormatVersion int          `json:"format_version"`
	Node          string       `json:"node"`
	Host          []string     `json:"host"`
	Timeouts      []string     `json:"timeouts"`
	Table         []liveChange `json:"table"`
	Foreign       int          `json:"foreign_services"` // which stay as they are
	Running       bool         `json:"director_running"` // whose checks and overrides count
	Assumed       int          `json:"assumed_up"`       // destinations that nobody has checked
}

type liveChange struct {
	Change      string `json:"change"` // "add", "edit" or "delete"
	Service     string `json:"service"`
	Destination string `json:"destination,omitempty"`
	Text        string `json:"text"`
}

// decide fills in what follows from the kernel's table and what is known of who
// is up; running says that a director does.
func (p *livePlan) decide(topo *topology.Topology, self *topology.Director, have tiers.Table, l left, in tiers.Inputs, running bool) {
	p.FormatVersion, p.Node, p.Running = 1, self.ID, running
	ground := tiers.Prepare(topo, self)
	view := health.View{}
	for _, probe := range ground.Probes {
		state := in.View[probe.Target]
		if !state.Known {
			state = health.State{Known: true, Up: true}
			p.Assumed++
		}
		view[probe.Target] = state
	}
	in.View = view
	owner := tiers.Owner{VIPs: map[netip.Addr]bool{}, Marks: map[uint32]bool{}}
	for _, vip := range l.VIPs {
		owner.VIPs[vip] = true
	}
	for _, mark := range l.Marks {
		owner.Marks[mark] = true
	}
	owner = owner.With(ground.Owner)
	for _, s := range have.Services {
		if !owner.Owns(s.Key) {
			p.Foreign++
		}
	}
	p.Table = []liveChange{}
	for _, c := range tiers.Diff(have, ground.Decide(in).Table, owner) {
		x := liveChange{Service: c.Service.Key.String(), Text: c.String()}
		switch c.Op {
		case tiers.AddService, tiers.AddDestination:
			x.Change = "add"
		case tiers.DeleteService, tiers.DeleteDestination:
			x.Change = "delete"
		default:
			x.Change = "edit"
		}
		if c.Destination.Addr.IsValid() {
			x.Destination = c.Destination.Addr.String()
		}
		p.Table = append(p.Table, x)
	}
}

// settle fills in the time-outs that change: those that the file names, and
// those back that it names no more.
func (p *livePlan) settle(want topology.Timeouts, have ipvs.Timeouts, l left) {
	p.Timeouts = []string{}
	for _, x := range []struct {
		name       string
		want, have time.Duration
		before     int64
	}{
		{"tcp", want.TCP, have.TCP, l.Timeouts.TCP},
		{"tcp_fin", want.TCPFin, have.TCPFin, l.Timeouts.TCPFin},
		{"udp", want.UDP, have.UDP, l.Timeouts.UDP},
	} {
		if to := cmp.Or(x.want, time.Duration(x.before)*time.Second); to != 0 && to != x.have {
			p.Timeouts = append(p.Timeouts, fmt.Sprintf("timeout %s = %v, now %v", x.name, to, x.have))
		}
	}
}

func (p *livePlan) changes() int { return len(p.Host) + len(p.Timeouts) + len(p.Table) }

// text is the plan for people.
func (p *livePlan) text(out io.Writer) {
	switch n := p.changes(); n {
	case 0:
		fmt.Fprintf(out, "%s: nothing changes on this host.\n", p.Node)
	case 1:
		fmt.Fprintf(out, "%s: 1 change on this host.\n", p.Node)
	default:
		fmt.Fprintf(out, "%s: %d changes on this host.\n", p.Node, n)
	}
	if len(p.Host)+len(p.Timeouts) > 0 {
		fmt.Fprintln(out, "\nhost")
		for _, line := range append(p.Host[:len(p.Host):len(p.Host)], p.Timeouts...) {
			fmt.Fprintln(out, "  "+line)
		}
	}
	if len(p.Table) > 0 {
		fmt.Fprintln(out, "\ntable")
		for _, c := range p.Table {
			fmt.Fprintln(out, "  "+c.Text)
		}
	}
	var notes []string
	if p.Foreign > 0 {
		notes = append(notes, fmt.Sprintf("%d foreign services in the kernel stay as they are", p.Foreign))
	}
	switch {
	case !p.Running:
		notes = append(notes, "no director runs here: all destinations are taken to be up, and nobody to have said otherwise")
	case p.Assumed > 0:
		notes = append(notes, fmt.Sprintf("%d checks are not made by the director that runs here: what they look at is taken to be up", p.Assumed))
	}
	if len(notes) > 0 {
		fmt.Fprintln(out)
		for _, n := range notes {
			fmt.Fprintln(out, "note: "+n)
		}
	}
}

// planLive plans what 'director run' would change on this host now.
func planLive(cmd *cobra.Command, in *cli.Inputs, paths []string, node, dir string, asJSON bool) (*livePlan, error) {
	l, err := readLeft(dir)
	if err != nil {
		return nil, err
	}
	if node = cmp.Or(node, l.Node); node == "" {
		return nil, cli.Usagef("--node is missing, and no director has run here whose node it could be: the address of this host's director in the file")
	}
	topo, err := topologyOf(cmd, in, paths, asJSON)
	if err != nil {
		return nil, err
	}
	self, ok := topo.Director(node)
	if !ok {
		var have []string
		for _, d := range topo.Directors {
			have = append(have, d.ID)
		}
		return nil, cli.NoNode(node, "director", have)
	}
	plane, err := ipvs.Open()
	if err != nil {
		return nil, err
	}
	defer plane.Close()
	have, err := plane.Table(cmd.Context())
	if err != nil {
		return nil, err
	}
	timeouts, err := plane.Timeouts()
	if err != nil {
		return nil, err
	}
	var inputs tiers.Inputs
	said, err := local.AskDaemon(cmd.Context(), filepath.Join(dir, "director.sock"), "director", map[string]any{"format_version": 1, "command": "inputs"})
	if err == nil {
		inputs, err = tiers.ReadInputs(said, time.Now())
	}
	running := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(cmd.ErrOrStderr(), "gslb: %v\n", err)
	}
	p := &livePlan{Host: []string{}}
	p.decide(topo, self, have, l, inputs, running)
	p.settle(self.Timeouts, timeouts, l)
	want := tiers.DirectorHost(topo, self)
	now, err := held(topo, self)
	if err != nil {
		return nil, err
	}
	want.Addresses = append(want.Addresses, now...)
	changes, err := hostnet.Plan(want, filepath.Join(dir, "host.json"))
	if err != nil {
		return nil, fmt.Errorf("look at this host: %w", err)
	}
	p.Host = append(p.Host, changes...)
	return p, nil
}

// held are the addresses of pairs that this host has: which member has them is
// no matter of the file.
func held(topo *topology.Topology, self *topology.Director) ([]tiers.Address, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the interfaces of this host: %w", err)
	}
	ours := map[netip.Addr]bool{}
	for _, f := range topo.Failovers {
		if slices.Contains(f.Members, self) {
			ours[vrrp.LinkLocal(f.RouterID)] = true
			for _, a := range f.Moves() {
				ours[a] = true
			}
		}
	}
	var out []tiers.Address
	for _, dev := range list {
		have, err := dev.Addrs()
		if err != nil {
			continue // it has gone since
		}
		for _, a := range have {
			if p, err := netip.ParsePrefix(a.String()); err == nil && ours[p.Addr().Unmap()] {
				out = append(out, tiers.Address{Addr: p.Addr().Unmap(), Link: tiers.Link{Name: dev.Name}})
			}
		}
	}
	return out, nil
}
