package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/tiers"
	"gslb/vrrp/conn/fake"
)

// twoFronts is a pair; what its vrrp group and its block say besides, and the
// folder with the files that take down the server and what is tracked, are %s.
const twoFronts = `
region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
director "front" {
  for_each = { a = 11, b = 12 }
  network  = network.edge
  address  = cidrhost("192.0.2.0/24", each.value)
}
failover "front" {
  members = values(director.front)
  vips    = ["192.0.2.5"]
  vrrp    = { id = 51, advert = "1s", %s }
  %s
}
farm "web" {
  network = network.edge
  server "web" {
    address = "192.0.2.20"
  }
}
check "out" {
  type     = "file"
  file     = "%s/{address}"
  expect   = { exists = false }
  interval = "1s"
  timeout  = "500ms"
  rise     = 1
  fall     = 1
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  check  = check.out
  tier "tun" {
    directors = [failover.front]
    method    = "tun"
    farms     = [farm.web]
  }
}
`

// A member is a daemon of the pair, over a kernel in memory.
type member struct {
	*bench
	t        *testing.T
	id       string
	addr     netip.Addr
	kernel   *fakeKernel
	dir, out string
	handOver chan os.Signal
	cancel   context.CancelFunc
	ended    chan error
}

// duo is the segment of the pair and its members. The text of each is by
// twoFronts.
func duo(t *testing.T, group, more string) (*fake.Segment, *member, *member) {
	t.Helper()
	segment := fake.New()
	var out []*member
	for i, key := range []string{"a", "b"} {
		m := &member{t: t, id: fmt.Sprintf(`director.front["%s"]`, key), addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(11 + i)}), dir: t.TempDir(), out: t.TempDir()}
		m.kernel = &fakeKernel{segment: segment, own: []device{{name: "e0", addrs: []netip.Addr{m.addr}}}, timeouts: found}
		m.begin(fmt.Sprintf(twoFronts, group, more, m.out))
		out = append(out, m)
	}
	return segment, out[0], out[1]
}

// begin runs a daemon, the first one or the next one.
func (m *member) begin(text string) {
	m.t.Helper()
	m.bench = newBench(m.t, m.kernel, m.dir, text, m.id)
	ctx, cancel := context.WithCancel(m.t.Context())
	m.cancel, m.ended, m.handOver = cancel, make(chan error, 1), make(chan os.Signal, 1)
	m.daemon.handOver = m.handOver
	go func() { m.ended <- m.run(ctx) }()
}

// end stops the daemon, which resigns. Silently it hands over instead.
func (m *member) end(silently bool) {
	m.t.Helper()
	if silently {
		m.handOver <- os.Interrupt
	} else {
		m.cancel()
	}
	if err := <-m.ended; err != nil {
		m.t.Error(err)
	}
	m.cancel()
	m.desk.close()
}

// die ends the daemon as kill -9 does: it says nothing, and has written nothing.
func (m *member) die() {
	m.t.Helper()
	m.end(true)
	if err := os.Remove(pairsPath(m.dir)); err != nil {
		m.t.Fatal(err)
	}
}

// reread has the daemon read another text.
func (m *member) reread(text string) {
	m.t.Helper()
	m.bench.text = text
	m.hangup <- os.Interrupt
	synctest.Wait()
}

func (m *member) ask() pairJSON {
	m.t.Helper()
	reply := make(chan any, 1)
	m.desk.calls <- call{request: request{FormatVersion: 1, Command: "status"}, reply: reply}
	return (<-reply).(statusJSON).Pairs[0]
}

// held are the addresses of the pair that the member's kernel has.
func (m *member) held() []tiers.Address {
	m.kernel.mu.Lock()
	defer m.kernel.mu.Unlock()
	return m.kernel.host[len(m.kernel.host)-1].Addresses
}

// touch makes one of the files that take something down, or takes it away.
func (m *member) touch(name string, there bool) {
	m.t.Helper()
	path := filepath.Join(m.out, name)
	err := os.Remove(path)
	if there {
		err = os.WriteFile(path, nil, 0o600)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// roles waits for a time and compares who has the VIPs then.
func roles(t *testing.T, what string, after time.Duration, want string, of ...*member) {
	t.Helper()
	time.Sleep(after)
	synctest.Wait()
	var got []string
	for _, m := range of {
		x := m.ask()
		got = append(got, x.Role)
		if has := len(m.held()) > 0; has != (x.Role == "active") || has != x.Held {
			t.Errorf("%s: %s is %s and has %v", what, m.id, x.Role, m.held())
		}
	}
	if got := strings.Join(got, " "); got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

// downTime is how long a member waits for another one that is dead.
const downTime = 4 * time.Second

func inPair(t *testing.T, name, group, more string, do func(t *testing.T, s *fake.Segment, a, b *member)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, a, b := duo(t, group, more)
			roles(t, "at first", downTime+time.Second, "active backup", a, b)
			do(t, s, a, b)
			a.end(false)
			b.end(false)
		})
	})
}

func TestWhoHasTheVIPs(t *testing.T) {
	const soon = `preempt_delay = "5s"`
	inPair(t, "nobody hears the active one, and then they do", soon, "", func(t *testing.T, s *fake.Segment, a, b *member) {
		s.Cut(a.addr, true)
		roles(t, "cut", downTime, "active active", a, b)
		s.Cut(a.addr, false)
		roles(t, "healed", 2*time.Second, "active backup", a, b)
		if p := b.ask().Peers; len(p) != 1 || p[0].Node != a.id || p[0].Priority != 200 || p[0].Heard < 3 {
			t.Errorf("the second has heard %+v", p)
		}
		var texts []string
		for _, e := range b.ask().Events {
			texts = append(texts, e.Text)
		}
		if all := strings.Join(texts, "\n"); !strings.Contains(all, "backup -> active: nothing heard of 192.0.2.11 for 3.25") || !strings.Contains(all, "active: has the addresses, 0s after it was to and 3.25") {
			t.Errorf("what the second says\n%s", all)
		}
	})
	inPair(t, "the active one is killed: its kernel gives up the addresses", soon, "", func(t *testing.T, _ *fake.Segment, a, b *member) {
		if diff := cmp.Diff([]time.Duration{10 * time.Second}, []time.Duration{a.held()[0].Valid}); diff != "" {
			t.Errorf("valid (-want +got)\n%s", diff)
		}
		vip := a.held()[0].Addr
		since := func() time.Duration {
			a.kernel.mu.Lock()
			defer a.kernel.mu.Unlock()
			return time.Since(a.kernel.renewed[vip])
		}
		for range 30 {
			time.Sleep(time.Second)
			if d := since(); d > 2500*time.Millisecond {
				t.Fatalf("not renewed for %v", d)
			}
		}
		a.die()
		roles(t, "dead", downTime, "active", b)
		if d := since(); d < downTime {
			t.Errorf("renewed %v ago by nobody", d)
		}
		a.begin(a.text)
		synctest.Wait()
		if left := a.held(); len(left) > 0 {
			t.Errorf("the next one begins with %v", left)
		}
		roles(t, "it waits", 3*time.Second, "backup active", a, b)
		roles(t, "it comes back", 2*downTime, "active backup", a, b)
	})
	inPair(t, "one that restarts again and again keeps nobody from taking over", soon, "", func(t *testing.T, _ *fake.Segment, a, b *member) {
		for range 5 {
			a.die()
			roles(t, "dead", downTime, "active", b)
			a.begin(a.text)
			roles(t, "back", 3*downTime, "active backup", a, b)
		}
	})
	inPair(t, "the active one is stopped", soon, "", func(t *testing.T, _ *fake.Segment, a, b *member) {
		a.end(false)
		roles(t, "resigned", time.Second, "active", b)
		a.begin(a.text)
	})
	inPair(t, "one that is restarted goes on", soon, "", func(t *testing.T, _ *fake.Segment, a, b *member) {
		before := a.held()
		a.end(true)
		time.Sleep(2 * time.Second)
		a.begin(a.text)
		synctest.Wait()
		if diff := cmp.Diff(before, a.held(), cmp.Comparer(func(x, y netip.Addr) bool { return x == y })); diff != "" {
			t.Errorf("addresses (-before +after)\n%s", diff)
		}
		roles(t, "after it", 3*downTime, "active backup", a, b)
		for _, m := range []*member{a, b} {
			if n := strings.Count(m.logs.String(), "took over"); m == b && n > 0 || n > 1 {
				t.Errorf("%s took over\n%s", m.id, m.logs)
			}
		}
	})
	inPair(t, "a reload moves nothing, nor does a file that is wrong", soon, "", func(t *testing.T, _ *fake.Segment, a, b *member) {
		since := a.ask().Since
		for _, text := range []string{
			strings.Replace(a.text, `"1s", preempt`, `"500ms", preempt`, 1),
			strings.Replace(a.text, `["192.0.2.5"]`, `["192.0.2.5", "192.0.2.6"]`, 1),
			strings.Replace(a.text, `"tun"`, `"dr"`, 2),
			"region {",
			a.text,
		} {
			b.reread(strings.ReplaceAll(text, a.out, b.out))
			roles(t, "one has it", 2*time.Second, "active backup", a, b)
			a.reread(text)
			roles(t, "both have it", 3*downTime, "active backup", a, b)
		}
		if got := a.ask().Since; got.Sub(since).Abs() > time.Second {
			t.Errorf("active since %v, was since %v", got, since)
		}
	})
	inPair(t, "the quorum of the active one is lost", soon, "", func(t *testing.T, _ *fake.Segment, a, b *member) {
		a.touch("192.0.2.20", true)
		roles(t, "not at once", 3*time.Second, "active backup", a, b)
		roles(t, "after the delay", 2*downTime, "backup active", a, b)
		if x := a.ask(); x.Priority != 10 {
			t.Errorf("its priority is %d", x.Priority)
		}
		a.touch("192.0.2.20", false)
		roles(t, "back again", 3*downTime, "active backup", a, b)
	})
	const track = `track "own" {
    check = check.out
    %s
  }`
	inPair(t, "what it tracks is down", soon, fmt.Sprintf(track, ""), func(t *testing.T, _ *fake.Segment, a, b *member) {
		a.touch("192.0.2.11", true)
		roles(t, "after the delay", 3*downTime, "backup active", a, b)
		got := a.ask().Tracks
		want := []trackJSON{{Object: "failover.front.track.own", Check: "check.out", Target: "192.0.2.11", State: "down", Penalty: 190}}
		for i := range got {
			if got[i].Last == nil || got[i].Last.OK || got[i].Since == nil {
				t.Errorf("tracked: %+v", got[i])
			}
			got[i].Last, got[i].Since = nil, nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("tracked (-want +got)\n%s", diff)
		}
		b.touch("192.0.2.12", true)
		roles(t, "at both", 3*downTime, "active backup", a, b)
	})
	inPair(t, "what it tracks makes it unfit", soon, fmt.Sprintf(track, "unfit = true"), func(t *testing.T, _ *fake.Segment, a, b *member) {
		a.touch("192.0.2.11", true)
		roles(t, "at once", 2500*time.Millisecond, "init active", a, b)
		b.touch("192.0.2.12", true)
		roles(t, "nobody", 2*downTime, "init init", a, b)
	})
	inPair(t, "without preemption it stays where it is, as long as that is well", "preempt = false", "", func(t *testing.T, _ *fake.Segment, a, b *member) {
		a.end(false)
		roles(t, "resigned", time.Second, "active", b)
		a.begin(a.text)
		roles(t, "back", 5*downTime, "backup active", a, b)
		b.touch("192.0.2.20", true)
		roles(t, "the other one has lost its quorum", 2*downTime, "active backup", a, b)
		b.touch("192.0.2.20", false)
		roles(t, "and has it again", 2*downTime, "active backup", a, b)
	})
	inPair(t, "the interface of the active one loses its carrier", soon, "", func(t *testing.T, _ *fake.Segment, a, b *member) {
		a.kernel.mu.Lock()
		a.kernel.down = map[string]bool{"e0": true}
		a.kernel.mu.Unlock()
		roles(t, "down", 2*time.Second, "init active", a, b)
		if x := a.ask(); x.Why != "interface e0 is down" {
			t.Errorf("why: %s", x.Why)
		}
	})
	inPair(t, "the kernel refuses the addresses", soon, "", func(t *testing.T, s *fake.Segment, a, b *member) {
		full := func(err error) {
			b.kernel.mu.Lock()
			defer b.kernel.mu.Unlock()
			b.kernel.full = err
		}
		full(errors.New("no room"))
		a.end(false)
		roles(t, "refused", 20*time.Second, "backup", b)
		if x := b.ask(); !strings.HasPrefix(x.Why, "could not take the addresses: no room") && x.Flaps < 2 {
			t.Errorf("%d flaps, %s", x.Flaps, x.Why)
		}
		full(nil)
		roles(t, "and takes them", time.Minute, "active", b)
		a.begin(a.text)
	})
	inPair(t, "with a MAC address of their own", soon+", virtual_mac = true", "", func(t *testing.T, s *fake.Segment, a, _ *member) {
		if got := a.held()[0].Link.Name; got != "vr-e0" {
			t.Errorf("the VIP is on %s", got)
		}
		if told := s.Told(); len(told) == 0 || told[0].Device != "vr-e0" {
			t.Errorf("announced: %+v", told)
		}
	})
	inPair(t, "by unicast, kept from the other by an operator", soon+", unicast = true", "", func(t *testing.T, s *fake.Segment, a, b *member) {
		reply := make(chan any, 1)
		a.desk.calls <- call{request: request{FormatVersion: 1, Command: "failover", Object: "failover.front", Mode: "yield"}, reply: reply}
		<-reply
		roles(t, "moved", time.Second, "backup active", a, b)
		s.Cut(a.addr, true)
		roles(t, "cut", 2*downTime, "active active", a, b)
		s.Cut(a.addr, false)
		roles(t, "healed", 2*time.Second, "backup active", a, b)
	})
}

func TestKeysOfAPair(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vrrp.key")
	write := func(keys ...string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(strings.Join(keys, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	older, newer := strings.Repeat("old ", 10), strings.Repeat("new ", 10)
	inPair(t, "from none to one and back", `preempt_delay = "5s"`, "", func(t *testing.T, _ *fake.Segment, a, b *member) {
		plain := map[*member]string{a: a.text, b: b.text}
		for _, step := range [][]string{{"unsigned", newer}, {newer, "unsigned"}, {newer}, {newer, "unsigned"}, {"unsigned", newer}, nil} {
			if step != nil {
				write(step...)
			}
			for _, m := range []*member{a, b} {
				text := plain[m]
				if step != nil {
					text = strings.Replace(text, `"5s"`, fmt.Sprintf(`"5s", key = secret("file:%s")`, file), 1)
				}
				m.reread(text)
				roles(t, "between", 2*downTime, "active backup", a, b)
			}
		}
		for _, m := range []*member{a, b} {
			if x := m.ask(); x.Refused > 0 {
				t.Errorf("%s has refused %d: %+v", m.id, x.Refused, x.Events)
			}
		}
	})
	write(older)
	inPair(t, "rolled over", fmt.Sprintf(`preempt_delay = "5s", key = secret("file:%s")`, file), "", func(t *testing.T, _ *fake.Segment, a, b *member) {
		first := a.ask().Keys
		for _, step := range [][]string{{older, newer}, {newer, older}, {newer}} {
			write(step...)
			for _, m := range []*member{a, b} {
				m.reread(m.text)
				roles(t, "between", 2*time.Second, "active backup", a, b)
			}
		}
		x := b.ask()
		if x.Refused > 0 || len(x.Keys) != 1 || slices.Equal(x.Keys, first) {
			t.Errorf("%d refused, keys %v, were %v", x.Refused, x.Keys, first)
		}
		write("too short")
		a.reread(a.text)
		if got := a.logs.String(); !strings.Contains(got, "failover.front: key: secret file:"+file+": line 1: a key of 9 characters: 32 to 64") {
			t.Errorf("a file without a good key is not refused:\n%s", got)
		}
		write(older)
		b.reread(b.text)
		roles(t, "one has another", 2*downTime, "active active", a, b)
		x = b.ask()
		if x.Refused == 0 || !slices.ContainsFunc(x.Events, func(e event) bool {
			return strings.Contains(e.Text, "advertisement of 192.0.2.11 refused, key: it is signed with key")
		}) {
			t.Errorf("%d refused, %+v", x.Refused, x.Events)
		}
		if n := strings.Count(b.logs.String(), "advertisement refused"); n != 1 {
			t.Errorf("said %d times", n)
		}
		write(newer)
		b.reread(b.text)
		roles(t, "both have one", 2*time.Second, "active backup", a, b)
	})
}

func TestAPairForPeople(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	held := at.Add(40 * time.Second)
	x := pairJSON{
		Pair: "failover.front", VIPs: []string{"192.0.2.5", "2001:db8::5"}, Role: "backup", Since: at.Add(-90 * time.Second), Why: "192.0.2.12 is active with priority 190",
		Priority: 10, Will: "free", Ready: true, Members: []string{`director.front["a"]`, `director.front["b"]`}, Refused: 3, Flaps: 3, Hold: &held, Keys: []int{17, 4},
		Peer: &peerJSON{Node: `director.front["b"]`, Priority: 190, At: at.Add(-time.Second)},
		Tracks: []trackJSON{
			{Object: "failover.front.track.router", Check: "check.ping", Target: "192.0.2.1", State: "down", Penalty: 190, Last: &resultJSON{Reason: "no answer within 1s"}},
			{Object: "failover.front.track.disk", Check: "check.disk", Target: "192.0.2.11", State: "up", Unfit: true, Last: &resultJSON{OK: true}},
		},
		Events: []event{
			{at.Add(-3 * time.Minute), "pair", "backup -> active: nothing heard of 192.0.2.12 for 3.25s"},
			{at.Add(-90 * time.Second), "pair", "active -> backup: 192.0.2.12 is active with priority 190"},
		},
	}
	var out strings.Builder
	x.text(&out, &statusJSON{At: at}, func(s string) string { return s })
	const want = `
failover.front  192.0.2.5, 2001:db8::5: backup for 1m30s, 192.0.2.12 is active with priority 190
  priority 10 of director.front["a"], director.front["b"]; heard director.front["b"] with priority 190 1s ago; stays away for 40s after 3 take-overs that did not last; signs with key 17; 3 advertisements refused
  failover.front.track.router  down  penalty 190  check.ping of 192.0.2.1   no answer within 1s
  failover.front.track.disk    up    unfit        check.disk of 192.0.2.11
  1m30s ago  active -> backup: 192.0.2.12 is active with priority 190
  3m0s ago   backup -> active: nothing heard of 192.0.2.12 for 3.25s
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
