// Package client asks name servers: one question, one answer, from a chosen
// local address. It does not resolve: no second server, no retry, no cache, no
// change to TCP. Probes and the lab see with it what a server says.
package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// An Answer is what a server replied.
type Answer struct {
	Rcode   string // "NOERROR", "NXDOMAIN", ...
	AA, TC  bool
	Addrs   []netip.Addr    // of the A and AAAA records of the answer section, and the hints of HTTPS and SVCB, in their order
	Hosts   []string        // that its HTTPS, SVCB, SRV and MX records lead to, in their order
	Records []string        // the answer section as zone-file text
	TTLs    []time.Duration // of Records, one each
	Errors  []string        // the extended errors, as code and text: "22 no answer of the name is up"
}

// Ask sends one question of class IN to server over network, "udp" or "tcp",
// and waits for the reply to it until ctx ends. The zero local address leaves
// the choice to the kernel.
func Ask(ctx context.Context, network string, server netip.AddrPort, local netip.Addr, name, qtype string) (Answer, error) {
	answer, err := ask(ctx, network, server, local, name, qtype)
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s (%s) for %s %s: %w", server, network, name, qtype, err)
	}
	return answer, nil
}

func ask(ctx context.Context, network string, server netip.AddrPort, local netip.Addr, name, qtype string) (Answer, error) {
	query, err := question(name, qtype)
	if err != nil {
		return Answer{}, err
	}
	dialer := net.Dialer{}
	switch {
	case network != "udp" && network != "tcp":
		return Answer{}, fmt.Errorf("%q is neither udp nor tcp", network)
	case !local.IsValid():
	case network == "udp":
		dialer.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	default:
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	conn, err := dialer.DialContext(ctx, network, server.String())
	if err != nil {
		return Answer{}, bare(ctx, err)
	}
	defer conn.Close()
	return exchange(ctx, conn, network, query)
}

// Exchange asks as [Ask] does, over a connection that the caller has made to the
// server and closes. The question wants recursion, which only resolvers heed.
func Exchange(ctx context.Context, conn net.Conn, network, name, qtype string) (Answer, error) {
	query, err := question(name, qtype)
	if err != nil {
		return Answer{}, err
	}
	query.RecursionDesired = true
	return exchange(ctx, conn, network, query)
}

func question(name, qtype string) (*dns.Msg, error) {
	typ, ok := dns.StringToType[strings.ToUpper(qtype)]
	if !ok {
		return nil, fmt.Errorf("%q is no record type", qtype)
	}
	if _, ok := dns.IsDomainName(name); !ok {
		return nil, fmt.Errorf("%q is no domain name", name)
	}
	query := new(dns.Msg).SetQuestion(dns.Fqdn(name), typ)
	query.Id = uint16(rand.Uint32())
	query.RecursionDesired = false
	query.SetEdns0(1232, false)
	return query, nil
}

func exchange(ctx context.Context, conn net.Conn, network string, query *dns.Msg) (Answer, error) {
	packet, err := query.Pack()
	if err != nil {
		return Answer{}, err
	}
	// The end of ctx ends whatever waits on the connection.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	if network == "tcp" {
		packet = append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
	}
	if _, err := conn.Write(packet); err != nil {
		return Answer{}, bare(ctx, err)
	}
	buf := make([]byte, dns.MaxMsgSize)
	for {
		n, err := receive(conn, network, buf)
		if err != nil {
			return Answer{}, bare(ctx, err)
		}
		var reply dns.Msg
		err = reply.Unpack(buf[:n])
		switch {
		case err == nil && replies(&reply, query):
			return read(&reply), nil
		case network == "udp":
			// Somebody else's packet, or an earlier question's: go on waiting.
		case err != nil:
			return Answer{}, fmt.Errorf("read the reply: %w", err)
		default:
			return Answer{}, errors.New("the reply is to another question")
		}
	}
}

func receive(conn net.Conn, network string, buf []byte) (int, error) {
	if network == "udp" {
		return conn.Read(buf)
	}
	if _, err := io.ReadFull(conn, buf[:2]); err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint16(buf))
	return io.ReadFull(conn, buf[:n])
}

// replies reports whether reply is one to query. A server that could not read
// the question may leave it out.
func replies(reply, query *dns.Msg) bool {
	if !reply.Response || reply.Id != query.Id || reply.Opcode != query.Opcode {
		return false
	}
	if len(reply.Question) == 0 {
		return reply.Rcode != dns.RcodeSuccess
	}
	got, want := reply.Question[0], query.Question[0]
	return len(reply.Question) == 1 && got.Qtype == want.Qtype && got.Qclass == want.Qclass && strings.EqualFold(got.Name, want.Name)
}

func read(reply *dns.Msg) Answer {
	a := Answer{Rcode: dns.RcodeToString[reply.Rcode], AA: reply.Authoritative, TC: reply.Truncated}
	if a.Rcode == "" {
		a.Rcode = fmt.Sprintf("RCODE%d", reply.Rcode)
	}
	for _, r := range reply.Answer {
		var ip net.IP
		switch r := r.(type) {
		case *dns.A:
			ip = r.A
		case *dns.AAAA:
			ip = r.AAAA
		}
		if addr, ok := netip.AddrFromSlice(ip); ok {
			if r.Header().Rrtype == dns.TypeA {
				addr = addr.Unmap()
			}
			a.Addrs = append(a.Addrs, addr)
		}
		a.Addrs = append(a.Addrs, hints(r)...)
		if host, ok := target(r); ok {
			a.Hosts = append(a.Hosts, host)
		}
		a.Records = append(a.Records, r.String())
		a.TTLs = append(a.TTLs, time.Duration(r.Header().Ttl)*time.Second)
	}
	if opt := reply.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if e, ok := o.(*dns.EDNS0_EDE); ok {
				a.Errors = append(a.Errors, strings.TrimSpace(fmt.Sprintf("%d %s", e.InfoCode, e.ExtraText)))
			}
		}
	}
	return a
}

// bare is the cause of a network error: ctx's where that is the reason,
// otherwise without the addresses that Ask names itself.
func bare(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// target is the host that a record leads to, in lower case.
func target(r dns.RR) (string, bool) {
	itself := func(host string) string {
		if host == "." {
			host = r.Header().Name // RFC 9460, section 2.5.2
		}
		return host
	}
	switch r := r.(type) {
	case *dns.HTTPS:
		return dns.CanonicalName(itself(r.Target)), true
	case *dns.SVCB:
		return dns.CanonicalName(itself(r.Target)), true
	case *dns.SRV:
		return dns.CanonicalName(r.Target), true
	case *dns.MX:
		return dns.CanonicalName(r.Mx), true
	}
	return "", false
}

// hints are the addresses in a service binding (RFC 9460, section 7.3).
func hints(r dns.RR) []netip.Addr {
	var values []dns.SVCBKeyValue
	switch r := r.(type) {
	case *dns.HTTPS:
		values = r.Value
	case *dns.SVCB:
		values = r.Value
	}
	var out []netip.Addr
	for _, v := range values {
		var ips []net.IP
		switch v := v.(type) {
		case *dns.SVCBIPv4Hint:
			ips = v.Hint
		case *dns.SVCBIPv6Hint:
			ips = v.Hint
		}
		for _, ip := range ips {
			if addr, ok := netip.AddrFromSlice(ip); ok {
				out = append(out, addr.Unmap())
			}
		}
	}
	return out
}
