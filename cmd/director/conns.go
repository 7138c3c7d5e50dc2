package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gslb/dataplane/ipvs"
	"gslb/internal/cli"
	"gslb/internal/local"
	"gslb/topology"
)

// bookWait bounds the wait for a director that is asked for names only.
const bookWait = 2 * time.Second

func connsCmd(open opener) *cobra.Command {
	var vip, to, client, state, socket string
	var limit int
	var templates, count, asJSON bool
	c := &cobra.Command{
		Use:   "conns",
		Short: "Show the kernel's connections",
		Long: `Show the connections of this host's kernel: who is connected to which virtual
service, where that goes, in which state it is and when it is forgotten unless a
packet comes. They are read one by one, so a table of millions does no harm.

--templates shows what persistence remembers of clients instead: the
destination that their next connections go to.

With --count the connections of each destination are counted, all of them.

Where a director runs its objects are named.`,
		Example: `  director conns --to 10.1.0.10
  director conns --vip 192.0.2.5:80 --client 203.0.113.0/24 --state established
  director conns --count`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f := filter{state: strings.ToUpper(state), templates: templates, both: count && !templates}
			var err error
			for _, x := range []struct {
				flag, given string
				into        *place
			}{{"vip", vip, &f.vip}, {"to", to, &f.to}, {"client", client, &f.client}} {
				if *x.into, err = parsePlace(x.flag, x.given); err != nil {
					return err
				}
			}
			if limit < 0 {
				return cli.Usagef("--limit %d: want how many to print, 0 for all", limit)
			}
			k, err := open()
			if err != nil {
				return err
			}
			defer k.Close()
			v := connsView{out: c.OutOrStdout(), names: namesOf(c.Context(), socket), limit: limit, asJSON: asJSON}
			if count {
				return v.count(f.of(k.Conns(c.Context())))
			}
			return v.list(f.of(k.Conns(c.Context())))
		},
	}
	c.Flags().StringVar(&vip, "vip", "", "only those to this `ADDR`, with or without a port, or to a prefix")
	c.Flags().StringVar(&to, "to", "", "only those that go to this destination: an `ADDR`, with or without a port, or a prefix")
	c.Flags().StringVar(&client, "client", "", "only those from this `ADDR`, with or without a port, or from a prefix")
	c.Flags().StringVar(&state, "state", "", "only those in this `STATE`: established, syn_recv, fin_wait, time_wait, udp ...")
	c.Flags().BoolVar(&templates, "templates", false, "what persistence remembers instead of connections")
	c.Flags().BoolVar(&count, "count", false, "count them by destination")
	c.Flags().IntVar(&limit, "limit", 1000, "print `N` at most; 0: all")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	socketFlag(c, &socket)
	return c
}

// namesOf asks the director for the file's names; without one there are none.
func namesOf(ctx context.Context, socket string) book {
	ctx, cancel := context.WithTimeout(ctx, bookWait)
	defer cancel()
	var s statusJSON
	data, err := local.AskDaemon(ctx, socket, daemonName, request{FormatVersion: 1, Command: "status"})
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return book{}
	}
	return s.book()
}

// A place is addresses that are asked for; the zero place is all.
type place struct {
	prefix netip.Prefix
	port   uint16 // 0: all
}

func parsePlace(flag, given string) (place, error) {
	if given == "" {
		return place{}, nil
	}
	if at, err := netip.ParseAddrPort(given); err == nil {
		return place{netip.PrefixFrom(at.Addr(), at.Addr().BitLen()), at.Port()}, nil
	}
	if p, err := netip.ParsePrefix(given); err == nil {
		return place{prefix: p.Masked()}, nil
	}
	if a, err := netip.ParseAddr(given); err == nil {
		return place{prefix: netip.PrefixFrom(a, a.BitLen())}, nil
	}
	return place{}, cli.Usagef("--%s %s: want an address as in 192.0.2.5 or [2001:db8::5]:80, or a prefix", flag, given)
}

func (p place) has(at netip.AddrPort) bool {
	return !p.prefix.IsValid() || p.prefix.Contains(at.Addr()) && (p.port == 0 || p.port == at.Port())
}

// A filter is which connections are asked for.
type filter struct {
	vip, to, client place
	state           string // upper case; "": all
	templates       bool   // these and no connections
	both            bool
}

func (f filter) has(c ipvs.Conn) bool {
	return (f.both || c.Template == f.templates) && (f.state == "" || f.state == c.State) &&
		f.vip.has(c.Virtual) && f.to.has(c.Destination) && f.client.has(c.Client)
}

// of are those of the connections that are asked for.
func (f filter) of(all iter.Seq2[ipvs.Conn, error]) iter.Seq2[ipvs.Conn, error] {
	return func(yield func(ipvs.Conn, error) bool) {
		for c, err := range all {
			if (err != nil || f.has(c)) && !yield(c, err) {
				return
			}
		}
	}
}

// A connsView is how connections are printed.
type connsView struct {
	out    io.Writer
	names  book
	limit  int
	asJSON bool
}

type connJSON struct {
	Protocol    string         `json:"protocol"` // "tcp", "udp", or "" of a template of a service by mark
	Client      netip.AddrPort `json:"client"`
	Virtual     netip.AddrPort `json:"virtual"`
	Destination netip.AddrPort `json:"destination"`
	State       string         `json:"state"`
	Expires     int64          `json:"expires_seconds"`
	Template    bool           `json:"template"`
	Engine      string         `json:"persistence_engine,omitempty"`
	ID          string         `json:"persistence_id,omitempty"`
	Object      string         `json:"object,omitempty"`
}

func proto(p topology.Proto) string {
	if p == topology.NoProto {
		return ""
	}
	return p.String()
}

// errEnough ends a listing at its limit.
var errEnough = errors.New("there are more")

// chunk is how many lines are aligned with each other.
const chunk = 1000

// list prints connections as they come, and says at the limit that there are more.
func (v connsView) list(conns iter.Seq2[ipvs.Conn, error]) error {
	n := 0
	var failed error
	rows := [][]string{{"proto", "client", "virtual", "destination", "state", "expires", "object"}}
	if v.asJSON {
		fmt.Fprint(v.out, "{\"format_version\": 1, \"connections\": [")
	}
	for c, err := range conns {
		if err == nil && v.limit > 0 && n == v.limit {
			err = errEnough
		}
		if err != nil {
			failed = err
			break
		}
		object := v.names.of(c.Destination)
		if v.asJSON {
			data, err := json.Marshal(connJSON{
				proto(c.Proto), c.Client, c.Virtual, c.Destination, c.State, int64(c.Expires / time.Second), c.Template, c.Engine, c.ID, object,
			})
			if err != nil {
				return err
			}
			if n > 0 {
				fmt.Fprint(v.out, ",")
			}
			fmt.Fprintf(v.out, "\n  %s", data)
		} else {
			rows = append(rows, []string{
				cmp.Or(proto(c.Proto), "any"), c.Client.String(), c.Virtual.String(), c.Destination.String(), strings.ToLower(c.State), cli.Age(c.Expires), object,
			})
		}
		if n++; len(rows) > chunk {
			cli.Table(v.out, "", rows)
			rows = nil
		}
	}
	more := errors.Is(failed, errEnough)
	if v.asJSON {
		fmt.Fprintf(v.out, "\n], \"shown\": %d, \"more\": %t}\n", n, more)
	} else {
		if n == 0 && failed == nil {
			rows = [][]string{{"no connections"}}
		}
		cli.Table(v.out, "", rows)
		if more {
			fmt.Fprintf(v.out, "and more: --limit 0 shows all\n")
		}
	}
	if more {
		return nil
	}
	return failed
}

// A tally is how many connections go from a virtual service to a destination.
type tally struct {
	Protocol    string         `json:"protocol"`
	Virtual     netip.AddrPort `json:"virtual"`
	Destination netip.AddrPort `json:"destination"`
	Connections int            `json:"connections"`
	Established int            `json:"established"` // of these
	Templates   int            `json:"templates"`
	Object      string         `json:"object,omitempty"`
}

// count prints how many there are.
func (v connsView) count(conns iter.Seq2[ipvs.Conn, error]) error {
	type pair struct {
		proto       topology.Proto
		virtual, to netip.AddrPort
	}
	tallies := map[pair]*tally{}
	for c, err := range conns {
		if err != nil {
			return err
		}
		key := pair{c.Proto, c.Virtual, c.Destination}
		t := tallies[key]
		if t == nil {
			t = &tally{Protocol: proto(c.Proto), Virtual: c.Virtual, Destination: c.Destination, Object: v.names.of(c.Destination)}
			tallies[key] = t
		}
		switch {
		case c.Template:
			t.Templates++
		case c.State == "ESTABLISHED":
			t.Established++
			fallthrough
		default:
			t.Connections++
		}
	}
	list := make([]tally, 0, len(tallies))
	for _, t := range tallies {
		list = append(list, *t)
	}
	slices.SortFunc(list, func(a, b tally) int {
		return cmp.Or(a.Virtual.Compare(b.Virtual), cmp.Compare(a.Protocol, b.Protocol), a.Destination.Compare(b.Destination))
	})
	more := 0
	if v.limit > 0 && len(list) > v.limit {
		more = len(list) - v.limit
		list = list[:v.limit]
	}
	if v.asJSON {
		out := json.NewEncoder(v.out)
		out.SetIndent("", "  ")
		return out.Encode(map[string]any{"format_version": 1, "destinations": list, "more": more})
	}
	if len(list) == 0 {
		fmt.Fprintln(v.out, "no connections")
		return nil
	}
	rows := [][]string{{"proto", "virtual", "destination", "connections", "established", "templates", "object"}}
	for _, t := range list {
		rows = append(rows, []string{
			cmp.Or(t.Protocol, "any"), t.Virtual.String(), t.Destination.String(), strconv.Itoa(t.Connections), strconv.Itoa(t.Established), strconv.Itoa(t.Templates), t.Object,
		})
	}
	cli.Table(v.out, "", rows)
	if more > 0 {
		fmt.Fprintf(v.out, "and %d more: --limit 0 shows all\n", more)
	}
	return nil
}
