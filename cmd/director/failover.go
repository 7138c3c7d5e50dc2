package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gslb/internal/cli"
	"gslb/internal/local"
	"gslb/internal/near"
	"gslb/topology"
	"gslb/vrrp"
)

func failoverCmd() *cobra.Command {
	var to, socket string
	var back, asJSON bool
	c := &cobra.Command{
		Use:   "failover PAIR",
		Short: "Move the VIPs of a failover pair to another member",
		Long: `Give up the VIPs of a pair, so that another member takes them over at once. PAIR
is the address of a failover block that this host's director is a member of.

--to names the member that is to have them: this one takes them over, whatever
the order of the pair; another one gets them when this one has them and the pair
has two members. --back leaves it to the order of the pair again.

It is said to the director of this host alone and lasts until --back, over
restarts too; what it gave up it takes over only when nobody else does.`,
		Example: `  director failover failover.front
  director failover failover.front --to 'director.front["b"]'
  director failover failover.front --back`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if back && to != "" {
				return cli.Usagef("--to and --back say two things")
			}
			r := request{FormatVersion: 1, Command: "failover", Object: args[0], Mode: vrrp.Yield.String(), To: to}
			if back {
				r.Mode = vrrp.Free.String()
			}
			data, err := local.AskDaemon(c.Context(), socket, daemonName, r)
			if err != nil {
				return err
			}
			if asJSON {
				_, err := c.OutOrStdout().Write(data)
				return err
			}
			var m moveJSON
			if err := json.Unmarshal(data, &m); err != nil {
				return fmt.Errorf("read the reply: %w", err)
			}
			m.text(c.OutOrStdout())
			return nil
		},
	}
	c.Flags().StringVar(&to, "to", "", "the `MEMBER` that is to have the VIPs")
	c.Flags().BoolVar(&back, "back", false, "leave it to the order of the pair again")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	socketFlag(c, &socket)
	return c
}

// A moveJSON is the reply to a move.
type moveJSON struct {
	FormatVersion int    `json:"format_version"`
	Pair          string `json:"pair"`
	Node          string `json:"node"`
	Will          string `json:"will"` // "free", "yield" or "claim"
	Role          string `json:"role"` // now
	RoleBefore    string `json:"role_before"`
}

func (m moveJSON) text(out io.Writer) {
	switch {
	case m.Will == vrrp.Free.String():
		fmt.Fprintf(out, "%s: the order of its members decides again; %s is %s.\n", m.Pair, m.Node, m.Role)
	case m.Will == vrrp.Yield.String() && m.RoleBefore == vrrp.Active.String():
		fmt.Fprintf(out, "%s: %s has given up the VIPs; another member takes them over.\n", m.Pair, m.Node)
	case m.Will == vrrp.Yield.String():
		fmt.Fprintf(out, "%s: %s did not have the VIPs; it takes them over only when nobody else does.\n", m.Pair, m.Node)
	case m.RoleBefore == vrrp.Active.String():
		fmt.Fprintf(out, "%s: %s has the VIPs, and keeps them.\n", m.Pair, m.Node)
	default:
		fmt.Fprintf(out, "%s: %s takes the VIPs over.\n", m.Pair, m.Node)
	}
}

// move does what an operator says of a pair.
func (d *daemon) move(c call) {
	r := c.request
	p, why := d.pairs.named(r.Object)
	if p == nil {
		c.reply <- local.Refuse("%s", why)
		return
	}
	f := p.failover()
	was := p.member.Status().Router.State.Role
	var will vrrp.Will
	if err := will.UnmarshalText([]byte(r.Mode)); err != nil {
		c.reply <- local.Refuse("mode: %v", err)
		return
	}
	if r.To != "" {
		i := slices.IndexFunc(f.Members, func(m *topology.Director) bool { return topology.Means(r.To, m.ID) })
		switch {
		case i < 0:
			c.reply <- local.Refuse("%s is no member of %s: it has %s", r.To, f.ID, members(f))
			return
		case f.Members[i] == d.self:
			will = vrrp.Claim
		case was != vrrp.Active:
			c.reply <- local.Refuse("%s does not have the VIPs of %s; say it at %s", d.self.ID, f.ID, f.Members[i].ID)
			return
		case len(f.Members) > 2:
			c.reply <- local.Refuse("%s has %d members, and the first of the others would take over; say it at %s", f.ID, len(f.Members), f.Members[i].ID)
			return
		}
	}
	p.member.Tell(vrrp.Move{To: will})
	d.log.Warn("an operator moves a pair", "pair", f.ID, "will", will, "by", c.peer.String())
	d.pairs.keep()
	c.reply <- moveJSON{
		FormatVersion: 1, Pair: f.ID, Node: d.self.ID, Will: will.String(),
		Role: p.member.Status().Router.State.Role.String(), RoleBefore: was.String(),
	}
}

// members of a pair in a sentence.
func members(f *topology.Failover) string {
	var ids []string
	for _, m := range f.Members {
		ids = append(ids, m.ID)
	}
	return strings.Join(ids, ", ")
}

// named is the pair with an address, or why there is none.
func (ps *pairs) named(id string) (*pair, string) {
	var have []string
	for has, p := range ps.all {
		if topology.Means(id, has) {
			return p, ""
		}
		have = append(have, has)
	}
	slices.Sort(have)
	switch {
	case len(have) == 0:
		return nil, "this director is a member of no failover pair"
	case near.Word(id, have) != "":
		return nil, fmt.Sprintf("this director is no member of %s; did you mean %s?", id, near.Word(id, have))
	}
	return nil, fmt.Sprintf("this director is no member of %s; it is of %s", id, strings.Join(have, ", "))
}

// A pairJSON is this director's part in a pair.
type pairJSON struct {
	Pair     string    `json:"pair"`
	VIPs     []string  `json:"vips"`
	Address  []string  `json:"address"` // where the tier before sends
	Inside   []string  `json:"inside"`  // the gateway of farms
	Role     string    `json:"role"`    // "active", "backup" or "init": not fit
	Since    time.Time `json:"since"`
	Why      string    `json:"why"`
	Held     bool      `json:"held"`     // the host has the VIPs
	Priority int       `json:"priority"` // 0: not fit
	Will     string    `json:"will"`     // of an operator: "free", "yield" or "claim"
	Ready    bool      `json:"ready"`    // to take over from a member that lives
	Peer     *peerJSON `json:"peer,omitempty"`
	Heard    uint64    `json:"heard"`   // advertisements
	Refused  uint64    `json:"refused"` // but for those of other virtual routers
	Members  []string  `json:"members"`
	// Peers are the other members that have ever been heard; who is backup says
	// nothing.
	Peers  []peerJSON  `json:"peers"`
	Tracks []trackJSON `json:"tracks"`
	Flaps  int         `json:"flaps"` // take-overs in a row that were lost again
	Hold   *time.Time  `json:"held_until,omitempty"`
	Keys   []int       `json:"keys"`           // the numbers of those that are accepted, 0: unsigned; the first signs
	Events []event     `json:"events"`         // the last 5 of the pair, the newest last
	Sync   *syncJSON   `json:"sync,omitempty"` // null: connections are not copied
}

// A trackJSON is something that the member looks at.
type trackJSON struct {
	Object  string      `json:"object"`
	Check   string      `json:"check"`
	Target  string      `json:"target"`
	State   string      `json:"state"` // "up", "down" or "unchecked"
	Since   *time.Time  `json:"since,omitempty"`
	Penalty int         `json:"penalty"` // while it is down
	Unfit   bool        `json:"unfit"`
	Last    *resultJSON `json:"last,omitempty"`
}

// A peerJSON is a member as it was heard last.
type peerJSON struct {
	Node     string    `json:"node"`
	Address  string    `json:"address"`
	Priority int       `json:"priority"` // 0: it has resigned
	At       time.Time `json:"at"`
	Heard    uint64    `json:"heard"` // from this address
}

// status of all pairs, in the order of the file.
func (d *daemon) pairStatus(now time.Time) []pairJSON {
	out := []pairJSON{}
	for _, f := range d.topo.Failovers {
		p := d.pairs.all[f.ID]
		if p == nil {
			continue
		}
		s := p.member.Status()
		st := s.Router.State
		at := func(t time.Duration) time.Time { return now.Add(t - s.Clock).UTC() }
		x := pairJSON{
			Pair: f.ID, Role: st.Role.String(), Since: at(st.Since), Why: st.Why, Held: s.Held, Priority: int(s.Router.Priority()),
			Will: st.Will.String(), Ready: !st.Waits, VIPs: texts(f.VIPs), Peers: []peerJSON{}, Tracks: []trackJSON{}, Flaps: st.Flaps,
			Keys: []int{}, Events: append([]event{}, p.events...), Address: texts(f.Addrs), Inside: []string{},
		}
		if f.Inside != nil {
			x.Inside = texts(f.Inside.Addrs)
		}
		node := func(a netip.Addr) string {
			for _, m := range f.Members {
				if m.Addrs.Has(a) || m.Inside != nil && m.Inside.Addrs.Has(a) {
					return m.ID
				}
			}
			return a.String()
		}
		for _, m := range f.Members {
			x.Members = append(x.Members, m.ID)
		}
		if st.Peer.At != 0 {
			x.Peer = &peerJSON{Node: node(st.Peer.From), Address: st.Peer.From.String(), Priority: int(st.Peer.Priority), At: at(st.Peer.At)}
		}
		for _, c := range s.Counts {
			x.Heard += c.Heard
			for reason, n := range c.Refused {
				if reason != vrrp.BadRouter { // other pairs of the segment speak too
					x.Refused += n
				}
			}
			for _, p := range c.Peers {
				x.Peers = append(x.Peers, peerJSON{Node: node(p.Addr), Address: p.Addr.String(), Priority: int(p.Priority), At: at(p.At), Heard: p.Heard})
				if x.Peer != nil && x.Peer.Address == p.Addr.String() {
					x.Peer.Heard = p.Heard
				}
			}
		}
		for _, t := range p.tracks {
			x.Tracks = append(x.Tracks, d.trackStatus(t))
		}
		if st.HeldUntil > s.Clock {
			held := at(st.HeldUntil)
			x.Hold = &held
		}
		for _, k := range s.Router.Config.Instances[0].Keys {
			x.Keys = append(x.Keys, int(k.ID))
		}
		x.Sync = d.sync.status(p, f)
		out = append(out, x)
	}
	return out
}

func (d *daemon) trackStatus(t track) trackJSON {
	s := d.view.Of(t.probe.Target)
	out := trackJSON{
		Object: t.ID, Check: checkName(t.Check), Target: t.probe.Target.Addr.String(), State: "unchecked", Since: shown(s.Since),
		Penalty: int(t.Penalty), Unfit: t.Unfit, Last: d.desk.lastOf(t.probe.Target),
	}
	if t.probe.Target.Addr.Port() == 0 {
		out.Target = t.probe.Target.Addr.Addr().String()
	}
	switch {
	case s.Known && s.Up:
		out.State = "up"
	case s.Known:
		out.State = "down"
	}
	return out
}

func texts(list []netip.Addr) []string {
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = a.String()
	}
	return out
}

// text is the pair for people.
func (x *pairJSON) text(out io.Writer, s *statusJSON, paint func(string) string) {
	addrs := slices.Concat(x.VIPs, x.Address)
	if len(x.Inside) > 0 {
		addrs = append(addrs, "gateway "+x.Inside[0])
		addrs = append(addrs, x.Inside[1:]...)
	}
	fmt.Fprintf(out, "\n%s  %s: %s for %s, %s\n", x.Pair, strings.Join(addrs, ", "), paint(x.Role), cli.Age(s.At.Sub(x.Since)), x.Why)
	notes := []string{fmt.Sprintf("priority %d of %s", x.Priority, strings.Join(x.Members, ", "))}
	if x.Role == vrrp.Active.String() && !x.Held {
		notes = append(notes, "taking the VIPs")
	}
	if x.Will != vrrp.Free.String() {
		notes = append(notes, "an operator's will: "+x.Will)
	}
	if x.Sync != nil && x.Sync.Waits != "" {
		notes = append(notes, x.Sync.Waits)
	} else if !x.Ready {
		notes = append(notes, "not ready to take over from a member that lives")
	}
	if x.Peer != nil && x.Role != vrrp.Active.String() {
		notes = append(notes, fmt.Sprintf("heard %s with priority %d %s ago", x.Peer.Node, x.Peer.Priority, cli.Age(s.At.Sub(x.Peer.At))))
	}
	if x.Hold != nil {
		notes = append(notes, fmt.Sprintf("stays away for %s after %d take-overs that did not last", cli.Age(x.Hold.Sub(s.At)), x.Flaps))
	}
	if len(x.Keys) > 0 {
		note := fmt.Sprintf("signs with key %d", x.Keys[0])
		if x.Keys[0] == 0 {
			note = "does not sign and hears what is not signed"
		} else if slices.Contains(x.Keys, 0) {
			note += " and hears what is not signed"
		}
		notes = append(notes, note)
	}
	if x.Refused > 0 {
		notes = append(notes, fmt.Sprintf("%d advertisements refused", x.Refused))
	}
	fmt.Fprintln(out, "  "+strings.Join(notes, "; "))
	x.Sync.text(out, s, paint)
	var rows [][]string
	for _, t := range x.Tracks {
		weight, reason := fmt.Sprintf("penalty %d", t.Penalty), ""
		if t.Unfit {
			weight = "unfit"
		}
		if t.Last != nil {
			reason = t.Last.Reason
		}
		rows = append(rows, []string{t.Object, paint(t.State), weight, t.Check + " of " + t.Target, reason})
	}
	cli.Table(out, "  ", rows)
	rows = nil
	for _, e := range slices.Backward(x.Events) {
		rows = append(rows, []string{cli.Age(s.At.Sub(e.At)) + " ago", e.Text})
	}
	cli.Table(out, "  ", rows)
}
