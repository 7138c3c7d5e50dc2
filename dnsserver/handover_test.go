package dnsserver

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"gslb/dnsserver/client"
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
	offer, err := OfferHandOver([]*Listener{l, other})
	if err != nil {
		t.Fatal(err)
	}
	defer offer.Close()

	if _, err := OfferHandOver([]*Listener{l}); err == nil {
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
	served(t, heir.Listeners[0])
	heir.Serving()
	select {
	case <-offer.Taken():
	case <-time.After(5 * time.Second):
		t.Fatal("the old process has not heard of it")
	}
	offer.Close()
	old.Leave(time.Second)
	if err := answers(t, l.Addr); err != nil {
		t.Errorf("the heir: %v", err)
	}
	next, err := OfferHandOver(heir.Listeners)
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
