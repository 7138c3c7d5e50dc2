package wiring

import (
	"fmt"
	"slices"
	"strings"

	"gslb/tiers"
)

// shell is a script for any POSIX shell. It leaves what is right as it is, so it
// may run as often as one likes.
func (r *renderer) shell() []File {
	links := r.Links()
	for i, a := range links {
		r.devices[a] = fmt.Sprintf(`"$link%d"`, i+1)
	}
	body := r.script()
	var b strings.Builder
	b.WriteString("#!/bin/sh\n" + r.head("Run it as root, at every start; running it again changes nothing.") + "set -eu\n\n")
	var named string
	find := false
	for i, a := range links {
		name, ok := r.site.Links[a]
		switch {
		case !strings.Contains(body, fmt.Sprintf("$link%d", i+1)):
		case ok:
			named += fmt.Sprintf("link%d=%s # with %s\n", i+1, name, a)
		default:
			find = true
			named += fmt.Sprintf("link%d=$(link %s)\n", i+1, a)
		}
	}
	if find {
		b.WriteString(linkFunction)
	}
	if len(r.Host.Sysctls) > 0 {
		b.WriteString(parameterFunction)
	}
	if strings.Contains(body, "$(gateway ") {
		b.WriteString(gatewayFunction)
	}
	if len(r.Host.Replies) > 0 {
		b.WriteString(ruleFunction)
	}
	b.WriteString(named + body)
	return []File{{Path: "usr/local/sbin/gslb-wiring", Text: b.String(), Mode: 0o755}}
}

// script is what the script does.
func (r *renderer) script() string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if r.ipvs() {
		say("[ -d /proc/sys/net/ipv4/vs ] || modprobe ip_vs")
	}
	tunnels := map[string]bool{}
	for _, t := range r.Host.Tunnels {
		tunnels[t.Name] = true
	}
	for _, s := range r.Host.Sysctls {
		if !tunnels[s.Link.Name] {
			say("parameter %s %s", strings.ReplaceAll(pathOf(s.Key, r.device(s.Link)), `"`, ""), s.Value)
		}
	}
	for _, t := range r.Host.Tunnels {
		say("%s", addTunnelOnce(t))
		for _, s := range r.of(t.Name) {
			say("parameter %s %s", pathOf(s.Key, t.Name), s.Value)
		}
		say("%s", tunnelUp(t.Name))
	}
	for _, a := range r.Host.Addresses {
		say("%s", addAddress(a.Addr, r.device(a.Link)))
	}
	for _, w := range r.Host.Routes {
		say("%s", addRoute(w.Via.Is6(), by(w.Via.Is6(), w.Via, r.device(w.Link), false), w.MSS, 0))
	}
	for _, v6 := range []bool{false, true} {
		if !r.Replies(v6) {
			continue
		}

		say("gateway=%s", r.gatewayText(v6))
		say("%s", addRoute(v6, "$gateway", r.replyMSS(v6), tiers.ReplyTable))
	}
	for _, rule := range r.rules() {
		say("rule %s %d %s %s", strings.TrimPrefix(ip(rule.From.Is6()), "ip "), rule.Preference, rule.From, rule.what())
	}
	var hooked []string
	for i, m := range r.Host.Marks {
		device := r.device(m.Link)
		if !slices.Contains(hooked, device) {
			hooked = append(hooked, device)
			say("%s", addHook(device))
		}
		same := r.marked(device)
		n := 0
		for _, before := range r.Host.Marks[:i] {
			if r.device(before.Link) == device {
				n++
			}
		}
		say("%s", markFilter(m, device, "replace", handle(same, n)))
	}
	return b.String()
}

// The functions that a script may use.
const (
	linkFunction = `# link ADDR: the interface that has the address.
link() {
	name=$(ip -o address show to "$1" | awk 'NR == 1 { print $2 }')
	if [ -z "$name" ]; then
		echo "no interface of this host has the address $1" >&2
		exit 1
	fi
	echo "$name"
}

`
	parameterFunction = `# parameter PATH VALUE
parameter() {
	[ "$(cat "/proc/sys/$1")" = "$2" ] || echo "$2" >"/proc/sys/$1"
}

`
	gatewayFunction = `# hop FAMILY: what the default route goes by, "" without a gateway.
hop() {
	ip "$1" route show default table main | awk 'NR == 1 && / via / {
		for (i = 1; i <= NF; i++) {
			if ($i == "via" || $i == "dev") printf "%s %s ", $i, $(i + 1)
			if ($i == "inet6") printf "%s ", $(i + 1)
			if ($i == "onlink") printf "onlink"
		}
	}'
}

# gateway FAMILY: the same for replies. IPv4 may go by a gateway of IPv6.
gateway() {
	by=$(hop "$1")
	[ -n "$by" ] || [ "$1" = -6 ] || by=$(hop -6 | sed 's/^via /via inet6 /')
	case $by in
	*via*) echo "$by" ;;
	*)
		echo "this host has no default route by a gateway (ip $1 route)" >&2
		exit 1
		;;
	esac
}

`
	ruleFunction = `# rule FAMILY PREFERENCE ADDR WHAT...
rule() {
	family=$1 preference=$2 from=$3
	shift 3
	[ -n "$(ip "$family" rule show pref "$preference" from "$from")" ] ||
		ip "$family" rule add pref "$preference" from "$from" "$@"
}

`
)

// gatewayText is how the script knows the gateway of replies.
func (r *renderer) gatewayText(v6 bool) string {
	if g, ok := r.gateway(v6); ok {
		return `"` + by(v6, g.Via, strings.Trim(g.Link, `"`), g.OnLink) + `"`
	}
	return "$(gateway " + strings.TrimPrefix(ip(v6), "ip ") + ")"
}
