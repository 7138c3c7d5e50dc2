package probe

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"gslb/health"
	"gslb/topology"
)

// A try is one check of one address and what must come of it.
type try struct {
	addr net.Addr
	kind topology.CheckType
	edit func(*topology.Check)
	want string // part of the error, "" for alive
}

func (c try) run(t *testing.T) {
	t.Helper()
	chk := check(c.kind)
	chk.Timeout = 10 * time.Second // a slow machine is no failure
	if strings.Contains(c.want, "within 1.5s") {
		chk.Timeout = 1500 * time.Millisecond
	}
	if c.edit != nil {
		c.edit(chk)
	}
	err := Once(t.Context(), probeOf(t, c.addr, chk)).Err
	switch {
	case c.want == "" && err != nil:
		t.Errorf("got %v, want alive", err)
	case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
		t.Errorf("got %v, want an error with %q", err, c.want)
	}
}

func TestReplies(t *testing.T) {
	smtp := listen(t, func(c net.Conn) {
		defer c.Close()
		fmt.Fprint(c, "220 mx")
		time.Sleep(10 * time.Millisecond)
		fmt.Fprint(c, ".example.org ESMTP\r\n")
		buf := make([]byte, 100)
		n, _ := c.Read(buf)
		fmt.Fprintf(c, "250 hello %s\r\n", strings.TrimSpace(string(buf[:n])))
		io.Copy(io.Discard, c)
	})
	rude := listen(t, func(c net.Conn) { c.Close() })
	endless := listen(t, func(c net.Conn) {
		defer c.Close()
		for {
			if _, err := c.Write(bytes.Repeat([]byte("x"), 4096)); err != nil {
				return
			}
		}
	})
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	go func() {
		buf := make([]byte, 100)
		for {
			n, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			if string(buf[:n]) != "silence" {
				udp.WriteTo([]byte("you said "+string(buf[:n])), from)
			}
		}
	}()
	deaf, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	deaf.Close()

	sends := func(send, text, pattern string) func(*topology.Check) {
		return func(c *topology.Check) { c.Send, c.Text, c.Pattern = send, text, pattern }
	}
	for name, c := range map[string]try{
		"a greeting that comes in two parts":     {smtp, topology.CheckTCP, sends("", "", "^220 .*ESMTP"), ""},
		"a text and a pattern after a question":  {smtp, topology.CheckTCP, sends("EHLO x\r\n", "EHLO x", "(?m)^250 "), ""},
		"another reply, with what it was":        {smtp, topology.CheckTCP, sends("", "", "^554 "), `does not match "^554 ": "220 mx.example.org ESMTP\r\n", within 1.5s`},
		"a text that is missing":                 {smtp, topology.CheckTCP, sends("", "554", ""), `has no "554" but "220 mx.example.org ESMTP\r\n", within 1.5s`},
		"closed at once where a reply is wanted": {rude, topology.CheckTCP, sends("", "x", ""), "closed without a reply"},
		"a flood that never has it":              {endless, topology.CheckTCP, sends("", "y", ""), "..."},
		"UDP, any reply":                         {udp.LocalAddr(), topology.CheckUDP, sends("ping", "", ""), ""},
		"UDP, the reply":                         {udp.LocalAddr(), topology.CheckUDP, sends("ping", "said ping", ""), ""},
		"UDP, another reply":                     {udp.LocalAddr(), topology.CheckUDP, sends("ping", "pong", ""), `has no "pong" but "you said ping"`},
		"UDP, no reply":                          {udp.LocalAddr(), topology.CheckUDP, sends("silence", "", ""), "no answer within 1.5s"},
		"UDP, nobody there":                      {deaf.LocalAddr(), topology.CheckUDP, sends("ping", "", ""), "connection refused"},
	} {
		t.Run(name, c.run)
	}
}

// issue makes a server certificate that is valid for so long.
func issue(t *testing.T, valid time.Duration) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "www.example.org"}, DNSNames: []string{"www.example.org"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(valid),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func secure(t *testing.T, valid time.Duration) net.Addr {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "version 7") }))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{issue(t, valid)}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr()
}

func TestCertificatesAndBodies(t *testing.T) {
	const day = 24 * time.Hour
	fresh, old, expired := secure(t, 60*day+time.Hour), secure(t, 5*day+time.Hour), secure(t, -day)
	plain := listen(t, func(c net.Conn) { fmt.Fprint(c, "hello, this is no TLS at all"); c.Close() })
	days := func(n int) func(*topology.Check) { return func(c *topology.Check) { c.CertificateDays = n } }
	for name, c := range map[string]try{
		"enough days":                 {fresh, topology.CheckHTTPS, days(14), ""},
		"too few days":                {old, topology.CheckHTTPS, days(14), "in 5 days; 14 are asked for"},
		"expired":                     {expired, topology.CheckHTTPS, days(1), "the certificate expired on "},
		"expired, and nobody asks":    {expired, topology.CheckHTTPS, nil, ""},
		"a handshake alone":           {fresh, topology.CheckTLS, days(14), ""},
		"a handshake, too few days":   {old, topology.CheckTLS, days(14), "in 5 days"},
		"a handshake, verified":       {fresh, topology.CheckTLS, func(c *topology.Check) { c.Verify, c.Host = true, "www.example.org" }, "certificate"},
		"no handshake":                {plain, topology.CheckTLS, nil, "tls: first record does not look like a TLS handshake"},
		"a body that matches":         {fresh, topology.CheckHTTPS, func(c *topology.Check) { c.Pattern = `^version \d+$` }, ""},
		"a body that does not match":  {fresh, topology.CheckHTTPS, func(c *topology.Check) { c.Pattern = `^version 8$` }, `the body does not match "^version 8$": "version 7"`},
		"a body that lacks the words": {fresh, topology.CheckHTTPS, func(c *topology.Check) { c.Text = "ok" }, `the body has no "ok" but "version 7"`},
	} {
		t.Run(name, c.run)
	}
}

// A health server of gRPC, by hand.
func grpcServer(t *testing.T, overTLS bool) net.Addr {
	t.Helper()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/grpc.health.v1.Health/Check" || r.ProtoMajor != 2 || r.Header.Get("Content-Type") != "application/grpc" || len(body) < 5 {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		service := ""
		if len(body) > 7 {
			service = string(body[7:]) // field 1, short
		}
		w.Header().Set("Content-Type", "application/grpc")
		statuses := map[string]byte{"": 1, "shop.Cart": 1, "shop.Sick": 2, "shop.Strange": 77}
		status, known := statuses[service]
		if !known {
			w.Header().Set("Grpc-Status", "5") // trailers only
			return
		}
		w.Header().Set("Trailer", "Grpc-Status")
		message := []byte{1 << 3, status}
		w.Write(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...))
		w.Header().Set("Grpc-Status", "0")
	})
	s := httptest.NewUnstartedServer(handler)
	s.Config.Protocols = new(http.Protocols)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if overTLS {
		s.Config.Protocols.SetHTTP2(true)
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.Listener.Addr()
}

func TestGRPC(t *testing.T) {
	clear, secret := grpcServer(t, false), grpcServer(t, true)
	web := listen(t, func(c net.Conn) {
		defer c.Close()
		fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		io.Copy(io.Discard, c)
	})
	service := func(name string, overTLS bool) func(*topology.Check) {
		return func(c *topology.Check) { c.Service, c.TLS = name, overTLS }
	}
	for name, c := range map[string]try{
		"the server as a whole":        {clear, topology.CheckGRPC, nil, ""},
		"a service":                    {clear, topology.CheckGRPC, service("shop.Cart", false), ""},
		"one that does not serve":      {clear, topology.CheckGRPC, service("shop.Sick", false), "the service is NOT_SERVING"},
		"one in a status of tomorrow":  {clear, topology.CheckGRPC, service("shop.Strange", false), "in status 77"},
		"an unknown one":               {clear, topology.CheckGRPC, service("shop.None", false), `does not know the service "shop.None"`},
		"over TLS":                     {secret, topology.CheckGRPC, service("shop.Cart", true), ""},
		"a server of HTTP/1.1":         {web, topology.CheckGRPC, nil, "http2: "},
		"clear to one that wants TLS":  {secret, topology.CheckGRPC, nil, "e"},
		"TLS to one that speaks clear": {clear, topology.CheckGRPC, service("", true), "e"},
	} {
		t.Run(name, c.run)
	}
}

func TestHealthCheckResponse(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want uint64
		bad  bool
	}{
		"serving":                           {"\x00\x00\x00\x00\x02\x08\x01", 1, false},
		"nothing is zero":                   {"\x00\x00\x00\x00\x00", 0, false},
		"other fields are passed over":      {"\x00\x00\x00\x00\x09\x12\x02ab\x18\x05\x08\x01", 0, true},
		"other fields, with the length":     {"\x00\x00\x00\x00\x08\x12\x02ab\x18\x05\x08\x01", 1, false},
		"compressed":                        {"\x01\x00\x00\x00\x02\x08\x01", 0, true},
		"shorter than it says":              {"\x00\x00\x00\x00\x09\x08\x01", 0, true},
		"a field that runs out of the text": {"\x00\x00\x00\x00\x03\x12\x7fa", 0, true},
		"a number without an end":           {"\x00\x00\x00\x00\x02\x08\xff", 0, true},
		"a group":                           {"\x00\x00\x00\x00\x01\x0b", 0, true},
		"empty":                             {"", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := checkResponse([]byte(c.body))
			if (err != nil) != c.bad || !c.bad && got != c.want {
				t.Errorf("status %d, error %v; want %d, an error: %v", got, err, c.want, c.bad)
			}
		})
	}
}

func FuzzHealthCheckResponse(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x02\x08\x01"))
	f.Add([]byte("\x00\x00\x00\x00\x08\x12\x02ab\x18\x05\x08\x01"))
	f.Fuzz(func(t *testing.T, body []byte) { checkResponse(body) })
}

// A DNS server by hand: www has two addresses, everything of big is truncated
// over UDP, all else does not exist.
func dnsServer(t *testing.T) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); udp.Close() })
	reply := func(query []byte, cut bool) []byte {
		end := 12 + bytes.IndexByte(query[12:], 0) + 5
		name := string(query[12 : end-5])
		out := append([]byte{query[0], query[1], 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
		switch {
		case strings.HasPrefix(name, "\x03big") && cut:
			out[2] |= 2
		case strings.HasPrefix(name, "\x03www"), strings.HasPrefix(name, "\x03big"):
			out[7] = 2
			for _, last := range []byte{1, 2} {
				out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, last)
			}
		default:
			out[3] = 3
		}
		return out
	}
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			udp.WriteTo(reply(buf[:n], true), from)
		}
	}()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 1500)
			n, _ := c.Read(buf)
			out := reply(buf[2:n], false)
			c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...))
			c.Close()
		}
	}()
	return l.Addr()
}

func TestDNS(t *testing.T) {
	server := dnsServer(t)
	asks := func(name string, rcodes, records []string) func(*topology.Check) {
		return func(c *topology.Check) { c.Query, c.QueryType, c.Rcodes, c.Records = name, "A", rcodes, records }
	}
	for name, c := range map[string]try{
		"any answer":                 {server, topology.CheckDNS, asks("www.example.org", nil, nil), ""},
		"a record":                   {server, topology.CheckDNS, asks("www.example.org", nil, []string{"192.0.2.2"}), ""},
		"a record that is not there": {server, topology.CheckDNS, asks("www.example.org", nil, []string{"192.0.2.2", "192.0.2.9"}), "no record 192.0.2.9 in the answer, 2 others"},
		"over TCP when truncated":    {server, topology.CheckDNS, asks("big.example.org", nil, []string{"192.0.2.1"}), ""},
		"another rcode":              {server, topology.CheckDNS, asks("none.example.org", nil, nil), "rcode NXDOMAIN"},
		"the rcode that is wanted":   {server, topology.CheckDNS, asks("none.example.org", []string{"NXDOMAIN"}, nil), ""},
	} {
		t.Run(name, c.run)
	}
}

func TestPing(t *testing.T) {
	chk := check(topology.CheckICMP)
	chk.Timeout = 10 * time.Second
	for _, addr := range []string{"127.0.0.1", "::1"} {
		err := Once(t.Context(), Probe{Target: health.Target{Addr: netip.AddrPortFrom(netip.MustParseAddr(addr), 0)}, Check: chk}).Err
		if err != nil && !strings.Contains(err.Error(), "ping_group_range") {
			t.Errorf("%s: %v", addr, err)
		}
	}
	// Nobody has an address of TEST-NET-1, whatever the network says of it.
	chk = check(topology.CheckICMP)
	far := Probe{Target: health.Target{Addr: netip.MustParseAddrPort("192.0.2.1:0")}, Check: chk, Source: netip.MustParseAddr("127.0.0.1")}
	if err := Once(t.Context(), far).Err; err == nil {
		t.Error("an address of no machine answers")
	}
}

// The example of RFC 1071 section 3.
func TestChecksum(t *testing.T) {
	if got := checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != ^uint16(0xddf2) {
		t.Errorf("%#04x, want %#04x", got, ^uint16(0xddf2))
	}
}

func TestExec(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}
	sh := func(script string, env ...string) func(*topology.Check) {
		return func(c *topology.Check) { c.Command, c.Environment = []string{"/bin/sh", "-c", script}, env }
	}
	for name, c := range map[string]try{
		"exit status 0":                      {addr, topology.CheckExec, sh("exit 0"), ""},
		"another, with what it wrote":        {addr, topology.CheckExec, sh("echo no space; echo left >&2; exit 2"), "exit status 2: no space / left"},
		"the target is in the environment":   {addr, topology.CheckExec, sh(`test "$GSLB_CHECK_ADDR $GSLB_CHECK_PORT $A" = "192.0.2.1 80 b"`, "A=b"), ""},
		"nothing else of the process's is":   {addr, topology.CheckExec, sh(`test -z "$HOME"`), ""},
		"a program that is not there":        {addr, topology.CheckExec, func(c *topology.Check) { c.Command = []string{"/no/such/program"} }, "run /no/such/program: no such file"},
		"no absolute path":                   {addr, topology.CheckExec, func(c *topology.Check) { c.Command = []string{"true"} }, "absolute path"},
		"one that never ends":                {addr, topology.CheckExec, sh("sleep 100"), "no answer within 1.5s"},
		"one whose children never end":       {addr, topology.CheckExec, sh("sleep 100 & sleep 100 & wait"), "no answer within 1.5s"},
		"one that writes without end":        {addr, topology.CheckExec, sh("yes"), "no answer within 1.5s"},
		"one that writes much and then ends": {addr, topology.CheckExec, sh("head -c 100000 /dev/zero | tr '\\0' x; exit 1"), "exit status 1: xxx"},
		"killed":                             {addr, topology.CheckExec, sh("kill -9 $$"), "signal: killed"},
	} {
		t.Run(name, c.run)
	}
	if os.Geteuid() == 0 {
		t.Run("not as root", try{addr, topology.CheckExec, sh(`test "$(id -u)" = 65534`), ""}.run)
	}
}

// A program has no privilege of the prober's and can gain none, whoever it is.
func TestExecWithoutPrivileges(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}
	sh := func(script, user, group string) func(*topology.Check) {
		return func(c *topology.Check) {
			c.Command, c.User, c.Group = []string{"/bin/sh", "-c", script}, user, group
		}
	}
	cases := map[string]try{
		"nothing is to be gained":     {addr, topology.CheckExec, sh("grep -q '^NoNewPrivs:.1$' /proc/self/status", "", ""), ""},
		"no capability is handed on":  {addr, topology.CheckExec, sh("grep -q '^CapAmb:.0000000000000000$' /proc/self/status", "", ""), ""},
		"a user that is not there":    {addr, topology.CheckExec, sh("exit 0", "no-such-user", ""), "this machine has no user no-such-user"},
		"a group that is not there":   {addr, topology.CheckExec, sh("exit 0", "", "no-such-group"), "this machine has no group no-such-group"},
		"what it leaves behind ends":  {addr, topology.CheckExec, sh("sleep 3141.59 >/dev/null 2>&1 & exit 0", "", ""), ""},
		"the user that the prober is": {addr, topology.CheckExec, sh("exit 0", strconv.Itoa(os.Geteuid()), ""), ""},
	}
	if os.Geteuid() == 0 {
		cases["nobody by default"] = try{addr, topology.CheckExec, sh(`test "$(id -u) $(id -g) $(id -G)" = "65534 65534 65534"`, "", ""), ""}
		cases["by name"] = try{addr, topology.CheckExec, sh(`test "$(id -un) $(id -G)" = "daemon $(id -g daemon)"`, "daemon", ""), ""}
		cases["by numbers that have no name"] = try{addr, topology.CheckExec, sh(`test "$(id -u) $(id -G)" = "54321 54322"`, "54321", "54322"), ""}
	} else {
		cases["somebody else"] = try{addr, topology.CheckExec, sh("exit 0", "0", ""), "as user 0, group 0: operation not permitted"}
	}
	for name, c := range cases {
		t.Run(name, c.run)
	}
	for end := time.Now().Add(5 * time.Second); sleeping("3141.59") > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a program is left behind")
		}
	}
}

func TestExecOutputIsBounded(t *testing.T) {
	chk := check(topology.CheckExec)
	chk.Timeout = 10 * time.Second
	chk.Command = []string{"/bin/sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x; exit 1"}
	err := Once(t.Context(), probeOf(t, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}, chk)).Err
	if err == nil || len(err.Error()) > maxOutput+100 {
		t.Errorf("%d bytes", len(err.Error()))
	}
}

func TestOnlySoManyProgramsAtATime(t *testing.T) {
	for range maxPrograms {
		programs <- struct{}{}
	}
	defer func() {
		for range maxPrograms {
			<-programs
		}
	}()
	try{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}, topology.CheckExec, func(c *topology.Check) { c.Command = []string{"/bin/true"} },
		"not run within 1.5s: 32 programs of other checks are running"}.run(t)
}

func TestAPingDoesNotGoThroughAVIP(t *testing.T) {
	p := probeOf(t, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}, check(topology.CheckICMP))
	p.Mark = 7
	want := "a check of type icmp cannot be made through a VIP, only of an address itself"
	if err := Once(t.Context(), p).Err; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A program and a file send nothing through the VIP: they are told what lies behind it.
func TestBehindAVIP(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/192.0.2.21", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*topology.Check){
		"a program": func(c *topology.Check) {
			c.Type = topology.CheckExec
			c.Command = []string{"/bin/sh", "-c", `test "$GSLB_CHECK_ADDR $GSLB_CHECK_PORT $GSLB_CHECK_VIP" = "192.0.2.21 80 192.0.2.5"`}
		},
		"a file": func(c *topology.Check) { c.Type, c.File = topology.CheckFile, dir+"/{address}" },
	} {
		chk := check(topology.NoCheck)
		chk.Timeout = 10 * time.Second
		edit(chk)
		target := health.Target{Addr: netip.MustParseAddrPort("192.0.2.5:80"), Via: netip.MustParseAddr("192.0.2.21")}
		if err := Once(t.Context(), Probe{Target: target, Check: chk, Mark: 7, Source: netip.MustParseAddr("192.0.2.10")}).Err; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
