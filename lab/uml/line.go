package uml

import (
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// The guest's serial lines, in the order of the file descriptors that the kernel inherits from 3 on.
const (
	lineOut  = "/dev/ttyS0"
	lineErr  = "/dev/ttyS1"
	lineLink = "/dev/ttyS2"
)

// line is a serial line of the guest, made to carry bytes as they are. It is used with blocking calls: the driver's poll support is
// younger than the driver.
type line int

func openLine(name string) (line, error) {
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", name, err)
	}
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return 0, fmt.Errorf("read settings of %s: %w", name, err)
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB|unix.HUPCL) | unix.CS8 | unix.CLOCAL | unix.CREAD
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return 0, fmt.Errorf("make %s raw: %w", name, err)
	}
	return line(fd), nil
}

func (l line) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(l), p)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (l line) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := unix.Write(int(l), p[done:])
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// drain returns when the last byte has left the guest.
func (l line) drain() error {
	return unix.IoctlSetInt(int(l), unix.TCSBRK, 1)
}

// A serial line has no end of file and loses what is under way when it is hung up, so the link's bytes travel in frames: a length of
// two bytes, then as many bytes. A frame of length 0 is the end of that direction.

// ready is the first byte on the link, from the guest. Nothing may be sent to it earlier: the line would be in its cooked mode.
const ready = 'R'

// writeFrames copies until src ends and says so to the other side.
func writeFrames(dst io.Writer, src io.Reader) error {
	buf := make([]byte, 2+16*1024)
	for {
		n, err := src.Read(buf[2:])
		if n > 0 {
			binary.BigEndian.PutUint16(buf, uint16(n))
			if _, err := dst.Write(buf[:2+n]); err != nil {
				return err
			}
		}
		if err != nil {
			_, werr := dst.Write([]byte{0, 0})
			if err == io.EOF {
				err = nil
			}
			if err == nil {
				err = werr
			}
			return err
		}
	}
}

// readFrames copies until the other side has said that it has ended.
func readFrames(dst io.Writer, src io.Reader) error {
	buf := make([]byte, 1<<16)
	for {
		if _, err := io.ReadFull(src, buf[:2]); err != nil {
			return err
		}
		n := binary.BigEndian.Uint16(buf)
		if n == 0 {
			return nil
		}
		if _, err := io.ReadFull(src, buf[:n]); err != nil {
			return err
		}
		if _, err := dst.Write(buf[:n]); err != nil {
			return err
		}
	}
}
