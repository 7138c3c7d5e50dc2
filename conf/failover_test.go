package conf

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/topology"
)

const twoMembers = `
region "eu" {}
network "edge" {
  region = region.eu
  cidr   = "192.0.2.0/24"
}
director "front" {
  for_each = { a = 11, b = 12 }
  network  = network.edge
  address  = cidrhost("192.0.2.0/24", each.value)
}
farm "web" {
  network = network.edge
  server "a" { address = "192.0.2.20" }
}
check "ping" { type = "icmp" }
virtual_service "www" {
  region = region.eu
  vip    = "192.0.2.5"
  ports  = ["tcp/80"]
  tier "dr" {
    directors = [failover.front]
    method    = "dr"
    farms     = [farm.web]
  }
}
failover "front" {
  members = values(director.front)
  vips    = ["192.0.2.5"]
`

func TestAPairIsWhatItsBlockSays(t *testing.T) {
	standard := topology.Failover{
		ID: "failover.front", VIPs: topology.Addrs{netip.MustParseAddr("192.0.2.5")}, RouterID: 5, Advert: time.Second, Preempt: true,
		Flap: topology.Flap{Count: 3, Window: time.Minute, Hold: 10 * time.Second, Max: 5 * time.Minute},
	}
	full := standard
	full.RouterID, full.Advert, full.Preempt, full.PreemptDelay = 51, 100*time.Millisecond, false, 30*time.Second
	full.Key, full.Unicast, full.VirtualMAC, full.Flap.Count = "file:/etc/gslb/vrrp.key", true, true, 0
	full.Tracks = []*topology.Track{
		{ID: "failover.front.track.router", Addr: netip.MustParseAddr("192.0.2.1"), Penalty: 20},
		{ID: `failover.front.track.more["x"]`, Penalty: 190, Unfit: true},
	}
	for name, c := range map[string]struct {
		text string
		want topology.Failover
	}{
		"as it is": {"}", standard},
		"in full": {`
  vrrp {
    id            = 51
    advert        = "100ms"
    preempt       = false
    preempt_delay = "30s"
    key           = secret("file:/etc/gslb/vrrp.key")
    unicast       = true
    virtual_mac   = true
  }
  flap = { count = 0 }
  track "router" {
    check   = check.ping
    address = "192.0.2.1"
    penalty = 20
  }
  track "more" {
    for_each = toset(["x"])
    check    = check.ping
    unfit    = true
  }
}`, full},
	} {
		t.Run(name, func(t *testing.T) {
			topo := mustParse(t, twoMembers+c.text)
			got := *topo.Failovers[0]
			if len(got.Members) != 2 || topo.Services[0].Tiers[0].Scheduler != "mh" {
				t.Errorf("%d members, scheduler %s", len(got.Members), topo.Services[0].Tiers[0].Scheduler)
			}
			got.Members = nil
			for i, x := range got.Tracks {
				if x.Check != topo.Checks[0] {
					t.Errorf("%s has another check", x.ID)
				}
				bare := *x
				bare.Check = nil
				got.Tracks[i] = &bare
			}
			if diff := cmp.Diff(c.want, got, cmp.Comparer(func(x, y netip.Addr) bool { return x == y })); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
