package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gslb/topology"
)

// maxFiles bounds how many files are looked at at the same time. One on a file
// system that hangs holds its place for as long as the kernel holds the call,
// which nothing can end.
const maxFiles = 32

var files = make(chan struct{}, maxFiles)

// look looks at a file of this machine.
func look(ctx context.Context, p Probe) error {
	path := strings.ReplaceAll(p.Check.File, "{address}", destination(p).String())
	select {
	case files <- struct{}{}:
	case <-ctx.Done():
		return told{fmt.Errorf("not looked at within %v: %d files of other checks hang", p.Check.Timeout, maxFiles)}
	}
	done := make(chan error, 1)
	go func() {
		done <- inspect(p.Check, path, time.Now())
		<-files
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return told{fmt.Errorf("the file system of %s does not answer within %v", path, p.Check.Timeout)}
	}
}

// inspect compares a file with what the check expects, at time now. What is not
// a regular file is not opened: a FIFO would wait for a writer, and opening a
// device may do something.
func inspect(c *topology.Check, path string, now time.Time) error {
	info, err := os.Stat(path)
	switch {
	case c.Absent && errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return bare(path, err)
	case c.Absent:
		return fmt.Errorf("there is %s", path)
	}
	if age := now.Sub(info.ModTime()); c.MaxAge > 0 && age > c.MaxAge {
		return fmt.Errorf("%s was written %v ago, more than %v", path, age.Round(time.Second), c.MaxAge)
	}
	if c.Text == "" && c.Pattern == "" {
		return nil
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file that can be read", path)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0) // should it have become a FIFO meanwhile
	if err != nil {
		return bare(path, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxBody))
	if err != nil {
		return bare(path, err)
	}
	return contents(c, text, path)
}

// bare is an error with the path once.
func bare(path string, err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return fmt.Errorf("%s: %w", path, number)
	}
	return err
}
