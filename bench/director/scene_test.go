package main

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/conf"
	"gslb/health"
	"gslb/tiers"
)

// What director is to program is what the witness looks for.
func TestTopology(t *testing.T) {
	s := scene{3, 2}
	topo, diags := conf.Parse(conf.Source{Files: []conf.File{{Name: "bench.hcl", Data: s.topology(variant{1})}}})
	if len(diags) != 0 {
		t.Fatal(diags)
	}
	self, ok := topo.Director("director.d")
	if !ok {
		t.Fatal("no director")
	}
	want := ""
	for i := range s.Services {
		want += fmt.Sprintf("udp %s:%d wlc\n", vip(i), port)
		for k := range s.Destinations {
			want += fmt.Sprintf("  -> %s:%d nat weight %d\n", server(i, k), port, (variant{1}).weight(i, k))
		}
	}
	table := tiers.Prepare(topo, self).Decide(tiers.Inputs{View: health.View{}}).Table
	got := tiers.Table{}
	for _, s := range table.Services {
		if s.Key.VIP.IsValid() {
			got.Services = append(got.Services, s)
		}
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestParseScene(t *testing.T) {
	for text, want := range map[string]string{
		"1000x10": "1000 services x 10 destinations",
		"1x1":     "1 services x 1 destinations",
		"0x1":     `"0x1" is not SERVICESxDESTINATIONS, up to 60000x250`,
		"10":      `"10" is not SERVICESxDESTINATIONS, up to 60000x250`,
		"10x251":  `"10x251" is not SERVICESxDESTINATIONS, up to 60000x250`,
	} {
		s, err := parseScene(text)
		got := s.String()
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s; want %s", text, got, want)
		}
	}
}

// A reading that remembers the one before gives the same table as one that
// remembers nothing: what it took over is what has not changed.
func TestReadingAgain(t *testing.T) {
	s := scene{5, 3}
	var memory conf.Memory
	ground := &tiers.Ground{}
	for _, v := range []variant{{-1}, {2}, {2}, {4}, {-1}} {
		files := conf.Source{Files: []conf.File{{Name: "bench.hcl", Data: s.topology(v)}}}
		again, diags := memory.Parse(files)
		if len(diags) != 0 {
			t.Fatal(diags)
		}
		self, _ := again.Director("director.d")
		ground = ground.Next(again, self)
		anew, _ := conf.Parse(files)
		self, _ = anew.Director("director.d")
		want := tiers.Prepare(anew, self).Decide(tiers.Inputs{}).Table
		if diff := cmp.Diff(want.String(), ground.Decide(tiers.Inputs{}).Table.String()); diff != "" {
			t.Errorf("changed service %d (-want +got)\n%s", v.service, diff)
		}
	}
}
