package probe

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gslb/topology"
)

// webServer says how it was asked; it speaks the versions of HTTP that are given.
func webServer(t *testing.T, overTLS bool, versions func(*http.Protocols)) net.Addr {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/empty":
			return
		case "/large":
			w.Write([]byte(strings.Repeat("x", maxBody+1)))
		case "/early":
			w.WriteHeader(http.StatusEarlyHints)
			fmt.Fprint(w, "at last")
		default:
			name := ""
			if r.TLS != nil {
				name = r.TLS.ServerName
			}
			fmt.Fprintf(w, "%s %s %s host=%s sni=%s a=%s agent=%s packed=%s", r.Method, r.Proto, r.URL, r.Host, name, r.Header.Get("X-A"), r.UserAgent(), r.Header.Get("Accept-Encoding"))
		}
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.Protocols = new(http.Protocols)
	versions(s.Config.Protocols)
	if overTLS {
		s.EnableHTTP2 = s.Config.Protocols.HTTP2()
		s.TLS = &tls.Config{}
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.Listener.Addr()
}

func TestWeb(t *testing.T) {
	one := func(p *http.Protocols) { p.SetHTTP1(true) }
	two := func(p *http.Protocols) { p.SetHTTP1(true); p.SetHTTP2(true); p.SetUnencryptedHTTP2(true) }
	old, both := webServer(t, false, one), webServer(t, false, two)
	oldTLS, bothTLS := webServer(t, true, one), webServer(t, true, two)
	says := func(text string, edit func(*topology.Check)) func(*topology.Check) {
		return func(c *topology.Check) {
			c.Path, c.Host, c.Text = "/x?y=1", "www.example.org", text
			if edit != nil {
				edit(c)
			}
		}
	}
	h2 := func(c *topology.Check) { c.HTTP2 = true }
	head := func(c *topology.Check) { c.Method, c.Text = "HEAD", "" }
	digest := func(text string) func(*topology.Check) {
		sum := sha256.Sum256([]byte(text))
		return func(c *topology.Check) { c.Path, c.SHA256 = "/empty", hex.EncodeToString(sum[:]) }
	}
	for name, c := range map[string]try{
		"HTTP/1.1":                           {both, topology.CheckHTTP, says("GET HTTP/1.1 /x?y=1 host=www.example.org sni= a= agent=gslb-check packed=", nil), ""},
		"HTTP/2 without asking":              {both, topology.CheckHTTP, says("GET HTTP/2.0 /x?y=1 host=www.example.org sni= a= agent=gslb-check packed=", h2), ""},
		"HTTP/2 of one that does not":        {old, topology.CheckHTTP, says("", h2), "http2"},
		"HTTPS asks for the host by name":    {oldTLS, topology.CheckHTTPS, says("HTTP/1.1 /x?y=1 host=www.example.org sni=www.example.org", nil), ""},
		"HTTP/2 over TLS":                    {bothTLS, topology.CheckHTTPS, says("HTTP/2.0 /x?y=1 host=www.example.org sni=www.example.org a= agent=gslb-check packed=", h2), ""},
		"HTTP/2 over TLS of one that cannot": {oldTLS, topology.CheckHTTPS, says("", h2), "no application protocol"},
		"an address is no server name":       {oldTLS, topology.CheckHTTPS, func(c *topology.Check) { c.Text = "sni= " }, ""},
		"header fields": {both, topology.CheckHTTP, says("a=b agent=me", func(c *topology.Check) {
			c.Headers = []string{"X-A: b", "User-Agent: me"}
		}), ""},
		"header fields over HTTP/2": {both, topology.CheckHTTP, says("a=b agent=me", func(c *topology.Check) {
			c.HTTP2, c.Headers = true, []string{"X-A: b", "User-Agent: me"}
		}), ""},
		"HEAD":                             {both, topology.CheckHTTP, says("", head), ""},
		"HEAD over HTTP/2":                 {both, topology.CheckHTTP, says("", func(c *topology.Check) { head(c); h2(c) }), ""},
		"a hint before the answer":         {both, topology.CheckHTTP, func(c *topology.Check) { c.Path, c.Text = "/early", "at last" }, ""},
		"a digest":                         {both, topology.CheckHTTP, digest(""), ""},
		"a digest over HTTP/2":             {both, topology.CheckHTTP, func(c *topology.Check) { digest("")(c); h2(c) }, ""},
		"another digest, with what it was": {both, topology.CheckHTTP, digest("x"), "the SHA-256 digest e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		"a digest of more than is read":    {both, topology.CheckHTTP, func(c *topology.Check) { digest("")(c); c.Path = "/large" }, "larger than 64 KiB"},
		"a status in a range": {both, topology.CheckHTTP, func(c *topology.Check) {
			c.Status = []topology.StatusRange{{First: 100, Last: 199}, {First: 200, Last: 299}}
		}, ""},
		"a status outside of it": {both, topology.CheckHTTP, func(c *topology.Check) {
			c.Status = []topology.StatusRange{{First: 201, Last: 299}}
		}, "status 200"},
		"a host that is an address of IPv6": {both, topology.CheckHTTP, func(c *topology.Check) { c.Host, c.Text = "2001:db8::1", "host=[2001:db8::1] " }, ""},
	} {
		t.Run(name, c.run)
	}
}
