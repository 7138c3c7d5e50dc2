package dnsserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gslb/dnsserver/afxdp"
)

// How one process takes over the sockets of another, so that no query is lost:
// packets that wait in a socket stay there, whoever has it.
//
// The one that serves listens on a Unix socket in the abstract namespace for
// each of its addresses. Such a name is as wide as the addresses are, the
// network namespace; it needs no folder, and is gone when its process is. An
// heir connects, is sent the sockets (SCM_RIGHTS of unix(7)) and makes itself
// ready for as long as it takes, while the old one answers. When it serves it
// says so, and the old one leaves. If it ends before, nothing has happened.

const handOverVersion = 1

// The messages, each a packet of its own.
type (
	estate struct { // old to heir, first, with what holds interfaces
		FormatVersion int          `json:"format_version"`
		PID           int          `json:"pid"`
		Listeners     int          `json:"listeners"`
		Holds         []afxdp.Hold `json:"holds,omitempty"`
	}
	bequest struct { // old to heir, once for each listener, with its sockets: those of UDP, then TCP's
		Addr netip.AddrPort `json:"addr"`
		UDP  int            `json:"udp"`
	}
	word struct { // heir to old: "serving"; the reply: "yours"
		Word string `json:"word"`
		Will int    `json:"will,omitempty"` // packets that follow, with what the old process knows
	}
)

// maxWill is the size, in bytes, of a packet of the will, and mostWill how many there are.
const (
	maxWill  = 32 << 10
	mostWill = 1 << 10
)

// maxSockets is how many sockets pass in one message (SCM_MAX_FD in the
// kernel's include/net/scm.h).
const maxSockets = 253

// ErrNobody is returned where there is nobody to take over from.
var ErrNobody = errors.New("nobody serves there who could hand over")

func meeting(addr netip.AddrPort) *net.UnixAddr {
	return &net.UnixAddr{Net: "unixpacket", Name: "@gslb/dns/" + addr.String()}
}

// An Offer is open to heirs.
type Offer struct {
	doors []*net.UnixListener
	holds func() []afxdp.Hold
	will  func() []byte
	heir  int
	taken chan struct{}
	once  sync.Once
	wait  sync.WaitGroup
	mu    sync.Mutex
	conns map[*net.UnixConn]bool // nil: closed
}

// OfferHandOver lets another process of the same user, or of root, take over
// the listeners' sockets, and what holds returns. It is then sent what will
// returns, 32 MiB at most, which is called once.
func OfferHandOver(listeners []*Listener, holds func() []afxdp.Hold, will func() []byte) (*Offer, error) {
	o := &Offer{holds: holds, will: will, taken: make(chan struct{}), conns: map[*net.UnixConn]bool{}}
	for _, l := range listeners {
		door, err := net.ListenUnix("unixpacket", meeting(l.Addr))
		if err != nil {
			o.Close()
			return nil, fmt.Errorf("offer to hand %s over: %w", l.Addr, reason(err))
		}
		o.doors = append(o.doors, door)
	}
	for _, door := range o.doors {
		o.wait.Go(func() { o.receive(door, listeners) })
	}
	return o, nil
}

// Taken is closed when an heir serves.
func (o *Offer) Taken() <-chan struct{} { return o.taken }

// Heir is the process that serves once Taken is closed.
func (o *Offer) Heir() int { return o.heir }

// Close withdraws the offer.
func (o *Offer) Close() {
	for _, door := range o.doors {
		_ = door.Close()
	}
	o.mu.Lock()
	for conn := range o.conns {
		_ = conn.Close()
	}
	o.conns = nil
	o.mu.Unlock()
	o.wait.Wait()
}

func (o *Offer) receive(door *net.UnixListener, listeners []*Listener) {
	for {
		conn, err := door.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of file descriptors, most likely
			continue
		}
		o.mu.Lock()
		open := o.conns != nil
		if open {
			o.conns[conn] = true
		}
		o.mu.Unlock()
		if !open {
			_ = conn.Close()
			return
		}
		o.wait.Go(func() {
			defer func() {
				o.mu.Lock()
				delete(o.conns, conn)
				o.mu.Unlock()
				_ = conn.Close()
			}()
			o.serve(conn, listeners)
		})
	}
}

// serve hands over to one heir. Should several come, the first to serve has it.
func (o *Offer) serve(conn *net.UnixConn, listeners []*Listener) {
	heir, err := may(conn)
	if err != nil || bequeath(conn, listeners, o.holds()) != nil {
		return
	}
	var w word
	if read(conn, &w, nil) != nil || w.Word != "serving" {
		return
	}
	o.once.Do(func() {
		for _, door := range o.doors {
			_ = door.Close() // before the reply: the names are the heir's
		}
		o.heir = heir
		var parts [][]byte
		for part := range slices.Chunk(o.will(), maxWill) {
			parts = append(parts, part)
		}
		if write(conn, word{"yours", len(parts)}, nil) == nil {
			for _, part := range parts {
				if _, err := conn.Write(part); err != nil {
					break
				}
			}
		}
		close(o.taken)
	})
}

// may says whether the process at the other end may have what is ours, or give
// us what is to be ours, and which it is: only root and this user may.
func may(conn *net.UnixConn) (pid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := errors.Join(err, failed); err != nil {
		return 0, err
	}
	if peer.Uid != 0 && int(peer.Uid) != os.Geteuid() {
		return 0, fmt.Errorf("process %d belongs to user %d", peer.Pid, peer.Uid)
	}
	return int(peer.Pid), nil
}

// bequeath sends everything that the heir needs; the holds are closed then.
func bequeath(conn *net.UnixConn, listeners []*Listener, holds []afxdp.Hold) error {
	var fds []int
	for _, h := range holds {
		fds = append(fds, h.FD)
	}
	err := write(conn, estate{handOverVersion, os.Getpid(), len(listeners), holds}, fds)
	closeAll(fds)
	if err != nil {
		return err
	}
	for _, l := range listeners {
		raw, err := l.tcp.SyscallConn()
		if err != nil {
			return err
		}
		var sockets []int
		for _, s := range l.udp {
			sockets = append(sockets, s.fd)
		}
		var failed error
		err = raw.Control(func(fd uintptr) {
			failed = write(conn, bequest{l.Addr, len(sockets)}, append(sockets, int(fd)))
		})
		if err := errors.Join(err, failed); err != nil {
			return err
		}
	}
	return nil
}

func write(conn *net.UnixConn, message any, sockets []int) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	var rights []byte
	if len(sockets) > 0 {
		rights = unix.UnixRights(sockets...)
	}
	_, _, err = conn.WriteMsgUnix(text, rights, nil)
	return err
}

// read reads a message into into, and the sockets that came with it.
func read(conn *net.UnixConn, into any, sockets *[]int) error {
	text, rights := make([]byte, 4096), make([]byte, unix.CmsgSpace(4*maxSockets))
	n, c, _, _, err := conn.ReadMsgUnix(text, rights)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:c])
	if err != nil {
		return err
	}
	for _, m := range messages {
		got, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range got {
			unix.CloseOnExec(fd)
			if sockets == nil {
				_ = unix.Close(fd)
			} else {
				*sockets = append(*sockets, fd)
			}
		}
	}
	if n == 0 {
		return errors.New("the other process has gone")
	}
	return json.Unmarshal(text[:n], into)
}

// An Inheritance is what a process that serves has handed over. It goes on
// serving until [Inheritance.Serving] is called.
type Inheritance struct {
	PID       int // of the process
	Listeners []*Listener
	Holds     []afxdp.Hold // of interfaces, to inherit these by or to be closed
	conn      *net.UnixConn
}

// Inherit takes over from the process that serves at one of the addresses. Its
// listeners at others are left behind. ErrNobody is returned where there is none.
func Inherit(addrs []netip.AddrPort) (*Inheritance, error) {
	for _, addr := range addrs {
		conn, err := net.DialUnix("unixpacket", nil, meeting(addr))
		if errors.Is(err, unix.ECONNREFUSED) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("take over %s: %w", addr, reason(err))
		}
		in := &Inheritance{conn: conn}
		if err := in.take(addrs); err != nil {
			in.Close()
			return nil, fmt.Errorf("take over %s: %w", addr, err)
		}
		return in, nil
	}
	return nil, ErrNobody
}

func (in *Inheritance) take(addrs []netip.AddrPort) error {
	if _, err := may(in.conn); err != nil {
		return err
	}
	if err := in.conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	var all estate
	var fds []int
	err := read(in.conn, &all, &fds)
	if err == nil && len(fds) != len(all.Holds) {
		err = fmt.Errorf("%d interfaces came with %d descriptors", len(all.Holds), len(fds))
	}
	if err != nil {
		closeAll(fds)
		return err
	}
	in.Holds = all.Holds
	for i, fd := range fds {
		in.Holds[i].FD = fd
	}
	if all.FormatVersion != handOverVersion {
		return fmt.Errorf("process %d speaks version %d of handing over, this one %d", all.PID, all.FormatVersion, handOverVersion)
	}
	in.PID = all.PID
	for range all.Listeners {
		var one bequest
		var sockets []int
		if err := read(in.conn, &one, &sockets); err != nil {
			closeAll(sockets)
			return err
		}
		l, err := inherited(one, sockets)
		if err != nil {
			closeAll(sockets)
			return err
		}
		wanted := false
		for _, a := range addrs {
			wanted = wanted || a == l.Addr
		}
		if !wanted {
			_ = l.Close()
			continue
		}
		in.Listeners = append(in.Listeners, l)
	}
	return in.conn.SetDeadline(time.Time{})
}

// inherited makes a listener of sockets that were handed over. They stay the
// caller's if there is an error.
func inherited(b bequest, sockets []int) (*Listener, error) {
	if b.UDP < 1 || len(sockets) != b.UDP+1 {
		return nil, fmt.Errorf("%s came with %d sockets", b.Addr, len(sockets))
	}
	l := &Listener{Addr: b.Addr, inherited: true}
	for _, fd := range sockets[:b.UDP] {
		s := &udpSocket{fd: fd, v4: b.Addr.Addr().Is4(), everywhere: b.Addr.Addr().IsUnspecified()}
		at, err := s.local()
		if err != nil {
			return nil, fmt.Errorf("a socket for %s: %w", b.Addr, err)
		}
		if at != b.Addr {
			return nil, fmt.Errorf("a socket for %s is bound to %s", b.Addr, at)
		}
		if err := s.wake(); err != nil {
			return nil, err
		}
		l.udp = append(l.udp, s)
	}
	tcp, err := unix.FcntlInt(uintptr(sockets[b.UDP]), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(tcp), "tcp")
	defer file.Close()
	listener, err := net.FileListener(file) // has a descriptor of its own
	if err != nil {
		return nil, err
	}
	var ok bool
	if l.tcp, ok = listener.(*net.TCPListener); !ok {
		return nil, errors.Join(fmt.Errorf("the last socket for %s is not TCP's", b.Addr), listener.Close())
	}
	return l, unix.Close(sockets[b.UDP])
}

func closeAll(sockets []int) {
	for _, fd := range sockets {
		_ = unix.Close(fd)
	}
}

// Serving tells the other process that this one answers, so that it leaves, and
// returns its will, nil where it has none. When that has died meanwhile there is
// nothing to tell. Where another heir was faster, [OfferHandOver] finds the names
// in use.
func (in *Inheritance) Serving() []byte {
	defer in.conn.Close()
	_ = in.conn.SetDeadline(time.Now().Add(5 * time.Second))
	var w word
	if write(in.conn, word{Word: "serving"}, nil) != nil || read(in.conn, &w, nil) != nil || w.Will > mostWill {
		return nil
	}
	var will []byte
	part := make([]byte, maxWill)
	for range w.Will {
		n, err := in.conn.Read(part)
		if err != nil || n == 0 {
			return nil
		}
		will = append(will, part[:n]...)
	}
	return will
}

// Close gives back what was handed over and not served. The other process goes
// on as if nothing had been.
func (in *Inheritance) Close() {
	_ = in.conn.Close()
	for _, h := range in.Holds {
		_ = unix.Close(h.FD)
	}
	for _, l := range in.Listeners {
		_ = l.Close()
	}
}
