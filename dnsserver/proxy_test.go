package dnsserver

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// header is a PROXY header, command and family as given, with addresses and
// extras in hexadecimal.
func header(t *testing.T, command, family byte, rest string) []byte {
	t.Helper()
	b := unhex(t, strings.ReplaceAll(rest, " ", ""))
	return append(binary.BigEndian.AppendUint16(append([]byte(proxySignature), command, family), uint16(len(b))), b...)
}

const (
	via4 = "cb007109 c0000235 1267 0035" // 203.0.113.9 to 192.0.2.53
	via6 = "20010db8000000000000000000000009 20010db8000000000000000000000035 1267 0035"
)

// behind is a server that the proxy at 127.0.0.1 stands before and that
// answers two clients of it.
func behind(t *testing.T) *Server {
	t.Helper()
	s := new(Server)
	s.Publish(table(t))
	s.Configure(&Options{Proxies: Networks{netip.MustParsePrefix("127.0.0.1/32")},
		Allow: Networks{netip.MustParsePrefix("203.0.113.9/32"), netip.MustParsePrefix("2001:db8::9/128"), netip.MustParsePrefix("127.0.0.0/8")}})
	return s
}

func TestProxiedDatagrams(t *testing.T) {
	d := datagrams{server: behind(t)}
	packet, _, _ := ask(t, "; mail.example.org A")
	for name, c := range map[string]struct {
		from   string
		header []byte
		want   string
	}{
		"a client behind the proxy":             {"127.0.0.1:9", header(t, 0x21, 0x12, via4), "NOERROR aa"},
		"an IPv6 client":                        {"127.0.0.1:9", header(t, 0x21, 0x22, via6), "NOERROR aa"},
		"extras are skipped":                    {"127.0.0.1:9", header(t, 0x21, 0x12, via4+"e0 0003 010203"), "NOERROR aa"},
		"another client":                        {"127.0.0.1:9", header(t, 0x21, 0x12, strings.Replace(via4, "09", "0a", 1)), "REFUSED"},
		"the proxy itself":                      {"127.0.0.1:9", header(t, 0x20, 0x00, ""), "NOERROR aa"},
		"a client that the proxy does not know": {"127.0.0.1:9", header(t, 0x21, 0x00, ""), "NOERROR aa"},
		"a local socket":                        {"127.0.0.1:9", header(t, 0x21, 0x32, via4), "silence"},
		"addresses that are cut":                {"127.0.0.1:9", header(t, 0x21, 0x12, via4[:20]), "silence"},
		"another version":                       {"127.0.0.1:9", header(t, 0x11, 0x12, via4), "silence"},
		"another command":                       {"127.0.0.1:9", header(t, 0x22, 0x12, via4), "silence"},
		"a header longer than the packet":       {"127.0.0.1:9", append([]byte(proxySignature), 0x21, 0x12, 0xff, 0xff), "silence"},
		"the proxy without a header":            {"127.0.0.1:9", nil, "silence"},
		"somebody else without a header":        {"127.0.0.2:9", nil, "NOERROR aa"},
		"somebody else who says to be another":  {"127.0.0.2:9", header(t, 0x21, 0x12, via4), "NOTIMP rd"},
	} {
		t.Run(name, func(t *testing.T) {
			reply := d.reply(nil, append(c.header, packet...), netip.MustParseAddrPort(c.from), time.Now())
			got, _, _ := strings.Cut(show(t, reply), "\n")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestProxiedConnections(t *testing.T) {
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	s := behind(t)
	s.Serve(l)
	t.Cleanup(s.Close)
	packet, _, _ := ask(t, "; mail.example.org A")
	for name, c := range map[string]struct {
		header []byte
		want   string
	}{
		"a client behind the proxy":  {header(t, 0x21, 0x11, via4), "NOERROR aa NOERROR aa"},
		"another client":             {header(t, 0x21, 0x11, strings.Replace(via4, "09", "0a", 1)), "REFUSED REFUSED"},
		"the proxy without a header": {nil, "hung up"},
		"a header that does not end": {append([]byte(proxySignature), 0x21, 0x11, 0xff, 0xff), "hung up"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, l.Addr)
			// The header stands before the first message only.
			if _, err := conn.Write(append(append(c.header, framed(packet)...), framed(packet)...)); err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			var words []string
			for {
				reply, ok := receive(conn)
				if !ok {
					break
				}
				word, _, _ := strings.Cut(show(t, reply), "\n")
				words = append(words, word)
			}
			if words == nil {
				words = []string{"hung up"}
			}
			if diff := cmp.Diff(c.want, strings.Join(words, " ")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Whatever a proxy sends: no panic, and a message behind a header is behind it.
func FuzzProxied(f *testing.F) {
	for _, h := range [][]byte{[]byte(proxySignature), append([]byte(proxySignature), 0x21, 0x12, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13), append([]byte(proxySignature), 0x20, 0, 0, 0)} {
		f.Add(h)
	}
	peer := netip.MustParseAddr("127.0.0.1")
	f.Fuzz(func(t *testing.T, packet []byte) {
		asker, n, ok := proxied(packet, peer)
		if ok && (n < proxyHead || n > len(packet) || !asker.IsValid() || asker.Is4In6()) {
			t.Fatalf("%v, %d of %d bytes", asker, n, len(packet))
		}
	})
}
