package health

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestWhatABookHasHandedOutStays(t *testing.T) {
	target := func(i int) Target {
		return Target{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 80)}
	}
	saved := View{target(1): {Known: true}}
	b := NewBook(saved)
	b.Set(target(2), State{Known: true, Up: true})
	first := b.View()
	b.Set(target(2), State{Known: true})
	b.Set(target(3), State{Known: true, Up: true})
	second := b.View()
	b.Keep(func(t Target) bool { return t == target(3) })
	b.Set(target(3), State{Known: true})
	if got := fmt.Sprint(len(saved), len(first), first.Up(target(2)), len(second), second.Up(target(2)), second.Up(target(3)), len(b.View()), b.Of(target(3)).Up); got != "1 2 true 3 false true 1 false" {
		t.Error(got)
	}
	var empty Book
	empty.Set(target(1), State{Known: true, Up: true})
	if !empty.View().Up(target(1)) {
		t.Error("the zero value is of no use")
	}
}
