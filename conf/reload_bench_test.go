package conf

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fleet is a file that writes out services, each with a farm of its own behind
// one NAT director.
func fleet(services, servers int) []byte {
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

// reweighed is a fleet's file with the weight of the nth server changed.
func reweighed(file []byte, nth, weight int) []byte {
	at := 0
	for range nth + 1 {
		at += bytes.Index(file[at:], []byte("weight  = ")) + len("weight  = ")
	}
	end := at + bytes.IndexByte(file[at:], '\n')
	return fmt.Appendf(bytes.Clone(file[:at]), "%d%s", weight, file[end:])
}

// processor is the processor time that this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// One changed weight in a file that writes out services with ten servers each:
// all of it read anew, or by what is remembered of the reading before.
func BenchmarkReload(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		file := fleet(n, 10)
		b.Run(fmt.Sprintf("full/%dx10", n), func(b *testing.B) {
			b.SetBytes(int64(len(file)))
			for b.Loop() {
				topo, diags := Parse(Source{Files: []File{{"bench.hcl", file}}})
				if topo == nil {
					b.Fatal(diags)
				}
			}
		})
		b.Run(fmt.Sprintf("remembered/%dx10", n), func(b *testing.B) {
			var m Memory
			m.Parse(Source{Files: []File{{"bench.hcl", file}}})
			nth := 0
			used := time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				nth++
				next := reweighed(file, nth*7%n, 1+nth%200)
				b.StartTimer()
				used -= processor()
				if topo, diags := m.Parse(Source{Files: []File{{"bench.hcl", next}}}); topo == nil {
					b.Fatal(diags)
				}
				used += processor()
			}
			b.ReportMetric(float64(used.Microseconds())/1e3/float64(b.N), "cpu-ms/op")
		})
	}
}
