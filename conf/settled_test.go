package conf

import "testing"

func TestAGroupMayBeAnExpressionThatNamesObjects(t *testing.T) {
	topo := mustParse(t, `
region "r" {}
network "outside" {
  region = region.r
  cidr   = "192.0.2.0/24"
}
network "inside" {
  region = region.r
  cidr   = ["198.51.100.0/24", "2001:db8::/64"]
}
locals {
  leg = { network = network.inside, address = ["198.51.100.1", "2001:db8::1"] }
}
director "d" {
  network = network.outside
  address = "192.0.2.3"
  inside  = local.leg
}
`)
	if in := topo.Directors[0].Inside; in == nil || in.Network.ID != "network.inside" || in.Addrs.String() != "198.51.100.1, 2001:db8::1" {
		t.Errorf("got second interface %+v", in)
	}
}
