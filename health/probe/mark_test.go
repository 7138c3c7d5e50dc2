package probe

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gslb/health"
	"gslb/topology"
)

// callers are servers for every language that the checks speak, which are alive
// to whoever comes from one address and to nobody else.
func callers(t *testing.T, ip, want string) map[string]try {
	t.Helper()
	certificate := issue(t, 1000*24*time.Hour)
	tcp := func(secure bool, serve func(c net.Conn, known bool)) net.Addr {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
		if err != nil {
			t.Fatal(err)
		}
		if secure {
			l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}})
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go serve(c, c.RemoteAddr().(*net.TCPAddr).IP.String() == want)
			}
		}()
		return l.Addr()
	}
	web := func(secure bool) net.Addr {
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if host, _, _ := net.SplitHostPort(r.RemoteAddr); host != want {
				http.Error(w, host, http.StatusForbidden)
				return
			}
			if r.Header.Get("Content-Type") == "application/grpc" {
				w.Header().Set("Trailer", "Grpc-Status")
				w.Write([]byte{0, 0, 0, 0, 2, 1 << 3, 1})
				w.Header().Set("Grpc-Status", "0")
			}
		}), Protocols: new(http.Protocols)}
		s.Protocols.SetHTTP1(true)
		s.Protocols.SetHTTP2(true)
		s.Protocols.SetUnencryptedHTTP2(true)
		l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
		if err != nil {
			t.Fatal(err)
		}
		if secure {
			s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
			go s.ServeTLS(l, "", "")
		} else {
			go s.Serve(l)
		}
		t.Cleanup(func() { s.Close() })
		return l.Addr()
	}
	greeting := tcp(false, func(c net.Conn, known bool) {
		if known {
			io.WriteString(c, "220 known\r\n")
			buf := make([]byte, 100)
			for {
				if _, err := c.Read(buf); err != nil {
					break
				}
				io.WriteString(c, "250 yes\r\n")
			}
		}
		c.Close()
	})
	agent := tcp(false, func(c net.Conn, known bool) {
		io.WriteString(c, map[bool]string{true: "up\n", false: "down\n"}[known])
		c.Close()
	})
	shy := tcp(true, func(c net.Conn, known bool) {
		if known {
			c.(*tls.Conn).Handshake()
		}
		c.Close()
	})
	udp, err := net.ListenPacket("udp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { udp.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			if from.(*net.UDPAddr).IP.String() == want {
				buf[2] |= 0x80 // a DNS reply without records, and a text with the question in it
				udp.WriteTo(buf[:n], from)
			}
		}
	}()
	return map[string]try{
		"tcp":   {addr: greeting, kind: topology.CheckTCP, edit: func(c *topology.Check) { c.Text = "220 known" }},
		"smtp":  {addr: greeting, kind: topology.CheckSMTP},
		"agent": {addr: agent, kind: topology.CheckAgent},
		"tls":   {addr: shy, kind: topology.CheckTLS},
		"http":  {addr: web(false), kind: topology.CheckHTTP},
		"h2c":   {addr: web(false), kind: topology.CheckHTTP, edit: func(c *topology.Check) { c.HTTP2 = true }},
		"https": {addr: web(true), kind: topology.CheckHTTPS},
		"h2":    {addr: web(true), kind: topology.CheckHTTPS, edit: func(c *topology.Check) { c.HTTP2 = true }},
		"grpc":  {addr: web(false), kind: topology.CheckGRPC},
		"grpcs": {addr: web(true), kind: topology.CheckGRPC, edit: func(c *topology.Check) { c.TLS = true }},
		"udp":   {addr: udp.LocalAddr(), kind: topology.CheckUDP, edit: func(c *topology.Check) { c.Send = "xxxxx" }},
		"dns":   {addr: udp.LocalAddr(), kind: topology.CheckDNS, edit: func(c *topology.Check) { c.Query, c.QueryType = "www.example.org", "A" }},
	}
}

// What goes through a VIP has its mark and its source, whatever it asks.
func TestProbesThroughAVIP(t *testing.T) {
	for family, c := range map[string]struct{ ip, source string }{"v4": {"127.0.0.1", "127.0.0.9"}, "v6": {"::1", "::1"}} {
		t.Run(family, func(t *testing.T) {
			for name, x := range callers(t, c.ip, c.source) {
				t.Run(name, func(t *testing.T) {
					chk := check(x.kind)
					chk.Timeout = 10 * time.Second
					if x.edit != nil {
						x.edit(chk)
					}
					p := probeOf(t, x.addr, chk)
					p.Target.Via = netip.MustParseAddr("192.0.2.21")
					p.Mark, p.Source = 0x47530001, netip.MustParseAddr(c.source)
					// A mark needs CAP_NET_ADMIN; without it the probe must say so, not go unmarked.
					if err := Once(t.Context(), p).Err; err != nil && !strings.Contains(err.Error(), "operation not permitted") {
						t.Error(err)
					}
					p.Mark = 0
					if err := Once(t.Context(), p).Err; err != nil {
						t.Errorf("without a mark: %v", err)
					}
					if family == "v4" {
						p.Source = netip.MustParseAddr("127.0.0.10")
						chk.Timeout = 300 * time.Millisecond
						if err := Once(t.Context(), p).Err; err == nil {
							t.Error("a stranger is answered: the test shows nothing")
						}
					}
				})
			}
		})
	}
}

func TestASourceOfAnotherMachineIsRefused(t *testing.T) {
	p := Probe{Target: health.Target{Addr: netip.MustParseAddrPort("127.0.0.1:1")}, Check: check(topology.CheckTCP), Source: netip.MustParseAddr("192.0.2.1")}
	if err := Once(t.Context(), p).Err; err == nil || !strings.Contains(err.Error(), "cannot assign requested address") {
		t.Error(err)
	}
}
