package dnsserver

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gslb/dnsserver/client"
)

func start(t *testing.T, addr string) netip.AddrPort {
	t.Helper()
	l, err := Listen(netip.MustParseAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	var s Server
	s.Publish(table(t))
	s.Serve(l)
	t.Cleanup(s.Close)
	return l.Addr
}

func TestServer(t *testing.T) {
	for name, c := range map[string]struct{ listen, ask, from string }{
		"one IPv4 address":         {"127.0.0.1:0", "127.0.0.1", "127.0.0.9"},
		"one IPv6 address":         {"[::1]:0", "::1", ""},
		"all IPv4 addresses":       {"0.0.0.0:0", "127.0.0.77", "127.0.0.9"},
		"all IPv6 addresses":       {"[::]:0", "::1", ""},
		"all, asked at the second": {"0.0.0.0:0", "127.1.2.3", "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			bound := start(t, c.listen)
			server := netip.AddrPortFrom(netip.MustParseAddr(c.ask), bound.Port())
			var local netip.Addr
			if c.from != "" {
				local = netip.MustParseAddr(c.from)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			for _, network := range []string{"udp", "tcp"} {
				// The client takes a reply only from the address it asked.
				got, err := client.Ask(ctx, network, server, local, "mail.example.org", "AAAA")
				if err != nil {
					t.Fatal(err)
				}
				want := client.Answer{Rcode: "NOERROR", AA: true, Addrs: []netip.Addr{netip.MustParseAddr("2001:db8::25")},
					Records: []string{"mail.example.org.\t3600\tIN\tAAAA\t2001:db8::25"}, TTLs: []time.Duration{time.Hour}}
				if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
					t.Errorf("%s (-want +got)\n%s", network, diff)
				}
			}
		})
	}
}

// Consecutive queries visit both places about as often, over UDP and over TCP.
func TestServerRotates(t *testing.T) {
	server := start(t, "127.0.0.1:0")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, network := range []string{"udp", "tcp"} {
		got := map[string]int{}
		for range 40 {
			a, err := client.Ask(ctx, network, server, netip.Addr{}, "www.g.example.org", "A")
			if err != nil {
				t.Fatal(err)
			}
			got[a.Addrs[0].String()]++
		}
		if n := got["192.0.2.101"]; n < 16 || n > 24 || n+got["192.0.2.102"] != 40 {
			t.Errorf("%s: %v, want about 20 each", network, got)
		}
	}
}

func TestServerTruncatesOverUDPOnly(t *testing.T) {
	server := start(t, "127.0.0.1:0")
	for network, want := range map[string]int{"udp": 0, "tcp": 120} {
		a, err := client.Ask(t.Context(), network, server, netip.Addr{}, "big.example.org", "A")
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Addrs) != want || a.TC != (network == "udp") {
			t.Errorf("%s: %d addresses, TC %v; want %d", network, len(a.Addrs), a.TC, want)
		}
	}
}

func dial(t *testing.T, server netip.AddrPort) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", server.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func framed(packet []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
}

// receive reads one message and returns false when there is none.
func receive(conn net.Conn) ([]byte, bool) {
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, false
	}
	reply := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(conn, reply)
	return reply, err == nil
}

func TestServerAnswersAPipelineInOneConnection(t *testing.T) {
	conn := dial(t, start(t, "127.0.0.1:0"))
	var all []byte
	for _, name := range []string{"mail", "www.g", "nothing", "big"} {
		packet, _, _ := ask(t, "; "+name+".example.org A")
		all = append(all, framed(packet)...)
	}
	// In two parts that divide a message, and nothing more to come.
	for _, part := range [][]byte{all[:7], all[7:]} {
		if _, err := conn.Write(part); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		reply, ok := receive(conn)
		if !ok {
			break
		}
		lines := strings.Split(show(t, reply), "\n")
		got = append(got, lines[0]+" "+lines[1])
	}
	want := []string{"NOERROR aa ? mail.example.org. IN A", "NOERROR aa ? www.g.example.org. IN A", "NXDOMAIN aa ? nothing.example.org. IN A", "NOERROR aa ? big.example.org. IN A"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestServerHangsUp(t *testing.T) {
	server := start(t, "127.0.0.1:0")
	reply, _, _ := ask(t, "; mail.example.org A")
	reply[2] |= 0x80
	for name, bytes := range map[string][]byte{
		"on a message of no length": {0, 0},
		"on a reply":                framed(reply),
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, server)
			if _, err := conn.Write(bytes); err != nil {
				t.Fatal(err)
			}
			if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("read %d bytes, %v; want the end", n, err)
			}
		})
	}
}

// A client that dribbles gets no more time than one that is silent.
func TestServerHangsUpOnTheIdle(t *testing.T) {
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	s := Server{idle: 100 * time.Millisecond}
	s.Publish(table(t))
	s.Serve(l)
	t.Cleanup(s.Close)
	packet, _, _ := ask(t, "; mail.example.org A")
	for name, dribble := range map[string]bool{"silent": false, "dribbling": true} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			conn := dial(t, l.Addr)
			ended := make(chan error, 1)
			go func() {
				_, err := conn.Read(make([]byte, 1))
				ended <- err
			}()
			for i := 0; ; i++ {
				select {
				case err := <-ended:
					if took := time.Since(begin); took < 90*time.Millisecond || took > 3*time.Second || err == nil {
						t.Errorf("ended with %v after %v", err, took)
					}
					return
				case <-time.After(20 * time.Millisecond):
					if dribble {
						_, _ = conn.Write(framed(packet)[i%len(packet) : i%len(packet)+1])
					}
				}
			}
		})
	}
}

func TestServerLimitsConnectionsOfOneClient(t *testing.T) {
	server := start(t, "127.0.0.1:0")
	packet, _, _ := ask(t, "; mail.example.org A")
	exchange := func(conn net.Conn) error {
		if _, err := conn.Write(framed(packet)); err != nil {
			return err
		}
		_, err := conn.Read(make([]byte, 512))
		return err
	}
	var first net.Conn
	for i := range maxPerNetwork {
		conn := dial(t, server)
		if i == 0 {
			first = conn
		}
		if err := exchange(conn); err != nil {
			t.Fatalf("connection %d: %v", i+1, err)
		}
	}
	if err := exchange(dial(t, server)); err == nil {
		t.Error("one connection too many is answered")
	}
	a, err := client.Ask(t.Context(), "tcp", server, netip.MustParseAddr("127.0.0.2"), "mail.example.org", "A")
	if err != nil || a.Rcode != "NOERROR" {
		t.Errorf("another client: %v, %v", a, err)
	}
	first.Close()
	for range 100 {
		if exchange(dial(t, server)) == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("a connection that ended makes no room")
}

func TestListenSaysWhatIsWrong(t *testing.T) {
	taken := start(t, "127.0.0.1:0")
	for name, c := range map[string]struct {
		addr  netip.AddrPort
		cause error
		want  string
	}{
		"taken":    {taken, syscall.EADDRINUSE, "listen on " + taken.String() + " (udp): address already in use"},
		"not ours": {netip.MustParseAddrPort("192.0.2.1:5300"), syscall.EADDRNOTAVAIL, "listen on 192.0.2.1:5300 (udp): cannot assign requested address"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := Listen(c.addr)
			if err == nil {
				l.Close()
				t.Fatal("no error")
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if !errors.Is(err, c.cause) {
				t.Errorf("%v is not %v", err, c.cause)
			}
		})
	}
}

func TestCloseGivesTheAddressBack(t *testing.T) {
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	var s Server
	s.Publish(table(t))
	s.Serve(l)
	conn := dial(t, l.Addr) // an idle connection does not hold it up
	_ = conn
	s.Close()
	again, err := Listen(l.Addr)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

// When many want to be heard, those who say nothing are heard for less long.
func TestPatienceIsShortWhenItIsCrowded(t *testing.T) {
	s := Server{conns: map[*net.TCPConn]*guest{}}
	for range crowded {
		s.conns[new(net.TCPConn)] = new(guest)
	}
	if got := s.patience(); got != patience {
		t.Errorf("%v, want %v", got, patience)
	}
	s.conns[new(net.TCPConn)] = new(guest)
	if got := s.patience(); got != impatience {
		t.Errorf("%v, want %v", got, impatience)
	}
}
