package dnsserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"gslb/dnsserver/afxdp"
	"gslb/dnsserver/client"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// served is a server on a listener.
func served(t *testing.T, l *Listener) *Server {
	t.Helper()
	s := new(Server)
	s.Publish(table(t))
	s.Serve(l)
	t.Cleanup(s.Close)
	return s
}

func answers(t *testing.T, at netip.AddrPort) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, network := range []string{"udp", "tcp"} {
		if _, err := client.Ask(ctx, network, at, netip.Addr{}, "mail.example.org", "A"); err != nil {
			return err
		}
	}
	return nil
}

func noHolds() []afxdp.Hold { return nil }

func TestHandOver(t *testing.T) {
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	old := served(t, l)
	old.Serve(other)
	last := bytes.Repeat([]byte("all that I know "), 10_000) // of several packets
	will := func() []byte { return last }
	// Any descriptor may stand for what holds a program of XDP.
	holds := func() (list []afxdp.Hold) {
		for _, name := range []string{"eth0", "eth1"} {
			fd, err := unix.Open("/proc/self/fdinfo", unix.O_PATH|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Error(err)
			}
			list = append(list, afxdp.Hold{Interface: name, Native: name == "eth1", FD: fd})
		}
		return list
	}
	offer, err := OfferHandOver([]*Listener{l, other}, holds, will)
	if err != nil {
		t.Fatal(err)
	}
	defer offer.Close()

	if _, err := OfferHandOver([]*Listener{l}, noHolds, will); err == nil {
		t.Error("the same address was offered twice")
	}
	if _, err := Inherit([]netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53")}); !errors.Is(err, ErrNobody) {
		t.Errorf("an address where nobody serves: %v, want %v", err, ErrNobody)
	}

	// An heir that changes its mind changes nothing.
	heir, err := Inherit([]netip.AddrPort{l.Addr})
	if err != nil {
		t.Fatal(err)
	}
	heir.Close()
	if err := answers(t, l.Addr); err != nil {
		t.Errorf("after an heir has gone: %v", err)
	}

	// One that serves has the addresses it asked for, and the names.
	if heir, err = Inherit([]netip.AddrPort{l.Addr}); err != nil {
		t.Fatal(err)
	}
	if len(heir.Listeners) != 1 || heir.Listeners[0].Addr != l.Addr {
		t.Fatalf("inherited %v, want %v alone", heir.Listeners, l.Addr)
	}
	var held []string
	for _, h := range heir.Holds {
		at, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", h.FD))
		if held = append(held, fmt.Sprintf("%s %v", h.Interface, h.Native)); err != nil || !strings.HasSuffix(at, "/fdinfo") {
			t.Errorf("the hold of %s is %s, %v", h.Interface, at, err)
		}
		_ = unix.Close(h.FD)
	}
	if diff := cmp.Diff([]string{"eth0 false", "eth1 true"}, held); diff != "" {
		t.Errorf("holds (-want +got)\n%s", diff)
	}
	heir.Holds = nil
	served(t, heir.Listeners[0])
	if got := heir.Serving(); !bytes.Equal(got, last) {
		t.Errorf("the will has %d bytes, want %d", len(got), len(last))
	}
	select {
	case <-offer.Taken():
	case <-time.After(5 * time.Second):
		t.Fatal("the old process has not heard of it")
	}
	if offer.Heir() != os.Getpid() {
		t.Errorf("the heir is %d", offer.Heir())
	}
	offer.Close()
	old.Leave(time.Second)
	if err := answers(t, l.Addr); err != nil {
		t.Errorf("the heir: %v", err)
	}
	next, err := OfferHandOver(heir.Listeners, noHolds, will)
	if err != nil {
		t.Fatal(err)
	}
	next.Close()
	if again, err := Listen(other.Addr); err != nil {
		t.Errorf("the address that the heir did not ask for is not free: %v", err)
	} else {
		_ = again.Close()
	}
}

// The heir has as many workers as it wants, whatever the process before had,
// and no query is lost on the way there.
func TestHeirsHaveTheirOwnNumberOfWorkers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	old := served(t, l)
	for _, c := range []struct{ procs, sockets int }{{4, 4}, {1, 4}, {3, 4}, {6, 6}} {
		offer, err := OfferHandOver([]*Listener{l}, noHolds, func() []byte { return nil })
		if err != nil {
			t.Fatal(err)
		}
		heir, err := Inherit([]netip.AddrPort{l.Addr})
		if err != nil {
			t.Fatal(err)
		}
		asked := make(chan int)
		stop := make(chan struct{})
		go func() { asked <- bombard(t, l.Addr, stop) }()
		runtime.GOMAXPROCS(c.procs)
		next := served(t, heir.Listeners[0])
		heir.Serving()
		offer.Close()
		old.Leave(time.Second)
		time.Sleep(100 * time.Millisecond)
		close(stop)
		if n := <-asked; n < 100 {
			t.Errorf("%d workers: %d queries are no test", c.procs, n)
		}
		old, l = next, heir.Listeners[0]
		serve, spare := l.settle(c.procs)
		if len(serve) != c.procs || len(serve)+len(spare) != c.sockets {
			t.Errorf("%d workers have %d sockets and %d to spare, want %d in all", c.procs, len(serve), len(spare), c.sockets)
		}
	}
}

// bombard asks from many ports until stop is closed, and returns how many
// queries it has asked: each must be answered.
func bombard(t *testing.T, at netip.AddrPort, stop chan struct{}) int {
	var lines []net.Conn
	for range 32 {
		line, err := net.Dial("udp", at.String())
		if err != nil {
			t.Error(err)
			return 0
		}
		defer line.Close()
		lines = append(lines, line)
	}
	packet, _, _ := ask(t, "; mail.example.org A")
	buf := make([]byte, 512)
	for n := 0; ; {
		for _, line := range lines {
			if _, err := line.Write(packet); err != nil {
				t.Error(err)
			}
		}
		for _, line := range lines {
			_ = line.SetReadDeadline(time.Now().Add(3 * time.Second))
			if _, err := line.Read(buf); err != nil {
				t.Errorf("query %d is lost: %v", n, err)
				return n
			}
			n++
		}
		select {
		case <-stop:
			return n
		case <-time.After(2 * time.Millisecond): // room for the workers, which share the processors
		}
	}
}
