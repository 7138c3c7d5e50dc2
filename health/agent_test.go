package health

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/topology"
)

func TestParseAdvice(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want Advice
		bad  string // part of the error
	}{
		"a percentage":                           {"75%\n", Advice{Weighs: true, Weight: 75}, ""},
		"more than all is all":                   {"250%\n", Advice{Weighs: true, Weight: 100}, ""},
		"a number without end is all":            {strings.Repeat("9", 50) + "%", Advice{Weighs: true, Weight: 100}, ""},
		"up, in capitals, ended by a return":     {"UP\r\nrubbish", Advice{Told: true}, ""},
		"down with a reason":                     {"down # the disk is full\n", Advice{Told: true, Stopped: true, Reason: "the disk is full"}, ""},
		"stopped and fail are down":              {"stopped", Advice{Told: true, Stopped: true}, ""},
		"fail":                                   {"fail\t#x\x1b[2J", Advice{Told: true, Stopped: true, Reason: "x [2J"}, ""},
		"ready, up and a percentage with commas": {"ready,up,,50%", Advice{Ruled: true, Told: true, Weighs: true, Weight: 50}, ""},
		"drain":                                  {"drain", Advice{Ruled: true, Mode: Drained}, ""},
		"maint":                                  {"maint", Advice{Ruled: true, Mode: Disabled}, ""},
		"maxconn is passed over":                 {"up maxconn:30", Advice{Told: true}, ""},
		"the last of a contradiction":            {"drain ready", Advice{Ruled: true}, ""},
		"a number without a percent sign":        {"75", Advice{}, `says "75"`},
		"a negative percentage":                  {"-5%", Advice{}, `says "-5%"`},
		"a word of no meaning spoils all":        {"up HTTP/1.1", Advice{}, `says "HTTP/1.1"`},
		"maxconn of nothing":                     {"maxconn:", Advice{}, `says "maxconn:"`},
		"an empty line":                          {"\nup", Advice{}, "says nothing"},
		"a reason alone":                         {"# why", Advice{}, "says nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseAdvice(c.text)
			if c.bad != "" {
				if err == nil || !strings.Contains(err.Error(), c.bad) {
					t.Errorf("error %v, want one with %q", err, c.bad)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func FuzzParseAdvice(f *testing.F) {
	f.Add("ready up 75% maxconn:3 # why")
	f.Add("down\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAdvice(text)
		if err == nil && (a.Weight > 100 || len(a.Reason) > maxReason || strings.ContainsAny(a.Reason, "\n\r\x00\x1b")) {
			t.Errorf("%+v", a)
		}
	})
}

// Each step is what the agent says, or "-" for no answer, and then what is known.
func TestAgents(t *testing.T) {
	const up, down = "up", "down"
	for name, steps := range map[string][][2]string{
		"a percentage stays until another comes":         {{"75%", "up 75 %"}, {"up", "up 75 %"}, {"100%", "up"}},
		"down counts at once":                            {{"up", up}, {"down", "down stopped"}, {"up", up}},
		"only up takes down back":                        {{"up", up}, {"down", "down stopped"}, {"75%", "down stopped, 75 %"}, {"up", "up 75 %"}},
		"drain is alive":                                 {{"up", up}, {"drain", "up drain"}, {"75%", "up drain, 75 %"}, {"ready", "up 75 %"}},
		"maint is down, and ready is all it takes":       {{"up", up}, {"maint", "down maint"}, {"up", "down maint"}, {"ready", up}},
		"maint at first":                                 {{"maint", "down maint"}, {"ready", up}},
		"ready does not take down back":                  {{"up", up}, {"maint down", "down maint, stopped"}, {"ready", "down stopped"}, {"up", up}},
		"no answer counts like that of any check":        {{"50%", "up 50 %"}, {"-", "up 50 %"}, {"-", "up 50 %"}, {"-", "down 50 %"}},
		"an answer that says nothing of up and down too": {{"up", up}, {"-", up}, {"-", up}, {"-", down}, {"90%", "down 90 %"}, {"90%", "up 90 %"}},
	} {
		t.Run(name, func(t *testing.T) {
			check := &topology.Check{Type: topology.CheckAgent, Rise: 2, Fall: 3}
			var s State
			for i, step := range steps {
				if step[0] == "-" {
					s = s.Observe(check, epoch, false)
				} else {
					a, err := ParseAdvice(step[0])
					if err != nil {
						t.Fatal(err)
					}
					s = s.Advise(check, epoch, a)
				}
				got := down
				if s.Up {
					got = up
				}
				if got = strings.TrimSpace(got + " " + s.Agent.String()); got != step[1] {
					t.Fatalf("step %d (%s): %s, want %s", i+1, step[0], got, step[1])
				}
			}
		})
	}
}

func TestAgentsWeight(t *testing.T) {
	check := &topology.Check{Rise: 1, Fall: 1, SlowStart: 30 * time.Second}
	for name, c := range map[string]struct {
		s    State
		want float64
	}{
		"all":                       {State{Known: true, Up: true}, 1},
		"a part":                    {State{Known: true, Up: true, Agent: Agent{Less: 25}}, 0.75},
		"nothing":                   {State{Known: true, Up: true, Agent: Agent{Less: 100}}, 0},
		"drained":                   {State{Known: true, Up: true, Agent: Agent{Mode: Drained}}, 0},
		"a part of what is growing": {State{Known: true, Up: true, Recovered: true, Since: epoch, Agent: Agent{Less: 50}}, 1. / 32},
	} {
		if got := c.s.Factor(check, epoch); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestAnAgentBesideACheck(t *testing.T) {
	up, gone := State{Known: true, Up: true, Since: epoch}, State{Known: true, Since: epoch}
	for name, c := range map[string]struct {
		s, agent State
		up       bool
		factor   float64
	}{
		"no answer yet changes nothing":                  {up, State{}, true, 1},
		"an agent that died says what it has said last":  {up, State{Known: true, Agent: Agent{Less: 60}}, true, 0.4},
		"an agent that died without a word is no matter": {up, gone, true, 1},
		"stopped is down":                                {up, State{Known: true, Agent: Agent{Stopped: true}}, false, 1},
		"worked on is down":                              {up, State{Known: true, Agent: Agent{Mode: Disabled}}, false, 1},
		"drained is up":                                  {up, State{Known: true, Up: true, Agent: Agent{Mode: Drained}}, true, 0},
		"what is down is not brought up":                 {gone, up, false, 1},
	} {
		got := c.s.Advised(c.agent)
		if got.Up != c.up || got.Factor(&topology.Check{}, epoch) != c.factor {
			t.Errorf("%s: up %v, factor %v; want %v, %v", name, got.Up, got.Factor(&topology.Check{}, epoch), c.up, c.factor)
		}
	}
}

func TestBeingWorkedOnIsNoFlap(t *testing.T) {
	check := &topology.Check{Rise: 1, Fall: 1, Flap: topology.Flap{Count: 1, Window: time.Hour, Hold: time.Minute, Max: time.Hour}}
	s := State{}.Advise(check, epoch, Advice{Ruled: true})
	for range 5 {
		s = s.Advise(check, epoch, Advice{Ruled: true, Mode: Disabled})
		s = s.Advise(check, epoch, Advice{Ruled: true})
	}
	if !s.Up || s.Flaps != 0 {
		t.Errorf("%+v", s)
	}
	// What its agent calls down is held down like anything else that flaps.
	s = s.Advise(check, epoch, Advice{Told: true, Stopped: true})
	if s = s.Advise(check, epoch, Advice{Told: true}); s.Up || s.Agent.Stopped {
		t.Errorf("not held down: %+v", s)
	}
	if s = s.Advise(check, epoch.Add(time.Minute), Advice{Told: true}); !s.Up {
		t.Errorf("held down too long: %+v", s)
	}
}
