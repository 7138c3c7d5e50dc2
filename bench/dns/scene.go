package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
)

// A scene is data and the queries for it. What the contestants serve is the
// same but for the last word of growth scenes, where one server is compared
// with itself.
type scene struct {
	name    string
	title   string
	proxies bool // measured with a few askers too, besides one for each query
	card    bool // over virtual network cards instead of loopback
	// against lists the contestants, ours last.
	against []contestant
}

// A contestant is a server with a world of data to serve.
type contestant struct {
	server string // nsd, knot, gdnsd, coredns, gslb
	label  string // what it is called in the report; "" is server
	world  world
	xdp    bool // past the kernel's network stack
}

// A world is what a server serves. The zone is example.org.
type world struct {
	names   int // static names, each with an A and an AAAA record
	targets int // weighted addresses of each steered name, of weight 1, 2, 3, 1, 2, 3 ...
	regions int // that steered names have an address in, one for each client prefix in turn
	lengths int // of steered names; 0 or 1: all are equally long
	clients int // prefixes, /24, one of which each asker of a scene with regions claims to be in
}

const steeredNames = 64

func all(w world, servers ...string) []contestant {
	var list []contestant
	for _, s := range servers {
		list = append(list, contestant{server: s, world: w})
	}
	return list
}

var scenes = []scene{
	{name: "static", title: "1,000 names, A and AAAA", proxies: true, against: all(world{names: 1000}, "coredns", "nsd", "knot", "gdnsd", "gslb")},
	{name: "weighted", title: "one of 16 addresses by weight", proxies: true, against: all(world{names: 1000, targets: 16}, "gdnsd", "gslb")},
	{name: "lengths", title: "one of 16 addresses by weight, names of 16 lengths", proxies: true, against: all(world{names: 1000, targets: 16, lengths: 16}, "gdnsd", "gslb")},
	{name: "geo", title: "one of 16 regions by client subnet, 512 prefixes", proxies: true, against: all(world{names: 1000, regions: 16, clients: 512}, "gdnsd", "gslb")},
	{name: "clients", title: "growth: one of 16 regions by client subnet, 200,000 prefixes all over the world", against: all(world{names: 1000, regions: 16, clients: 200_000}, "gdnsd", "gslb")},
	{name: "targets", title: "growth: 256 weighted addresses", against: []contestant{
		{server: "gslb", label: "gslb, 2", world: world{targets: 2}},
		{server: "gslb", world: world{targets: 256}},
	}},
	{name: "names", title: "growth: 1,000,000 names", against: append(
		all(world{names: 1_000_000}, "nsd", "knot", "gdnsd"),
		contestant{server: "gslb", label: "gslb, 1,000", world: world{names: 1000}},
		contestant{server: "gslb", world: world{names: 1_000_000}},
	)},
	{name: "card-static", title: "1,000 names, A and AAAA, over a virtual card", card: true, against: append(
		all(world{names: 1000}, "nsd", "knot", "gdnsd"), past(world{names: 1000}, "knot", "gslb")...)},
	{name: "card-weighted", title: "one of 16 addresses by weight, over a virtual card", card: true, against: append(
		all(world{names: 1000, targets: 16}, "gdnsd"), past(world{names: 1000, targets: 16}, "gslb")...)},
	{name: "card-geo", title: "one of 16 regions by client subnet, 512 prefixes, over a virtual card", card: true, against: append(
		all(world{names: 1000, regions: 16, clients: 512}, "gdnsd"), past(world{names: 1000, regions: 16, clients: 512}, "gslb")...)},
}

// past lists ours through the kernel's stack, and then servers past it.
func past(w world, servers ...string) []contestant {
	list := []contestant{{server: "gslb", world: w}}
	for _, s := range servers {
		list = append(list, contestant{server: s, label: s + ", XDP", world: w, xdp: true})
	}
	return list
}

func sceneNames() []string {
	var names []string
	for _, s := range scenes {
		names = append(names, s.name)
	}
	return names
}

func findScene(name string) *scene {
	for i := range scenes {
		if scenes[i].name == name {
			return &scenes[i]
		}
	}
	return nil
}

// A query is a packet to send, with the ID still to be set, and what may be
// answered.
type query struct {
	packet []byte
	want   []netip.Addr // one of them
}

// v4 and v6 are the addresses of a static name. There are fewer addresses for
// documentation than names, so private ones fill in.
func v4(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

func v6(i int) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)})
}

// target is an address of a steered name.
func target(name, i int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, 18, byte(i), byte(name)}) // for measuring (RFC 2544)
}

// host and steered are names. All of a kind are equally long, so that their
// queries are, but where a world wants it otherwise.
func host(n int) string { return fmt.Sprintf("host-%06d", n) }

func (w world) steered(n int) string {
	return fmt.Sprintf("s%02d", n) + strings.Repeat("x", n%max(w.lengths, 1))
}

func weight(i int) int { return 1 + i%3 }

// prefix is where a client is from; neighbours are of different regions. Few
// are side by side, many are scattered over what begins with 32 to 95, of
// which there are more than two million.
func (w world) prefix(i int) netip.Prefix {
	if w.clients > 512 {
		n := 32<<16 + uint32(uint64(i)*0x9e3779b1%(64<<16))
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(n >> 16), byte(n >> 8), byte(n), 0}), 24)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, byte(18 + i>>8), byte(i), 0}), 24)
}

// queries are all that a world is asked, in an order that is the same for all.
func (w world) queries() []query {
	var list []query
	switch {
	case w.regions > 0:
		for n := range steeredNames {
			// Some thousands for each name at most.
			for i := n % 8; i < w.clients; i += 8 * (w.clients>>15 | 1) {
				list = append(list, query{packet(w.steered(n), 1, w.prefix(i)), []netip.Addr{target(n, i%w.regions)}})
			}
		}
	case w.targets > 0:
		for n := range steeredNames {
			var want []netip.Addr
			for i := range w.targets {
				want = append(want, target(n, i))
			}
			list = append(list, query{packet(w.steered(n), 1, netip.Prefix{}), want})
		}
	default:
		for n := range w.names {
			list = append(list,
				query{packet(host(n), 1, netip.Prefix{}), []netip.Addr{v4(n)}},
				query{packet(host(n), 28, netip.Prefix{}), []netip.Addr{v6(n)}})
		}
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// packet is a query as resolvers send them: with EDNS and a buffer of 1,232
// bytes; with a client subnet if from is valid.
func packet(label string, typ uint16, from netip.Prefix) []byte {
	p := []byte{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, byte(len(label))}
	p = append(p, label...)
	p = append(p, "\x07example\x03org\x00"...)
	p = append(p, 0, byte(typ), 0, 1)
	p = append(p, 0, 0, 41, 1232>>8, 1232&0xff, 0, 0, 0, 0, 0)
	if !from.IsValid() {
		return append(p, 0)
	}
	a := from.Addr().As4()
	p = append(p, 11, 0, 8, 0, 7, 0, 1, 24, 0)
	return append(p, a[:3]...)
}

// zone writes the static part as a master file; lines for steered names follow it.
func (w world) zone(steered string) string {
	var b strings.Builder
	b.WriteString("$ORIGIN example.org.\n$TTL 3600\n@ SOA ns.example.org. hostmaster.example.org. 1 3600 600 1209600 30\n@ NS ns.example.org.\nns A 192.0.2.53\n")
	for n := range w.names {
		fmt.Fprintf(&b, "%s A %s\n%s AAAA %s\n", host(n), v4(n), host(n), v6(n))
	}
	b.WriteString(steered)
	return b.String()
}

// topology writes a world in our language. The static names are in the master
// file if it has one.
func (w world) topology(file string) string {
	var b strings.Builder
	b.WriteString("zone \"z\" {\n  name = \"example.org\"\n")
	if w.file() {
		fmt.Fprintf(&b, "  file = %q\n", file)
	} else {
		for n := range w.names {
			fmt.Fprintf(&b, "  record \"a%d\" {\n    name = %q\n    type = \"A\"\n    data = [\"%s\"]\n  }\n", n, host(n), v4(n))
			fmt.Fprintf(&b, "  record \"b%d\" {\n    name = %q\n    type = \"AAAA\"\n    data = [\"%s\"]\n  }\n", n, host(n), v6(n))
		}
	}
	b.WriteString("}\nregion \"home\" {\n  location = [0, 0]\n}\nnameserver \"ns\" {\n  name = \"ns.example.org.\"\n  region = region.home\n  addresses = [\"192.0.2.53\"]\n}\n")
	for r := range w.regions {
		fmt.Fprintf(&b, "region \"r%d\" {\n  location = [0, %d]\n  prefixes = [", r, r)
		for i := r; i < w.clients; i += w.regions {
			fmt.Fprintf(&b, "\"%s\", ", w.prefix(i))
		}
		b.WriteString("]\n}\n")
	}
	step := "weight"
	if w.regions > 0 {
		step = "prefixes"
	}
	fmt.Fprintf(&b, "policy \"p\" {\n  step \"health\" {}\n  step %q {}\n  step \"limit\" {\n    answers = 1\n  }\n}\n", step)
	for n := range steeredNames {
		if w.targets+w.regions == 0 {
			break
		}
		fmt.Fprintf(&b, "domain %q {\n  zone = zone.z\n  ttl = \"60s\"\n  policy = policy.p\n", w.steered(n))
		for i := range w.targets {
			fmt.Fprintf(&b, "  answer \"a%d\" {\n    addresses = [\"%s\"]\n    region = region.home\n    weight = %d\n  }\n", i, target(n, i), weight(i))
		}
		for r := range w.regions {
			fmt.Fprintf(&b, "  answer \"r%d\" {\n    addresses = [\"%s\"]\n    region = region.r%d\n  }\n", r, target(n, r), r)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// file reports whether a world has too many names for anybody to write them
// into a topology.
func (w world) file() bool { return w.names > 1000 }

// gdnsd writes the plugins' configuration of a world, and the zone's lines for it.
func (w world) gdnsd() (plugins, lines string) {
	var p, l strings.Builder
	switch {
	case w.regions > 0:
		p.WriteString("plugins => { geoip => {\n maps => { m => {\n  datacenters => [ ")
		for r := range w.regions {
			fmt.Fprintf(&p, "r%d ", r)
			if r < w.regions-1 {
				p.WriteString(", ")
			}
		}
		p.WriteString("]\n  nets => {\n")
		for i := range w.clients {
			fmt.Fprintf(&p, "   %s => r%d\n", w.prefix(i), i%w.regions)
		}
		p.WriteString("  } } }\n resources => {\n")
		for n := range steeredNames {
			fmt.Fprintf(&p, "  %s => { map => m\n service_types => up\n dcmap => { ", w.steered(n))
			for r := range w.regions {
				fmt.Fprintf(&p, "r%d => %s\n", r, target(n, r))
			}
			p.WriteString("} }\n")
			fmt.Fprintf(&l, "%s 60 DYNA geoip!%[1]s\n", w.steered(n))
		}
		p.WriteString(" } } }\n")
	case w.targets > 0:
		p.WriteString("plugins => { weighted => {\n")
		for n := range steeredNames {
			fmt.Fprintf(&p, " %s => { ", w.steered(n))
			for i := range w.targets {
				fmt.Fprintf(&p, "a%d = [ %s, %d ]\n", i, target(n, i), weight(i))
			}
			p.WriteString("}\n")
			fmt.Fprintf(&l, "%s 60 DYNA weighted!%[1]s\n", w.steered(n))
		}
		p.WriteString("} }\n")
	}
	return p.String(), l.String()
}
