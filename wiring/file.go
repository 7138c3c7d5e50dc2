package wiring

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"gslb/tiers"
)

// A Form is who reads the configuration of a host.
type Form uint8

// The forms, as users write them.
const (
	Shell Form = iota
	Networkd
	Ifupdown
	Netplan
)

var forms = []string{"shell", "networkd", "ifupdown", "netplan"}

// Forms are the words of all of them.
func Forms() []string { return slices.Clone(forms) }

// ParseForm reads the word of a form.
func ParseForm(s string) (Form, bool) {
	i := slices.Index(forms, s)
	return Form(max(i, 0)), i >= 0
}

func (f Form) String() string { return forms[f] }

// Needs reports whether the form must be told the names of interfaces and the
// gateway of replies. A script finds them where it runs.
func (f Form) Needs() bool { return f != Shell }

// A Site is what the file does not say of a node.
type Site struct {
	Links    map[netip.Addr]string // the interface with an address
	Gateways []Gateway             // that replies behind a tunnel go by, at most one of each family
}

// A Gateway is the router of a default route.
type Gateway struct {
	V6     bool       // the family that goes by it
	Via    netip.Addr // of IPv6 also for IPv4 (RFC 8950)
	Link   string     // "": the interface with the node's own address
	OnLink bool       // Via is outside the host's prefixes
}

// A File is one file of a host's configuration.
type File struct {
	Path string // without the leading slash: etc/sysctl.d/60-gslb.conf
	Text string
	Mode uint32 // permission bits
}

// Files returns what the node needs as files of a form, in the order in which
// they are read. Where the form needs them, s has every link of [Needs.Links]
// and a gateway for each family with replies.
func Files(f Form, n Needs, s Site) []File {
	r := renderer{Needs: n, site: s, devices: map[netip.Addr]string{}}
	for a, name := range s.Links {
		r.devices[a] = name
	}
	switch f {
	case Networkd:
		return r.networkd()
	case Ifupdown:
		return r.ifupdown()
	case Netplan:
		return r.netplan()
	default:
		return r.shell()
	}
}

// A renderer writes the needs of one node.
type renderer struct {
	Needs
	site    Site
	devices map[netip.Addr]string // what an interface is called in the form
}

func (r *renderer) device(l tiers.Link) string {
	if l.Name != "" {
		return l.Name
	}
	return r.devices[l.Holds]
}

// links are the interfaces besides tunnels that something is to be done with,
// each once: the loopback last.
func (r *renderer) links() []string {
	var out []string
	lo := false
	for _, a := range r.Links() {
		if name := r.devices[a]; !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, v6 := range []bool{false, true} {
		if g, ok := r.gateway(v6); ok && r.Replies(v6) && !slices.Contains(out, g.Link) {
			out = append(out, g.Link)
		}
	}
	for _, a := range r.Host.Addresses {
		lo = lo || a.Link.Name == "lo"
	}
	if lo {
		out = append(out, "lo")
	}
	return out
}

// on are the VIPs of a device.
func (r *renderer) on(device string) []netip.Addr {
	var out []netip.Addr
	for _, a := range r.Host.Addresses {
		if r.device(a.Link) == device {
			out = append(out, a.Addr)
		}
	}
	return out
}

// of are the parameters of a device, "" for those of none.
func (r *renderer) of(device string) []tiers.Sysctl {
	var out []tiers.Sysctl
	for _, s := range r.Host.Sysctls {
		if s.Link == (tiers.Link{}) && device == "" || s.Link != (tiers.Link{}) && r.device(s.Link) == device {
			out = append(out, s)
		}
	}
	return out
}

// marked are the marks of a device.
func (r *renderer) marked(device string) []tiers.Mark {
	var out []tiers.Mark
	for _, m := range r.Host.Marks {
		if r.device(m.Link) == device {
			out = append(out, m)
		}
	}
	return out
}

// gateway is what replies of a family go by: the director where that is the
// default route anyway.
func (r *renderer) gateway(v6 bool) (Gateway, bool) {
	for _, w := range r.Host.Routes {
		if w.Via.Is6() == v6 {
			return Gateway{V6: v6, Via: w.Via, Link: r.device(w.Link)}, true
		}
	}
	for _, g := range r.site.Gateways {
		if g.V6 != v6 {
			continue
		}
		for _, p := range r.Parts {
			if g.Link == "" && p.VIP.Is6() == v6 {
				g.Link = r.devices[p.Link.Holds]
			}
		}
		return g, true
	}
	return Gateway{}, false
}

// replyMSS is the segment size of the table of replies.
func (r *renderer) replyMSS(v6 bool) int {
	mss := 0
	for _, x := range r.Host.Replies {
		if x.From.Is6() == v6 && (mss == 0 || x.MSS < mss) {
			mss = x.MSS
		}
	}
	return mss
}

// rules are those of replies, of both families or of one.
func (r *renderer) rules() []Rule {
	var out []Rule
	for _, x := range r.Host.Replies {
		out = append(out, replyRules(x.From)...)
	}
	return out
}

// ipvs reports whether parameters of IPVS are among those that are set.
func (r *renderer) ipvs() bool {
	return slices.ContainsFunc(r.Host.Sysctls, func(s tiers.Sysctl) bool { return strings.HasPrefix(s.Key, "net/ipv4/vs/") })
}

// head is the comment that a file begins with.
func (r *renderer) head(more ...string) string {
	out := fmt.Sprintf("# What %s needs to be forwarded to, as its topology file says.\n", strings.ReplaceAll(r.Node, "\n", " "))
	for _, line := range more {
		out += "# " + line + "\n"
	}
	return out
}

// sysctlFile is one of sysctl.d. Names with slashes may have dots in their
// parts; parameters of an interface are set when it appears (udev).
func (r *renderer) sysctlFile() []File {
	if len(r.Host.Sysctls) == 0 {
		return nil
	}
	var out []File
	if r.ipvs() {
		out = append(out, File{Path: "etc/modules-load.d/gslb.conf", Text: r.head("Its parameters are there only when it is.") + "ip_vs\n", Mode: 0o644})
	}
	text := r.head()
	for _, s := range r.Host.Sysctls {
		text += pathOf(s.Key, r.device(s.Link)) + " = " + s.Value + "\n"
	}
	return append(out, File{Path: "etc/sysctl.d/60-gslb.conf", Text: text, Mode: 0o644})
}

// markUnits are units of systemd, one for each device with marks: no network
// manager knows filters.
func (r *renderer) markUnits() []File {
	var out []File
	devices := r.links()
	for _, t := range r.Host.Tunnels {
		devices = append(devices, t.Name)
	}
	for _, device := range devices {
		marks := r.marked(device)
		if len(marks) == 0 {
			continue
		}
		unit := "sys-subsystem-net-devices-" + unitName(device) + ".device"
		text := r.head("Enable it: systemctl enable 'gslb-mark-"+unitName(device)+"'") +
			"[Unit]\nDescription=Mark packets of virtual services that come in by " + device + "\n" +
			"BindsTo=" + unit + "\nAfter=" + unit + "\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\n" +
			"ExecStart=/bin/sh -c \"" + addHook(device) + "\"\n"
		for i, m := range marks {
			text += "ExecStart=" + tc + " " + strings.TrimPrefix(markFilter(m, device, "replace", handle(marks, i)), "tc ") + "\n"
		}
		text += "\n[Install]\nWantedBy=" + unit + "\n"
		out = append(out, File{Path: "etc/systemd/system/gslb-mark-" + unitName(device) + ".service", Text: text, Mode: 0o644})
	}
	return out
}

const tc = "/sbin/tc"

// handle is the number of a mark's filter among those of its family.
func handle(marks []tiers.Mark, i int) int {
	n := 0
	for _, m := range marks[:i+1] {
		if m.VIP.Is6() == marks[i].VIP.Is6() {
			n++
		}
	}
	return n
}

// unitName writes a device's name as systemd-escape does.
func unitName(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == ':' || c == '.' && i > 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}
