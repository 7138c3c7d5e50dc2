package uml

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// memoryFolder finds a place for the file that is the guest's memory. The kernel makes it, removes its name at once and maps it to run
// programs from, so the file system must have the room and allow execution: the /dev/shm of containers has neither, as a rule. Memory
// that the guest has not touched takes no room.
func memoryFolder(mb int) (string, error) {
	var refused []string
	for _, folder := range slices.Compact([]string{"/dev/shm", os.TempDir(), "/tmp", "/var/tmp"}) {
		if err := unix.Access(folder, unix.W_OK|unix.X_OK); err != nil {
			refused = append(refused, fmt.Sprintf("%s: %v", folder, err))
			continue
		}
		var s unix.Statfs_t
		if err := unix.Statfs(folder, &s); err != nil {
			refused = append(refused, fmt.Sprintf("%s: %v", folder, err))
			continue
		}
		free := int(s.Bavail * uint64(s.Bsize) >> 20)
		switch {
		case s.Flags&unix.ST_NOEXEC != 0:
			refused = append(refused, folder+": mounted noexec")
		case free < mb:
			refused = append(refused, fmt.Sprintf("%s: %d MB free", folder, free))
		default:
			return folder, nil
		}
	}
	return "", fmt.Errorf("no place for the guest's memory of %d MB (%s): make room, or set TMPDIR to a folder that has it",
		mb, strings.Join(refused, "; "))
}
