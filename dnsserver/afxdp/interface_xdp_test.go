//go:build xdp

package afxdp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A world is two hosts with a cable between them: a namespace for each.
type world struct {
	t              *testing.T
	server, client netns.NsHandle
}

const port = 5300

var (
	here4, here6   = netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8::1")
	there4, there6 = netip.MustParseAddr("198.51.100.2"), netip.MustParseAddr("2001:db8::2")
	served         = []netip.AddrPort{netip.AddrPortFrom(here4, port), netip.AddrPortFrom(here6, port)}
)

func newWorld(t *testing.T) *world {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := netns.Get()
	must(t, err)
	w := &world{t: t}
	w.client, err = netns.New()
	must(t, err)
	w.server, err = netns.New()
	must(t, err)
	must(t, netns.Set(home))
	w.cable()
	w.in(w.server, func() { up(t, "lo") })
	w.in(w.client, func() { up(t, "lo") })
	t.Cleanup(func() { _, _ = w.server.Close(), w.client.Close() })
	return w
}

// cable joins the hosts.
func (w *world) cable() {
	w.t.Helper()
	w.in(w.server, func() {
		must(w.t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "s0"}, PeerName: "c0", PeerNamespace: netlink.NsFd(w.client)}))
		up(w.t, "s0", here4, here6)
	})
	w.in(w.client, func() { up(w.t, "c0", there4, there6) })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// in does something on a thread of a host's.
func (w *world) in(host netns.NsHandle, do func()) {
	w.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and the thread ends with the goroutine
		if err := netns.Set(host); err != nil {
			w.t.Error(err)
			return
		}
		do()
	}()
	<-done
}

func up(t *testing.T, name string, addrs ...netip.Addr) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Error(err)
		return
	}
	if err := netlink.LinkSetUp(link); err != nil {
		t.Error(err)
	}
	for _, a := range addrs {
		bits := 24
		if a.Is6() {
			bits = 64
		}
		if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(bits, a.BitLen())}, Flags: unix.IFA_F_NODAD}); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

// open opens the server's interface and serves it until it is closed, at the
// end of the test at the latest.
func (w *world) open(name string, respond Responder) (p *Interface, end func()) {
	w.t.Helper()
	var err error
	w.in(w.server, func() { p, err = Open(name, served) })
	must(w.t, err)
	return p, w.serve(p, respond)
}

func (w *world) serve(p *Interface, respond Responder) (end func()) {
	var all sync.WaitGroup
	for _, q := range p.Queues() {
		all.Go(func() { q.Serve(respond) })
	}
	end = sync.OnceFunc(func() {
		p.Leave()
		all.Wait()
		if err := p.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(end)
	return end
}

// stack answers with a first octet of 'k' what the kernel's stack lets through to addr.
func (w *world) stack(addr netip.AddrPort) {
	w.t.Helper()
	var conn *net.UDPConn
	var err error
	w.in(w.server, func() { conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr)) })
	must(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close() })
	// What an XDP program lets pass counts a page each on veth: as large a buffer as the name server's.
	control(w.t, conn, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20) })
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil && n > 0 {
				buf[0] = 'k'
				_, _ = conn.WriteToUDPAddrPort(buf[:n], from)
			}
		}
	}()
}

func (w *world) dial(to netip.AddrPort) *net.UDPConn {
	w.t.Helper()
	var conn *net.UDPConn
	var err error
	w.in(w.client, func() { conn, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to)) })
	must(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func control(t *testing.T, conn *net.UDPConn, set func(fd int) error) {
	t.Helper()
	raw, err := conn.SyscallConn()
	must(t, err)
	var failed error
	must(t, raw.Control(func(fd uintptr) { failed = set(int(fd)) }))
	must(t, failed)
}

// ask sends a query and returns the reply, nil when none comes.
func ask(t *testing.T, conn *net.UDPConn, query []byte) []byte {
	t.Helper()
	if _, err := conn.Write(query); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<16)
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := conn.Read(buf)
	if err != nil {
		return nil
	}
	return buf[:n]
}

// bypass marks as its own what it answers: over the query, in the buffer, or not at all.
func bypass(buf, packet []byte, _ netip.AddrPort, _ time.Time) []byte {
	switch {
	case len(packet) == 0:
		return append(buf, "empty"...)
	case packet[0] == 'o': // over it
		packet[0] = 'x'
		return packet
	case packet[0] == 'b': // in the buffer, as long as it may be
		buf = append(buf, 'x')
		return append(buf, bytes.Repeat(packet[:1], 1231)...)
	}
	return nil
}

func TestQueriesAreAnswered(t *testing.T) {
	w := newWorld(t)
	for _, to := range served {
		w.stack(to)
	}
	at := [2]*net.UDPConn{w.dial(served[0]), w.dial(served[1])}
	for i, conn := range at {
		if got := ask(t, conn, []byte("o before")); string(got) != "k before" {
			t.Fatalf("before, at %s: %q", served[i], got)
		}
	}
	p, end := w.open("s0", bypass)
	if !p.Native {
		t.Error("the program is not in the driver")
	}
	for i, conn := range at {
		if got := ask(t, conn, nil); string(got) != "empty" {
			t.Errorf("%s: an empty one: %q", served[i], got)
		}
		for n := 1; n < 1400; n += 13 {
			query := bytes.Repeat([]byte{byte(n)}, n)
			query[0] = 'o'
			got := ask(t, conn, query)
			query[0] = 'x'
			if !bytes.Equal(got, query) {
				t.Fatalf("%s: %d octets: got %d, %.20q", served[i], n, len(got), got)
			}
		}
		if got := ask(t, conn, []byte("b")); len(got) != 1232 || got[0] != 'x' || got[1231] != 'b' {
			t.Errorf("%s: a long reply to a short query: %d octets, %.20q", served[i], len(got), got)
		}
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		if _, err := conn.Write([]byte("silence")); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 10)); err == nil {
			t.Errorf("%s: %d octets instead of silence", served[i], n)
		}
	}
	end()
	for i, conn := range at {
		if got := ask(t, conn, []byte("o after")); string(got) != "k after" {
			t.Errorf("after, at %s: %q", served[i], got)
		}
	}
}

// What is for another station, as comes where a switch does not know better, is not answered.
func TestOtherStationsPass(t *testing.T) {
	w := newWorld(t)
	_, _ = w.open("s0", bypass)
	conn := w.dial(served[0])
	if got := ask(t, conn, []byte("over")); string(got) != "xver" {
		t.Fatalf("at its own address: %q", got)
	}
	w.in(w.client, func() {
		c0, err := netlink.LinkByName("c0")
		must(t, err)
		must(t, netlink.NeighSet(&netlink.Neigh{LinkIndex: c0.Attrs().Index, IP: here4.AsSlice(), HardwareAddr: net.HardwareAddr{2, 0x11, 0x22, 0x33, 0x44, 0x55}, State: netlink.NUD_PERMANENT}))
	})
	_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	_, err := conn.Write([]byte("over"))
	must(t, err)
	if n, err := conn.Read(make([]byte, 10)); err == nil {
		t.Errorf("another station's: %d octets", n)
	}
}

// A queue says so when its interface has gone.
func TestGone(t *testing.T) {
	w := newWorld(t)
	var iface *Interface
	var err error
	w.in(w.server, func() { iface, err = Open("s0", served) })
	must(t, err)
	ended := make(chan error, len(iface.Queues()))
	for _, q := range iface.Queues() {
		go func() { ended <- q.Serve(bypass) }()
	}
	w.in(w.server, func() {
		s0, err := netlink.LinkByName("s0")
		must(t, err)
		must(t, netlink.LinkDel(s0))
	})
	for range iface.Queues() {
		select {
		case err := <-ended:
			if !errors.Is(err, ErrGone) {
				t.Errorf("%v, want %v", err, ErrGone)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing is said")
		}
	}
	hold, err := iface.Hold()
	must(t, err)
	must(t, iface.Close())
	w.cable()
	w.in(w.server, func() {
		if _, err := Inherit(hold, served); !errors.Is(err, ErrGone) {
			t.Errorf("by a hold of the one before: %v, want %v", err, ErrGone)
		}
		next, err := Open("s0", served)
		must(t, err)
		must(t, next.Close())
	})
	must(t, unix.Close(hold.FD))
}

// What the program does not take goes to the kernel's stack.
func TestOthersPass(t *testing.T) {
	w := newWorld(t)
	other := netip.AddrPortFrom(here4, port+1)
	for _, to := range append(served[:2:2], other) {
		w.stack(to)
	}
	w.open("s0", bypass)
	for name, c := range map[string]struct {
		to     netip.AddrPort
		length int
		set    func(fd int) error
	}{
		"another port":      {other, 20, nil},
		"fragments":         {served[0], 3000, nil},
		"fragments of IPv6": {served[1], 3000, nil},
		"IPv4 with options": {served[0], 20, func(fd int) error {
			return unix.SetsockoptString(fd, unix.IPPROTO_IP, unix.IP_OPTIONS, "\x01\x01\x01\x00")
		}},
		"an extension": {served[1], 20, func(fd int) error {
			return unix.SetsockoptString(fd, unix.IPPROTO_IPV6, unix.IPV6_DSTOPTS, "\x00\x00\x01\x04\x00\x00\x00\x00")
		}},
		"no checksum either": {other, 20, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, 1) }},
	} {
		conn := w.dial(c.to)
		if c.set != nil {
			control(t, conn, c.set)
		}
		query := bytes.Repeat([]byte{'o'}, c.length)
		got := ask(t, conn, query)
		query[0] = 'k'
		if !bytes.Equal(got, query) {
			t.Errorf("%s: %d octets, %.20q; want the stack's", name, len(got), got)
		}
	}
	var l net.Listener
	var err error
	w.in(w.server, func() { l, err = net.Listen("tcp", served[0].String()) })
	must(t, err)
	defer l.Close()
	var conn net.Conn
	w.in(w.client, func() { conn, err = net.DialTimeout("tcp", served[0].String(), 10*time.Second) })
	must(t, err)
	_ = conn.Close()
}

// Above the driver, where that cannot run programs.
func TestGeneric(t *testing.T) {
	w := newWorld(t)
	w.in(w.server, func() {
		bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "b0"}}
		must(t, netlink.LinkAdd(bridge))
		s0, err := netlink.LinkByName("s0")
		must(t, err)
		addrs, err := netlink.AddrList(s0, netlink.FAMILY_ALL)
		must(t, err)
		for _, a := range addrs {
			must(t, netlink.AddrDel(s0, &a))
		}
		must(t, netlink.LinkSetMaster(s0, bridge))
		up(t, "b0", here4, here6)
	})
	p, _ := w.open("b0", bypass)
	if p.Native || p.ZeroCopy {
		t.Errorf("a bridge with the program in its driver: %+v", p)
	}
	for _, to := range served {
		if got := ask(t, w.dial(to), []byte("over")); string(got) != "xver" {
			t.Errorf("%s: %q", to, got)
		}
	}
}

func TestBusy(t *testing.T) {
	w := newWorld(t)
	_, end := w.open("s0", bypass)
	again := func() (err error) {
		w.in(w.server, func() {
			var q *Interface
			if q, err = Open("s0", served); err == nil {
				err = q.Close()
			}
		})
		return err
	}
	if err := again(); !errors.Is(err, ErrBusy) {
		t.Errorf("while another has it: %v", err)
	}
	if got := ask(t, w.dial(served[0]), []byte("over")); string(got) != "xver" {
		t.Errorf("the one that has it answers %q", got)
	}
	end()
	if err := again(); err != nil {
		t.Errorf("when it is given back: %v", err)
	}
}

func TestRefused(t *testing.T) {
	w := newWorld(t)
	w.in(w.server, func() {
		must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "more", NumRxQueues: 2, NumTxQueues: 1}, PeerName: "less"}))
		for _, c := range []struct {
			iface string
			addrs []netip.AddrPort
			says  string
		}{
			{"s9", served, "interface s9: there is no such interface"},
			{"lo", served, "interface lo: packets on it are not Ethernet's"},
			{"more", served, "interface more: it has 2 queues for packets that come in and 1 for those that leave"},
			{"s0", []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), port)}, "0.0.0.0:5300: not an address of one host"},
		} {
			p, err := Open(c.iface, c.addrs)
			if err == nil {
				_ = p.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v; want %q", c.iface, err, c.says)
			}
		}
	})
}

// Of many queries at once each has its own reply, also while one port hands the
// interface over to the next, and the stack has it in between.
func TestNothingIsLost(t *testing.T) {
	w := newWorld(t)
	w.stack(served[0])
	const askers, each, most = 8, 1500, 24 // not as many at once as veth queues, 256
	var byStack, byUs atomic.Int64
	count := func(buf, packet []byte, from netip.AddrPort, now time.Time) []byte {
		byUs.Add(1)
		return bypass(buf, packet, from, now)
	}
	var lost atomic.Int64
	var all sync.WaitGroup
	progress := make(chan struct{}, askers*each)
	for range askers {
		conn := w.dial(served[0])
		all.Go(func() {
			waiting := map[uint32]bool{}
			buf := make([]byte, 100)
			for next := uint32(0); next < each || len(waiting) > 0; {
				for ; next < each && len(waiting) < most; next++ {
					waiting[next] = true
					if _, err := conn.Write(binary.BigEndian.AppendUint32([]byte("o"), next)); err != nil {
						t.Error(err)
						return
					}
				}
				_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
				n, err := conn.Read(buf)
				if err != nil {
					lost.Add(int64(len(waiting)))
					return
				}
				id := binary.BigEndian.Uint32(buf[1:])
				if n != 5 || !waiting[id] {
					t.Errorf("a reply that nobody waits for: %q", buf[:n])
				}
				delete(waiting, id)
				if buf[0] == 'k' {
					byStack.Add(1)
				}
				progress <- struct{}{}
			}
		})
	}
	// A tenth of them by the one, then by the other, and so on.
	port, end := w.open("s0", count)
	var hold Hold
	toggle := func() {
		var err error
		if port != nil {
			hold, err = port.Hold()
			must(t, err)
			end()
			port = nil
			return
		}
		w.in(w.server, func() { port, err = Inherit(hold, served) })
		must(t, err)
		end = w.serve(port, count)
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	passed, turns := 0, 0
loop:
	for {
		select {
		case <-progress:
			if passed++; passed >= (turns+1)*askers*each/10 && passed < askers*each*9/10 {
				turns++
				toggle()
			}
		case <-done:
			break loop
		}
	}
	if port == nil {
		must(t, unix.Close(hold.FD))
	}
	fmt.Printf("%d queries: %d answered by the stack, %d past it, %d turns, %d lost\n", askers*each, byStack.Load(), byUs.Load(), turns, lost.Load())
	if lost.Load() > 0 || byStack.Load() == 0 || byUs.Load() == 0 || turns < 8 {
		t.Errorf("%d lost, %d by the stack, %d past it, in %d turns", lost.Load(), byStack.Load(), byUs.Load(), turns)
	}
}
