package main

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"gslb/dnsserver"
	"gslb/internal/cli"
	"gslb/topology"
)

// doors say where a node is asked.
type doors struct {
	node   string // port 53 of its addresses; "": of none
	listen []string
	xdp    []string // interfaces
}

func (d *doors) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.node, "node", "", "listen on port 53 of this nameserver's addresses, as in nameserver.NAME")
	cmd.Flags().StringArrayVar(&d.listen, "listen", nil, "listen on `ADDR:PORT` (repeatable)")
	cmd.Flags().StringArrayVar(&d.xdp, "xdp", nil, "take queries that come in by `INTERFACE` past the kernel's network stack, and its firewall (repeatable)")
}

// addrs are the addresses that the flags ask for.
func (d *doors) addrs(topo *topology.Topology) ([]netip.AddrPort, error) {
	var addrs []netip.AddrPort
	if d.node != "" {
		ns, ok := topo.Nameserver(d.node)
		if !ok {
			var ids []string
			for _, ns := range topo.Nameservers {
				ids = append(ids, ns.ID)
			}
			return nil, cli.NoNode(d.node, "nameserver", ids)
		}
		for _, a := range ns.Addrs {
			addrs = append(addrs, netip.AddrPortFrom(a, 53))
		}
	}
	for _, s := range d.listen {
		a, err := netip.ParseAddrPort(s)
		if err != nil {
			return nil, cli.Usagef("--listen %s: want ADDR:PORT, as in 127.0.0.1:5300 or [::1]:5300", s)
		}
		addrs = append(addrs, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
	}
	for i, name := range d.xdp {
		if slices.Contains(d.xdp[:i], name) {
			return nil, cli.Usagef("--xdp %s is given twice", name)
		}
	}
	for _, a := range addrs {
		if len(d.xdp) > 0 && a.Addr().IsUnspecified() {
			return nil, cli.Usagef("--listen %s with --xdp: want single addresses; queries to other hosts that this one forwards are not for it", a)
		}
	}
	return addrs, nil
}

// replyFlags say how a node replies, whatever the topology.
type replyFlags struct {
	identity string
	secrets  string // file
	random   dnsserver.Secret
	allow    []string
	proxies  []string
	limit    dnsserver.Limit
}

func (f *replyFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.identity, "identity", "", "tell `NAME` to those who ask which server answered (NSID, id.server); default is the nameserver's or the machine's name, \"-\" tells nobody")
	cmd.Flags().StringVar(&f.secrets, "cookie-secret", "", "read the secrets of DNS cookies from `FILE`, 32 hex digits in each line: the first makes cookies, all are accepted; default is a random one")
	cmd.Flags().StringArrayVar(&f.allow, "allow", nil, "answer only askers in `PREFIX` (repeatable)")
	cmd.Flags().StringArrayVar(&f.proxies, "proxy-from", nil, "expect a PROXY header, version 2, from peers in `PREFIX` (repeatable)")
	cmd.Flags().IntVar(&f.limit.PerSecond, "rate-limit", 1000, "send at most `N` like replies a second to one network, a /24 or /56, over UDP; 0 is no limit")
	cmd.Flags().IntVar(&f.limit.Slip, "rate-slip", 2, "of `N` replies held back send one truncated, which leads honest askers to TCP; 0 sends none")
	_, _ = rand.Read(f.random[:]) // never fails
}

// options are the flags as the server wants them. The file of secrets is read
// each time.
func (f *replyFlags) options(node string) (*dnsserver.Options, error) {
	o := &dnsserver.Options{Node: f.identity, Cookies: []dnsserver.Secret{f.random}, Limit: f.limit}
	switch {
	case f.identity == "-":
		o.Node = ""
	case f.identity == "" && node != "":
		o.Node = node
	case f.identity == "":
		name, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("name of this machine, for --identity: %w", err)
		}
		o.Node = name
	}
	if len(o.Node) > 255 {
		return nil, cli.Usagef("--identity: %d bytes, at most 255 are possible", len(o.Node))
	}
	var err error
	if o.Allow, err = networks("--allow", f.allow); err != nil {
		return nil, err
	}
	if o.Proxies, err = networks("--proxy-from", f.proxies); err != nil {
		return nil, err
	}
	if f.secrets != "" {
		text, err := os.ReadFile(f.secrets)
		if err != nil {
			return nil, fmt.Errorf("--cookie-secret: %w", err)
		}
		if o.Cookies, err = dnsserver.ParseSecrets(string(text)); err != nil {
			return nil, fmt.Errorf("--cookie-secret %s: %w", f.secrets, err)
		}
	}
	return o, nil
}

// networks reads prefixes and single addresses.
func networks(flag string, list []string) (dnsserver.Networks, error) {
	var out dnsserver.Networks
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if a, single := netip.ParseAddr(s); single == nil {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil || p != p.Masked() || p.Addr().Is4In6() {
			return nil, cli.Usagef("%s %s: want a network or an address, as in 192.0.2.0/24 or 2001:db8::1", flag, s)
		}
		out = append(out, p)
	}
	return out, nil
}
