package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// The wait for any one answer of the kernel. It answers in microseconds; a
// second of silence means that something is broken.
const answerTimeout = 3 * time.Second

// maxBatch bounds the bytes of one sendmsg, well below the default socket
// buffer. Each of the 500 or so messages in it may bring an error back, and the
// kernel counts 1 to 2 KB for each, so the receive buffer is larger.
const (
	maxBatch      = 64 << 10
	receiveBuffer = 4 << 20
)

// A conn is a generic netlink socket. It belongs to one goroutine.
type conn struct {
	fd     int
	seq    uint32
	buffer []byte
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
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("set up generic netlink: %w", err)
	}
	return &conn{fd: fd, buffer: make([]byte, 128<<10)}, nil
}

func (c *conn) close() error { return unix.Close(c.fd) }

// batch sends the messages and returns the kernel's verdict on each. Many
// travel in one sendmsg, with one acknowledgement for the lot: the kernel
// works through them in order and reports each failure by its number.
func (c *conn) batch(messages []message) ([]error, error) {
	verdicts := make([]error, len(messages))
	for start := 0; start < len(messages); {
		first := c.seq + 1
		var packet []byte
		end := start
		for end < len(messages) && (end == start || len(packet)+messages[end].size() <= maxBatch) {
			c.seq++
			m := messages[end]
			m.flags |= unix.NLM_F_REQUEST
			packet = m.append(packet, c.seq)
			end++
		}
		last := c.seq
		flagLast(packet)
		if err := c.send(packet); err != nil {
			return verdicts, err
		}
		for done := false; !done; {
			err := c.receive(func(h header, body []byte) {
				if h.seq < first || h.seq > last || h.kind != unix.NLMSG_ERROR {
					return
				}
				verdicts[start+int(h.seq-first)] = errno(body)
				done = done || h.seq == last
			})
			if err != nil {
				return verdicts, err
			}
		}
		start = end
	}
	return verdicts, nil
}

// flagLast asks for an acknowledgement of the last message of a packet.
func flagLast(packet []byte) {
	at := 0
	for next := 0; next < len(packet); {
		at = next
		next += align(int(binary.NativeEndian.Uint32(packet[at:])))
	}
	flags := binary.NativeEndian.Uint16(packet[at+6:])
	binary.NativeEndian.PutUint16(packet[at+6:], flags|unix.NLM_F_ACK)
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
	if err := c.send(m.append(nil, seq)); err != nil {
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

func (c *conn) send(packet []byte) error {
	for {
		err := unix.Sendto(c.fd, packet, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		if err != unix.EINTR {
			if err != nil {
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

func (m message) size() int { return unix.NLMSG_HDRLEN + unix.GENL_HDRLEN + align(len(m.payload)) }

func (m message) append(b []byte, seq uint32) []byte {
	size := unix.NLMSG_HDRLEN + unix.GENL_HDRLEN + len(m.payload)
	b = binary.NativeEndian.AppendUint32(b, uint32(size))
	b = binary.NativeEndian.AppendUint16(b, m.family)
	b = binary.NativeEndian.AppendUint16(b, m.flags)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = append(b, m.command, m.version, 0, 0)
	b = append(b, m.payload...)
	return append(b, make([]byte, align(size)-size)...)
}

// attrs is a list of netlink attributes under construction.
type attrs []byte

func (a *attrs) add(kind uint16, value []byte) {
	*a = binary.NativeEndian.AppendUint16(*a, uint16(4+len(value)))
	*a = binary.NativeEndian.AppendUint16(*a, kind)
	*a = append(*a, value...)
	*a = append(*a, make([]byte, align(len(value))-len(value))...)
}

func (a *attrs) nest(kind uint16, inner attrs) { a.add(kind|unix.NLA_F_NESTED, inner) }
func (a *attrs) u8(kind uint16, v uint8)       { a.add(kind, []byte{v}) }
func (a *attrs) text(kind uint16, v string)    { a.add(kind, append([]byte(v), 0)) }
func (a *attrs) u16(kind uint16, v uint16) {
	a.add(kind, binary.NativeEndian.AppendUint16(nil, v))
}
func (a *attrs) be16(kind uint16, v uint16) { a.add(kind, binary.BigEndian.AppendUint16(nil, v)) }
func (a *attrs) u32(kind uint16, v uint32) {
	a.add(kind, binary.NativeEndian.AppendUint32(nil, v))
}

// fields are the attributes of a message by kind. Reading one that is absent
// or short gives zero: the kernel leaves out what it does not know.
type fields map[uint16][]byte

func parse(data []byte) (fields, error) {
	f := fields{}
	for len(data) >= 4 {
		size := int(binary.NativeEndian.Uint16(data))
		kind := binary.NativeEndian.Uint16(data[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		if size < 4 || size > len(data) {
			return nil, fmt.Errorf("attribute %d of %d bytes in %d", kind, size, len(data))
		}
		f[kind] = data[4:size]
		data = data[min(align(size), len(data)):]
	}
	return f, nil
}

func (f fields) u8(kind uint16) uint8 {
	if v := f[kind]; len(v) >= 1 {
		return v[0]
	}
	return 0
}

func (f fields) u16(kind uint16) uint16 {
	if v := f[kind]; len(v) >= 2 {
		return binary.NativeEndian.Uint16(v)
	}
	return 0
}

func (f fields) be16(kind uint16) uint16 {
	if v := f[kind]; len(v) >= 2 {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (f fields) u32(kind uint16) uint32 {
	if v := f[kind]; len(v) >= 4 {
		return binary.NativeEndian.Uint32(v)
	}
	return 0
}

func (f fields) text(kind uint16) string {
	v := f[kind]
	for i, b := range v {
		if b == 0 {
			return string(v[:i])
		}
	}
	return string(v)
}
