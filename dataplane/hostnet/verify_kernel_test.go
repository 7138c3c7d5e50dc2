//go:build kernel

package hostnet

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"gslb/conf"
	"gslb/topology"
	"gslb/wiring"
)

// The nodes of the site, one of each kind, and the addresses of theirs.
var nodes = map[string]struct {
	id      string
	e0, e1  []string // addresses with prefixes; nothing on e1: there is none
	routers []string
}{
	"server of a NAT farm": {`farm.nat["one"].server.s`, []string{"10.0.1.10/24", "2001:db8:11::10/64"}, nil, []string{"10.0.1.254", "2001:db8:11::fe"}},
	"server of a NAT farm behind a tunnel": {
		`farm.nat["tun"].server.s`, []string{"10.0.2.10/24", "2001:db8:12::10/64"}, nil, []string{"10.0.2.254", "2001:db8:12::fe"}},
	"server behind tunnels":        {"farm.tun.server.s", []string{"192.0.2.31/24", "2001:db8:1::31/64"}, nil, edgeRouters},
	"server of IPv4 alone":         {`farm.other["four"].server.s`, []string{"192.0.2.51/24"}, nil, []string{"192.0.2.1", "fe80::1"}},
	"server of IPv6 alone":         {`farm.other["six"].server.s`, []string{"2001:db8:1::61/64"}, nil, []string{"", "2001:db8:1::1"}},
	"server behind DR":             {"farm.dr.server.s", []string{"192.0.2.41/24", "2001:db8:1::41/64"}, nil, edgeRouters},
	"director of the first tier":   {`director.front["b"]`, []string{"192.0.2.12/24", "2001:db8:1::12/64"}, nil, edgeRouters},
	"NAT director":                 {`director.nat["one"]`, []string{"192.0.2.21/24", "2001:db8:1::21/64"}, []string{"10.0.1.1/24", "2001:db8:11::1/64"}, edgeRouters},
	"NAT director behind a tunnel": {`director.nat["tun"]`, []string{"192.0.2.22/24", "2001:db8:1::22/64"}, []string{"10.0.2.1/24", "2001:db8:12::1/64"}, edgeRouters},
	"NAT director behind DR":       {`director.nat["dr"]`, []string{"192.0.2.23/24", "2001:db8:1::23/64"}, []string{"10.0.3.1/24", "2001:db8:13::1/64"}, edgeRouters},
}

var edgeRouters = []string{"192.0.2.1", "2001:db8:1::1"}

func site(t testing.TB) *topology.Topology {
	t.Helper()
	const path = "../../wiring/testdata/site.hcl"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	topo, diags := conf.Parse(conf.Source{Files: []conf.File{{Name: path, Data: text}}})
	if topo == nil {
		t.Fatal(diags)
	}
	return topo
}

// newNode is a namespace like a node as its operating system has set it up, and
// what the node needs.
func newNode(t *testing.T, topo *topology.Topology, kind string) (wiring.Needs, string) {
	t.Helper()
	node := nodes[kind]
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	// What the other end of a link is does not matter; that they ask for
	// addresses and are up does.
	ip(t, "link set lo up")
	for i, addrs := range [][]string{node.e0, node.e1} {
		if addrs == nil {
			continue
		}
		ip(t, fmt.Sprintf("link add e%d address 02:00:00:00:00:0%d type veth peer name p%d address 02:00:00:00:01:0%d", i, i, i, i))
		ip(t, fmt.Sprintf("link set p%d up", i))
		ip(t, fmt.Sprintf("link set e%d up", i))
		for _, a := range addrs {
			nodad := ""
			if strings.Contains(a, "::") {
				nodad = " nodad"
			}
			ip(t, fmt.Sprintf("addr add %s dev e%d%s", a, i, nodad))
		}
	}
	if node.routers[0] != "" {
		ip(t, "route add default via "+node.routers[0])
	}
	ip(t, "-6 route add default via "+node.routers[1]+" dev e0")
	for _, kind := range []string{"ipip local 192.0.2.11 remote 192.0.2.12", "ip6tnl local 2001:db8::11 remote 2001:db8::12", "sit local 192.0.2.11 remote 192.0.2.12"} {
		ip(t, "link add warm type "+kind)
		ip(t, "link del warm")
	}
	needs, ok := wiring.Of(topo, node.id)
	if !ok {
		t.Fatalf("the site has no %s", node.id)
	}
	return needs, filepath.Join(t.TempDir(), "host.json")
}

func verify(t *testing.T, n wiring.Needs) []wiring.Finding {
	t.Helper()
	p, err := Look(n)
	if err != nil {
		t.Fatal(err)
	}
	return wiring.Verify(n, p)
}

func sh(t *testing.T, script string) {
	t.Helper()
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

func say(found []wiring.Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %s: %s\n  %s\n", f.Code, f.Object, f.Wrong, strings.Join(f.Mend, "\n  "))
	}
	return b.String()
}

func TestNothingIsWrongAfterApply(t *testing.T) {
	topo := site(t)
	for kind := range nodes {
		t.Run(kind, func(t *testing.T) {
			n, record := newNode(t, topo, kind)
			if found := verify(t, n); len(found) == 0 {
				t.Error("nothing is wrong with a host that nobody has made ready")
			}
			converge(t, n.Host, record)
			if found := verify(t, n); len(found) > 0 {
				t.Errorf("found\n%s", say(found))
			}
			if again := converge(t, n.Host, record); len(again) > 0 {
				t.Errorf("converging again changes %q", again)
			}
		})
	}
}

// Each wrong condition by itself is found, and no other; the commands of the
// finding mend it.
func TestEachWrongConditionIsFound(t *testing.T) {
	topo := site(t)
	const (
		tun, dr, nat, behind = "server behind tunnels", "server behind DR", "server of a NAT farm", "server of a NAT farm behind a tunnel"
		front, one, tunNAT   = "director of the first tier", "NAT director", "NAT director behind a tunnel"
		drNAT                = "NAT director behind DR"
	)
	type condition struct {
		kind   string
		breaks string // {A4} is the tunnel from the first front, {B4} from the second, {A6} and {B6} those of IPv6
		want   string // code and object
	}
	conditions := map[string]condition{
		"the host is another":                      {nat, "ip addr del 10.0.1.10/24 dev e0; ip addr add 10.0.1.11/24 dev e0; ip route add default via 10.0.1.1 dev e0", "address_missing 10.0.1.10"},
		"DR: no VIP":                               {dr, "ip addr del 192.0.2.103/32 dev lo", "vip_missing 192.0.2.103"},
		"DR: no VIP of IPv6":                       {dr, "ip addr del 2001:db8:1::103/128 dev lo", "vip_missing 2001:db8:1::103"},
		"DR: the VIP on the LAN":                   {dr, "ip addr del 192.0.2.103/32 dev lo; ip addr add 192.0.2.103/32 dev e0", "vip_device 192.0.2.103"},
		"DR: the VIP on the LAN too":               {dr, "ip addr add 192.0.2.103/24 dev e0", "vip_device 192.0.2.103"},
		"DR: the VIP of IPv6 on the LAN":           {dr, "ip addr add 2001:db8:1::103/128 dev e0 nodad preferred_lft 0", "vip_device 2001:db8:1::103"},
		"DR: the host answers ARP":                 {dr, "sysctl -qw net/ipv4/conf/e0/arp_ignore=0 net/ipv4/conf/all/arp_ignore=0", "arp_ignore net/ipv4/conf/e0/arp_ignore"},
		"DR: it answers for other interfaces' VIP": {dr, "sysctl -qw net/ipv4/conf/all/arp_ignore=3", "arp_ignore net/ipv4/conf/e0/arp_ignore"},
		"DR: the VIP asks":                         {dr, "sysctl -qw net/ipv4/conf/e0/arp_announce=1", "arp_announce net/ipv4/conf/e0/arp_announce"},
		"DR: proxy ARP":                            {dr, "sysctl -qw net/ipv4/conf/e0/proxy_arp=1", "proxy_arp net/ipv4/conf/e0/proxy_arp"},
		"DR: proxy ARP everywhere":                 {dr, "sysctl -qw net/ipv4/conf/all/proxy_arp=1", "proxy_arp net/ipv4/conf/e0/proxy_arp"},
		"DR: the director is behind a router":      {dr, "ip route replace 192.0.2.12/32 via 192.0.2.1", "on_link 192.0.2.12"},
		"DR: and of IPv6":                          {dr, "ip -6 route replace 2001:db8:1::12/128 via 2001:db8:1::1 dev e0", "on_link 2001:db8:1::12"},
		"DR: no way to the director":               {dr, "ip route replace unreachable 192.0.2.12/32", "on_link 192.0.2.12"},
		"DR: replies by the director":              {dr, "ip route replace default via 192.0.2.12", "default_route IPv4"},
		"DR: replies of IPv6 by the director":      {dr, "ip -6 route replace default via 2001:db8:1::12 dev e0", "default_route IPv6"},
		"DR: no default route":                     {dr, "ip route del default", "default_route IPv4"},
		"DR: the VIP of IPv6 is preferred":         {dr, "ip addr change 2001:db8:1::103/128 dev lo preferred_lft forever", "vip_preferred 2001:db8:1::103"},
		"DR director: a destination is elsewhere":  {front, "ip route add 192.0.2.41/32 via 192.0.2.1", "on_link 192.0.2.41"},

		"TUN: no tunnel":                                        {tun, "ip link del {A4}", "tunnel_missing {A4}"},
		"TUN: no tunnel of IPv6":                                {tun, "ip link del {B6}", "tunnel_missing {B6}"},
		"TUN: a tunnel is down":                                 {tun, "ip link set {A4} down", "tunnel_down {A4}"},
		"TUN: a tunnel of IPv6 is down":                         {tun, "ip link set {A6} down", "tunnel_down {A6}"},
		"TUN: from somebody else":                               {tun, "ip tunnel change {A4} mode ipip remote 192.0.2.77 local 192.0.2.31", "tunnel_remote {A4}"},
		"TUN: from somebody else, IPv6":                         {tun, "ip -6 tunnel change {A6} remote 2001:db8:1::77 local 2001:db8:1::31", "tunnel_remote {A6}"},
		"TUN: to another own address":                           {tun, "ip tunnel change {A4} mode ipip remote 192.0.2.11 local 192.0.2.102", "tunnel_local {A4}"},
		"TUN: of another mode":                                  {tun, "ip -6 tunnel change {A6} mode ipip6 remote 2001:db8:1::11 local 2001:db8:1::31", "tunnel_mode {A6}"},
		"TUN, IPv4 alone: no tunnel for the VIP of IPv6":        {"server of IPv4 alone", "ip link del {S4}", "tunnel_missing {S4}"},
		"TUN, IPv4 alone: an open one":                          {"server of IPv4 alone", "ip link set sit0 up", "tunnel_open sit0"},
		"TUN, IPv4 alone: segments too large":                   {"server of IPv4 alone", "ip -6 route replace default via fe80::1 dev e0 advmss 1440 table 18259", "segment_size IPv6"},
		"TUN, IPv6 alone: not both families":                    {"server of IPv6 alone", "ip -6 tunnel change {A6} mode ip6ip6 remote 2001:db8:1::11 local 2001:db8:1::61", "tunnel_mode {A6}"},
		"TUN, IPv6 alone: the filter is strict":                 {"server of IPv6 alone", "sysctl -qw net/ipv4/conf/{A6}/rp_filter=1 net/ipv4/conf/all/rp_filter=0", "rp_filter net/ipv4/conf/{A6}/rp_filter"},
		"TUN, IPv6 alone: no table for replies of IPv4":         {"server of IPv6 alone", "ip route flush table 18259", "reply_route table 18259"},
		"TUN, IPv6 alone: replies of IPv4 in large parts":       {"server of IPv6 alone", "ip -4 route replace default via inet6 2001:db8:1::1 dev e0 table 18259", "segment_size IPv4"},
		"TUN: one more, open to anybody":                        {tun, "ip link set tunl0 up", "tunnel_open tunl0"},
		"TUN: one more of IPv6":                                 {tun, "ip link set ip6tnl0 up", "tunnel_open ip6tnl0"},
		"TUN: an open one instead":                              {tun, "ip link del {A4}; ip link set tunl0 up; ip addr add 192.0.2.102/32 dev tunl0", "tunnel_open tunl0"},
		"TUN: one that any sender may use":                      {tun, "ip link del {A4}; ip link add {A4} type ipip local 192.0.2.31; ip link set {A4} up", "tunnel_open {A4}"},
		"TUN: the filter is strict":                             {tun, "sysctl -qw net/ipv4/conf/{A4}/rp_filter=1 net/ipv4/conf/all/rp_filter=0", "rp_filter net/ipv4/conf/{A4}/rp_filter"},
		"TUN: strict by all":                                    {tun, "sysctl -qw net/ipv4/conf/{A4}/rp_filter=0 net/ipv4/conf/all/rp_filter=1", "rp_filter net/ipv4/conf/{A4}/rp_filter"},
		"TUN: loose without an address":                         {tun, "ip addr del 192.0.2.102/32 dev {A4}; ip addr add 192.0.2.102/32 dev lo", "rp_filter {A4}"},
		"TUN: no VIP":                                           {tun, "ip addr del 192.0.2.106/32 dev {B4}", "vip_missing 192.0.2.106"},
		"TUN: the host answers ARP":                             {tun, "sysctl -qw net/ipv4/conf/e0/arp_ignore=0 net/ipv4/conf/all/arp_ignore=0", "arp_ignore net/ipv4/conf/e0/arp_ignore"},
		"TUN: a rule for replies is missing":                    {tun, "ip rule del pref 18259 from 192.0.2.102", "reply_rules 192.0.2.102"},
		"TUN: both rules of IPv6":                               {tun, "ip -6 rule del pref 18258 from 2001:db8:1::106; ip -6 rule del pref 18259 from 2001:db8:1::106", "reply_rules 2001:db8:1::106"},
		"TUN: a rule that does not leave out the default route": {tun, "ip rule del pref 18258 from 192.0.2.102; ip rule add pref 18258 from 192.0.2.102 lookup main", "reply_rules 192.0.2.102"},
		"TUN: the table of replies is empty":                    {tun, "ip route flush table 18259", "reply_route table 18259"},
		"TUN: replies go another way":                           {tun, "ip route replace default via 192.0.2.2 dev e0 advmss 1440 table 18259", "reply_route table 18259"},
		"TUN: segments too large":                               {tun, "ip route replace default via 192.0.2.1 dev e0 table 18259", "segment_size IPv4"},
		"TUN: segments of IPv6 too large":                       {tun, "ip -6 route replace default via 2001:db8:1::1 dev e0 advmss 1440 table 18259", "segment_size IPv6"},
		"TUN: replies by the director":                          {tun, "ip route replace default via 192.0.2.11", "default_route IPv4"},
		"TUN: an own address on two interfaces":                 {tun, "ip addr add 192.0.2.106/32 dev e0", "vip_device 192.0.2.106"},

		"NAT: replies past the director":                       {nat, "ip route replace default via 10.0.1.254", "default_route IPv4"},
		"NAT: replies of IPv6 past the director":               {nat, "ip -6 route add default via 2001:db8:11::fe dev e0 metric 5", "default_route IPv6"},
		"NAT: no default route":                                {nat, "ip route del default", "default_route IPv4"},
		"NAT behind a tunnel: segments too large":              {behind, "ip route replace default via 10.0.2.1", "segment_size IPv4"},
		"NAT director: it does not route":                      {one, "sysctl -qw net/ipv4/ip_forward=0", "ip_forward net/ipv4/ip_forward"},
		"NAT director: one interface does not":                 {one, "sysctl -qw net/ipv4/conf/e1/forwarding=0", "ip_forward net/ipv4/conf/e1/forwarding"},
		"NAT director: it does not route IPv6":                 {one, "sysctl -qw net/ipv6/conf/all/forwarding=0", "ip6_forward net/ipv6/conf/all/forwarding"},
		"NAT director: redirects":                              {one, "sysctl -qw net/ipv4/conf/e1/send_redirects=1", "send_redirects net/ipv4/conf/e1/send_redirects"},
		"NAT director: redirects everywhere":                   {one, "sysctl -qw net/ipv4/conf/all/send_redirects=1", "send_redirects net/ipv4/conf/all/send_redirects"},
		"NAT director: connections of the dead are held":       {one, "sysctl -qw net/ipv4/vs/expire_nodest_conn=0", "ipvs_sysctl net/ipv4/vs/expire_nodest_conn"},
		"director: no VIP":                                     {front, "ip addr del 192.0.2.103/32 dev e0", "vip_missing 192.0.2.103"},
		"director: the VIP on the loopback":                    {front, "ip addr del 2001:db8:1::103/128 dev e0; ip addr add 2001:db8:1::103/128 dev lo nodad preferred_lft 0", "vip_device 2001:db8:1::103"},
		"director: the VIP on two interfaces":                  {one, "ip addr add 192.0.2.101/32 dev e1", "vip_interfaces 192.0.2.101"},
		"director: answers to probes are martians":             {front, "sysctl -qw net/ipv4/conf/e0/accept_local=0", "accept_local net/ipv4/conf/e0/accept_local"},
		"director: duplicates of the VIP are looked for":       {front, "ip addr del 2001:db8:1::103/128 dev e0; ip addr add 2001:db8:1::103/128 dev e0 preferred_lft 0", "vip_dad 2001:db8:1::103"},
		"second tier behind a tunnel: the filter is strict":    {tunNAT, "sysctl -qw net/ipv4/conf/{A4}/rp_filter=1 net/ipv4/conf/all/rp_filter=0", "rp_filter net/ipv4/conf/{A4}/rp_filter"},
		"second tier behind a tunnel: it answers ARP":          {tunNAT, "sysctl -qw net/ipv4/conf/e0/arp_ignore=0 net/ipv4/conf/all/arp_ignore=0", "arp_ignore net/ipv4/conf/e0/arp_ignore"},
		"second tier behind a tunnel: no marks":                {tunNAT, "tc filter del dev {A4} ingress pref 18259 handle 1 flower", "mark 192.0.2.104 tcp/80 on {A4}"},
		"second tier behind DR: no VIP":                        {drNAT, "ip addr del 2001:db8:1::105/128 dev lo", "vip_missing 2001:db8:1::105"},
		"second tier behind DR: its way to clients is a front": {drNAT, "ip route replace default via 192.0.2.11", "default_route IPv4"},
		"second tier behind DR: another mark": {drNAT, "tc filter replace dev e0 ingress pref 18259 handle 1 protocol ip flower dst_ip 192.0.2.105/32 ip_proto tcp dst_port 80 action skbedit mark 9",
			"mark 192.0.2.105 tcp/80 on e0"},
	}
	for kind := range nodes {
		t.Run(kind, func(t *testing.T) {
			var n wiring.Needs
			good := false // what is mended serves the next
			for _, name := range slices.Sorted(maps.Keys(conditions)) {
				c := conditions[name]
				if c.kind != kind {
					continue
				}
				if !good {
					var record string
					n, record = newNode(t, topo, kind)
					converge(t, n.Host, record)
				}
				in := tunnels(n)
				good = conditionIsFound(t, n, name, in.Replace(c.breaks), in.Replace(c.want))
			}
		})
	}
}

// tunnels replaces {A4} and the like by the names of devices.
func tunnels(n wiring.Needs) *strings.Replacer {
	var names []string
	for _, w := range n.Host.Tunnels {
		remote := w.Remote.String()
		end := map[string]string{"11": "{A", "12": "{B"}[remote[len(remote)-2:]]
		if w.Six {
			end = "{S"
		}
		names = append(names, end+map[bool]string{false: "4}", true: "6}"}[w.Remote.Is6()], w.Name)
	}
	return strings.NewReplacer(names...)
}

// conditionIsFound breaks a good host and reports whether it is good again.
func conditionIsFound(t *testing.T, n wiring.Needs, name, breaks, want string) bool {
	t.Helper()
	sh(t, breaks)
	found := verify(t, n)
	if len(found) != 1 || found[0].Code+" "+found[0].Object != want {
		t.Errorf("%s: found, in place of %s alone,\n%s", name, want, say(found))
		return false
	}
	if found[0].Wrong == "" || found[0].Why == "" || len(found[0].Mend) == 0 {
		t.Errorf("%s: something is not said: %+v", name, found[0])
	}
	if found[0].Code == "address_missing" {
		return false // what to do there is not for a program to know
	}
	for _, command := range found[0].Mend {
		sh(t, strings.ReplaceAll(command, "ROUTER", "192.0.2.1"))
	}
	if found := verify(t, n); len(found) > 0 {
		t.Errorf("%s: mended, it is still wrong:\n%s", name, say(found))
		return false
	}
	return true
}

// A host that was made ready by other means, and as well.
func TestOtherWaysAreFine(t *testing.T) {
	topo := site(t)
	for name, c := range map[string]struct{ kind, does string }{
		"the VIP on a dummy": {"server behind DR",
			"ip link add d0 type dummy; ip link set d0 up; ip addr del 192.0.2.103/32 dev lo; ip addr add 192.0.2.103/32 dev d0"},
		"ARP by all":                          {"server behind DR", "sysctl -qw net/ipv4/conf/e0/arp_ignore=0 net/ipv4/conf/all/arp_ignore=1"},
		"ARP is never answered":               {"server behind DR", "sysctl -qw net/ipv4/conf/e0/arp_ignore=8"},
		"a tunnel of another name":            {"server behind tunnels", "ip link set {A4} down; ip link set {A4} name front; ip link set front up"},
		"no filter, and the VIP elsewhere":    {"server behind tunnels", "sysctl -qw net/ipv4/conf/{A4}/rp_filter=0 net/ipv4/conf/all/rp_filter=0; ip addr del 192.0.2.102/32 dev {A4}; ip addr add 192.0.2.102/32 dev lo"},
		"a link that has room for no more":    {"server behind tunnels", "ip rule del pref 18259 from 192.0.2.102; ip link set e0 mtu 1480"},
		"a default route with small segments": {"server behind tunnels", "ip route flush table 18259; ip route replace default via 192.0.2.1 advmss 1400"},
		"a tunnel of somebody else":           {"server behind tunnels", "ip link add other type ipip local 192.0.2.31 remote 203.0.113.9; ip link set other up"},
	} {
		t.Run(name, func(t *testing.T) {
			n, record := newNode(t, topo, c.kind)
			converge(t, n.Host, record)
			sh(t, tunnels(n).Replace(c.does))
			if found := verify(t, n); len(found) > 0 {
				t.Errorf("found\n%s", say(found))
			}
		})
	}
}

// seen is the picture without what the kernel draws by lot, and without the
// numbers of the interfaces: the first tunnel of a kind brings one more.
func seen(t *testing.T) string {
	lines := strings.Split(regexp.MustCompile(`permaddr \S+|(?m)^\d+: `).ReplaceAllString(picture(t), ""), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// The printed script makes a host the same as converging does, and running it
// again changes nothing.
func TestTheScriptDoesTheSame(t *testing.T) {
	topo := site(t)
	for _, kind := range []string{
		"server of a NAT farm behind a tunnel", "server behind tunnels", "server of IPv4 alone", "server of IPv6 alone", "server behind DR",
		"NAT director behind a tunnel", "NAT director behind DR",
	} {
		t.Run(kind, func(t *testing.T) {
			n, record := newNode(t, topo, kind)
			converge(t, n.Host, record)
			want := seen(t)
			n, record = newNode(t, topo, kind)
			script := wiring.Files(wiring.Shell, n, wiring.Site{})[0].Text
			for range 2 {
				sh(t, script)
				if diff := cmp.Diff(want, seen(t)); diff != "" {
					t.Fatalf("converging and the script differ (-converged +script):\n%s\n%s", diff, script)
				}
			}
			if found := verify(t, n); len(found) > 0 {
				t.Errorf("found\n%s", say(found))
			}
			if changes := converge(t, n.Host, record); len(changes) > 0 {
				t.Errorf("after the script converging changes %q", changes)
			}
		})
	}
}
