//go:build kernel

package ipvs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"gslb/tiers"
)

// do runs commands, one a line.
func do(t *testing.T, script string) {
	t.Helper()
	for line := range strings.Lines(script) {
		if words := strings.Fields(line); len(words) > 0 {
			if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", strings.TrimSpace(line), err, out)
			}
		}
	}
}

func TestTheKernelsDaemons(t *testing.T) {
	p := open(t).(*Plane)
	do(t, `
ip link add e0 type dummy
ip link set e0 up
ip addr add 192.0.2.11/24 dev e0
ip addr add 2001:db8::11/64 dev e0 nodad`)
	four, six := []Daemon{daemonOf(Sender, 51), daemonOf(Receiver, 51)}, []Daemon{daemonOf(Sender, 7), daemonOf(Receiver, 7)}
	four[0].MaxLen = 224
	for i := range six {
		six[i].Group, six[i].MaxLen = SyncGroup6, 1200
	}
	converge := func(what string, want, ours []Daemon, changes int) {
		t.Helper()
		have, err := p.Daemons()
		if err != nil {
			t.Fatal(err)
		}
		plan := PlanDaemons(have, want, ours)
		if n := len(plan.Stop) + len(plan.Start); n != changes {
			t.Errorf("%s: %d changes, want %d: %v", what, n, changes, plan)
		}
		for _, r := range plan.Stop {
			if err := p.StopDaemon(r); err != nil {
				t.Error(err)
			}
		}
		for _, d := range plan.Start {
			if err := p.StartDaemon(d); err != nil {
				t.Error(err)
			}
		}
	}
	converge("both of IPv4", four, nil, 2)
	converge("the same", four, four, 0)
	got, err := p.Daemons()
	want := slices.Clone(four)
	want[1].MaxLen = 1472
	if diff := gocmp.Diff(want, got, sameGroup); err != nil || diff != "" {
		t.Errorf("the kernel has (-want +got)\n%s%v", diff, err)
	}
	told := []string{
		"master sync daemon (mcast=e0, syncid=51, maxlen=224, group=224.0.0.81, port=8848, ttl=1)",
		"backup sync daemon (mcast=e0, syncid=51, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)",
	}
	if diff := gocmp.Diff(told, ipvsadm(t, "-ln --daemon")); diff != "" {
		t.Errorf("ipvsadm says (-want +got)\n%s", diff)
	}
	converge("both of IPv6 instead", six, four, 4)
	converge("the same", six, six, 0)

	refused := func(d Daemon, want string) {
		t.Helper()
		if err := p.StartDaemon(d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	refused(six[0], "start the sync sender id 7 on e0, [ff12::81]:8848: there is a sender already")
	mixed := at("tcp 192.0.2.1:81", "lc", tun("[2001:db8::12]:81", tiers.Encap{}))
	table := tiers.Table{Services: []tiers.Service{mixed}}
	if err := p.Apply(t.Context(), tiers.Diff(tiers.Table{}, table, tiers.Owner{})); err == nil {
		t.Error("the kernel takes a destination of the other family while it copies connections")
	}
	converge("none", nil, six, 2)
	converge("none", nil, six, 0)
	if err := p.StopDaemon(Sender); err != nil {
		t.Errorf("to stop none: %v", err)
	}
	for range 20 { // before its thread has run once
		if err := errors.Join(p.StartDaemon(six[0]), p.StopDaemon(Sender)); err != nil {
			t.Fatalf("stop at once: %v", err)
		}
	}
	elsewhere := daemonOf(Sender, 51)
	elsewhere.Interface = "e9"
	refused(elsewhere, "there is no interface e9")
	have, err := p.Table(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(t.Context(), tiers.Diff(have, table, tiers.Owner{VIPs: map[netip.Addr]bool{mixed.Key.VIP.Addr(): true}})); err != nil {
		t.Fatal(err)
	}
	refused(four[0], "a service has destinations of the other family")
}

// inside runs f in another network namespace. What f opens stays there.
func inside(t *testing.T, name string, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good
		ns, err := os.Open("/run/netns/" + name)
		if err == nil {
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// How long it takes until a connection is in the peer's table: the kernel fills
// a message before it sends it, or lets it lie for two seconds.
func TestConnectionsAreCopied(t *testing.T) {
	for _, c := range []struct {
		what   string
		maxLen uint16
		within time.Duration // all but those of the last message
	}{
		{"messages as long as fit the link, 40 connections each", 0, 5 * time.Second},
		{"messages of two connections", 80, time.Second},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p := open(t).(*Plane)
			peer, server := fmt.Sprintf("peer%d", c.maxLen), fmt.Sprintf("server%d", c.maxLen)
			do(t, strings.NewReplacer("PEER", peer, "SERVER", server).Replace(`
ip netns add PEER
ip netns add SERVER
ip link add e0 type veth peer name e0 netns PEER
ip link add e1 type veth peer name e0 netns SERVER
ip addr add 192.0.2.11/24 dev e0
ip addr add 10.0.0.1/24 dev e1
ip link set e0 up
ip link set e1 up
ip -n PEER addr add 192.0.2.12/24 dev e0
ip -n PEER link set e0 up
ip -n SERVER addr add 10.0.0.2/24 dev e0
ip -n SERVER link set e0 up
ip -n SERVER route add default via 10.0.0.1
sysctl -qw net.ipv4.vs.sync_refresh_period=2
ip netns exec PEER ipvsadm -A -t 192.0.2.5:80 -s rr
ip netns exec PEER ipvsadm -a -t 192.0.2.5:80 -r 10.0.0.2:80 -m
ip netns exec PEER ipvsadm --start-daemon backup --mcast-interface e0 --syncid 51`))
			if err := os.WriteFile("/proc/sys/net/ipv4/vs/sync_threshold", []byte("3 0"), 0); err != nil {
				t.Fatal(err)
			}
			table := tiers.Table{Services: []tiers.Service{at("tcp 192.0.2.5:80", "rr", nat("10.0.0.2:80", 1))}}
			if err := p.Apply(t.Context(), tiers.Diff(tiers.Table{}, table, tiers.Owner{})); err != nil {
				t.Fatal(err)
			}
			sender := daemonOf(Sender, 51)
			sender.MaxLen = c.maxLen
			if err := p.StartDaemon(sender); err != nil {
				t.Fatal(err)
			}
			inside(t, server, func() {
				l, err := net.Listen("tcp", "10.0.0.2:80")
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { l.Close() })
				go func() {
					for {
						conn, err := l.Accept()
						if err != nil {
							return
						}
						go io.Copy(conn, conn)
					}
				}()
			})
			const all = 20
			begin := time.Now()
			for range all {
				conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "192.0.2.5:80")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
			}
			opened := time.Since(begin)
			var most, whole time.Duration
			last := 0
			for whole == 0 && time.Since(begin) < 10*time.Second {
				count := 0
				inside(t, peer, func() {
					for conn, err := range Conns(context.Background()) {
						if err == nil && conn.State == "ESTABLISHED" {
							count++
						}
					}
				})
				if count >= all-2 && most == 0 {
					most = time.Since(begin)
				}
				if count == all {
					whole = time.Since(begin)
				}
				last = count
				time.Sleep(10 * time.Millisecond)
			}
			t.Logf("%s: %d connections in %v; %d of them were copied after %v, all after %v", c.what, all, opened.Round(time.Millisecond), all-2, most.Round(10*time.Millisecond), whole.Round(10*time.Millisecond))
			if last != all || most > c.within || whole > 5*time.Second {
				t.Errorf("%d of %d were copied; most of them in %v, want %v, all in %v", last, all, most, c.within, whole)
			}
		})
	}
}
