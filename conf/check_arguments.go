package conf

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gslb/dnsserver/rr"
	"gslb/topology"
)

// argumentOf says which types of check an argument of the block or of its
// expect group is for. Arguments that are not here are for all.
var argumentOf = func() map[string][]topology.CheckType {
	types := func(list ...topology.CheckType) []topology.CheckType { return list }
	web := types(topology.CheckHTTP, topology.CheckHTTPS)
	secure := types(topology.CheckHTTPS, topology.CheckTLS, topology.CheckGRPC, topology.CheckSMTP)
	replies := types(topology.CheckTCP, topology.CheckUDP, topology.CheckHTTP, topology.CheckHTTPS, topology.CheckFile)
	dns, grpc, exec := types(topology.CheckDNS), types(topology.CheckGRPC), types(topology.CheckExec)
	smtp, file := types(topology.CheckSMTP), types(topology.CheckFile)
	return map[string][]topology.CheckType{
		"path": web, "method": web, "http2": web, "headers": web,
		"host": types(topology.CheckHTTP, topology.CheckHTTPS, topology.CheckTLS, topology.CheckGRPC, topology.CheckSMTP), "verify": secure,
		"send": types(topology.CheckTCP, topology.CheckUDP, topology.CheckAgent), "query": dns, "query_type": dns, "tls": grpc, "grpc_service": grpc,
		"helo": smtp, "starttls": smtp, "file": file, "command": exec, "environment": exec, "user": exec, "group": exec,
		"status": web, "text": replies, "pattern": replies, "sha256": web, "exists": file, "max_age": file,
		"certificate_days": secure, "rcode": dns, "answer": dns,
	}
}()

// asked is the protocol of the ports that a check of a type looks at; TCP also
// for one that is only told a port.
func asked(t topology.CheckType) topology.Proto {
	if t.Proto() == topology.UDP {
		return topology.UDP
	}
	return topology.TCP
}

// needsPort reports whether a check of a type cannot do without a port.
func needsPort(t topology.CheckType) bool { return !t.Portless() && t != topology.CheckExec }

func typeOf(c *node) topology.CheckType {
	t, _ := get[topology.CheckType](c, "type")
	return t
}

// checkArguments reports arguments that are for other types of check, and what
// a type needs and does not have.
func (p *parser) checkArguments(c *node, typ topology.CheckType) {
	nodes := []*node{c}
	if g := c.groups["expect"]; g != nil && g.up == c {
		nodes = append(nodes, g)
	}
	for _, n := range nodes {
		for _, a := range n.sch.attrs {
			types, v := argumentOf[a.name], n.arg(a.name)
			if types == nil || v == nil || !v.own || slices.Contains(types, typ) || v.bad {
				continue
			}
			if (a.name == "verify" || a.name == "http2") && !n.flag(a.name) || a.name == "method" && n.str(a.name) == "GET" {
				continue // what happens anyway
			}
			var names []string
			for _, t := range types {
				names = append(names, t.String())
			}
			p.report(fault{
				code: "GS010", at: v.at, detail: fmt.Sprintf("%s is for checks of type %s; %s is of type %v.", a.name, among(names), c.id, typ),
				help: "Leave it out, or change the type.",
			})
		}
	}
	for _, need := range []struct {
		typ  topology.CheckType
		name string
	}{{topology.CheckDNS, "query"}, {topology.CheckExec, "command"}, {topology.CheckFile, "file"}} {
		if typ == need.typ && !c.gave(need.name) {
			p.missing(c.id, c.raw.decl, c.sch.attr(need.name))
		}
	}
	if typ == topology.CheckAgent && !c.gave("port") {
		p.report(fault{
			code: "GS002", at: c.raw.decl, what: "port", detail: c.id + " needs port: an agent listens at one of its own, not at the service's.",
		})
	}
	if s, ok := get[string](c, "helo"); ok && typ == topology.CheckSMTP {
		if _, why := canonical(s, hostName); why != "" {
			p.errorf("GS106", c.at("helo"), "helo: %s.", why)
		}
	}
	expect := c.groups["expect"]
	if expect != nil && expect.up != c {
		expect = nil
	}
	clash := func(n *node, name, why string) {
		if n != nil && n.gave(name) && n.arg(name).own && slices.Contains(argumentOf[name], typ) {
			p.report(fault{code: "GS010", at: n.at(name), detail: fmt.Sprintf("%s is of no use: %s %s.", name, c.id, why), help: "Leave it out."})
		}
	}
	for _, name := range []string{"text", "pattern", "sha256", "max_age"} {
		switch {
		case typ == topology.CheckFile && expect != nil && expect.gave("exists") && !expect.flag("exists"):
			clash(expect, name, "is alive while there is no file")
		case c.str("method") == "HEAD" && name != "max_age":
			clash(expect, name, "asks with HEAD, which is answered without a body")
		}
	}
	if typ == topology.CheckDNS {
		if s, ok := get[string](c, "query"); ok {
			if _, why := canonical(s, ownerName); why != "" && s != "." {
				p.errorf("GS106", c.at("query"), "query: %s.", why)
			}
		}
		if s, ok := get[string](c, "query_type"); ok && strings.ToUpper(s) != "SOA" {
			if _, err := rr.Type(strings.ToUpper(s)); err != nil {
				p.errorf("GS010", c.at("query_type"), "query_type: %v.", err)
			}
		}
	}
	for _, clear := range []struct {
		typ       topology.CheckType
		name, how string
	}{{topology.CheckGRPC, "tls", "gRPC"}, {topology.CheckSMTP, "starttls", "SMTP"}} {
		if typ != clear.typ || c.flag(clear.name) {
			continue
		}
		why := func(n *node, name string) {
			p.report(fault{
				code: "GS010", at: n.at(name), detail: fmt.Sprintf("%s is about a certificate, and %s speaks %s without TLS.", name, c.id, clear.how),
				help: "Give " + clear.name + " = true, or leave it out.",
			})
		}
		if c.flag("verify") && c.arg("verify").own {
			why(c, "verify")
		}
		if expect != nil && expect.gave("certificate_days") {
			why(expect, "certificate_days")
		}
	}
	if typ == topology.CheckUDP && !c.gave("send") {
		p.report(fault{
			code: "GS002", at: c.raw.decl, what: "send", detail: c.id + " needs send: nothing answers a datagram without a question.",
		})
	}
	p.checkHold(c)
}

// checkHold compares the times of a block's own flap group.
func (p *parser) checkHold(n *node) {
	g := n.groups["flap"]
	if g == nil || g.up != n {
		return
	}
	hold, ok1 := get[time.Duration](g, "hold")
	most, ok2 := get[time.Duration](g, "max")
	if ok1 && ok2 && hold > most {
		p.errorf("GS010", g.at("hold"), "hold: %v is more than max, %v.", hold, most)
	}
}

// checkAgents reports a farm's agent that is a check of another type.
func (p *parser) checkAgents() {
	for _, f := range p.all("farm") {
		c := f.ref("agent")
		if typ := typeOf(c); c != nil && typ != topology.NoCheck && typ != topology.CheckAgent {
			p.report(fault{
				code: "GS010", at: f.at("agent"), rel: []Related{c.here()}, detail: fmt.Sprintf("agent: %s is of type %v, which learns no more than whether somebody lives.", c.id, typ),
				help: "Give a check of type agent; what says whether the servers live is the tier's check.",
			})
		}
	}
}

// checkStraight reports a ping that would have to be sent through a VIP: IPVS
// forwards TCP and UDP, and the director would answer it itself. Programs and
// files send nothing of their own through it, and are told the destination.
func (p *parser) checkStraight(s *node, tiers []*node) {
	for _, t := range tiers {
		c, at := s.ref("check"), s.at("check")
		if t.gave("check") {
			c, at = t.ref("check"), t.at("check")
		}
		typ := typeOf(c)
		if c == nil || typ != topology.CheckICMP || t.val("method") == nil || t.method() == topology.NAT {
			continue
		}
		p.report(fault{
			code: "GS010", at: at, rel: []Related{c.here()},
			detail: fmt.Sprintf("The destinations of %s are checked through the VIP, which a check of type %v cannot do.", t.id, typ),
			help:   "Give the tier another check.",
		})
	}
}
