// Package systemd is what a daemon says to the manager that has started it, and
// what that hands to it: readiness, its main process, and sockets that are kept
// while no process has them (sd_notify(3), sd_listen_fds(3)). It knows the protocol
// and nothing of what the sockets are for.
package systemd

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Manager is spoken to at a Unix socket. The zero Manager is none, and hears
// nothing.
type Manager struct{ socket string }

// FromEnvironment is the manager that NOTIFY_SOCKET names, if any. What this
// process starts is not to speak to it.
func FromEnvironment() Manager {
	m := Manager{os.Getenv("NOTIFY_SOCKET")}
	_ = os.Unsetenv("NOTIFY_SOCKET")
	return m
}

// Is reports whether there is a manager.
func (m Manager) Is() bool { return m.socket != "" }

// maxSockets is how many sockets pass in one message (SCM_MAX_FD in the kernel's
// include/net/scm.h).
const maxSockets = 253

// Notify sends assignments, as in "READY=1", with sockets that stay the caller's.
func (m Manager) Notify(sockets []int, assignments ...string) error {
	if m.socket == "" {
		return nil
	}
	if len(sockets) > maxSockets {
		return fmt.Errorf("notify systemd: %d sockets are more than %d", len(sockets), maxSockets)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	defer unix.Close(fd)
	var rights []byte
	if len(sockets) > 0 {
		rights = unix.UnixRights(sockets...)
	}
	// A name that begins with "@" is in the abstract namespace.
	if err := unix.Sendmsg(fd, []byte(strings.Join(assignments, "\n")), rights, &unix.SockaddrUnix{Name: m.socket}, 0); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}

// Store has a socket kept under a name. It is handed to the next process of the
// unit, also after a crash, for as long as FileDescriptorStoreMax= leaves room. It
// is kept whatever becomes of it: errors that come back to a socket of UDP are none.
func (m Manager) Store(name string, socket int) error {
	return m.Notify([]int{socket}, "FDSTORE=1", "FDNAME="+name, "FDPOLL=0")
}

// Remove has what is kept under a name closed.
func (m Manager) Remove(name string) error {
	return m.Notify(nil, "FDSTOREREMOVE=1", "FDNAME="+name)
}

// A Socket is one that was handed to this process.
type Socket struct {
	Name string
	FD   int
}

// first is the number of the first descriptor that is handed over (SD_LISTEN_FDS_START).
const first = 3

// Sockets are those that the manager has handed to this process, none if it has
// not. They are the caller's; what this process starts does not get them, and
// asked again there are none.
func Sockets() ([]Socket, error) {
	pid, count, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name)
	}
	if pid == "" || count == "" {
		return nil, nil
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, nil // meant for another process
	}
	return parse(count, names, unix.CloseOnExec)
}

func parse(count, names string, take func(fd int)) ([]Socket, error) {
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > 1<<16 {
		return nil, fmt.Errorf("LISTEN_FDS: %q is no number of descriptors", count)
	}
	var called []string
	if names != "" {
		called = strings.Split(names, ":")
	}
	if called != nil && len(called) != n {
		return nil, errors.New("LISTEN_FDNAMES: another number of names than LISTEN_FDS says")
	}
	called = slices.Grow(called, n)[:n]
	out := make([]Socket, n)
	for i := range out {
		out[i] = Socket{called[i], first + i}
		take(out[i].FD)
	}
	return out, nil
}
