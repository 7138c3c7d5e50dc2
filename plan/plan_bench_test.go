package plan

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"gslb/topology"
)

// large is a topology with n servers in farms of 20, each behind a NAT director
// of its own, ten of which lie behind a front that chooses by the client's
// address. Of every farm, server number out is missing.
func large(n, out int) *topology.Topology {
	region := &topology.Region{ID: "region.eu", Name: "eu"}
	edge := &topology.Network{ID: "network.edge", Region: region}
	check := &topology.Check{ID: "check.web", Type: topology.CheckTCP, Interval: time.Second, Timeout: time.Second / 2, Rise: 1, Fall: 1}
	zone := &topology.Zone{ID: "zone.shop", Name: "shop.example."}
	policy := &topology.Policy{Steps: []topology.Step{{Kind: topology.StepHealth, FailOpen: true}, {Kind: topology.StepRotate}}}
	t := &topology.Topology{
		MaxRemove: 1, Regions: []*topology.Region{region}, Zones: []*topology.Zone{zone}, Checks: []*topology.Check{check},
		Nameservers: []*topology.Nameserver{{ID: "nameserver.ns", Region: region, Label: "ns", Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.53")}}},
	}
	address := func(net, x, y int) topology.Addrs {
		return topology.Addrs{netip.AddrFrom4([4]byte{byte(net), byte(x >> 8), byte(x), byte(y)})}
	}
	director := func(id string, a topology.Addrs) *topology.Director {
		d := &topology.Director{ID: id, Network: edge, Addrs: a}
		t.Directors = append(t.Directors, d)
		return d
	}
	for s := range n / 200 {
		front := director(fmt.Sprintf("director.front[%d]", s), address(11, s, 1))
		svc := &topology.Service{
			ID: fmt.Sprintf("virtual_service.www[%d]", s), Region: region, VIPs: address(12, s, 1), Check: check,
			Ports: []topology.Port{{Proto: topology.TCP, Number: 80}},
			Tiers: []*topology.Tier{
				{Name: "front", Directors: []*topology.Director{front}, Method: topology.TUN, Scheduler: "mh", Check: check},
				{Name: "nat", Method: topology.NAT, Scheduler: "mh", Check: check},
			},
		}
		for f := range 10 {
			at := s*10 + f
			inside := &topology.Network{ID: fmt.Sprintf("network.inside[%d]", at), Region: region}
			nat := director(fmt.Sprintf("director.nat[%d]", at), address(13, at, 1))
			nat.Inside = &topology.Leg{Network: inside, Addrs: address(10, at, 1)}
			farm := &topology.Farm{ID: fmt.Sprintf("farm.web[%d]", at), Region: region, Network: inside, Gateway: topology.Forwarder{Director: nat}}
			for i := range 20 {
				if i != out {
					farm.Servers = append(farm.Servers, &topology.Server{ID: fmt.Sprintf("%s.server.web[%d]", farm.ID, i), Farm: farm, Addrs: address(10, at, 10+i), Weight: 1})
				}
			}
			t.Farms = append(t.Farms, farm)
			svc.Tiers[1].Directors = append(svc.Tiers[1].Directors, nat)
			svc.Tiers[1].Farms = append(svc.Tiers[1].Farms, farm)
		}
		t.Services = append(t.Services, svc)
		t.Domains = append(t.Domains, &topology.Domain{
			ID: fmt.Sprintf("domain.www[%d]", s), Name: fmt.Sprintf("www%d.shop.example.", s), Zone: zone, Policy: policy,
			Answers: []*topology.Answer{{ID: fmt.Sprintf("domain.www[%d].answer.eu", s), Label: "eu", Region: region, Service: svc, Addrs: svc.VIPs, Check: check, Port: 80}},
		})
	}
	return t
}

// Every farm changes, and so does every hash table.
func BenchmarkMake(b *testing.B) {
	for _, n := range []int{2_000, 20_000} {
		for _, change := range []struct {
			name string
			out  int
		}{{"nothing", 3}, {"everything", 5}} {
			b.Run(fmt.Sprintf("%d/%s", n, change.name), func(b *testing.B) {
				before, after := large(n, 3), large(n, change.out)
				for b.Loop() {
					if p := Make(before, after); p.Empty() != (change.out == 3) {
						b.Fatal("the plan is not what it should be")
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/server")
			})
		}
	}
}
