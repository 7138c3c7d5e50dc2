package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"gslb/topology"
)

// Test looks at every virtual service and domain of the world from outside and
// reports what it sees. The error says that the looking itself went wrong.
func (w *World) Test(ctx context.Context, report *Report) error {
	answering, err := w.testAnswers(ctx, report)
	if err != nil {
		return err
	}
	for _, d := range answering {
		if err := w.testDoor(ctx, report, d); err != nil {
			return err
		}
	}
	for _, d := range w.Topo.Domains {
		if err := w.testDomain(ctx, report, d); err != nil {
			return err
		}
	}
	if err := w.testElsewhere(ctx, report); err != nil {
		return err
	}
	alive := map[*topology.Service]bool{}
	for _, d := range answering {
		alive[d.service] = true
	}
	return w.testDeaths(ctx, report, alive)
}

// testAnswers waits until every service answers, and returns where one does.
func (w *World) testAnswers(ctx context.Context, report *Report) ([]door, error) {
	var all []door
	for _, s := range w.Topo.Services {
		all = append(all, doors(s)...)
	}
	checks, err := together(all, func(d door, parallel int) (Check, error) {
		bound := 2*detection(d.service) + patience
		s, err := w.untilClean(ctx, d, bound, parallel, func(r Reply) error { return answered(r) })
		return Check{d.String() + " answers", s.String(), fmt.Sprintf("%d in a row within %.0f s", clean, bound.Seconds()), s.clean}, err
	})
	if err != nil {
		return nil, err
	}
	var answering []door
	for i, c := range checks {
		report.Add(c)
		if c.OK {
			answering = append(answering, all[i])
		}
	}
	return answering, nil
}

// measurements: what is measured is the system and not the machine,
// which may have been busy elsewhere for a second, so a round that is not right
// is measured again. A figure says which round it is from.
const measurements = 3

// testDoor: every real server reached in its share, the client's address seen,
// replies not through the director.
func (w *World) testDoor(ctx context.Context, report *Report, d door) error {
	// The last server may still be on its way into the table.
	bound := 2*detection(d.service) + patience
	expected := shares(d.service, d.vip)
	var checks []Check
	for round := 1; round <= measurements; round++ {
		wait := expected
		if keeps(d.service) {
			wait = nil // all users of the lab may be one client for it
		}
		if _, err := w.untilAll(ctx, d, bound, parallel, wait); err != nil {
			return err
		}
		var err error
		if checks, err = w.measure(ctx, d, expected, round); err != nil {
			return err
		}
		if round > 1 {
			for i := range checks {
				checks[i].Figure += fmt.Sprintf(", round %d", round)
			}
		}
		if !slices.ContainsFunc(checks, func(c Check) bool { return !c.OK }) {
			break
		}
	}
	for _, c := range checks {
		report.Add(c)
	}
	return nil
}

// measure looks at one lot of requests. Each round has other clients: the same
// ones would be hashed to the same servers again.
func (w *World) measure(ctx context.Context, d door, expected map[netip.Addr]float64, round int) ([]Check, error) {
	method := d.service.Tiers[0].Method
	var finish func() (Check, error)
	if method != topology.NAT {
		var err error
		if finish, err = w.watchFront(d, method); err != nil {
			return nil, err
		}
	}
	n := requests(d.service, len(expected))
	replies, err := w.traffic(ctx, d, Requests{Hold: true, Parallel: parallel}, round*n, n)
	var past Check
	if finish != nil {
		var watchErr error
		past, watchErr = finish()
		err = errors.Join(err, watchErr)
	}
	if err != nil {
		return nil, err
	}
	checks := []Check{reached(d, replies, expected)}
	if !keeps(d.service) {
		checks = append(checks, respected(d, replies, expected))
	}
	checks = append(checks, clientSeen(d, replies))
	if finish != nil {
		checks = append(checks, past)
	}
	if d.port.Proto == topology.TCP && slices.ContainsFunc(d.service.Tiers, func(t *topology.Tier) bool { return t.Method == topology.TUN }) {
		fit, err := w.uploads(ctx, d)
		if err != nil {
			return nil, err
		}
		checks = append(checks, fit)
	}
	return checks, nil
}

// The largest TCP segments that a tunnel over 1500 byte links leaves room for:
// 20 or 40 bytes each for the outer and inner header, 20 for TCP's.
const (
	fits4 = 1440
	fits6 = 1400
)

// uploads sends something large by a tunnel. That it arrives is not enough: it
// would also with the help of ICMP, which some users never get; so the segments
// must fit from the start.
func (w *World) uploads(ctx context.Context, d door) (Check, error) {
	const size, n = 200_000, 8
	limit := fits4
	if d.vip.Is6() {
		limit = fits6
	}
	replies, err := w.traffic(ctx, d, Requests{Upload: size, Parallel: parallel}, 0, n)
	if err != nil {
		return Check{}, err
	}
	arrived, largest := 0, 0
	for _, r := range replies {
		if r.Err == "" {
			arrived++
			largest = max(largest, r.Segment)
		}
	}
	return Check{
		Name:   d.String() + " takes uploads by the tunnel",
		Figure: fmt.Sprintf("%d of %d uploads of %d bytes, segments of %d bytes", arrived, n, size, largest),
		Bound:  fmt.Sprintf("all, %d at most", limit),
		OK:     arrived == n && largest <= limit && largest > 0,
	}, nil
}

func reached(d door, replies []Reply, expected map[netip.Addr]float64) Check {
	seen := map[netip.Addr]bool{}
	failed, strangers := 0, 0
	last := ""
	for _, r := range replies {
		switch _, known := expected[r.Server]; {
		case r.Err != "":
			failed++
			last = ": " + r.Err
		case !known:
			strangers++
		default:
			seen[r.Server] = true
		}
	}
	if keeps(d.service) {
		return Check{
			Name:   d.String() + " reaches its real servers",
			Figure: fmt.Sprintf("%d of %d, %d other, %d errors in %d requests%s", len(seen), len(expected), strangers, failed, len(replies), last),
			Bound:  "some, none, none",
			OK:     len(seen) > 0 && strangers == 0 && failed == 0,
		}
	}
	return Check{
		Name:   d.String() + " reaches every real server",
		Figure: fmt.Sprintf("%d of %d, %d other, %d errors in %d requests%s", len(seen), len(expected), strangers, failed, len(replies), last),
		Bound:  "all, none, none",
		OK:     len(seen) == len(expected) && strangers == 0 && failed == 0 && len(expected) > 0,
	}
}

func respected(d door, replies []Reply, expected map[netip.Addr]float64) Check {
	count := map[netip.Addr]int{}
	for _, r := range replies {
		if r.Err == "" {
			count[r.Server]++
		}
	}
	n := len(replies)
	c := Check{Name: d.String() + " respects the weights", OK: len(expected) > 0}
	worst := -1.0
	for _, a := range slices.SortedFunc(maps.Keys(expected), netip.Addr.Compare) {
		p := expected[a]
		off := math.Abs(float64(count[a]) - p*float64(n))
		limit := tolerance(d.service, n, p)
		if off/limit > worst {
			worst = off / limit
			c.Figure = fmt.Sprintf("%s got %d of %d requests", a, count[a], n)
			c.Bound = fmt.Sprintf("%.0f ± %.0f", p*float64(n), limit)
		}
		c.OK = c.OK && off <= limit
	}
	return c
}

func clientSeen(d door, replies []Reply) Check {
	same, all := 0, 0
	for _, r := range replies {
		if r.Err != "" {
			continue
		}
		all++
		if r.Client.Addr() == r.From {
			same++
		}
	}
	return Check{
		Name:   d.String() + " shows the client's address",
		Figure: fmt.Sprintf("%d of %d replies", same, all),
		Bound:  "all",
		OK:     same == all && all > 0,
	}
}

// watchFront captures at the front while traffic runs; the function it returns
// ends that and says what came from the VIP.
func (w *World) watchFront(d door, m topology.Method) (func() (Check, error), error) {
	front, err := w.front(d)
	if err != nil {
		return nil, err
	}
	c, err := w.capture(front.ID, d.vip, func(to netip.Addr) bool { return front.Addrs.Has(to) })
	if err != nil {
		return nil, err
	}
	stop := make(chan struct{})
	go c.run(stop)
	return func() (Check, error) {
		defer c.close()
		close(stop)
		<-c.finished
		dropped, err := c.drops()
		return Check{
			Name:   fmt.Sprintf("%s replies past its director (%s)", d, m),
			Figure: fmt.Sprintf("%d packets from the VIP at %s, of %d captured, %d missed", c.seen.Load(), front.ID, c.all.Load(), dropped),
			Bound:  "none from the VIP, some captured, none missed",
			OK:     c.seen.Load() == 0 && c.all.Load() > 0 && dropped == 0,
		}, err
	}, nil
}

// front is the director that clients' packets come to: of a pair the member that
// has the VIP.
func (w *World) front(d door) (*topology.Director, error) {
	members := d.service.Tiers[0].Directors
	if len(members) == 1 {
		return members[0], nil
	}
	for _, m := range members {
		if has, err := w.has(m, d.vip); err != nil || has {
			return m, err
		}
	}
	return nil, fmt.Errorf("no member of %s has %s", d.service.Tiers[0].Pairs[0].ID, d.vip)
}

// has reports whether a director has an address.
func (w *World) has(d *topology.Director, addr netip.Addr) (has bool, err error) {
	err = w.in(d.ID, func() error {
		list, err := net.InterfaceAddrs()
		has = slices.ContainsFunc(list, func(a net.Addr) bool {
			p, err := netip.ParsePrefix(a.String())
			return err == nil && p.Addr().Unmap() == addr
		})
		return err
	})
	return has, err
}

// testDomain asks every nameserver from every region, by UDP and TCP.
func (w *World) testDomain(ctx context.Context, report *Report, d *topology.Domain) error {
	bound := answerBound(d)
	for _, typ := range questionTypes {
		want, questions := expectedAnswers(d, typ)
		if len(want) == 0 {
			continue
		}
		for _, network := range []string{"udp", "tcp"} {
			name := fmt.Sprintf("%s %s %s gives every healthy answer", d.ID, typ, network)
			if choosy(d) {
				name = fmt.Sprintf("%s %s %s gives healthy answers", d.ID, typ, network)
			}
			if err := w.untilAnswers(ctx, report, name, d, typ, want, questions, network, bound); err != nil {
				return err
			}
		}
	}
	return nil
}

// answerBound is how long the nameservers may take to see that an answer of d
// came or went.
func answerBound(d *topology.Domain) time.Duration {
	longest := time.Duration(0)
	for _, a := range d.Answers {
		if a.Check == nil {
			continue
		}
		seen := time.Duration(max(a.Check.Rise, a.Check.Fall)+1)*a.Check.Interval + a.Check.Timeout
		if a.Service != nil {
			seen += 2 * detection(a.Service)
		}
		longest = max(longest, seen)
	}
	return longest + patience
}

// untilAnswers asks until every nameserver gives users of every region all of
// want and nothing else, and reports it.
func (w *World) untilAnswers(ctx context.Context, report *Report, name string, d *topology.Domain, typ string, want map[string]bool, questions int, network string, bound time.Duration) error {
	good, all := func(a answers) bool { return a.exactly(want) }, fmt.Sprintf("%d", len(want))
	if choosy(d) {
		good, all = func(a answers) bool { return a.only(want) }, fmt.Sprintf("of %d what the policy leaves each user", len(want))
	}
	var got answers
	begin := time.Now()
	for {
		var err error
		if got, err = w.askAll(ctx, d, typ, network, questions); err != nil {
			return err
		}
		if good(got) || time.Since(begin) > bound {
			break
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	report.Add(Check{
		Name:   name,
		Figure: got.String(),
		Bound:  fmt.Sprintf("%s, none else, no errors, within %.0f s", all, bound.Seconds()),
		OK:     good(got),
	})
	return nil
}

// testElsewhere unplugs a checked place outside the file of each domain that
// has others, sees that the DNS gives it no more, and brings it back.
func (w *World) testElsewhere(ctx context.Context, report *Report) error {
	places := elsewhere(w.Topo)
	for _, d := range w.Topo.Domains {
		if d.Hosts() {
			continue // one that has an address left stays, and what is unplugged is an address
		}
		for _, typ := range questionTypes {
			want, questions := expectedAnswers(d, typ)
			i := slices.IndexFunc(places, func(f foreigner) bool {
				gone := slices.ContainsFunc(f.at, func(e endpoint) bool { return want[e.addr.Addr().String()] })
				return gone && slices.ContainsFunc(slices.Collect(maps.Keys(want)), func(a string) bool { return !slices.Contains(texts(f.addrs), a) })
			})
			if i < 0 {
				continue
			}
			left := maps.Clone(want)
			for _, a := range places[i].addrs {
				delete(left, a.String())
			}
			node := places[i].id
			if err := w.Unplug(node); err != nil {
				return err
			}
			err := w.untilAnswers(ctx, report, fmt.Sprintf("%s %s without %s", d.ID, typ, node), d, typ, left, questions, "udp", answerBound(d))
			if err := errors.Join(err, w.Plug(node)); err != nil {
				return err
			}
			if err := w.untilAnswers(ctx, report, fmt.Sprintf("%s %s whole again with %s", d.ID, typ, node), d, typ, want, questions, "udp", answerBound(d)); err != nil {
				return err
			}
		}
	}
	return nil
}

// questionTypes are the types whose answers are addresses, as records or hints,
// or hosts.
var questionTypes = []string{"A", "AAAA", "HTTPS", "SVCB", "SRV", "MX"}

// recordType is the type of addresses of a family.
func recordType(v6 bool) string {
	if v6 {
		return "AAAA"
	}
	return "A"
}

// expectedAnswers are the addresses, or the hosts, that a domain gives when
// everybody is up, and how many questions show them all: the rarest twelve times
// on average.
func expectedAnswers(d *topology.Domain, typ string) (map[string]bool, int) {
	out := map[string]bool{}
	if !d.Has(typ) {
		return nil, 0
	}
	sum, least := 0, math.MaxInt
	for _, a := range d.Answers {
		sum += a.Weight
	}
	for _, a := range d.Answers {
		if a.Weight == 0 && sum > 0 {
			continue
		}
		if d.Hosts() {
			out[a.Target] = true
			least = min(least, max(a.Weight, 1))
			continue
		}
		for _, addr := range a.Addrs {
			if of := recordType(addr.Is6()); of == typ || typ != "A" && typ != "AAAA" && d.Has(of) {
				out[addr.String()] = true
				least = min(least, max(a.Weight, 1))
			}
		}
	}
	if len(out) == 0 {
		return nil, 0
	}
	return out, min(max(24, 12*max(sum, len(d.Answers))/least), 600)
}

// answers are the addresses, or the hosts, that came back.
type answers struct {
	questions, errors int
	seen              map[string]int
	askers            int // pairs of region and nameserver
	incomplete        int // pairs that have not seen all
	empty             int // pairs that have seen nothing
	last              string
}

func (a answers) exactly(want map[string]bool) bool {
	if a.errors > 0 || a.incomplete > 0 || a.askers == 0 || len(a.seen) != len(want) {
		return false
	}
	for what := range want {
		if a.seen[what] == 0 {
			return false
		}
	}
	return true
}

// only is exactly for a policy that gives each user a part of the answers.
func (a answers) only(want map[string]bool) bool {
	for what := range a.seen {
		if !want[what] {
			return false
		}
	}
	return a.errors == 0 && a.askers > 0 && a.empty == 0
}

// choosy reports whether what users get depends on who they are, or on the
// order of the answers: then nobody need see all of them.
func choosy(d *topology.Domain) bool {
	if d.Hosts() && slices.ContainsFunc(d.Answers, d.Alias) {
		return true // which stands alone
	}
	return slices.ContainsFunc(d.Policy.All(), func(s topology.Placed) bool {
		switch s.Kind {
		case topology.StepPrefixes, topology.StepGeo, topology.StepASN, topology.StepNearest, topology.StepFailover, topology.StepSticky:
			return true
		}
		return false
	})
}

func (a answers) String() string {
	var parts []string
	for _, what := range slices.SortedFunc(maps.Keys(a.seen), byAddress) {
		parts = append(parts, fmt.Sprintf("%s %d times", what, a.seen[what]))
	}
	text := fmt.Sprintf("%d questions, %d errors, %s", a.questions, a.errors, strings.Join(parts, ", "))
	if a.incomplete > 0 {
		text += fmt.Sprintf(", %d of %d askers have not seen them all", a.incomplete, a.askers)
	}
	if a.last != "" {
		text += ", last error: " + a.last
	}
	return text
}

func texts(addrs []netip.Addr) []string {
	var out []string
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return out
}

// byAddress compares texts, addresses as such.
func byAddress(a, b string) int {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	if errX != nil || errY != nil {
		return strings.Compare(a, b)
	}
	return x.Compare(y)
}

// askAll asks every nameserver from every region, n questions each.
func (w *World) askAll(ctx context.Context, d *topology.Domain, typ, network string, n int) (answers, error) {
	out := answers{seen: map[string]int{}}
	var mu sync.Mutex
	var wait sync.WaitGroup
	var failed error
	type asker struct {
		region *topology.Region
		server netip.Addr
	}
	var perAsker []map[string]bool
	for _, region := range w.Topo.Regions {
		for _, ns := range w.Topo.Nameservers {
			for _, server := range ns.Addrs {
				a := asker{region, server}
				wait.Go(func() {
					seen := map[string]bool{}
					q := Questions{
						Network: network, Server: netip.AddrPortFrom(a.server, 53), From: w.users[a.region].from(a.server, 0, n),
						Name: d.Name, Type: typ, Timeout: 2 * requestTimeout,
					}
					var responses []Response
					err := w.users[a.region].call(ctx, "Ask", q, &responses)
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						failed = err
						return
					}
					for _, r := range responses {
						out.questions++
						switch {
						case r.Err != "":
							out.errors++
							out.last = r.Err
						case r.Rcode != "NOERROR":
							out.errors++
							out.last = r.Rcode
						}
						came := texts(r.Addrs)
						if d.Hosts() {
							came = r.Hosts
						}
						for _, what := range came {
							out.seen[what]++
							seen[what] = true
						}
					}
					perAsker = append(perAsker, seen)
				})
			}
		}
	}
	wait.Wait()
	out.askers = len(perAsker)
	for _, seen := range perAsker {
		if len(seen) == 0 {
			out.empty++
		}
		if len(seen) != len(out.seen) {
			out.incomplete++
		}
	}
	return out, failed
}

// testDeaths kills one destination of the first and one real server of the last
// tier of each service that is alive, and brings them back.
func (w *World) testDeaths(ctx context.Context, report *Report, alive map[*topology.Service]bool) error {
	var victims []victim
	for _, s := range w.Topo.Services {
		if !alive[s] {
			continue
		}
		chosen, why := pickVictims(s)
		victims = append(victims, chosen...)
		for _, reason := range why {
			report.Note(fmt.Sprintf("%s: not everything can die here: %s", s.ID, reason))
		}
	}
	for _, round := range rounds(victims) {
		for _, v := range round {
			if err := w.Unplug(v.node); err != nil {
				return err
			}
		}
		err := w.eachVictim(report, round, func(v victim, parallel int) (Check, error) {
			bound := 2*detection(v.service) + patience
			s, err := w.untilClean(ctx, doors(v.service)[0], bound, parallel, func(r Reply) error { return answered(r, v.servers...) })
			return Check{
				fmt.Sprintf("%s without %s", v.service.ID, v.node), s.String(),
				fmt.Sprintf("%d in a row within %.0f s", clean, bound.Seconds()), s.clean,
			}, err
		})
		for _, v := range round {
			if err := w.Plug(v.node); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		err = w.eachVictim(report, round, func(v victim, parallel int) (Check, error) {
			d := doors(v.service)[0]
			bound := 2*detection(v.service) + patience
			servers, want := shares(v.service, d.vip), "every real server"
			if keeps(v.service) {
				servers, want = nil, "no request failed"
			}
			s, err := w.untilAll(ctx, d, bound, parallel, servers)
			return Check{
				fmt.Sprintf("%s whole again with %s", v.service.ID, v.node), s.String(),
				fmt.Sprintf("%s within %.0f s", want, bound.Seconds()), s.clean,
			}, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachVictim looks at all victims of a round at the same time and reports them in order.
func (w *World) eachVictim(report *Report, round []victim, look func(v victim, parallel int) (Check, error)) error {
	checks, err := together(round, look)
	for _, c := range checks {
		report.Add(c)
	}
	return err
}

// together looks at all things at the same time and returns the checks in the
// order of the things, or one of the errors. They share what may be under way
// at a time.
func together[T any](things []T, look func(thing T, parallel int) (Check, error)) ([]Check, error) {
	checks := make([]Check, len(things))
	errs := make([]error, len(things))
	var wait sync.WaitGroup
	for i, thing := range things {
		wait.Go(func() { checks[i], errs[i] = look(thing, max(parallel/len(things), 2)) })
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return checks, nil
}
