package tiers

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/health"
	"gslb/topology"
)

// What the agents of two servers say, and what the NAT director makes of it.
func TestAgentsBesideTheCheck(t *testing.T) {
	const key = "tcp 192.0.2.5:80 wlc\n"
	for name, c := range map[string]struct {
		says [2]string // "": no answer yet, "-": none at all
		want string
	}{
		"nothing against it": {[2]string{"up", "100%"}, key + "  -> 10.0.1.10:8080 nat weight 200\n  -> 10.0.1.11:8080 nat weight 100\n"},
		"half of its weight": {[2]string{"50%", "up"}, key + "  -> 10.0.1.10:8080 nat weight 1600\n  -> 10.0.1.11:8080 nat weight 1600\n"},
		"a little of it":     {[2]string{"up", "1%"}, key + "  -> 10.0.1.10:8080 nat weight 3200\n  -> 10.0.1.11:8080 nat weight 16\n"},
		"drained: what is there stays, nothing new comes": {[2]string{"drain", "up"}, key + "  -> 10.0.1.10:8080 nat weight 0\n  -> 10.0.1.11:8080 nat weight 100\n"},
		"0% is drained":                          {[2]string{"0%", "up"}, key + "  -> 10.0.1.10:8080 nat weight 0\n  -> 10.0.1.11:8080 nat weight 100\n"},
		"worked on":                              {[2]string{"maint", "up"}, key + "  -> 10.0.1.11:8080 nat weight 100\n"},
		"down":                                   {[2]string{"up", "down"}, key + "  -> 10.0.1.10:8080 nat weight 200\n"},
		"an agent that is dead says nothing":     {[2]string{"-", "up"}, key + "  -> 10.0.1.10:8080 nat weight 200\n  -> 10.0.1.11:8080 nat weight 100\n"},
		"one that has not been asked is awaited": {[2]string{"", "up"}, key},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(topology.TUN, "mh")
			agent := &topology.Check{ID: "check.load", Type: topology.CheckAgent, Port: 9707, Rise: 1, Fall: 1}
			w.topo.Farms[0].Agent = agent
			g := Prepare(w.topo, w.nat1)
			view, asked := health.View{}, 0
			for _, p := range g.Probes {
				switch {
				case p.Check != agent:
					view = view.Observe(p.Target, p.Check, time.Time{}, true)
				case p.Target.Via.IsValid() || p.Mark != 0 || p.Target.Addr.Port() != 9707:
					t.Errorf("%+v: an agent is asked at the server's own address", p)
				default:
					text := c.says[asked]
					asked++
					advice, err := health.ParseAdvice(text)
					switch {
					case text == "-":
						view = view.Observe(p.Target, p.Check, time.Time{}, false)
					case err == nil:
						view = view.With(p.Target, view[p.Target].Advise(p.Check, time.Time{}, advice))
					}
				}
			}
			if diff := cmp.Diff(c.want, services(g.Decide(Inputs{View: view}).Table)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// However many services look at a server in the same way, it is probed once.
func TestServicesShareProbes(t *testing.T) {
	w := newWorld(topology.TUN, "mh")
	w.topo.Farms[0].Agent = &topology.Check{ID: "check.load", Type: topology.CheckAgent, Port: 9707}
	before := Prepare(w.topo, w.nat1).Probes
	for i := range 100 {
		more := *w.topo.Services[0]
		more.VIPs = topology.Addrs{addr("192.0.2.100").Next()}
		more.Ports = []topology.Port{{Proto: topology.TCP, Number: uint16(1000 + i)}}
		w.topo.Services = append(w.topo.Services, &more)
	}
	g := Prepare(w.topo, w.nat1)
	if len(g.rows) != 101 {
		t.Fatalf("%d rows", len(g.rows))
	}
	same := func(a, b Probe) bool { return a == b }
	if !slices.EqualFunc(before, g.Probes, same) {
		t.Errorf("%d probes became %d", len(before), len(g.Probes))
	}
}
