package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"gslb/topology"
)

// A Fault is how the demo's victims die.
type Fault bool

// With NoFault nobody dies, and the checks that wait for a death must fail.
const (
	RealFault Fault = true
	NoFault   Fault = false
)

// Demo tells a story on a topology of two regions or more with two tiers each:
// all is well; a real server, a second-tier director, the active member of a
// pair of fronts if there is one, and a whole region die in turn and come back.
func (w *World) Demo(ctx context.Context, report *Report, fault Fault) error {
	s, err := w.newStory(report, fault)
	if err != nil {
		return err
	}
	for _, chapter := range []func(context.Context) error{
		s.allIsWell, s.serverDies, s.directorDies, s.frontDies, s.regionDies,
	} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return nil
}

// A story has its places and heroes.
type story struct {
	*World
	report *Report
	fault  Fault

	domain   *topology.Domain
	services []*topology.Service // of its answers
}

func (w *World) newStory(report *Report, fault Fault) (*story, error) {
	for _, d := range w.Topo.Domains {
		if d.Hosts() {
			continue
		}
		s := &story{World: w, report: report, fault: fault, domain: d}
		regions := map[*topology.Region]bool{}
		for _, a := range d.Answers {
			if a.Service != nil && len(a.Service.Tiers) > 1 && len(a.Service.Tiers[1].Directors) > 1 {
				s.services = append(s.services, a.Service)
				regions[a.Service.Region] = true
			}
		}
		if len(regions) > 1 && len(s.services) == len(d.Answers) {
			return s, nil
		}
	}
	return nil, errors.New("the demo needs a domain whose answers are services in two regions or more, each with two directors or more in its second tier")
}

func (s *story) door(i int) door { return doors(s.services[i])[0] }

// bound is how long a change may take to be seen by users of service i.
func (s *story) bound(i int) time.Duration { return 2*detection(s.services[i]) + patience/2 }

// dnsBound is how long the DNS may take to see that a VIP came or went, and
// resolvers to forget it.
func (s *story) dnsBound() time.Duration {
	longest := time.Duration(0)
	for i, a := range s.domain.Answers {
		if c := a.Check; c != nil {
			longest = max(longest, time.Duration(max(c.Rise, c.Fall)+1)*c.Interval+c.Timeout+detection(s.services[i]))
		}
	}
	return 2*longest + s.domain.TTL + patience/2
}

func (s *story) add(name string, streak streak, bound time.Duration) {
	s.report.Add(Check{name, streak.String(), fmt.Sprintf("%.0f s", bound.Seconds()), streak.clean})
}

func (s *story) kill(nodes ...string) error {
	if s.fault == NoFault {
		return nil
	}
	for _, n := range nodes {
		if err := s.Unplug(n); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) revive(nodes ...string) error {
	for _, n := range nodes {
		if err := s.Plug(n); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) allIsWell(ctx context.Context) error {
	for i, service := range s.services {
		bound := s.bound(i) + patience
		got, err := s.untilClean(ctx, s.door(i), bound, parallel, func(r Reply) error { return answered(r) })
		if err != nil {
			return err
		}
		s.add(fmt.Sprintf("users of every region reach %s in %s", service.ID, service.Region.Name), got, bound)
		if err := s.everyServer(ctx, i, "every real server of %s is reached through %d tiers"); err != nil {
			return err
		}
		finish, err := s.watchFront(s.door(i), service.Tiers[0].Method)
		if err != nil {
			return err
		}
		replies, err := s.traffic(ctx, s.door(i), Requests{}, 0, 40)
		past, watchErr := finish()
		if err := errors.Join(err, watchErr); err != nil {
			return err
		}
		s.report.Add(past)
		s.report.Add(clientSeen(s.door(i), replies))
	}
	return s.rotates(ctx, fmt.Sprintf("the DNS rotates %s over all regions", s.domain.Name))
}

// everyServer waits until all real servers of service i answer.
func (s *story) everyServer(ctx context.Context, i int, format string) error {
	d, bound := s.door(i), s.bound(i)
	got, err := s.untilAll(ctx, d, bound, parallel, shares(d.service, d.vip))
	if err != nil {
		return err
	}
	s.add(fmt.Sprintf(format, d.service.ID, len(d.service.Tiers)), got, bound)
	return nil
}

func (s *story) serverDies(ctx context.Context) error {
	v, ok := pickServer(s.services[0])
	if !ok {
		return fmt.Errorf("the demo needs two real servers or more in %s", s.services[0].ID)
	}
	if s.fault == RealFault {
		if err := s.Halt(v.node); err != nil {
			return err
		}
	}
	if err := s.without(ctx, 0, v, "the program of real server %s dies"); err != nil {
		return err
	}
	if s.fault == RealFault {
		if err := s.Resume(v.node); err != nil {
			return err
		}
	}
	return s.everyServer(ctx, 0, "it is back: every real server of %s is reached through %d tiers")
}

// pickServer chooses a real server of a service that is not alone behind its director.
func pickServer(s *topology.Service) (victim, bool) {
	for _, f := range s.Farms() {
		if len(f.Servers) > 1 {
			return victim{service: s, node: f.Servers[0].ID, servers: f.Servers[0].Addrs}, true
		}
	}
	return victim{}, false
}

// without waits until traffic of service i is clean and nothing of it goes to the victim.
func (s *story) without(ctx context.Context, i int, v victim, format string) error {
	bound := s.bound(i)
	got, err := s.untilClean(ctx, s.door(i), bound, parallel, func(r Reply) error { return answered(r, v.servers...) })
	if err != nil {
		return err
	}
	s.add(fmt.Sprintf(format, v.node), got, bound)
	return nil
}

func (s *story) directorDies(ctx context.Context) error {
	i := len(s.services) - 1
	v, _, why := pickDirector(s.services[i])
	if why != "" {
		return fmt.Errorf("no director of %s can die in the demo: %s", s.services[i].ID, why)
	}
	if err := s.kill(v.node); err != nil {
		return err
	}
	if err := s.without(ctx, i, v, "second-tier director %s loses its power"); err != nil {
		return err
	}
	if err := s.revive(v.node); err != nil {
		return err
	}
	return s.everyServer(ctx, i, "it is back: every real server of %s is reached through %d tiers")
}

// frontDies takes the active member of a pair away from its users, and gives it back.
func (s *story) frontDies(ctx context.Context) error {
	i := slices.IndexFunc(s.services, func(v *topology.Service) bool { return len(v.Tiers[0].Pairs) > 0 })
	if i < 0 {
		return nil
	}
	d, pair := s.door(i), s.services[i].Tiers[0].Pairs[0]
	active, err := s.front(d)
	if err != nil {
		return err
	}
	// A silent member is dead after three advertisements and a part of one (RFC
	// 9568 section 6.1); who has asked meanwhile asks again after a second (RFC 6298).
	bound := 4*pair.Advert + 2*time.Second
	m, err := s.move(ctx, d, active, bound, func() error { return s.kill(active.ID) })
	if err != nil {
		return err
	}
	s.report.Add(Check{
		fmt.Sprintf("the active front %s loses its power: another member of %s has the VIP", active.ID, pair.ID),
		m.String(), fmt.Sprintf("%.1f s, none fails afterwards", bound.Seconds()), m.to != nil && m.after == 0,
	})
	if m.to == nil { // nobody died, or nobody took over
		return s.revive(active.ID)
	}
	bound += pair.PreemptDelay + s.bound(i)
	if m, err = s.move(ctx, d, m.to, bound, func() error { return s.revive(active.ID) }); err != nil {
		return err
	}
	s.report.Add(Check{
		fmt.Sprintf("it is back: %s takes the VIP back", active.ID), m.String(), fmt.Sprintf("%.1f s, none fails", bound.Seconds()),
		m.to == active && m.before+m.after == 0,
	})
	return nil
}

// A moving is what users saw of a VIP that moved from one director to another.
type moving struct {
	took          time.Duration      // until the director had it
	before, after int                // requests that failed of those begun until then, and afterwards
	requests      int                // of all
	slowest       time.Duration      // answer
	to            *topology.Director // nil: it has not moved
	last          string             // error
}

// movePatience is how long users wait while a VIP moves: long enough for a first
// packet that is lost twice (RFC 6298: after 1 s and 2 s more).
const movePatience = 5 * time.Second

func (m moving) String() string {
	if m.to == nil {
		return fmt.Sprintf("it has not moved: %d requests, %d failed%s", m.requests, m.before+m.after, m.last)
	}
	return fmt.Sprintf("%s after %.1f s: %d requests, %d begun until then failed, %d afterwards, the slowest answer took %.1f s%s",
		m.to.ID, m.took.Seconds(), m.requests, m.before, m.after, m.slowest.Seconds(), m.last)
}

// move does something and asks all the time until another director than from
// has the VIP, for at most bound, and a while longer.
func (w *World) move(ctx context.Context, d door, from *topology.Director, bound time.Duration, do func() error) (moving, error) {
	var m moving
	if err := do(); err != nil {
		return m, err
	}
	begin := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	moved := make(chan time.Time, 1)
	go func() {
		defer close(moved)
		for time.Since(begin) < bound && ctx.Err() == nil {
			for _, other := range d.service.Tiers[0].Directors {
				if other == from {
					continue
				}
				if has, err := w.has(other, d.vip); err != nil {
					cancel(err)
				} else if has {
					m.to = other
					moved <- time.Now()
					return
				}
			}
			time.Sleep(lookEvery)
		}
	}()
	var at time.Time // when it moved
	for waiting := true; waiting || !at.IsZero() && time.Since(at) < steady; {
		asked := time.Now()
		replies, err := w.traffic(ctx, d, Requests{Parallel: parallel, Timeout: movePatience}, m.requests, parallel)
		if err != nil {
			return m, err
		}
		if waiting {
			select {
			case at = <-moved:
				waiting = false
				m.took = at.Sub(begin)
			default:
			}
		}
		for _, r := range replies {
			if r.Err == "" {
				m.slowest = max(m.slowest, r.Took)
				continue
			}
			m.last = ": " + r.Err
			if waiting || asked.Before(at) {
				m.before++
			} else {
				m.after++
			}
		}
		m.requests += len(replies)
	}
	return m, context.Cause(ctx)
}

// lookEvery is the time between two looks for an address.
const lookEvery = 10 * time.Millisecond

func (s *story) regionDies(ctx context.Context) error {
	dead := s.services[0].Region
	var all []string
	for _, n := range s.Plan.Nodes {
		if n.Region == dead && n.Kind != Client {
			all = append(all, n.ID)
		}
	}
	if err := s.kill(all...); err != nil {
		return err
	}
	gone := map[netip.Addr]bool{}
	for i, service := range s.services {
		if service.Region == dead {
			gone[s.door(i).vip] = true
		}
	}
	bound := s.dnsBound()
	got, err := s.untilSteered(ctx, dead, bound, func(r Response) error {
		for _, a := range r.Addrs {
			if gone[a] {
				return fmt.Errorf("%s is still given", a)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.add(fmt.Sprintf("region %s dies: the DNS gives none of it", dead.Name), got, bound)

	bound = s.bound(0)
	if got, err = s.untilServed(ctx, dead, bound, gone); err != nil {
		return err
	}
	s.add(fmt.Sprintf("users elsewhere resolve %s and are served", s.domain.Name), got, bound)

	if err := s.revive(all...); err != nil {
		return err
	}
	if err := s.rotates(ctx, fmt.Sprintf("region %s is back: the DNS rotates over all regions", dead.Name)); err != nil {
		return err
	}
	for i, service := range s.services {
		if service.Region == dead {
			if err := s.everyServer(ctx, i, "every real server of %s is reached through %d tiers again"); err != nil {
				return err
			}
		}
	}
	return nil
}

// rotates waits until every nameserver gives all VIPs, each its share, to the
// users of every region.
func (s *story) rotates(ctx context.Context, name string) error {
	bound := s.dnsBound()
	want, n := expectedAnswers(s.domain, recordType(s.door(0).vip.Is6()))
	var out streak
	begin := time.Now()
	for {
		got, err := s.askAll(ctx, s.domain, recordType(s.door(0).vip.Is6()), "udp", n)
		if err != nil {
			return err
		}
		out.requests += got.questions
		out.errors += got.errors
		out.last = got.last
		out.took = time.Since(begin)
		if out.clean = got.exactly(want); out.clean || time.Since(begin) > bound {
			break
		}
		if out.last == "" {
			out.last = "only " + got.String()
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.add(name, out, bound)
	return nil
}

// untilSteered asks the nameservers of all regions but one until so many
// answers in a row are as good wants them.
func (s *story) untilSteered(ctx context.Context, except *topology.Region, bound time.Duration, good func(Response) error) (streak, error) {
	return s.until(ctx, bound, func(k int) (error, error) {
		r, _, err := s.resolve(ctx, except, k)
		if err != nil {
			return nil, err
		}
		if r.Err != "" {
			return errors.New(r.Err), nil
		}
		return good(r), nil
	})
}

// untilServed resolves the name as a user does, and connects.
func (s *story) untilServed(ctx context.Context, except *topology.Region, bound time.Duration, gone map[netip.Addr]bool) (streak, error) {
	return s.until(ctx, bound, func(k int) (error, error) {
		r, region, err := s.resolve(ctx, except, k)
		if err != nil {
			return nil, err
		}
		if r.Err != "" || len(r.Addrs) == 0 {
			return fmt.Errorf("no address: %s %s", r.Rcode, r.Err), nil
		}
		d := s.door(0)
		users := s.users[region]
		var replies []Reply
		err = users.call(ctx, "Traffic", Requests{
			Proto: d.port.Proto, To: netip.AddrPortFrom(r.Addrs[0], d.port.Number), From: users.from(r.Addrs[0], k, 1), Timeout: requestTimeout, Parallel: 1,
		}, &replies)
		if err != nil {
			return nil, err
		}
		return answered(replies[0]), nil
	})
}

// resolve asks once, the k-th time, in the regions and of the nameservers
// outside a region in turn.
func (s *story) resolve(ctx context.Context, except *topology.Region, k int) (Response, *topology.Region, error) {
	var regions []*topology.Region
	for _, r := range s.Topo.Regions {
		if r != except {
			regions = append(regions, r)
		}
	}
	var servers []netip.Addr
	for _, ns := range s.Topo.Nameservers {
		if ns.Region != except {
			servers = append(servers, ns.Addrs...)
		}
	}
	if len(servers) == 0 {
		return Response{}, nil, errors.New("the demo needs nameservers in two regions")
	}
	region, server := regions[k%len(regions)], servers[k%len(servers)]
	var out []Response
	v6 := s.door(0).vip.Is6()
	err := s.users[region].call(ctx, "Ask", Questions{
		Network: "udp", Server: netip.AddrPortFrom(server, 53), From: s.users[region].from(server, k, 1),
		Name: s.domain.Name, Type: recordType(v6), Timeout: requestTimeout,
	}, &out)
	if err != nil {
		return Response{}, nil, err
	}
	return out[0], region, nil
}

// steady is how long the tries in a row must last at least: a name that is gone
// for a moment only, because a check came late on a busy machine, is not gone.
const steady = 3 * time.Second

// until tries until so many tries in a row are good. Try number k says what is
// wrong with it; its second error ends everything.
func (s *story) until(ctx context.Context, bound time.Duration, try func(k int) (bad, err error)) (streak, error) {
	out := streak{begin: time.Now()}
	for k := 0; ; k++ {
		at := time.Now()
		bad, err := try(k)
		if err != nil {
			return out, err
		}
		out.note(at, bad)
		if out.clean && at.Sub(out.first) >= steady {
			return out, nil
		}
		if time.Since(out.begin) > bound {
			out.clean = false
			return out, nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return out, ctx.Err()
		}
	}
}
