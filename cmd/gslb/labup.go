package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hashicorp/yamux"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"gslb/internal/cli"
	"gslb/lab"
	"gslb/lab/uml"
)

// A home is where a lab that is up is found: a folder that follows from the
// path of its file.
type home struct{ dir string }

func homeOf(path string) (home, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return home{}, err
	}
	base := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "gslb-labs")
	if os.Getenv("XDG_RUNTIME_DIR") == "" {
		base = filepath.Join(os.TempDir(), fmt.Sprintf("gslb-labs-%d", os.Getuid()))
	}
	return home{filepath.Join(base, fmt.Sprintf("%.6x", sha256.Sum256([]byte(path))))}, nil
}

func (h home) socket() string { return filepath.Join(h.dir, "lab.sock") }
func (h home) log() string    { return filepath.Join(h.dir, "lab.log") }

// make makes the folder, below one that is this user's alone: its name can be
// guessed, and whoever has made it first could be talking to our lab.
func (h home) make() error {
	above := filepath.Dir(h.dir)
	if err := os.MkdirAll(above, 0o700); err != nil {
		return err
	}
	var stat unix.Stat_t
	if err := unix.Lstat(above, &stat); err != nil {
		return err
	}
	if stat.Uid != uint32(os.Getuid()) || stat.Mode&(unix.S_IFMT|0o077) != unix.S_IFDIR {
		return fmt.Errorf("%s is not a folder of this user's alone: remove it, or set XDG_RUNTIME_DIR to one that is", above)
	}
	return os.Mkdir(h.dir, 0o700)
}

// remove leaves nothing behind: the folder above goes with its last lab.
func (h home) remove() {
	os.RemoveAll(h.dir)
	os.Remove(filepath.Dir(h.dir))
}

// dial reaches the lab; the error says that it is not up.
func (h home) dial(path string) (net.Conn, error) {
	conn, err := net.Dial("unix", h.socket())
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) {
		return nil, fmt.Errorf("no lab of %s is up: bring it up with 'gslb lab up %s'", path, path)
	}
	return conn, err
}

func labUpCmd() *cobra.Command {
	var f labFlags
	c := &cobra.Command{
		Use:     "up PATH",
		Short:   "Bring a lab up and leave it up",
		Long:    `Bring the topology up as a lab that stays until 'gslb lab down'. Run programs in its nodes with 'gslb lab exec'.`,
		Example: "  gslb lab up examples/two-tier.hcl",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			stderr := c.ErrOrStderr()
			s, err := f.setup(args[0], stderr)
			if err != nil {
				return err
			}
			h, err := homeOf(args[0])
			if err != nil {
				return err
			}
			if conn, err := h.dial(args[0]); err == nil {
				conn.Close()
				return fmt.Errorf("a lab of %s is up already: take it down with 'gslb lab down %s'", args[0], args[0])
			}
			if err := os.RemoveAll(h.dir); err != nil { // of one that was killed
				return err
			}
			if err := h.make(); err != nil {
				return err
			}
			if err := f.startKeeper(c, s, h); err != nil {
				h.remove()
				return err
			}
			for _, n := range s.plan.Nodes {
				fmt.Fprintln(c.OutOrStdout(), n.ID)
			}
			fmt.Fprintf(stderr, "lab: up; run a program in one of these nodes with 'gslb lab exec %s NODE -- COMMAND'\n", args[0])
			return nil
		},
	}
	f.register(c)
	return c
}

// startKeeper starts the process that holds the lab, and waits until the lab is up.
func (f *labFlags) startKeeper(c *cobra.Command, s setup, h home) error {
	log, err := os.Create(h.log())
	if err != nil {
		return err
	}
	defer log.Close()
	ready, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	keeper := exec.Command(s.programs.Gslb, f.arguments("keep", s, "--home", h.dir)...)
	keeper.Stdout, keeper.Stderr = log, log
	keeper.ExtraFiles = []*os.File{theirs}
	keeper.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	err = keeper.Start()
	theirs.Close()
	if err != nil {
		return err
	}
	// The end of the pipe says that the keeper is ready, or gone.
	word := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(ready)
		word <- string(text)
	}()
	copied := 0
	for {
		select {
		case text := <-word:
			show(c.ErrOrStderr(), h.log(), copied)
			if text != upWord {
				_ = keeper.Wait() // it has said why
				return errors.New("the lab did not come up")
			}
			return keeper.Process.Release()
		case <-c.Context().Done():
			unix.Kill(-keeper.Process.Pid, unix.SIGTERM)
			_ = keeper.Wait()
			return errors.New("interrupted; the lab is gone")
		case <-time.After(100 * time.Millisecond):
			copied += show(c.ErrOrStderr(), h.log(), copied)
		}
	}
}

// The keeper says upWord on descriptor readyFD when the lab is up.
const (
	upWord  = "up"
	readyFD = 3
)

// show writes what is new in a log.
func show(w io.Writer, path string, from int) int {
	data, err := os.ReadFile(path)
	if err != nil || len(data) <= from {
		return 0
	}
	n, _ := w.Write(data[from:])
	return n
}

func labExecCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "exec PATH NODE -- COMMAND...",
		Short: "Run a program in a node of a lab that is up",
		Long: `Run a program in a node of the lab that 'gslb lab up PATH' has brought up. NODE is
the address of an object of the file, or client.REGION or router.REGION; in a
client the names of the file's zones resolve. The exit status is the program's,
126 when it cannot be run and 127 when there is none.`,
		Example: `  gslb lab exec shop.hcl client.eu -- curl -s http://www.shop.example/
  gslb lab exec shop.hcl 'director.nat["fra1"]' -- ipvsadm -Sn`,
		Args: cobra.MinimumNArgs(3),
		RunE: func(c *cobra.Command, args []string) error {
			h, err := homeOf(args[0])
			if err != nil {
				return err
			}
			conn, err := h.dial(args[0])
			if err != nil {
				return err
			}
			defer conn.Close()
			dir, err := os.Getwd()
			if err != nil {
				return err
			}
			stop := closeAtEnd(c, conn)
			defer stop()
			r := lab.Request{Exec: &lab.Exec{Node: args[1], Args: args[2:], Dir: dir, Term: os.Getenv("TERM")}}
			exit, err := r.Ask(conn, os.Stdin, c.OutOrStdout(), c.ErrOrStderr())
			if err != nil {
				return err
			}
			if exit != 0 {
				return cli.Status(exit)
			}
			return nil
		},
	}
}

// closeAtEnd closes conn when the command is interrupted.
func closeAtEnd(c *cobra.Command, conn net.Conn) (stop func()) {
	done := make(chan struct{})
	go func() {
		select {
		case <-c.Context().Done():
			conn.Close()
		case <-done:
		}
	}()
	return func() { close(done) }
}

// downTime bounds the wait for a lab to be gone.
const downTime = 20 * time.Second

func labDownCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "down PATH",
		Short:   "Take a lab down",
		Example: "  gslb lab down examples/two-tier.hcl",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			h, err := homeOf(args[0])
			if err != nil {
				return err
			}
			conn, err := h.dial(args[0])
			if err != nil {
				return err
			}
			defer conn.Close()
			stop := closeAtEnd(c, conn)
			defer stop()
			if _, err := (lab.Request{}).Ask(conn, bytes.NewReader(nil), io.Discard, io.Discard); err != nil {
				return err
			}
			for end := time.Now().Add(downTime); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				if _, err := os.Stat(h.dir); errors.Is(err, os.ErrNotExist) {
					return nil
				}
			}
			return fmt.Errorf("the lab is not gone after %v; its log is %s", downTime, h.log())
		},
	}
}

// labKeepCmd is the process behind 'lab up': on the host it holds the kernel
// that the lab is in and passes sessions on to it; where the lab itself is, it
// holds the lab.
func labKeepCmd() *cobra.Command {
	var f labFlags
	var dir string
	c := &cobra.Command{
		Use:    "keep PATH",
		Short:  "Hold a lab (started by lab up)",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := f.setup(args[0], io.Discard) // lab up has said what there is to say
			if err != nil {
				return err
			}
			if os.Getenv(carried) != "" {
				return f.keepCarried(c, s)
			}
			unix.CloseOnExec(readyFD) // or every program of the lab would hold it
			h := home{dir}
			defer h.remove()
			listener, err := net.Listen("unix", h.socket())
			if err != nil {
				return err
			}
			defer listener.Close()
			return f.keep(c, s, h, listener)
		},
	}
	f.register(c)
	c.Flags().StringVar(&dir, "home", "", "`folder` of the lab")
	return c
}

func (f *labFlags) keep(c *cobra.Command, s setup, h home, listener net.Listener) error {
	say := func(format string, args ...any) { fmt.Fprintf(c.ErrOrStderr(), format, args...) }
	up := func() error {
		ready := os.NewFile(readyFD, "ready")
		_, err := ready.WriteString(upWord)
		return errors.Join(err, ready.Close())
	}
	ours, theirs := net.Pipe()
	defer ours.Close()
	sessions, err := yamux.Client(ours, yamuxConfig())
	if err != nil {
		return err
	}
	defer sessions.Close()
	go func() { // until the lab in its own kernel is up, or the pipe is closed
		conn, err := sessions.Accept()
		if err != nil {
			return
		}
		conn.Close()
		if up() != nil {
			return // nobody waits any more
		}
		for {
			user, err := listener.Accept()
			if err != nil {
				return
			}
			go pass(user, sessions)
		}
	}()
	if done, err := s.carry(c.Context(), f.arguments("keep", s), c.OutOrStdout(), c.ErrOrStderr(), theirs); done || err != nil {
		return err
	}
	ours.Close()
	w, end, err := s.world(c.Context(), say)
	if err != nil {
		return err
	}
	defer end()
	if err := up(); err != nil {
		return err
	}
	go func() {
		<-c.Context().Done()
		listener.Close()
	}()
	return w.ServeSessions(listener)
}

// keepCarried holds the lab in the kernel it has been carried into.
func (f *labFlags) keepCarried(c *cobra.Command, s setup) error {
	link, err := uml.Link()
	if err != nil {
		return err
	}
	defer link.Close()
	sessions, err := yamux.Server(link, yamuxConfig())
	if err != nil {
		return err
	}
	defer sessions.Close()
	w, end, err := s.world(c.Context(), func(format string, args ...any) { fmt.Fprintf(c.ErrOrStderr(), format, args...) })
	if err != nil {
		return err
	}
	defer end()
	ready, err := sessions.Open() // says that the lab is up
	if err != nil {
		return err
	}
	ready.Close()
	return w.ServeSessions(sessions)
}

// yamuxConfig has no keepalive: both ends live and die together, and a slow
// moment of the kernel between them is not the end.
func yamuxConfig() *yamux.Config {
	config := yamux.DefaultConfig()
	config.EnableKeepAlive = false
	config.LogOutput = io.Discard
	return config
}

// pass joins a user's connection with a session of its own.
func pass(user net.Conn, sessions *yamux.Session) {
	defer user.Close()
	session, err := sessions.Open()
	if err != nil {
		return
	}
	defer session.Close()
	go func() {
		_, _ = io.Copy(session, user) // ends when either of them goes
		session.Close()
	}()
	_, _ = io.Copy(user, session)
	// A user that is gone must not leave a program blocked on what it has to say.
	session.Close()
	_, _ = io.Copy(io.Discard, session)
}
