package conf_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"gslb/conf"
	"gslb/conf/load"
	"gslb/topology"
)

// processor is the processor time that this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// One changed weight in a file that writes out services with ten servers each:
// all of it read anew, or by what is remembered of the reading before. Part of
// it is reading the file. The processor's time counts where others use it too.
func BenchmarkReload(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		file := conf.Fleet(n, 10)
		for _, way := range []string{"full", "remembered"} {
			b.Run(fmt.Sprintf("%s/%dx10", way, n), func(b *testing.B) {
				paths := []string{filepath.Join(b.TempDir(), "fleet.hcl")}
				write := func(data []byte) {
					if err := os.WriteFile(paths[0], data, 0o644); err != nil {
						b.Fatal(err)
					}
				}
				write(file)
				var r load.Reader
				read := func() (*topology.Topology, conf.Diagnostics) { return r.Parse(r.Read(paths, load.Values{})) }
				if way == "full" {
					read = func() (*topology.Topology, conf.Diagnostics) { return conf.Parse(load.Read(paths, load.Values{})) }
				}
				if topo, diags := read(); topo == nil {
					b.Fatal(diags)
				}
				runtime.GC()
				nth, used := 0, time.Duration(0)
				for b.Loop() {
					b.StopTimer()
					nth++
					write(conf.Reweighed(file, nth*7%n, 1+nth%200))
					b.StartTimer()
					used -= processor()
					if topo, diags := read(); topo == nil {
						b.Fatal(diags)
					}
					used += processor()
				}
				b.ReportMetric(float64(used.Microseconds())/1e3/float64(b.N), "cpu-ms/op")
			})
		}
	}
}

// What a Memory keeps between two readings, beside the text and the topology.
func BenchmarkKept(b *testing.B) {
	file := conf.Fleet(10_000, 10)
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / 1e6
	}
	for b.Loop() {
		before := heap()
		plain, _ := conf.Parse(conf.Source{Files: []conf.File{{Name: "bench.hcl", Data: file}}})
		alone := heap() - before
		runtime.KeepAlive(plain) // and no longer
		before = heap()
		var m conf.Memory
		topo, _ := m.Parse(conf.Source{Files: []conf.File{{Name: "bench.hcl", Data: file}}})
		b.ReportMetric(alone, "topology-MB")
		b.ReportMetric(heap()-before-alone, "kept-MB")
		runtime.KeepAlive(topo)
		runtime.KeepAlive(&m)
	}
}
