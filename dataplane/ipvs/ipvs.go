// Package ipvs is the plane of the Linux kernel: IP Virtual Server, spoken to
// by generic netlink in the network namespace of the process. It has a codec
// of its own, because moby/ipvs sends neither the family nor the tunnel of a
// destination, waits for the kernel's verdict on every single change and for
// ever when there is none; what it does well, the tests hold ours against.
package ipvs

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"gslb/tiers"
)

// ErrNoIPVS says that the kernel has no IPVS.
var ErrNoIPVS = errors.New("the kernel has no IPVS")

// errLoadIPVS is [ErrNoIPVS] for somebody who can do something about it.
var errLoadIPVS = fmt.Errorf("%w: load its module (modprobe ip_vs), or boot a kernel with CONFIG_IP_VS", ErrNoIPVS)

// A Plane is the kernel's table. It belongs to one goroutine.
type Plane struct {
	conn   *conn
	family uint16
	memory memory
}

// Open connects to the kernel's IPVS, [ErrNoIPVS] when it has none. The caller
// closes the plane.
func Open() (*Plane, error) {
	p := &Plane{}
	if err := p.dial(); err != nil {
		return nil, err
	}
	// The controller tells any user of the family; changing the table takes root.
	if _, err := p.Info(); err != nil {
		_ = p.conn.close()
		if errors.Is(err, unix.EPERM) {
			return nil, fmt.Errorf("read the kernel's table: not permitted to user %d: CAP_NET_ADMIN is needed", os.Getuid())
		}
		return nil, fmt.Errorf("read the kernel's table: %w", err)
	}
	return p, nil
}

// dial connects, and looks the family up.
func (p *Plane) dial() error {
	c, err := dial()
	if err != nil {
		return err
	}
	p.family = 0
	var name attrs
	name.text(unix.CTRL_ATTR_FAMILY_NAME, "IPVS")
	lookup := message{
		family: unix.GENL_ID_CTRL, command: unix.CTRL_CMD_GETFAMILY, version: 1, payload: name,
	}
	err = c.dump(lookup, func(payload []byte) error {
		f, err := parse(payload)
		p.family = f.u16(unix.CTRL_ATTR_FAMILY_ID)
		return err
	})
	if err != nil || p.family == 0 {
		_ = c.close()
		if err == nil || errors.Is(err, unix.ENOENT) {
			return errLoadIPVS
		}
		return fmt.Errorf("look up IPVS: %w", err)
	}
	p.conn = c
	return nil
}

// Close ends the connection to the kernel; the table stays.
func (p *Plane) Close() error { return p.conn.close() }

// ready connects anew after the connection has failed: what was under way on
// the old one is not waited for.
func (p *Plane) ready() error {
	if !p.conn.failed {
		return nil
	}
	_ = p.conn.close()
	return p.dial()
}

// request sends one request and calls f with the attributes of each answer.
func (p *Plane) request(command uint8, flags uint16, payload []byte, f func(*fields) error) error {
	if err := p.ready(); err != nil {
		return err
	}
	m := message{family: p.family, flags: flags, command: command, version: 1, payload: payload}
	return p.conn.dump(m, func(data []byte) error {
		answer, err := parse(data)
		if err != nil {
			return err
		}
		return f(&answer)
	})
}

// Apply makes the changes of the plan.
func (p *Plane) Apply(ctx context.Context, plan tiers.Plan) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := p.ready(); err != nil {
		return err
	}
	var errs []error
	refused := map[int]bool{}
	notAdded := map[tiers.Key]bool{}
	err := p.conn.batch(p.family, len(plan), func(packet []byte, i int) ([]byte, uint8) {
		return appendChange(packet, &plan[i]), commands[plan[i].Op]
	}, func(i int, reason error) {
		c := &plan[i]
		refused[i] = true
		if notAdded[c.Service.Key] && gone(reason) {
			return // follows from the service's not being there, which has been said
		}
		notAdded[c.Service.Key] = c.Op == tiers.AddService
		errs = append(errs, fmt.Errorf("%s: %w", c, explain(c, reason)))
	})
	if err != nil {
		p.memory.forget() // what has become of the plan the next reading will tell
		return errors.Join(append(errs, fmt.Errorf("change the kernel's table: %w", err))...)
	}
	p.memory.add(plan, refused)
	return errors.Join(errs...)
}

// explain says in words what the kernel's number means for a change.
func explain(c *tiers.Change, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT) && (c.Op == tiers.AddService || c.Op == tiers.EditService):
		return fmt.Errorf("the kernel has no scheduler %q (module ip_vs_%s)", c.Service.Scheduler, c.Service.Scheduler)
	case errors.Is(err, unix.EPERM):
		return errors.New("not permitted: CAP_NET_ADMIN is needed")
	case errors.Is(err, unix.EEXIST):
		return errors.New("it is there already")
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.ENOENT):
		return errors.New("it is not there")
	}
	return err
}
