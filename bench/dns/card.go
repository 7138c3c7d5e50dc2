package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// cards are two network namespaces, one for all servers and one for who asks
// them, with a cable between them for each server: programs of XDP, of which an
// interface has one, must not be in each other's way. This thread is among those who ask.
//
// What a card does when a packet comes, and the stack behind it, has a thread of
// the kernel's (Documentation/networking/napi.rst, threaded). That of the
// server's end is on its processor and on its account, that of the other end is not: as if
// these were two machines.
type cards struct{ home, servers, askers int } // descriptors of namespaces

// threadOf begins the name of a card's threads, cut to what the kernel shows.
func threadOf(card string) string { return "napi/" + card + "-" }

// errNoCards is returned where there can be none.
var errNoCards = errors.New("virtual network cards and programs of XDP take root")

func newCards() (*cards, error) {
	if os.Geteuid() != 0 {
		return nil, errNoCards
	}
	c := &cards{home: -1, servers: -1, askers: -1}
	var err error
	here := func() int {
		fd := -1
		if err == nil {
			fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
		return fd
	}
	fresh := func() {
		if err == nil {
			err = unix.Unshare(unix.CLONE_NEWNET)
		}
		if err == nil {
			err = command("ip", "link", "set", "lo", "up")
		}
	}
	c.home = here()
	fresh()
	c.servers = here()
	fresh()
	c.askers = here()
	if err != nil {
		c.close()
		return nil, fmt.Errorf("make network namespaces: %w", err)
	}
	return c, nil
}

// close takes the thread home; the namespaces end with their last process.
func (c *cards) close() {
	if c.home >= 0 {
		_ = unix.Setns(c.home, unix.CLONE_NEWNET)
	}
	for _, fd := range []int{c.home, c.servers, c.askers} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// enter takes the thread to the servers or back. Without cards there is nowhere to go.
func (c *cards) enter(servers bool) error {
	switch {
	case c == nil:
		return nil
	case servers:
		return unix.Setns(c.servers, unix.CLONE_NEWNET)
	}
	return unix.Setns(c.askers, unix.CLONE_NEWNET)
}

// add makes the card of server n, whose address is 10.53.n.1, and returns its
// name. Askers are at 10.54.n.0/24 and at 10.53.n.2.
func (c *cards) add(n int) (string, error) {
	theirs, ours := fmt.Sprintf("s%d", n), fmt.Sprintf("g%d", n)
	both := func(commands ...string) error {
		for _, line := range commands {
			if err := command("ip", strings.Fields(line)...); err != nil {
				return err
			}
		}
		return nil
	}
	err := both(
		fmt.Sprintf("link add %s type veth peer name %s netns /proc/%d/fd/%d", ours, theirs, os.Getpid(), c.servers),
		fmt.Sprintf("address add 10.53.%d.2/24 dev %s", n, ours),
		fmt.Sprintf("link set %s up", ours),
		fmt.Sprintf("route add local 10.54.%d.0/24 dev lo", n),
	)
	if err == nil {
		err = threaded(ours)
	}
	if err == nil {
		err = c.enter(true)
	}
	if err == nil {
		err = both(
			fmt.Sprintf("address add 10.53.%d.1/24 dev %s", n, theirs),
			fmt.Sprintf("link set %s up", theirs),
			fmt.Sprintf("route add 10.54.%d.0/24 via 10.53.%d.2", n, n),
		)
	}
	if err == nil {
		err = threaded(theirs)
	}
	return theirs, errors.Join(err, c.enter(false))
}

// threaded makes a card's packets the work of a thread of its own. That takes the
// same means as bundling packets, which none of those here are: they are of many askers.
func threaded(card string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// ETHTOOL_SGRO and struct ethtool_value of linux/ethtool.h, struct ifreq of linux/if.h.
	value := struct{ cmd, data uint32 }{0x2c, 1}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(request.name[:unix.IFNAMSIZ-1], card)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return fmt.Errorf("%s: turn gro on: %w", card, errno)
	}
	// The /sys of this namespace is nowhere mounted.
	return command("unshare", "--mount", "sh", "-c", "mount -t sysfs none /sys && echo 1 >/sys/class/net/"+card+"/threaded")
}

// settle puts the threads of server n's card, which may be new, where they belong.
func (c *cards) settle(n int, cores [2]int) error {
	if c == nil {
		return nil
	}
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return err
	}
	for i, card := range []string{fmt.Sprintf("s%d", n), fmt.Sprintf("g%d", n)} {
		found := false
		for _, file := range names {
			name, err := os.ReadFile(file)
			if err != nil || !strings.HasPrefix(string(name), threadOf(card)) {
				continue
			}
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if err != nil {
				return err
			}
			var set unix.CPUSet
			set.Set(cores[i])
			if err := unix.SchedSetaffinity(pid, &set); err != nil {
				return fmt.Errorf("%s: %w", card, err)
			}
			found = true
		}
		if !found {
			return fmt.Errorf("%s has no thread for what comes", card)
		}
	}
	return nil
}

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
