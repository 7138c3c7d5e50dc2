package health

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gslb/topology"
)

func TestSpread(t *testing.T) {
	director := func(id string) *topology.Director { return &topology.Director{ID: "director." + id} }
	farm := func(id string) *topology.Farm { return &topology.Farm{ID: "farm." + id} }
	front, a, b := director("front"), director("a"), director("b")
	x, y := farm("x"), farm("y")
	www := &topology.Service{ID: "virtual_service.www", Tiers: []*topology.Tier{
		{Directors: []*topology.Director{front}},
		{Directors: []*topology.Director{a, b}, Farms: []*topology.Farm{x, y}},
	}}
	topo := &topology.Topology{Services: []*topology.Service{www, {ID: "virtual_service.other", Tiers: []*topology.Tier{{Directors: []*topology.Director{director("z")}}}}}}
	for name, c := range map[string]struct{ have, want string }{
		"nothing":                                 {"", ""},
		"the only director of a tier":             {"director.front=disabled", "virtual_service.www=disabled"},
		"one of two":                              {"director.a=disabled", ""},
		"both":                                    {"director.a=disabled director.b=disabled", "virtual_service.www=disabled"},
		"both, the one less":                      {"director.a=drained director.b=disabled", "virtual_service.www=drained"},
		"all farms":                               {"farm.x=drained farm.y=drained", "virtual_service.www=drained"},
		"the worst stage counts":                  {"director.a=drained director.b=drained director.front=disabled", "virtual_service.www=disabled"},
		"the service's own stays when as strict":  {"director.front=drained virtual_service.www=disabled", "virtual_service.www=disabled"},
		"and gives way when it is not":            {"director.front=disabled virtual_service.www=drained", "virtual_service.www=disabled"},
		"what the topology does not have is left": {"director.gone=disabled", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var o Overrides
			for _, text := range strings.Fields(c.have) {
				object, word, _ := strings.Cut(text, "=")
				mode, err := ParseMode(word)
				if err != nil {
					t.Fatal(err)
				}
				if o, err = o.With(override(object, mode, 0)); err != nil {
					t.Fatal(err)
				}
			}
			before := fmt.Sprint(o)
			got := ""
			for _, s := range topo.Services {
				if m := o.Spread(topo).Mode(s.ID); m != Enabled {
					got += s.ID + "=" + m.String()
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if after := fmt.Sprint(o); after != before {
				t.Errorf("%s became %s", before, after)
			}
		})
	}
}
