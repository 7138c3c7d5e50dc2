package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gslb/lab/debian"
)

// A server is a process that answers.
type server struct {
	label string
	addr  *net.UDPAddr
	// askers is the network that queries come from where each has an asker of its own.
	askers [3]byte
	core   int    // that all of it is on
	number int    // of the card
	card   string // "": on loopback
	cmd    *exec.Cmd
	log    string
	ended  chan struct{} // closed when it has
}

// twoCores chooses a processor for servers and one for the generator.
func twoCores() ([2]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return [2]int{}, err
	}
	var cores []int
	for i := 0; len(cores) < set.Count(); i++ {
		if set.IsSet(i) {
			cores = append(cores, i)
		}
	}
	if len(cores) < 2 {
		return [2]int{}, errors.New("measuring takes two processors: one for the server, one for the queries")
	}
	return [2]int{cores[0], cores[len(cores)-1]}, nil
}

// pin makes this thread, and what is started from it, run on one processor.
func pin(core int) error {
	var set unix.CPUSet
	set.Set(core)
	return unix.SchedSetaffinity(0, &set)
}

// start runs a contestant on a processor: on a port of its own, or on a card.
func (b *bench) start(ctx context.Context, c contestant, number int, folder string) (*server, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	s := &server{label: c.label, askers: [3]byte{127, 0, 1}, core: b.cores[0], number: number, log: filepath.Join(folder, "log"), ended: make(chan struct{})}
	if b.cards != nil {
		var err error
		if s.card, err = b.cards.add(number); err != nil {
			return nil, err
		}
		s.addr, s.askers = &net.UDPAddr{IP: net.IPv4(10, 53, byte(number), 1), Port: 5300}, [3]byte{10, 54, byte(number)}
	} else {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		s.addr = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
	}
	args, err := b.configure(c, folder, s.addr.AddrPort(), s.card)
	if err != nil {
		return nil, err
	}
	if s.label == "" {
		s.label = c.server
	}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = folder, log, log
	s.cmd.Env = os.Environ()
	if b.root != "" {
		s.cmd.Env = append(s.cmd.Env, "LD_LIBRARY_PATH="+filepath.Join(b.root, "usr/lib/x86_64-linux-gnu"))
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := pin(b.cores[0]); err != nil {
		return nil, err
	}
	if err = b.cards.enter(true); err == nil {
		err = s.cmd.Start()
	}
	if err := errors.Join(err, b.cards.enter(false), pin(b.cores[1])); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.label, err)
	}
	go func() {
		_ = s.cmd.Wait() // its state says how it ended
		close(s.ended)
	}()
	return s, nil
}

// stop ends the server and what it has started.
func (s *server) stop() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(3 * time.Second):
	}
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
}

// wait waits until the server answers.
func (s *server) wait(ctx context.Context, q query) error {
	deadline := time.Now().Add(3 * time.Minute)
	for {
		err := s.ask(q, nil)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ended:
			log, _ := os.ReadFile(s.log)
			return fmt.Errorf("%s has ended (%v): %s", s.label, s.cmd.ProcessState, last(log))
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(s.log)
			return fmt.Errorf("%s does not answer: %w: %s", s.label, err, last(log))
		}
	}
}

func last(log []byte) string {
	log = bytes.TrimSpace(log)
	return string(log[max(0, len(log)-800):])
}

// cpu is the time that the server's processes have worked so far, with the
// kernel's threads for their card and for what their processor was spared.
func (s *server) cpu() (time.Duration, error) {
	helpers := []string{fmt.Sprintf("(ksoftirqd/%d)", s.core)}
	if s.card != "" {
		helpers = append(helpers, "("+threadOf(s.card))
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	var worked time.Duration
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // ended meanwhile
		}
		// proc(5): the name, in parentheses, may contain anything; pgrp is field 5.
		f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(f) < 3 || f[2] != strconv.Itoa(s.cmd.Process.Pid) && !slices.ContainsFunc(helpers, func(h string) bool { return bytes.Contains(stat, []byte(h)) }) {
			continue
		}
		threads, err := filepath.Glob(filepath.Join("/proc", e.Name(), "task/*/schedstat"))
		if err != nil {
			return 0, err
		}
		for _, t := range threads {
			// Documentation/scheduler/sched-stats.rst: nanoseconds on a processor come first.
			text, err := os.ReadFile(t)
			if err != nil {
				continue
			}
			var ns int64
			if _, err := fmt.Sscan(string(text), &ns); err != nil {
				return 0, fmt.Errorf("%s: %w", t, err)
			}
			worked += time.Duration(ns)
		}
	}
	return worked, nil
}

// freePort is a port that was free for UDP and TCP a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		return 0, err
	}
	return port, u.Close()
}

// configure writes what a server reads and returns its command line. All have
// one worker and no limit on the rate of replies; else their defaults stay.
func (b *bench) configure(c contestant, folder string, addr netip.AddrPort, card string) ([]string, error) {
	ip, port := addr.Addr().Unmap(), addr.Port()
	files := map[string]string{}
	in := func(name string) string { return filepath.Join(folder, name) }
	find := func(name string) string {
		if f := debian.Find("/", name); f != "" {
			return f
		}
		return debian.Find(b.root, name)
	}
	var args []string
	switch c.server {
	case "nsd":
		files["zone"] = c.world.zone("")
		files["nsd.conf"] = fmt.Sprintf(`server:
  ip-address: %s@%d
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: %q
  database: ""
  pidfile: %q
  xfrdfile: %q
  zonelistfile: %q
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: example.org
  zonefile: zone
`, ip, port, folder, in("pid"), in("xfrd"), in("zonelist"))
		args = []string{find("nsd"), "-d", "-c", in("nsd.conf")}
	case "knot":
		files["zone"] = c.world.zone("")
		files["knot.conf"] = fmt.Sprintf(`server:
    rundir: %q
    listen: %s@%d
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: %q
log:
  - target: stderr
    any: warning
zone:
  - domain: example.org
    storage: %q
    file: zone
    zonefile-sync: -1
    journal-content: none
`, folder, ip, port, in("db"), folder)
		if c.xdp {
			files["knot.conf"] += fmt.Sprintf("xdp:\n    listen: %s@%d\n", card, port)
		}
		args = []string{find("knotd"), "-c", in("knot.conf")}
	case "gdnsd":
		plugins, lines := c.world.gdnsd()
		files["zones/example.org"] = c.world.zone(lines)
		files["config"] = fmt.Sprintf(`options => {
  listen => %s:%d
  udp_threads => 1
  tcp_threads => 1
  run_dir => %s
  state_dir => %s
}
%s`, ip, port, in("run"), in("state"), plugins)
		args = []string{find("gdnsd"), "-c", folder, "start"}
	case "coredns":
		files["zone"] = c.world.zone("")
		files["Corefile"] = fmt.Sprintf("example.org:%d {\n  bind %s\n  file %s\n}\n", port, ip, in("zone"))
		args = []string{b.coredns, "-conf", in("Corefile"), "-quiet"}
	case "gslb":
		if c.world.file() {
			files["world.zone"] = c.world.zone("")
		}
		files["world.hcl"] = c.world.topology(in("world.zone"))
		args = []string{b.gslb, "serve", in("world.hcl"), "--listen", netip.AddrPortFrom(ip, port).String(), "--rate-limit", "0"}
		if c.xdp {
			args = append(args, "--xdp", card)
		}
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(in(name)), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(in(name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return args, nil
}
