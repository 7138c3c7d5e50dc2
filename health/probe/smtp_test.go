package probe

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"gslb/topology"
)

// mailServer answers with replies by the first word of a command.
func mailServer(t *testing.T, greeting string, replies map[string]string) net.Addr {
	t.Helper()
	certificate := issue(t, 24*time.Hour)
	return listen(t, func(c net.Conn) {
		defer func() { c.Close() }()
		fmt.Fprint(c, greeting)
		in := bufio.NewReader(c)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			reply, known := replies[word]
			if !known {
				reply = "502 no\r\n"
			}
			fmt.Fprint(c, strings.ReplaceAll(reply, "LINE", strings.TrimSpace(line)))
			if word == "STARTTLS" && strings.HasPrefix(reply, "220") {
				c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}})
				in = bufio.NewReader(c)
			}
		}
	})
}

func TestMail(t *testing.T) {
	const greeting, bye = "220-mx.example.org\r\n220 ready\r\n", "221 bye\r\n"
	full := map[string]string{"EHLO": "250-mx\r\n250-SIZE\r\n250 STARTTLS\r\n", "STARTTLS": "220 go\r\n", "QUIT": bye}
	modern := mailServer(t, greeting, full)
	for name, c := range map[string]try{
		"a server of today":               {modern, topology.CheckSMTP, nil, ""},
		"over TLS":                        {modern, topology.CheckSMTP, func(c *topology.Check) { c.StartTLS = true }, ""},
		"with a certificate that is old":  {modern, topology.CheckSMTP, func(c *topology.Check) { c.StartTLS, c.CertificateDays = true, 14 }, "14 are asked for"},
		"with one of an unknown issuer":   {modern, topology.CheckSMTP, func(c *topology.Check) { c.StartTLS, c.Verify, c.Host = true, true, "www.example.org" }, "certificate"},
		"an old one that knows HELO":      {mailServer(t, greeting, map[string]string{"HELO": "250 hi\r\n", "QUIT": bye}), topology.CheckSMTP, nil, ""},
		"one that does not know TLS":      {mailServer(t, greeting, map[string]string{"EHLO": "250 mx\r\n"}), topology.CheckSMTP, func(c *topology.Check) { c.StartTLS = true }, `the reply to STARTTLS is "502 no\r\n"`},
		"one that takes no mail now":      {mailServer(t, "421 later\r\n", nil), topology.CheckSMTP, nil, `the greeting is "421 later\r\n"`},
		"one that refuses everybody":      {mailServer(t, greeting, map[string]string{"EHLO": "421 LINE\r\n"}), topology.CheckSMTP, func(c *topology.Check) { c.Helo = "check.example.org" }, `"421 EHLO check.example.org\r\n"`},
		"it greets with its address":      {mailServer(t, greeting, map[string]string{"EHLO": "421 LINE\r\n"}), topology.CheckSMTP, nil, `"421 EHLO [127.0.0.1]\r\n"`},
		"injected lines before the TLS":   {mailServer(t, greeting, map[string]string{"EHLO": "250 mx\r\n", "STARTTLS": "220 go\r\n250 evil\r\n"}), topology.CheckSMTP, func(c *topology.Check) { c.StartTLS = true }, "says more in the clear"},
		"one that is deaf to QUIT":        {mailServer(t, greeting, map[string]string{"EHLO": "250 mx\r\n", "QUIT": ""}), topology.CheckSMTP, nil, ""},
		"a web server":                    {mailServer(t, "HTTP/1.1 400 Bad Request\r\n", nil), topology.CheckSMTP, nil, "the greeting is not SMTP"},
		"one that closes without a word":  {listen(t, func(c net.Conn) { c.Close() }), topology.CheckSMTP, nil, "closed before the greeting"},
		"another code on a later line":    {mailServer(t, "220-mx\r\n554 no\r\n", nil), topology.CheckSMTP, nil, `"554 no\r\n"`},
		"a line of nothing but its break": {mailServer(t, "\r\n", nil), topology.CheckSMTP, nil, "the greeting is not SMTP"},
	} {
		t.Run(name, c.run)
	}
}
