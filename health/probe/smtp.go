package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

// mail speaks to a mail server up to where a mail would begin (RFC 5321):
// greeting, EHLO or for old servers HELO, STARTTLS where the check wants it
// (RFC 3207), QUIT.
func mail(ctx context.Context, p Probe) error {
	conn, err := open(ctx, p, "tcp")
	if err != nil {
		return err
	}
	defer conn.Close()
	m := newMailer(conn, p)
	if err := m.wants("the greeting", 220); err != nil {
		return err
	}
	if err := m.hello(); err != nil {
		return err
	}
	if p.Check.StartTLS {
		if err := m.asks("STARTTLS", 220); err != nil {
			return err
		}
		if m.in.Buffered() > 0 { // what came in the clear would be taken for what comes after
			return errors.New("the server says more in the clear after STARTTLS")
		}
		secure, err := encrypt(ctx, p, conn)
		if err != nil {
			return err
		}
		m = newMailer(secure, p)
		if err := m.hello(); err != nil {
			return err
		}
	}
	// A server whose QUIT is heard logs no lost connection. It lives either way.
	_ = m.conn.SetDeadline(time.Now().Add(mailFarewell))
	_ = m.asks("QUIT", 221)
	return nil
}

// mailFarewell bounds the wait for the reply to QUIT.
const mailFarewell = 200 * time.Millisecond

type mailer struct {
	conn net.Conn
	in   *bufio.Reader
	name string
}

func newMailer(conn net.Conn, p Probe) *mailer {
	name := p.Check.Helo
	if name == "" { // an address literal, RFC 5321 section 4.1.3
		self, _ := netip.ParseAddrPort(conn.LocalAddr().String())
		name = "[" + self.Addr().Unmap().String() + "]"
		if self.Addr().Unmap().Is6() {
			name = "[IPv6:" + self.Addr().WithZone("").String() + "]"
		}
	}
	return &mailer{conn, bufio.NewReader(&meter{in: conn, left: maxBody}), name}
}

func (m *mailer) hello() error {
	err := m.asks("EHLO "+m.name, 250)
	var refused mailReply
	if errors.As(err, &refused) && refused.code >= 500 {
		return m.asks("HELO "+m.name, 250)
	}
	return err
}

func (m *mailer) asks(command string, code int) error {
	if _, err := io.WriteString(m.conn, command+"\r\n"); err != nil {
		return cause(err)
	}
	return m.wants("the reply to "+command, code)
}

// A mailReply is another reply than the one that was wanted.
type mailReply struct {
	what string
	code int
	text string
}

func (r mailReply) Error() string { return fmt.Sprintf("%s is %s", r.what, r.text) }

// wants reads a reply, which may have several lines: all but the last have a
// hyphen behind the code (RFC 5321 section 4.2).
func (m *mailer) wants(what string, code int) error {
	for {
		line, err := m.in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("%s has a line of more than %d bytes: %s", what, m.in.Size(), excerpt(line))
		case errors.Is(err, errTooMuch):
			return fmt.Errorf("%s has more than %d KiB", what, maxBody>>10)
		case errors.Is(err, io.EOF):
			return fmt.Errorf("closed before %s", what)
		case err != nil:
			return cause(err)
		}
		got := 0
		for _, digit := range line[:min(3, len(line))] {
			if digit < '0' || digit > '9' {
				return fmt.Errorf("%s is not SMTP: %s", what, excerpt(line))
			}
			got = got*10 + int(digit-'0')
		}
		if got < 100 || got != code {
			return mailReply{what, got, excerpt(line)}
		}
		if len(line) < 4 || line[3] != '-' {
			return nil
		}
	}
}
