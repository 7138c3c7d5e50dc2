package uml

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// A guest is many processes: its kernel and one for each address space, which the kernel traces. Where the kernel alone is killed they
// are traced no more and go on, as programs of the host, wherever they were. So a guest has a keeper, a process whose life ends with
// the guest's: it is told of the caller's death by a pipe, kills all of them together, and is the parent of what is orphaned.

// keeperName is the keeper's argument 0, by which Init knows it. The others: the run's folder, the number of lines, the kernel, the
// kernel's arguments. Descriptor 3 is the pipe, the lines follow.
const keeperName = "gslb: keeper of a guest"

func keep(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("%s: too few arguments", keeperName)
	}
	folder, kernel := args[0], args[2]
	lines, err := strconv.Atoi(args[1])
	if err != nil {
		return fmt.Errorf("%s: %w", keeperName, err)
	}
	life := os.NewFile(3, "life")
	unix.CloseOnExec(3)
	files := []*os.File{os.Stdin, os.Stdout, os.Stderr}
	for fd := 4; fd < 4+lines; fd++ {
		unix.CloseOnExec(fd)
		files = append(files, os.NewFile(uintptr(fd), "line"))
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("adopt orphans: %w", err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	p, err := os.StartProcess(kernel, args[2:], &os.ProcAttr{
		Dir: folder, Env: os.Environ(), Files: files,
		// On a panic the kernel signals its whole process group.
		Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return err
	}
	for _, f := range files {
		_ = f.Close() // the lines are to end with the guest
	}
	abandoned := make(chan struct{})
	go func() {
		_, _ = life.Read(make([]byte, 1))
		stop <- syscall.SIGHUP
	}()
	go func() {
		<-stop
		close(abandoned)
		_ = unix.Kill(-p.Pid, unix.SIGKILL)
	}()
	for {
		pid, err := unix.Wait4(-1, nil, 0, nil)
		if err == unix.ECHILD {
			break
		}
		if pid == p.Pid {
			_ = unix.Kill(-p.Pid, unix.SIGKILL) // what outlives its kernel
		}
	}
	select {
	case <-abandoned:
		return os.RemoveAll(folder) // the caller may be dead
	default:
		return nil
	}
}
