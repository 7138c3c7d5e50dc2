package main

import (
	"fmt"
	"net/netip"
	"strings"
)

// A scene is a table to be programmed: UDP services with NAT destinations,
// each service with a VIP of its own. They are of UDP because such a service
// has no check of its own accord: what is measured is the table, with all
// destinations up from the start, as keepalived has them without checkers.
type scene struct {
	Services, Destinations int
}

// What the addresses have room for.
const (
	maxServices     = 60_000
	maxDestinations = 250
)

// parseScene reads a scene as it is named on the command line, 10000x10.
func parseScene(text string) (scene, error) {
	var s scene
	if n, err := fmt.Sscanf(text, "%dx%d", &s.Services, &s.Destinations); err != nil || n != 2 || s != (scene{
		min(max(s.Services, 1), maxServices), min(max(s.Destinations, 1), maxDestinations),
	}) {
		return scene{}, fmt.Errorf("%q is not SERVICESxDESTINATIONS, up to %dx%d", text, maxServices, maxDestinations)
	}
	return s, nil
}

// The director's own addresses. Private and benchmarking addresses (RFC 2544)
// fill in for those of documentation, of which there are too few.
var (
	own    = netip.MustParseAddr("198.19.255.1")
	inside = netip.MustParseAddr("10.0.0.1")
)

func (s scene) String() string {
	return fmt.Sprintf("%d services x %d destinations", s.Services, s.Destinations)
}

// vip is the address of a service.
func vip(service int) netip.Addr {
	n := service + 1
	return netip.AddrFrom4([4]byte{198, byte(18 + n>>16), byte(n >> 8), byte(n)})
}

// server is the address of a destination.
func server(service, destination int) netip.Addr {
	n := service*256 + destination + 1
	return netip.AddrFrom4([4]byte{10, byte(1 + n>>16), byte(n >> 8), byte(n)})
}

// weight is the weight of a destination; changed is what it becomes.
func weight(service, destination int) int { return 1 + (service+destination)%5 }

const changed = 77

// A variant is what may differ between two readings of a scene's file: the
// destination with the changed weight, -1 for none.
type variant struct{ service int }

func (v variant) weight(service, destination int) int {
	if service == v.service && destination == 0 {
		return changed
	}
	return weight(service, destination)
}

// topology writes the scene in our language, every block written out.
func (s scene) topology(v variant) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `region "here" {}
network "edge" {
  region = region.here
  cidr   = "198.18.0.0/15"
}
network "inside" {
  region = region.here
  cidr   = "10.0.0.0/8"
}
director "d" {
  network = network.edge
  address = "%s"
  inside  = { network = network.inside, address = "%s" }
}
`, own, inside)
	for i := range s.Services {
		fmt.Fprintf(&b, "farm \"f%d\" {\n  network = network.inside\n  gateway = director.d\n", i)
		for j := range s.Destinations {
			fmt.Fprintf(&b, "  server \"s%d\" {\n    address = \"%s\"\n    weight  = %d\n  }\n", j, server(i, j), v.weight(i, j))
		}
		fmt.Fprintf(&b, `}
virtual_service "v%d" {
  region = region.here
  vip    = "%s"
  ports  = ["udp/53"]
  tier "t" {
    directors = [director.d]
    method    = "nat"
    scheduler = "wlc"
    farms     = [farm.f%d]
  }
}
`, i, vip(i), i)
	}
	return []byte(b.String())
}

// keepalived writes the scene for keepalived, without checkers.
func (s scene) keepalived(v variant) []byte {
	var b strings.Builder
	b.WriteString("global_defs {\n}\n")
	for i := range s.Services {
		fmt.Fprintf(&b, "virtual_server %s 53 {\n  lb_algo wlc\n  lb_kind NAT\n  protocol UDP\n", vip(i))
		for j := range s.Destinations {
			fmt.Fprintf(&b, "  real_server %s 53 {\n    weight %d\n  }\n", server(i, j), v.weight(i, j))
		}
		b.WriteString("}\n")
	}
	return []byte(b.String())
}
