package probe

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gslb/topology"
)

// flood writes the same without end.
func flood(what []byte) func(net.Conn) {
	for len(what) < 16<<10 {
		what = append(what, what...)
	}
	return func(c net.Conn) {
		for {
			if _, err := c.Write(what); err != nil {
				return
			}
		}
	}
}

func after(first string, then func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, first)
		then(c)
	}
}

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return append(binary.BigEndian.AppendUint32(head, stream), payload...)
}

// bomb is a gigabyte in a megabyte.
var bomb = sync.OnceValue(func() []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	zeros := make([]byte, 1<<20)
	for range 100 {
		w.Write(zeros)
	}
	w.Close()
	return out.Bytes()
})

// No server, whatever it does, keeps a check longer than its timeout, costs it
// memory or leaves something behind; and none of these is alive.
func TestHostileServers(t *testing.T) {
	garbage := make([]byte, 64<<10)
	for i := range garbage {
		garbage[i] = byte(rand.Uint32())
	}
	quiet := func(c net.Conn) { io.Copy(io.Discard, c) }
	drip := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			for i := 0; ; i++ {
				if _, err := io.WriteString(c, text[i%len(text):i%len(text)+1]); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	settings := string(frame(4, 0, 0, nil))
	servers := map[string]func(net.Conn){
		"says nothing":                    quiet,
		"garbage without end":             flood(garbage),
		"zeros without end":               flood(make([]byte, 1)),
		"line breaks without end":         flood([]byte("\r\n")),
		"a byte at a time":                drip("x"),
		"an answer, a byte at a time":     drip("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 1000)),
		"a greeting, a byte at a time":    drip("220-" + strings.Repeat("y", 100) + "\r\n"),
		"reset":                           func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) },
		"closed at once":                  func(net.Conn) {},
		"another protocol":                after("SSH-2.0-OpenSSH_9.2\r\n", quiet),
		"a header without end":            after("HTTP/1.1 200 OK\r\nX: ", flood([]byte("y"))),
		"header fields without end":       after("HTTP/1.1 200 OK\r\n", flood([]byte("X: y\r\n"))),
		"hints without end":               flood([]byte("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")),
		"a body that stops":               after("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", quiet),
		"a body shorter than it says":     func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx") },
		"a chunk of a strange length":     after("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", quiet),
		"a wish for another protocol":     after("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", quiet),
		"a greeting without end":          flood([]byte("220-mx\r\n")),
		"a greeting of one line":          after("220 ", flood([]byte("y"))),
		"words without end":               flood([]byte("up ")),
		"settings without end":            flood([]byte(settings)),
		"pings without end":               after(settings, flood(frame(6, 0, 0, make([]byte, 8)))),
		"headers of HTTP/2 without end":   after(settings+string(frame(1, 0, 1, []byte{0x88})), flood(frame(9, 0, 1, append([]byte{0, 1, 'x', 100}, bytes.Repeat([]byte("y"), 100)...)))),
		"a frame of 16 MiB":               after(settings+"\xff\xff\xff\x00\x00\x00\x00\x00\x01", flood([]byte("y"))),
		"a handshake that stops":          after("\x16\x03\x03\x40\x00", quiet),
		"a handshake without end":         flood(append([]byte{0x16, 3, 3, 0x40, 0}, make([]byte, 0x4000)...)),
		"a DNS message shorter than said": after("\xff\xff", quiet),
	}
	with := func(edit func(*topology.Check)) func(*topology.Check) { return edit }
	kinds := map[string]try{
		"tcp":      {kind: topology.CheckTCP, edit: with(func(c *topology.Check) { c.Text, c.Pattern = "no server says so", "(a|b|ab)*c$" })},
		"http":     {kind: topology.CheckHTTP, edit: with(func(c *topology.Check) { c.Text = "no server says so" })},
		"h2c":      {kind: topology.CheckHTTP, edit: with(func(c *topology.Check) { c.HTTP2, c.Text = true, "no server says so" })},
		"https":    {kind: topology.CheckHTTPS},
		"h2":       {kind: topology.CheckHTTPS, edit: with(func(c *topology.Check) { c.HTTP2 = true })},
		"tls":      {kind: topology.CheckTLS},
		"grpc":     {kind: topology.CheckGRPC},
		"grpcs":    {kind: topology.CheckGRPC, edit: with(func(c *topology.Check) { c.TLS = true })},
		"smtp":     {kind: topology.CheckSMTP},
		"starttls": {kind: topology.CheckSMTP, edit: with(func(c *topology.Check) { c.StartTLS = true })},
		"agent":    {kind: topology.CheckAgent},
	}
	for name, serve := range servers {
		t.Run(name, func(t *testing.T) {
			survive(t, kinds, func() net.Addr { return listen(t, func(c net.Conn) { serve(c); c.Close() }) })
		})
	}

	// The same behind a handshake, for those that make one.
	certificate := issue(t, 24*time.Hour)
	secure := map[string]try{"https": kinds["https"], "h2": kinds["h2"], "grpcs": kinds["grpcs"]}
	for name, serve := range servers {
		if name == "reset" {
			continue // takes a connection without TLS
		}
		t.Run(name+", over TLS", func(t *testing.T) {
			survive(t, secure, func() net.Addr {
				return listen(t, func(c net.Conn) {
					s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}})
					serve(s)
					s.Close()
					c.Close()
				})
			})
		})
	}
	t.Run("TLS without a certificate", func(t *testing.T) {
		secure["tls"] = kinds["tls"]
		survive(t, secure, func() net.Addr {
			return listen(t, func(c net.Conn) {
				none := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") }
				tls.Server(c, &tls.Config{GetCertificate: none}).Handshake()
				c.Close()
			})
		})
	})
	t.Run("what is packed is not unpacked", func(t *testing.T) {
		head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", len(bomb()))
		survive(t, map[string]try{"http": kinds["http"]}, func() net.Addr {
			return listen(t, func(c net.Conn) { io.WriteString(c, head); c.Write(bomb()); c.Close() })
		})
	})
	t.Run("a redirect to itself is asked once", func(t *testing.T) {
		var asked atomic.Int32
		survive(t, map[string]try{"http": {kind: topology.CheckHTTP, edit: func(c *topology.Check) { c.Status = []topology.StatusRange{{First: 200, Last: 299}} }}}, func() net.Addr {
			return listen(t, func(c net.Conn) {
				asked.Add(1)
				io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")
				io.Copy(io.Discard, c)
				c.Close()
			})
		})
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
	t.Run("datagrams", func(t *testing.T) {
		for name, answer := range map[string][]byte{"nothing": nil, "garbage": garbage[:1400], "empty": {}, "large": garbage[:60000]} {
			udp, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer udp.Close()
			go func() {
				buf := make([]byte, 1500)
				for {
					_, from, err := udp.ReadFrom(buf)
					if err != nil {
						return
					}
					for range 1000 {
						if answer == nil {
							break
						}
						udp.WriteTo(answer, from)
					}
				}
			}()
			t.Run(name, func(t *testing.T) {
				survive(t, map[string]try{
					"udp": {kind: topology.CheckUDP, edit: func(c *topology.Check) { c.Send, c.Text = "x", "no server says so" }},
					"dns": {kind: topology.CheckDNS, edit: func(c *topology.Check) { c.Query, c.QueryType = "www.example.org", "A" }},
				}, udp.LocalAddr)
			})
		}
	})
}

// survive makes one check of each kind at the same time.
func survive(t *testing.T, kinds map[string]try, server func() net.Addr) {
	t.Helper()
	const timeout = 200 * time.Millisecond
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	goroutines := runtime.NumGoroutine()
	var wait sync.WaitGroup
	for name, k := range kinds {
		chk := check(k.kind)
		chk.Timeout = timeout
		if k.edit != nil {
			k.edit(chk)
		}
		p := probeOf(t, server(), chk)
		goroutines++ // the listener's
		wait.Go(func() {
			begin := time.Now()
			err := Once(t.Context(), p).Err
			if err == nil {
				t.Errorf("%s: alive", name)
			} else if len(err.Error()) > 300 {
				t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
			}
			if took := time.Since(begin); took > timeout+2*time.Second { // a slow machine
				t.Errorf("%s: took %v", name, took)
			}
		})
	}
	wait.Wait()
	runtime.ReadMemStats(&now)
	if spent := (now.TotalAlloc - before.TotalAlloc) / uint64(len(kinds)); spent > 8<<20 {
		t.Errorf("%d KiB for each check", spent>>10)
	}
	settle(t, goroutines)
}

// settle waits for the goroutines of probes and servers to end.
func settle(t *testing.T, most int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > most; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), most, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// A set that is closed leaves no goroutine, socket or program behind, whatever
// its probes are at.
func TestNothingIsLeftAfterClose(t *testing.T) {
	silent := listen(t, func(c net.Conn) { io.Copy(io.Discard, c); c.Close() })
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	results := make(chan Result)
	s := NewSet(results)
	var probes []Probe
	mark := fmt.Sprintf("3%d.125", os.Getpid())
	for i, kind := range []topology.CheckType{
		topology.CheckTCP, topology.CheckHTTP, topology.CheckHTTPS, topology.CheckTLS, topology.CheckGRPC, topology.CheckSMTP, topology.CheckAgent, topology.CheckExec,
	} {
		chk := check(kind)
		chk.Interval, chk.Timeout = time.Minute, 30*time.Second
		chk.Text = "x"
		chk.Command = []string{"/bin/sh", "-c", "sleep " + mark + " & sleep " + mark}
		p := probeOf(t, silent, chk)
		p.Target.Check = fmt.Sprint(i)
		probes = append(probes, p)
	}
	s.Set(probes)
	for end := time.Now().Add(10 * time.Second); sleeping(mark) < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the program does not start")
		}
	}
	s.Close()
	settle(t, before)
	if n := sleeping(mark); n != 0 {
		t.Errorf("%d programs are left", n)
	}
}

// sleeping counts the processes that sleep for so long.
func sleeping(long string) int {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	n := 0
	for _, line := range lines {
		if text, err := os.ReadFile(line); err == nil && string(text) == "sleep\x00"+long+"\x00" {
			n++
		}
	}
	return n
}
