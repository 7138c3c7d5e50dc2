package probe

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"

	"gslb/topology"
)

// get asks for a page and compares status, certificate and body.
func get(ctx context.Context, p Probe) error {
	scheme, host := "http", p.Check.Host
	if host == "" {
		host = p.Target.Addr.String()
	}
	if p.Check.Type == topology.CheckHTTPS {
		scheme = "https"
	}
	transport := &http.Transport{
		// The host decides header, SNI and certificate; the target decides where the packets go.
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx, p, "tcp")
		},
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxBody,
		TLSClientConfig:        tlsConfig(p.Check),
	}
	defer transport.CloseIdleConnections()
	client := http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	path := p.Check.Path
	if path == "" {
		path = "/"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+host+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", agent)
	answer, err := client.Do(request)
	if err != nil {
		return cause(err)
	}
	defer answer.Body.Close()
	if !accepted(p.Check.Status, answer.StatusCode) {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	if answer.TLS != nil {
		if err := certificate(p.Check, *answer.TLS); err != nil {
			return err
		}
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return cause(err)
	}
	return contents(p.Check, body, "the body")
}

// agent is how the checks call themselves.
const agent = "gslb-check"

func accepted(want []int, status int) bool {
	if len(want) == 0 {
		return status >= 200 && status < 400
	}
	return slices.Contains(want, status)
}
