package ipvs

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// Commands and attributes of the sync daemon, from include/uapi/linux/ip_vs.h.
const (
	cmdNewDaemon = 9
	cmdDelDaemon = 10
	cmdGetDaemon = 11

	attrDaemon = 3

	daemonRole      = 1
	daemonInterface = 2
	daemonID        = 3
	daemonMaxLen    = 4
	daemonGroup     = 5
	daemonGroup6    = 6
	daemonPort      = 7
	daemonTTL       = 8
)

// A Role is one of the two parts of the kernel's sync daemon.
type Role uint8

// The parts; the numbers are the kernel's.
const (
	Sender   Role = 1 // "master": tells others of connections
	Receiver Role = 2 // "backup": takes in what others tell
)

func (r Role) String() string {
	if r == Sender {
		return "sender"
	}
	return "receiver"
}

// Where sync daemons speak to each other unless they are told otherwise. The
// IPv6 group is ours: the kernel has none of its own.
var (
	SyncGroup  = netip.MustParseAddr("224.0.0.81")
	SyncGroup6 = netip.MustParseAddr("ff12::81")
)

// SyncPort is the UDP port of the messages.
const SyncPort = 8848

// A Daemon is a part of the kernel's sync daemon in a namespace, which has at
// most one of each role.
type Daemon struct {
	Role      Role       `json:"role"`
	Interface string     `json:"interface"` // at most 15 bytes
	ID        uint8      `json:"id"`        // a receiver with 0 takes in all ids
	Group     netip.Addr `json:"group"`     // multicast
	Port      uint16     `json:"port"`
	TTL       uint8      `json:"ttl"`
	// MaxLen is the most bytes of a message; 0: what fits the interface's packets.
	// A receiver has 1024 at least.
	MaxLen uint16 `json:"max_len,omitempty"`
}

// String is the daemon as an operator reads it.
func (d Daemon) String() string {
	return fmt.Sprintf("sync %s id %d on %s, %s", d.Role, d.ID, d.Interface, netip.AddrPortFrom(d.Group, d.Port))
}

// is reports whether a daemon of the kernel is the one that is wanted.
func (d Daemon) is(want Daemon) bool {
	if want.MaxLen == 0 {
		want.MaxLen = d.MaxLen
	}
	return d == want
}

// Daemons asks for those that run, the sender first.
func (p *Plane) Daemons() ([]Daemon, error) {
	var out []Daemon
	err := p.request(cmdGetDaemon, unix.NLM_F_DUMP, nil, func(f *fields) error {
		d, err := decodeDaemon(f[attrDaemon])
		out = append(out, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the sync daemons: %w", err)
	}
	slices.SortFunc(out, func(a, b Daemon) int { return cmp.Compare(a.Role, b.Role) })
	return out, nil
}

// StartDaemon starts one; there must be none of the role.
func (p *Plane) StartDaemon(d Daemon) error {
	var a attrs
	start := a.nest(attrDaemon)
	encodeDaemon(&a, d)
	a.end(start)
	if err := p.request(cmdNewDaemon, 0, a, nothing); err != nil {
		return fmt.Errorf("start the %s: %w", d, explainDaemon(d, err))
	}
	return nil
}

// StopDaemon stops the one of a role; it is no error that there is none.
func (p *Plane) StopDaemon(r Role) error {
	if err := p.ready(); err != nil {
		return err
	}
	var which attrs
	start := which.nest(attrDaemon)
	which.u32(daemonRole, uint32(r))
	which.end(start)
	// Of a daemon that had no time yet to run once, kthread_stop says EINTR, which
	// netlink_rcv_skb takes for "no answer". It is stopped all the same, and what
	// is asked after it is answered.
	var refused error
	err := p.conn.batch(p.family, 2, func(packet []byte, i int) ([]byte, uint8) {
		if i == 0 {
			return append(packet, which...), cmdDelDaemon
		}
		return packet, cmdGetInfo
	}, func(_ int, err error) { refused = errors.Join(refused, err) })
	if err == nil && !errors.Is(refused, unix.ESRCH) {
		err = refused
	}
	if err != nil {
		return fmt.Errorf("stop the sync %s: %w", r, permitted(err))
	}
	return nil
}

// explainDaemon says in words why the kernel does not start a daemon
// (start_sync_thread in ip_vs_sync.c, ip_vs_genl_new_daemon in ip_vs_ctl.c).
func explainDaemon(d Daemon, err error) error {
	switch {
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("there is a %s already", d.Role)
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("there is no interface %s", d.Interface)
	case errors.Is(err, unix.EINVAL):
		return errors.New("the kernel refuses it: a service has destinations of the other family")
	}
	return permitted(err)
}

func encodeDaemon(a *attrs, d Daemon) {
	a.u32(daemonRole, uint32(d.Role))
	a.text(daemonInterface, d.Interface)
	a.u32(daemonID, uint32(d.ID))
	if d.MaxLen != 0 {
		a.u16(daemonMaxLen, d.MaxLen)
	}
	if d.Group.Is6() {
		a.addr(daemonGroup6, d.Group)
	} else {
		a.addr(daemonGroup, d.Group)
	}
	a.u16(daemonPort, d.Port) // in the host's order
	a.u8(daemonTTL, d.TTL)
}

func decodeDaemon(data []byte) (Daemon, error) {
	f, err := parse(data)
	if err != nil {
		return Daemon{}, fmt.Errorf("read a sync daemon: %w", err)
	}
	role := f.u32(daemonRole)
	if role != uint32(Sender) && role != uint32(Receiver) {
		return Daemon{}, fmt.Errorf("read a sync daemon: role %d", role)
	}
	d := Daemon{
		Role: Role(role), Interface: f.text(daemonInterface), ID: uint8(f.u32(daemonID)),
		MaxLen: f.u16(daemonMaxLen), Port: f.u16(daemonPort), TTL: f.u8(daemonTTL),
	}
	group, v6 := f[daemonGroup], false
	if group == nil {
		group, v6 = f[daemonGroup6], true
	}
	if group == nil { // a kernel before 4.3 has this one alone, and says nothing of it
		d.Group, d.Port, d.TTL = SyncGroup, SyncPort, 1
		return d, nil
	}
	if d.Group, err = decodeAddr(group, v6); err != nil {
		return Daemon{}, fmt.Errorf("read a sync daemon: %w", err)
	}
	return d, nil
}

// A DaemonPlan is what makes the daemons of a kernel what is wanted.
type DaemonPlan struct {
	Stop    []Role // first
	Start   []Daemon
	Foreign []Daemon // not as it is wanted, and not to be touched: somebody else started it
}

// PlanDaemons works it out. Ours are those that were started by us: others are
// left alone, and those that are as they are wanted stay, whoever started them.
func PlanDaemons(have, want, ours []Daemon) DaemonPlan {
	var p DaemonPlan
	role := func(list []Daemon, r Role) (Daemon, bool) {
		i := slices.IndexFunc(list, func(d Daemon) bool { return d.Role == r })
		if i < 0 {
			return Daemon{}, false
		}
		return list[i], true
	}
	for _, r := range []Role{Receiver, Sender} { // what is sent is taken in already
		is, runs := role(have, r)
		d, wanted := role(want, r)
		if runs && wanted && is.is(d) {
			continue
		}
		if runs {
			if mine := slices.ContainsFunc(ours, is.is); !mine {
				if wanted {
					p.Foreign = append(p.Foreign, is)
				}
				continue
			}
			p.Stop = append(p.Stop, r)
		}
		if wanted {
			p.Start = append(p.Start, d)
		}
	}
	return p
}
