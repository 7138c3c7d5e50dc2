package main

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gslb/dataplane/ipvs"
	"gslb/report"
	"gslb/tiers"
	"gslb/topology"
	"gslb/vrrp/conn/fake"
)

// copying is a pair that copies connections, of which 127.0.0.1 is a member.
func copying(id uint8) (*topology.Topology, *topology.Director) {
	edge := &topology.Network{ID: "network.edge"}
	self := &topology.Director{ID: "director.b", Network: edge, Addrs: topology.Addrs{netip.MustParseAddr("127.0.0.1")}}
	other := &topology.Director{ID: "director.a", Network: edge, Addrs: topology.Addrs{netip.MustParseAddr("192.0.2.11")}}
	f := &topology.Failover{ID: "failover.front", Members: []*topology.Director{other, self}, Sync: &topology.Sync{ID: id, Network: edge}}
	return &topology.Topology{Failovers: []*topology.Failover{f}}, self
}

var sameIP = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// settled is a daemon that does nothing but to settle the sync daemons.
func settled(t *testing.T, k *fakeKernel, dir string) (*daemon, *logbook) {
	t.Helper()
	before, err := readState(dir)
	if err != nil {
		t.Fatal(err)
	}
	logs := &logbook{}
	log := slog.New(slog.NewTextHandler(logs, nil))
	return &daemon{kernel: k, dir: dir, state: before, sync: &syncer{}, log: log, desk: &desk{log: log}}, logs
}

func TestSyncDaemonsAreAsThePairsWantThem(t *testing.T) {
	k, dir := &fakeKernel{own: []device{{name: "lo", index: 1, addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}}}, t.TempDir()
	d, _ := settled(t, k, dir)
	sender := ipvs.Daemon{Role: ipvs.Sender, Interface: "lo", ID: 51, Group: ipvs.SyncGroup, Port: 8848, TTL: 1, MaxLen: 80}
	receiver := sender
	receiver.Role, receiver.MaxLen = ipvs.Receiver, 0
	step := func(what string, id uint8, why reason, started int, want ...ipvs.Daemon) {
		t.Helper()
		d.topo, d.self = copying(id)
		if id == 0 {
			d.topo.Failovers[0].Sync = nil
		}
		if err := d.settleSync(why); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if diff := cmp.Diff(want, k.daemons, sameIP, cmpopts.EquateEmpty()); diff != "" || k.started != started {
			t.Errorf("%s: %d have been started, want %d (-want +got)\n%s", what, k.started, started, diff)
		}
	}
	step("no pair copies", 0, looked, 0)
	step("the receiver starts first", 51, reread, 2, receiver, sender)
	step("another look changes nothing", 51, looked, 2, receiver, sender)
	d, _ = settled(t, k, dir)
	step("nor does another process", 51, reread, 2, receiver, sender)

	k.daemons = k.daemons[1:]
	step("somebody has stopped one", 51, drifted, 3, sender, receiver)
	if d.drifts.count != 1 {
		t.Errorf("%d drifts", d.drifts.count)
	}
	seven, seventh := receiver, sender
	seven.ID, seventh.ID = 7, 7
	step("another id", 7, reread, 5, seven, seventh)

	d.state.Sync[0].Index = 4711 // the interface was made anew since
	step("an interface that is not the one that was", 7, drifted, 6, seven, seventh)

	if list, err := stopDaemons(k, d.state.Sync); err != nil || len(list) != 2 || len(k.daemons) != 0 {
		t.Errorf("stopped are %q, %v, there are %v", list, err, k.daemons)
	}
	foreign := sender
	foreign.ID = 99
	k.daemons = []ipvs.Daemon{foreign}
	step("somebody else's is left alone", 7, looked, 7, foreign, seven)
	want := []string{"the kernel's sync sender id 99 on lo, 224.0.0.81:8848 was started by somebody else; sync sender id 7 on lo, 224.0.0.81:8848 is wanted: stop it (ipvsadm --stop-daemon master)"}
	if diff := cmp.Diff(want, d.sync.wrong); diff != "" {
		t.Errorf("what is said of it (-want +got)\n%s", diff)
	}
	step("no pair copies any more", 0, reread, 7, foreign)
	if d.sync.wrong != nil || len(d.state.Sync) != 0 {
		t.Errorf("it says %q and has %v", d.sync.wrong, d.state.Sync)
	}
}

func TestSyncDaemonsNeedAnInterface(t *testing.T) {
	topo, self := copying(51)
	self.Addrs[0] = netip.MustParseAddr("192.0.2.12")
	d, _ := settled(t, &fakeKernel{}, t.TempDir())
	d.topo, d.self = topo, self
	if err := d.settleSync(reread); err == nil || !strings.Contains(err.Error(), "failover.front: sync: no interface of this host has the address 192.0.2.12") {
		t.Error(err)
	}
}

func TestAMemberWaitsForConnections(t *testing.T) {
	type look struct {
		at           time.Duration
		mine, theirs int // -1: nobody tells
		want         string
	}
	for what, looks := range map[string][]look{
		"all of them come": {
			{0, 0, 1020, "waits for connections: 0 of 1020"}, {2, 812, 1020, "waits for connections: 812 of 1020"}, {4, 980, 1020, "done"},
		},
		"there are none":                  {{0, 0, 0, "done"}},
		"it has them from before":         {{0, 500, 510, "done"}},
		"it lost them, and nobody minds":  {{0, 500, 510, "done"}, {5, 0, 510, "done"}},
		"some are silent":                 {{0, 0, 100, "waits for connections: 0 of 100"}, {3, 40, 100, "waits for connections: 40 of 100"}, {9, 40, 100, "waits for connections: 40 of 100"}, {10, 40, 100, "done"}},
		"all are silent":                  {{0, 0, 100, "waits for connections: 0 of 100"}, {6, 0, 100, "waits for connections: 0 of 100"}, {7, 0, 100, "done"}},
		"more come all the time":          {{0, 0, 1000, "waits for connections: 0 of 1000"}, {30, 300, 1000, "waits for connections: 300 of 1000"}, {59, 600, 1000, "waits for connections: 600 of 1000"}, {60, 610, 1000, "done"}},
		"nobody tells how many there are": {{0, 0, -1, "waits for connections: 0, for 7s more"}, {5, 30, -1, "waits for connections: 30, for 2s more"}, {7, 31, -1, "done"}},
		"it is told later":                {{0, 0, -1, "waits for connections: 0, for 7s more"}, {1, 30, 31, "done"}},
	} {
		var a arrival
		epoch := time.Unix(1e9, 0)
		for _, l := range looks {
			a = a.next(epoch.Add(l.at*time.Second), l.mine, l.theirs)
			got := a.waits
			if a.done {
				got = "done"
			}
			if got != l.want || a.done && a.waits != "" {
				t.Errorf("%s: after %ds %q, want %q", what, l.at, got, l.want)
			}
		}
	}
}

func TestWhatIsWrongWithCopiesIsSaid(t *testing.T) {
	now := time.Unix(1e9, 0)
	ago := func(s int) time.Time { return now.Add(-time.Duration(s) * time.Second) }
	told := func(active bool, n uint32, change ...func(*report.Saying)) report.Saying {
		s := report.Saying{Copies: report.Copies{Active: active, Connections: n, ID: 51, Sends: true, Takes: true, Heard: time.Second}, At: ago(1)}
		for _, f := range change {
			f(&s)
		}
		return s
	}
	well := sound{Right: ago(1)}
	for what, c := range map[string]struct {
		v    copyView
		want string
	}{
		"all is well":            {copyView{sound: well, told: told(true, 1000), mine: 990}, ""},
		"nobody has anything":    {copyView{told: told(true, 0)}, ""},
		"nothing is known":       {copyView{}, ""},
		"far fewer for a moment": {copyView{sound: well, told: told(true, 1000), mine: 10, lags: ago(5)}, ""},
		"another id by its word": {copyView{told: told(false, 0, func(s *report.Saying) { s.ID = 52 })},
			"director.a copies with sync id 52, this director with 51: neither takes in what the other sends. Do both have the same file?"},
		"another id by its messages": {copyView{sound: sound{Right: ago(20), Wrong: ago(1), WrongID: 52}},
			"director.a sends with sync id 52, and 51 is taken in: its connections do not come here"},
		"two senders, one of them right": {copyView{sound: sound{Right: ago(2), Wrong: ago(1), WrongID: 52}}, ""},
		"another interface": {copyView{sound: sound{Elsewhere: ago(1), On: "e1"}},
			"what director.a sends comes in by e1, and only e0 is listened to: its connections do not come here"},
		"no sender": {copyView{told: told(true, 10, func(s *report.Saying) { s.Sends = false })},
			"director.a says that its kernel's sync sender does not run as it should: it sends no connections"},
		"no receiver": {copyView{told: told(false, 0, func(s *report.Saying) { s.Takes = false }), leads: true},
			"director.a says that its kernel's sync receiver does not run as it should: it takes in no connections"},
		"nothing comes": {copyView{told: told(true, 1000), mine: 3, lags: ago(20)},
			"director.a has 1000 connections, of which 3 are here, and nothing has come from it: its sync daemon does not run, or its messages are lost"},
		"nothing comes any more": {copyView{sound: sound{Right: ago(90)}, told: told(true, 1000), mine: 3, lags: ago(20)},
			"director.a has 1000 connections, of which 3 are here, and nothing has come from it for 1m30s: its sync daemon does not run, or its messages are lost"},
		"one way": {copyView{sound: well, told: told(false, 0, func(s *report.Saying) { s.Heard = -1 }), mine: 1000, leads: true, lags: ago(20)},
			"director.a gets nothing of what is sent here: it has 0 of 1000 connections"},
		"it hears us and has few": {copyView{sound: well, told: told(false, 20), mine: 1000, leads: true, lags: ago(20)},
			"director.a has 20 of the 1000 connections here, though it hears what is sent"},
		"we hear it and have few": {copyView{sound: well, told: told(true, 1000), mine: 20, lags: ago(20)},
			"20 of the 1000 connections of director.a are here, though it is heard"},
		"without a word, probes are missing": {copyView{speaks: true, lives: true, since: ago(40)},
			"nothing has come from director.a, not even its own probes: its sync daemon does not run, or its messages are lost"},
		"without a word, it has just begun": {copyView{speaks: true, lives: true, since: ago(20)}, ""},
		"without a word, it may be dead":    {copyView{speaks: true, since: ago(40)}, ""},
		"it told something long ago":        {copyView{sound: well, told: report.Saying{Copies: report.Copies{ID: 52}, At: ago(60)}}, ""},
	} {
		v := c.v
		v.peer, v.id, v.on = "director.a", 51, "e0"
		if _, got := v.problem(now); got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
	for what, c := range map[string]struct {
		v    copyView
		want bool
	}{
		"the active one has as many":    {copyView{told: told(true, 1000), mine: 900}, false},
		"the active one has far more":   {copyView{told: told(true, 1000), mine: 400}, true},
		"the backup has far more":       {copyView{told: told(true, 100), mine: 400}, false},
		"it is active and so are we":    {copyView{told: told(true, 100), mine: 400, leads: true}, false},
		"we are active, it has few":     {copyView{told: told(false, 100), mine: 400, leads: true}, true},
		"few are too few to judge by":   {copyView{told: told(true, 9), mine: 0}, false},
		"nothing was told for a minute": {copyView{told: report.Saying{Copies: told(true, 1000).Copies, At: ago(60)}}, false},
	} {
		if got := c.v.behind(now); got != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

func TestEarsTellMembersApart(t *testing.T) {
	a, stranger, local := netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("192.0.2.99"), netip.MustParseAddr("fe80::11")
	now := time.Unix(1e9, 0)
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	e := &ears{own: daemonRecord{ipvs.Daemon{ID: 51}, 2000}, members: map[netip.Addr]bool{a: true}, heard: map[netip.Addr]sound{}}
	for i, h := range []ipvs.Heard{
		{Message: ipvs.Message{ID: 51}, From: a, Interface: 2000},
		{Message: ipvs.Message{ID: 52}, From: a, Interface: 2000},
		{Message: ipvs.Message{ID: 51}, From: a, Interface: lo.Index},
		{Message: ipvs.Message{ID: 51}, From: stranger, Interface: 2000},
		{Message: ipvs.Message{ID: 51}, From: local, Interface: 2000},
	} {
		e.note(h, now.Add(time.Duration(i)*time.Second))
	}
	want := sound{Right: now, Wrong: now.Add(time.Second), WrongID: 52, Elsewhere: now.Add(2 * time.Second), On: "lo"}
	if diff := cmp.Diff(want, e.of([]netip.Addr{a}, false)); diff != "" {
		t.Errorf("heard of a member (-want +got)\n%s", diff)
	}
	if got := e.of([]netip.Addr{stranger}, false); got != (sound{}) {
		t.Errorf("heard of a stranger %v", got)
	}
	if got := e.of([]netip.Addr{stranger}, true); !got.Right.Equal(now.Add(4 * time.Second)) {
		t.Errorf("heard by IPv6 from the only one %v", got)
	}
	var none *ears
	if got := none.of([]netip.Addr{a}, true); got != (sound{}) {
		t.Errorf("heard without ears %v", got)
	}
}

func TestAStrangerTellsNothing(t *testing.T) {
	d, logs := settled(t, &fakeKernel{}, t.TempDir())
	d.topo, d.self = copying(51)
	keys := report.Keys{[]byte("0123456789abcdef")}
	d.reports = &reporter{log: d.log, keys: keys, refused: map[netip.Addr]refused{}}
	now := time.Now()
	say := func(from, pair string) bool {
		data := report.SealCopies(keys, from, now, []report.Copies{{Pair: pair, Connections: 7}})[0]
		return d.hear(datagram{netip.MustParseAddrPort("192.0.2.11:4700"), data}, now)
	}
	if !say("director.a", "failover.front") || d.sync.copies.told.Of("director.a", "failover.front").Connections != 7 {
		t.Error("a member is not heard")
	}
	for from, pair := range map[string]string{"director.c": "failover.front", "director.b": "failover.front"} {
		if !say(from, pair) || d.sync.copies.told.Of(from, pair).Connections != 0 {
			t.Errorf("%s is heard", from)
		}
	}
	if say("director.a", "failover.other"); !strings.Contains(logs.String(), "director.c is not a member") && !strings.Contains(logs.String(), "director.b is not a member") {
		t.Errorf("it is not said\n%s", logs)
	}
	if d.hear(datagram{data: report.Seal(keys, "director.a", now, nil)[0]}, now) {
		t.Error("capacity is taken for copies")
	}
}

func TestConnectionsOfAPairAreCounted(t *testing.T) {
	conn := func(proto topology.Proto, state string) ipvs.Conn {
		return ipvs.Conn{Proto: proto, Virtual: netip.MustParseAddrPort("192.0.2.5:80"), Destination: netip.MustParseAddrPort("10.0.0.1:80"), Client: netip.MustParseAddrPort("203.0.113.7:1000"), State: state}
	}
	k := &fakeKernel{conns: []ipvs.Conn{conn(topology.TCP, "ESTABLISHED"), conn(topology.TCP, "ESTABLISHED"), conn(topology.TCP, "TIME_WAIT"), conn(topology.UDP, "UDP")}}
	var table tiers.Table
	p := &pair{}
	for _, proto := range []topology.Proto{topology.TCP, topology.UDP} {
		key := tiers.VIPKey(proto, netip.MustParseAddrPort("192.0.2.5:80"))
		p.keys = append(p.keys, key)
		table.Services = append(table.Services, tiers.Service{Key: key, Scheduler: "wlc", Destinations: []tiers.Destination{{Addr: netip.MustParseAddrPort("10.0.0.1:80")}}})
	}
	if err := k.Plane.Apply(t.Context(), tiers.Diff(tiers.Table{}, table, tiers.Owner{})); err != nil {
		t.Fatal(err)
	}
	d, _ := settled(t, k, t.TempDir())
	topo, _ := copying(51)
	p.of = topo.Failovers[0]
	d.pairs = &pairs{all: map[string]*pair{p.of.ID: p}}
	d.count(context.Background(), time.Now())
	if n := d.sync.copies.mine[p.of.ID]; n != 3 {
		t.Errorf("%d connections, want 2 of TCP that are established and 1 of UDP", n)
	}
}

func TestTheScreenOfCopies(t *testing.T) {
	now := time.Unix(1e9, 0)
	heard, n := now.Add(-time.Second), 1020
	x := pairJSON{
		Pair: "failover.front", VIPs: []string{"192.0.2.5"}, Role: "backup", Since: now.Add(-4 * time.Second), Why: "started", Priority: 200, Will: "free", Members: []string{"director.a", "director.b"},
		Sync: &syncJSON{
			ID: 51, Interface: "e0", Connections: 812, Waits: "waits for connections: 812 of 1020", Problems: []string{"something is wrong"},
			Peers: []syncPeerJSON{{Node: "director.b", Heard: &heard, Connections: &n}, {Node: "director.c"}},
		},
	}
	var out strings.Builder
	x.text(&out, &statusJSON{At: now}, func(s string) string { return s })
	want := `
failover.front  192.0.2.5: backup for 4s, started
  priority 200 of director.a, director.b; waits for connections: 812 of 1020
  copies connections as id 51 on e0: 812 here; director.b has 1020, heard 1s ago; director.c not heard
  trouble: something is wrong
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestMembersThatCopy(t *testing.T) {
	const soon = `preempt_delay = "1s"`
	inPair(t, "one that comes back waits for connections", soon, "sync = {}", func(t *testing.T, _ *fake.Segment, a, b *member) {
		for _, m := range []*member{a, b} {
			if list, _ := m.kernel.Daemons(); len(list) != 2 {
				t.Errorf("%s has the sync daemons %v", m.id, list)
			}
		}
		a.die()
		roles(t, "dead", downTime, "active", b)
		a.begin(a.text)
		roles(t, "it waits", 5*time.Second, "backup active", a, b)
		if x := a.ask(); x.Ready || x.Sync == nil || x.Sync.Waits != "waits for connections: 0, for 3s more" {
			t.Errorf("it is ready: %v, and copies: %+v", x.Ready, x.Sync)
		}
		roles(t, "nobody tells how many there are", 6*time.Second, "active backup", a, b)
		if x := a.ask(); x.Sync == nil || !x.Sync.Complete || x.Sync.Waits != "" {
			t.Errorf("it copies: %+v", x.Sync)
		}
	})
	inPair(t, "nobody waits when nobody is active", soon, "sync = {}", func(t *testing.T, _ *fake.Segment, a, b *member) {
		a.end(false)
		b.end(false)
		a.begin(a.text)
		b.begin(b.text)
		roles(t, "both began", downTime+time.Second, "active backup", a, b)
	})
	inPair(t, "another id is said, and when it is right again", soon, "sync = {}", func(t *testing.T, _ *fake.Segment, a, b *member) {
		says := func(id uint8) {
			b.kernel.mu.Lock()
			defer b.kernel.mu.Unlock()
			b.kernel.said = &ipvs.Heard{Message: ipvs.Message{ID: id, Version: 1}, From: a.addr}
		}
		says(52)
		time.Sleep(3 * time.Minute)
		const wrong = `director.front["a"] sends with sync id 52, and 51 is taken in: its connections do not come here`
		if diff := cmp.Diff([]string{wrong}, b.ask().Sync.Problems); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if n := strings.Count(b.logs.String(), "sends with sync id 52"); n != 3 {
			t.Errorf("it is logged %d times in 3 minutes, want 3", n)
		}
		says(51)
		time.Sleep(3 * time.Second)
		if x := b.ask().Sync; len(x.Problems) > 0 || x.Peers[0].Heard == nil {
			t.Errorf("it copies: %+v", x)
		}
	})
	inPair(t, "a file that says it no more", soon, "sync = {}", func(t *testing.T, _ *fake.Segment, a, b *member) {
		a.reread(strings.Replace(a.text, "sync = {}", "", 1))
		list, _ := a.kernel.Daemons()
		if x := a.ask(); x.Sync != nil || len(list) > 0 {
			t.Errorf("it copies: %+v, by %v", x.Sync, list)
		}
		a.reread(strings.Replace(b.text, "sync = {}", "sync = { id = 7 }", 1))
		if x := a.ask(); x.Sync == nil || x.Sync.ID != 7 {
			t.Errorf("it copies: %+v", x.Sync)
		}
		roles(t, "nobody moves", downTime, "active backup", a, b)
	})
}
