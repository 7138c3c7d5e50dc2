package probe

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"gslb/topology"
)

// agent is how the checks call themselves.
const agent = "gslb-check"

// get asks for a page and compares status, certificate and body. HTTP/1.1 is
// spoken here and not by http.Transport: one connection, one question, no
// goroutine, and every byte that is read is counted. Redirects are answers, and
// what is packed stays so.
func get(ctx context.Context, p Probe) error {
	request, err := webRequest(ctx, p)
	if err != nil {
		return err
	}
	if p.Check.HTTP2 {
		return getHTTP2(ctx, p, request)
	}
	conn, err := open(ctx, p, "tcp")
	if err != nil {
		return err
	}
	defer conn.Close()
	if p.Check.Type == topology.CheckHTTPS {
		secure, err := encrypt(ctx, p, conn)
		if err != nil {
			return err
		}
		conn = secure
	}
	request.Close = true
	if err := request.Write(conn); err != nil {
		return cause(err)
	}
	in := &meter{in: conn, left: maxHeader}
	buffered := bufio.NewReader(in)
	var answer *http.Response
	for answer == nil || answer.StatusCode < 200 && answer.StatusCode != http.StatusSwitchingProtocols { // RFC 9110 section 15.2
		if answer, err = http.ReadResponse(buffered, request); err != nil {
			return headerFailed(err)
		}
	}
	in.left = maxBody + maxHeader // what stands between the parts of a body counts too
	defer answer.Body.Close()
	return webAnswer(p.Check, answer)
}

// getHTTP2 is [get] over HTTP/2 (RFC 9113), which http.Transport speaks.
func getHTTP2(ctx context.Context, p Probe, request *http.Request) error {
	return http2(ctx, p, p.Check.Type == topology.CheckHTTPS, request, func(answer *http.Response) error {
		return webAnswer(p.Check, answer)
	})
}

// http2 makes a request over HTTP/2 on a connection of its own: over TLS where
// the server chooses it (ALPN), in the clear without asking. The certificate
// has been looked at. What read says of the answer is what it returns.
func http2(ctx context.Context, p Probe, secure bool, request *http.Request, read func(*http.Response) error) error {
	var protocols http.Protocols
	protocols.SetHTTP2(secure)
	protocols.SetUnencryptedHTTP2(!secure)
	conn, err := open(ctx, p, "tcp")
	if err != nil {
		return err
	}
	defer conn.Close() // whatever the transport still does with it
	transport := &http.Transport{
		Protocols: &protocols, MaxResponseHeaderBytes: maxHeader, DisableCompression: true,
		// What is buffered before anybody has read it.
		HTTP2:       &http.HTTP2Config{MaxReceiveBufferPerConnection: 2 * maxBody, MaxReceiveBufferPerStream: 2 * maxBody, MaxReadFrameSize: 16 << 10},
		DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}
	defer transport.CloseIdleConnections()
	if secure {
		encrypted, err := encrypt(ctx, p, conn, "h2")
		if err != nil {
			return err
		}
		if encrypted.ConnectionState().NegotiatedProtocol != "h2" {
			return errors.New("the server does not choose HTTP/2 (ALPN)")
		}
		transport.DialTLSContext = func(context.Context, string, string) (net.Conn, error) { return encrypted, nil }
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return cause(err)
	}
	defer answer.Body.Close()
	return read(answer)
}

func webRequest(ctx context.Context, p Probe) (*http.Request, error) {
	scheme, method, path := "http", p.Check.Method, p.Check.Path
	if p.Check.Type == topology.CheckHTTPS {
		scheme = "https"
	}
	if method == "" {
		method = http.MethodGet
	}
	if path == "" {
		path = "/"
	}
	request, err := http.NewRequestWithContext(ctx, method, scheme+"://"+authority(p)+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", agent)
	for _, field := range p.Check.Headers {
		name, value, _ := strings.Cut(field, ": ")
		request.Header.Set(name, value)
	}
	return request, nil
}

// authority is the check's host as it stands in a URL, else the address.
func authority(p Probe) string {
	if p.Check.Host == "" {
		return p.Target.Addr.String()
	}
	if a, err := netip.ParseAddr(p.Check.Host); err == nil && a.Is6() {
		return "[" + p.Check.Host + "]"
	}
	return p.Check.Host
}

// webAnswer compares an answer with what the check expects.
func webAnswer(c *topology.Check, answer *http.Response) error {
	if !accepted(c.Status, answer.StatusCode) {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody+1))
	if err != nil && !errors.Is(err, errTooMuch) {
		return cause(err)
	}
	whole := err == nil && len(body) <= maxBody
	body = body[:min(len(body), maxBody)]
	if c.SHA256 != "" {
		if !whole {
			return fmt.Errorf("the body is larger than %d KiB, too large for a digest", maxBody>>10)
		}
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != c.SHA256 {
			return fmt.Errorf("the body has the SHA-256 digest %x", sum)
		}
	}
	return contents(c, body, "the body")
}

func accepted(want []topology.StatusRange, status int) bool {
	if len(want) == 0 {
		return status >= 200 && status < 400
	}
	for _, r := range want {
		if r.First <= status && status <= r.Last {
			return true
		}
	}
	return false
}

// errTooMuch is the end of what is read of a server that says too much.
var errTooMuch = errors.New("too much")

// A meter lets so many bytes through.
type meter struct {
	in   io.Reader
	left int
}

func (m *meter) Read(b []byte) (int, error) {
	if m.left <= 0 {
		return 0, errTooMuch
	}
	n, err := m.in.Read(b[:min(len(b), m.left)])
	m.left -= n
	return n, err
}

func headerFailed(err error) error {
	switch {
	case errors.Is(err, errTooMuch):
		return fmt.Errorf("the header is larger than %d KiB", maxHeader>>10)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("closed without an answer")
	}
	return cause(err)
}
