//go:build kernel

package ipvs

import (
	"encoding/binary"
	"net/netip"
	"os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gslb/dataplane"
	"gslb/tiers"
)

// A tap sees from outside what anybody in its namespace says to the kernel by netlink.
type tap struct {
	fd     int
	family uint16
}

func newTap(t *testing.T, family uint16) tap {
	t.Helper()
	for _, args := range [][]string{{"link", "add", "tap0", "type", "nlmon"}, {"link", "set", "tap0", "up"}} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	every := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(every))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20); err != nil {
		t.Fatal(err)
	}
	return tap{fd, family}
}

// writes counts the requests to change IPVS since the last count.
func (w tap) writes(t *testing.T) (n int) {
	t.Helper()
	buf := make([]byte, 256<<10)
	for {
		ready := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}
		if got, err := unix.Poll(ready, 100); err != nil && err != unix.EINTR {
			t.Fatal(err)
		} else if got == 0 {
			break
		}
		size, from, err := unix.Recvfrom(w.fd, buf, 0)
		if err != nil {
			t.Fatal(err)
		}
		ll, ok := from.(*unix.SockaddrLinklayer)
		if !ok || ll.Hatype != unix.ARPHRD_NETLINK {
			continue
		}
		for data := buf[:size]; len(data) >= unix.NLMSG_HDRLEN+unix.GENL_HDRLEN; {
			length := int(binary.NativeEndian.Uint32(data))
			if length < unix.NLMSG_HDRLEN || length > len(data) {
				break
			}
			kind, flags := binary.NativeEndian.Uint16(data[4:]), binary.NativeEndian.Uint16(data[6:])
			if kind == w.family && flags&unix.NLM_F_REQUEST != 0 {
				switch data[unix.NLMSG_HDRLEN] { // all that only read have other numbers
				case cmdGetService, cmdGetDest, cmdGetConfig, cmdGetInfo:
				default:
					n++
				}
			}
			data = data[min(align(length), len(data)):]
		}
	}
	var stats unix.TpacketStats
	if s, err := unix.GetsockoptTpacketStats(w.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
		stats = *s
	}
	if stats.Drops > 0 {
		t.Fatalf("%d messages were not seen", stats.Drops)
	}
	return n
}

// A director that starts over a kernel that matches writes nothing, whoever
// counts; the count of the first start shows that writes are seen.
func TestStartingOverAMatchingTableWritesNothing(t *testing.T) {
	p := open(t).(*Plane)
	var want tiers.Table
	all := tiers.Owner{VIPs: map[netip.Addr]bool{}, Marks: map[uint32]bool{}}
	lines := 0
	for _, k := range kinds {
		want.Services = append(want.Services, k.service)
		lines += 1 + len(k.service.Destinations)
		all.VIPs[k.service.Key.VIP.Addr()], all.Marks[k.service.Key.Mark] = true, true
	}
	want.Sort()
	w := newTap(t, p.family)
	if _, err := dataplane.Converge(t.Context(), p, want, all); err != nil {
		t.Fatal(err)
	}
	if n := w.writes(t); n != lines {
		t.Errorf("%d writes of %d services and destinations were seen", n, lines)
	}
	begin := time.Now()
	if plan, err := dataplane.Converge(t.Context(), fresh(t), want, all); err != nil || len(plan) != 0 {
		t.Errorf("starting again: %v\n%s", err, plan)
	}
	if n := w.writes(t); n != 0 {
		t.Errorf("starting again takes %d writes", n)
	}
	t.Logf("started again in %v", time.Since(begin))
	want.Services[0].Destinations = slices.Clone(want.Services[0].Destinations) // others use them
	want.Services[0].Destinations[0].Weight++
	if _, err := dataplane.Converge(t.Context(), p, want, all); err != nil {
		t.Fatal(err)
	}
	if n := w.writes(t); n != 1 {
		t.Errorf("a changed weight takes %d writes", n)
	}
}
