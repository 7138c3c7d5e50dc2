package wiring

import (
	"fmt"
	"net/netip"
	"strings"

	"gslb/tiers"
)

// networkd are files for systemd-networkd: a device and its network for each
// tunnel, and drop-ins for networks that others have described (systemd.netdev(5),
// systemd.network(5)).
func (r *renderer) networkd() []File {
	out := r.sysctlFile()
	for _, t := range r.Host.Tunnels {
		out = append(out, r.networkdTunnel(t)...)
	}
	for _, device := range r.links() {
		sections := r.networkSections(device)
		switch {
		case sections == "":
		case device == "lo":
			out = append(out, File{"etc/systemd/network/50-gslb-lo.network", r.head() + "[Match]\nName=lo\n" + sections, 0o644})
		default:
			more := []string{
				"A drop-in: its folder must have the name of the file that configures " + device + ", as",
				"networkctl status " + device + " shows it, and " + ".d after that.",
			}
			out = append(out, File{"etc/systemd/network/" + device + ".network.d/50-gslb.conf", r.head(more...) + strings.TrimPrefix(sections, "\n"), 0o644})
		}
	}
	return append(out, r.markUnits()...)
}

// networkdTunnel is a tunnel's device and its network.
func (r *renderer) networkdTunnel(t tiers.Tunnel) []File {
	kind, mode := tunnelKind(t)
	dev := r.head() + "[NetDev]\nName=" + t.Name + "\nKind=" + kind + "\n\n[Tunnel]\nIndependent=yes\n" +
		"Local=" + t.Local.String() + "\nRemote=" + t.Remote.String() + "\n"
	if kind == "ip6tnl" {
		dev += "Mode=" + mode + "\n"
	}
	net := r.head() + "[Match]\nName=" + t.Name + "\n\n[Link]\nRequiredForOnline=no\n\n[Network]\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n" + r.networkSections(t.Name)
	return []File{{"etc/systemd/network/50-" + t.Name + ".netdev", dev, 0o644}, {"etc/systemd/network/50-" + t.Name + ".network", net, 0o644}}
}

// networkSections are the addresses, routes and rules of a device.
func (r *renderer) networkSections(device string) string {
	out := ""
	for _, vip := range r.on(device) {
		out += addressSection(vip)
	}
	for _, w := range r.Host.Routes {
		if r.device(w.Link) == device {
			out += routeSection(Gateway{V6: w.Via.Is6(), Via: w.Via}, w.MSS, 0)
		}
	}
	for _, v6 := range []bool{false, true} {
		g, ok := r.gateway(v6)
		if !ok || !r.Replies(v6) || g.Link != device {
			continue
		}
		out += routeSection(g, r.replyMSS(v6), tiers.ReplyTable)
		for _, rule := range r.rules() {
			if rule.From.Is6() == v6 {
				out += ruleSection(rule)
			}
		}
	}
	return out
}

func addressSection(vip netip.Addr) string {
	out := "\n[Address]\nAddress=" + host(vip) + "\n"
	if vip.Is6() {
		out += "DuplicateAddressDetection=none\nPreferredLifetime=0\n"
	}
	return out
}

func routeSection(g Gateway, mss, table int) string {
	out := "\n[Route]\nGateway=" + g.Via.String() + "\n"
	if g.Via.Is6() != g.V6 {
		out += "Destination=0.0.0.0/0\n"
	}
	if g.OnLink {
		out += "GatewayOnLink=yes\n"
	}
	if mss != 0 {
		out += fmt.Sprintf("TCPAdvertisedMaximumSegmentSize=%d\n", mss)
	}
	if table != 0 {
		out += fmt.Sprintf("Table=%d\n", table)
	}
	return out
}

func ruleSection(rule Rule) string {
	out := fmt.Sprintf("\n[RoutingPolicyRule]\nFrom=%s\nPriority=%d\nTable=%d\n", host(rule.From), rule.Preference, rule.Table)
	if rule.Suppress {
		out += "SuppressPrefixLength=0\n"
	}
	return out
}
