package probe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
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
	if len(p.Check.Command) == 0 || !filepath.IsAbs(p.Check.Command[0]) {
		return errors.New("a program must be given by its absolute path")
	}
	select {
	case programs <- struct{}{}:
		defer func() { <-programs }()
	case <-ctx.Done():
		return told{fmt.Errorf("not run within %v: %d programs of other checks are running", p.Check.Timeout, maxPrograms)}
	}
	as, err := account(p.Check.User, p.Check.Group)
	if err != nil {
		return err
	}
	var out output
	cmd := exec.CommandContext(ctx, p.Check.Command[0], p.Check.Command[1:]...)
	cmd.Dir = "/"
	vip := ""
	if p.Target.Via.IsValid() {
		vip = p.Target.Addr.Addr().String()
	}
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"),
		"GSLB_CHECK_ADDR=" + destination(p).String(),
		"GSLB_CHECK_PORT=" + strconv.Itoa(int(p.Target.Addr.Port())),
		"GSLB_CHECK_VIP=" + vip,
	}, p.Check.Environment...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
	// What has left the program's own group is out of reach; the rest is ended.
	end := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = end
	cmd.WaitDelay = 100 * time.Millisecond // for one that has left the group and holds the output
	if err = start(cmd); err == nil {
		// While nobody has waited for it its number, and so its group's, is nobody else's.
		_ = unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		_ = end() // what it has left behind
		err = cmd.Wait()
	}
	var exit *exec.ExitError
	var path *fs.PathError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit):
		return fmt.Errorf("%w%s", exit, out.last())
	case errors.As(err, &path) && errors.Is(err, syscall.EPERM) && as != nil:
		return fmt.Errorf("run %s as user %d, group %d: %w", p.Check.Command[0], as.Uid, as.Gid, path.Err)
	case errors.As(err, &path):
		return fmt.Errorf("run %s: %w", p.Check.Command[0], path.Err)
	}
	return err
}

// start starts a program that can gain no privilege: not by a set-user-ID file
// (no_new_privs), and none that this process has is handed down (ambient
// capabilities). Both are settings of a thread, which ends with them.
func start(cmd *exec.Cmd) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is of no further use
		err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		if err == nil {
			err = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
		}
		if err != nil {
			done <- fmt.Errorf("give up privileges: %w", err)
			return
		}
		done <- cmd.Start()
	}()
	return <-done
}

// account is who a program runs as: user and group by name or number, nobody
// where none is given and this process is root; nil for who this process is.
func account(userName, groupName string) (*syscall.Credential, error) {
	root := os.Geteuid() == 0
	if userName == "" && groupName == "" && !root {
		return nil, nil
	}
	as := &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: !root}
	if !root {
		as.Uid, as.Gid = uint32(os.Geteuid()), uint32(os.Getegid())
	}
	if userName != "" {
		number, err := strconv.ParseUint(userName, 10, 32)
		as.Uid, as.Gid = uint32(number), uint32(number)
		if u, lookup := lookUp(userName, err == nil); lookup == nil {
			uid, _ := strconv.ParseUint(u.Uid, 10, 32)
			gid, _ := strconv.ParseUint(u.Gid, 10, 32)
			as.Uid, as.Gid = uint32(uid), uint32(gid)
		} else if err != nil {
			return nil, fmt.Errorf("this machine has no user %s", userName)
		}
	}
	if groupName != "" {
		number, err := strconv.ParseUint(groupName, 10, 32)
		if err != nil {
			g, err := user.LookupGroup(groupName)
			if err != nil {
				return nil, fmt.Errorf("this machine has no group %s", groupName)
			}
			number, _ = strconv.ParseUint(g.Gid, 10, 32)
		}
		as.Gid = uint32(number)
	}
	return as, nil
}

func lookUp(name string, number bool) (*user.User, error) {
	if number {
		return user.LookupId(name)
	}
	return user.Lookup(name)
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
