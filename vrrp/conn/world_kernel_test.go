//go:build kernel

package conn

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gslb/lab/debian"
	"gslb/vrrp"
)

// A node of a world is a namespace with e0 on a common segment. Members are
// processes of their own, so that they can be killed.

// asMember is the variable that makes the test binary a member: it holds a
// memberOrder.
const asMember = "VRRP_TEST_MEMBER"

type memberOrder struct {
	Config vrrp.Config
	State  string // the file to hand over by, read if it is there
}

func TestMain(m *testing.M) {
	if order := os.Getenv(asMember); order != "" {
		if err := beMember(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// ipHands hold addresses by the ip program, as the director's are to do it.
type ipHands struct{ has []Holding }

func (h *ipHands) Hold(ctx context.Context, held []Holding) error {
	for _, x := range h.has {
		_ = exec.CommandContext(ctx, "ip", "addr", "del", prefix(x.Addr), "dev", x.Interface).Run()
	}
	h.has = nil
	for _, x := range held {
		args := []string{"addr", "replace", prefix(x.Addr), "dev", x.Interface}
		if x.Addr.Is6() {
			args = append(args, "nodad")
		}
		if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", x, err, out)
		}
		h.has = append(h.has, x)
	}
	return nil
}

func prefix(a netip.Addr) string { return netip.PrefixFrom(a, a.BitLen()).String() }

// beMember takes part until SIGTERM, SIGUSR1 (hand over) or its death. USR2
// moves the role away.
func beMember(order string) error {
	var o memberOrder
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		return err
	}
	if err := o.Config.Check(); err != nil {
		return err
	}
	options := Options{Log: slog.New(slog.NewTextHandler(os.Stdout, nil))}
	hands := &ipHands{}
	if data, err := os.ReadFile(o.State); err == nil {
		options.Saved = new(Saved)
		if err := json.Unmarshal(data, options.Saved); err != nil {
			return err
		}
		hands.has = holdings(o.Config, func(in vrrp.Instance) string { return in.Interface })
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2)
	m, err := Join(o.Config, hands, options)
	if err != nil {
		return err
	}
	for s := range signals {
		switch s {
		case syscall.SIGUSR2:
			m.Tell(vrrp.Move{To: vrrp.Yield})
		case syscall.SIGUSR1:
			data, err := json.Marshal(m.HandOver())
			if err == nil {
				err = os.WriteFile(o.State, data, 0o600)
			}
			return err
		default:
			counts, err := json.Marshal(m.Status().Counts)
			if err != nil {
				return err
			}
			fmt.Printf("counts %s\n", counts)
			return m.Stop(context.Background())
		}
	}
	return nil
}

// A program is a process of a node, with what it said.
type program struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	said strings.Builder
	done chan struct{}
}

func (p *program) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// counts are what a member has said at its end.
func (p *program) counts(t *testing.T) (counts []Counts) {
	t.Helper()
	_, text, _ := strings.Cut(p.log(), "counts ")
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&counts); err != nil {
		t.Fatal(err)
	}
	return counts
}

func (p *program) kill(s syscall.Signal) {
	_ = p.cmd.Process.Signal(s)
	<-p.done
}

// A world is a bridge with nodes a and b on it, and somebody who listens.
type world struct {
	t     *testing.T
	wire  chan word
	told  chan told
	send  func([]byte) error // puts a frame on the bridge, towards all nodes
	nodes map[string]netip.Addr
	progs []*program
}

// told is a gratuitous ARP or an unsolicited neighbour advertisement that was
// seen on the bridge.
type told struct {
	at   time.Time
	mac  [6]byte
	addr netip.Addr
}

// A word is an advertisement that was seen on the bridge.
type word struct {
	at   time.Time
	from netip.Addr
	vrrp.Advert
	hops, tos uint8
	to, by    [6]byte // MAC addresses
	frame     []byte
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func ip(t *testing.T, args string) string {
	t.Helper()
	return run(t, append([]string{"ip"}, strings.Fields(args)...)...)
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, wire: make(chan word, 4096), told: make(chan told, 4096), nodes: map[string]netip.Addr{}}
	t.Cleanup(func() {
		for _, p := range w.progs {
			p.die()
			if t.Failed() {
				t.Logf("%s said\n%s", strings.Join(p.cmd.Args, " "), p.log())
			}
		}
		for _, n := range []string{"a", "b", "s"} {
			_ = exec.Command("ip", "netns", "del", n).Run()
		}
	})
	ip(t, "netns add s")
	ip(t, "-n s link add name wire type bridge mcast_snooping 0")
	ip(t, "-n s link set dev wire up")
	for i, n := range []string{"a", "b"} {
		ip(t, "netns add "+n)
		ip(t, fmt.Sprintf("-n s link add name %s0 type veth peer name e0 netns %s", n, n))
		ip(t, fmt.Sprintf("-n s link set dev %s0 master wire up", n))
		ip(t, "-n "+n+" link set lo up")
		ip(t, fmt.Sprintf("-n %s link set e0 address 02:00:00:00:00:%02x up", n, 0x0b+i))
		ip(t, fmt.Sprintf("-n %s addr add 192.0.2.%d/24 dev e0", n, 11+i))
		ip(t, fmt.Sprintf("-n %s addr add fe80::%x/64 dev e0 nodad", n, 0x0b+i))
		ip(t, fmt.Sprintf("-n %s addr add 2001:db8::%x/64 dev e0 nodad", n, 0x0b+i))
	}
	w.listen()
	return w
}

// listen reports what is said on the bridge.
func (w *world) listen() {
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // for good
		fd, err := func() (int, error) {
			ns, err := os.Open("/run/netns/s")
			if err != nil {
				return 0, err
			}
			defer ns.Close()
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				return 0, err
			}
			all := uint16(unix.ETH_P_ALL)
			fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, int(all<<8|all>>8))
			if err != nil {
				return 0, err
			}
			return fd, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		}()
		bridge := 0
		if dev, err := net.InterfaceByName("wire"); err == nil {
			bridge = dev.Index
			w.send = func(frame []byte) error {
				return unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: dev.Index, Halen: 6})
			}
		}
		ready <- err
		buffer, control := make([]byte, 4096), make([]byte, 128)
		for {
			n, oob, _, from, err := unix.Recvmsg(fd, buffer, control, 0)
			if err != nil {
				return
			}
			at := stamped(control[:oob])
			ll, ok := from.(*unix.SockaddrLinklayer)
			if !ok || ll.Pkttype == unix.PACKET_OUTGOING || ll.Ifindex == bridge {
				continue // once, at the port where it comes in
			}
			if x, ok := announced(buffer[:n], at); ok {
				select {
				case w.told <- x:
				default:
				}
			}
			if x, ok := overheard(buffer[:n], at); ok {
				select {
				case w.wire <- x:
				default:
				}
			}
		}
	}()
	if err := <-ready; err != nil {
		w.t.Fatal(err)
	}
}

// stamped is when the kernel got a frame: this process may have been waiting.
func stamped(control []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(control)
	if err == nil && len(messages) > 0 && len(messages[0].Data) >= 16 {
		d := messages[0].Data
		return time.Unix(int64(binary.NativeEndian.Uint64(d)), int64(binary.NativeEndian.Uint64(d[8:])))
	}
	return time.Now()
}

func announced(f []byte, at time.Time) (told, bool) {
	x := told{at: at, mac: [6]byte(f[6:])}
	switch {
	case len(f) >= 42 && f[12] == 8 && f[13] == 6 && [4]byte(f[28:]) == [4]byte(f[38:]):
		x.addr = netip.AddrFrom4([4]byte(f[38:]))
	case len(f) >= 86 && f[12] == 0x86 && f[20] == icmp6 && f[54] == 136 && f[58]&0x60 == 0x20:
		x.addr = netip.AddrFrom16([16]byte(f[62:]))
	default:
		return x, false
	}
	return x, true
}

func overheard(f []byte, at time.Time) (word, bool) {
	x := word{at: at, frame: bytes.Clone(f)}
	if len(f) < 34 {
		return x, false
	}
	copy(x.to[:], f)
	copy(x.by[:], f[6:])
	var src, dst netip.Addr
	var payload []byte
	switch {
	case f[12] == 8 && f[13] == 0 && f[23] == vrrp.Protocol:
		p := packet4(f[14:][:int(f[16])<<8|int(f[17])])
		src, dst, payload, x.hops, x.tos = p.Src, p.Dst, p.Payload, p.Hops, f[15]
	case f[12] == 0x86 && len(f) > 54 && f[20] == vrrp.Protocol:
		src, dst = netip.AddrFrom16([16]byte(f[22:])), netip.AddrFrom16([16]byte(f[38:]))
		payload, x.hops, x.tos = f[54:], f[21], f[14]<<4|f[15]>>4
	default:
		return x, false
	}
	a, err := vrrp.Parse(src, dst, bytes.Clone(payload))
	x.from, x.Advert = src, a
	return x, err == nil
}

// start runs a program at a node.
func (w *world) start(node string, env []string, args ...string) *program {
	w.t.Helper()
	p := &program{cmd: exec.Command("ip", append([]string{"netns", "exec", node}, args...)...), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = time.Second // for children that keep its output open
	out, in := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = in, in
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.progs = append(w.progs, p)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			p.mu.Lock()
			p.said.WriteString(lines.Text() + "\n")
			p.mu.Unlock()
		}
	}()
	go func() {
		_ = p.cmd.Wait()
		_ = in.Close()
		close(p.done)
	}()
	return p
}

// ours starts a member at a node; a state file lets it go on from another.
func (w *world) ours(node string, c vrrp.Config, state string) *program {
	w.t.Helper()
	order, err := json.Marshal(memberOrder{c, state})
	if err != nil {
		w.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	return w.start(node, []string{asMember + "=" + string(order)}, self)
}

// keepalived starts it at a node with the lines of one instance.
func (w *world) keepalived(node, lines string) *program {
	w.t.Helper()
	root, err := debian.Ensure(context.Background(), "keepalived", "keepalived", Keepalived, w.t.Logf)
	if err != nil {
		w.t.Fatal(err)
	}
	path := debian.Find("/", "keepalived")
	if path == "" {
		path = debian.Find(root, "keepalived")
	}
	dir := w.t.TempDir()
	conf := filepath.Join(dir, "keepalived.conf")
	text := "global_defs {\n vrrp_garp_master_delay 1\n}\nvrrp_instance V {\n interface e0\n" + lines + "\n}\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	return w.start(node, []string{"LD_LIBRARY_PATH=" + filepath.Join(root, "usr/lib/x86_64-linux-gnu")},
		path, "--dont-fork", "--log-console", "--log-detail", "--vrrp", "--use-file", conf, "--pid", filepath.Join(dir, "pid"), "--vrrp_pid", filepath.Join(dir, "vrrp.pid"))
}

// die kills the program and its children at once.
func (p *program) die() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// has reports whether a node has an address.
func (w *world) has(node, a string) bool {
	return strings.Contains(ip(w.t, "-n "+node+" -o addr show dev e0"), " "+a+"/")
}

// next waits for a word that somebody says.
func (w *world) next(within time.Duration, what string, is func(word) bool) word {
	w.t.Helper()
	deadline := time.After(within)
	for {
		select {
		case x := <-w.wire:
			if is(x) {
				return x
			}
		case <-deadline:
			w.t.Fatalf("%s: not within %v", what, within)
		}
	}
}

// silent fails when somebody speaks who must not.
func (w *world) silent(during time.Duration, what string, is func(word) bool) {
	w.t.Helper()
	deadline := time.After(during)
	for {
		select {
		case x := <-w.wire:
			if is(x) {
				w.t.Fatalf("%s: %+v", what, x)
			}
		case <-deadline:
			return
		}
	}
}

// hush forgets what was said until now.
func (w *world) hush() {
	for len(w.wire) > 0 {
		<-w.wire
	}
}

func from(a netip.Addr) func(word) bool {
	return func(x word) bool { return x.from == a && x.Priority > 0 }
}

// eventually waits until something holds.
func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("never: %s", what)
		}
	}
}

func runQuiet(args ...string) error { return exec.Command(args[0], args[1:]...).Run() }
