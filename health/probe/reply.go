package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"

	"gslb/topology"
)

// talk connects, sends what the check sends and reads until the reply has what
// the check expects. Over UDP, where connecting proves nothing, any reply will
// do when nothing is expected.
func talk(ctx context.Context, p Probe) error {
	network := p.Check.Type.Proto().String()
	conn, err := dial(ctx, p, network)
	if err != nil {
		return cause(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	datagram := p.Check.Type == topology.CheckUDP
	if p.Check.Send != "" || datagram {
		if _, err := conn.Write([]byte(p.Check.Send)); err != nil {
			return cause(err)
		}
	}
	if !datagram && p.Check.Text == "" && p.Check.Pattern == "" {
		return nil
	}
	var got []byte
	buf := make([]byte, maxBody)
	for {
		n, err := conn.Read(buf[:maxBody-len(got)])
		if datagram {
			got = got[:0] // each reply by itself
		}
		got = append(got, buf[:n]...)
		if n > 0 || datagram && err == nil {
			wrong := contents(p.Check, got, "the reply")
			if wrong == nil || datagram || len(got) == maxBody {
				return wrong
			}
		}
		switch {
		case err == nil:
		case ctx.Err() != nil && len(got) > 0:
			return told{fmt.Errorf("%w, within %v", contents(p.Check, got, "the reply"), p.Check.Timeout)}
		case errors.Is(err, io.EOF) && len(got) == 0:
			return errors.New("closed without a reply")
		case errors.Is(err, io.EOF):
			return contents(p.Check, got, "the reply")
		default:
			return cause(err)
		}
	}
}

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
