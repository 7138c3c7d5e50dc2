package graph

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/conf"
	"gslb/topology"
)

func read(t *testing.T, name string) *topology.Topology {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, filepath.Base(name), string(data))
}

func parse(t *testing.T, name, text string) *topology.Topology {
	t.Helper()
	topo, diags := conf.Parse(conf.Source{Files: []conf.File{{Name: name, Data: []byte(text)}}})
	if topo == nil {
		t.Fatal(diags)
	}
	return topo
}

// regions is a topology of r regions, each with a front, c cells of a NAT
// director and a farm of s servers, and v services.
func regions(t *testing.T, r, c, s, v int) *topology.Topology {
	t.Helper()
	return parse(t, "regions.hcl", fmt.Sprintf(`
locals {
  sites = range(%[1]d)
  cells = [for p in setproduct(range(%[1]d), range(%[2]d)) : { site = p[0], cell = p[1] }]
  names = [for p in setproduct(range(%[1]d), range(%[4]d)) : { site = p[0], name = p[1] }]
}
region "site" { for_each = local.sites }
zone "shop" { name = "g.shop.example" }
nameserver "ns" {
  for_each  = local.sites
  region    = region.site[each.value]
  addresses = ["192.0.${each.value}.253"]
}
network "edge" {
  for_each = local.sites
  region   = region.site[each.value]
  cidr     = "192.0.${each.value}.0/24"
}
network "inside" {
  for_each = local.cells
  region   = region.site[each.value.site]
  cidr     = "10.${each.value.site}.${each.value.cell}.0/24"
}
director "front" {
  for_each = local.sites
  network  = network.edge[each.value]
  address  = "192.0.${each.value}.11"
}
director "nat" {
  for_each = local.cells
  network  = network.edge[each.value.site]
  address  = "192.0.${each.value.site}.${20 + each.value.cell}"
  inside   = { network = network.inside[each.key], address = "10.${each.value.site}.${each.value.cell}.1" }
}
farm "web" {
  for_each = local.cells
  network  = network.inside[each.key]
  gateway  = director.nat[each.key]
  server "web" {
    for_each   = range(%[3]d)
    address    = "10.${parent.value.site}.${parent.value.cell}.${10 + each.value}"
    throughput = "400KB/s"
  }
}
virtual_service "www" {
  for_each = local.names
  region   = region.site[each.value.site]
  vip      = "192.0.${each.value.site}.${200 + each.value.name}"
  ports    = ["tcp/80"]
  tier "front" {
    directors = [director.front[each.value.site]]
    method    = "tun"
  }
  tier "nat" {
    directors = [for i, d in director.nat : d if local.cells[i].site == each.value.site]
    method    = "nat"
    farms     = [for i, f in farm.web : f if local.cells[i].site == each.value.site]
  }
}
domain "www" {
  for_each = range(%[4]d)
  name     = "www${each.value}"
  zone     = zone.shop
  answer "site" {
    for_each = { for i, v in local.names : "s${v.site}" => i if v.name == each.value }
    service  = virtual_service.www[each.value]
  }
}
`, r, c, s, v))
}

func topologies(t *testing.T) map[string]*topology.Topology {
	t.Helper()
	all := map[string]*topology.Topology{
		"nothing":         parse(t, "empty.hcl", ""),
		"a region alone":  parse(t, "region.hcl", `region "r" {}`),
		"twenty regions":  regions(t, 20, 4, 2, 2),
		"many cells":      regions(t, 3, 20, 2, 3),
		"many names":      regions(t, 2, 2, 2, 40),
		"a hundred sites": regions(t, 100, 2, 1, 1),
	}
	names, err := filepath.Glob("../examples/*.hcl")
	if err != nil || len(names) < 4 {
		t.Fatal(err, names)
	}
	for _, name := range append(names, "../lab/testdata/three-regions.hcl", "../lab/testdata/v6.hcl") {
		all[filepath.Base(name)] = read(t, name)
	}
	return all
}

func TestEveryObjectIsInOneBox(t *testing.T) {
	for name, topo := range topologies(t) {
		var want []string
		for _, n := range topo.Nameservers {
			want = append(want, n.ID)
		}
		for _, d := range topo.Domains {
			want = append(want, d.ID)
			for _, a := range d.Answers {
				if a.Service == nil {
					want = append(want, a.ID)
				}
			}
		}
		for _, v := range topo.Services {
			want = append(want, v.ID)
		}
		for _, d := range topo.Directors {
			want = append(want, d.ID)
		}
		for _, f := range topo.Farms {
			want = append(want, f.ID)
		}
		times := map[string]int{}
		for _, b := range compile(topo).all {
			for _, id := range b.objects {
				times[id]++
			}
		}
		for _, id := range want {
			if times[id] != 1 {
				t.Errorf("%s: %s is in %d boxes", name, id, times[id])
			}
		}
	}
}

type area struct {
	what       string
	x, y, w, h float64
}

func (a area) overlaps(b area) bool {
	return a.x < b.x+b.w && b.x < a.x+a.w && a.y < b.y+b.h && b.y < a.y+a.h
}

func (a area) within(b area) bool {
	return a.x >= b.x && a.y >= b.y && a.x+a.w <= b.x+b.w && a.y+a.h <= b.y+b.h
}

func TestNothingLiesOnSomethingElse(t *testing.T) {
	for name, topo := range topologies(t) {
		p := layout(compile(topo))
		sheet := area{"sheet", 0, 0, p.w, p.h}
		var frames, things []area
		for _, g := range p.model.groups {
			frame := area{"frame " + g.title, g.x, g.y, g.w, g.h}
			frames = append(frames, frame)
			for _, b := range g.boxes {
				box := area{b.title, b.x, b.y, b.w, b.h}
				things = append(things, box)
				if !box.within(frame) {
					t.Errorf("%s: %s is not in its frame: %v, %v", name, b.title, box, frame)
				}
			}
		}
		for _, j := range p.pills {
			things = append(things, area{j.link.label, j.x, j.y, j.w, j.h})
		}
		for _, list := range [][]area{frames, things} {
			for i, a := range list {
				if !a.within(sheet) {
					t.Errorf("%s: %v is not on the sheet %v", name, a, sheet)
				}
				for _, b := range list[:i] {
					if a.overlaps(b) {
						t.Errorf("%s: %v lies on %v", name, a, b)
					}
				}
			}
		}
	}
}

func TestTheSheetStaysOfAReadableShape(t *testing.T) {
	for _, c := range []struct {
		name string
		topo *topology.Topology
		w, h float64
	}{
		{"two tiers", read(t, "../examples/two-tier.hcl"), 1200, 800},
		{"twenty regions", regions(t, 20, 4, 2, 2), 2400, 1600},
		{"a hundred regions", regions(t, 100, 2, 1, 1), 4800, 4000},
		{"forty names", regions(t, 2, 2, 2, 40), 1400, 1200},
	} {
		if p := layout(compile(c.topo)); p.w > c.w || p.h > c.h {
			t.Errorf("%s: %.0f × %.0f, want at most %.0f × %.0f", c.name, p.w, p.h, c.w, c.h)
		}
	}
}

func TestDrawingsAreWellFormedAndTheSameEachTime(t *testing.T) {
	for name, topo := range topologies(t) {
		svg := SVG(topo)
		in := xml.NewDecoder(strings.NewReader(svg))
		for {
			token, err := in.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if e, ok := token.(xml.StartElement); ok {
				if e.Name.Local == "script" || e.Name.Local == "image" || e.Name.Local == "use" {
					t.Errorf("%s: the drawing has a %s", name, e.Name.Local)
				}
				for _, a := range e.Attr {
					if a.Name.Local == "href" || strings.HasPrefix(a.Name.Local, "on") {
						t.Errorf("%s: the drawing has %s=%q", name, a.Name.Local, a.Value)
					}
				}
			}
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || strings.Contains(svg, "%!") {
			t.Errorf("%s: the drawing has numbers that are none", name)
		}
		for i, draw := range []func(*topology.Topology) string{Text, DOT, Mermaid, SVG} {
			if once, again := draw(topo), draw(topo); once != again {
				t.Errorf("%s: drawing %d differs from time to time", name, i)
			}
		}
	}
}

// Ten times the directors and farms are at most ten times the text; in a
// drawing they are one box.
func TestDrawingsGrowInLineWithTheTopology(t *testing.T) {
	small, large := regions(t, 2, 17, 1, 1), regions(t, 2, 170, 1, 1)
	for i, draw := range []func(*topology.Topology) string{Text, DOT, Mermaid, SVG} {
		if a, b := len(draw(small)), len(draw(large)); b > 11*a {
			t.Errorf("drawing %d: %d bytes become %d", i, a, b)
		}
	}
}

func TestWhatAFileSaysIsNoMarkup(t *testing.T) {
	topo := parse(t, "t.hcl", `
topology "<script>&\"c\"" {}
region "r" {}
zone "z" { name = "g.shop.example" }
network "w" {
  region = region.r
  cidr   = "192.0.2.0/24"
}
director "n" {
  for_each = { "]]>\"; x -> y#" = 1 }
  network  = network.w
  address  = "192.0.2.1"
}
nameserver "m" {
  region    = region.r
  addresses = ["192.0.2.2"]
}`)
	svg := SVG(topo)
	if err := xml.Unmarshal([]byte(svg), new(struct{})); err != nil {
		t.Error(err)
	}
	if strings.Contains(svg, "<script") {
		t.Error("the drawing has a script")
	}
	if dot := DOT(topo); !strings.Contains(dot, `n[\"]]>\\\"; x -> y#\"]`) {
		t.Errorf("the label is not quoted:\n%s", dot)
	}
	if m := Mermaid(topo); strings.Contains(m, "<script") || strings.Contains(m, "]]>") {
		t.Errorf("the label is not quoted:\n%s", m)
	}
}

func TestRatesHaveThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0 B/s", 999: "999 B/s", 400e3: "400 KB/s", 536 / 60e-6: "8.93 MB/s", 4.8e6: "4.8 MB/s", 999.6e6: "1 GB/s", 12.34e9: "12.3 GB/s",
	} {
		if got := perSecond(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}

// A pair is one box, and carries what one of its members does.
func TestPairs(t *testing.T) {
	topo := read(t, "../lab/testdata/pairs.hcl")
	want := `pairs: 1 region, 2 virtual services, 6 directors, 2 farms, 4 servers
region.eu
├─ virtual_service.www  192.0.2.5, 2001:db8:0:1::5  tcp/80
│  ├─ tier front: tun, mh
│  │  └─ failover.front
│  │     ├─ director.front["a"]  192.0.2.11, 2001:db8:0:1::11  first
│  │     └─ director.front["b"]  192.0.2.12, 2001:db8:0:1::12  stands by
│  └─ tier nat: nat, mh
│     └─ failover.nat  192.0.2.20, 2001:db8:0:1::20  8.93 MB/s
│        ├─ director.nat["a"]  192.0.2.21, 2001:db8:0:1::21  first
│        ├─ director.nat["b"]  192.0.2.22, 2001:db8:0:1::22  stands by
│        └─ farm.web["nat"]  2 servers
└─ virtual_service.gate  192.0.2.6, 2001:db8:0:1::6  tcp/80
   └─ tier nat: nat, mh
      └─ failover.gate  8.93 MB/s
         ├─ director.gate["a"]  192.0.2.31, 2001:db8:0:1::31  first
         ├─ director.gate["b"]  192.0.2.32, 2001:db8:0:1::32  stands by
         └─ farm.web["gate"]  2 servers
`
	if diff := cmp.Diff(want, Text(topo)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	m := compile(topo)
	var boxes []string
	for _, b := range m.all {
		if b.kind == director {
			boxes = append(boxes, b.title+": "+strings.Join(b.objects, " ")+": "+strings.Join(b.lines, ", "))
		}
	}
	if diff := cmp.Diff([]string{
		`front: director.front["a"] director.front["b"]: pair of 2`,
		`nat: director.nat["a"] director.nat["b"]: 192.0.2.20, 2001:db8:0:1::20, pair of 2`,
		`gate: director.gate["a"] director.gate["b"]: pair of 2`,
	}, boxes); diff != "" {
		t.Errorf("boxes (-want +got)\n%s", diff)
	}
	for _, l := range m.links {
		if len(l.from) != 1 || len(l.to) != 1 {
			t.Errorf("%s links %d boxes to %d", l.label, len(l.from), len(l.to))
		}
		if l.method == "nat" && l.carries() != "8.93 MB/s" {
			t.Errorf("%s carries %s", l.label, l.carries())
		}
	}
}
