package uml

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gslb/lab/guest"
)

// Init is the first line of main of every program that is a guest's init, which is every program that calls [Kit.Run] without naming
// another. Where this process is the init of a guest it prepares the guest, runs the program asked for, reports and switches the guest
// off; it does not return. Nor does it where this process was started as one of a guest's helpers. Anywhere else it returns at once.
func Init() {
	switch os.Args[0] {
	case keeperName:
		exit(keep(os.Args[1:]))
	case modprobePath:
		exit(modprobe(os.Args[1:]))
	}
	if os.Getpid() != 1 {
		return
	}
	folder := os.Getenv(folderVar)
	if folder == "" {
		return
	}
	start := time.Now()
	r := begin(folder, start)
	if r.Error != "" {
		fmt.Fprintln(os.Stderr, r.Error) // to the console, in case the report cannot be written
	}
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {} // an init that ends is a kernel panic, which the host would report instead of the cause
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Link is the carried program's end of [Command.Stream].
func Link() (net.Conn, error) {
	fd, err := strconv.Atoi(os.Getenv(linkVar))
	if err != nil {
		return nil, fmt.Errorf("link to the host: this program was not carried with one (%s is not set)", linkVar)
	}
	file := os.NewFile(uintptr(fd), "link")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("link to the host: %w", err)
	}
	return conn, nil
}

// begin does all that init has to do but the switching off. The report is on the host when it returns, if it can be.
func begin(folder string, start time.Time) (r report) {
	// The folder for the report is opened before the root is changed and reached by its descriptor ever after.
	out := filepath.Join(folder, outFolder)
	if err := guest.Mount("none", out, "hostfs", 0, out); err != nil {
		return report{Error: err.Error()}
	}
	dir, err := unix.Open(out, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return report{Error: fmt.Sprintf("open %s: %v", out, err)}
	}
	defer func() {
		unix.Sync() // what programs left dirty in the writable folders
		if err := writeReport(dir, r); err != nil && r.Error == "" {
			r.Error = err.Error()
		}
	}()
	var j job
	text, err := os.ReadFile(filepath.Join(folder, jobFile))
	if err == nil {
		err = json.Unmarshal(text, &j)
	}
	if err != nil {
		return report{Error: fmt.Sprintf("read the job: %v", err)}
	}
	if err := noHotplug(); err != nil {
		return report{Error: "prepare the guest: " + err.Error()}
	}
	if err := prepare(folder, j); err != nil {
		return report{Error: "prepare the guest: " + err.Error()}
	}
	return run(j, start)
}

func writeReport(dir int, r report) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	fd, err := unix.Openat(dir, reportFile, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	file := os.NewFile(uintptr(fd), reportFile)
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}

// prepare turns the bare kernel into a machine: the host's root to write on without reaching the host, fresh kernel file systems, the
// modules, a loopback interface.
func prepare(folder string, j job) error {
	if err := guest.LoadModules(j.Modules, j.Overlay); err != nil {
		return err
	}
	if err := changeRoot(folder, j.Kit); err != nil {
		return err
	}
	unix.Umask(0)
	const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	for _, m := range []struct {
		kind, at string
		flags    uintptr
		data     string
	}{
		{"proc", "/proc", quiet, ""},
		{"sysfs", "/sys", quiet, ""},
		{"devtmpfs", "/dev", unix.MS_NOSUID, ""},
		{"devpts", "/dev/pts", unix.MS_NOSUID | unix.MS_NOEXEC, "ptmxmode=0666,mode=0620"},
		{"tmpfs", "/dev/shm", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		{"tmpfs", "/run", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755"},
	} {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := guest.Mount(m.kind, m.at, m.kind, m.flags, m.data); err != nil {
			return err
		}
	}
	for _, l := range [][2]string{{"/proc/self/fd", "/dev/fd"}, {"fd/0", "/dev/stdin"}, {"fd/1", "/dev/stdout"}, {"fd/2", "/dev/stderr"}} {
		if err := os.Symlink(l[0], l[1]); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	for _, at := range covered(j) {
		if err := hostFolder(at, unix.MS_RDONLY); err != nil {
			return err
		}
	}
	for _, at := range j.Writable {
		if err := hostFolder(at, 0); err != nil {
			return err
		}
	}
	unix.Umask(0o022)
	if err := guest.LoadModules(j.Modules, j.Load); err != nil {
		return err
	}
	if err := onDemand(j); err != nil {
		return err
	}
	if err := captureAsRoot(); err != nil {
		return err
	}
	// Worlds open many sockets, and the kernel's default is that of the nineties.
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 65536, Max: 65536}); err != nil {
		return fmt.Errorf("raise the limit of open files: %w", err)
	}
	if err := unix.Sethostname([]byte("guest")); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	return guest.Loopback()
}

// noHotplug keeps the kernel from starting a helper program at every appearance of a module or a device. There is none, and to find
// that out costs this kernel a process each time: half of the time it takes to load the modules.
func noHotplug() error {
	if err := guest.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	return os.WriteFile("/proc/sys/kernel/hotplug", []byte("\n"), 0)
}

// changeRoot makes the host's root, seen read-only by hostfs, writable in memory, with the kit's packages as if they were installed.
func changeRoot(folder, kit string) error {
	top := filepath.Join(folder, topFolder)
	if err := guest.Mount("tmpfs", top, "tmpfs", 0, "mode=0755"); err != nil {
		return err
	}
	// Relative names from here on: a comma or a colon in the folder's name would end an option of overlayfs.
	if err := os.Chdir(top); err != nil {
		return err
	}
	for _, d := range []string{"kit", "upper", "work", "root"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	lower := "/"
	if kit != "" {
		// A mount of its own, because overlayfs refuses a layer that lies inside another.
		if err := guest.Mount("none", "kit", "hostfs", unix.MS_RDONLY, kit); err != nil {
			return err
		}
		lower = "kit:/"
	}
	if err := guest.Mount("overlay", "root", "overlay", 0, "lowerdir="+lower+",upperdir=upper,workdir=work"); err != nil {
		return err
	}
	if err := os.Chdir("root"); err != nil {
		return err
	}
	if err := guest.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return err
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	return os.Chdir("/")
}

// covered lists the folders the program needs that the guest's own /dev and /run have covered.
func covered(j job) []string {
	var at []string
	for _, d := range []string{filepath.Dir(j.Init), filepath.Dir(j.Path), j.Dir} {
		if (strings.HasPrefix(d, "/dev/") || strings.HasPrefix(d, "/run/")) && !slices.Contains(at, d) {
			at = append(at, d)
		}
	}
	return at
}

// hostFolder shows a folder of the host at its own place.
func hostFolder(at string, flags uintptr) error {
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	return guest.Mount("none", at, "hostfs", flags, at)
}

// captureAsRoot makes the user that Debian's tcpdump turns into, where installing it has not. It is root by another name, which can
// write its captures anywhere.
func captureAsRoot() error {
	const name = "/etc/passwd"
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if strings.Contains("\n"+string(text), "\ntcpdump:") {
		return nil
	}
	return os.WriteFile(name, append(text, "tcpdump:x:0:0::/:/bin/false\n"...), 0o644)
}

// onDemand lets the kernel load modules when they are asked for.
func onDemand(j job) error {
	if err := os.MkdirAll("/lib/modules", 0o755); err != nil {
		return err
	}
	if err := os.Symlink(j.Modules, filepath.Join("/lib/modules", filepath.Base(j.Modules))); err != nil {
		return err
	}
	if err := os.Symlink(j.Init, modprobePath); err != nil {
		return err
	}
	return os.WriteFile("/proc/sys/kernel/modprobe", []byte(modprobePath), 0)
}

// run starts the program and is a good init until it has ended. All it wrote has left the guest when run returns.
func run(j job, start time.Time) report {
	failed := func(doing string, err error) report { return report{Error: doing + ": " + err.Error()} }
	out, err := guest.OpenLine(lineOut)
	if err != nil {
		return failed("prepare the guest", err)
	}
	errs := out
	if !j.OneLine {
		if errs, err = guest.OpenLine(lineErr); err != nil {
			return failed("prepare the guest", err)
		}
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return failed("prepare the guest", err)
	}
	files := []*os.File{null}
	var copies sync.WaitGroup
	for _, l := range []guest.Line{out, errs} {
		if l == errs && len(files) == 2 && j.OneLine {
			files = append(files, files[1])
			continue
		}
		r, w, err := os.Pipe()
		if err != nil {
			return failed("prepare the guest", err)
		}
		files = append(files, w)
		copies.Go(func() { _, _ = io.Copy(l, r) })
	}
	env := j.Env
	if j.Link {
		theirs, err := link(&copies)
		if err != nil {
			return failed("prepare the guest", err)
		}
		env = append(env, linkVar+"="+strconv.Itoa(len(files)))
		files = append(files, theirs)
	}
	path, err := find(j, env)
	if err != nil {
		return failed("start "+j.Path, err)
	}
	if err := os.Chdir(j.Dir); err != nil {
		return failed("start "+j.Path, err)
	}
	r := report{SetUp: time.Since(start)}
	p, err := os.StartProcess(path, append([]string{j.Path}, j.Args...), &os.ProcAttr{Env: env, Files: files, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return failed("start "+j.Path, err)
	}
	for _, f := range files[:min(len(files), 4)] {
		_ = f.Close() // stdout may stand there twice
	}
	if r.Exit, r.Signal, err = guest.Wait(p.Pid); err != nil {
		return failed("wait for "+j.Path, err)
	}
	// What the program left running goes with the guest; killed now, it gives up the pipes, and they end.
	_ = syscall.Kill(-1, syscall.SIGKILL)
	copies.Wait()
	if err := errors.Join(out.Drain(), errs.Drain()); err != nil {
		return failed("drain the output", err)
	}
	return r
}

// find looks for the program inside the guest, where the kit's packages are.
func find(j job, env []string) (string, error) {
	for _, v := range env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			if err := os.Setenv("PATH", p); err != nil {
				return "", err
			}
		}
	}
	if !strings.Contains(j.Path, "/") {
		return exec.LookPath(j.Path)
	}
	return j.Path, nil
}

// link ties the link's serial line to a socket for the program.
func link(copies *sync.WaitGroup) (theirs *os.File, err error) {
	l, err := guest.OpenLine(lineLink)
	if err != nil {
		return nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make the link: %w", err)
	}
	file := os.NewFile(uintptr(pair[0]), "link")
	defer file.Close()
	c, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("make the link: %w", err)
	}
	ours := c.(*net.UnixConn)
	if _, err := l.Write([]byte{ready}); err != nil {
		return nil, fmt.Errorf("make the link: %w", err)
	}
	s := newSide(l, l, toHostMax)
	copies.Go(func() {
		_ = s.send(ours)
		_ = l.Drain()
	})
	go func() { _ = s.receive(ours, func() { _ = ours.CloseWrite() }) }() // the line ends with the guest: nobody waits for it
	return os.NewFile(uintptr(pair[1]), "link"), nil
}
