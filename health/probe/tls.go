package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"gslb/topology"
)

func tlsConfig(c *topology.Check) *tls.Config {
	return &tls.Config{InsecureSkipVerify: !c.Verify, ServerName: c.Host}
}

// handshake makes a TLS connection and says nothing over it.
func handshake(ctx context.Context, p Probe) error {
	conn, err := dial(ctx, p, "tcp")
	if err != nil {
		return cause(err)
	}
	defer conn.Close()
	secure := tls.Client(conn, tlsConfig(p.Check))
	if err := secure.HandshakeContext(ctx); err != nil {
		return cause(err)
	}
	return certificate(p.Check, secure.ConnectionState())
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
