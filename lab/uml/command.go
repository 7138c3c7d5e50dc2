package uml

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
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"gslb/lab/debian"
)

// Command is a program to be carried into a guest. Its stdin is empty.
type Command struct {
	Path string   // a file, or a name to be looked for in the guest's PATH
	Args []string // without the program's name
	Dir  string   // where it runs; the caller's folder when empty
	Env  []string // the caller's environment when nil

	Stdout, Stderr io.Writer // nil discards; when they are the same, the order of what is written is kept

	Writable []string // folders of the host that the guest may change
	Memory   int      // the guest's memory in MB, 768 when 0
	Modules  []string // kernel modules beside those every guest has
	Timeout  time.Duration

	// Stream is one more way between the host and the program, for bytes of any value in both directions; the program's end of it is
	// what [Link] gives there (a socket whose descriptor is in the environment as GSLB_LINK). The end of what Stream has to read is the
	// end of what the program can read. Run closes Stream when the program has ended.
	Stream io.ReadWriteCloser

	// Init is the executable that becomes the guest's init, one whose main calls [Init] first. It is this executable when empty.
	Init string
}

// Run carries the program into a new guest and returns its exit status. The error says that there is none: the guest could not be made,
// died, took too long or was cancelled; for a program ended by a signal it is a [*Killed], and the status is 128 and the signal.
func (k *Kit) Run(ctx context.Context, c Command) (exit int, err error) {
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("not done after %v", c.Timeout))
		defer cancel()
	}
	if c.Stream != nil {
		defer c.Stream.Close()
	}
	r, err := k.carry(ctx, c)
	if err != nil {
		return -1, fmt.Errorf("carry %s into user-mode Linux: %w", c.Path, err)
	}
	if r.Signal != 0 {
		return r.Exit, &Killed{c.Path, syscall.Signal(r.Signal)}
	}
	return r.Exit, nil
}

func (k *Kit) carry(ctx context.Context, c Command) (report, error) {
	if err := context.Cause(ctx); err != nil {
		return report{}, err
	}
	if c.Memory == 0 {
		c.Memory = 768
	}
	memory, err := memoryFolder(c.Memory)
	if err != nil {
		return report{}, err
	}
	folder, err := os.MkdirTemp("", "gslb-uml-")
	if err != nil {
		return report{}, err
	}
	defer os.RemoveAll(folder)
	if err := k.pack(folder, c); err != nil {
		return report{}, err
	}
	console := &tail{max: 64 << 10}
	if err := k.boot(ctx, folder, memory, c, console); err != nil {
		return report{}, err
	}
	var r report
	text, err := os.ReadFile(filepath.Join(folder, outFolder, reportFile))
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	switch {
	case err != nil:
		return report{}, fmt.Errorf("the guest ended without a report; its console:\n%s", console)
	case r.Error != "":
		return report{}, errors.New(r.Error)
	}
	return r, nil
}

// pack writes what the guest's init reads.
func (k *Kit) pack(folder string, c Command) error {
	for _, d := range []string{outFolder, topFolder, umlFolder} {
		if err := os.Mkdir(filepath.Join(folder, d), 0o700); err != nil {
			return err
		}
	}
	self := c.Init
	if self == "" {
		var err error
		if self, err = os.Executable(); err != nil {
			return err
		}
	}
	self, err := filepath.Abs(self)
	if err != nil {
		return err
	}
	if _, err := os.Stat(self); err != nil {
		return fmt.Errorf("the guest's init: %w", err)
	}
	if err := os.Symlink(self, filepath.Join(folder, initLink)); err != nil {
		return err
	}
	dep, err := os.ReadFile(filepath.Join(k.Modules, "modules.dep"))
	if err != nil {
		return err
	}
	overlay, err := loadOrder(string(dep), []string{"overlay"})
	if err != nil {
		return err
	}
	load, err := loadOrder(string(dep), slices.Concat(standard, c.Modules))
	if err != nil {
		return err
	}
	j := job{
		Init: self, Path: c.Path, Args: c.Args, Dir: c.Dir, Env: c.Env,
		Modules: k.Modules, Overlay: overlay, Load: load, Kit: k.Root,
		OneLine: c.Stdout == c.Stderr, Link: c.Stream != nil,
	}
	if j.Dir, err = filepath.Abs(c.Dir); err != nil {
		return err
	}
	if strings.Contains(c.Path, "/") && !filepath.IsAbs(c.Path) {
		j.Path = filepath.Join(j.Dir, c.Path)
	}
	for _, w := range c.Writable {
		if w, err = filepath.Abs(w); err != nil {
			return err
		}
		if s, err := os.Stat(w); err != nil {
			return fmt.Errorf("writable folder: %w", err)
		} else if !s.IsDir() {
			return fmt.Errorf("writable folder %s: is no folder", w)
		}
		j.Writable = append(j.Writable, w)
	}
	if j.Env == nil {
		j.Env = os.Environ()
	}
	j.Env = withSystemPath(j.Env)
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, jobFile), text, 0o600)
}

// withSystemPath lets the program find the tools of root, which the PATH of an ordinary user leaves out.
func withSystemPath(env []string) []string {
	env = slices.Clone(env)
	at := slices.IndexFunc(env, func(v string) bool { return strings.HasPrefix(v, "PATH=") })
	if at < 0 {
		env, at = append(env, "PATH="), len(env)
	}
	have := filepath.SplitList(strings.TrimPrefix(env[at], "PATH="))
	for _, d := range debian.Path {
		if !slices.Contains(have, d) {
			have = append(have, d)
		}
	}
	env[at] = "PATH=" + strings.Join(have, ":")
	return env
}

// boot runs the kernel until it is off, with all its processes gone and all its output written.
func (k *Kit) boot(ctx context.Context, folder, memory string, c Command, console *tail) error {
	var theirs, ours []*os.File // ends of the lines; the kernel has its own from descriptor 3 on
	defer func() {
		for _, f := range slices.Concat(theirs, ours) {
			_ = f.Close()
		}
	}()
	pipe := func() (r, w *os.File, err error) {
		if r, w, err = os.Pipe(); err != nil {
			return nil, nil, fmt.Errorf("make a line: %w", err)
		}
		return r, w, nil
	}
	var copies sync.WaitGroup
	args := []string{
		"mem=" + strconv.Itoa(c.Memory) + "M", "rootfstype=hostfs", "rootflags=/", "ro",
		`init="` + filepath.Join(folder, initLink) + `"`, folderVar + `="` + folder + `"`,
		"umid=guest", "uml_dir=" + filepath.Join(folder, umlFolder) + "/",
		// Measuring the fastest of several RAID routines costs more than all the rest of the boot.
		"initcall_blacklist=raid6_select_algo,calibrate_xor_blocks",
		// The host's /dev stays in sight until init has read its folder, which may lie there.
		"devtmpfs.mount=0",
		"quiet", "pty.legacy_count=0", "con=null", "con0=null,fd:1", "ssl=null",
	}
	// A line carries the guest's output, or nothing.
	for i, w := range []io.Writer{c.Stdout, c.Stderr} {
		if i == 1 && c.Stdout == c.Stderr {
			break
		}
		if w == nil {
			w = io.Discard
		}
		r, their, err := pipe()
		if err != nil {
			return err
		}
		ours, theirs = append(ours, r), append(theirs, their)
		args = append(args, fmt.Sprintf("ssl%d=null,fd:%d", i, 2+len(theirs)))
		copies.Go(func() { copyAll(w, r) })
	}
	if c.Stream != nil {
		fromGuest, theirOut, err := pipe()
		if err != nil {
			return err
		}
		ours, theirs = append(ours, fromGuest), append(theirs, theirOut)
		theirIn, toGuest, err := pipe()
		if err != nil {
			return err
		}
		ours, theirs = append(ours, toGuest), append(theirs, theirIn)
		args = append(args, fmt.Sprintf("ssl2=fd:%d,fd:%d", 2+len(theirs), 1+len(theirs)))
		copies.Go(func() { carryStream(c.Stream, fromGuest, toGuest) })
	}

	theirLife, life, err := pipe()
	if err != nil {
		return err
	}
	defer life.Close()
	defer theirLife.Close()
	keeper, err := os.Readlink(filepath.Join(folder, initLink))
	if err != nil {
		return err
	}
	cmd := exec.Command(keeper)
	cmd.Args = slices.Concat([]string{keeperName, folder, strconv.Itoa(len(theirs)), k.Kernel}, args)
	cmd.Env = []string{"TMPDIR=" + memory, "HOME=" + folder, "PATH=" + os.Getenv("PATH"), "TERM=dumb"}
	cmd.ExtraFiles = slices.Concat([]*os.File{theirLife}, theirs)
	cmd.Stdout, cmd.Stderr = console, console
	// Out of reach of the terminal's signals: the caller decides what they mean.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	for _, f := range theirs {
		_ = f.Close()
	}
	defer context.AfterFunc(ctx, func() { _ = life.Close() })()
	_ = cmd.Wait() // how the guest ended is in its report
	// The lines have ended with the guest; what is in them is still to be written, for as long as somebody waits for it.
	done := make(chan struct{})
	go func() { copies.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		select {
		case <-done:
		case <-time.After(time.Second):
		}
	}
	return context.Cause(ctx)
}

// copyAll goes on reading when nobody wants to read any more: the guest's program is not to be held up by that.
func copyAll(w io.Writer, r io.Reader) {
	if _, err := io.Copy(w, r); err != nil {
		_, _ = io.Copy(io.Discard, r)
	}
}

// carryStream copies between the caller's stream and the guest's line until the guest has ended.
func carryStream(stream io.ReadWriteCloser, fromGuest io.Reader, toGuest io.Writer) {
	first := make([]byte, 1)
	if _, err := io.ReadFull(fromGuest, first); err != nil || first[0] != ready {
		return
	}
	s := newSide(fromGuest, toGuest, toGuestMax)
	go func() { _ = s.send(stream) }() // ends when the caller has closed the stream or Run has
	_ = s.receive(stream, func() {})
	_, _ = io.Copy(io.Discard, fromGuest)
}

// tail keeps the end of what is written to it.
type tail struct {
	max  int
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if over := len(t.text) - t.max; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	return string(bytes.TrimSpace(bytes.ReplaceAll(t.text, []byte("\r\n"), []byte("\n"))))
}
