package conf

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gslb/topology"
)

// sameAsParse compares what a Memory says of a source with what Parse says.
func sameAsParse(m *Memory, src Source) string {
	got, said := m.Parse(src)
	want, diags := Parse(src)
	if d := cmp.Diff(spelledOut(diags), spelledOut(said)); d != "" {
		return "diagnostics (-Parse +Memory):\n" + d
	}
	if !reflect.DeepEqual(want, got) {
		return "topology (-Parse +Memory):\n" + cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}))
	}
	return ownObjects(got)
}

// ownObjects reports an object of a topology that refers to one which looks as
// one of the topology does and is another.
func ownObjects(t *topology.Topology) string {
	if t == nil {
		return ""
	}
	own := map[any]bool{}
	for _, x := range t.Regions {
		own[x] = true
	}
	for _, x := range t.Networks {
		own[x] = true
	}
	for _, x := range t.Zones {
		own[x] = true
	}
	for _, x := range t.Directors {
		own[x] = true
	}
	for _, x := range t.Failovers {
		own[x] = true
	}
	for _, x := range t.Farms {
		own[x] = true
	}
	for _, x := range t.Services {
		own[x] = true
	}
	for _, x := range t.Policies {
		own[x] = true
	}
	var strangers []string
	refers := func(id string, x any) {
		if v := reflect.ValueOf(x); !v.IsNil() && !own[x] {
			strangers = append(strangers, fmt.Sprintf("%s refers to a %T of another topology", id, x))
		}
	}
	for _, r := range t.Regions {
		for _, f := range r.Fallback {
			refers(r.ID, f)
		}
	}
	for _, n := range t.Networks {
		refers(n.ID, n.Region)
	}
	for _, d := range t.Directors {
		refers(d.ID, d.Network)
		if d.Inside != nil {
			refers(d.ID, d.Inside.Network)
		}
	}
	for _, f := range t.Failovers {
		for _, d := range f.Members {
			refers(f.ID, d)
		}
		if f.Inside != nil {
			refers(f.ID, f.Inside.Network)
		}
	}
	for _, f := range t.Farms {
		refers(f.ID, f.Network)
		refers(f.ID, f.Region)
		refers(f.ID, f.Gateway.Director)
		refers(f.ID, f.Gateway.Pair)
		for _, s := range f.Servers {
			refers(s.ID, s.Farm)
		}
	}
	for _, s := range t.Services {
		refers(s.ID, s.Region)
		for _, tier := range s.Tiers {
			for _, d := range tier.Directors {
				refers(s.ID, d)
			}
			for _, f := range tier.Pairs {
				refers(s.ID, f)
			}
			for _, f := range tier.Farms {
				refers(s.ID, f)
			}
		}
	}
	for _, n := range t.Nameservers {
		refers(n.ID, n.Region)
	}
	for _, d := range t.Domains {
		refers(d.ID, d.Zone)
		if d.Policy.ID != "" {
			refers(d.ID, d.Policy)
		}
		for _, a := range d.Answers {
			refers(a.ID, a.Region)
			refers(a.ID, a.Service)
		}
	}
	return strings.Join(strangers, "\n")
}

func spelledOut(diags Diagnostics) []string {
	var out []string
	for _, d := range diags {
		x := d.Extra.(*Extra)
		out = append(out, fmt.Sprintf("%v %s %s %+v %s %s %+v %d", d.Severity, x.Code, d.Summary, d.Subject, d.Detail, x.Help, x.Related, x.More))
	}
	return out
}

// An author writes at the files of a topology.
type author struct {
	*rand.Rand
	blocks  [][]string // of each file
	dropped []string
	good    [][]string // the blocks when they were last right
	vars    map[string]string
}

var digits = regexp.MustCompile(`\d+`)

// edit changes something somewhere.
func (a *author) edit() string {
	f := a.IntN(len(a.blocks))
	if len(a.blocks[f]) == 0 {
		f = 0
	}
	file := a.blocks[f]
	if len(file) == 0 {
		return "nothing"
	}
	i := a.IntN(len(file))
	lines := strings.SplitAfter(file[i], "\n")
	l := a.IntN(len(lines))
	switch op := a.IntN(16); op {
	case 0, 1, 2, 3, 4: // a number, mostly a weight
		if w := strings.Index(file[i], "weight"); w >= 0 && op < 4 {
			if at := digits.FindStringIndex(file[i][w:]); at != nil {
				file[i] = file[i][:w+at[0]] + strconv.Itoa(a.IntN(300)) + file[i][w+at[1]:]
				return "weight"
			}
		}
		if at := digits.FindAllStringIndex(file[i], -1); len(at) > 0 {
			n := at[a.IntN(len(at))]
			file[i] = file[i][:n[0]] + strconv.Itoa(a.IntN(250)) + file[i][n[1]:]
		}
		return "number"
	case 5: // a block goes
		a.dropped = append(a.dropped, file[i])
		a.blocks[f] = slices.Delete(file, i, i+1)
		return "drop"
	case 6: // and one comes back
		if n := len(a.dropped); n > 0 {
			a.blocks[f] = slices.Insert(file, i, a.dropped[n-1])
			a.dropped = a.dropped[:n-1]
		}
		return "back"
	case 7:
		j := a.IntN(len(file))
		file[i], file[j] = file[j], file[i]
		return "swap"
	case 8: // to another file
		g := a.IntN(len(a.blocks))
		if g != f {
			a.blocks[g] = append(a.blocks[g], file[i])
			a.blocks[f] = slices.Delete(file, i, i+1)
		}
		return "move"
	case 9:
		lines[l] = "# a remark\n\n" + lines[l]
	case 10:
		lines = slices.Delete(lines, l, l+1)
	case 11:
		lines[l] += lines[l]
	case 12: // a letter
		if n := len(file[i]); n > 1 {
			at := a.IntN(n - 1)
			file[i] = file[i][:at] + string(" abz\"{}#1\n"[a.IntN(10)]) + file[i][at+1:]
		}
		return "letter"
	case 13: // a copy under another name
		if at := strings.Index(file[i], "\" {"); at > 0 {
			a.blocks[f] = slices.Insert(file, i, file[i][:at]+"x"+strconv.Itoa(a.IntN(9))+file[i][at:])
		}
		return "copy"
	case 14:
		a.vars["unused"+strconv.Itoa(a.IntN(2))] = "1"
		if a.IntN(2) == 0 {
			clear(a.vars)
		}
		return "variable"
	case 15:
		lines[l] = strings.Replace(lines[l], "\n", "\r\n", 1)
	}
	file[i] = strings.Join(lines, "")
	return "lines"
}

func (a *author) source() Source {
	src := Source{Vars: map[string]string{}}
	for i, blocks := range a.blocks {
		src.Files = append(src.Files, File{fmt.Sprintf("%c.hcl", 'a'+i), []byte(strings.Join(blocks, ""))})
	}
	for k, v := range a.vars {
		src.Vars[k] = v
	}
	return src
}

// right makes the text before again that was right.
func (a *author) right() {
	for i := range a.good {
		a.blocks[i] = slices.Clone(a.good[i])
	}
	clear(a.vars)
}

// seeds are topologies to write at.
func seeds(t testing.TB) map[string]string {
	out := map[string]string{
		"fleet": string(Fleet(12, 3)),
		"odd": nameservers + `
zone "z" {
  name = "example.com"
  record "t" {
    type = "TXT"
    data = <<-END
      "a
}
b"
    END
  }
}
network "unused" {
  region = region.eu
  cidr   = "192.0.2.0/28"
}
locals { nets = { a = "10.1.0.0/24", b = "10.2.0.0/24" } }
locals {
  names = [for k, n in network.n : n.cidr]
}
network "n" {
  for_each = local.nets
  region   = region.eu
  cidr     = each.value
}
farm "f" {
  for_each = local.nets
  network  = network.n[each.key]
  server "s" {
    for_each = range(3)
    address  = cidrhost(parent.value, 10 + each.value)
    weight   = each.value < 2 ? 200 : 100
  }
}
director "d" {
  for_each = local.nets
  network  = network.n[each.key]
  address  = cidrhost(each.value, 250)
}
defaults {
  check = { interval = "3s" }
  server = { weight = 3 }
}
check "a" { type = "tcp" }
check "b" {
  type = "http"
  path = "/${length(local.names)}"
}
virtual_service "v" {
  for_each = local.nets
  region = region.eu
  vip = cidrhost(each.value, 200)
  ports = ["tcp/80"]
  check = check.b
  tier "t" {
    directors = [director.d[each.key]]
    method = "dr"
    farms = [farm.f[each.key]]
  }
}
domain "w" {
  zone = zone.z
  answer "x" {
    for_each = virtual_service.v
    service = each.value
  }
}
`,
	}
	names, err := filepath.Glob("../examples/*.hcl")
	if err != nil || len(names) == 0 {
		t.Fatal("no examples", err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(name)] = string(text)
	}
	return out
}

func newAuthor(text string, files int, seed uint64) *author {
	a := &author{Rand: rand.New(rand.NewPCG(seed, 1)), blocks: make([][]string, files), good: make([][]string, files), vars: map[string]string{}}
	for rest := text; rest != ""; {
		n := len(rest)
		if i := strings.Index(rest, "\n}\n"); i >= 0 {
			n = i + 3
		}
		f := a.IntN(files)
		a.good[f] = append(a.good[f], rest[:n])
		rest = rest[n:]
	}
	a.right()
	return a
}

// However files are changed, right or wrong, what a Memory says of them is what
// Parse says.
func TestAMemorySaysWhatParseSays(t *testing.T) {
	patched := 0
	for name, text := range seeds(t) {
		for files := 1; files <= 3; files += 2 {
			t.Run(fmt.Sprintf("%s/%d", name, files), func(t *testing.T) {
				a := newAuthor(text, files, uint64(len(text)+files))
				var m Memory
				var story []string
				var p *parser
				for range 60 {
					if d := sameAsParse(&m, a.source()); d != "" {
						t.Fatalf("after %s: %s\n%s", strings.Join(story, ", "), d, a.source().Files[0].Data)
					}
					if p != nil && m.p == p {
						patched++
					}
					p = m.p
					n := 1 + a.IntN(2)
					story = nil
					for range n {
						story = append(story, a.edit())
					}
					if a.IntN(4) == 0 {
						a.right()
						story = append(story, "right")
					}
				}
			})
		}
	}
	t.Logf("%d times patched", patched)
}

// The change that the whole is for is made in place.
func TestAChangedWeightIsPatched(t *testing.T) {
	var m Memory
	file := Fleet(20, 3)
	m.Parse(Source{Files: []File{{"a.hcl", file}}})
	first := m.p
	for i := range 10 {
		file = Reweighed(file, i*2, i+1)
		topo, _ := m.Parse(Source{Files: []File{{"a.hcl", bytes.Clone(file)}}})
		if m.p == nil || m.p != first {
			t.Fatal("it was worked out anew")
		}
		if got := topo.Farms[i*2/3].Servers[i*2%3].Weight; got != i+1 {
			t.Fatalf("weight %d, want %d", got, i+1)
		}
	}
	if m.count > 60 {
		t.Errorf("%d pieces read", m.count)
	}
}

// What the syntax of a file has wrong in between leaves the reading before.
func TestAWrongSyntaxLosesNothing(t *testing.T) {
	var m Memory
	file := Fleet(20, 3)
	m.Parse(Source{Files: []File{{"a.hcl", file}}})
	first := m.p
	if topo, _ := m.Parse(Source{Files: []File{{"a.hcl", append([]byte("region {{\n"), file...)}}}); topo != nil {
		t.Fatal("is valid")
	}
	m.Parse(Source{Files: []File{{"a.hcl", Reweighed(file, 4, 7)}}})
	if m.p == nil || m.p != first {
		t.Error("it was worked out anew")
	}
}
