package qemu

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"gslb/lab/guest"
)

// Init is the first line of main of a program that calls [Kit.Run]. Where this
// process is the init of a guest it runs the program asked for, reports and ends the
// guest; anywhere else it returns at once.
func Init() {
	if os.Getpid() != 1 || os.Getenv(marker) == "" {
		return
	}
	r := begin()
	if text, err := json.Marshal(r); err == nil {
		if l, err := guest.OpenLine(lineReport); err == nil {
			_, _ = l.Write(text)
			_ = l.Drain()
		}
	}
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART) // ends qemu, which was told so
	select {}
}

func begin() report {
	exit, err := carry()
	if err != nil {
		return report{Error: err.Error()}
	}
	return report{Exit: exit}
}

// carry prepares the machine, runs the program and returns its exit status.
func carry() (exit int, err error) {
	for _, m := range [][2]string{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}} {
		if err := os.MkdirAll(m[1], 0o755); err != nil {
			return 0, err
		}
		if err := guest.Mount(m[0], m[1], m[0], 0, ""); err != nil {
			return 0, err
		}
	}
	for _, folder := range []string{"/tmp", "/run"} { // the root is in memory itself
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return 0, err
		}
	}
	var j job
	text, err := os.ReadFile(jobFile)
	if err == nil {
		err = json.Unmarshal(text, &j)
	}
	if err != nil {
		return 0, err
	}
	if err := guest.LoadModules(modules, j.Load); err != nil {
		return 0, err
	}
	if err := guest.Loopback(); err != nil {
		return 0, err
	}
	out, err := guest.OpenLine(lineOut)
	if err != nil {
		return 0, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	p, err := os.StartProcess(j.Path, append([]string{j.Path}, j.Args...), &os.ProcAttr{Dir: j.Dir, Env: j.Env, Files: []*os.File{null, w, w}, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return 0, err
	}
	_ = w.Close()
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(out, r)
		copied <- err
	}()
	if exit, _, err = guest.Wait(p.Pid); err != nil {
		return 0, err
	}
	_ = syscall.Kill(-1, syscall.SIGKILL) // what is left gives up the pipe
	return exit, errors.Join(<-copied, out.Drain())
}
