package main

import (
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gslb/dataplane/hostnet"
	"gslb/internal/cli"
	"gslb/topology"
	"gslb/wiring"
)

func realserverPrintCmd() *cobra.Command {
	var node, as, out string
	var links, gateways []string
	var in cli.Inputs
	c := &cobra.Command{
		Use:   "print FILE... --node ADDR",
		Short: "Print what a host needs to be forwarded to, as its configuration",
		Long: `Print what "apply" would make of the host, as configuration that its operating
system keeps: a shell script, files for systemd-networkd, stanzas for ifupdown,
or a file for netplan with what netplan has no words for beside it. Several
files have a line with the path before each; --out writes them instead.

The file names no interfaces. The script finds them by their addresses where it
runs. The other forms must be told: by --link, or by being printed on the host
itself. Servers behind tunnels also need the router that they answer by: from
--gateway, else from the host itself, else from the file.`,
		Example: `  director realserver print shop.hcl --node 'farm.web["fra"].server.web[0]' >wiring.sh
  director realserver print shop.hcl --node farm.far.server.a --as networkd --link 192.0.2.31=eth0
  director realserver print shop.hcl --node farm.far.server.a --as netplan --out /`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, paths []string) error {
			form, ok := wiring.ParseForm(as)
			if !ok {
				return cli.Usagef("--as %s: it is one of %s", as, strings.Join(wiring.Forms(), ", "))
			}
			topo, err := topologyOf(node, &in, paths, c.ErrOrStderr())
			if err != nil {
				return err
			}
			needs, err := needsOf(topo, node)
			if err != nil {
				return err
			}
			site, err := siteOf(form, needs, links, gateways)
			if err != nil {
				return err
			}
			files := wiring.Files(form, needs, site)
			if out != "" {
				return writeFiles(c.ErrOrStderr(), files, out)
			}
			printFiles(c.OutOrStdout(), files)
			return nil
		},
	}
	c.Flags().StringVar(&node, "node", "", "the host's `address` in the file")
	c.Flags().StringVar(&as, "as", "shell", "`FORM`: "+strings.Join(wiring.Forms(), ", "))
	c.Flags().StringArrayVar(&links, "link", nil, "`ADDR=NAME`: the interface with the address; may be repeated")
	c.Flags().StringArrayVar(&gateways, "gateway", nil, "`ADDR` of the router that replies go by; one of each family")
	c.Flags().StringVar(&out, "out", "", "write the files below `DIR`; / is this host")
	in.Flags(c)
	return c
}

// topologyOf reads the file of a command that takes a node.
func topologyOf(node string, in *cli.Inputs, paths []string, stderr io.Writer) (*topology.Topology, error) {
	if node == "" {
		return nil, cli.Usagef("--node is missing: the address of this host's object in the file")
	}
	return in.Topology(paths, stderr)
}

// siteOf is what the file does not say of a host: what the user says, else what
// is found here, if this is the host.
func siteOf(form wiring.Form, n wiring.Needs, links, gateways []string) (wiring.Site, error) {
	s := wiring.Site{Links: map[netip.Addr]string{}}
	known := n.Links()
	for _, l := range links {
		text, name, ok := strings.Cut(l, "=")
		addr, err := netip.ParseAddr(text)
		if !ok || err != nil || !isLinkName(name) {
			return s, cli.Usagef("--link %s: it is an address, = and the name of an interface, as in 192.0.2.31=eth0", l)
		}
		if !slices.Contains(known, addr) {
			return s, cli.Usagef("--link %s: %s needs no interface with that address, but with %s", l, n.Node, list(known))
		}
		s.Links[addr] = name
	}
	for _, text := range gateways {
		via, err := netip.ParseAddr(text)
		if err != nil || via.Zone() != "" {
			return s, cli.Usagef("--gateway %s: it is the address of a router", text)
		}
		if slices.ContainsFunc(s.Gateways, func(g wiring.Gateway) bool { return g.V6 == via.Is6() }) {
			return s, cli.Usagef("--gateway %s: there is one of its family already", text)
		}
		s.Gateways = append(s.Gateways, wiring.Gateway{V6: via.Is6(), Via: via})
	}
	if !form.Needs() {
		return s, nil
	}
	return s, complete(&s, n, known)
}

// complete finds on this host what nobody has said.
func complete(s *wiring.Site, n wiring.Needs, links []netip.Addr) error {
	lacks := func(a netip.Addr) bool { return s.Links[a] == "" }
	var here wiring.Picture
	if slices.ContainsFunc(links, lacks) || n.Replies(false) || n.Replies(true) {
		var err error
		if here, err = hostnet.Look(n); err != nil {
			return err
		}
	}
	for _, a := range links {
		if !lacks(a) {
			continue
		}
		name, ok := here.Holder(a)
		if !ok {
			return cli.Usagef("no interface of this host has the address %s of %s: name the one of the host that this is for, --link %s=NAME", a, n.Node, a)
		}
		if !isLinkName(name) {
			return fmt.Errorf("the interface with the address %s is called %q, which is no name to write into a file", a, name)
		}
		s.Links[a] = name
	}
	said := s.Gateways
	s.Gateways = nil
	for _, v6 := range []bool{false, true} {
		if !n.Replies(v6) {
			continue
		}
		g, ok := gatewayOf(n, here, said, v6)
		if !ok {
			family := "IPv4"
			if v6 {
				family = "IPv6"
			}
			return cli.Usagef("nobody says by which router %s answers in %s: --gateway ADDR", n.Node, family)
		}
		s.Gateways = append(s.Gateways, g)
	}
	return nil
}

// gatewayOf is the router of replies of a family: what the user says, else what
// the host itself has where this is the host, else what the file says. IPv4 may
// go by a router of IPv6 where there is no other.
func gatewayOf(n wiring.Needs, here wiring.Picture, said []wiring.Gateway, v6 bool) (wiring.Gateway, bool) {
	families := []bool{v6}
	if !v6 {
		families = []bool{false, true}
	}
	for _, of := range families {
		if i := slices.IndexFunc(said, func(g wiring.Gateway) bool { return g.V6 == of }); i >= 0 {
			return wiring.Gateway{V6: v6, Via: said[i].Via}, true
		}
	}
	i := slices.IndexFunc(n.Parts, func(p wiring.Part) bool { return p.VIP.Is6() == v6 })
	own := n.Parts[i].Link.Holds
	for _, of := range families {
		r, ok := here.Default(of)
		if _, is := here.Holder(own); is && ok && r.Via.IsValid() && isLinkName(r.Link) {
			return wiring.Gateway{V6: v6, Via: r.Via, Link: r.Link, OnLink: r.OnLink}, true
		}
	}
	for _, of := range families {
		if j := slices.IndexFunc(n.Gateways, func(a netip.Addr) bool { return a.Is6() == of }); j >= 0 {
			return wiring.Gateway{V6: v6, Via: n.Gateways[j]}, true
		}
	}
	return wiring.Gateway{}, false
}

// isLinkName reports whether a name is one that an interface may have, and that
// no program reads as anything else.
func isLinkName(s string) bool {
	return s != "" && len(s) < 16 && s != "." && s != ".." && s[0] != '-' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == "" // IFNAMSIZ
}

func list(addrs []netip.Addr) string {
	if len(addrs) == 0 {
		return "none"
	}
	return topology.Addrs(addrs).String()
}

// printFiles prints one file as it is, several with a line before each.
func printFiles(out io.Writer, files []wiring.File) {
	for i, f := range files {
		if len(files) > 1 {
			if i > 0 {
				fmt.Fprintln(out)
			}
			fmt.Fprintf(out, "##### /%s\n", f.Path)
		}
		fmt.Fprint(out, f.Text)
	}
}

// writeFiles writes the files below a folder, each whole or not at all.
func writeFiles(say io.Writer, files []wiring.File, dir string) error {
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		temporary := path + ".new"
		if err := os.WriteFile(temporary, []byte(f.Text), fs.FileMode(f.Mode)); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		if err := os.Rename(temporary, path); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		fmt.Fprintln(say, path)
	}
	return nil
}
