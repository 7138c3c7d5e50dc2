package lab

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"gslb/dataplane/ipvs"
)

// Possible says why no lab can be made on this machine as it is; nil when one
// can. It takes the right to make network namespaces, and a kernel with IPVS.
func Possible() error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces are root's to make")
	}
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with its namespace
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			failed <- fmt.Errorf("make a network namespace: %w", err)
			return
		}
		plane, err := ipvs.Open()
		if err == nil {
			plane.Close()
		}
		if errors.Is(err, ipvs.ErrNoIPVS) {
			err = ipvs.ErrNoIPVS // how to get it is beside the point: the lab helps itself
		}
		failed <- err
	}()
	return <-failed
}
