package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The wait for any one answer of the kernel. It answers in microseconds; a
// second of silence means that something is broken.
const answerTimeout = 3 * time.Second

const (
	// maxPacket bounds the bytes of what the kernel takes as one packet: for more
	// than a page it would map memory, which costs more than the rest of the way there
	// (netlink_alloc_large_skb in net/netlink/af_netlink.c).
	maxPacket = 3600
	// Each request of a batch may bring an error back, and the kernel counts at most
	// perAnswer bytes for each. What the receive buffer has room for goes at once.
	receiveBuffer = 4 << 20
	perAnswer     = 2 << 10
	usualRequest  = 128 // bytes
)

// A conn is a generic netlink socket. It belongs to one goroutine.
type conn struct {
	fd     int
	seq    uint32
	most   int    // requests of a batch
	buffer []byte // of what is read
	out    outbox
	failed bool // something may be left of what was asked for: connect anew
}

// A message is one generic netlink request.
type message struct {
	family  uint16
	flags   uint16
	command uint8
	version uint8
	payload []byte
}

func dial() (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return nil, fmt.Errorf("open generic netlink: %w", err)
	}
	timeout := unix.NsecToTimeval(answerTimeout.Nanoseconds())
	err = errors.Join(
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout),
		// Errors without a copy of the request, so that many fit the receive buffer.
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1),
	)
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer))
	}
	room, bad := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err = errors.Join(err, bad); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("set up generic netlink: %w", err)
	}
	return &conn{fd: fd, most: max(room/perAnswer, 1), buffer: make([]byte, 128<<10)}, nil
}

func (c *conn) close() error { return unix.Close(c.fd) }

// batch sends n requests, each with the command and the payload that add
// appends to a packet, and calls refused with the kernel's reason for each that
// it does not do. Thousands travel in one call, with one acknowledgement for the
// lot: the kernel works through them in order and reports each failure by its
// number. After an error it is not known which of them were done.
func (c *conn) batch(family uint16, n int, add func(packet []byte, i int) ([]byte, uint8), refused func(i int, err error)) error {
	for start := 0; start < n; {
		first, end := c.seq+1, min(start+c.most, n)
		c.out.reset(end - start)
		for i := start; i < end; i++ {
			c.seq++
			from := len(c.out.bytes)
			packet, command := add(append(c.out.bytes, make([]byte, headers)...), i)
			flags := uint16(unix.NLM_F_REQUEST)
			if i == end-1 {
				flags |= unix.NLM_F_ACK
			}
			putHeaders(packet[from:], family, flags, c.seq, command, 1)
			c.out.add(packet)
		}
		if err := c.sendAll(); err != nil {
			return err
		}
		for done := false; !done; {
			err := c.receive(func(h header, body []byte) {
				if h.seq < first || h.seq > c.seq || h.kind != unix.NLMSG_ERROR {
					return
				}
				if err := errno(body); err != nil {
					refused(start+int(h.seq-first), err)
				}
				done = done || h.seq == c.seq
			})
			if err != nil {
				return err
			}
		}
		start = end
	}
	return nil
}

// errTorn says that the table changed while it was read.
var errTorn = errors.New("the kernel's table changed while it was read")

// dump sends one request and calls f with the payload of each answer.
func (c *conn) dump(m message, f func(payload []byte) error) error {
	c.seq++
	seq := c.seq
	m.flags |= unix.NLM_F_REQUEST
	if m.flags&unix.NLM_F_DUMP == 0 {
		m.flags |= unix.NLM_F_ACK
	}
	if err := c.send(m.packet(seq)); err != nil {
		return err
	}
	var failed error
	for done := false; !done; {
		err := c.receive(func(h header, body []byte) {
			if h.seq != seq {
				return
			}
			if h.flags&unix.NLM_F_DUMP_INTR != 0 {
				failed = errors.Join(failed, errTorn)
			}
			switch h.kind {
			case unix.NLMSG_ERROR, unix.NLMSG_DONE:
				failed = errors.Join(failed, errno(body))
				done = true
			default:
				if len(body) >= unix.GENL_HDRLEN && failed == nil {
					failed = f(body[unix.GENL_HDRLEN:])
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return failed
}

// An outbox is what a batch sends.
type outbox struct {
	bytes []byte
	cuts  []int // where packets end, but for the last
	heads []mmsghdr
	parts []unix.Iovec
}

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	unix.Msghdr
	sent uint32
}

// toKernel is where all goes.
var toKernel = unix.RawSockaddrNetlink{Family: unix.AF_NETLINK}

// reset empties the outbox and makes room for n requests of a usual size.
func (o *outbox) reset(n int) {
	o.bytes, o.cuts = slices.Grow(o.bytes[:0], n*usualRequest), o.cuts[:0]
}

// add takes the bytes with one more message at their end, which begins another
// packet when this one has no room for it.
func (o *outbox) add(longer []byte) {
	begin := 0
	if n := len(o.cuts); n > 0 {
		begin = o.cuts[n-1]
	}
	if from := len(o.bytes); from > begin && len(longer)-begin > maxPacket {
		o.cuts = append(o.cuts, from)
	}
	o.bytes = longer
}

// packets are what sendmmsg sends; they lie in the outbox.
func (o *outbox) packets() []mmsghdr {
	o.heads, o.parts = o.heads[:0], slices.Grow(o.parts[:0], len(o.cuts)+1)
	begin := 0
	for i := range len(o.cuts) + 1 {
		end := len(o.bytes)
		if i < len(o.cuts) {
			end = o.cuts[i]
		}
		o.parts = append(o.parts, unix.Iovec{Base: &o.bytes[begin]})
		o.parts[i].SetLen(end - begin)
		var m mmsghdr
		m.Name, m.Namelen = (*byte)(unsafe.Pointer(&toKernel)), unix.SizeofSockaddrNetlink
		m.Iov = &o.parts[i]
		m.SetIovlen(1)
		o.heads = append(o.heads, m)
		begin = end
	}
	return o.heads
}

// sendAll sends what is in the outbox.
func (c *conn) sendAll() error {
	for left := c.out.packets(); len(left) > 0; {
		n, _, err := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&left[0])), uintptr(len(left)), 0, 0, 0)
		if err != 0 && err != unix.EINTR {
			c.failed = true
			return fmt.Errorf("send to the kernel: %w", err)
		}
		if err == 0 {
			left = left[n:]
		}
	}
	return nil
}

func (c *conn) send(packet []byte) error {
	for {
		err := unix.Sendto(c.fd, packet, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		if err != unix.EINTR {
			if err != nil {
				c.failed = true
				return fmt.Errorf("send to the kernel: %w", err)
			}
			return nil
		}
	}
}

type header struct {
	kind, flags uint16
	seq         uint32
}

// receive reads one datagram and calls f with each message in it.
func (c *conn) receive(f func(h header, body []byte)) error {
	err := c.receiveOne(f)
	c.failed = c.failed || err != nil
	return err
}

func (c *conn) receiveOne(f func(h header, body []byte)) error {
	n, _, err := unix.Recvfrom(c.fd, c.buffer, unix.MSG_TRUNC)
	switch {
	case err == unix.EINTR:
		return nil
	case err == unix.EAGAIN:
		return fmt.Errorf("the kernel did not answer within %v", answerTimeout)
	case err != nil:
		return fmt.Errorf("read from the kernel: %w", err)
	case n > len(c.buffer):
		return fmt.Errorf("read from the kernel: answer of %d bytes, room for %d", n, len(c.buffer))
	}
	for data := c.buffer[:n]; len(data) >= unix.NLMSG_HDRLEN; {
		size := int(binary.NativeEndian.Uint32(data))
		if size < unix.NLMSG_HDRLEN || size > len(data) {
			return fmt.Errorf("read from the kernel: message of %d bytes in %d", size, len(data))
		}
		h := header{
			kind:  binary.NativeEndian.Uint16(data[4:]),
			flags: binary.NativeEndian.Uint16(data[6:]),
			seq:   binary.NativeEndian.Uint32(data[8:]),
		}
		f(h, data[unix.NLMSG_HDRLEN:size])
		data = data[min(align(size), len(data)):]
	}
	return nil
}

// errno of an NLMSG_ERROR or NLMSG_DONE body; nil for 0.
func errno(body []byte) error {
	if len(body) < 4 {
		return nil
	}
	if e := int32(binary.NativeEndian.Uint32(body)); e < 0 {
		return unix.Errno(-e)
	}
	return nil
}

func align(n int) int { return (n + 3) &^ 3 }

// headers are the bytes before the payload of a generic netlink message.
const headers = unix.NLMSG_HDRLEN + unix.GENL_HDRLEN

// putHeaders fills in the headers of a message.
func putHeaders(m []byte, family, flags uint16, seq uint32, command, version uint8) {
	binary.NativeEndian.PutUint32(m, uint32(len(m)))
	binary.NativeEndian.PutUint16(m[4:], family)
	binary.NativeEndian.PutUint16(m[6:], flags)
	binary.NativeEndian.PutUint32(m[8:], seq)
	m[16], m[17] = command, version
}

func (m message) packet(seq uint32) []byte {
	b := append(make([]byte, headers, headers+len(m.payload)), m.payload...)
	putHeaders(b, m.family, m.flags, seq, m.command, m.version)
	return b
}
