package probe

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gslb/topology"
)

// What goes through a VIP has its mark and its source, whatever it asks.
func TestProbesThroughAVIP(t *testing.T) {
	greeting := listen(t, func(c net.Conn) { c.Write([]byte("220 " + c.RemoteAddr().(*net.TCPAddr).IP.String())); c.Close() })
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	go func() {
		buf := make([]byte, 100)
		for {
			_, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			udp.WriteTo([]byte(from.(*net.UDPAddr).IP.String()), from)
		}
	}()
	for name, c := range map[string]struct {
		addr net.Addr
		kind topology.CheckType
		edit func(*topology.Check)
	}{
		"tcp":  {greeting, topology.CheckTCP, func(c *topology.Check) { c.Text = "220 127.0.0.9" }},
		"udp":  {udp.LocalAddr(), topology.CheckUDP, func(c *topology.Check) { c.Send, c.Text = "x", "127.0.0.9" }},
		"dns":  {dnsServer(t), topology.CheckDNS, func(c *topology.Check) { c.Query, c.QueryType = "big.example.org", "A" }},
		"grpc": {grpcServer(t, true), topology.CheckGRPC, func(c *topology.Check) { c.TLS = true }},
		"tls":  {secure(t, 1<<40), topology.CheckTLS, func(*topology.Check) {}},
	} {
		t.Run(name, func(t *testing.T) {
			chk := check(c.kind)
			chk.Timeout = 10 * time.Second
			c.edit(chk)
			p := probeOf(t, c.addr, chk)
			p.Mark, p.Source = 0x47530001, netip.MustParseAddr("127.0.0.9")
			// A mark needs CAP_NET_ADMIN; without it the probe must say so, not go unmarked.
			if err := Once(t.Context(), p).Err; err != nil && !strings.Contains(err.Error(), "operation not permitted") {
				t.Error(err)
			}
		})
	}
}
