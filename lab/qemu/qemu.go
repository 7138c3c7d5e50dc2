// Package qemu carries a program into a machine of software, with Debian's own
// kernel: for tests of what user-mode Linux has not, such as sockets of AF_XDP.
// It needs no root and no KVM, and takes some seconds to start.
//
// [Ensure] finds or fetches what is needed, [Kit.Run] carries one program in and
// its output and exit status out, and [Init] is the guest's side, called
// first by the main of the program that Run makes the guest's init, which is
// the one that calls it.
//
// The guest has two processors, and for files only those of [Command.Files] and
// the program, at the places that they have on the host; so all of them must be
// static. It has no network but what is made inside. When Run returns, or the
// process that called it dies in whatever way, the machine is gone.
package qemu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"gslb/lab/debian"
)

// A Kit is what carrying needs from outside.
type Kit struct {
	Kernel  string // an image
	Modules string // the folder of its modules
	root    string // unpacked packages; "" when the host has all of them
}

const (
	program = "qemu-system-x86_64"
	image   = "boot/vmlinuz-*-cloud-amd64"
)

// Ensure gives the kit: what the machine has, and in a cache of the user's own
// what it lacks, fetched there as Debian packages when it is not there yet. What
// it does that takes time it says, in lines.
func Ensure(ctx context.Context, say func(format string, args ...any)) (*Kit, error) {
	if runtime.GOARCH != "amd64" {
		return nil, errors.New("find what qemu needs: the guest's processor is amd64's, this is " + runtime.GOARCH)
	}
	root, err := debian.Ensure(ctx, "qemu", "qemu and a kernel", []debian.Program{{Executable: program, Package: "qemu-system-x86"}, {Executable: image, Package: "linux-image-cloud-amd64"}}, say)
	if err != nil {
		return nil, fmt.Errorf("find what qemu needs: %w", err)
	}
	k := &Kit{root: root}
	for _, at := range []string{"/", root} {
		kernel := debian.Find(at, image)
		if kernel == "" {
			continue
		}
		modules := filepath.Join(at, "usr/lib/modules", strings.TrimPrefix(filepath.Base(kernel), "vmlinuz-"))
		if _, err := os.Stat(modules); err == nil {
			k.Kernel, k.Modules = kernel, modules
			return k, nil
		}
	}
	return nil, errors.New("find what qemu needs: a kernel without its modules")
}

// A Command is a static program to be carried into a guest.
type Command struct {
	Path    string // a file
	Args    []string
	Env     []string // the caller's environment when nil
	Files   []string // that the guest has too, read-only
	Modules []string // of the kernel, to be loaded
	Memory  int      // in MB, 1024 when 0
	Output  io.Writer
}

// job is what the host asks of the guest's init.
type job struct {
	Path string
	Args []string
	Env  []string
	Dir  string
	Load []string // modules, in order
}

// report is what the guest's init answers, on a line of its own.
type report struct {
	Exit  int
	Error string
}

// What the guest's init finds at its root, and its lines.
const (
	initFile   = "/init"
	jobFile    = "/job.json"
	modules    = "/modules"
	lineOut    = "/dev/ttyS0"
	lineReport = "/dev/ttyS1"
	marker     = "GSLB_QEMU" // in init's environment
)

// Run carries the program into a new guest and returns its exit status. The
// error says that there is none.
func (k *Kit) Run(ctx context.Context, c Command) (exit int, err error) {
	folder, err := os.MkdirTemp("", "gslb-qemu-")
	if err != nil {
		return -1, err
	}
	defer os.RemoveAll(folder)
	initrd, answer, console := filepath.Join(folder, "initrd"), filepath.Join(folder, "report"), filepath.Join(folder, "console")
	if err := k.pack(initrd, c); err != nil {
		return -1, fmt.Errorf("carry %s into qemu: %w", c.Path, err)
	}
	if c.Memory == 0 {
		c.Memory = 1024
	}
	at := func(path string) string { return filepath.Join("/", k.root, path) }
	path := debian.Find("/", program)
	if path == "" {
		path = debian.Find(k.root, program)
	}
	cmd := exec.Command(path,
		"-L", at("usr/share/qemu"), "-L", at("usr/share/seabios"),
		"-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", strconv.Itoa(c.Memory),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none",
		"-serial", "stdio", "-serial", "file:"+answer, "-serial", "file:"+console,
		"-kernel", k.Kernel, "-initrd", initrd,
		"-append", "console=ttyS2 panic=-1 "+marker+"=1")
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+at("usr/lib/x86_64-linux-gnu"))
	var complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = c.Output, &complaints
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // whose end the machine must not survive
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return -1, err
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
	err = cmd.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return -1, cause
	}
	var r report
	text, readErr := os.ReadFile(answer)
	if readErr == nil {
		readErr = json.Unmarshal(text, &r)
	}
	switch {
	case readErr != nil:
		log, _ := os.ReadFile(console)
		return -1, fmt.Errorf("the guest ended without a report (%v); its console:\n%s%s", err, log[max(0, len(log)-4<<10):], complaints.String())
	case r.Error != "":
		return -1, errors.New(r.Error)
	}
	return r.Exit, nil
}

// pack writes the guest's first files.
func (k *Kit) pack(to string, c Command) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	j := job{Path: c.Path, Args: c.Args, Env: c.Env}
	if j.Load, err = k.loadOrder(c.Modules); err != nil {
		return err
	}
	if j.Env == nil {
		j.Env = os.Environ()
	}
	if j.Path, err = filepath.Abs(j.Path); err != nil {
		return err
	}
	if j.Dir, err = os.Getwd(); err != nil {
		return err
	}
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	defer file.Close()
	a := newArchive(file)
	a.file(initFile, self)
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	a.text(jobFile, text)
	for _, m := range j.Load {
		a.file(filepath.Join(modules, m), filepath.Join(k.Modules, m))
	}
	a.folder(j.Dir)
	for _, f := range append([]string{j.Path}, c.Files...) {
		a.file(f, f)
	}
	return a.close()
}
