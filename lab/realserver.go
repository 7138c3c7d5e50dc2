package lab

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"gslb/topology"
)

// askedHeader names the path that was asked for, so that somebody who asks
// several times on one connection sees which of it is answered.
const askedHeader = "Asked-For"

// A realServer answers on the ports of a real server's services, and on those
// that its checks and agent look at, with "server=<its address>
// client=<ip>:<port>": HTTP/1.1 and HTTP/2, the same over TLS on the same port,
// and a datagram for every datagram. It also passes checks in other languages,
// see language.go.
type realServer struct {
	node  string
	self  topology.Addrs
	at    []endpoint
	users []netip.Prefix // who always speak first

	mu   sync.Mutex
	http *http.Server
	open []io.Closer // what it listens at
}

type endpoint struct {
	proto topology.Proto
	addr  netip.AddrPort
	check topology.CheckType // that wants the server to speak first, smtp or agent; else none
}

// answer is what a real server says.
func answer(server, client netip.AddrPort) string {
	return fmt.Sprintf("server=%s client=%s\n", server.Addr(), client)
}

// endpoints are where real server s must answer: at its own address, and for
// TUN and DR at the VIPs, which packets still carry when they arrive.
func endpoints(topo *topology.Topology, s *topology.Server) []endpoint {
	at := map[endpoint]int{} // without their checks
	var out []endpoint
	add := func(proto topology.Proto, addr netip.Addr, port uint16, check topology.CheckType) {
		e := endpoint{proto: proto, addr: netip.AddrPortFrom(addr, port)}
		i, there := at[e]
		if !there {
			i = len(out)
			at[e] = i
			out = append(out, e)
		}
		if check != topology.NoCheck {
			out[i].check = check
		}
	}
	for _, service := range topo.Services {
		for _, f := range service.Farms() {
			if f != s.Farm {
				continue
			}
			last := service.Tiers[len(service.Tiers)-1]
			nat := last.Method == topology.NAT
			everywhere := func(proto topology.Proto, number uint16, check topology.CheckType) {
				for _, a := range s.Addrs {
					add(proto, a, number, check)
				}
				for _, vip := range service.VIPs {
					if _, ok := s.Addrs.Reach(vip, last.Method); ok && !nat {
						add(proto, vip, number, check)
					}
				}
			}
			for _, port := range service.Ports {
				number := port.Number
				if nat && s.Port != 0 {
					number = s.Port
				}
				everywhere(port.Proto, number, first(last.Check, port))
			}
			if c := last.Check; c != nil && c.Port != 0 && c.Type.Proto() != topology.NoProto {
				if asked := (topology.Port{Proto: c.Type.Proto(), Number: c.Port}); !slices.Contains(service.Ports, asked) {
					everywhere(asked.Proto, asked.Number, first(c, asked))
				}
			}
		}
	}
	if c := s.Farm.Agent; c != nil {
		for _, a := range s.Addrs {
			add(topology.TCP, a, c.Port, c.Type)
		}
	}
	return out
}

// first is the check's type where it looks at a port and wants to hear first.
func first(c *topology.Check, port topology.Port) topology.CheckType {
	if c == nil || port.Proto != topology.TCP || c.Port != 0 && c.Port != port.Number || c.Type != topology.CheckSMTP && c.Type != topology.CheckAgent {
		return topology.NoCheck
	}
	return c.Type
}

// Serve makes real server s answer.
func (w *World) Serve(s *topology.Server) error {
	return w.answer(&realServer{node: s.ID, self: s.Addrs, at: endpoints(w.Topo, s)})
}

func (w *World) answer(r *realServer) error {
	for _, n := range w.Plan.Nodes {
		if n.Kind == Client {
			r.users = append(r.users, n.Anywhere...)
		}
	}
	w.mu.Lock()
	w.servers[r.node] = r
	w.mu.Unlock()
	return r.start(w)
}

// Halt ends the answering of a real server, as when its program dies: its
// machine goes on and refuses connections. Resume starts it again.
func (w *World) Halt(id string) error {
	r, ok := w.servers[id]
	if !ok {
		return fmt.Errorf("the lab has no real server %s", id)
	}
	r.halt()
	return nil
}

// Resume starts what [World.Halt] ended.
func (w *World) Resume(id string) error {
	r, ok := w.servers[id]
	if !ok {
		return fmt.Errorf("the lab has no real server %s", id)
	}
	return r.start(w)
}

func (r *realServer) start(w *World) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.http = &http.Server{
		Handler:           http.HandlerFunc(r.handle),
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // half-open connections of probes are no news
		Protocols:         new(http.Protocols),
	}
	r.http.Protocols.SetHTTP1(true)
	r.http.Protocols.SetUnencryptedHTTP2(true) // what is encrypted is so below the server
	for _, e := range r.at {
		err := w.freed(r.node, func() error {
			if e.proto == topology.UDP {
				c, err := net.ListenPacket("udp", e.addr.String())
				if err != nil {
					return err
				}
				r.open = append(r.open, c)
				go r.echo(c)
				return nil
			}
			l, err := net.Listen("tcp", e.addr.String())
			if err != nil {
				return err
			}
			r.open = append(r.open, l)
			go func(server *http.Server) { _ = server.Serve(sniffer{l, e.check, r.users}) }(r.http) // until halt closes it
			return nil
		})
		if err != nil {
			return fmt.Errorf("%s: answer on %s %s: %w", r.node, e.proto, e.addr, err)
		}
	}
	return nil
}

// freed does what opens a port on a node, again while the port is not free: a
// program that is being started has what was open here until it runs, and after
// vfork a little longer than its parent can know of.
func (w *World) freed(node string, open func() error) error {
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if err := w.in(node, open); !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(until) {
			return err
		}
	}
}

func (r *realServer) halt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.http != nil {
		r.http.Close()
	}
	for _, c := range r.open { // the HTTP server may not have come to know its own
		c.Close()
	}
	r.open = nil
}

// own is the server's own address, of the family of a where it has one.
func (r *realServer) own(a netip.Addr) netip.AddrPort {
	own, _ := r.self.Reach(a, topology.TUN)
	return netip.AddrPortFrom(own, 0)
}

func (r *realServer) handle(w http.ResponseWriter, request *http.Request) {
	client, err := netip.ParseAddrPort(request.RemoteAddr)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	// An upload is taken in whole: it shows that large segments arrive.
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		return
	}
	if request.Header.Get("Content-Type") == "application/grpc" {
		serving(w)
		return
	}
	client = netip.AddrPortFrom(client.Addr().Unmap(), client.Port())
	w.Header().Set(askedHeader, request.URL.Path)
	fmt.Fprint(w, answer(r.own(client.Addr()), client))
}

func (r *realServer) echo(c net.PacketConn) {
	buffer := make([]byte, 2048)
	for {
		n, from, err := c.ReadFrom(buffer)
		if err != nil {
			return
		}
		if reply, ok := resolved(buffer[:n]); ok {
			_, _ = c.WriteTo(reply, from)
			continue
		}
		client := from.(*net.UDPAddr).AddrPort()
		client = netip.AddrPortFrom(client.Addr().Unmap(), client.Port())
		_, _ = c.WriteTo([]byte(answer(r.own(client.Addr()), client)), from) // lost like any datagram
	}
}

// A sniffer is a listener whose connections may speak TLS or not, and may be
// waiting for the server to speak first. Those of users never are, however long
// their first byte takes on a busy machine.
type sniffer struct {
	net.Listener
	check topology.CheckType
	users []netip.Prefix
}

func (s sniffer) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	check := s.check
	from := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	if slices.ContainsFunc(s.users, func(p netip.Prefix) bool { return p.Contains(from) }) {
		check = topology.NoCheck
	}
	return &sniffed{Conn: c, in: bufio.NewReader(c), check: check}, nil
}

// sniffed decides at the first byte: 0x16 begins a TLS handshake (RFC 8446
// section 5.1) and no HTTP request. Where none comes, a check may be waiting.
type sniffed struct {
	net.Conn
	in    *bufio.Reader
	check topology.CheckType
	once  sync.Once
	plain net.Conn // the connection without its TLS, when there is one
	over  bool     // it has been spoken to, and that is all
}

// silence is how long a client says nothing that waits for the server.
const silence = 50 * time.Millisecond

func (s *sniffed) Read(b []byte) (int, error) {
	s.once.Do(func() {
		if s.check != topology.NoCheck {
			_ = s.SetReadDeadline(time.Now().Add(silence))
			_, err := s.in.Peek(1)
			_ = s.SetReadDeadline(time.Time{})
			if err != nil {
				speak(s.Conn, s.check)
				s.over = true
				return
			}
		}
		if first, err := s.in.Peek(1); err == nil && first[0] == 0x16 {
			s.plain = tls.Server(buffered{s.Conn, s.in}, labTLS())
		}
	})
	switch {
	case s.over:
		return 0, io.EOF
	case s.plain != nil:
		return s.plain.Read(b)
	}
	return s.in.Read(b)
}

func (s *sniffed) Write(b []byte) (int, error) {
	if s.plain != nil {
		return s.plain.Write(b)
	}
	return s.Conn.Write(b)
}

type buffered struct {
	net.Conn
	in io.Reader
}

func (b buffered) Read(p []byte) (int, error) { return b.in.Read(p) }

// labTLS has a certificate nobody trusts.
var labTLS = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // the machine has no random numbers
	}
	now := time.Now()
	certificate := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"h2", "http/1.1"}}
})

// errNoAnswer says that what came back is no answer of a real server.
var errNoAnswer = errors.New("not the answer of a real server of the lab")

// parseAnswer reads what a real server said.
func parseAnswer(text string) (server netip.Addr, client netip.AddrPort, err error) {
	var s, c string
	if n, _ := fmt.Sscanf(text, "server=%s client=%s\n", &s, &c); n != 2 {
		return server, client, fmt.Errorf("%w: %.40q", errNoAnswer, text)
	}
	server, err1 := netip.ParseAddr(s)
	client, err2 := netip.ParseAddrPort(c)
	return server, client, errors.Join(err1, err2)
}

// dialFrom connects from a given source address.
func dialFrom(ctx context.Context, network string, from netip.Addr, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1}
	switch network {
	case "tcp":
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	case "udp":
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	return d.DialContext(ctx, network, to.String())
}
