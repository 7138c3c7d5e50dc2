package wiring

import (
	"fmt"
	"net/netip"

	"gslb/tiers"
	"gslb/topology"
)

// What an administrator would type, as text. Devices are given in the words of
// the shell that reads it: a name, or a variable.

// host is an address alone in its prefix.
func host(a netip.Addr) string { return netip.PrefixFrom(a, a.BitLen()).String() }

// ip is the program with the family of an address.
func ip(v6 bool) string {
	if v6 {
		return "ip -6"
	}
	return "ip -4"
}

// addAddress gives a device a VIP: one of IPv6 without looking for duplicates,
// as several nodes have it on purpose, and deprecated, so that nothing the host
// sends of its own accord starts from it (RFC 6724 section 5, rule 3).
func addAddress(vip netip.Addr, device string) string {
	if vip.Is6() {
		return fmt.Sprintf("ip -6 address replace %s dev %s nodad preferred_lft 0", host(vip), device)
	}
	return fmt.Sprintf("ip -4 address replace %s dev %s", host(vip), device)
}

func noAddress(a netip.Prefix, device string) string {
	return fmt.Sprintf("%s address del %s dev %s", ip(a.Addr().Is6()), a, device)
}

// tunnelKind is the type of a tunnel's device, and its mode.
func tunnelKind(t tiers.Tunnel) (kind, mode string) {
	switch {
	case t.Local.Is6(): // one device for both families
		return "ip6tnl", "any"
	case t.Six:
		return "sit", "ip6ip"
	}
	return "ipip", "ipip"
}

func addTunnel(t tiers.Tunnel) string {
	kind, mode := tunnelKind(t)
	return fmt.Sprintf("ip link add name %s type %s mode %s local %s remote %s", t.Name, kind, mode, t.Local, t.Remote)
}

func noTunnel(device string) string { return "ip link del dev " + device }

func tunnelUp(device string) string { return "ip link set dev " + device + " up" }

// setSysctl sets a parameter. With slashes it takes devices with a dot in their names.
func setSysctl(path, value string) string { return "sysctl -qw " + path + "=" + value }

// addTunnelOnce is addTunnel where there may be one.
func addTunnelOnce(t tiers.Tunnel) string {
	return "ip link show dev " + t.Name + " >/dev/null 2>&1 || " + addTunnel(t)
}

// addRoute is a default route; by is "via ADDR dev NAME", table 0 the main one.
func addRoute(v6 bool, by string, mss, table int) string {
	s := ip(v6) + " route replace default " + by
	if mss != 0 {
		s += fmt.Sprintf(" advmss %d", mss)
	}
	if table != 0 {
		s += fmt.Sprintf(" table %d", table)
	}
	return s + fmt.Sprintf(" proto %d", tiers.RouteProtocol)
}

// by is the way of a route of a family.
func by(v6 bool, via netip.Addr, device string, onLink bool) string {
	s := "via "
	if via.Is6() && !v6 {
		s += "inet6 "
	}
	s += via.String() + " dev " + device
	if onLink {
		s += " onlink"
	}
	return s
}

// replyRules are the rules for what comes from a VIP: more specific routes of
// the main table first, then the table of replies.
func replyRules(from netip.Addr) []Rule {
	return []Rule{
		{Preference: tiers.ReplyMainRule, From: from, Table: mainTable, Suppress: true},
		{Preference: tiers.ReplyTableRule, From: from, Table: tiers.ReplyTable},
	}
}

const mainTable = 254 // RT_TABLE_MAIN

// what is the rule without its preference and its address.
func (r Rule) what() string {
	if r.Suppress {
		return "lookup main suppress_prefixlength 0"
	}
	return fmt.Sprintf("lookup %d", r.Table)
}

func addRule(r Rule) string {
	return fmt.Sprintf("%s rule add pref %d from %s %s", ip(r.From.Is6()), r.Preference, r.From, r.what())
}

func noRule(r Rule) string {
	return fmt.Sprintf("%s rule del pref %d from %s %s", ip(r.From.Is6()), r.Preference, r.From, r.what())
}

// addHook gives a device the hook that filters need, unless it has it.
func addHook(device string) string {
	return fmt.Sprintf("tc qdisc show dev %[1]s | grep -q clsact || tc qdisc add dev %[1]s clsact", device)
}

// markFilter marks packets; verb is add, or replace with the handle of one that is there.
func markFilter(m tiers.Mark, device, verb string, handle int) string {
	preference, protocol := tiers.MarkPreference4, "ip"
	if m.VIP.Is6() {
		preference, protocol = tiers.MarkPreference6, "ipv6"
	}
	proto := "tcp"
	if m.Port.Proto == topology.UDP {
		proto = "udp"
	}
	s := fmt.Sprintf("tc filter %s dev %s ingress pref %d", verb, device, preference)
	if handle != 0 {
		s += fmt.Sprintf(" handle %d", handle)
	}
	return s + fmt.Sprintf(" protocol %s flower dst_ip %s ip_proto %s dst_port %d action skbedit mark %d", protocol, host(m.VIP), proto, m.Port.Number, m.Mark)
}
