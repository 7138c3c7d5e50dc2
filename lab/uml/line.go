package uml

import (
	"encoding/binary"
	"io"
)

// The guest's serial lines, in the order of the file descriptors that the kernel inherits from 3 on.
const (
	lineOut  = "/dev/ttyS0"
	lineErr  = "/dev/ttyS1"
	lineLink = "/dev/ttyS2"
)

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
