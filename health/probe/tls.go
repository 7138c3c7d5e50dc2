package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"gslb/topology"
)

// handshake makes a TLS connection and says nothing over it.
func handshake(ctx context.Context, p Probe) error {
	conn, err := open(ctx, p, "tcp")
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = encrypt(ctx, p, conn)
	return err
}

// encrypt begins TLS on a connection and looks at the server's certificate.
// The name the server is asked for is the check's host; an address is not sent
// (RFC 6066 section 3), but a certificate may be valid for it.
func encrypt(ctx context.Context, p Probe, conn net.Conn, protocols ...string) (*tls.Conn, error) {
	name := p.Check.Host
	if name == "" {
		name = p.Target.Addr.Addr().String()
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: !p.Check.Verify, ServerName: name, NextProtos: protocols})
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, cause(err)
	}
	return secure, certificate(p.Check, secure.ConnectionState())
}

// certificate looks at how long the server's own certificate is valid still.
// Those of its issuers are not looked at: servers send old ones along that no
// client needs.
func certificate(c *topology.Check, state tls.ConnectionState) error {
	if c.CertificateDays == 0 || len(state.PeerCertificates) == 0 {
		return nil
	}
	end := state.PeerCertificates[0].NotAfter
	left := time.Until(end)
	const day = 24 * time.Hour
	switch days := int(left / day); {
	case left <= 0:
		return fmt.Errorf("the certificate expired on %s", end.UTC().Format(time.DateOnly))
	case left < time.Duration(c.CertificateDays)*day:
		return fmt.Errorf("the certificate expires on %s, in %d days; %d are asked for", end.UTC().Format(time.DateOnly), days, c.CertificateDays)
	}
	return nil
}
