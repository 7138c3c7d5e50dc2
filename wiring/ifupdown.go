package wiring

import (
	"strconv"
	"strings"

	"gslb/tiers"
)

// ifupdown is a file for /etc/network/interfaces.d. Of interfaces that others
// have described it has further stanzas, which ifupdown joins (interfaces(5)).
func (r *renderer) ifupdown() []File {
	var b strings.Builder
	b.WriteString(r.head("Stanzas of interfaces that are described elsewhere are joined with those.",
		"The program that takes it up needs: source /etc/network/interfaces.d/*"))
	for _, device := range r.links() {
		r.stanza(&b, device, nil)
	}
	for _, t := range r.Host.Tunnels {
		r.stanza(&b, t.Name, &t)
	}
	return []File{{"etc/network/interfaces.d/gslb", b.String(), 0o644}}
}

// stanza is what is done with a device; t is nil for one that is there anyway.
func (r *renderer) stanza(b *strings.Builder, device string, t *tiers.Tunnel) {
	var before, up, down []string // down: in the opposite order
	if t != nil {
		before = append(before, addTunnelOnce(*t))
		up = append(up, tunnelUp(device))
		down = append(down, noTunnel(device))
	} else if device == r.first() {
		if r.ipvs() {
			before = append(before, "[ -d /proc/sys/net/ipv4/vs ] || modprobe ip_vs")
		}
		for _, s := range r.of("") {
			before = append(before, setSysctl(s.Key, s.Value))
		}
	}
	for _, s := range r.of(device) {
		before = append(before, setSysctl(pathOf(s.Key, device), s.Value))
	}
	for _, vip := range r.on(device) {
		up = append(up, addAddress(vip, device))
		if t == nil {
			down = append(down, ip(vip.Is6())+" address del "+host(vip)+" dev "+device+" || true")
		}
	}
	for _, w := range r.Host.Routes {
		if r.device(w.Link) == device {
			up = append(up, addRoute(w.Via.Is6(), by(w.Via.Is6(), w.Via, device, false), w.MSS, 0))
			down = append(down, ip(w.Via.Is6())+" route del default "+by(w.Via.Is6(), w.Via, device, false)+" || true")
		}
	}
	for _, v6 := range []bool{false, true} {
		g, ok := r.gateway(v6)
		if !ok || !r.Replies(v6) || g.Link != device {
			continue
		}
		up = append(up, addRoute(v6, by(v6, g.Via, device, g.OnLink), r.replyMSS(v6), tiers.ReplyTable))
		down = append(down, ip(v6)+" route flush table "+strconv.Itoa(tiers.ReplyTable)+" || true")
		for _, rule := range r.rules() {
			if rule.From.Is6() == v6 {
				up = append(up, noRule(rule)+" 2>/dev/null || true", addRule(rule))
				down = append(down, noRule(rule)+" || true")
			}
		}
	}
	marks := r.marked(device)
	if len(marks) > 0 {
		up = append(up, addHook(device))
	}
	for i, m := range marks {
		up = append(up, markFilter(m, device, "replace", handle(marks, i)))
	}
	if len(before)+len(up) == 0 {
		return
	}
	b.WriteString("\n")
	if t != nil {
		b.WriteString("auto " + device + "\n")
	}
	b.WriteString("iface " + device + " inet manual\n")
	for _, c := range before {
		b.WriteString("    pre-up " + c + "\n")
	}
	for _, c := range up {
		b.WriteString("    up " + c + "\n")
	}
	for i := len(down) - 1; i >= 0; i-- {
		when := "    down "
		if t != nil && i == 0 {
			when = "    post-down "
		}
		b.WriteString(when + down[i] + "\n")
	}
}

// first is the interface with which the parameters of no interface are set.
func (r *renderer) first() string {
	if links := r.links(); len(links) > 0 {
		return links[0]
	}
	return ""
}
