package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"time"

	"gslb/dnsserver"
	"gslb/dnsserver/afxdp"
	"gslb/internal/systemd"
)

// farewell is how long the TCP connections of a process that has been replaced may go on.
const farewell = 5 * time.Second

var errReplaced = errors.New("replaced by another process")

// sockets are what a daemon listens on, and what becomes of them.
type sockets struct {
	log       *slog.Logger
	listeners []*dnsserver.Listener
	heritage  *dnsserver.Inheritance // nil: there is none
	kept      []*dnsserver.Listener  // by the manager, not in use yet
	manager   systemd.Manager
	offer     *dnsserver.Offer // nil: none can be made
}

// openSockets opens the addresses, but for those that a process that serves
// hands over.
func openSockets(log *slog.Logger, addrs []netip.AddrPort, node string, replace bool) (*sockets, error) {
	s := &sockets{log: log, manager: systemd.FromEnvironment()}
	if err := s.adopt(addrs); err != nil {
		return nil, err
	}
	if replace {
		heritage, err := dnsserver.Inherit(addrs)
		switch {
		case errors.Is(err, dnsserver.ErrNobody):
			log.Info("nobody to replace, starting as usual")
		case err != nil:
			s.close()
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
	s.warn()
	return s, nil
}

// warn tells of receive buffers that are too small for a burst.
func (s *sockets) warn() {
	least := dnsserver.ReceiveBuffer
	for _, l := range s.listeners {
		granted, err := l.Granted()
		if err != nil {
			s.log.Error("receive buffers are of an unknown size", "reason", err)
			return
		}
		least = min(least, granted)
	}
	if least < dnsserver.ReceiveBuffer {
		s.log.Warn("receive buffers are small, bursts of queries may be lost", "bytes", least, "wanted", dnsserver.ReceiveBuffer,
			"remedy", fmt.Sprintf("sysctl net.core.rmem_max=%d", dnsserver.ReceiveBuffer))
	}
}

// adopt takes the sockets that the manager has kept, or opened for us.
func (s *sockets) adopt(addrs []netip.AddrPort) error {
	found, err := systemd.Sockets()
	if err != nil {
		return err
	}
	var kept []dnsserver.Kept
	for _, f := range found {
		kept = append(kept, dnsserver.Kept(f))
	}
	var useless []string
	s.kept, useless = dnsserver.Adopt(kept, addrs)
	for _, name := range useless {
		s.log.Warn("a socket that systemd has kept is of no use", "name", name)
		s.heard(s.manager.Remove(name))
	}
	return nil
}

// inherited is the listener of an address that another process hands over or
// has left; what both have is one.
func (s *sockets) inherited(a netip.AddrPort) *dnsserver.Listener {
	var mine *dnsserver.Listener
	if i := slices.IndexFunc(s.kept, func(l *dnsserver.Listener) bool { return l.Addr == a }); i >= 0 {
		mine = s.kept[i]
		s.kept = slices.Delete(s.kept, i, i+1)
	}
	if s.heritage != nil {
		for _, l := range s.heritage.Listeners {
			if l.Addr == a {
				if mine != nil {
					_ = mine.Close()
				}
				return l
			}
		}
	}
	if mine != nil {
		s.log.Info("going on with the sockets that systemd has kept", "address", a.String())
	}
	return mine
}

// ready tells the manager that this process serves, and has it keep the sockets.
func (s *sockets) ready(status string) {
	if !s.manager.Is() {
		return
	}
	for _, l := range s.listeners {
		s.heard(l.Keep(func(k dnsserver.Kept) error { return s.manager.Store(k.Name, k.FD) }))
	}
	s.heard(s.manager.Notify(nil, "READY=1", fmt.Sprintf("MAINPID=%d", os.Getpid()), "STATUS="+status))
}

// heard tells of a manager that does not hear; what is served does not depend on it.
func (s *sockets) heard(err error) {
	if err != nil {
		s.log.Warn("systemd does not hear", "reason", err)
	}
}

// left tells the manager who serves now, or that nobody will.
func (s *sockets) left(replaced bool) {
	if replaced {
		s.heard(s.manager.Notify(nil, fmt.Sprintf("MAINPID=%d", s.offer.Heir())))
	} else {
		s.heard(s.manager.Notify(nil, "STOPPING=1"))
	}
}

// serving tells a process that is replaced to leave, whose will it returns, and
// lets itself be replaced from now on by one that is told will.
func (s *sockets) serving(holds func() []afxdp.Hold, will func() []byte) (inherited []byte, err error) {
	if s.heritage != nil {
		pid := s.heritage.PID
		inherited = s.heritage.Serving()
		s.log.Info("replaced another process", "pid", pid)
	}
	offer, err := dnsserver.OfferHandOver(s.listeners, holds, will)
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

// addrs are the addresses that are listened on.
func (s *sockets) addrs() []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, l := range s.listeners {
		addrs = append(addrs, l.Addr)
	}
	return addrs
}

// holds are those of the interfaces of the process that was replaced, for whoever asks first to close.
func (s *sockets) holds() []afxdp.Hold {
	if s.heritage == nil {
		return nil
	}
	holds := s.heritage.Holds
	s.heritage.Holds = nil
	return holds
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
	for _, l := range slices.Concat(s.listeners, s.kept) {
		_ = l.Close()
	}
	if s.heritage != nil {
		s.heritage.Close()
	}
}
