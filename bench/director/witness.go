package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A witness asks the kernel for single facts of its table, by the interface
// that was there before netlink's (getsockopt; linux/ip_vs.h): it takes
// microseconds, whereas all of /proc/net/ip_vs takes a quarter of a second at
// the size measured here, on the one processor of a guest.
type witness struct{ fd int }

// Commands of that interface.
const (
	getInfo    = 64 + 1024 + 64 + 1
	getService = getInfo + 2
	getDests   = getInfo + 3
)

// A sockService is struct ip_vs_service_entry.
type sockService struct {
	protocol uint16
	_        [2]byte
	addr     [4]byte
	port     [2]byte
	_        [2]byte
	mark     uint32
	_        [16]byte // scheduler
	_        [3]uint32
	dests    uint32
	_        [7]uint64 // counters
}

// A sockDest is struct ip_vs_dest_entry.
type sockDest struct {
	addr   [4]byte
	port   [2]byte
	_      [2]byte
	_      uint32
	weight int32
	_      [5]uint32
	_      [7]uint64 // counters
}

// A sockDests is struct ip_vs_get_dests, for as many as a scene may have.
type sockDests struct {
	protocol uint16
	_        [2]byte
	addr     [4]byte
	port     [2]byte
	_        [2]byte
	mark     uint32
	number   uint32
	_        uint32
	all      [maxDestinations]sockDest
}

func openWitness() (witness, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	return witness{fd}, err
}

// ask leaves what is at p as it was when the kernel has no such service.
func (w witness) ask(command int, p unsafe.Pointer, size uintptr) error {
	length := uint32(size)
	_, _, no := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(w.fd), unix.IPPROTO_IP, uintptr(command), uintptr(p), uintptr(unsafe.Pointer(&length)), 0)
	if no != 0 && no != unix.ESRCH {
		return fmt.Errorf("ask the kernel for its table: %w", no)
	}
	return nil
}

// services is how many virtual services there are.
func (w witness) services() (int, error) {
	var info struct{ version, connections, services uint32 }
	err := w.ask(getInfo, unsafe.Pointer(&info), unsafe.Sizeof(info))
	return int(info.services), err
}

// port is a service's and its destinations'.
const port = 53

func portBytes() (b [2]byte) {
	binary.BigEndian.PutUint16(b[:], port)
	return b
}

// destinations is how many destinations a service has.
func (w witness) destinations(vip netip.Addr) (int, error) {
	s := sockService{protocol: unix.IPPROTO_UDP, addr: vip.As4(), port: portBytes()}
	err := w.ask(getService, unsafe.Pointer(&s), unsafe.Sizeof(s))
	return int(s.dests), err
}

// weight is the weight of a destination, -1 if there is none.
func (w witness) weight(vip, server netip.Addr) (int, error) {
	number, err := w.destinations(vip)
	if err != nil {
		return 0, err
	}
	d := sockDests{protocol: unix.IPPROTO_UDP, addr: vip.As4(), port: portBytes(), number: uint32(number)}
	size := unsafe.Offsetof(d.all) + uintptr(number)*unsafe.Sizeof(d.all[0])
	if err := w.ask(getDests, unsafe.Pointer(&d), size); err != nil {
		return 0, err
	}
	for _, one := range d.all[:number] {
		if one.addr == server.As4() {
			return int(one.weight), nil
		}
	}
	return -1, nil
}

// whole reads /proc/net/ip_vs and says what of the scene is not in it.
func (j job) whole(v variant) error {
	f, err := os.Open("/proc/net/ip_vs")
	if err != nil {
		return err
	}
	defer f.Close()
	have := map[string]bool{} // "VIP server weight", in the kernel's hexadecimal
	current := ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		w := strings.Fields(lines.Text())
		switch {
		case len(w) >= 2 && w[0] == "UDP":
			current = w[1]
		case len(w) >= 4 && w[0] == "->" && current != "": // not the heading
			have[current+" "+w[1]+" "+w[3]] = true
		}
	}
	for i := range j.Scene.Services {
		for k := range j.Scene.Destinations {
			line := fmt.Sprintf("%s %s %d", hex(vip(i)), hex(server(i, k)), v.weight(i, k))
			if !have[line] {
				return fmt.Errorf("/proc/net/ip_vs lacks service %s -> %s weight %d", vip(i), server(i, k), v.weight(i, k))
			}
			delete(have, line)
		}
	}
	if len(have) > 0 {
		return fmt.Errorf("/proc/net/ip_vs has %d destinations too many", len(have))
	}
	return nil
}

func hex(a netip.Addr) string { return fmt.Sprintf("%X:%04X", a.As4(), port) }
