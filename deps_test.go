package gslb_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rooms is the picture of doc/architecture.md: every package, and what of ours
// it may import. Imports go down only.
var rooms = map[string][]string{
	// Nouns.
	"topology": {},
	// Decisions: no I/O, no clock, no goroutine.
	"conf":               {"topology", "dnsserver/rr", "internal/near"},
	"conf/format":        {"conf"},
	"conf/codes":         {},
	"health":             {"topology"},
	"steering":           {"topology", "health"},
	"tiers":              {"topology", "health", "internal/siphash"},
	"graph":              {"topology"},
	"plan":               {"topology", "health", "steering", "tiers"},
	"dnsserver/rr":       {},
	"dnsserver/zonefile": {"dnsserver/rr"},
	"explain":            {"topology", "health", "steering", "tiers", "internal/near"},
	"internal/near":      {},
	"internal/siphash":   {},
	"report":             {"topology", "tiers"},
	"vrrp":               {},
	"wiring":             {"topology", "tiers"},
	// Effects.
	"conf/load":               {"conf"},
	"steering/geo":            {"topology", "steering"},
	"health/probe":            {"topology", "health", "dnsserver/client"},
	"dnsserver":               {"topology", "steering", "dnsserver/afxdp", "dnsserver/rr", "dnsserver/zonefile", "internal/siphash"},
	"dnsserver/afxdp":         {},
	"dnsserver/client":        {},
	"dataplane":               {"tiers"},
	"dataplane/fake":          {"tiers", "dataplane"},
	"dataplane/ipvs":          {"topology", "tiers", "dataplane"},
	"dataplane/hostnet":       {"wiring", "topology", "tiers"},
	"dataplane/dataplanetest": {"topology", "tiers", "dataplane"},
	"vrrp/conn":               {"vrrp"},
	"vrrp/conn/fake":          {"vrrp", "vrrp/conn"},
	"lab":                     {"topology", "health", "tiers", "dnsserver/client", "dataplane/ipvs", "internal/secret"},
	"lab/uml":                 {"lab/debian", "lab/guest"},
	"lab/qemu":                {"lab/debian", "lab/guest"},
	"lab/guest":               {},
	"lab/debian":              {},
	"bench/dns":               {"lab/debian"},
	"bench/director":          {"lab/debian", "lab/uml"},
	"internal/local":          {},
	"internal/systemd":        {},
	"internal/secret":         {},
	"internal/cli":            {"topology", "conf", "conf/load", "internal/near"},
	// Mains.
	"lab/uml/umlrun":   {"lab/debian", "lab/uml"},
	"lab/qemu/qemurun": {"lab/qemu"},
	"cmd/gslb":         {"topology", "conf", "conf/codes", "conf/format", "conf/load", "graph", "health", "health/probe", "tiers", "dataplane/ipvs", "dataplane/hostnet", "steering", "steering/geo", "dnsserver", "dnsserver/afxdp", "dnsserver/zonefile", "explain", "lab", "lab/uml", "plan", "internal/local", "internal/near", "internal/systemd", "internal/cli", "vrrp"},
	"cmd/director":     {"topology", "health", "health/probe", "tiers", "dataplane", "dataplane/ipvs", "dataplane/hostnet", "internal/cli", "internal/local", "internal/near", "internal/secret", "report", "vrrp", "vrrp/conn", "wiring"},
}

// pure are the rooms whose functions are arithmetic on values: what they may
// import of the standard library is what cannot do anything else.
var pure = []string{"topology", "conf", "conf/format", "conf/codes", "health", "steering", "tiers", "graph", "plan", "dnsserver/rr", "dnsserver/zonefile", "explain", "internal/near", "internal/siphash", "vrrp", "report", "wiring"}

// effects are the packages of the standard library with which a pure room
// could do I/O, read the clock's consequences or throw dice.
var effects = []string{
	"bufio", "context", "crypto/rand", "database/sql", "io/ioutil", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http",
	"net/rpc", "os", "os/exec", "os/signal", "os/user", "path/filepath", "runtime", "sync", "sync/atomic", "syscall", "testing", "unsafe",
}

// libraries are the third-party modules and the rooms that know them.
var libraries = map[string][]string{
	"github.com/hashicorp/hcl/v2":             {"conf", "conf/format"},
	"github.com/zclconf/go-cty":               {"conf"},
	"github.com/miekg/dns":                    {"dnsserver", "dnsserver/rr", "dnsserver/zonefile", "dnsserver/client"},
	"github.com/moby/ipvs":                    {"dataplane/ipvs"},
	"github.com/oschwald/maxminddb-golang/v2": {"steering/geo"},
	"github.com/oschwald/geoip2-golang/v2":    {"steering/geo"},
	"github.com/maxmind/mmdbwriter":           {},
	"github.com/cilium/ebpf":                  {"dnsserver/afxdp"},
	"github.com/vishvananda/netlink":          {"dataplane/hostnet", "lab", "vrrp/conn"},
	"github.com/vishvananda/netns":            {"lab"},
	"github.com/hashicorp/yamux":              {"cmd/gslb"},
	"github.com/spf13/pflag":                  {"internal/cli"},
	"github.com/spf13/cobra":                  {"internal/cli", "cmd/gslb", "cmd/director"},
	"golang.org/x/term":                       {"internal/cli"},
	"golang.org/x/sys":                        {"internal/local", "internal/systemd", "health/probe", "dnsserver", "dnsserver/afxdp", "vrrp/conn", "dataplane/ipvs", "dataplane/hostnet", "lab", "lab/guest", "lab/qemu", "lab/uml", "lab/debian", "bench/dns", "bench/director", "internal/cli", "cmd/gslb", "cmd/director"},
	"github.com/rogpeppe/go-internal":         {"cmd/gslb"},
	"github.com/google/go-cmp":                {"dataplane/dataplanetest"},
}

type listed struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

func packages(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for in := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := in.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.ImportPath != "gslb" {
			found[strings.TrimPrefix(p.ImportPath, "gslb/")] = p.Imports
		}
	}
	return found
}

func TestImportsGoDown(t *testing.T) {
	found := packages(t)
	for _, room := range slices.Sorted(maps.Keys(found)) {
		allowed, known := rooms[room]
		if !known {
			t.Errorf("package %s has no place in the picture: say in rooms what it may import, and in doc/architecture.md what it is for", room)
			continue
		}
		for _, path := range found[room] {
			ours, is := strings.CutPrefix(path, "gslb/")
			if is && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s, which does not lie below it", room, ours)
			}
			if !is && slices.Contains(pure, room) && slices.Contains(effects, path) {
				t.Errorf("%s is pure and imports %s", room, path)
			}
			if strings.Contains(path, ".") {
				library(t, room, path)
			}
		}
	}
	for room := range rooms {
		if _, there := found[room]; !there {
			t.Errorf("the picture has a room %s, the tree has none", room)
		}
	}
}

func library(t *testing.T, room, path string) {
	t.Helper()
	for module, at := range libraries {
		if path == module || strings.HasPrefix(path, module+"/") {
			if !slices.Contains(at, room) {
				t.Errorf("%s imports %s, which only %s may know", room, module, strings.Join(at, ", "))
			}
			return
		}
	}
	t.Errorf("%s imports %s, which no design note has let in (doc/design)", room, path)
}

// A pure room takes the time as an argument and starts nothing.
func TestPureRoomsHaveNoClockAndNoGoroutine(t *testing.T) {
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	for _, room := range pure {
		files, err := filepath.Glob(filepath.Join(filepath.FromSlash(room), "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files (%v)", room, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					t.Errorf("%s: a pure room starts a goroutine", set.Position(n.Pos()))
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, n.Sel.Name) {
						t.Errorf("%s: a pure room looks at the clock: time.%s", set.Position(n.Pos()), n.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// What is committed speaks of the product alone: no path of a machine it was made on.
func TestNoPathOfAMachine(t *testing.T) {
	out, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		t.Fatal(err)
	}
	words := []string{"/wo" + "rk/", "../sha" + "red"}
	for _, name := range strings.Split(strings.TrimRight(string(out), "\x00"), "\x00") {
		if filepath.Base(name) == "go.sum" {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			continue // deleted and not yet committed
		}
		for i, line := range strings.Split(string(data), "\n") {
			for _, w := range words {
				if strings.Contains(line, w) {
					t.Errorf("%s:%d: speaks of a path of one machine: %s", name, i+1, w)
				}
			}
		}
	}
}
