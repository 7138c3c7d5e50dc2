package wiring

import (
	"fmt"
	"net/netip"
	"strings"

	"gslb/tiers"
)

// netplan is a file for netplan with networkd behind it, and what netplan has no
// words for: parameters, routes with a segment size (0.106 knows none), rules that
// leave default routes out, VIPs of IPv6 for which no duplicates are looked for,
// tunnels that take both families, filters.
func (r *renderer) netplan() []File {
	out := r.sysctlFile()
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	b.WriteString(r.head("netplan joins it with the other files of this folder, so only what is added is here.",
		"An interface that is no ethernet belongs under bonds:, vlans: or bridges:, as in the",
		"file that describes it. What netplan has no words for is in files of its own."))
	say("network:\n  version: 2\n  renderer: networkd")
	var rest []File
	ethernets := ""
	for _, device := range r.links() {
		text := r.planned(device)
		if text != "" {
			if device == "lo" {
				text = "      match: {name: lo}\n" + text
			}
			ethernets += "    " + device + ":\n" + text
		}
		if unsaid := r.unsaid(device); unsaid != "" {
			path := "etc/systemd/network/10-netplan-" + device + ".network.d/50-gslb.conf"
			rest = append(rest, File{path, r.head("netplan has no words for it: a drop-in for the file that it makes for "+device+".") + strings.TrimPrefix(unsaid, "\n"), 0o644})
		}
	}
	if ethernets != "" {
		say("  ethernets:\n%s", strings.TrimSuffix(ethernets, "\n"))
	}
	tunnels := 0
	for _, t := range r.Host.Tunnels {
		mode, ok := r.netplanMode(t)
		if !ok {
			rest = append(rest, r.networkdTunnel(t)...)
			continue
		}
		if tunnels++; tunnels == 1 {
			say("  tunnels:")
		}
		say("    %s:\n      mode: %s\n      local: %q\n      remote: %q\n      link-local: []\n      accept-ra: false\n      optional: true", t.Name, mode, t.Local, t.Remote)
		b.WriteString(r.planned(t.Name))
	}
	if ethernets != "" || tunnels > 0 {
		out = append(out, File{"etc/netplan/90-gslb.yaml", b.String(), 0o600})
	}
	return append(append(out, rest...), r.markUnits()...)
}

// netplanMode is netplan's word for what a tunnel takes; it has none for both
// families at once.
func (r *renderer) netplanMode(t tiers.Tunnel) (string, bool) {
	kind, _ := tunnelKind(t)
	if kind != "ip6tnl" {
		return kind, true
	}
	four, six := false, false
	for _, vip := range r.on(t.Name) {
		four, six = four || vip.Is4(), six || vip.Is6()
	}
	if four {
		return "ipip6", !six
	}
	return "ip6ip6", true
}

// sayable reports whether netplan can say a VIP of a device: it cannot have
// duplicates not looked for, which a device with neighbours does.
func (r *renderer) sayable(vip netip.Addr, device string) bool {
	if vip.Is4() || device == "lo" {
		return true
	}
	for _, t := range r.Host.Tunnels {
		if t.Name == device {
			return true
		}
	}
	return false
}

// planned is what netplan has words for.
func (r *renderer) planned(device string) string {
	var addresses, routes, rules string
	for _, vip := range r.on(device) {
		switch {
		case !r.sayable(vip, device):
		case vip.Is6():
			addresses += fmt.Sprintf("        - %q: {lifetime: 0}\n", host(vip))
		default:
			addresses += fmt.Sprintf("        - %q\n", host(vip))
		}
	}
	for _, w := range r.Host.Routes {
		if r.device(w.Link) == device && w.MSS == 0 {
			routes += fmt.Sprintf("        - to: %s\n          via: %q\n", everywhere(w.Via.Is6()), w.Via)
		}
	}
	for _, rule := range r.rules() {
		if g, ok := r.gateway(rule.From.Is6()); ok && g.Link == device && !rule.Suppress {
			rules += fmt.Sprintf("        - from: %q\n          table: %d\n          priority: %d\n", host(rule.From), rule.Table, rule.Preference)
		}
	}
	out := ""
	for _, list := range [][2]string{{"addresses", addresses}, {"routes", routes}, {"routing-policy", rules}} {
		if list[1] != "" {
			out += "      " + list[0] + ":\n" + list[1]
		}
	}
	return out
}

// everywhere is the prefix of a default route. "default" would do for both, but
// not with every version of netplan.
func everywhere(v6 bool) string {
	if v6 {
		return `"::/0"`
	}
	return `"0.0.0.0/0"`
}

// unsaid is what netplan has no words for, as sections of networkd.
func (r *renderer) unsaid(device string) string {
	out := ""
	for _, vip := range r.on(device) {
		if !r.sayable(vip, device) {
			out += addressSection(vip)
		}
	}
	for _, w := range r.Host.Routes {
		if r.device(w.Link) == device && w.MSS != 0 {
			out += routeSection(Gateway{V6: w.Via.Is6(), Via: w.Via}, w.MSS, 0)
		}
	}
	for _, v6 := range []bool{false, true} {
		if g, ok := r.gateway(v6); ok && r.Replies(v6) && g.Link == device {
			out += routeSection(g, r.replyMSS(v6), tiers.ReplyTable)
		}
	}
	for _, rule := range r.rules() {
		if g, ok := r.gateway(rule.From.Is6()); ok && g.Link == device && rule.Suppress {
			out += ruleSection(rule)
		}
	}
	return out
}
