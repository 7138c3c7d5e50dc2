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
}

// Open connects to the kernel's IPVS, [ErrNoIPVS] when it has none. The caller
// closes the plane.
func Open() (*Plane, error) {
	c, err := dial()
	if err != nil {
		return nil, err
	}
	p := &Plane{conn: c}
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
			return nil, errLoadIPVS
		}
		return nil, fmt.Errorf("look up IPVS: %w", err)
	}
	// The controller tells any user of the family; changing the table takes root.
	if err := p.request(cmdGetService, unix.NLM_F_DUMP, nil, func([]byte) error { return nil }); err != nil {
		_ = c.close()
		if errors.Is(err, unix.EPERM) {
			return nil, fmt.Errorf("read the kernel's table: not permitted to user %d: CAP_NET_ADMIN is needed", os.Getuid())
		}
		return nil, fmt.Errorf("read the kernel's table: %w", err)
	}
	return p, nil
}

// Close ends the connection to the kernel; the table stays.
func (p *Plane) Close() error { return p.conn.close() }

// tornReads is how often a table that changes while it is read is read again.
const tornReads = 5

// Table reads the kernel's table.
func (p *Plane) Table(ctx context.Context) (tiers.Table, error) {
	var t tiers.Table
	err := errTorn
	for try := 0; try < tornReads && errors.Is(err, errTorn); try++ {
		if ctx.Err() != nil {
			return tiers.Table{}, ctx.Err()
		}
		t, err = p.read(ctx)
	}
	if err != nil {
		return tiers.Table{}, fmt.Errorf("read the kernel's table: %w", err)
	}
	t.Sort()
	return t, nil
}

func (p *Plane) read(ctx context.Context) (tiers.Table, error) {
	var t tiers.Table
	err := p.request(cmdGetService, unix.NLM_F_DUMP, nil, func(data []byte) error {
		f, err := parse(data)
		if err != nil {
			return err
		}
		s, err := decodeService(f[attrService])
		t.Services = append(t.Services, s)
		return err
	})
	if err != nil {
		return t, err
	}
	for i := range t.Services {
		if ctx.Err() != nil {
			return t, ctx.Err()
		}
		s := &t.Services[i]
		var which attrs
		which.nest(attrService, encodeKey(s.Key))
		err := p.request(cmdGetDest, unix.NLM_F_DUMP, which, func(data []byte) error {
			f, err := parse(data)
			if err != nil {
				return err
			}
			d, err := decodeDestination(f[attrDest], s.Key.V6)
			s.Destinations = append(s.Destinations, d)
			return err
		})
		if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) {
			return t, errTorn // the service went between the two reads
		}
		if err != nil {
			return t, fmt.Errorf("destinations of %s: %w", s.Key, err)
		}
	}
	return t, nil
}

func (p *Plane) request(command uint8, flags uint16, payload []byte, f func([]byte) error) error {
	return p.conn.dump(message{family: p.family, flags: flags, command: command, version: 1, payload: payload}, f)
}

// Apply makes the changes of the plan.
func (p *Plane) Apply(ctx context.Context, plan tiers.Plan) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	messages := make([]message, len(plan))
	for i, c := range plan {
		messages[i] = message{family: p.family, command: commands[c.Op], version: 1, payload: encode(c)}
	}
	verdicts, err := p.conn.batch(messages)
	errs := []error{err}
	for i, verdict := range verdicts {
		if verdict != nil {
			errs = append(errs, fmt.Errorf("%s: %w", plan[i], explain(plan[i], verdict)))
		}
	}
	return errors.Join(errs...)
}

// explain says in words what the kernel's number means for a change.
func explain(c tiers.Change, err error) error {
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
