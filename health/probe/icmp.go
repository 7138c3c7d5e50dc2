package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Message types of RFC 792 and RFC 4443.
const (
	echoRequest4, echoReply4 = 8, 0
	echoRequest6, echoReply6 = 128, 129
)

// echo sends one echo request and waits for its reply. The socket is the
// kernel's own for this, which needs no privilege where the sysctl
// net.ipv4.ping_group_range has the process's group, else a raw one.
func echo(ctx context.Context, p Probe) error {
	if p.Mark != 0 { // IPVS forwards no echo requests: this machine itself would answer
		return errors.New("a check of type icmp cannot be made through a VIP, only of an address itself")
	}
	dst := p.Target.Addr.Addr()
	socket, raw, err := pingSocket(dst)
	if err != nil {
		return err
	}
	defer socket.Close()
	if err := aim(socket, p.Source, dst); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = socket.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	request, token := echoMessage(dst.Is4())
	if _, err := socket.Write(request); err != nil {
		return cause(err)
	}
	want := byte(echoReply4)
	if dst.Is6() {
		want = echoReply6
	}
	buf := make([]byte, 1500)
	for {
		n, err := socket.Read(buf)
		if err != nil {
			return cause(err)
		}
		got := buf[:n]
		if raw && dst.Is4() && n > 0 { // with the IP header
			got = got[min(n, int(got[0]&15)*4):]
		}
		// A raw socket sees other messages too; only the reply has the token.
		if len(got) >= 8 && got[0] == want && bytes.Equal(got[8:], token) {
			return nil
		}
	}
}

// pingSocket opens a socket for echo requests to dst. It is not blocking, so
// that reading it can be given up.
func pingSocket(dst netip.Addr) (socket *os.File, raw bool, err error) {
	family, proto := unix.AF_INET, unix.IPPROTO_ICMP
	if dst.Is6() {
		family, proto = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	const flags = unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|flags, proto)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EPROTONOSUPPORT) {
		raw = true
		fd, err = unix.Socket(family, unix.SOCK_RAW|flags, proto)
	}
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return nil, false, errors.New("no permission to ping: the sysctl net.ipv4.ping_group_range must have the process's group, or the process CAP_NET_RAW")
	case err != nil:
		return nil, false, fmt.Errorf("open a socket to ping: %w", err)
	}
	return os.NewFile(uintptr(fd), "ping"), raw, nil
}

// aim binds a socket to src, unless that is the zero Addr, and connects it to dst.
func aim(socket *os.File, src, dst netip.Addr) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		if src.IsValid() {
			if failed = unix.Bind(int(fd), sockaddr(src)); failed != nil {
				return
			}
		}
		failed = unix.Connect(int(fd), sockaddr(dst))
	})
	return errors.Join(err, failed)
}

func sockaddr(a netip.Addr) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4()}
	}
	return &unix.SockaddrInet6{Addr: a.As16()}
}

// echoMessage is an echo request with a token that nobody can guess.
func echoMessage(v4 bool) (message, token []byte) {
	token = make([]byte, 16)
	_, _ = rand.Read(token) // never fails
	message = append([]byte{echoRequest6, 0, 0, 0, token[0], token[1], 0, 1}, token...)
	if v4 { // the kernel works out that of ICMPv6 (RFC 3542 section 3.1)
		message[0] = echoRequest4
		binary.BigEndian.PutUint16(message[2:], checksum(message))
	}
	return message, token
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	sum = sum>>16 + sum&0xffff
	return ^uint16(sum + sum>>16)
}
