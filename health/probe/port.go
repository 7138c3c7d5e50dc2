package probe

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
)

// portRange is the host's range of ports for outgoing connections, the
// kernel's default when it cannot be read.
var portRange = sync.OnceValues(func() (first, count uint32) {
	first, last := uint32(32768), uint32(60999)
	if data, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		var a, b uint32
		if n, _ := fmt.Sscan(string(data), &a, &b); n == 2 && a > 0 && a <= b && b < 1<<16 {
			first, last = a, b
		}
	}
	return first, last - first + 1
})

// lastPort counts the ports given out. It starts anywhere: the director before
// this one has left connections too.
var lastPort atomic.Uint32

func init() { lastPort.Store(rand.Uint32()) }

// nextPort goes through the whole range before it gives a port again.
func nextPort() uint16 {
	first, count := portRange()
	return uint16(first + lastPort.Add(1)%count)
}
