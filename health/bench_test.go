package health

import (
	"net/netip"
	"testing"
	"time"

	"gslb/topology"
)

// BenchmarkOutage is 10,000 targets that fail three times in a row, while a
// view is handed out after every hundred results.
func BenchmarkOutage(b *testing.B) {
	const targets = 10_000
	check := &topology.Check{Rise: 2, Fall: 3}
	view := View{}
	var all []Target
	for i := range targets {
		t := Target{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)}
		view[t] = State{Known: true, Up: true}
		all = append(all, t)
	}
	for b.Loop() {
		book := NewBook(view)
		for i := range 3 * targets {
			t := all[i%targets]
			book.Set(t, book.Of(t).Observe(check, time.Time{}, false))
			if i%100 == 0 {
				book.View()
			}
		}
	}
}
