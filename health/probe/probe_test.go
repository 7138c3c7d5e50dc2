package probe

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gslb/health"
	"gslb/topology"
)

func check(kind topology.CheckType) *topology.Check {
	return &topology.Check{Type: kind, Interval: time.Second, Timeout: 300 * time.Millisecond, Rise: 1, Fall: 1}
}

func probeOf(t *testing.T, addr net.Addr, c *topology.Check) Probe {
	t.Helper()
	return Probe{Target: health.Target{Addr: netip.MustParseAddrPort(addr.String())}, Check: c}
}

func listen(t *testing.T, serve func(net.Conn)) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr()
}

func TestOnce(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Host == "www.example.org":
			fmt.Fprintln(w, "ok")
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		default:
			http.Error(w, "no", http.StatusServiceUnavailable)
		}
	}))
	defer web.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer secure.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	silent := listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	garbage := listen(t, func(c net.Conn) {
		defer c.Close()
		http.ReadRequest(bufio.NewReader(c))
		for i := 0; i < 1000; i++ {
			if _, err := c.Write([]byte(strings.Repeat("x", 4096))); err != nil {
				return
			}
		}
	})
	endless := listen(t, func(c net.Conn) {
		defer c.Close()
		http.ReadRequest(bufio.NewReader(c))
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
		for {
			if _, err := c.Write([]byte(strings.Repeat("x", 4096))); err != nil {
				return
			}
		}
	})

	for name, c := range map[string]try{
		"a listener is alive":                      {silent, topology.CheckTCP, nil, ""},
		"a closed port is not":                     {closed.Addr(), topology.CheckTCP, nil, "connection refused"},
		"the host header is sent":                  {web.Listener.Addr(), topology.CheckHTTP, func(c *topology.Check) { c.Host = "www.example.org" }, ""},
		"another status is a failure":              {web.Listener.Addr(), topology.CheckHTTP, nil, "status 503"},
		"a status may be asked for":                {web.Listener.Addr(), topology.CheckHTTP, func(c *topology.Check) { c.Status = []topology.StatusRange{{First: 500, Last: 599}} }, ""},
		"a redirect is an answer and not followed": {web.Listener.Addr(), topology.CheckHTTP, func(c *topology.Check) { c.Path = "/moved" }, ""},
		"a silent server is a failure":             {silent, topology.CheckHTTP, nil, "no answer within 1.5s"},
		"garbage is a failure":                     {garbage, topology.CheckHTTP, nil, "the header is larger than 64 KiB"},
		"an endless body is cut off":               {endless, topology.CheckHTTP, nil, ""},
		"TLS without verification":                 {secure.Listener.Addr(), topology.CheckHTTPS, nil, ""},
		"TLS with an unknown authority":            {secure.Listener.Addr(), topology.CheckHTTPS, func(c *topology.Check) { c.Verify = true }, "certificate"},
		"TLS to a server that speaks HTTP":         {web.Listener.Addr(), topology.CheckHTTPS, nil, "TLS handshake"},
	} {
		t.Run(name, c.run)
	}
}

func TestPortsComeAgainAsLateAsPossible(t *testing.T) {
	first, count := portRange()
	seen := map[uint16]bool{}
	for range count - 1 { // the counter itself may wrap once on the way
		p := nextPort()
		if uint32(p) < first || uint32(p) >= first+count {
			t.Fatalf("port %d is outside %d and the %d after it", p, first, count)
		}
		seen[p] = true
	}
	if len(seen) < int(count)/2 {
		t.Errorf("%d different ports of %d", len(seen), count)
	}
}
