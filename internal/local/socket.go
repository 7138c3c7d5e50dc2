// Package local is how a daemon is spoken to on its own machine, and where it
// keeps what must survive it: requests over a Unix socket from users that the
// kernel vouches for, and files that are there whole or as they were before. It
// knows nothing of what is in either.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of one exchange.
const (
	MaxRequest = 64 << 10 // bytes
	MaxReply   = 64 << 20 // bytes
	// patience is how long one side waits for the other.
	patience = 10 * time.Second
	// most is how many exchanges go on at the same time; more wait.
	most = 16
)

// A Peer is who asks, as the kernel says (SO_PEERCRED of unix(7)).
type Peer struct {
	UID, GID uint32
	PID      int32
}

// A Server listens on a socket.
type Server struct {
	listener *net.UnixListener
	path     string
	fresh    string // where it is before it is published
	file     os.FileInfo
	slots    chan struct{}
	wait     sync.WaitGroup
	stop     context.CancelFunc
	ctx      context.Context
}

// Listen makes the socket, which only this user and root may use (mode 0600).
// Nobody finds it before Publish, but what can be wrong with it is found here.
func Listen(path string) (*Server, error) {
	s, err := listen(path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return s, nil
}

func listen(path string) (*Server, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, errors.New("there is something that is no socket")
	}
	fresh := fmt.Sprintf("%s.%08x", path, rand.Uint32()) // others may wait for their turn too
	if len(fresh) >= 108 {                               // sun_path of unix(7)
		return nil, fmt.Errorf("the path has %d bytes, a socket's may have %d", len(path), 107-(len(fresh)-len(path)))
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return nil, bare(err)
	}
	l.SetUnlinkOnClose(false)
	fail := func(err error) (*Server, error) {
		l.Close()
		os.Remove(fresh)
		return nil, err
	}
	if err := os.Chmod(fresh, 0o600); err != nil {
		return fail(err)
	}
	info, err := os.Lstat(fresh)
	if err != nil {
		return fail(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Server{listener: l, path: path, fresh: fresh, file: info, slots: make(chan struct{}, most), ctx: ctx, stop: stop}, nil
}

// Publish puts the socket at its path. One that is there already gives way in one
// step: what was begun with a daemon before is finished by that, and there is
// never none.
func (s *Server) Publish() error {
	if err := os.Rename(s.fresh, s.path); err != nil {
		return fmt.Errorf("listen on %s: %w", s.path, err)
	}
	return nil
}

// Serve answers requests with what handle makes of them, each in a goroutine of
// its own, until Close. Whoever is neither root nor the user of this process is
// sent what refuse says and not heard.
func (s *Server) Serve(handle func(context.Context, Peer, []byte) []byte, refuse func(Peer) []byte) {
	for {
		s.slots <- struct{}{}
		conn, err := s.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			<-s.slots
			return
		}
		if err != nil { // out of descriptors: some will be free again
			<-s.slots
			time.Sleep(10 * time.Millisecond)
			continue
		}
		s.wait.Go(func() {
			defer func() { <-s.slots }()
			defer conn.Close()
			s.exchange(conn, handle, refuse)
		})
	}
}

func (s *Server) exchange(conn *net.UnixConn, handle func(context.Context, Peer, []byte) []byte, refuse func(Peer) []byte) {
	_ = conn.SetDeadline(time.Now().Add(patience))
	peer, err := peerOf(conn)
	if err != nil {
		return
	}
	request, err := io.ReadAll(io.LimitReader(conn, MaxRequest+1))
	if err != nil || len(request) > MaxRequest {
		return
	}
	var reply []byte
	if peer.UID != 0 && int(peer.UID) != os.Geteuid() {
		reply = refuse(peer)
	} else {
		ctx, cancel := context.WithTimeout(s.ctx, patience)
		defer cancel()
		reply = handle(ctx, peer, request)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = conn.Write(reply)
}

func peerOf(conn *net.UnixConn) (Peer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := errors.Join(err, failed); err != nil {
		return Peer{}, err
	}
	return Peer{UID: cred.Uid, GID: cred.Gid, PID: cred.Pid}, nil
}

// Close ends the socket and waits for the exchanges that are going on. The
// socket's file goes with it, unless it is another daemon's by now.
func (s *Server) Close() {
	s.remove(s.path)
	s.Leave()
}

// Leave is Close where another daemon's socket takes the place of this one,
// which may happen at this very moment.
func (s *Server) Leave() {
	s.listener.Close()
	s.remove(s.fresh)
	s.stop()
	s.wait.Wait()
}

func (s *Server) remove(path string) {
	if info, err := os.Lstat(path); err == nil && os.SameFile(info, s.file) {
		os.Remove(path)
	}
}

// Ask sends a request to the daemon that listens on path and returns its reply.
func Ask(ctx context.Context, path string, request []byte) ([]byte, error) {
	reply, err := ask(ctx, path, request)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", path, err)
	}
	return reply, nil
}

func ask(ctx context.Context, path string, request []byte) ([]byte, error) {
	if len(request) > MaxRequest {
		return nil, fmt.Errorf("a request of %d bytes is more than %d", len(request), MaxRequest)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*patience)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", filepath.Clean(path))
	if err != nil {
		return nil, bare(err)
	}
	conn := c.(*net.UnixConn)
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	// A daemon that refuses to listen may have closed its side already.
	if _, err = conn.Write(request); err == nil {
		_ = conn.CloseWrite()
	}
	reply, readErr := io.ReadAll(io.LimitReader(conn, MaxReply+1))
	switch {
	case len(reply) > MaxReply:
		return nil, fmt.Errorf("the reply has more than %d bytes", MaxReply)
	case len(reply) > 0 && readErr == nil:
		return reply, nil
	case err != nil:
		return nil, bare(err)
	case readErr != nil:
		return nil, bare(readErr)
	}
	return nil, errors.New("closed without a reply")
}

// bare is the cause of a network error, without the path.
func bare(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call.Err
	}
	return err
}
