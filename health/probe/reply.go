package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"

	"gslb/topology"
)

// talk connects, sends what the check sends and reads until the reply has what
// the check expects. Over UDP, where connecting proves nothing, any reply will
// do when nothing is expected.
func talk(ctx context.Context, p Probe) error {
	network := p.Check.Type.Proto().String()
	conn, err := open(ctx, p, network)
	if err != nil {
		return err
	}
	defer conn.Close()
	datagram := p.Check.Type == topology.CheckUDP
	if p.Check.Send != "" || datagram {
		if _, err := io.WriteString(conn, p.Check.Send); err != nil {
			return cause(err)
		}
	}
	if !datagram && p.Check.Text == "" && p.Check.Pattern == "" {
		if p.Check.Send == "" {
			// Nothing was said that could be lost: a reset leaves nothing behind, here
			// or in the tables of IPVS, where an orderly end would stay for minutes.
			if o, ok := conn.(opened); ok {
				_ = o.Conn.(*net.TCPConn).SetLinger(0)
			}
		}
		return nil
	}
	var got []byte
	buf := make([]byte, maxBody)
	compared, next := 0, 0
	for {
		n, err := conn.Read(buf[:maxBody-len(got)])
		if datagram {
			got = got[:0] // each reply by itself
		}
		got = append(got, buf[:n]...)
		full := len(got) == maxBody
		// A reply that comes byte by byte is compared after every byte, until that
		// costs too much; then each time it has grown by a half.
		if (n > 0 || datagram && err == nil) && (datagram || full || compared < maxCompared || len(got) >= next) {
			compared += len(got)
			next = len(got) * 3 / 2
			wrong := contents(p.Check, got, "the reply")
			if wrong == nil || datagram || full {
				return wrong
			}
		}
		switch {
		case err == nil:
		case ctx.Err() != nil && len(got) > 0:
			if wrong := contents(p.Check, got, "the reply"); wrong != nil {
				return told{fmt.Errorf("%w, within %v", wrong, p.Check.Timeout)}
			}
			return nil
		case errors.Is(err, io.EOF) && len(got) == 0:
			return errors.New("closed without a reply")
		case errors.Is(err, io.EOF):
			return contents(p.Check, got, "the reply")
		default:
			return cause(err)
		}
	}
}

// maxCompared bounds, in bytes, what is compared of a reply as it grows.
const maxCompared = 4 << 20

// contents compares a reply with what the check expects in it.
func contents(c *topology.Check, got []byte, what string) error {
	if !bytes.Contains(got, []byte(c.Text)) {
		return fmt.Errorf("%s has no %q but %s", what, c.Text, excerpt(got))
	}
	if c.Pattern == "" {
		return nil
	}
	re, err := regexp.Compile(c.Pattern)
	if err != nil {
		return fmt.Errorf("read the pattern: %w", err)
	}
	if !re.Match(got) {
		return fmt.Errorf("%s does not match %q: %s", what, c.Pattern, excerpt(got))
	}
	return nil
}

// excerpt is the beginning of a reply, fit to be shown.
func excerpt(got []byte) string {
	const most = 60
	if len(got) > most {
		return strconv.QuoteToASCII(string(got[:most])) + "..."
	}
	return strconv.QuoteToASCII(string(got))
}
