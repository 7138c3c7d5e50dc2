package uml

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
)

// A testLine counts what is under way on it. Like the guest's it takes some bytes that nobody reads yet.
type testLine struct {
	r, w                *os.File
	written, read, most atomic.Int64
}

func newTestLine(t *testing.T) *testLine {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return &testLine{r: r, w: w}
}

func (l *testLine) Write(p []byte) (int, error) {
	under := l.written.Add(int64(len(p))) - l.read.Load()
	for most := l.most.Load(); under > most && !l.most.CompareAndSwap(most, under); most = l.most.Load() {
	}
	return l.w.Write(p)
}

func (l *testLine) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.read.Add(int64(n))
	return n, err
}

// linked runs the two sides until both have sent all, and gives how each has sent.
func linked(t *testing.T, toGuest *testLine, fromHost, fromGuest io.Reader, host, guest io.Writer) (hostSent, guestSent error) {
	t.Helper()
	toHost := newTestLine(t)
	h, g := newSide(toHost, toGuest, toGuestMax), newSide(toGuest, toHost, toHostMax)
	ends := make(chan struct{}, 2)
	received := make(chan error, 2)
	go func() { received <- h.receive(host, func() { ends <- struct{}{} }) }()
	go func() {
		received <- g.receive(guest, func() {
			if c, ok := guest.(io.Closer); ok {
				c.Close()
			}
			ends <- struct{}{}
		})
	}()
	sent := make(chan error)
	go func() { sent <- h.send(fromHost) }()
	guestSent = g.send(fromGuest)
	hostSent = <-sent
	<-ends
	<-ends
	toGuest.w.Close()
	toHost.w.Close()
	for range 2 {
		if err := <-received; err != io.EOF {
			t.Error(err)
		}
	}
	return hostSent, guestSent
}

func TestTheLinkCarriesBothWays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	one, other := make([]byte, 300_000), make([]byte, 500_000)
	for _, b := range [][]byte{one, other} {
		for i := range b {
			b[i] = byte(random.Uint32())
		}
	}
	var host, guest bytes.Buffer
	line := newTestLine(t)
	sent, back := linked(t, line, bytes.NewReader(one), iotest.HalfReader(bytes.NewReader(other)), &host, &guest)
	if sent != nil || back != nil {
		t.Error(sent, back)
	}
	if !bytes.Equal(guest.Bytes(), one) || !bytes.Equal(host.Bytes(), other) {
		t.Errorf("%d and %d bytes arrived of %d and %d, or others", guest.Len(), host.Len(), len(one), len(other))
	}
	if most := line.most.Load(); most > 4096-128 { // the kernel throttles a terminal that has room for 128 (drivers/tty/n_tty.c)
		t.Errorf("%d bytes were under way to the guest", most)
	}
}

func TestWhatNobodyReadsDoesNotHoldTheLinkUp(t *testing.T) {
	var guest bytes.Buffer
	broken := writerFunc(func([]byte) (int, error) { return 0, errors.New("gone") })
	sent, back := linked(t, newTestLine(t), strings.NewReader("word"), bytes.NewReader(make([]byte, 100_000)), broken, &guest)
	if sent != nil || back != nil || guest.String() != "word" {
		t.Errorf("got %q, %v, %v", guest.String(), sent, back)
	}
}

// A program that writes back what it reads waits for its writing: the sides must not wait for each other then.
func TestAnEchoDoesNotHoldTheLinkUp(t *testing.T) {
	const size = 1 << 20
	back, echo := io.Pipe() // has no room at all
	var host bytes.Buffer
	sent, echoed := linked(t, newTestLine(t), bytes.NewReader(make([]byte, size)), back, &host, echo)
	if sent != nil || echoed != nil || host.Len() != size {
		t.Errorf("%d bytes of %d came back: %v, %v", host.Len(), size, sent, echoed)
	}
}

func TestASourceThatFailsEndsItsDirection(t *testing.T) {
	fault := errors.New("fault")
	var host, guest bytes.Buffer
	sent, back := linked(t, newTestLine(t), iotest.ErrReader(fault), strings.NewReader("word"), &host, &guest)
	if !errors.Is(sent, fault) || back != nil || host.String() != "word" {
		t.Errorf("got %q, %v, %v", host.String(), sent, back)
	}
}

func TestALineThatEndsReleasesWhoSends(t *testing.T) {
	in, line := io.Pipe()
	s := newSide(in, io.Discard, toGuestMax)
	go s.receive(io.Discard, func() {})
	line.Close()
	if err := s.send(strings.NewReader("word")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

func TestALinkOutOfStepIsAnError(t *testing.T) {
	for name, line := range map[string]string{
		"taken twice":  "\x80\x00\x80\x00",
		"a long frame": "\x40\x01" + strings.Repeat("x", 0x4001),
		"a part":       "\x00\x05abc",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSide(strings.NewReader(line), io.Discard, toGuestMax)
			if err := s.receive(io.Discard, func() {}); err == nil || err == io.EOF {
				t.Errorf("got %v", err)
			}
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
