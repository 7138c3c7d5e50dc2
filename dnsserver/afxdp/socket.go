package afxdp

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// frameLen is how much memory a packet has; the kernel leaves
	// XDP_PACKET_HEADROOM before it.
	frameLen = 2048

	// frames is how many packets a queue holds, those that wait to be answered and
	// those that leave: 8 MiB, as a socket's buffer. It is a power of two, and the
	// length of the rings, so that none can be full.
	frames = 4096
)

// A socket is one of AF_XDP, bound to a queue of an interface. Its frames are
// with the kernel, to be filled or to be sent, but for those in hand.
type socket struct {
	fd   int
	umem []byte
	rx   *ring[unix.XDPDesc]
	tx   *ring[unix.XDPDesc]
	fill *ring[uint64]
	done *ring[uint64] // sent

	sending int // frames with the kernel to be sent
}

// bound is a socket of a queue.
func bound(ifindex, queue int) (*socket, error) {
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket of AF_XDP: %w", err)
	}
	s := &socket{fd: fd}
	if err := s.bind(ifindex, queue); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// bind gives the socket its memory and its rings, and binds it.
func (s *socket) bind(ifindex, queue int) (err error) {
	if s.umem, err = unix.Mmap(-1, 0, frames*frameLen, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE); err != nil {
		return fmt.Errorf("memory for packets: %w", err)
	}
	reg := unix.XDPUmemReg{Addr: uint64(uintptr(unsafe.Pointer(&s.umem[0]))), Len: uint64(len(s.umem)), Size: frameLen}
	if err := s.set(unix.XDP_UMEM_REG, unsafe.Pointer(&reg), unsafe.Sizeof(reg)); err != nil {
		return fmt.Errorf("lend memory for packets: %w", err)
	}
	for _, option := range []int{unix.XDP_UMEM_FILL_RING, unix.XDP_UMEM_COMPLETION_RING, unix.XDP_RX_RING, unix.XDP_TX_RING} {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_XDP, option, frames); err != nil {
			return fmt.Errorf("make a ring: %w", err)
		}
	}
	var at unix.XDPMmapOffsets
	size := uint32(unsafe.Sizeof(at))
	if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_XDP, unix.XDP_MMAP_OFFSETS, uintptr(unsafe.Pointer(&at)), uintptr(unsafe.Pointer(&size)), 0); errno != 0 {
		return fmt.Errorf("find the rings: %w", errno)
	}
	if uintptr(size) != unsafe.Sizeof(at) {
		return errors.New("a kernel before 5.4: its rings are laid out otherwise")
	}
	var failed [4]error
	s.fill, failed[0] = mapRing[uint64](s.fd, unix.XDP_UMEM_PGOFF_FILL_RING, at.Fr, frames)
	s.done, failed[1] = mapRing[uint64](s.fd, unix.XDP_UMEM_PGOFF_COMPLETION_RING, at.Cr, frames)
	s.rx, failed[2] = mapRing[unix.XDPDesc](s.fd, unix.XDP_PGOFF_RX_RING, at.Rx, frames)
	s.tx, failed[3] = mapRing[unix.XDPDesc](s.fd, unix.XDP_PGOFF_TX_RING, at.Tx, frames)
	if err := errors.Join(failed[:]...); err != nil {
		return fmt.Errorf("map the rings: %w", err)
	}
	for i := range uint64(frames) {
		s.fill.put(i * frameLen)
	}
	s.fill.tell()
	// Without XDP_COPY and XDP_ZEROCOPY the kernel takes the better one that the driver has.
	if err := unix.Bind(s.fd, &unix.SockaddrXDP{Flags: unix.XDP_USE_NEED_WAKEUP, Ifindex: uint32(ifindex), QueueID: uint32(queue)}); err != nil {
		return fmt.Errorf("bind to queue %d: %w", queue, err)
	}
	return nil
}

func (s *socket) set(option int, value unsafe.Pointer, size uintptr) error {
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(s.fd), unix.SOL_XDP, uintptr(option), uintptr(value), size, 0)
	runtime.KeepAlive(value)
	if errno != 0 {
		return errno
	}
	return nil
}

// zeroCopy reports whether the card writes into the frames itself.
func (s *socket) zeroCopy() bool {
	flags, err := unix.GetsockoptInt(s.fd, unix.SOL_XDP, unix.XDP_OPTIONS)
	return err == nil && flags&unix.XDP_OPTIONS_ZEROCOPY != 0
}

func (s *socket) close() {
	_ = unix.Close(s.fd)
	s.fill.unmap()
	s.done.unmap()
	s.rx.unmap()
	s.tx.unmap()
	if s.umem != nil {
		_ = unix.Munmap(s.umem)
	}
}

// frame is the packet of a descriptor, with the room behind it.
func (s *socket) frame(d unix.XDPDesc) []byte {
	end := (d.Addr/frameLen + 1) * frameLen
	return s.umem[d.Addr : d.Addr+uint64(d.Len) : end]
}

// recycle gives the frames of what was sent back to be filled.
func (s *socket) recycle() {
	n := s.done.ready(frames)
	if n == 0 {
		return
	}
	for range n {
		s.fill.put(s.done.take())
	}
	s.sending -= n
	s.done.release()
	s.fill.tell()
}

// send puts a frame in to be sent.
func (s *socket) send(d unix.XDPDesc) {
	s.tx.put(d)
	s.sending++
}

// push has the kernel send what is in the ring and fill frames, where it wants
// a call for that. A call sends 32 packets where the driver copies, so there
// may be some; what the device does not take now is tried again after the next
// wait. None of the calls can wait, so the scheduler need not know of them.
func (s *socket) push() {
	if s.fill.wanting() {
		_, _, _ = unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(s.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	}
	for left := s.tx.left(); left > 0 && s.tx.wanting(); {
		_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
		now := s.tx.left()
		if errno != 0 && errno != unix.EAGAIN || now == left {
			return
		}
		left = now
	}
}

// failed is what has happened to the interface, such as its end, told once.
func (s *socket) failed() error {
	errno, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && errno != 0 {
		err = syscall.Errno(errno)
	}
	return err
}

// wait waits for a packet, milliseconds at most.
func (s *socket) wait(most int) syscall.Errno {
	fd := unix.PollFd{Fd: int32(s.fd), Events: unix.POLLIN}
	until := unix.NsecToTimespec(int64(most) * int64(time.Millisecond))
	// Not every architecture has poll.
	_, _, errno := unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fd)), 1, uintptr(unsafe.Pointer(&until)), 0, 0, 0)
	return errno
}
