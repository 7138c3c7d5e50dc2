package main

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/conf"
	"gslb/dataplane/ipvs"
	"gslb/health"
	"gslb/tiers"
	"gslb/topology"
)

const liveFile = `
region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
director "d" {
  network  = network.edge
  address  = "192.0.2.11"
  timeouts = { tcp = "1h" }
}
farm "web" {
  network = network.edge
  server "web" {
    for_each = range(3)
    address  = cidrhost(network.edge.cidr, 20 + each.value)
  }
}
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "d" {
    directors = [director.d]
    method    = "dr"
    scheduler = "wlc"
    farms     = [farm.web]
  }
}
`

func TestLivePlan(t *testing.T) {
	topo, diags := conf.Parse(conf.Source{Files: []conf.File{{Name: "x.hcl", Data: []byte(liveFile)}}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	self, _ := topo.Director("director.d")
	ground := tiers.Prepare(topo, self)
	up := health.View{}
	for _, p := range ground.Probes {
		up[p.Target] = health.State{Known: true, Up: true}
	}
	all := ground.Decide(tiers.Inputs{View: up}).Table
	at := func(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
	service := func(key tiers.Key, to ...tiers.Destination) tiers.Service {
		return tiers.Service{Key: key, Scheduler: "wlc", Netmask: 32, Destinations: to}
	}
	old, foreign := tiers.VIPKey(topology.TCP, at("192.0.2.6:80")), tiers.VIPKey(topology.TCP, at("203.0.113.99:99"))
	changed := tiers.Table{Services: append(append([]tiers.Service{}, all.Services...), service(old), service(foreign))}
	changed.Sort()
	www, _ := changed.Find(tiers.VIPKey(topology.TCP, at("192.0.2.5:80")))
	changed.Services[www].Destinations = []tiers.Destination{
		{Addr: at("192.0.2.20:80"), Method: topology.DR, Weight: 7}, {Addr: at("192.0.2.22:80"), Method: topology.DR, Weight: 1},
	}
	found := ipvs.Timeouts{TCP: 15 * time.Minute, TCPFin: 2 * time.Minute, UDP: 10 * time.Second}
	settled := found
	settled.TCP = time.Hour

	for name, c := range map[string]struct {
		have     tiers.Table
		timeouts ipvs.Timeouts
		left     left
		in       tiers.Inputs
		running  bool
		host     []string
		text     string
	}{
		"all is as it should be": {all, settled, left{}, tiers.Inputs{View: up}, true, nil, `director.d: nothing changes on this host.
`},
		"no director runs": {changed, settled, left{}, tiers.Inputs{}, false, nil, `director.d: 2 changes on this host.

table
  ~ tcp 192.0.2.5:80 -> 192.0.2.20:80 dr weight 7 => weight 1
  + tcp 192.0.2.5:80 -> 192.0.2.21:80 dr weight 1

note: 2 foreign services in the kernel stay as they are
note: no director runs here: all destinations are taken to be up, and nobody to have said otherwise
`},
		"one runs that had another VIP, and a server is drained": {
			changed, found, left{Node: "director.d", VIPs: []netip.Addr{old.VIP.Addr()}},
			tiers.Inputs{View: up, Overrides: health.Overrides{{Object: "farm.web.server.web[1]", Mode: health.Drained}}}, true, []string{"address 192.0.2.5 on e0"},
			`director.d: 5 changes on this host.

host
  address 192.0.2.5 on e0
  timeout tcp = 1h0m0s, now 15m0s

table
  ~ tcp 192.0.2.5:80 -> 192.0.2.20:80 dr weight 7 => weight 1
  + tcp 192.0.2.5:80 -> 192.0.2.21:80 dr weight 0
  - tcp 192.0.2.6:80 wlc

note: 1 foreign services in the kernel stay as they are
`},
		"one runs that does not check all of it": {all, settled, left{}, tiers.Inputs{}, true, nil, `director.d: nothing changes on this host.

note: 3 checks are not made by the director that runs here: what they look at is taken to be up
`},
	} {
		t.Run(name, func(t *testing.T) {
			p := &livePlan{Host: append([]string{}, c.host...)}
			p.decide(topo, self, c.have, c.left, c.in, c.running)
			p.settle(self.Timeouts, c.timeouts, c.left)
			var text strings.Builder
			p.text(&text)
			if diff := cmp.Diff(c.text, text.String()); diff != "" {
				t.Errorf("screen (-want +got):\n%s", diff)
			}
		})
	}

	p := &livePlan{Host: []string{}}
	p.decide(topo, self, changed, left{}, tiers.Inputs{View: up}, true)
	p.settle(topology.Timeouts{}, found, left{})
	got, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"format_version":1,"node":"director.d","host":[],"timeouts":[],"table":[` +
		`{"change":"edit","service":"tcp 192.0.2.5:80","destination":"192.0.2.20:80","text":"~ tcp 192.0.2.5:80 -\u003e 192.0.2.20:80 dr weight 7 =\u003e weight 1"},` +
		`{"change":"add","service":"tcp 192.0.2.5:80","destination":"192.0.2.21:80","text":"+ tcp 192.0.2.5:80 -\u003e 192.0.2.21:80 dr weight 1"}` +
		`],"foreign_services":2,"director_running":true,"assumed_up":0}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}
