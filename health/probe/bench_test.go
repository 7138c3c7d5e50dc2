package probe

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gslb/health"
	"gslb/topology"
)

// BenchmarkSet is 1,000 and 10,000 targets with an interval of 2 seconds, each
// with an address of its own (but for UDP), against servers in the same
// process. One round is 10 seconds of it.
func BenchmarkSet(b *testing.B) {
	tcp, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		b.Fatal(err)
	}
	defer tcp.Close()
	go func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	web, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok\n") })}
	go server.Serve(web)
	defer server.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer udp.Close()
	go func() {
		buf := make([]byte, 100)
		for {
			n, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			udp.WriteTo(buf[:n], from)
		}
	}()
	deaf, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer deaf.Close()
	for _, c := range []struct {
		kind    topology.CheckType
		addr    net.Addr
		targets int
		name    string
	}{
		{topology.CheckTCP, tcp.Addr(), 1000, "tcp"}, {topology.CheckTCP, tcp.Addr(), 10_000, "tcp"},
		{topology.CheckHTTP, web.Addr(), 1000, "http"}, {topology.CheckHTTP, web.Addr(), 10_000, "http"},
		{topology.CheckUDP, udp.LocalAddr(), 1000, "udp"}, {topology.CheckUDP, udp.LocalAddr(), 10_000, "udp"},
		{topology.CheckUDP, deaf.LocalAddr(), 10_000, "silence"},
	} {
		b.Run(fmt.Sprint(c.name, "/", c.targets), func(b *testing.B) {
			for b.Loop() {
				chk := &topology.Check{Type: c.kind, Interval: 2 * time.Second, Timeout: time.Second, Jitter: 0.2, Rise: 2, Fall: 3, Send: "x"}
				if c.kind == topology.CheckTCP {
					chk.Send = ""
				}
				var probes []Probe
				at := netip.MustParseAddrPort(c.addr.String())
				for i := range c.targets {
					if c.kind != topology.CheckUDP {
						at = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), at.Port())
					}
					probes = append(probes, Probe{Target: health.Target{Check: fmt.Sprint(i), Addr: at}, Check: chk})
				}
				results := make(chan Result, 64)
				s := NewSet(results)
				s.Set(probes)
				end := time.After(10 * time.Second)
				goroutines, n, failed := 0, 0, 0
				before := spent()
			measure:
				for {
					select {
					case r := <-results:
						if n++; n%500 == 0 {
							goroutines = max(goroutines, runtime.NumGoroutine())
						}
						if r.Err != nil {
							failed++
						}
					case <-end:
						break measure
					}
				}
				cpu := spent() - before
				s.Close()
				b.ReportMetric(cpu.Seconds()/10*100, "%cpu")
				b.ReportMetric(float64(n)/10, "probes/s")
				b.ReportMetric(float64(cpu.Microseconds())/float64(n), "µs/probe")
				b.ReportMetric(float64(goroutines), "goroutines")
				b.ReportMetric(float64(failed)/float64(n)*100, "%failed")
			}
		})
	}
}

// spent is the processor time of this process.
func spent() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
