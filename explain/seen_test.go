package explain_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/explain"
	"gslb/health"
	"gslb/steering"
)

const seenFile = `
region "eu" {}
region "us" {}
zone "z" { name = "z.example" }
nameserver "ns" {
  for_each  = { a = "192.0.2.53", b = "198.51.100.53" }
  region    = each.key == "a" ? region.eu : region.us
  addresses = [each.value]
}
check "web" {
  type       = "tcp"
  port       = 80
  slow_start = "30s"
  flap {
    count = 2
    hold  = "60s"
  }
}
policy "closed" {
  step "health" { fail_open = false }
  step "weight" {}
  step "limit" { answers = 1 }
}
policy "unchecked" {
  step "rotate" {}
}
domain "www" {
  zone = zone.z
  for_each = { www = policy.closed, plain = policy.unchecked }
  name   = each.key
  policy = each.value
  answer "eu" {
    addresses = ["192.0.2.1"]
    region    = region.eu
    weight    = 3
    check     = check.web
  }
  answer "us" {
    addresses = ["198.51.100.1"]
    region    = region.us
    check     = check.web
  }
}
domain "alias" {
  zone = zone.z
  answer "x" { cname = "www" }
}
`

var seenAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// What a name server knew makes of the policy, of the answer and of the screen.
func TestWhatANameServerKnew(t *testing.T) {
	topo := parse(t, seenFile)
	eu := health.Target{Check: "check.web", Addr: netip.MustParseAddrPort("192.0.2.1:80")}
	us := health.Target{Check: "check.web", Addr: netip.MustParseAddrPort("198.51.100.1:80")}
	up := health.State{Known: true, Up: true, Since: seenAt.Add(-time.Hour)}
	down := health.State{Known: true, Since: seenAt.Add(-time.Minute)}
	word := func(object string, mode health.Mode) health.Override {
		return health.Override{Object: object, Mode: mode, Reason: "new cables", Who: "root (uid 0)", Since: seenAt.Add(-time.Hour), Until: seenAt.Add(time.Hour)}
	}
	for name, c := range map[string]struct {
		name   string
		eu, us health.State
		last   string // of eu
		stale  bool   // eu is
		said   []health.Override
		down   []string
		want   string
	}{
		"all is well": {eu: up, us: up, want: `
answer 192.0.2.1 75 %, 198.51.100.1 25 %`},
		"one is disabled": {eu: up, us: up, said: []health.Override{word("domain.www[\"www\"].answer.eu", health.Disabled)}, want: `
eu disabled domain.www["www"].answer.eu, until 2026-01-02 04:04:05 UTC, by root (uid 0): new cables
answers out eu: disabled
answer 198.51.100.1 100 %`},
		"a region is drained while another is up": {eu: up, us: up, said: []health.Override{word("region.us", health.Drained)}, want: `
us drained region.us, until 2026-01-02 04:04:05 UTC, by root (uid 0): new cables
health out us: drained (region.us), and another is up
answer 192.0.2.1 100 %`},
		"a region is drained and nobody else is up": {eu: down, us: up, last: "connection refused", said: []health.Override{word("region.us", health.Drained)}, want: `
us drained region.us, until 2026-01-02 04:04:05 UTC, by root (uid 0): new cables
health up; what is drained stays in, for nothing else is
health out eu: check.web of 192.0.2.1:80 fails: connection refused
answer 198.51.100.1 100 %`},
		"what is drained and down is down": {eu: up, us: down, said: []health.Override{word("region.us", health.Drained)}, want: `
us drained region.us, until 2026-01-02 04:04:05 UTC, by root (uid 0): new cables
health out us: check.web of 198.51.100.1:80 fails: down since 2026-01-02 03:03:05 UTC
answer 192.0.2.1 100 %`},
		"a policy without checks leaves out what is drained": {name: "plain", eu: down, us: up, said: []health.Override{word("region.us", health.Drained)}, want: `
us drained region.us, until 2026-01-02 04:04:05 UTC, by root (uid 0): new cables
answers out us: drained (region.us)
answer 192.0.2.1 100 %`},
		"all are disabled": {eu: up, us: up, said: []health.Override{word("region.eu", health.Disabled), word("region.us", health.Disabled)}, want: `
eu disabled region.eu, until 2026-01-02 04:04:05 UTC, by root (uid 0): new cables
us disabled region.us, until 2026-01-02 04:04:05 UTC, by root (uid 0): new cables
answers out eu: disabled (region.eu)
answers out us: disabled (region.us)
error 22 No Reachable Authority: no answer of the name is up
note nobody of www.z.example. is left to answer with: resolvers are told that it has no A record`},
		"a weight grows": {eu: health.State{Known: true, Up: true, Recovered: true, Since: seenAt.Add(-10 * time.Second)}, us: up, want: `
eu slow start check.web of 192.0.2.1:80: 38 % of its weight, all of it at 2026-01-02 03:04:25 UTC
weight shares in proportion to the weights of now: eu 1.13 of 3, us 1
answer 192.0.2.1 53 %, 198.51.100.1 47 %`},
		"an agent wants less": {eu: health.State{Known: true, Up: true, Since: seenAt, Agent: health.Agent{Less: 50}}, us: up, want: `
eu agent check.web of 192.0.2.1:80: its agent says 50 %
weight shares in proportion to the weights of now: eu 1.5 of 3, us 1
answer 192.0.2.1 60 %, 198.51.100.1 40 %`},
		"one is held down": {eu: health.State{Known: true, Flaps: 2, Since: seenAt.Add(-20 * time.Second)}, us: up, want: `
eu held down check.web of 192.0.2.1:80: not up before 2026-01-02 03:04:45 UTC, whatever its check says; flap 2
health out eu: check.web of 192.0.2.1:80 fails: down since 2026-01-02 03:03:45 UTC
answer 198.51.100.1 100 %`},
		"a state is stale": {eu: up, us: up, stale: true, want: `
eu stale check.web of 192.0.2.1:80: no result has come of late, so its state counts as it was
answer 192.0.2.1 75 %, 198.51.100.1 25 %
error 3 Stale Answer: checks have not confirmed of late who is up`},
		"a stale state is nothing to a policy without checks": {name: "plain", eu: up, us: up, stale: true, want: `
answer 192.0.2.1 100 %, 198.51.100.1 100 %`},
		"nothing is known of one": {us: up, stale: true, want: `
eu stale check.web of 192.0.2.1:80: no result has come yet, so it counts as down
health out eu: check.web of 192.0.2.1:80: no result has come yet
answer 198.51.100.1 100 %
error 3 Stale Answer: checks have not confirmed of late who is up`},
		"a state was saved": {eu: health.State{Known: true, Up: true, Saved: true, Since: seenAt.Add(-time.Hour)}, us: up, want: `
eu saved check.web of 192.0.2.1:80: the state is of a run before, there has been no result in this one
answer 192.0.2.1 75 %, 198.51.100.1 25 %`},
		"all are down and the policy is closed": {eu: down, us: down, want: `
health all down, and the step is closed (fail_open = false)
health out eu: check.web of 192.0.2.1:80 fails: down since 2026-01-02 03:03:05 UTC
health out us: check.web of 198.51.100.1:80 fails: down since 2026-01-02 03:03:05 UTC
error 22 No Reachable Authority: no answer of the name is up
note nobody of www.z.example. is left to answer with: resolvers are told that it has no A record`},
		"what is said to be down beside it is": {eu: up, us: up, stale: true, down: []string{"region.eu"}, want: `
health out eu: check.web of 192.0.2.1:80 fails: region.eu is down
answer 198.51.100.1 100 %
note nameserver.ns["a"] is down: resolvers ask the other nameservers`},
		"an alias leads to a name with health of its own": {name: "alias", eu: down, us: up, want: `
answer www.z.example. 100 %, 198.51.100.1 100 %`},
	} {
		t.Run(name, func(t *testing.T) {
			seen := &explain.Seen{At: seenAt, View: health.View{eu: c.eu, us: c.us}, Last: map[health.Target]string{eu: c.last}, Stale: map[health.Target]bool{eu: c.stale}}
			for _, o := range c.said {
				var err error
				if seen.Overrides, err = seen.Overrides.With(o); err != nil {
					t.Fatal(err)
				}
			}
			if c.name == "" {
				c.name = "www"
			}
			q := explain.Question{Name: c.name + ".z.example.", Type: "A", Client: netip.MustParseAddr("203.0.113.9")}
			x, err := explain.Explain(topo, q, explain.State{Seen: seen, Down: c.down}, newServer(t, topo).ask)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), strings.TrimSuffix(brief(x), "\n")); diff != "" {
				t.Errorf("(-want +got)\n%s\n%s", diff, x.Text(explain.Paint{}))
			}
		})
	}
}

// brief is what an explanation says of rules, who went out and why, and the answer.
func brief(x *explain.Explanation) string {
	var b strings.Builder
	for _, r := range x.Rules {
		fmt.Fprintf(&b, "%s %s %s\n", r.Label, r.Rule, r.Text)
	}
	for _, s := range x.Steps {
		if strings.Contains(s.Text, "drained") || strings.Contains(s.Text, "closed") || strings.Contains(s.Text, "of now") {
			fmt.Fprintf(&b, "%s %s\n", s.Step, s.Text)
		}
		for _, o := range s.Out {
			fmt.Fprintf(&b, "%s out %s: %s\n", s.Step, o.Label, o.Why)
		}
	}
	var records []string
	for _, r := range x.Answer.Records {
		records = append(records, fmt.Sprintf("%s %.0f %%", r.Data, 100*r.Share))
	}
	if len(records) > 0 {
		fmt.Fprintf(&b, "answer %s\n", strings.Join(records, ", "))
	}
	if e := x.Answer.Error; e != nil {
		fmt.Fprintf(&b, "error %d %s: %s\n", e.Code, e.Name, e.Text)
	}
	for _, n := range x.Answer.Notes {
		fmt.Fprintf(&b, "note %s\n", n)
	}
	return b.String()
}

// A server that goes by other files would answer otherwise, and what was not
// seen at any time says nothing.
func TestOtherFilesAreRefused(t *testing.T) {
	topo := parse(t, seenFile)
	all := health.View{}
	for _, p := range steering.Probes(topo) {
		all[p.Target] = health.State{Known: true, Up: true}
	}
	without := all.Keep(func(t health.Target) bool { return t.Addr != netip.MustParseAddrPort("192.0.2.1:80") })
	more := all.With(health.Target{Addr: netip.MustParseAddrPort("192.0.2.9:443")}, health.State{Known: true})
	for name, c := range map[string]struct {
		seen explain.Seen
		want string
	}{
		"it does not check what the files do": {explain.Seen{At: seenAt, View: without}, "these files check check.web of 192.0.2.1:80, and the name server does not: it goes by others"},
		"it checks what the files do not":     {explain.Seen{At: seenAt, View: more}, "the name server checks the default check of 192.0.2.9:443, and these files do not: it goes by others"},
		"at no time":                          {explain.Seen{View: all}, "nothing says when the name server has seen this"},
	} {
		t.Run(name, func(t *testing.T) {
			q := explain.Question{Name: "www.z.example.", Type: "A", Client: netip.MustParseAddr("203.0.113.9")}
			_, err := explain.Explain(topo, q, explain.State{Seen: &c.seen}, newServer(t, topo).ask)
			if err == nil || err.Error() != c.want {
				t.Errorf("error %v\nwant  %s", err, c.want)
			}
		})
	}
	_, err := explain.ExplainFlow(topo, explain.Flow{}, explain.State{Seen: &explain.Seen{At: seenAt, View: all}})
	if want := "directors send it on, and what a name server knows says nothing of them"; err == nil || err.Error() != want {
		t.Errorf("a flow: %v, want %s", err, want)
	}
}
