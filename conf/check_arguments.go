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
	web := []topology.CheckType{topology.CheckHTTP, topology.CheckHTTPS}
	secure := []topology.CheckType{topology.CheckHTTPS, topology.CheckTLS, topology.CheckGRPC}
	talks := []topology.CheckType{topology.CheckTCP, topology.CheckUDP}
	replies := append(slices.Clone(talks), web...)
	dns := []topology.CheckType{topology.CheckDNS}
	grpc := []topology.CheckType{topology.CheckGRPC}
	exec := []topology.CheckType{topology.CheckExec}
	return map[string][]topology.CheckType{
		"path": web, "host": append(slices.Clone(web), topology.CheckTLS, topology.CheckGRPC), "verify": secure,
		"send": talks, "query": dns, "query_type": dns, "tls": grpc, "grpc_service": grpc, "command": exec, "environment": exec,
		"status": web, "text": replies, "pattern": replies, "certificate_days": secure, "rcode": dns, "answer": dns,
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
func needsPort(t topology.CheckType) bool { return t != topology.CheckICMP && t != topology.CheckExec }

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
			types, v := argumentOf[a.name], n.vals[a.name]
			if types == nil || v == nil || !v.own || slices.Contains(types, typ) || v.bad {
				continue
			}
			if a.name == "verify" && !n.flag(a.name) {
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
	}{{topology.CheckDNS, "query"}, {topology.CheckExec, "command"}} {
		if typ == need.typ && !c.gave(need.name) {
			p.missing(c.id, c.raw.decl, c.sch.attr(need.name))
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
	if typ == topology.CheckGRPC && !c.flag("tls") {
		if c.flag("verify") && c.vals["verify"].own {
			p.report(fault{code: "GS010", at: c.at("verify"), detail: "verify is about a certificate, and " + c.id + " speaks gRPC without TLS.", help: "Give tls = true, or leave it out."})
		}
		if g := c.groups["expect"]; g != nil && g.up == c && g.gave("certificate_days") {
			p.report(fault{code: "GS010", at: g.at("certificate_days"), detail: "certificate_days is about a certificate, and " + c.id + " speaks gRPC without TLS.", help: "Give tls = true, or leave it out."})
		}
	}
	if typ == topology.CheckUDP && !c.gave("send") {
		p.report(fault{
			code: "GS002", at: c.raw.decl, what: "send", detail: c.id + " needs send: nothing answers a datagram without a question.",
		})
	}
	if g := c.groups["flap"]; g != nil && g.up == c {
		hold, ok1 := get[time.Duration](g, "hold")
		most, ok2 := get[time.Duration](g, "max")
		if ok1 && ok2 && hold > most {
			p.errorf("GS010", g.at("hold"), "hold: %v is more than max, %v.", hold, most)
		}
	}
}

// checkStraight reports a check that must be made through a VIP and cannot be:
// a ping or a program is no connection that could carry a mark.
func (p *parser) checkStraight(s *node, tiers []*node) {
	for _, t := range tiers {
		c, at := s.ref("check"), s.at("check")
		if t.gave("check") {
			c, at = t.ref("check"), t.at("check")
		}
		typ := typeOf(c)
		if c == nil || typ != topology.CheckICMP && typ != topology.CheckExec || t.val("method") == nil || t.method() == topology.NAT {
			continue
		}
		p.report(fault{
			code: "GS010", at: at, rel: []Related{c.here()},
			detail: fmt.Sprintf("The destinations of %s are checked through the VIP, which a check of type %v cannot do.", t.id, typ),
			help:   "Give the tier another check.",
		})
	}
}
