package probe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// maxOutput bounds, in bytes, what of a program's output is kept.
	maxOutput = 4 << 10
	// maxPrograms bounds how many programs run at the same time.
	maxPrograms = 32
	// nobody is the user and group of the programs of a privileged process.
	nobody = 65534
)

var programs = make(chan struct{}, maxPrograms)

// execute runs the check's program: exit status 0 is alive. It gets the target
// in its environment, of the process's own only PATH, and no input. When its
// time is over it is killed with all that it has started in its process group.
func execute(ctx context.Context, p Probe) error {
	if err := straight(p); err != nil {
		return err
	}
	if len(p.Check.Command) == 0 || !filepath.IsAbs(p.Check.Command[0]) {
		return errors.New("a program must be given by its absolute path")
	}
	select {
	case programs <- struct{}{}:
		defer func() { <-programs }()
	case <-ctx.Done():
		return told{fmt.Errorf("not run within %v: %d programs of other checks are running", p.Check.Timeout, maxPrograms)}
	}
	var out output
	cmd := exec.CommandContext(ctx, p.Check.Command[0], p.Check.Command[1:]...)
	cmd.Dir = "/"
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"),
		"GSLB_CHECK_ADDR=" + p.Target.Addr.Addr().String(),
		"GSLB_CHECK_PORT=" + strconv.Itoa(int(p.Target.Addr.Port())),
	}, p.Check.Environment...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 100 * time.Millisecond // for one that has left the group and holds the output
	err := cmd.Run()
	var exit *exec.ExitError
	var path *fs.PathError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit):
		return fmt.Errorf("%v%s", exit, out.last())
	case errors.As(err, &path):
		return fmt.Errorf("run %s: %w", p.Check.Command[0], path.Err)
	}
	return err
}

// An output keeps the beginning of what a program writes and takes the rest in
// as well, so that the program is not held up.
type output struct{ kept []byte }

func (o *output) Write(b []byte) (int, error) {
	o.kept = append(o.kept, b[:min(len(b), maxOutput-len(o.kept))]...)
	return len(b), nil
}

// last is the output behind a colon, on one line.
func (o *output) last() string {
	text := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(string(o.kept), "?"), func(r rune) bool { return r < ' ' || r == 0x7f }), " / ")
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	return ": " + text
}
