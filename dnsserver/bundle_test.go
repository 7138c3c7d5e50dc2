package dnsserver

import (
	"bytes"
	order "cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// A sending is one message as the kernel would take it: whom it goes to, from
// which address of ours, and the replies.
type sending struct {
	to      unix.RawSockaddrInet6
	from    string
	replies []string
}

// takeApart takes a message apart by what is said in it, as the kernel does. The
// address that it leaves from is as the query came with it.
func takeApart(t testing.TB, head *mmsghdr) sending {
	t.Helper()
	out := sending{to: *(*unix.RawSockaddrInet6)(unsafe.Pointer(head.Name))}
	segment := 0
	for notes := unsafe.Slice(head.Control, head.Controllen); len(notes) > 0; {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&notes[0]))
		size := (int(h.Len) + 7) &^ 7
		if size < unix.SizeofCmsghdr || size > len(notes) {
			t.Fatalf("an ancillary message of %d octets where %d are left", size, len(notes))
		}
		if h.Level == unix.SOL_UDP && h.Type == unix.UDP_SEGMENT {
			segment = int(binary.NativeEndian.Uint16(notes[unix.SizeofCmsghdr:]))
		} else {
			out.from += string(notes[unix.SizeofCmsghdr:h.Len])
		}
		notes = notes[size:]
	}
	var all []byte
	for _, piece := range unsafe.Slice(head.Iov, head.Iovlen) {
		all = append(all, unsafe.Slice(piece.Base, piece.Len)...)
	}
	if segment == 0 {
		segment = len(all)
	} else if len(all) > bundleOctets || len(all) <= segment || segment > UDPSize || (len(all)-1)/segment >= 64 {
		t.Fatalf("%d octets in pieces of %d", len(all), segment)
	}
	for reply := range slices.Chunk(all, segment) {
		out.replies = append(out.replies, string(reply))
	}
	return out
}

// filled is a batch with n replies at random: to a few clients or many, from
// one address or several, of a few sizes or many. A reply begins with its slot.
func filled(r *rand.Rand, s *udpSocket, n int) *batch {
	b := newBatch(s)
	clients, sizes, silent := 1+r.IntN(1+r.IntN(80)), 1+r.IntN(1+r.IntN(40)), r.IntN(3)
	for i := range n {
		b.heads[i].SetControllen(0)
		if s.everywhere {
			h := (*unix.Cmsghdr)(unsafe.Pointer(&b.asked[i]))
			h.Level, h.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
			h.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
			b.asked[i][unix.SizeofCmsghdr] = byte(r.IntN(2))
			b.heads[i].SetControllen(len(control{}))
		}
		client := r.IntN(clients)
		b.peers[i] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: uint16(client % 7), Addr: [16]byte{15: byte(client)}, Scope_id: uint32(client % 3)}
		if r.IntN(10) < silent {
			b.data[i].SetLen(0)
			continue
		}
		size := 12 + r.IntN(sizes)*(UDPSize-12)/40
		if r.IntN(20) == 0 {
			size = UDPSize + r.IntN(100)
		}
		copy(b.replies[i][:], fmt.Sprintf("slot %02d", i))
		b.data[i].Base = &b.replies[i][0]
		b.data[i].SetLen(size)
	}
	return b
}

// reply is what a slot of a batch says and to whom, as it is to be sent alone.
func (b *batch) reply(t testing.TB, i int) sending { return takeApart(t, &b.heads[i]) }

// Whatever a batch holds: each reply is sent once, to its client, from the
// address asked, and those to one client that are equally long in their order;
// also where the kernel refuses, takes few messages at a time, or is interrupted.
func TestBundlesHoldEachReplyOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	bundles := 0
	for range 3000 {
		s := &udpSocket{everywhere: r.IntN(2) == 0}
		n := 1 + r.IntN(atOnce)
		b := filled(r, s, n)
		b.able = r.IntN(10) > 0
		var want []sending
		for i := range n {
			if b.data[i].Len > 0 {
				want = append(want, b.reply(t, i))
			}
		}
		trouble := r.IntN(3)
		refusal := []syscall.Errno{unix.EIO, unix.EINVAL, unix.EMSGSIZE}[r.IntN(3)]
		var got []sending
		b.push = func(heads []mmsghdr) (int, syscall.Errno) {
			take := len(heads)
			if trouble > 0 {
				take = 1 + r.IntN(take)
			}
			if trouble > 0 && r.IntN(10) == 0 {
				return 0, unix.EINTR
			}
			for i := range heads[:take] {
				if heads[i].Iovlen > 1 && trouble == 2 && r.IntN(2) == 0 {
					if i == 0 {
						return 0, refusal
					}
					return i, 0
				}
				m := takeApart(t, &heads[i])
				if len(m.replies) > 1 {
					bundles++
				}
				for _, reply := range m.replies {
					got = append(got, sending{m.to, m.from, []string{reply}})
				}
			}
			return take, 0
		}
		s.send(b, n)
		// Stable: equal ones must have been in the order of their slots.
		alike := func(a, b sending) int {
			return order.Or(bytes.Compare(a.to.Addr[:], b.to.Addr[:]), strings.Compare(a.from, b.from), len(a.replies[0])-len(b.replies[0]))
		}
		slices.SortStableFunc(got, alike)
		slices.SortStableFunc(want, alike)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(sending{})); diff != "" {
			t.Fatalf("%d slots (-want +got)\n%s", n, diff)
		}
	}
	if bundles < 1000 {
		t.Errorf("%d bundles are no test", bundles)
	}
}

// What leaves together: sizes of replies to one client, and those of its bundles.
func TestBundles(t *testing.T) {
	long := make([]int, atOnce)
	for i := range long {
		long[i] = UDPSize
	}
	for name, c := range map[string]struct {
		sizes []int
		want  string
	}{
		"one":                                  {[]int{60}, "[60]"},
		"equally long ones":                    {[]int{60, 60, 60}, "[60 60 60]"},
		"a shorter one goes last":              {[]int{60, 50, 60}, "[60 60 50]"},
		"a longer one goes first":              {[]int{50, 60, 60}, "[60 60 50]"},
		"two lengths":                          {[]int{60, 50, 60, 50, 50}, "[60 60 50] [50 50]"},
		"all different: pairs":                 {[]int{20, 30, 40, 50, 60}, "[30 20] [50 40] [60]"},
		"silence between":                      {[]int{60, 0, 60}, "[60 60]"},
		"more than a packet holds":             {long, fmt.Sprint(long[:53]) + " " + fmt.Sprint(long[53:])},
		"longer than a path may take: alone":   {[]int{UDPSize + 1, UDPSize + 1}, "[1233] [1233]"},
		"longer than a path may take: no pair": {[]int{UDPSize + 1, 60, UDPSize + 2}, "[1233] [60] [1234]"},
	} {
		t.Run(name, func(t *testing.T) {
			s := new(udpSocket)
			b := newBatch(s)
			b.able = true
			for i, size := range c.sizes {
				b.data[i].SetLen(size)
			}
			got := ""
			b.push = func(heads []mmsghdr) (int, syscall.Errno) {
				for i := range heads {
					var sizes []int
					for _, reply := range takeApart(t, &heads[i]).replies {
						sizes = append(sizes, len(reply))
					}
					if got != "" {
						got += " "
					}
					got += fmt.Sprint(sizes)
				}
				return len(heads), 0
			}
			s.send(b, len(c.sizes))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A worker whose kernel keeps refusing bundles leaves it for many batches, and
// one that succeeds in between does not. What is refused for want of memory is
// lost, as any reply would be.
func TestRefusedBundles(t *testing.T) {
	s := new(udpSocket)
	b := newBatch(s)
	b.able = true
	var tries, alone int
	var answer syscall.Errno
	b.push = func(heads []mmsghdr) (int, syscall.Errno) {
		for i := range heads {
			switch {
			case heads[i].Iovlen > 1 && answer != 0:
				tries++
				return 0, answer
			case heads[i].Iovlen > 1:
				tries++
			default:
				alone++
			}
		}
		return len(heads), 0
	}
	batches := func(n int, err syscall.Errno) string {
		tries, alone, answer = 0, 0, err
		for range n {
			b.data[0].SetLen(60)
			b.data[1].SetLen(60)
			s.send(b, 2)
		}
		return fmt.Sprintf("%d bundles tried, %d replies alone", tries, alone)
	}
	for i, c := range []struct {
		batches int
		err     syscall.Errno
		want    string
	}{
		{3, 0, "3 bundles tried, 0 replies alone"},
		{7, unix.EIO, "7 bundles tried, 14 replies alone"},
		{1, 0, "1 bundles tried, 0 replies alone"},
		{3, unix.ENOBUFS, "3 bundles tried, 0 replies alone"},
		{7, unix.EINVAL, "7 bundles tried, 14 replies alone"},
		{1 + abstained, unix.EMSGSIZE, fmt.Sprintf("1 bundles tried, %d replies alone", 2+2*abstained)},
		{1 + abstained, unix.EIO, fmt.Sprintf("1 bundles tried, %d replies alone", 2+2*abstained)},
		{9, 0, "9 bundles tried, 0 replies alone"},
		{7, unix.EIO, "7 bundles tried, 14 replies alone"},
	} {
		if got := batches(c.batches, c.err); got != c.want {
			t.Errorf("step %d: %s, want %s", i, got, c.want)
		}
	}
}

// Over real sockets: clients with several queries each, of several lengths, to
// one address of the server or two. Each gets each of its replies once, from
// where it has asked.
func TestRepliesOfABatch(t *testing.T) {
	var packets [][]byte
	for _, line := range []string{"; mail.example.org A", "; mail.example.org A edns", "; mail.example.org AAAA", "; nothing.example.org A", "; nothing.at.all.example.org A edns"} {
		packet, _, _ := ask(t, line)
		packets = append(packets, packet)
	}
	for name, c := range map[string]struct {
		listen  string
		asks    []string
		clients int
		packets [][]byte
		proxied bool
		want    int // messages at most; 0: any number
	}{
		"one client":                           {"127.0.0.1:0", []string{"127.0.0.1"}, 1, packets[:1], false, 1},
		"one client, replies of five lengths":  {"127.0.0.1:0", []string{"127.0.0.1"}, 1, packets, false, 5},
		"four clients":                         {"127.0.0.1:0", []string{"127.0.0.1"}, 4, packets[:1], false, 4},
		"a client for each query":              {"127.0.0.1:0", []string{"127.0.0.1"}, 40, packets, false, 0},
		"one client, IPv6":                     {"[::1]:0", []string{"::1"}, 1, packets, false, 5},
		"two clients on all of IPv6":           {"[::]:0", []string{"::1"}, 2, packets, false, 10},
		"two clients that ask at two":          {"0.0.0.0:0", []string{"127.0.0.1", "127.0.0.77"}, 2, packets[:2], false, 8},
		"a proxy":                              {"127.0.0.1:0", []string{"127.0.0.1"}, 1, packets[:1], true, 1},
		"a proxy that asks at two, of lengths": {"0.0.0.0:0", []string{"127.0.0.1", "127.0.0.77"}, 1, packets, true, 10},
	} {
		t.Run(name, func(t *testing.T) {
			s, bound := opened(t, c.listen)
			server := new(Server)
			server.Publish(table(t))
			var head []byte
			if c.proxied {
				server = behind(t)
				head = header(t, 0x21, 0x12, via4)
			}
			d := datagrams{server: server}
			var lines []*net.UDPConn
			for range c.clients {
				line, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(c.asks[0])})
				if err != nil {
					t.Fatal(err)
				}
				defer line.Close()
				lines = append(lines, line)
			}
			want := map[string]int{}
			const queries = 40
			for i := range queries {
				client, at := i%c.clients, netip.MustParseAddr(c.asks[i/c.clients%len(c.asks)])
				packet := slices.Clone(c.packets[i/3%len(c.packets)])
				binary.BigEndian.PutUint16(packet, uint16(i))
				reply := d.worker.Reply(nil, server.table.Load(), server.configured(), Request{Packet: packet, Via: UDP, From: netip.MustParseAddr("203.0.113.9")})
				want[fmt.Sprintf("client %d from %v: %x", client, at, reply)]++
				before := waiting(t, s.fd)
				if _, err := lines[client].WriteToUDPAddrPort(append(slices.Clone(head), packet...), netip.AddrPortFrom(at, bound.Port())); err != nil {
					t.Fatal(err)
				}
				for tries := 0; waiting(t, s.fd) == before; tries++ { // a busy kernel delivers later
					if tries == 10_000 {
						t.Fatalf("query %d is not delivered", i)
					}
					time.Sleep(time.Millisecond)
				}
			}
			b, messages := newBatch(s), 0
			b.push = func(heads []mmsghdr) (int, syscall.Errno) {
				n, err := s.push(heads)
				messages += n
				return n, err
			}
			for taken := 0; taken < queries; {
				n, err := s.receive(b)
				if err != 0 {
					t.Fatal(err)
				}
				s.answer(b, n, d.reply)
				s.send(b, n)
				taken += n
			}
			got := map[string]int{}
			buf := make([]byte, 1<<16)
			for client, line := range lines {
				for range queries {
					_ = line.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
					n, from, err := line.ReadFromUDPAddrPort(buf)
					if err != nil {
						break
					}
					got[fmt.Sprintf("client %d from %v: %x", client, from.Addr().Unmap(), buf[:n])]++
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if b.able && c.want > 0 && messages > c.want {
				t.Errorf("%d messages, want %d at most", messages, c.want)
			}
		})
	}
}

// waiting is the memory that what waits in a socket to be received takes, in
// bytes (SO_MEMINFO, SK_MEMINFO_RMEM_ALLOC of linux/sock_diag.h).
func waiting(t *testing.T, fd int) uint32 {
	t.Helper()
	var memory [9]uint32
	size := uint32(unsafe.Sizeof(memory))
	if _, _, err := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO, uintptr(unsafe.Pointer(&memory)), uintptr(unsafe.Pointer(&size)), 0); err != 0 {
		t.Fatal(err)
	}
	return memory[0]
}

// What it costs to find out which replies leave together.
func BenchmarkGroup(b *testing.B) {
	for _, c := range []struct {
		name            string
		replies, client int // replies side by side to one client
	}{{"12 replies, each to another client", 12, 1}, {"64 replies, each to another client", 64, 1}, {"64 replies to five clients", 64, 12}, {"64 replies to one client", 64, 64}} {
		b.Run(c.name, func(b *testing.B) {
			batch := newBatch(new(udpSocket))
			for i := range c.replies {
				port := uint16(32768 + i/c.client*4099)
				*(*unix.RawSockaddrInet4)(unsafe.Pointer(&batch.peers[i])) = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: port, Addr: [4]byte{192, 0, 2, byte(i / c.client)}}
				batch.data[i].SetLen(75)
			}
			before := spent(b)
			for range b.N {
				if batch.group(c.replies) {
					batch.pack(c.replies)
				}
			}
			b.ReportMetric(float64(spent(b)-before)/float64(b.N)/float64(c.replies), "cpu-ns/reply")
		})
	}
}
