package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gslb/health"
	"gslb/internal/local"
	"gslb/internal/near"
	"gslb/tiers"
)

// handle does what a call asks for, and reports whether there is something new
// to decide from.
func (d *daemon) handle(c call) reason {
	switch c.request.Command {
	case "status":
		c.reply <- d.status(time.Now())
	case "inputs":
		c.reply <- json.RawMessage(d.inputs(time.Now()).Encode())
	case "failover":
		d.move(c)
	case "override":
		return d.override(c, time.Now())
	default:
		c.reply <- local.Refuse("this director knows no command %q", c.request.Command)
	}
	return nothing
}

// A changeJSON is the reply to an override.
type changeJSON struct {
	FormatVersion int        `json:"format_version"`
	Object        string     `json:"object"`
	Mode          string     `json:"mode"`
	Before        string     `json:"mode_before"`
	Until         *time.Time `json:"until,omitempty"`
	Deadline      *time.Time `json:"deadline,omitempty"`
	Destinations  int        `json:"destinations"` // of this director that are the object's
	Lost          []string   `json:"lost"`         // services that have no quorum by it
	NotKept       string     `json:"not_kept,omitempty"`
}

// override does what an operator says.
func (d *daemon) override(c call, now time.Time) reason {
	r := c.request
	object, ok := d.find(r.Object)
	if _, there := d.desk.overrides.Of(r.Object); !ok && there && r.Mode == health.Enabled.String() {
		object, ok = r.Object, true // of a topology before
	}
	if !ok {
		c.reply <- local.Refuse("%s", d.missing(r.Object))
		return nothing
	}
	before, after := d.desk.overrides, d.desk.overrides.Without(object)
	said := health.Override{Object: object, Reason: r.Reason, Who: c.peer.String(), Since: now}
	if r.Mode != health.Enabled.String() {
		mode, err := health.ParseMode(r.Mode)
		if err != nil {
			c.reply <- local.Refuse("mode: %v", err)
			return nothing
		}
		said.Mode, said.Until, said.Deadline = mode, in(now, r.Seconds), in(now, r.Deadline)
		if after, err = after.With(said); err != nil {
			c.reply <- local.Refuse("%v", err)
			return nothing
		}
	}
	lost, touched := d.loses(after, object, now)
	if len(lost) > 0 && !r.Force && said.Mode != health.Enabled {
		c.reply <- local.Refuse("without %s nobody new is served by %s; --force does it all the same", object, strings.Join(lost, ", "))
		return nothing
	}
	if said.Mode != health.Enabled {
		d.log.Warn("override", said.Attrs()...)
		d.desk.happened("override", strings.TrimSuffix(fmt.Sprintf("%s is %s by %s: %s", object, said.Mode, said.Who, said.Reason), ": "))
	} else if x, there := before.Of(object); there {
		d.log.Info("override is taken back", append(x.Attrs(), "by", c.peer.String())...)
		d.desk.happened("override", fmt.Sprintf("%s is enabled by %s", object, c.peer))
	}
	out := changeJSON{
		FormatVersion: 1, Object: object, Mode: after.Mode(object).String(), Before: before.Mode(object).String(),
		Destinations: touched, Lost: append([]string{}, lost...), Until: shown(said.Until), Deadline: shown(said.Deadline),
	}
	d.desk.say(after, func(err error) {
		if err != nil {
			out.NotKept = err.Error()
		}
		c.reply <- out
	})
	return decided
}

// in is a time that many seconds from now; the zero time for none.
func in(now time.Time, seconds int64) time.Time {
	const longest = int64(10 * 365 * 24 * time.Hour / time.Second)
	if seconds == 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(min(max(seconds, 0), longest)) * time.Second)
}

// shown is a time as JSON has it, nil for the zero time.
func shown(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// loses are the services that have a destination to serve new connections now
// and would have none, or no quorum, with other overrides. Touched is how many
// destinations are the object's.
func (d *daemon) loses(after health.Overrides, object string, now time.Time) (lost []string, touched int) {
	inputs := d.inputs(now)
	is := d.ground.Status(inputs)
	inputs.Overrides = after
	for i, would := range d.ground.Status(inputs) {
		for _, x := range would.Destinations {
			if x.Object == object || x.Within == object || would.ID == object {
				touched++
			}
		}
		if would.ID != object && !is[i].Lost && would.Lost && !is[i].Service.Undecided {
			name := fmt.Sprintf("%s (%s)", would.ID, would.Service.Key)
			lost = append(lost, name)
		}
	}
	if len(lost) > 5 {
		lost = append(lost[:5], fmt.Sprintf("and %d more", len(lost)-5))
	}
	return lost, touched
}

// objects are what an override can be said of here: the servers, farms and
// directors that this director forwards to, and its services.
func (d *daemon) objects() []string {
	var out []string
	for _, s := range d.ground.Status(tiers.Inputs{}) {
		out = append(out, s.ID)
		for _, x := range s.Destinations {
			out = append(out, x.Object)
			if x.Within != "" {
				out = append(out, x.Within)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// find returns the object's address as the file has it: quotes that a shell
// took away are no mistake.
func (d *daemon) find(given string) (string, bool) {
	bare := strings.NewReplacer(`"`, "", `'`, "")
	for _, a := range d.objects() {
		if a == given || bare.Replace(a) == bare.Replace(given) {
			return a, true
		}
	}
	return "", false
}

// missing is why there is no such object.
func (d *daemon) missing(given string) string {
	objects := d.objects()
	if word := near.Word(given, objects); word != "" {
		return fmt.Sprintf("%s is nothing that %s forwards to; did you mean %s?", given, d.self.ID, word)
	}
	return fmt.Sprintf("%s is nothing that %s forwards to: give a server, farm or director of it, or a virtual_service", given, d.self.ID)
}

// A statusJSON is all that can be seen of a director at one moment.
type statusJSON struct {
	FormatVersion int           `json:"format_version"`
	At            time.Time     `json:"at"`
	Node          string        `json:"node"`
	Topology      string        `json:"topology,omitempty"`
	State         string        `json:"state"`              // "forwarding", "starting" until all services are decided, or "degraded"
	Degraded      string        `json:"degraded,omitempty"` // why; a reply with "error" is a refusal
	Started       time.Time     `json:"started"`
	Generation    int           `json:"generation"`  // how many times the files were read and put in force
	DriftCount    int           `json:"drift_count"` // changes of others that were put right again
	DriftLast     *time.Time    `json:"drift_last,omitempty"`
	Pairs         []pairJSON    `json:"pairs"`
	Services      []serviceJSON `json:"services"`
	Overrides     []wordJSON    `json:"overrides"`
	Timeouts      timeoutsJSON  `json:"timeouts"`
	Events        []event       `json:"events"` // the last 20, the newest last
}

// A timeoutsJSON is how long the kernel keeps a connection that is silent.
type timeoutsJSON struct {
	span
	ByFile []string `json:"by_file"` // those that the file sets: tcp, tcp_fin, udp
}

type serviceJSON struct {
	Service string `json:"service"`
	Tier    string `json:"tier"`
	keyJSON
	Scheduler    string            `json:"scheduler"`
	State        string            `json:"state"` // "up", "down" without quorum, or "undecided" before all first checks
	Sorry        bool              `json:"sorry"` // the sorry server gets what is new
	Have         int               `json:"have"`  // destinations that take connections, or their weights
	Need         int               `json:"need"`  // of these for a quorum
	All          int               `json:"all"`
	By           string            `json:"by"` // "count" or "weight"
	Destinations []destinationJSON `json:"destinations"`
}

type keyJSON struct {
	Protocol string `json:"protocol,omitempty"`
	Address  string `json:"address,omitempty"`
	Fwmark   uint32 `json:"fwmark,omitempty"`
	Family   string `json:"family"`
}

func keyed(k tiers.Key) keyJSON {
	out := keyJSON{Fwmark: k.Mark, Family: "ipv4"}
	if k.V6 {
		out.Family = "ipv6"
	}
	if k.VIP.IsValid() {
		out.Protocol, out.Address = k.Proto.String(), k.VIP.String()
	}
	return out
}

type destinationJSON struct {
	Object   string      `json:"object"`
	Address  string      `json:"address"`
	Method   string      `json:"method"`
	State    string      `json:"state"` // "up", "down", "unchecked", "draining", "drained", "disabled" or "stands down"
	Weight   uint32      `json:"weight"`
	OfFile   uint32      `json:"weight_file"`
	Listed   bool        `json:"listed"`   // it is in the kernel's table
	Reported bool        `json:"reported"` // its weight is what it reports to be behind it
	Check    string      `json:"check,omitempty"`
	Target   string      `json:"target,omitempty"`
	Since    *time.Time  `json:"since,omitempty"`
	Streak   int         `json:"streak"` // results in a row that contradict the state
	Needed   int         `json:"needed"` // that turn it over
	Flaps    int         `json:"flaps"`
	Held     *time.Time  `json:"held_until,omitempty"`
	Factor   float64     `json:"factor"` // part of its weight, below 1 in slow start
	Last     *resultJSON `json:"last,omitempty"`
	Override string      `json:"override,omitempty"` // the object whose override counts
	Deadline *time.Time  `json:"deadline,omitempty"`
	Load     *loadJSON   `json:"connections,omitempty"` // while it drains
}

type resultJSON struct {
	At     time.Time `json:"at"`
	OK     bool      `json:"ok"`
	Reason string    `json:"reason,omitempty"`
	TookMS float64   `json:"took_ms"`
}

type loadJSON struct {
	Active     uint32 `json:"active"`
	Inactive   uint32 `json:"inactive"`
	Persistent uint32 `json:"persistent"`
}

type wordJSON struct {
	Object   string     `json:"object"`
	Mode     string     `json:"mode"`
	Reason   string     `json:"reason,omitempty"`
	Who      string     `json:"who"`
	Since    time.Time  `json:"since"`
	Until    *time.Time `json:"until,omitempty"`
	Deadline *time.Time `json:"deadline,omitempty"`
	Absent   bool       `json:"absent"` // the director forwards to no such object
}

// status says all that can be seen at time now.
func (d *daemon) status(now time.Time) statusJSON {
	out := statusJSON{
		FormatVersion: 1, At: now.UTC(), Node: d.self.ID, Topology: d.topo.Name, State: "forwarding", Degraded: d.failing,
		Started: d.desk.started.UTC(), Generation: d.generation, DriftCount: d.drifts.count, DriftLast: shown(d.drifts.last),
		Pairs: d.pairStatus(now), Services: []serviceJSON{}, Overrides: []wordJSON{}, Events: append([]event{}, d.desk.events...),
		Timeouts: timeoutsJSON{spanOf(d.timeouts), []string{}},
	}
	for _, x := range []struct {
		name string
		set  time.Duration
	}{{"tcp", d.self.Timeouts.TCP}, {"tcp_fin", d.self.Timeouts.TCPFin}, {"udp", d.self.Timeouts.UDP}} {
		if x.set != 0 {
			out.Timeouts.ByFile = append(out.Timeouts.ByFile, x.name)
		}
	}
	for _, s := range d.ground.Status(d.inputs(now)) {
		x := serviceJSON{
			Service: s.ID, Tier: s.Tier, keyJSON: keyed(s.Service.Key), Scheduler: s.Service.Scheduler, State: "up",
			Sorry: s.Sorry, Have: s.Have, Need: s.Need, All: s.All, By: "count", Destinations: []destinationJSON{},
		}
		switch {
		case s.Service.Undecided:
			x.State, out.State = "undecided", "starting"
		case s.Lost:
			x.State = "down"
		}
		if s.ByWeight {
			x.By = "weight"
		}
		for _, v := range s.Destinations {
			x.Destinations = append(x.Destinations, d.destination(s.Service.Key, v))
		}
		out.Services = append(out.Services, x)
	}
	if d.failing != "" {
		out.State = "degraded"
	}
	objects := d.objects()
	for _, o := range d.desk.overrides {
		_, there := slices.BinarySearchFunc(objects, o.Object, cmp.Compare[string])
		out.Overrides = append(out.Overrides, wordJSON{
			Object: o.Object, Mode: o.Mode.String(), Reason: o.Reason, Who: o.Who, Since: o.Since.UTC(),
			Until: shown(o.Until), Deadline: shown(o.Deadline), Absent: !there,
		})
	}
	return out
}

func (d *daemon) destination(k tiers.Key, v tiers.DestinationStatus) destinationJSON {
	x := destinationJSON{
		Object: v.Object, Address: v.Addr.String(), Method: v.Method.String(), State: v.Verdict.String(), Weight: v.Now,
		OfFile: v.Weight, Listed: v.Listed, Reported: v.Reported, Factor: v.Factor, Override: v.Override.Object, Deadline: shown(v.Override.Deadline),
	}
	if load, ok := d.loads[tiers.At{Key: k, Addr: v.Addr}]; ok {
		x.Load = &loadJSON{load.Active, load.Inactive, load.Persistent}
	}
	if v.Check == nil {
		return x
	}
	x.Check, x.Target = checkName(v.Check), v.Target.Addr.String()
	x.Streak, x.Needed, x.Flaps = v.State.Streak, v.Check.Rise, v.State.Flaps
	if v.State.Up {
		x.Needed = v.Check.Fall
	}
	x.Since, x.Held = shown(v.State.Since), shown(v.State.HeldUntil(v.Check))
	x.Last = d.desk.lastOf(v.Target)
	return x
}

// lastOf is the last result of a target, nil when there is none.
func (k *desk) lastOf(t health.Target) *resultJSON {
	last, ok := k.last[t]
	if !ok {
		return nil
	}
	out := &resultJSON{At: last.at.UTC(), OK: last.err == nil, TookMS: float64(last.took.Microseconds()) / 1000}
	if last.err != nil {
		out.Reason = last.err.Error()
	}
	return out
}
