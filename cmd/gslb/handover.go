package main

import (
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"gslb/dnsserver"
)

// farewell is how long the TCP connections of a process that has been replaced may go on.
const farewell = 5 * time.Second

var errReplaced = errors.New("replaced by another process")

// sockets are what a daemon listens on, and what becomes of them.
type sockets struct {
	log       *slog.Logger
	listeners []*dnsserver.Listener
	heritage  *dnsserver.Inheritance // nil: there is none
	offer     *dnsserver.Offer       // nil: none can be made
}

// openSockets opens the addresses, but for those that a process that serves
// hands over.
func openSockets(log *slog.Logger, addrs []netip.AddrPort, node string, replace bool) (*sockets, error) {
	s := &sockets{log: log}
	if replace {
		heritage, err := dnsserver.Inherit(addrs)
		switch {
		case errors.Is(err, dnsserver.ErrNobody):
			log.Info("nobody to replace, starting as usual")
		case err != nil:
			return nil, err
		default:
			s.heritage = heritage
		}
	}
	for _, a := range addrs {
		l := s.inherited(a)
		if l == nil {
			var err error
			if l, err = dnsserver.Listen(a); err != nil {
				s.close()
				return nil, whyNot(err, a, node)
			}
		}
		s.listeners = append(s.listeners, l)
	}
	return s, nil
}

func (s *sockets) inherited(a netip.AddrPort) *dnsserver.Listener {
	if s.heritage != nil {
		for _, l := range s.heritage.Listeners {
			if l.Addr == a {
				return l
			}
		}
	}
	return nil
}

// serving tells a process that is replaced to leave, whose will it returns, and
// lets itself be replaced from now on by one that is told will.
func (s *sockets) serving(will func() []byte) (inherited []byte, err error) {
	if s.heritage != nil {
		pid := s.heritage.PID
		inherited = s.heritage.Serving()
		s.log.Info("replaced another process", "pid", pid)
	}
	offer, err := dnsserver.OfferHandOver(s.listeners, will)
	if err != nil && s.heritage != nil {
		return nil, err // another heir was faster; it serves
	}
	if err != nil {
		s.log.Warn("this process cannot be replaced without loss", "reason", err)
		return inherited, nil
	}
	s.offer = offer
	return inherited, nil
}

// taken is closed when another process has taken over.
func (s *sockets) taken() <-chan struct{} {
	if s.offer == nil {
		return nil
	}
	return s.offer.Taken()
}

// withdraw ends what serving began.
func (s *sockets) withdraw() {
	if s.offer != nil {
		s.offer.Close()
		s.offer = nil
	}
}

func (s *sockets) close() {
	s.withdraw()
	for _, l := range s.listeners {
		_ = l.Close()
	}
	if s.heritage != nil {
		s.heritage.Close()
	}
}
