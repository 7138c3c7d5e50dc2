package conf

import (
	"bytes"
	"fmt"
	"strings"
)

// Fleet is a file that writes out services, each with a farm of its own behind
// one NAT director.
func Fleet(services, servers int) []byte {
	var b strings.Builder
	b.WriteString(`region "r" {}
network "outside" {
  region  = region.r
  cidr    = "198.18.0.0/15"
  gateway = "198.19.255.254"
}
network "inside" {
  region  = region.r
  cidr    = "10.0.0.0/8"
  gateway = "10.0.0.1"
}
director "d" {
  network = network.outside
  address = "198.19.255.253"
  inside = {
    network = network.inside
    address = "10.0.0.1"
  }
}
check "c" {
  type     = "tcp"
  interval = "10m"
}
`)
	for i := range services {
		fmt.Fprintf(&b, "\nfarm \"f%d\" {\n  network = network.inside\n  gateway = director.d\n", i)
		for j := range servers {
			n := i*servers + j
			fmt.Fprintf(&b, "  server \"s%d\" {\n    address = \"10.%d.%d.%d\"\n    weight  = 100\n  }\n", j, 1+n>>16, n>>8&255, n&255)
		}
		fmt.Fprintf(&b, "}\nvirtual_service \"v%d\" {\n  region = region.r\n  vip    = \"198.%d.%d.%d\"\n  ports  = [\"tcp/80\"]\n  check  = check.c\n", i, 18+(i+256)>>16, (i+256)>>8&255, (i+256)&255)
		fmt.Fprintf(&b, "  tier \"t\" {\n    directors = [director.d]\n    method    = \"nat\"\n    farms     = [farm.f%d]\n  }\n}\n", i)
	}
	return []byte(b.String())
}

// Reweighed is a fleet's file with the weight of the nth server changed.
func Reweighed(file []byte, nth, weight int) []byte {
	at := 0
	for range nth + 1 {
		at += bytes.Index(file[at:], []byte("weight  = ")) + len("weight  = ")
	}
	end := at + bytes.IndexByte(file[at:], '\n')
	return fmt.Appendf(bytes.Clone(file[:at]), "%d%s", weight, file[end:])
}
