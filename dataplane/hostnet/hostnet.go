// Package hostnet makes a node's kernel what a [tiers.Host] says: sysctls,
// tunnels, VIPs and routes, in the network namespace of the process. It changes
// what differs and nothing else, keeps a [Record] of it, and takes out what is
// recorded and no longer wanted. What it did not put there it does not touch.
package hostnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"gslb/tiers"
)

// Converge makes the kernel be as want says and returns what it changed, a
// line for each; nothing when all was well. What it cannot change is in the
// error, and the rest is done all the same. The record is kept in the file at
// recordPath.
func Converge(want tiers.Host, recordPath string) ([]string, error) {
	return bring(want, recordPath, false)
}

// Plan returns what [Converge] would change now, and changes nothing.
func Plan(want tiers.Host, recordPath string) ([]string, error) {
	return bring(want, recordPath, true)
}

func bring(want tiers.Host, recordPath string, dry bool) ([]string, error) {
	before, err := ReadRecord(recordPath)
	if err != nil {
		return nil, err
	}
	k, err := look()
	if err != nil {
		return nil, err
	}
	k.dry, k.planned = dry, map[bool]*netlink.Route{}
	wanted, err := k.resolve(want, before)
	if err != nil {
		return nil, err
	}
	all := before.with(wanted)
	if !all.equal(before) && !dry {
		if err := all.Write(recordPath); err != nil {
			return nil, err
		}
	}
	tunnel := func(s tiers.Sysctl) bool {
		return slices.ContainsFunc(want.Tunnels, func(t tiers.Tunnel) bool { return t.Name == s.Link.Name })
	}
	for _, s := range want.Sysctls {
		if !tunnel(s) {
			k.sysctl(s)
		}
	}
	for _, t := range want.Tunnels {
		k.tunnel(t)
	}
	for _, s := range want.Sysctls {
		if tunnel(s) {
			k.sysctl(s)
		}
	}
	k.addresses(want.Addresses)
	for _, r := range want.Routes {
		k.route(r)
	}
	for _, r := range want.Replies {
		k.reply(r)
	}
	for _, device := range wanted.Marked {
		k.mark(device, want.Marks)
	}
	kept := k.remove(before, wanted).with(wanted) // what could not be removed is still ours
	for path := range wanted.Sysctls {
		kept.Sysctls[path] = all.Sysctls[path]
	}
	if !kept.equal(all) && !dry {
		k.errs = append(k.errs, kept.Write(recordPath))
	}
	return k.changes, errors.Join(k.errs...)
}

// Check reports whether the host has every interface that want needs, and
// changes nothing.
func Check(want tiers.Host) error {
	k, err := look()
	if err != nil {
		return err
	}
	_, err = k.resolve(want, Record{})
	return err
}

// A kernel is what was seen of the node, and what has been done to it.
type kernel struct {
	holder  map[netip.Addr]string // address -> a device that has it
	has     map[RecordedAddress]bool
	dry     bool                    // nothing is changed, only told of
	planned map[bool]*netlink.Route // by family, with dry: the default route that there would be
	changes []string
	errs    []error
}

func look() (*kernel, error) {
	k := &kernel{holder: map[netip.Addr]string{}, has: map[RecordedAddress]bool{}}
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list the interfaces: %w", err)
	}
	names := map[int]string{}
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list the addresses: %w", err)
	}
	for _, a := range addrs {
		if addr, ok := netip.AddrFromSlice(a.IP); ok {
			addr, device := addr.Unmap(), names[a.LinkIndex]
			k.holder[addr] = device
			k.has[RecordedAddress{Device: device, Addr: addr}] = true
		}
	}
	return k, nil
}

// device is the name of a link.
func (k *kernel) device(l tiers.Link) (string, error) {
	if l.Name != "" {
		return l.Name, nil
	}
	if name, ok := k.holder[l.Holds]; ok {
		return name, nil
	}
	return "", fmt.Errorf("no interface of this host has the address %s that the file gives this node", l.Holds)
}

// resolve is the record of a kernel as want says: with names of devices, and
// with the values that are to be changed as they are now.
func (k *kernel) resolve(want tiers.Host, before Record) (Record, error) {
	r := Record{Sysctls: map[string]string{}}
	var errs []error
	for _, t := range want.Tunnels {
		r.Tunnels = append(r.Tunnels, t.Name)
	}
	for _, s := range want.Sysctls {
		device, err := k.device(s.Link)
		if s.Link == (tiers.Link{}) {
			err = nil
		}
		errs = append(errs, err)
		if slices.Contains(r.Tunnels, device) {
			continue // goes with the device
		}
		path := sysctlPath(s.Key, device)
		value, err := readSysctl(path)
		if err == nil {
			r.Sysctls[path] = value
		}
	}
	recorded := setOf(before.Addresses)
	for _, a := range want.Addresses {
		device, err := k.device(a.Link)
		if err != nil {
			errs = append(errs, err)
		}
		// What was there before us is not ours to take out.
		if x := (RecordedAddress{Device: device, Addr: a.Addr}); !k.has[x] || recorded[x] {
			r.Addresses = append(r.Addresses, x)
		}
	}
	for _, w := range want.Routes {
		device, err := k.device(w.Link)
		errs = append(errs, err)
		route := RecordedRoute{Device: device, Via: w.Via}
		if i := slices.IndexFunc(before.Routes, route.sameAs); i >= 0 {
			route.Before = before.Routes[i].Before
		} else if now, err := defaultRoute(w.Via.Is6()); err == nil && now != nil && now.Priority == metric(w.Via.Is6()) {
			route.Before = found(now)
		}
		r.Routes = append(r.Routes, route)
	}
	for _, w := range want.Replies {
		r.Replies = append(r.Replies, w.From)
	}
	errs = append(errs, k.resolveMarks(want.Marks, before, &r))
	return r, dedupe(errs)
}

// dedupe joins the errors, each said once.
func dedupe(errs []error) error {
	seen := map[string]bool{}
	var out []error
	for _, err := range errs {
		if err != nil && !seen[err.Error()] {
			seen[err.Error()] = true
			out = append(out, err)
		}
	}
	return errors.Join(out...)
}

// did notes a change, or the error it ended in, and reports whether it was made.
func (k *kernel) did(err error, format string, args ...any) bool {
	what := fmt.Sprintf(format, args...)
	if err != nil {
		k.errs = append(k.errs, fmt.Errorf("%s: %w", what, err))
		return false
	}
	k.changes = append(k.changes, what)
	return true
}

// do makes a change and notes it, or its error, and reports whether it was made.
// An error that is none of a change, as what was to go has gone, is ignored.
func (k *kernel) do(change func() error, none error, format string, args ...any) bool {
	if k.dry {
		return k.did(nil, format, args...)
	}
	err := change()
	return none != nil && errors.Is(err, none) || k.did(err, format, args...)
}

func sysctlPath(key, device string) string {
	if strings.Contains(key, "%s") {
		return fmt.Sprintf(key, device)
	}
	return key
}

func readSysctl(path string) (string, error) {
	data, err := os.ReadFile(filepath.Join("/proc/sys", path))
	return strings.Join(strings.Fields(string(data)), " "), err // several numbers have tabs between them
}

func writeSysctl(path, value string) error {
	err := os.WriteFile(filepath.Join("/proc/sys", path), []byte(value), 0)
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func (k *kernel) sysctl(s tiers.Sysctl) {
	device, err := k.device(s.Link)
	if err != nil && s.Link != (tiers.Link{}) {
		k.did(err, "sysctl %s", s.Key)
		return
	}
	path := sysctlPath(s.Key, device)
	if now, err := readSysctl(path); err == nil && now == s.Value {
		return
	}
	k.do(func() error { return writeSysctl(path, s.Value) }, nil, "sysctl %s = %s", path, s.Value)
}

func (k *kernel) tunnel(t tiers.Tunnel) {
	link, err := netlink.LinkByName(t.Name)
	if err == nil && link.Attrs().Flags&net.FlagUp != 0 {
		return
	}
	if err != nil {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = t.Name
		var device netlink.Link = &netlink.Iptun{LinkAttrs: attrs, Local: t.Local.AsSlice(), Remote: t.Remote.AsSlice()}
		module := "ipip"
		switch {
		case t.Local.Is6(): // of any protocol: one device takes both families
			device = &netlink.Ip6tnl{LinkAttrs: attrs, Local: t.Local.AsSlice(), Remote: t.Remote.AsSlice()}
			module = "ip6_tunnel"
		case t.Six:
			device = &netlink.Sittun{LinkAttrs: attrs, Local: t.Local.AsSlice(), Remote: t.Remote.AsSlice(), Proto: unix.IPPROTO_IPV6}
			module = "sit"
		}
		if !k.do(func() error {
			err := netlink.LinkAdd(device)
			if errors.Is(err, unix.EOPNOTSUPP) {
				err = fmt.Errorf("%w (kernel module %s)", err, module)
			}
			return err
		}, nil, "tunnel %s from %s to %s", t.Name, t.Remote, t.Local) {
			return
		}
		link = device
	}
	k.do(func() error { return netlink.LinkSetUp(link) }, nil, "tunnel %s up", t.Name)
}

func (k *kernel) route(r tiers.Route) {
	device, err := k.device(r.Link)
	if err != nil {
		k.did(err, "default route by %s", r.Via)
		return
	}
	link, err := netlink.LinkByName(device)
	if err != nil {
		k.did(err, "default route by %s", r.Via)
		return
	}
	now, err := defaultRoute(r.Via.Is6())
	if err == nil && now != nil && now.Gw.Equal(r.Via.AsSlice()) && now.LinkIndex == link.Attrs().Index && now.AdvMSS == r.MSS {
		return
	}
	next := &netlink.Route{
		LinkIndex: link.Attrs().Index, Dst: everything(r.Via.Is6()), Gw: r.Via.AsSlice(), AdvMSS: r.MSS, Protocol: tiers.RouteProtocol,
	}
	if k.dry {
		k.planned[r.Via.Is6()] = next
	}
	k.do(func() error { return netlink.RouteReplace(next) }, nil, "default route by %s on %s%s", r.Via, device, segment(r.MSS))
}

func segment(mss int) string {
	if mss == 0 {
		return ""
	}
	return fmt.Sprintf(", segments of %d bytes", mss)
}

// reply sends what comes from a VIP by the default route with a smaller segment.
func (k *kernel) reply(r tiers.Reply) {
	v6 := r.From.Is6()
	main, err := defaultRoute(v6)
	if next := k.planned[v6]; next != nil {
		main = next
	}
	by6 := false // IPv4 by a gateway of IPv6 (RFC 8950)
	if err == nil && !v6 && (main == nil || main.Gw == nil) {
		main, err = defaultRoute(true)
		by6 = true
	}
	if err == nil && (main == nil || main.Gw == nil) {
		err = errors.New("this host has no default route by a gateway")
	}
	if err != nil {
		k.did(err, "replies from %s", r.From)
		return
	}
	want := netlink.Route{
		LinkIndex: main.LinkIndex, Dst: everything(v6), Gw: main.Gw, AdvMSS: r.MSS, Table: tiers.ReplyTable, Protocol: tiers.RouteProtocol,
		Flags: main.Flags & int(netlink.FLAG_ONLINK), // the gateway may be outside the host's prefixes
	}
	if by6 {
		want.Gw, want.Via = nil, &netlink.Via{AddrFamily: unix.AF_INET6, Addr: main.Gw}
	}
	have, err := routes(v6, tiers.ReplyTable)
	if err != nil || len(have) != 1 || !have[0].Gw.Equal(want.Gw) || !sameVia(have[0].Via, want.Via) || have[0].LinkIndex != want.LinkIndex || have[0].AdvMSS != want.AdvMSS {
		k.do(func() error { return netlink.RouteReplace(&want) }, nil, "default route for replies by %s%s", main.Gw, segment(r.MSS))
	}
	for _, rule := range replyRules(r.From) {
		there, err := netlink.RuleListFiltered(rule.Family, rule, netlink.RT_FILTER_SRC|netlink.RT_FILTER_TABLE|netlink.RT_FILTER_PRIORITY)
		if err != nil || len(there) == 0 {
			k.do(func() error { return netlink.RuleAdd(rule) }, nil, "rule %d: from %s lookup %d", rule.Priority, r.From, rule.Table)
		}
	}
}

// sameVia compares gateways of another family than the route's.
func sameVia(a, b netlink.Destination) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(b)
}

func replyRules(from netip.Addr) []*netlink.Rule {
	specific, reply := netlink.NewRule(), netlink.NewRule()
	for _, r := range []*netlink.Rule{specific, reply} {
		r.Src = netlink.NewIPNet(from.AsSlice())
		r.Family = netlinkFamily(from.Is6())
	}
	specific.Table, specific.Priority, specific.SuppressPrefixlen = unix.RT_TABLE_MAIN, tiers.ReplyMainRule, 0
	reply.Table, reply.Priority = tiers.ReplyTable, tiers.ReplyTableRule
	return []*netlink.Rule{specific, reply}
}

// remove takes out what before has and wanted has not, in the opposite order,
// and returns what it could not take out.
func (k *kernel) remove(before, wanted Record) (left Record) {
	left.Sysctls = map[string]string{}
	k.unmark(before, wanted, &left)
	for _, from := range before.Replies {
		if slices.Contains(wanted.Replies, from) {
			continue
		}
		for _, rule := range replyRules(from) {
			if !k.do(func() error { return netlink.RuleDel(rule) }, unix.ENOENT, "no rule %d for %s", rule.Priority, from) {
				left.Replies = append(left.Replies, from)
			}
		}
	}
	for _, v6 := range []bool{false, true} {
		family := func(a netip.Addr) bool { return a.Is6() == v6 }
		if slices.ContainsFunc(before.Replies, family) && !slices.ContainsFunc(wanted.Replies, family) {
			k.emptyReplyTable(v6)
		}
	}
	for _, r := range before.Routes {
		if !slices.ContainsFunc(wanted.Routes, r.sameAs) && !k.restore(r, wanted) {
			left.Routes = append(left.Routes, r)
		}
	}
	wantedAddresses := setOf(wanted.Addresses)
	left.Addresses = k.noAddresses(slices.DeleteFunc(slices.Clone(before.Addresses), func(a RecordedAddress) bool { return wantedAddresses[a] }))
	for _, name := range before.Tunnels {
		if slices.Contains(wanted.Tunnels, name) {
			continue
		}
		if link, err := netlink.LinkByName(name); err == nil && !k.do(func() error { return netlink.LinkDel(link) }, nil, "no tunnel %s", name) {
			left.Tunnels = append(left.Tunnels, name)
		}
	}
	for path, value := range before.Sysctls {
		if _, still := wanted.Sysctls[path]; still {
			continue
		}
		if now, err := readSysctl(path); err == nil && now != value && !k.do(func() error { return writeSysctl(path, value) }, nil, "sysctl %s = %s again", path, value) {
			left.Sysctls[path] = value
		}
	}
	return left
}

// emptyReplyTable removes the default route that the last reply of a family used.
func (k *kernel) emptyReplyTable(v6 bool) {
	list, err := routes(v6, tiers.ReplyTable)
	if err != nil {
		k.did(err, "empty table %d", tiers.ReplyTable)
		return
	}
	for _, r := range list {
		r.Dst = everything(v6)
		k.do(func() error { return netlink.RouteDel(&r) }, nil, "no default route for replies by %s", r.Gw)
	}
}

// restore takes out a default route of ours and puts back the one it took the
// place of. It reports whether nothing of ours is left.
func (k *kernel) restore(r RecordedRoute, wanted Record) bool {
	v6 := r.Via.Is6()
	if slices.ContainsFunc(wanted.Routes, func(other RecordedRoute) bool { return other.Via.Is6() == v6 }) {
		return true // another of ours has taken its place
	}
	if r.Before != nil {
		if link, err := netlink.LinkByName(r.Before.Device); err == nil {
			return k.do(func() error { return netlink.RouteReplace(r.Before.route(link, v6)) }, nil, "default route by %s on %s again", r.Before.Via, r.Before.Device)
		}
	}
	link, err := netlink.LinkByName(r.Device)
	if err != nil {
		return true // went with its device
	}
	return k.do(func() error {
		return netlink.RouteDel(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: everything(v6), Gw: r.Via.AsSlice()})
	}, unix.ESRCH, "no default route by %s", r.Via)
}

// metric is the one that a default route of ours gets.
func metric(v6 bool) int {
	if v6 {
		return 1024 // the kernel's own choice (IP6_RT_PRIO_USER)
	}
	return 0
}

// found is a default route in the words of the record.
func found(r *netlink.Route) *Default {
	d := &Default{OnLink: r.Flags&int(netlink.FLAG_ONLINK) != 0, Metric: r.Priority, MSS: r.AdvMSS}
	if link, err := netlink.LinkByIndex(r.LinkIndex); err == nil {
		d.Device = link.Attrs().Name
	}
	if via, ok := netip.AddrFromSlice(r.Gw); ok {
		d.Via = via.Unmap()
	}
	return d
}

// route is the default route as it was.
func (d *Default) route(link netlink.Link, v6 bool) *netlink.Route {
	r := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: everything(v6), Priority: d.Metric, AdvMSS: d.MSS}
	if d.Via.IsValid() {
		r.Gw = d.Via.AsSlice()
	} else {
		r.Scope = netlink.SCOPE_LINK
	}
	if d.OnLink {
		r.Flags = int(netlink.FLAG_ONLINK)
	}
	return r
}

// defaultRoute is the main table's default route with the smallest metric, nil for none.
func defaultRoute(v6 bool) (*netlink.Route, error) {
	list, err := routes(v6, unix.RT_TABLE_MAIN)
	if err != nil {
		return nil, err
	}
	var best *netlink.Route
	for i, r := range list {
		if best == nil || r.Priority < best.Priority {
			best = &list[i]
		}
	}
	return best, nil
}

// routes are the default routes of a table.
func routes(v6 bool, table int) ([]netlink.Route, error) {
	list, err := netlink.RouteListFiltered(netlinkFamily(v6), &netlink.Route{Table: table}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, fmt.Errorf("list the routes: %w", err)
	}
	return slices.DeleteFunc(list, func(r netlink.Route) bool {
		if r.Dst == nil {
			return false
		}
		ones, _ := r.Dst.Mask.Size()
		return ones != 0
	}), nil
}
