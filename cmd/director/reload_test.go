package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gslb/dataplane"
	"gslb/internal/cli"
	"gslb/topology"
)

// wide is a file of services with ten written-out servers each; in the one that
// is changed a weight is another.
func wide(services, changed, weight int) string {
	var b strings.Builder
	b.WriteString(`region "here" {}
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
  address = "198.19.255.1"
  inside  = { network = network.inside, address = "10.0.0.1" }
}
`)
	for i := range services {
		fmt.Fprintf(&b, "farm \"f%d\" {\n  network = network.inside\n  gateway = director.d\n", i)
		for k := range 10 {
			w := 1 + k%5
			if i == changed && k == 0 {
				w = weight
			}
			fmt.Fprintf(&b, "  server \"s%d\" {\n    address = \"10.%d.%d.%d\"\n    weight  = %d\n  }\n", k, 1+i>>8, i&0xff, 1+k, w)
		}
		fmt.Fprintf(&b, `}
virtual_service "v%d" {
  region = region.here
  vip    = "198.18.%d.%d"
  ports  = ["udp/53"]
  tier "nat" {
    directors = [director.d]
    method    = "nat"
    farms     = [farm.f%d]
  }
}
`, i, (i+1)>>8, (i+1)&0xff, i)
	}
	return b.String()
}

// cpu is the processor time of this process.
func cpu() time.Duration {
	var use syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &use)
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// From a changed weight in the file to the change in the kernel, one in memory
// here; cpu-ms is the processor time, which other work on the machine changes
// least.
func BenchmarkReload(b *testing.B) {
	for _, services := range []int{1000, 4000, 10000} {
		b.Run(fmt.Sprint(services), func(b *testing.B) {
			dir := b.TempDir()
			file := filepath.Join(dir, "wide.hcl")
			write := func(weight int) {
				if err := os.WriteFile(file, []byte(wide(services, services/2, weight)), 0o644); err != nil {
					b.Fatal(err)
				}
			}
			write(1)
			log := slog.New(slog.DiscardHandler)
			desk, err := openDesk(log, dir)
			if err != nil {
				b.Fatal(err)
			}
			defer desk.close()
			var in cli.Inputs
			files := in.Reader([]string{file})
			kernel := &fakeKernel{}
			host := newHostKeeper(kernel, hostPath(dir), log)
			d := &daemon{host: host, pairs: openPairs(dir, log, host), sync: &syncer{}, kernel: kernel, keeper: &dataplane.Keeper{Plane: kernel}, desk: desk, dir: dir, log: log}
			d.read = func() (*topology.Topology, *topology.Director, error) {
				topo, err := files.Topology(os.Stderr)
				if err != nil {
					return nil, nil, err
				}
				self, _ := topo.Director("director.d")
				return topo, self, nil
			}
			topo, self, err := d.read()
			if err != nil {
				b.Fatal(err)
			}
			if err := d.adopt(topo, self); err != nil {
				b.Fatal(err)
			}
			if _, err := d.converge(b.Context(), reread); err != nil {
				b.Fatal(err)
			}
			spent, n := time.Duration(0), 0
			for b.Loop() {
				b.StopTimer()
				n++
				write(1 + n%2)
				kernel.applied = nil
				before := cpu()
				b.StartTimer()
				if !d.readAgain() {
					b.Fatal("refused")
				}
				if _, err := d.converge(b.Context(), reread); err != nil {
					b.Fatal(err)
				}
				spent += cpu() - before
				if len(kernel.applied) != 1 || len(kernel.applied[0]) != 1 {
					b.Fatalf("%d plans", len(kernel.applied))
				}
			}
			b.ReportMetric(float64(spent.Microseconds())/1000/float64(n), "cpu-ms/op")
		})
	}
}
