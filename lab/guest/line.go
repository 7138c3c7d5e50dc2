package guest

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// A Line is a serial line of a guest, made to carry bytes as they are. It is used with blocking calls: the driver's poll support is
// younger than the driver.
type Line int

// OpenLine opens the line of a device and makes it raw.
func OpenLine(name string) (Line, error) {
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
	return Line(fd), nil
}

func (l Line) Read(p []byte) (int, error) {
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

func (l Line) Write(p []byte) (int, error) {
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

// Drain returns when the last byte has left the guest.
func (l Line) Drain() error {
	return unix.IoctlSetInt(int(l), unix.TCSBRK, 1)
}
