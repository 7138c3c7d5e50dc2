package hostnet

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"gslb/tiers"
	"gslb/wiring"
)

// Look makes a picture of this host with all that is to be known to verify what
// it needs. It changes nothing and needs no privilege.
func Look(n wiring.Needs) (wiring.Picture, error) {
	var p wiring.Picture
	links, err := netlink.LinkList()
	if err != nil {
		return p, fmt.Errorf("list the interfaces: %w", err)
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return p, fmt.Errorf("list the addresses: %w", err)
	}
	of := map[int][]wiring.Addr{}
	for _, a := range addrs {
		if seen, ok := address(a); ok {
			of[a.LinkIndex] = append(of[a.LinkIndex], seen)
		}
	}
	names := map[int]string{}
	for _, l := range links {
		attrs := l.Attrs()
		names[attrs.Index] = attrs.Name
		p.Links = append(p.Links, wiring.Link{
			Name: attrs.Name, Up: attrs.Flags&net.FlagUp != 0, MTU: attrs.MTU, Addrs: of[attrs.Index], Tunnel: ends(l),
			Neighbours: attrs.RawFlags&(unix.IFF_NOARP|unix.IFF_LOOPBACK) == 0,
		})
		if len(n.Host.Marks) == 0 {
			continue
		}
		marks, err := marksOn(l)
		if err != nil {
			return p, err
		}
		p.Marks = append(p.Marks, marks...)
	}
	p.Sysctls = sysctls(n, p.Links)
	for _, v6 := range []bool{false, true} {
		for _, table := range []int{unix.RT_TABLE_MAIN, tiers.ReplyTable} {
			list, err := routes(v6, table)
			if err != nil {
				return p, err
			}
			for _, r := range list {
				out := wiring.Route{
					V6: v6, Table: table, OnLink: r.Flags&int(netlink.FLAG_ONLINK) != 0, Link: names[r.LinkIndex], MSS: r.AdvMSS, Metric: r.Priority,
				}
				out.Via, _ = ours(r.Gw)
				if via, ok := r.Via.(*netlink.Via); ok {
					out.Via, _ = ours(via.Addr)
				}
				p.Routes = append(p.Routes, out)
			}
		}
		list, err := netlink.RuleList(netlinkFamily(v6))
		if err != nil {
			return p, fmt.Errorf("list the rules: %w", err)
		}
		for _, r := range list {
			if r.Src == nil || r.Priority != tiers.ReplyMainRule && r.Priority != tiers.ReplyTableRule {
				continue
			}
			out := wiring.Rule{Preference: r.Priority, Table: r.Table, Suppress: r.SuppressPrefixlen == 0}
			out.From, _ = ours(r.Src.IP)
			p.Rules = append(p.Rules, out)
		}
	}
	p.Ways = ways(n, names)
	return p, nil
}

// ours is an address of the library's in the form of everybody else's.
func ours(ip net.IP) (netip.Addr, bool) {
	a, ok := netip.AddrFromSlice(ip)
	return a.Unmap(), ok
}

func address(a netlink.Addr) (wiring.Addr, bool) {
	addr, ok := ours(a.IP)
	bits, _ := a.Mask.Size()
	return wiring.Addr{
		Prefix: netip.PrefixFrom(addr, bits), NoDAD: a.Flags&unix.IFA_F_NODAD != 0, Tentative: a.Flags&unix.IFA_F_TENTATIVE != 0,
		Failed: a.Flags&unix.IFA_F_DADFAILED != 0, Deprecated: a.Flags&unix.IFA_F_DEPRECATED != 0,
	}, ok
}

// ends are those of a tunnel, nil for any other device.
func ends(l netlink.Link) *wiring.Tunnel {
	var t wiring.Tunnel
	switch l := l.(type) {
	case *netlink.Iptun:
		t.Local, _ = ours(l.Local)
		t.Remote, _ = ours(l.Remote)
		t.Four = takes(l.Proto, unix.IPPROTO_IPIP)
	case *netlink.Sittun:
		t.Local, _ = ours(l.Local)
		t.Remote, _ = ours(l.Remote)
		t.Four, t.Six = takes(l.Proto, unix.IPPROTO_IPIP), takes(l.Proto, unix.IPPROTO_IPV6)
	case *netlink.Ip6tnl:
		t.Local, _ = ours(l.Local)
		t.Remote, _ = ours(l.Remote)
		t.V6, t.Four, t.Six = true, takes(l.Proto, unix.IPPROTO_IPIP), takes(l.Proto, unix.IPPROTO_IPV6)
	default:
		return nil
	}
	return &t
}

// takes reports whether a tunnel that takes out proto, 0 for any, takes one.
func takes(proto uint8, one int) bool { return proto == 0 || int(proto) == one }

// marksOn are the filters of ours that a device has.
func marksOn(l netlink.Link) ([]wiring.Mark, error) {
	var out []wiring.Mark
	for _, v6 := range []bool{false, true} {
		have, err := rules(l, v6)
		if err != nil {
			return nil, err
		}
		for r, filter := range have {
			out = append(out, wiring.Mark{Link: l.Attrs().Name, VIP: r.vip, Port: r.port, Mark: r.mark, Handle: int(filter.Attrs().Handle)})
		}
	}
	slices.SortFunc(out, func(a, b wiring.Mark) int {
		if c := a.VIP.Compare(b.VIP); c != 0 {
			return c
		}
		return a.Handle - b.Handle
	})
	return out, nil
}

// sysctls are the parameters that the needs name and those of interfaces.
func sysctls(n wiring.Needs, links []wiring.Link) map[string]string {
	out := map[string]string{}
	read := func(path string) {
		if value, err := readSysctl(path); err == nil {
			out[path] = value
		}
	}
	for _, s := range n.Host.Sysctls {
		if !strings.Contains(s.Key, "%s") {
			read(s.Key)
		}
	}
	read("net/ipv4/ip_forward")
	for _, key := range wiring.LinkKeys {
		read(sysctlPath(key, "all"))
		for _, l := range links {
			read(sysctlPath(key, l.Name))
		}
	}
	return out
}

// ways are how the kernel gets to the peers that must be on the link.
func ways(n wiring.Needs, names map[int]string) map[netip.Addr]wiring.Way {
	out := map[netip.Addr]wiring.Way{}
	for _, part := range n.Parts {
		for _, peer := range slices.Concat(part.From, part.To) {
			if _, ok := out[peer.Near]; ok {
				continue
			}
			if list, err := netlink.RouteGet(peer.Near.AsSlice()); err == nil && len(list) > 0 {
				way := wiring.Way{Link: names[list[0].LinkIndex]}
				way.Via, _ = ours(list[0].Gw)
				out[peer.Near] = way
			}
		}
	}
	return out
}
