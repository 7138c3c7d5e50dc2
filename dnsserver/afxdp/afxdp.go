// Package afxdp moves packets between a network interface and who answers
// them past the kernel's network stack, by sockets of AF_XDP
// (Documentation/networking/af_xdp.rst). A program in the kernel (XDP) chooses
// the packets; all others go where they always go.
//
// What the stack does for packets is not done here: the host's firewall does not
// see them, what comes from an address that would not be answered that way
// (rp_filter) is answered, a reply leaves by the interface and to the station
// that the query came from, and checksums of queries are not verified, which
// is the card's work.
package afxdp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// A Responder returns the reply to packet, which came from from at time now, or
// nil where silence is the answer. It writes it into buf, or over packet and the
// memory behind it up to its capacity. It is called by one goroutine and
// keeps none of its arguments.
type Responder func(buf, packet []byte, from netip.AddrPort, now time.Time) []byte

const (
	// atOnce is how many packets are answered before their replies leave.
	atOnce = 64

	// look is how often an idle queue sees whether it should stop, in milliseconds.
	look = 100

	// replyRoom holds the longest reply; a frame has more behind a query's headers.
	replyRoom = 1344

	// maxQueues bounds the memory of an interface: 8 MiB for each.
	maxQueues = 256
)

// An Interface is a network interface whose packets to some addresses come here.
type Interface struct {
	Name     string
	Native   bool // the program runs in the driver, not above it
	ZeroCopy bool // the card writes into this process's memory
	index    int
	queues   []*Queue
	sockets  *ebpf.Map
	link     link.Link
	left     atomic.Bool
}

// A Queue is one of the interface's for packets that come in; its card gives each
// the packets of some senders.
type Queue struct {
	*socket
	left *atomic.Bool // nothing new comes
}

// A Hold keeps a program at its interface while one process hands over to
// another. Taking it away and putting it back would have many drivers start their
// rings anew, and lose what is in them.
type Hold struct {
	Interface string `json:"interface"`
	Index     int    `json:"index"` // of the interface, whatever its name is by now
	Native    bool   `json:"native"`
	FD        int    `json:"-"` // of the kernel's link, bpf(2)
}

// ErrBusy is returned where another program of XDP, or another socket, has the interface.
var ErrBusy = errors.New("another program has the interface")

// ErrGone is returned where the interface is not there, or not any more.
var ErrGone = errors.New("there is no such interface")

// Open has packets of UDP to addrs that come in by an interface come to its
// queues from now on. It takes Linux 5.11, CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF,
// and 8 MiB of memory that may be locked for each queue. The addresses must be
// single ones: what is sent to another host through this one is not for us.
func Open(name string, addrs []netip.AddrPort) (*Interface, error) {
	return open(name, addrs, func(iface *Interface, prog *ebpf.Program, index int) (err error) {
		iface.link, err = link.AttachXDP(link.XDPOptions{Program: prog, Interface: index, Flags: link.XDPDriverMode})
		iface.Native = err == nil
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ERANGE) { // the driver cannot, or not with this MTU
			iface.link, err = link.AttachXDP(link.XDPOptions{Program: prog, Interface: index, Flags: link.XDPGenericMode})
		}
		if err != nil {
			return fmt.Errorf("attach the program: %w", err)
		}
		return nil
	})
}

// Inherit is Open for an interface that another process has; ErrBusy is
// returned until that has left it, ErrGone when its program has gone with what was
// the interface. The hold is the interface's then, after an error the caller's.
func Inherit(h Hold, addrs []netip.AddrPort) (*Interface, error) {
	return open(h.Interface, addrs, func(iface *Interface, prog *ebpf.Program, index int) error {
		if index != h.Index {
			return fmt.Errorf("another interface has its name: %w", unix.ENOLINK)
		}
		held, err := unix.FcntlInt(uintptr(h.FD), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return err
		}
		iface.Native = h.Native
		if iface.link, err = link.NewFromFD(held); err == nil {
			err = iface.link.Update(prog)
		}
		if err != nil {
			return fmt.Errorf("change the program: %w", err)
		}
		return unix.Close(h.FD)
	})
}

// open opens an interface and has attach send packets to its sockets.
func open(name string, addrs []netip.AddrPort, attach func(*Interface, *ebpf.Program, int) error) (*Interface, error) {
	for _, a := range addrs {
		if !a.IsValid() || a.Addr().IsUnspecified() {
			return nil, fmt.Errorf("%s: not an address of one host", a)
		}
	}
	device, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, ErrGone)
	}
	if device.Flags&net.FlagLoopback != 0 || len(device.HardwareAddr) != 6 {
		return nil, fmt.Errorf("interface %s: packets on it are not Ethernet's, from other hosts", name)
	}
	iface := &Interface{Name: name, ZeroCopy: true, index: device.Index}
	prog, err := iface.prepare(device, addrs)
	if err == nil {
		err = attach(iface, prog, device.Index)
		_ = prog.Close() // the link has it
	}
	if err != nil {
		_ = iface.Close()
		switch {
		case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EEXIST): // by a program in the driver, or above it
			err = fmt.Errorf("%w: %w", ErrBusy, err)
		case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENETDOWN), errors.Is(err, unix.ENOLINK):
			err = fmt.Errorf("%w: %w", ErrGone, err)
		}
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	return iface, nil
}

// prepare binds a socket to each of the interface's queues and returns a program
// that gives them packets.
func (iface *Interface) prepare(device *net.Interface, addrs []netip.AddrPort) (*ebpf.Program, error) {
	queues, err := queuesOf(device.Name)
	if err != nil {
		return nil, err
	}
	for i := range queues {
		s, err := bound(device.Index, i)
		if err != nil {
			return nil, err
		}
		iface.queues = append(iface.queues, &Queue{s, &iface.left})
		iface.ZeroCopy = iface.ZeroCopy && s.zeroCopy()
	}
	prog, sockets, err := load([6]byte(device.HardwareAddr), addrs, queues)
	if err != nil {
		return nil, err
	}
	iface.sockets = sockets
	for i, q := range iface.queues {
		if err := sockets.Put(uint32(i), uint32(q.fd)); err != nil {
			_ = prog.Close()
			return nil, fmt.Errorf("queue %d: %w", i, err)
		}
	}
	return prog, nil
}

// Queues are to be served, each by a goroutine of its own.
func (iface *Interface) Queues() []*Queue { return iface.queues }

// Hold is for the process that takes over, which closes it or inherits by it.
func (iface *Interface) Hold() (Hold, error) {
	fd, err := unix.FcntlInt(uintptr(iface.link.(interface{ FD() int }).FD()), unix.F_DUPFD_CLOEXEC, 0)
	return Hold{iface.Name, iface.index, iface.Native, fd}, err
}

// Leave has packets go to the kernel's stack from now on. Queues that are served
// end when they are empty.
func (iface *Interface) Leave() {
	for i := range iface.queues {
		_ = iface.sockets.Delete(uint32(i)) // it is there
	}
	iface.left.Store(true)
}

// Close gives all back; the program goes, unless another process holds it. No
// queue may be served any more.
func (iface *Interface) Close() error {
	var err error
	if iface.link != nil {
		err = iface.link.Close()
	}
	for _, q := range iface.queues {
		q.close()
	}
	if iface.sockets != nil {
		err = errors.Join(err, iface.sockets.Close())
	}
	iface.queues, iface.link, iface.sockets = nil, nil, nil
	return err
}

// queuesOf is how many queues for packets that come in an interface has in use.
func queuesOf(name string) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	// struct ethtool_channels of linux/ethtool.h.
	const getChannels = 0x3c
	var channels struct{ cmd, maxRx, maxTx, maxOther, maxCombined, rx, tx, other, combined uint32 }
	channels.cmd = getChannels
	var request struct { // struct ifreq of linux/if.h
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	request.data = unsafe.Pointer(&channels)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	n, out := int(channels.rx+channels.combined), int(channels.tx+channels.combined)
	switch {
	case errno == unix.EOPNOTSUPP:
		return 1, nil // a driver that does not tell has one
	case errno != 0:
		return 0, fmt.Errorf("ask for its queues: %w", errno)
	case n < 1 || n > maxQueues:
		return 0, fmt.Errorf("it has %d queues for packets that come in, want 1 to %d", n, maxQueues)
	case out < n: // a socket sends by the queue that it receives from
		return 0, fmt.Errorf("it has %d queues for packets that come in and %d for those that leave, want as many (ethtool -L)", n, out)
	default:
		return n, nil
	}
}

// farewell bounds the time for what is under way when an interface is left.
const farewell = time.Second

// Serve answers what comes until the interface is left and everything that had
// come is answered and sent, or until the interface is no more, which is ErrGone.
func (q *Queue) Serve(respond Responder) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var reply [replyRoom]byte
	var since time.Time // it is left
	for looked := false; ; {
		q.recycle()
		n := q.rx.ready(atOnce)
		left := q.left.Load()
		if left && since.IsZero() {
			since = time.Now()
		}
		if left && (n == 0 && looked && q.sending == 0 || time.Since(since) > farewell) {
			return nil
		}
		if n == 0 {
			q.push()
			if err := q.failed(); err != nil {
				return fmt.Errorf("%w: %w", ErrGone, err)
			}
			most := look
			if looked = left; !left && q.tx.left() > 0 {
				most = 1 // to try again to send
			}
			// What was about to be handed over when it was left is there after one
			// more look.
			if errno := q.wait(most); errno != 0 && errno != unix.EINTR {
				time.Sleep(time.Millisecond) // the kernel is out of something; do not spin
			}
			continue
		}
		looked = false
		now := time.Now()
		for range n {
			d := q.rx.take()
			if d.Len = uint32(q.answer(q.frame(d), reply[:0], respond, now)); d.Len > 0 {
				q.send(d)
			} else {
				q.fill.put(d.Addr)
			}
		}
		q.rx.release()
		q.fill.tell()
		q.tx.tell()
		q.push()
	}
}

// answer turns a frame into the one with the reply and returns its length, 0 for none.
func (q *Queue) answer(f, buf []byte, respond Responder, now time.Time) int {
	p, ok := parse(f)
	if !ok {
		return 0
	}
	reply := respond(buf, f[p.data:p.end:cap(f)], p.from, now)
	f = f[:cap(f)]
	if len(reply) == 0 || len(reply) > len(f)-p.data {
		return 0
	}
	if &reply[0] != &f[p.data] {
		copy(f[p.data:], reply)
	}
	return turn(f, &p, len(reply))
}
