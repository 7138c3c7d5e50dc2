package hostnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"gslb/tiers"
	"gslb/topology"
)

// Packets are marked by filters of traffic control (flower with skbedit) where
// they come in, before the firewall sees them: a firewall that is loaded anew
// does not take them away, and they need no program beside the kernel. Ours have
// preferences of their own, one for each family, which is all that tells them
// from those of others.
func markPreference(v6 bool) (preference, protocol uint16) {
	if v6 {
		return tiers.MarkPreference6, unix.ETH_P_IPV6
	}
	return tiers.MarkPreference4, unix.ETH_P_IP
}

// resolveMarks notes the devices that are to mark packets, and of which the
// hook is ours.
func (k *kernel) resolveMarks(marks []tiers.Mark, before Record, r *Record) error {
	var errs []error
	for _, m := range marks {
		device, err := k.device(m.Link)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if slices.Contains(r.Marked, device) {
			continue
		}
		r.Marked = append(r.Marked, device)
		hooked := false
		if link, err := netlink.LinkByName(device); err == nil { // a tunnel may still be to come
			hooked, err = hook(link)
			errs = append(errs, err)
		}
		if !hooked || slices.Contains(before.Hooks, device) {
			r.Hooks = append(r.Hooks, device)
		}
	}
	return dedupe(errs)
}

// hook reports whether a device has the hook for filters on packets that come in.
func hook(link netlink.Link) (bool, error) {
	list, err := netlink.QdiscList(link)
	if err != nil {
		return false, fmt.Errorf("list the queueing disciplines of %s: %w", link.Attrs().Name, err)
	}
	return slices.ContainsFunc(list, func(q netlink.Qdisc) bool { return q.Type() == "clsact" || q.Type() == "ingress" }), nil
}

// A rule is one filter of ours as it is compared.
type rule struct {
	vip  netip.Addr
	port topology.Port
	mark uint32
}

func (r rule) String() string { return fmt.Sprintf("mark 0x%x on %s %s", r.mark, r.vip, r.port) }

// mark makes a device mark what it has to, and nothing else of ours: what is
// new comes before what is old goes.
func (k *kernel) mark(device string, marks []tiers.Mark) {
	link, err := netlink.LinkByName(device)
	if err == nil && !k.dry {
		err = k.hook(link)
	}
	if err != nil && k.dry { // a device that would come
		for _, m := range marks {
			if m.Link.Name == device {
				k.did(nil, "%s, on %s", rule{m.VIP, m.Port, m.Mark}, device)
			}
		}
		return
	}
	if err != nil {
		k.did(err, "mark packets that come in by %s", device)
		return
	}
	for _, v6 := range []bool{false, true} {
		have, err := rules(link, v6)
		if err != nil {
			k.did(err, "mark packets that come in by %s", device)
			return
		}
		for _, m := range marks {
			if on, err := k.device(m.Link); err != nil || on != device || m.VIP.Is6() != v6 {
				continue
			}
			r := rule{m.VIP, m.Port, m.Mark}
			if _, there := have[r]; there {
				delete(have, r)
				continue
			}
			k.do(func() error { return netlink.FilterAdd(r.filter(link)) }, nil, "%s, on %s", r, device)
		}
		for r, filter := range have {
			k.do(func() error { return netlink.FilterDel(filter) }, nil, "no %s, on %s", r, device)
		}
	}
}

// hook gives a device the hook for filters.
func (k *kernel) hook(link netlink.Link) error {
	there, err := hook(link)
	if err != nil || there {
		return err
	}
	err = netlink.QdiscAdd(&netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT,
	}})
	if errors.Is(err, unix.ENOENT) {
		err = fmt.Errorf("%w (kernel module sch_ingress)", err)
	}
	return err
}

// filter marks the packets of a rule.
func (r rule) filter(link netlink.Link) *netlink.Flower {
	preference, protocol := markPreference(r.vip.Is6())
	proto := nl.IPPROTO_TCP
	if r.port.Proto == topology.UDP {
		proto = nl.IPPROTO_UDP
	}
	bits := r.vip.BitLen()
	action := netlink.NewSkbEditAction()
	action.Mark = &r.mark
	return &netlink.Flower{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: link.Attrs().Index, Parent: netlink.HANDLE_MIN_INGRESS, Priority: preference, Protocol: protocol,
		},
		EthType: protocol, DestIP: r.vip.AsSlice(), DestIPMask: net.CIDRMask(bits, bits), IPProto: &proto, DestPort: r.port.Number,
		Actions: []netlink.Action{action},
	}
}

// rules are the filters of ours that a device has for a family. What is at our
// preference and is no such rule is in it too, as one that nobody wants.
func rules(link netlink.Link, v6 bool) (map[rule]netlink.Filter, error) {
	preference, _ := markPreference(v6)
	list, err := netlink.FilterList(link, netlink.HANDLE_MIN_INGRESS)
	if err != nil {
		return nil, fmt.Errorf("list the filters of %s: %w", link.Attrs().Name, err)
	}
	out := map[rule]netlink.Filter{}
	for _, f := range list {
		if f.Attrs().Priority != preference {
			continue
		}
		r := rule{mark: f.Attrs().Handle} // tells apart what is strange
		if flower, ok := f.(*netlink.Flower); ok {
			if flower.IPProto == nil && len(flower.Actions) == 0 {
				continue // the empty frame of a preference
			}
			r = read(flower)
		}
		out[r] = f
	}
	return out, nil
}

// read is the rule that a filter is.
func read(f *netlink.Flower) rule {
	var r rule
	if addr, ok := netip.AddrFromSlice(f.DestIP); ok {
		r.vip = addr.Unmap()
	}
	r.port.Number = f.DestPort
	if f.IPProto != nil {
		r.port.Proto = topology.TCP
		if *f.IPProto == nl.IPPROTO_UDP {
			r.port.Proto = topology.UDP
		}
	}
	for _, a := range f.Actions {
		if edit, ok := a.(*netlink.SkbEditAction); ok && edit.Mark != nil {
			r.mark = *edit.Mark
		}
	}
	return r
}

// unmark takes the filters off devices that are to mark nothing any more, and
// the hooks that were ours and that nobody uses.
func (k *kernel) unmark(before, wanted Record, left *Record) {
	for _, device := range before.Marked {
		if slices.Contains(wanted.Marked, device) {
			continue
		}
		link, err := netlink.LinkByName(device)
		if err != nil {
			continue // went with its device
		}
		gone := true
		for _, v6 := range []bool{false, true} {
			have, err := rules(link, v6)
			if err != nil {
				gone = k.did(err, "mark nothing that comes in by %s", device)
			}
			for r, filter := range have {
				gone = k.do(func() error { return netlink.FilterDel(filter) }, nil, "no %s, on %s", r, device) && gone
			}
		}
		ours := slices.Contains(before.Hooks, device)
		if gone && ours {
			gone = k.unhook(link)
		}
		if !gone {
			left.Marked = append(left.Marked, device)
			if ours {
				left.Hooks = append(left.Hooks, device)
			}
		}
	}
}

// unhook takes away a hook of ours, unless somebody else uses it by now.
func (k *kernel) unhook(link netlink.Link) bool {
	for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
		list, err := netlink.FilterList(link, parent)
		if k.dry { // those of ours are still there
			list = slices.DeleteFunc(list, func(f netlink.Filter) bool {
				return f.Attrs().Priority == tiers.MarkPreference4 || f.Attrs().Priority == tiers.MarkPreference6
			})
		}
		if err == nil && len(list) > 0 {
			return true
		}
	}
	return k.do(func() error {
		return netlink.QdiscDel(&netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{
			LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT,
		}})
	}, unix.ENOENT, "no hook for filters on %s", link.Attrs().Name)
}
