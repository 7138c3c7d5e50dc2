package main

import (
	"cmp"
	"time"

	"gslb/dataplane/ipvs"
	"gslb/topology"
)

// A settling is what is to be done about the kernel's time-outs.
type settling struct {
	set ipvs.Timeouts // 0: stays
	// before is what those were that are not as they were found: to be written
	// down ahead of the change, and after it what is still to be put back.
	before, after ipvs.Timeouts
}

// settle works out how the kernel's time-outs become what the file wants. Those
// that it does not name any more become what they were before. What is 0 is not
// named, or was never touched.
func settle(want topology.Timeouts, have, before ipvs.Timeouts) settling {
	var s settling
	one := func(want, have, was time.Duration, set, before, after *time.Duration) {
		if want == 0 && was == 0 {
			return
		}
		*before = cmp.Or(was, have)
		if want != 0 {
			*after = *before
		}
		if target := cmp.Or(want, was); target != have {
			*set = target
		}
	}
	one(want.TCP, have.TCP, before.TCP, &s.set.TCP, &s.before.TCP, &s.after.TCP)
	one(want.TCPFin, have.TCPFin, before.TCPFin, &s.set.TCPFin, &s.before.TCPFin, &s.after.TCPFin)
	one(want.UDP, have.UDP, before.UDP, &s.set.UDP, &s.before.UDP, &s.after.UDP)
	return s
}

// A span is time-outs as JSON has them, in seconds.
type span struct {
	TCP    int64 `json:"tcp_seconds,omitempty"`
	TCPFin int64 `json:"tcp_fin_seconds,omitempty"`
	UDP    int64 `json:"udp_seconds,omitempty"`
}

func spanOf(t ipvs.Timeouts) span {
	return span{int64(t.TCP / time.Second), int64(t.TCPFin / time.Second), int64(t.UDP / time.Second)}
}

func (s span) timeouts() ipvs.Timeouts {
	return ipvs.Timeouts{TCP: time.Duration(s.TCP) * time.Second, TCPFin: time.Duration(s.TCPFin) * time.Second, UDP: time.Duration(s.UDP) * time.Second}
}

// changes are the time-outs that are set, as an operator reads them.
func changes(t ipvs.Timeouts) []string {
	var out []string
	for _, x := range []struct {
		name  string
		value time.Duration
	}{{"tcp", t.TCP}, {"tcp_fin", t.TCPFin}, {"udp", t.UDP}} {
		if x.value != 0 {
			out = append(out, "timeout "+x.name+" = "+x.value.String())
		}
	}
	return out
}

// settleTimeouts makes the kernel's time-outs what the file wants.
func (d *daemon) settleTimeouts(why reason) error {
	have, err := d.kernel.Timeouts()
	if err != nil {
		return err
	}
	d.timeouts = have
	s := settle(d.self.Timeouts, have, d.state.Timeouts.timeouts())
	if err := d.keep(d.state.settled(s.before)); err != nil {
		return err
	}
	if s.set != (ipvs.Timeouts{}) {
		if err := d.kernel.SetTimeouts(s.set); err != nil {
			return err
		}
		list := changes(s.set)
		for _, change := range list {
			d.log.Info("host", "change", change)
		}
		if why == drifted {
			d.drifted(list)
		}
		if d.timeouts, err = d.kernel.Timeouts(); err != nil {
			return err
		}
	}
	return d.keep(d.state.settled(s.after))
}
