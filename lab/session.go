package lab

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Request opens a session with a lab that is up.
type Request struct {
	Exec *Exec // run a program; nil: end the lab
}

// An Exec asks for a program to be run in a node.
type Exec struct {
	Node string
	Args []string
	Dir  string
	Term string // TERM of the user
}

// A frame carries one piece of a session, either way.
type frame struct {
	Stdin, Stdout, Stderr []byte
	StdinEnd              bool
	End                   bool // of the session, with Exit or Error
	Exit                  int
	Error                 string
}

// ServeSessions answers the sessions that come in by l, until one asks for the end or
// l is closed.
func (w *World) ServeSessions(l net.Listener) error {
	end := make(chan struct{})
	var once sync.Once
	failed := make(chan error, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				failed <- err
				return
			}
			go func() {
				defer conn.Close()
				if w.session(conn) {
					once.Do(func() { close(end) })
				}
			}()
		}
	}()
	select {
	case <-end:
		return nil
	case err := <-failed:
		if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
			return nil
		}
		return err
	}
}

// session serves one session and reports whether it asks for the lab's end.
func (w *World) session(conn net.Conn) (end bool) {
	in, out := gob.NewDecoder(conn), &frames{out: gob.NewEncoder(conn)}
	var r Request
	if err := in.Decode(&r); err != nil {
		return false
	}
	if r.Exec == nil {
		_ = out.send(frame{End: true})
		return true
	}
	exit, err := w.exec(*r.Exec, in, out)
	last := frame{End: true, Exit: exit}
	if err != nil {
		last.Error = err.Error()
	}
	_ = out.send(last) // the user may be gone
	return false
}

// exec runs a program in a node until it ends or the user is gone.
func (w *World) exec(e Exec, in *gob.Decoder, out *frames) (int, error) {
	n, ok := w.Plan.Node(e.Node)
	if !ok {
		var have []string
		for _, n := range w.Plan.Nodes {
			have = append(have, n.ID)
		}
		return 0, fmt.Errorf("the lab has no node %s: it has %s", e.Node, strings.Join(have, ", "))
	}
	args := append([]string{w.program(e.Args[0])}, e.Args[1:]...)
	not := func(n NotRun) (int, error) {
		return n.Exit(), out.send(frame{Stderr: []byte("gslb: " + n.Error() + "\n")})
	}
	if err := runnable(e.Dir, args[0]); err != nil {
		return not(NotRun{err})
	}
	if n.Kind == Client {
		resolv, err := w.resolvConf(n)
		if err != nil {
			return 0, err
		}
		args = append([]string{w.gslb, "lab", "enter", resolv, "--"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = e.Dir
	if e.Term != "" {
		cmd.Env = append(os.Environ(), "TERM="+e.Term)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	cmd.Stdout = writer(func(b []byte) error { return out.send(frame{Stdout: b}) })
	cmd.Stderr = writer(func(b []byte) error { return out.send(frame{Stderr: b}) })
	p, err := w.start(n.ID, cmd, "")
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) && failed.Path == cmd.Path {
		return not(NotRun{err})
	}
	if err != nil {
		return 0, err
	}
	go func() {
		for {
			var f frame
			if err := in.Decode(&f); err != nil {
				select {
				case <-p.done: // what it has left running in the background stays
				default:
					p.Kill() // the user is gone
				}
				return
			}
			if len(f.Stdin) > 0 {
				stdin.Write(f.Stdin)
			}
			if f.StdinEnd {
				stdin.Close()
			}
		}
	}()
	err = p.Wait()
	w.forget(p)
	var status *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &status) && status.Exited():
		return status.ExitCode(), nil
	case errors.As(err, &status):
		return 128 + int(status.Sys().(syscall.WaitStatus).Signal()), nil
	}
	return 0, err
}

// A NotRun is why a program could not be run.
type NotRun struct{ error }

// Exit is the status that a shell exits with: 127 where there is no such
// program, else 126.
func (n NotRun) Exit() int {
	if errors.Is(n.error, exec.ErrNotFound) || errors.Is(n.error, fs.ErrNotExist) {
		return 127
	}
	return 126
}

// runnable looks for a program that is called in dir.
func runnable(dir, name string) error {
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	_, err := exec.LookPath(name)
	return err
}

// program is where a program is that a user names: also where the lab's own
// are, so that nobody has to install them to look at a node.
func (w *World) program(name string) string {
	beside := filepath.Join(filepath.Dir(w.gslb), name)
	if _, err := exec.LookPath(name); err == nil || strings.Contains(name, "/") {
		return name
	}
	if _, err := exec.LookPath(beside); err == nil {
		return beside
	}
	return name
}

// resolvConf writes a resolv.conf by which users ask the file's nameservers,
// those of their own region first.
func (w *World) resolvConf(n *Node) (string, error) {
	var near, far strings.Builder
	for _, ns := range w.Topo.Nameservers {
		to := &far
		if ns.Region == n.Region {
			to = &near
		}
		for _, a := range ns.Addrs {
			fmt.Fprintf(to, "nameserver %s\n", a)
		}
	}
	path := filepath.Join(w.dir, w.fileName(n.ID)+".resolv.conf")
	return path, os.WriteFile(path, []byte(near.String()+far.String()+"options timeout:1\n"), 0o644)
}

// Enter becomes the program args with resolv as its /etc/resolv.conf, in a
// mount namespace of its own. It returns only when that fails, with a [NotRun]
// where it is the program that cannot be run.
func Enter(resolv string, args []string) error {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return NotRun{err}
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep the mounts apart: %w", err)
	}
	// A host without the file, which nothing can be mounted on, has no resolver to tell.
	if err := unix.Mount(resolv, "/etc/resolv.conf", "", unix.MS_BIND, ""); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("put %s in place of /etc/resolv.conf: %w", resolv, err)
	}
	return NotRun{fmt.Errorf("%s: %w", path, unix.Exec(path, args, os.Environ()))}
}

// forget drops a process that has ended.
func (w *World) forget(gone *Process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, p := range w.processes {
		if p == gone {
			w.processes = append(w.processes[:i:i], w.processes[i+1:]...)
			return
		}
	}
}

// frames sends frames from several goroutines.
type frames struct {
	mu  sync.Mutex
	out *gob.Encoder
}

func (f *frames) send(x frame) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.out.Encode(x)
}

type writer func([]byte) error

func (w writer) Write(b []byte) (int, error) {
	if err := w(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Ask opens a session over conn and plays the user's part in it. It returns
// the program's exit status.
func (r Request) Ask(conn net.Conn, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	out, in := &frames{out: gob.NewEncoder(conn)}, gob.NewDecoder(conn)
	if err := out.out.Encode(r); err != nil {
		return 0, err
	}
	if r.Exec != nil {
		go func() {
			buffer := make([]byte, 32<<10)
			for {
				n, err := stdin.Read(buffer)
				if n > 0 && out.send(frame{Stdin: buffer[:n]}) != nil {
					return
				}
				if err != nil {
					_ = out.send(frame{StdinEnd: true})
					return
				}
			}
		}()
	}
	for {
		var f frame
		if err := in.Decode(&f); err != nil {
			return 0, fmt.Errorf("the lab has ended: %w", err)
		}
		stdout.Write(f.Stdout)
		stderr.Write(f.Stderr)
		if f.End {
			if f.Error != "" {
				return 0, errors.New(f.Error)
			}
			return f.Exit, nil
		}
	}
}
