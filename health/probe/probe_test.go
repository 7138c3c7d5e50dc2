package probe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
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

// A prober that stood still while the time ran out does not know whether it was
// answered.
func TestWhoStoodStillAsksAgain(t *testing.T) {
	silent := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	// The process stands still while the time runs out: somebody else wakes it.
	still := func(ctx context.Context) error {
		waker := exec.Command("/bin/sh", "-c", fmt.Sprintf("for i in 1 2 3 4 5; do sleep 0.4; kill -CONT %d; done", os.Getpid()))
		if err := waker.Start(); err != nil {
			return err
		}
		defer waker.Wait()
		defer waker.Process.Kill()
		if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
			return err
		}
		return silent(ctx)
	}
	for name, c := range map[string]struct {
		asks []func(context.Context) error
		want string
	}{
		"answered":                  {[]func(context.Context) error{func(context.Context) error { return nil }}, ""},
		"refused":                   {[]func(context.Context) error{func(context.Context) error { return syscall.ECONNREFUSED }}, "connection refused"},
		"silent":                    {[]func(context.Context) error{silent}, "no answer within 100ms"},
		"stood still, and answered": {[]func(context.Context) error{still, func(context.Context) error { return nil }}, ""},
		"stood still, and silent":   {[]func(context.Context) error{still, silent}, "no answer within 100ms"},
		"stood still twice":         {[]func(context.Context) error{still, still}, "no answer within 100ms"},
	} {
		t.Run(name, func(t *testing.T) {
			chk := check(topology.CheckTCP)
			chk.Timeout = 100 * time.Millisecond
			asked := 0
			r := once(t.Context(), Probe{Check: chk}, func(ctx context.Context, _ Probe) (health.Advice, error) {
				asked++
				return health.Advice{}, c.asks[min(asked, len(c.asks))-1](ctx)
			})
			if got := fmt.Sprint(r.Err); c.want == "" && r.Err != nil || !strings.Contains(got, c.want) {
				t.Errorf("got %v, want %q", r.Err, c.want)
			}
			// A machine that did stand still makes it ask once more.
			if most := max(len(c.asks), 2); asked < len(c.asks) || asked > most {
				t.Errorf("asked %d times, want %d", asked, len(c.asks))
			}
		})
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
