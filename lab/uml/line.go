package uml

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// The guest's serial lines, in the order of the file descriptors that the kernel inherits from 3 on.
const (
	lineOut  = "/dev/ttyS0"
	lineErr  = "/dev/ttyS1"
	lineLink = "/dev/ttyS2"
)

// A serial line has no end of file and loses what is under way when it is hung up, so the link's bytes travel in frames: a length of
// two bytes, then as many bytes. A frame of length 0 is the end of that direction. The length taken stands alone and says that the
// other side's last frame has been taken; only then the next is sent. So what is under way to the guest always fits into its
// terminal's buffer (4,096 bytes): user-mode Linux misses now and then that it should go on reading a line whose buffer was full.
const (
	taken      = 1 << 15
	toGuestMax = 2 * 1024
	toHostMax  = 16 * 1024
)

// ready is the first byte on the link, from the guest. Nothing may be sent to it earlier: the line would be in its cooked mode.
const ready = 'R'

// A side is one end of the link. What it sends needs its receive to run beside it.
type side struct {
	in  io.Reader
	out io.Writer
	max int // bytes of a frame it sends

	writing sync.Mutex    // out: no frame cuts another
	taken   chan struct{} // the other side has taken a frame; closed when the line has ended
}

func newSide(in io.Reader, out io.Writer, max int) *side {
	return &side{in: in, out: out, max: max, taken: make(chan struct{}, 1)}
}

// send copies until src ends, and says so to the other side.
func (s *side) send(src io.Reader) error {
	buf := make([]byte, 2+s.max)
	for {
		n, err := src.Read(buf[2:])
		if n > 0 {
			if err := s.write(n, buf[:2+n]); err != nil {
				return err
			}
			if _, ok := <-s.taken; !ok {
				return io.ErrClosedPipe
			}
		}
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return errors.Join(err, s.write(0, buf[:2]))
		}
	}
}

// write fills in the frame's length and sends it.
func (s *side) write(length int, frame []byte) error {
	binary.BigEndian.PutUint16(frame, uint16(length))
	s.writing.Lock()
	defer s.writing.Unlock()
	_, err := s.out.Write(frame)
	return err
}

// receive copies until the line ends, and calls ended where the other side says that it has nothing more to send. What dst no longer
// takes is dropped: the other side is not to be held up by that.
func (s *side) receive(dst io.Writer, ended func()) error {
	// The line is read on while dst takes its time: dst may wait for what the other side says next.
	frames := make(chan []byte, 1)
	var delivered sync.WaitGroup
	delivered.Go(func() { s.deliver(dst, frames, ended) })
	defer delivered.Wait()
	defer close(frames)
	defer close(s.taken)
	head := make([]byte, 2)
	for {
		if _, err := io.ReadFull(s.in, head); err != nil {
			return err
		}
		length := int(binary.BigEndian.Uint16(head))
		if length == taken {
			select {
			case s.taken <- struct{}{}:
				continue
			default:
				return errors.New("the link's other side has taken a frame that it was not sent")
			}
		}
		if length > toHostMax {
			return fmt.Errorf("the link's other side sends a frame of %d bytes, more than %d", length, toHostMax)
		}
		frame := make([]byte, length)
		if _, err := io.ReadFull(s.in, frame); err != nil {
			return err
		}
		select {
		case frames <- frame:
		default:
			return errors.New("the link's other side sends a frame before the last one has been taken")
		}
	}
}

// deliver writes frames to dst and says that they have been taken.
func (s *side) deliver(dst io.Writer, frames <-chan []byte, ended func()) {
	for frame := range frames {
		if len(frame) == 0 {
			ended()
			continue
		}
		if _, err := dst.Write(frame); err != nil {
			dst = io.Discard
		}
		if err := s.write(taken, make([]byte, 2)); err != nil {
			return
		}
	}
}
