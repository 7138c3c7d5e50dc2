package topology

import "testing"

func TestAnAddressMayLackItsQuotes(t *testing.T) {
	topo := &Topology{
		Nameservers: []*Nameserver{{ID: `nameserver.ns["eu"]`}, {ID: "nameserver.us"}},
		Directors:   []*Director{{ID: `director.nat["eu"]`}},
		Farms:       []*Farm{{Servers: []*Server{{ID: `farm.web["eu"].server.web[0]`}}}},
	}
	for id, want := range map[string]bool{
		`nameserver.ns["eu"]`:          true,
		`nameserver.ns[eu]`:            true,
		`nameserver.us`:                true,
		`nameserver.ns`:                false,
		`nameserver.ns[us]`:            false,
		`director.nat[eu]`:             true,
		`farm.web[eu].server.web[0]`:   true,
		`farm.web["eu"].server.web[1]`: false,
		``:                             false,
	} {
		_, a := topo.Nameserver(id)
		_, b := topo.Director(id)
		_, c := topo.Server(id)
		if got := a || b || c; got != want {
			t.Errorf("%s: found %v, want %v", id, got, want)
		}
	}
}
