package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gslb/dnsserver"
	"gslb/explain"
	"gslb/internal/cli"
	"gslb/internal/local"
	"gslb/internal/near"
	"gslb/steering"
	"gslb/steering/geo"
	"gslb/topology"
)

func explainCmd() *cobra.Command {
	var client, resolver, typ, flow, socket string
	var want supposed
	var live bool
	var in cli.Inputs
	var asJSON, ecs bool
	cmd := &cobra.Command{
		Use:   "explain NAME [PATH...] --client IP",
		Short: "Say why a name gets its answer, and which way the packets take",
		Long: `Say what each step of a name's policy does, which answer the name server gives,
and which way a client's packets then take, tier by tier to the real servers.
It asks the functions that the name server and the directors run. Only the files
are read, and everything in them is taken to be up but for what --down, --state
and --live say.

NAME may be relative to a zone of the file. Where there is no such name, that is
explained too, and the exit code is 1. PATHs are one topology; without one
it is the current directory.

--down takes the address of a region, network, nameserver, director, failover,
farm, server, virtual_service or answer, as it is in the file; quotes may be
left to the shell. What is in it is down too, and what depends on it is worked
out. A label alone means all its instances.

--state takes a JSON file with the same and with results of single checks:

  {"format_version": 1,
   "down": ["director.nat[\"eu1\"]"],
   "targets": [{"check": "check.web", "address": "192.0.2.5:80", "up": false}]}

A target that is checked through its VIP also has "via", the destination.

Or it takes what 'gslb status --json' has printed; --live asks for that itself.
Then it says what that gslb serve answered at that moment: who was up, what
operators had drained or disabled, slow start, agents, what was held down and
what was stale. The files must be those that it goes by. --down goes before it.

Steps that look at where the client is go by what the name server knows: the
address that asks, which is the resolver's with --resolver, or the client's
network if the resolver tells it (--ecs). The databases of the geoip block are
read from where the file says; without them clients are from nowhere.

With --flow no name is asked for: it says where the packets of one flow go. At
each tier of scheduler mh or sh that is the very destination, by the tables of a
director that has started with everything up; of others, which go by what is
connected at the moment, it gives the shares. A client that persistence keeps,
and a flow that is under way, stay where they are. tcp/VIP:PORT and udp/VIP:PORT
tell protocols apart where a port has both.`,
		Example: `  gslb explain www.g.shop.example shop.hcl --client 203.0.113.9
  gslb explain www shop.hcl --client 2001:db8::9 --resolver 198.51.100.99
  gslb explain www shop.hcl --client 203.0.113.9 --resolver 198.51.100.99 --ecs
  gslb explain www shop.hcl --client 203.0.113.9 --down region.us --down 'farm.web["eu1"]'
  gslb explain www /etc/gslb --client 203.0.113.9 --live
  gslb status --json > now.json; gslb explain www shop.hcl --client 203.0.113.9 --state now.json
  gslb explain --flow 203.0.113.9:40000 192.0.2.5:80 shop.hcl`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if live || cmd.Flags().Changed("socket") {
				want.socket = socket
			}
			if flow != "" {
				for _, other := range []string{"client", "type", "resolver", "ecs", "live", "socket"} {
					if cmd.Flags().Changed(other) {
						return cli.Usagef("--%s is of a name that is asked for; with --flow there is none", other)
					}
				}
				state, err := want.state(cmd.Context())
				if err != nil {
					return err
				}
				return explainFlow(cmd, &in, flow, args, state, asJSON)
			}
			q := explain.Question{Type: strings.ToUpper(typ), ECS: ecs}
			var err error
			if client == "" {
				return cli.Usagef("explain %s: say for whom: --client IP, as in --client 203.0.113.9", args[0])
			}
			if q.Client, err = clientAddr("--client", client); err != nil {
				return err
			}
			if resolver != "" {
				if q.Resolver, err = clientAddr("--resolver", resolver); err != nil {
					return err
				}
			}
			if q.Type == "" {
				q.Type = "A"
				if q.Client.Is6() {
					q.Type = "AAAA"
				}
			}
			if !dnsserver.IsType(q.Type) {
				help := "want a record type, as in AAAA, TXT or TYPE65280"
				if word := near.Word(q.Type, dnsserver.Types()); word != "" {
					help = "did you mean " + word + "?"
				}
				return cli.Usagef("--type %s: there is no such record type; %s", typ, help)
			}
			state, err := want.state(cmd.Context())
			if err != nil {
				return err
			}
			topo, err := topologyOf(cmd, &in, here(args[1:]), asJSON)
			if err != nil {
				return err
			}
			if q.Name, err = explain.Absolute(topo, args[0]); err != nil {
				return fmt.Errorf("explain %w", err)
			}
			if files := geoFiles(topo); files.Is() {
				if m, err := geo.Load(files); err != nil {
					fmt.Fprintf(cmd.ErrOrStderr(), "gslb: %v; every client is taken to be from nowhere\n", err)
				} else {
					state.Map = m
				}
			}
			server, err := nameServer(topo)
			if err != nil {
				return fmt.Errorf("explain %s: %w", q.Name, err)
			}
			x, err := explain.Explain(topo, q, state, server)
			if err != nil {
				return fmt.Errorf("explain %s: %w", q.Name, err)
			}
			if asJSON {
				err = encode(cmd.OutOrStdout(), x)
			} else {
				_, err = fmt.Fprint(cmd.OutOrStdout(), x.Text(explainPaint(cmd.OutOrStdout())))
			}
			if missing := x.Missing(); err == nil && missing != "" {
				return fmt.Errorf("explain %s: %s", args[0], missing)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&client, "client", "", "the `IP` address of who wants to know")
	cmd.Flags().StringVar(&flow, "flow", "", "say where a flow from `CLIENT:PORT` goes; the argument is the VIP:PORT that it goes to")
	cmd.Flags().StringVar(&typ, "type", "", "record `TYPE` to ask for: A, AAAA, HTTPS, SRV or any other (default: that of the client's address)")
	cmd.Flags().StringVar(&resolver, "resolver", "", "the `IP` address that the question comes from, which then counts as the client's place (default: the client's)")
	cmd.Flags().BoolVar(&ecs, "ecs", false, "the resolver tells the client's network (ECS): that counts")
	cmd.Flags().StringArrayVar(&want.down, "down", nil, "take the object with this `ADDR` for dead (repeatable)")
	cmd.Flags().StringVar(&want.path, "state", "", "read who is up from this JSON `FILE`, a state file or what gslb status --json has printed")
	cmd.Flags().BoolVar(&live, "live", false, "ask the gslb serve of this machine what it knows, and say what it answers now")
	cmd.Flags().StringVar(&socket, "socket", standardSocket, "`PATH` of the socket of the gslb serve to ask (with --live, or in its place)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write the explanation as JSON")
	in.Flags(cmd)
	return cmd
}

// explainFlow says where a flow goes.
func explainFlow(cmd *cobra.Command, in *cli.Inputs, client string, args []string, state explain.State, asJSON bool) error {
	var f explain.Flow
	var err error
	if f.Client, err = netip.ParseAddrPort(client); err != nil || f.Client.Addr().Zone() != "" || f.Client.Port() == 0 {
		return cli.Usagef("--flow %s: want a client's address and port, as in 203.0.113.9:40000 or [2001:db8::9]:40000", client)
	}
	virtual := args[0]
	if proto, rest, ok := strings.Cut(virtual, "/"); ok {
		if f.Proto, err = topology.ParseProto(proto); err == nil {
			virtual = rest
		}
	}
	if f.Virtual, err = netip.ParseAddrPort(virtual); err != nil || f.Virtual.Addr().Zone() != "" || f.Virtual.Port() == 0 {
		return cli.Usagef("%s: want a VIP and port, as in 192.0.2.5:80, udp/192.0.2.5:53 or [2001:db8::5]:443", args[0])
	}
	f.Client = netip.AddrPortFrom(f.Client.Addr().Unmap(), f.Client.Port())
	f.Virtual = netip.AddrPortFrom(f.Virtual.Addr().Unmap(), f.Virtual.Port())
	topo, err := topologyOf(cmd, in, here(args[1:]), asJSON)
	if err != nil {
		return err
	}
	x, err := explain.ExplainFlow(topo, f, state)
	if err != nil {
		return fmt.Errorf("explain the flow to %s: %w", args[0], err)
	}
	if asJSON {
		return encode(cmd.OutOrStdout(), x)
	}
	_, err = fmt.Fprint(cmd.OutOrStdout(), x.Text(explainPaint(cmd.OutOrStdout())))
	return err
}

// encode writes an explanation as JSON.
func encode(w io.Writer, x any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false) // arrows stay readable
	return out.Encode(x)
}

// A supposed state is what the flags ask for.
type supposed struct {
	path   string   // of a file; "": none
	socket string   // of a gslb serve that is asked; "": none
	down   []string // beside it
}

func (w *supposed) state(ctx context.Context) (explain.State, error) {
	var state explain.State
	var err error
	switch {
	case w.path != "" && w.socket != "":
		return state, cli.Usagef("--state is a file and --live asks gslb serve: say one of them")
	case w.path != "":
		state, err = stateFile(w.path)
	case w.socket != "":
		var said []byte
		if said, err = local.AskDaemon(ctx, w.socket, "gslb serve", request{FormatVersion: 1, Command: "status"}); err == nil {
			if state.Seen, err = readSeen(said); err != nil {
				err = fmt.Errorf("read the status of gslb serve: %w", err)
			}
		}
	}
	state.Down = append(state.Down, w.down...)
	return state, err
}

func clientAddr(flag, given string) (netip.Addr, error) {
	a, err := netip.ParseAddr(given)
	if err != nil || a.Zone() != "" {
		return a, cli.Usagef("%s %s: want an IP address, as in 203.0.113.9 or 2001:db8::9", flag, given)
	}
	return a.Unmap(), nil
}

// stateFile reads a state file, but never more of it than a state may have.
func stateFile(path string) (explain.State, error) {
	f, err := os.Open(path)
	if err != nil {
		return explain.State{}, fmt.Errorf("read state: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, explain.MaxState+1))
	if err != nil {
		return explain.State{}, fmt.Errorf("read state: %w", err)
	}
	state, err := readState(text)
	if err != nil {
		return explain.State{}, fmt.Errorf("read state %s: %w", path, err)
	}
	return state, nil
}

// nameServer answers as gslb serve does with the zones of topo. The serial
// number of its zones is 0: the real one is a time.
func nameServer(topo *topology.Topology) (explain.Server, error) {
	if len(topo.Zones) == 0 {
		return nil, errors.New("the topology has no zone: there is nothing to answer")
	}
	_, zones, err := zoneFiles{}.compile(topo, 0, nil)
	if err != nil {
		return nil, err
	}
	return func(table *steering.Table, client netip.Addr, name, typ string, u uint64) (explain.Reply, error) {
		told, err := dnsserver.NewTable(zones, table).Tell(client, name, typ, u)
		if err != nil {
			return explain.Reply{}, err
		}
		return explain.Reply{
			Rcode: told.Rcode, Authoritative: told.Authoritative, Name: told.Name, Zone: told.Zone, Domain: told.Domain,
			Answer: saidRecords(told.Answer), Authority: saidRecords(told.Authority), Additional: saidRecords(told.Additional), Scope: told.Scope,
			Error: (*explain.ExtendedError)(told.Error),
		}, nil
	}, nil
}

func saidRecords(list []dnsserver.Record) []explain.Record {
	var out []explain.Record
	for _, r := range list {
		out = append(out, explain.Record(r))
	}
	return out
}

func explainPaint(w io.Writer) explain.Paint {
	if !cli.Colour(w) {
		return explain.Paint{}
	}
	with := func(code string) func(string) string {
		return func(s string) string { return "\x1b[" + code + "m" + s + "\x1b[0m" }
	}
	return explain.Paint{Head: with("1"), Bad: with("31"), Dim: with("2")}
}
