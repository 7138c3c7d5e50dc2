package local

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// WriteFile makes the file at path be data (mode 0600). After a crash, of the
// machine too, it is what it was before or data, never something between.
func WriteFile(path string, data []byte) error {
	if err := write(path, data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func write(path string, data []byte) error {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return reason(err)
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
		return reason(err)
	}
	// The name is the directory's content.
	d, err := os.Open(dir)
	if err != nil {
		return reason(err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReadFile returns the file at path, which may have max bytes at most.
func ReadFile(path string, max int) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, reason(err))
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, int64(max)+1))
	if err == nil && len(data) > max {
		err = fmt.Errorf("more than %d bytes", max)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, reason(err))
	}
	return data, nil
}

// reason is what the system says, without the path.
func reason(err error) error {
	var path *os.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// A Saver writes one file, the newest of what it is given, in a goroutine of
// its own: a disk that hangs holds up nobody.
type Saver struct {
	path string
	mu   sync.Mutex
	next *saving // not begun
	wake chan struct{}
	done chan struct{}
}

type saving struct {
	data func() []byte
	told []func(error)
}

// NewSaver returns a saver of the file at path.
func NewSaver(path string) *Saver {
	s := &Saver{path: path, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go s.run()
	return s
}

// Save has what data returns written, in place of what has been given before and
// not been begun. Data is called beside the caller, or not at all; told with the
// outcome of the write that has it or something newer.
func (s *Saver) Save(data func() []byte, told func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = &saving{}
	}
	s.next.data = data
	s.next.told = append(s.next.told, told)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Saver) run() {
	defer close(s.done)
	for range s.wake {
		s.mu.Lock()
		now := s.next
		s.next = nil
		s.mu.Unlock()
		if now == nil {
			continue
		}
		err := WriteFile(s.path, now.data())
		for _, told := range now.told {
			told(err)
		}
	}
}

// Close writes what is still to be written; nothing may be saved any more.
func (s *Saver) Close() {
	close(s.wake)
	<-s.done
}
