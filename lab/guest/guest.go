// Package guest is what an init of the lab's kernels does, whatever machine they run on.
package guest

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Wait is a good init until a child has ended: whatever loses its parent is
// buried too. It returns the child's exit status, and what killed it, or 0; then
// the status is 128 and the signal.
func Wait(child int) (exit, signal int, err error) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, 0, err
		case pid != child:
		case status.Signaled():
			return 128 + int(status.Signal()), int(status.Signal()), nil
		default:
			return status.ExitStatus(), 0, nil
		}
	}
}

// Mount mounts a file system.
func Mount(source, at, kind string, flags uintptr, data string) error {
	if err := unix.Mount(source, at, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s at %s: %w", kind, at, err)
	}
	return nil
}

// Loopback brings lo up.
func Loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	return nil
}
