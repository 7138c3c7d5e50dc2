package afxdp

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A ring passes entries between the kernel and this process, one of which puts
// them in and the other takes them out (Documentation/networking/af_xdp.rst).
// The numbers of both run on for ever; an entry's place is its number modulo the
// length, a power of two. One goroutine uses a ring.
type ring[T any] struct {
	producer, consumer *atomic.Uint32 // shared
	flags              *atomic.Uint32
	entries            []T
	mine               uint32 // our number, ahead of the shared one until it is told
	theirs             uint32 // the kernel's, as it was when last looked at
	mem                []byte
}

// mapRing maps a ring of length entries at a page offset of the socket.
func mapRing[T any](fd int, offset int64, at unix.XDPRingOffset, length int) (*ring[T], error) {
	var entry T
	mem, err := unix.Mmap(fd, offset, int(at.Desc)+length*int(unsafe.Sizeof(entry)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, err
	}
	word := func(at uint64) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(&mem[at])) }
	return &ring[T]{
		producer: word(at.Producer), consumer: word(at.Consumer), flags: word(at.Flags),
		entries: unsafe.Slice((*T)(unsafe.Pointer(&mem[at.Desc])), length), mem: mem,
	}, nil
}

func (r *ring[T]) unmap() {
	if r != nil {
		_ = unix.Munmap(r.mem)
	}
}

// at is the entry of a number.
func (r *ring[T]) at(n uint32) *T { return &r.entries[n&uint32(len(r.entries)-1)] }

// put puts an entry in, which the kernel sees after tell. There must be room:
// no ring here is shorter than there are frames.
func (r *ring[T]) put(entry T) {
	*r.at(r.mine) = entry
	r.mine++
}

// tell has the kernel see what was put in.
func (r *ring[T]) tell() { r.producer.Store(r.mine) }

// ready is how many entries the kernel has put in, up to most.
func (r *ring[T]) ready(most int) int {
	n := r.theirs - r.mine
	if n == 0 {
		r.theirs = r.producer.Load()
		n = r.theirs - r.mine
	}
	return min(int(n), most)
}

// take takes an entry out, one that is ready. Its place is the kernel's after
// release.
func (r *ring[T]) take() T {
	entry := *r.at(r.mine)
	r.mine++
	return entry
}

// release gives the places of what was taken back.
func (r *ring[T]) release() { r.consumer.Store(r.mine) }

// left is how many entries that were put in the kernel has not taken out.
func (r *ring[T]) left() int { return int(r.mine - r.consumer.Load()) }

// wanting reports whether the kernel wants a call before it goes on.
func (r *ring[T]) wanting() bool { return r.flags.Load()&unix.XDP_RING_NEED_WAKEUP != 0 }
