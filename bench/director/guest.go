package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gslb/lab/debian"
)

// guestFlag is how this program tells itself, carried into a guest, what to do.
const guestFlag = "--in-guest"

// A job is one start of a program with its reloads.
type job struct {
	Scene    scene
	Program  string
	Director string // path of ours
	Root     string // of Debian's packages, "" when they are installed
	Reloads  int
	Patience time.Duration // with any one thing that the program is to do
	Keep     string        // folder for what is to be kept, "" for none
}

// guest does the job and prints the figures.
func guest(text string, out, errs io.Writer) int {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		fmt.Fprintln(errs, err)
		return 1
	}
	r, err := j.measure()
	if err != nil {
		fmt.Fprintln(errs, err)
		return 1
	}
	if err := json.NewEncoder(out).Encode(r); err != nil {
		return 1
	}
	return 0
}

// folder is in the guest's memory: neither program reads its file from a disk.
const folder = "/run/bench"

func (j job) measure() (r Run, err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return r, err
	}
	if err := j.network(); err != nil {
		return r, err
	}
	if err := names(); err != nil {
		return r, err
	}
	w, err := openWitness()
	if err != nil {
		return r, err
	}
	file := filepath.Join(folder, "file")
	args := []string{j.Director, "run", file + ".hcl", "--node", "director.d", "--state", folder}
	write := j.Scene.topology
	if j.Program == "keepalived" {
		path := debian.Find("/", "keepalived")
		if path == "" {
			path = debian.Find(j.Root, "keepalived")
		}
		args = []string{path, "--dont-fork", "--log-console", "--no-syslog", "--check", "--use-file", file + ".conf",
			"--pid", folder + "/keepalived.pid", "--checkers_pid", folder + "/checkers.pid"}
		write = j.Scene.keepalived
		file += ".conf"
	} else {
		file += ".hcl"
	}
	// Both variants of the file lie ready; one takes the other's place by name.
	last := j.Scene.Services - 1
	variants := [][]byte{write(variant{-1}), write(variant{last / 2})}
	if err := os.WriteFile(file, variants[0], 0o644); err != nil {
		return r, err
	}
	p, err := start(args, j.Root, j.Patience)
	if err != nil {
		return r, err
	}
	defer func() {
		p.stop()
		if j.Keep != "" {
			err = errors.Join(err, j.leave(file))
		}
	}()

	var first time.Time
	complete := func() (bool, error) {
		if first.IsZero() {
			n, err := w.services()
			if err != nil || n == 0 {
				return false, err
			}
			first = time.Now()
		}
		n, err := w.destinations(vip(last))
		return n == j.Scene.Destinations, err
	}
	if err := p.until(complete); err != nil {
		return r, fmt.Errorf("wait for the whole table: %w", err)
	}
	done := time.Now()
	if err := j.whole(variant{-1}); err != nil {
		return r, err
	}
	r.Start, r.Program = done.Sub(p.started).Seconds(), done.Sub(first).Seconds()
	if r.Memory, err = p.memory(); err != nil {
		return r, err
	}

	for i := range j.Reloads {
		v := variant{-1}
		if i%2 == 0 {
			v.service = last / 2
		}
		want := v.weight(last/2, 0)
		if err := os.WriteFile(file+".new", variants[(i+1)%2], 0o644); err != nil {
			return r, err
		}
		time.Sleep(settle) // what the program does after the change before is not this one's
		begin := time.Now()
		if err := os.Rename(file+".new", file); err != nil {
			return r, err
		}
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			return r, err
		}
		if err := p.until(func() (bool, error) {
			have, err := w.weight(vip(last/2), server(last/2, 0))
			return have == want, err
		}); err != nil {
			return r, fmt.Errorf("wait for the changed weight: %w", err)
		}
		r.Reloads = append(r.Reloads, time.Since(begin).Seconds())
		if err := j.whole(v); err != nil {
			return r, err
		}
	}
	return r, nil
}

// settle is the wait before a weight is changed.
const settle = time.Second

// network makes the director's two addresses and the VIPs. keepalived gives a
// host no VIPs without VRRP, so neither has to here: they are there.
func (j job) network() error {
	var b strings.Builder
	fmt.Fprintf(&b, "link add lan0 type dummy\nlink set lan0 up\naddr add %s/15 dev lan0\naddr add %s/8 dev lan0\n", own, inside)
	for i := range j.Scene.Services {
		fmt.Fprintf(&b, "addr add %s/32 dev lan0\n", vip(i))
	}
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(b.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the network: %w: %s", err, out)
	}
	return nil
}

// names lets the guest's own name be found without asking anybody: keepalived
// looks it up when it starts, and would wait ten seconds for a resolver that
// the guest has no way to.
func names() error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile("/etc/hosts", []byte("127.0.0.1 localhost "+name+"\n"), 0o644),
		os.WriteFile("/etc/resolv.conf", nil, 0o644),
	)
}

// leave copies what a run has read and said out of the guest.
func (j job) leave(file string) error {
	for _, name := range []string{file, logFile} {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(j.Keep, filepath.Base(name)), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

const logFile = folder + "/log"

// A process is the program that is measured.
type process struct {
	cmd      *exec.Cmd
	started  time.Time
	ended    chan struct{} // closed when it has
	patience time.Duration // with any one thing that it is to do
}

func start(args []string, root string, patience time.Duration) (*process, error) {
	log, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{cmd: exec.Command(args[0], args[1:]...), ended: make(chan struct{}), patience: patience}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = folder, log, log
	p.cmd.Env = os.Environ()
	if root != "" {
		p.cmd.Env = append(p.cmd.Env, "LD_LIBRARY_PATH="+filepath.Join(root, "usr/lib/x86_64-linux-gnu"))
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // its state says how it ended
		close(p.ended)
	}()
	return p, nil
}

// until asks until f says yes: again after a fiftieth of the time it has waited
// so far, because the guest has one processor, and to ask costs the program some of it.
func (p *process) until(f func() (bool, error)) error {
	for begin := time.Now(); ; {
		ok, err := f()
		if ok || err != nil {
			return err
		}
		if time.Since(begin) > p.patience {
			return fmt.Errorf("not within %v; %s says: %s", p.patience, p.cmd.Path, said())
		}
		select {
		case <-p.ended:
			hint := ""
			if p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
				hint = "; user-mode Linux kills a process that has more pieces of memory than the vm.max_map_count of the machine"
			}
			return fmt.Errorf("%s has ended (%v%s): %s", p.cmd.Path, p.cmd.ProcessState, hint, said())
		case <-time.After(min(max(time.Since(begin)/50, time.Millisecond), 5*time.Millisecond)):
		}
	}
}

// said is the end of what the program has said.
func said() []byte {
	log, _ := os.ReadFile(logFile)
	log = bytes.TrimSpace(log)
	return log[max(0, len(log)-800):]
}

func (p *process) stop() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

// memory is the most memory the program, without its children, has had, in MB.
func (p *process) memory() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kb); n == 1 {
			return kb / 1024, nil
		}
	}
	return 0, errors.New("the kernel does not say how much memory a process has had")
}
