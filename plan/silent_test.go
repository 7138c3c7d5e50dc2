package plan_test

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"gslb/conf"
	"gslb/plan"
	"gslb/topology"
)

// silent are the fields of a topology whose change changes nothing on any node.
var silent = map[string]string{
	"Topology.Name":       "a name for people",
	"Service.ID":          "a name for people",
	"Server.ID":           "a name for people",
	"Tier.Name":           "a name for people",
	"Answer.Label":        "a name for people",
	"Policy.ID":           "a name for people",
	"Nameserver.Label":    "those of the file have names",
	"Topology.MaxRemove":  "the plan's own",
	"Topology.Watch":      "when files are read changes nothing that is in them",
	"Director.MeanPacket": "gslb validate reckons with it",
	"Director.PacketCost": "gslb validate reckons with it",
	"Server.Throughput":   "gslb validate reckons with it",
	"Network.Prefixes":    "counts by the addresses in it",
	"Network.Region":      "is where its nodes are drawn",
	"Farm.Region":         "is where it is drawn",
	"Service.Region":      "its answers have it",
	"Service.Check":       "its answers have it",
	"Region.Bias":         "its answers have it",
	"Answer.Port":         "its check names a port",
	"Bound.Ratio":         "the bounds of the file are counts",
	"Tier.OnePacket":      "the file has no service of UDP alone",
	"Persistence.Mask6":   "the file has no persistent service of IPv6",
	"Topology.Networks":   "the last one has nothing that answers share",
	"Topology.Farms":      "counts where it is named",
	"Topology.Checks":     "counts where it is named",
	"Topology.Policies":   "counts where it is named",
}

// fixed are lists that are not shortened, nor their elements taken for others:
// what is named elsewhere must be in them.
var fixed = map[string]bool{"Topology.Directors": true}

// Whatever of a topology is another one, the plan says so: each field of each
// object of a file with everything in it is changed by itself.
func TestNothingChangesSilently(t *testing.T) {
	text, err := os.ReadFile("../examples/reference.hcl")
	if err != nil {
		t.Fatal(err)
	}
	parsed := func() *topology.Topology {
		topo, diags := conf.Parse(conf.Source{Files: []conf.File{{Name: "reference.hcl", Data: text}}})
		if topo == nil {
			t.Fatal(diags)
		}
		return topo
	}
	before, after := parsed(), parsed()
	told := map[string]bool{}
	m := mutator{seen: map[uintptr]bool{}, all: map[reflect.Type][]reflect.Value{}}
	m.collect(reflect.ValueOf(after))
	m.changed = func(field, how string) {
		t.Helper()
		defer func() {
			if r := recover(); r != nil {
				t.Errorf("%s, %s: %v", field, how, r)
			}
		}()
		told[field] = told[field] || !plan.Make(before, after).Empty()
	}
	m.seen = map[uintptr]bool{}
	m.walk(reflect.ValueOf(after).Elem())
	if !plan.Make(before, after).Empty() {
		t.Fatal("the test leaves something changed")
	}
	if len(told) < 100 {
		t.Errorf("%d fields", len(told))
	}
	for _, field := range slices.Sorted(maps.Keys(told)) {
		switch why, known := silent[field]; {
		case !told[field] && !known:
			t.Errorf("%s changes silently", field)
		case told[field] && known:
			t.Errorf("%s does not change silently (%s)", field, why)
		}
	}
}

// A mutator changes one field after the other, and changes it back.
type mutator struct {
	via     string // whose check this is
	seen    map[uintptr]bool
	all     map[reflect.Type][]reflect.Value // pointers to the objects of a type
	changed func(field, how string)
}

func (m *mutator) collect(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || m.seen[v.Pointer()] {
			return
		}
		m.seen[v.Pointer()] = true
		m.all[v.Type()] = append(m.all[v.Type()], v)
		m.collect(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			m.collect(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				m.collect(v.Field(i))
			}
		}
	}
}

// walk changes the fields of a struct, and of what lies below it.
func (m *mutator) walk(v reflect.Value) {
	for i := range v.NumField() {
		m.field(m.via+v.Type().Name()+"."+v.Type().Field(i).Name, v.Field(i))
	}
}

func (m *mutator) field(name string, v reflect.Value) {
	old := reflect.New(v.Type()).Elem()
	old.Set(v)
	try := func(x reflect.Value) {
		v.Set(x)
		m.changed(name, fmt.Sprintf("%v => %v", old, x))
		v.Set(old)
	}
	switch x := v.Interface().(type) {
	case netip.Addr:
		if x.IsValid() {
			try(reflect.ValueOf(x.Next()))
		}
		return
	case netip.Prefix:
		try(reflect.ValueOf(netip.PrefixFrom(x.Addr(), x.Bits()-1).Masked()))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		for _, other := range m.all[v.Type()] {
			if fixed[name] {
				break
			}
			if other.Pointer() != v.Pointer() && name != "Step.Policy" { // might go in a circle
				try(other)
				break
			}
		}
		if v.IsNil() || m.seen[v.Pointer()] || name == "Topology.Checks" {
			return // a check counts where it is named
		}
		m.seen[v.Pointer()] = true
		if v.Type() == reflect.TypeFor[*topology.Check]() {
			m.via = name + " > "
			defer func() { m.via = "" }()
		}
		if e := v.Elem(); e.Kind() == reflect.Struct {
			m.walk(e)
		} else {
			m.field(name, e)
		}
	case reflect.Struct:
		m.walk(v)
	case reflect.Slice:
		if n := v.Len(); n > 1 && !fixed[name] {
			try(v.Slice(0, n-1))
		}
		for i := range v.Len() {
			m.field(name, v.Index(i))
		}
	case reflect.String:
		x := reflect.New(v.Type()).Elem()
		x.SetString(v.String() + "x")
		try(x)
	case reflect.Bool:
		try(reflect.ValueOf(!v.Bool()))
	case reflect.Float64:
		try(reflect.ValueOf(v.Float()/2 + 0.01))
	case reflect.Int, reflect.Int64:
		x := reflect.New(v.Type()).Elem()
		step := int64(1)
		if v.Type() == reflect.TypeFor[time.Duration]() {
			step = int64(time.Second) // the kernel counts in those
		}
		x.SetInt(v.Int() + step)
		try(x)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		x := reflect.New(v.Type()).Elem()
		x.SetUint(v.Uint() + 1)
		try(x)
	default:
		panic(name + " is a " + v.Kind().String())
	}
}
