package conf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// written is a file with n servers, each written out by itself, in farms of 20.
func written(n int) []byte {
	var b strings.Builder
	b.WriteString(nameservers)
	for farm := range n / 20 {
		net := fmt.Sprintf("10.%d.%d", farm/250, farm%250)
		fmt.Fprintf(&b, "network \"n%d\" {\n  region = region.eu\n  cidr   = \"%s.0/24\"\n}\nfarm \"f%d\" {\n  network = network.n%d\n", farm, net, farm, farm)
		for s := range 20 {
			fmt.Fprintf(&b, "  server \"s%d\" {\n    address = \"%s.%d\"\n    weight  = 100\n  }\n", s, net, 10+s)
		}
		b.WriteString("}\n")
	}
	return []byte(b.String())
}

// generated is the same out of two for_each.
func generated(n int) []byte {
	return fmt.Appendf(nil, `%s
locals {
  farms = { for i in range(%d) : "f${i}" => cidrsubnet("10.0.0.0/8", 16, i) }
}
network "n" {
  for_each = local.farms
  region   = region.eu
  cidr     = each.value
}
farm "f" {
  for_each = local.farms
  network  = network.n[each.key]
  server "s" {
    for_each = range(20)
    address  = cidrhost(parent.value, 10 + each.value)
    weight   = each.value < 2 ? 200 : 100
  }
}
`, nameservers, n/20)
}

// The peer is HCL's own parser on the same text, which is a part of the work:
// what the rest costs is the ratio of the two.
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{2_000, 20_000} {
		b.Run(fmt.Sprintf("hcl_alone/%d", n), func(b *testing.B) {
			data := written(n)
			for b.Loop() {
				if _, diags := hclsyntax.ParseConfig(data, "bench.hcl", hcl.InitialPos); diags.HasErrors() {
					b.Fatal(diags)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/server")
		})
	}
	for name, file := range map[string]func(int) []byte{"written": written, "for_each": generated} {
		for _, n := range []int{2_000, 20_000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				src := Source{Files: []File{{"bench.hcl", file(n)}}}
				b.SetBytes(int64(len(src.Files[0].Data)))
				for b.Loop() {
					topo, diags := Parse(src)
					if topo == nil {
						b.Fatal(diags)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/server")
			})
		}
	}
}
