package dnsserver

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// opened is a socket on loopback and where it is.
func opened(t testing.TB, addr string) (*udpSocket, netip.AddrPort) {
	t.Helper()
	sockets, bound, err := openUDP(netip.MustParseAddrPort(addr), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeUDP(sockets) })
	return sockets[0], bound
}

func connect(t testing.TB, to netip.AddrPort) *net.UDPConn {
	t.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Neither moving packets nor answering them takes memory from the heap.
func TestBatchesAllocateNothing(t *testing.T) {
	packet := common(t)["a static address"]
	for name, c := range map[string]struct {
		listen, ask string
		clients     int // one: its replies are a bundle
	}{
		"one address":                    {"127.0.0.1:0", "127.0.0.1", 3},
		"one address, one client":        {"127.0.0.1:0", "127.0.0.1", 1},
		"all IPv4 addresses":             {"0.0.0.0:0", "127.0.0.77", 3},
		"all IPv4 addresses, one client": {"0.0.0.0:0", "127.0.0.77", 1},
		"all IPv6 addresses":             {"[::]:0", "::1", 3},
		"all IPv6 addresses, one client": {"[::]:0", "::1", 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, bound := opened(t, c.listen)
			var conns []*net.UDPConn
			for range c.clients {
				conns = append(conns, connect(t, netip.AddrPortFrom(netip.MustParseAddr(c.ask), bound.Port())))
			}
			server := new(Server)
			server.Publish(table(t))
			d := datagrams{server: server}
			respond, b := responder(d.reply), newBatch(s)
			reply := make([]byte, UDPSize)
			if n := testing.AllocsPerRun(100, func() {
				for i := range 3 {
					if _, err := conns[i%c.clients].Write(packet); err != nil {
						t.Fatal(err)
					}
				}
				for answered := 0; answered < 3; {
					n, err := s.receive(b)
					if err != 0 {
						t.Fatal(err)
					}
					s.answer(b, n, respond)
					s.send(b, n)
					answered += n
				}
				for i := range 3 {
					if _, err := conns[i%c.clients].Read(reply); err != nil {
						t.Fatal(err)
					}
				}
			}); n != 0 {
				t.Errorf("%v allocations for three queries, want none", n)
			}
			if b.able && b.n != c.clients {
				t.Errorf("three replies to %d clients were %d messages", c.clients, b.n)
			}
		})
	}
}

// A query longer than there is room for is answered, and the next one too.
func TestLongQuery(t *testing.T) {
	conn := connect(t, start(t, "127.0.0.1:0"))
	for name, c := range map[string]struct {
		packet []byte
		rcode  byte
	}{
		"a query and 9,000 bytes": {append(common(t)["a static address"], make([]byte, 9000)...), 1},
		"a query":                 {common(t)["a static address"], 0},
	} {
		if _, err := conn.Write(c.packet); err != nil {
			t.Fatal(err)
		}
		reply := make([]byte, UDPSize)
		n, err := conn.Read(reply)
		if err != nil || n < headerLen || reply[3]&0xf != c.rcode {
			t.Errorf("%s: %d bytes, rcode %d (%v), want rcode %d", name, n, reply[3]&0xf, err, c.rcode)
		}
	}
}

// Sockets share an address with each other and with nobody else.
func TestAddressIsShared(t *testing.T) {
	first, bound, err := openUDP(netip.MustParseAddrPort("127.0.0.1:0"), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer closeUDP(first)
	for _, s := range first {
		if at, err := s.local(); err != nil || at != bound {
			t.Errorf("a socket is bound to %v (%v), want %v", at, err, bound)
		}
	}
	second, _, err := openUDP(bound, 2)
	closeUDP(second)
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("bound twice: %v, want %v", err, syscall.EADDRINUSE)
	}
}

// A stopped worker has answered all that it took.
func TestServeStops(t *testing.T) {
	s, bound := opened(t, "127.0.0.1:0")
	var taken, stop = 0, atomic.Bool{}
	var wait sync.WaitGroup
	wait.Go(func() {
		s.serve(func(buf, packet []byte, _ netip.AddrPort, _ time.Time) []byte {
			taken++
			return append(buf, packet...)
		}, &stop)
	})
	conn := connect(t, bound)
	for range 200 {
		if _, err := conn.Write([]byte("query")); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	wait.Wait()
	reply := make([]byte, 16)
	for range taken {
		if _, err := conn.Read(reply); err != nil {
			t.Fatalf("one of %d replies is missing: %v", taken, err)
		}
	}
}

// BenchmarkSockets moves the packets of 128 askers that wait for their replies,
// by this package's sockets and by those of net: one goroutine and a call of
// its own for each packet.
func BenchmarkSockets(b *testing.B) {
	packet := common(b)["a static address"]
	server := new(Server)
	server.Publish(table(b))
	b.Run("batches", func(b *testing.B) {
		s, bound := opened(b, "127.0.0.1:0")
		var stop atomic.Bool
		var wait sync.WaitGroup
		d := datagrams{server: server}
		wait.Go(func() { s.serve(d.reply, &stop) })
		storm(b, bound, packet)
		stop.Store(true)
		wait.Wait()
	})
	b.Run("net", func(b *testing.B) {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			b.Fatal(err)
		}
		_ = conn.SetReadBuffer(ReceiveBuffer)
		var wait sync.WaitGroup
		d := datagrams{server: server}
		wait.Go(func() {
			packet, buf := make([]byte, 1<<16), make([]byte, 0, UDPSize)
			for {
				n, from, err := conn.ReadFromUDPAddrPort(packet)
				if err != nil {
					return
				}
				_, _ = conn.WriteToUDPAddrPort(d.reply(buf, packet[:n], from, time.Now()), from)
			}
		})
		storm(b, conn.LocalAddr().(*net.UDPAddr).AddrPort(), packet)
		_ = conn.Close()
		wait.Wait()
	})
}

// storm sends b.N queries, at most 128 of them unanswered.
func storm(b *testing.B, to netip.AddrPort, packet []byte) {
	conn := connect(b, to)
	reply := make([]byte, UDPSize)
	open := 0
	read := func() {
		if _, err := conn.Read(reply); err != nil {
			b.Fatal(err)
		}
		open--
	}
	b.ResetTimer()
	for range b.N {
		if open == 128 {
			for open > 64 {
				read()
			}
		}
		if _, err := conn.Write(packet); err != nil {
			b.Fatal(err)
		}
		open++
	}
	for open > 0 {
		read()
	}
}
